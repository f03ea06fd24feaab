//! Refuses writes in time: the last bytes of a disk are for the records and for deleting things.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{BlobError, os};

/// How long a look at the free space is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// The free space of one file system.
pub(super) struct Room {
    folder: PathBuf,
    reserve: u64,
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    at: Instant,
    free: u64,
}

impl Room {
    /// The room in the file system of `folder`, of which `reserve` bytes are left alone.
    pub(super) fn new(folder: PathBuf, reserve: u64) -> Self {
        Self { folder, reserve, seen: Mutex::new(None) }
    }

    /// Asks to write `bytes`. May wait for the disk.
    pub(super) fn take(&self, bytes: u64) -> Result<(), BlobError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = self.reserve.saturating_add(bytes);
        let fresh = seen.take().filter(|seen| seen.at.elapsed() < BELIEVED && seen.free >= needed);
        let mut now = match fresh {
            Some(seen) => seen,
            None => Seen { at: Instant::now(), free: os::free_space(&self.folder)? },
        };
        if now.free < needed {
            return Err(BlobError::NoSpace);
        }
        now.free -= bytes;
        *seen = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let free = os::free_space(folder.path()).unwrap();
        let room = Room::new(folder.path().to_owned(), 0);
        room.take(1).unwrap();
        assert!(matches!(room.take(free * 2), Err(BlobError::NoSpace)));
        // A refusal is not remembered.
        room.take(1).unwrap();
        let reserved = Room::new(folder.path().to_owned(), free * 2);
        assert!(matches!(reserved.take(0), Err(BlobError::NoSpace)));
    }
}
