//! Whether this process lives, and whether it can work.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, errors};

/// `/health`: the process answers.
pub(crate) async fn live() -> Response<Body> {
    let mut response = Response::new(Body::from("ok\n"));
    errors::set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    errors::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// What can be worked with.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    records: &'static str,
    migrations: &'static str,
    blobs: &'static str,
}

/// `/ready`: records and blobs answer, and the records are up to date. 503 where not; what is wrong goes to the log,
/// because this page is public.
pub(crate) async fn ready(Shared(state): Shared<State>) -> Response<Body> {
    let (records, blobs) = tokio::join!(state.records.ready(), state.blobs.ready());
    if let Err(failure) = &records {
        tracing::error!(error = %failure, "not ready: the records do not answer");
    }
    if let Err(failure) = &blobs {
        tracing::error!(error = %failure, "not ready: the blob store does not answer");
    }
    let word = |good: bool| if good { "ok" } else { "failed" };
    let current = records.as_ref().is_ok_and(|current| *current);
    let readiness = Readiness {
        ready: current && blobs.is_ok(),
        records: word(records.is_ok()),
        migrations: word(current),
        blobs: word(blobs.is_ok()),
    };
    let mut response = errors::json(&readiness);
    if !readiness.ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    errors::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
