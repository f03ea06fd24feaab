//! Serving an original, and what every answer with a content has: validators, conditions, ranges.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use stowage_delivery::Original;
use stowage_model::{DeliveryRefusal, File, media_type};
use stowage_store::blobs::BlobError;

use super::headers::{HARMLESS, Treatment, disposition, set_text};
use super::range::{Wanted, is_unchanged, wanted};
use super::route::Outcome;
use super::visit::{Host, Visit, failed};
use crate::errors;

/// The type of bytes of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// What tells a content from other contents of the same address.
pub(super) struct Version<'a> {
    /// 32 hexadecimal digits.
    pub(super) etag: &'a str,
    /// When it came to be, where that says anything.
    pub(super) modified: Option<SystemTime>,
    /// Its length in bytes.
    pub(super) len: u64,
}

/// How far an answer is.
pub(super) enum Begun {
    /// It has everything but the bytes of this range.
    Response(Response<Body>, Range<u64>),
    /// It needs no bytes.
    Over(Response<Body>),
}

/// Begins the answer with a content: says what it is by `describe`, unless the client has it or wants what it does not have.
pub(super) fn begin(
    request: &Parts,
    host: &Host,
    most: Duration,
    version: &Version<'_>,
    describe: impl FnOnce(&mut Response<Body>),
) -> Begun {
    let Version { etag, modified, len } = version;
    let etag = format!("\"{etag}\"");
    let mut response = Response::new(Body::empty());
    response.headers_mut().reserve(24);
    host.set_terms(&mut response, most);
    set_text(&mut response, header::ETAG, etag.clone());
    if let Some(modified) = modified {
        set_text(&mut response, header::LAST_MODIFIED, httpdate::fmt_http_date(*modified));
    }
    let headers: &HeaderMap = &request.headers;
    if is_unchanged(headers, &etag, *modified) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Begun::Over(response);
    }
    let asked = if request.method == Method::GET { wanted(headers, *len, &etag, *modified) } else { Wanted::All };
    let range = match asked {
        Wanted::All => 0..*len,
        Wanted::Part(range) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let content = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            set_text(&mut response, header::CONTENT_RANGE, content);
            range
        }
        Wanted::Nothing => {
            // None of the headers above: they describe the file, and nobody shall keep this answer in its place.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set_text(&mut response, header::CONTENT_RANGE, format!("bytes */{len}"));
            errors::set(&mut response, header::CACHE_CONTROL, "no-store");
            return Begun::Over(response);
        }
    };
    describe(&mut response);
    errors::set(&mut response, header::ACCEPT_RANGES, "bytes");
    response.headers_mut().insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    if request.method == Method::GET { Begun::Response(response, range) } else { Begun::Over(response) }
}

/// Serves the bytes of a file as they are.
pub(super) async fn original(
    visit: Visit<'_>,
    host: &Host,
    file: &File,
    inline: Option<bool>,
    name: Option<&str>,
) -> Outcome {
    let modified = Some(file.uploaded_at.to_system_time());
    let version = Version { etag: &file.etag, modified, len: file.size };
    let describe = |response: &mut Response<Body>| set_content(response, file, inline, name);
    let (mut response, range) = match begin(visit.request, host, Duration::MAX, &version, describe) {
        Begun::Response(response, range) => (response, range),
        Begun::Over(response) => return Ok(response),
    };
    *response.body_mut() = match visit.state.delivery.original(file, range).await {
        Ok(Original::Memory(bytes)) => Body::from(bytes),
        Ok(Original::Stream(stream)) => Body::from_stream(stream),
        // The janitor may have taken it since the record was read.
        Err(BlobError::NotFound) => return Err(DeliveryRefusal::NotFound),
        Err(failure) => return Err(failed(&failure)),
    };
    Ok(response)
}

fn set_content(response: &mut Response<Body>, file: &File, inline: Option<bool>, name: Option<&str>) {
    // A browser may see another type than we do in what is not well formed.
    let shown = if media_type::is_well_formed(&file.mime_type) { &file.mime_type } else { UNKNOWN };
    let treatment = Treatment::of(shown);
    set_text(response, header::CONTENT_TYPE, shown.to_owned());
    if treatment.active {
        errors::set(response, header::CONTENT_SECURITY_POLICY, HARMLESS);
    }
    let inline = inline.unwrap_or(treatment.inline);
    let value = match name {
        Some(name) => disposition(inline, name),
        None => disposition(inline, &file.name.sanitised()),
    };
    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
}
