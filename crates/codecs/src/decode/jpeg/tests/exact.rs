//! Shrunk pictures and single blocks beside slow arithmetic.

use super::super::idct::{self, Out, PLACES};
use super::{Kind, PLAIN, difference, shown, shrunk, written};
use crate::decode::{Ask, decode};
use fearless_simd::{Level, dispatch};
use jpeg_encoder::{ColorType, SamplingFactor};
use proptest::prelude::*;
use std::f64::consts::PI;

/// The mean of squares of pixels; at the edges of what is there.
fn averaged(data: &[u8], width: usize, channels: usize, by: usize) -> Vec<u8> {
    let height = data.len() / width / channels;
    let mut out = Vec::new();
    for y in (0..height).step_by(by) {
        for x in (0..width).step_by(by) {
            for channel in 0..channels {
                let (mut sum, mut count) = (0.0, 0.0);
                for (x, y) in (0..by * by).map(|n| (x + n % by, y + n / by)) {
                    if x < width && y < height {
                        sum += f64::from(data[(y * width + x) * channels + channel]);
                        count += 1.0;
                    }
                }
                out.push((sum / count).round() as u8);
            }
        }
    }
    out
}

#[test]
fn an_eighth_is_the_mean_of_every_block() {
    let kind = Kind { width: 160, height: 128, color: ColorType::Luma, sampling: SamplingFactor::F_1_1, ..PLAIN };
    let bytes = written(&kind);
    let expected = averaged(&shown(&bytes).data, 160, 1, 8);
    let (_, most) = difference(&shrunk(&bytes, 8).bitmap.data, &expected);
    assert!(most <= 1, "{most}");
}

#[test]
fn shrunk_pictures_look_like_whole_ones() {
    for sampling in [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
        SamplingFactor::F_4_1,
    ] {
        for progressive in [false, true] {
            let bytes = written(&Kind { sampling, progressive, ..PLAIN });
            let whole = shown(&bytes);
            for (by, mean) in [(2, 1.5), (4, 2.2), (8, 2.2)] {
                let expected = averaged(&whole.data, 167, 3, by as usize);
                let found = difference(&shrunk(&bytes, by).bitmap.data, &expected).0;
                assert!(found < mean, "{sampling:?} {progressive} 1/{by}: {found}");
            }
        }
    }
}

/// Numbers that are leapt over must be the same ones that are read elsewhere: a large picture of noise has codes of every length.
#[test]
fn leaps_lead_to_the_same_place() {
    let mut seed = 1_u32;
    let noise: Vec<u8> = (0..640 * 480)
        .map(|n| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Calm and wild stretches.
            if n / 9000 % 3 == 0 { 90 + (seed >> 30) as u8 } else { (seed >> 24) as u8 }
        })
        .collect();
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.encode(&noise, 640, 480, ColorType::Luma).unwrap();
    assert!(bytes.len() > 150_000, "not enough to be worth leaps");
    let expected = averaged(&shown(&bytes).data, 640, 1, 8);
    let small = shrunk(&bytes, 8).bitmap.data;
    // Whole pictures are cut at black and white, block by block; means are not.
    let (mean, _) = difference(&small, &expected);
    assert!(mean < 2.0, "{mean}");
    for by in [2, 4] {
        let again = averaged(&shrunk(&bytes, by).bitmap.data, 640 / by as usize, 1, 8 / by as usize);
        assert!(difference(&small, &again).0 < 2.0);
    }
}

#[test]
fn shrinks_only_as_far_as_is_asked_for() {
    let bytes = written(&PLAIN);
    for (at_least, size) in [
        ((167, 123), (167, 123)),
        ((84, 62), (84, 62)),
        ((85, 1), (167, 123)),
        ((1, 62), (84, 62)),
        ((42, 31), (42, 31)),
        ((21, 16), (21, 16)),
        ((22, 16), (42, 31)),
        ((1, 1), (21, 16)),
        ((9000, 9000), (167, 123)),
    ] {
        let decoded = decode(&bytes, &Ask { at_least: Some(at_least), ..Ask::default() }).unwrap();
        assert_eq!((decoded.bitmap.width, decoded.bitmap.height), size, "{at_least:?}");
        assert_eq!(decoded.full, (167, 123));
    }
}

/// The transform by its definition: frequencies up to the size, each sample on its own.
fn by_definition(coefficients: &[f32; 64], across: usize, down: usize) -> Vec<u8> {
    let part = |frequency: usize, at: usize, side: usize| {
        let scale = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
        scale * ((2 * at + 1) as f64 * frequency as f64 * PI / (2 * side) as f64).cos()
    };
    let mut out = Vec::new();
    for y in 0..down {
        for x in 0..across {
            let mut sum = 128.5;
            for (coefficient, place) in coefficients.iter().zip(PLACES) {
                let (u, v) = (usize::from(place / 8), usize::from(place % 8));
                if u < across && v < down {
                    sum += f64::from(*coefficient) * part(u, x, across) * part(v, y, down);
                }
            }
            out.push(sum.floor().clamp(0.0, 255.0) as u8);
        }
    }
    out
}

/// Every set of vector instructions that this machine has.
fn levels() -> Vec<Level> {
    let level = Level::new();
    #[cfg(target_arch = "x86_64")]
    let levels =
        [level.as_sse2().map(Level::Sse2), level.as_sse4_2().map(Level::Sse4_2), level.as_avx2().map(Level::Avx2)];
    #[cfg(not(target_arch = "x86_64"))]
    let levels = [None; 0];
    levels.into_iter().flatten().chain([level]).collect()
}

fn transformed(level: Level, coefficients: &[f32; 64], (across, down): (usize, usize), last: usize) -> Vec<u8> {
    let factors = idct::factors(&[1; 64], across, down);
    let mut block = [0.0; 64];
    for ((coefficient, factor), place) in coefficients.iter().zip(factors).zip(PLACES) {
        block[usize::from(place)] = coefficient * factor;
    }
    let mut samples = vec![0; across * down];
    let out = Out { samples: &mut samples, stride: across };
    match (across, down) {
        (1, 1) => dispatch!(level, simd => idct::square::<_, 1>(simd, &block, last, out)),
        (2, 2) => dispatch!(level, simd => idct::square::<_, 2>(simd, &block, last, out)),
        (4, 4) => dispatch!(level, simd => idct::square::<_, 4>(simd, &block, last, out)),
        (8, 8) => dispatch!(level, simd => idct::square::<_, 8>(simd, &block, last, out)),
        _ => idct::oblong((across, down), &block, out),
    }
    samples
}

proptest! {
    #[test]
    fn blocks_of_every_size_are_transformed(
        numbers in proptest::collection::vec(-300_i16..300, 64),
        last in 0_usize..64,
        across in 0_u32..4,
        down in 0_u32..4,
    ) {
        let (across, down) = (1 << across, 1 << down);
        let mut coefficients = [0.0; 64];
        for (coefficient, number) in coefficients.iter_mut().zip(&numbers).take(last + 1) {
            *coefficient = f32::from(*number);
        }
        let expected = by_definition(&coefficients, across, down);
        for level in levels() {
            let (_, most) = difference(&transformed(level, &coefficients, (across, down), last), &expected);
            prop_assert!(most <= 1, "{across}x{down} {level:?}: {most}");
        }
    }
}
