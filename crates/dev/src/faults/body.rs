//! The body of an answer that comes slowly, or breaks off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

/// How many pieces a second's bytes are sent in.
const PIECES: u64 = 10;

/// A body that comes slowly, or breaks off.
pub(super) struct Faulty {
    body: Body,
    /// Bytes that the body has given and that are not sent.
    held: Bytes,
    /// How many bytes may be sent yet.
    left: Option<u64>,
    /// Bytes in a second.
    slow: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether what was sent before has had its turn to leave.
    flushed: bool,
}

impl Faulty {
    pub(super) fn new(body: Body, left: Option<u64>, slow: Option<u64>) -> Self {
        Self { body, held: Bytes::new(), left, slow, pause: None, flushed: false }
    }

    /// The next piece of what is held.
    fn piece(&mut self) -> Bytes {
        let pace = self.slow.map_or(u64::MAX, |slow| slow.div_ceil(PIECES));
        let most = pace.min(self.left.unwrap_or(u64::MAX));
        let size = usize::try_from(most).unwrap_or(usize::MAX).min(self.held.len());
        let piece = self.held.split_to(size);
        let sent = piece.len() as u64;
        self.left = self.left.map(|left| left - sent);
        if let Some(slow) = self.slow {
            let micros = sent.saturating_mul(1_000_000) / slow;
            self.pause = Some(Box::pin(tokio::time::sleep(Duration::from_micros(micros))));
        }
        piece
    }
}

impl HttpBody for Faulty {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if self.held.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.held = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        if self.left == Some(0) && !self.held.is_empty() {
            if !self.flushed {
                // A connection that breaks off takes along what was not sent yet: pausing lets it leave.
                self.flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let fault = io::Error::new(io::ErrorKind::ConnectionAborted, "truncated by a fault");
            return Poll::Ready(Some(Err(axum::Error::new(fault))));
        }
        Poll::Ready(Some(Ok(Frame::data(self.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.body.is_end_stream()
    }

    /// As if it were whole: clients are to see that something is missing.
    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower().saturating_add(held));
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::time::Instant;

    use super::*;

    async fn sent(body: Faulty) -> (String, bool) {
        let mut stream = Body::new(body).into_data_stream();
        let mut sent = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => sent.extend_from_slice(&chunk),
                Err(_) => return (String::from_utf8(sent).unwrap(), true),
            }
        }
        (String::from_utf8(sent).unwrap(), false)
    }

    #[tokio::test]
    async fn bodies_break_off() {
        for (left, text, broken) in [(0, "", true), (3, "hel", true), (5, "hello", false), (6, "hello", false)] {
            let body = Faulty::new(Body::from("hello"), Some(left), None);
            assert_eq!(body.size_hint().exact(), Some(5));
            assert_eq!(sent(body).await, (text.to_owned(), broken), "{left}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_come_slowly() {
        let began = Instant::now();
        let body = Faulty::new(Body::from("x".repeat(2_000)), None, Some(1_000));
        assert_eq!(sent(body).await.0.len(), 2_000);
        let took = began.elapsed().as_secs_f64();
        assert!((1.8..=2.2).contains(&took), "{took}");
    }
}
