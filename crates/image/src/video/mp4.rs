//! MP4 and `QuickTime`: the movie box, at the start or at the end of the file, with its tracks. Of the tables of samples only
//! the counts are read; the sizes of the samples are summed up where nothing else tells the bitrate and the table is short
//! enough. In fragmented files, which have no tables, the first fragment tells the rate of frames.

use super::sample::{self, Entry};
use super::{MAX_STREAMS, Movie, frame_rate, milliseconds, pcm_bitrate, ratio};
use crate::boxes::{Span, boxes, child, children};
use crate::source::Source;
use stowage_model::content::{AudioStream, VideoStream};

/// The longest table of sample sizes in bytes that is read, enough for half an hour at 30 frames per second.
const MAX_TABLE: u64 = 256 * 1024;
/// Bytes of it that are read at once.
const TABLE_PIECE: u64 = 32 * 1024;
/// Samples of the first fragment that are looked at.
const MAX_RUN: u32 = 64;

pub(super) fn read(src: &mut Source) -> Option<Movie> {
    let moov = child(src, Span::file(src), *b"moov")?;
    let (mut header, mut fragments, mut tracks) = (None, None, Vec::new());
    let mut list = boxes(moov);
    while let Some((kind, content)) = list.next(src) {
        match &kind {
            b"mvhd" => header = times(src, content),
            b"mvex" => fragments = Some(content),
            b"trak" if tracks.len() < MAX_STREAMS => tracks.extend(Track::read(src, content)),
            _ => {}
        }
    }
    let lasting = match (header, fragments) {
        (Some(header), Some(mvex)) => fragmented_duration(src, mvex, header, &tracks),
        (Some(Times { duration: Some(duration), scale }), None) => Some(seconds(duration, scale)),
        _ => tracks.iter().filter_map(Track::seconds).max_by(f64::total_cmp),
    };
    if let Some(mvex) = fragments {
        let behind = Span { at: moov.end, end: src.len() };
        for track in &mut tracks {
            if track.is_video && track.frames == 0.0 {
                track.frames = fragment_rate(src, behind, mvex, track);
            }
        }
    }
    // Tables come last, so that a budget that they use up costs no other fact.
    let mut movie = Movie { duration: lasting.and_then(|seconds| milliseconds(seconds * 1000.0)), ..Movie::default() };
    for track in tracks {
        let bitrate = track.bitrate(src);
        let codec = track.entry.codec.map(str::to_owned);
        if track.is_video {
            let (width, height) = track.size();
            if width > 0 && height > 0 {
                movie.video.push(VideoStream { codec, width, height, bitrate, frame_rate: track.frames });
            }
        } else {
            // Where the rate does not fit into its field, the unit of time is a sample by convention.
            let sample_rate = track.entry.sample_rate.or(Some(track.times.scale)).filter(|rate| *rate > 1);
            let mut stream = AudioStream { codec, bitrate, channels: track.entry.channels, sample_rate };
            stream.bitrate = pcm_bitrate(&stream).or(stream.bitrate);
            movie.audio.push(stream);
        }
    }
    Some(movie)
}

/// What the header of a movie or of a medium says of time.
#[derive(Clone, Copy)]
struct Times {
    /// Units of a second; never 0.
    scale: u32,
    /// Units; nothing when unknown.
    duration: Option<u64>,
}

fn times(src: &mut Source, header: Span) -> Option<Times> {
    let wide = header.u8(src, 0)? == 1;
    // Two dates come first, in the wide form of eight bytes each.
    let at = if wide { 20 } else { 12 };
    let scale = header.be32(src, at).filter(|scale| *scale > 0)?;
    let duration = if wide {
        header.be64(src, at + 4).filter(|duration| *duration < u64::MAX)
    } else {
        header.be32(src, at + 4).filter(|duration| *duration < u32::MAX).map(u64::from)
    };
    Some(Times { scale, duration: duration.filter(|duration| *duration > 0) })
}

fn seconds(duration: u64, scale: u32) -> f64 {
    duration as f64 / f64::from(scale)
}

/// A track of video or audio.
struct Track {
    id: u32,
    is_video: bool,
    turned: bool,
    /// Pixels by the track's header, where those of the picture are missing.
    shown: (u16, u16),
    times: Times,
    entry: Entry,
    /// Frames per second; 0 when unknown.
    frames: f64,
    /// The table of the sizes of the samples, behind its version.
    sizes: Option<Sizes>,
}

/// The table of the sizes of the samples.
struct Sizes {
    entries: Span,
    /// Bits of an entry; 0 where all samples have the same size.
    bits: u8,
    same: u32,
    count: u32,
}

impl Track {
    fn read(src: &mut Source, trak: Span) -> Option<Self> {
        let [tkhd, mdia] = children(src, trak, [*b"tkhd", *b"mdia"]);
        let (tkhd, mdia) = (tkhd?, mdia?);
        let [mdhd, hdlr, minf] = children(src, mdia, [*b"mdhd", *b"hdlr", *b"minf"]);
        let is_video = match &hdlr?.array(src, 8)? {
            b"vide" => true,
            b"soun" => false,
            _ => return None,
        };
        let wide = u64::from(tkhd.u8(src, 0)? == 1);
        let matrix = 40 + wide * 12;
        let mut cell = |index: u64| tkhd.be32(src, matrix + index * 4);
        // A quarter turn exchanges the axes: nothing on the diagonal.
        let turned = cell(0)? == 0 && cell(4)? == 0 && cell(1)? != 0 && cell(3)? != 0;
        // Sixteen bits before the point and sixteen behind it.
        let shown = (tkhd.be16(src, matrix + 36)?, tkhd.be16(src, matrix + 40)?);
        let times = times(src, mdhd?)?;
        let stbl = child(src, minf?, *b"stbl")?;
        let (mut entry, mut steps, mut sizes) = (None, None, None);
        let mut list = boxes(stbl);
        while let Some((kind, content)) = list.next(src) {
            match &kind {
                b"stsd" => entry = sample::read(src, content, is_video),
                b"stts" => steps = constant_step(src, content),
                b"stsz" | b"stz2" => sizes = sizes.or(Sizes::read(src, content, kind)),
                _ => {}
            }
        }
        let count = sizes.as_ref().map_or(0, |sizes| sizes.count);
        let frames = match (steps, times.duration) {
            (Some(step), _) => frame_rate(times.scale.into(), step.into()),
            (None, Some(duration)) => frame_rate(count.into(), seconds(duration, times.scale)),
            (None, None) => 0.0,
        };
        let id = tkhd.be32(src, 12 + wide * 8)?;
        Some(Self { id, is_video, turned, shown, times, entry: entry?, frames, sizes })
    }

    fn size(&self) -> (u32, u32) {
        let coded = self.entry.size;
        let (width, height) = if coded.0 > 0 && coded.1 > 0 { coded } else { self.shown };
        let size = if self.turned { (height, width) } else { (width, height) };
        (size.0.into(), size.1.into())
    }

    /// How long the track lasts.
    fn seconds(&self) -> Option<f64> {
        self.times.duration.map(|duration| seconds(duration, self.times.scale))
    }

    /// Whether samples of this track stand in its tables, and not all in fragments.
    fn has_samples(&self) -> bool {
        self.sizes.as_ref().is_some_and(|sizes| sizes.count > 0)
    }

    /// Kilobits per second: what the file declares, else the sum of its samples by their duration.
    fn bitrate(&self, src: &mut Source) -> Option<u64> {
        if let Some(bits) = self.entry.bitrate {
            return ratio(bits.into(), 1, 1000);
        }
        let bytes = self.sizes.as_ref()?.sum(src)?;
        // More than the file holds is a lie, or a size of another unit.
        if bytes == 0 || bytes > src.len() {
            return None;
        }
        ratio(bytes, 8 * u64::from(self.times.scale), self.times.duration?.checked_mul(1000)?)
    }
}

impl Sizes {
    fn read(src: &mut Source, table: Span, kind: [u8; 4]) -> Option<Self> {
        let (same, count, entries) = (table.be32(src, 4)?, table.be32(src, 8)?, table.skip(12)?);
        Some(match &kind {
            b"stsz" => Self { entries, bits: if same == 0 { 32 } else { 0 }, same, count },
            // The short form has the bits of an entry where the long one has the size of all samples.
            _ => Self { entries, bits: same.to_be_bytes()[3], same: 0, count },
        })
    }

    /// The bytes of all samples; nothing for a table that is too long or not whole.
    fn sum(&self, src: &mut Source) -> Option<u64> {
        let size = match self.bits {
            0 => return Some(u64::from(self.same) * u64::from(self.count)),
            8 | 16 | 32 => u64::from(self.bits / 8),
            // Samples of four bits are of no video.
            _ => return None,
        };
        let len = size * u64::from(self.count);
        if len > MAX_TABLE || len > self.entries.size() {
            return None;
        }
        let (mut at, end, mut sum) = (self.entries.at, self.entries.at + len, 0);
        while at < end {
            let piece = (end - at).min(TABLE_PIECE);
            let bytes = src.bytes(at, usize::try_from(piece).ok()?)?;
            let entries = bytes.chunks_exact(usize::try_from(size).ok()?);
            sum += entries.map(|entry| entry.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))).sum::<u64>();
            at += piece;
        }
        Some(sum)
    }
}

/// The duration of every sample where the table says that they are all the same.
fn constant_step(src: &mut Source, table: Span) -> Option<u32> {
    let (entries, step) = (table.be32(src, 4)?, table.be32(src, 12)?);
    (entries == 1 && step > 0).then_some(step)
}

/// Seconds of a fragmented movie, where its header says how long all fragments are.
fn fragmented_duration(src: &mut Source, mvex: Span, header: Times, tracks: &[Track]) -> Option<f64> {
    let all = child(src, mvex, *b"mehd").and_then(|mehd| match mehd.u8(src, 0)? {
        1 => mehd.be64(src, 4),
        _ => mehd.be32(src, 4).map(u64::from),
    });
    // Where the tables hold the first samples, the header speaks of those alone.
    let of_header = header.duration.filter(|_| !tracks.iter().any(Track::has_samples));
    let duration = all.filter(|duration| *duration > 0).or(of_header)?;
    Some(seconds(duration, header.scale))
}

/// Frames per second of a track by its first fragment, or by the default for all fragments.
fn fragment_rate(src: &mut Source, behind: Span, mvex: Span, track: &Track) -> f64 {
    let step = first_step(src, behind, track.id).or_else(|| {
        let mut list = boxes(mvex);
        loop {
            let (kind, trex) = list.next(src)?;
            if kind == *b"trex" && trex.be32(src, 4)? == track.id {
                return trex.be32(src, 12).filter(|step| *step > 0).map(f64::from);
            }
        }
    });
    step.map_or(0.0, |step| frame_rate(track.times.scale.into(), step))
}

/// The average duration, in units, of the first samples of a track's first fragment.
fn first_step(src: &mut Source, behind: Span, track: u32) -> Option<f64> {
    let moof = child(src, behind, *b"moof")?;
    let mut list = boxes(moof);
    loop {
        let (kind, traf) = list.next(src)?;
        if kind != *b"traf" {
            continue;
        }
        let [tfhd, trun] = children(src, traf, [*b"tfhd", *b"trun"]);
        let (tfhd, trun) = (tfhd?, trun?);
        if tfhd.be32(src, 4)? != track {
            continue;
        }
        let flags = trun.be32(src, 0)?;
        // Which of the optional fields are there: of the run two, of each sample four, the duration first.
        let (of_run, of_sample) = (u64::from((flags & 5).count_ones()), u64::from((flags & 0xF00).count_ones()));
        if flags & 0x100 != 0 {
            let count = trun.be32(src, 4)?.min(MAX_RUN);
            let mut sum = 0;
            for index in 0..count {
                sum += u64::from(trun.be32(src, 8 + of_run * 4 + u64::from(index) * of_sample * 4)?);
            }
            return (sum > 0).then(|| sum as f64 / f64::from(count));
        }
        let flags = tfhd.be32(src, 0)?;
        let before = (flags & 1) * 8 + (flags & 2) * 2;
        let step = if flags & 8 == 0 { 0 } else { tfhd.be32(src, 8 + u64::from(before))? };
        return (step > 0).then(|| step.into());
    }
}
