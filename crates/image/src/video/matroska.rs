//! Matroska and `WebM`: the duration and the tracks from the start of the segment, or from where its index says that they
//! are, and the rate of frames from the first blocks where no track says it, as in what browsers record.

use super::ebml::{elements, float, unsigned};
use super::{Movie, frame_rate, milliseconds, pcm_bitrate};
use crate::boxes::Span;
use crate::source::Source;
use stowage_model::content::{AudioStream, VideoStream};

const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const SEEK: u32 = 0x4DBB;
const SEEK_ID: u32 = 0x53AB;
const SEEK_POSITION: u32 = 0x53AC;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const DEFAULT_DURATION: u32 = 0x23_E383;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63A2;
const VIDEO: u32 = 0xE0;
const PIXEL_WIDTH: u32 = 0xB0;
const PIXEL_HEIGHT: u32 = 0xBA;
const AUDIO: u32 = 0xE1;
const SAMPLING_FREQUENCY: u32 = 0xB5;
const OUTPUT_FREQUENCY: u32 = 0x78B5;
const CHANNELS: u32 = 0x9F;
const BIT_DEPTH: u32 = 0x6264;
const CLUSTER: u32 = 0x1F43_B675;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;

/// The longest name of a codec that is read.
const MAX_NAME: u64 = 64;
/// Blocks that are looked at for the rate of frames; each may cost a read.
const MAX_BLOCKS: usize = 32;

/// The parts of a segment that are read.
#[derive(Default)]
struct Parts {
    info: Option<Span>,
    tracks: Option<Span>,
    cluster: Option<Span>,
}

pub(super) fn read(src: &mut Source) -> Option<Movie> {
    let segment = find(src, Span::file(src), SEGMENT)?;
    let parts = parts(src, segment);
    // Nanoseconds of one unit of time.
    let (mut scale, mut length) = (1_000_000, None);
    let mut list = elements(parts.info.unwrap_or(Span { at: 0, end: 0 }));
    while let Some((id, content)) = list.next(src) {
        match id {
            TIMESTAMP_SCALE => scale = unsigned(src, content).unwrap_or(scale),
            DURATION => length = float(src, content),
            _ => {}
        }
    }
    let scale = scale as f64;
    let mut movie =
        Movie { duration: length.and_then(|length| milliseconds(length * scale / 1e6)), ..Movie::default() };
    // The numbers of the tracks of the videos, in their order.
    let mut numbers = Vec::new();
    let mut list = elements(parts.tracks?);
    while !movie.is_full()
        && let Some((id, content)) = list.next(src)
    {
        if id == TRACK_ENTRY {
            let track = Track::read(src, content);
            match track.kind {
                1 => {
                    if let Some(stream) = track.video(src) {
                        movie.video.push(stream);
                        numbers.push(track.number);
                    }
                }
                2 => movie.audio.push(track.audio(src)),
                _ => {}
            }
        }
    }
    let unknown: Vec<_> = movie.video.iter_mut().zip(numbers).filter(|(stream, _)| stream.frame_rate == 0.0).collect();
    if let Some(cluster) = parts.cluster
        && !unknown.is_empty()
    {
        let times = block_times(src, cluster);
        for (stream, number) in unknown {
            stream.frame_rate = rate_of(&times, number, scale);
        }
    }
    Some(movie)
}

fn find(src: &mut Source, parent: Span, wanted: u32) -> Option<Span> {
    let mut list = elements(parent);
    loop {
        let (id, content) = list.next(src)?;
        if id == wanted {
            return Some(content);
        }
    }
}

/// Walks the segment up to its first cluster; behind it only the index leads.
fn parts(src: &mut Source, segment: Span) -> Parts {
    let (mut parts, mut index) = (Parts::default(), Parts::default());
    let mut list = elements(segment);
    while let Some((id, content)) = list.next(src) {
        match id {
            SEEK_HEAD => seek(src, segment, content, &mut index),
            INFO if parts.info.is_none() => parts.info = Some(content),
            TRACKS if parts.tracks.is_none() => parts.tracks = Some(content),
            CLUSTER => {
                parts.cluster = Some(content);
                break;
            }
            _ => {}
        }
    }
    let mut follow = |place: Option<Span>, wanted| {
        let (id, content) = elements(place?).next(src)?;
        (id == wanted).then_some(content)
    };
    parts.info = parts.info.or_else(|| follow(index.info, INFO));
    parts.tracks = parts.tracks.or_else(|| follow(index.tracks, TRACKS));
    parts
}

/// Notes where the index says that parts begin.
fn seek(src: &mut Source, segment: Span, content: Span, index: &mut Parts) {
    let mut list = elements(content);
    while let Some((id, entry)) = list.next(src) {
        let (mut wanted, mut position) = (None, None);
        let mut fields = elements(entry);
        while id == SEEK
            && let Some((id, field)) = fields.next(src)
        {
            match id {
                SEEK_ID => wanted = unsigned(src, field),
                SEEK_POSITION => position = unsigned(src, field),
                _ => {}
            }
        }
        let place = position.and_then(|position| segment.skip(position));
        match wanted.map(u32::try_from) {
            Some(Ok(INFO)) => index.info = index.info.or(place),
            Some(Ok(TRACKS)) => index.tracks = index.tracks.or(place),
            _ => {}
        }
    }
}

/// What the entry of a track says.
#[derive(Default)]
struct Track {
    number: u64,
    kind: u64,
    codec: String,
    private: Option<Span>,
    /// Nanoseconds of a frame.
    frame: u64,
    size: (u64, u64),
    frequency: Option<f64>,
    output_frequency: Option<f64>,
    channels: Option<u64>,
    bits: u64,
}

impl Track {
    fn read(src: &mut Source, entry: Span) -> Self {
        let mut track = Self::default();
        let mut list = elements(entry);
        while let Some((id, content)) = list.next(src) {
            match id {
                CODEC_ID if content.size() <= MAX_NAME => {
                    let bytes = usize::try_from(content.size()).ok().and_then(|size| src.bytes(content.at, size));
                    track.codec = String::from_utf8_lossy(bytes.unwrap_or_default()).trim_end_matches('\0').to_owned();
                }
                CODEC_PRIVATE => track.private = Some(content),
                VIDEO | AUDIO => {
                    let mut fields = elements(content);
                    while let Some((id, field)) = fields.next(src) {
                        track.field(src, id, field);
                    }
                }
                _ => track.field(src, id, content),
            }
        }
        track
    }

    fn field(&mut self, src: &mut Source, id: u32, content: Span) {
        let mut whole = || unsigned(src, content).unwrap_or(0);
        match id {
            TRACK_NUMBER => self.number = whole(),
            TRACK_TYPE => self.kind = whole(),
            DEFAULT_DURATION => self.frame = whole(),
            PIXEL_WIDTH => self.size.0 = whole(),
            PIXEL_HEIGHT => self.size.1 = whole(),
            CHANNELS => self.channels = Some(whole()),
            BIT_DEPTH => self.bits = whole(),
            SAMPLING_FREQUENCY => self.frequency = float(src, content),
            OUTPUT_FREQUENCY => self.output_frequency = float(src, content),
            _ => {}
        }
    }

    fn video(&self, src: &mut Source) -> Option<VideoStream> {
        let side = |side| u32::try_from(side).ok().filter(|side| *side > 0);
        Some(VideoStream {
            codec: self.video_codec(src).map(str::to_owned),
            width: side(self.size.0)?,
            height: side(self.size.1)?,
            bitrate: None,
            frame_rate: if self.frame == 0 { 0.0 } else { frame_rate(1e9, self.frame as f64) },
        })
    }

    fn audio(&self, src: &mut Source) -> AudioStream {
        let codec = self.audio_codec(src);
        // Opus always comes out of its decoder at 48 kHz. Both defaults are those of the specification.
        let rate =
            if codec == Some("opus") { 48_000.0 } else { self.output_frequency.or(self.frequency).unwrap_or(8000.0) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small, as checked")]
        let sample_rate = (1.0..=f64::from(u32::MAX)).contains(&rate).then_some(rate as u32);
        let channels = u32::try_from(self.channels.unwrap_or(1)).ok().filter(|channels| *channels > 0);
        let mut stream = AudioStream { codec: codec.map(str::to_owned), bitrate: None, channels, sample_rate };
        stream.bitrate = pcm_bitrate(&stream);
        stream
    }

    fn video_codec(&self, src: &mut Source) -> Option<&'static str> {
        Some(match self.codec.as_str() {
            "V_MPEG4/ISO/AVC" => "h264",
            "V_MPEGH/ISO/HEVC" => "hevc",
            "V_MPEGI/ISO/VVC" => "vvc",
            "V_VP8" => "vp8",
            "V_VP9" => "vp9",
            "V_AV1" => "av1",
            "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => "mpeg4",
            "V_MPEG4/MS/V3" => "msmpeg4v3",
            "V_MPEG1" => "mpeg1video",
            "V_MPEG2" => "mpeg2video",
            "V_MJPEG" => "mjpeg",
            "V_PRORES" => "prores",
            "V_THEORA" => "theora",
            "V_FFV1" => "ffv1",
            "V_DIRAC" => "dirac",
            "V_UNCOMPRESSED" => "rawvideo",
            // The private part is the header of a Windows bitmap, with the codec in its compression field.
            "V_MS/VFW/FOURCC" => match &self.private?.array::<4>(src, 16)?.map(|byte| byte.to_ascii_uppercase()) {
                b"XVID" | b"DIVX" | b"DX50" | b"FMP4" | b"MP4V" => "mpeg4",
                b"DIV3" | b"MP43" => "msmpeg4v3",
                b"H264" | b"AVC1" | b"X264" => "h264",
                b"HEVC" => "hevc",
                b"MJPG" => "mjpeg",
                b"FFV1" => "ffv1",
                b"WVC1" => "vc1",
                _ => return None,
            },
            _ => return None,
        })
    }

    fn audio_codec(&self, src: &mut Source) -> Option<&'static str> {
        Some(match (self.codec.as_str(), self.bits) {
            ("A_OPUS", _) => "opus",
            ("A_VORBIS", _) => "vorbis",
            ("A_FLAC", _) => "flac",
            ("A_ALAC", _) => "alac",
            ("A_MPEG/L1", _) => "mp1",
            ("A_MPEG/L2", _) => "mp2",
            ("A_MPEG/L3", _) => "mp3",
            ("A_EAC3", _) => "eac3",
            ("A_TRUEHD" | "A_MLP", _) => "truehd",
            ("A_TTA1", _) => "tta",
            ("A_WAVPACK4", _) => "wavpack",
            ("A_PCM/INT/LIT", 8) => "pcm_u8",
            ("A_PCM/INT/LIT", 16) => "pcm_s16le",
            ("A_PCM/INT/LIT", 24) => "pcm_s24le",
            ("A_PCM/INT/LIT", 32) => "pcm_s32le",
            ("A_PCM/INT/BIG", 16) => "pcm_s16be",
            ("A_PCM/INT/BIG", 24) => "pcm_s24be",
            ("A_PCM/INT/BIG", 32) => "pcm_s32be",
            ("A_PCM/FLOAT/IEEE", 32) => "pcm_f32le",
            ("A_PCM/FLOAT/IEEE", 64) => "pcm_f64le",
            // The private part is the header of a Windows sound, which begins with the codec.
            ("A_MS/ACM", _) => match self.private?.array(src, 0).map(u16::from_le_bytes)? {
                0x50 => "mp2",
                0x55 => "mp3",
                0xFF => "aac",
                0x2000 => "ac3",
                0x2001 => "dts",
                _ => return None,
            },
            // Older files name a profile behind these.
            (name, _) if name.starts_with("A_AAC") => "aac",
            (name, _) if name.starts_with("A_AC3") => "ac3",
            (name, _) if name.starts_with("A_DTS") => "dts",
            _ => return None,
        })
    }
}

/// The track and the time, in units of the file, of the first blocks of a cluster.
fn block_times(src: &mut Source, cluster: Span) -> Vec<(u64, i16)> {
    let (mut times, mut list) = (Vec::new(), elements(cluster));
    while times.len() < MAX_BLOCKS
        && let Some((id, content)) = list.next(src)
    {
        let block = match id {
            SIMPLE_BLOCK => Some(content),
            BLOCK_GROUP => find(src, content, BLOCK),
            // A cluster of unknown length ends where the next begins.
            CLUSTER => break,
            _ => None,
        };
        if let Some(block) = block
            && let Some(time) = block_time(src, block)
        {
            times.push(time);
        }
    }
    times
}

fn block_time(src: &mut Source, block: Span) -> Option<(u64, i16)> {
    let first = block.u8(src, 0)?;
    // Numbers of tracks have one byte, or two in files of more than a hundred tracks.
    let (track, size) = match first {
        0x80.. => (u64::from(first & 0x7F), 1),
        0x40.. => (u64::from(block.be16(src, 0)? & 0x3FFF), 2),
        _ => return None,
    };
    Some((track, i16::from_be_bytes(block.array(src, size)?)))
}

/// The average rate of the frames of a track; 0 where there are not two of them.
fn rate_of(times: &[(u64, i16)], track: u64, scale: f64) -> f64 {
    let times: Vec<f64> =
        times.iter().filter(|(number, _)| *number == track).map(|(_, time)| f64::from(*time)).collect();
    // Frames stand in the order of decoding, which need not be that of their times.
    let (first, last) =
        times.iter().fold((f64::MAX, f64::MIN), |(first, last), time| (first.min(*time), last.max(*time)));
    if times.len() < 2 || last <= first {
        0.0
    } else {
        frame_rate((times.len() - 1) as f64 * 1e9, (last - first) * scale)
    }
}
