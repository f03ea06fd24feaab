//! Fetching a file from a URL (upload-api reference, section "Upload from URL").

use std::io::ErrorKind;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use stowage_fetch::{Answer, FetchError, Url};
use stowage_intake::{Description, FetchedError, IntakeError};
use stowage_model::{Disposition, FileName, FromUrl, Project, Refusal, media_type};
use stowage_store::blobs::BlobError;
use stowage_store::records::Claimed;
use tracing::{debug, error, warn};

use crate::{Progress, Tools};

/// After which time a task is tried again that failed for want of the records.
const LATER: Duration = Duration::from_secs(5);

/// How a task ended.
enum End {
    /// It has become a file.
    Done,
    /// It has failed for good.
    Failed(Refusal),
    /// Somebody else answers for it.
    Lost,
    /// The records were away; it may go better soon.
    Later,
}

pub(crate) async fn run(tools: &Tools, claim: &Claimed, task: &FromUrl, failed_for_good: bool, progress: &Progress) {
    let end = if failed_for_good {
        End::Failed(Refusal::DownloadFileTaskFailed)
    } else {
        fetch(tools, claim, task, progress).await.unwrap_or_else(End::Failed)
    };
    match end {
        End::Done => metrics::counter!("stowage_from_url_total", "outcome" => "success").increment(1),
        End::Later => {
            let at = tools.clock.now().plus(LATER);
            if let Err(failure) = tools.records.release_job(claim.id, claim.lease, at, false).await {
                warn!(token = %task.token, error = %failure, "a task is begun again after its lease");
            }
        }
        End::Lost => debug!(token = %task.token, "another worker has taken the task over"),
        End::Failed(refusal) => {
            metrics::counter!("stowage_from_url_total", "outcome" => refusal.code()).increment(1);
            let (text, code, now) = (refusal.to_string(), refusal.code(), tools.clock.now());
            let told = tools.records.fail_url_task(claim, task.token, &text, code, now).await;
            if let Err(failure) = told {
                warn!(token = %task.token, error = %failure, "a failed task could not be recorded; it is tried again");
            }
        }
    }
}

async fn fetch(tools: &Tools, claim: &Claimed, task: &FromUrl, progress: &Progress) -> Result<End, Refusal> {
    let Ok(project) = tools.records.project(task.project).await else { return Ok(End::Later) };
    let project = project.ok_or(Refusal::DownloadFile)?;
    let url = stowage_fetch::parse(&task.url).map_err(|fault| of_fetch(FetchError::Url(fault)))?;
    let mut answer = tools.outbound.get(&url).await.map_err(of_fetch)?;
    let limit = project.settings.max_file_size;
    if let Some(size) = answer.len.filter(|size| *size > limit) {
        return Err(Refusal::DownloadFileSizeLimitExceeded { size, limit });
    }
    progress.set_total(answer.len);
    let mut incoming = tools.intake.begin();
    while let Some(chunk) = answer.chunk().await.map_err(of_fetch)? {
        let size = incoming.size() + chunk.len() as u64;
        if size > limit {
            return Err(Refusal::DownloadFileSizeLimitExceeded { size, limit });
        }
        incoming.write(chunk).await.map_err(of_intake)?;
        progress.set_done(size);
    }
    let description = describe(task, &answer);
    let received = tools.intake.finish(incoming).await.map_err(of_intake)?;
    accept(tools, claim, task, &project, received, description).await
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
        Ok(_) => Ok(End::Done),
        Err(FetchedError::LeaseLost) => Ok(End::Lost),
        Err(FetchedError::Intake(IntakeError::Records(failure))) => {
            error!(error = %failure, "a fetched file could not be recorded");
            Ok(End::Later)
        }
        Err(FetchedError::Intake(failure)) => Err(of_intake(failure)),
    }
}

fn describe(task: &FromUrl, answer: &Answer) -> Description {
    let declared = answer.content_type.as_deref().filter(|text| media_type::is_well_formed(text));
    Description {
        id: None,
        name: name(task.name.as_deref(), answer.content_disposition.as_deref(), &answer.url),
        declared_type: declared.map(str::to_owned),
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
    error!(error = %failure, "a fetched file could not be kept");
    match failure {
        // What was written a moment ago is gone: somebody has emptied the folder of temporary files.
        IntakeError::Blobs(BlobError::Io(error)) if error.kind() == ErrorKind::NotFound => {
            Refusal::DownloadFileNotFound
        }
        _ => Refusal::DownloadFileInternalServer,
    }
}
