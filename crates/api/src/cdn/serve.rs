//! Serving an original.

use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use stowage_delivery::Original;
use stowage_model::{File, Refusal, media_type};
use stowage_store::blobs::BlobError;
use tracing::error;

use super::headers::{HARMLESS, Treatment, disposition};
use super::range::{Wanted, is_unchanged, wanted};
use super::route::Path;
use crate::access::request_id;
use crate::{State, errors};

/// The type of bytes of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

pub(super) async fn serve(state: &State, request: &Parts, path: Path) -> Response<Body> {
    original(state, request, path).await.unwrap_or_else(|refusal| errors::delivery(&refusal))
}

async fn original(state: &State, request: &Parts, path: Path) -> Result<Response<Body>, Refusal> {
    let found = state.records.hot_file(path.file).await.map_err(|failure| failed(&failure))?;
    let file = found.filter(|file| file.removed_at.is_none() && file.blob.is_some());
    let file = file.ok_or(Refusal::DeliveryFileNotFound)?;
    if let Some(operation) = path.operation {
        return Err(if file.is_image {
            Refusal::DeliveryOperationInvalid(format!("`{operation}` is not supported"))
        } else {
            Refusal::DeliveryNotAnImage
        });
    }
    let mut response = Response::new(Body::empty());
    response.headers_mut().reserve(24);
    let etag = format!("\"{}\"", file.etag);
    let modified = file.uploaded_at.to_system_time();
    set_validators(&mut response, state, &file, &etag).await?;
    if is_unchanged(&request.headers, &etag, modified) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    set_content(&mut response, &file, &path);
    let asked =
        if request.method == Method::GET { wanted(&request.headers, file.size, &etag, modified) } else { Wanted::All };
    let range = match asked {
        Wanted::All => 0..file.size,
        Wanted::Part(range) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let content = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size);
            set_text(&mut response, header::CONTENT_RANGE, content);
            range
        }
        Wanted::Nothing => {
            // None of the headers above: they describe the file, and nobody shall keep this answer in its place.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set_text(&mut response, header::CONTENT_RANGE, format!("bytes */{}", file.size));
            errors::set(&mut response, header::CACHE_CONTROL, "no-store");
            return Ok(response);
        }
    };
    response.headers_mut().insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    if request.method == Method::GET {
        *response.body_mut() = match state.delivery.original(&file, range).await {
            Ok(Original::Memory(bytes)) => Body::from(bytes),
            Ok(Original::Stream(stream)) => Body::from_stream(stream),
            // The janitor may have taken it since the record was read.
            Err(BlobError::NotFound) => return Err(Refusal::DeliveryFileNotFound),
            Err(failure) => return Err(failed(&failure)),
        };
    }
    Ok(response)
}

async fn set_validators(response: &mut Response<Body>, state: &State, file: &File, etag: &str) -> Result<(), Refusal> {
    let project = state.records.project(file.project).await.map_err(|failure| failed(&failure))?;
    if !project.is_some_and(|project| project.settings.allow_indexing) {
        response
            .headers_mut()
            .insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow, nosnippet, noarchive"));
    }
    set_text(response, header::ETAG, etag.to_owned());
    set_text(response, header::LAST_MODIFIED, httpdate::fmt_http_date(file.uploaded_at.to_system_time()));
    set_text(response, header::CACHE_CONTROL, format!("public, max-age={}", state.max_age.as_secs()));
    Ok(())
}

fn set_content(response: &mut Response<Body>, file: &File, path: &Path) {
    // A browser may see another type than we do in what is not well formed.
    let shown = if media_type::is_well_formed(&file.mime_type) { &file.mime_type } else { UNKNOWN };
    let treatment = Treatment::of(shown);
    set_text(response, header::CONTENT_TYPE, shown.to_owned());
    if treatment.active {
        errors::set(response, header::CONTENT_SECURITY_POLICY, HARMLESS);
    }
    let inline = path.inline.unwrap_or(treatment.inline);
    let value = match &path.filename {
        Some(name) => disposition(inline, name),
        None => disposition(inline, &file.name.sanitised()),
    };
    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    errors::set(response, header::ACCEPT_RANGES, "bytes");
}

fn set_text(response: &mut Response<Body>, name: header::HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().insert(name, value);
    }
}

fn failed(failure: &dyn std::error::Error) -> Refusal {
    error!(request = request_id(), error = %failure, "a file could not be delivered");
    Refusal::DeliveryFailed
}
