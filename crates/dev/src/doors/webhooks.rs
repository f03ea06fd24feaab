//! `/_dev/webhooks`: everything that webhooks were told and are still to be told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stowage_model::{FileId, Project, ProjectId, PublicKey, Timestamp, Webhook, WebhookId};
use stowage_store::records::{Delivery, DeliveryFilter, DeliveryId, DeliveryState, NEVER, RecordsError, Redelivery};
use tokio::time::{Instant, sleep};
use utoipa::{IntoParams, ToSchema};

use super::Outcome;
use super::query::Query;
use crate::capture::Verdict;
use crate::{DevError, World};

/// How many are looked at.
const MOST: u32 = 10_000;
/// How many are listed where nobody says.
const LIMIT: usize = 100;
/// How long to wait between two looks at the records.
const PAUSE: Duration = Duration::from_millis(25);

/// Deliveries to webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveries)]
pub(crate) struct List {
    /// The newest last.
    deliveries: Vec<Shown>,
}

/// Something that a webhook was told or is still to be told.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct Shown {
    /// Its number; `webhook-NUMBER` among the jobs.
    id: i64,
    event: String,
    /// The public key of the project.
    #[schema(required)]
    project: Option<PublicKey>,
    /// The number of the webhook.
    webhook: i64,
    /// Where it goes, as the webhook says now.
    target: String,
    /// The file that it is about.
    #[schema(required)]
    file: Option<FileId>,
    /// When that happened.
    created_at: Timestamp,
    state: State,
    /// Whether somebody holds it.
    is_held: bool,
    /// When it is tried next, or is taken for abandoned while it is under way.
    #[schema(required)]
    due_at: Option<Timestamp>,
    /// When it ended.
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// What was tried, in order.
    attempts: Vec<Attempt>,
    /// What was sent, once it was.
    body: Value,
    /// The signature of that.
    #[schema(required)]
    signature: Option<String>,
    /// Whether the signing secret that the webhook has now has made it.
    verdict: Verdict,
}

/// How far a delivery is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookDeliveryState)]
pub(crate) enum State {
    /// It is due, now or later, or under way.
    Pending,
    /// The target has taken it.
    Delivered,
    /// The target has not taken it in time.
    Failed,
    /// Its webhook was made inactive before it was delivered.
    Dropped,
}

impl From<DeliveryState> for State {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed => Self::Failed,
            DeliveryState::Dropped => Self::Dropped,
        }
    }
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Delivered => Self::Delivered,
            State::Failed => Self::Failed,
            State::Dropped => Self::Dropped,
        }
    }
}

/// An attempt to deliver.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub(crate) struct Attempt {
    /// When it began.
    at: Timestamp,
    /// What the target has answered with, where it has.
    #[schema(required)]
    status: Option<u16>,
    /// Why it failed, where a status does not say it.
    #[schema(required)]
    error: Option<String>,
    /// How long it took, in milliseconds.
    ms: u64,
}

/// Which deliveries are asked for; what is not given does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The public key of a project.
    project: Option<String>,
    /// An event, like `file.uploaded`.
    event: Option<String>,
    /// How far they are.
    state: Option<State>,
    /// A text in the target.
    target: Option<String>,
    /// The most that are listed, the newest; 100 where nobody says.
    limit: Option<usize>,
    /// How many have to be there before the answer, if they come in time.
    at_least: Option<usize>,
    /// For how long they are waited for, like `5s`; 60s at most.
    #[serde(default, deserialize_with = "crate::doors::query::wait")]
    #[param(value_type = Option<String>)]
    wait: Duration,
}

/// A delivery that is due again.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookRedelivery)]
pub(crate) struct Due {
    /// Its number.
    due: i64,
}

pub(crate) async fn list(Extension(world): Extension<Arc<World>>, Query(filter): Query<Filter>) -> Outcome<List> {
    let deadline = Instant::now() + filter.wait;
    let mut found = find(&world, &filter).await?;
    while filter.at_least.is_some_and(|enough| found.len() < enough) && Instant::now() < deadline {
        sleep(PAUSE).await;
        found = find(&world, &filter).await?;
    }
    found.truncate(filter.limit.unwrap_or(LIMIT));
    found.reverse();
    let mut known = Known::default();
    let mut deliveries = Vec::with_capacity(found.len());
    for delivery in found {
        deliveries.push(known.show(&world, delivery).await?);
    }
    Ok(Json(List { deliveries }))
}

/// What a filter lets through, the newest first.
async fn find(world: &World, filter: &Filter) -> Result<Vec<Delivery>, DevError> {
    let Filter { project, event, state, target, limit: _, at_least: _, wait: _ } = filter;
    let records = &world.parts.records;
    let project = match project {
        Some(key) => {
            let project = records.project_by_key(key).await?;
            Some(project.ok_or_else(|| DevError::missing(format!("there is no project `{key}`")))?.id)
        }
        None => None,
    };
    let wanted = DeliveryFilter { project, webhook: None, state: state.map(Into::into) };
    let mut found = records.deliveries(&wanted, MOST).await?;
    found.retain(|delivery| {
        event.as_ref().is_none_or(|event| delivery.event == *event)
            && target.as_ref().is_none_or(|text| delivery.target_url.contains(text))
    });
    Ok(found)
}

/// Whom deliveries belong to, each looked up once.
#[derive(Default)]
struct Known {
    projects: HashMap<ProjectId, Option<Arc<Project>>>,
    webhooks: HashMap<WebhookId, Option<Webhook>>,
}

impl Known {
    async fn show(&mut self, world: &World, delivery: Delivery) -> Result<Shown, RecordsError> {
        let records = &world.parts.records;
        let Delivery { id, project, webhook, target_url, event, file, created_at, state, due_at, ended_at, .. } =
            delivery;
        let owner = match self.projects.entry(project) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(records.project(project).await?),
        };
        let told = match self.webhooks.entry(webhook) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(records.webhook(project, webhook).await?),
        };
        let secret = told.as_ref().and_then(|webhook| webhook.signing_secret.as_deref());
        let body = delivery.body.unwrap_or_default();
        let attempts = delivery.attempts.into_iter();
        let pending = state == DeliveryState::Pending;
        Ok(Shown {
            id: id.0,
            event,
            project: owner.as_ref().map(|project| project.public_key.clone()),
            webhook: webhook.0,
            target: target_url,
            file,
            created_at,
            state: state.into(),
            is_held: pending && due_at == NEVER,
            due_at: (pending && due_at != NEVER).then_some(due_at),
            ended_at,
            attempts: attempts
                .map(|attempt| Attempt { at: attempt.at, status: attempt.status, error: attempt.error, ms: attempt.ms })
                .collect(),
            verdict: Verdict::new(delivery.signature.as_deref(), &body, secret),
            body: serde_json::from_str(&body).unwrap_or_default(),
            signature: delivery.signature,
        })
    }
}

pub(crate) async fn redeliver(Extension(world): Extension<Arc<World>>, Path(id): Path<String>) -> Outcome<Due> {
    let missing = || DevError::missing(format!("there is no delivery `{id}`; GET /_dev/webhooks lists them"));
    let number = id.parse().map_err(|_| missing())?;
    match world.parts.records.redeliver(DeliveryId(number), world.parts.clock.now()).await? {
        Redelivery::Due => Ok(Json(Due { due: number })),
        Redelivery::UnderWay => Err(DevError::clash(format!("delivery {number} is under way at this moment"))),
        Redelivery::Inactive => Err(DevError::clash(format!(
            "the webhook of delivery {number} is inactive, and inactive ones are told nothing"
        ))),
        Redelivery::Unknown => Err(missing()),
    }
}
