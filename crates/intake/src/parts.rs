//! Multipart uploads: bytes arrive in parts, from several requests, at any node, and become a file in one step whose cost
//! does not depend on their number (upload-api reference, section "Multipart upload").
//!
//! On disk a part is written to its own place of the file that stays, and the records know which parts have arrived. In
//! S3 the store itself knows, because clients may send their parts there without us.

use std::time::Duration;

use bytes::Bytes;
use stowage_model::multipart::MIN_PART_SIZE;
use stowage_model::{Cause, FileId, FileName, Metadata, NewFile, Project, Tags, Upload};
use stowage_store::blobs::{AssembleError, BlobError, Part, PartDraft, PartError as BlobPartError, Parts};
use stowage_store::records::{self, RecordsError};
use stowage_store::turns::Turns;
use tracing::warn;

use super::rules::Content;
use super::{Intake, IntakeError};

/// How long an upload may take, from its start to its completion; part URLs live as long.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// What a start announces, already checked.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The length of the file in bytes.
    pub size: u64,
    /// The length of every part but the last, in bytes.
    pub part_size: u64,
    /// The name of the file.
    pub name: FileName,
    /// Its type.
    pub mime_type: String,
    /// Whether it will be permanent from the start.
    pub stored: bool,
    /// What its uploader attached to it.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Where its uploader says it came from.
    pub source: Option<String>,
}

/// Why a part was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// There is no such upload, or its time is over.
    #[error("no such upload")]
    NotFound,
    /// The upload has no part of this number.
    #[error("no such part")]
    NoSuchPart,
    /// The upload has been completed.
    #[error("the upload is completed")]
    Completed,
    /// The body is longer than a part may be.
    #[error("the part is too large")]
    TooLarge,
    /// The stores failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Why an upload could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// There is no such upload, or its time is over.
    #[error("no such upload")]
    NotFound,
    /// It was completed before.
    #[error("completed before")]
    Completed,
    /// Fewer bytes have arrived than were announced.
    #[error("bytes are missing")]
    TooSmall,
    /// More bytes have arrived than were announced.
    #[error("there are too many bytes")]
    TooLarge,
    /// The parts do not fit together.
    #[error("the parts do not fit together")]
    WrongParts,
    /// The content is refused, or the stores failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl From<BlobError> for PartError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::NotFound,
            other => Self::Intake(other.into()),
        }
    }
}

impl From<RecordsError> for PartError {
    fn from(error: RecordsError) -> Self {
        Self::Intake(error.into())
    }
}

impl From<RecordsError> for CompleteError {
    fn from(error: RecordsError) -> Self {
        Self::Intake(error.into())
    }
}

impl From<BlobError> for CompleteError {
    fn from(error: BlobError) -> Self {
        Self::Intake(error.into())
    }
}

/// A part that is arriving. Dropped before its end, it counts as missing.
pub struct PartUpload {
    intake: Intake,
    upload: FileId,
    draft: PartDraft,
    /// How many more bytes it may have.
    room: u64,
}

impl PartUpload {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), PartError> {
        self.room = self.room.checked_sub(bytes.len() as u64).ok_or(PartError::TooLarge)?;
        self.draft.write(bytes).await.map_err(|error| match error {
            BlobPartError::TooLarge => PartError::TooLarge,
            BlobPartError::Blobs(error) => error.into(),
        })
    }

    /// Ends the part; on return it is durable and counts. Answers its `ETag`, without quotes.
    pub async fn finish(self) -> Result<String, PartError> {
        // A task of its own: where the client goes away meanwhile, the part is recorded all the same, and until then no other
        // request may write to its place.
        let recording = tokio::spawn(async move {
            let turn = self.draft.finish().await?;
            let part = turn.part();
            let now = self.intake.clock.now();
            if !self.intake.records.put_part(self.upload, part.number, part.size, &part.etag, now).await? {
                return Err(PartError::NotFound);
            }
            Ok(part.etag.clone())
        });
        recording.await.unwrap_or_else(|crash| Err(BlobError::Io(std::io::Error::other(crash)).into()))
    }
}

impl Intake {
    /// Begins an upload in parts.
    pub async fn start_upload(&self, project: &Project, announced: Announced) -> Result<Upload, IntakeError> {
        // Ids that nobody can foresee are new.
        let may_repeat = self.ids.may_repeat();
        let id = self.ids.file();
        if may_repeat && self.records.file(id).await?.is_some() {
            return Err(IntakeError::IdTaken(id));
        }
        let parts = self.blobs.begin_parts(announced.size).await?;
        let now = self.clock.now();
        let upload = Upload {
            id,
            project: project.id,
            started_at: now,
            expires_at: now.plus(LIFE),
            size: announced.size,
            part_size: announced.part_size,
            blob: parts.key.clone(),
            blob_upload: parts.upload.clone(),
            completed: false,
            name: announced.name,
            mime_type: announced.mime_type,
            stored: announced.stored,
            metadata: announced.metadata,
            tags: announced.tags,
            source: announced.source,
        };
        match self.records.start_upload(&upload).await {
            Ok(()) => Ok(upload),
            Err(error) => {
                // Where it was recorded all the same, nobody has been told of it, and it expires.
                if error.is_taken() || matches!(error, RecordsError::NoSpace) {
                    self.forget(&parts).await;
                }
                Err(if error.is_taken() { IntakeError::IdTaken(id) } else { error.into() })
            }
        }
    }

    /// URLs of the blob store to which clients may send the parts of an upload themselves, if it gives any out.
    pub async fn part_urls(&self, upload: &Upload) -> Result<Option<Vec<String>>, IntakeError> {
        let count = u32::try_from(upload.part_count()).unwrap_or(u32::MAX);
        Ok(self.blobs.presign_parts(&parts_of(upload), count, LIFE).await?)
    }

    /// Gives up an upload that was only just started.
    pub async fn cancel_upload(&self, upload: &Upload) {
        match self.records.discard_upload(upload.id, self.clock.now()).await {
            Ok(true) => self.forget(&parts_of(upload)).await,
            Ok(false) => {}
            Err(error) => warn!(upload = %upload.id, %error, "an upload that is given up stays until it expires"),
        }
    }

    /// Begins a part of an upload, of which `announced` bytes are to come; waits for others that write the same one.
    pub async fn part(&self, id: FileId, number: u32, announced: Option<u64>) -> Result<PartUpload, PartError> {
        let (upload, _) = self.open_upload(id, number).await?;
        // What is over the announced size shows at the end, but is not let in without measure.
        let left = upload.size.saturating_sub(u64::from(number - 1) * upload.part_size);
        let room = upload.part_size.min(left.saturating_add(MIN_PART_SIZE));
        if announced.is_some_and(|len| len > room) {
            return Err(PartError::TooLarge);
        }
        let draft = self.blobs.part(&parts_of(&upload), number, upload.part_size).await?;
        // Looked up again: while this one waited, another may have written the part, or completed the upload.
        let (_, arrived) = self.open_upload(id, number).await?;
        if arrived && !self.records.begin_part(id, number, self.clock.now()).await? {
            return Err(PartError::NotFound);
        }
        Ok(PartUpload { intake: self.clone(), upload: id, draft, room })
    }

    async fn open_upload(&self, id: FileId, number: u32) -> Result<(Upload, bool), PartError> {
        let found = self.records.upload_for_part(id, number).await?;
        let (upload, arrived) = found.ok_or(PartError::NotFound)?;
        if upload.completed {
            return Err(PartError::Completed);
        }
        if upload.expires_at <= self.clock.now() {
            return Err(PartError::NotFound);
        }
        if number == 0 || u64::from(number) > upload.part_count() {
            return Err(PartError::NoSuchPart);
        }
        Ok((upload, arrived))
    }

    /// Makes an upload a file. One whose parts do not fit stays open; one whose content is refused is gone. `cause` is told
    /// to webhooks.
    pub async fn complete_upload(&self, project: &Project, id: FileId, cause: Cause) -> Result<FileId, CompleteError> {
        // One after the other: S3 servers have many words for an upload that is just being assembled.
        let _alone = Turns::take(&self.completing, id).await;
        let upload = self.records.upload(id).await?.filter(|upload| upload.project == project.id);
        let upload = upload.ok_or(CompleteError::NotFound)?;
        if upload.completed {
            return Err(CompleteError::Completed);
        }
        if upload.expires_at <= self.clock.now() {
            return Err(CompleteError::NotFound);
        }
        let parts = parts_of(&upload);
        let in_store = self.blobs.list_parts(&parts).await;
        let recorded_here = matches!(in_store, Ok(None));
        let arrived = match in_store {
            Ok(Some(arrived)) => arrived,
            Ok(None) => {
                let rows = self.records.upload_parts(id).await?;
                rows.into_iter().map(|(number, size, etag)| Part { number, size, etag }).collect()
            }
            // The store has assembled it before and the answer was lost: assembling will tell.
            Err(BlobError::NotFound) => Vec::new(),
            Err(other) => return Err(other.into()),
        };
        let assembled_before = !recorded_here && arrived.is_empty();
        if !assembled_before {
            check_parts(&upload, &arrived)?;
        }
        match self.blobs.assemble(&parts, upload.size, &arrived).await {
            Ok(()) => {}
            Err(AssembleError::Refused) if assembled_before => return Err(CompleteError::TooSmall),
            Err(AssembleError::Refused) => {
                warn!(upload = %id, "the blob store does not take the parts of an upload");
                return Err(CompleteError::WrongParts);
            }
            Err(AssembleError::Blobs(error)) => return Err(error.into()),
        }
        let file = match self.look_at(project, &upload, &arrived).await {
            Ok(file) => file,
            Err(error) => {
                if error.verdict().is_some() {
                    self.cancel_upload(&upload).await;
                }
                return Err(error.into());
            }
        };
        let expect = recorded_here.then(|| arrived.iter().map(|part| (part.number, part.etag.clone())).collect());
        match self.records.complete_upload(&upload, file, expect, cause, self.clock.now()).await {
            Ok(_) => Ok(id),
            Err(records::CompleteError::NotOpen) => match self.records.upload(id).await? {
                Some(upload) if upload.completed => Err(CompleteError::Completed),
                _ => Err(CompleteError::NotFound),
            },
            Err(records::CompleteError::PartsChanged) => Err(CompleteError::TooSmall),
            Err(records::CompleteError::IdTaken(id)) => Err(IntakeError::IdTaken(id).into()),
            Err(records::CompleteError::Records(error)) => Err(error.into()),
        }
    }

    /// Looks at the content of an assembled upload.
    async fn look_at(&self, project: &Project, upload: &Upload, arrived: &[Part]) -> Result<NewFile, IntakeError> {
        let failed = |error: std::io::Error| IntakeError::Blobs(error.into());
        let (limits, size) = (self.limits, upload.size);
        let mut reader = self.blobs.reader(&upload.blob, size).await?;
        let probed = tokio::task::spawn_blocking(move || stowage_image::probe(&mut reader, size, &limits)).await;
        let probe = probed.unwrap_or_else(|crash| Err(std::io::Error::other(crash))).map_err(failed)?;
        let declared = Some(upload.mime_type.as_str());
        self.check_content(project, &probe, declared, Content::Kept(&upload.blob, size)).await?;
        Ok(NewFile {
            id: upload.id,
            blob: upload.blob.clone(),
            size: upload.size,
            etag: etag_of(upload, arrived),
            name: upload.name.clone(),
            mime_type: upload.mime_type.clone(),
            is_image: probe.is_image,
            content: probe.content,
            stored: upload.stored,
            metadata: upload.metadata.clone(),
            tags: upload.tags.clone(),
            source: upload.source.clone(),
        })
    }

    async fn forget(&self, parts: &Parts) {
        if let Err(error) = self.blobs.abort_parts(parts).await {
            warn!(blob = %parts.key, %error, "an upload that is given up stays until the janitor finds it");
        }
    }
}

fn parts_of(upload: &Upload) -> Parts {
    Parts { key: upload.blob.clone(), upload: upload.blob_upload.clone() }
}

/// Compares what has arrived with what was announced: first the sum, then the parts.
fn check_parts(upload: &Upload, arrived: &[Part]) -> Result<(), CompleteError> {
    let count = upload.part_count();
    let sum: u64 = arrived.iter().map(|part| part.size).fold(0, u64::saturating_add);
    if sum < upload.size {
        return Err(CompleteError::TooSmall);
    }
    if sum > upload.size {
        return Err(CompleteError::TooLarge);
    }
    let in_order = arrived.iter().zip(1_u32..).all(|(part, number)| {
        let last = u64::from(number) == count;
        part.number == number && (last || part.size == upload.part_size)
    });
    if in_order && arrived.len() as u64 == count { Ok(()) } else { Err(CompleteError::WrongParts) }
}

/// 32 digits that stand for this content: made of the parts' own tags, since reading all of them again would take as long as
/// sending them.
fn etag_of(upload: &Upload, arrived: &[Part]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(upload.id.0.as_bytes());
    for part in arrived {
        hasher.update(part.etag.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
