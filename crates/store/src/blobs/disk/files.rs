//! Blobs that are files of their own, in folders by the first four digits of their names.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use uuid::Uuid;

use super::super::spool::{Doomed, TempFile};
use super::super::{BlobError, os};
use super::sync_folder;
use crate::Durability;

/// How many files this process puts into a folder before it turns to the next. Spreading them at random would make a
/// new folder for almost every file of a young store, and every journal commit would touch another one.
const IN_A_ROW: usize = 256;

/// The folder of those files.
pub(super) struct Files {
    root: PathBuf,
    durability: Durability,
    kept: AtomicUsize,
    /// One bit for each of the 65,536 innermost folders: whether this process has made sure that it exists and that its
    /// own entry is durable.
    settled: Box<[AtomicU64]>,
}

/// A file that has been kept, but whose keeper may have given up: it is removed unless its name is asked for.
pub(super) struct Kept {
    id: Uuid,
    path: Doomed,
}

impl Kept {
    /// The name under which it stays.
    pub(super) fn into_id(self) -> Uuid {
        self.path.spare();
        self.id
    }
}

impl Files {
    /// The files under `root`; `start` chooses the first folder.
    pub(super) fn new(root: PathBuf, durability: Durability, start: Uuid) -> Self {
        let [first, second, ..] = *start.as_bytes();
        let kept = AtomicUsize::new(usize::from(u16::from_be_bytes([first, second])) * IN_A_ROW);
        Self { root, durability, kept, settled: (0..1024).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The folder of all of them.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file of this name is.
    pub(super) fn path(&self, id: Uuid) -> PathBuf {
        let [first, second, ..] = *id.as_bytes();
        self.root.join(format!("{first:02x}/{second:02x}/{}", id.simple()))
    }

    /// To be called after all folders have gone.
    pub(super) fn wiped(&self) {
        let Self { root: _, durability: _, kept: _, settled } = self;
        for folders in settled {
            folders.store(0, Ordering::Release);
        }
    }

    /// `id` with the digits of the folder whose turn it is.
    fn place(&self, id: Uuid) -> Uuid {
        let [.., first, second] = (self.kept.fetch_add(1, Ordering::Relaxed) / IN_A_ROW).to_be_bytes();
        let mut bytes = id.into_bytes();
        [bytes[0], bytes[1]] = [first, second];
        Uuid::from_bytes(bytes)
    }

    /// Moves a finished draft to its place. Waits for the disk.
    pub(super) fn keep(&self, draft: TempFile, id: Uuid) -> Result<Kept, BlobError> {
        self.put(id, |path| draft.move_to(path))
    }

    /// Makes a file of `size` bytes that occupies nothing yet, at its place. Waits for the disk.
    pub(super) fn begin(&self, size: u64, id: Uuid) -> Result<Kept, BlobError> {
        self.put(id, |path| {
            let file = File::create_new(path)?;
            let doomed = Doomed::new(path.to_owned());
            // Set here and now: writers that each made the file longer would have to wait for one another.
            file.set_len(size)?;
            doomed.spare();
            Ok(file)
        })
    }

    /// Gives the file `from` a second name. None where the file system gives none. Waits for the disk.
    pub(super) fn link(&self, from: Uuid, file: File, id: Uuid) -> Result<Option<Kept>, BlobError> {
        let from = self.path(from);
        let linked = self.put(id, |path| {
            // Both names have one age. It counts from here, and from before there is a second name: that one's record is
            // still to be written, and the janitor takes what is old and not recorded for forgotten.
            file.set_modified(stowage_model::clock::machine_now().to_system_time())?;
            fs::hard_link(&from, path)?;
            Ok(file)
        });
        match linked {
            Ok(kept) => Ok(Some(kept)),
            Err(BlobError::Io(error)) if os::cannot_link(&error) => Ok(None),
            Err(BlobError::Io(error)) if error.kind() == io::ErrorKind::NotFound && !from.try_exists()? => {
                Err(BlobError::NotFound)
            }
            Err(error) => Err(error),
        }
    }

    fn put(&self, id: Uuid, put: impl FnOnce(&Path) -> io::Result<File>) -> Result<Kept, BlobError> {
        let id = self.place(id);
        let path = self.path(id);
        let inner = parent(&path)?;
        let [first, second, ..] = *id.as_bytes();
        let settled = &self.settled[usize::from(first) * 4 + usize::from(second) / 64];
        let bit = 1 << (second % 64);
        let is_settled = settled.load(Ordering::Acquire) & bit != 0;
        if !is_settled {
            fs::create_dir_all(inner)?;
        }
        let file = put(&path)?;
        let kept = Kept { id, path: Doomed::new(path.clone()) };
        if self.durability == Durability::Full {
            // At its place already, so that one journal commit covers bytes and name: a name means nothing before it is
            // recorded.
            file.sync_all()?;
            sync_folder(inner)?;
            if !is_settled {
                sync_folder(parent(inner)?)?;
                sync_folder(&self.root)?;
            }
        }
        settled.fetch_or(bit, Ordering::AcqRel);
        Ok(kept)
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
