//! The calls to Linux that the standard library lacks, each with an answer for file systems that cannot do it. No
//! other module of this room names rustix.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Access, FallocateFlags, Mode, OFlags, ResolveFlags, SeekFrom};
use rustix::io::{Errno, ReadWriteFlags};

/// What offset, length and memory of a direct write must be a multiple of.
pub(super) const ALIGN: usize = 4096;

/// `ALIGN` for file offsets.
pub(super) const ALIGN_U64: u64 = ALIGN as u64;

/// A new file whose writes go past the page cache, where the file system can do that; whether it can is told too.
///
/// Copying into fresh pages of the cache costs ten times the CPU of a direct write, and most blobs are not read again
/// before they would have been pushed out.
pub(super) fn create_direct(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.write(true);
    let direct = options.clone().create_new(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path);
    match direct {
        // Some file systems make the file before they find that they cannot open it so.
        Err(error) if cannot(&error) => Ok((options.create(true).truncate(false).open(path)?, false)),
        other => Ok((other?, true)),
    }
}

/// An existing file whose writes go past the page cache, where the file system can do that; whether it can is told too.
pub(super) fn open_direct(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.write(true);
    match options.clone().custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path) {
        Err(error) if cannot(&error) => Ok((options.open(path)?, false)),
        other => Ok((other?, true)),
    }
}

/// Lets further writes to `file` go through the page cache, so that they may have any length.
pub(super) fn leave_direct(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags.difference(OFlags::DIRECT))?)
}

/// Opens a file for reading if that can be told without waiting for the disk; `None` where it cannot.
pub(super) fn open_at_once(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Ok(Some(file.into())),
        // PERM is what some sandboxes answer to a call that they do not know.
        Err(Errno::AGAIN | Errno::NOSYS | Errno::INVAL | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what the page cache holds from `offset` on; `None` where the disk would have to be waited for.
pub(super) fn read_at_once(file: &File, into: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    match rustix::io::preadv2(file, &mut [IoSliceMut::new(into)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(Some(read)),
        Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells the kernel that `file` is read here and there, so that it does not read ahead.
pub(super) fn expect_random(file: &File) {
    // Advice: nothing is lost where it is not taken.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
}

/// Gives back the disk space of a part of `file`, which then reads as zeros; false where the file system cannot.
pub(super) fn punch(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(file, how, offset, len) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Where the next written byte at or after `offset` is; `None` where only holes follow. A file system that knows no
/// holes answers `offset`.
pub(super) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where the next hole at or after `offset` begins, at the latest the end of the file.
pub(super) fn next_hole(file: &File, offset: u64) -> io::Result<u64> {
    Ok(rustix::fs::seek(file, SeekFrom::Hole(offset))?)
}

/// How many bytes may still be written to the file system of `folder`.
pub(super) fn free_space(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Fails where nothing may be written into `folder`.
pub(super) fn check_writable(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Whether a second name was refused because the file system gives none, or this file has as many as it can have.
pub(super) fn cannot_link(error: &io::Error) -> bool {
    let refusals = [Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK, Errno::XDEV];
    error.raw_os_error().is_some_and(|code| refusals.map(Errno::raw_os_error).contains(&code))
}

/// Whether a direct write or open was refused because of its form rather than for want of something.
pub(super) fn cannot(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [Errno::INVAL, Errno::OPNOTSUPP].map(Errno::raw_os_error).contains(&code))
}
