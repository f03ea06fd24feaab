//! `smart_resize`: another shape without distorting what matters. Each column and each row gets a scale of its own: faces and
//! objects keep theirs, and what lies beside them is stretched or squeezed away. Unlike carving seams out, this bends no
//! line that was not bent before, costs the same for every picture, and gives any size.

use stowage_codecs::Bitmap;

use super::objects::Salience;
use super::reduced::{mean_around, whole};
use super::warp::warp;
use crate::{Rect, faces, resample};

/// What nothing can go below: even plain ground resists a little, so that it is stretched evenly.
const LEAST: f64 = 0.03;
/// The least share of its size that anything keeps.
const MIN_SHARE: f64 = 0.08;
/// How much of the difference of brightness between neighbours, in 255, counts as full of detail.
const DETAIL: f32 = 40.0;
/// Scales that are tried.
const TRIES: u32 = 16;
/// Rounds in which what would become too small is held and the rest is shared anew.
const ROUNDS: usize = 12;

/// Scales to exactly this size, at least 1 by 1.
pub(crate) fn smart_resize(bitmap: Bitmap, width: u32, height: u32) -> Bitmap {
    let (width, height) = (width.max(1), height.max(1));
    if (bitmap.width, bitmap.height) == (width, height) {
        return bitmap;
    }
    let across = Axis { from: f64::from(bitmap.width), to: f64::from(width) };
    let down = Axis { from: f64::from(bitmap.height), to: f64::from(height) };
    if (across.scale() / down.scale()).ln().abs() < 0.01 {
        return resample::resize(&bitmap, width, height);
    }
    let (columns, rows) = importance(&bitmap);
    let scale = best_scale(across, &columns, down, &rows);
    let (columns, rows) = (across.shares(&columns, scale), down.shares(&rows, scale));
    if is_even(&columns) && is_even(&rows) {
        return resample::resize(&bitmap, width, height);
    }
    // What matters is brought to its final size by the one good way to scale; after that, it only moves.
    let first = scale.min(1.0);
    let base = resample::resize(&bitmap, whole(across.from * first).max(1), whole(down.from * first).max(1));
    drop(bitmap);
    let columns = lines(&columns, width, base.width);
    let rows = lines(&rows, height, base.height);
    warp(&base, &columns, &rows)
}

/// One side before and after.
#[derive(Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    fn scale(self) -> f64 {
        self.to / self.from
    }

    /// How long each of the equal parts of the side becomes so that the parts that matter are as near to a scale as possible:
    /// what is missing or left over is shared out by how little the parts matter (least squares).
    fn shares(self, weights: &[f64], scale: f64) -> Vec<f64> {
        let part = self.from / weights.len().max(1) as f64 * scale;
        // Never more than half of what there is, or nothing could be shared.
        let least = (part * MIN_SHARE).min(self.to / weights.len().max(1) as f64 / 2.0);
        let mut held = vec![false; weights.len()];
        let mut shares = vec![part; weights.len()];
        for _ in 0..ROUNDS {
            let (mut left, mut soft) = (self.to, 0.0);
            for (weight, held) in weights.iter().zip(&held) {
                left -= if *held { least } else { part };
                soft += if *held { 0.0 } else { 1.0 / weight };
            }
            if soft <= 0.0 {
                break;
            }
            let mut is_done = true;
            for ((share, weight), held) in shares.iter_mut().zip(weights).zip(&mut held) {
                *share = if *held { least } else { part + left / soft / weight };
                if *share < least {
                    (*share, *held, is_done) = (least, true, false);
                }
            }
            if is_done {
                break;
            }
        }
        // Where the rounds did not suffice, a little is missing everywhere.
        let fit = self.to / shares.iter().sum::<f64>();
        shares.iter().map(|share| share * fit).collect()
    }

    /// How much a scale distorts what matters.
    fn distortion(self, weights: &[f64], scale: f64) -> f64 {
        let part = self.from / weights.len().max(1) as f64 * scale;
        let shares = self.shares(weights, scale);
        let sum: f64 = shares.iter().zip(weights).map(|(share, weight)| weight * (share / part).ln().powi(2)).sum();
        sum / weights.len().max(1) as f64
    }
}

/// The scale of what matters that distorts least, between those of the two sides.
fn best_scale(across: Axis, columns: &[f64], down: Axis, rows: &[f64]) -> f64 {
    let (low, high) = (across.scale().min(down.scale()), across.scale().max(down.scale()));
    let tries = (0..=TRIES).map(|step| low * (high / low).powf(f64::from(step) / f64::from(TRIES)));
    let rated = tries.map(|scale| (across.distortion(columns, scale) + down.distortion(rows, scale), scale));
    rated.reduce(|best, next| if next.0 < best.0 { next } else { best }).map_or(low, |(_, scale)| scale)
}

/// Whether all parts are about as long as each other.
fn is_even(shares: &[f64]) -> bool {
    let (least, most) =
        shares.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), share| (least.min(*share), most.max(*share)));
    most <= least * 1.02
}

/// Where the lines between the pixels of the result lie in the source.
fn lines(shares: &[f64], pixels: u32, side: u32) -> Vec<f64> {
    let part = f64::from(side) / shares.len().max(1) as f64;
    let (mut lines, mut done, mut index) = (Vec::with_capacity(pixels as usize + 1), 0.0, 0);
    for pixel in 0..pixels {
        let at = f64::from(pixel);
        while index + 1 < shares.len() && done + shares[index] <= at {
            done += shares[index];
            index += 1;
        }
        let inside = ((at - done) / shares.get(index).copied().unwrap_or(1.0)).clamp(0.0, 1.0);
        lines.push((index as f64 + inside) * part);
    }
    lines.push(f64::from(side));
    lines
}

/// How much the columns and the rows of a picture matter, each in equal parts, from [`LEAST`] to 1 and a little more.
fn importance(bitmap: &Bitmap) -> (Vec<f64>, Vec<f64>) {
    let salience = Salience::of(bitmap);
    let (width, height) = (salience.small.width, salience.small.height);
    let grey: Vec<f32> = salience.small.grey().into_iter().map(f32::from).collect();
    let (mut columns, mut rows) = (vec![0.0_f32; width], vec![0.0_f32; height]);
    for (y, row) in rows.iter_mut().enumerate() {
        for (x, column) in columns.iter_mut().enumerate() {
            let at = y * width + x;
            let right = if x + 1 < width { grey[at + 1] } else { grey[at] };
            let below = if y + 1 < height { grey[at + width] } else { grey[at] };
            let detail = ((right - grey[at]).abs().max((below - grey[at]).abs()) / DETAIL).min(1.0);
            let value = salience.map[at] * 0.6 + detail * 0.4;
            *column += value / height as f32;
            *row += value / width as f32;
        }
    }
    let objects: Vec<Rect> = salience.objects().collect();
    let faces = faces::find(bitmap);
    for (rects, value) in [(&objects, 0.8), (&faces, 1.0)] {
        for rect in rects {
            raise(&mut columns, rect.x, rect.width, bitmap.width, value);
            raise(&mut rows, rect.y, rect.height, bitmap.height, value);
        }
    }
    (finished(&columns), finished(&rows))
}

/// Lets a stretch of a side count at least so much.
fn raise(weights: &mut [f32], from: u32, length: u32, side: u32, value: f32) {
    let parts = weights.len() as u64;
    let part = |at: u64| usize::try_from(at * parts / u64::from(side.max(1))).unwrap_or(usize::MAX).min(weights.len());
    let (first, end) = (part(u64::from(from)), part(u64::from(from) + u64::from(length)));
    for weight in weights.iter_mut().take(end.max(first + 1)).skip(first) {
        *weight = weight.max(value);
    }
}

/// Softened, so that the scale changes gradually.
fn finished(weights: &[f32]) -> Vec<f64> {
    let radius = weights.len() / 64 + 1;
    let mut soft = weights.to_vec();
    for _ in 0..2 {
        soft = (0..soft.len()).map(|at| mean_around(&soft, at, radius)).collect();
    }
    // What matters keeps all of its weight; only its surroundings rise.
    soft.iter().zip(weights).map(|(soft, weight)| f64::from(soft.max(*weight)) + LEAST).collect()
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;

    /// A dark disc on a light ground.
    fn disc(width: u32, height: u32, middle: (u32, u32), radius: u32) -> Bitmap {
        let inside = |x: u32, y: u32| x.abs_diff(middle.0).pow(2) + y.abs_diff(middle.1).pow(2) < radius * radius;
        let data = (0..height).flat_map(|y| (0..width).map(move |x| if inside(x, y) { 20 } else { 230 })).collect();
        Bitmap { width, height, layout: Layout::Gray, data }
    }

    /// Width and height of what is dark.
    fn dark(bitmap: &Bitmap) -> (u32, u32) {
        let is_dark = |x: u32, y: u32| bitmap.data[(y * bitmap.width + x) as usize] < 128;
        let columns = (0..bitmap.width).filter(|&x| (0..bitmap.height).any(|y| is_dark(x, y))).count();
        let rows = (0..bitmap.height).filter(|&y| (0..bitmap.width).any(|x| is_dark(x, y))).count();
        (u32::try_from(columns).unwrap(), u32::try_from(rows).unwrap())
    }

    #[test]
    fn a_disc_stays_round() {
        let picture = disc(600, 400, (380, 190), 70);
        for (width, height) in [(300, 400), (900, 400), (400, 400), (600, 250), (240, 320), (1200, 500)] {
            let made = smart_resize(picture.clone(), width, height);
            assert_eq!((made.width, made.height), (width, height));
            let (across, down) = dark(&made);
            let ratio = f64::from(across) / f64::from(down);
            assert!((0.85..1.18).contains(&ratio), "{width}x{height}: {across}x{down}");
        }
    }

    #[test]
    fn every_size_and_layout_is_exact() {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba, Layout::Cmyk] {
            for (from_width, from_height) in [(1, 1), (1, 50), (90, 2), (40, 30)] {
                let bytes = from_width as usize * from_height as usize * layout.channels();
                let data = (0..bytes).map(|at| u8::try_from(at * 37 % 256).unwrap()).collect();
                let picture = Bitmap { width: from_width, height: from_height, layout, data };
                for (width, height) in [(1, 1), (1, 200), (300, 1), (77, 33)] {
                    let made = smart_resize(picture.clone(), width, height);
                    assert_eq!((made.width, made.height, made.layout), (width, height, layout));
                    assert_eq!(made.data.len(), width as usize * height as usize * layout.channels());
                }
            }
        }
    }

    #[test]
    fn the_same_shape_is_plain_scaling() {
        let picture = disc(600, 400, (380, 190), 70);
        assert_eq!(smart_resize(picture.clone(), 300, 200), resample::resize(&picture, 300, 200));
        assert_eq!(smart_resize(picture.clone(), 600, 400), picture);
    }

    #[test]
    fn shares_add_up_and_none_vanishes() {
        let weights: Vec<f64> = (0..100).map(|part| if (40..60).contains(&part) { 1.0 } else { 0.05 }).collect();
        for (to, scale) in [(30.0, 1.0), (500.0, 0.5), (1.0, 3.0), (99.0, 1.0)] {
            let shares = Axis { from: 100.0, to }.shares(&weights, scale);
            assert!((shares.iter().sum::<f64>() - to).abs() < 1e-6);
            assert!(shares.iter().all(|share| *share > 0.0), "{to} {scale}");
        }
        let shares = Axis { from: 100.0, to: 60.0 }.shares(&weights, 1.0);
        assert!((0.9..=1.0).contains(&shares[50]) && shares[10] < 0.6, "{shares:?}");
    }
}
