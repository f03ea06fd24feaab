//! `GET /info/`: what is known of a file.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response};
use stowage_model::{FileId, Refusal};
use stowage_views::upload::FileInfo;

use super::{Call, Endpoint};
use crate::{State, errors};

pub(super) const ENDPOINT: Endpoint =
    Endpoint { methods: "GET, HEAD, OPTIONS", serves: "GET, HEAD, OPTIONS", key: "pub_key", takes_files: false };

pub(super) async fn handle(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &ENDPOINT, request).await {
        Ok((mut call, _)) => {
            let outcome = info(&mut call).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn info(call: &mut Call<'_>) -> Result<Response<Body>, Refusal> {
    call.check_characters()?;
    let project = call.project().await?;
    let id: FileId = match call.parameter("file_id") {
        None => return Err(Refusal::FileIdRequired),
        Some(text) => text.parse().map_err(|_| Refusal::FileIdInvalid)?,
    };
    let file = call.state.records.file(id).await.map_err(errors::of_records)?;
    let file = file.filter(|file| file.project == project.id && file.removed_at.is_none());
    Ok(errors::json(&FileInfo::new(&file.ok_or(Refusal::FileNotFound)?)))
}
