//! From bytes to a file, for every way in: digest, detected type, picture facts, the project's content rules, and one
//! commit of blobs and records that leaves nothing behind when it fails. What a way in has to say about its bytes
//! (names, flags, limits of its own) is checked by its door before.

mod copy;
mod fetched;
mod parts;
mod plant;
mod rules;
mod scan;

use std::sync::Arc;

use bytes::Bytes;
use stowage_image::Probe;
use stowage_model::{
    BlobKey, Cause, Clock, FileId, FileName, Ids, Metadata, NewFile, Project, Refusal, Tags, Timestamp,
};
use stowage_store::blobs::{BlobError, Blobs, Draft, Finished};
use stowage_store::records::{AddError, Records, RecordsError};
use stowage_store::turns::Turns;
use tokio::sync::Semaphore;
use tracing::warn;

pub use fetched::FetchedError;
pub use parts::{Announced, CompleteError, PartError, PartUpload};
pub use plant::Seedling;
pub use scan::ScanOptions;

/// Takes bytes in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    records: Records,
    blobs: Blobs,
    clock: Clock,
    ids: Ids,
    limits: stowage_image::Limits,
    scan: Arc<ScanOptions>,
    /// Scans that may run at the same time.
    scans: Arc<Semaphore>,
    /// Uploads that are being completed here.
    completing: Arc<Turns<FileId>>,
}

/// Why bytes did not become files; nothing of them is kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The detected type is not among those that the project takes.
    #[error("the detected type is not allowed")]
    TypeForbidden,
    /// An SVG does not parse; carries what is wrong.
    #[error("the SVG does not parse: {0}")]
    SvgInvalid(String),
    /// An SVG has scripts in it; carries where.
    #[error("the SVG is malicious: {0}")]
    SvgMalicious(String),
    /// A virus was found; carries its name.
    #[error("infected by {0}")]
    Infected(String),
    /// The scan for viruses failed, so that nothing is known.
    #[error("the scan for viruses failed: {0}")]
    Scan(#[source] std::io::Error),
    /// The id that was asked for is taken.
    #[error("the id {0} is taken")]
    IdTaken(FileId),
    /// The bytes that were to be copied are there no more.
    #[error("the bytes of the source are gone")]
    SourceGone,
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

impl IntakeError {
    /// The refusal of the content itself, which no retry will change.
    pub fn verdict(&self) -> Option<Refusal> {
        Some(match self {
            Self::TypeForbidden => Refusal::FileTypeForbidden,
            Self::SvgInvalid(what) => Refusal::SvgValidationFailed(what.clone()),
            Self::SvgMalicious(what) => Refusal::SvgMaliciousContent(what.clone()),
            Self::Infected(virus) => Refusal::FileInfected(virus.clone()),
            _ => return None,
        })
    }
}

impl From<BlobError> for IntakeError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NoSpace => Self::NoSpace,
            other => Self::Blobs(other),
        }
    }
}

impl From<RecordsError> for IntakeError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::NoSpace => Self::NoSpace,
            other @ RecordsError::Database(_) => Self::Records(other),
        }
    }
}

impl From<AddError> for IntakeError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::IdTaken(id) => Self::IdTaken(id),
            AddError::Records(error) => error.into(),
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

    /// 32 hexadecimal digits derived from its content.
    pub fn etag(&self) -> &str {
        &self.etag
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

/// What tells a file of these bytes from others, as the records keep it: 32 hexadecimal digits.
pub fn etag_of(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..32].to_owned()
}

impl Intake {
    /// An intake that writes to these stores.
    pub fn new(records: Records, blobs: Blobs, clock: Clock, ids: Ids, scan: ScanOptions) -> Self {
        let scans = Arc::new(Semaphore::new(scan.concurrency.max(1)));
        Self {
            records,
            blobs,
            clock,
            ids,
            limits: stowage_image::Limits::default(),
            scan: Arc::new(scan),
            scans,
            completing: Arc::default(),
        }
    }

    /// Begins to take in a file.
    pub fn begin(&self) -> Incoming {
        Incoming { draft: self.blobs.draft(), hasher: blake3::Hasher::new(), size: 0 }
    }

    /// Ends a file: its bytes are complete, and its content is looked at.
    pub async fn finish(&self, incoming: Incoming) -> Result<Received, IntakeError> {
        let Incoming { draft, hasher, size } = incoming;
        let finished = draft.finish().await?;
        let etag = etag_of(&hasher);
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

    /// Whether a project takes all of what was received: types, scripts, viruses.
    pub async fn check_all(&self, project: &Project, uploads: &[(Received, Description)]) -> Result<(), IntakeError> {
        for (received, description) in uploads {
            self.check(project, received, description.declared_type.as_deref()).await?;
        }
        Ok(())
    }

    /// Makes files of what was received and checked: all of them, in this order, or none. Not to be given up halfway: what
    /// is kept by then stays until the janitor finds it. `cause` is told to webhooks.
    pub async fn accept(
        &self,
        project: &Project,
        uploads: Vec<(Received, Description)>,
        cause: Cause,
    ) -> Result<Vec<FileId>, IntakeError> {
        let mut files = Vec::with_capacity(uploads.len());
        for (received, description) in uploads {
            match self.keep(received, description).await {
                Ok(file) => files.push(file),
                Err(error) => {
                    self.undo(files.into_iter().map(|file| file.blob)).await;
                    return Err(error);
                }
            }
        }
        let ids = files.iter().map(|file| file.id).collect();
        self.record(project, files, cause).await?;
        Ok(ids)
    }

    /// Records files whose bytes are kept, all or none, and answers their upload times. Where nothing was recorded, the bytes
    /// go.
    async fn record(
        &self,
        project: &Project,
        files: Vec<NewFile>,
        cause: Cause,
    ) -> Result<Vec<Timestamp>, IntakeError> {
        let blobs: Vec<BlobKey> = files.iter().map(|file| file.blob.clone()).collect();
        match self.records.add_files(project.id, files, cause).await {
            Ok(times) => Ok(times),
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

    /// Keeps the bytes of a file that may be uploaded.
    async fn keep(&self, received: Received, description: Description) -> Result<NewFile, IntakeError> {
        let blob = received.finished.keep().await?;
        Ok(NewFile {
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
        })
    }

    async fn undo(&self, blobs: impl Iterator<Item = BlobKey>) {
        for blob in blobs {
            if let Err(error) = self.blobs.delete(&blob).await {
                warn!(%blob, %error, "a blob of a refused upload stays until the janitor finds it");
            }
        }
    }
}
