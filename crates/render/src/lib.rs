//! The engine of the URL API: from a file's bytes and the operations of a URL to the bytes of the answer. Pure computation; who asks,
//! where the bytes come from and where the answer is kept is nobody's business here.

mod analyse;
mod color;
mod compose;
mod describe;
mod detail;
mod error;
mod faces;
mod geometry;
mod icc;
mod limits;
mod meta;
mod output;
mod picture;
mod pipeline;
mod plan;
mod quality;
mod resample;
mod source;
mod steps;
mod svg;
mod text;
mod turn;

pub use describe::{Description, Look, describe, find_faces};
pub use error::RenderError;
pub use limits::{Cost, Limits, estimate};
pub use pipeline::render;

use stowage_image::operations::Operations;
use stowage_model::FileId;

/// One picture to be made.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The bytes of the file.
    pub source: &'a [u8],
    /// What the URL asks for.
    pub operations: &'a Operations,
    /// The bytes of the other files that `Operations::overlays` names; nothing for those that do not exist.
    pub overlays: &'a dyn Fn(FileId) -> Option<&'a [u8]>,
    /// What the request accepts.
    pub accept: Accept,
    /// What the server and the project allow and prefer.
    pub options: &'a Options,
    /// Which file it is; only for logs.
    pub id: FileId,
}

/// The formats that a request names in `Accept`; `*/*` and `image/*` name none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Accept {
    /// `image/avif`
    pub avif: bool,
    /// `image/webp`
    pub webp: bool,
}

/// What the server and the project allow and prefer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches that have nothing to do with each other")]
pub struct Options {
    /// How large anything may become.
    pub limits: Limits,
    /// Whether automatic formats may be AVIF.
    pub avif: bool,
    /// Whether automatic formats may be WebP.
    pub webp: bool,
    /// Whether pictures without a `quality` are encoded as with `quality/smart`.
    pub adaptive_quality: bool,
    /// Whether `text` may be used.
    pub text: bool,
    /// How fast AVIF is encoded, 1 to 10; slower is smaller.
    pub avif_speed: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), avif: true, webp: true, adaptive_quality: false, text: false, avif_speed: 8 }
    }
}

/// The answer to a [`Job`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// The encoded picture.
    pub bytes: Vec<u8>,
    /// The MIME type.
    pub media_type: &'static str,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether another `Accept` could have led to another format.
    pub negotiated: bool,
}

/// A part of a picture: always inside of it and never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rect {
    /// Pixels from the left.
    pub x: u32,
    /// Pixels from the top.
    pub y: u32,
    /// Pixels; at least 1.
    pub width: u32,
    /// Pixels; at least 1.
    pub height: u32,
}
