//! Matroska and `WebM` written by hand, for what no encoder at hand writes.

use crate::{look, look_within_budget, video};
use std::io::Cursor;
use stowage_image::{HEAD_LEN, Limits, probe_head};

/// An element of the shortest length that holds it.
pub(crate) fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let len = match u64::try_from(content.len()).unwrap() {
        len @ ..0x7F => vec![0x80 | u8::try_from(len).unwrap()],
        len => (len | 1 << 56).to_be_bytes().to_vec(),
    };
    [name(id), len, content.to_vec()].concat()
}

/// An element whose length is not known.
pub(crate) fn open(id: u32, content: &[u8]) -> Vec<u8> {
    [&name(id)[..], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], content].concat()
}

fn name(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

fn number(id: u32, number: u64) -> Vec<u8> {
    element(id, &number.to_be_bytes())
}

pub(crate) fn start(kind: &[u8]) -> Vec<u8> {
    element(0x1A45_DFA3, &[number(0x4286, 1), element(0x4282, kind)].concat())
}

pub(crate) const SEGMENT: u32 = 0x1853_8067;
pub(crate) const CLUSTER: u32 = 0x1F43_B675;

pub(crate) fn info(scale: u64, duration: f64) -> Vec<u8> {
    element(0x1549_A966, &[number(0x2A_D7B1, scale), element(0x4489, &duration.to_be_bytes())].concat())
}

pub(crate) fn tracks(entries: &[Vec<u8>]) -> Vec<u8> {
    element(0x1654_AE6B, &entries.concat())
}

/// A track of pictures; `frame` is the duration of a frame in nanoseconds, or 0.
pub(crate) fn pictures(id: u64, codec: &str, size: (u64, u64), frame: u64, more: &[u8]) -> Vec<u8> {
    let frame = if frame == 0 { Vec::new() } else { number(0x23_E383, frame) };
    let size = element(0xE0, &[number(0xB0, size.0), number(0xBA, size.1)].concat());
    element(
        0xAE,
        &[&number(0xD7, id), &number(0x83, 1), &element(0x86, codec.as_bytes()), &frame, &size, more].concat(),
    )
}

/// A track of sound.
pub(crate) fn sound(codec: &str, settings: &[u8], more: &[u8]) -> Vec<u8> {
    element(
        0xAE,
        &[&number(0xD7, 9), &number(0x83, 2), &element(0x86, codec.as_bytes()), &element(0xE1, settings), more]
            .concat(),
    )
}

/// The index: numbers of elements, and where they begin in the segment.
fn seek_head(places: &[(u32, u64)]) -> Vec<u8> {
    let entry = |(id, at): &(u32, u64)| element(0x4DBB, &[element(0x53AB, &name(*id)), number(0x53AC, *at)].concat());
    element(0x114D_9B74, &places.iter().flat_map(entry).collect::<Vec<_>>())
}

fn simple_block(track: u8, time: i16, len: usize) -> Vec<u8> {
    element(0xA3, &[&[0x80 | track][..], &time.to_be_bytes(), &vec![0; len]].concat())
}

fn webm(parts: &[Vec<u8>]) -> Vec<u8> {
    [start(b"webm"), element(SEGMENT, &parts.concat())].concat()
}

fn vp9() -> Vec<u8> {
    pictures(1, "V_VP9", (64, 48), 40_000_000, b"")
}

#[test]
fn times_are_in_units_of_the_file() {
    for (scale, duration, ms) in [
        (1_000_000, 1234.4, Some(1234)),
        (1_000, 1_234_567.0, Some(1235)),
        (1_000_000_000, 2.5, Some(2500)),
        (1_000_000, 0.0, None),
        (1_000_000, -5.0, None),
        (0, 1000.0, None),
        (u64::MAX, 1e300, None),
        (1_000_000, f64::NAN, None),
        (1_000_000, f64::INFINITY, None),
    ] {
        let bytes = webm(&[info(scale, duration), tracks(&[vp9()])]);
        let info = video(&bytes);
        assert_eq!(info.duration, ms, "{scale} {duration}");
        let bitrate = ms.map(|ms| (bytes.len() as u64 * 8 + ms / 2) / ms);
        assert_eq!(info.bitrate, bitrate);
    }
    // Thousandths of a second are what counts where nothing is said, and four bytes are enough.
    let short = element(0x1549_A966, &element(0x4489, &2500_f32.to_be_bytes()));
    assert_eq!(video(&webm(&[short, tracks(&[vp9()])])).duration, Some(2500));
}

#[test]
fn segments_and_clusters_may_be_of_unknown_length() {
    let cluster = open(CLUSTER, &[element(0xE7, &[0]), simple_block(1, 0, 10)].concat());
    let bytes = [start(b"webm"), open(SEGMENT, &[tracks(&[vp9()]), cluster].concat())].concat();
    let info = video(&bytes);
    assert_eq!((info.format.as_str(), info.duration, info.bitrate), ("webm", None, None));
    assert_eq!((info.video[0].codec.as_deref(), info.video[0].width, info.video[0].height), (Some("vp9"), 64, 48));
    assert!((info.video[0].frame_rate - 25.0).abs() < 1e-9);
}

#[test]
fn tracks_behind_the_clusters_are_found_by_the_index() {
    for media in [100, 300_000] {
        let cluster = element(CLUSTER, &simple_block(1, 0, media));
        let tail = [info(1_000_000, 5000.0), tracks(&[vp9()])];
        let len = seek_head(&[(0x1549_A966, 0), (0x1654_AE6B, 0)]).len() as u64 + cluster.len() as u64;
        let index = seek_head(&[(0x1549_A966, len), (0x1654_AE6B, len + tail[0].len() as u64)]);
        let bytes = webm(&[index, cluster.clone(), tail.concat()]);
        let info = look_within_budget(Cursor::new(&bytes), bytes.len() as u64).content.video.unwrap();
        assert_eq!((info.duration, info.video[0].width), (Some(5000), 64));
        if media > HEAD_LEN {
            assert_eq!(probe_head(&bytes[..HEAD_LEN], bytes.len() as u64, &Limits::default()), None);
        }
        // An index that leads elsewhere, out of the file, or nowhere.
        for index in [seek_head(&[(0x1654_AE6B, 0)]), seek_head(&[(0x1654_AE6B, u64::MAX)]), Vec::new()] {
            let answer = look(&webm(&[index, cluster.clone(), tail.concat()]));
            assert_eq!((answer.content.mime.mime.as_str(), answer.content.video), ("video/webm", None));
        }
    }
}

#[test]
fn the_first_blocks_tell_the_rate_of_frames() {
    let browser = pictures(1, "V_VP8", (64, 48), 0, b"");
    let rate = |blocks: &[Vec<u8>]| {
        let cluster = open(CLUSTER, &[&element(0xE7, &[0]), &blocks.concat()[..]].concat());
        let parts = [tracks(&[browser.clone(), sound("A_OPUS", b"", b"")]), cluster];
        video(&[start(b"webm"), open(SEGMENT, &parts.concat())].concat()).video[0].frame_rate
    };
    let group = |time: i16| element(0xA0, &element(0xA1, &[&[0x40, 0x01][..], &time.to_be_bytes(), &[0; 5]].concat()));
    let frames = |times: &[i16]| times.iter().map(|time| simple_block(1, *time, 5)).collect::<Vec<_>>();
    for (blocks, expected) in [
        (frames(&[0, 40, 80, 120]), 25.0),
        // In the order of decoding, among sound, and in groups.
        (frames(&[0, 120, 40, 80]), 25.0),
        (vec![simple_block(1, 0, 5), simple_block(9, 7, 5), simple_block(1, 50, 5)], 20.0),
        (vec![group(-10), group(10)], 50.0),
        // Up to the next cluster.
        ([frames(&[0, 40]), vec![open(CLUSTER, &[])], frames(&[1000])].concat(), 25.0),
        (frames(&[5, 5, 5]), 0.0),
        (frames(&[5]), 0.0),
        (Vec::new(), 0.0),
    ] {
        let got = rate(&blocks);
        assert!((got - expected).abs() < 1e-9, "{got} for {expected}");
    }
}

#[test]
fn rates_and_sizes() {
    let one = |track: Vec<u8>| look(&webm(&[tracks(&[track])])).content.video.map(|mut info| info.video.remove(0));
    for (frame, rate) in [(33_366_667, 29.97), (33_333_333, 30.0), (41_708_333, 23.976), (1, 0.0), (u64::MAX, 0.0)] {
        let got = one(pictures(1, "V_VP9", (64, 48), frame, b"")).unwrap().frame_rate;
        assert!((got - rate).abs() < 1e-9, "{got} for {rate}");
    }
    for size in [(0, 48), (64, 0), (64, u64::MAX), (1 << 32, 48)] {
        assert_eq!(one(pictures(1, "V_VP9", size, 0, b"")), None);
    }
    let answer = look(&[start(b"matroska"), element(SEGMENT, &tracks(&[sound("A_OPUS", b"", b"")]))].concat());
    assert_eq!((answer.content.mime.mime.as_str(), answer.content.video), ("video/x-matroska", None));
    let many = vec![vp9(); 100];
    assert_eq!(video(&webm(&[tracks(&many)])).video.len(), 32);
}

#[test]
fn names_of_codecs() {
    let bitmap = |code: &[u8; 4]| element(0x63A2, &[&[0; 16][..], code, &[0; 20]].concat());
    for (id, more, name) in [
        ("V_MPEG4/ISO/AVC", Vec::new(), Some("h264")),
        ("V_MPEGH/ISO/HEVC", Vec::new(), Some("hevc")),
        ("V_VP8", Vec::new(), Some("vp8")),
        ("V_VP9\0\0", Vec::new(), Some("vp9")),
        ("V_AV1", Vec::new(), Some("av1")),
        ("V_MPEG4/ISO/ASP", Vec::new(), Some("mpeg4")),
        ("V_MJPEG", Vec::new(), Some("mjpeg")),
        ("V_PRORES", Vec::new(), Some("prores")),
        ("V_MS/VFW/FOURCC", bitmap(b"XviD"), Some("mpeg4")),
        ("V_MS/VFW/FOURCC", bitmap(b"\0\0\0\0"), None),
        ("V_MS/VFW/FOURCC", Vec::new(), None),
        ("V_UNHEARD/OF", Vec::new(), None),
        ("", Vec::new(), None),
    ] {
        let info = video(&webm(&[tracks(&[pictures(1, id, (4, 3), 1_000_000_000, &more)])]));
        assert_eq!(info.video[0].codec.as_deref(), name, "{id}");
    }
    let long = video(&webm(&[tracks(&[pictures(1, &"V".repeat(300), (4, 3), 1_000_000_000, b"")])]));
    assert_eq!(long.video[0].codec, None);

    let rate = |hz: f64| element(0xB5, &hz.to_be_bytes());
    let settings =
        |hz: f64, channels: u64, bits: u64| [rate(hz), number(0x9F, channels), number(0x6264, bits)].concat();
    #[rustfmt::skip]
    let rows = [
        ("A_OPUS", settings(8000.0, 2, 0), Vec::new(), Some("opus"), None, Some(2), Some(48_000)),
        ("A_VORBIS", settings(44_100.0, 2, 0), Vec::new(), Some("vorbis"), None, Some(2), Some(44_100)),
        ("A_AAC", [settings(22_050.0, 1, 0), element(0x78B5, &44_100_f64.to_be_bytes())].concat(), Vec::new(), Some("aac"), None, Some(1), Some(44_100)),
        ("A_AAC/MPEG4/LC", settings(48_000.0, 6, 0), Vec::new(), Some("aac"), None, Some(6), Some(48_000)),
        ("A_MPEG/L3", settings(48_000.0, 2, 0), Vec::new(), Some("mp3"), None, Some(2), Some(48_000)),
        ("A_AC3", settings(48_000.0, 6, 0), Vec::new(), Some("ac3"), None, Some(6), Some(48_000)),
        ("A_EAC3", settings(48_000.0, 6, 0), Vec::new(), Some("eac3"), None, Some(6), Some(48_000)),
        ("A_FLAC", settings(96_000.0, 2, 24), Vec::new(), Some("flac"), None, Some(2), Some(96_000)),
        ("A_ALAC", settings(44_100.0, 2, 16), Vec::new(), Some("alac"), None, Some(2), Some(44_100)),
        ("A_PCM/INT/LIT", settings(48_000.0, 2, 16), Vec::new(), Some("pcm_s16le"), Some(1536), Some(2), Some(48_000)),
        ("A_PCM/INT/BIG", settings(48_000.0, 2, 24), Vec::new(), Some("pcm_s24be"), Some(2304), Some(2), Some(48_000)),
        ("A_PCM/FLOAT/IEEE", settings(48_000.0, 1, 32), Vec::new(), Some("pcm_f32le"), Some(1536), Some(1), Some(48_000)),
        ("A_PCM/INT/LIT", settings(48_000.0, 2, 13), Vec::new(), None, None, Some(2), Some(48_000)),
        ("A_MS/ACM", settings(48_000.0, 2, 0), element(0x63A2, &[0x55, 0, 0, 0]), Some("mp3"), None, Some(2), Some(48_000)),
        // What is not said is mono at 8 kHz; what makes no sense is not known.
        ("A_VORBIS", Vec::new(), Vec::new(), Some("vorbis"), None, Some(1), Some(8000)),
        ("A_VORBIS", settings(f64::NAN, 0, 0), Vec::new(), Some("vorbis"), None, None, None),
        ("A_VORBIS", settings(1e300, u64::MAX, 0), Vec::new(), Some("vorbis"), None, None, None),
    ];
    for (id, settings, more, name, bitrate, channels, rate) in rows {
        let stream = video(&webm(&[tracks(&[vp9(), sound(id, &settings, &more)])])).audio.remove(0);
        let facts = (stream.codec.as_deref(), stream.bitrate, stream.channels, stream.sample_rate);
        assert_eq!(facts, (name, bitrate, channels, rate), "{id}");
    }
}
