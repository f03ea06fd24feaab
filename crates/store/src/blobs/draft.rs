//! A blob on its way in: small ones wait in memory, larger ones in a file of the spool. Until it is kept nobody can see
//! it, and whoever drops it has removed it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use stowage_model::BlobKey;
use tokio::task::JoinHandle;

use super::buffers::{self, Buffer};
use super::key::SMALL;
use super::spool::{Spool, TempFile};
use super::{BlobError, Blobs};

/// A blob that is being written.
pub struct Draft {
    blobs: Blobs,
    state: State,
}

enum State {
    Memory(Gathered),
    File(Box<Spooled>),
    Failed,
}

/// The first bytes of a draft.
enum Gathered {
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, bytes: Bytes) {
        match self {
            Self::One(first) if first.is_empty() => *first = bytes,
            Self::One(first) => {
                let mut many = BytesMut::with_capacity((first.len() + bytes.len()).next_power_of_two());
                many.extend_from_slice(first);
                many.extend_from_slice(&bytes);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.extend_from_slice(&bytes),
        }
    }

    fn freeze(self) -> Bytes {
        match self {
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

/// A draft that has outgrown memory: one buffer is filled while the one before is written.
struct Spooled {
    spool: Arc<Spool>,
    head: Bytes,
    len: u64,
    /// None until there is something to fill it with.
    buffer: Option<Buffer>,
    filled: usize,
    turn: Turn,
}

enum Turn {
    /// Nothing has been written yet.
    Unmade,
    /// The file rests.
    Here(TempFile),
    /// The file is being written to.
    Away(JoinHandle<Result<TempFile, BlobError>>),
}

impl Draft {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs, state: State::Memory(Gathered::One(Bytes::new())) }
    }

    /// Takes the next bytes. After an error the draft is good for nothing but being dropped.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        match &mut self.state {
            State::Memory(gathered) if gathered.len() + bytes.len() <= SMALL => {
                if !bytes.is_empty() {
                    gathered.push(bytes);
                }
                Ok(())
            }
            State::Memory(_) => {
                let State::Memory(gathered) = std::mem::replace(&mut self.state, State::Failed) else {
                    return Err(failed_before());
                };
                let gathered = gathered.freeze();
                let mut spooled = Box::new(Spooled::new(Arc::clone(self.blobs.spool()), &gathered, &bytes));
                spooled.fill(&gathered).await?;
                spooled.fill(&bytes).await?;
                self.state = State::File(spooled);
                Ok(())
            }
            State::File(spooled) => {
                let result = spooled.fill(&bytes).await;
                if result.is_err() {
                    self.state = State::Failed;
                }
                result
            }
            State::Failed => Err(failed_before()),
        }
    }

    /// Ends the writing. The bytes can be read back, but nothing is kept yet.
    pub async fn finish(self) -> Result<Finished, BlobError> {
        let content = match self.state {
            State::Memory(gathered) => Content::Memory(gathered.freeze()),
            State::File(spooled) => spooled.finish().await?,
            State::Failed => return Err(failed_before()),
        };
        Ok(Finished { blobs: self.blobs, content })
    }
}

fn failed_before() -> BlobError {
    BlobError::Io(io::Error::new(io::ErrorKind::BrokenPipe, "an earlier write of this draft failed"))
}

impl Spooled {
    fn new(spool: Arc<Spool>, gathered: &[u8], next: &[u8]) -> Self {
        // Copied: a slice of `next` would hold on to all of the buffer that it was received into.
        let mut head = Vec::with_capacity(SMALL);
        head.extend_from_slice(gathered);
        head.extend_from_slice(&next[..next.len().min(SMALL - gathered.len())]);
        Self { spool, head: head.into(), len: 0, buffer: None, filled: 0, turn: Turn::Unmade }
    }

    async fn fill(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            if self.filled == buffers::LEN {
                self.flush().await?;
            }
            let buffer = self.buffer.get_or_insert_with(|| self.spool.buffers.get());
            let (now, later) = bytes.split_at(bytes.len().min(buffers::LEN - self.filled));
            buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            self.len += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Waits for the writing of the buffer before, then hands this one over.
    async fn flush(&mut self) -> Result<(), BlobError> {
        let file = self.settle().await?;
        let Some(buffer) = self.buffer.take() else { return Ok(()) };
        let filled = std::mem::take(&mut self.filled);
        let spool = Arc::clone(&self.spool);
        self.turn = Turn::Away(tokio::task::spawn_blocking(move || {
            spool.room.take(filled as u64)?;
            let mut file = match file {
                Some(file) => file,
                None => spool.create()?,
            };
            file.append(&buffer[..filled])?;
            Ok(file)
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<Option<TempFile>, BlobError> {
        if let Turn::Away(job) = &mut self.turn {
            // Awaited in place: a caller that gives up here and comes back finds the job where it was.
            let file = job.await.unwrap_or_else(|stopped| Err(BlobError::Io(io::Error::other(stopped))))?;
            self.turn = Turn::Here(file);
        }
        match std::mem::replace(&mut self.turn, Turn::Unmade) {
            Turn::Here(file) => Ok(Some(file)),
            _ => Ok(None),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Content, BlobError> {
        if self.filled > 0 {
            self.flush().await?;
        }
        let len = self.len;
        match self.settle().await? {
            Some(file) => Ok(Content::File(OnDisk { head: self.head, file, len })),
            None => Err(failed_before()),
        }
    }
}

/// A blob whose bytes have all been accepted; it is removed again unless it is kept.
pub struct Finished {
    blobs: Blobs,
    content: Content,
}

pub(super) enum Content {
    Memory(Bytes),
    File(OnDisk),
}

pub(super) struct OnDisk {
    head: Bytes,
    pub(super) file: TempFile,
    pub(super) len: u64,
}

impl Finished {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File(file) => file.len,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its first bytes: all of them, where there are fewer than [`SMALL`].
    pub fn head(&self) -> &[u8] {
        match &self.content {
            Content::Memory(bytes) => bytes,
            Content::File(on_disk) => &on_disk.head,
        }
    }

    /// Reads it back; the first bytes come from memory, later ones wait for the disk.
    pub fn reader(&self) -> io::Result<Reader> {
        Ok(match &self.content {
            Content::Memory(bytes) => Reader { head: bytes.clone(), file: None, at: 0, len: bytes.len() as u64 },
            Content::File(on_disk) => {
                Reader { head: on_disk.head.clone(), file: Some(on_disk.file.open()?), at: 0, len: on_disk.len }
            }
        })
    }

    /// Keeps it: on return it is as durable as was asked for when the store was opened. If the caller gives up
    /// meanwhile, it is removed.
    pub async fn keep(self) -> Result<BlobKey, BlobError> {
        self.blobs.keep(self.content).await
    }
}

/// The bytes of a finished blob, for code that reads and seeks.
pub struct Reader {
    head: Bytes,
    file: Option<File>,
    at: u64,
    len: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        let read = match (self.head.get(at..).filter(|rest| !rest.is_empty()), &self.file) {
            (Some(mut rest), _) => rest.read(into)?,
            (None, Some(file)) => file.read_at(into, self.at)?,
            (None, None) => 0,
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
