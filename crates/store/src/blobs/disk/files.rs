//! Blobs that are files of their own, spread over folders by the first four digits of their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::super::BlobError;
use super::super::spool::{Doomed, TempFile};
use super::sync_folder;
use crate::Durability;

/// The folder of those files.
pub(super) struct Files {
    root: PathBuf,
    durability: Durability,
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
    pub(super) fn new(root: PathBuf, durability: Durability) -> Self {
        Self { root, durability, settled: (0..1024).map(|_| AtomicU64::new(0)).collect() }
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

    /// Moves a finished draft to its place. Waits for the disk.
    pub(super) fn keep(&self, draft: TempFile, id: Uuid) -> Result<Kept, BlobError> {
        let path = self.path(id);
        let inner = parent(&path)?;
        let [first, second, ..] = *id.as_bytes();
        let settled = &self.settled[usize::from(first) * 4 + usize::from(second) / 64];
        let bit = 1 << (second % 64);
        let is_settled = settled.load(Ordering::Acquire) & bit != 0;
        if !is_settled {
            fs::create_dir_all(inner)?;
        }
        let file = draft.move_to(&path)?;
        let kept = Kept { id, path: Doomed::new(path.clone()) };
        if self.durability == Durability::Full {
            // Moved first, so that one journal commit covers bytes and name: a name means nothing before it is recorded.
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
