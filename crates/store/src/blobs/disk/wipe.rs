//! Emptying the folder: what is in it is moved aside, which takes the same time however much it is, and deleted by and by.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

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
            let Self { root, packs, files, durability, spool, appender, open_packs } = &*work;
            let aside = root.join(WIPED).join(spool.new_id().simple().to_string());
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
            Ok(())
        })
        .await?;
        disk.clean_up();
        Ok(())
    }

    /// Deletes in the background what was moved aside, also by processes that died before they could.
    pub(super) fn clean_up(&self) {
        let aside = self.root.join(WIPED);
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = fs::remove_dir_all(aside)
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!(%error, "what was wiped could not be deleted from the disk");
            }
        }));
    }
}

/// Moves a folder away and makes an empty one in its place.
fn replace(folder: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(folder, aside)?;
    fs::create_dir(folder)
}
