//! One scan: a pass over the picture, or over some of its components.

use super::bits::Bits;
use super::huffman::{Broken, Huffman, Leaps, Next, Numbers, extend};
use super::idct::{self, Out, PLACES};
use super::plane::{Grid, Plane};
use super::tables::Tables;
use crate::decode::DecodeError;
use fearless_simd::Simd;

/// What a scan says about itself.
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// The first and the last coefficient that it is about.
    pub(super) band: (usize, usize),
    /// How far the coefficients are known already, and how far they will be, in bits that are still missing.
    pub(super) bits: (u32, u32),
}

/// A component of a scan.
pub(super) struct Part {
    /// Which of the picture's components.
    pub(super) index: usize,
    /// Which of the tables.
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl Scan {
    /// Reads the header of a scan.
    pub(super) fn read(body: &[u8], planes: &[Plane]) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let (components, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = rest.first_chunk()?;
        let mut parts: Vec<Part> = Vec::with_capacity(4);
        for &[id, tables] in components.as_chunks().0 {
            let index = planes.iter().position(|plane| plane.component.id == id)?;
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            if dc > 3 || ac > 3 || parts.iter().any(|part| part.index == index) {
                return None;
            }
            parts.push(Part { index, dc, ac });
        }
        let band = (usize::from(first), usize::from(last));
        let fits = (1..=4).contains(&parts.len()) && band.0 <= band.1 && band.1 < 64 && bits & 15 < 14;
        fits.then_some(Self { parts, band, bits: (u32::from(bits >> 4), u32::from(bits & 15)) })
    }
}

/// Bytes of a scan from which on it pays to make leaps ready.
const WORTH_LEAPS: usize = 100_000;

/// A component while its blocks are read from the only scan that they are in.
struct Reader {
    index: usize,
    dc: Huffman,
    ac: Numbers,
    /// Where not all coefficients are wanted.
    leaps: Option<Leaps>,
    factors: [f32; 64],
    /// Its samples in a block.
    block: (usize, usize),
    /// Its blocks in an MCU.
    across: usize,
    down: usize,
    /// The first coefficient of the block before.
    before: i32,
}

/// The planes while they are filled.
struct Filling<'a, S> {
    simd: S,
    readers: Vec<Reader>,
    planes: &'a mut [Plane],
}

/// Decodes a scan of whole blocks straight into the planes; how many MCUs of it there were, and the bytes that it took.
#[inline(always)]
pub(super) fn sequential<S: Simd>(
    simd: S,
    scan: &Scan,
    tables: &Tables,
    grid: &Grid,
    planes: &mut [Plane],
    data: &[u8],
) -> Result<(usize, usize), DecodeError> {
    let missing = || DecodeError::Damaged("a table is missing".to_owned());
    let mut readers = Vec::with_capacity(4);
    // A component alone has no MCUs, its blocks lie in rows.
    let alone = scan.parts.len() == 1;
    let mut mcus = grid.mcus;
    for part in &scan.parts {
        let plane = &planes[part.index];
        let divisors = tables.quantization[plane.component.quantization].as_ref().ok_or_else(missing)?;
        if alone {
            mcus = plane.blocks;
        }
        let ac = Numbers::new(tables.ac[part.ac].as_ref().ok_or_else(missing)?);
        readers.push(Reader {
            index: part.index,
            dc: Huffman::new(tables.dc[part.dc].as_ref().ok_or_else(missing)?),
            leaps: (plane.last() < 63 && data.len() > WORTH_LEAPS).then(|| Leaps::new(&ac)),
            ac,
            factors: idct::factors(divisors, plane.block.0, plane.block.1),
            block: plane.block,
            across: if alone { 1 } else { plane.component.across },
            down: if alone { 1 } else { plane.component.down },
            before: 0,
        });
    }
    let mut bits = Bits::new(data);
    let done = walk(&mut bits, mcus, tables.restart_interval, &mut Filling { simd, readers, planes });
    Ok((done, bits.at()))
}

/// Who takes the MCUs of a scan.
pub(super) trait Mcus {
    /// Reads the MCU in this column and row.
    fn mcu(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken>;
    /// Begins anew behind a restart marker.
    fn restart(&mut self);
}

/// Goes through a scan and past its restart markers. Where the data breaks, goes on behind the next restart marker; where it
/// ends, ends. Says how many MCUs were there.
#[inline(always)]
pub(super) fn walk(bits: &mut Bits<'_>, mcus: (usize, usize), interval: usize, taker: &mut impl Mcus) -> usize {
    let total = mcus.0 * mcus.1;
    let interval = if interval == 0 { total } else { interval };
    let (mut start, mut done) = (0, 0);
    while start < total {
        let end = total.min(start + interval);
        let (mut column, mut row) = (start % mcus.0, start / mcus.0);
        for _ in start..end {
            if taker.mcu(bits, column, row).is_err() || bits.overrun() {
                break;
            }
            done += 1;
            column += 1;
            if column == mcus.0 {
                (column, row) = (0, row + 1);
            }
        }
        start = end;
        if start < total && !bits.restart() {
            break;
        }
        taker.restart();
    }
    done
}

impl<S: Simd> Mcus for Filling<'_, S> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken> {
        for reader in &mut self.readers {
            let plane = self.planes.get_mut(reader.index).ok_or(Broken)?;
            for y in 0..reader.down {
                for x in 0..reader.across {
                    let at = plane.place(column * reader.across + x, row * reader.down + y);
                    let samples = plane.samples.get_mut(at..).ok_or(Broken)?;
                    reader.block(self.simd, bits, Out { samples, stride: plane.stride })?;
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn restart(&mut self) {
        self.readers.iter_mut().for_each(|reader| reader.before = 0);
    }
}

impl Reader {
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, bits: &mut Bits<'_>, out: Out<'_>) -> Result<(), Broken> {
        let mut block = [0.0; 64];
        match self.block {
            (1, 1) => {
                block[0] = self.first(bits)?;
                self.finish(bits, 1)?;
                idct::square::<S, 1>(simd, &block, 0, out);
            }
            (2, 2) => {
                let last = self.read::<{ idct::last(2) }>(bits, &mut block)?;
                idct::square::<S, 2>(simd, &block, last, out);
            }
            (4, 4) => {
                let last = self.read::<{ idct::last(4) }>(bits, &mut block)?;
                idct::square::<S, 4>(simd, &block, last, out);
            }
            (8, 8) => {
                let last = self.read::<{ idct::last(8) }>(bits, &mut block)?;
                idct::square::<S, 8>(simd, &block, last, out);
            }
            (across, down) => {
                self.read::<{ idct::last(8) }>(bits, &mut block)?;
                idct::oblong((across, down), &block, out);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn first(&mut self, bits: &mut Bits<'_>) -> Result<f32, Broken> {
        bits.fill();
        let size = u32::from(self.dc.symbol(bits)?);
        if size > 15 {
            return Err(Broken);
        }
        let number = bits.take_sure(size);
        self.before = self.before.wrapping_add(extend(number, size));
        Ok(self.before as f32 * self.factors[0])
    }

    /// Reads a block, keeps its coefficients up to `LAST` at least and says which is the last that is not zero.
    #[inline(always)]
    fn read<const LAST: usize>(&mut self, bits: &mut Bits<'_>, block: &mut [f32; 64]) -> Result<usize, Broken> {
        block[0] = self.first(bits)?;
        let (mut at, mut last) = (1, 0);
        while at <= LAST {
            bits.fill();
            match self.ac.next(bits)? {
                Next::Number(zeros, number) => {
                    last = at + zeros;
                    if last > 63 {
                        return Err(Broken);
                    }
                    block[usize::from(PLACES[last & 63] & 63)] = number as f32 * self.factors[last & 63];
                    at = last + 1;
                }
                Next::Zeros => at += 16,
                Next::End(_) => return Ok(last),
            }
        }
        self.finish(bits, at)?;
        Ok(last)
    }

    #[inline(always)]
    fn finish(&self, bits: &mut Bits<'_>, mut at: usize) -> Result<(), Broken> {
        if let Some(leaps) = &self.leaps {
            return self.ac.finish(leaps, bits, at);
        }
        while at < 64 {
            bits.fill();
            match self.ac.next(bits)? {
                Next::Number(zeros, _) => at += zeros + 1,
                Next::Zeros => at += 16,
                Next::End(_) => return Ok(()),
            }
        }
        if at == 64 { Ok(()) } else { Err(Broken) }
    }
}
