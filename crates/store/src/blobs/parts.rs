//! Blobs that arrive in parts, through our own door or, where S3 takes them, past us. Which parts have arrived the
//! records know, or S3; whether they fit together is for the caller to check before they are assembled.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stowage_model::BlobKey;
use uuid::Uuid;

use super::disk::{Disk, PartFile};
use super::draft::Draft;
use super::key::Key;
use super::s3::{PartTarget, S3};
use super::turns::{Turn, Turns};
use super::writer::{Writer, failed_before};
use super::{BlobError, Blobs, Engine};

/// Where a blob arrives in parts; plain data that the records keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parts {
    /// The key under which the blob is read once it is assembled.
    pub key: BlobKey,
    /// S3's own id of the upload; none on disk.
    pub upload: Option<String>,
}

/// A part that has arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// Its version, without quotes: 32 random hexadecimal digits, or what S3 calls it. Empty in the lists of a server that
    /// does not tell.
    pub etag: String,
}

/// Why bytes of a part were not taken. The part counts as missing then.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// There are more bytes than a part may have.
    #[error("the part is larger than it may be")]
    TooLarge,
    /// The blob store failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Why parts did not become a blob.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The store does not take them: parts are missing, too small or others than were named, or the upload is gone.
    #[error("the parts do not fit together")]
    Refused,
    /// The blob store failed; the same call may succeed later.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// A part that is being written. Whoever drops it leaves the part incomplete; another attempt begins only when nothing
/// of this one can be written any more.
pub struct PartDraft {
    number: u32,
    limit: u64,
    len: u64,
    way: Way,
}

enum Way {
    /// To its own place in the file of the blob.
    Disk {
        writer: Box<Writer<PartFile>>,
        etag: Uuid,
    },
    /// Through the spool to S3.
    S3 {
        s3: Arc<S3>,
        target: PartTarget,
        draft: Box<Draft>,
        turn: Turn,
    },
    Failed,
}

/// A part that has been written. Until this is dropped no other attempt at the same part begins, so that the records
/// can note it first.
pub struct PartTurn {
    part: Part,
    _turn: Turn,
}

impl PartTurn {
    /// The part.
    pub fn part(&self) -> &Part {
        &self.part
    }
}

impl Blobs {
    /// Begins a blob of `size` bytes, for which no space is reserved.
    pub async fn begin_parts(&self, size: u64) -> Result<Parts, BlobError> {
        let (id, upload) = match &self.engine {
            Engine::Disk(disk) => (Disk::begin_parts(disk, size).await?, None),
            Engine::S3(s3) => {
                let (id, upload) = s3.begin_parts().await?;
                (id, Some(upload))
            }
        };
        Ok(Parts { key: Key::Loose(id).text(), upload })
    }

    /// URLs to which clients may PUT the parts 1 to `count` (at most 10,000) themselves, valid for `life` (at most a
    /// week); none where parts come through our own door: on disk, and in S3 where the options say so.
    ///
    /// Signed with the machine's time. URLs made with temporary credentials end with those.
    pub async fn presign_parts(
        &self,
        parts: &Parts,
        count: u32,
        life: Duration,
    ) -> Result<Option<Vec<String>>, BlobError> {
        match &self.engine {
            Engine::Disk(_) => Ok(None),
            Engine::S3(s3) => s3.presign_parts(&s3.target(parts)?, count, life).await,
        }
    }

    /// Takes in part `number` (from 1; not more than the blob has, which is for the caller to check) of a blob whose
    /// parts have `part_size` bytes. Waits while another attempt at the same part is under way in this process.
    ///
    /// From now on until the attempt is finished, what was there before is lost. Where the upload has been forgotten
    /// meanwhile this says [`BlobError::NotFound`], or [`PartDraft::finish`] does.
    pub async fn part(&self, parts: &Parts, number: u32, part_size: u64) -> Result<PartDraft, BlobError> {
        let id = loose(parts)?;
        let before = u64::from(number).checked_sub(1).and_then(|before| before.checked_mul(part_size));
        let offset = before.ok_or_else(|| BlobError::Io(io::ErrorKind::InvalidInput.into()))?;
        let turn = Turns::take(&self.turns, (id, number)).await;
        let way = match &self.engine {
            Engine::Disk(disk) => {
                let writer = Box::new(disk.part(id, offset, turn).await?);
                Way::Disk { writer, etag: disk.spool().new_id() }
            }
            Engine::S3(s3) => {
                let target = s3.target(parts)?;
                Way::S3 { s3: Arc::clone(s3), target, draft: Box::new(self.draft()), turn }
            }
        };
        Ok(PartDraft { number, limit: part_size, len: 0, way })
    }

    /// The parts that S3 has received, in order; none on disk, where the records know them. Fails with
    /// [`BlobError::NotFound`] where the upload has been forgotten or assembled, unless the server lists no parts then.
    pub async fn list_parts(&self, parts: &Parts) -> Result<Option<Vec<Part>>, BlobError> {
        match &self.engine {
            Engine::Disk(_) => Ok(None),
            Engine::S3(s3) => s3.list_parts(&s3.target(parts)?).await.map(Some),
        }
    }

    /// Makes the parts in `list`, which the caller has found to be whole, in order and `size` bytes long together, one
    /// blob under `parts.key`. Costs the same whatever the size, as far as that is up to us.
    ///
    /// May be called again when the answer was lost. An empty `list` asks whether the blob has been assembled before.
    pub async fn assemble(&self, parts: &Parts, size: u64, list: &[Part]) -> Result<(), AssembleError> {
        match &self.engine {
            Engine::Disk(disk) => disk.assemble(loose(parts)?, size).await,
            Engine::S3(s3) => s3.assemble(&s3.target(parts)?, size, list).await,
        }
    }

    /// Forgets the upload and whatever of it has arrived, also an assembled blob. What does not exist counts as
    /// forgotten.
    pub async fn abort_parts(&self, parts: &Parts) -> Result<(), BlobError> {
        if let Engine::S3(s3) = &self.engine
            && let Ok(target) = s3.target(parts)
        {
            s3.abort_parts(&target).await?;
        }
        self.delete(&parts.key).await
    }

    /// Blobs that were begun in S3 more than `grace` ago, by the machine's clock, and neither assembled nor forgotten:
    /// those that the records do not know are to be aborted. Always empty on disk, where the inventory lists them.
    pub async fn unfinished_parts(&self, grace: Duration) -> Result<Vec<Parts>, BlobError> {
        match &self.engine {
            Engine::Disk(_) => Ok(Vec::new()),
            Engine::S3(s3) => s3.unfinished_parts(grace).await,
        }
    }
}

impl PartDraft {
    /// Takes the next bytes. After an error the draft is good for nothing but being dropped.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), PartError> {
        self.len += bytes.len() as u64;
        let taken = match &mut self.way {
            Way::Failed => Err(failed_before().into()),
            _ if self.len > self.limit => Err(PartError::TooLarge),
            Way::Disk { writer, .. } => writer.fill(&bytes).await.map_err(PartError::from),
            Way::S3 { draft, .. } => draft.write(bytes).await.map_err(PartError::from),
        };
        if taken.is_err() {
            self.way = Way::Failed;
        }
        taken
    }

    /// Ends the part: on return it is as durable as was asked for when the store was opened, or S3 has it.
    pub async fn finish(self) -> Result<PartTurn, BlobError> {
        let (etag, turn) = match self.way {
            Way::Disk { writer, etag } => (etag.simple().to_string(), writer.finish(PartFile::settle).await?),
            Way::S3 { s3, target, draft, turn } => {
                let finished = draft.finish().await?;
                S3::send_part(&s3, target, self.number, finished.into_content(), turn).await?
            }
            Way::Failed => return Err(failed_before()),
        };
        Ok(PartTurn { part: Part { number: self.number, size: self.len, etag }, _turn: turn })
    }
}

/// The name of the file or object that the parts are for.
pub(super) fn loose(parts: &Parts) -> Result<Uuid, BlobError> {
    match Key::parse(&parts.key) {
        Some(Key::Loose(id)) => Ok(id),
        _ => Err(BlobError::NotFound),
    }
}
