//! `/_dev/journal`: the last requests, for assertions of tests.

use std::sync::Arc;

use axum::extract::Path;
use axum::{Extension, Json};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Outcome;
use super::query::{Query, until};
use crate::journal::{Filter, ShownEntry};
use crate::{DevError, World};

/// How many requests are listed where nobody says.
const LIMIT: usize = 100;

/// Requests that the journal remembers.
#[derive(Serialize, ToSchema)]
#[schema(as = JournalList)]
pub(crate) struct List {
    /// The newest last.
    requests: Vec<ShownEntry>,
}

/// How many requests there were.
#[derive(Serialize, ToSchema)]
#[schema(as = JournalCount)]
pub(crate) struct Count {
    /// How many the journal remembers that the filter lets through.
    count: usize,
}

/// Waits for as many as were asked for.
async fn wait(world: &World, filter: &Filter) {
    if let Some(enough) = filter.at_least {
        until(world.journal.changed(), filter.wait, || world.journal.count(filter) >= enough).await;
    }
}

pub(crate) async fn list(Extension(world): Extension<Arc<World>>, Query(mut filter): Query<Filter>) -> Json<List> {
    wait(&world, &filter).await;
    filter.limit = filter.limit.or(Some(LIMIT));
    Json(List { requests: world.journal.find(&filter) })
}

pub(crate) async fn count(Extension(world): Extension<Arc<World>>, Query(filter): Query<Filter>) -> Json<Count> {
    wait(&world, &filter).await;
    Json(Count { count: world.journal.count(&filter) })
}

pub(crate) async fn show(Extension(world): Extension<Arc<World>>, Path(number): Path<String>) -> Outcome<ShownEntry> {
    let entry = number.parse().ok().and_then(|number| world.journal.show(number));
    entry.map(Json).ok_or_else(|| DevError::missing(format!("the journal remembers no request `{number}`")))
}

pub(crate) async fn clear(Extension(world): Extension<Arc<World>>) -> StatusCode {
    world.journal.clear();
    StatusCode::NO_CONTENT
}
