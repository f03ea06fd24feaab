//! The Gaussian. Up to a standard deviation of 4 pixels it is computed as such. Beyond that the picture is first reduced by a whole factor,
//! with triangles, blurred there, and enlarged again with straight lines between; the spreads of the three steps add up to the one asked for. What
//! the reduction cannot carry is finer than anything that such a blur leaves.
//!
//! Rows stream through: row of the picture, reduced row, blurred row, and back into the picture, behind the rows that were read.

use super::rows::{Mix, accumulate, load, store};
use stowage_codecs::Bitmap;

/// The standard deviation at which the picture is reduced by 2, half of that at which it is reduced by 3 more and so on.
const REDUCED: f32 = 2.0;

/// Reduced rows and columns around the picture, so that it goes on beyond its edges as at its edges.
const AROUND: usize = 2;

/// Blurs in place.
pub(super) fn blur(bitmap: &mut Bitmap, sigma: f32, mix: Mix) {
    let factor = factor(sigma);
    if factor == 1 {
        direct(bitmap, sigma, mix);
    } else {
        reduced(bitmap, factor, sigma, mix);
    }
}

/// By how much the picture is reduced for this blur.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number, rounded down on purpose"
)]
fn factor(sigma: f32) -> usize {
    ((sigma / REDUCED) as usize).max(1)
}

/// The standard deviation that is left to do, in reduced pixels: variances add up. The triangles that reduce and the straight lines that
/// enlarge have the same one, a sixth of the square of the factor, but for what whole pixels make of it.
fn rest(sigma: f32, factor: usize) -> f32 {
    let square = (factor * factor) as f32;
    let triangle = if factor % 2 == 1 { square - 1.0 } else { square + 0.5 } / 6.0;
    ((sigma * sigma - 2.0 * triangle) / square).sqrt()
}

/// Half of a Gaussian: the weight of the middle, then of each pixel to either side.
struct Kernel(Vec<f32>);

impl Kernel {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most three times the largest direct blur"
    )]
    fn new(sigma: f32) -> Self {
        let radius = (sigma * 3.2).ceil().max(1.0) as usize;
        let weights: Vec<f32> = (0..=radius).map(|at| (-0.5 * (at as f32 / sigma).powi(2)).exp()).collect();
        let sum = 2.0 * weights.iter().sum::<f32>() - weights[0];
        Self(weights.into_iter().map(|weight| weight / sum).collect())
    }

    fn radius(&self) -> usize {
        self.0.len() - 1
    }
}

/// Rows that are still needed, of which only the last so many are.
struct Ring {
    rows: Vec<Vec<f32>>,
}

impl Ring {
    fn new(rows: usize, length: usize) -> Self {
        Self { rows: vec![vec![0.0; length]; rows] }
    }

    fn row(&self, number: usize) -> &[f32] {
        &self.rows[number % self.rows.len()]
    }

    fn row_mut(&mut self, number: usize) -> &mut [f32] {
        let at = number % self.rows.len();
        &mut self.rows[at]
    }
}

/// A row with as many pixels more at either side as the kernel reaches, all like the last one.
struct Padded {
    values: Vec<f32>,
    channels: usize,
    margin: usize,
}

impl Padded {
    fn new(length: usize, channels: usize, radius: usize) -> Self {
        let margin = radius * channels;
        Self { values: vec![0.0; length + 2 * margin], channels, margin }
    }

    fn inner(&mut self) -> &mut [f32] {
        let end = self.values.len() - self.margin;
        &mut self.values[self.margin..end]
    }

    /// Fills the margins and blurs along the row.
    fn blur(&mut self, kernel: &Kernel, into: &mut [f32]) {
        let end = self.values.len() - self.margin;
        for at in (0..self.margin).step_by(self.channels) {
            self.values.copy_within(self.margin..self.margin + self.channels, at);
            self.values.copy_within(end - self.channels..end, end + at);
        }
        let middle = self.margin;
        let length = into.len();
        // In pieces that stay in the nearest cache while one weight after the other passes.
        for from in (0..length).step_by(PIECE) {
            let to = (from + PIECE).min(length);
            let into = &mut into[from..to];
            let at = |offset: usize| &self.values[offset + from..offset + to];
            weigh(into, at(middle), kernel.0[0]);
            for (distance, weight) in kernel.0.iter().enumerate().skip(1) {
                let distance = distance * self.channels;
                add(into, at(middle - distance), at(middle + distance), *weight);
            }
        }
    }
}

/// Values that are worked on at a time.
const PIECE: usize = 1024;

#[inline]
fn weigh(into: &mut [f32], values: &[f32], weight: f32) {
    for (into, value) in into.iter_mut().zip(values) {
        *into = value * weight;
    }
}

#[inline]
fn add(into: &mut [f32], one: &[f32], other: &[f32], weight: f32) {
    for ((into, one), other) in into.iter_mut().zip(one).zip(other) {
        *into += (one + other) * weight;
    }
}

/// Blurs across rows: the row of this number out of the ring, of which there are `count`; beyond them the outermost count.
fn across(ring: &Ring, number: usize, count: usize, kernel: &Kernel, into: &mut [f32]) {
    for from in (0..into.len()).step_by(PIECE) {
        let to = (from + PIECE).min(into.len());
        let into = &mut into[from..to];
        weigh(into, &ring.row(number)[from..to], kernel.0[0]);
        for (distance, weight) in kernel.0.iter().enumerate().skip(1) {
            let above = ring.row(number.saturating_sub(distance));
            let below = ring.row((number + distance).min(count - 1));
            add(into, &above[from..to], &below[from..to], *weight);
        }
    }
}

fn direct(bitmap: &mut Bitmap, sigma: f32, mix: Mix) {
    let kernel = Kernel::new(sigma);
    let layout = bitmap.layout;
    let length = bitmap.width as usize * layout.channels();
    let height = bitmap.height as usize;
    let mut padded = Padded::new(length, layout.channels(), kernel.radius());
    let mut ring = Ring::new(2 * kernel.radius() + 1, length);
    let mut blurred = vec![0.0; length];
    let mut read = 0;
    for y in 0..height {
        while read < height && read <= y + kernel.radius() {
            load(layout, &bitmap.data[read * length..][..length], padded.inner());
            padded.blur(&kernel, ring.row_mut(read));
            read += 1;
        }
        across(&ring, y, height, &kernel, &mut blurred);
        store(layout, &mut blurred, mix, &mut bitmap.data[y * length..][..length]);
    }
}

/// Which pixels of a side become a reduced pixel, and how much of each.
struct Taps {
    from: usize,
    weights: Vec<f32>,
}

/// The reduced pixels of a side, with those around; each is a triangle over twice the factor.
fn taps(full: usize, factor: usize) -> Vec<Taps> {
    let count = full.div_ceil(factor) + 2 * AROUND;
    (0..count).map(|number| Taps::new(number, full, factor)).collect()
}

impl Taps {
    /// Places are counted in half pixels from the first reduced pixel's middle less the factor, so that nothing is negative or broken.
    fn new(number: usize, full: usize, factor: usize) -> Self {
        let first = 2 * AROUND * factor + 1 + factor;
        let middle = 2 * number * factor + 2 * factor;
        let (mut from, mut weights) = (0, Vec::new());
        // Pixels stand at every second place.
        let start = middle - 2 * factor + 1;
        let start = start + (start + first) % 2;
        for place in (start..middle + 2 * factor).step_by(2) {
            let weight = (2 * factor - place.abs_diff(middle)) as f32 / (2 * factor * factor) as f32;
            let pixel = (place.saturating_sub(first) / 2).min(full - 1);
            if weights.is_empty() {
                from = pixel;
            }
            if pixel - from == weights.len() {
                weights.push(0.0);
            }
            if let Some(last) = weights.last_mut() {
                *last += weight;
            }
        }
        Self { from, weights }
    }
}

/// Between which two reduced pixels a pixel stands, the first of them, and how far on the way to the second.
fn between(pixel: usize, factor: usize) -> (usize, f32) {
    let place = 2 * AROUND * factor + 2 * pixel + 1 - factor;
    (place / (2 * factor), (place % (2 * factor)) as f32 / (2 * factor) as f32)
}

fn reduced(bitmap: &mut Bitmap, factor: usize, sigma: f32, mix: Mix) {
    let kernel = Kernel::new(rest(sigma, factor));
    let layout = bitmap.layout;
    let channels = layout.channels();
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let length = width * channels;
    let (columns, rows) = (taps(width, factor), taps(height, factor));
    let small = columns.len() * channels;
    let mut sums = vec![0.0; length];
    let mut padded = Padded::new(small, channels, kernel.radius());
    let mut ring = Ring::new(2 * kernel.radius() + 1, small);
    let mut blurred = Ring::new(2, small);
    let (mut read, mut done) = (0, 0);
    let mut line = vec![0.0; small];
    for y in 0..height {
        let (above, way) = between(y, factor);
        while done <= above + 1 {
            while read < rows.len() && read <= done + kernel.radius() {
                sums.fill(0.0);
                for (number, weight) in (rows[read].from..).zip(&rows[read].weights) {
                    accumulate(layout, &bitmap.data[number * length..][..length], *weight, &mut sums);
                }
                shrink(&sums, channels, &columns, padded.inner());
                padded.blur(&kernel, ring.row_mut(read));
                read += 1;
            }
            across(&ring, done, rows.len(), &kernel, blurred.row_mut(done));
            done += 1;
        }
        for ((into, above), below) in line.iter_mut().zip(blurred.row(above)).zip(blurred.row(above + 1)) {
            *into = above + (below - above) * way;
        }
        enlarge(&line, channels, factor, &mut sums);
        store(layout, &mut sums, mix, &mut bitmap.data[y * length..][..length]);
    }
}

/// Adds up the pixels of each reduced pixel.
fn shrink(row: &[f32], channels: usize, columns: &[Taps], into: &mut [f32]) {
    for (column, into) in columns.iter().zip(into.chunks_exact_mut(channels)) {
        into.fill(0.0);
        for (pixel, weight) in row[column.from * channels..].chunks_exact(channels).zip(&column.weights) {
            for (into, value) in into.iter_mut().zip(pixel) {
                *into += value * weight;
            }
        }
    }
}

/// Straight lines between reduced pixels.
fn enlarge(line: &[f32], channels: usize, factor: usize, into: &mut [f32]) {
    for (pixel, into) in into.chunks_exact_mut(channels).enumerate() {
        let (left, way) = between(pixel, factor);
        let pair = &line[left * channels..][..2 * channels];
        for (channel, into) in into.iter_mut().enumerate() {
            *into = pair[channel] + (pair[channel + channels] - pair[channel]) * way;
        }
    }
}
