//! Pictures of every kind that encoders write, decoded beside another decoder, and what happens to those that are broken.

mod broken;
mod exact;
mod extras;
mod kinds;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::decode;
use crate::Bitmap;
use crate::decode::{Ask, Decoded};

/// How a test picture is written.
#[derive(Clone, Copy)]
struct Kind {
    width: u16,
    height: u16,
    color: ColorType,
    sampling: SamplingFactor,
    progressive: bool,
    /// With tables of its own, which makes a scan for each component where it is not progressive.
    optimized: bool,
    restart: u16,
}

/// A colour picture with nothing special.
const PLAIN: Kind = Kind {
    width: 167,
    height: 123,
    color: ColorType::Rgb,
    sampling: SamplingFactor::F_2_2,
    progressive: false,
    optimized: false,
    restart: 0,
};

/// Waves of several lengths, and a hard edge: channel by channel.
fn pixels(kind: &Kind) -> Vec<u8> {
    let channels: usize = match kind.color {
        ColorType::Luma => 1,
        ColorType::Cmyk | ColorType::CmykAsYcck => 4,
        _ => 3,
    };
    let (width, height) = (usize::from(kind.width), usize::from(kind.height));
    let mut pixels = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                let (x, y, c) = (x as f32, y as f32, channel as f32);
                let wave = (x / (17.0 + 9.0 * c)).sin() * 55.0 + (y / (23.0 - 5.0 * c)).cos() * 45.0;
                let edge = if x > y + 20.0 { 18.0 } else { 0.0 };
                pixels.push((128.0 + wave + edge + (x * 0.9).sin() * 4.0) as u8);
            }
        }
    }
    pixels
}

fn written(kind: &Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_sampling_factor(kind.sampling);
    encoder.set_progressive(kind.progressive);
    encoder.set_optimized_huffman_tables(kind.optimized);
    encoder.set_restart_interval(kind.restart);
    encoder.encode(&pixels(kind), kind.width, kind.height, kind.color).unwrap();
    bytes
}

fn shown(bytes: &[u8]) -> Bitmap {
    decode(bytes, &Ask::default()).unwrap().bitmap
}

fn shrunk(bytes: &[u8], by: u32) -> Decoded {
    let full = decode(bytes, &Ask::default()).unwrap().full;
    let at_least = Some((full.0.div_ceil(by), full.1.div_ceil(by)));
    decode(bytes, &Ask { at_least, ..Ask::default() }).unwrap()
}

/// The mean and the greatest difference.
fn difference(a: &[u8], b: &[u8]) -> (f64, u8) {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    (sum / a.len() as f64, a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0))
}
