//! Headers of delivered files: harmless whatever was uploaded.

use std::fmt::Write;

use axum::body::Body;
use http::header::{HeaderName, HeaderValue};
use http::{Response, header};

use stowage_model::media_type;

use crate::errors::set;

/// The methods of this door.
pub(super) const METHODS: &str = "HEAD, GET, OPTIONS";

/// The policy under which foreign documents are shown: an origin of their own, no scripts.
pub(crate) const HARMLESS: &str = "sandbox; default-src 'unsafe-inline' data:; script-src 'none'";

/// Tells search engines what to leave alone.
pub(super) const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Sets a header to a text that was made; what cannot stand in a header is left out.
pub(super) fn set_text(response: &mut Response<Body>, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().insert(name, value);
    }
}

/// Any page may read what this door delivers, refusals included.
pub(crate) fn set_cors(response: &mut Response<Body>) {
    set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(response, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    set(response, header::ACCESS_CONTROL_ALLOW_HEADERS, "Range, If-Range, If-None-Match, If-Modified-Since");
    set(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Content-Length, Content-Range, Etag, X-Image-Width, X-Image-Height, X-Image-Acceptable-Original, X-Image-Acceptable-Improved",
    );
}

/// How a browser will treat a media type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Treatment {
    /// Whether it is shown rather than saved, where the URL does not say.
    pub(super) inline: bool,
    /// Whether it could run scripts or load things when shown.
    pub(super) active: bool,
}

impl Treatment {
    /// Judges a media type; parameters do not matter.
    pub(super) fn of(text: &str) -> Self {
        let essence = media_type::essence(text);
        let kind = essence.split('/').next().unwrap_or_default();
        let passive = match kind {
            "image" => !essence.contains("xml"),
            "audio" | "video" => true,
            _ => essence == "application/pdf" || essence == "text/plain",
        };
        Self { inline: passive || kind == "image", active: !passive }
    }
}

/// `inline; filename=…` or `attachment; filename=…`: bare where the name is a token, quoted where not, and once more in
/// UTF-8 where it is not ASCII.
pub(super) fn disposition(inline: bool, name: &str) -> HeaderValue {
    let mut value = String::from(if inline { "inline" } else { "attachment" });
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b);
    if !name.is_empty() && name.bytes().all(is_token) {
        let _ = write!(value, "; filename={name}");
    } else {
        let plain: String =
            name.chars().map(|c| if (' '..='~').contains(&c) && c != '"' && c != '\\' { c } else { '_' }).collect();
        let _ = write!(value, "; filename=\"{plain}\"");
        if plain != name {
            value.push_str("; filename*=UTF-8''");
            for byte in name.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    value.push(char::from(byte));
                } else {
                    let _ = write!(value, "%{byte:02X}");
                }
            }
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_headers() {
        assert_eq!(disposition(true, "hello.txt"), "inline; filename=hello.txt");
        assert_eq!(disposition(false, "a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(
            disposition(true, "дом.txt"),
            "inline; filename=\"___.txt\"; filename*=UTF-8''%D0%B4%D0%BE%D0%BC.txt"
        );
        let hostile = disposition(true, "x\"; evil=\"\r\nSet-Cookie: a");
        assert_eq!(hostile.to_str().unwrap().lines().count(), 1);
        assert!(hostile.to_str().unwrap().starts_with("inline; filename=\"x_; evil=_"));
    }

    #[test]
    fn what_can_run_is_saved_and_sandboxed() {
        for passive in [
            "image/png",
            "IMAGE/JPEG",
            "video/mp4; codecs=x",
            "audio/mpeg",
            "text/plain; charset=utf-8",
            "application/pdf",
        ] {
            assert_eq!(Treatment::of(passive), Treatment { inline: true, active: false }, "{passive}");
        }
        assert_eq!(Treatment::of("image/svg+xml"), Treatment { inline: true, active: true });
        for active in [
            "text/html",
            "Text/HTML;x",
            "application/xhtml+xml",
            "text/xml",
            "application/javascript",
            "",
            "x",
            "text/css",
        ] {
            assert_eq!(Treatment::of(active), Treatment { inline: false, active: true }, "{active}");
        }
    }
}
