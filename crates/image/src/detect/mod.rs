//! The type of a file from its content, under the names that libmagic gives, because those are the names that the real
//! service answers. Pictures are told by our own checks; text and containers are looked into here, always in the
//! first bytes or by a few bounded looks; for everything else the signatures of `file-format` decide.

mod json;
mod markup;
mod ole;
mod text;
mod zip;

use crate::formats::heif::has_brand;
use crate::formats::{self, Format};
use crate::source::Source;
use file_format::FileFormat;
use std::borrow::Cow;

/// What nothing is known of.
const UNKNOWN: &str = "application/octet-stream";

/// A detected type, and the reader that can tell more about the file.
pub(crate) struct Detected {
    pub(crate) mime: Cow<'static, str>,
    pub(crate) format: Option<Format>,
}

impl<T: Into<Cow<'static, str>>> From<T> for Detected {
    fn from(mime: T) -> Self {
        Self { mime: mime.into(), format: None }
    }
}

/// Detects the type of a file.
pub(crate) fn detect(src: &mut Source) -> Detected {
    if let Some((format, mime)) = formats::recognise(src) {
        if format == Format::Tiff
            && let Some(raw) = camera_raw(src.head())
        {
            return raw.into();
        }
        return Detected { mime: mime.into(), format: Some(format) };
    }
    let head = src.head();
    if text::is_text(head) {
        return text::detect(head, src.len());
    }
    if head.trim_ascii_start().starts_with(b"%PDF-") {
        return "application/pdf".into();
    }
    match head {
        [0x50, 0x4B, 3 | 5 | 7, ..] => return zip::detect(head).into(),
        [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, ..] => return ole::detect(src).into(),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => return matroska(head).into(),
        [0xFF, _, third, ..] if is_mpeg_audio(head) => {
            // Bitrate 15 and sampling rate 3 do not exist.
            return if third >> 4 == 15 || third >> 2 & 3 == 3 { UNKNOWN } else { "audio/mpeg" }.into();
        }
        _ => {}
    }
    let mime = binary(head);
    if mime != UNKNOWN {
        return mime.into();
    }
    if text::is_padded_text(head) {
        return "text/plain".into();
    }
    if is_mp4(src) {
        return "video/mp4".into();
    }
    UNKNOWN.into()
}

/// The type of a raw picture of a camera that calls itself TIFF.
fn camera_raw(head: &[u8]) -> Option<Cow<'static, str>> {
    let format = FileFormat::from_bytes(head);
    (format != FileFormat::TagImageFileFormat).then(|| name(format))
}

fn is_mpeg_audio(head: &[u8]) -> bool {
    matches!(head, [0xFF, 0xE2 | 0xE3 | 0xF2..=0xF5 | 0xFA..=0xFD, ..])
}

/// MP4 under a major brand that is too young for the signatures, such as those of streaming, names an older one too.
fn is_mp4(src: &mut Source) -> bool {
    let older = [*b"isom", *b"iso2", *b"iso4", *b"iso5", *b"iso6", *b"mp41", *b"mp42", *b"dash"];
    src.head().get(4..8) == Some(b"ftyp") && older.iter().any(|brand| has_brand(src, *brand))
}

/// Matroska and `WebM` say which they are within their first element.
fn matroska(head: &[u8]) -> &'static str {
    let start = &head[..head.len().min(4096)];
    let has = |what: &[u8]| start.windows(what.len()).any(|window| window == what);
    if has(b"\x42\x82\x84webm") {
        "video/webm"
    } else if has(b"matroska") {
        "video/x-matroska"
    } else {
        UNKNOWN
    }
}

fn binary(head: &[u8]) -> Cow<'static, str> {
    match FileFormat::from_bytes(head) {
        // Two bytes that random data begins with as well, or pictures that our own check has refused.
        FileFormat::AppleDiskImage
        | FileFormat::AutodeskAnimator
        | FileFormat::AutodeskAnimatorPro
        | FileFormat::CommonObjectFileFormat
        | FileFormat::DerCertificate
        | FileFormat::SiliconGraphicsImage
        | FileFormat::Commodore64Program
        | FileFormat::WindowsBitmap
        | FileFormat::PictureExchange
        | FileFormat::ArbitraryBinaryData
        | FileFormat::Empty => UNKNOWN.into(),
        format => name(format),
    }
}

/// The name of a type, by libmagic where it differs from the registered one.
fn name(format: FileFormat) -> Cow<'static, str> {
    let name = match format.media_type() {
        "application/mp4" => "video/mp4",
        "audio/mp4" => "audio/x-m4a",
        "audio/vnd.wave" => "audio/x-wav",
        "application/x-id3v2" => "audio/mpeg",
        "audio/aac" => "audio/x-hx-aac-adts",
        "audio/ac3" => "audio/vnd.dolby.dd-raw",
        "audio/opus" => "audio/ogg",
        "audio/x-ms-wma" | "video/x-ms-wmv" | "application/vnd.ms-asf" => "video/x-ms-asf",
        "application/vnd.rar" => "application/x-rar",
        "application/rtf" => "text/rtf",
        "application/x-dosexec" => "application/vnd.microsoft.portable-executable",
        "application/java-vm" => "application/x-java-applet",
        "application/x-google-chrome-extension" => "application/x-chrome-extension",
        "image/x-eps" => "application/postscript",
        "font/ttf" | "font/otf" => "font/sfnt",
        "application/x-empty" => UNKNOWN,
        other => return Cow::Owned(other.to_owned()),
    };
    Cow::Borrowed(name)
}
