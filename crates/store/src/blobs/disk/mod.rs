//! Blobs in a folder of this machine.

mod appender;
mod copy;
mod files;
mod inventory;
mod packs;
mod parts;
mod wipe;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::draft::Content;
use super::key::{Key, PackId, Packed};
use super::options::OpenError;
use super::seek::BlobReader;
use super::spool::{Spool, blocking};
use super::{BlobError, BlobStream, HeldBlob, os};
use crate::Durability;
use appender::Appender;
use files::Files;
pub(super) use parts::PartFile;

/// What follows each blob in a pack. Where it reads as zero the blob has been deleted, or never became durable.
const MARK: u8 = 1;

/// How many packs are kept open for reading.
const OPEN_PACKS: usize = 128;

/// The store.
pub(super) struct Disk {
    root: PathBuf,
    packs: PathBuf,
    files: Files,
    durability: Durability,
    spool: Arc<Spool>,
    appender: Appender,
    open_packs: Cache<PackId, Arc<File>>,
    /// Held while something is moved aside, or the place for that is removed.
    wiping: Arc<Mutex<()>>,
}

impl Disk {
    /// Opens the store in `root`, which is made when missing.
    pub(super) async fn open(root: PathBuf, reserve: u64, durability: Durability) -> Result<Self, OpenError> {
        let shown = root.display().to_string();
        let opened = blocking(move || {
            let packs = root.join("packs");
            for folder in [&root.join("files"), &packs] {
                fs::create_dir_all(folder)?;
            }
            let spool = Spool::open(root.join("tmp"), reserve)?;
            if durability == Durability::Full {
                // The folders themselves must outlive a power cut, too.
                for folder in [Some(root.as_path()), root.parent()].into_iter().flatten() {
                    sync_folder(if folder.as_os_str().is_empty() { ".".as_ref() } else { folder })?;
                }
            }
            os::check_writable(&packs)?;
            Ok(Self {
                files: Files::new(root.join("files"), durability, spool.new_id()),
                appender: Appender::new(packs.clone(), Arc::clone(&spool), durability),
                packs,
                durability,
                spool,
                open_packs: Cache::new(OPEN_PACKS),
                wiping: Arc::default(),
                root,
            })
        });
        let opened = opened.await;
        if let Ok(disk) = &opened {
            disk.clean_up();
        }
        opened.map_err(|error| {
            OpenError::new(format!(
                "blobs.url: the folder {shown} cannot be used: {error}; name one that can be written to"
            ))
        })
    }

    pub(super) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Makes a draft a blob.
    pub(super) async fn keep(disk: &Arc<Self>, content: Content) -> Result<Key, BlobError> {
        match content {
            Content::Memory(bytes) => Ok(Key::Packed(disk.appender.append(bytes).await?)),
            Content::File(draft) => {
                let disk = Arc::clone(disk);
                let kept = blocking(move || disk.files.keep(draft.file, disk.spool.new_id())).await?;
                Ok(Key::Loose(kept.into_id()))
            }
        }
    }

    /// Opens a blob of its own that has at least `len` bytes.
    async fn open_file(&self, id: Uuid, len: u64) -> Result<File, BlobError> {
        let file = open(self.files.path(id)).await?;
        if file.metadata()?.len() < len { Err(super::too_short()) } else { Ok(file) }
    }

    /// Opens a blob of its own for reading.
    pub(super) async fn read(&self, id: Uuid, range: Range<u64>) -> Result<BlobStream, BlobError> {
        let len = range.end.checked_sub(range.start).ok_or_else(super::too_short)?;
        let file = self.open_file(id, range.end).await?;
        Ok(BlobStream::of_file(Arc::new(file), range.start, len, Arc::clone(&self.spool.buffers)))
    }

    /// Opens a blob of its own, of `len` bytes, for reading here and there.
    pub(super) async fn reader(&self, id: Uuid, len: u64) -> Result<BlobReader, BlobError> {
        Ok(BlobReader::of_file(Bytes::new(), self.open_file(id, len).await?, len))
    }

    /// Holds a blob of its own, of `len` bytes, open.
    pub(super) async fn hold(&self, id: Uuid, len: u64) -> Result<HeldBlob, BlobError> {
        Ok(HeldBlob::of_file(self.open_file(id, len).await?, Arc::clone(&self.spool.buffers)))
    }

    /// Reads a blob out of its pack.
    pub(super) async fn read_packed(&self, packed: Packed) -> Result<Bytes, BlobError> {
        let pack = self.pack(packed.pack).await?;
        let mut bytes = vec![0; packed.len + 1];
        let at_hand = os::read_at_once(&pack, &mut bytes, packed.offset)?;
        if at_hand != Some(bytes.len()) {
            bytes = blocking(move || match pack.read_exact_at(&mut bytes, packed.offset) {
                Ok(()) => Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BlobError::NotFound),
                Err(error) => Err(error.into()),
            })
            .await?;
        }
        if bytes.pop() == Some(MARK) { Ok(bytes.into()) } else { Err(BlobError::NotFound) }
    }

    async fn pack(&self, id: PackId) -> Result<Arc<File>, BlobError> {
        if let Some(pack) = self.open_packs.get(&id) {
            return Ok(pack);
        }
        let pack = Arc::new(open(self.pack_path(id)).await?);
        os::expect_random(&pack);
        self.open_packs.insert(id, Arc::clone(&pack));
        Ok(pack)
    }

    /// Deletes a blob of its own.
    pub(super) async fn delete(&self, id: Uuid) -> Result<(), BlobError> {
        let path = self.files.path(id);
        blocking(move || Ok(gone_is_fine(fs::remove_file(path))?)).await
    }

    /// Fails where the folder cannot be written to.
    pub(super) async fn ready(&self) -> Result<(), BlobError> {
        let folders = [self.spool.folder().to_owned(), self.packs.clone()];
        blocking(move || Ok(folders.iter().try_for_each(|folder| os::check_writable(folder))?)).await
    }

    fn pack_path(&self, pack: PackId) -> PathBuf {
        pack_path(&self.packs, pack)
    }
}

fn pack_path(folder: &std::path::Path, pack: PackId) -> PathBuf {
    folder.join(format!("{pack}.pack"))
}

/// Opens a file for reading, at once where the kernel has its place in mind.
async fn open(path: PathBuf) -> Result<File, BlobError> {
    let opened = match os::open_at_once(&path) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => blocking(move || Ok(File::open(path))).await?,
        Err(error) => Err(error),
    };
    opened.map_err(missing)
}

/// What became of opening a blob's file.
fn missing(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::NotFound => BlobError::NotFound,
        _ => error.into(),
    }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn sync_folder(folder: &std::path::Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
