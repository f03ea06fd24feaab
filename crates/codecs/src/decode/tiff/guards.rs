//! What the `tiff` crate trusts and should not: the sizes of tiles, of JPEG pictures inside strips, and the lengths of strips.

use super::super::{DecodeError, Limits};
use super::{Reader, number, refuse};
use tiff::tags::Tag;

/// The largest side of a tile.
const MAX_TILE: u32 = 65_536;
/// How the value of the tag `Compression` for JPEG is called.
const JPEG: u64 = 7;
const PHOTOMETRIC: u64 = 262;

/// Bytes for each sample of a JPEG picture inside a strip: a coefficient and the result.
const JPEG_COST: u64 = 3;

/// What decoding takes.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// The size of the picture.
    pub(super) full: (u32, u32),
    /// Samples of a pixel, and the bytes that they take when they are read.
    pub(super) samples: u64,
    pub(super) read: u64,
    /// All bytes that a pixel takes.
    pub(super) whole: u64,
}

/// Whether strips and tiles may be decoded.
pub(super) fn check(reader: &mut Reader<'_>, bytes: &[u8], cost: Cost, limits: &Limits) -> Result<(), DecodeError> {
    let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
    let is_tiled = reader.find_tag(Tag::TileWidth).map_err(|error| refuse(&error))?.is_some();
    let (width, height) = reader.chunk_dimensions();
    if width == 0 || height == 0 || (is_tiled && width.max(height) > MAX_TILE) {
        return Err(damaged("it has tiles of no sensible size"));
    }
    // A strip may announce more rows than there are.
    let height = if is_tiled { height } else { height.min(cost.full.1) };
    let pieces = (u64::from(cost.full.0.div_ceil(width)), u64::from(cost.full.1.div_ceil(height)));
    limits.admit_pieces((width, height), pieces, cost.whole)?;
    let (offsets, counts) =
        if is_tiled { (Tag::TileOffsets, Tag::TileByteCounts) } else { (Tag::StripOffsets, Tag::StripByteCounts) };
    let mut list = |tag| reader.find_tag_unsigned_vec::<u64>(tag).map_err(|error| refuse(&error));
    let (offsets, counts) = (list(offsets)?.unwrap_or_default(), list(counts)?.unwrap_or_default());
    // Strips that share their bytes would let a small file take for ever.
    let total = counts.iter().fold(0_u64, |total, count| total.saturating_add(*count));
    if total > 2 * bytes.len() as u64 {
        return Err(damaged("its parts overlap"));
    }
    if number(reader, Tag::Compression)? != Some(JPEG) {
        return Ok(());
    }
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let memory = area(cost.full) * cost.read + area((width, height)) * cost.samples * JPEG_COST;
    if memory > limits.max_memory {
        return Err(DecodeError::TooLarge("a JPEG in it takes too much memory".to_owned()));
    }
    let tables =
        reader.find_tag(Tag::JPEGTables).map_err(|error| refuse(&error))?.and_then(|value| value.into_u8_vec().ok());
    let fits = |bytes: &[u8]| jpeg_fits(bytes, width, height, cost.samples).is_some();
    let whole = usize::try_from(total).unwrap_or(usize::MAX);
    let parts = offsets.iter().zip(&counts).map(|(offset, count)| {
        let from = usize::try_from(*offset).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        &rest[..usize::try_from(*count).unwrap_or(whole).min(rest.len())]
    });
    if parts.chain(tables.as_deref()).all(fits) { Ok(()) } else { Err(damaged("a part of it is larger than it says")) }
}

/// Nothing if a JPEG announces more pixels or samples than its place has, or does not hold together up to its first scan or its end.
fn jpeg_fits(bytes: &[u8], width: u32, height: u32, samples: u64) -> Option<()> {
    let mut rest = bytes.strip_prefix(b"\xFF\xD8")?;
    loop {
        let [0xFF, marker, tail @ ..] = rest else { return None };
        rest = tail;
        match marker {
            // Fill bytes, then markers that stand alone.
            0xFF => rest = &bytes[bytes.len() - tail.len() - 1..],
            0x01 | 0xD0..=0xD8 => {}
            0xD9 | 0xDA => return Some(()),
            _ => {
                let len = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
                let body = rest.get(2..len)?;
                let is_frame = matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
                if is_frame {
                    let side = |at: usize| Some(u32::from(u16::from_be_bytes(*body.get(at..)?.first_chunk()?)));
                    if side(1)? > height || side(3)? > width || u64::from(*body.get(5)?) > samples {
                        return None;
                    }
                }
                rest = &rest[len..];
            }
        }
    }
}

/// Where the value of the tag `PhotometricInterpretation` stands in the first directory.
pub(super) fn photometric(bytes: &[u8]) -> Option<usize> {
    let big_endian = bytes.starts_with(b"MM");
    let number = |at: usize, len: usize| {
        let field = bytes.get(at..at.checked_add(len)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if big_endian { field.iter().fold(0, fold) } else { field.iter().rev().fold(0, fold) })
    };
    // In a large TIFF everything is wider.
    let is_large = number(2, 2)? == 43;
    let (first, count, entry, value) = if is_large { ((8, 8), 8, 20, 12) } else { ((4, 4), 2, 12, 8) };
    let directory = usize::try_from(number(first.0, first.1)?).ok()?;
    let entries = usize::try_from(number(directory, count)?).ok()?.min(65_535);
    let entry_at = |index: usize| directory + count + index * entry;
    let found = (0..entries).map(entry_at).find(|at| number(*at, 2) == Some(PHOTOMETRIC))?;
    Some(found + value)
}

#[cfg(test)]
mod tests {
    use super::jpeg_fits;

    #[test]
    fn a_picture_inside_a_strip_is_measured() {
        let jpeg = b"\xFF\xD8\xFF\xDB\0\x03\0\xFF\xFF\xC0\0\x0B\x08\0\x10\0\x20\x01\x01\x11\0\xFF\xDA";
        assert!(jpeg_fits(jpeg, 32, 16, 1).is_some());
        assert!(jpeg_fits(jpeg, 31, 16, 1).is_none());
        assert!(jpeg_fits(jpeg, 32, 15, 1).is_none());
        assert!(jpeg_fits(jpeg, 32, 16, 0).is_none());
        assert!(jpeg_fits(&jpeg[..15], 32, 16, 1).is_none());
        // Tables alone.
        assert!(jpeg_fits(b"\xFF\xD8\xFF\xD9", 1, 1, 1).is_some());
    }
}
