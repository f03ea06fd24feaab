//! TIFF: the first directory, and whether a further page follows.

use super::{Facts, Format};
use crate::exif;
use crate::ifd::{Block, Directory};
use crate::source::Source;

const SUBFILE_TYPE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const TILE_OFFSETS: u16 = 324;
const EXTRA_SAMPLES: u16 = 338;
const DNG_VERSION: u16 = 50706;

const OWN_TAGS: [u16; 10] =
    [WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, TILE_OFFSETS, EXTRA_SAMPLES, DNG_VERSION];

/// Directories behind the first that are looked at for a page that is no thumbnail.
const MAX_FURTHER: u32 = 8;

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let block = Block::open(src, 0, src.len())?;
    let wanted: Vec<u16> = OWN_TAGS.iter().chain(&exif::TAGS).copied().collect();
    let first = block.directory(src, block.first, &wanted)?;
    let whole = |src: &mut Source, tag| first.get(tag).and_then(|entry| block.whole(src, entry, 0));
    let side = |number: Option<u64>| u32::try_from(number?).ok();
    let size = (side(whole(src, WIDTH))?, side(whole(src, HEIGHT))?);
    // Camera raw files put a thumbnail into the first directory; it is not the picture.
    if first.get(DNG_VERSION).is_some() || first.get(STRIP_OFFSETS).or(first.get(TILE_OFFSETS)).is_none() {
        return None;
    }
    // None, fax, LZW, both JPEGs, deflate twice, PackBits, LZMA, Zstandard, WebP.
    let compression = whole(src, COMPRESSION).unwrap_or(1);
    if !matches!(compression, 1..=8 | 32773 | 32946 | 34925 | 50000 | 50001) {
        return None;
    }
    let mode = mode(src, &block, &first, compression)?;
    let exif = exif::from_directory(src, &block, &first);
    let sequence = has_further_page(src, &block, first.next);
    Some(Facts { sequence, exif, ..Facts::new(Format::Tiff, size, Some(mode)) })
}

fn mode(src: &mut Source, block: &Block, first: &Directory, compression: u64) -> Option<&'static str> {
    let whole = |src: &mut Source, tag| first.get(tag).and_then(|entry| block.whole(src, entry, 0));
    // Where the count of samples is missing, the list of their bits tells it.
    let listed = first.get(BITS).map_or(1, |entry| entry.count().clamp(1, 64));
    let samples = whole(src, SAMPLES).unwrap_or(listed);
    let bits = whole(src, BITS).unwrap_or(1);
    if samples == 0 || samples > 64 || !(1..=64).contains(&bits) {
        return None;
    }
    // 1 and 2 are alpha, multiplied in or not; 0 is anything else.
    let extra = whole(src, EXTRA_SAMPLES);
    let enough = |base: u64| samples >= base;
    match whole(src, PHOTOMETRIC).unwrap_or(0) {
        0 | 1 => Some(match extra {
            Some(1) if enough(2) => "La",
            Some(2) if enough(2) => "LA",
            _ => "L",
        }),
        2 if enough(3) => Some(match extra {
            Some(0) => "RGB",
            Some(_) if enough(4) => "RGBA",
            None if samples == 4 => "RGBA",
            _ => "RGB",
        }),
        3 => Some(if extra == Some(2) && enough(2) { "PA" } else { "P" }),
        5 if enough(4) => Some("CMYK"),
        // Compressed YCbCr comes out of the decoder as RGB.
        6 if enough(3) => Some(if compression == 1 { "YCbCr" } else { "RGB" }),
        8 if enough(3) => Some("LAB"),
        _ => None,
    }
}

fn has_further_page(src: &mut Source, block: &Block, mut at: u64) -> bool {
    for _ in 0..MAX_FURTHER {
        if at == 0 {
            return false;
        }
        let Some(page) = block.directory(src, at, &[SUBFILE_TYPE, WIDTH]) else { return false };
        let kind = page.get(SUBFILE_TYPE).and_then(|entry| block.whole(src, entry, 0)).unwrap_or(0);
        // Bit 0: a smaller version of another page.
        if kind & 1 == 0 && page.get(WIDTH).is_some() {
            return true;
        }
        at = page.next;
    }
    false
}
