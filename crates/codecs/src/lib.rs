//! Pictures from bytes and bytes from pictures, nothing else: one room for every format, so that what they cost to build and
//! what they may do to a process is looked at in one place. Decoders are memory-safe Rust and are given hostile bytes; limits
//! are checked before pixels are made. The only C code is an encoder. No files, sockets or clocks.

mod decode;
mod encode;

pub use decode::{Ask, DecodeError, Decoded, Frames, Limits, decode, decoding_cost, frames};
pub use encode::{EncodeError, Extras, avif, jpeg, png, webp};

/// How the channels of a pixel are laid out; eight bits each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// One channel.
    Gray,
    /// Three channels.
    Rgb,
    /// Three channels and opacity, not multiplied into them.
    Rgba,
    /// Four inks, 0 is none.
    Cmyk,
}

impl Layout {
    /// Bytes of a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// Pixels, row by row without gaps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bitmap {
    /// Pixels in a row; at least 1.
    pub width: u32,
    /// Rows; at least 1.
    pub height: u32,
    /// What a pixel consists of.
    pub layout: Layout,
    /// `width * height * layout.channels()` bytes.
    pub data: Vec<u8>,
}
