//! WebP: the three kinds of first chunk, and EXIF and frames behind it.

use super::{Facts, Format};
use crate::exif;
use crate::source::Source;

const MAX_CHUNKS: u32 = 256;

const ANIMATED: u8 = 0x02;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let facts = |size, alpha| Facts::new(Format::Webp, size, Some(if alpha { "RGBA" } else { "RGB" }));
    match &src.array(12)? {
        b"VP8 " => lossy(src, 20).map(|size| facts(size, false)),
        b"VP8L" => lossless(src, 20).map(|(size, alpha)| facts(size, alpha)),
        b"VP8X" => {
            let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = src.array(20)?;
            let size = (u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1);
            extended(src, flags, facts(size, flags & ALPHA != 0))
        }
        _ => None,
    }
}

fn lossy(src: &mut Source, at: u64) -> Option<(u32, u32)> {
    let [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1] = src.array(at)? else { return None };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    // Bit 0 is set on frames that need an earlier one.
    (tag & 1 == 0).then(|| (side(w0, w1), side(h0, h1)))
}

fn lossless(src: &mut Source, at: u64) -> Option<((u32, u32), bool)> {
    let [0x2F, bits @ ..] = src.array::<5>(at)? else { return None };
    let bits = u32::from_le_bytes(bits);
    // Fourteen bits each of width and height less one, one bit of alpha, three of version.
    (bits >> 29 == 0).then_some((((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), bits >> 28 & 1 == 1))
}

/// Looks in the chunks behind VP8X for a picture, for a second frame and for EXIF.
fn extended(src: &mut Source, flags: u8, mut facts: Facts) -> Option<Facts> {
    let (mut pictures, mut metadata, mut at) = (0, None, 30_u64);
    for _ in 0..MAX_CHUNKS {
        let exif_due = flags & EXIF != 0 && metadata.is_none();
        let frames_due = flags & ANIMATED != 0 && pictures < 2;
        if pictures > 0 && !exif_due && !frames_due {
            break;
        }
        let Some(kind) = src.array::<4>(at) else { break };
        let Some(len) = src.le32(at + 4).map(u64::from) else { break };
        match &kind {
            b"VP8 " => pictures += u32::from(lossy(src, at + 8).is_some()),
            b"VP8L" => pictures += u32::from(lossless(src, at + 8).is_some()),
            b"ANMF" => pictures += 1,
            b"EXIF" if metadata.is_none() => metadata = Some(exif::read(src, at + 8, len).unwrap_or_default()),
            _ => {}
        }
        at += 8 + len + (len & 1);
    }
    facts.sequence = flags & ANIMATED != 0 && pictures > 1;
    facts.exif = metadata.unwrap_or_default();
    (pictures > 0).then_some(facts)
}
