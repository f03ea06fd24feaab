//! Pictures that come in several passes: coefficients are collected until the last of them.

use super::bits::Bits;
use super::huffman::{Broken, Huffman, Next, Numbers, extend};
use super::idct::{self, Out, PLACES};
use super::plane::{Grid, Plane};
use super::scan::{Mcus, Scan, walk};
use super::tables::Tables;
use crate::decode::DecodeError;
use fearless_simd::Simd;

/// The coefficients of a component, in the order of the file.
pub(super) struct Coefficients {
    numbers: Vec<i16>,
    /// How many are kept of a block: all, or only the first where the others do not matter.
    kept: usize,
    /// Blocks from one row to the next.
    across: usize,
    /// The divisors as they stood when the component was first met.
    divisors: Option<[u16; 64]>,
}

impl Coefficients {
    /// All zero.
    pub(super) fn new(plane: &Plane) -> Self {
        let across = plane.stride / plane.block.0;
        let kept = Self::kept(plane);
        Self { numbers: vec![0; across * plane.rows * kept], kept, across, divisors: None }
    }

    /// How many coefficients of a block are kept.
    fn kept(plane: &Plane) -> usize {
        if plane.last() == 0 { 1 } else { 64 }
    }

    /// The bytes that they take.
    pub(super) fn memory(grid: &Grid, component: &super::header::Component) -> u64 {
        let kept = if grid.block(component) == (1, 1) { 1 } else { 64 };
        (grid.mcus.0 * component.across * grid.mcus.1 * component.down) as u64 * kept * 2
    }

    #[inline(always)]
    fn block(&mut self, column: usize, row: usize) -> Result<&mut [i16; 64], Broken> {
        let at = (row * self.across + column) * 64;
        self.numbers.get_mut(at..).and_then(|rest| rest.first_chunk_mut()).ok_or(Broken)
    }

    #[inline(always)]
    fn first(&mut self, column: usize, row: usize) -> Result<&mut i16, Broken> {
        self.numbers.get_mut((row * self.across + column) * self.kept).ok_or(Broken)
    }

    /// Makes samples of what was collected.
    #[inline(always)]
    pub(super) fn show<S: Simd>(&self, simd: S, plane: &mut Plane) {
        let Some(divisors) = &self.divisors else { return };
        let factors = idct::factors(divisors, plane.block.0, plane.block.1);
        let last = plane.last();
        for (n, numbers) in self.numbers.chunks_exact(self.kept).enumerate() {
            let at = plane.place(n % self.across, n / self.across);
            let out = Out { samples: &mut plane.samples[at..], stride: plane.stride };
            let (mut block, mut highest) = ([0.0; 64], 0);
            for (group, eight) in numbers[..=last.min(self.kept - 1)].chunks(8).enumerate() {
                // Most are empty.
                if eight.iter().fold(0, |any, number| any | number) == 0 {
                    continue;
                }
                for (n, number) in eight.iter().enumerate() {
                    if *number != 0 {
                        highest = 8 * group + n;
                        block[usize::from(PLACES[highest & 63] & 63)] = f32::from(*number) * factors[highest & 63];
                    }
                }
            }
            match plane.block {
                (1, 1) => idct::square::<S, 1>(simd, &block, highest, out),
                (2, 2) => idct::square::<S, 2>(simd, &block, highest, out),
                (4, 4) => idct::square::<S, 4>(simd, &block, highest, out),
                (8, 8) => idct::square::<S, 8>(simd, &block, highest, out),
                (across, down) => idct::oblong((across, down), &block, out),
            }
        }
    }
}

/// Takes in a scan; how many MCUs of it there were, and the bytes that it took.
#[inline(always)]
pub(super) fn collect<S: Simd>(
    _: S,
    scan: &Scan,
    tables: &Tables,
    grid: &Grid,
    planes: &[Plane],
    coefficients: &mut [Coefficients],
    data: &[u8],
) -> Result<(usize, usize), DecodeError> {
    let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
    for part in &scan.parts {
        let divisors = &mut coefficients[part.index].divisors;
        *divisors = divisors.or(tables.quantization[planes[part.index].component.quantization]);
    }
    if scan.band.0 == 0 {
        if scan.band.1 != 0 {
            return Err(damaged("a scan has first and other coefficients"));
        }
        return first(scan, tables, grid, planes, coefficients, data).ok_or_else(|| damaged("a table is missing"));
    }
    let [part] = &scan.parts[..] else { return Err(damaged("a scan has others of several components")) };
    let coefficients = &mut coefficients[part.index];
    if coefficients.kept == 1 {
        return Ok((0, 0));
    }
    let codes = tables.ac[part.ac].as_ref().ok_or_else(|| damaged("a table is missing"))?;
    let (band, low, refine) = (scan.band, scan.bits.1, scan.bits.0 != 0);
    let mut others = Others { numbers: Numbers::new(codes), coefficients, band, low, refine, empty: 0 };
    let mut bits = Bits::new(data);
    let done = walk(&mut bits, planes[part.index].blocks, tables.restart_interval, &mut others);
    Ok((done, bits.at()))
}

/// First coefficients of one or more components.
#[inline(always)]
fn first(
    scan: &Scan,
    tables: &Tables,
    grid: &Grid,
    planes: &[Plane],
    coefficients: &mut [Coefficients],
    data: &[u8],
) -> Option<(usize, usize)> {
    let refine = scan.bits.0 != 0;
    let alone = scan.parts.len() == 1;
    let mut mcus = grid.mcus;
    let mut parts = Vec::with_capacity(4);
    for part in &scan.parts {
        let plane = &planes[part.index];
        if alone {
            mcus = plane.blocks;
        }
        let size = if alone { (1, 1) } else { (plane.component.across, plane.component.down) };
        let huffman = if refine { None } else { Some(Huffman::new(tables.dc[part.dc].as_ref()?)) };
        parts.push(FirstPart { index: part.index, across: size.0, down: size.1, huffman, before: 0 });
    }
    let mut bits = Bits::new(data);
    let done = walk(&mut bits, mcus, tables.restart_interval, &mut Firsts { parts, coefficients, low: scan.bits.1 });
    Some((done, bits.at()))
}

/// Reads the first coefficients of components.
struct Firsts<'a> {
    parts: Vec<FirstPart>,
    coefficients: &'a mut [Coefficients],
    low: u32,
}

/// One of the components.
struct FirstPart {
    index: usize,
    across: usize,
    down: usize,
    /// Nothing where the scan has one more bit of each.
    huffman: Option<Huffman>,
    before: i32,
}

impl Mcus for Firsts<'_> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken> {
        for part in &mut self.parts {
            let coefficients = self.coefficients.get_mut(part.index).ok_or(Broken)?;
            for block in 0..part.across * part.down {
                let (x, y) = (column * part.across + block % part.across, row * part.down + block / part.across);
                let number = coefficients.first(x, y)?;
                let Some(huffman) = &part.huffman else {
                    *number |= (bits.take(1) << self.low) as i16;
                    continue;
                };
                bits.fill();
                let size = u32::from(huffman.symbol(bits)?);
                if size > 15 {
                    return Err(Broken);
                }
                part.before = part.before.wrapping_add(extend(bits.take(size), size));
                *number = (part.before << self.low) as i16;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn restart(&mut self) {
        self.parts.iter_mut().for_each(|part| part.before = 0);
    }
}

/// Reads the other coefficients of a component.
struct Others<'a> {
    numbers: Numbers,
    coefficients: &'a mut Coefficients,
    band: (usize, usize),
    low: u32,
    refine: bool,
    /// Blocks that come and have nothing new but bits of what is not zero yet.
    empty: u32,
}

impl Mcus for Others<'_> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken> {
        if self.refine { self.refine(bits, column, row) } else { self.begin(bits, column, row) }
    }

    #[inline(always)]
    fn restart(&mut self) {
        self.empty = 0;
    }
}

impl Others<'_> {
    /// The first pass over a band.
    #[inline(always)]
    fn begin(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let block = self.coefficients.block(column, row)?;
        let mut at = self.band.0;
        while at <= self.band.1 {
            bits.fill();
            match self.numbers.next(bits)? {
                Next::Number(zeros, number) => {
                    at += zeros;
                    *block.get_mut(at).ok_or(Broken)? = (number << self.low) as i16;
                    at += 1;
                }
                Next::Zeros => at += 16,
                Next::End(run) => {
                    self.empty = (1 << run) - 1 + bits.take(run);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A later pass: one more bit for what is not zero yet, and what becomes so with it.
    #[inline(always)]
    fn refine(&mut self, bits: &mut Bits<'_>, column: usize, row: usize) -> Result<(), Broken> {
        let block = self.coefficients.block(column, row)?;
        let bit = 1_i16 << self.low;
        let mut at = self.band.0;
        if self.empty == 0 {
            while at <= self.band.1 {
                bits.fill();
                let symbol = self.numbers.symbol(bits)?;
                let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
                let new = match size {
                    0 if run < 15 => {
                        self.empty = (1 << run) + bits.take(run as u32);
                        break;
                    }
                    0 => 0,
                    1 if bits.take(1) == 1 => bit,
                    1 => -bit,
                    _ => return Err(Broken),
                };
                while at <= self.band.1 {
                    let number = &mut block[at & 63];
                    if *number == 0 {
                        if run == 0 {
                            break;
                        }
                        run -= 1;
                    } else {
                        correct(bits, number, bit);
                    }
                    at += 1;
                }
                if new != 0 {
                    *block.get_mut(at).filter(|_| at <= self.band.1).ok_or(Broken)? = new;
                }
                at += 1;
            }
        }
        if self.empty > 0 {
            let rest = block.get_mut(at..=self.band.1).unwrap_or_default();
            // Most are zero throughout, which vectors see at once.
            if rest.iter().fold(0, |any, number| any | number) != 0 {
                for number in rest {
                    if *number != 0 {
                        correct(bits, number, bit);
                    }
                }
            }
            self.empty -= 1;
        }
        Ok(())
    }
}

/// Makes a number that is not zero more exact.
#[inline(always)]
fn correct(bits: &mut Bits<'_>, number: &mut i16, bit: i16) {
    if bits.take(1) == 1 && *number & bit == 0 {
        *number = number.wrapping_add(if *number > 0 { bit } else { -bit });
    }
}
