//! A blob on its way out.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::poll_fn;
use futures_util::stream::BoxStream;
use tokio::task::JoinHandle;

use super::buffers::Pool;
use super::os;

/// The most bytes of one read from the page cache: two of these and what the socket copies fit into a core's cache.
const HOT: usize = 128 << 10;

/// Bytes of a blob: exactly as many as were asked for, or an error.
pub struct BlobStream {
    left: u64,
    source: Source,
}

enum Source {
    Memory(Bytes),
    File(FileSource),
    Stream(BoxStream<'static, io::Result<Bytes>>),
    Ended,
}

struct FileSource {
    file: Arc<File>,
    at: u64,
    buffers: Arc<Pool>,
    waiting: Option<JoinHandle<io::Result<Bytes>>>,
}

impl BlobStream {
    /// Bytes that are at hand.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { left: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// `len` bytes of `file` from `at` on.
    pub(super) fn of_file(file: Arc<File>, at: u64, len: u64, buffers: Arc<Pool>) -> Self {
        Self { left: len, source: Source::File(FileSource { file, at, buffers, waiting: None }) }
    }

    /// `len` bytes out of `stream`, whose pieces are not empty.
    pub(super) fn of_stream(stream: BoxStream<'static, io::Result<Bytes>>, len: u64) -> Self {
        Self { left: len, source: Source::Stream(stream) }
    }

    /// How many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        self.left
    }

    /// Everything that is still to come, in one piece of memory.
    pub(super) async fn gather(mut self) -> io::Result<Bytes> {
        let mut next = async || poll_fn(|cx| Pin::new(&mut self).poll_next(cx)).await.transpose();
        let Some(first) = next().await? else { return Ok(Bytes::new()) };
        let Some(second) = next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(more) = next().await? {
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }
}

impl Stream for BlobStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            self.source = Source::Ended;
            return Poll::Ready(None);
        }
        let left = self.left;
        let next = match &mut self.source {
            Source::Memory(bytes) => Ok(std::mem::take(bytes)),
            Source::File(source) => ready!(source.poll(left, cx)),
            Source::Stream(stream) => ready!(stream.as_mut().poll_next(cx)).unwrap_or_else(|| Ok(Bytes::new())),
            Source::Ended => return Poll::Ready(None),
        };
        let next = next.and_then(|mut bytes| {
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            Ok(bytes)
        });
        match &next {
            Ok(bytes) => self.left -= bytes.len() as u64,
            Err(_) => self.source = Source::Ended,
        }
        Poll::Ready(Some(next))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left > 0), None)
    }
}

impl FileSource {
    fn poll(&mut self, left: u64, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.waiting.is_none() {
            let mut buffer = self.buffers.get();
            let want = usize::try_from(left).unwrap_or(usize::MAX);
            match os::read_at_once(&self.file, &mut buffer[..want.min(HOT)], self.at) {
                Ok(Some(read)) => {
                    self.at += read as u64;
                    return Poll::Ready(Ok(buffer.freeze(read)));
                }
                Err(error) => return Poll::Ready(Err(error)),
                Ok(None) => {
                    let (file, at) = (Arc::clone(&self.file), self.at);
                    // A longer piece, since this one costs a trip to another thread.
                    let want = want.min(buffer.len());
                    self.waiting = Some(tokio::task::spawn_blocking(move || {
                        file.read_exact_at(&mut buffer[..want], at)?;
                        Ok(buffer.freeze(want))
                    }));
                }
            }
        }
        let Some(job) = &mut self.waiting else { return Poll::Ready(Ok(Bytes::new())) };
        let read = ready!(Pin::new(job).poll(cx)).unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        self.waiting = None;
        if let Ok(bytes) = &read {
            self.at += bytes.len() as u64;
        }
        Poll::Ready(read)
    }
}
