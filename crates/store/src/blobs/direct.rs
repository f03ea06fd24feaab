//! A file that is written from one place on, past the page cache where that can be done.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::os::{self, ALIGN, ALIGN_U64};

/// The file and how far it has been written.
pub(super) struct DirectFile {
    pub(super) file: File,
    direct: bool,
    at: u64,
}

impl DirectFile {
    /// A new file, written from its beginning.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let (file, direct) = os::create_direct(path)?;
        Ok(Self { file, direct, at: 0 })
    }

    /// An existing file, written from `at` on; through the page cache where `at` is no multiple of [`ALIGN`].
    pub(super) fn open(path: &Path, at: u64) -> io::Result<Self> {
        let (file, direct) = if at.is_multiple_of(ALIGN_U64) {
            os::open_direct(path)?
        } else {
            (OpenOptions::new().write(true).open(path)?, false)
        };
        Ok(Self { file, direct, at })
    }

    /// Whether its writes go past the page cache.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Writes the whole of `source`, which was just opened, into a new file, and gives back how many bytes that were. The
    /// file system copies them, or lets both files share them, where it can. Waits for the disk.
    pub(super) fn fill_from(&mut self, mut source: &File) -> io::Result<u64> {
        if self.direct {
            os::leave_direct(&self.file)?;
            self.direct = false;
        }
        let len = io::copy(&mut source, &mut &self.file)?;
        self.at = len;
        Ok(len)
    }

    /// Writes where the piece before has ended. Only the last piece may have a length that is no multiple of [`ALIGN`],
    /// and all must lie in a [`Buffer`](super::buffers::Buffer). Waits for the disk.
    pub(super) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        let whole = if self.direct { piece.len() / ALIGN * ALIGN } else { 0 };
        let (aligned, mut rest) = piece.split_at(whole);
        match self.file.write_all_at(aligned, self.at) {
            Ok(()) => self.at += aligned.len() as u64,
            Err(error) if os::cannot(&error) => rest = piece,
            Err(error) => return Err(error),
        }
        if !rest.is_empty() {
            if self.direct {
                os::leave_direct(&self.file)?;
                self.direct = false;
            }
            self.file.write_all_at(rest, self.at)?;
            self.at += rest.len() as u64;
        }
        Ok(())
    }
}
