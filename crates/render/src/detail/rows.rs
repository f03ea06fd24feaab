//! Rows of a picture as numbers that can be added: opacity multiplied in where there is one, and back, mixed with what stood there.

use stowage_codecs::Layout;

/// How a blurred row meets the row that it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mix {
    /// This share of the way to the blur.
    Blur(f32),
    /// Away from the blur by this share of the difference; opacity stays.
    Unsharp(f32),
}

/// Reads a row; 0 to 255 for each channel.
pub(super) fn load(layout: Layout, row: &[u8], into: &mut [f32]) {
    if layout == Layout::Rgba {
        for (pixel, into) in row.as_chunks::<4>().0.iter().zip(into.as_chunks_mut::<4>().0) {
            let pixel = pixel.map(f32::from);
            let share = pixel[3] * (1.0 / 255.0);
            *into = [pixel[0] * share, pixel[1] * share, pixel[2] * share, pixel[3]];
        }
    } else {
        for (value, into) in row.iter().zip(into) {
            *into = f32::from(*value);
        }
    }
}

/// Adds a share of a row, read as `load` does.
pub(super) fn accumulate(layout: Layout, row: &[u8], weight: f32, sums: &mut [f32]) {
    if layout == Layout::Rgba {
        for (pixel, sums) in row.as_chunks::<4>().0.iter().zip(sums.as_chunks_mut::<4>().0) {
            let pixel = pixel.map(f32::from);
            let share = pixel[3] * weight * (1.0 / 255.0);
            let [red, green, blue, alpha] = sums;
            *red += pixel[0] * share;
            *green += pixel[1] * share;
            *blue += pixel[2] * share;
            *alpha += pixel[3] * weight;
        }
    } else {
        for (value, sum) in row.iter().zip(sums) {
            *sum += f32::from(*value) * weight;
        }
    }
}

/// Mixes a blurred row, as `load` would make it, into the row. What was blurred is spoilt.
pub(super) fn store(layout: Layout, blurred: &mut [f32], mix: Mix, row: &mut [u8]) {
    match (layout, mix) {
        (Layout::Rgba, Mix::Blur(share)) => {
            for (pixel, blurred) in row.as_chunks::<4>().0.iter().zip(blurred.as_chunks_mut::<4>().0) {
                blend(*pixel, blurred, share);
            }
        }
        (Layout::Rgba, Mix::Unsharp(share)) => {
            for (pixel, blurred) in row.as_chunks::<4>().0.iter().zip(blurred.as_chunks_mut::<4>().0) {
                sharpen(*pixel, blurred, share);
            }
        }
        (_, Mix::Blur(share)) if share >= 1.0 => {}
        (_, Mix::Blur(share) | Mix::Unsharp(share)) => {
            let share = if matches!(mix, Mix::Blur(_)) { share } else { -share };
            for (value, blurred) in row.iter().zip(blurred.iter_mut()) {
                let before = f32::from(*value);
                *blurred = before + (*blurred - before) * share;
            }
        }
    }
    for (value, blurred) in row.iter_mut().zip(blurred) {
        *value = byte(*blurred);
    }
}

/// A pixel with its opacity on its way to a blurred one. A pixel that cannot be seen keeps its colour.
#[inline]
fn blend(pixel: [u8; 4], blurred: &mut [f32; 4], share: f32) {
    let pixel = pixel.map(f32::from);
    let alpha = pixel[3] + (blurred[3] - pixel[3]) * share;
    let (seen, visible) = (pixel[3] * (1.0 / 255.0), 255.0 / alpha.max(0.5));
    for channel in 0..3 {
        let value = pixel[channel] * seen;
        blurred[channel] = (value + (blurred[channel] - value) * share) * visible;
    }
    blurred[3] = alpha;
    if alpha < 0.5 {
        blurred[..3].copy_from_slice(&pixel[..3]);
    }
}

/// A pixel on its way from a blurred one; where nothing is to be seen all around, it stays.
#[inline]
fn sharpen(pixel: [u8; 4], blurred: &mut [f32; 4], share: f32) {
    let pixel = pixel.map(f32::from);
    let visible = 255.0 / blurred[3].max(0.5);
    let share = if blurred[3] > 0.5 { share } else { 0.0 };
    for channel in 0..3 {
        blurred[channel] = pixel[channel] + (pixel[channel] - blurred[channel] * visible) * share;
    }
    blurred[3] = pixel[3];
}

/// Added to a small number, this rounds it to a whole one, which then stands in the lowest bits: far cheaper than a conversion.
const ROUNDED: f32 = 12_582_912.0;

/// The nearest stored value.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is what is wanted")]
fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + ROUNDED).to_bits() as u8
}
