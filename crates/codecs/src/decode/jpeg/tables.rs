//! The tables that scans refer to. They are kept as they stand in the file: a file may define them any number of times, so
//! what is costly is only made of them when a scan begins.

use super::segments::{Segment, marker};
use crate::decode::DecodeError;

/// Codes of a Huffman table as the file says them.
#[derive(Clone)]
pub(super) struct Codes {
    /// How many codes have 1 to 16 bits.
    pub(super) counts: [u8; 16],
    /// What they stand for, shortest first; at most 256.
    pub(super) values: Vec<u8>,
}

/// The tables as they stand at some place in the file.
#[derive(Clone, Default)]
pub(super) struct Tables {
    /// Divisors in zigzag order.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    /// For the first coefficient of a block.
    pub(super) dc: [Option<Codes>; 4],
    /// For the others.
    pub(super) ac: [Option<Codes>; 4],
    /// MCUs between two restart markers, 0 where there are none.
    pub(super) restart_interval: usize,
}

impl Tables {
    /// Takes in a segment, if it has to do with tables.
    pub(super) fn take(&mut self, segment: &Segment<'_>) -> Result<(), DecodeError> {
        let taken = match segment.marker {
            marker::QUANTIZATION => self.quantization(segment.body),
            marker::HUFFMAN => self.huffman(segment.body),
            marker::RESTART_INTERVAL => self.restart_interval(segment.body),
            marker::ARITHMETIC => return Err(DecodeError::Unsupported("a JPEG with arithmetic coding".to_owned())),
            _ => Some(()),
        };
        taken.ok_or_else(|| DecodeError::Damaged("a table has numbers out of range".to_owned()))
    }

    fn quantization(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&first, rest)) = body.split_first() {
            let wide = match first >> 4 {
                0 => false,
                1 => true,
                _ => return None,
            };
            let mut table = [0; 64];
            let (numbers, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            for (n, divisor) in table.iter_mut().enumerate() {
                *divisor =
                    if wide { u16::from_be_bytes([numbers[2 * n], numbers[2 * n + 1]]) } else { numbers[n].into() };
            }
            *self.quantization.get_mut(usize::from(first & 15))? = Some(table);
            body = rest;
        }
        Some(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&first, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let (values, rest) = rest.split_at_checked(total)?;
            if total > 256 || !fits(counts) {
                return None;
            }
            let tables = match first >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            *tables.get_mut(usize::from(first & 15))? = Some(Codes { counts: *counts, values: values.to_vec() });
            body = rest;
        }
        Some(())
    }

    fn restart_interval(&mut self, body: &[u8]) -> Option<()> {
        self.restart_interval = usize::from(u16::from_be_bytes(*body.first_chunk()?));
        Some(())
    }
}

/// Whether there are bits enough for so many codes.
fn fits(counts: &[u8; 16]) -> bool {
    let mut code = 0_u32;
    counts.iter().zip(1..).all(|(&count, length)| {
        code = 2 * code + u32::from(count);
        code <= 1 << length
    })
}
