//! `enhance`: levels, contrast and colour chosen by a look at the picture. The vendor names the ingredients (automatic levels and contrast,
//! more saturation) and no numbers; these are ours.

use super::moves::{self, Move, Tone};
use super::run::{Run, unit};
use stowage_codecs::{Bitmap, Layout};

/// Pixels that are looked at, at most about; more would not change what is found.
const LOOKED_AT: u64 = 20_000;
/// The part of the pixels that may become pure black, and the same for white.
const CLIPPED: f32 = 0.005;
/// The narrowest range that is spread to the whole: flat pictures must not become noise.
const NARROWEST: f32 = 0.35;
/// Below this range there is nothing to enhance.
const FLAT: f32 = 0.03;
/// How much of the levels is found for each channel on its own, which takes colour casts out; the rest is found for all.
const CAST: f32 = 0.4;
/// Where the middle of the picture should lie.
const MIDDLE: f32 = 0.46;
/// The strongest power that brings it there.
const POWER: f32 = 1.25;
/// The strength of the S.
const BEND: f32 = 0.3;
/// The vibrance.
const COLOR: f32 = 0.3;

/// How often each of 256 values was met: red, green, blue, luma.
struct Counts([[u32; 256]; 4]);

/// Adds what enhances the picture as it is after the moves before; `share` is 0 to 1.
pub(super) fn extend(moves: &mut Vec<Move>, share: f32, bitmap: &Bitmap) {
    let counts = Counts::of(bitmap, &Run::new(moves));
    let luma = &counts.0[3];
    let (black, white) = (place(luma, CLIPPED), place(luma, 1.0 - CLIPPED));
    if white - black < FLAT {
        return;
    }
    let middle = ((place(luma, 0.5) - black) / (white - black)).clamp(0.05, 0.95);
    let power = (MIDDLE.ln() / middle.ln()).clamp(1.0 / POWER, POWER);
    moves.push(Move::Tones([0, 1, 2].map(|channel| {
        let own = &counts.0[channel];
        let (black, white) =
            widen(black + (place(own, CLIPPED) - black) * CAST, white + (place(own, 1.0 - CLIPPED) - white) * CAST);
        Tone::Levels { black, white, power, bend: BEND, share }
    })));
    moves.push(Move::Vibrance(COLOR * share));
}

/// The range, widened around its middle to the narrowest that is spread.
fn widen(black: f32, white: f32) -> (f32, f32) {
    let missing = (NARROWEST - (white - black)).max(0.0) / 2.0;
    (black - missing, white + missing)
}

/// The value below which this part of what was counted lies.
fn place(counts: &[u32; 256], part: f32) -> f32 {
    let all: u64 = counts.iter().copied().map(u64::from).sum();
    let mut seen = 0;
    for (value, count) in (0..=255).zip(counts) {
        seen += u64::from(*count);
        if seen as f64 > all as f64 * f64::from(part) {
            return unit(value);
        }
    }
    1.0
}

impl Counts {
    /// Looks at the picture as the run makes it. What cannot be seen does not count.
    fn of(bitmap: &Bitmap, run: &Run) -> Self {
        let mut counts = Self([[0; 256]; 4]);
        let area = u64::from(bitmap.width) * u64::from(bitmap.height);
        let every = usize::try_from((area / LOOKED_AT).isqrt().max(1)).unwrap_or(usize::MAX);
        let channels = bitmap.layout.channels();
        let row = bitmap.width as usize * channels;
        for row in bitmap.data.chunks_exact(row.max(1)).step_by(every) {
            for pixel in row.chunks_exact(channels).step_by(every) {
                let (color, opaque) = match (bitmap.layout, pixel) {
                    (Layout::Gray, [value, ..]) => ([*value; 3], true),
                    (Layout::Rgba, [red, green, blue, alpha]) => ([*red, *green, *blue], *alpha >= 16),
                    (_, [red, green, blue, ..]) => ([*red, *green, *blue], true),
                    _ => continue,
                };
                if opaque {
                    counts.add(run.at(color.map(unit)));
                }
            }
        }
        counts
    }

    fn add(&mut self, pixel: [f32; 3]) {
        let [red, green, blue] = pixel;
        for (counts, value) in self.0.iter_mut().zip([red, green, blue, moves::luma(pixel)]) {
            counts[usize::from(super::run::byte(value))] += 1;
        }
    }
}
