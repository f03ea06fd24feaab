//! Where everything is kept: records in SQLite or Postgres, blobs on disk or in S3.
//!
//! SQL lives under [`records`] and nowhere else; paths, buckets and keys live under [`blobs`]. What happened is told by
//! small error enums; which refusal a user sees is decided above.

pub mod blobs;
pub mod records;
#[cfg(feature = "testing")]
pub mod testing;
pub mod turns;

use serde::{Deserialize, Serialize};

/// What an answer promises about power cuts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Blob and record are on the disk before anything is answered.
    #[default]
    Full,
    /// They are in the operating system's hands: the last moments before a power cut may be lost. For test backends.
    Relaxed,
}
