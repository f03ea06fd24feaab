//! The samples of a TIFF as bytes, eight bits each, whatever they were.

use super::super::{DecodeError, pixels};
use tiff::decoder::DecodingResult;

/// How samples are arranged.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Samples of a pixel.
    pub(super) channels: usize,
    /// More than one where each channel is stored apart.
    pub(super) planes: usize,
    /// Bits of a sample.
    pub(super) bits: u8,
}

/// Samples of eight bits, arranged as before.
pub(super) struct Samples {
    data: Vec<u8>,
    shape: Shape,
}

impl Samples {
    /// Indices are not brightness: of few bits, they stay as they are.
    pub(super) fn new(result: DecodingResult, shape: Shape, is_palette: bool) -> Result<Self, DecodeError> {
        let data = match result {
            DecodingResult::U8(data) if shape.bits == 8 => data,
            DecodingResult::U8(data) if matches!(shape.bits, 1 | 2 | 4) => unpack(&data, shape, is_palette),
            DecodingResult::U16(data) => data.into_iter().map(pixels::narrow).collect(),
            DecodingResult::U32(data) => data.into_iter().map(|sample| sample.to_be_bytes()[0]).collect(),
            _ => return Err(DecodeError::Unsupported(format!("samples of {} bits or with a sign", shape.bits))),
        };
        Ok(Self { data, shape })
    }

    /// The first channels of every pixel, pixel by pixel.
    pub(super) fn first(mut self, wanted: usize) -> Result<Vec<u8>, DecodeError> {
        let Shape { width, height, channels, planes, .. } = self.shape;
        let area = width * height;
        if self.data.len() < area * channels || channels < wanted {
            return Err(DecodeError::Damaged("it has too few channels".to_owned()));
        }
        self.data.truncate(area * channels);
        if planes == 1 && channels == wanted {
            return Ok(self.data);
        }
        let mut picked = Vec::with_capacity(area * wanted);
        if planes == 1 {
            self.data.chunks_exact(channels).for_each(|pixel| picked.extend_from_slice(&pixel[..wanted]));
        } else {
            (0..area).for_each(|pixel| picked.extend((0..wanted).map(|plane| self.data[plane * area + pixel])));
        }
        Ok(picked)
    }
}

/// Samples of 1, 2 or 4 bits to bytes; rows begin at whole bytes.
fn unpack(data: &[u8], shape: Shape, is_palette: bool) -> Vec<u8> {
    let bits = usize::from(shape.bits);
    let each = if shape.planes > 1 { 1 } else { shape.channels };
    let row_samples = shape.width * each;
    let mask = u8::MAX >> (8 - bits);
    let scale = if is_palette { 1 } else { u8::MAX / mask };
    let rows = data.chunks((row_samples * bits).div_ceil(8)).take(shape.height * shape.planes);
    rows.flat_map(|row| {
        let samples = row.iter().flat_map(|&byte| (0..8 / bits).rev().map(move |at| byte >> (at * bits) & mask));
        samples.take(row_samples).map(|sample| sample * scale)
    })
    .collect()
}

/// Indices to colours.
pub(super) fn look_up(samples: &Samples, palette: &[[u8; 3]]) -> Result<Vec<u8>, DecodeError> {
    let Shape { width, height, channels, planes, .. } = samples.shape;
    let step = if planes > 1 { 1 } else { channels };
    let colors: Option<Vec<[u8; 3]>> = samples
        .data
        .iter()
        .step_by(step)
        .take(width * height)
        .map(|&index| palette.get(usize::from(index)).copied())
        .collect();
    Ok(colors.ok_or_else(|| DecodeError::Damaged("its palette lacks colours".to_owned()))?.into_flattened())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "such a cast stays within the bounds of its type, which is what colours that are too bright or too dark need"
)]
fn byte(level: f32) -> u8 {
    (level + 0.5) as u8
}

/// Brightness and two colour differences, as JPEG means them, to red, green and blue.
pub(super) fn ycc_to_rgb(mut data: Vec<u8>) -> Vec<u8> {
    for pixel in data.as_chunks_mut::<3>().0 {
        let [y, cb, cr] = pixel.map(f32::from);
        let (cb, cr) = (cb - 128.0, cr - 128.0);
        *pixel = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(byte);
    }
    data
}
