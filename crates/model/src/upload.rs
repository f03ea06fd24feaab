//! Uploads that take more than one request: in parts, or fetched from a URL.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{BlobKey, Cause, FileId, FileName, Metadata, ProjectId, Tags, Timestamp};

/// A multipart upload that was started.
#[derive(Clone, PartialEq, Debug)]
pub struct Upload {
    /// The id that the file will have.
    pub id: FileId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// When it was started.
    pub started_at: Timestamp,
    /// From when on it can neither take parts nor be completed.
    pub expires_at: Timestamp,
    /// The announced length of the file in bytes.
    pub size: u64,
    /// The length of every part but the last, in bytes.
    pub part_size: u64,
    /// Where the bytes arrive, and where they stay.
    pub blob: BlobKey,
    /// The blob store's own name of the upload, where it has one.
    pub blob_upload: Option<String>,
    /// Whether it has become a file.
    pub completed: bool,
    /// The name of the file as announced.
    pub name: FileName,
    /// The announced type.
    pub mime_type: String,
    /// Whether the file will be permanent from the start.
    pub stored: bool,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Where its uploader says it came from.
    pub source: Option<String>,
}

impl Upload {
    /// How many parts it has: at least one.
    pub fn part_count(&self) -> u64 {
        self.size.div_ceil(self.part_size.max(1)).max(1)
    }
}

/// Something that is done later, on any node.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Fetch a file from a URL.
    FromUrl(FromUrl),
}

/// A file that is to be fetched from a URL.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FromUrl {
    /// Under which its status is asked for.
    pub token: Uuid,
    /// The project that it is for.
    pub project: ProjectId,
    /// Where it is.
    pub url: String,
    /// The name that it shall have; else the origin's.
    pub name: Option<String>,
    /// Whether it will be permanent from the start.
    pub stored: bool,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Whether the URL is remembered, so that the same file can be answered the next time.
    pub remember: bool,
    /// Where its uploader says it came from.
    pub source: Option<String>,
    /// Who asked for it.
    pub cause: Cause,
}

/// How far the fetching of a URL is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UrlTask {
    /// Nobody has begun.
    Waiting,
    /// Bytes are arriving.
    Progress {
        /// How many have arrived.
        done: u64,
        /// How many there will be, where the origin says it.
        total: Option<u64>,
    },
    /// It has become a file.
    Success(FileId),
    /// It has failed for good.
    Failed {
        /// The text for users.
        text: String,
        /// The code of the catalogue.
        code: String,
    },
}
