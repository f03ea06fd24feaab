//! From the samples of the components to pixels.

use super::header::Space;
use super::plane::{Grid, Plane};
use crate::Layout;
use fearless_simd::Simd;

/// Pixels that are converted at once.
const CHUNK: usize = 16;

/// The layout that the pixels of a picture get.
pub(super) fn layout(space: Space) -> Layout {
    match space {
        Space::Gray => Layout::Gray,
        Space::Rgb | Space::YCbCr => Layout::Rgb,
        Space::Cmyk(_) | Space::Ycck => Layout::Cmyk,
    }
}

/// Pixels of a picture of this size from its planes.
#[inline(always)]
pub(super) fn pixels<S: Simd>(
    _: S,
    planes: &[Plane],
    grid: &Grid,
    space: Space,
    (width, height): (usize, usize),
) -> Vec<u8> {
    let channels = layout(space).channels();
    let mut pixels = vec![0; width * height * channels];
    let mut rows: Vec<Row<'_>> = planes.iter().map(|plane| Row::new(plane, grid, width)).collect();
    for (y, out) in pixels.chunks_exact_mut(width * channels).enumerate() {
        match (space, &mut rows[..]) {
            (Space::Gray, [gray, ..]) => out.copy_from_slice(gray.at(y)),
            (Space::Rgb, [r, g, b, ..]) => interleave(out, [r.at(y), g.at(y), b.at(y)]),
            (Space::YCbCr, [bright, cb, cr, ..]) => ycc(out, [bright.at(y), cb.at(y), cr.at(y)]),
            (Space::Cmyk(inverted), [c, m, yellow, k, ..]) => {
                interleave(out, [c.at(y), m.at(y), yellow.at(y), k.at(y)]);
                if inverted {
                    for ink in out {
                        *ink = !*ink;
                    }
                }
            }
            (Space::Ycck, [bright, cb, cr, k, ..]) => ycck(out, [bright.at(y), cb.at(y), cr.at(y), k.at(y)]),
            // Components are counted when the header is read.
            _ => {}
        }
    }
    pixels
}

#[inline(always)]
fn interleave<const N: usize>(out: &mut [u8], lines: [&[u8]; N]) {
    for (x, pixel) in out.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        for (channel, line) in pixel.iter_mut().zip(lines) {
            *channel = line[x];
        }
    }
}

/// Channels of a few pixels, by ITU-R BT.601 in its full range.
#[inline(always)]
fn rgb(y: &[u8; CHUNK], cb: &[u8; CHUNK], cr: &[u8; CHUNK]) -> [[u8; CHUNK]; 3] {
    let mut out = [[0; CHUNK]; 3];
    // Factors times 2^13, so that the upper half of a product with 2^7 times a difference has four bits behind the point.
    for n in 0..CHUNK {
        let bright = (i16::from(y[n]) << 4) + 8;
        let (blue, red) = ((i16::from(cb[n]) - 128) << 7, (i16::from(cr[n]) - 128) << 7);
        out[0][n] = whole(bright + upper(red, 11_485));
        out[1][n] = whole(bright - upper(blue, 2_819) - upper(red, 5_850));
        out[2][n] = whole(bright + upper(blue, 14_516));
    }
    out
}

#[inline(always)]
fn upper(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

#[inline(always)]
fn whole(number: i16) -> u8 {
    (number >> 4).clamp(0, 255) as u8
}

#[inline(always)]
fn ycc(out: &mut [u8], [y, cb, cr]: [&[u8]; 3]) {
    let (chunks, rest) = out.as_chunks_mut::<{ 3 * CHUNK }>();
    let parts = y.as_chunks().0.iter().zip(cb.as_chunks().0).zip(cr.as_chunks().0);
    for (chunk, ((y, cb), cr)) in chunks.iter_mut().zip(parts) {
        let [r, g, b] = rgb(y, cb, cr);
        for n in 0..CHUNK {
            chunk[3 * n] = r[n];
            chunk[3 * n + 1] = g[n];
            chunk[3 * n + 2] = b[n];
        }
    }
    let done = y.len() - y.len() % CHUNK;
    let [r, g, b] = rgb(&tail(y, done), &tail(cb, done), &tail(cr, done));
    interleave(rest, [&r, &g, &b]);
}

fn ycck(out: &mut [u8], [y, cb, cr, k]: [&[u8]; 4]) {
    for (n, pixels) in out.chunks_mut(4 * CHUNK).enumerate() {
        let [r, g, b] = rgb(&tail(y, n * CHUNK), &tail(cb, n * CHUNK), &tail(cr, n * CHUNK));
        // Adobe's inks are inverted: what is converted as red is the cyan that is there.
        let black: [u8; CHUNK] = tail(k, n * CHUNK).map(|ink| !ink);
        interleave(pixels, [&r, &g, &b, &black]);
    }
}

/// A few samples from `at` on, zeros behind the end.
fn tail(line: &[u8], at: usize) -> [u8; CHUNK] {
    let mut out = [0; CHUNK];
    for (from, to) in line.iter().skip(at).zip(&mut out) {
        *to = *from;
    }
    out
}

/// How a plane is stretched to the size of the picture, in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stretch {
    Not,
    /// Between two samples three quarters of the nearer and a quarter of the other.
    Twice,
    /// Every sample as often as needed: `.0` samples for `.1` pixels.
    Repeat(usize, usize),
}

impl Stretch {
    fn new(samples: usize, pixels: usize) -> Self {
        match (samples, pixels) {
            _ if samples == pixels => Self::Not,
            _ if 2 * samples == pixels => Self::Twice,
            _ => Self::Repeat(samples, pixels),
        }
    }
}

/// The rows of a plane in the size of the picture.
struct Row<'a> {
    plane: &'a Plane,
    width: usize,
    across: Stretch,
    down: Stretch,
    tall: Vec<u16>,
    wide: Vec<u8>,
}

impl<'a> Row<'a> {
    fn new(plane: &'a Plane, grid: &Grid, width: usize) -> Self {
        let component = plane.component;
        let across = Stretch::new(component.across * plane.block.0, grid.most.0 * grid.side);
        let down = Stretch::new(component.down * plane.block.1, grid.most.1 * grid.side);
        let stretched = (across, down) != (Stretch::Not, Stretch::Not);
        let (tall, wide) = if stretched { (vec![0; plane.width], vec![0; width + 1]) } else { Default::default() };
        Self { plane, width, across, down, tall, wide }
    }

    fn line(&self, row: usize) -> &'a [u8] {
        let start = row.min(self.plane.height - 1) * self.plane.stride;
        &self.plane.samples[start..start + self.plane.stride]
    }

    #[inline(always)]
    fn at(&mut self, y: usize) -> &[u8] {
        let width = self.width;
        match (self.across, self.down) {
            (Stretch::Not, Stretch::Not) => return &self.line(y)[..width],
            (Stretch::Not | Stretch::Repeat(..), Stretch::Not | Stretch::Repeat(..)) => {
                let line = self.line(nearest(self.down, y));
                let last = self.plane.width - 1;
                for (x, out) in self.wide.iter_mut().enumerate() {
                    *out = line[nearest(self.across, x).min(last)];
                }
                return &self.wide[..width];
            }
            _ => {}
        }
        // Four times the samples, so that halves and quarters are whole.
        let near = self.line(if self.down == Stretch::Twice { y / 2 } else { nearest(self.down, y) });
        let far = match self.down {
            Stretch::Twice if y.is_multiple_of(2) => self.line((y / 2).saturating_sub(1)),
            Stretch::Twice => self.line(y / 2 + 1),
            _ => near,
        };
        for ((out, near), far) in self.tall.iter_mut().zip(near).zip(far) {
            *out = 3 * u16::from(*near) + u16::from(*far);
        }
        let tall = &self.tall[..];
        match self.across {
            Stretch::Twice => twice(tall, &mut self.wide),
            across => {
                for (x, out) in self.wide.iter_mut().enumerate() {
                    *out = ((tall[nearest(across, x).min(tall.len() - 1)] + 2) >> 2) as u8;
                }
            }
        }
        &self.wide[..width]
    }
}

fn nearest(stretch: Stretch, at: usize) -> usize {
    match stretch {
        Stretch::Repeat(samples, pixels) => at * samples / pixels,
        Stretch::Not | Stretch::Twice => at,
    }
}

/// Doubles a row of samples times four. `wide` has room for twice as many, or one less or one more.
#[inline(always)]
fn twice(tall: &[u16], wide: &mut [u8]) {
    let last = tall.len() - 1;
    let mut put = |at: usize, near: u16, far: u16, round: u16| {
        if let Some(out) = wide.get_mut(at) {
            *out = ((3 * near + far + round) >> 4) as u8;
        }
    };
    put(0, tall[0], tall[0], 8);
    put(2 * last + 1, tall[last], tall[last], 7);
    let Some(inner) = wide.get_mut(1..) else { return };
    // Roundings take turns, as libjpeg's do, so that they add up to nothing.
    for (pair, ab) in inner.as_chunks_mut::<2>().0.iter_mut().zip(tall.windows(2)) {
        pair[0] = ((3 * ab[0] + ab[1] + 7) >> 4) as u8;
        pair[1] = ((ab[0] + 3 * ab[1] + 8) >> 4) as u8;
    }
}
