//! Many files as one: ZIP and tar, written while they are sent. Nothing is compressed, because most of what people upload is
//! compressed already, and so the length is known before the first byte. Memory holds one piece of one file at a time.

mod names;
pub mod tar;
mod zip;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream};
use stowage_model::{File, Timestamp};
use stowage_store::blobs::{BlobError, BlobStream, Blobs};
use tracing::error;

use crate::Delivery;

/// Forms of an archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArchiveKind {
    /// `.zip`
    Zip,
    /// `.tar`, not compressed.
    Tar,
}

impl ArchiveKind {
    /// The MIME type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Tar => "application/x-tar",
        }
    }

    /// How names of such files end, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }
}

/// A file that goes into an archive.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name that it should have; made harmless and unique.
    pub name: String,
    /// The file, not removed.
    pub file: Arc<File>,
}

/// Why there is no archive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is too much in it.
    #[error("The files have {0} bytes together; an archive may have at most {1}.")]
    TooLarge(u64, u64),
    /// The bytes of a file are gone.
    #[error("A file of the archive is gone.")]
    Gone,
}

/// An archive on its way out: a stream of its bytes.
pub struct Archive {
    len: u64,
    left: u64,
    blobs: Blobs,
    writer: Writer,
    waiting: VecDeque<Entry>,
    state: State,
}

/// A file, as it will stand in the archive.
struct Entry {
    name: String,
    file: Arc<File>,
}

/// What is written around the bytes of the files.
enum Writer {
    Zip(zip::Zip),
    Tar(tar::Tar),
}

enum State {
    /// Between two files.
    Between,
    Opening(Entry, BoxFuture<'static, Result<BlobStream, BlobError>>),
    Sending(BlobStream),
    /// After the last byte, or after a failure.
    Over,
}

impl Delivery {
    /// An archive of these files, in this order; a file may stand there several times.
    pub fn archive(&self, kind: ArchiveKind, members: Vec<Member>) -> Result<Archive, ArchiveError> {
        let total = members.iter().fold(0, |total: u64, member| total.saturating_add(member.file.size));
        if total > self.archive_size {
            return Err(ArchiveError::TooLarge(total, self.archive_size));
        }
        if members.iter().any(|member| member.file.blob.is_none()) {
            return Err(ArchiveError::Gone);
        }
        let names = names::unique(members.iter().map(|member| member.name.as_str()));
        let entries: VecDeque<Entry> =
            members.into_iter().zip(names).map(|(member, name)| Entry { name, file: member.file }).collect();
        let sizes = || entries.iter().map(|entry| (entry.name.as_str(), entry.file.size));
        let (len, writer) = match kind {
            ArchiveKind::Zip => (zip::len(sizes()), Writer::Zip(zip::Zip::new())),
            ArchiveKind::Tar => (tar::len(sizes()), Writer::Tar(tar::Tar::new())),
        };
        Ok(Archive { len, left: len, blobs: self.blobs.clone(), writer, waiting: entries, state: State::Between })
    }
}

impl Archive {
    /// Its length in bytes; the stream breaks off with an error rather than to have another one.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Never: there is always an end.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match &mut self.state {
                State::Between => {
                    let Some(entry) = self.waiting.pop_front() else {
                        self.state = State::Over;
                        return Poll::Ready(Ok(Some(self.writer.end())));
                    };
                    let Some(blob) = entry.file.blob.clone() else { return Poll::Ready(Err(gone())) };
                    let (blobs, size) = (self.blobs.clone(), entry.file.size);
                    let opening = async move { blobs.read(&blob, 0..size).await }.boxed();
                    self.state = State::Opening(entry, opening);
                }
                State::Opening(entry, opening) => {
                    let stream = ready!(opening.as_mut().poll(cx)).map_err(|failure| {
                        error!(file = %entry.file.id, error = %failure, "a file could not be put into an archive");
                        gone()
                    })?;
                    let head = self.writer.begin(&entry.name, entry.file.size, entry.file.uploaded_at);
                    self.state = State::Sending(stream);
                    return Poll::Ready(Ok(Some(head)));
                }
                State::Sending(stream) => {
                    if let Some(piece) = ready!(Pin::new(stream).poll_next(cx)).transpose()? {
                        return Poll::Ready(Ok(Some(self.writer.data(piece))));
                    }
                    self.state = State::Between;
                    let tail = self.writer.finish();
                    if !tail.is_empty() {
                        return Poll::Ready(Ok(Some(tail)));
                    }
                }
                State::Over => return Poll::Ready(Ok(None)),
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "a file of the archive is gone")
}

impl Stream for Archive {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let polled = ready!(self.poll(cx));
        Poll::Ready(match polled {
            Ok(Some(piece)) => {
                let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                    self.state = State::Over;
                    return Poll::Ready(Some(Err(io::Error::other("the archive became longer than was announced"))));
                };
                self.left = left;
                Some(Ok(piece))
            }
            Ok(None) => None,
            Err(failure) => {
                self.state = State::Over;
                Some(Err(failure))
            }
        })
    }
}

impl Writer {
    fn begin(&mut self, name: &str, size: u64, modified: Timestamp) -> Bytes {
        match self {
            Self::Zip(zip) => zip.begin(name, size, modified),
            Self::Tar(tar) => tar.begin(name, size, modified),
        }
    }

    fn data(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Zip(zip) => zip.data(piece),
            Self::Tar(_) => piece,
        }
    }

    fn finish(&mut self) -> Bytes {
        match self {
            Self::Zip(zip) => zip.finish(),
            Self::Tar(tar) => tar.finish(),
        }
    }

    fn end(&mut self) -> Bytes {
        match self {
            Self::Zip(zip) => zip.end(),
            Self::Tar(_) => tar::end(),
        }
    }
}
