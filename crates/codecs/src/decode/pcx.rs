//! PCX. It has one byte of signature, so the rest of its header has to make sense too.

use super::{Ask, DecodeError, Decoded, pixels};
use crate::Layout;
use std::io::Error;

/// Bytes that decoding takes for each pixel.
pub(super) const COST: u64 = 6;

/// Whether the header's fields all have values that exist.
pub(super) fn plausible(bytes: &[u8]) -> bool {
    let Some([0x0A, version, encoding, bits, rest @ ..]) = bytes.get(..128) else { return false };
    let (reserved, planes) = (rest[60], rest[61]);
    matches!(version, 0 | 2..=5)
        && *encoding <= 1
        && matches!((bits, planes), (1, 1..=4) | (2 | 4 | 8, 1) | (8, 3 | 4))
        && reserved == 0
}

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let mut reader = pcx::Reader::from_mem(bytes).map_err(|error| refuse(&error))?;
    let full = (u32::from(reader.width()), u32::from(reader.height()));
    ask.limits.admit(full, COST)?;
    let width = full.0 as usize;
    if !reader.is_paletted() {
        let mut data = pixels::zeroed(width * full.1 as usize * 3)?;
        for row in data.chunks_exact_mut(width * 3) {
            reader.next_row_rgb(row).map_err(|error| refuse(&error))?;
        }
        return Ok(Decoded::plain(pixels::bitmap(full, Layout::Rgb, data)?));
    }
    let mut palette = [0; 256 * 3];
    // Without a palette at the end, 256 colours are shades of grey.
    let has_palette = reader.get_palette(&mut palette).is_ok();
    let mut indices = pixels::zeroed(width * full.1 as usize)?;
    for row in indices.chunks_exact_mut(width) {
        reader.next_row_paletted(row).map_err(|error| refuse(&error))?;
    }
    if !has_palette {
        return Ok(Decoded::plain(pixels::bitmap(full, Layout::Gray, indices)?));
    }
    let palette = palette.as_chunks::<3>().0;
    let data = indices.iter().flat_map(|&index| palette[usize::from(index)]).collect();
    Ok(Decoded::plain(pixels::bitmap(full, Layout::Rgb, data)?))
}

fn refuse(error: &Error) -> DecodeError {
    DecodeError::Damaged(error.to_string())
}
