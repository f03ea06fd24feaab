//! `/_dev/ids`: a seed that makes ids repeat, and the id of the next file.

use std::sync::Arc;

use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use stowage_model::{FileId, Ids};
use utoipa::ToSchema;

use super::Outcome;
use super::input::Input;
use crate::{DevError, World};

/// Where the ids of a world come from.
#[derive(Serialize, ToSchema)]
#[schema(as = IdsShown)]
pub(crate) struct Shown {
    /// The seed; `null` while nobody can foresee them.
    #[schema(required)]
    seed: Option<u64>,
    /// The id of the next file, where that is settled.
    #[schema(required)]
    pin: Option<FileId>,
}

impl Shown {
    fn of(ids: &Ids) -> Self {
        Self { seed: ids.seed_in_use(), pin: ids.pinned() }
    }
}

/// What is to be changed; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdsChange)]
pub(crate) struct Change {
    /// From now on the ids that go with this number, from the first one on.
    #[serde(default)]
    seed: Option<u64>,
    /// The id of the next file.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pin: Option<String>,
}

pub(crate) async fn read(Extension(world): Extension<Arc<World>>) -> Json<Shown> {
    Json(Shown::of(&world.parts.ids))
}

pub(crate) async fn change(Extension(world): Extension<Arc<World>>, Input(change): Input<Change>) -> Outcome<Shown> {
    let (ids, records) = (&world.parts.ids, &world.parts.records);
    if change.seed.is_none() && change.pin.is_none() {
        return Err(DevError::bad("say `seed`, `pin` or both"));
    }
    let pin: Option<FileId> =
        change.pin.as_deref().map(str::parse).transpose().map_err(|_| DevError::bad("`pin` is no UUID"))?;
    if let Some(pin) = pin
        && (records.file(pin).await?.is_some() || records.upload(pin).await?.is_some())
    {
        return Err(DevError::clash(format!("there is a file or an upload {pin} already")));
    }
    if let Some(seed) = change.seed {
        ids.seed(seed);
    }
    if let Some(pin) = pin {
        ids.pin(pin);
    }
    Ok(Json(Shown::of(ids)))
}

pub(crate) async fn release(Extension(world): Extension<Arc<World>>) -> Json<Shown> {
    world.parts.ids.unseed();
    Json(Shown::of(&world.parts.ids))
}
