//! Content made to hurt: nothing may panic, nothing may read, keep or nest without bound.

use crate::{fixture, fixtures, look, look_within_budget};
use proptest::prelude::*;
use std::io::{Cursor, Read, Seek, SeekFrom};
use stowage_image::{Limits, probe};

#[test]
fn pictures_cut_off_anywhere() {
    for (name, bytes) in fixtures() {
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            let answer = look(cut);
            // A length that lies changes nothing: the file ends where it ends.
            for said in [bytes.len() as u64, u64::MAX] {
                assert_eq!(probe(&mut Cursor::new(cut), said, &Limits::default()).unwrap(), answer, "{name} {end}");
            }
        }
    }
}

#[test]
fn pictures_with_every_byte_set_to_extremes() {
    for (_, bytes) in fixtures() {
        let mut changed = bytes.clone();
        for at in 0..bytes.len().min(600) {
            for value in [0, 0x7F, 0x80, 0xFF] {
                changed[at] = value;
                look(&changed);
            }
            changed[at] = bytes[at];
        }
    }
}

/// A file of any length that repeats a pattern behind its start.
struct Endless {
    start: Vec<u8>,
    pattern: Vec<u8>,
    len: u64,
    at: u64,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX));
        for byte in &mut into[..count] {
            let at = usize::try_from(self.at).unwrap();
            let behind = at.checked_sub(self.start.len());
            *byte = behind.map_or_else(|| self.start[at], |behind| self.pattern[behind % self.pattern.len()]);
            self.at += 1;
        }
        Ok(count)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            SeekFrom::End(by) => self.len.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

/// Probes a file of 99 MB that repeats a pattern behind its start.
pub(crate) fn endless(start: &[u8], pattern: &[u8]) -> stowage_image::Probe {
    let len = 99_000_000;
    look_within_budget(Endless { start: start.to_vec(), pattern: pattern.to_vec(), len, at: 0 }, len)
}

#[test]
fn structures_without_end_stop_at_the_budget() {
    let gif = b"GIF89a\x04\0\x04\0\0\0\0";
    let picture = b"\x2C\0\0\0\0\x04\0\x04\0\0\x02";
    // Extensions of nothing, data blocks of one byte, data blocks of the longest kind.
    assert!(!endless(gif, b"\x21\xFE\0").is_image);
    assert!(!endless(&[&gif[..], picture].concat(), b"\x01\x01").content.image.unwrap().sequence);
    assert!(!endless(&[&gif[..], picture].concat(), &[255]).content.image.unwrap().sequence);
    // Where the walk ends before a second picture, a loop says that there is one.
    let looped = b"\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0";
    assert!(endless(&[&gif[..], looped, picture].concat(), &[255]).content.image.unwrap().sequence);
    assert!(!endless(b"\xFF\xD8\xFF\xE0\0\x02", b"\xFF\xE1\0\x02").is_image);
    assert!(!endless(b"\xFF\xD8\xFF", b"\xFF").is_image);
    assert!(!endless(b"\xFF\xD8\xFF\xE0\0\x02", b"\0").is_image);
    assert!(!endless(&fixture("rgb.png")[..33], b"\0\0\0\0tEXt\0\0\0\0").is_image);
    assert!(!endless(b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\x0A\0\0\0\x09\0\0\x09\0\0", b"JUNK\0\0\0\0").is_image);
    assert!(!endless(b"\0\0\0\x10ftypheic\0\0\0\0", b"\0\0\0\x08free").is_image);
    assert!(!endless(b"\0\0\0\x10ftypheic\0\0\0\0\x05\0\0\0meta\0\0\0\0", b"\0\0\0\x08free").is_image);
    assert!(!endless(b"II*\0\x08\0\0\0\xFF\xFF", b"\x01\x01\x03\0\x01\0\0\0\0\0\0\0").is_image);
    let ole = [&b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"[..], &[0; 22], b"\x09\0", &[0; 16], &[1, 0, 0, 0]].concat();
    assert_eq!(endless(&ole, &[3, 0, 0, 0]).content.mime.mime, "application/CDFV2");
    assert_eq!(endless(b"", b"PK\x03\x04").content.mime.mime, "application/zip");
    assert_eq!(endless(b"", b"[").content.mime.mime, "text/plain");
    assert_eq!(endless(b"", b"<!--").content.mime.mime, "text/plain");
    assert_eq!(endless(b"<svg>", b"<g>").content.mime.mime, "image/svg+xml");
}

/// An EXIF payload, little-endian, whose directory at 8 has these entries: tag, type, count, value.
fn exif(entries: &[(u16, u16, u32, u32)], next: u32) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes
            .extend([&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    bytes.extend(next.to_le_bytes());
    bytes
}

fn with_exif(payload: &[u8]) -> stowage_image::Probe {
    look(&crate::png(3, 2, 8, 2, &[&crate::png_chunk(*b"eXIf", payload)]))
}

#[test]
fn directories_that_point_at_each_other_are_left() {
    // The directory is its own EXIF, GPS and next directory.
    let looped = exif(&[(0x0112, 3, 1, 6), (0x8769, 4, 1, 8), (0x8825, 4, 1, 8)], 8);
    let info = with_exif(&looped).content.image.unwrap();
    assert_eq!((info.orientation, info.width, info.height), (Some(6), 2, 3));
    // Each of hundreds of entries points at a directory of hundreds of entries.
    let many = exif(&vec![(0x8769, 4, 1, 8); 5000], 8);
    assert!(with_exif(&many).is_image);
    // As a file of its own, with the pages in a circle.
    let pages = exif(&[(256, 3, 1, 5), (257, 3, 1, 5), (262, 3, 1, 1), (273, 4, 1, 8), (0x0112, 3, 1, 6)], 8);
    assert!(look(&pages).is_image);
}

#[test]
fn numbers_that_lie_are_not_believed() {
    for (entry, orientation) in [
        ((0x0112, 3, 1, 9), None),
        ((0x0112, 3, 1, 8), Some(8)),
        ((0x0112, 3, 0, 6), None),
        ((0x0112, 4, u32::MAX, u32::MAX), None),
        ((0x0112, 12, u32::MAX, 8), None),
        ((0x0112, 77, 1, 6), None),
        ((0x0112, 2, 1, 6), None),
    ] {
        assert_eq!(with_exif(&exif(&[entry], u32::MAX)).content.image.unwrap().orientation, orientation, "{entry:?}");
    }
    // A place over zero, beyond the poles, and without its side.
    let gps = |degrees: [u32; 2], side: u8| {
        let mut bytes = exif(&[(0x8825, 4, 1, 26)], 0);
        bytes.extend(4_u16.to_le_bytes());
        let behind = 26 + 2 + 4 * 12 + 4;
        for (tag, kind, count, value) in
            [(1_u16, 2_u16, 2_u32, u32::from(side)), (2, 5, 1, behind), (3, 2, 2, u32::from(b'E')), (4, 5, 1, behind)]
        {
            bytes.extend(
                [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat(),
            );
        }
        bytes.extend([0; 4]);
        bytes.extend(degrees.map(u32::to_le_bytes).concat());
        with_exif(&bytes).content.image.unwrap().geo_location
    };
    assert!(gps([80, 1], b'N').is_some());
    for (degrees, side) in [([80, 0], b'N'), ([91, 1], b'N'), ([80, 1], b'X'), ([80, 1], 0)] {
        assert_eq!(gps(degrees, side), None, "{degrees:?} {side}");
    }
}

#[test]
fn svg_bombs_cost_no_more_than_their_bytes() {
    let picture = |text: String| look_within_budget(Cursor::new(text.as_bytes()), text.len() as u64);
    assert!(picture(format!("<svg>{}{}</svg>", "<g>".repeat(1000), "</g>".repeat(1000))).is_image);
    assert!(!picture(format!("<svg>{}{}</svg>", "<g>".repeat(4000), "</g>".repeat(4000))).is_image);
    assert!(!picture("<g>".repeat(1_000_000)).is_image);
    let attributes = (0..100_000).map(|index| format!(" a{index}=''")).collect::<Vec<_>>().concat();
    assert!(picture(format!("<svg{attributes}/>")).is_image);
    assert!(picture(format!("<svg><g{attributes}/></svg>")).is_image);
    let entity = |index: u32| format!("<!ENTITY a{index} \"&a{0};&a{0};\">", index - 1);
    let entities = (1..30).map(entity).collect::<Vec<_>>().concat();
    let bomb = format!("<!DOCTYPE svg [<!ENTITY a0 \"ha\">{entities}]><svg width='&a29;' height='6'>&a29;</svg>");
    assert_eq!(picture(bomb).content.image.unwrap().width, 300);
    let outside = "<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><svg width='5' height='6'>&x;</svg>";
    assert!(picture(outside.to_owned()).is_image);
    let large = format!("<svg width='5' height='6'>{}</svg>", " ".repeat(6_000_000));
    let answer = picture(large);
    assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), ("image/svg+xml", false));
}

#[test]
fn other_bombs() {
    for bytes in [
        b"[".repeat(300_000),
        b"{\"a\":".repeat(100_000),
        [b"\"".to_vec(), b"\\".repeat(300_000)].concat(),
        b"PK\x03\x04".repeat(100_000),
        b"<!DOCTYPE x [".repeat(50_000),
        b"<?x ?>".repeat(50_000),
        b"a,".repeat(100_000),
    ] {
        look(&bytes);
    }
}

/// What is done to a good file.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, u8, u8),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), prop::sample::select(vec![0, 1, 0x7F, 0x80, 0xFE, 0xFF])).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), any::<u8>()).prop_map(|(at, len)| Change::Remove(at, len)),
        1 => (at(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at(), any::<u8>(), any::<u8>()).prop_map(|(at, len, times)| Change::Repeat(at, len, times)),
    ]
}

pub(crate) fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Remove(at, len) => {
            let from = at.index(bytes.len());
            bytes.drain(from..bytes.len().min(from + usize::from(*len)));
        }
        Change::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Repeat(at, len, times) => {
            let from = at.index(bytes.len());
            let piece = bytes[from..bytes.len().min(from + usize::from(*len))].repeat(usize::from(*times));
            bytes.splice(from..from, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_pictures_neither_panic_nor_exceed_the_budget(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..12),
    ) {
        let all = fixtures();
        let mut bytes = all[which.index(all.len())].1.clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        let answer = look_within_budget(Cursor::new(&bytes), bytes.len() as u64);
        prop_assert_eq!(&look(&bytes), &answer);
        if let Some(info) = answer.content.image {
            let pixels = u64::from(info.width) * u64::from(info.height);
            prop_assert!((1..=75_000_000).contains(&pixels));
            prop_assert!(info.dpi.is_none_or(|dpi| dpi.iter().all(|n| n.is_finite() && n.fract() == 0.0)));
        }
    }

    #[test]
    fn any_bytes_have_a_type(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let answer = look(&bytes);
        prop_assert!(answer.content.mime.mime.contains('/'));
    }

    #[test]
    fn any_markup_has_a_type(text in "(<\\?xml|<!--|-->|<!DOCTYPE|\\[|\\]|<svg|>|/>|</svg>|[ a-z\"'=&;<>]){0,60}") {
        look(text.as_bytes());
    }
}
