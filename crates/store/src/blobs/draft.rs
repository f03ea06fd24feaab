//! A blob on its way in: small ones wait in memory, larger ones in a file of the spool. Until it is kept nobody can see
//! it, and whoever drops it has removed it.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use stowage_model::BlobKey;

use super::buffers::Pool;
use super::key::SMALL;
use super::seek::BlobReader;
use super::spool::{Spool, TempFile};
use super::writer::{Sink, Writer, failed_before};
use super::{BlobError, Blobs};

/// From how many bytes on a draft is written in larger pieces: most drafts are shorter, and should hold little memory.
const LARGE: u64 = 8 << 20;

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

/// A draft that has outgrown memory.
struct Spooled {
    head: Bytes,
    len: u64,
    writer: Writer<NewFile>,
    /// For a draft of more than [`LARGE`] bytes.
    large_buffers: Arc<Pool>,
}

/// A file of the spool that is made with its first bytes.
struct NewFile {
    spool: Arc<Spool>,
    file: Option<TempFile>,
}

impl Sink for NewFile {
    fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.spool.room.take(piece.len() as u64)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.spool.create()?),
        };
        Ok(file.append(piece)?)
    }
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
                let mut spooled = Box::new(Spooled::new(self.blobs.spool(), &gathered, &bytes));
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

impl Spooled {
    fn new(spool: &Arc<Spool>, gathered: &[u8], next: &[u8]) -> Self {
        // Copied: a slice of `next` would hold on to all of the buffer that it was received into.
        let mut head = Vec::with_capacity(SMALL);
        head.extend_from_slice(gathered);
        head.extend_from_slice(&next[..next.len().min(SMALL - gathered.len())]);
        let file = NewFile { spool: Arc::clone(spool), file: None };
        let large_buffers = Arc::clone(&spool.large_buffers);
        Self { head: head.into(), len: 0, writer: Writer::new(Arc::clone(&spool.buffers), file), large_buffers }
    }

    async fn fill(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let before = self.len;
        self.len += bytes.len() as u64;
        if before < LARGE && self.len >= LARGE {
            self.writer.change_pool(&self.large_buffers);
        }
        self.writer.fill(bytes).await
    }

    async fn finish(self) -> Result<Content, BlobError> {
        let file = self.writer.finish(|new| new.file.ok_or_else(failed_before)).await?;
        Ok(Content::File(OnDisk { head: self.head, file, len: self.len }))
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
    pub fn reader(&self) -> io::Result<BlobReader> {
        Ok(match &self.content {
            Content::Memory(bytes) => BlobReader::of(bytes.clone()),
            Content::File(on_disk) => BlobReader::of_file(on_disk.head.clone(), on_disk.file.open()?, on_disk.len),
        })
    }

    pub(super) fn into_content(self) -> Content {
        self.content
    }

    /// Keeps it: on return it is as durable as was asked for when the store was opened. If the caller gives up
    /// meanwhile, it is removed.
    pub async fn keep(self) -> Result<BlobKey, BlobError> {
        self.blobs.keep(self.content).await
    }
}
