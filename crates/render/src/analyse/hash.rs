//! Fingerprints of what a picture looks like.

use std::f64::consts::PI;

use stowage_codecs::Bitmap;

use super::reduced::{Small, linear, on_white};

/// The side of the grey copy that is hashed.
const SIDE: usize = 32;
/// The waves along each side that make the hash: 8 times 8 are 64 bits.
const WAVES: usize = 8;
/// Differences in brightness below this are noise: a flat picture must not get a hash made of rounding errors.
const NOISE: f64 = 0.05;
/// The longest side of the copy that a blurhash is computed from.
const BLUR_SIDE: u32 = 64;
/// Components of a blurhash.
const BLUR: (usize, usize) = (6, 4);
/// The digits of a blurhash.
const DIGITS: &[u8; 83] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// A perceptual hash: pictures that look alike differ in few of the 64 bits.
///
/// The lowest waves of the cosine transform of a grey copy of 32x32 pixels, each one bit: whether it is above their median.
pub(crate) fn phash(bitmap: &Bitmap) -> u64 {
    let grey = Small::sized(bitmap, 32, 32).grey();
    let waves = waves(SIDE, WAVES, 0.5);
    // Rows first: eight waves for each.
    let mut rows = vec![[0.0; WAVES]; SIDE];
    for (row, line) in rows.iter_mut().zip(grey.chunks_exact(SIDE)) {
        for (sum, wave) in row.iter_mut().zip(&waves) {
            *sum = line.iter().zip(wave).map(|(value, wave)| f64::from(*value) * wave).sum();
        }
    }
    let strengths: Vec<f64> = waves
        .iter()
        .flat_map(|wave| (0..WAVES).map(move |x| (wave, x)))
        .map(|(wave, x)| rows.iter().zip(wave).map(|(row, wave)| row[x] * wave).sum::<f64>() / 1024.0)
        .collect();
    // The first is the mean brightness, which says nothing about the picture and would move the median.
    let mut sorted = strengths.get(1..).unwrap_or_default().to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    strengths.iter().fold(0, |hash, strength| hash << 1 | u64::from(*strength > median + NOISE))
}

/// A blurhash of 6x4 components, 52 characters: how the picture looks while it is not there yet.
pub(crate) fn blurhash(bitmap: &Bitmap) -> String {
    let small = Small::of(bitmap, BLUR_SIDE);
    let (across, down) = (waves(small.width, BLUR.0, 0.0), waves(small.height, BLUR.1, 0.0));
    let light: Vec<[f64; 3]> =
        small.pixels.iter().map(|&pixel| on_white(pixel).map(|channel| f64::from(linear(channel)))).collect();
    let mut components = Vec::with_capacity(BLUR.0 * BLUR.1);
    for (j, down) in down.iter().enumerate() {
        for (i, across) in across.iter().enumerate() {
            let mut sum = [0.0; 3];
            for (row, wave) in light.chunks_exact(small.width).zip(down) {
                for (pixel, other) in row.iter().zip(across) {
                    for (sum, channel) in sum.iter_mut().zip(pixel) {
                        *sum += channel * wave * other;
                    }
                }
            }
            let share = if (i, j) == (0, 0) { 1.0 } else { 2.0 } / light.len().max(1) as f64;
            components.push(sum.map(|sum| sum * share));
        }
    }
    written(&components)
}

/// The components in the alphabet of blurhashes.
fn written(components: &[[f64; 3]]) -> String {
    let (mean, rest) = components.split_first().unwrap_or((&[0.0; 3], &[]));
    let strongest = rest.iter().flatten().fold(0.0_f64, |strongest, value| strongest.max(value.abs()));
    let scale = digit((strongest * 166.0 - 0.5).floor(), 82);
    let largest = f64::from(scale + 1) / 166.0;
    let mut hash = String::with_capacity(4 + 2 * components.len());
    push(&mut hash, digit((BLUR.0 - 1 + (BLUR.1 - 1) * 9) as f64, 82), 1);
    push(&mut hash, scale, 1);
    push(&mut hash, mean.iter().fold(0, |number, channel| number << 8 | srgb(*channel)), 4);
    for component in rest {
        let quantised = component.iter().fold(0, |number, value| {
            let share = value / largest;
            number * 19 + digit((share.signum() * share.abs().sqrt() * 9.0 + 9.5).floor(), 18)
        });
        push(&mut hash, quantised, 2);
    }
    hash
}

/// Writes a number with so many digits.
fn push(hash: &mut String, number: u32, digits: u32) {
    for power in (0..digits).rev() {
        let digit = number / 83_u32.pow(power) % 83;
        hash.extend(DIGITS.get(digit as usize).copied().map(char::from));
    }
}

/// A number between 0 and a bound.
fn digit(value: f64, largest: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that ends at the bounds")]
    let digit = value as u32;
    digit.min(largest)
}

/// Light as an sRGB value, 0 to 255.
fn srgb(light: f64) -> u32 {
    let light = light.clamp(0.0, 1.0);
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    digit(value * 255.0 + 0.5, 255)
}

/// The lowest cosine waves over so many pixels, a pixel counting where `middle` says: 0.5 for its middle, as a transform wants
/// it, 0 for its edge, as readers of blurhashes do.
fn waves(pixels: usize, count: usize, middle: f64) -> Vec<Vec<f64>> {
    let step = PI / pixels.max(1) as f64;
    (0..count).map(|wave| (0..pixels).map(|at| (step * wave as f64 * (at as f64 + middle)).cos()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;
    use crate::resample::resize;

    fn picture(width: u32, height: u32, layout: Layout, color: impl Fn(u32, u32) -> Vec<u32>) -> Bitmap {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| color(x, y));
        Bitmap { width, height, layout, data: pixels.map(|value| u8::try_from(value).unwrap()).collect() }
    }

    fn portrait() -> Bitmap {
        let bytes = include_bytes!("../../tests/fixtures/portrait.jpg");
        stowage_codecs::decode(bytes, &stowage_codecs::Ask::default()).unwrap().bitmap
    }

    // Both expected values come from programs written apart from this one, straight from the definitions.

    #[test]
    fn a_hash_is_that_of_the_transform() {
        let waves = picture(32, 32, Layout::Gray, |x, y| vec![(x * x + 3 * y * y + 5 * x * y) % 251]);
        assert_eq!(format!("{:016x}", phash(&waves)), "ae0307030e2f1f6f");
    }

    #[test]
    fn a_blurhash_is_that_of_the_published_algorithm() {
        let colors = picture(24, 16, Layout::Rgb, |x, y| vec![x * 255 / 23, y * 255 / 15, x * y * 7 % 256]);
        assert_eq!(blurhash(&colors), "W$HoL12owtbXWmobqMWBjse:fPjIgFfhfPflfSfks+WojvfSfSjs");
    }

    #[test]
    fn what_looks_alike_has_hashes_alike() {
        let original = portrait();
        let hash = phash(&original);
        let small = phash(&resize(&original, 150, 137));
        let mut dark = original.clone();
        dark.data.iter_mut().for_each(|value| *value = *value / 8 * 6);
        let mut mirrored = original.clone();
        mirrored.data = mirrored.data.rchunks_exact(3).flatten().copied().collect();
        assert!((hash ^ small).count_ones() <= 4);
        assert!((hash ^ phash(&dark)).count_ones() <= 8);
        assert!((hash ^ phash(&mirrored)).count_ones() >= 16);
    }

    #[test]
    fn a_flat_picture_has_no_hash_made_of_rounding() {
        for grey in [1, 77, 254] {
            let flat = phash(&picture(90, 70, Layout::Gray, |_, _| vec![grey]));
            assert_eq!(flat, 1 << 63, "only the mean brightness stands out");
        }
        assert_eq!(phash(&picture(9, 7, Layout::Rgba, |_, _| vec![0, 0, 0, 0])), 1 << 63, "transparency is white");
    }

    #[test]
    fn a_blurhash_has_its_length_for_every_picture() {
        for (width, height) in [(1, 1), (3000, 1), (2, 900), (640, 480)] {
            let hash = blurhash(&picture(width, height, Layout::Gray, |x, y| vec![(x + y) % 256]));
            assert_eq!((hash.len(), hash.as_bytes()[0]), (52, b'W'));
        }
    }
}
