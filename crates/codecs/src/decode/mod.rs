//! From bytes to the pixels of the first frame. The format is what the bytes say; names and types that somebody announced
//! are not looked at. Every format checks its header against the limits before it makes pixels.

mod avif;
mod bmp;
mod cost;
mod exif;
mod format;
mod frames;
mod gif;
mod guard;
#[cfg(feature = "heic")]
mod heic;
mod heif;
mod jpeg;
mod pcx;
mod pixels;
mod png;
mod tga;
mod tiff;
mod via_image;
mod webp;

use format::Format;

pub use cost::decoding_cost;
pub use frames::{Frames, frames};

/// What a decoder is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ask {
    /// How much it may take.
    pub limits: Limits,
    /// A size that suffices, before the picture is turned upright: a decoder that can do so cheaply shrinks by 2, 4 or 8 as long as both sides stay at least this long.
    pub at_least: Option<(u32, u32)>,
}

/// What is refused before pixels are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest area in pixels.
    pub max_pixels: u64,
    /// The longest side in pixels.
    pub max_side: u32,
    /// The most memory in bytes that decoding may take, the pixels included.
    pub max_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 75_000_000, max_side: 30_000, max_memory: 512 * 1024 * 1024 }
    }
}

impl Limits {
    /// Whether a picture of this size may be decoded at all.
    fn check(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        let area = u64::from(width) * u64::from(height);
        if area == 0 {
            return Err(DecodeError::Damaged("it has no pixels".to_owned()));
        }
        if width.max(height) > self.max_side {
            return Err(DecodeError::TooLarge(format!("{width}x{height}, sides may have {} pixels", self.max_side)));
        }
        if area > self.max_pixels {
            return Err(DecodeError::TooLarge(format!("{width}x{height}, it may have {} pixels", self.max_pixels)));
        }
        Ok(())
    }

    /// Whether it may be decoded by a decoder that takes `cost` bytes for each pixel, the result included.
    fn admit(&self, (width, height): (u32, u32), cost: u64) -> Result<(), DecodeError> {
        self.check(width, height)?;
        if (u64::from(width) * u64::from(height)).saturating_mul(cost) > self.max_memory {
            return Err(DecodeError::TooLarge(format!("{width}x{height} in its format takes too much memory")));
        }
        Ok(())
    }

    /// Whether a picture may be decoded that consists of so many equal pieces across and down. They hang over its edges, where they
    /// are decoded for nothing, so that all of them together may be twice as large as a picture.
    fn admit_pieces(
        &self,
        (width, height): (u32, u32),
        (across, down): (u64, u64),
        cost: u64,
    ) -> Result<(), DecodeError> {
        let area = (u64::from(width).saturating_mul(across)).saturating_mul(u64::from(height).saturating_mul(down));
        if area / 2 > self.max_pixels || area.saturating_mul(cost) / 2 > self.max_memory {
            return Err(DecodeError::TooLarge(format!("it consists of {across}x{down} pieces of {width}x{height}")));
        }
        Ok(())
    }
}

/// A picture and what came with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// The pixels as they are stored, possibly shrunk.
    pub bitmap: crate::Bitmap,
    /// The size in the file, before it was shrunk.
    pub full: (u32, u32),
    /// What has to be done to turn it upright, as EXIF counts, 1 to 8. Turns that the container orders (HEIC, AVIF) are done already.
    pub orientation: u8,
    /// The embedded colour profile.
    pub icc: Option<Vec<u8>>,
    /// The EXIF data, beginning with `II` or `MM`.
    pub exif: Option<Vec<u8>>,
    /// Whether there are more frames.
    pub is_sequence: bool,
}

impl Decoded {
    /// A picture with nothing but pixels.
    fn plain(bitmap: crate::Bitmap) -> Self {
        let full = (bitmap.width, bitmap.height);
        Self { bitmap, full, orientation: 1, icc: None, exif: None, is_sequence: false }
    }

    /// The same with EXIF data, which may stand behind the `Exif\0\0` of JPEG, and the turning that it orders.
    fn with_exif(mut self, exif: Option<Vec<u8>>) -> Self {
        self.exif = exif.and_then(bare);
        self.orientation = self.exif.as_deref().map_or(1, exif::orientation);
        self
    }

    /// The same with a colour profile; an empty one is none.
    fn with_icc(mut self, icc: Option<Vec<u8>>) -> Self {
        self.icc = icc.filter(|icc| !icc.is_empty());
        self
    }
}

/// EXIF data without what containers keep in front of it; nothing if it is no EXIF data.
fn bare(mut exif: Vec<u8>) -> Option<Vec<u8>> {
    if exif.starts_with(b"Exif\0\0") {
        exif.drain(..6);
    }
    (exif.starts_with(b"II*\0") || exif.starts_with(b"MM\0*")).then_some(exif)
}

/// Why there are no pixels.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Over a limit.
    #[error("the picture is too large: {0}")]
    TooLarge(String),
    /// Broken, or cut short.
    #[error("the picture is damaged: {0}")]
    Damaged(String),
    /// No format, or no variant of one, that is read here.
    #[error("not a picture that can be read: {0}")]
    Unsupported(String),
}

/// Decodes the first frame. A decoder that panics has met a damaged picture.
pub fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let Some(format) = format::recognise(bytes) else {
        return Err(DecodeError::Unsupported("unknown signature".to_owned()));
    };
    guard::guarded(|| match format {
        Format::Jpeg => jpeg::decode(bytes, ask),
        Format::Png => png::decode(bytes, ask),
        Format::Gif => gif::decode(bytes, ask),
        Format::Webp => webp::decode(bytes, ask),
        Format::Tiff => tiff::decode(bytes, ask),
        Format::Bmp => bmp::decode(bytes, ask),
        Format::Tga => tga::decode(bytes, ask),
        Format::Pcx => pcx::decode(bytes, ask),
        Format::Avif => avif::decode(bytes, ask),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes, ask),
        #[cfg(not(feature = "heic"))]
        Format::Heic => Err(DecodeError::Unsupported("HEIC was left out of this build".to_owned())),
    })?
}
