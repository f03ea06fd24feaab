//! Files of other servers: fetched once, from hosts that the project lists, kept as uploads, and delivered like those (URL API
//! reference, section 9.4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::digest::Digest;
use sha2::Sha256;
use stowage_delivery::bake;
use stowage_fetch::{Answer, FetchError, Url};
use stowage_intake::{Description, IntakeError};
use stowage_model::{
    Cause, DeliveryRefusal, Disposition, File, FileId, FileName, Metadata, Project, ProjectId, Refusal, Tags,
    media_type,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tracing::error;

use super::path::{Form, Wish, decoded};
use super::route::{self, Outcome};
use super::visit::{Visit, failed};
use crate::access::{self, request_id};
use crate::{State, origin, upload};

/// How many files are fetched at the same time.
const FETCHES: usize = 64;

/// For how long a request waits for a file that is being fetched, by itself or by another one. The fetch goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// After how many seconds those who are turned away may come again.
const RETRY_AFTER: u64 = 5;

/// The digits of a CDN prefix.
const PREFIX: usize = 10;

/// What became of a file, once it is known.
type Told = watch::Receiver<Option<Result<Arc<File>, DeliveryRefusal>>>;

/// Remote files that are being fetched by this process. Cheap to clone.
#[derive(Clone)]
pub struct Fetches {
    /// Each file is fetched once, however many ask for it; told apart by a digest of project and URL.
    fetching: Arc<Mutex<HashMap<[u8; 32], Told>>>,
    places: Arc<Semaphore>,
    /// The CDN prefixes of projects, which never change and are costly to compute.
    prefixes: Arc<Mutex<HashMap<ProjectId, String>>>,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { fetching: Arc::default(), places: Arc::new(Semaphore::new(FETCHES)), prefixes: Arc::default() }
    }
}

/// A fetch that is under way: whoever wants the same waits for what it tells, until it is dropped.
struct Fetching {
    fetches: Fetches,
    key: [u8; 32],
    outcome: watch::Sender<Option<Result<Arc<File>, DeliveryRefusal>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let mut fetching = lock(&self.fetches.fetching);
        // Somebody else may have begun anew after a wipe.
        if fetching.get(&self.key).is_some_and(|told| told.same_channel(&self.outcome.subscribe())) {
            fetching.remove(&self.key);
        }
    }
}

impl Fetches {
    /// Joins the fetch of this key; where there is none, the caller has to do it. None where there are too many.
    fn join(&self, key: [u8; 32]) -> Option<(Told, Option<Fetching>)> {
        let mut fetching = lock(&self.fetching);
        if let Some(told) = fetching.get(&key) {
            return Some((told.clone(), None));
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let (outcome, told) = watch::channel(None);
        fetching.insert(key, told.clone());
        Some((told, Some(Fetching { fetches: self.clone(), key, outcome, _place: place })))
    }

    /// Forgets whose prefixes are known, since projects may be numbered anew. Fetches that are under way end by themselves, but
    /// nobody else waits for them.
    pub(crate) fn wipe(&self) {
        let Self { fetching, places: _, prefixes } = self;
        lock(fetching).clear();
        lock(prefixes).clear();
    }

    /// The project with this CDN prefix.
    fn by_prefix<'p>(&self, projects: &[&'p Arc<Project>], label: &str) -> Option<&'p Arc<Project>> {
        if label.len() != PREFIX || !label.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let mut prefixes = lock(&self.prefixes);
        projects.iter().copied().find(|project| {
            let prefix = prefixes.entry(project.id).or_insert_with(|| cdn_prefix(project.public_key.as_str()));
            prefix.eq_ignore_ascii_case(label)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    if !pieces.is_empty() {
        // A file is not kept for the sake of operations that make no sense.
        bake::read(&pieces, &project.settings)?;
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
    let open: Vec<&Arc<Project>> = projects.iter().filter(|project| !project.settings.removed).collect();
    let has_list = |project: &&Arc<Project>| !project.settings.proxy_hosts.is_empty();
    let by_key = open.iter().copied().find(|project| project.public_key.as_str().eq_ignore_ascii_case(label));
    if let Some(project) = by_key.or_else(|| visit.state.fetches.by_prefix(&open, label)) {
        return Some(project).filter(has_list).map(Arc::clone).ok_or(DeliveryRefusal::NoProxy);
    }
    let mut listed = open.into_iter().filter(has_list);
    match (listed.next(), listed.next()) {
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
    digits.into_iter().rev().take(PREFIX).collect()
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
    const BUSY: DeliveryRefusal = DeliveryRefusal::Busy { retry_after: RETRY_AFTER };
    let digest = Sha256::new().chain_update(project.id.0.to_le_bytes()).chain_update(url.as_str()).finalize();
    let (mut told, ours) = visit.state.fetches.join(digest.into()).ok_or(BUSY)?;
    if let Some(ours) = ours {
        let (state, project) = (visit.state.clone(), Arc::clone(project));
        let cause = access::cause(visit.state, visit.request);
        // What has been fetched is worth keeping even if this client does not wait for it.
        drop(access::spawn(async move {
            let outcome = Box::pin(kept(&state, &project, &url, cause)).await;
            ours.outcome.send_replace(Some(outcome));
        }));
    }
    let waited = timeout(PATIENCE, told.wait_for(Option::is_some)).await.map_err(|_| BUSY)?;
    // Without an outcome it has crashed.
    waited.ok().and_then(|outcome| outcome.clone()).unwrap_or(Err(DeliveryRefusal::Failed))
}

/// Fetches a file and keeps it, unless that has been done meanwhile.
async fn kept(state: &State, project: &Project, url: &Url, cause: Cause) -> Result<Arc<File>, DeliveryRefusal> {
    if let Some(file) = known(state, project, url).await? {
        return Ok(file);
    }
    upload::has_room(state, project).await.map_err(|refusal| of_room(&refusal))?;
    let id = fetch(state, project, url, cause).await?;
    let now = state.clock.now();
    state.records.remember_url(project.id, url.as_str(), id, now).await.map_err(|failure| failed(&failure))?;
    file(state, id).await?.ok_or(DeliveryRefusal::NotFound)
}

async fn fetch(state: &State, project: &Project, url: &Url, cause: Cause) -> Result<FileId, DeliveryRefusal> {
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

/// Whether a project has room is true for a moment only, unlike what is wrong with an address.
fn of_room(refusal: &Refusal) -> DeliveryRefusal {
    if refusal.status() >= 500 { DeliveryRefusal::Failed } else { DeliveryRefusal::NoRoom(refusal.to_string()) }
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
    fn who_wants_what_is_being_fetched_is_told_the_same() {
        let fetches = Fetches { places: Arc::new(Semaphore::new(1)), ..Fetches::default() };
        let (mut told, ours) = fetches.join([1; 32]).unwrap();
        let ours = ours.unwrap();
        let (mut also_told, theirs) = fetches.join([1; 32]).unwrap();
        assert!(theirs.is_none() && fetches.join([2; 32]).is_none(), "one place");
        ours.outcome.send_replace(Some(Err(DeliveryRefusal::NotFound)));
        for told in [&mut told, &mut also_told] {
            assert_eq!(*told.borrow_and_update(), Some(Err(DeliveryRefusal::NotFound)));
        }
        drop(ours);
        assert!(fetches.join([1; 32]).unwrap().1.is_some(), "a failure is not remembered");
        assert!(lock(&fetches.fetching).is_empty(), "whoever crashes leaves nothing");
        let fetches = Fetches::default();
        let (_, before) = fetches.join([1; 32]).unwrap();
        fetches.wipe();
        let (told, after) = fetches.join([1; 32]).unwrap();
        assert!(after.is_some(), "it is fetched anew");
        drop(before);
        assert!(fetches.join([1; 32]).unwrap().0.same_channel(&told), "what was fetched before does not end it");
    }

    #[test]
    fn rooms_come_and_go() {
        assert_eq!(of_room(&Refusal::UploadApi), DeliveryRefusal::Failed);
        let full = of_room(&Refusal::AccountLimitsExceeded);
        assert_eq!((full.status(), full.to_string()), (403, Refusal::AccountLimitsExceeded.to_string()));
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
