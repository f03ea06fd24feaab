//! Whether a picture was drawn rather than taken, which decides between PNG and JPEG.

use std::collections::BTreeSet;

use stowage_codecs::Bitmap;

use super::reduced::pixel_rgba;

/// Places that are looked at along each side.
const GRID: u32 = 64;
/// Colours at five bits a channel above which a picture counts as taken.
const MAX_COLORS: usize = 256;
/// The share of places with a flat neighbourhood that a drawing has at least, in percent.
const MIN_FLAT: usize = 30;

/// Whether a picture has so few colours, and so much of it is flat, that it is a drawing, a diagram or a screenshot.
///
/// Colours alone would call every black-and-white photograph a drawing: it has at most 32 shades at five bits. What drawings
/// have and photographs do not are areas in which neighbours are equal to the last bit.
pub(crate) fn looks_like_artwork(bitmap: &Bitmap) -> bool {
    let (columns, rows) = (GRID.min(bitmap.width), GRID.min(bitmap.height));
    let mut colors = BTreeSet::new();
    let mut flat = 0;
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = (middle(column, columns, bitmap.width), middle(row, rows, bitmap.height));
            let pixel = at(bitmap, x, y);
            colors.insert(pixel_rgba(bitmap.layout, pixel).map(|channel| channel >> 3));
            if colors.len() > MAX_COLORS {
                return false;
            }
            flat += usize::from(is_flat(bitmap, x, y, pixel));
        }
    }
    // An icon is all edges, and costs little as PNG in any case.
    if bitmap.width <= GRID && bitmap.height <= GRID {
        return true;
    }
    flat * 100 >= MIN_FLAT * (columns as usize * rows as usize)
}

/// The middle of one of `parts` equal parts of a side.
fn middle(part: u32, parts: u32, side: u32) -> u32 {
    let twice = u64::from(2 * part + 1) * u64::from(side) / u64::from(2 * parts.max(1));
    u32::try_from(twice).unwrap_or(u32::MAX).min(side.saturating_sub(1))
}

/// Whether the pixels around a place equal the one there.
fn is_flat(bitmap: &Bitmap, x: u32, y: u32, pixel: &[u8]) -> bool {
    let rows = y.saturating_sub(1)..(y + 2).min(bitmap.height);
    rows.flat_map(|y| (x.saturating_sub(1)..(x + 2).min(bitmap.width)).map(move |x| (x, y)))
        .all(|(x, y)| at(bitmap, x, y) == pixel)
}

/// The bytes of a pixel; none outside.
fn at(bitmap: &Bitmap, x: u32, y: u32) -> &[u8] {
    let channels = bitmap.layout.channels();
    let from = (y as usize * bitmap.width as usize + x as usize) * channels;
    bitmap.data.get(from..from + channels).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;
    use crate::analyse::reduced::byte;

    fn picture(width: u32, height: u32, layout: Layout, color: impl Fn(u32, u32) -> Vec<u8>) -> Bitmap {
        let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| color(x, y)).collect();
        Bitmap { width, height, layout, data }
    }

    #[test]
    fn a_diagram_is_artwork() {
        let diagram = picture(300, 200, Layout::Rgb, |x, y| {
            if (x / 40 + y / 40) % 2 == 0 { vec![255, 255, 255] } else { vec![20, 90, 160] }
        });
        assert!(looks_like_artwork(&diagram));
        let flat = picture(1, 1, Layout::Gray, |_, _| vec![64]);
        assert!(looks_like_artwork(&flat));
    }

    #[test]
    fn a_gradient_of_colours_is_not() {
        let gradient = picture(640, 360, Layout::Rgb, |x, y| {
            vec![byte(x as f32 * 255.0 / 639.0), byte(y as f32 * 255.0 / 359.0), 128]
        });
        assert!(!looks_like_artwork(&gradient));
    }

    #[test]
    fn a_grainy_photograph_without_colours_is_not() {
        // Grain of a linear congruential generator on a slow wave.
        let grain = |x: u32, y: u32| {
            (x.wrapping_mul(1_664_525) ^ y.wrapping_mul(1_013_904_223)).wrapping_mul(2_654_435_761) >> 29
        };
        let photograph = picture(500, 400, Layout::Gray, |x, y| {
            let wave = 120.0 + 80.0 * ((x as f32 / 70.0).sin() * (y as f32 / 90.0).cos());
            vec![byte(wave + grain(x, y) as f32)]
        });
        assert!(!looks_like_artwork(&photograph));
    }
}
