//! Originals: streamed out of the blob store or, where they are small and wanted often, from memory.

use std::ops::Range;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use stowage_model::{BlobKey, File};
use stowage_store::blobs::{self, BlobError, BlobStream};

use crate::Delivery;

/// The largest blob that is kept in memory, in bytes: what the disk keeps in packs.
const SMALL: u64 = blobs::SMALL as u64;

/// Small originals in memory.
pub(crate) struct Originals(Cache<BlobKey, Bytes, ByLength>);

#[derive(Clone)]
struct ByLength;

impl Weighter<BlobKey, Bytes> for ByLength {
    fn weight(&self, key: &BlobKey, bytes: &Bytes) -> u64 {
        (key.0.len() + bytes.len() + 64) as u64
    }
}

impl Originals {
    /// At most `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        let items = usize::try_from(capacity / 4096).unwrap_or(usize::MAX).max(16);
        Self(Cache::with_weighter(items, capacity, ByLength))
    }

    /// Forgets all of them.
    pub(crate) fn wipe(&self) {
        let Self(small) = self;
        small.clear();
    }
}

/// The bytes of an original.
pub enum Original {
    /// All of them, at hand.
    Memory(Bytes),
    /// A stream of the exact length that was asked for.
    Stream(BlobStream),
}

impl Delivery {
    /// Opens a range of an original; `range` lies within the file. A file whose blob is gone is not found.
    pub async fn original(&self, file: &File, range: Range<u64>) -> Result<Original, BlobError> {
        let Some(blob) = &file.blob else { return Err(BlobError::NotFound) };
        if file.size > SMALL {
            return Ok(Original::Stream(Box::pin(self.blobs.read(blob, range)).await?));
        }
        let small = &self.originals.0;
        let bytes = if let Some(bytes) = small.get(blob) {
            bytes
        } else {
            let bytes = Box::pin(self.blobs.read_small(blob, file.size)).await?;
            small.insert(blob.clone(), bytes.clone());
            bytes
        };
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        match (start, end) {
            (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => Ok(Original::Memory(bytes.slice(start..end))),
            _ => Err(BlobError::NotFound),
        }
    }
}
