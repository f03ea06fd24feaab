//! Pictures and videos, as pure computation: what an uploaded file's content is and, for both, the facts that the APIs show.
//! Every byte is taken to be hostile: headers are read in safe Rust within budgets of bytes, reads and steps, and
//! whatever does not make sense is simply no picture and no video. No files, sockets or clocks are opened here; bytes come from
//! a slice or from the reader that was handed in.

mod boxes;
mod detect;
mod exif;
mod formats;
mod ifd;
pub mod operations;
mod source;
mod svg_check;
mod video;

use source::{ReadSeek, Source};
use std::io;
use stowage_model::{ContentInfo, MimeInfo};

pub use formats::svg::{svg_length, svg_view_box};
pub use svg_check::{SvgFault, SvgLimits, check_svg, check_svg_within};

/// How many of a file's first bytes [`probe_head`] is best given, and [`probe`] reads at once.
pub const HEAD_LEN: usize = 64 * 1024;

/// How far a probe may go, and which pictures count as pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest area of a picture in pixels.
    pub max_pixels: u64,
    /// The longest side of a picture in pixels.
    pub max_side: u32,
    /// The largest picture in bytes whose facts are read; videos may have any size.
    pub max_bytes: u64,
    /// The largest SVG in bytes that is parsed.
    pub max_svg_bytes: u64,
    /// Bytes that are read behind the first [`HEAD_LEN`]; an SVG of allowed size is read as a whole besides.
    pub read_bytes: u64,
    /// Pieces in which they are read.
    pub reads: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 75_000_000,
            max_side: 30_000,
            max_bytes: 100_000_000,
            max_svg_bytes: 5_000_000,
            read_bytes: 1024 * 1024,
            reads: 256,
        }
    }
}

/// What a file's content is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Probe {
    /// The detected type and the facts of videos and of pictures within the limits.
    pub content: ContentInfo,
    /// Whether it is a picture that can be processed.
    pub is_image: bool,
}

/// Probes a file of `len` bytes of which the first [`HEAD_LEN`], or all of a shorter file, are at hand. The answer is
/// that of [`probe`]. Nothing is answered when bytes behind `head` can change it; then [`probe`] has to look at the
/// file. A whole file is always answered.
pub fn probe_head(head: &[u8], len: u64, limits: &Limits) -> Option<Probe> {
    if (head.len() as u64) < len.min(HEAD_LEN as u64) {
        return None;
    }
    let mut src = Source::from_head(head, len);
    let probe = examine(&mut src, limits);
    (!src.wanted_more()).then_some(probe)
}

/// Probes a file of `len` bytes. Only errors of the reader are errors; bad content is content of another type.
pub fn probe<R: io::Read + io::Seek>(file: &mut R, len: u64, limits: &Limits) -> io::Result<Probe> {
    let file: &mut dyn ReadSeek = file;
    let mut head = Vec::new();
    source::read_at(file, 0, len.min(HEAD_LEN as u64), &mut head)?;
    // A file that is shorter than said ends where it ends.
    let len = if head.len() < HEAD_LEN { head.len() as u64 } else { len };
    let mut src = Source::from_file(&head, len, file, limits.read_bytes, limits.reads);
    let probe = examine(&mut src, limits);
    src.take_error().map_or(Ok(probe), Err)
}

fn examine(src: &mut Source, limits: &Limits) -> Probe {
    let detected = detect::detect(src);
    let readable = src.len() <= limits.max_bytes;
    let facts = detected.format.filter(|_| readable).and_then(|format| format.read(src, limits.max_svg_bytes));
    let image = facts.filter(|facts| {
        let (width, height) = facts.size;
        let pixels = u64::from(width) * u64::from(height);
        (1..=limits.max_pixels).contains(&pixels) && width.max(height) <= limits.max_side
    });
    let image = image.map(formats::Facts::into_info);
    let video = video::read(src, &detected.mime);
    Probe { is_image: image.is_some(), content: ContentInfo { mime: MimeInfo::new(&detected.mime), image, video } }
}
