//! Emptying the folder: what is in it is moved aside, which takes the same time however much it is, and deleted by and by.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::super::BlobError;
use super::super::spool::blocking;
use super::{Disk, sync_folder};
use crate::Durability;

/// Where it is moved.
const WIPED: &str = "wiped";

impl Disk {
    /// Removes every blob and every draft.
    pub(in super::super) async fn wipe(disk: &Arc<Self>) -> Result<(), BlobError> {
        let work = Arc::clone(disk);
        blocking(move || {
            let Self { root, packs, files, durability, spool, appender, open_packs, wiping } = &*work;
            let aside = root.join(WIPED).join(spool.new_id().simple().to_string());
            let _there = lock(wiping);
            fs::create_dir_all(&aside)?;
            appender.without(|| replace(packs, &aside.join("packs")))?;
            open_packs.clear();
            replace(files.root(), &aside.join("files"))?;
            files.wiped();
            // Whoever still writes a draft finds that it is gone.
            replace(spool.folder(), &aside.join("tmp"))?;
            if *durability == Durability::Full {
                sync_folder(root)?;
            }
            clean_up(root, vec![aside], wiping);
            Ok(())
        })
        .await
    }

    /// Deletes in the background what processes have moved aside that died before they could.
    pub(super) fn clean_up(&self) {
        let left =
            fs::read_dir(self.root.join(WIPED)).into_iter().flatten().flatten().map(|item| item.path()).collect();
        clean_up(&self.root, left, &self.wiping);
    }
}

/// Deletes these folders in the background, and none that comes meanwhile.
fn clean_up(root: &Path, aside: Vec<PathBuf>, wiping: &Arc<Mutex<()>>) {
    if aside.is_empty() {
        return;
    }
    let (wiped, wiping) = (root.join(WIPED), Arc::clone(wiping));
    drop(tokio::task::spawn_blocking(move || {
        for folder in aside {
            if let Err(error) = fs::remove_dir_all(folder) {
                warn!(%error, "what was wiped could not be deleted from the disk");
            }
        }
        // It is not empty where the next wipe has come by now.
        let _alone = lock(&wiping);
        let _ = fs::remove_dir(wiped);
    }));
}

fn lock(wiping: &Mutex<()>) -> MutexGuard<'_, ()> {
    wiping.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves a folder away and makes an empty one in its place.
fn replace(folder: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(folder, aside)?;
    fs::create_dir(folder)
}
