//! TIFF: the first picture of a file. The `tiff` crate reads strips, tiles and planes; what their samples mean is decided here.

mod exif;
mod guards;
mod samples;

use super::{Ask, DecodeError, Decoded, pixels};
use crate::Layout;
use samples::{Samples, Shape};
use std::borrow::Cow;
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits as TiffLimits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

/// The largest value of a tag, such as a colour profile or the list of strips.
const MAX_VALUE: usize = 8 * 1024 * 1024;
/// The most channels of a pixel; satellites have more than pictures.
const MAX_SAMPLES: u64 = 32;
/// How the values of the tag `PhotometricInterpretation` are called.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;
/// What a fourth channel is, in the tag `ExtraSamples`.
const PREMULTIPLIED: u16 = 1;
const ALPHA: u16 = 2;

pub(super) type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let mut probe = open(bytes, ask)?;
    let is_palette = number(&mut probe, Tag::PhotometricInterpretation)? == Some(PALETTE.into());
    let bytes = if is_palette { indices_as_grey(bytes, ask)? } else { Cow::Borrowed(bytes) };
    let mut reader = open(&bytes, ask)?;

    let full = reader.dimensions().map_err(|error| refuse(&error))?;
    let color = reader.colortype().map_err(|error| refuse(&error))?;
    let stored = number(&mut reader, Tag::SamplesPerPixel)?.unwrap_or(1);
    if stored > MAX_SAMPLES {
        return Err(DecodeError::Unsupported(format!("{stored} channels")));
    }
    // What is read, what it becomes, and three channels of a palette.
    let read = stored * u64::from(color.bit_depth()).div_ceil(8);
    let whole = read + u64::from(color.num_samples()) + 4;
    ask.limits.admit(full, whole)?;
    guards::check(&mut reader, &bytes, guards::Cost { full, samples: stored, read, whole }, &ask.limits)?;

    let mut result = DecodingResult::U8(Vec::new());
    let layout = reader.read_image_to_buffer(&mut result).map_err(|error| refuse(&error))?;
    let bits = color.bit_depth();
    let planes = layout.planes.max(1);
    let shape = Shape {
        width: full.0 as usize,
        height: full.1 as usize,
        channels: if planes > 1 { planes } else { usize::from(color.num_samples()) },
        planes,
        bits,
    };
    let samples = Samples::new(result, shape, is_palette)?;
    let extra = extra_sample(&mut reader);
    let (layout, data) = match color {
        _ if is_palette => (Layout::Rgb, samples::look_up(&samples, &palette(&mut reader, bits)?)?),
        ColorType::Multiband { num_samples: 2, .. } if matches!(extra, Some(ALPHA | PREMULTIPLIED)) => {
            (Layout::Rgba, pixels::gray_alpha_to_rgba(&samples.first(2)?))
        }
        ColorType::Gray(_) | ColorType::Multiband { .. } => (Layout::Gray, samples.first(1)?),
        ColorType::RGB(_) => (Layout::Rgb, samples.first(3)?),
        ColorType::RGBA(_) => (Layout::Rgba, samples.first(4)?),
        ColorType::CMYK(_) | ColorType::CMYKA(_) => (Layout::Cmyk, samples.first(4)?),
        ColorType::YCbCr(8) => (Layout::Rgb, samples::ycc_to_rgb(samples.first(3)?)),
        other => return Err(DecodeError::Unsupported(format!("pixels of the form {other:?}"))),
    };
    let mut bitmap = pixels::bitmap(full, layout, data)?;
    if layout == Layout::Rgba && extra == Some(PREMULTIPLIED) {
        pixels::unmultiply(&mut bitmap.data);
    }
    let icc = reader.find_tag(Tag::IccProfile).ok().flatten().and_then(|icc| icc.into_u8_vec().ok());
    let orientation = number(&mut reader, Tag::Orientation).ok().flatten();
    let orientation = orientation.and_then(|turn| u8::try_from(turn).ok()).filter(|turn| (1..=8).contains(turn));
    let decoded = Decoded::plain(bitmap).with_icc(icc).with_exif(exif::extract(&bytes));
    Ok(Decoded { orientation: orientation.unwrap_or(1), is_sequence: reader.more_images(), ..decoded })
}

fn open<'a>(bytes: &'a [u8], ask: &Ask) -> Result<Reader<'a>, DecodeError> {
    let mut limits = TiffLimits::default();
    limits.decoding_buffer_size = usize::try_from(ask.limits.max_memory).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = bytes.len();
    limits.ifd_value_size = MAX_VALUE;
    Ok(Decoder::new(Cursor::new(bytes)).map_err(|error| refuse(&error))?.with_limits(limits))
}

/// A tag's first number, if there is the tag.
fn number(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<u64>, DecodeError> {
    let values = reader.find_tag_unsigned_vec::<u64>(tag).map_err(|error| refuse(&error))?;
    Ok(values.and_then(|values| values.first().copied()))
}

/// What the first channel is that the colours do not need.
fn extra_sample(reader: &mut Reader<'_>) -> Option<u16> {
    reader.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok()??.first().copied()
}

/// The file with its indices called shades of grey: the `tiff` crate reads no palettes, but would read these pixels.
fn indices_as_grey<'a>(bytes: &[u8], ask: &Ask) -> Result<Cow<'a, [u8]>, DecodeError> {
    let damaged = || DecodeError::Damaged("its directory does not hold together".to_owned());
    let at = guards::photometric(bytes).ok_or_else(damaged)?;
    if bytes.len() as u64 > ask.limits.max_memory / 2 {
        return Err(DecodeError::TooLarge("the file takes too much memory".to_owned()));
    }
    let mut copy = bytes.to_vec();
    let value = if bytes.starts_with(b"MM") { BLACK_IS_ZERO.to_be_bytes() } else { BLACK_IS_ZERO.to_le_bytes() };
    copy.get_mut(at..at + 2).ok_or_else(damaged)?.copy_from_slice(&value);
    Ok(Cow::Owned(copy))
}

/// The colours of a picture of indices: all reds, all greens, all blues, 16 bits each.
fn palette(reader: &mut Reader<'_>, bits: u8) -> Result<Vec<[u8; 3]>, DecodeError> {
    let colours = 1_usize.checked_shl(bits.into()).filter(|_| bits <= 8);
    let values = reader.find_tag_unsigned_vec::<u16>(Tag::ColorMap).map_err(|error| refuse(&error))?;
    let (Some(colours), Some(values)) = (colours, values) else {
        return Err(DecodeError::Unsupported("a palette of such a size".to_owned()));
    };
    if values.len() < colours * 3 {
        return Err(DecodeError::Damaged("its palette is cut short".to_owned()));
    }
    // Some writers store eight bits, some eight bits times 256, some times 257.
    let is_wide = values.iter().any(|value| *value > 255);
    let channel = |value: u16| value.to_be_bytes()[usize::from(!is_wide)];
    Ok((0..colours).map(|index| [0, 1, 2].map(|plane| channel(values[plane * colours + index]))).collect())
}

fn refuse(error: &TiffError) -> DecodeError {
    match error {
        TiffError::LimitsExceeded | TiffError::IntSizeError => {
            DecodeError::TooLarge("it takes too much memory".to_owned())
        }
        TiffError::UnsupportedError(what) => DecodeError::Unsupported(what.to_string()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
