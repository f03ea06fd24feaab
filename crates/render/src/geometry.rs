//! The arithmetic of sizes and places (url-api reference, section 3): computed in real numbers, rounded to the nearest pixel,
//! never below one. No pixels here, so that the plan and the pipeline reckon alike.

use crate::Rect;
use stowage_image::operations::{Align, Crop, Length, Offset, Sides, Size, Stretch};

/// Width and height in pixels.
pub(crate) type Dimensions = (u32, u32);

/// A box relative to a picture, not necessarily inside of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut {
    /// From the picture's left.
    pub(crate) x: i64,
    /// From the picture's top.
    pub(crate) y: i64,
    /// At least 1.
    pub(crate) width: u32,
    /// At least 1.
    pub(crate) height: u32,
}

impl Cut {
    /// The box, if it is inside of a picture.
    pub(crate) fn within(self, (width, height): Dimensions) -> Option<Rect> {
        let (x, y) = (u32::try_from(self.x).ok()?, u32::try_from(self.y).ok()?);
        let fits = x.checked_add(self.width)? <= width && y.checked_add(self.height)? <= height;
        fits.then_some(Rect { x, y, width: self.width, height: self.height })
    }

    /// What of the box is inside of a picture, if anything.
    pub(crate) fn overlap(self, (width, height): Dimensions) -> Option<Rect> {
        let span = |from: i64, length: u32, whole: u32| {
            let start = from.clamp(0, i64::from(whole));
            let end = from.saturating_add(i64::from(length)).clamp(0, i64::from(whole));
            Some((u32::try_from(start).ok()?, u32::try_from(end - start).ok().filter(|length| *length > 0)?))
        };
        let ((x, width), (y, height)) = (span(self.x, self.width, width)?, span(self.y, self.height, height)?);
        Some(Rect { x, y, width, height })
    }
}

/// What `resize` and `scale_crop` come down to: scale, cut, and put on a canvas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scaling {
    /// The size to scale to.
    pub(crate) scaled: Dimensions,
    /// What is cut out of that.
    pub(crate) cut: Option<Rect>,
    /// The canvas in whose middle the rest is put.
    pub(crate) canvas: Option<Dimensions>,
}

impl Scaling {
    fn plain(scaled: Dimensions) -> Self {
        Self { scaled, cut: None, canvas: None }
    }

    /// The size in the end.
    pub(crate) fn result(&self) -> Dimensions {
        self.canvas.or(self.cut.map(|cut| (cut.width, cut.height))).unwrap_or(self.scaled)
    }
}

/// A number of pixels, at least 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; casts of floats saturate")]
pub(crate) fn pixels(length: f64) -> u32 {
    length.round().clamp(1.0, f64::from(u32::MAX)) as u32
}

/// A coordinate.
#[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
pub(crate) fn place(offset: f64) -> i64 {
    offset.round() as i64
}

/// A length measured against `whole`, in pixels; possibly 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
pub(crate) fn padding(length: Length, whole: u32) -> u32 {
    match length {
        Length::Pixels(pixels) => pixels,
        Length::Percent(share) => (f64::from(whole) * share.0 / 100.0).round() as u32,
    }
}

/// A length measured against `whole`, in pixels, at least 1.
pub(crate) fn length(length: Length, whole: u32) -> u32 {
    padding(length, whole).max(1)
}

/// A size measured against another.
pub(crate) fn size(size: Size, whole: Dimensions) -> Dimensions {
    (length(size.width, whole.0), length(size.height, whole.1))
}

/// Where a box of the size `inner` stands in one of the size `outer`; shares are of what is left over, negative where the inner
/// one is larger.
pub(crate) fn offset(align: Align, outer: Dimensions, inner: Dimensions) -> (i64, i64) {
    let one = |offset: Offset, outer: u32, inner: u32| match offset {
        Offset::Pixels(pixels) => i64::from(pixels),
        Offset::Percent(share) => place((f64::from(outer) - f64::from(inner)) * share.0 / 100.0),
    };
    (one(align.x, outer.0, inner.0), one(align.y, outer.1, inner.1))
}

/// The largest size of the same ratio inside a box, whether that is smaller or larger.
pub(crate) fn fit(from: Dimensions, to: Dimensions) -> Dimensions {
    let scale = (f64::from(to.0) / f64::from(from.0)).min(f64::from(to.1) / f64::from(from.1));
    let (width, height) = (pixels(f64::from(from.0) * scale), pixels(f64::from(from.1) * scale));
    (width.min(to.0), height.min(to.1))
}

/// `preview`: inside of a box, never larger than it was.
pub(crate) fn preview(from: Dimensions, to: Dimensions) -> Dimensions {
    if from.0 <= to.0 && from.1 <= to.1 { from } else { fit(from, to) }
}

/// The sides that `resize` is about, the missing one by the ratio.
fn sides(from: Dimensions, sides: Sides) -> Dimensions {
    let (width, height) = (f64::from(from.0), f64::from(from.1));
    match sides {
        Sides::Width(to) => (to.max(1), pixels(height * f64::from(to) / width)),
        Sides::Height(to) => (pixels(width * f64::from(to) / height), to.max(1)),
        Sides::Both(to_width, to_height) => (to_width.max(1), to_height.max(1)),
    }
}

/// `resize` under a `stretch`.
pub(crate) fn resize(from: Dimensions, asked: Sides, stretch: Stretch) -> Scaling {
    let wanted = sides(from, asked);
    let kept = match asked {
        Sides::Width(to) if to > from.0 => from,
        Sides::Height(to) if to > from.1 => from,
        Sides::Width(_) | Sides::Height(_) => wanted,
        Sides::Both(..) => (wanted.0.min(from.0), wanted.1.min(from.1)),
    };
    match stretch {
        Stretch::On => Scaling::plain(wanted),
        Stretch::Off => Scaling::plain(kept),
        Stretch::Fill => Scaling { canvas: (kept != wanted).then_some(wanted), ..Scaling::plain(kept) },
    }
}

/// What `scale_crop` scales to, and the size of what is cut out of that.
pub(crate) fn cover(from: Dimensions, to: Dimensions, stretch: Stretch) -> (Dimensions, Dimensions) {
    let (width, height) = (f64::from(from.0), f64::from(from.1));
    let scale = (f64::from(to.0) / width).max(f64::from(to.1) / height);
    if scale >= 1.0 && stretch != Stretch::On {
        return (from, (to.0.min(from.0), to.1.min(from.1)));
    }
    ((pixels(width * scale).max(to.0), pixels(height * scale).max(to.1)), to)
}

/// `scale_crop` whose cut stands where `align` says, drawn into the picture where that is outside.
pub(crate) fn scale_crop(from: Dimensions, to: Dimensions, align: Align, stretch: Stretch) -> Scaling {
    let (scaled, cut) = cover(from, to, stretch);
    let (x, y) = offset(align, scaled, cut);
    cut_scaled(scaled, cut, (x, y), to, stretch)
}

/// `scale_crop` whose cut stands at a place that is known already.
pub(crate) fn cut_scaled(
    scaled: Dimensions,
    cut: Dimensions,
    at: (i64, i64),
    to: Dimensions,
    stretch: Stretch,
) -> Scaling {
    let draw_in = |at: i64, inner: u32, outer: u32| {
        u32::try_from(at.clamp(0, i64::from(outer.saturating_sub(inner)))).unwrap_or(0)
    };
    let (x, y) = (draw_in(at.0, cut.0, scaled.0), draw_in(at.1, cut.1, scaled.1));
    Scaling {
        scaled,
        cut: (scaled != cut).then_some(Rect { x, y, width: cut.0, height: cut.1 }),
        canvas: (stretch == Stretch::Fill && cut != to).then_some(to),
    }
}

/// `crop`: the box, possibly outside of the picture where the crop is about no object. `face` is the largest one, if a face is
/// what the crop is about and there is one; without it the whole picture is meant.
pub(crate) fn crop(from: Dimensions, crop: &Crop, face: Option<Rect>) -> Cut {
    if crop.object.is_some() {
        return crop_object(from, crop, face);
    }
    let (inner, align) = match (crop.ratio, crop.size) {
        (Some(ratio), _) => (largest(from, ratio), crop.align.unwrap_or(Align::CENTER)),
        (None, Some(asked)) => (size(asked, from), crop.align.unwrap_or(Align::TOP_LEFT)),
        (None, None) => (from, Align::TOP_LEFT),
    };
    let (x, y) = offset(align, from, inner);
    Cut { x, y, width: inner.0, height: inner.1 }
}

/// The largest box of a ratio inside of a picture.
fn largest((width, height): Dimensions, ratio: (u32, u32)) -> Dimensions {
    let (across, down) = (f64::from(ratio.0.max(1)), f64::from(ratio.1.max(1)));
    let wide = pixels(f64::from(height) * across / down);
    let high = pixels(f64::from(width) * down / across);
    (wide.min(width), high.min(height))
}

/// The smallest box of a ratio around another.
fn smallest((width, height): Dimensions, ratio: (u32, u32)) -> Dimensions {
    let (across, down) = (f64::from(ratio.0.max(1)), f64::from(ratio.1.max(1)));
    let wide = pixels(f64::from(height) * across / down);
    let high = pixels(f64::from(width) * down / across);
    (wide.max(width), high.max(height))
}

/// A crop about an object: the box stays in the picture.
fn crop_object(from: Dimensions, crop: &Crop, face: Option<Rect>) -> Cut {
    let object = face.map_or(from, |face| (face.width, face.height));
    let mut inner = crop.size.map_or(object, |asked| size(asked, object));
    if let Some(ratio) = crop.ratio {
        let around = smallest(inner, ratio);
        inner = if around.0 <= from.0 && around.1 <= from.1 { around } else { largest(from, ratio) };
    }
    let inner = (inner.0.min(from.0), inner.1.min(from.1));
    let align = crop.align.unwrap_or(Align::CENTER);
    let (x, y) = match face {
        // The alignment says where the face sits in the box, so the box begins that far before the face.
        Some(face) => {
            let (in_x, in_y) = offset(align, inner, object);
            (i64::from(face.x).saturating_sub(in_x), i64::from(face.y).saturating_sub(in_y))
        }
        None => offset(align, from, inner),
    };
    let draw_in = |at: i64, inner: u32, outer: u32| at.clamp(0, i64::from(outer - inner));
    Cut { x: draw_in(x, inner.0, from.0), y: draw_in(y, inner.1, from.1), width: inner.0, height: inner.1 }
}

/// A box grown on every side, as far as the picture goes.
pub(crate) fn grow(rect: Rect, by: (u32, u32), (width, height): Dimensions) -> Rect {
    let (x, y) = (rect.x.saturating_sub(by.0), rect.y.saturating_sub(by.1));
    let right = rect.x.saturating_add(rect.width).saturating_add(by.0).min(width);
    let bottom = rect.y.saturating_add(rect.height).saturating_add(by.1).min(height);
    Rect { x, y, width: (right - x).max(1), height: (bottom - y).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_image::operations::{CropObject, Percent};

    fn shares(x: f64, y: f64) -> Align {
        Align { x: Offset::Percent(Percent(x)), y: Offset::Percent(Percent(y)) }
    }

    fn at(x: i32, y: i32) -> Align {
        Align { x: Offset::Pixels(x), y: Offset::Pixels(y) }
    }

    fn of_pixels(width: u32, height: u32) -> Size {
        Size { width: Length::Pixels(width), height: Length::Pixels(height) }
    }

    #[test]
    fn previews_fit_and_never_grow() {
        for (from, to, wanted) in [
            ((1600, 900), (2048, 2048), (1600, 900)),
            ((4000, 2000), (2048, 2048), (2048, 1024)),
            ((1600, 900), (300, 500), (300, 169)),
            ((600, 1200), (500, 500), (250, 500)),
            ((30_000, 2), (100, 100), (100, 1)),
            ((3, 3), (2, 1), (1, 1)),
        ] {
            assert_eq!(preview(from, to), wanted, "{from:?} into {to:?}");
        }
    }

    #[test]
    fn fitting_never_goes_over_the_box() {
        for width in 1..80 {
            for height in [1, 7, 40, 79, 1000] {
                let (fitted_width, fitted_height) = fit((width, height), (33, 44));
                assert!(fitted_width <= 33 && fitted_height <= 44, "{width}x{height}");
                assert!(fitted_width == 33 || fitted_height == 44, "{width}x{height}");
            }
        }
    }

    #[test]
    fn shares_are_of_what_is_left_over() {
        assert_eq!(offset(shares(100.0, 100.0), (200, 100), (50, 20)), (150, 80));
        assert_eq!(offset(shares(10.0, 90.0), (200, 100), (100, 50)), (10, 45));
        assert_eq!(offset(Align::CENTER, (200, 100), (300, 200)), (-50, -50));
        assert_eq!(offset(at(-20, 7), (200, 100), (10, 10)), (-20, 7));
    }

    #[test]
    fn covers_are_never_too_small() {
        for width in 1..60 {
            for height in [1, 2, 59, 60, 61, 3000] {
                let (scaled, cut) = cover((width, height), (60, 45), Stretch::On);
                assert!(scaled.0 >= 60 && scaled.1 >= 45 && cut == (60, 45), "{width}x{height}");
                let scaling = scale_crop((width, height), (60, 45), at(5000, -5000), Stretch::On);
                assert_eq!(scaling.result(), (60, 45));
                if let Some(part) = scaling.cut {
                    assert!(part.x + part.width <= scaled.0 && part.y + part.height <= scaled.1);
                }
            }
        }
    }

    #[test]
    fn faces_sit_in_their_boxes_as_aligned() {
        let face = Rect { x: 400, y: 100, width: 100, height: 100 };
        let of_face = Crop { object: Some(CropObject::Face), ratio: None, size: None, align: None };
        let cut = |asked: Crop| crop((1000, 500), &asked, Some(face));
        assert_eq!(cut(of_face), Cut { x: 400, y: 100, width: 100, height: 100 });
        let share = Length::Percent(Percent(150.0));
        let larger = Crop { size: Some(Size { width: share, height: share }), ..of_face };
        assert_eq!(cut(larger), Cut { x: 375, y: 75, width: 150, height: 150 });
        let above = Crop { align: Some(shares(0.0, 0.0)), ..larger };
        assert_eq!(cut(above), Cut { x: 400, y: 100, width: 150, height: 150 });
        let wide = Crop { ratio: Some((2, 1)), ..of_face };
        assert_eq!(cut(wide), Cut { x: 350, y: 100, width: 200, height: 100 });
        // Too wide for the picture: the largest box of the ratio that fits.
        let wider = Crop { ratio: Some((20, 1)), ..of_face };
        assert_eq!(cut(wider), Cut { x: 0, y: 125, width: 1000, height: 50 });
        let both = Crop { size: Some(of_pixels(200, 50)), ..wide };
        assert_eq!(cut(both), Cut { x: 350, y: 100, width: 200, height: 100 });
        // At the edge the box stays inside.
        let corner = Rect { x: 950, y: 450, width: 50, height: 50 };
        let crop = crop((1000, 500), &larger, Some(corner));
        assert_eq!((crop.x, crop.y, crop.width, crop.height), (925, 425, 75, 75));
    }

    #[test]
    fn grown_boxes_stay_inside() {
        let rect = Rect { x: 10, y: 20, width: 30, height: 40 };
        assert_eq!(grow(rect, (5, 6), (100, 100)), Rect { x: 5, y: 14, width: 40, height: 52 });
        assert_eq!(grow(rect, (u32::MAX, 50), (100, 70)), Rect { x: 0, y: 0, width: 100, height: 70 });
    }

    #[test]
    fn boxes_know_what_of_them_is_inside() {
        let cut = Cut { x: -5, y: 90, width: 20, height: 20 };
        assert_eq!(cut.within((100, 100)), None);
        assert_eq!(cut.overlap((100, 100)), Some(Rect { x: 0, y: 90, width: 15, height: 10 }));
        assert_eq!(Cut { x: 100, ..cut }.overlap((100, 100)), None);
        assert_eq!(Cut { x: i64::MAX, y: i64::MIN, ..cut }.overlap((100, 100)), None);
    }
}
