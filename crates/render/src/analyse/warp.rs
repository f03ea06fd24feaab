//! Scaling by a factor that changes along each side. Uniform scaling is done by `resample`; this is for what it cannot do.

use std::borrow::Cow;

use stowage_codecs::{Bitmap, Layout};

use super::reduced::{byte, whole};

/// Weights are whole numbers with so many bits behind the point.
const BITS: u32 = 14;
/// How far the cubic reaches.
const REACH: f64 = 2.0;

/// The picture with each pixel of the result showing what lies between two neighbouring lines of the source: `columns` and
/// `rows` are positions of such lines, rising from 0 to the width and to the height; there is one more of them than pixels.
pub(super) fn warp(bitmap: &Bitmap, columns: &[f64], rows: &[f64]) -> Bitmap {
    let (across, down) = (Taps::all(columns, bitmap.width), Taps::all(rows, bitmap.height));
    let channels = bitmap.layout.channels();
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let data = premultiplied(bitmap);
    // The smaller of the two pictures between the passes.
    let mut data = if across.len() * height <= width * down.len() {
        let narrow = horizontal(&data, width, channels, &across);
        vertical(&narrow, across.len() * channels, &down)
    } else {
        let low = vertical(&data, width * channels, &down);
        horizontal(&low, width, channels, &across)
    };
    if bitmap.layout == Layout::Rgba {
        data.as_chunks_mut::<4>().0.iter_mut().for_each(divide);
    }
    let side = |taps: &[Taps]| u32::try_from(taps.len()).unwrap_or(u32::MAX);
    Bitmap { width: side(&across), height: side(&down), layout: bitmap.layout, data }
}

/// What one pixel is made of: weights for the pixels from `first` on.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    /// Those of all pixels between lines.
    fn all(lines: &[f64], side: u32) -> Vec<Self> {
        lines.windows(2).map(|pair| Self::between(pair[0], pair[1], side)).collect()
    }

    /// A cubic (Catmull and Rom) over the span, or over a pixel where the span is less.
    fn between(from: f64, to: f64, side: u32) -> Self {
        let (middle, scale) = (f64::midpoint(from, to), (to - from).max(1.0));
        let first = whole((middle - REACH * scale).floor()).min(side.saturating_sub(1));
        let end = whole((middle + REACH * scale).ceil()).clamp(first + 1, side.max(first + 1));
        let raw: Vec<f64> = (first..end).map(|pixel| cubic((f64::from(pixel) + 0.5 - middle) / scale)).collect();
        let sum: f64 = raw.iter().sum();
        let one = f64::from(1 << BITS);
        let mut weights: Vec<i32> = raw
            .iter()
            .map(|weight| {
                #[expect(clippy::cast_possible_truncation, reason = "at most a little more than one")]
                let weight = (weight / sum * one).round() as i32;
                weight
            })
            .collect();
        // What rounding took goes to the heaviest, so that a flat area stays as it is.
        let missing = (1 << BITS) - weights.iter().sum::<i32>();
        if let Some(heaviest) = weights.iter_mut().max() {
            *heaviest += missing;
        }
        Self { first: first as usize, weights }
    }
}

fn cubic(at: f64) -> f64 {
    let at = at.abs();
    if at < 1.0 {
        (1.5 * at - 2.5) * at * at + 1.0
    } else if at < 2.0 {
        ((2.5 - 0.5 * at) * at - 4.0) * at + 2.0
    } else {
        0.0
    }
}

/// A weighted sum as a byte.
fn rounded(sum: i32) -> u8 {
    let value = (sum + (1 << (BITS - 1))) >> BITS;
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

fn horizontal(data: &[u8], width: usize, channels: usize, taps: &[Taps]) -> Vec<u8> {
    let rows = data.len() / (width * channels).max(1);
    let mut made = Vec::with_capacity(rows * taps.len() * channels);
    for row in data.chunks_exact(width * channels) {
        for pixel in taps {
            let from = row.get(pixel.first * channels..).unwrap_or_default();
            let mut sums = [0_i32; 4];
            for (values, weight) in from.chunks_exact(channels).zip(&pixel.weights) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += i32::from(*value) * weight;
                }
            }
            made.extend(sums.iter().take(channels).map(|sum| rounded(*sum)));
        }
    }
    made
}

fn vertical(data: &[u8], stride: usize, taps: &[Taps]) -> Vec<u8> {
    let mut made = Vec::with_capacity(stride * taps.len());
    let mut sums = vec![0_i32; stride];
    for line in taps {
        sums.fill(0);
        for (row, weight) in data.chunks_exact(stride).skip(line.first).zip(&line.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        made.extend(sums.iter().map(|sum| rounded(*sum)));
    }
    made
}

/// The pixels with their opacity multiplied into the colours, so that what is transparent lends no colour to its neighbours.
fn premultiplied(bitmap: &Bitmap) -> Cow<'_, [u8]> {
    if bitmap.layout != Layout::Rgba {
        return Cow::Borrowed(&bitmap.data);
    }
    let mut data = bitmap.data.clone();
    for pixel in data.as_chunks_mut::<4>().0 {
        let [.., alpha] = *pixel;
        for channel in pixel.iter_mut().take(3) {
            *channel = byte(f32::from(*channel) * f32::from(alpha) / 255.0);
        }
    }
    Cow::Owned(data)
}

/// The way back.
fn divide(pixel: &mut [u8; 4]) {
    let [.., alpha] = *pixel;
    for channel in pixel.iter_mut().take(3) {
        *channel = if alpha == 0 { 0 } else { byte(f32::from(*channel) * 255.0 / f32::from(alpha)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32, to: u32) -> Vec<f64> {
        (0..=count).map(|line| f64::from(line) * f64::from(to) / f64::from(count)).collect()
    }

    #[test]
    fn lines_at_the_pixels_change_nothing() {
        let data = (0..5 * 4 * 3).map(|value| u8::try_from(value * 4).unwrap()).collect();
        let picture = Bitmap { width: 5, height: 4, layout: Layout::Rgb, data };
        assert_eq!(warp(&picture, &lines(5, 5), &lines(4, 4)), picture);
    }

    #[test]
    fn flat_stays_flat_at_any_size() {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba, Layout::Cmyk] {
            let data = vec![77; 9 * 7 * layout.channels()];
            let picture = Bitmap { width: 9, height: 7, layout, data };
            let made = warp(&picture, &[0.0, 0.5, 1.0, 8.5, 9.0], &lines(30, 7));
            assert_eq!((made.width, made.height), (4, 30));
            // Opacity of 77 leaves colours with a third of their precision.
            let near = if layout == Layout::Rgba { 2 } else { 0 };
            assert!(made.data.iter().all(|value| value.abs_diff(77) <= near), "{layout:?}");
        }
    }

    #[test]
    fn narrow_spans_show_little_and_wide_ones_all() {
        let data = [vec![0; 10], vec![255; 10]].concat();
        let picture = Bitmap { width: 20, height: 1, layout: Layout::Gray, data };
        // The first ten pixels on two, the other ten on eight.
        let columns: Vec<f64> =
            [0.0, 5.0, 10.0].into_iter().chain((1..=8).map(|pixel| 10.0 + f64::from(pixel) * 1.25)).collect();
        let made = warp(&picture, &columns, &[0.0, 1.0]);
        assert_eq!(made.width, 10);
        assert!(made.data[0] < 20 && made.data[3..].iter().all(|value| *value > 230), "{:?}", made.data);
    }
}
