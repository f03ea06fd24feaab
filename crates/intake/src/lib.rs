//! From bytes to a file, for every way in: digest, detected type, picture facts, the project's content rules, and one
//! commit of blobs and records that leaves nothing behind when it fails. What a way in has to say about its bytes
//! (names, flags, limits of its own) is checked by its door before.

use bytes::Bytes;
use stowage_image::Probe;
use stowage_model::{BlobKey, FileId, FileName, Ids, Metadata, NewFile, Project, Tags};
use stowage_store::blobs::{BlobError, Blobs, Draft, Finished};
use stowage_store::records::{AddError, Records, RecordsError};
use tracing::warn;

/// Takes bytes in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    records: Records,
    blobs: Blobs,
    ids: Ids,
    limits: stowage_image::Limits,
}

/// Why bytes did not become files; nothing of them is kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The detected type is not among those that the project takes.
    #[error("the detected type is not allowed")]
    TypeForbidden,
    /// The id that was asked for is taken.
    #[error("the id {0} is taken")]
    IdTaken(FileId),
    /// There is no space left for the bytes or for their record.
    #[error("no space left")]
    NoSpace,
    /// The blob store failed.
    #[error("blobs: {0}")]
    Blobs(#[source] BlobError),
    /// The records failed.
    #[error("records: {0}")]
    Records(#[source] RecordsError),
}

impl From<BlobError> for IntakeError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NoSpace => Self::NoSpace,
            other => Self::Blobs(other),
        }
    }
}

impl From<AddError> for IntakeError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::IdTaken(id) => Self::IdTaken(id),
            AddError::Records(RecordsError::NoSpace) => Self::NoSpace,
            AddError::Records(other) => Self::Records(other),
        }
    }
}

/// A file whose bytes are arriving. Dropped, it leaves nothing behind.
pub struct Incoming {
    draft: Draft,
    hasher: blake3::Hasher,
    size: u64,
}

impl Incoming {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), IntakeError> {
        self.hasher.update(&bytes);
        self.size += bytes.len() as u64;
        Ok(self.draft.write(bytes).await?)
    }

    /// How many bytes have arrived.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// A file whose bytes have all arrived and been looked at. Dropped, it leaves nothing behind.
pub struct Received {
    finished: Finished,
    size: u64,
    etag: String,
    probe: Probe,
}

impl Received {
    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// What a door knows about a file besides its bytes.
#[derive(Clone, Debug)]
pub struct Description {
    /// The id that it shall have; a new one where nothing is asked for.
    pub id: Option<FileId>,
    /// Its name as sent.
    pub name: FileName,
    /// The type that its uploader declared; the detected one where nothing was declared.
    pub declared_type: Option<String>,
    /// Whether it is permanent from the start.
    pub stored: bool,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Where its uploader says it came from.
    pub source: Option<String>,
}

impl Intake {
    /// An intake that writes to these stores.
    pub fn new(records: Records, blobs: Blobs, ids: Ids) -> Self {
        Self { records, blobs, ids, limits: stowage_image::Limits::default() }
    }

    /// Begins to take in a file.
    pub fn begin(&self) -> Incoming {
        Incoming { draft: self.blobs.draft(), hasher: blake3::Hasher::new(), size: 0 }
    }

    /// Ends a file: its bytes are complete, and its content is looked at.
    pub async fn finish(&self, incoming: Incoming) -> Result<Received, IntakeError> {
        let Incoming { draft, hasher, size } = incoming;
        let finished = draft.finish().await?;
        // 32 hexadecimal digits, the form of the recorded ETags.
        let etag = hasher.finalize().to_hex()[..32].to_owned();
        let probe = match stowage_image::probe_head(finished.head(), size, &self.limits) {
            Some(probe) => probe,
            None => self.probe_file(&finished, size).await.map_err(|error| IntakeError::Blobs(BlobError::Io(error)))?,
        };
        Ok(Received { finished, size, etag, probe })
    }

    async fn probe_file(&self, finished: &Finished, size: u64) -> std::io::Result<Probe> {
        let mut reader = finished.reader()?;
        let limits = self.limits;
        tokio::task::spawn_blocking(move || stowage_image::probe(&mut reader, size, &limits))
            .await
            .unwrap_or_else(|crash| Err(std::io::Error::other(crash)))
    }

    /// Makes files of what was received: all of them, in this order, or none.
    pub async fn accept(
        &self,
        project: &Project,
        uploads: Vec<(Received, Description)>,
    ) -> Result<Vec<FileId>, IntakeError> {
        if uploads.iter().any(|(r, _)| !project.settings.allows_type(&r.probe.content.mime.mime)) {
            return Err(IntakeError::TypeForbidden);
        }
        let mut files = Vec::with_capacity(uploads.len());
        for (received, description) in uploads {
            match received.finished.keep().await {
                Ok(blob) => files.push(NewFile {
                    id: description.id.unwrap_or_else(|| self.ids.file()),
                    blob,
                    size: received.size,
                    etag: received.etag,
                    name: description.name,
                    mime_type: description.declared_type.unwrap_or_else(|| received.probe.content.mime.mime.clone()),
                    is_image: received.probe.is_image,
                    content: received.probe.content,
                    stored: description.stored,
                    metadata: description.metadata,
                    tags: description.tags,
                    source: description.source,
                }),
                Err(error) => {
                    self.undo(files.into_iter().map(|file| file.blob)).await;
                    return Err(error.into());
                }
            }
        }
        let ids = files.iter().map(|file| file.id).collect();
        let blobs: Vec<BlobKey> = files.iter().map(|file| file.blob.clone()).collect();
        match self.records.add_files(project.id, files).await {
            Ok(_) => Ok(ids),
            Err(error) => {
                let certain = matches!(error, AddError::IdTaken(_) | AddError::Records(RecordsError::NoSpace));
                // A database that went away may have committed all the same: then the blobs must stay. If it did not,
                // the janitor finds that nobody knows them.
                if certain {
                    self.undo(blobs.into_iter()).await;
                }
                Err(error.into())
            }
        }
    }

    async fn undo(&self, blobs: impl Iterator<Item = BlobKey>) {
        for blob in blobs {
            if let Err(error) = self.blobs.delete(&blob).await {
                warn!(%blob, %error, "a blob of a refused upload stays until the janitor finds it");
            }
        }
    }
}
