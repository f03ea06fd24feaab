//! What is left of a picture when edges of one colour are taken away.

use stowage_codecs::{Bitmap, Layout};

use crate::Rect;

/// The part inside of edges that have the colour of the top left pixel, or are transparent where that pixel is. A channel may
/// differ by `tolerance` percent of its range. A picture that is background all over stays whole.
pub(crate) fn trim(bitmap: &Bitmap, tolerance: u8) -> Rect {
    let whole = Rect { x: 0, y: 0, width: bitmap.width, height: bitmap.height };
    let channels = bitmap.layout.channels();
    let Some(background) = Background::of(bitmap, tolerance) else { return whole };
    let rows = || bitmap.data.chunks_exact(bitmap.width as usize * channels);
    let is_content = |pixel: &[u8]| !background.covers(pixel);
    let has_content = |row: &[u8]| row.chunks_exact(channels).any(is_content);

    let (Some(top), Some(bottom)) = (rows().position(has_content), rows().rposition(has_content)) else {
        return whole;
    };
    let (mut left, mut right) = (bitmap.width as usize, 0);
    for row in rows().take(bottom + 1).skip(top) {
        // Only what lies outside of the content found so far can make it wider.
        let mut pixels = row.chunks_exact(channels);
        if let Some(first) = pixels.by_ref().take(left).position(is_content) {
            left = first;
        }
        let behind = row.len() / channels - right;
        if let Some(last) = row.chunks_exact(channels).rev().take(behind).position(is_content) {
            right = row.len() / channels - last;
        }
    }
    let side = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Rect { x: side(left), y: side(top), width: side(right.saturating_sub(left).max(1)), height: side(bottom - top + 1) }
}

/// What counts as background.
enum Background {
    /// This colour, about.
    Color { pixel: [u8; 4], tolerance: u8 },
    /// At most this opacity.
    Transparent { opacity: u8 },
}

impl Background {
    fn of(bitmap: &Bitmap, tolerance: u8) -> Option<Self> {
        let first = bitmap.data.get(..bitmap.layout.channels())?;
        let tolerance = u8::try_from(u32::from(tolerance.min(100)) * 255 / 100).unwrap_or(u8::MAX);
        if bitmap.layout == Layout::Rgba && first.get(3) == Some(&0) {
            return Some(Self::Transparent { opacity: tolerance });
        }
        let mut pixel = [0; 4];
        pixel.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
        Some(Self::Color { pixel, tolerance })
    }

    fn covers(&self, pixel: &[u8]) -> bool {
        match self {
            Self::Color { pixel: background, tolerance } => {
                pixel.iter().zip(background).all(|(left, right)| left.abs_diff(*right) <= *tolerance)
            }
            Self::Transparent { opacity } => pixel.get(3).is_none_or(|alpha| alpha <= opacity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white picture with a block in it.
    fn block(layout: Layout, background: &[u8], color: &[u8], at: Rect) -> Bitmap {
        let inside = |x: u32, y: u32| (at.x..at.x + at.width).contains(&x) && (at.y..at.y + at.height).contains(&y);
        let data = (0..200)
            .flat_map(|y| (0..300).map(move |x| (x, y)))
            .flat_map(|(x, y)| if inside(x, y) { color } else { background }.to_vec())
            .collect();
        Bitmap { width: 300, height: 200, layout, data }
    }

    #[test]
    fn a_block_is_found_to_the_pixel() {
        for at in [
            Rect { x: 100, y: 75, width: 100, height: 50 },
            Rect { x: 299, y: 199, width: 1, height: 1 },
            Rect { x: 1, y: 0, width: 299, height: 200 },
            Rect { x: 5, y: 199, width: 3, height: 1 },
        ] {
            assert_eq!(trim(&block(Layout::Rgb, &[255; 3], &[255, 0, 0], at), 10), at);
            assert_eq!(trim(&block(Layout::Gray, &[255], &[0], at), 0), at);
            assert_eq!(trim(&block(Layout::Rgba, &[0; 4], &[0, 0, 0, 255], at), 10), at);
        }
    }

    #[test]
    fn content_that_is_wide_above_and_narrow_below_counts_as_a_whole() {
        let mut picture = block(Layout::Gray, &[255], &[0], Rect { x: 40, y: 20, width: 10, height: 10 });
        for (x, y) in [(10, 90), (280, 120)] {
            picture.data[y * 300 + x] = 0;
        }
        assert_eq!(trim(&picture, 5), Rect { x: 10, y: 20, width: 271, height: 101 });
    }

    #[test]
    fn the_tolerance_decides() {
        let at = Rect { x: 10, y: 10, width: 10, height: 10 };
        let faint = block(Layout::Gray, &[200], &[180], at);
        assert_eq!(trim(&faint, 5), at);
        assert_eq!(trim(&faint, 10), Rect { x: 0, y: 0, width: 300, height: 200 });
        let ghost = block(Layout::Rgba, &[0; 4], &[9, 9, 9, 20], at);
        assert_eq!(trim(&ghost, 5), at);
        assert_eq!(trim(&ghost, 100), Rect { x: 0, y: 0, width: 300, height: 200 });
    }

    #[test]
    fn what_lies_under_full_transparency_does_not_matter() {
        let at = Rect { x: 10, y: 10, width: 10, height: 10 };
        let mut picture = block(Layout::Rgba, &[0; 4], &[0, 0, 0, 255], at);
        picture.data[4 * 50..4 * 50 + 3].copy_from_slice(&[255, 0, 0]);
        assert_eq!(trim(&picture, 0), at);
    }

    #[test]
    fn one_colour_all_over_stays_whole() {
        let flat = Bitmap { width: 3, height: 2, layout: Layout::Gray, data: vec![9; 6] };
        assert_eq!(trim(&flat, 0), Rect { x: 0, y: 0, width: 3, height: 2 });
    }
}
