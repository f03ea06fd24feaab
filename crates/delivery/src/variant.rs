//! What was made of a file, on its way out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use stowage_model::FileId;
use tokio::task::JoinHandle;

use crate::key::Key;
use crate::label::Label;

/// How much of a variant is read at once, in bytes.
const PIECE: u64 = 256 << 10;

/// Something that was made of a file: a picture, a video, or facts as JSON. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The MIME type.
    pub media_type: &'static str,
    /// Pixels; 0 where it is no picture.
    pub width: u32,
    /// Pixels; 0 where it is no picture.
    pub height: u32,
    /// Its length in bytes.
    pub len: u64,
    /// 32 hexadecimal digits, without quotes: the same for the same file, operations, formats and engine.
    pub etag: String,
    /// Whether what the request accepts has decided about the format.
    pub negotiated: bool,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    /// Open, so that it can be read to the end even if it is removed meanwhile.
    Disk(Arc<File>),
}

/// Bytes of a variant.
pub enum Body {
    /// At hand.
    Memory(Bytes),
    /// A stream of the exact length that was asked for.
    Stream(VariantStream),
}

/// Why there is no variant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VariantError {
    /// The file is no picture, or none that may be processed.
    #[error("Not supported for files that are not images.")]
    NotAnImage,
    /// The operations make no sense for this picture, or are switched off; a sentence for the user.
    #[error("{0}")]
    Invalid(String),
    /// The result, or something on the way to it, would be too large; a sentence for the user.
    #[error("{0}")]
    TooLarge(String),
    /// The file is not what it seemed to be; a sentence for the user.
    #[error("{0}")]
    Damaged(String),
    /// The file of an overlay does not exist.
    #[error("The file {0} of an overlay does not exist.")]
    NoOverlay(FileId),
    /// The file of an overlay is no picture.
    #[error("The file {0} of an overlay is not an image.")]
    OverlayNotAnImage(FileId),
    /// There is too much to do at the moment, or it took too long.
    #[error("The server is busy.")]
    Busy {
        /// After how many seconds to try again.
        retry_after: u64,
    },
    /// The bytes of the file are gone.
    #[error("The file is gone.")]
    Gone,
    /// A fault of ours; it has been logged.
    #[error("Internal error.")]
    Failed,
}

impl VariantError {
    /// Whether asking again gives the same.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::NotAnImage | Self::Invalid(_) | Self::TooLarge(_) | Self::Damaged(_))
    }
}

impl Variant {
    pub(crate) fn in_memory(key: &Key, label: Label, bytes: Bytes) -> Self {
        Self::new(key, label, bytes.len() as u64, Content::Memory(bytes))
    }

    pub(crate) fn on_disk(key: &Key, label: Label, len: u64, file: File) -> Self {
        Self::new(key, label, len, Content::Disk(Arc::new(file)))
    }

    fn new(key: &Key, label: Label, len: u64, content: Content) -> Self {
        Self {
            media_type: label.kind.media_type(),
            width: label.width,
            height: label.height,
            len,
            etag: key.hash_text(),
            negotiated: label.negotiated,
            content,
        }
    }

    /// The bytes of memory that it occupies.
    pub(crate) fn weight(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64 + 256,
            Content::Disk(_) => 256,
        }
    }

    /// The bytes `range`, which lies within it.
    pub fn body(&self, range: Range<u64>) -> Body {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        match &self.content {
            Content::Memory(bytes) => {
                let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Body::Memory(bytes.slice(at(start)..at(end)))
            }
            Content::Disk(file) => {
                Body::Stream(VariantStream { file: Arc::clone(file), at: start, end, reading: None })
            }
        }
    }

    /// All of it.
    pub fn whole(&self) -> Body {
        self.body(0..self.len)
    }
}

/// Bytes of a variant from the disk: exactly as many as were asked for, or an error.
pub struct VariantStream {
    file: Arc<File>,
    at: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Stream for VariantStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.at >= self.end && self.reading.is_none() {
            return Poll::Ready(None);
        }
        let (file, at, len) = (Arc::clone(&self.file), self.at, (self.end - self.at).min(PIECE));
        let reading = self.reading.get_or_insert_with(|| {
            tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; usize::try_from(len).unwrap_or_default()];
                file.read_exact_at(&mut piece, at)?;
                Ok(Bytes::from(piece))
            })
        });
        let piece = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = piece.map_err(io::Error::other).flatten();
        match &piece {
            Ok(bytes) => self.at += bytes.len() as u64,
            Err(_) => self.at = self.end,
        }
        Poll::Ready(Some(piece))
    }
}

/// The answer to whoever waits for a variant.
pub(crate) type Outcome = Result<Variant, VariantError>;
