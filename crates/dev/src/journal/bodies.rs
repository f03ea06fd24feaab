//! Bodies on their way through: how large they are, and their beginning. Of those that come the end is kept as well: official clients put
//! the fields of a form behind its files.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::Record;

/// How many bytes of the end of a body that comes are kept.
pub(super) const TAIL: usize = 4096;

/// What is kept of a body.
pub(super) struct Kept {
    limit: usize,
    tail_limit: usize,
    /// Its beginning.
    pub(super) head: Vec<u8>,
    /// Its end, as far as that is behind the beginning; at most twice as long as it needs to be.
    tail: Vec<u8>,
    /// How long it is, as far as it went.
    pub(super) size: u64,
    /// Whether it ended.
    pub(super) whole: bool,
}

impl Kept {
    pub(super) fn new(limit: usize, expected: usize, tail_limit: usize) -> Self {
        Self {
            limit,
            tail_limit,
            head: Vec::with_capacity(expected.min(limit)),
            tail: Vec::new(),
            size: 0,
            whole: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let room = self.limit - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        if rest.is_empty() || self.tail_limit == 0 {
            return;
        }
        let last = &rest[rest.len().saturating_sub(self.tail_limit)..];
        if self.tail.len() + last.len() > 2 * self.tail_limit {
            let kept = self.tail_limit - last.len();
            self.tail.drain(..self.tail.len() - kept);
        }
        self.tail.extend_from_slice(last);
    }

    pub(super) fn end(&mut self) {
        self.whole = true;
    }

    /// Its end, as far as that is behind the beginning.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail[self.tail.len().saturating_sub(self.tail_limit)..]
    }

    /// Whether all of it is in its beginning.
    pub(super) fn is_complete(&self) -> bool {
        self.whole && self.size == self.head.len() as u64
    }
}

/// A body that comes.
pub(super) struct Incoming {
    pub(super) body: Body,
    pub(super) record: Arc<Record>,
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(polled) = &polled {
            let kept = &mut self.record.entry.later().request;
            match polled {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        kept.push(bytes);
                    }
                    if self.body.is_end_stream() {
                        kept.end();
                    }
                }
                Some(Err(_)) => {}
                None => kept.end(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that goes.
pub(super) struct Outgoing {
    body: Body,
    record: Arc<Record>,
    /// How many bytes are announced; none is sent where there may be none.
    expected: Option<u64>,
    sent: u64,
}

impl Outgoing {
    pub(super) fn new(body: Body, headers: &HeaderMap, bodiless: bool, record: Arc<Record>) -> Self {
        let announced = || headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let expected = if bodiless { Some(0) } else { body.size_hint().exact().or_else(announced) };
        Self { body, record, expected, sent: 0 }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.sent += bytes.len() as u64;
                    if let Some(answer) = &mut self.record.entry.later().answer {
                        answer.body.push(bytes);
                    }
                }
            }
            Poll::Ready(Some(Err(_))) => self.record.end(false),
            Poll::Ready(None) => self.record.end(true),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Outgoing {
    /// The server drops a body once it has what was announced, without asking for its end.
    fn drop(&mut self) {
        let whole = self.body.is_end_stream() || self.expected == Some(self.sent);
        self.record.end(whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let all: Vec<u8> = (0..=255).cycle().take(3000).collect();
        for step in [1, 7, 50, 99, 100, 101, 3000] {
            let mut kept = Kept::new(1000, 1, 100);
            for piece in all.chunks(step) {
                kept.push(piece);
            }
            assert_eq!((kept.size, kept.head.as_slice(), kept.tail()), (3000, &all[..1000], &all[2900..]), "{step}");
            assert!(kept.tail.len() <= 200 && !kept.is_complete());
        }
        let mut kept = Kept::new(10, usize::MAX, 100);
        kept.push(&all[..10]);
        assert!(kept.tail().is_empty() && !kept.is_complete());
        kept.end();
        assert!(kept.is_complete());
        kept.push(&all[10..15]);
        assert_eq!(kept.tail(), &all[10..15]);
        let mut none = Kept::new(0, 5, 0);
        none.push(&all);
        assert!(none.head.is_empty() && none.tail().is_empty() && none.size == 3000);
    }
}
