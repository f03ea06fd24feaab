//! The one way to scale: Lanczos3 on eight bits in the colours as they are stored, like the vendor's published engine. The
//! generic code behind it is heavy to build, so nobody else calls it.

use crate::Rect;
use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use stowage_codecs::{Bitmap, Layout};

/// A part of a bitmap in fractions of its pixels, inside of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct View {
    /// From the left.
    pub(crate) x: f64,
    /// From the top.
    pub(crate) y: f64,
    /// More than nothing.
    pub(crate) width: f64,
    /// More than nothing.
    pub(crate) height: f64,
}

impl View {
    /// All of a bitmap.
    pub(crate) fn all(bitmap: &Bitmap) -> Self {
        Self { x: 0.0, y: 0.0, width: f64::from(bitmap.width), height: f64::from(bitmap.height) }
    }

    /// The pixels that are seen of a bitmap, whole ones, within `bounds`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; casts of floats saturate")]
    pub(crate) fn pixels(self, bounds: Rect) -> Rect {
        let side = |from: f64, length: f64, first: u32, whole: u32| {
            let last = first + whole;
            // What rounding has added or taken must not bring in another pixel.
            let start = ((from + ROUNDING).floor().max(0.0) as u32).clamp(first, last - 1);
            let end = ((from + length - ROUNDING).ceil().max(0.0) as u32).clamp(start + 1, last);
            (start, end - start)
        };
        let (x, width) = side(self.x, self.width, bounds.x, bounds.width);
        let (y, height) = side(self.y, self.height, bounds.y, bounds.height);
        Rect { x, y, width, height }
    }

    /// The part of the bitmap, if it consists of whole pixels.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    pub(crate) fn whole_pixels(self) -> Option<Rect> {
        let whole = |length: f64| ((length - length.round()).abs() < ROUNDING).then(|| length.round().max(0.0) as u32);
        let part =
            Rect { x: whole(self.x)?, y: whole(self.y)?, width: whole(self.width)?, height: whole(self.height)? };
        (part.width > 0 && part.height > 0).then_some(part)
    }

    /// The same within `bounds` and counted from there, however numbers were rounded.
    fn within(self, bounds: Rect) -> Self {
        let side = |from: f64, length: f64, first: u32, whole: u32| {
            let whole = f64::from(whole);
            let from = (from - f64::from(first)).clamp(0.0, (whole - MIN_SPAN).max(0.0));
            let length = length.max(MIN_SPAN).min(whole - from);
            // The sum may be rounded up past the edge, which the resizer refuses.
            (from, if from + length > whole { length * (1.0 - f64::EPSILON) } else { length })
        };
        let (x, width) = side(self.x, self.width, bounds.x, bounds.width);
        let (y, height) = side(self.y, self.height, bounds.y, bounds.height);
        Self { x, y, width, height }
    }
}

/// What sums of fractions of a pixel may be off.
const ROUNDING: f64 = 1.0 / 65_536.0;
/// The least part of a pixel that a view spans.
const MIN_SPAN: f64 = 1.0 / 1024.0;

/// All of a bitmap.
pub(crate) fn bounds(bitmap: &Bitmap) -> Rect {
    Rect { x: 0, y: 0, width: bitmap.width, height: bitmap.height }
}

/// Scales a bitmap to exactly this size, at least 1 by 1; transparent pixels lend no colour to others.
pub(crate) fn resize(bitmap: &Bitmap, width: u32, height: u32) -> Bitmap {
    if (bitmap.width, bitmap.height) == (width, height) {
        return bitmap.clone();
    }
    resize_part(bitmap, View::all(bitmap), width, height)
}

/// Scales a part of a bitmap to exactly this size, at least 1 by 1. The edges of the part take their share of what lies
/// beyond them, as if the whole had been scaled and then cut.
pub(crate) fn resize_part(bitmap: &Bitmap, view: View, width: u32, height: u32) -> Bitmap {
    resize_within(bitmap, bounds(bitmap), view, width, height)
}

/// The same, but nothing outside of `bounds` is looked at.
pub(crate) fn resize_within(bitmap: &Bitmap, bounds: Rect, view: View, width: u32, height: u32) -> Bitmap {
    let kind = match bitmap.layout {
        Layout::Gray => PixelType::U8,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
    };
    let view = view.within(bounds);
    let alpha = bitmap.layout == Layout::Rgba && !is_opaque(bitmap);
    let options = ResizeOptions::new().crop(view.x, view.y, view.width, view.height).use_alpha(alpha);
    let mut to = Image::new(width.max(1), height.max(1), kind);
    let done = ImageRef::new(bitmap.width, bitmap.height, &bitmap.data, kind).is_ok_and(|from| {
        CroppedImage::new(&from, bounds.x, bounds.y, bounds.width, bounds.height)
            .is_ok_and(|part| Resizer::new().resize(&part, &mut to, &options).is_ok())
    });
    // Better no picture than an empty one that is kept; every job runs where a panic is only an error.
    assert!(done, "a bitmap has the bytes that it says, and parts are inside");
    Bitmap { width: to.width(), height: to.height(), layout: bitmap.layout, data: to.into_vec() }
}

/// Whether no pixel lets anything through.
pub(crate) fn is_opaque(bitmap: &Bitmap) -> bool {
    bitmap.layout != Layout::Rgba || bitmap.data.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Bitmap {
        let data = (0..width * height).map(|at| u8::try_from((at % width) * 255 / (width - 1)).unwrap()).collect();
        Bitmap { width, height, layout: Layout::Gray, data }
    }

    #[test]
    fn a_part_is_what_the_whole_would_have_been_cut_to() {
        let whole = gradient(64, 64);
        let scaled = resize(&whole, 16, 16);
        let part = resize_part(&whole, View { x: 16.0, y: 32.0, width: 32.0, height: 32.0 }, 8, 8);
        for y in 0..8 {
            for x in 0..8 {
                let cut = scaled.data[(y + 8) * 16 + x + 4];
                assert!(cut.abs_diff(part.data[y * 8 + x]) <= 1, "{x},{y}");
            }
        }
    }

    #[test]
    fn nothing_outside_of_the_bounds_is_seen() {
        let mut whole = gradient(64, 4);
        for (at, byte) in whole.data.iter_mut().enumerate() {
            *byte = if at % 64 < 32 { 10 } else { 250 };
        }
        let left = Rect { width: 32, ..bounds(&whole) };
        let view = View { width: 32.0, ..View::all(&whole) };
        assert_eq!(resize_within(&whole, left, view, 5, 1).data, [10; 5]);
        assert_ne!(resize_part(&whole, view, 5, 1).data, [10; 5]);
    }

    #[test]
    fn transparent_pixels_lend_no_color() {
        let mut data = [255, 0, 0, 255].repeat(8);
        data.extend([0, 255, 0, 0].repeat(8));
        let bitmap = Bitmap { width: 4, height: 4, layout: Layout::Rgba, data };
        let small = resize(&bitmap, 1, 1);
        assert_eq!(&small.data[..3], &[255, 0, 0]);
        assert!((120..=136).contains(&small.data[3]), "{}", small.data[3]);
    }

    #[test]
    fn inks_are_not_taken_for_opacity() {
        let bitmap = Bitmap { width: 2, height: 2, layout: Layout::Cmyk, data: [200, 100, 50, 0].repeat(4) };
        assert_eq!(resize(&bitmap, 1, 1).data, [200, 100, 50, 0]);
    }

    #[test]
    fn views_that_reach_out_are_drawn_in() {
        let bitmap = gradient(5, 3);
        for view in [
            View { x: -1.0, y: 0.0, width: 9.0, height: 3.5 },
            View { x: 5.0, y: 3.0, width: 0.0, height: 0.0 },
            View { x: 4.999_999, y: 0.1, width: 0.000_001, height: 2.9 },
        ] {
            let made = resize_part(&bitmap, view, 7, 2);
            assert_eq!((made.width, made.height, made.data.len()), (7, 2, 14), "{view:?}");
        }
    }
}
