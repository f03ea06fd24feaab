//! PNG files from pixels.

use super::{EncodeError, Extras, check};
use crate::{Bitmap, Layout};
use png::{BitDepth, ColorType, Compression, EncodingError, Info};

/// A PNG. Takes Gray, RGB and RGBA.
pub fn png(bitmap: &Bitmap, extras: Extras<'_>) -> Result<Vec<u8>, EncodeError> {
    check(bitmap)?;
    let mut info = Info::with_size(bitmap.width, bitmap.height);
    info.bit_depth = BitDepth::Eight;
    info.color_type = match bitmap.layout {
        Layout::Gray => ColorType::Grayscale,
        Layout::Rgb => ColorType::Rgb,
        Layout::Rgba => ColorType::Rgba,
        Layout::Cmyk => return Err(EncodeError("PNG has no CMYK".to_owned())),
    };
    info.icc_profile = extras.icc.map(Into::into);
    info.exif_metadata = extras.exif.map(Into::into);
    let mut bytes = Vec::with_capacity(bitmap.data.len() / 2);
    write(&mut bytes, info, &bitmap.data).map_err(|error| EncodeError(error.to_string()))?;
    Ok(bytes)
}

fn write(bytes: &mut Vec<u8>, info: Info<'_>, data: &[u8]) -> Result<(), EncodingError> {
    let mut encoder = png::Encoder::with_info(bytes, info)?;
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()
}
