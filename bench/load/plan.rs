//! What is to be sent: the options of the command line and the requests that follow from them.

use std::collections::HashMap;
use std::fs;
use std::io::Write;

use crate::fail;

pub const STAMP: usize = 16;
pub const BOUNDARY: &str = "----------------stowage-bench-7f3a9c";

/// A small generator of numbers that look random: the same seed gives the same requests to every server.
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// `GET` of the paths in turn, or of ranges of one.
    Get,
    /// The lines of `--paths` in turn: `METHOD PATH`, then headers `NAME: VALUE` and a body, if any, each behind a tab; the
    /// body begins with `=`.
    Ask,
    /// `POST` of multipart/form-data with one file part.
    Multipart,
    /// `PUT` of the raw bytes, each to a path of its own.
    Put,
    /// `PUT` of the raw bytes to the paths in turn: parts of an upload.
    Part,
    /// `POST` of the raw bytes: tus creation-with-upload.
    Tus,
}

/// Everything that the requests have in common.
pub struct Plan {
    pub kind: Kind,
    pub address: String,
    pub host: String,
    pub paths: Vec<String>,
    pub payload: Vec<u8>,
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub range: Option<(u64, u64)>,
    pub dice: Dice,
    pub serial: u64,
    pub run: u64,
}

impl Plan {
    /// Writes the next request's head, with what stands before the payload, into `head`; returns the stamp of its payload.
    pub fn next(&mut self, head: &mut Vec<u8>) -> [u8; STAMP] {
        self.serial += 1;
        head.clear();
        let path = &self.paths[usize::try_from(self.serial).unwrap_or(0) % self.paths.len()];
        let length = self.before.len() + self.payload.len() + self.after.len();
        let host = &self.host;
        let written = match self.kind {
            Kind::Get => match self.range {
                None => write!(head, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
                Some((size, of)) => {
                    let first = self.dice.next() % (of - size + 1);
                    let last = first + size - 1;
                    write!(head, "GET {path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={first}-{last}\r\n\r\n")
                }
            },
            Kind::Ask => ask(head, path, host),
            Kind::Multipart => write!(
                head,
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
            ),
            Kind::Put => write!(
                head,
                "PUT {path}{:02x}/{:x}-{:x} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n",
                self.serial % 256,
                self.run,
                self.serial
            ),
            Kind::Part => write!(
                head,
                "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
            ),
            Kind::Tus => write!(
                head,
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {length}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n"
            ),
        };
        if written.is_err() {
            fail("a vector refused to grow");
        }
        head.extend_from_slice(&self.before);
        let mut stamp = [0x80; STAMP];
        stamp[..8].copy_from_slice(&(self.run | 0x8080_8080_8080_8080).to_le_bytes());
        stamp[8..].copy_from_slice(&self.serial.to_le_bytes());
        stamp
    }
}

/// Writes the request that a line stands for.
fn ask(head: &mut Vec<u8>, line: &str, host: &str) -> std::io::Result<()> {
    let mut words = line.split('\t');
    write!(head, "{} HTTP/1.1\r\nHost: {host}\r\n", words.next().unwrap_or_default())?;
    let mut body = "";
    for word in words {
        match word.strip_prefix('=') {
            Some(text) => body = text,
            None => write!(head, "{word}\r\n")?,
        }
    }
    if !body.is_empty() {
        write!(head, "Content-Length: {}\r\n", body.len())?;
    }
    write!(head, "\r\n{body}")
}

/// `--name value` pairs.
pub struct Options(HashMap<String, Vec<String>>);

impl Options {
    pub fn read() -> Self {
        let mut options: HashMap<String, Vec<String>> = HashMap::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let (Some(name), Some(value)) = (word.strip_prefix("--"), words.next()) else {
                fail(&format!("what is `{word}`?"));
            };
            options.entry(name.to_owned()).or_default().push(value);
        }
        Self(options)
    }

    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.text(name).map_or(default, |text| {
            text.parse().unwrap_or_else(|_| fail(&format!("--{name} wants a number, not `{text}`")))
        })
    }
}

pub fn plan(options: &Options) -> Plan {
    let kind = match options.text("kind") {
        Some("get") => Kind::Get,
        Some("ask") => Kind::Ask,
        Some("multipart") => Kind::Multipart,
        Some("put") => Kind::Put,
        Some("part") => Kind::Part,
        Some("tus") => Kind::Tus,
        _ => fail("--kind get|ask|multipart|put|part|tus"),
    };
    let address = options.text("address").unwrap_or_else(|| fail("--address IP:PORT")).to_owned();
    let mut paths: Vec<String> = options.all("path").to_vec();
    for file in options.all("paths") {
        let text = fs::read_to_string(file).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
        paths.extend(text.lines().map(str::to_owned));
    }
    if paths.is_empty() {
        fail("--path PATH or --paths FILE");
    }
    let run = options.number("seed", 1_u64);
    let mut dice = Dice(run.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let size: usize = options.number("size", 0);
    let bare = matches!(kind, Kind::Get | Kind::Ask);
    if !bare && size < STAMP {
        fail("--size wants at least 16 bytes");
    }
    let mut payload = Vec::with_capacity(size + 8);
    if !bare {
        while payload.len() < size {
            payload.extend_from_slice(&dice.next().to_le_bytes());
        }
        payload.truncate(size);
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    if kind == Kind::Multipart {
        let mut text = String::new();
        for field in options.all("field") {
            let Some((name, value)) = field.split_once('=') else {
                fail("--field NAME=VALUE");
            };
            text += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        text += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        before = text.into_bytes();
        after = format!("\r\n--{BOUNDARY}--\r\n").into_bytes();
    }
    let range = options.text("range").map(|text| {
        let numbers = text.split_once(':').and_then(|(size, of)| Some((size.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((size, of)) if size > 0 && size <= of => (size, of),
            _ => fail("--range SIZE:OF"),
        }
    });
    let host = options.text("host").map_or_else(|| address.clone(), str::to_owned);
    let serial = options.number("start", 0);
    Plan { kind, address, host, paths, payload, before, after, range, dice, serial, run }
}
