//! `/_dev/faults`: the rules by which requests, webhooks and copies fail.

use std::sync::Arc;

use axum::extract::Path;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Outcome;
use super::input::Input;
use crate::faults::{RuleInput, Shown};
use crate::{DevError, World};

/// One rule, or a list of rules, of which the last is the newest.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = FaultRules)]
#[expect(
    dead_code,
    reason = "it only describes the body: a rule that is wrong is told better where it is known to be one"
)]
pub(crate) enum Rules {
    /// One rule.
    One(Box<RuleInput>),
    /// Several; all are added, or none.
    Several(Vec<RuleInput>),
}

/// What was added: a rule or a list of them, as it was asked.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = FaultsAdded)]
#[expect(dead_code, reason = "it only describes the answer")]
pub(crate) enum Added {
    /// One rule.
    One(Box<Shown>),
    /// Several, in their order.
    Several(Vec<Shown>),
}

/// The rules of a world.
#[derive(Serialize, ToSchema)]
#[schema(as = Faults)]
pub(crate) struct Listed {
    /// In the order in which they are tried: the newest first.
    faults: Vec<Shown>,
}

/// What was removed.
#[derive(Serialize, ToSchema)]
#[schema(as = FaultsRemoved)]
pub(crate) struct Removed {
    /// How many rules.
    removed: usize,
}

pub(crate) async fn list(Extension(world): Extension<Arc<World>>) -> Json<Listed> {
    Json(Listed { faults: world.faults.list() })
}

/// Answers a rule with its number, or a list of them, as they were asked.
pub(crate) async fn add(Extension(world): Extension<Arc<World>>, Input(wanted): Input<Value>) -> Outcome<Value> {
    let several = wanted.is_array();
    let list = if let Value::Array(list) = wanted { list } else { vec![wanted] };
    let mut rules = Vec::with_capacity(list.len());
    for (at, rule) in list.into_iter().enumerate() {
        let of_list = if several { format!("rule {at}: ") } else { String::new() };
        let rule =
            RuleInput::deserialize(rule).map_err(|fault| DevError::bad(format!("the body: {of_list}{fault}")))?;
        rules.push(rule);
    }
    let mut added = world.faults.add(rules)?;
    let shown = if several { serde_json::to_value(added) } else { serde_json::to_value(added.pop()) };
    Ok(Json(shown.map_err(|failure| DevError::failed(failure.to_string()))?))
}

pub(crate) async fn clear(Extension(world): Extension<Arc<World>>) -> Json<Removed> {
    Json(Removed { removed: world.faults.clear() })
}

pub(crate) async fn remove(
    Extension(world): Extension<Arc<World>>,
    Path(which): Path<String>,
) -> Result<StatusCode, DevError> {
    if world.faults.remove(&which) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(DevError::missing(format!("there is no rule with the number or the name `{which}`")))
    }
}
