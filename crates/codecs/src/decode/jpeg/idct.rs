//! From the coefficients of a block to its samples, at full size or shrunk. A smaller block is made of the lower frequencies
//! alone, by a transform of its own size: nothing is computed that is not needed, and nothing that is too fine for the size is
//! left to disturb it. Floating point, because that is what vector units of every age multiply fast.

use std::f32::consts::SQRT_2;
use std::f64::consts::PI;
use std::ops::{Add, Mul, Sub};

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4, f32x8, i16x8, i16x16, i32x4, i32x8, u8x16, u8x32};

/// Where each coefficient of a file belongs in a block: column times eight plus row.
#[rustfmt::skip]
pub(super) const PLACES: [u8; 64] = [
    0, 8, 1, 2, 9, 16, 24, 17, 10, 3, 4, 11, 18, 25, 32, 40, 33, 26, 19, 12, 5, 6, 13, 20, 27, 34, 41, 48, 56, 49, 42, 35, 28,
    21, 14, 7, 15, 22, 29, 36, 43, 50, 57, 58, 51, 44, 37, 30, 23, 31, 38, 45, 52, 59, 60, 53, 46, 39, 47, 54, 61, 62, 55, 63,
];

/// The last coefficient, as they are ordered in the file, that a block of this size needs.
pub(super) const fn last(side: usize) -> usize {
    match side {
        1 => 0,
        2 => 4,
        4 => 24,
        _ => 63,
    }
}

/// The last coefficient of those that all lie in the corner of four times four.
const CORNER: usize = 9;

/// What the coefficients are multiplied by: the divisors of the file, and what the transforms leave out. In the order of the file.
pub(super) fn factors(divisors: &[u16; 64], across: usize, down: usize) -> [f32; 64] {
    let mut factors = [0.0; 64];
    for ((factor, divisor), place) in factors.iter_mut().zip(divisors).zip(PLACES) {
        let (column, row) = (usize::from(place / 8), usize::from(place % 8));
        *factor = (f64::from(*divisor) * left_out(across, column) * left_out(down, row)) as f32;
    }
    factors
}

fn left_out(side: usize, frequency: usize) -> f64 {
    let scale = match (side, frequency) {
        (_, 0) | (2, 1) | (4, 2) => 1.0,
        (8, _) => f64::from(SQRT_2) * (frequency as f64 * PI / 16.0).cos(),
        _ => f64::from(SQRT_2),
    };
    scale / 8_f64.sqrt()
}

/// Where the samples of a block go: its place in rows that are `stride` apart.
pub(super) struct Out<'a> {
    pub(super) samples: &'a mut [u8],
    pub(super) stride: usize,
}

impl Out<'_> {
    #[inline(always)]
    fn row(&mut self, y: usize, row: &[u8]) {
        if let Some(out) = self.samples.get_mut(y * self.stride..y * self.stride + row.len()) {
            out.copy_from_slice(row);
        }
    }

    #[inline(always)]
    fn flat<const SIDE: usize>(&mut self, first: f32) {
        let row = [sample(first); SIDE];
        for y in 0..SIDE {
            self.row(y, &row);
        }
    }
}

/// Makes the samples of a block of `SIDE` times `SIDE`, all of whose coefficients behind `last` (as the file orders them) are zero.
#[inline(always)]
pub(super) fn square<S: Simd, const SIDE: usize>(simd: S, block: &[f32; 64], last: usize, mut out: Out<'_>) {
    match SIDE {
        1 => out.row(0, &[sample(block[0])]),
        _ if last == 0 => out.flat::<SIDE>(block[0]),
        2 => {
            let (a, b) = (block[0] + block[8], block[0] - block[8]);
            let (c, d) = (block[1] + block[9], block[1] - block[9]);
            out.row(0, &[sample(a + c), sample(b + d)]);
            out.row(1, &[sample(a - c), sample(b - d)]);
        }
        4 => four_by_four(simd, block, &mut out),
        _ if last <= CORNER => {
            let rows = corner(simd, block);
            eight_rows(rows, &mut out);
        }
        _ => {
            let rows = eight_by_eight(simd, block);
            eight_rows(rows, &mut out);
        }
    }
}

#[inline(always)]
fn four_by_four<S: Simd>(simd: S, block: &[f32; 64], out: &mut Out<'_>) {
    let [a, b, c, d] = four(turn4(four(corner_of(simd, block))));
    let top: i16x8<S> = whole4(a).saturating_narrow(whole4(b));
    let bottom: i16x8<S> = whole4(c).saturating_narrow(whole4(d));
    // Signed numbers are the ones that are packed with saturation.
    let bytes: u8x16<S> = (top - 128).saturating_narrow(bottom - 128).bitcast();
    let bytes = <[u8; 16]>::from(bytes ^ 0x80);
    for (y, row) in bytes.as_chunks::<4>().0.iter().enumerate() {
        out.row(y, row);
    }
}

// Arrays are put together by hand here and below: closures are compiled without the instructions that the rest may use.

#[inline(always)]
fn corner_of<S: Simd>(simd: S, block: &[f32; 64]) -> [f32x4<S>; 4] {
    [
        f32x4::from_slice(simd, &block[..4]),
        f32x4::from_slice(simd, &block[8..12]),
        f32x4::from_slice(simd, &block[16..20]),
        f32x4::from_slice(simd, &block[24..28]),
    ]
}

#[inline(always)]
fn whole4<S: Simd>(row: f32x4<S>) -> i32x4<S> {
    (row + 128.5).to_int()
}

#[inline(always)]
fn whole8<S: Simd>(row: f32x8<S>) -> i32x8<S> {
    (row + 128.5).to_int()
}

#[inline(always)]
fn turn4<S: Simd>([a, b, c, d]: [f32x4<S>; 4]) -> [f32x4<S>; 4] {
    let (a, b, c, d) = (a.zip_low(c), a.zip_high(c), b.zip_low(d), b.zip_high(d));
    [a.zip_low(c), a.zip_high(c), b.zip_low(d), b.zip_high(d)]
}

#[inline(always)]
fn eight_by_eight<S: Simd>(simd: S, block: &[f32; 64]) -> [f32x8<S>; 8] {
    let mut v = eight([
        f32x8::from_slice(simd, &block[..8]),
        f32x8::from_slice(simd, &block[8..16]),
        f32x8::from_slice(simd, &block[16..24]),
        f32x8::from_slice(simd, &block[24..32]),
        f32x8::from_slice(simd, &block[32..40]),
        f32x8::from_slice(simd, &block[40..48]),
        f32x8::from_slice(simd, &block[48..56]),
        f32x8::from_slice(simd, &block[56..]),
    ]);
    // Three rounds of shuffling like cards turn rows into columns.
    for _ in 0..3 {
        let [a, b, c, d, e, f, g, h] = v;
        v = [
            a.zip_low(e),
            a.zip_high(e),
            b.zip_low(f),
            b.zip_high(f),
            c.zip_low(g),
            c.zip_high(g),
            d.zip_low(h),
            d.zip_high(h),
        ];
    }
    eight(v)
}

/// The same where only the corner is not zero.
#[inline(always)]
fn corner<S: Simd>(simd: S, block: &[f32; 64]) -> [f32x8<S>; 8] {
    let [a, b, c, d, e, f, g, h] = few(corner_of(simd, block));
    let (left, right) = (turn4([a, b, c, d]), turn4([e, f, g, h]));
    few([left[0].combine(right[0]), left[1].combine(right[1]), left[2].combine(right[2]), left[3].combine(right[3])])
}

#[inline(always)]
fn eight_rows<S: Simd>([a, b, c, d, e, f, g, h]: [f32x8<S>; 8], out: &mut Out<'_>) {
    for (n, [a, b, c, d]) in [[a, b, c, d], [e, f, g, h]].into_iter().enumerate() {
        let top: i16x16<S> = whole8(a).saturating_narrow(whole8(b));
        let bottom: i16x16<S> = whole8(c).saturating_narrow(whole8(d));
        let bytes: u8x32<S> = (top - 128).saturating_narrow(bottom - 128).bitcast();
        let bytes = <[u8; 32]>::from(bytes ^ 0x80);
        for (y, row) in bytes.as_chunks::<8>().0.iter().enumerate() {
            out.row(4 * n + y, row);
        }
    }
}

/// Makes the samples of a block that is not square: both sides are 1, 2, 4 or 8.
#[inline(never)]
pub(super) fn oblong(sides: (usize, usize), block: &[f32; 64], out: Out<'_>) {
    match sides {
        // What cameras write that halve the colours in one direction only.
        (2, 1) => sides_of::<2, 1>(sides, block, out),
        (4, 2) => sides_of::<4, 2>(sides, block, out),
        (8, 4) => sides_of::<8, 4>(sides, block, out),
        (1, 2) => sides_of::<1, 2>(sides, block, out),
        (2, 4) => sides_of::<2, 4>(sides, block, out),
        (4, 8) => sides_of::<4, 8>(sides, block, out),
        _ => sides_of::<0, 0>(sides, block, out),
    }
}

/// The sides are constants where these are not 0, so that only what is needed is compiled.
#[inline(always)]
fn sides_of<const ACROSS: usize, const DOWN: usize>(sides: (usize, usize), block: &[f32; 64], mut out: Out<'_>) {
    let (across, down) = if ACROSS == 0 { sides } else { (ACROSS, DOWN) };
    let mut half = [[0.0; 8]; 8];
    for (half, column) in half.iter_mut().zip(block.as_chunks::<8>().0).take(across) {
        *half = one(*column, down);
    }
    for y in 0..down {
        let mut line = [0.0; 8];
        for (number, column) in line.iter_mut().zip(&half).take(across) {
            *number = column[y];
        }
        let mut row = [0; 8];
        for (out, number) in row.iter_mut().zip(one(line, across)).take(across) {
            *out = sample(number);
        }
        out.row(y, &row[..across]);
    }
}

#[inline(always)]
fn one(line: [f32; 8], side: usize) -> [f32; 8] {
    let [a, b, c, d, ..] = line;
    match side {
        1 => line,
        2 => [a + b, a - b, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        4 => {
            let [a, b, c, d] = four([a, b, c, d]);
            [a, b, c, d, 0.0, 0.0, 0.0, 0.0]
        }
        _ => eight(line),
    }
}

/// A number as a sample.
#[inline(always)]
fn sample(number: f32) -> u8 {
    (number + 128.5) as u8
}

/// What the transforms do with numbers, one or several at once.
trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<f32, Output = Self> {}

impl<T: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<f32, Output = Self>> Number for T {}

#[inline(always)]
fn four<T: Number>([a, b, c, d]: [T; 4]) -> [T; 4] {
    const C1: f32 = 0.923_879_5;
    const C3: f32 = 0.382_683_43;
    let (even, odd) = ((a + c, a - c), (b * C1 + d * C3, b * C3 - d * C1));
    [even.0 + odd.0, even.1 + odd.1, even.1 - odd.1, even.0 - odd.0]
}

/// By Arai, Agui and Nakajima: five multiplications.
#[inline(always)]
fn eight<T: Number>(v: [T; 8]) -> [T; 8] {
    let (a, b, c) = (v[0] + v[4], v[0] - v[4], v[2] + v[6]);
    let d = (v[2] - v[6]) * SQRT_2 - c;
    let (z10, z11, z12, z13) = (v[5] - v[3], v[1] + v[7], v[1] - v[7], v[5] + v[3]);
    let z5 = (z10 + z12) * 1.847_759_1;
    butterfly(
        [a + c, b + d, b - d, a - c],
        z11 + z13,
        (z11 - z13) * SQRT_2,
        z5 - z12 * 1.082_392_2,
        z5 - z10 * 2.613_126,
    )
}

/// The same where the upper four are zero.
#[inline(always)]
fn few<T: Number>(v: [T; 4]) -> [T; 8] {
    let d = v[2] * (SQRT_2 - 1.0);
    let z = v[1] - v[3];
    let z5 = z * 1.847_759_1;
    butterfly(
        [v[0] + v[2], v[0] + d, v[0] - d, v[0] - v[2]],
        v[1] + v[3],
        z * SQRT_2,
        z5 - v[1] * 1.082_392_2,
        z5 + v[3] * 2.613_126,
    )
}

#[inline(always)]
fn butterfly<T: Number>(even: [T; 4], o7: T, t11: T, t10: T, t12: T) -> [T; 8] {
    let o6 = t12 - o7;
    let o5 = t11 - o6;
    let o4 = t10 - o5;
    [even[0] + o7, even[1] + o6, even[2] + o5, even[3] + o4, even[3] - o4, even[2] - o5, even[1] - o6, even[0] - o7]
}
