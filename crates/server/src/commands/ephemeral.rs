//! `serve --ephemeral`: a data folder of its own that is gone when the server is. Its owner holds a lock on the folder, so that a
//! later start can tell what a killed one has left behind from what is in use.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use stowage_model::Ids;

/// How the names of these folders begin.
const PREFIX: &str = "stowage-ephemeral-";
/// How often something is tried again that others may have come between.
const TRIES: usize = 8;

/// A temporary data folder; dropping it removes it with everything in it.
pub(super) struct Ephemeral {
    folder: PathBuf,
    /// The folder, opened and locked.
    _lock: File,
}

impl Ephemeral {
    /// Makes a folder that only this user may enter, below the system's folder for temporary files.
    pub(super) fn make() -> anyhow::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(parent: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot make a temporary data folder in {} (TMPDIR)", parent.display());
        for _ in 0..TRIES {
            let folder = parent.join(format!("{PREFIX}{}", Ids::random().hex(12)));
            DirBuilder::new().mode(0o700).create(&folder).with_context(failed)?;
            // Whoever tidies up may have come between making and locking it.
            if let Some(lock) = lock(&folder).with_context(failed)? {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::from(io::ErrorKind::ResourceBusy)).with_context(failed)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "the temporary data folder could not be removed");
        }
    }
}

/// Removes folders whose server did not live to do so: those of this user that nobody holds.
pub(super) fn sweep() {
    sweep_in(&std::env::temp_dir());
}

fn sweep_in(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let folder = entry.path();
        // The lock is held until the folder is gone: whoever makes one of this name meanwhile takes another.
        let removed = lock(&folder).and_then(|lock| lock.map_or(Ok(false), |_lock| remove(&folder).map(|()| true)));
        match removed {
            Ok(true) => tracing::info!(folder = %folder.display(), "removed what a killed server has left"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, folder = %folder.display(), "a left-over folder cannot be removed"),
        }
    }
}

/// The lock of a folder of this user, unless somebody else holds it or the folder is no longer there.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    let found = match fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) => return gone(error),
    };
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let file = match File::open(folder) {
        Ok(file) => file,
        Err(error) => return gone(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // What was locked must still be what has this name.
    let locked = file.metadata()?;
    match fs::symlink_metadata(folder) {
        Ok(now) if (now.dev(), now.ino()) == (locked.dev(), locked.ino()) => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) => gone(error),
    }
}

/// Removes a folder although threads that were cut off may still write to it: under another name they no longer find it.
fn remove(folder: &Path) -> io::Result<()> {
    let mut name = folder.as_os_str().to_owned();
    name.push("-gone");
    let (mut moved, mut outcome) = (PathBuf::from(name), Ok(()));
    if fs::rename(folder, &moved).is_err() {
        folder.clone_into(&mut moved);
    }
    for _ in 0..TRIES {
        outcome = fs::remove_dir_all(&moved);
        match &outcome {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => break,
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_lasts_as_long_as_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let kept = Ephemeral::make_in(parent.path()).unwrap();
        let folder = kept.folder().to_owned();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(folder.join("blobs")).unwrap();
        fs::write(folder.join("blobs/a"), "x").unwrap();
        sweep_in(parent.path());
        assert!(folder.join("blobs/a").exists(), "what is held is in use");
        drop(kept);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        for name in ["stowage-ephemeral-0/blobs", "stowage-ephemeral-1-gone", "stowage-other", "elsewhere"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("stowage-ephemeral-file"), "x").unwrap();
        fs::write(path("elsewhere/kept"), "x").unwrap();
        std::os::unix::fs::symlink(path("elsewhere"), path("stowage-ephemeral-link")).unwrap();
        sweep_in(parent.path());
        assert!(!path("stowage-ephemeral-0").exists() && !path("stowage-ephemeral-1-gone").exists());
        assert!(path("stowage-other").exists() && path("stowage-ephemeral-file").exists());
        assert!(path("stowage-ephemeral-link/kept").exists(), "links are not followed");
    }
}
