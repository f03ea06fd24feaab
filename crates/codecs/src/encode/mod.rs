//! From pixels to bytes, on the thread that asks.

mod avif;
mod jpeg;
mod png;
mod webp;

use crate::{Bitmap, Layout};
use std::borrow::Cow;

pub use avif::avif;
pub use jpeg::jpeg;
pub use png::png;
pub use webp::webp;

/// What goes along with the pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extras<'a> {
    /// A colour profile.
    pub icc: Option<&'a [u8]>,
    /// EXIF data, beginning with `II` or `MM`.
    pub exif: Option<&'a [u8]>,
}

/// Why there are no bytes; a picture that is too large for the format.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the picture could not be encoded: {0}")]
pub struct EncodeError(pub String);

/// Whether there are as many bytes as the size and the layout take: encoders trust them.
fn check(bitmap: &Bitmap) -> Result<(), EncodeError> {
    let len = u64::from(bitmap.width) * u64::from(bitmap.height) * bitmap.layout.channels() as u64;
    if len == 0 || bitmap.data.len() as u64 != len {
        return Err(EncodeError("it has too few or too many pixels".to_owned()));
    }
    Ok(())
}

/// RGB or RGBA, for formats that have no grey; nothing for inks.
fn colored(bitmap: &Bitmap) -> Option<(Layout, Cow<'_, [u8]>)> {
    match bitmap.layout {
        Layout::Gray => Some((Layout::Rgb, bitmap.data.iter().flat_map(|&gray| [gray; 3]).collect())),
        Layout::Rgb | Layout::Rgba => Some((bitmap.layout, Cow::Borrowed(&bitmap.data))),
        Layout::Cmyk => None,
    }
}
