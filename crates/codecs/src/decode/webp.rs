//! WebP, and the first frame of an animated one.

use super::{Ask, DecodeError, Decoded, Limits, pixels};
use crate::Layout;
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;

/// Bytes that decoding takes for each pixel of a film: a canvas, a frame and its planes, the result.
const FILM_COST: u64 = 16;
/// Of a picture without losses or with opacity: what was coded, the result, and the result once more without opacity.
pub(super) const COST: u64 = 11;
/// Of any other: three planes, two of them small, and the result.
const LOSSY_COST: u64 = 5;
/// Extras that are read.
const MAX_EXTRA: usize = 8 * 1024 * 1024;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let mut decoder = open(bytes, &ask.limits)?;
    let full = decoder.dimensions();
    let mut data = pixels::zeroed(decoder.output_buffer_size().unwrap_or(usize::MAX))?;
    decoder.read_image(&mut data).map_err(|error| refuse(&error))?;
    let (layout, data) = if decoder.has_alpha() { pixels::without_opaque_alpha(data) } else { (Layout::Rgb, data) };
    let is_sequence = decoder.is_animated() && decoder.num_frames() > 1;
    decoder.set_memory_limit(MAX_EXTRA);
    // What cannot be read of them is not there.
    let icc = decoder.icc_profile().ok().flatten();
    let exif = decoder.exif_metadata().ok().flatten();
    let decoded = Decoded::plain(pixels::bitmap(full, layout, data)?);
    Ok(Decoded { is_sequence, ..decoded.with_icc(icc).with_exif(exif) })
}

/// A decoder of a file within the limits, all of whose frames fit into its canvas.
pub(super) fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<WebPDecoder<Cursor<&'a [u8]>>, DecodeError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| refuse(&error))?;
    let full = decoder.dimensions();
    let is_simple = decoder.is_lossy() && !decoder.has_alpha();
    let cost = match decoder.is_animated() {
        true => FILM_COST,
        false if is_simple => LOSSY_COST,
        false => COST,
    };
    limits.admit(full, cost)?;
    // The decoder makes planes for a coded frame before it compares its size with the canvas.
    for chunk in Chunks(bytes.get(12..).unwrap_or_default()) {
        let frame = if chunk.name == *b"ANMF" { chunk.body.get(16..).unwrap_or_default() } else { &[] };
        for coded in std::iter::once(chunk).chain(Chunks(frame)) {
            if coded.size().is_some_and(|(width, height)| width > full.0 || height > full.1) {
                return Err(DecodeError::Damaged("a frame is larger than its picture".to_owned()));
            }
        }
    }
    Ok(decoder)
}

pub(super) fn refuse(error: &DecodingError) -> DecodeError {
    match error {
        DecodingError::ImageTooLarge | DecodingError::MemoryLimitExceeded => {
            DecodeError::TooLarge("it takes too much memory".to_owned())
        }
        DecodingError::UnsupportedFeature(what) => DecodeError::Unsupported(what.clone()),
        error => DecodeError::Damaged(error.to_string()),
    }
}

struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
}

impl Chunk<'_> {
    /// The size of a coded frame, by its own header.
    fn size(&self) -> Option<(u32, u32)> {
        match &self.name {
            b"VP8 " => {
                let sides: &[u8; 4] = self.body.get(6..)?.first_chunk()?;
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                Some((side(sides[0], sides[1]), side(sides[2], sides[3])))
            }
            b"VP8L" => {
                let sides = u32::from_le_bytes(*self.body.get(1..)?.first_chunk()?);
                Some(((sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1))
            }
            _ => None,
        }
    }
}

/// The chunks of a file or of a frame, one after the other; one that is cut short is the last.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        let [a, b, c, d, len @ ..] = *head;
        let len = u32::from_le_bytes(len) as usize;
        let body = &rest[..len.min(rest.len())];
        self.0 = rest.get(len + (len & 1)..).unwrap_or_default();
        Some(Chunk { name: [a, b, c, d], body })
    }
}
