//! PNG, and the still picture of an animated one.

use super::{Ask, DecodeError, Decoded, pixels};
use crate::Layout;
use png::{BitDepth, ColorType, DecodingError, Limits, Transformations};
use std::io::Cursor;

/// Bytes that decoding takes for each pixel: the result, and the result once more with opacity from grey.
pub(super) const COST: u64 = 6;
/// What the decoder may allocate besides pixels: rows, a window of deflate, a colour profile, EXIF data.
const SIDE_MEMORY: usize = 32 * 1024 * 1024;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: SIDE_MEMORY });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(|error| refuse(&error))?;
    let full = (header.width, header.height);
    ask.limits.admit(full, COST)?;
    let mut reader = decoder.read_info().map_err(|error| refuse(&error))?;
    let len = reader.output_buffer_size().ok_or_else(|| DecodeError::TooLarge("its rows".to_owned()))?;
    let mut data = pixels::zeroed(len)?;
    let frame = reader.next_frame(&mut data).map_err(|error| refuse(&error))?;
    if (frame.width, frame.height) != full || frame.bit_depth != BitDepth::Eight {
        return Err(DecodeError::Damaged("its first frame is not the whole picture".to_owned()));
    }
    let (layout, data) = match frame.color_type {
        ColorType::Grayscale => (Layout::Gray, data),
        ColorType::GrayscaleAlpha => (Layout::Rgba, pixels::gray_alpha_to_rgba(&data)),
        ColorType::Rgb => (Layout::Rgb, data),
        ColorType::Rgba => (Layout::Rgba, data),
        ColorType::Indexed => return Err(DecodeError::Damaged("it has no palette".to_owned())),
    };
    let is_sequence = reader.info().animation_control().is_some_and(|animation| animation.num_frames > 1);
    if reader.info().exif_metadata.is_none() && !is_sequence {
        // EXIF data may stand behind the pixels. What else stands there makes no difference to them.
        let _ = reader.finish();
    }
    let info = reader.info();
    let exif = info.exif_metadata.as_deref().map(<[u8]>::to_vec);
    let icc = info.icc_profile.as_deref().map(<[u8]>::to_vec);
    let decoded = Decoded::plain(pixels::bitmap(full, layout, data)?);
    Ok(Decoded { is_sequence, ..decoded.with_icc(icc).with_exif(exif) })
}

fn refuse(error: &DecodingError) -> DecodeError {
    match error {
        DecodingError::LimitsExceeded => DecodeError::TooLarge("it takes too much memory".to_owned()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
