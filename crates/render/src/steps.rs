//! The steps, one by one, on a picture.

use crate::geometry::{self, Dimensions};
use crate::picture::{ColorPolicy, Picture};
use crate::plan::{SKETCH_SIDE, with_margin};
use crate::turn::Turn;
use crate::{Job, Rect, RenderError, analyse, color, compose, detail, faces, source, text};
use stowage_codecs::Bitmap;
use stowage_image::operations::{
    Align, Color, Crop, CropObject, OverlaySource, Percent, Region, Size, Smart, Srgb, Step, Stretch,
};
use stowage_model::{FileId, ImageInfo};

/// The colour outside of pictures and behind them where none is set.
const WHITE: Color = Color { red: 255, green: 255, blue: 255, alpha: 255 };

/// A picture and the state that steps leave for those behind them.
pub(crate) struct Steps<'j, 'a> {
    job: &'j Job<'a>,
    picture: Picture,
    /// The picture before all steps, where an overlay needs it.
    original: Option<Picture>,
    /// The overlay that was made last, so that one that is laid on many times is made once.
    laid: Option<(OverlaySource, Bitmap)>,
    /// Steps of colour that are to be done in one go.
    coloring: Vec<Step>,
    fill: Color,
    stretch: Stretch,
    text: text::State,
}

impl<'j, 'a> Steps<'j, 'a> {
    /// Before the first step.
    pub(crate) fn new(job: &'j Job<'a>, picture: Picture) -> Self {
        let own = |step: &Step| matches!(step, Step::Overlay { source: OverlaySource::Own, .. });
        let original = job.operations.steps.iter().any(own).then(|| picture.clone());
        Self {
            job,
            picture,
            original,
            laid: None,
            coloring: Vec::new(),
            fill: WHITE,
            stretch: Stretch::On,
            text: text::State::default(),
        }
    }

    /// After the last step: the picture and the colour behind it.
    pub(crate) fn finish(mut self) -> (Picture, Color) {
        self.color();
        (self.picture, self.fill)
    }

    /// Does one step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), RenderError> {
        match step {
            Step::SetFill(color) => self.fill = *color,
            Step::Stretch(stretch) => self.stretch = *stretch,
            Step::Font(change) => self.text.font(change),
            Step::TextAlign { horizontal, vertical } => self.text.align(*horizontal, *vertical),
            Step::TextBox { mode, color, padding } => self.text.text_box(*mode, *color, *padding),
            Step::Rasterize => {}
            _ if color::is_color(step) => self.coloring.push(step.clone()),
            _ => {
                self.color();
                return self.geometric(step);
            }
        }
        Ok(())
    }

    /// Does the steps of colour that have gathered.
    fn color(&mut self) {
        if !self.coloring.is_empty() {
            let run = std::mem::take(&mut self.coloring);
            self.picture.recolor(|bitmap| color::apply(bitmap, &run));
        }
    }

    fn geometric(&mut self, step: &Step) -> Result<(), RenderError> {
        match step {
            Step::Preview { width, height } => self.scale(geometry::preview(self.size(), (*width, *height)))?,
            Step::Resize(sides) => {
                let scaling = geometry::resize(self.size(), *sides, self.stretch);
                self.scale(scaling.scaled)?;
                self.canvas(scaling.canvas)?;
            }
            Step::ScaleCrop { width, height, smart, align } => {
                self.scale_crop((*width, *height), *smart, *align)?;
            }
            Step::SmartResize { width, height } => {
                let (width, height) = (*width, *height);
                self.limits().check_step((width, height))?;
                // Only the ratio is a matter of content; the rest is scaling.
                self.scale(geometry::cover(self.size(), (width, height), Stretch::Off).0)?;
                self.picture.work(|bitmap| analyse::smart_resize(bitmap, width, height));
            }
            Step::Crop(crop) => self.crop(crop)?,
            Step::Trim { tolerance, padding } => {
                let content = analyse::trim(self.picture.pixels(), *tolerance);
                let by = (geometry::padding(*padding, content.width), geometry::padding(*padding, content.height));
                let rect = geometry::grow(content, by, self.size());
                self.picture.cut(rect);
            }
            Step::Rotate(quarters) => self.picture.turn(Turn::quarters(*quarters)),
            Step::Mirror => self.picture.turn(Turn { mirror: true, ..Turn::default() }),
            Step::Flip => self.picture.turn(Turn { flip: true, ..Turn::default() }),
            _ => return self.painted(step),
        }
        Ok(())
    }

    fn painted(&mut self, step: &Step) -> Result<(), RenderError> {
        match step {
            Step::BorderRadius { horizontal, vertical } => {
                self.picture.work(|bitmap| compose::round(bitmap, horizontal, vertical.as_ref()));
            }
            Step::ZoomObjects(zoom) if *zoom > 0 => {
                self.picture.work(|bitmap| analyse::zoom_objects(bitmap, *zoom));
            }
            Step::Blur { strength, amount } if *strength > 0 && *amount != 0 => {
                let (sigma, amount) = (f32::from(*strength) / 10.0, f32::from(*amount) / 100.0);
                self.picture.work(|bitmap| detail::blur(bitmap, sigma, amount));
            }
            Step::BlurRegion { region, strength } if *strength != Some(0) => self.blur_region(region, *strength),
            Step::Sharp(strength) if *strength > 0 => self.picture.work(|bitmap| detail::sharp(bitmap, *strength)),
            Step::Overlay { source, size, align, opacity } => self.overlay(*source, *size, *align, *opacity)?,
            Step::Rect { color, size, align } => {
                let (width, height) = geometry::size(*size, self.size());
                let (x, y) = geometry::offset(*align, self.size(), (width, height));
                self.picture.work(|bitmap| compose::rect(bitmap, *color, x, y, width, height));
            }
            Step::Text { size, align, text: words } => {
                let (width, height) = geometry::size(*size, self.size());
                let (x, y) = geometry::offset(*align, self.size(), (width, height));
                let state = &self.text;
                self.picture.work(|bitmap| text::draw(bitmap, state, x, y, width, height, words));
            }
            // What is left are steps that were asked to do nothing.
            _ => {}
        }
        Ok(())
    }

    fn limits(&self) -> &'j crate::Limits {
        &self.job.options.limits
    }

    /// Width and height of the picture as it is now.
    pub(crate) fn size(&self) -> Dimensions {
        self.picture.size()
    }

    fn scale(&mut self, to: Dimensions) -> Result<(), RenderError> {
        self.limits().check_step(to)?;
        self.picture.scale(to);
        Ok(())
    }

    /// Puts the picture into the middle of a canvas.
    fn canvas(&mut self, canvas: Option<Dimensions>) -> Result<(), RenderError> {
        let Some((width, height)) = canvas else { return Ok(()) };
        self.limits().check_step((width, height))?;
        let (x, y) = geometry::offset(Align::CENTER, (width, height), self.size());
        let fill = self.fill;
        self.picture.work(|bitmap| compose::place(bitmap, x, y, width, height, fill));
        Ok(())
    }

    fn scale_crop(&mut self, to: Dimensions, smart: Option<Smart>, align: Option<Align>) -> Result<(), RenderError> {
        let (scaled, cut) = geometry::cover(self.size(), to, self.stretch);
        let found = smart.filter(|_| scaled != cut).and_then(|smart| {
            let (sketch, _) = self.picture.sketch(SKETCH_SIDE);
            let (across, down) =
                (f64::from(sketch.width) / f64::from(scaled.0), f64::from(sketch.height) / f64::from(scaled.1));
            let part = (geometry::pixels(f64::from(cut.0) * across), geometry::pixels(f64::from(cut.1) * down));
            let (x, y) = analyse::smart_cut(&sketch, part.0, part.1, smart.0)?;
            Some((geometry::place(f64::from(x) / across), geometry::place(f64::from(y) / down)))
        });
        let default = if smart.is_some() { Align::CENTER } else { Align::TOP_LEFT };
        let at = found.unwrap_or_else(|| geometry::offset(align.unwrap_or(default), scaled, cut));
        let scaling = geometry::cut_scaled(scaled, cut, at, to, self.stretch);
        self.scale(scaling.scaled)?;
        if let Some(cut) = scaling.cut {
            self.picture.cut(cut);
        }
        self.canvas(scaling.canvas)
    }

    fn crop(&mut self, crop: &Crop) -> Result<(), RenderError> {
        let face = match crop.object {
            Some(CropObject::Face) => self.faces().first().copied(),
            _ => None,
        };
        let cut = geometry::crop(self.size(), crop, face);
        let size = (cut.width, cut.height);
        if let Some(rect) = cut.within(self.size()) {
            if size != self.size() {
                self.picture.cut(rect);
            }
            return Ok(());
        }
        self.limits().check_step(size)?;
        let (mut x, mut y) = (cut.x.saturating_neg(), cut.y.saturating_neg());
        if let Some(seen) = cut.overlap(self.size()) {
            self.picture.cut(seen);
            x += i64::from(seen.x);
            y += i64::from(seen.y);
        }
        let fill = self.fill;
        self.picture.work(|bitmap| compose::place(bitmap, x, y, size.0, size.1, fill));
        Ok(())
    }

    /// The faces in the picture as it is now, the largest first.
    fn faces(&self) -> Vec<Rect> {
        find_faces(&self.picture)
    }

    fn blur_region(&mut self, region: &Region, strength: Option<u16>) {
        let parts = match region {
            Region::Faces => self.faces(),
            Region::Box(size, align) => {
                let (width, height) = geometry::size(*size, self.size());
                let (x, y) = geometry::offset(*align, self.size(), (width, height));
                geometry::Cut { x, y, width, height }.overlap(self.size()).into_iter().collect()
            }
        };
        if parts.is_empty() {
            return;
        }
        self.picture.work(|bitmap| {
            parts.into_iter().fold(bitmap, |bitmap, part| {
                let sigma = strength.map_or_else(|| default_sigma(part), |strength| f32::from(strength) / 10.0);
                detail::blur_region(bitmap, part, sigma)
            })
        });
    }

    /// Puts a picture on the picture.
    fn overlay(
        &mut self,
        source: OverlaySource,
        size: Size,
        align: Align,
        opacity: Percent,
    ) -> Result<(), RenderError> {
        let base = self.size();
        let to = geometry::fit(self.native(source)?, geometry::size(size, base));
        self.limits().check_step(to)?;
        let is_made = |(of, over): &(OverlaySource, Bitmap)| *of == source && (over.width, over.height) == to;
        if !self.laid.as_ref().is_some_and(is_made) {
            // The last one goes before the next is made: one at a time is enough.
            self.laid = None;
            let over = match source {
                OverlaySource::Own => self.original.clone(),
                OverlaySource::File(id) => Some(self.foreign(id, to)?),
            };
            self.laid = over.map(|mut over| {
                over.scale(to);
                (source, over.finish().0)
            });
        }
        // Where the picture itself is laid on, there is an original.
        if let Some((_, over)) = &self.laid {
            let at = geometry::offset(align, base, to);
            self.picture.work(|bitmap| compose::overlay(bitmap, over, at, opacity.0 / 100.0));
        }
        Ok(())
    }

    /// The size that an overlay has before it is scaled.
    fn native(&self, source: OverlaySource) -> Result<Dimensions, RenderError> {
        match source {
            OverlaySource::Own => Ok(self.original.as_ref().map_or((1, 1), Picture::size)),
            OverlaySource::File(id) => Ok(source::size(&self.foreign_facts(id)?.1, true)),
        }
    }

    /// Another file and its facts.
    fn foreign_facts(&self, id: FileId) -> Result<(&'a [u8], ImageInfo), RenderError> {
        let bytes = (self.job.overlays)(id).ok_or(RenderError::NoOverlay(id))?;
        let facts = source::facts(bytes, self.limits()).map_err(|error| of_overlay(id, error))?;
        Ok((bytes, facts))
    }

    /// Another file's picture in sRGB, of which a copy of a size is needed.
    fn foreign(&self, id: FileId, to: Dimensions) -> Result<Picture, RenderError> {
        let (bytes, facts) = self.foreign_facts(id)?;
        let policy = ColorPolicy { srgb: Srgb::Icc, max_icc_size: 0 };
        let wish = source::Wish { target: Some(to), at_least: Some(with_margin(to)) };
        let opened = source::open(bytes, &facts, wish, true, policy, self.limits());
        opened.map(|opened| opened.picture).map_err(|error| of_overlay(id, error))
    }
}

/// An error about an overlay's file instead of the picture's.
fn of_overlay(id: FileId, error: RenderError) -> RenderError {
    match error {
        RenderError::NotAnImage => RenderError::OverlayNotAnImage(id),
        other => other,
    }
}

/// The faces in a picture, the largest first.
pub(crate) fn find_faces(picture: &Picture) -> Vec<Rect> {
    let (sketch, (across, down)) = picture.sketch(SKETCH_SIDE);
    let scaled = |at: u32, scale: f64| geometry::place(f64::from(at) / scale);
    let full = |face: Rect| {
        let cut = geometry::Cut {
            x: scaled(face.x, across),
            y: scaled(face.y, down),
            width: geometry::pixels(f64::from(face.width) / across),
            height: geometry::pixels(f64::from(face.height) / down),
        };
        cut.overlap(picture.size())
    };
    faces::find(&sketch).into_iter().filter_map(full).collect()
}

/// How strongly a part is blurred where the URL does not say: a tenth of its shorter side, at least a pixel.
#[expect(clippy::cast_possible_truncation, reason = "a side of a picture")]
fn default_sigma(part: Rect) -> f32 {
    (f64::from(part.width.min(part.height)) / 10.0).max(1.0) as f32
}
