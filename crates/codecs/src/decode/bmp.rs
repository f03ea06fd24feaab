//! BMP.

use super::{Ask, DecodeError, Decoded, via_image};
use image::codecs::bmp::BmpDecoder;
use std::io::Cursor;

/// Whether the bytes behind `BM` can be a bitmap: the size of the bitmap header is one that exists.
pub(super) fn plausible(bytes: &[u8]) -> bool {
    let size = bytes.get(14..).and_then(|rest| rest.first_chunk()).map(|size| u32::from_le_bytes(*size));
    matches!(size, Some(12 | 40 | 52 | 56 | 64 | 108 | 124))
}

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|error| via_image::refuse(&error))?;
    via_image::decode(decoder, ask)
}
