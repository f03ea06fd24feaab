//! The one place where a refusal becomes an answer, and where what happened below becomes a refusal.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use stowage_intake::{CompleteError, IntakeError, PartError};
use stowage_model::rest::Shape;
use stowage_model::{DeliveryRefusal, Refusal, RestRefusal};
use stowage_store::records::RecordsError;
use tracing::error;
use utoipa::ToSchema;

use crate::access::request_id;

/// How the Upload API is to tell refusals (upload-api reference, section "Errors").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// The catalogue's status, and the bare sentence.
    Text,
    /// Status 200, and an envelope: browsers' clients parse nothing else.
    Json,
}

/// A refusal of the Upload API as JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadError)]
pub(crate) struct Envelope<'a> {
    error: Told<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UploadErrorTold)]
struct Told<'a> {
    /// The status that it would have as a text.
    status_code: u16,
    /// The text.
    content: &'a str,
    error_code: &'static str,
}

/// What is told instead of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The sentence.
    pub(crate) text: String,
    /// After how many seconds to try again.
    pub(crate) retry_after: Option<u64>,
}

impl From<&Refusal> for Said {
    fn from(refusal: &Refusal) -> Self {
        let retry_after =
            if let Refusal::RequestThrottled { retry_after } = refusal { Some(*retry_after) } else { None };
        Self { status: refusal.status(), text: refusal.to_string(), retry_after }
    }
}

impl From<&RestRefusal> for Said {
    fn from(refusal: &RestRefusal) -> Self {
        let retry_after = match refusal {
            RestRefusal::Throttled(retry_after) | RestRefusal::StorageUnavailable { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        };
        Self { status: refusal.status(), text: refusal.to_string(), retry_after }
    }
}

impl From<&DeliveryRefusal> for Said {
    fn from(refusal: &DeliveryRefusal) -> Self {
        let retry_after = if let DeliveryRefusal::Busy { retry_after } = refusal { Some(*retry_after) } else { None };
        Self { status: refusal.status(), text: refusal.to_string(), retry_after }
    }
}

impl Said {
    /// The same in other words, or for another time.
    pub(crate) fn with(self, text: Option<&str>, retry_after: Option<u64>) -> Self {
        let text = text.map_or(self.text, str::to_owned);
        Self { status: self.status, text, retry_after: retry_after.or(self.retry_after) }
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn set_retry_after(&self, response: &mut Response<Body>) {
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// A refusal of the Upload API.
pub(crate) fn upload(refusal: &Refusal, form: Form) -> Response<Body> {
    upload_said(&refusal.into(), refusal.code(), form)
}

/// The same, of what is said.
pub(crate) fn upload_said(said: &Said, code: &'static str, form: Form) -> Response<Body> {
    let mut response = match form {
        Form::Text => {
            let mut response = Response::new(Body::from(said.text.clone()));
            *response.status_mut() = said.status();
            set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
            response
        }
        Form::Json => {
            let told = Told { status_code: said.status, content: &said.text, error_code: code };
            json(&Envelope { error: told })
        }
    };
    said.set_retry_after(&mut response);
    response
}

/// A refusal of the REST API, in the media type that the request asked for.
pub(crate) fn rest(refusal: &RestRefusal, media_type: &'static str) -> Response<Body> {
    rest_said(&refusal.into(), refusal.shape(), media_type)
}

/// The same, of what is said.
pub(crate) fn rest_said(said: &Said, shape: Shape, media_type: &'static str) -> Response<Body> {
    let body = match shape {
        Shape::Detail => serde_json::json!({ "detail": said.text }),
        Shape::Field(name) => serde_json::json!({ name: [said.text] }),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = said.status();
    set(&mut response, header::CONTENT_TYPE, media_type);
    said.set_retry_after(&mut response);
    response
}

/// A refusal of delivery: a page (URL API reference, section "Errors").
pub(crate) fn delivery(refusal: &DeliveryRefusal) -> Response<Body> {
    delivery_said(&refusal.into())
}

/// The same, of what is said.
pub(crate) fn delivery_said(said: &Said) -> Response<Body> {
    let status = said.status();
    let title = format!("{}: {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let text = escape(&said.text);
    let page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/html; charset=UTF-8");
    // What is wrong with a URL stays wrong; what is missing may come back, and what failed may work again.
    let cache = if status == StatusCode::BAD_REQUEST { "public, max-age=3600" } else { "no-store" };
    set(&mut response, header::CACHE_CONTROL, cache);
    set(&mut response, header::CONTENT_SECURITY_POLICY, crate::cdn::HARMLESS);
    said.set_retry_after(&mut response);
    response
}

/// A successful JSON answer, without a charset: clients compare the media type as a whole.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            set(&mut response, header::CONTENT_TYPE, "application/json");
            response
        }
        Err(error) => {
            error!(request = request_id(), %error, "an answer could not be written as JSON");
            upload(&Refusal::UploadApi, Form::Text)
        }
    }
}

pub(crate) fn set(response: &mut Response<Body>, name: header::HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// A text as it may stand in a page.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What to tell where something new could not be recorded: ids that a test has seeded may have been there before.
pub(crate) fn of_new(failure: RecordsError) -> Refusal {
    if failure.is_taken() { Refusal::UploadcareFileIdDuplicated } else { of_records(failure) }
}

/// What to tell of records that could not be asked.
pub(crate) fn of_records(failure: RecordsError) -> Refusal {
    match failure {
        RecordsError::NoSpace => Refusal::UploadFailed,
        RecordsError::Database(failure) => {
            error!(request = request_id(), error = %failure, "the records failed");
            Refusal::UploadApi
        }
    }
}

/// What the REST API is to tell of records that could not be asked.
pub(crate) fn rest_of_records(failure: RecordsError) -> RestRefusal {
    match failure {
        RecordsError::NoSpace => RestRefusal::NoSpace,
        failure @ RecordsError::Database(_) => of_records(failure).into(),
    }
}

/// What the REST API is to tell of a file that was not copied.
pub(crate) fn rest_of_intake(failure: IntakeError) -> RestRefusal {
    match failure {
        IntakeError::NoSpace => RestRefusal::NoSpace,
        // Removed, and its bytes let go, since it was looked up.
        IntakeError::SourceGone => RestRefusal::NotFound,
        failure => of_intake(failure).into(),
    }
}

/// What the REST API is to tell where an answer could not be written.
pub(crate) fn rest_of_json(failure: &serde_json::Error) -> RestRefusal {
    error!(request = request_id(), error = %failure, "an answer could not be written as JSON");
    RestRefusal::Internal
}

/// What to tell of bytes that did not become files.
pub(crate) fn of_intake(failure: IntakeError) -> Refusal {
    if let Some(verdict) = failure.verdict() {
        return verdict;
    }
    match failure {
        IntakeError::Scan(failure) => {
            error!(request = request_id(), error = %failure, "the scan for viruses failed");
            Refusal::UploadApi
        }
        IntakeError::IdTaken(_) => Refusal::UploadcareFileIdDuplicated,
        IntakeError::NoSpace => {
            error!(request = request_id(), "an upload was refused: no space left");
            Refusal::UploadFailed
        }
        IntakeError::Records(failure) => of_records(failure),
        other => {
            error!(request = request_id(), error = %other, "the blob store failed");
            Refusal::UploadApi
        }
    }
}

/// What to tell of a part that was not taken.
pub(crate) fn of_part(failure: PartError) -> Refusal {
    match failure {
        PartError::NotFound | PartError::NoSuchPart => Refusal::MultipartFileNotFound,
        PartError::Completed => Refusal::MultipartFileAlreadyUploaded,
        PartError::TooLarge => Refusal::RequestSizeLimitExceeded,
        PartError::Intake(failure) => of_intake(failure),
    }
}

/// What to tell of a multipart upload that was not completed.
pub(crate) fn of_complete(failure: CompleteError) -> Refusal {
    match failure {
        CompleteError::NotFound => Refusal::MultipartFileNotFound,
        CompleteError::Completed => Refusal::MultipartFileAlreadyUploaded,
        CompleteError::TooSmall => Refusal::MultipartUploadSizeTooSmall,
        CompleteError::TooLarge => Refusal::MultipartUploadSizeTooLarge,
        CompleteError::WrongParts => Refusal::MultipartFileCompletionFailed,
        CompleteError::Intake(failure) => of_intake(failure),
    }
}
