//! BMP: the file header, one of the bitmap headers, masks and palette.

use super::{Facts, Format};
use crate::source::Source;

/// Whether the bytes behind `BM` can be a bitmap: the size of the bitmap header is one that exists.
pub(super) fn plausible(head: &[u8]) -> bool {
    let Some([a, b, c, d]) = head.get(14..18) else { return false };
    matches!(u32::from_le_bytes([*a, *b, *c, *d]), 12 | 40 | 52 | 56 | 64 | 108 | 124)
}

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let header = src.le32(14)?;
    let mut facts = Facts::new(Format::Bmp, (0, 0), None);
    let (bits, compression, mut colours, padding) = if header == 12 {
        facts.size = (src.le16(18)?.into(), src.le16(20)?.into());
        (src.le16(24)?, 0, 0, 3)
    } else {
        // A negative height means that the rows begin at the top.
        facts.size = (src.le32(18)?, src.le32(22)?.cast_signed().unsigned_abs());
        facts.dpi = Some([src.le32(38)?, src.le32(42)?].map(|per_metre| f64::from(per_metre) * 0.0254));
        (src.le16(28)?, src.le32(30)?, src.le32(46)?, 4)
    };
    let (pixels, palette_at) = (src.le32(10)?, 14 + u64::from(header));
    if facts.size.0.cast_signed() <= 0 || u64::from(pixels) > src.len() {
        return None;
    }
    facts.mode = Some(match (bits, compression) {
        (1 | 4 | 8, 0) | (8, 1) | (4, 2) => {
            if colours == 0 {
                colours = 1 << bits;
            }
            if palette_is_grey(src, palette_at, colours, padding)? { "L" } else { "P" }
        }
        (16 | 24 | 32, 0) | (16 | 24, 3) => "RGB",
        (32, 3) => {
            // Headers of 52 bytes and less have no mask of alpha.
            let alpha = if header >= 56 { src.le32(66)? } else { 0 };
            if alpha == 0 { "RGB" } else { "RGBA" }
        }
        _ => return None,
    });
    Some(facts)
}

/// Whether the palette only counts up the greys, or is black and white.
fn palette_is_grey(src: &mut Source, at: u64, colours: u32, padding: usize) -> Option<bool> {
    let colours = usize::try_from(colours).ok().filter(|n| (1..=256).contains(n))?;
    let palette = src.bytes(at, colours * padding)?;
    let colours = palette.chunks_exact(padding).map(|colour| &colour[..3]);
    if palette.len() == 2 * padding {
        return Some(colours.eq([[0; 3], [255; 3]].iter()));
    }
    Some(colours.zip(0_u8..=255).all(|(colour, grey)| colour == [grey; 3]))
}
