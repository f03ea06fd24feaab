//! `/_dev/capture/NAME`, which keeps whatever it is sent, and `/_dev/captured`, which shows it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use stowage_store::records::RecordsError;
use stowage_views::events;
use utoipa::{IntoParams, ToSchema};

use super::Outcome;
use super::query::{Query, until};
use crate::capture::{Arrived, Caught, Filter, Target, Verdict};
use crate::{DevError, World};

/// The most bytes that are taken.
const LARGEST: usize = 1 << 20;
/// How many are listed where nobody says.
const LIMIT: usize = 100;

/// What was kept.
#[derive(Serialize, ToSchema)]
#[schema(as = CapturedNumber)]
pub(crate) struct Kept {
    /// Its number.
    captured: u64,
}

/// What was sent to the built-in address.
#[derive(Serialize, ToSchema)]
#[schema(as = CapturedList)]
pub(crate) struct List {
    /// The newest last.
    captured: Vec<Caught>,
}

/// Which of it is to be forgotten.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The last part of the address; without it everything goes.
    name: Option<String>,
}

pub(crate) async fn keep(
    Extension(world): Extension<Arc<World>>,
    request: Request<Body>,
) -> Result<Response, DevError> {
    let (parts, body) = request.into_parts();
    let target = Target::new(parts.uri.path(), parts.uri.query());
    let target =
        target.ok_or_else(|| DevError::missing("the name of an address is 1 to 64 characters of A-Z a-z 0-9 . _ -"))?;
    let body = axum::body::to_bytes(body, LARGEST).await;
    let body = body.map_err(|_| DevError::bad("the body is larger than 1 MiB, or broke off"))?;
    let signature = parts.headers.get(events::SIGNATURE).and_then(|value| value.to_str().ok());
    let verdict = match (signature, std::str::from_utf8(&body)) {
        (None, _) => Verdict::None,
        (Some(_), Err(_)) => Verdict::Bad,
        (Some(_), Ok(text)) => Verdict::new(signature, text, secrets(&world).await?.iter().map(String::as_str)),
    };
    let status = target.status;
    let (method, headers) = (parts.method.as_str(), &parts.headers);
    let arrived = Arrived { target, method, headers, body: &body, verdict, project: None, delivery: None };
    let captured = world.captured.add(&arrived);
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(status.into_response());
    }
    Ok((status, Json(Kept { captured })).into_response())
}

/// The signing secrets of all webhooks.
async fn secrets(world: &World) -> Result<Vec<String>, RecordsError> {
    let mut secrets = Vec::new();
    for project in world.parts.records.projects().await? {
        let webhooks = world.parts.records.webhooks(project.id).await?;
        secrets.extend(webhooks.into_iter().filter_map(|webhook| webhook.signing_secret));
    }
    Ok(secrets)
}

pub(crate) async fn list(Extension(world): Extension<Arc<World>>, Query(filter): Query<Filter>) -> Json<List> {
    found(&world, filter).await
}

pub(crate) async fn list_of(
    Extension(world): Extension<Arc<World>>,
    Path(name): Path<String>,
    Query(mut filter): Query<Filter>,
) -> Outcome<List> {
    if filter.name.is_some() {
        return Err(DevError::bad("the path says which name"));
    }
    filter.name = Some(name);
    Ok(found(&world, filter).await)
}

async fn found(world: &World, mut filter: Filter) -> Json<List> {
    if let Some(enough) = filter.at_least {
        until(world.captured.changed(), filter.wait, || world.captured.count(&filter) >= enough).await;
    }
    filter.limit = filter.limit.or(Some(LIMIT));
    Json(List { captured: world.captured.find(&filter) })
}

pub(crate) async fn clear(Extension(world): Extension<Arc<World>>, Query(which): Query<Which>) -> StatusCode {
    world.captured.clear(which.name.as_deref());
    StatusCode::NO_CONTENT
}
