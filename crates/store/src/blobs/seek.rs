//! The bytes of a blob for code that reads here and there, and that waits for them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use super::s3::Blocks;

/// A blob that can be read and sought in. Reading blocks, and what lies in S3 comes through the runtime: use it on a
/// thread that may wait, such as those of `spawn_blocking`, never inside async code, where it panics.
pub struct BlobReader {
    source: Source,
    at: u64,
    len: u64,
}

enum Source {
    Memory(Bytes),
    File { head: Bytes, file: File },
    S3(Blocks),
}

impl BlobReader {
    /// Bytes that are at hand.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, source: Source::Memory(bytes), at: 0 }
    }

    /// The first `len` bytes of a file, of which `head` is a beginning.
    pub(super) fn of_file(head: Bytes, file: File, len: u64) -> Self {
        Self { source: Source::File { head, file }, at: 0, len }
    }

    /// The first `len` bytes of an object.
    pub(super) fn of_blocks(blocks: Blocks, len: u64) -> Self {
        Self { source: Source::S3(blocks), at: 0, len }
    }

    /// Length of the blob in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the blob has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Read for BlobReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = into.len().min(left);
        let into = &mut into[..want];
        if into.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.source {
            Source::Memory(bytes) => rest(bytes, self.at).read(into)?,
            Source::File { head, file } => match rest(head, self.at) {
                [] => file.read_at(into, self.at)?,
                mut head => head.read(into)?,
            },
            Source::S3(blocks) => blocks.bytes_from(self.at)?.read(into)?,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

fn rest(bytes: &Bytes, at: u64) -> &[u8] {
    usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default()
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
