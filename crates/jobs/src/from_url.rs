//! Fetching a file from a URL (upload-api reference, section "Upload from URL").

use std::future::ready;
use std::io::ErrorKind;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use stowage_fetch::{Answer, FetchError, Url};
use stowage_intake::{Description, FetchedError, IntakeError};
use stowage_model::{Disposition, FileId, FileName, FromUrl, Project, Refusal, Timestamp, media_type};
use stowage_store::blobs::BlobError;
use stowage_store::records::{Claimed, NEVER};
use tracing::{debug, error, warn};

use crate::runner::Turn;
use crate::{FetchAsked, FetchOrder, Given, Meddle, Outcome, Piece, Tools};

/// After which time a task is tried again that failed for want of the records.
const LATER: Duration = Duration::from_secs(5);

/// How a task ended.
enum End {
    /// It has become a file.
    Done(FileId),
    /// It has failed for good.
    Failed(Refusal),
    /// Somebody wants it to fail.
    Told { code: String, text: String },
    /// Somebody holds it.
    Held,
    /// Somebody else answers for it.
    Lost,
    /// The records were away; it may go better soon.
    Later,
}

pub(crate) async fn run(tools: &Tools, claim: &Claimed, task: &FromUrl, failed_for_good: bool, turn: &Turn) -> Outcome {
    let end = if failed_for_good {
        End::Failed(Refusal::DownloadFileTaskFailed)
    } else {
        Box::pin(fetch(tools, claim, task, turn)).await.unwrap_or_else(End::Failed)
    };
    let outcome = match end {
        End::Done(file) => {
            metrics::counter!("stowage_from_url_total", "outcome" => "success").increment(1);
            Outcome::Done(file)
        }
        End::Later => {
            give_back(tools, claim, task, tools.clock.now().plus(LATER), false).await;
            Outcome::Later
        }
        End::Held => {
            give_back(tools, claim, task, NEVER, true).await;
            Outcome::Held
        }
        End::Lost => {
            debug!(token = %task.token, "another worker has taken the task over");
            Outcome::Lost
        }
        End::Failed(refusal) => {
            metrics::counter!("stowage_from_url_total", "outcome" => refusal.code()).increment(1);
            fail(tools, claim, task, refusal.code(), &refusal.to_string()).await
        }
        End::Told { code, text } => fail(tools, claim, task, &code, &text).await,
    };
    if let Some(meddler) = &tools.meddler {
        meddler.fetched(task.token, &outcome);
    }
    outcome
}

async fn give_back(tools: &Tools, claim: &Claimed, task: &FromUrl, due_at: Timestamp, forget_attempt: bool) {
    if let Err(failure) = tools.records.release_job(claim.id, claim.lease, due_at, forget_attempt).await {
        warn!(token = %task.token, error = %failure, "a task is begun again after its lease");
    }
}

async fn fail(tools: &Tools, claim: &Claimed, task: &FromUrl, code: &str, text: &str) -> Outcome {
    match tools.records.fail_url_task(claim, task.token, text, code, tools.clock.now()).await {
        Ok(true) => Outcome::Failed(code.to_owned()),
        Ok(false) => Outcome::Lost,
        Err(failure) => {
            warn!(token = %task.token, error = %failure, "a failed task could not be recorded; it is tried again");
            Outcome::Later
        }
    }
}

async fn fetch(tools: &Tools, claim: &Claimed, task: &FromUrl, turn: &Turn) -> Result<End, Refusal> {
    let Ok(project) = tools.records.project(task.project).await else { return Ok(End::Later) };
    let project = project.ok_or(Refusal::DownloadFile)?;
    let meddling =
        tools.meddler.as_deref().map(|meddler| Meddling { meddler, tools, claim, task, project: &project, turn });
    if let Some(meddling) = &meddling
        && let Some(end) = Box::pin(meddling.begin()).await?
    {
        return Ok(end);
    }
    let url = stowage_fetch::parse(&task.url).map_err(|fault| of_fetch(FetchError::Url(fault)))?;
    let mut answer = tools.outbound.get(&url).await.map_err(of_fetch)?;
    let limit = project.settings.max_file_size;
    if let Some(size) = answer.len.filter(|size| *size > limit) {
        return Err(Refusal::DownloadFileSizeLimitExceeded { size, limit });
    }
    let hidden = meddling.as_ref().is_some_and(|meddling| meddling.meddler.hides_total(task.token));
    turn.progress.set_total(answer.len.filter(|_| !hidden));
    let later = meddling.as_ref().is_some_and(|meddling| meddling.meddler.shows_later(task.token));
    let mut incoming = tools.intake.begin();
    while let Some(chunk) = answer.chunk().await.map_err(of_fetch)? {
        let size = incoming.size() + chunk.len() as u64;
        if size > limit {
            return Err(Refusal::DownloadFileSizeLimitExceeded { size, limit });
        }
        incoming.write(chunk).await.map_err(of_intake)?;
        if let Some(meddling) = &meddling
            && let Some(end) = Box::pin(meddling.stop(size, false)).await?
        {
            return Ok(end);
        }
        if !later {
            turn.progress.set_done(size);
        }
    }
    if let Some(meddling) = &meddling
        && let Some(end) = Box::pin(meddling.stop(incoming.size(), true)).await?
    {
        return Ok(end);
    }
    let description = describe(claim, task, &answer);
    let received = tools.intake.finish(incoming).await.map_err(of_intake)?;
    accept(tools, claim, task, &project, received, description).await
}

/// A fetch of which somebody else decides what becomes of it.
struct Meddling<'a> {
    meddler: &'a dyn Meddle,
    tools: &'a Tools,
    claim: &'a Claimed,
    task: &'a FromUrl,
    project: &'a Project,
    turn: &'a Turn,
}

impl Meddling<'_> {
    /// How it ends before it begins, if it does.
    async fn begin(&self) -> Result<Option<End>, Refusal> {
        let Self { claim, task, .. } = *self;
        let asked = FetchAsked { key: &self.project.public_key, claim, task };
        let order = self.meddler.fetch(&asked);
        if let FetchOrder::Take(given) = &order {
            let size = given.bytes.len() as u64;
            self.turn.progress.set_total(Some(size).filter(|_| !self.meddler.hides_total(task.token)));
            let ended = self.stop(size, true).await?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
        self.obey(order).await
    }

    /// Stops wherever somebody wants it, now that so many bytes are there; answers how it ends there, if it does.
    async fn stop(&self, done: u64, last: bool) -> Result<Option<End>, Refusal> {
        let piece = Piece { token: self.task.token, done, last };
        while let Some(stop) = self.meddler.piece(piece) {
            self.turn.progress.set_done(stop.done);
            self.show().await;
            let order = tokio::select! {
                biased;
                order = stop.order => order,
                () = ready(()), if !self.turn.waits => FetchOrder::Hold,
            };
            let ended = self.obey(order).await?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
        Ok(None)
    }

    /// Tells clients how far it is, without waiting for the next heartbeat.
    async fn show(&self) {
        let (claim, records) = (self.claim, &self.tools.records);
        let (done, total) = self.turn.progress.get();
        let until = self.tools.clock.now().plus(self.turn.lease);
        let shown = records.renew_jobs(&[(claim.id, claim.lease)], until, &[(self.task.token, done, total)]).await;
        if let Err(failure) = shown {
            warn!(token = %self.task.token, error = %failure, "clients see later how far a task is");
        }
    }

    async fn obey(&self, order: FetchOrder) -> Result<Option<End>, Refusal> {
        Ok(Some(match order {
            FetchOrder::Go => return Ok(None),
            FetchOrder::Hold => End::Held,
            FetchOrder::Fail { code, text } => End::Told { code, text },
            FetchOrder::Take(given) | FetchOrder::Succeed(given) => Box::pin(self.succeed(given)).await?,
        }))
    }

    /// Ends it with other bytes than those of the URL.
    async fn succeed(&self, given: Given) -> Result<End, Refusal> {
        let Self { tools, claim, task, project, .. } = *self;
        let named = given.name.as_deref().or(task.name.as_deref());
        let url = stowage_fetch::parse(&task.url).map_err(|fault| of_fetch(FetchError::Url(fault)))?;
        let description = Description {
            name: name(named, None, &url),
            declared_type: given.content_type.filter(|text| media_type::is_well_formed(text)),
            ..bare(claim, task)
        };
        let mut incoming = tools.intake.begin();
        incoming.write(given.bytes).await.map_err(of_intake)?;
        let received = tools.intake.finish(incoming).await.map_err(of_intake)?;
        accept(tools, claim, task, project, received, description).await
    }
}

async fn accept(
    tools: &Tools,
    claim: &Claimed,
    task: &FromUrl,
    project: &Project,
    received: stowage_intake::Received,
    description: Description,
) -> Result<End, Refusal> {
    match tools.intake.accept_fetched(project, received, description, claim, task).await {
        Ok(file) => Ok(End::Done(file)),
        Err(FetchedError::LeaseLost) => Ok(End::Lost),
        Err(FetchedError::Intake(IntakeError::Records(failure))) => {
            error!(error = %failure, "a fetched file could not be recorded");
            Ok(End::Later)
        }
        Err(FetchedError::Intake(failure)) => Err(of_intake(failure)),
    }
}

fn describe(claim: &Claimed, task: &FromUrl, answer: &Answer) -> Description {
    let declared = answer.content_type.as_deref().filter(|text| media_type::is_well_formed(text));
    Description {
        name: name(task.name.as_deref(), answer.content_disposition.as_deref(), &answer.url),
        declared_type: declared.map(str::to_owned),
        ..bare(claim, task)
    }
}

/// What is known before anything is fetched. The file gets the id of its job, so that ids do not depend on which of two fetches ends
/// first.
fn bare(claim: &Claimed, task: &FromUrl) -> Description {
    Description {
        id: Some(FileId(claim.id)),
        name: FileName::new(""),
        declared_type: None,
        stored: task.stored,
        metadata: task.metadata.clone(),
        tags: task.tags.clone(),
        source: task.source.clone(),
    }
}

/// The name that was asked for, else the origin's, else the last piece of the path that was asked for.
fn name(asked: Option<&str>, disposition: Option<&[u8]>, url: &Url) -> FileName {
    if let Some(asked) = asked {
        return FileName::new(asked);
    }
    let given = disposition.and_then(|value| Disposition::parse(value).filename);
    if let Some(given) = given.filter(|name| !name.is_empty() && !name.contains('\0')) {
        return FileName::new(&given);
    }
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let last: String = percent_decode_str(last).decode_utf8_lossy().chars().filter(|c| !c.is_control()).collect();
    FileName::new(&last)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn of_fetch(failure: FetchError) -> Refusal {
    let in_a_clause = |refusal: &Refusal| refusal.to_string().trim_end_matches('.').to_owned();
    match failure {
        FetchError::Status(status @ 400..500) => Refusal::DownloadFileHttpClient(status),
        FetchError::Status(status @ 500..600) => Refusal::DownloadFileHttpServer(status),
        FetchError::Status(_) => Refusal::DownloadFile,
        FetchError::Url(fault) => Refusal::DownloadFileHttpUrlValidation(in_a_clause(&fault.into())),
        FetchError::TooManyRedirects => {
            Refusal::DownloadFileHttpUrlValidation(in_a_clause(&Refusal::UrlRedirectsLimitExceeded))
        }
        FetchError::Timeout(seconds) => Refusal::DownloadFileTimeLimitExceeded(seconds),
        FetchError::Network(reason) => Refusal::DownloadFileHttpNetwork(reason.to_owned()),
        // It was stopped with the first byte too many.
        FetchError::DecodedTooLarge(limit) => {
            Refusal::DownloadFileSizeLimitExceeded { size: limit.saturating_add(1), limit }
        }
    }
}

fn of_intake(failure: IntakeError) -> Refusal {
    if let Some(verdict) = failure.verdict() {
        return Refusal::DownloadFileValidationFailed(verdict.to_string());
    }
    if let IntakeError::IdTaken(_) = failure {
        return Refusal::DownloadFileValidationFailed(Refusal::UploadcareFileIdDuplicated.to_string());
    }
    error!(error = %failure, "a fetched file could not be kept");
    match failure {
        // What was written a moment ago is gone: somebody has emptied the folder of temporary files.
        IntakeError::Blobs(BlobError::Io(error)) if error.kind() == ErrorKind::NotFound => {
            Refusal::DownloadFileNotFound
        }
        _ => Refusal::DownloadFileInternalServer,
    }
}
