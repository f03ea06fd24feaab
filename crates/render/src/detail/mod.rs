//! Blur and sharpness. Everything is one Gaussian blur and a mix of its result with what there was; its cost for a pixel does not grow
//! with the radius, and it needs a few rows of memory beside the picture, however large the picture is.

mod gauss;
mod rows;

use crate::Rect;
use rows::Mix;
use stowage_codecs::Bitmap;

/// A Gaussian of this standard deviation, in pixels, changes nothing that eight bits could show.
const NO_BLUR: f32 = 0.15;

/// The blur that `sharp` takes away, in pixels: what resampling softens is about that wide.
const SHARP_SIGMA: f32 = 0.8;

/// Percent of the difference to that blur that one step of `sharp` adds.
const SHARP_STEP: f32 = 0.12;

/// Gaussian blur of this standard deviation in pixels, mixed with what there was: 1 is the blur, 0 the picture, less than 0 goes the other way
/// (unsharp masking; opacity stays then). Colours that cannot be seen do not bleed. Beyond its edges a picture goes on as at its edges.
pub(crate) fn blur(mut bitmap: Bitmap, sigma: f32, amount: f32) -> Bitmap {
    if sigma >= NO_BLUR && amount != 0.0 {
        let mix = if amount > 0.0 { Mix::Blur(amount.min(1.0)) } else { Mix::Unsharp(-amount) };
        gauss::blur(&mut bitmap, sigma, mix);
    }
    bitmap
}

/// Blurs a part as if it were a picture of its own, so that nothing of it shows outside.
pub(crate) fn blur_region(mut bitmap: Bitmap, rect: Rect, sigma: f32) -> Bitmap {
    let part = blur(cut(&bitmap, rect), sigma, 1.0);
    let channels = bitmap.layout.channels();
    let row = rect.width as usize * channels;
    for (y, source) in (rect.y as usize..).zip(part.data.chunks_exact(row)) {
        let at = (y * bitmap.width as usize + rect.x as usize) * channels;
        if let Some(target) = bitmap.data.get_mut(at..at + row) {
            target.copy_from_slice(source);
        }
    }
    bitmap
}

/// Sharpens; 0 does nothing, 20 is the most. Opacity stays.
pub(crate) fn sharp(bitmap: Bitmap, strength: u8) -> Bitmap {
    blur(bitmap, SHARP_SIGMA, -SHARP_STEP * f32::from(strength))
}

fn cut(bitmap: &Bitmap, rect: Rect) -> Bitmap {
    let channels = bitmap.layout.channels();
    let row = bitmap.width as usize * channels;
    let from = rect.x as usize * channels;
    let to = from + rect.width as usize * channels;
    let data = bitmap
        .data
        .chunks_exact(row)
        .skip(rect.y as usize)
        .take(rect.height as usize)
        .flat_map(|row| row.get(from..to).unwrap_or_default())
        .copied()
        .collect();
    Bitmap { width: rect.width, height: rect.height, layout: bitmap.layout, data }
}

#[cfg(test)]
mod tests;
