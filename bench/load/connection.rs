//! One connection: sending a request as far as the socket takes it, reading an answer as far as it has come, and counting.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::fail;
use crate::plan::{Plan, STAMP};

pub enum Phase {
    Resting,
    Sending,
    Waiting,
}

/// What of an answer is still to come.
pub enum Body {
    Length(u64),
    Chunked,
}

pub struct Connection {
    pub stream: TcpStream,
    pub phase: Phase,
    pub head: Vec<u8>,
    pub stamp: [u8; STAMP],
    pub sent: usize,
    pub wants_out: bool,
    pub began: Instant,
    pub answer: Vec<u8>,
    pub body: Option<Body>,
    pub status: u16,
    pub closes: bool,
}

#[derive(Default)]
pub struct Tally {
    pub requests: u64,
    pub errors: u64,
    /// Turns that were skipped, because the answer before had not come.
    pub late: u64,
    pub received: u64,
    pub latencies: Vec<u64>,
    pub first_error: Option<String>,
    pub ids: Vec<String>,
}

impl Tally {
    pub fn error(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(what());
        }
        if self.errors >= 1000 {
            fail(&format!("1000 requests failed; the first: {}", self.first_error.as_deref().unwrap_or("")));
        }
    }
}

fn connect(address: &str) -> TcpStream {
    let Ok(address) = address.parse::<SocketAddr>() else {
        fail("--address wants IP:PORT");
    };
    let stream = TcpStream::connect(address).unwrap_or_else(|error| fail(&format!("connect to {address}: {error}")));
    let ready = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
    if let Err(error) = ready {
        fail(&format!("socket of {address}: {error}"));
    }
    stream
}

impl Connection {
    pub fn new(address: &str) -> Self {
        Self {
            stream: connect(address),
            phase: Phase::Resting,
            head: Vec::with_capacity(1024),
            stamp: [0; STAMP],
            sent: 0,
            wants_out: false,
            began: Instant::now(),
            answer: Vec::with_capacity(64 * 1024),
            body: None,
            status: 0,
            closes: false,
        }
    }

    pub fn begin(&mut self, plan: &mut Plan) {
        self.stamp = plan.next(&mut self.head);
        self.sent = 0;
        self.answer.clear();
        self.body = None;
        self.closes = false;
        self.phase = Phase::Sending;
        self.began = Instant::now();
    }

    /// Sends what the socket takes; true when the request has gone out whole.
    pub fn send(&mut self, plan: &Plan) -> io::Result<bool> {
        let parts: [&[u8]; 4] = if plan.payload.is_empty() {
            [&self.head, &[], &[], &[]]
        } else {
            [&self.head, &self.stamp, &plan.payload[STAMP..], &plan.after]
        };
        let total: usize = parts.iter().map(|part| part.len()).sum();
        while self.sent < total {
            let mut skip = self.sent;
            let mut slices = [IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[])];
            let mut count = 0;
            for part in parts {
                if skip >= part.len() {
                    skip -= part.len();
                    continue;
                }
                slices[count] = IoSlice::new(&part[skip..]);
                count += 1;
                skip = 0;
            }
            match self.stream.write_vectored(&slices[..count]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.phase = Phase::Waiting;
        Ok(true)
    }

    /// Reads what has arrived; true when the answer has been read to its end.
    pub fn receive(&mut self, scratch: &mut [u8], tally: &mut Tally) -> io::Result<bool> {
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed before the answer ended")),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match &mut self.body {
                Some(Body::Length(left)) => {
                    let count = count as u64;
                    if count > *left {
                        return Err(io::Error::new(ErrorKind::InvalidData, "more bytes than announced"));
                    }
                    *left -= count;
                    tally.received += count;
                    // Enough for an upload's id or an error's text.
                    if self.answer.len() < 4096 {
                        self.answer.extend_from_slice(&scratch[..count as usize]);
                    }
                }
                Some(Body::Chunked) => {
                    self.answer.extend_from_slice(&scratch[..count]);
                    tally.received += count as u64;
                }
                None => {
                    self.answer.extend_from_slice(&scratch[..count]);
                    self.read_head(tally)?;
                }
            }
            let complete = match &self.body {
                Some(Body::Length(left)) => *left == 0,
                Some(Body::Chunked) => self.answer.ends_with(b"0\r\n\r\n"),
                None => false,
            };
            if complete {
                return Ok(true);
            }
            // A short read has emptied the socket; asking again would only cost a call.
            if count < scratch.len() {
                return Ok(false);
            }
        }
    }

    fn read_head(&mut self, tally: &mut Tally) -> io::Result<()> {
        let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(());
        };
        let bad = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
        let head = std::str::from_utf8(&self.answer[..end]).map_err(|_| bad("a head that is not text"))?;
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or("");
        self.status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad("no status"))?;
        let mut body = Body::Length(0);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                body = Body::Length(value.parse().map_err(|_| bad("content-length"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = Body::Chunked;
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                self.closes = true;
            }
        }
        let came = (self.answer.len() - end - 4) as u64;
        tally.received += came;
        if let Body::Length(left) = &mut body {
            *left = left.checked_sub(came).ok_or_else(|| bad("more bytes than announced"))?;
        }
        self.body = Some(body);
        Ok(())
    }
}
