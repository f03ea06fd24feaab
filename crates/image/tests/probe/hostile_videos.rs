//! Videos made to hurt: nothing may panic, nothing may read, keep or nest without bound, and nothing is an error.

use crate::boxes::{boxed, file_type, full};
use crate::hostile::{Change, apply, change, endless};
use crate::matroska::{self, CLUSTER, SEGMENT, element, open, start, tracks};
use crate::movies::{
    Track, btrt, esds, header, linear_entry, moof, moov, movie, mvex, picture_entry, pictures, same_sizes, sound,
    sound_entry,
};
use crate::{fixture, look, look_within_budget, video};
use proptest::prelude::*;
use std::io::Cursor;

fn h264() -> Track {
    pictures(picture_entry(b"avc1", 480, 360, &btrt(1000)))
}

#[test]
fn structures_without_end_stop_at_the_budget() {
    let file = file_type(b"isom", b"isom");
    let nothing = |start: &[u8], pattern: &[u8]| {
        let answer = endless(start, pattern);
        assert!(answer.content.mime.mime.starts_with("video/"), "{}", answer.content.mime.mime);
        assert_eq!(answer.content.video, None);
    };
    nothing(&file, b"\0\0\0\x08free");
    nothing(&file, b"\0\0\0\x08moov");
    nothing(&file, b"\0\0\0\x01free\0\0\0\0\0\0\0\x10");
    nothing(&file, &h264().bytes()[..40]);
    // Of a movie box without end the first tracks are kept, and its tables are not looked for any longer.
    let moving = [&file[..], b"\x05\0\0\0moov"].concat();
    assert_eq!(endless(&moving, &h264().bytes()).content.video.unwrap().video.len(), 32);
    nothing(&moving, &Track { handler: *b"text", ..h264() }.bytes());
    nothing(&moving, b"\0\0\0\x08trak");
    nothing(&[&moving[..], b"\x04\0\0\0trak\x03\0\0\0mdia"].concat(), b"\0\0\0\x08free");
    // A description that is wrapped again and again.
    let wrapped = [&sound_entry(b"mp4a", 1, (2, 16, 8000), b"")[..], &b"\0\xFF\0\0wave".repeat(1000)].concat();
    assert_eq!(video(&movie(&[h264(), sound(wrapped)])).audio.len(), 1);

    let file = start(b"webm");
    nothing(&file, b"\xEC\x80");
    nothing(&[file.clone(), open(SEGMENT, b"")].concat(), b"\xEC\x80");
    nothing(&[file.clone(), open(SEGMENT, b"")].concat(), &element(0x114D_9B74, &element(0x4DBB, &[0; 30])));
    nothing(&[file.clone(), open(SEGMENT, &open(0x1654_AE6B, b""))].concat(), b"\xEC\x80");
    nothing(&[file.clone(), open(SEGMENT, &open(0x1654_AE6B, &open(0xAE, b"")))].concat(), b"\xB0\x81\x05");
    let entry = matroska::pictures(1, "V_VP9", (4, 3), 0, b"");
    let info = endless(&[file.clone(), open(SEGMENT, &open(0x1654_AE6B, b""))].concat(), &entry).content.video.unwrap();
    assert_eq!(info.video.len(), 32);
    // Clusters of nothing but blocks, of nothing but emptiness, of groups in groups.
    for pattern in [&b"\xA3\x84\x81\0\0\0"[..], b"\xEC\x80", b"\xA0\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"] {
        let begin = [file.clone(), open(SEGMENT, &[tracks(std::slice::from_ref(&entry)), open(CLUSTER, b"")].concat())];
        let info = endless(&begin.concat(), pattern).content.video.unwrap();
        assert!(info.video[0].frame_rate.abs() < f64::EPSILON);
    }
}

#[test]
fn lengths_that_lie_are_not_believed() {
    let good = movie(&[h264(), sound(sound_entry(b"mp4a", 0, (2, 16, 8000), &esds(0x40, 0, &[0x12, 0x10])))]);
    assert_eq!(look(&good).content.video.unwrap().audio.len(), 1);
    // Each of the lengths in the file, by every box that it knows.
    for kind in [
        b"moov", b"trak", b"tkhd", b"mdia", b"mdhd", b"hdlr", b"minf", b"stbl", b"stsd", b"avc1", b"mp4a", b"esds",
        b"stts", b"stsz", b"mdat",
    ] {
        let at = good.windows(4).position(|window| window == kind).unwrap() - 4;
        for len in [0, 1, 2, 7, 8, 9, 12, 16, 24, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(len));
            assert_eq!(look(&bytes).content.mime.mime, "video/mp4");
        }
    }
    let wide = |len: u64| [&[0, 0, 0, 1][..], b"free", &len.to_be_bytes()].concat();
    for len in [0, 15, u64::MAX, u64::MAX - 8, 1 << 63] {
        let bytes = [file_type(b"isom", b"isom"), wide(len), moov(&header(1), &[h264()], b"")].concat();
        assert_eq!(look(&bytes).content.video, None, "{len}");
    }
    let bytes = [file_type(b"isom", b"isom"), wide(16), moov(&header(1), &[h264()], b"")].concat();
    assert_eq!(video(&bytes).video.len(), 1);
    // Counts of what is not there.
    let counted = Track { sizes: same_sizes(u32::MAX, u32::MAX), ..pictures(picture_entry(b"avc1", 1, 1, b"")) };
    assert_eq!(video(&movie(&[counted])).video[0].bitrate, None);
    let count = [&[0, 0, 3, 1][..], &[0xFF; 4], &[0; 4]].concat();
    let fragment = boxed(b"traf", &[full(b"tfhd", 0, &[0, 0, 0, 1]), boxed(b"trun", &count)].concat());
    let empty = Track { sizes: same_sizes(0, 0), steps: vec![], ..h264() };
    let file = [moov(&header(0), &[empty], &mvex(1, 20, 0)), boxed(b"moof", &fragment)].concat();
    let rate = video(&[file_type(b"isom", b"isom"), file].concat()).video[0].frame_rate;
    assert!((rate - 30.0).abs() < 1e-9, "{rate}");
    // Elements that end behind their parents, or say so.
    let entry = matroska::pictures(1, "V_VP9", (4, 3), 1, b"");
    for len in [&b"\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFE"[..], b"\xFE", b"\x10\xFF\xFF\xFF", b"\x0F\xFF\xFF\xFF\xFF"] {
        let bytes = [&start(b"webm")[..], b"\x18\x53\x80\x67", len, &tracks(std::slice::from_ref(&entry))].concat();
        assert_eq!(video(&bytes).video.len(), 1);
    }
}

/// Videos of every structure that is read.
fn videos() -> Vec<Vec<u8>> {
    let aac = |version| sound_entry(b"mp4a", version, (2, 16, 8000), &boxed(b"wave", &esds(0x40, 9, &[0x12, 0x10])));
    let fragments = [moov(&header(0), &[h264()], &mvex(1, 20, 7)), moof(1, 0, &[20; 5])].concat();
    let browser = [matroska::pictures(1, "V_VP8", (4, 3), 0, b""), matroska::sound("A_OPUS", b"", b"")];
    let block = element(0xA0, &element(0xA1, &[0x81, 0, 1, 0, 0]));
    let parts = [matroska::info(1_000_000, 9.0), tracks(&browser), open(CLUSTER, &block.repeat(3))];
    let mut all = vec![
        movie(&[h264(), sound(aac(1)), sound(linear_entry(8000.0, 2, 16, 4))]),
        [file_type(b"iso6", b"mp41"), fragments].concat(),
        [start(b"webm"), open(SEGMENT, &parts.concat())].concat(),
    ];
    let names = ["h264-aac.mp4", "turned.mov", "fragmented.mp4", "hevc-ac3.mp4", "vp9-opus.webm", "h264-aac.mkv"];
    all.extend(names.map(fixture));
    all
}

/// Checks what holds of the facts of any video.
fn check(bytes: &[u8]) {
    let answer = look_within_budget(Cursor::new(bytes), bytes.len() as u64);
    assert_eq!(look(bytes), answer);
    if let Some(info) = answer.content.video {
        assert!((1..=32).contains(&(info.video.len() + info.audio.len())) && !info.video.is_empty());
        assert!(info.duration.is_none_or(|duration| (1..1 << 53).contains(&duration)));
        for stream in &info.video {
            assert!(stream.width > 0 && stream.height > 0);
            assert!((0.0..=1e6).contains(&stream.frame_rate));
        }
        assert!(info.audio.iter().all(|stream| stream.channels != Some(0) && stream.sample_rate != Some(0)));
    }
}

#[test]
fn every_byte_set_to_extremes() {
    for bytes in videos() {
        let mut changed = bytes.clone();
        // Behind it there is only media in the longest one.
        for at in 0..bytes.len().min(2600) {
            for value in [0, 0xFF] {
                changed[at] = value;
                check(&changed);
            }
            changed[at] = bytes[at];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_videos_neither_panic_nor_exceed_the_budget(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..12),
    ) {
        let all = videos();
        let mut bytes = all[which.index(all.len())].clone();
        for change in &changes {
            let change: &Change = change;
            apply(&mut bytes, change);
        }
        check(&bytes);
    }
}
