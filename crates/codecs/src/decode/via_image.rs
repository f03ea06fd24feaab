//! What BMP and TGA share: the decoders of the `image` crate, which is used for nothing else.

use super::{Ask, DecodeError, Decoded, pixels};
use crate::Layout;
use image::{ColorType, ImageDecoder, ImageError};

/// Bytes that decoding takes for each pixel: the coded picture beside the result, which may be changed once more.
pub(super) const COST: u64 = 10;

pub(super) fn decode(decoder: impl ImageDecoder, ask: &Ask) -> Result<Decoded, DecodeError> {
    let full = decoder.dimensions();
    ask.limits.admit(full, COST)?;
    let color = decoder.color_type();
    let len = usize::try_from(decoder.total_bytes()).map_err(|_| DecodeError::TooLarge("its rows".to_owned()))?;
    let mut data = pixels::zeroed(len)?;
    decoder.read_image(&mut data).map_err(|error| refuse(&error))?;
    let (layout, data) = match color {
        ColorType::L8 => (Layout::Gray, data),
        ColorType::La8 => (Layout::Rgba, pixels::gray_alpha_to_rgba(&data)),
        ColorType::Rgb8 => (Layout::Rgb, data),
        ColorType::Rgba8 => (Layout::Rgba, data),
        other => return Err(DecodeError::Unsupported(format!("pixels of the form {other:?}"))),
    };
    Ok(Decoded::plain(pixels::bitmap(full, layout, data)?))
}

pub(super) fn refuse(error: &ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(what) => DecodeError::Unsupported(what.to_string()),
        ImageError::Limits(_) => DecodeError::TooLarge("it takes too much memory".to_owned()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
