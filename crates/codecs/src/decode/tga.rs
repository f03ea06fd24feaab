//! TGA. It has no signature, so every field of its header has to make sense before a byte of it is decoded.

use super::{Ask, DecodeError, Decoded, via_image};
use image::codecs::tga::TgaDecoder;
use std::io::Cursor;

const HEADER: u64 = 18;

/// Whether the first bytes are a header, and the file is long enough for the picture that it describes.
pub(super) fn plausible(bytes: &[u8]) -> bool {
    let Some(h) = bytes.first_chunk::<18>() else { return false };
    let number = |at: usize| u64::from(u16::from_le_bytes([h[at], h[at + 1]]));
    let (colours, bits_of_colour) = (number(5), h[7]);
    let map = match (h[1], bits_of_colour) {
        (0, 0) if h[3..7] == [0; 4] => 0,
        (1, 15 | 16 | 24 | 32) if (1..=256).contains(&colours) => colours * u64::from(bits_of_colour.div_ceil(8)),
        _ => return false,
    };
    let (kind, depth, descriptor) = (h[2], h[16], h[17]);
    let exists = match kind {
        1 | 9 => h[1] == 1 && depth == 8,
        2 | 10 => matches!(depth, 15 | 16 | 24 | 32),
        3 | 11 => h[1] == 0 && matches!(depth, 8 | 16),
        _ => false,
    };
    // The low bits of the descriptor count the bits of alpha, the two highest are reserved.
    let alpha = matches!((descriptor & 0x0F, depth), (0, _) | (8, 16 | 32) | (1, 15 | 16));
    let pixels = number(12) * number(14);
    // Packed, 128 pixels take a count and one of them at least.
    let packed = kind >= 9;
    let bytes_each = u64::from(depth.div_ceil(8));
    let least = if packed { pixels.div_ceil(128) * (1 + bytes_each) } else { pixels * bytes_each };
    exists
        && alpha
        && descriptor & 0xC0 == 0
        && pixels > 0
        && HEADER + u64::from(h[0]) + map + least <= bytes.len() as u64
}

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let decoder = TgaDecoder::new(Cursor::new(bytes)).map_err(|error| via_image::refuse(&error))?;
    via_image::decode(decoder, ask)
}
