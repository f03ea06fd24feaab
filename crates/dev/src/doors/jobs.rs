//! `/_dev/jobs`: what waits and what is under way; holding it, letting it go on step by step, and saying how it ends.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use stowage_jobs::Given;
use stowage_model::{Refusal, Timestamp, UrlTask};
use stowage_store::records::{DeliveryFilter, DeliveryState, NEVER, OpenJob};
use tokio::time::{Instant, sleep};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Outcome;
use super::input::Input;
use crate::holds::{self, JobKey, Kind, Rule, Verdict};
use crate::{DevError, World};

/// The most jobs of each kind that are listed.
const MOST: u32 = 1000;
/// The longest code and the longest text of a failure, in bytes.
const LONGEST_CODE: usize = 100;
const LONGEST_TEXT: usize = 1000;
/// How long to wait until the records know how an attempt has ended, and how long between two looks.
const SETTLING: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// The most bytes of a file that is given in the place of another.
const LARGEST: usize = 100 << 20;

/// What has not ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct Jobs {
    /// Uploads from URLs, then deliveries to webhooks, then copies; up to 1,000 of each, oldest first.
    jobs: Vec<Job>,
}

/// Work that nobody waits for and that has not ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its name: the token of an upload from a URL, `webhook-17`, `copy-5`.
    id: String,
    kind: Kind,
    /// The public key of its project.
    #[schema(required)]
    project: Option<String>,
    state: State,
    /// The source of an upload, the target of a webhook, the `s3://` address of a copy.
    url: String,
    /// How many bytes have arrived.
    #[schema(required)]
    done: Option<u64>,
    /// How many will, where that is known.
    #[schema(required)]
    total: Option<u64>,
    /// How often it was begun.
    attempts: u32,
    /// When it is begun next; `null` while it is held or under way.
    #[schema(required)]
    due: Option<Timestamp>,
}

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
enum State {
    /// Nobody has begun, or it is to be tried again.
    Waiting,
    /// It is under way.
    Running,
    /// Somebody holds it.
    Held,
}

impl Job {
    fn new(world: &World, key: JobKey, due_at: Timestamp, is_leased: bool) -> Self {
        let state = match () {
            () if due_at == NEVER || world.holds.holds(key) => State::Held,
            () if is_leased && due_at > world.parts.clock.now() => State::Running,
            () => State::Waiting,
        };
        let kind = match key {
            JobKey::FromUrl(_) => Kind::FromUrl,
            JobKey::Webhook(_) => Kind::Webhook,
            JobKey::Copy(_) => Kind::Copy,
        };
        let due = (state == State::Waiting).then_some(due_at);
        let (id, url) = (key.to_string(), String::new());
        Self { id, kind, project: None, state, url, done: None, total: None, attempts: 0, due }
    }
}

pub(crate) async fn list(Extension(world): Extension<Arc<World>>) -> Outcome<Jobs> {
    Ok(Json(Jobs { jobs: Box::pin(open(&world)).await? }))
}

async fn open(world: &World) -> Result<Vec<Job>, DevError> {
    let records = &world.parts.records;
    let mut jobs = Vec::new();
    for open in records.open_jobs(MOST).await? {
        let (done, total) = match open.status {
            Some(UrlTask::Progress { done, total }) => (Some(done), total),
            _ => (None, None),
        };
        let job = Job::new(world, JobKey::FromUrl(open.task.token), open.due_at, open.is_leased);
        let project = key_of(world, open.task.project).await?;
        jobs.push(Job { project, url: open.task.url, done, total, attempts: open.attempts, ..job });
    }
    let leased = records.leased_deliveries().await?;
    let pending = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    for open in records.deliveries(&pending, MOST).await?.into_iter().rev() {
        let job = Job::new(world, JobKey::Webhook(open.id), open.due_at, leased.contains(&open.id));
        let project = key_of(world, open.project).await?;
        let attempts = u32::try_from(open.attempts.len()).unwrap_or(u32::MAX);
        jobs.push(Job { project, url: open.target_url, attempts, ..job });
    }
    for open in records.open_copies(MOST).await? {
        let job = Job::new(world, JobKey::Copy(open.id), open.due_at, open.is_leased);
        let project = key_of(world, open.project).await?;
        let storage = records.storage(open.storage).await?;
        let bucket = storage.map(|storage| storage.settings.bucket.as_str().to_owned()).unwrap_or_default();
        let url = format!("s3://{bucket}/{}", open.key.unwrap_or_default());
        jobs.push(Job { project, url, attempts: open.attempts, ..job });
    }
    Ok(jobs)
}

async fn key_of(world: &World, project: stowage_model::ProjectId) -> Result<Option<String>, DevError> {
    Ok(world.parts.records.project(project).await?.map(|project| project.public_key.to_string()))
}

/// The holds there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Holds {
    /// The first that matches takes a job.
    holds: Vec<holds::Shown>,
}

pub(crate) async fn list_holds(Extension(world): Extension<Arc<World>>) -> Json<Holds> {
    Json(Holds { holds: world.holds.list() })
}

/// A hold that was added.
#[derive(Serialize, ToSchema)]
pub(crate) struct Added {
    /// Its number.
    id: u64,
}

pub(crate) async fn add_hold(
    Extension(world): Extension<Arc<World>>,
    Input(rule): Input<Rule>,
) -> Result<(StatusCode, Json<Added>), DevError> {
    Ok((StatusCode::CREATED, Json(Added { id: world.holds.add(rule)? })))
}

pub(crate) async fn remove_hold(
    Extension(world): Extension<Arc<World>>,
    Path(id): Path<String>,
) -> Result<StatusCode, DevError> {
    let parts = &world.parts;
    let known = match id.parse() {
        Ok(id) => world.holds.remove(id, &parts.records, parts.clock.now()).await?,
        Err(_) => false,
    };
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(DevError::missing(format!("there is no hold {id}"))) }
}

pub(crate) async fn remove_holds(Extension(world): Extension<Arc<World>>) -> Result<StatusCode, DevError> {
    let parts = &world.parts;
    world.holds.remove_all(&parts.records, parts.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What has become of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = JobNow)]
pub(crate) struct Now {
    /// The job; `null` where it has ended.
    #[schema(required)]
    job: Option<Job>,
}

pub(crate) async fn step(Extension(world): Extension<Arc<World>>, Path(id): Path<String>) -> Outcome<Now> {
    let (key, parts) = (id.parse()?, &world.parts);
    if !world.holds.step(key, &parts.records, parts.clock.now()).await? {
        return Err(not_held(&world, key).await);
    }
    now(&world, key).await
}

pub(crate) async fn release(Extension(world): Extension<Arc<World>>, Path(id): Path<String>) -> Outcome<Now> {
    let (key, parts) = (id.parse()?, &world.parts);
    if !world.holds.release(key, &parts.records, parts.clock.now()).await? {
        return Err(not_held(&world, key).await);
    }
    now(&world, key).await
}

async fn not_held(world: &World, key: JobKey) -> DevError {
    match find(world, key).await {
        Ok(Some(_)) => DevError::clash(format!("the job {key} is not held")),
        Ok(None) => missing(key),
        Err(failure) => failure,
    }
}

fn missing(key: JobKey) -> DevError {
    DevError::missing(format!("there is no job {key}, or it has ended"))
}

async fn now(world: &World, key: JobKey) -> Outcome<Now> {
    Ok(Json(Now { job: find(world, key).await? }))
}

async fn find(world: &World, key: JobKey) -> Result<Option<Job>, DevError> {
    let id = key.to_string();
    Ok(Box::pin(open(world)).await?.into_iter().find(|job| job.id == id))
}

/// How the file is called that a job ends with.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// Its name; without it the name of the job or of its URL.
    name: Option<String>,
}

pub(crate) async fn succeed(
    Extension(world): Extension<Arc<World>>,
    Path(id): Path<String>,
    Query(Named { name }): Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Outcome<Now> {
    let bytes = axum::body::to_bytes(body, LARGEST).await;
    let bytes = bytes.map_err(|_| DevError::bad("the body is larger than 100 MiB, or broke off"))?;
    let given = if bytes.is_empty() {
        Given { name, ..holds::picture() }
    } else {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Given { bytes, name, content_type }
    };
    decide(&world, &id, Verdict::Succeed(given)).await
}

/// How a job fails.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    /// Of an upload from a URL: a code of the catalogue, such as `DownloadFileHTTPClientError`. Of a webhook: the status that it has
    /// answered with, or any word. Of a copy: S3's word, such as `AccessDenied`.
    code: String,
    /// The text; needed for codes of which the usual text is not known.
    #[serde(default)]
    text: Option<String>,
}

pub(crate) async fn fail(
    Extension(world): Extension<Arc<World>>,
    Path(id): Path<String>,
    Input(Failure { code, text }): Input<Failure>,
) -> Outcome<Now> {
    let key: JobKey = id.parse()?;
    if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(DevError::bad("a code is 1 to 100 letters and digits"));
    }
    if text.as_ref().is_some_and(|text| text.len() > LONGEST_TEXT || text.contains('\0')) {
        return Err(DevError::bad("a text has at most 1000 bytes, and no zero among them"));
    }
    let usual = match key {
        JobKey::FromUrl(_) => usual_text(&code),
        JobKey::Webhook(_) => Some(format!("{code}, as a test wanted it")),
        JobKey::Copy(_) => Some(format!("copying failed: {code}, as a test wanted it")),
    };
    let text = text.or(usual).ok_or_else(|| DevError::bad(format!("`{code}` needs a `text`")))?;
    decide(&world, &id, Verdict::Fail { code, text }).await
}

/// The text that goes with the code of an upload from a URL, with plausible details.
fn usual_text(code: &str) -> Option<String> {
    let details = || "Only public IPs are allowed".to_owned();
    let known = [
        Refusal::DownloadFile,
        Refusal::DownloadFileHttpClient(404),
        Refusal::DownloadFileHttpNetwork("connection refused".to_owned()),
        Refusal::DownloadFileHttpServer(500),
        Refusal::DownloadFileHttpUrlValidation(details()),
        Refusal::DownloadFileInternalServer,
        Refusal::DownloadFileNotFound,
        Refusal::DownloadFileSizeLimitExceeded { size: 104_857_601, limit: 104_857_600 },
        Refusal::DownloadFileTaskFailed,
        Refusal::DownloadFileTimeLimitExceeded(60),
        Refusal::DownloadFileValidationFailed(Refusal::FileTypeForbidden.to_string()),
    ];
    known.iter().find(|refusal| refusal.code() == code).map(Refusal::to_string)
}

async fn decide(world: &World, id: &str, verdict: Verdict) -> Outcome<Now> {
    let (key, parts) = (id.parse()?, &world.parts);
    find(world, key).await?.ok_or_else(|| missing(key))?;
    let queued = queued(world, key).await?;
    world.holds.decide(key, queued, verdict, &parts.records, parts.clock.now()).await?;
    world.holds.until_decided(key).await;
    // What the worker was told is in the records a moment later.
    let deadline = Instant::now() + SETTLING;
    loop {
        let job = find(world, key).await?;
        if job.as_ref().is_none_or(|job| job.state != State::Running) || Instant::now() >= deadline {
            return Ok(Json(Now { job }));
        }
        sleep(PAUSE).await;
    }
}

/// The id of a job in the queue.
async fn queued(world: &World, key: JobKey) -> Result<Option<Uuid>, DevError> {
    let JobKey::FromUrl(token) = key else { return Ok(None) };
    let jobs = world.parts.records.open_jobs(MOST).await?;
    Ok(jobs.into_iter().find(|job: &OpenJob| job.task.token == token).map(|job| job.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_uploads_from_urls_have_texts() {
        assert_eq!(usual_text("DownloadFileHTTPClientError").unwrap(), "HTTP client error: 404.");
        assert!(usual_text("FileInfectedError").is_none());
    }
}
