//! GIF: the screen, the first picture, and whether a second one follows. Data blocks have no index, so finding the
//! second picture means walking over the first; where the budget ends before it, a loop extension decides.

use super::{Facts, Format};
use crate::source::Source;

/// Blocks at the top level that are looked at.
const MAX_BLOCKS: u32 = 1000;

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let [w0, w1, h0, h1, flags, _, _] = src.array(6)?;
    let mut facts =
        Facts::new(Format::Gif, (u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into()), None);
    let mut at = 13;
    let global = colours(src, flags, &mut at)?;
    let mut walk = Walk { looped: false, at };
    for _ in 0..MAX_BLOCKS {
        match walk.next(src) {
            Some(Block::Extension) => {}
            Some(Block::Picture { right, bottom, flags, at }) if facts.mode.is_none() => {
                let mut data = at;
                let coloured = if flags & 0x80 == 0 { global } else { colours(src, flags, &mut data)? };
                facts.mode = Some(if coloured { "P" } else { "L" });
                facts.size = (facts.size.0.max(right), facts.size.1.max(bottom));
                // The first data byte is the code size of the compression.
                if walk.skip_data(src, data + 1).is_none() {
                    facts.sequence = walk.looped;
                    return Some(facts);
                }
            }
            Some(Block::Picture { .. }) => {
                facts.sequence = true;
                return Some(facts);
            }
            None => break,
        }
    }
    facts.mode.map(|_| facts)
}

enum Block {
    Extension,
    Picture { right: u32, bottom: u32, flags: u8, at: u64 },
}

struct Walk {
    at: u64,
    looped: bool,
}

impl Walk {
    fn next(&mut self, src: &mut Source) -> Option<Block> {
        match src.u8(self.at)? {
            0x21 => {
                if src
                    .bytes(self.at + 1, 13)
                    .is_some_and(|raw| raw == b"\xFF\x0BNETSCAPE2.0" || raw == b"\xFF\x0BANIMEXTS1.0")
                {
                    self.looped = true;
                }
                self.skip_data(src, self.at + 2)?;
                Some(Block::Extension)
            }
            0x2C => {
                let [x0, x1, y0, y1, w0, w1, h0, h1, flags] = src.array(self.at + 1)?;
                let edge = |a: [u8; 2], b: [u8; 2]| u32::from(u16::from_le_bytes(a)) + u32::from(u16::from_le_bytes(b));
                let (right, bottom) = (edge([x0, x1], [w0, w1]), edge([y0, y1], [h0, h1]));
                Some(Block::Picture { right, bottom, flags, at: self.at + 10 })
            }
            _ => None,
        }
    }

    /// Goes behind the data blocks that begin at `at`.
    fn skip_data(&mut self, src: &mut Source, mut at: u64) -> Option<()> {
        loop {
            let len = src.u8(at)?;
            at += 1 + u64::from(len);
            if len == 0 {
                self.at = at;
                return Some(());
            }
        }
    }
}

/// Goes behind the colour table that `flags` announces; whether it is more than a ramp of greys, as Pillow asks to
/// tell `P` from `L`.
fn colours(src: &mut Source, flags: u8, at: &mut u64) -> Option<bool> {
    if flags & 0x80 == 0 {
        return Some(false);
    }
    let table = src.bytes(*at, 3 << ((flags & 7) + 1))?;
    *at += table.len() as u64;
    Some(table.chunks_exact(3).zip(0_u8..=255).any(|(colour, grey)| colour != [grey; 3]))
}
