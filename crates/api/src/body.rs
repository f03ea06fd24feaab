//! Bodies that are not wanted, whichever door they came to. Most clients see an answer only after they have sent everything,
//! so such a body is read and forgotten, as far as its door allows.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, header};

/// How long the sender of a body that is not wanted may take, where the door does not say otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body that is not wanted, as [`drain`] does, unless its sender asks before sending: that one is answered before
/// sending, and reading would be the permission to send.
pub(crate) async fn pass_over<E>(
    headers: &HeaderMap,
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    most: u64,
    limit: Duration,
) {
    if !headers.contains_key(header::EXPECT) {
        drain(body, most, limit).await;
    }
}

/// Reads what is left of a body, up to `most` bytes and for `limit` at the longest. Whoever sends more, or is slow about it,
/// sees a broken connection instead of the answer.
pub(crate) async fn drain<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin), most: u64, limit: Duration) {
    let mut left = most;
    let reading = async {
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(limit, reading).await;
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;
    use http::HeaderValue;

    use super::*;

    /// Chunks of three bytes; none stands for an error.
    fn body(chunks: &[Option<&'static [u8; 3]>]) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| chunk.map(|chunk| Bytes::from_static(chunk)).ok_or(io::ErrorKind::BrokenPipe.into()))
            .collect();
        stream::iter(chunks)
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_end_or_its_limit() {
        for (chunks, most, left) in [
            (&[Some(b"abc"); 4][..], 12, 0),
            (&[Some(b"abc"); 4], u64::MAX, 0),
            // The chunk that is too much has been read.
            (&[Some(b"abc"); 4], 11, 0),
            (&[Some(b"abc"); 4], 6, 1),
            (&[Some(b"abc"); 4], 0, 3),
            (&[Some(b"abc"), None, Some(b"abc"), Some(b"abc")], 12, 2),
        ] {
            let mut body = body(chunks);
            drain(&mut body, most, PATIENCE).await;
            assert_eq!(body.count().await, left, "{chunks:?} {most}");
        }
    }

    #[tokio::test]
    async fn a_body_that_stops_is_given_up() {
        drain(&mut stream::pending::<io::Result<Bytes>>(), 1, Duration::from_millis(1)).await;
    }

    #[tokio::test]
    async fn nothing_is_read_where_the_sender_asks_first() {
        let mut headers = HeaderMap::new();
        let mut unread = body(&[Some(b"abc"); 4]);
        headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        pass_over(&headers, &mut unread, 12, PATIENCE).await;
        assert_eq!(unread.count().await, 4);
        let mut unread = body(&[Some(b"abc"); 4]);
        pass_over(&HeaderMap::new(), &mut unread, 12, PATIENCE).await;
        assert_eq!(unread.count().await, 0);
    }
}
