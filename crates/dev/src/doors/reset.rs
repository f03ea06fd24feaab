//! `POST /_dev/reset`: a world, or one project of it, as it was after the start.

use std::sync::Arc;

use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Outcome;
use super::input::Input;
use crate::World;

/// What is to be reset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The public key of the project whose content goes; without it everything goes.
    project: Option<String>,
}

/// What was reset.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// The public key of the project, or `null` for everything.
    reset: Option<String>,
}

pub(crate) async fn reset(Extension(world): Extension<Arc<World>>, Input(wanted): Input<Wanted>) -> Outcome<Done> {
    match &wanted.project {
        None => world.reset().await?,
        Some(key) => world.reset_project(key).await?,
    }
    Ok(Json(Done { reset: wanted.project }))
}
