//! Huffman codes, made ready to be read with few look-ups.

use super::bits::Bits;
use super::tables::Codes;

/// The data is not what an encoder writes.
#[derive(Debug)]
pub(super) struct Broken;

/// Bits by which symbols are looked up; longer codes are rare.
const LOOK: u32 = 10;
/// Bits by which runs of symbols are looked up. More make a table that the processor's nearest cache does not hold.
const LEAP: u32 = 13;

/// One table.
pub(super) struct Huffman {
    /// By the next bits: the length of the code (low 8 bits) and its symbol; 0 for longer ones.
    look: Box<[u16; 1 << LOOK]>,
    /// The first code that is longer than 1 to 16 bits, its bits at the left end of 16; `0x1_0000` where none is.
    limits: [u32; 17],
    /// What to add to a code of each length to find its value.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl Huffman {
    /// Makes a table ready.
    pub(super) fn new(codes: &Codes) -> Self {
        let mut look = Box::new([0; 1 << LOOK]);
        let (mut limits, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut seen) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(&codes.counts) {
            offsets[length as usize] = seen as i32 - code as i32;
            for _ in 0..count {
                if length <= LOOK {
                    let entry = u16::from(codes.values[seen]) << 8 | length as u16;
                    let first = (code as usize) << (LOOK - length);
                    look[first..first + (1 << (LOOK - length))].fill(entry);
                }
                (code, seen) = (code + 1, seen + 1);
            }
            limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Self { look, limits, offsets, values: codes.values.clone() }
    }

    /// The next symbol. At least 16 bits must be there.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Broken> {
        let entry = self.look[(bits.window() >> (64 - LOOK)) as usize];
        if entry != 0 {
            bits.skip(u32::from(entry & 0xFF));
            return Ok((entry >> 8) as u8);
        }
        self.long(bits)
    }

    #[cold]
    #[inline(never)]
    fn long(&self, bits: &mut Bits<'_>) -> Result<u8, Broken> {
        let next = bits.peek(16);
        let length = (LOOK + 1..=16).find(|&length| next < self.limits[length as usize]).ok_or(Broken)?;
        let code = (next >> (16 - length)) as i32;
        bits.skip(length);
        self.values.get((code + self.offsets[length as usize]) as usize).copied().ok_or(Broken)
    }

    /// The length and the symbol of the code at the left end of `next`, whose other bits may not be there yet.
    fn at(&self, next: u16) -> Option<(u32, u8)> {
        let entry = self.look[usize::from(next >> (16 - LOOK))];
        if entry != 0 {
            return Some((u32::from(entry & 0xFF), (entry >> 8) as u8));
        }
        let length = (LOOK + 1..=16).find(|&length| u32::from(next) < self.limits[length as usize])?;
        let code = i32::from(next >> (16 - length));
        self.values.get((code + self.offsets[length as usize]) as usize).map(|&value| (length, value))
    }
}

/// A table for the other coefficients of a block.
pub(super) struct Numbers {
    huffman: Huffman,
    /// By the next bits: how many of them are a symbol and its number together (low 8 bits), how many zeros stand before
    /// the number (next 8) and the number; 0 where that is too long, or no number.
    look: Box<[i32; 1 << LOOK]>,
}

/// What comes next in a block.
pub(super) enum Next {
    /// A number after so many zeros.
    Number(usize, i32),
    /// Sixteen zeros.
    Zeros,
    /// Nothing but zeros; in progressive pictures also in blocks that follow, as many as the bits say of which this is the number.
    End(u32),
}

impl Numbers {
    /// Makes a table ready.
    pub(super) fn new(codes: &Codes) -> Self {
        let huffman = Huffman::new(codes);
        let mut look = Box::new([0; 1 << LOOK]);
        for (next, entry) in (0_u16..).zip(look.iter_mut()) {
            let Some((length, symbol)) = huffman.at(next << (16 - LOOK)) else { continue };
            let (run, size) = (i32::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 && length + size <= LOOK {
                let number = u32::from(next) >> (LOOK - length - size) & ((1 << size) - 1);
                *entry = extend(number, size) << 16 | run << 8 | (length + size) as i32;
            }
        }
        Self { huffman, look }
    }

    /// The next number. At least 31 bits must be there.
    #[inline(always)]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Result<Next, Broken> {
        let entry = self.look[(bits.window() >> (64 - LOOK)) as usize];
        if entry != 0 {
            bits.skip((entry & 0xFF) as u32);
            return Ok(Next::Number((entry >> 8 & 0xFF) as usize, entry >> 16));
        }
        let symbol = self.huffman.symbol(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            return Ok(if run == 15 { Next::Zeros } else { Next::End(run) });
        }
        let number = bits.take_sure(size);
        Ok(Next::Number(run as usize, extend(number, size)))
    }

    /// The next symbol. At least 16 bits must be there.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Broken> {
        self.huffman.symbol(bits)
    }

    /// Reads to the end of a block, from its coefficient `at` on, of which nothing is wanted.
    #[inline(always)]
    pub(super) fn finish(&self, leaps: &Leaps, bits: &mut Bits<'_>, mut at: usize) -> Result<(), Broken> {
        while at < 64 {
            bits.fill();
            let leap = leaps.look[(bits.window() >> (64 - LEAP)) as usize];
            let (used, end) = (u32::from(leap & 15), leap & END != 0);
            let next = at + usize::from(leap >> 8);
            if used != 0 && next < 64 {
                bits.skip(used);
                if end {
                    return Ok(());
                }
                at = next;
            } else if used != 0 && next == 64 && !end {
                bits.skip(used);
                return Ok(());
            } else {
                // A long code, or symbols of the next block among those of this one.
                match self.next(bits)? {
                    Next::Number(zeros, _) => at += zeros + 1,
                    Next::Zeros => at += 16,
                    Next::End(_) => return Ok(()),
                }
            }
        }
        if at == 64 { Ok(()) } else { Err(Broken) }
    }
}

/// Ways to leap over numbers that nobody wants, several at once.
pub(super) struct Leaps {
    /// By the next bits: how many of them make whole symbols with their numbers (low 4 bits; 0: not even one), whether these
    /// end the block (`END`), and how many coefficients they stand for (from bit 8 on).
    look: Box<[u16; 1 << LEAP]>,
}

/// The flag of a leap that ends at the end of the block.
const END: u16 = 1 << 7;

impl Leaps {
    /// Makes them ready.
    pub(super) fn new(numbers: &Numbers) -> Self {
        let mut look = Box::new([0; 1 << LEAP]);
        for (next, leap) in (0_u16..).zip(look.iter_mut()) {
            *leap = self::leap(&numbers.huffman, next << (16 - LEAP));
        }
        Self { look }
    }
}

/// How far the bits at the left end of `next` lead.
fn leap(huffman: &Huffman, next: u16) -> u16 {
    let (mut used, mut coefficients) = (0, 0_u16);
    while used < LEAP
        && let Some((length, symbol)) = huffman.at(next << used)
    {
        let (run, size) = (u16::from(symbol >> 4), u32::from(symbol & 15));
        let more = match (run, size) {
            (15, 0) => 16,
            (_, 0) => 0,
            _ => run + 1,
        };
        if used + length + size > LEAP || coefficients + more > 64 {
            break;
        }
        used += length + size;
        coefficients += more;
        if more == 0 {
            return coefficients << 8 | END | used as u16;
        }
    }
    coefficients << 8 | used as u16
}

/// The number that `size` bits stand for: the upper half of them for itself, the lower for negative ones.
#[inline(always)]
pub(super) fn extend(number: u32, size: u32) -> i32 {
    let number = number as i32;
    let half = (1_i32 << size) >> 1;
    // Without a branch: which half it is is a coin toss.
    number + (((number - half) >> 31) & (1 - (1 << size)))
}
