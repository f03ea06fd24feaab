//! `GET /_dev/snapshot`: everything that a world is as one archive. `PUT /_dev/snapshot`: an archive in the place of everything.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{Extension, Json};
use futures_util::stream;
use http::{HeaderValue, header};

use super::Outcome;
use crate::snapshot::{self, Imported, MEDIA_TYPE};
use crate::{DevError, World};

pub(crate) async fn export(Extension(world): Extension<Arc<World>>) -> Result<Response, DevError> {
    let mut pieces = snapshot::export(world);
    // What goes wrong at the beginning is said; later the connection breaks.
    let first = pieces.recv().await.unwrap_or_else(|| Err(DevError::failed("the snapshot has no beginning")))?;
    let pieces = stream::unfold((Some(first), pieces), async |(first, mut pieces)| {
        let next = match first {
            Some(first) => Ok(first),
            None => pieces.recv().await?.map_err(io::Error::other),
        };
        Some((next, (None, pieces)))
    });
    let mut answer = Response::new(Body::from_stream(pieces));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    let name = HeaderValue::from_static("attachment; filename=\"stowage-snapshot.tar\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}

pub(crate) async fn import(Extension(world): Extension<Arc<World>>, request: Request) -> Outcome<Imported> {
    Box::pin(snapshot::import(world, request.into_body())).await.map(Json)
}
