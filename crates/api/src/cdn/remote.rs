//! Files of other servers: fetched once, from hosts that the project lists, kept as uploads, and delivered like those (URL API
//! reference, section 9.4).

use std::sync::Arc;

use hmac::digest::Digest;
use sha2::Sha256;
use stowage_fetch::{Answer, FetchError, Url};
use stowage_intake::{Description, IntakeError};
use stowage_model::{
    DeliveryRefusal, Disposition, File, FileId, FileName, Metadata, Project, Refusal, Tags, media_type,
};
use stowage_store::turns::Turns;
use tokio::sync::Semaphore;
use tracing::error;

use super::path::{Form, Wish, decoded};
use super::route::{self, Outcome};
use super::visit::{Visit, failed};
use crate::access::{self, request_id};
use crate::{State, origin, upload};

/// How many files are fetched at the same time.
const FETCHES: usize = 64;

/// Remote files that are being fetched by this process. Cheap to clone.
#[derive(Clone)]
pub struct Fetches {
    /// Each file is fetched once, however many ask for it; told apart by a digest of project and URL.
    turns: Arc<Turns<[u8; 32]>>,
    places: Arc<Semaphore>,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { turns: Arc::default(), places: Arc::new(Semaphore::new(FETCHES)) }
    }
}

/// Shows a remote file, fetching it where nobody has asked for it before.
pub(super) async fn show(visit: Visit<'_>, url: &str, pieces: Vec<String>) -> Outcome {
    let host = visit.enter(project(visit).await?)?;
    let project = &host.project;
    let url = if project.settings.signed_delivery { without_token(url) } else { url.to_owned() };
    let url =
        stowage_fetch::parse(&url).map_err(|fault| DeliveryRefusal::CannotProcess(Refusal::from(fault).to_string()))?;
    if !url.host_str().is_some_and(|host| project.settings.proxies(host)) {
        return Err(DeliveryRefusal::DomainNotAllowed);
    }
    let file = match known(visit.state, project, &url).await? {
        Some(file) => file,
        None => Box::pin(fetched(visit, project, url)).await?,
    };
    let wish = Wish { form: Form::Plain, pieces, name: None };
    route::show(visit, &host, &file, "", &wish).await
}

/// The project of an address: the one that its host names by public key or CDN prefix, else the only one that has a list.
async fn project(visit: Visit<'_>) -> Result<Arc<Project>, DeliveryRefusal> {
    let projects = visit.state.records.all_projects().await.map_err(|failure| failed(&failure))?;
    let address = origin::public_host(visit.state, visit.request);
    let label = address.split('.').next().unwrap_or_default();
    let mut open = projects.iter().filter(|project| !project.settings.removed);
    let is_named = |project: &&Arc<Project>| {
        let key = project.public_key.as_str();
        key.eq_ignore_ascii_case(label) || cdn_prefix(key).eq_ignore_ascii_case(label)
    };
    let has_list = |project: &&Arc<Project>| !project.settings.proxy_hosts.is_empty();
    if let Some(project) = open.clone().find(is_named) {
        return Some(project).filter(has_list).map(Arc::clone).ok_or(DeliveryRefusal::NoProxy);
    }
    match (open.find(has_list), open.find(has_list)) {
        (Some(project), None) => Ok(Arc::clone(project)),
        _ => Err(DeliveryRefusal::NoProxy),
    }
}

/// The label under which official clients expect a project: the first ten digits of the SHA-256 of its public key as a number
/// to the base of 36.
fn cdn_prefix(public_key: &str) -> String {
    let mut number: Vec<u8> = Sha256::digest(public_key.as_bytes()).to_vec();
    let mut digits = Vec::new();
    while number.iter().any(|byte| *byte > 0) {
        let mut rest = 0_u32;
        for byte in &mut number {
            let here = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(here / 36).unwrap_or_default();
            rest = here % 36;
        }
        digits.extend(char::from_digit(rest, 36));
    }
    digits.into_iter().rev().take(10).collect()
}

/// The token is ours, not the other server's.
fn without_token(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let query: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("token=")).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The file that this URL became earlier.
async fn known(state: &State, project: &Project, url: &Url) -> Result<Option<Arc<File>>, DeliveryRefusal> {
    let id = state.records.url_history(project.id, url.as_str()).await.map_err(|failure| failed(&failure))?;
    match id {
        Some(id) => file(state, id).await,
        None => Ok(None),
    }
}

async fn file(state: &State, id: FileId) -> Result<Option<Arc<File>>, DeliveryRefusal> {
    let file = state.records.hot_file(id).await.map_err(|failure| failed(&failure))?;
    Ok(file.filter(|file| file.removed_at.is_none() && file.blob.is_some()))
}

async fn fetched(visit: Visit<'_>, project: &Arc<Project>, url: Url) -> Result<Arc<File>, DeliveryRefusal> {
    let state = visit.state;
    let digest = Sha256::new().chain_update(project.id.0.to_le_bytes()).chain_update(url.as_str()).finalize();
    let turn = Turns::take(&state.fetches.turns, digest.into()).await;
    // Somebody else may have fetched it meanwhile.
    if let Some(file) = known(state, project, &url).await? {
        return Ok(file);
    }
    let place = Arc::clone(&state.fetches.places).try_acquire_owned();
    let place = place.map_err(|_| DeliveryRefusal::Busy { retry_after: 5 })?;
    upload::has_room(state, project).await.map_err(|refusal| DeliveryRefusal::CannotProcess(refusal.to_string()))?;
    let (state, project, cause) = (state.clone(), Arc::clone(project), access::cause(state, visit.request));
    // What has been fetched is worth keeping even if this client does not wait for it.
    let fetching = async move {
        let _until_then = (turn, place);
        let id = fetch(&state, &project, &url, cause).await?;
        let now = state.clock.now();
        state.records.remember_url(project.id, url.as_str(), id, now).await.map_err(|failure| failed(&failure))?;
        file(&state, id).await?.ok_or(DeliveryRefusal::NotFound)
    };
    access::finish(fetching).await.unwrap_or(Err(DeliveryRefusal::Failed))
}

async fn fetch(
    state: &State,
    project: &Project,
    url: &Url,
    cause: stowage_model::Cause,
) -> Result<FileId, DeliveryRefusal> {
    let mut answer = state.outbound.get(url).await.map_err(of_fetch)?;
    let limit = project.settings.max_file_size;
    let too_large = |size: u64| {
        let refusal = Refusal::DownloadFileSizeLimitExceeded { size, limit };
        DeliveryRefusal::CannotProcess(refusal.to_string())
    };
    if let Some(size) = answer.len.filter(|size| *size > limit) {
        return Err(too_large(size));
    }
    let mut incoming = state.intake.begin();
    while let Some(chunk) = answer.chunk().await.map_err(of_fetch)? {
        let size = incoming.size() + chunk.len() as u64;
        if size > limit {
            return Err(too_large(size));
        }
        incoming.write(chunk).await.map_err(of_intake)?;
    }
    let declared = answer.content_type.as_deref().filter(|text| media_type::is_well_formed(text));
    let description = Description {
        id: None,
        name: name(&answer),
        declared_type: declared.map(str::to_owned),
        stored: true,
        metadata: Metadata::default(),
        tags: Tags::default(),
        source: None,
    };
    let received = state.intake.finish(incoming).await.map_err(of_intake)?;
    let uploads = vec![(received, description)];
    state.intake.check_all(project, &uploads).await.map_err(of_intake)?;
    let ids = state.intake.accept(project, uploads, cause).await.map_err(of_intake)?;
    ids.first().copied().ok_or(DeliveryRefusal::Failed)
}

/// The name that the other server gives, else the last piece of the path.
fn name(answer: &Answer) -> FileName {
    let given = answer.content_disposition.as_deref().and_then(|value| Disposition::parse(value).filename);
    if let Some(given) = given.filter(|name| !name.is_empty() && !name.contains('\0')) {
        return FileName::new(&given);
    }
    let last = answer.url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let last: String = decoded(last).chars().filter(|char| !char.is_control()).collect();
    FileName::new(&last)
}

fn of_fetch(failure: FetchError) -> DeliveryRefusal {
    match failure {
        FetchError::Url(fault) => DeliveryRefusal::CannotProcess(Refusal::from(fault).to_string()),
        other => DeliveryRefusal::OriginFailed(format!("{other}.")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn of_intake(failure: IntakeError) -> DeliveryRefusal {
    if let Some(verdict) = failure.verdict() {
        return DeliveryRefusal::CannotProcess(verdict.to_string());
    }
    error!(request = request_id(), error = %failure, "a remote file could not be kept");
    DeliveryRefusal::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_project() {
        assert_eq!(cdn_prefix("demopublickey"), "1s4oyld5dc");
        assert_eq!(cdn_prefix("").len(), 10);
    }

    #[test]
    fn our_token_stays_here() {
        for (url, without) in [
            ("http://a/b", "http://a/b"),
            ("http://a/b?token=exp=1~hmac=2", "http://a/b"),
            ("http://a/b?x=1&token=t&y=2", "http://a/b?x=1&y=2"),
            ("http://a/b?mytoken=t", "http://a/b?mytoken=t"),
        ] {
            assert_eq!(without_token(url), without);
        }
    }
}
