//! PCX: one header of 128 bytes, and for 256 colours a palette at the end of the file.

use super::{Facts, Format};
use crate::source::Source;

/// Whether the header's fields all have values that exist; the format has only one byte of signature.
pub(super) fn plausible(head: &[u8]) -> bool {
    let Some([0x0A, version, encoding, bits, rest @ ..]) = head.get(..128) else { return false };
    matches!(version, 0 | 2..=5)
        && *encoding <= 1
        && matches!((bits, rest[61]), (1, 1..=4) | (2 | 4 | 8, 1) | (8, 3 | 4))
        && rest[60] == 0
}

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let header: [u8; 68] = src.array(0)?;
    let number = |at: usize| u32::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let size = ((number(8) + 1).checked_sub(number(4))?, (number(10) + 1).checked_sub(number(6))?);
    let mode = match (header[1], header[3], header[65]) {
        (_, 1, 2 | 4) => "P",
        (5, 8, 1) if palette_is_coloured(src) => "P",
        (_, 1, 1) | (5, 8, 1) => "L",
        (5, 8, 3) => "RGB",
        _ => return None,
    };
    let mut facts = Facts::new(Format::Pcx, size, Some(mode));
    facts.dpi = Some([f64::from(number(12)), f64::from(number(14))]);
    Some(facts)
}

fn palette_is_coloured(src: &mut Source) -> bool {
    let Some(at) = src.len().checked_sub(769) else { return false };
    let Some([12, palette @ ..]) = src.bytes(at, 769) else { return false };
    palette.chunks_exact(3).zip(0_u8..=255).any(|(colour, grey)| colour != [grey; 3])
}
