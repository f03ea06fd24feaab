//! Reduced copies, the only thing that is analysed.

use stowage_codecs::{Bitmap, Layout};

use crate::{Rect, resample};

/// A copy of a picture whose longer side is bounded, as red, green, blue and opacity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Small {
    /// Pixels in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// Row by row.
    pub(crate) pixels: Vec<[u8; 4]>,
    /// The size of the picture.
    full: (u32, u32),
}

impl Small {
    /// A copy of which no side is longer than `side`; never larger than the picture.
    pub(crate) fn of(bitmap: &Bitmap, side: u32) -> Self {
        let (width, height) = fit(bitmap.width, bitmap.height, side);
        Self::sized(bitmap, width, height)
    }

    /// A copy of exactly this size.
    pub(crate) fn sized(bitmap: &Bitmap, width: u32, height: u32) -> Self {
        let pixels = if (width, height) == (bitmap.width, bitmap.height) {
            rgba(bitmap)
        } else {
            rgba(&resample::resize(bitmap, width, height))
        };
        Self { width: width as usize, height: height as usize, pixels, full: (bitmap.width, bitmap.height) }
    }

    /// Brightness, 0 to 255, on white where the picture is transparent.
    pub(crate) fn grey(&self) -> Vec<u8> {
        self.pixels.iter().map(|&pixel| luma(on_white(pixel))).collect()
    }

    /// The part of the picture that a part of the copy stands for, from the first column and row up to but without the last.
    pub(crate) fn rect(&self, columns: (usize, usize), rows: (usize, usize)) -> Rect {
        let (x, width) = scaled(columns, self.width, self.full.0);
        let (y, height) = scaled(rows, self.height, self.full.1);
        Rect { x, y, width, height }
    }
}

/// Where a stretch of the copy lies in the picture: beginning and length, at least 1.
fn scaled((from, to): (usize, usize), copy: usize, full: u32) -> (u32, u32) {
    let (copy, size) = (copy.max(1) as u64, u64::from(full));
    let from = (from as u64 * size / copy).min(size.saturating_sub(1));
    let to = (to as u64 * size).div_ceil(copy).clamp(from + 1, size.max(from + 1));
    (side(from), side(to - from))
}

/// The size at which a picture fits into a square, never larger than it is.
pub(super) fn fit(width: u32, height: u32, limit: u32) -> (u32, u32) {
    let longer = u64::from(width.max(height));
    if longer <= u64::from(limit) {
        return (width, height);
    }
    let scale = |value: u32| side(((u64::from(value) * u64::from(limit) + longer / 2) / longer).max(1));
    (scale(width), scale(height))
}

/// A length in pixels.
fn side(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Every pixel as red, green, blue and opacity.
fn rgba(bitmap: &Bitmap) -> Vec<[u8; 4]> {
    bitmap.data.chunks_exact(bitmap.layout.channels()).map(|pixel| pixel_rgba(bitmap.layout, pixel)).collect()
}

/// One pixel as red, green, blue and opacity.
pub(super) fn pixel_rgba(layout: Layout, pixel: &[u8]) -> [u8; 4] {
    match (layout, pixel) {
        (Layout::Gray, &[grey]) => [grey, grey, grey, 255],
        (Layout::Rgb, &[red, green, blue]) => [red, green, blue, 255],
        (Layout::Rgba, &[red, green, blue, alpha]) => [red, green, blue, alpha],
        (Layout::Cmyk, &[cyan, magenta, yellow, black]) => {
            let ink = |ink: u8| product(255 - ink, 255 - black);
            [ink(cyan), ink(magenta), ink(yellow), 255]
        }
        _ => [0, 0, 0, 0],
    }
}

/// The colour of a pixel, over white where it is transparent.
pub(crate) fn opaque(layout: Layout, pixel: &[u8]) -> [u8; 3] {
    on_white(pixel_rgba(layout, pixel))
}

/// A pixel over white.
pub(super) fn on_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    [red, green, blue].map(|channel| product(channel, alpha).saturating_add(255 - alpha))
}

/// Brightness as it is perceived, 0 to 255 (Rec. 601, what JPEG counts with).
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue) + 32_768;
    u8::try_from(sum >> 16).unwrap_or(u8::MAX)
}

/// The product of two shares of 255.
fn product(left: u8, right: u8) -> u8 {
    let product = u16::from(left) * u16::from(right) + 127;
    u8::try_from(product / 255).unwrap_or(u8::MAX)
}

/// The colour in a space in which distances are about as large as they look (Oklab): lightness 0 to 1, and two axes of colour.
pub(super) fn oklab(rgb: [u8; 3]) -> [f32; 3] {
    let [red, green, blue] = rgb.map(linear);
    let long = (0.412_221_46 * red + 0.536_332_55 * green + 0.051_445_995 * blue).cbrt();
    let medium = (0.211_903_5 * red + 0.680_699_5 * green + 0.107_396_96 * blue).cbrt();
    let short = (0.088_302_46 * red + 0.281_718_85 * green + 0.629_978_7 * blue).cbrt();
    [
        0.210_454_26 * long + 0.793_617_8 * medium - 0.004_072_047 * short,
        1.977_998_5 * long - 2.428_592_2 * medium + 0.450_593_7 * short,
        0.025_904_037 * long + 0.782_771_77 * medium - 0.808_675_77 * short,
    ]
}

/// The light that an sRGB value stands for, 0 to 1.
pub(super) fn linear(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The square of the distance between two colours.
pub(super) fn distance2(left: [f32; 3], right: [f32; 3]) -> f32 {
    let [x, y, z] = [left[0] - right[0], left[1] - right[1], left[2] - right[2]];
    x * x + y * y + z * z
}

/// Softens a plane in place with a box of `2 * radius + 1` pixels; the edge counts with its own value.
pub(super) fn soften(plane: &mut [f32], width: usize, height: usize, radius: usize) {
    let mut line = Vec::with_capacity(width.max(height));
    for row in plane.chunks_exact_mut(width) {
        line.clear();
        line.extend_from_slice(row);
        for (at, value) in row.iter_mut().enumerate() {
            *value = mean_around(&line, at, radius);
        }
    }
    for column in 0..width {
        line.clear();
        line.extend(plane.iter().skip(column).step_by(width));
        for row in 0..height {
            plane[row * width + column] = mean_around(&line, row, radius);
        }
    }
}

/// The mean of the values around a place.
pub(super) fn mean_around(line: &[f32], at: usize, radius: usize) -> f32 {
    let around = &line[at.saturating_sub(radius)..(at + radius + 1).min(line.len())];
    around.iter().sum::<f32>() / around.len() as f32
}

/// A colour that was computed as a byte.
pub(super) fn byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that ends at the bounds")]
    let byte = value.round() as u8;
    byte
}

/// A length that was computed, at least 0.
pub(super) fn whole(value: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that ends at the bounds")]
    let whole = value.round() as u32;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_bounded_and_knows_where_it_comes_from() {
        assert_eq!(fit(4000, 1000, 400), (400, 100));
        assert_eq!(fit(30_000, 1, 640), (640, 1));
        assert_eq!(fit(300, 200, 400), (300, 200));
        let small = Small { width: 10, height: 5, pixels: vec![[0; 4]; 50], full: (1005, 500) };
        assert_eq!(small.rect((0, 10), (0, 5)), Rect { x: 0, y: 0, width: 1005, height: 500 });
        let part = small.rect((9, 10), (4, 5));
        assert_eq!((part.x + part.width, part.y + part.height), (1005, 500));
    }

    #[test]
    fn every_layout_is_understood() {
        let read = |layout, data: &[u8]| rgba(&Bitmap { width: 1, height: 1, layout, data: data.to_vec() });
        assert_eq!(read(Layout::Gray, &[7]), [[7, 7, 7, 255]]);
        assert_eq!(read(Layout::Rgb, &[1, 2, 3]), [[1, 2, 3, 255]]);
        assert_eq!(read(Layout::Rgba, &[1, 2, 3, 4]), [[1, 2, 3, 4]]);
        assert_eq!(read(Layout::Cmyk, &[255, 0, 0, 0]), [[0, 255, 255, 255]]);
        assert_eq!(read(Layout::Cmyk, &[0, 0, 0, 255]), [[0, 0, 0, 255]]);
    }

    #[test]
    fn white_is_light_and_colourless_and_red_is_neither() {
        let [light, a, b] = oklab([255; 3]);
        assert!((light - 1.0).abs() < 1e-3 && a.abs() < 1e-3 && b.abs() < 1e-3);
        let [light, a, b] = oklab([255, 0, 0]);
        assert!((light - 0.628).abs() < 1e-3 && (a - 0.225).abs() < 1e-3 && (b - 0.126).abs() < 1e-3);
        assert_eq!(luma([255; 3]), 255);
        assert_eq!(luma([0; 3]), 0);
    }
}
