//! Files as the records keep them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ContentInfo, FileId, FileName, Metadata, ProjectId, Tags, Timestamp};

/// The name under which a blob store finds a blob again. Opaque outside the store that gave it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobKey(pub String);

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file of a project.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// When it was accepted; unique in its project.
    pub uploaded_at: Timestamp,
    /// When it became permanent; none while it is temporary and after removal.
    pub stored_at: Option<Timestamp>,
    /// When it was removed; the record stays for a while.
    pub removed_at: Option<Timestamp>,
    /// Where its bytes are; none once they are gone.
    pub blob: Option<BlobKey>,
    /// Its length in bytes.
    pub size: u64,
    /// 32 hexadecimal digits derived from its content, without quotes.
    pub etag: String,
    /// Its name as sent.
    pub name: FileName,
    /// The type that its uploader declared, else the detected one.
    pub mime_type: String,
    /// Whether it is a picture that can be processed.
    pub is_image: bool,
    /// What its content is.
    pub content: ContentInfo,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
}

/// A file that is about to be recorded; the records choose `uploaded_at`.
#[derive(Clone, PartialEq, Debug)]
pub struct NewFile {
    /// Its id.
    pub id: FileId,
    /// Where its bytes are, already durable.
    pub blob: BlobKey,
    /// Its length in bytes.
    pub size: u64,
    /// 32 hexadecimal digits derived from its content.
    pub etag: String,
    /// Its name as sent.
    pub name: FileName,
    /// The type that its uploader declared, else the detected one.
    pub mime_type: String,
    /// Whether it is a picture that can be processed.
    pub is_image: bool,
    /// What its content is.
    pub content: ContentInfo,
    /// Whether it is permanent from the start.
    pub stored: bool,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Where its uploader says it came from (`local`, `url`, …), for logs.
    pub source: Option<String>,
}

impl NewFile {
    /// The file that it becomes when it is recorded at this moment.
    pub fn recorded(&self, project: ProjectId, at: Timestamp) -> File {
        File {
            id: self.id,
            project,
            uploaded_at: at,
            stored_at: self.stored.then_some(at),
            removed_at: None,
            blob: Some(self.blob.clone()),
            size: self.size,
            etag: self.etag.clone(),
            name: self.name.clone(),
            mime_type: self.mime_type.clone(),
            is_image: self.is_image,
            content: self.content.clone(),
            metadata: self.metadata.clone(),
            tags: self.tags.clone(),
        }
    }
}
