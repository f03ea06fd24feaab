//! Travelling in time: whatever is due on the way is done at its time, before anybody is answered.

use std::time::Duration;

use serde::Serialize;
use stowage_jobs::{Carried, Fetched, Outcome, Tried};
use stowage_model::{FileId, Timestamp};
use stowage_store::records::{CopyEnd, Next};
use utoipa::ToSchema;

use crate::holds::Holds;
use crate::{DevError, Parts};

/// The most moments at which something is done on one journey.
const MOST_STEPS: u32 = 10_000;
/// Moments that lie closer together than this share a stop: a burst of uploads expires at once, as it does by itself.
const STOP: Duration = Duration::from_secs(1);
/// The most entries of each list.
const MOST_LISTED: usize = 1000;

/// What was done on a journey in time.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Done {
    /// At how many moments something was due.
    steps: u32,
    /// Whether everything was done: `false` where more was due than one journey takes. Then the clock shows how far it came.
    complete: bool,
    /// Temporary files that expired.
    expired: Expired,
    /// Multipart uploads that were given up.
    uploads: u64,
    /// Blobs of removed files that were deleted.
    blobs: u64,
    /// Uploads from URLs that were tried, in order, up to 1,000.
    jobs: Vec<JobDone>,
    /// Webhooks that were told, in order, up to 1,000 attempts.
    webhooks: Vec<WebhookTold>,
    /// Copies to custom storages that were tried, in order, up to 1,000.
    copies: Vec<CopyMade>,
}

/// Temporary files that expired.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Expired {
    /// How many.
    count: u64,
    /// Their ids, up to 1,000.
    files: Vec<FileId>,
}

/// An upload from a URL that was tried.
#[derive(Debug, Serialize, ToSchema)]
struct JobDone {
    /// Its token.
    id: String,
    url: String,
    /// `done`, `failed`, `later` or `held`.
    outcome: &'static str,
    /// What it has become.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileId>,
    /// Why it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
}

impl From<Fetched> for JobDone {
    fn from(fetched: Fetched) -> Self {
        let (outcome, file, error_code) = match fetched.outcome {
            Outcome::Done(file) => ("done", Some(file), None),
            Outcome::Failed(code) => ("failed", None, Some(code)),
            Outcome::Lost | Outcome::Later => ("later", None, None),
            Outcome::Held => ("held", None, None),
        };
        Self { id: fetched.token.to_string(), url: fetched.url, outcome, file, error_code }
    }
}

/// An attempt to tell a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookTold {
    /// The delivery, as `/_dev/jobs` names it.
    id: String,
    /// The number of the webhook.
    webhook: i64,
    /// When it was tried.
    at: Timestamp,
    /// What it answered with, where it answered.
    #[schema(required)]
    status: Option<u16>,
    /// Why it failed, where a status does not say everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// `delivered`, `retry` or `failed`.
    outcome: &'static str,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again_at: Option<Timestamp>,
}

impl From<Tried<'_>> for WebhookTold {
    fn from(Tried { webhook, attempted }: Tried<'_>) -> Self {
        let (outcome, again_at) = match attempted.next {
            Next::Delivered => ("delivered", None),
            Next::Retry(at) => ("retry", Some(at)),
            Next::Failed => ("failed", None),
        };
        let attempt = &attempted.attempt;
        Self {
            id: format!("webhook-{}", attempted.id),
            webhook: webhook.0,
            at: attempt.at,
            status: attempt.status,
            error: attempt.error.clone(),
            outcome,
            again_at,
        }
    }
}

/// A copy to a custom storage that was tried.
#[derive(Debug, Serialize, ToSchema)]
struct CopyMade {
    /// The copy, as `/_dev/jobs` names it.
    id: String,
    file: FileId,
    /// `done`, `retry` or `failed`.
    outcome: &'static str,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again_at: Option<Timestamp>,
}

impl From<Carried<'_>> for CopyMade {
    fn from(Carried { claim, end }: Carried<'_>) -> Self {
        let (outcome, error, again_at) = match end {
            CopyEnd::Done => ("done", None, None),
            CopyEnd::Retry { due_at, error } => ("retry", Some(error.clone()), Some(*due_at)),
            CopyEnd::Failed { error } => ("failed", Some(error.clone()), None),
        };
        Self { id: format!("copy-{}", claim.id), file: claim.task.file, outcome, error, again_at }
    }
}

/// Travels to a moment that is not before now, and does on the way what is due at its time. Nothing else may work meanwhile.
pub(crate) async fn travel(parts: &Parts, holds: &Holds, target: Timestamp) -> Result<Done, DevError> {
    let Parts { records, clock, .. } = parts;
    let mut done = Done::default();
    // What is due by now happens now.
    work(parts, &mut done).await?;
    while done.steps < MOST_STEPS {
        let Some(next) = records.next_due(clock.now(), parts.temporary_ttl).await?.filter(|next| *next <= target)
        else {
            done.complete = true;
            clock.set(target.max(clock.now()));
            work(parts, &mut done).await?;
            break;
        };
        clock.set(next.plus(STOP).min(target));
        done.steps += 1;
        work(parts, &mut done).await?;
    }
    holds.unpark(records, clock.now()).await?;
    Ok(done)
}

/// Does everything that is due now.
async fn work(parts: &Parts, done: &mut Done) -> Result<(), DevError> {
    let Parts { janitor, runner, postman, carrier, .. } = parts;
    let Done { expired, uploads, blobs, jobs, webhooks, copies, .. } = done;
    let tidied = janitor.tidy_with(&mut |ids| list(&mut expired.files, ids.iter().copied())).await;
    let tidied = tidied.map_err(|failure| DevError::failed(format!("the janitor: {failure}")))?;
    expired.count += tidied.expired;
    *uploads += tidied.uploads;
    *blobs += tidied.blobs;
    Box::pin(runner.drain_with(&mut |fetched| list(jobs, [fetched.into()]))).await?;
    Box::pin(postman.drain_with(&mut |tried| list(webhooks, [tried.into()]))).await?;
    Box::pin(carrier.drain_with(&mut |carried| list(copies, [carried.into()]))).await?;
    Ok(())
}

/// Adds to a list that may not become too long.
fn list<T>(entries: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    let room = MOST_LISTED.saturating_sub(entries.len());
    entries.extend(more.into_iter().take(room));
}
