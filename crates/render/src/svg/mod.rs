//! SVG sources: their size, geometry that is done on the document itself, and pixels where those are asked for.
//!
//! A document is hostile. To edit it only its root element is read. To make pixels of it, it is first written anew with
//! nothing but what is known to be harmless and bounded ([`clean`]); what it will cost to paint is then reckoned from the
//! shapes ([`cost`]), and all of that happens on a thread whose stack suffices for the deepest document that gets so far.

mod clean;
mod cost;
mod entities;
mod paint;
mod references;
mod root;
mod style;

use crate::geometry::{self, Dimensions, Scaling};
use crate::{Limits, Rect, RenderError};
use root::{Root, View};
use stowage_image::operations::{Align, Step, Stretch};

pub(crate) use paint::rasterize;

/// The size in pixels. Errors: [`RenderError::Damaged`].
pub(crate) fn size(bytes: &[u8]) -> Result<Dimensions, RenderError> {
    let root = find(&root::as_text(bytes))?;
    Ok(whole(root.size))
}

/// Does the geometry of `steps` on width, height and `viewBox` of the root; other steps change nothing. The answer is the
/// document with its size in pixels. Errors: [`RenderError::Damaged`], and [`RenderError::TooLarge`] where a step exceeds the
/// limits.
pub(crate) fn edit(bytes: &[u8], steps: &[Step], limits: &Limits) -> Result<(Vec<u8>, u32, u32), RenderError> {
    let text = root::as_text(bytes);
    let root = find(&text)?;
    let mut picture =
        Picture { size: whole(root.size), view: root.view(), is_cut: false, is_stretched: root.is_stretched() };
    let before = picture;
    let mut stretch = Stretch::default();
    for step in steps {
        match step {
            Step::Stretch(to) => stretch = *to,
            Step::Preview { width, height } => picture.scale(geometry::preview(picture.size, (*width, *height))),
            Step::Resize(sides) => picture.apply(geometry::resize(picture.size, *sides, stretch)),
            Step::SmartResize { width, height } => {
                picture.apply(geometry::scale_crop(picture.size, (*width, *height), Align::CENTER, Stretch::On));
            }
            Step::ScaleCrop { width, height, smart, align } => {
                let align = align.unwrap_or(if smart.is_some() { Align::CENTER } else { Align::TOP_LEFT });
                picture.apply(geometry::scale_crop(picture.size, (*width, *height), align, stretch));
            }
            Step::Crop(crop) => {
                let (width, height) = picture.size;
                // There is no telling faces apart in a drawing.
                let object = crop.object.map(|_| Rect { x: 0, y: 0, width, height });
                let cut = geometry::crop(picture.size, crop, object);
                picture.cut((cut.x, cut.y), (cut.width, cut.height));
            }
            _ => {}
        }
        limits.check_step(picture.size)?;
    }
    if picture == before {
        return Ok((bytes.to_vec(), picture.size.0, picture.size.1));
    }
    let stretched = picture.is_stretched && !before.is_stretched;
    let view = (picture.is_cut || stretched).then_some(picture.view);
    Ok((root.write(bytes, picture.size, view, stretched), picture.size.0, picture.size.1))
}

fn find(text: &str) -> Result<Root, RenderError> {
    Root::find(text).ok_or_else(|| RenderError::Damaged("the SVG has no root element with a size".to_owned()))
}

fn whole((width, height): (f64, f64)) -> Dimensions {
    (geometry::pixels(width), geometry::pixels(height))
}

/// What a document shows, at which size.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Picture {
    size: Dimensions,
    view: View,
    /// Whether the view is another part of the drawing than in the beginning.
    is_cut: bool,
    /// Whether the view is stretched to the size.
    is_stretched: bool,
}

impl Picture {
    fn apply(&mut self, scaling: Scaling) {
        self.scale(scaling.scaled);
        if let Some(cut) = scaling.cut {
            self.cut((i64::from(cut.x), i64::from(cut.y)), (cut.width, cut.height));
        }
        if let Some(canvas) = scaling.canvas {
            self.cut(geometry::offset(Align::CENTER, self.size, canvas), canvas);
        }
    }

    fn scale(&mut self, to: Dimensions) {
        let product = |one: u32, other: u32| u64::from(one) * u64::from(other);
        let off = product(self.size.0, to.1).abs_diff(product(self.size.1, to.0));
        // Whole pixels are not a distortion: less than one pixel on either side.
        let distorts = off >= u64::from(self.size.0.max(self.size.1));
        self.is_stretched |= distorts;
        self.size = to;
    }

    /// A part of the picture, possibly beyond its edges.
    fn cut(&mut self, (x, y): (i64, i64), size: Dimensions) {
        if ((x, y), size) == ((0, 0), self.size) {
            return;
        }
        let across = self.view.width / f64::from(self.size.0);
        let down = self.view.height / f64::from(self.size.1);
        self.view = View {
            x: self.view.x + x as f64 * across,
            y: self.view.y + y as f64 * down,
            width: f64::from(size.0) * across,
            height: f64::from(size.1) * down,
        };
        self.size = size;
        self.is_cut = true;
    }
}

#[cfg(test)]
mod tests;
