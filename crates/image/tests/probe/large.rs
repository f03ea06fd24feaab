//! Files that are longer than the head: facts behind it are found by jumping, and memory alone admits that it cannot tell.

use crate::{fixture, image, look_within_budget};
use std::io::{Cursor, Error, Read, Seek, SeekFrom};
use stowage_image::{HEAD_LEN, Limits, probe, probe_head};

/// Inserts `count` pieces of `piece` at `at`.
fn stretched(bytes: &[u8], at: usize, piece: &[u8], count: usize) -> Vec<u8> {
    [&bytes[..at], &piece.repeat(count), &bytes[at..]].concat()
}

fn application_segment() -> Vec<u8> {
    let mut segment = b"\xFF\xED\xFF\xFF".to_vec();
    segment.resize(65_537, 7);
    segment
}

/// Asserts that the file keeps its facts and that the head alone is not enough.
fn needs_its_file(bytes: &[u8], like: &str) {
    let limits = Limits::default();
    assert_eq!(probe_head(&bytes[..HEAD_LEN], bytes.len() as u64, &limits), None, "{like}");
    let answer = look_within_budget(Cursor::new(bytes), bytes.len() as u64);
    assert_eq!(answer.content.image, Some(image(&fixture(like))), "{like}");
}

#[test]
fn facts_behind_the_head_are_found() {
    needs_its_file(&stretched(&fixture("exif.jpg"), 2, &application_segment(), 1), "exif.jpg");
    // Ten megabytes of metadata in front of the picture.
    needs_its_file(&stretched(&fixture("exif.jpg"), 2, &application_segment(), 160), "exif.jpg");
    let comment = crate::png_chunk(*b"tEXt", &b"x".repeat(100_000));
    needs_its_file(&stretched(&fixture("exif.png"), 33, &comment, 3), "exif.png");
    let chunk = [&b"JUNK\xA0\x86\x01\0"[..], &b"\0".repeat(100_000)].concat();
    needs_its_file(&stretched(&fixture("exif.webp"), 30, &chunk, 1), "exif.webp");
    let extension = [&b"\x21\xFE"[..], &[&[255][..], &[0; 255]].concat().repeat(300), b"\0"].concat();
    let gif = fixture("anim.gif");
    let first = 13 + (3 << ((gif[10] & 7) + 1));
    needs_its_file(&stretched(&gif, first, &extension, 1), "anim.gif");
    let svg = [b"<svg width='5' height='6'>".to_vec(), b"<g/>".repeat(30_000), b"</svg>".to_vec()].concat();
    assert_eq!(probe_head(&svg[..HEAD_LEN], svg.len() as u64, &Limits::default()), None);
    let info = look_within_budget(Cursor::new(&svg), svg.len() as u64).content.image.unwrap();
    assert_eq!((info.width, info.height), (5, 6));
}

#[test]
fn a_directory_at_the_end_is_found() {
    // The strips first and the directory behind them, as libtiff writes.
    let small = fixture("rgb.tif");
    let shift = 200_000_u32;
    let mut bytes = small[..8].to_vec();
    bytes.resize(shift as usize, 0);
    bytes.extend(&small);
    let first = u32::from_le_bytes(small[4..8].try_into().unwrap());
    bytes[4..8].copy_from_slice(&(first + shift).to_le_bytes());
    // Values that do not fit into an entry lie at their old distances; only bits per sample is one of ours.
    let count = usize::from(small[first as usize]);
    for index in 0..count {
        let at = (first + shift) as usize + 2 + index * 12;
        if bytes[at..at + 2] == [2, 1] {
            let value = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
            bytes[at + 8..at + 12].copy_from_slice(&(value + shift).to_le_bytes());
        }
    }
    needs_its_file(&bytes, "rgb.tif");
}

#[test]
fn what_stands_in_the_head_needs_no_file() {
    let limits = Limits::default();
    for name in ["exif.jpg", "p.png", "anim.gif", "lossy.webp", "rgb.bmp", "rgb.heic", "rgb.avif", "rgb.tga", "rgb.pcx"]
    {
        let small = fixture(name);
        let mut bytes = small.clone();
        bytes.resize(200_000, 0);
        let answer = probe_head(&bytes[..HEAD_LEN], bytes.len() as u64, &limits).expect(name);
        assert_eq!(answer.content.image, Some(image(&small)), "{name}");
        assert_eq!(answer, look_within_budget(Cursor::new(&bytes), bytes.len() as u64), "{name}");
    }
    for bytes in [vec![b'x'; 200_000], vec![0; 200_000], b"{\"a\":[1,2,3]} ".repeat(20_000)] {
        let answer = probe_head(&bytes[..HEAD_LEN], bytes.len() as u64, &limits).unwrap();
        assert_eq!(answer, look_within_budget(Cursor::new(&bytes), bytes.len() as u64));
    }
    let json = [b"[".to_vec(), b"{\"a\":[1,2,3]},".repeat(20_000), b"1]".to_vec()].concat();
    let answer = probe_head(&json[..HEAD_LEN], json.len() as u64, &limits).unwrap();
    assert_eq!(answer.content.mime.mime, "application/json");
    // Less than the head is not enough to tell anything.
    assert_eq!(probe_head(b"\x89PNG", 5, &limits), None);
}

/// A file whose disk fails behind the first bytes.
struct Failing(Cursor<Vec<u8>>, u64);

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.1.saturating_sub(self.0.position())).unwrap().min(into.len());
        if left == 0 { Err(Error::other("the disk is gone")) } else { self.0.read(&mut into[..left]) }
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn errors_of_the_reader_are_errors() {
    let bytes = stretched(&fixture("exif.jpg"), 2, &application_segment(), 2);
    let len = bytes.len() as u64;
    for from in [0, HEAD_LEN as u64] {
        assert!(probe(&mut Failing(Cursor::new(bytes.clone()), from), len, &Limits::default()).is_err());
    }
    let svg = [b"<svg width='5' height='6'>".to_vec(), b"<g/>".repeat(30_000), b"</svg>".to_vec()].concat();
    let len = svg.len() as u64;
    assert!(probe(&mut Failing(Cursor::new(svg), HEAD_LEN as u64), len, &Limits::default()).is_err());
}
