//! The blobs: bytes without names, kept durably on disk or in S3 and found again by the key that keeping them gave.
//! Whose they are, how long they stay and who may see them is for the records and for higher rooms to know.
//!
//! On disk, blobs of up to 64 KiB share *packs* (`packs/<id>.pack`): one thread appends whatever waits and makes it
//! durable at once, because a file for each would cost two journal commits. Larger ones are files of their own
//! (`files/ab/cd/<id>`), written past the page cache. Which parts of a pack are alive only the records know.
//!
//! A blob that arrives in parts is such a file, or an object, from the beginning: see [`Parts`].

mod buffers;
#[cfg(feature = "testing")]
pub mod conformance;
mod direct;
mod disk;
mod draft;
mod held;
mod key;
mod options;
mod os;
mod parts;
mod reader;
mod room;
pub mod s3;
mod seek;
mod spool;
mod turns;
mod wipe;
mod writer;

use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use stowage_model::BlobKey;

use crate::Durability;
use disk::Disk;
pub use draft::{Draft, Finished};
pub use held::HeldBlob;
use key::{Key, Packed};
pub use key::{PackId, SMALL};
pub use options::{Checksums, OpenError, Options, PartUrls};
pub use parts::{AssembleError, Part, PartDraft, PartError, PartTurn, Parts};
pub use reader::BlobStream;
use s3::S3;
pub use s3::S3Place;
pub use seek::BlobReader;
use spool::Spool;
use turns::Turns;

/// A blob store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    engine: Engine,
    /// Who writes which part.
    turns: Arc<Turns>,
}

#[derive(Clone)]
enum Engine {
    Disk(Arc<Disk>),
    S3(Arc<S3>),
}

/// Why a blob could not be written, read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full, or as full as it may become.
    #[error("no space left for blobs")]
    NoSpace,
    /// There is no such blob.
    #[error("no such blob")]
    NotFound,
    /// The disk failed.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// S3 refused or could not be reached; the text holds no secrets.
    #[error("S3: {0}")]
    S3(String),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

/// A page of what a store holds, for the janitor.
#[derive(Debug, Default)]
pub struct Inventory {
    /// What is old enough to be judged.
    pub items: Vec<Stored>,
    /// Where the next page begins; none after the last one.
    pub next: Option<Cursor>,
}

/// A place in an inventory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(String);

/// Something that a store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stored {
    /// A blob of its own: if no record knows it, it is to be deleted.
    Blob {
        /// Its key.
        key: BlobKey,
        /// Its length in bytes.
        size: u64,
    },
    /// A pack of small blobs to which nothing is added any more: to be reclaimed with the keys that records know.
    Pack {
        /// Its name; [`PackId::prefix`] is what the keys of its blobs begin with.
        id: PackId,
        /// The bytes of disk that it occupies.
        size: u64,
    },
}

/// What a clean-up has freed, or would free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Freed {
    /// Files, objects or parts of packs.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Freed {
    fn add(&mut self, bytes: u64) {
        self.items += 1;
        self.bytes += bytes;
    }
}

impl Blobs {
    /// Opens the store that `options` name: makes its folders or its bucket where they are missing.
    pub async fn open(options: &Options, data_dir: &Path, durability: Durability) -> Result<Self, OpenError> {
        let engine = match options.place(data_dir)? {
            options::Place::Disk(root) => Engine::Disk(Arc::new(Disk::open(root, options.reserve, durability).await?)),
            options::Place::S3(bucket) => Engine::S3(Arc::new(S3::open(bucket, options, data_dir).await?)),
        };
        Ok(Self { engine, turns: Arc::default() })
    }

    /// Begins a blob.
    pub fn draft(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// Reads the bytes `range` of a blob, which must lie within it.
    pub async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        match (&self.engine, Key::parse(key)) {
            (Engine::Disk(disk), Some(Key::Loose(id))) => disk.read(id, range).await,
            (Engine::Disk(disk), Some(Key::Packed(packed))) => {
                let bytes = disk.read_packed(packed).await?;
                let within = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
                match (within(range.start), within(range.end)) {
                    (Some(start), Some(end)) if start <= end => Ok(BlobStream::of(bytes.slice(start..end))),
                    _ => Err(too_short()),
                }
            }
            (Engine::S3(s3), Some(Key::Loose(id))) => S3::read(s3, id, range).await,
            (_, None) | (Engine::S3(_), Some(Key::Packed(_))) => Err(BlobError::NotFound),
        }
    }

    /// Reads all of a blob of `len` bytes into memory.
    pub async fn read_small(&self, key: &BlobKey, len: u64) -> Result<Bytes, BlobError> {
        if let (Engine::Disk(disk), Some(Key::Packed(packed))) = (&self.engine, Key::parse(key)) {
            if packed.len as u64 != len {
                return Err(too_short());
            }
            return disk.read_packed(packed).await;
        }
        self.read(key, 0..len).await?.gather().await.map_err(BlobError::from)
    }

    /// Holds a blob of `len` bytes open, to be read again and again; none where every reading would be a request to S3.
    pub async fn hold(&self, key: &BlobKey, len: u64) -> Result<Option<HeldBlob>, BlobError> {
        match (&self.engine, Key::parse(key)) {
            (Engine::Disk(disk), Some(Key::Loose(id))) => disk.hold(id, len).await.map(Some),
            (Engine::Disk(_), Some(Key::Packed(_))) => Ok(Some(HeldBlob::of(self.read_small(key, len).await?))),
            (Engine::S3(_), Some(Key::Loose(_))) => Ok(None),
            (_, None) | (Engine::S3(_), Some(Key::Packed(_))) => Err(BlobError::NotFound),
        }
    }

    /// Where a blob lies in S3; none where it does not.
    pub fn s3_place(&self, key: &BlobKey) -> Option<S3Place<'_>> {
        match (&self.engine, Key::parse(key)) {
            (Engine::S3(s3), Some(Key::Loose(id))) => Some(s3.place(id)),
            _ => None,
        }
    }

    /// Opens a blob of `len` bytes for code that reads here and there and waits for the bytes.
    pub async fn reader(&self, key: &BlobKey, len: u64) -> Result<BlobReader, BlobError> {
        match (&self.engine, Key::parse(key)) {
            (Engine::Disk(disk), Some(Key::Loose(id))) => disk.reader(id, len).await,
            (Engine::Disk(_), Some(Key::Packed(_))) => Ok(BlobReader::of(self.read_small(key, len).await?)),
            (Engine::S3(s3), Some(Key::Loose(id))) => S3::reader(s3, id, len).await,
            (_, None) | (Engine::S3(_), Some(Key::Packed(_))) => Err(BlobError::NotFound),
        }
    }

    /// Makes a second blob of the same `size` bytes, which lives and dies for itself: on return it is as durable as was
    /// asked for when the store was opened. Where the engine can, no byte is read. If the caller gives up meanwhile, the
    /// copy is removed.
    pub async fn copy(&self, key: &BlobKey, size: u64) -> Result<BlobKey, BlobError> {
        let copy = match (&self.engine, Key::parse(key)) {
            (Engine::Disk(disk), Some(key)) => Disk::copy(disk, key, size).await?,
            (Engine::S3(s3), Some(Key::Loose(id))) => Key::Loose(S3::copy(s3, id, size).await?),
            (_, None) | (Engine::S3(_), Some(Key::Packed(_))) => return Err(BlobError::NotFound),
        };
        Ok(copy.text())
    }

    /// Deletes a blob; one that does not exist counts as deleted.
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match (&self.engine, Key::parse(key)) {
            (Engine::Disk(disk), Some(Key::Loose(id))) => disk.delete(id).await,
            (Engine::Disk(disk), Some(Key::Packed(packed))) => Disk::delete_packed(disk, packed).await,
            (Engine::S3(s3), Some(Key::Loose(id))) => s3.delete(id).await,
            (_, None) | (Engine::S3(_), Some(Key::Packed(_))) => Ok(()),
        }
    }

    /// Fails where blobs can be neither written nor read at the moment; cheap enough to be asked every second.
    pub async fn ready(&self) -> Result<(), BlobError> {
        match &self.engine {
            Engine::Disk(disk) => disk.ready().await,
            Engine::S3(s3) => s3.ready().await,
        }
    }

    /// Lists what was kept more than `grace` ago, by the machine's clock.
    pub async fn inventory(&self, after: Option<&Cursor>, grace: Duration) -> Result<Inventory, BlobError> {
        match &self.engine {
            Engine::Disk(disk) => Disk::inventory(disk, after, grace).await,
            Engine::S3(s3) => s3.inventory(after, grace).await,
        }
    }

    /// Frees every part of a pack that none of the `live` keys covers. Touches nothing where the pack is younger than
    /// `grace` or may still grow, or where a key belongs elsewhere.
    pub async fn reclaim(
        &self,
        pack: PackId,
        live: &[BlobKey],
        grace: Duration,
        dry_run: bool,
    ) -> Result<Freed, BlobError> {
        let packed = |key: &BlobKey| match Key::parse(key) {
            Some(Key::Packed(packed)) if packed.pack == pack => Ok(packed),
            _ => Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, "a key of another pack"))),
        };
        let live: Vec<Packed> = live.iter().map(packed).collect::<Result<_, _>>()?;
        match &self.engine {
            Engine::Disk(disk) => Disk::reclaim(disk, pack, live, grace, dry_run).await,
            Engine::S3(_) => Ok(Freed::default()),
        }
    }

    /// Removes what dead processes have left of unfinished blobs on the local disk more than `grace` ago. For what they
    /// have left in S3 see [`Blobs::unfinished_parts`].
    pub async fn sweep_drafts(&self, grace: Duration, dry_run: bool) -> Result<Freed, BlobError> {
        let spool = Arc::clone(self.spool());
        spool::blocking(move || Ok(spool.sweep(grace, dry_run)?)).await
    }

    fn spool(&self) -> &Arc<Spool> {
        match &self.engine {
            Engine::Disk(disk) => disk.spool(),
            Engine::S3(s3) => s3.spool(),
        }
    }

    async fn keep(&self, content: draft::Content) -> Result<BlobKey, BlobError> {
        let key = match &self.engine {
            Engine::Disk(disk) => Disk::keep(disk, content).await?,
            Engine::S3(s3) => Key::Loose(S3::keep(s3, content).await?),
        };
        Ok(key.text())
    }
}

fn too_short() -> BlobError {
    BlobError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the blob is not as long as its record says"))
}

/// How long ago a file was last written to. File systems know the machine's time only.
fn age(stat: &Metadata) -> Duration {
    let now = stowage_model::clock::machine_now().to_system_time();
    let written = stat.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    now.duration_since(written).unwrap_or_default()
}
