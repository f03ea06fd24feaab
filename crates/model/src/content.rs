//! What is known about a file's content: the detected type and, for pictures, their facts. The serialised form is
//! `content_info` of the APIs (upload-api reference, file information object), and is kept in the records as it is shown.

use serde::{Deserialize, Serialize, Serializer};

/// `content_info`: the detected type and the facts that were read from the content.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContentInfo {
    /// The type detected from the content.
    pub mime: MimeInfo,
    /// Facts of a picture; absent for everything else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<ImageInfo>,
}

/// A MIME type, whole and in its two halves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Pillow's name of the pixel layout: `RGB`, `RGBA`, `L`, `LA`, `P`, `CMYK`, `YCbCr`, …
    pub color_mode: Option<String>,
    /// The EXIF orientation as stored, 0 to 8.
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
    pub geo_location: Option<GeoLocation>,
    /// When the picture was taken, from EXIF: `YYYY-MM-DDTHH:MM:SS`, without a zone.
    pub datetime_original: Option<String>,
    /// Dots per inch, horizontally and vertically; whole numbers are written without a fraction.
    #[serde(serialize_with = "numbers")]
    pub dpi: Option<[f64; 2]>,
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn numbers<S: Serializer>(dpi: &Option<[f64; 2]>, serializer: S) -> Result<S::Ok, S::Error> {
    let number = |n: f64| {
        if n.fract() == 0.0 && n.abs() < 1e9 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small, as just checked")]
            serde_json::Number::from(n as i64)
        } else {
            serde_json::Number::from_f64(n).unwrap_or_else(|| 0.into())
        }
    };
    dpi.map(|both| both.map(number)).serialize(serializer)
}

/// A place on earth in decimal degrees.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct GeoLocation {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}
