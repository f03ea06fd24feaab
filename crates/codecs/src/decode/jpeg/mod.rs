//! JPEG: the format that most renderings begin with, so the one where speed counts. Our own decoder, because none that is
//! written in safe Rust and alive shrinks while it decodes: a picture that is made smaller by 2, 4 or 8 needs a part of its
//! coefficients only, and the codes of all others are leapt over several at a time.

#![expect(
    clippy::inline_always,
    reason = "vector instructions reach only what is inlined into the function that was chosen at run time"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bits are cut out of wider numbers everywhere, and checked conversions would stand in the innermost loops"
)]
#![expect(clippy::many_single_char_names, reason = "transforms are written as in the literature")]

mod bits;
mod color;
mod header;
mod huffman;
mod idct;
mod plane;
mod progressive;
mod scan;
mod segments;
mod tables;
#[cfg(test)]
mod tests;

use super::{Ask, DecodeError, Decoded};
use crate::Bitmap;
use fearless_simd::{Level, dispatch};
use header::Header;
use plane::{Grid, Plane};
use progressive::Coefficients;
use scan::Scan;
use segments::{Segments, marker};

/// Scans of one picture; encoders make ten, hostile files make work.
const MAX_SCANS: usize = 64;
/// How often each MCU may be met in scans on average; encoders need a dozen, for three components.
const MAX_VISITS: usize = 48;
/// MCUs that may be met in any case.
const MIN_VISITS: usize = 1_000_000;

/// Decodes a JPEG of any colour space, shrunk as far as `ask` allows. Baseline and progressive with Huffman codes; 12 bits, lossless,
/// hierarchical and arithmetic coding are `Unsupported`. A picture whose data ends early or breaks is shown as far as it goes, the rest grey; it
/// is `Damaged` only when nothing of it is there.
pub(crate) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let header = Header::read(bytes)?;
    let full = (header.width as u32, header.height as u32);
    ask.limits.check(full.0, full.1)?;
    let shrink = shrink(full, ask.at_least);
    let grid = Grid::new(&header, shrink as usize);
    let (width, height) = (full.0.div_ceil(shrink), full.1.div_ceil(shrink));
    if memory(&header, &grid, width, height) > ask.limits.max_memory {
        return Err(DecodeError::TooLarge(format!("{}x{} in its format takes too much memory", full.0, full.1)));
    }
    let planes = planes(bytes, &header, &grid)?;
    let (space, size) = (header.space, (width as usize, height as usize));
    let data = dispatch!(Level::new(), simd => color::pixels(simd, &planes, &grid, space, size));
    let decoded = Decoded::plain(Bitmap { width, height, layout: color::layout(header.space), data });
    Ok(Decoded { full, ..decoded }.with_exif(header.exif).with_icc(header.icc))
}

/// The largest of 8, 4, 2 and 1 by which the picture can be divided and both sides still be as long as asked for.
fn shrink(full: (u32, u32), at_least: Option<(u32, u32)>) -> u32 {
    let Some((width, height)) = at_least else { return 1 };
    [8, 4, 2].into_iter().find(|&by| full.0.div_ceil(by) >= width && full.1.div_ceil(by) >= height).unwrap_or(1)
}

/// The bytes that decoding will take.
fn memory(header: &Header, grid: &Grid, width: u32, height: u32) -> u64 {
    let channels = color::layout(header.space).channels() as u64;
    let coefficients: u64 = header.components.iter().map(|component| Coefficients::memory(grid, component)).sum();
    let pixels = u64::from(width) * u64::from(height) * channels;
    // Coefficients are gone when the pixels are made.
    grid.memory(&header.components) + if header.progressive { coefficients.max(pixels) } else { pixels }
}

/// Decodes all scans.
fn planes(bytes: &[u8], header: &Header, grid: &Grid) -> Result<Vec<Plane>, DecodeError> {
    let mut planes: Vec<Plane> =
        header.components.iter().map(|component| Plane::new(*component, grid, header)).collect();
    let mut coefficients: Vec<Coefficients> =
        if header.progressive { planes.iter().map(Coefficients::new).collect() } else { Vec::new() };
    let mut tables = header.tables.clone();
    let mut segments = Segments::new(bytes, header.scans);
    let (mut scans, mut shown) = (0, 0);
    while let Some(segment) = segments.next() {
        match segment.marker {
            marker::END => break,
            marker::SCAN => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(DecodeError::Damaged(format!("more than {MAX_SCANS} scans")));
                }
                let data = segments.rest();
                let taken = match Scan::read(segment.body, &planes) {
                    None => Err(DecodeError::Damaged("a scan has numbers out of range".to_owned())),
                    Some(scan) if header.progressive => dispatch!(Level::new(), simd =>
                        progressive::collect(simd, &scan, &tables, grid, &planes, &mut coefficients, data)),
                    Some(scan) => dispatch!(Level::new(), simd =>
                        scan::sequential(simd, &scan, &tables, grid, &mut planes, data)),
                };
                match taken {
                    Ok((mcus, bytes)) => {
                        segments.skip(bytes);
                        shown += mcus;
                        if shown > MIN_VISITS.max(MAX_VISITS * grid.mcus.0 * grid.mcus.1) {
                            return Err(DecodeError::Damaged("too many scans for its size".to_owned()));
                        }
                    }
                    // What was decoded before is shown.
                    Err(_) if shown > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            _ if tables.take(&segment).is_err() => break,
            _ => {}
        }
    }
    if shown == 0 {
        return Err(DecodeError::Damaged("its pixels are not there".to_owned()));
    }
    for (coefficients, plane) in coefficients.into_iter().zip(&mut planes) {
        dispatch!(Level::new(), simd => coefficients.show(simd, plane));
    }
    Ok(planes)
}
