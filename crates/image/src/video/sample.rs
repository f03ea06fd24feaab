//! Descriptions of samples in MP4 and `QuickTime`: which codec a track has, and what its configuration says of size, rate,
//! channels and bitrate. Where the configuration and the description differ, the configuration is what decoders use.

use crate::boxes::{Span, boxes};
use crate::source::Source;

/// What the description of a track's samples says.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) codec: Option<&'static str>,
    /// Pixels, before any rotation; zeros of audio.
    pub(super) size: (u16, u16),
    pub(super) channels: Option<u32>,
    pub(super) sample_rate: Option<u32>,
    /// The declared average, in bits per second.
    pub(super) bitrate: Option<u32>,
}

/// The first description of a list of them.
pub(super) fn read(src: &mut Source, stsd: Span, is_video: bool) -> Option<Entry> {
    let version = stsd.u8(src, 0)?;
    let (code, content) = boxes(stsd.skip(8)?).next(src)?;
    let mut entry = Entry::default();
    let mut details = Details { code, ..Details::default() };
    if is_video {
        entry.size = (content.be16(src, 24)?, content.be16(src, 26)?);
        details.collect(src, content.skip(78)?, &mut entry);
        entry.codec = video_codec(details.code, details.object);
    } else {
        let fixed = sound(src, content, version, &mut entry, &mut details)?;
        details.collect(src, content.skip(fixed)?, &mut entry);
        entry.codec = audio_codec(&details);
    }
    Some(entry)
}

/// Reads the fixed part of a description of sound; answers how long it is.
fn sound(src: &mut Source, content: Span, list: u8, entry: &mut Entry, details: &mut Details) -> Option<u64> {
    entry.channels = Some(u32::from(content.be16(src, 16)?)).filter(|channels| *channels > 0);
    details.bits = content.be16(src, 18)?.into();
    entry.sample_rate = Some(u32::from(content.be16(src, 24)?)).filter(|rate| *rate > 0);
    // In a list of version 1, as MP4 has it, the number is no sign of QuickTime's longer forms.
    match (content.be16(src, 8)?, list) {
        (1, 0) => Some(44),
        (2, _) => {
            let rate = f64::from_bits(content.be64(src, 32)?);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive and small, as checked"
            )]
            let rate = (1.0..=f64::from(u32::MAX)).contains(&rate).then_some(rate as u32);
            entry.sample_rate = rate;
            entry.channels = content.be32(src, 40).filter(|channels| *channels > 0);
            details.bits = content.be32(src, 48)?;
            details.linear = content.be32(src, 52)?;
            Some(64)
        }
        _ => Some(28),
    }
}

/// What decides between codecs of one code.
#[derive(Default)]
struct Details {
    code: [u8; 4],
    /// The type of the object in the elementary stream's descriptor; 0 when there is none.
    object: u8,
    bits: u32,
    /// Flags of linear sound: 1 for fractions, 2 for big-endian, 4 for signs.
    linear: u32,
    little: bool,
}

impl Details {
    /// Reads the boxes behind the fixed part, and those that `QuickTime` wraps once more.
    fn collect(&mut self, src: &mut Source, extensions: Span, entry: &mut Entry) {
        let mut lists = vec![boxes(extensions)];
        while let Some(list) = lists.last_mut() {
            match list.next(src) {
                None => _ = lists.pop(),
                // One level of wrapping is all there is.
                Some(([b'w', b'a', b'v', b'e'] | [b's', b'i', b'n', b'f'], inner)) if lists.len() == 1 => {
                    lists.push(boxes(inner));
                }
                Some((kind, content)) => _ = self.extension(src, kind, content, entry),
            }
        }
    }

    fn extension(&mut self, src: &mut Source, kind: [u8; 4], content: Span, entry: &mut Entry) -> Option<()> {
        match &kind {
            b"esds" => self.elementary_stream(src, content.full()?, entry)?,
            b"btrt" => entry.bitrate = content.be32(src, 8).filter(|bits| *bits > 0).or(entry.bitrate),
            // The code behind encryption.
            b"frma" if matches!(&self.code, b"encv" | b"enca") => self.code = content.array(src, 0)?,
            b"enda" => self.little = content.be16(src, 0)? == 1,
            b"pcmC" => {
                self.little = content.u8(src, 4)? & 1 == 1;
                self.bits = content.u8(src, 5)?.into();
            }
            b"dac3" => entry.channels = Some(ac3_channels(content.be16(src, 1)? >> 10)),
            b"dec3" => entry.channels = Some(ac3_channels(content.be16(src, 3)? >> 8)),
            b"dOps" => entry.channels = Some(content.u8(src, 1)?.into()),
            // STREAMINFO, behind version, kind and length: 20 bits of rate, three of channels less one.
            b"dfLa" => {
                let packed = content.be32(src, 18)?;
                entry.sample_rate = Some(packed >> 12).filter(|rate| *rate > 0);
                entry.channels = Some((packed >> 9 & 7) + 1);
            }
            // The box of the codec's name inside of the description of that name; its average is that of the uncompressed sound.
            b"alac" => {
                entry.channels = Some(content.u8(src, 13)?.into()).filter(|channels| *channels > 0);
                entry.sample_rate = content.be32(src, 24).filter(|rate| *rate > 0);
            }
            _ => {}
        }
        Some(())
    }

    /// Descriptors inside of each other: of the stream, of its decoder, and what the decoder has to know.
    fn elementary_stream(&mut self, src: &mut Source, content: Span, entry: &mut Entry) -> Option<()> {
        let stream = descriptor(src, content, 3)?;
        let flags = stream.u8(src, 2)?;
        // Of another stream, an address, and of a clock.
        let mut skip = 3 + if flags & 0x80 == 0 { 0 } else { 2 };
        if flags & 0x40 != 0 {
            skip += 1 + u64::from(stream.u8(src, skip)?);
        }
        skip += if flags & 0x20 == 0 { 0 } else { 2 };
        let decoder = descriptor(src, stream.skip(skip)?, 4)?;
        self.object = decoder.u8(src, 0)?;
        let declared = decoder.be32(src, 9).filter(|bits| *bits > 0);
        entry.bitrate = entry.bitrate.or(declared);
        if self.object == 0x40 {
            let config = descriptor(src, decoder.skip(13)?, 5)?;
            aac(src, config, entry);
        }
        Some(())
    }
}

/// The content of a descriptor that has to be of the given kind; a length that lies ends with its parent.
fn descriptor(src: &mut Source, rest: Span, kind: u8) -> Option<Span> {
    if rest.u8(src, 0)? != kind {
        return None;
    }
    let mut len = 0;
    for index in 1..=4 {
        let byte = rest.u8(src, index)?;
        len = len << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            let content = rest.skip(1 + index)?;
            return Some(Span { end: content.end.min(content.at + len), ..content });
        }
    }
    None
}

/// The rate and the channels that AAC decodes to, by the start of its configuration.
fn aac(src: &mut Source, config: Span, entry: &mut Entry) {
    let mut bytes = [0; 16];
    for (index, byte) in (0..).zip(&mut bytes) {
        *byte = config.u8(src, index).unwrap_or(0);
    }
    let (all, mut left) = (u128::from_be_bytes(bytes), 128);
    let mut take = |bits: u32| {
        left -= bits;
        u32::try_from(all >> left & ((1 << bits) - 1)).unwrap_or(0)
    };
    let mut object = take(5);
    if object == 31 {
        object = 32 + take(6);
    }
    let mut sample_rate = frequency(&mut take);
    let channels = match take(4) {
        config @ 1..=6 => Some(config),
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        _ => None,
    };
    // Where the upper half of the spectrum is derived, the rate of the whole follows.
    if matches!(object, 5 | 29) {
        sample_rate = frequency(&mut take);
    }
    entry.sample_rate = sample_rate.filter(|rate| *rate > 0).or(entry.sample_rate);
    entry.channels = channels.or(entry.channels);
}

/// A sampling rate: one of a list, or written out.
fn frequency(take: &mut impl FnMut(u32) -> u32) -> Option<u32> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
    match take(4) {
        15 => Some(take(24)),
        index => RATES.get(index as usize).copied(),
    }
}

/// The channels of AC-3, by the last four bits of what is given: three of the layout, and one of low frequencies.
fn ac3_channels(packed: u16) -> u32 {
    let layout = [2, 1, 2, 3, 3, 4, 4, 5][usize::from(packed >> 1 & 7)];
    layout + u32::from(packed & 1)
}

fn video_codec(code: [u8; 4], object: u8) -> Option<&'static str> {
    Some(match &code {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => "h264",
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "hevc",
        b"vvc1" | b"vvi1" => "vvc",
        b"vp08" => "vp8",
        b"vp09" => "vp9",
        b"av01" => "av1",
        b"mp4v" => match object {
            0x60..=0x65 => "mpeg2video",
            0x6A => "mpeg1video",
            0x6C => "mjpeg",
            0x6D => "png",
            _ => "mpeg4",
        },
        b"s263" | b"h263" | b"H263" => "h263",
        b"jpeg" | b"mjpa" | b"mjpg" | b"MJPG" => "mjpeg",
        b"mjpb" => "mjpegb",
        b"mjp2" => "jpeg2000",
        b"png " => "png",
        b"apco" | b"apcs" | b"apcn" | b"apch" | b"ap4h" | b"ap4x" => "prores",
        b"AVdn" | b"AVdh" => "dnxhd",
        b"CFHD" => "cfhd",
        b"dvc " | b"dvcp" | b"dvpp" | b"dv5n" | b"dv5p" | b"dvh5" | b"dvh6" | b"dvhp" | b"dvhq" => "dvvideo",
        b"SVQ1" | b"svq1" => "svq1",
        b"SVQ3" => "svq3",
        b"cvid" => "cinepak",
        b"rle " => "qtrle",
        b"raw " | b"2vuy" => "rawvideo",
        b"v210" => "v210",
        b"vc-1" => "vc1",
        _ => return None,
    })
}

fn audio_codec(details: &Details) -> Option<&'static str> {
    Some(match (&details.code, details.bits, details.little) {
        (b"mp4a", ..) => match details.object {
            0x69 | 0x6B => "mp3",
            0xA5 => "ac3",
            0xA6 => "eac3",
            0xA9 => "dts",
            0xAD => "opus",
            0xDD => "vorbis",
            0xE1 => "qcelp",
            _ => "aac",
        },
        (b".mp3" | b"ms\0\x55", ..) => "mp3",
        (b"ac-3" | b"sac3", ..) => "ac3",
        (b"ec-3", ..) => "eac3",
        (b"ac-4", ..) => "ac4",
        (b"dtsc" | b"dtsh" | b"dtsl" | b"dtse", ..) => "dts",
        (b"mlpa", ..) => "truehd",
        (b"Opus", ..) => "opus",
        (b"fLaC", ..) => "flac",
        (b"alac", ..) => "alac",
        (b"samr", ..) => "amr_nb",
        (b"sawb", ..) => "amr_wb",
        (b"ima4", ..) => "adpcm_ima_qt",
        (b"ulaw", ..) => "pcm_mulaw",
        (b"alaw", ..) => "pcm_alaw",
        (b"twos" | b"sowt", 8, _) => "pcm_s8",
        (b"raw " | b"NONE", 8, _) => "pcm_u8",
        (b"twos" | b"raw " | b"NONE", 16, _) => "pcm_s16be",
        (b"sowt", 16, _) => "pcm_s16le",
        (b"in24", _, little) => linear(24, false, little)?,
        (b"in32", _, little) => linear(32, false, little)?,
        (b"fl32", _, little) => linear(32, true, little)?,
        (b"fl64", _, little) => linear(64, true, little)?,
        (b"ipcm", bits, little) => linear(bits, false, little)?,
        (b"fpcm", bits, little) => linear(bits, true, little)?,
        (b"lpcm", 8, _) => {
            if details.linear & 4 == 0 {
                "pcm_u8"
            } else {
                "pcm_s8"
            }
        }
        (b"lpcm", bits, _) => linear(bits, details.linear & 1 != 0, details.linear & 2 == 0)?,
        _ => return None,
    })
}

/// The name of uncompressed sound.
fn linear(bits: u32, fractions: bool, little: bool) -> Option<&'static str> {
    Some(match (bits, fractions, little) {
        (8, false, _) => "pcm_s8",
        (16, false, true) => "pcm_s16le",
        (16, false, false) => "pcm_s16be",
        (24, false, true) => "pcm_s24le",
        (24, false, false) => "pcm_s24be",
        (32, false, true) => "pcm_s32le",
        (32, false, false) => "pcm_s32be",
        (32, true, true) => "pcm_f32le",
        (32, true, false) => "pcm_f32be",
        (64, true, true) => "pcm_f64le",
        (64, true, false) => "pcm_f64be",
        _ => return None,
    })
}
