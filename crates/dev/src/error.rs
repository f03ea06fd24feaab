//! What the doors for tests refuse, and how they say it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use stowage_store::blobs::BlobError;
use stowage_store::records::RecordsError;
use utoipa::ToSchema;

/// A refusal of a door for tests: a status, and a sentence that says what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct DevError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The sentence.
    pub text: String,
}

/// A refusal as it is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    /// What is wrong, and what to do.
    error: String,
}

impl DevError {
    /// The request makes no sense.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// There is no such thing.
    pub fn missing(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// It does not fit to what is there.
    pub fn clash(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, text: text.into() }
    }

    /// Something failed that should not have.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into() }
    }
}

impl IntoResponse for DevError {
    fn into_response(self) -> Response {
        (self.status, Json(Refused { error: self.text })).into_response()
    }
}

impl From<RecordsError> for DevError {
    fn from(failure: RecordsError) -> Self {
        Self::failed(failure.to_string())
    }
}

impl From<BlobError> for DevError {
    fn from(failure: BlobError) -> Self {
        if let BlobError::Io(error) = &failure
            && error.kind() == std::io::ErrorKind::NotFound
        {
            // What is received lies in the blob store, which a reset empties.
            return Self::clash("a reset came in between, and what had been received is gone; send it again");
        }
        Self::failed(failure.to_string())
    }
}

impl From<anyhow::Error> for DevError {
    fn from(failure: anyhow::Error) -> Self {
        Self::failed(format!("{failure:#}"))
    }
}
