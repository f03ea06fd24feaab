//! A blob that is held open: its bytes are read as often as a request must be repeated, even if it is deleted meanwhile.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::BlobStream;
use super::buffers::Pool;

/// A blob that is held open. Cheap to clone.
#[derive(Clone)]
pub struct HeldBlob(Held);

#[derive(Clone)]
enum Held {
    Memory(Bytes),
    File { file: Arc<File>, buffers: Arc<Pool> },
}

impl HeldBlob {
    /// A blob that is in memory.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self(Held::Memory(bytes))
    }

    /// A blob that is a file.
    pub(super) fn of_file(file: File, buffers: Arc<Pool>) -> Self {
        Self(Held::File { file: Arc::new(file), buffers })
    }

    /// The bytes `range`; where the blob ends earlier, the stream ends with an error.
    pub fn stream(&self, range: Range<u64>) -> BlobStream {
        match &self.0 {
            Held::Memory(bytes) => {
                let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let (start, end) = (within(range.start), within(range.end));
                BlobStream::of(bytes.slice(start.min(end)..end))
            }
            Held::File { file, buffers } => {
                let len = range.end.saturating_sub(range.start);
                BlobStream::of_file(Arc::clone(file), range.start, len, Arc::clone(buffers))
            }
        }
    }
}
