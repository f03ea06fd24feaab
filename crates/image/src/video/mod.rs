//! Videos: from the headers of MP4, `QuickTime`, `WebM` and Matroska to the facts that the APIs show. The readers are our own,
//! because the libraries (`mp4parse`, `re_mp4`, `matroska`) allocate whatever a header claims, keep whole tables of samples,
//! partly read through the media, and know neither a budget nor a file of which only the head is at hand. Like the readers
//! of pictures ours stand on [`Source`]: nothing is decoded, nothing is recursive, and what makes no sense is no fact.
//!
//! Names of codecs are those of `FFmpeg`, as in every recording of the real service. The format is `mp4` for the whole
//! family of MP4 (recorded of a `QuickTime` file), and for the others the name that they give themselves, `webm` or
//! `matroska`. Sizes are those of the coded picture, turned as the file asks for: the recorded portrait of 360 by 480 at
//! 726 kbit/s is what telephones send, and those code 480 by 360 with a rotation.

mod ebml;
mod matroska;
mod mp4;
mod sample;

use crate::source::Source;
use stowage_model::content::{AudioStream, VideoInfo, VideoStream};

/// Streams that are shown of one file, of video and audio together.
const MAX_STREAMS: usize = 32;
/// The longest duration that is believed, in milliseconds: more cannot be said exactly in JSON.
const MAX_DURATION: f64 = 9_007_199_254_740_991.0;

/// What the header of a video says.
#[derive(Default)]
struct Movie {
    /// Milliseconds.
    duration: Option<u64>,
    audio: Vec<AudioStream>,
    video: Vec<VideoStream>,
}

/// The facts of a file of the given detected type, if that is one of videos and it has a video stream.
pub(crate) fn read(src: &mut Source, mime: &str) -> Option<VideoInfo> {
    let (movie, format) = match mime {
        "video/mp4" | "video/quicktime" | "video/x-m4v" | "video/3gpp" | "video/3gpp2" => (mp4::read(src)?, "mp4"),
        "video/webm" => (matroska::read(src)?, "webm"),
        "video/x-matroska" => (matroska::read(src)?, "matroska"),
        _ => return None,
    };
    if movie.video.is_empty() {
        return None;
    }
    Some(VideoInfo {
        audio: movie.audio,
        video: movie.video,
        format: format.to_owned(),
        // Bits per millisecond are kilobits per second.
        bitrate: movie.duration.and_then(|duration| ratio(src.len(), 8, duration)),
        duration: movie.duration,
    })
}

impl Movie {
    /// Whether no further stream is shown.
    fn is_full(&self) -> bool {
        self.audio.len() + self.video.len() >= MAX_STREAMS
    }
}

/// `number * times / by`, rounded; nothing for a divisor of 0 and for what no number holds.
fn ratio(number: u64, times: u64, by: u64) -> Option<u64> {
    let product = u128::from(number) * u128::from(times);
    let rounded = (product + u128::from(by / 2)).checked_div(by.into())?;
    u64::try_from(rounded).ok()
}

/// Whole milliseconds of a duration in milliseconds; nothing for 0, which is how writers say that they do not know.
fn milliseconds(duration: f64) -> Option<u64> {
    let rounded = duration.round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small, as checked")]
    (1.0..=MAX_DURATION).contains(&rounded).then_some(rounded as u64)
}

/// Frames per second to three places, so that 30000/1001 is 29.97; 0 for what is unknown or no rate.
fn frame_rate(frames: f64, seconds: f64) -> f64 {
    let rate = (frames / seconds * 1000.0).round() / 1000.0;
    if (0.0..=1_000_000.0).contains(&rate) { rate } else { 0.0 }
}

/// Kilobits per second of uncompressed sound; nothing for other codecs.
fn pcm_bitrate(audio: &AudioStream) -> Option<u64> {
    let bits: u64 = match audio.codec.as_deref()?.strip_prefix("pcm_")? {
        "mulaw" | "alaw" | "s8" | "u8" => 8,
        "s16le" | "s16be" => 16,
        "s24le" | "s24be" => 24,
        "s32le" | "s32be" | "f32le" | "f32be" => 32,
        "f64le" | "f64be" => 64,
        _ => return None,
    };
    ratio(u64::from(audio.sample_rate?) * u64::from(audio.channels?), bits, 1000)
}
