//! AVIF files from pixels.

mod profile;

use super::{EncodeError, Extras, check, colored};
use crate::{Bitmap, Layout};
use ravif::{BitDepth, Encoder, Img};
use rgb::FromSlice;

/// By how much this encoder's quality stands above that of libaom's users (sharp among them) for the same look, measured.
const ABOVE: u8 = 12;
/// The longest side that the coded frame can have.
const MAX_SIDE: u32 = 65_535;

/// An AVIF of quality 1 to 100 on the scale that sharp and browsers' tools use, and speed 1 to 10 (others count as the
/// nearest). Takes Gray, RGB and RGBA.
pub fn avif(bitmap: &Bitmap, quality: u8, speed: u8, extras: Extras<'_>) -> Result<Vec<u8>, EncodeError> {
    check(bitmap)?;
    if bitmap.width.max(bitmap.height) > MAX_SIDE {
        return Err(EncodeError(format!("a side of an AVIF has at most {MAX_SIDE} pixels")));
    }
    let (layout, data) = colored(bitmap).ok_or_else(|| EncodeError("AVIF has no CMYK".to_owned()))?;
    let quality = f32::from(quality.clamp(1, 100).saturating_add(ABOVE).min(100));
    let mut encoder = Encoder::new()
        .with_quality(quality)
        .with_alpha_quality(quality)
        .with_speed(speed.clamp(1, 10))
        .with_bit_depth(BitDepth::Eight)
        .with_num_threads(Some(1));
    if let Some(exif) = extras.exif {
        encoder = encoder.with_exif(exif);
    }
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let image = match layout {
        Layout::Rgba => encoder.encode_rgba(Img::new(data.as_rgba(), width, height)),
        _ => encoder.encode_rgb(Img::new(data.as_rgb(), width, height)),
    };
    let bytes = image.map_err(|error| EncodeError(error.to_string()))?.avif_file;
    match extras.icc {
        Some(icc) => {
            profile::insert(bytes, icc).ok_or_else(|| EncodeError("the file has no place for a profile".to_owned()))
        }
        None => Ok(bytes),
    }
}
