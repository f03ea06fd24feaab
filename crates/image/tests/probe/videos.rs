//! Facts of good videos, each as ffprobe has it but where a comment says so.

use crate::boxes::{boxed, file_type, full};
use crate::movies::{
    Track, UPRIGHT, btrt, esds, header, linear_entry, moof, moov, movie, mvex, picture_entry, pictures, same_sizes,
    sizes, sound, sound_entry,
};
use crate::{fixture, look, look_within_budget, video};
use std::io::{Cursor, Read, Seek, SeekFrom};
use stowage_image::{HEAD_LEN, Limits, probe_head};
use stowage_model::content::{AudioStream, VideoInfo, VideoStream};

fn pictures_of(codec: &str, (width, height): (u32, u32), bitrate: Option<u64>, frame_rate: f64) -> VideoStream {
    VideoStream { codec: Some(codec.to_owned()), width, height, bitrate, frame_rate }
}

fn sound_of(codec: &str, bitrate: Option<u64>, channels: u32, sample_rate: u32) -> AudioStream {
    AudioStream { codec: Some(codec.to_owned()), bitrate, channels: Some(channels), sample_rate: Some(sample_rate) }
}

#[test]
fn videos_have_the_facts_that_ffprobe_has() {
    let lying = |codec, bitrate, rate| pictures_of(codec, (32, 24), bitrate, rate);
    #[rustfmt::skip]
    let rows = [
        ("h264-aac.mp4", "video/mp4", lying("h264", Some(3), 25.0), sound_of("aac", Some(25), 1, 44_100), "mp4", Some(93), Some(200)),
        ("hevc-ac3.mp4", "video/mp4", lying("hevc", Some(4), 29.97), sound_of("ac3", Some(32), 1, 32_000), "mp4", Some(88), Some(232)),
        ("mpeg4-pcm.mov", "video/quicktime", lying("mpeg4", Some(3), 25.0), sound_of("pcm_s16le", Some(128), 1, 8000), "mp4", Some(70), Some(200)),
        // ffprobe gives the coded size, and the rotation besides.
        ("turned.mov", "video/quicktime", pictures_of("h264", (24, 32), Some(3), 25.0), sound_of("aac", Some(25), 1, 44_100), "mp4", Some(95), Some(200)),
        // ffprobe reads all fragments.
        ("fragmented.mp4", "video/mp4", lying("h264", None, 25.0), sound_of("aac", Some(24), 1, 44_100), "mp4", None, None),
        ("vp9-opus.webm", "video/webm", lying("vp9", None, 25.0), sound_of("opus", None, 1, 48_000), "webm", Some(40), Some(208)),
        ("live.webm", "video/webm", lying("vp8", None, 25.0), sound_of("opus", None, 1, 48_000), "webm", None, None),
        // ffprobe says `matroska,webm` of both.
        ("h264-aac.mkv", "video/x-matroska", lying("h264", None, 25.0), sound_of("aac", None, 2, 44_100), "matroska", Some(57), Some(223)),
    ];
    for (name, mime, pictures, sound, format, bitrate, duration) in rows {
        let answer = look(&fixture(name));
        assert_eq!(answer.content.mime.mime, mime, "{name}");
        assert!(!answer.is_image, "{name}");
        let format = format.to_owned();
        let facts = VideoInfo { audio: vec![sound], video: vec![pictures], format, bitrate, duration };
        assert_eq!(answer.content.video, Some(facts), "{name}");
    }
    let answer = look(&fixture("sound.mp4"));
    assert_eq!((answer.content.mime.mime.as_str(), answer.content.video), ("video/mp4", None), "sound alone");
}

/// H.264 of 480 by 360.
fn h264() -> Track {
    pictures(picture_entry(b"avc1", 480, 360, b""))
}

#[test]
fn a_quarter_turn_exchanges_the_sides() {
    for (matrix, size) in [
        (UPRIGHT, (480, 360)),
        ([-1, 0, 0, -1], (480, 360)),
        ([0, 1, -1, 0], (360, 480)),
        ([0, -1, 1, 0], (360, 480)),
        ([0, 0, 0, 0], (480, 360)),
        ([1, 1, -1, 1], (480, 360)),
    ] {
        let info = video(&movie(&[Track { matrix, ..h264() }]));
        assert_eq!((info.video[0].width, info.video[0].height), size, "{matrix:?}");
    }
    // Where the description has no size, that of the track.
    let info = video(&movie(&[pictures(picture_entry(b"avc1", 0, 0, b""))]));
    assert_eq!((info.video[0].width, info.video[0].height), (320, 240));
}

/// A file with a gap of zeros in it.
struct Sparse {
    start: Vec<u8>,
    gap: u64,
    end: Vec<u8>,
    at: u64,
}

impl Read for Sparse {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let behind = self.start.len() as u64 + self.gap;
        let piece = match self.at {
            at if at < self.start.len() as u64 => &self.start[usize::try_from(at).unwrap()..],
            at if at < behind => &[0; 4096][..usize::try_from((behind - at).min(4096)).unwrap()],
            at => &self.end[usize::try_from(at - behind).unwrap().min(self.end.len())..],
        };
        let count = piece.len().min(into.len());
        into[..count].copy_from_slice(&piece[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let SeekFrom::Start(at) = to else { panic!("probes seek from the start") };
        self.at = at;
        Ok(at)
    }
}

#[test]
fn a_movie_behind_its_media_is_found() {
    for gap in [100_000, 20_000_000_000_u64] {
        let mut start = file_type(b"isom", b"isommp42");
        start.extend([&[0, 0, 0, 1][..], b"mdat", &(gap + 16).to_be_bytes()].concat());
        let end = moov(&header(1000), &[h264(), sound(sound_entry(b"Opus", 0, (2, 16, 48_000), b""))], b"");
        let len = start.len() as u64 + gap + end.len() as u64;
        let head: Vec<u8> = start.iter().copied().chain(std::iter::repeat(0)).take(HEAD_LEN).collect();
        assert_eq!(probe_head(&head, len, &Limits::default()), None);
        let info = look_within_budget(Sparse { start, gap, end, at: 0 }, len).content.video.unwrap();
        assert_eq!(info.video, [pictures_of("h264", (480, 360), Some(24), 30.0)]);
        assert_eq!(info.audio, [sound_of("opus", Some(4), 2, 48_000)]);
        assert_eq!((info.duration, info.bitrate), (Some(1000), Some((len * 8 + 500) / 1000)));
    }
}

#[test]
fn a_movie_at_the_start_needs_no_file() {
    let bytes = [movie(&[h264()]), boxed(b"free", &vec![0; 200_000])].concat();
    let answer = probe_head(&bytes[..HEAD_LEN], bytes.len() as u64, &Limits::default()).unwrap();
    assert_eq!(answer, look(&bytes));
    assert!(answer.content.video.is_some());
}

#[test]
fn bitrates_are_declared_or_summed_up() {
    let table = |bytes: Vec<u8>| video(&movie(&[Track { sizes: bytes, ..h264() }])).video[0].bitrate;
    assert_eq!(table(sizes(&[100; 30])), Some(24));
    assert_eq!(table(sizes(&[0, 1000, 2500])), Some(28));
    assert_eq!(table(same_sizes(500, 10)), Some(40));
    let short = [&[0, 0, 0, 16, 0, 0, 0, 3][..], &[0x03, 0xE8, 0, 0, 0x07, 0xD0]].concat();
    assert_eq!(table(full(b"stz2", 0, &short)), Some(24));
    // More than the file has, more than the table has, of four bits, and none.
    assert_eq!(table(same_sizes(20_000, 1)), None);
    assert_eq!(table(full(b"stsz", 0, &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1])), None);
    assert_eq!(table(full(b"stz2", 0, &[0, 0, 0, 4, 0, 0, 0, 2, 0x11])), None);
    assert_eq!(table(sizes(&[])), None);
    // A table that is too long to be read costs nothing else.
    assert_eq!(table(sizes(&vec![0; 65_536])), None);
    let info = video(&movie(&[Track { sizes: sizes(&vec![0; 70_000]), ..h264() }]));
    assert_eq!(info.video, [pictures_of("h264", (480, 360), None, 30.0)]);
    assert_eq!(info.duration, Some(1000));

    let declared =
        |extensions: &[u8]| video(&movie(&[pictures(picture_entry(b"mp4v", 4, 3, extensions))])).video[0].bitrate;
    assert_eq!(declared(&btrt(726_499)), Some(726));
    assert_eq!(declared(&btrt(0)), Some(24));
    assert_eq!(declared(&esds(0x20, 94_000, b"")), Some(94));
    assert_eq!(declared(&esds(0x20, 0, b"")), Some(24));
    assert_eq!(declared(&[esds(0x20, 94_000, b""), btrt(1_000)].concat()), Some(1));
}

#[test]
fn the_longest_table_that_is_read_lies_anywhere() {
    let track = Track { sizes: sizes(&vec![1; 65_536]), times: (600, 600 * 60), ..h264() };
    let bytes =
        [file_type(b"isom", b"isom"), boxed(b"mdat", &vec![0; 100_000]), moov(&header(60_000), &[track], b"")].concat();
    let info = look_within_budget(Cursor::new(&bytes), bytes.len() as u64).content.video.unwrap();
    assert_eq!(info.video[0].bitrate, Some(9));
}

#[test]
fn durations() {
    let of = |header: Vec<u8>, tracks: &[Track]| {
        video(&[file_type(b"isom", b"isom"), moov(&header, tracks, b"")].concat()).duration
    };
    assert_eq!(of(header(9433), &[h264()]), Some(9433));
    // Units of 90 kHz in the wide form.
    let wide = |duration: u64| {
        let scale = 90_000_u32.to_be_bytes();
        full(b"mvhd", 1, &[&[0; 16][..], &scale, &duration.to_be_bytes()].concat())
    };
    assert_eq!(of(wide(849_000), &[h264()]), Some(9433));
    assert_eq!(of(wide(90_000 << 32), &[h264()]), Some(4_294_967_296_000));
    // Unknown in both forms, nothing, without units, and longer than any number: the longest track tells.
    let long = Track { times: (100, 250), ..sound(sound_entry(b"alac", 0, (2, 16, 8000), b"")) };
    for header in [header(u32::MAX), header(0), full(b"mvhd", 0, &[0; 16]), wide(u64::MAX), wide(0), Vec::new()] {
        assert_eq!(of(header, &[h264(), long.clone()]), Some(2500));
    }
    assert_eq!(of(wide(u64::MAX - 1), &[h264()]), None);
    let still = Track { times: (600, 0), steps: vec![], ..h264() };
    let info = video(&[file_type(b"isom", b"isom"), moov(&header(0), &[still], b"")].concat());
    assert_eq!((info.duration, info.bitrate, info.video[0].bitrate), (None, None, None));
    assert!(info.video[0].frame_rate.abs() < f64::EPSILON);
}

#[test]
fn rates_of_frames() {
    let of = |times, steps: &[(u32, u32)]| {
        video(&movie(&[Track { times, steps: steps.to_vec(), ..h264() }])).video[0].frame_rate
    };
    for (times, steps, rate) in [
        ((600, 600), &[(30, 20)][..], 30.0),
        ((30_000, 30_030), &[(30, 1001)], 29.97),
        ((24_000, 30_030), &[(30, 1001)], 23.976),
        // Where they vary, the thirty frames by their duration.
        ((600, 630), &[(29, 20), (1, 50)], 28.571),
        ((600, 600), &[], 30.0),
        ((600, 600), &[(30, 0)], 30.0),
        ((u32::MAX, 600), &[(30, 1)], 0.0),
    ] {
        let got = of(times, steps);
        assert!((got - rate).abs() < 1e-9, "{times:?} {steps:?} {got}");
    }
}

#[test]
fn fragments() {
    let empty = |tracks: u32| Track { id: tracks, sizes: sizes(&[]), steps: vec![], times: (600, 0), ..h264() };
    let file = |header_ms: u32, track: &Track, mvex: &[u8], moof: &[u8]| {
        let moov = moov(&header(header_ms), std::slice::from_ref(track), mvex);
        video(&[file_type(b"iso6", b"mp41"), moov, boxed(b"sidx", &[0; 20]), moof.to_vec()].concat())
    };
    for (mvex, moof, rate) in [
        (mvex(1, 20, 0), moof(1, 0, &[]), 30.0),
        (mvex(1, 20, 0), moof(1, 24, &[]), 25.0),
        (mvex(1, 20, 0), moof(1, 24, &[10, 10, 10, 30]), 40.0),
        (mvex(1, 20, 0), moof(7, 24, &[]), 30.0),
        (mvex(7, 20, 0), moof(7, 24, &[]), 0.0),
        (mvex(1, 20, 0), Vec::new(), 30.0),
        (mvex(1, 0, 0), moof(1, 0, &[0, 0]), 0.0),
    ] {
        let got = file(0, &empty(1), &mvex, &moof).video[0].frame_rate;
        assert!((got - rate).abs() < 1e-9, "{got} for {rate}");
    }
    let duration = |header_ms, track: &Track, all| file(header_ms, track, &mvex(1, 20, all), b"").duration;
    assert_eq!(duration(0, &empty(1), 0), None);
    assert_eq!(duration(0, &empty(1), 5000), Some(5000));
    assert_eq!(duration(4000, &empty(1), 5000), Some(5000));
    assert_eq!(duration(4000, &empty(1), 0), Some(4000));
    // The header speaks of the samples that the tables have.
    assert_eq!(duration(4000, &h264(), 0), None);
}

#[test]
fn names_of_picture_codecs() {
    let locked = [boxed(b"frma", b"hvc1"), full(b"schm", 0, b"cenc\0\x01\0\0")].concat();
    for (code, extensions, name) in [
        (b"avc1", Vec::new(), Some("h264")),
        (b"avc3", Vec::new(), Some("h264")),
        (b"hvc1", Vec::new(), Some("hevc")),
        (b"hev1", Vec::new(), Some("hevc")),
        (b"vp08", Vec::new(), Some("vp8")),
        (b"vp09", Vec::new(), Some("vp9")),
        (b"av01", Vec::new(), Some("av1")),
        (b"mp4v", Vec::new(), Some("mpeg4")),
        (b"mp4v", esds(0x20, 1, b""), Some("mpeg4")),
        (b"mp4v", esds(0x61, 1, b""), Some("mpeg2video")),
        (b"mp4v", esds(0x6A, 1, b""), Some("mpeg1video")),
        (b"mp4v", esds(0x6C, 1, b""), Some("mjpeg")),
        (b"jpeg", Vec::new(), Some("mjpeg")),
        (b"apcn", Vec::new(), Some("prores")),
        (b"ap4h", Vec::new(), Some("prores")),
        (b"s263", Vec::new(), Some("h263")),
        (b"encv", boxed(b"sinf", &locked), Some("hevc")),
        (b"encv", Vec::new(), None),
        (b"\0\xFF<>", Vec::new(), None),
    ] {
        let info = video(&movie(&[pictures(picture_entry(code, 4, 3, &extensions))]));
        assert_eq!(info.video[0].codec.as_deref(), name, "{}", String::from_utf8_lossy(code));
    }
}

#[test]
fn sound_is_what_its_configuration_says() {
    let stereo = |code, bits, extensions: &[u8]| sound_entry(code, 0, (2, bits, 44_100), extensions);
    let wave = |inner: &[u8]| boxed(b"wave", &[&boxed(b"frma", b"mp4a"), inner, &[0, 0, 0, 8, 0, 0, 0, 0]].concat());
    let flac = [&[0x80, 0, 0, 34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0x17, 0x70, 0x02, 0xF0], &[0; 20]].concat();
    let alac = [&[0; 9][..], &[6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], &96_000_u32.to_be_bytes()].concat();
    #[rustfmt::skip]
    let rows = [
        (stereo(b"mp4a", 16, b""), "aac", 2, 44_100),
        // LC, 44.1 kHz, mono, in a description that says stereo.
        (stereo(b"mp4a", 16, &esds(0x40, 0, &[0x12, 0x08])), "aac", 1, 44_100),
        // LC with a rate written out: 12345 Hz, and six channels.
        (stereo(b"mp4a", 16, &esds(0x40, 0, &[0x17, 0x80, 0x18, 0x1C, 0xB0])), "aac", 6, 12_345),
        // The upper half derived: 24 kHz that decode to 48, stereo.
        (stereo(b"mp4a", 16, &esds(0x40, 0, &[0x2B, 0x11, 0x88])), "aac", 2, 48_000),
        // The layout in the stream, and a rate that does not exist.
        (stereo(b"mp4a", 16, &esds(0x40, 0, &[0x16, 0x80])), "aac", 2, 44_100),
        (stereo(b"mp4a", 16, &esds(0x40, 0, b"")), "aac", 2, 44_100),
        (stereo(b"mp4a", 16, &esds(0x6B, 0, b"")), "mp3", 2, 44_100),
        (stereo(b"mp4a", 16, &esds(0xA9, 0, b"")), "dts", 2, 44_100),
        (stereo(b".mp3", 16, b""), "mp3", 2, 44_100),
        (stereo(b"ac-3", 16, &boxed(b"dac3", &[0x10, 0x3D, 0xC0])), "ac3", 6, 44_100),
        (stereo(b"ec-3", 16, &boxed(b"dec3", &[0x06, 0, 0x20, 0x02, 0])), "eac3", 1, 44_100),
        (stereo(b"Opus", 16, &boxed(b"dOps", &[0, 8, 0, 0, 0, 0, 0, 0])), "opus", 8, 44_100),
        (stereo(b"fLaC", 16, &full(b"dfLa", 0, &flac)), "flac", 2, 96_000),
        (stereo(b"alac", 16, &full(b"alac", 0, &alac)), "alac", 6, 96_000),
        (sound_entry(b"mp4a", 1, (2, 16, 44_100), &wave(&esds(0x40, 0, &[0x12, 0x08]))), "aac", 1, 44_100),
        (sound_entry(b"in24", 1, (2, 16, 48_000), &wave(&boxed(b"enda", &[0, 1]))), "pcm_s24le", 2, 48_000),
        (sound_entry(b"in24", 1, (2, 16, 48_000), &wave(&boxed(b"enda", &[0, 0]))), "pcm_s24be", 2, 48_000),
        (stereo(b"sowt", 16, b""), "pcm_s16le", 2, 44_100),
        (stereo(b"twos", 16, b""), "pcm_s16be", 2, 44_100),
        (stereo(b"twos", 8, b""), "pcm_s8", 2, 44_100),
        (stereo(b"raw ", 8, b""), "pcm_u8", 2, 44_100),
        (stereo(b"ulaw", 16, b""), "pcm_mulaw", 2, 44_100),
        (stereo(b"fl32", 16, b""), "pcm_f32be", 2, 44_100),
        (stereo(b"ipcm", 16, &full(b"pcmC", 0, &[1, 24])), "pcm_s24le", 2, 44_100),
        (linear_entry(96_000.0, 6, 32, 1), "pcm_f32le", 6, 96_000),
        (linear_entry(96_000.0, 6, 24, 4 | 2), "pcm_s24be", 6, 96_000),
        (linear_entry(f64::NAN, 1, 8, 4), "pcm_s8", 1, 48_000),
        // A rate that does not fit into its field is that of the units of time.
        (sound_entry(b"samr", 0, (1, 16, 0), b""), "amr_nb", 1, 48_000),
    ];
    for (entry, codec, channels, rate) in rows {
        let stream = video(&movie(&[h264(), sound(entry)])).audio.remove(0);
        let facts = (stream.codec.as_deref(), stream.channels, stream.sample_rate);
        assert_eq!(facts, (Some(codec), Some(channels), Some(rate)));
    }
    // What the units of linear sound are does not matter: its bitrate follows from the rest.
    let stream = video(&movie(&[h264(), sound(stereo(b"sowt", 16, b""))])).audio.remove(0);
    assert_eq!(stream.bitrate, Some(1411));
    let nothing = sound(sound_entry(b"????", 0, (0, 0, 0), b""));
    let stream = video(&movie(&[h264(), Track { times: (1, 1), ..nothing }])).audio.remove(0);
    assert_eq!(stream, AudioStream { codec: None, bitrate: Some(4), channels: None, sample_rate: None });
}

#[test]
fn tracks_of_other_kinds_are_left_out() {
    let text = Track { handler: *b"text", ..h264() };
    let info = video(&movie(&[text.clone(), h264(), sound(sound_entry(b"alac", 0, (1, 16, 8000), b"")), h264()]));
    assert_eq!((info.video.len(), info.audio.len()), (2, 1));
    for tracks in [vec![], vec![text], vec![sound(sound_entry(b"alac", 0, (1, 16, 8000), b""))]] {
        let answer = look(&movie(&tracks));
        assert_eq!((answer.content.mime.mime.as_str(), answer.content.video), ("video/mp4", None));
    }
    let many = video(&movie(&vec![h264(); 100]));
    assert_eq!(many.video.len(), 32);
}

#[test]
fn types_of_the_family() {
    let of = |start: Vec<u8>| {
        let answer = look(&[start, moov(&header(1000), &[h264()], b"")].concat());
        (answer.content.mime.mime, answer.content.video.map(|info| info.format))
    };
    let mp4 = Some("mp4".to_owned());
    for (start, mime) in [
        (file_type(b"mp42", b"isom"), "video/mp4"),
        (file_type(b"iso8", b"mp41"), "video/mp4"),
        (file_type(b"cmfc", b"iso6"), "video/mp4"),
        (file_type(b"qt  ", b"qt  "), "video/quicktime"),
        (boxed(b"wide", b""), "video/quicktime"),
        (Vec::new(), "video/quicktime"),
        (file_type(b"M4V ", b"isom"), "video/x-m4v"),
        (file_type(b"3gp4", b"isom"), "video/3gpp"),
        (file_type(b"3g2a", b"isom"), "video/3gpp2"),
    ] {
        assert_eq!(of(start), (mime.to_owned(), mp4.clone()), "{mime}");
    }
    assert_eq!(of(file_type(b"M4A ", b"isom")), ("audio/x-m4a".to_owned(), None));
    assert_eq!(of(file_type(b"what", b"ever")), ("application/octet-stream".to_owned(), None));
}
