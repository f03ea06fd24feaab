//! The folder of files that are being written, and those files.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stowage_model::Ids;
use tokio::runtime::Handle;
use tracing::{debug, warn};

use super::buffers::Pool;
use super::direct::DirectFile;
use super::room::Room;
use super::{BlobError, Freed};

/// Bytes of one write to a draft, and the most of one read.
const BUFFER: usize = 256 << 10;

/// How many idle buffers are kept for the next draft or reader.
const IDLE_BUFFERS: usize = 32;

/// Bytes of one write to a part, and to a draft that has grown large. Half of it costs a sixth more CPU.
const LARGE_BUFFER: usize = 512 << 10;

/// How many idle large buffers are kept.
const IDLE_LARGE_BUFFERS: usize = 16;

/// A folder for drafts.
pub(super) struct Spool {
    folder: PathBuf,
    pub(super) room: Room,
    pub(super) buffers: Arc<Pool>,
    pub(super) large_buffers: Arc<Pool>,
    /// Not the ids of the product: a seed that repeats would write over what a former process has kept.
    ids: Ids,
}

impl Spool {
    /// The spool in `folder`, which is made when missing.
    pub(super) fn open(folder: PathBuf, reserve: u64) -> io::Result<Arc<Self>> {
        fs::create_dir_all(&folder)?;
        let room = Room::new(folder.clone(), reserve);
        let buffers = Pool::new(BUFFER, IDLE_BUFFERS);
        let large_buffers = Pool::new(LARGE_BUFFER, IDLE_LARGE_BUFFERS);
        Ok(Arc::new(Self { folder, room, buffers, large_buffers, ids: Ids::random() }))
    }

    /// Where the drafts are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A name that nothing has yet.
    pub(super) fn new_id(&self) -> uuid::Uuid {
        self.ids.uuid()
    }

    /// A new, locked file. May wait for the disk.
    pub(super) fn create(self: &Arc<Self>) -> io::Result<TempFile> {
        let path = self.folder.join(self.new_id().simple().to_string());
        let written = DirectFile::create(&path)?;
        let temp = TempFile { path: Doomed::new(path), written };
        // The lock tells other processes that somebody still writes here. Where it cannot be had, nothing is swept.
        if let Err(error) = temp.written.file.try_lock() {
            debug!(%error, "drafts cannot be locked in this file system");
        }
        Ok(temp)
    }

    /// Removes drafts that are older than `grace` and belong to no living process. May wait for the disk.
    pub(super) fn sweep(&self, grace: Duration, dry_run: bool) -> io::Result<Freed> {
        let mut freed = Freed::default();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            match stale(&path, grace) {
                Ok(Some(bytes)) => {
                    if !dry_run {
                        fs::remove_file(&path)?;
                    }
                    freed.add(bytes);
                }
                Ok(None) => {}
                // It was a draft of a living process, which has finished it or given it up meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(freed)
    }
}

/// The size of a left-over file; none where it may still be wanted.
fn stale(path: &Path, grace: Duration) -> io::Result<Option<u64>> {
    let stat = fs::symlink_metadata(path)?;
    if !stat.is_file() || super::age(&stat) < grace {
        return Ok(None);
    }
    match File::open(path)?.try_lock() {
        Ok(()) => Ok(Some(stat.len())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that disappears unless it is moved to its place.
pub(super) struct TempFile {
    path: Doomed,
    written: DirectFile,
}

impl TempFile {
    /// Writes at the end, as [`DirectFile::append`] does.
    pub(super) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.written.append(piece)
    }

    /// Fills it, as [`DirectFile::fill_from`] does.
    pub(super) fn fill_from(&mut self, source: &File) -> io::Result<u64> {
        self.written.fill_from(source)
    }

    /// Whether its writes go past the page cache.
    pub(super) fn is_direct(&self) -> bool {
        self.written.is_direct()
    }

    /// Opens it a second time, for reading.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(self.path.get())
    }

    /// Moves it to `target` and gives back the open, locked file. It then stays; its bytes are durable only after
    /// [`File::sync_all`]. Waits for the disk.
    pub(super) fn move_to(self, target: &Path) -> io::Result<File> {
        // The age of a blob counts from here, not from its last byte: its record is still to be written.
        self.written.file.set_modified(stowage_model::clock::machine_now().to_system_time())?;
        fs::rename(self.path.get(), target)?;
        self.path.spare();
        Ok(self.written.file)
    }
}

/// The path of a file that is removed when this is dropped.
pub(super) struct Doomed(PathBuf);

impl Doomed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn get(&self) -> &Path {
        &self.0
    }

    /// Lets the file live.
    pub(super) fn spare(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        if path.as_os_str().is_empty() {
            return;
        }
        let remove = move || {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!(%error, path = %path.display(), "a file that is not wanted stays until the janitor finds it");
            }
        };
        // Removing a large file takes its time: better on a thread that may wait, where there is one.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// The blocking pool, and what became of work in it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(BlobError::Io(io::Error::other(stopped))),
    }
}
