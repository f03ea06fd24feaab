//! WebP files from pixels. libwebp makes a file of pixels alone; extras are put around them here.

use super::{EncodeError, Extras, check, colored};
use crate::{Bitmap, Layout};
use webp::{Encoder, WebPConfig};

/// The longest side that the format knows.
const MAX_SIDE: u32 = 16_383;
/// How hard libwebp tries, 0 to 6. One less than its default: photos become no larger, opacity costs a quarter less time.
const METHOD: i32 = 3;
/// Which chunks there are, in the first byte of `VP8X`.
const HAS_ICC: u8 = 0x20;
const HAS_ALPHA: u8 = 0x10;
const HAS_EXIF: u8 = 0x08;
/// Bytes of `RIFF`, a length and `WEBP`.
const HEAD: usize = 12;

/// A lossy WebP of quality 1 to 100 (others count as the nearest). Takes Gray, RGB and RGBA.
pub fn webp(bitmap: &Bitmap, quality: u8, extras: Extras<'_>) -> Result<Vec<u8>, EncodeError> {
    check(bitmap)?;
    if bitmap.width.max(bitmap.height) > MAX_SIDE {
        return Err(EncodeError(format!("a side of a WebP has at most {MAX_SIDE} pixels")));
    }
    let (layout, data) = colored(bitmap).ok_or_else(|| EncodeError("WebP has no CMYK".to_owned()))?;
    let mut config = WebPConfig::new().map_err(|()| EncodeError("libwebp does not fit its headers".to_owned()))?;
    config.quality = f32::from(quality.clamp(1, 100));
    config.method = METHOD;
    let encoder = match layout {
        Layout::Rgba => Encoder::from_rgba(&data, bitmap.width, bitmap.height),
        _ => Encoder::from_rgb(&data, bitmap.width, bitmap.height),
    };
    let bytes = encoder.encode_advanced(&config).map_err(|error| EncodeError(format!("libwebp says {error:?}")))?;
    if extras == Extras::default() {
        return Ok(bytes.to_vec());
    }
    wrap(&bytes, (bitmap.width, bitmap.height), extras)
}

/// The same file with extras: `RIFF`, `VP8X`, profile, pixels, EXIF.
fn wrap(plain: &[u8], (width, height): (u32, u32), extras: Extras<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut chunks = plain.get(HEAD..).unwrap_or_default();
    let has_alpha = chunks.starts_with(b"VP8X");
    if has_alpha {
        // libwebp writes this chunk only where opacity stands in one of its own.
        chunks = chunks.get(18..).unwrap_or_default();
    }
    let flag = |has: bool, flag: u8| if has { flag } else { 0 };
    let flags =
        flag(extras.icc.is_some(), HAS_ICC) | flag(has_alpha, HAS_ALPHA) | flag(extras.exif.is_some(), HAS_EXIF);
    let [w0, w1, w2, _] = (width - 1).to_le_bytes();
    let [h0, h1, h2, _] = (height - 1).to_le_bytes();

    let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
    chunk(&mut bytes, *b"VP8X", &[flags, 0, 0, 0, w0, w1, w2, h0, h1, h2])?;
    if let Some(icc) = extras.icc {
        chunk(&mut bytes, *b"ICCP", icc)?;
    }
    bytes.extend_from_slice(chunks);
    if let Some(exif) = extras.exif {
        chunk(&mut bytes, *b"EXIF", exif)?;
    }
    let len = length(bytes.len() - 8)?;
    bytes[4..8].copy_from_slice(&len);
    Ok(bytes)
}

fn chunk(bytes: &mut Vec<u8>, name: [u8; 4], body: &[u8]) -> Result<(), EncodeError> {
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(&length(body.len())?);
    bytes.extend_from_slice(body);
    if !body.len().is_multiple_of(2) {
        bytes.push(0);
    }
    Ok(())
}

fn length(len: usize) -> Result<[u8; 4], EncodeError> {
    u32::try_from(len).map(u32::to_le_bytes).map_err(|_| EncodeError("a WebP has at most 4 GiB".to_owned()))
}
