//! TGA: a header of eighteen bytes without any signature, so every field of it has to make sense.

use super::{Facts, Format};
use crate::source::Source;

struct Header {
    colour_map: bool,
    kind: u8,
    depth: u8,
    size: (u32, u32),
}

/// Whether the file's first bytes are a header, and an uncompressed picture would fit into `len` bytes.
pub(super) fn plausible(head: &[u8], len: u64) -> bool {
    header(head, len).is_some()
}

fn header(head: &[u8], len: u64) -> Option<Header> {
    let h: &[u8; 18] = head.first_chunk()?;
    let number = |at: usize| u32::from(u16::from_le_bytes([h[at], h[at + 1]]));
    let (map, kind, depth, descriptor) = (h[1], h[2], h[16], h[17]);
    let map_bytes = match (map, h[7]) {
        (0, 0) if h[3..7] == [0; 4] => 0,
        (1, 15 | 16 | 24 | 32) if number(5) > 0 && number(5) <= 256 => number(5) * u32::from(h[7]).div_ceil(8),
        _ => return None,
    };
    let fits = match (kind, map) {
        (1 | 9, 1) => depth == 8,
        (2 | 10, _) => matches!(depth, 15 | 16 | 24 | 32),
        (3 | 11, 0) => matches!(depth, 8 | 16),
        _ => false,
    };
    // The low bits of the descriptor count the bits of alpha, the two highest are reserved.
    let alpha_fits = matches!((descriptor & 0x0F, depth), (0, _) | (8, 32 | 16) | (1, 15 | 16));
    let size = (number(12), number(14));
    let pixels = u64::from(size.0) * u64::from(size.1);
    let front = 18 + u64::from(h[0]) + u64::from(map_bytes);
    // Run lengths save at most 127 of 128 pixels.
    let least = if kind < 8 { pixels * u64::from(depth).div_ceil(8) } else { pixels.div_ceil(128) * 2 };
    if !fits || !alpha_fits || descriptor & 0xC0 != 0 || pixels == 0 || front + least > len {
        return None;
    }
    Some(Header { colour_map: map == 1, kind, depth, size })
}

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let header = header(src.head(), src.len())?;
    let mode = match (header.kind, header.depth) {
        (1 | 9, _) if header.colour_map => "P",
        (3 | 11, 16) => "LA",
        (3 | 11, _) => "L",
        (_, 24) => "RGB",
        _ => "RGBA",
    };
    Some(Facts::new(Format::Tga, header.size, Some(mode)))
}
