//! An answer with status 200, and its body piece by piece under its limits.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, header, response};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::decode::{Coding, Decoded, Decoder};
use crate::error::FetchError;
use crate::exchange::Exchange;

/// The largest piece of an unpacked body, in bytes.
const UNPACKED_PIECE: usize = 64 << 10;

/// When a fetch ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) total: Duration,
}

impl Deadline {
    pub(crate) fn passed(self) -> FetchError {
        FetchError::Timeout(self.total.as_secs())
    }
}

/// An answer with status 200. Dropping it closes its connection.
pub struct Answer {
    /// The URL that answered, after all redirects.
    pub url: Url,
    /// `Content-Type` as sent; what is no UTF-8 in it is replaced. `None` when absent or empty.
    pub content_type: Option<String>,
    /// `Content-Disposition` as sent, which may be in any character set.
    pub content_disposition: Option<Bytes>,
    /// The announced length of the body in bytes; `None` when it is not announced, or is that of a coded body.
    pub len: Option<u64>,
    exchange: Exchange,
    unpacking: Option<Unpacking>,
    idle_timeout: Duration,
    deadline: Deadline,
    failed: Option<FetchError>,
}

struct Unpacking {
    decoder: Decoder,
    output: BytesMut,
    read: u64,
    written: u64,
    limit: u64,
}

enum Unpacked {
    Bytes(Bytes),
    Nothing,
    Hungry,
    End,
}

impl Answer {
    pub(crate) fn new(
        url: Url,
        head: &response::Parts,
        exchange: Exchange,
        options: &crate::Options,
        deadline: Deadline,
    ) -> Result<Self, FetchError> {
        let value = |name: HeaderName| Some(head.headers.get(name)?.as_bytes().trim_ascii()).filter(|v| !v.is_empty());
        let limit = options.decoded_size;
        let unpacking = Coding::of(&head.headers)?.map(|coding| Unpacking {
            decoder: Decoder::new(coding),
            output: BytesMut::new(),
            read: 0,
            written: 0,
            limit,
        });
        Ok(Self {
            content_type: value(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value).into_owned()),
            content_disposition: value(header::CONTENT_DISPOSITION).map(Bytes::copy_from_slice),
            len: if unpacking.is_none() { exchange.len() } else { None },
            url,
            exchange,
            unpacking,
            idle_timeout: options.idle_timeout,
            deadline,
            failed: None,
        })
    }

    /// The next piece of the body, unpacked; `None` at its end. After an error there is only that error.
    ///
    /// Pieces have at most 512 KiB; nothing bounds their sum but `decoded_size`, and that only for coded bodies: the
    /// limit of a file is the caller's. A body that is shorter than announced is a [`FetchError::Network`], and so is a
    /// longer one, as far as the surplus has come in with the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        // A body that comes in faster than it is looked at would leave no room for the timer or for other tasks.
        consume_budget().await;
        let deadline = self.deadline;
        let chunk = if Instant::now() < deadline.at {
            timeout_at(deadline.at, self.next()).await.unwrap_or(Err(deadline.passed()))
        } else {
            Err(deadline.passed())
        };
        self.failed = chunk.as_ref().err().cloned();
        chunk
    }

    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let Self { unpacking, exchange, idle_timeout, .. } = self;
        let Some(unpacking) = unpacking else { return piece(exchange, *idle_timeout).await };
        loop {
            match unpacking.step()? {
                Unpacked::Bytes(bytes) => return Ok(Some(bytes)),
                // Many small members that hold nothing are work all the same.
                Unpacked::Nothing => consume_budget().await,
                Unpacked::End => return Ok(None),
                Unpacked::Hungry => match piece(exchange, *idle_timeout).await? {
                    Some(bytes) => unpacking.feed(bytes)?,
                    None if unpacking.decoder.may_end() => return Ok(None),
                    None => return Err(FetchError::Network("content coding ends early")),
                },
            }
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("url", &self.url.as_str()).field("len", &self.len).finish_non_exhaustive()
    }
}

async fn piece(exchange: &mut Exchange, idle_timeout: Duration) -> Result<Option<Bytes>, FetchError> {
    let late = Err(FetchError::Network("the server stopped sending"));
    timeout(idle_timeout, exchange.piece()).await.unwrap_or(late)
}

impl Unpacking {
    fn step(&mut self) -> Result<Unpacked, FetchError> {
        // What one piece left over takes the next; a buffer for each would cost much more than a few bytes of data.
        if self.output.len() < UNPACKED_PIECE / 4 {
            self.output = BytesMut::zeroed(UNPACKED_PIECE);
        }
        let step = self.decoder.decode(&mut self.output);
        let count = match step.map_err(|_| FetchError::Network("content coding is broken"))? {
            Decoded::Bytes(0) => return Ok(Unpacked::Nothing),
            Decoded::Bytes(count) => count,
            Decoded::Hungry => return Ok(Unpacked::Hungry),
            Decoded::End => return Ok(Unpacked::End),
        };
        self.written += count as u64;
        if self.written > self.limit {
            return Err(FetchError::DecodedTooLarge(self.limit));
        }
        Ok(Unpacked::Bytes(self.output.split_to(count).freeze()))
    }

    fn feed(&mut self, bytes: Bytes) -> Result<(), FetchError> {
        self.read += bytes.len() as u64;
        // Data that unpack to nothing would otherwise flow until the time is over.
        if self.read > self.limit {
            return Err(FetchError::DecodedTooLarge(self.limit));
        }
        self.decoder.feed(bytes);
        Ok(())
    }
}
