//! The header probes from outside: facts of pictures and videos, names of types, and hostile input.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::trivially_copy_pass_by_ref, reason = "byte strings are written as references")]

mod boxes;
mod facts;
mod hostile;
mod hostile_videos;
mod large;
mod matroska;
mod movies;
mod types;
mod videos;

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use stowage_image::{Limits, Probe, probe, probe_head};
use stowage_model::ImageInfo;
use stowage_model::content::VideoInfo;

/// The folder of the committed pictures.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The bytes of a committed picture.
fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// The names and bytes of all committed pictures.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<_> = names.filter(|name| name != "README.md").map(|name| (name.clone(), fixture(&name))).collect();
    all.sort();
    assert!(all.len() > 60);
    all
}

/// Probes bytes as a file and from memory, which must agree.
fn look(bytes: &[u8]) -> Probe {
    let limits = Limits::default();
    let of_file = probe(&mut Cursor::new(bytes), bytes.len() as u64, &limits).unwrap();
    if let Some(of_head) = probe_head(&bytes[..bytes.len().min(stowage_image::HEAD_LEN)], bytes.len() as u64, &limits) {
        assert_eq!(of_head, of_file);
    } else {
        assert!(bytes.len() > stowage_image::HEAD_LEN, "a whole file must be answered");
    }
    assert_eq!(of_file.is_image, of_file.content.image.is_some());
    of_file
}

/// The facts of bytes that have to be a picture.
fn image(bytes: &[u8]) -> ImageInfo {
    look(bytes).content.image.expect("a picture")
}

/// The facts of bytes that have to be a video.
fn video(bytes: &[u8]) -> VideoInfo {
    look(bytes).content.video.expect("a video")
}

/// Counts what a probe takes from a reader.
struct Counted<R> {
    inner: R,
    bytes: u64,
    seeks: u64,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Self {
        Self { inner, bytes: 0, seeks: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.seeks += 1;
        self.inner.seek(to)
    }
}

/// Probes a reader and checks that it was asked for no more than the limits allow.
fn look_within_budget<R: Read + Seek>(reader: R, len: u64) -> Probe {
    let limits = Limits::default();
    let mut counted = Counted::new(reader);
    let answer = probe(&mut counted, len, &limits).unwrap();
    let svg = answer.content.mime.subtype == "svg+xml";
    let allowed = stowage_image::HEAD_LEN as u64 + limits.read_bytes + if svg { limits.max_svg_bytes } else { 0 };
    assert!(counted.bytes <= allowed, "{} bytes were read", counted.bytes);
    assert!(counted.seeks <= u64::from(limits.reads) + 2, "{} seeks", counted.seeks);
    answer
}

/// A PNG of the given header that ends where its pixels would begin.
fn png(width: u32, height: u32, depth: u8, colour: u8, chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    bytes.extend(png_chunk(*b"IHDR", &header));
    bytes.extend(chunks.concat());
    bytes.extend(png_chunk(*b"IDAT", b""));
    bytes
}

/// A chunk of PNG with its checksum.
fn png_chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [&kind[..], body].concat();
    let crc = !named.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 })
    });
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &named, &crc.to_be_bytes()].concat()
}
