//! The quality at which a picture looks as good as it has to: a search instead of a number, because a number means little.
//! The search looks at a patchwork of the picture, so that it costs the same for every picture.

use std::ops::RangeInclusive;

use stowage_codecs::{Ask, Bitmap, Layout, decode};

use crate::analyse::luma;

/// The likeness that `quality/smart` aims for.
pub(crate) const SMART: f64 = 0.97;
/// The likeness that `quality/smart_retina` aims for; twice as many pixels hide more.
pub(crate) const SMART_RETINA: f64 = 0.95;

/// The side of a patch; a multiple of the blocks of every format.
const PATCH: u32 = 64;
/// Patches along each side of the sample.
const PATCHES: u32 = 5;
/// The side of the windows that are compared, and how far apart they are.
const WINDOW: usize = 8;
/// How far apart windows are.
const STEP: usize = 4;

/// What the search has to look at: the picture itself where it is small, else patches from all over it.
pub(crate) fn sample(bitmap: &Bitmap) -> Bitmap {
    let side = PATCH * PATCHES;
    if u64::from(bitmap.width) * u64::from(bitmap.height) <= u64::from(side) * u64::from(side) {
        return bitmap.clone();
    }
    let channels = bitmap.layout.channels();
    let (across, down) = (starts(bitmap.width), starts(bitmap.height));
    let (width, height) = (PATCH.min(bitmap.width), PATCH.min(bitmap.height));
    let mut data = Vec::with_capacity((side as usize).pow(2) * channels);
    for y in &down {
        for row in 0..height {
            for x in &across {
                let from = ((y + row) as usize * bitmap.width as usize + *x as usize) * channels;
                data.extend_from_slice(bitmap.data.get(from..from + width as usize * channels).unwrap_or_default());
            }
        }
    }
    let count = |starts: &[u32]| u32::try_from(starts.len()).unwrap_or(1);
    Bitmap { width: width * count(&across), height: height * count(&down), layout: bitmap.layout, data }
}

/// Where patches begin along a side: spread evenly, none over another.
fn starts(side: u32) -> Vec<u32> {
    let count = (side / PATCH).clamp(1, PATCHES);
    let left = u64::from(side.saturating_sub(PATCH * count));
    (0..count)
        .map(|patch| {
            let before = left * u64::from(2 * patch + 1) / u64::from(2 * count);
            u32::try_from(before).unwrap_or(0) + patch * PATCH
        })
        .collect()
}

/// The lowest quality of a range at which what was encoded is at least as like the original as is wanted (see
/// [`similarity`]); the highest where none is. `encode` makes the file of `original` at a quality; hand in a [`sample`].
///
/// Bytes that cannot be decoded here count as not good enough. An error of `encode` ends the search.
pub(crate) fn search<E>(
    original: &Bitmap,
    mut encode: impl FnMut(u8) -> Result<Vec<u8>, E>,
    range: RangeInclusive<u8>,
    target: f64,
) -> Result<u8, E> {
    let wanted = brightness(original);
    let (mut low, mut high) = range.into_inner();
    while low < high {
        let quality = low.midpoint(high);
        let bytes = encode(quality)?;
        let reached = decode(&bytes, &Ask::default())
            .ok()
            .map(|decoded| decoded.bitmap)
            .filter(|bitmap| (bitmap.width, bitmap.height) == (original.width, original.height))
            .map_or(0.0, |bitmap| compare(&wanted, &brightness(&bitmap), original.width as usize));
        if reached >= target {
            high = quality;
        } else {
            low = quality + 1;
        }
    }
    Ok(high)
}

/// How like two pictures of one size are, 1 for equal ones: the mean structural similarity (SSIM) of their brightness.
#[cfg(test)]
pub(crate) fn similarity(left: &Bitmap, right: &Bitmap) -> f64 {
    compare(&brightness(left), &brightness(right), left.width as usize)
}

/// The brightness of every pixel, over white.
fn brightness(bitmap: &Bitmap) -> Vec<u8> {
    if bitmap.layout == Layout::Gray {
        return bitmap.data.clone();
    }
    let pixels = bitmap.data.chunks_exact(bitmap.layout.channels());
    pixels.map(|pixel| luma(crate::analyse::opaque(bitmap.layout, pixel))).collect()
}

/// The mean similarity of the windows of two planes.
fn compare(left: &[u8], right: &[u8], width: usize) -> f64 {
    let height = left.len() / width.max(1);
    let (columns, rows) = (WINDOW.min(width), WINDOW.min(height));
    let (mut sum, mut count) = (0.0, 0_u32);
    for y in (0..=height.saturating_sub(rows)).step_by(STEP) {
        for x in (0..=width.saturating_sub(columns)).step_by(STEP) {
            let mut sums = Sums::default();
            for row in y..y + rows {
                let at = row * width + x;
                let (Some(left), Some(right)) = (left.get(at..at + columns), right.get(at..at + columns)) else {
                    return 0.0;
                };
                sums.add(left, right);
            }
            sum += sums.similarity((columns * rows) as f64);
            count += 1;
        }
    }
    if count == 0 { 1.0 } else { sum / f64::from(count) }
}

/// What a window adds up to.
#[derive(Default)]
struct Sums {
    left: u32,
    right: u32,
    left2: u32,
    right2: u32,
    both: u32,
}

impl Sums {
    fn add(&mut self, left: &[u8], right: &[u8]) {
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (u32::from(*left), u32::from(*right));
            self.left += left;
            self.right += right;
            self.left2 += left * left;
            self.right2 += right * right;
            self.both += left * right;
        }
    }

    /// SSIM with its usual constants.
    fn similarity(&self, count: f64) -> f64 {
        const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
        const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
        let (left, right) = (f64::from(self.left) / count, f64::from(self.right) / count);
        let left2 = f64::from(self.left2) / count - left * left;
        let right2 = f64::from(self.right2) / count - right * right;
        let both = f64::from(self.both) / count - left * right;
        (2.0 * left * right + C1) * (2.0 * both + C2) / ((left * left + right * right + C1) * (left2 + right2 + C2))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use stowage_codecs::{EncodeError, Extras, jpeg};

    use super::*;
    use crate::resample::resize;

    /// Scaled, because it would survive the quality at which the fixture was encoded unchanged.
    fn portrait() -> Bitmap {
        let fixture = decode(include_bytes!("../tests/fixtures/portrait.jpg"), &Ask::default()).unwrap().bitmap;
        resize(&fixture, 200, 183)
    }

    fn flat() -> Bitmap {
        Bitmap { width: 100, height: 80, layout: Layout::Rgb, data: vec![90; 24_000] }
    }

    fn encoded(bitmap: &Bitmap, quality: u8) -> Bitmap {
        decode(&jpeg(bitmap, quality, false, Extras::default()).unwrap(), &Ask::default()).unwrap().bitmap
    }

    #[test]
    fn the_lowest_quality_that_suffices_is_found_in_few_steps() {
        let picture = portrait();
        let rounds = Cell::new(0);
        let encode = |quality: u8| {
            rounds.set(rounds.get() + 1);
            jpeg(&picture, quality, false, Extras::default())
        };
        let target = similarity(&picture, &encoded(&picture, 64));
        let found = search(&picture, encode, 30..=95, target).unwrap();
        assert!((62..=66).contains(&found), "{found}");
        assert!(similarity(&picture, &encoded(&picture, found)) >= target);
        assert!(rounds.get() <= 7);
    }

    #[test]
    fn what_hides_nothing_needs_little_and_what_cannot_be_reached_gets_all() {
        let encode = |bitmap: Bitmap| move |quality: u8| jpeg(&bitmap, quality, false, Extras::default());
        assert_eq!(search(&flat(), encode(flat()), 70..=87, SMART).unwrap(), 70);
        assert_eq!(search(&portrait(), encode(portrait()), 70..=87, 1.1).unwrap(), 87);
        assert_eq!(search(&portrait(), encode(portrait()), 80..=80, SMART).unwrap(), 80);
    }

    #[test]
    fn errors_end_the_search_and_rubbish_does_not() {
        let error = search(&flat(), |_| Err(EncodeError("no".to_owned())), 70..=87, SMART);
        assert_eq!(error, Err(EncodeError("no".to_owned())));
        assert_eq!(search(&flat(), |_| Ok::<_, EncodeError>(vec![1, 2, 3]), 70..=87, SMART), Ok(87));
    }

    #[test]
    fn likeness_is_one_for_equals_and_falls_with_the_quality() {
        let picture = portrait();
        assert!((similarity(&picture, &picture) - 1.0).abs() < 1e-9);
        let falling = [95, 80, 60, 40, 20, 5].map(|quality| similarity(&picture, &encoded(&picture, quality)));
        assert!(falling.is_sorted_by(|left, right| left > right), "{falling:?}");
        assert!(falling[5] > 0.3 && falling[0] > 0.95, "{falling:?}");
    }

    #[test]
    fn a_sample_is_small_and_made_of_pieces_of_the_picture() {
        let small = portrait();
        assert_eq!(sample(&small), small);
        for (width, height) in [(2000, 1500), (6000, 70), (40, 9000), (65, 4000)] {
            // Each pixel says where it is, in steps of eight pixels.
            let pixel = |x: u32, y: u32| u8::try_from((x / 8 * 31 + y / 8 * 7) % 251).unwrap();
            let data = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
            let picture = Bitmap { width, height, layout: Layout::Gray, data };
            let sample = sample(&picture);
            assert!(sample.width <= PATCH * PATCHES && sample.height <= PATCH * PATCHES);
            assert_eq!(sample.data.len(), sample.width as usize * sample.height as usize);
            for (row, y) in starts(height).into_iter().enumerate() {
                for (column, x) in starts(width).into_iter().enumerate() {
                    let at = row * PATCH as usize * sample.width as usize + column * PATCH as usize;
                    assert_eq!(sample.data[at], pixel(x, y));
                }
            }
        }
    }
}
