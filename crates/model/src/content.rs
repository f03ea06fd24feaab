//! What is known about a file's content: the detected type and, for pictures and videos, their facts. The serialised form is
//! `content_info` of the APIs (upload-api reference, file information object), and is kept in the records as it is shown.

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// `content_info`: the detected type and the facts that were read from the content.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ContentInfo {
    /// The type detected from the content.
    pub mime: MimeInfo,
    /// Facts of a picture; absent for everything else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(nullable = false)]
    pub image: Option<ImageInfo>,
    /// Facts of a video; absent for everything else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(nullable = false)]
    pub video: Option<VideoInfo>,
}

/// A MIME type, whole and in its two halves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MimeInfo {
    /// `type/subtype`.
    pub mime: String,
    /// The half before the slash.
    #[serde(rename = "type")]
    pub kind: String,
    /// The half after the slash.
    pub subtype: String,
}

impl MimeInfo {
    /// Splits a `type/subtype` without parameters.
    pub fn new(mime: &str) -> Self {
        let (kind, subtype) = mime.split_once('/').unwrap_or((mime, ""));
        Self { mime: mime.to_owned(), kind: kind.to_owned(), subtype: subtype.to_owned() }
    }
}

impl Default for MimeInfo {
    fn default() -> Self {
        Self::new("application/octet-stream")
    }
}

/// `content_info.image`. Every member is always shown; what the file does not say is null.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImageInfo {
    /// Pillow's name of the pixel layout: `RGB`, `RGBA`, `L`, `LA`, `P`, `CMYK`, `YCbCr`, …
    #[schema(required)]
    pub color_mode: Option<String>,
    /// The EXIF orientation as stored, 0 to 8.
    #[schema(required)]
    pub orientation: Option<u16>,
    /// Pillow's name of the format, in capitals: `JPEG`, `PNG`, `HEIF`, …
    pub format: String,
    /// Pixels, after the EXIF orientation has been applied.
    pub width: u32,
    /// Pixels, after the EXIF orientation has been applied.
    pub height: u32,
    /// Whether there is more than one frame.
    pub sequence: bool,
    /// Where the picture was taken, from EXIF.
    #[schema(required)]
    pub geo_location: Option<GeoLocation>,
    /// When the picture was taken, from EXIF: `YYYY-MM-DDTHH:MM:SS`, without a zone.
    #[schema(required)]
    pub datetime_original: Option<String>,
    /// Dots per inch, horizontally and vertically; whole numbers are written without a fraction.
    #[serde(serialize_with = "numbers")]
    #[schema(required, min_items = 2, max_items = 2)]
    pub dpi: Option<[f64; 2]>,
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn numbers<S: Serializer>(dpi: &Option<[f64; 2]>, serializer: S) -> Result<S::Ok, S::Error> {
    dpi.map(|both| both.map(shortest)).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    shortest(*number).serialize(serializer)
}

/// A number as the real service writes it: a whole one without a fraction.
fn shortest(n: f64) -> serde_json::Number {
    if n.fract() == 0.0 && n.abs() < 1e9 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small, as just checked")]
        serde_json::Number::from(n as i64)
    } else {
        serde_json::Number::from_f64(n).unwrap_or_else(|| 0.into())
    }
}

/// A place on earth in decimal degrees.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GeoLocation {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// `content_info.video`. Every member is always shown, in the recorded order; what the file does not say is null.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct VideoInfo {
    /// The audio streams in their order in the file.
    pub audio: Vec<AudioStream>,
    /// The video streams in their order in the file; never empty.
    pub video: Vec<VideoStream>,
    /// The container: `mp4` (of `QuickTime` as well), `webm`, `matroska`.
    pub format: String,
    /// Kilobits per second of the whole file.
    #[schema(required)]
    pub bitrate: Option<u64>,
    /// Milliseconds.
    #[schema(required)]
    pub duration: Option<u64>,
}

/// An audio stream of a video.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AudioStream {
    /// The codec by `FFmpeg`'s name: `aac`, `opus`, `mp3`, …
    #[schema(required)]
    pub codec: Option<String>,
    /// Kilobits per second.
    #[schema(required)]
    pub bitrate: Option<u64>,
    /// How many channels there are.
    #[schema(required)]
    pub channels: Option<u32>,
    /// Samples per second.
    #[schema(required)]
    pub sample_rate: Option<u32>,
}

/// A video stream of a video.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct VideoStream {
    /// The codec by `FFmpeg`'s name: `h264`, `hevc`, `vp9`, …
    #[schema(required)]
    pub codec: Option<String>,
    /// Pixels, as shown: after the rotation that the file asks for.
    pub width: u32,
    /// Pixels, as shown: after the rotation that the file asks for.
    pub height: u32,
    /// Kilobits per second.
    #[schema(required)]
    pub bitrate: Option<u64>,
    /// Frames per second, 0 when unknown: the API's documentation lets it be no null. Whole numbers are written without
    /// a fraction.
    #[serde(serialize_with = "number")]
    pub frame_rate: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_written_as_recorded_and_read_again() {
        let recorded = concat!(
            r#"{"mime":{"mime":"video/quicktime","type":"video","subtype":"quicktime"},"video":{"#,
            r#""audio":[{"codec":"aac","bitrate":94,"channels":1,"sample_rate":44100}],"#,
            r#""video":[{"codec":"h264","width":360,"height":480,"bitrate":726,"frame_rate":30}],"#,
            r#""format":"mp4","bitrate":864,"duration":9433}}"#,
        );
        let content: ContentInfo = serde_json::from_str(recorded).unwrap();
        assert_eq!(serde_json::to_string(&content).unwrap(), recorded);
        let video = content.video.unwrap();
        assert_eq!((video.video[0].width, video.audio[0].channels), (360, Some(1)));
    }

    #[test]
    fn content_from_before_videos_were_read_has_none() {
        let old = r#"{"mime":{"mime":"video/mp4","type":"video","subtype":"mp4"}}"#;
        let content: ContentInfo = serde_json::from_str(old).unwrap();
        assert_eq!(content.video, None);
        assert_eq!(serde_json::to_string(&content).unwrap(), old);
    }

    #[test]
    fn what_a_video_does_not_say_is_null() {
        let video = VideoInfo {
            audio: vec![AudioStream { codec: None, bitrate: None, channels: None, sample_rate: None }],
            video: vec![VideoStream { codec: None, width: 1, height: 2, bitrate: None, frame_rate: 29.97 }],
            format: "webm".to_owned(),
            bitrate: None,
            duration: None,
        };
        let text = serde_json::to_string(&video).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"audio":[{"codec":null,"bitrate":null,"channels":null,"sample_rate":null}],"#,
                r#""video":[{"codec":null,"width":1,"height":2,"bitrate":null,"frame_rate":29.97}],"#,
                r#""format":"webm","bitrate":null,"duration":null}"#,
            )
        );
        assert_eq!(serde_json::from_str::<VideoInfo>(&text).unwrap(), video);
    }
}
