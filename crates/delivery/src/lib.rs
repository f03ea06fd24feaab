//! Getting bytes out: originals, straight from the blob store or, where they are small and wanted often, from memory.
//! HTTP stays with the door: this room knows files and ranges, not requests.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use stowage_model::{BlobKey, File};
use stowage_store::blobs::{self, BlobError, BlobStream, Blobs};

/// The largest blob that is kept in memory, in bytes: what the disk keeps in packs.
const SMALL: u64 = blobs::SMALL as u64;

/// `[delivery]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Bytes of memory for small originals that are wanted often.
    #[serde(deserialize_with = "stowage_model::units::bytes")]
    pub memory_cache: u64,
    /// For how long browsers and proxies may keep what was delivered.
    #[serde(deserialize_with = "stowage_model::units::duration")]
    pub max_age: Duration,
}

/// Delivers. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    blobs: Blobs,
    small: Arc<Cache<BlobKey, Bytes, ByLength>>,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<BlobKey, Bytes> for ByLength {
    fn weight(&self, key: &BlobKey, bytes: &Bytes) -> u64 {
        (key.0.len() + bytes.len() + 64) as u64
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
    /// A delivery from this blob store.
    pub fn new(options: &Options, blobs: Blobs) -> Self {
        let items = usize::try_from(options.memory_cache / 4096).unwrap_or(usize::MAX).max(16);
        let small = Arc::new(Cache::with_weighter(items, options.memory_cache, ByLength));
        Self { blobs, small }
    }

    /// Opens a range of an original; `range` lies within the file. A file whose blob is gone is not found.
    pub async fn original(&self, file: &File, range: Range<u64>) -> Result<Original, BlobError> {
        let Some(blob) = &file.blob else { return Err(BlobError::NotFound) };
        if file.size > SMALL {
            return Ok(Original::Stream(Box::pin(self.blobs.read(blob, range)).await?));
        }
        let bytes = if let Some(bytes) = self.small.get(blob) {
            bytes
        } else {
            let bytes = Box::pin(self.blobs.read_small(blob, file.size)).await?;
            self.small.insert(blob.clone(), bytes.clone());
            bytes
        };
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        match (start, end) {
            (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => Ok(Original::Memory(bytes.slice(start..end))),
            _ => Err(BlobError::NotFound),
        }
    }
}
