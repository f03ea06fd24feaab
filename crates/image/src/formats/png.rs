//! PNG and APNG: chunks up to the first pixels. Metadata behind the pixels is not searched for: that would read
//! through the whole file, and browsers do not honour it either.

use super::{Facts, Format};
use crate::exif;
use crate::source::Source;

pub(super) const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1A\n";
const MAX_CHUNKS: u32 = 1000;

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    // Length, type and content of IHDR, and its checksum, as a decoder would check them.
    let header: [u8; 25] = src.array(8)?;
    if header[..8] != *b"\0\0\0\x0DIHDR" || crc(&header[4..21]).to_be_bytes() != header[21..] {
        return None;
    }
    let number = |from: usize| u32::from_be_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]]);
    let (depth, colour) = (header[16], header[17]);
    let mode = match (colour, depth) {
        (0, 1 | 2 | 4 | 8 | 16) => "L",
        (2, 8 | 16) => "RGB",
        (3, 1 | 2 | 4 | 8) => "P",
        (4, 8) => "LA",
        // Pillow widens grey with alpha of sixteen bits.
        (4, 16) | (6, 8 | 16) => "RGBA",
        _ => return None,
    };
    let mut facts = Facts::new(Format::Png, (number(8), number(12)), Some(mode));
    let mut at = 8 + 25;
    let mut palette = false;
    for _ in 0..MAX_CHUNKS {
        let [l3, l2, l1, l0, kind @ ..] = src.array::<8>(at)?;
        let len = u32::from_be_bytes([l3, l2, l1, l0]);
        let body = at + 8;
        match &kind {
            b"IDAT" => return (palette || mode != "P").then_some(facts),
            b"IEND" => return None,
            b"PLTE" => palette = true,
            b"acTL" if len >= 4 => facts.sequence = src.be32(body)? > 1,
            // Unit 1 is the metre; any other gives only a ratio.
            b"pHYs" if len >= 9 && src.u8(body + 8)? == 1 => {
                let per_metre = [src.be32(body)?, src.be32(body + 4)?];
                facts.dpi = Some(per_metre.map(|n| f64::from(n) * 0.0254));
            }
            b"eXIf" if len >= 8 => facts.exif = exif::read(src, body, len.into()).unwrap_or_default(),
            _ => {}
        }
        at = body + u64::from(len) + 4;
    }
    None
}

/// CRC-32 as in ISO 3309, bit by bit: it runs over seventeen bytes.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
