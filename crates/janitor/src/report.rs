//! What the janitor says of its work: how much was done, and what would be.

use std::fmt;
use std::time::Duration;

use stowage_model::{BlobKey, FileId, Timestamp};
use stowage_store::blobs::Freed;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Temporary files that expired.
    pub expired: u64,
    /// Removed files that nobody brought back in time.
    pub lost: u64,
    /// Blobs of removed files that were deleted.
    pub blobs: u64,
    /// Records of files removed long ago that were deleted.
    pub records: u64,
    /// Blobs, or parts of packs, that no record knew.
    pub orphans: u64,
    /// Unfinished blobs that dead processes left.
    pub drafts: u64,
    /// Multipart uploads that were not completed in time.
    pub uploads: u64,
    /// Traces of what ended long ago: tasks, completed uploads, used-up tokens, deliveries to webhooks.
    pub traces: u64,
}

impl Report {
    /// Adds what another step has done.
    pub fn add(&mut self, other: Self) {
        self.expired += other.expired;
        self.lost += other.lost;
        self.blobs += other.blobs;
        self.records += other.records;
        self.orphans += other.orphans;
        self.drafts += other.drafts;
        self.uploads += other.uploads;
        self.traces += other.traces;
    }

    /// Adds it to the metrics.
    pub(crate) fn count(self) {
        for (kind, number) in [
            ("expired", self.expired),
            ("lost", self.lost),
            ("blobs", self.blobs),
            ("records", self.records),
            ("orphans", self.orphans),
            ("drafts", self.drafts),
            ("uploads", self.uploads),
            ("traces", self.traces),
        ] {
            metrics::counter!("stowage_janitor_deleted_total", "kind" => kind).increment(number);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expired, lost, blobs, records, orphans, drafts, uploads, traces } = self;
        write!(
            f,
            "{expired} file(s) expired, {lost} removed one(s) can be brought back no more, {blobs} blob(s) of removed \
             files deleted, {records} old record(s) deleted, {orphans} forgotten blob(s) and {drafts} unfinished one(s) \
             removed, {uploads} multipart upload(s) expired, {traces} trace(s) of ended work deleted"
        )
    }
}

/// Something that is due to be deleted, and why. Its `Display` is a line for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deletion {
    /// A temporary file whose time is over.
    Expired {
        /// The file.
        file: FileId,
        /// When it was uploaded.
        uploaded_at: Timestamp,
        /// Its length in bytes.
        size: u64,
        /// How long it was to live.
        ttl: Duration,
    },
    /// A removed file that nobody has brought back in time.
    Lost {
        /// The file.
        file: FileId,
        /// When it was removed.
        removed_at: Timestamp,
        /// Its length in bytes.
        size: u64,
        /// For how long it could be brought back.
        ttl: Duration,
    },
    /// A multipart upload whose time is over.
    Upload {
        /// The id that its file would have had.
        file: FileId,
        /// When it was started.
        started_at: Timestamp,
    },
    /// The blob of a removed file.
    Garbage(BlobKey),
    /// Records of files that were removed long ago.
    Records {
        /// How many.
        count: u64,
        /// How long they are kept.
        ttl: Duration,
    },
    /// A blob that no record knows.
    Orphan {
        /// The blob.
        blob: BlobKey,
        /// Its length in bytes.
        size: u64,
    },
    /// Parts of a pack that no record knows.
    PackParts {
        /// The pack.
        pack: String,
        /// How much would be freed.
        freed: Freed,
    },
    /// Unfinished blobs of dead processes.
    Drafts(Freed),
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |ttl: &Duration| {
            let seconds = ttl.as_secs();
            if seconds > 0 && seconds.is_multiple_of(3600) {
                format!("{}h", seconds / 3600)
            } else {
                format!("{seconds}s")
            }
        };
        match self {
            Self::Expired { file, uploaded_at, size, ttl } => {
                write!(f, "file {file}: uploaded {uploaded_at}, not stored within {} ({size} bytes)", words(ttl))
            }
            Self::Lost { file, removed_at, size, ttl } => {
                write!(f, "file {file}: removed {removed_at}, not brought back within {} ({size} bytes)", words(ttl))
            }
            Self::Upload { file, started_at } => {
                write!(f, "multipart upload {file}: started {started_at}, not completed in time")
            }
            Self::Garbage(blob) => write!(f, "blob {blob}: its file was removed"),
            Self::Records { count, ttl } => {
                write!(f, "{count} record(s) of files removed more than {} ago", words(ttl))
            }
            Self::Orphan { blob, size } => write!(f, "blob {blob}: no record knows it ({size} bytes)"),
            Self::PackParts { pack, freed } => {
                write!(f, "pack {pack}: no record knows {} part(s) of it ({} bytes)", freed.items, freed.bytes)
            }
            Self::Drafts(freed) => {
                write!(f, "{} unfinished upload(s) of processes that ended ({} bytes)", freed.items, freed.bytes)
            }
        }
    }
}
