//! A picture on its way through the steps. Cuts, one scaling and turns are only noted down until a step needs the pixels as they
//! are, so that usual chains cost one resampling of no more than what stays, and a JPEG may have been decoded at an eighth of its
//! size.

use crate::Rect;
use crate::geometry::Dimensions;
use crate::icc;
use crate::resample::{self, View};
use crate::turn::Turn;
use std::sync::Arc;
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::Srgb;

/// What becomes of a colour profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColorPolicy {
    /// How colours are converted.
    pub(crate) srgb: Srgb,
    /// Up to which size in bytes of 1024 an RGB profile is kept.
    pub(crate) max_icc_size: u32,
}

/// A picture on its way.
#[derive(Clone)]
pub(crate) struct Picture {
    bitmap: Arc<Bitmap>,
    /// What may be looked at.
    bounds: Rect,
    /// What is seen of the bitmap.
    view: View,
    /// What the view is scaled to, on the axes of the bitmap.
    size: Dimensions,
    /// What is done to that.
    turn: Turn,
    /// Whether a step has asked for the scaling that is noted down; if not, the bitmap only holds fewer or more pixels than the
    /// picture is said to have.
    scaled: bool,
    /// What is to be done to the colours; nothing once it is done.
    policy: Option<ColorPolicy>,
    /// The profile of the colours, as embedded until the policy has been followed.
    icc: Option<Arc<[u8]>>,
}

impl Picture {
    /// A bitmap that stands for a picture of the size `full` before `turn`.
    pub(crate) fn new(bitmap: Bitmap, full: Dimensions, turn: Turn, icc: Option<Vec<u8>>, policy: ColorPolicy) -> Self {
        let view = shrunk_view(&bitmap, full);
        Self {
            bounds: resample::bounds(&bitmap),
            bitmap: Arc::new(bitmap),
            view,
            size: full,
            turn,
            scaled: false,
            policy: Some(policy),
            icc: icc.map(Into::into),
        }
    }

    /// Width and height as the steps see them.
    pub(crate) fn size(&self) -> Dimensions {
        self.turn.size(self.size)
    }

    /// Scales to a size.
    pub(crate) fn scale(&mut self, to: Dimensions) {
        if to == self.size() {
            return;
        }
        if self.scaled {
            self.settle();
        }
        self.size = self.turn.size(to);
        self.scaled = true;
    }

    /// Cuts a part out.
    pub(crate) fn cut(&mut self, part: Rect) {
        let part = self.turn.back(part, self.size());
        let across = self.view.width / f64::from(self.size.0);
        let down = self.view.height / f64::from(self.size.1);
        self.view = View {
            x: self.view.x + f64::from(part.x) * across,
            y: self.view.y + f64::from(part.y) * down,
            width: f64::from(part.width) * across,
            height: f64::from(part.height) * down,
        };
        self.size = (part.width, part.height);
        if !self.scaled {
            // What is cut off before a scaling must not shine into the edges.
            self.bounds = self.view.pixels(self.bounds);
        }
    }

    /// Turns.
    pub(crate) fn turn(&mut self, by: Turn) {
        self.turn = self.turn.then(by);
    }

    /// Works on the pixels one by one, in any order and as few as there are: for steps that do not look at neighbours.
    pub(crate) fn recolor(&mut self, work: impl FnOnce(&mut Bitmap)) {
        if self.scaled {
            self.settle();
        }
        if self.bounds != resample::bounds(&self.bitmap) {
            let (x, y) = (f64::from(self.bounds.x), f64::from(self.bounds.y));
            self.bitmap = Arc::new(copy(&self.bitmap, self.bounds));
            self.view = View { x: self.view.x - x, y: self.view.y - y, ..self.view };
            self.bounds = resample::bounds(&self.bitmap);
        }
        self.convert();
        let mut bitmap = self.take();
        work(&mut bitmap);
        self.bitmap = Arc::new(bitmap);
    }

    /// Works on the picture as a whole.
    pub(crate) fn work(&mut self, work: impl FnOnce(Bitmap) -> Bitmap) {
        self.pixels();
        let bitmap = self.take();
        *self = Self::whole(work(bitmap), self.icc.take());
    }

    /// The picture as it stands, in colours that can be worked with.
    pub(crate) fn pixels(&mut self) -> &Bitmap {
        self.settle();
        self.convert();
        &self.bitmap
    }

    /// A copy with sides of at most `most` pixels, for looking at; how much smaller it is, across and down.
    pub(crate) fn sketch(&self, most: u32) -> (Bitmap, (f64, f64)) {
        let (width, height) = self.size();
        let scale = (f64::from(most) / f64::from(width.max(height))).min(1.0);
        let mut copy = self.clone();
        // Not a step that was asked for: a scaling that is noted down need not be made first.
        let small =
            (crate::geometry::pixels(f64::from(width) * scale), crate::geometry::pixels(f64::from(height) * scale));
        copy.size = copy.turn.size(small);
        copy.pixels();
        let factors = (f64::from(small.0) / f64::from(width), f64::from(small.1) / f64::from(height));
        (copy.take(), factors)
    }

    /// The bitmap and its profile in the end.
    pub(crate) fn finish(mut self) -> (Bitmap, Option<Vec<u8>>) {
        self.pixels();
        let icc = self.icc.take().map(|icc| icc.to_vec());
        (self.take(), icc)
    }

    /// A bitmap that is exactly what it is, in colours that are done.
    fn whole(bitmap: Bitmap, icc: Option<Arc<[u8]>>) -> Self {
        Self {
            bounds: resample::bounds(&bitmap),
            view: View::all(&bitmap),
            size: (bitmap.width, bitmap.height),
            bitmap: Arc::new(bitmap),
            turn: Turn::default(),
            scaled: false,
            policy: None,
            icc,
        }
    }

    /// Makes the pixels what has been noted down.
    fn settle(&mut self) {
        let (width, height) = self.size;
        let inside =
            |part: &Rect| part.x + part.width <= self.bitmap.width && part.y + part.height <= self.bitmap.height;
        let exact = self.view.whole_pixels().filter(|part| (part.width, part.height) == self.size && inside(part));
        if let Some(part) = exact {
            if part != resample::bounds(&self.bitmap) {
                self.bitmap = Arc::new(copy(&self.bitmap, part));
            }
        } else {
            self.bitmap = Arc::new(resample::resize_within(&self.bitmap, self.bounds, self.view, width, height));
        }
        if self.turn != Turn::default() {
            let turned = self.turn.apply(self.take());
            self.bitmap = Arc::new(turned);
        }
        self.bounds = resample::bounds(&self.bitmap);
        self.view = View::all(&self.bitmap);
        self.size = (self.bitmap.width, self.bitmap.height);
        self.turn = Turn::default();
        self.scaled = false;
    }

    /// Follows the colour policy, once.
    fn convert(&mut self) {
        if let Some(policy) = self.policy.take() {
            let icc = self.icc.take();
            let (bitmap, icc) = icc::to_rgb(self.take(), icc.as_deref(), policy.srgb, policy.max_icc_size);
            self.bitmap = Arc::new(bitmap);
            self.icc = icc.map(Into::into);
        }
    }

    /// The bitmap itself, without a copy where nobody else holds it.
    fn take(&mut self) -> Bitmap {
        let empty = Bitmap { width: 1, height: 1, layout: Layout::Gray, data: vec![0] };
        let held = std::mem::replace(&mut self.bitmap, Arc::new(empty));
        Arc::try_unwrap(held).unwrap_or_else(|shared| (*shared).clone())
    }
}

/// What a bitmap shows of a picture that was decoded at a fraction of its size: its last column and row may be partly filled.
fn shrunk_view(bitmap: &Bitmap, full: Dimensions) -> View {
    let by = [1_u32, 2, 4, 8]
        .into_iter()
        .find(|by| (bitmap.width, bitmap.height) == (full.0.div_ceil(*by), full.1.div_ceil(*by)));
    by.map_or(View::all(bitmap), |by| View {
        width: f64::from(full.0) / f64::from(by),
        height: f64::from(full.1) / f64::from(by),
        ..View::all(bitmap)
    })
}

/// A part of a bitmap.
fn copy(bitmap: &Bitmap, part: Rect) -> Bitmap {
    let channels = bitmap.layout.channels();
    let (from, span) = (part.x as usize * channels, part.width as usize * channels);
    let rows = bitmap.data.chunks_exact(bitmap.width as usize * channels);
    let mut data = Vec::with_capacity(span * part.height as usize);
    for row in rows.skip(part.y as usize).take(part.height as usize) {
        data.extend_from_slice(&row[from..from + span]);
    }
    Bitmap { width: part.width, height: part.height, layout: bitmap.layout, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: ColorPolicy = ColorPolicy { srgb: Srgb::Fast, max_icc_size: 10 };

    /// Every pixel is its number.
    fn numbered(width: u32, height: u32) -> Bitmap {
        let data = (0..u8::try_from(width * height).unwrap()).collect();
        Bitmap { width, height, layout: Layout::Gray, data }
    }

    #[test]
    fn cuts_of_turned_pictures_are_where_they_are_seen() {
        for turn in (1..=8).map(Turn::upright) {
            let whole = turn.apply(numbered(6, 4));
            let part = Rect { x: 1, y: 2, width: 2, height: 1 };
            let mut picture = Picture::new(numbered(6, 4), (6, 4), turn, None, FAST);
            picture.cut(part);
            let seen = picture.finish().0;
            let at = (part.y * whole.width + part.x) as usize;
            assert_eq!((seen.width, seen.height, &seen.data[..]), (2, 1, &whole.data[at..at + 2]), "{turn:?}");
        }
    }

    #[test]
    fn partly_filled_edges_of_shrunk_pictures_are_known() {
        let shrunk = numbered(13, 7);
        let view = shrunk_view(&shrunk, (100, 53));
        assert_eq!((view.width, view.height), (12.5, 6.625));
        assert_eq!(shrunk_view(&shrunk, (13, 7)), View::all(&shrunk));
        assert_eq!(shrunk_view(&shrunk, (500, 300)), View::all(&shrunk));
    }

    #[test]
    fn a_shrunk_picture_has_its_full_size_all_the_same() {
        let bitmap = Bitmap { width: 50, height: 25, layout: Layout::Gray, data: vec![9; 1250] };
        let mut picture = Picture::new(bitmap, (200, 100), Turn::upright(6), None, FAST);
        assert_eq!(picture.size(), (100, 200));
        picture.cut(Rect { x: 0, y: 0, width: 100, height: 100 });
        picture.recolor(|bitmap| {
            assert_eq!((bitmap.width, bitmap.height), (25, 25));
            bitmap.data.fill(20);
        });
        assert_eq!(picture.size(), (100, 100));
        let (sketch, factors) = picture.sketch(10);
        assert_eq!((sketch.width, sketch.height, factors), (10, 10, (0.1, 0.1)));
        let (bitmap, icc) = picture.finish();
        assert_eq!((bitmap.width, bitmap.height, icc), (100, 100, None));
        assert!(bitmap.data.iter().all(|level| *level == 20));
    }

    #[test]
    fn a_copy_that_is_worked_on_leaves_the_original() {
        let mut picture = Picture::new(numbered(6, 4), (6, 4), Turn::default(), None, FAST);
        let original = picture.clone();
        picture.recolor(|bitmap| bitmap.data.fill(0));
        assert_eq!(original.finish().0, numbered(6, 4));
    }
}
