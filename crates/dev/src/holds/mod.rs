//! Jobs that tests hold: which, where, and what becomes of them. What is held before it begins waits in the queue and is never due; what
//! is held while bytes arrive waits in its worker. All of it lives in memory; [`stowage_store::records::Records::release_held`] lets go
//! of what a process has left behind.

mod meddle;
mod rule;
pub(crate) mod total;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use stowage_jobs::{FetchOrder, Given};
use stowage_model::{Timestamp, UrlTask};
use stowage_store::records::{CopyId, DeliveryId, Records, RecordsError, SetDue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::DevError;
use rule::{At, StepOn, Then};
pub(crate) use rule::{Kind, Rule};

/// How long a step may take, and a job to come back into the queue.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait between two looks at the queue.
const PAUSE: Duration = Duration::from_millis(20);
/// The most holds.
const MOST_HOLDS: usize = 1000;
/// Of how many jobs that go on is remembered that they do.
const MOST_JOBS: usize = 10_000;

/// What names a job at the doors: the token of an upload from a URL, `webhook-17`, `copy-5`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum JobKey {
    /// The token of an upload from a URL.
    FromUrl(Uuid),
    /// A delivery to a webhook.
    Webhook(DeliveryId),
    /// A copy to a custom storage.
    Copy(CopyId),
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromUrl(token) => token.fmt(f),
            Self::Webhook(id) => write!(f, "webhook-{id}"),
            Self::Copy(id) => write!(f, "copy-{id}"),
        }
    }
}

impl FromStr for JobKey {
    type Err = DevError;

    fn from_str(text: &str) -> Result<Self, DevError> {
        let number = |kind: &str| text.strip_prefix(kind)?.parse().ok();
        if let Some(id) = number("webhook-") {
            return Ok(Self::Webhook(DeliveryId(id)));
        }
        if let Some(id) = number("copy-") {
            return Ok(Self::Copy(CopyId(id)));
        }
        let token = text.parse().map(Self::FromUrl);
        token.map_err(|_| DevError::missing(format!("`{text}` is no job: a token, webhook-N or copy-N")))
    }
}

/// How a job shall end.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Well; an upload from a URL with these bytes.
    Succeed(Given),
    /// Not.
    Fail { code: String, text: String },
}

impl From<Verdict> for FetchOrder {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Succeed(given) => Self::Succeed(given),
            Verdict::Fail { code, text } => Self::Fail { code, text },
        }
    }
}

/// The picture that uploads become which are not fetched.
pub(crate) fn picture() -> Given {
    let bytes = Bytes::from_static(include_bytes!("picture.png"));
    Given { bytes, name: None, content_type: Some("image/png".to_owned()) }
}

/// The holds of a world.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    inner: Arc<Mutex<Inner>>,
    /// Told of every change.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    holds: Vec<Hold>,
    jobs: HashMap<JobKey, Job>,
}

#[derive(Debug)]
struct Hold {
    id: u64,
    rule: Rule,
    /// How many jobs it may still take; none for any number.
    left: Option<u64>,
}

/// A job that a hold has taken, or of which somebody has said how it ends.
#[derive(Debug)]
struct Job {
    hold: Option<u64>,
    rule: Rule,
    at: At,
    /// Its id in the queue; of uploads from URLs another than the token.
    queued: Option<Uuid>,
    /// Whether it goes on without stopping.
    released: bool,
    verdict: Option<Verdict>,
    /// How many times it may pass by a place where it stops.
    steps: u32,
    /// At how many such places it has arrived.
    arrived: u32,
    /// Whether it went back into the queue although it is held in progress.
    parked: bool,
}

/// A hold as the doors show it.
#[derive(Serialize, ToSchema)]
#[schema(as = HoldShown)]
pub(crate) struct Shown {
    /// Its number.
    id: u64,
    #[serde(flatten)]
    rule: Rule,
    /// How many jobs it may still take; `null` for any number.
    #[schema(required)]
    left: Option<u64>,
    /// The jobs that it holds.
    held: Vec<String>,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Changes something and tells everybody who waits.
    fn change<T>(&self, how: impl FnOnce(&mut Inner) -> T) -> T {
        let done = how(&mut self.lock());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    /// Adds a hold and answers its number.
    pub(crate) fn add(&self, rule: Rule) -> Result<u64, DevError> {
        rule.check()?;
        self.change(|inner| {
            if inner.holds.len() >= MOST_HOLDS {
                return Err(DevError::clash(format!(
                    "there are {MOST_HOLDS} holds; DELETE /_dev/jobs/holds removes them"
                )));
            }
            inner.last += 1;
            inner.holds.push(Hold { id: inner.last, left: rule.times, rule });
            Ok(inner.last)
        })
    }

    /// Adds a hold unless there is the same already.
    pub(crate) fn add_once(&self, rule: Rule) -> Result<(), DevError> {
        let known = self.lock().holds.iter().any(|hold| hold.rule == rule);
        if known { Ok(()) } else { self.add(rule).map(drop) }
    }

    /// Whether an upload from this URL ends with something of ours instead of being fetched.
    pub(crate) fn gives(&self, project: &str, url: &str) -> bool {
        let inner = self.lock();
        let hold = inner.holds.iter().find(|hold| hold.left != Some(0) && hold.rule.takes(Kind::FromUrl, project, url));
        hold.is_some_and(|hold| hold.rule.then.is_some())
    }

    /// All holds.
    pub(crate) fn list(&self) -> Vec<Shown> {
        let inner = self.lock();
        let shown = |hold: &Hold| {
            let held = inner.jobs.iter().filter(|(_, job)| job.hold == Some(hold.id) && job.is_held());
            let mut held: Vec<String> = held.map(|(key, _)| key.to_string()).collect();
            held.sort();
            Shown { id: hold.id, rule: hold.rule.clone(), left: hold.left, held }
        };
        inner.holds.iter().map(shown).collect()
    }

    /// The holds as they are to begin anew elsewhere: each takes the jobs again that it holds.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let inner = self.lock();
        let rule = |hold: &Hold| {
            let held = inner.jobs.values().filter(|job| job.hold == Some(hold.id) && job.is_held()).count() as u64;
            Rule { times: hold.left.map(|left| left.saturating_add(held)), ..hold.rule.clone() }
        };
        inner.holds.iter().map(rule).filter(|rule| rule.times != Some(0)).collect()
    }

    /// Removes a hold, and lets go of what it holds; false if there is none.
    pub(crate) async fn remove(&self, id: u64, records: &Records, now: Timestamp) -> Result<bool, DevError> {
        let (known, keys) = self.change(|inner| {
            let count = inner.holds.len();
            inner.holds.retain(|hold| hold.id != id);
            let held = inner.jobs.iter().filter(|(_, job)| job.hold == Some(id) && job.is_held());
            (inner.holds.len() < count, held.map(|(key, _)| *key).collect::<Vec<_>>())
        });
        for key in keys {
            self.release(key, records, now).await?;
        }
        Ok(known)
    }

    /// Removes all holds, and lets go of everything.
    pub(crate) async fn remove_all(&self, records: &Records, now: Timestamp) -> Result<(), DevError> {
        let ids: Vec<u64> = self.lock().holds.iter().map(|hold| hold.id).collect();
        for id in ids {
            self.remove(id, records, now).await?;
        }
        Ok(())
    }

    /// Forgets everything, for records that have forgotten it as well.
    pub(crate) fn wipe(&self) {
        self.change(|inner| {
            let Inner { last, holds, jobs } = inner;
            *last = 0;
            holds.clear();
            jobs.clear();
        });
    }

    /// Removes the holds that are for a project alone, and forgets its jobs, which the records forget as well; numbers go on.
    pub(crate) fn forget_project(&self, key: &str, jobs: &[JobKey]) {
        self.change(|inner| {
            inner.holds.retain(|hold| hold.rule.project.as_deref() != Some(key));
            for job in jobs {
                inner.jobs.remove(job);
            }
        });
    }

    /// Whether a job is held.
    pub(crate) fn holds(&self, key: JobKey) -> bool {
        self.lock().jobs.get(&key).is_some_and(Job::is_held)
    }

    /// Lets a job go on to its end; true if it was held.
    pub(crate) async fn release(&self, key: JobKey, records: &Records, now: Timestamp) -> Result<bool, RecordsError> {
        let held = self.change(|inner| {
            let job = inner.jobs.get_mut(&key).filter(|job| job.is_held())?;
            job.released = true;
            Some((job.queued, job.at == At::Waiting || job.parked))
        });
        let Some((queued, is_queued)) = held else { return Ok(false) };
        if is_queued {
            make_due(key, queued, records, now, PATIENCE).await?;
        }
        Ok(true)
    }

    /// Says how a job ends, held or not: at once where it is held, else as soon as its worker asks. `queued` is its id in the queue.
    pub(crate) async fn decide(
        &self,
        key: JobKey,
        queued: Option<Uuid>,
        verdict: Verdict,
        records: &Records,
        now: Timestamp,
    ) -> Result<(), RecordsError> {
        let patience = self.change(|inner| {
            let job = inner
                .jobs
                .entry(key)
                .or_insert_with(|| Job { released: true, ..Job::new(None, Rule::default(), queued) });
            let held = job.is_held();
            job.verdict = Some(verdict);
            match (held, job.at == At::Waiting || job.parked) {
                (true, true) => Some(PATIENCE),
                (true, false) => None,
                // What is under way asks by itself, if it ever does.
                (false, _) => Some(Duration::ZERO),
            }
        });
        if let Some(patience) = patience {
            make_due(key, queued, records, now, patience).await?;
        }
        Ok(())
    }

    /// Lets a job pass by the place where it is held, and waits until it has come to the next one or to its end; false if it is not held.
    pub(crate) async fn step(&self, key: JobKey, records: &Records, now: Timestamp) -> Result<bool, RecordsError> {
        let at = self.lock().jobs.get(&key).filter(|job| job.is_held()).map(|job| job.at);
        match at {
            None => return Ok(false),
            Some(At::Waiting) => return self.release(key, records, now).await,
            Some(At::Progress) => {}
        }
        self.until_settled(key).await;
        self.change(|inner| {
            if let Some(job) = inner.jobs.get_mut(&key) {
                job.steps += 1;
            }
        });
        self.until_settled(key).await;
        Ok(true)
    }

    /// To be called before a client is answered how far an upload from a URL is: one that steps when it is asked has come to its place
    /// then.
    pub(crate) async fn poll_begins(&self, token: Uuid, records: &Records) {
        let key = JobKey::FromUrl(token);
        let unknown = {
            let inner = self.lock();
            inner.holds.iter().any(|hold| hold.rule.step_on.is_some()) && !inner.jobs.contains_key(&key)
        };
        if unknown && matches!(records.hot_url_task(token).await, Ok(Some(UrlTask::Waiting))) {
            self.until(|inner| inner.jobs.contains_key(&key)).await;
        }
        if self.steps_on_poll(key) {
            self.until_settled(key).await;
        }
    }

    /// To be called after the answer is made, and before it is sent: takes the step.
    pub(crate) async fn polled(&self, token: Uuid) {
        let key = JobKey::FromUrl(token);
        if !self.steps_on_poll(key) {
            return;
        }
        let stepped = self.change(|inner| {
            let job = inner.jobs.get_mut(&key).filter(|job| job.is_settled());
            job.map(|job| job.steps += 1).is_some()
        });
        if stepped {
            self.until_settled(key).await;
        }
    }

    fn steps_on_poll(&self, key: JobKey) -> bool {
        let inner = self.lock();
        let polls = |rule: &Rule| rule.step_on == Some(StepOn::Poll);
        inner.jobs.get(&key).is_some_and(|job| job.is_held() && polls(&job.rule))
    }

    /// Makes due what was held in progress and went back into the queue because nobody was there to wait for it.
    pub(crate) async fn unpark(&self, records: &Records, now: Timestamp) -> Result<(), RecordsError> {
        let parked: Vec<(JobKey, Option<Uuid>)> = self.change(|inner| {
            let parked = inner.jobs.iter_mut().filter(|(_, job)| job.parked);
            let unpark = |(key, job): (&JobKey, &mut Job)| {
                job.parked = false;
                (*key, job.queued)
            };
            parked.map(unpark).collect()
        });
        for (key, queued) in parked {
            make_due(key, queued, records, now, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Waits until a job has come to the place where it stops next, or has ended; not for ever.
    async fn until_settled(&self, key: JobKey) {
        self.until(|inner| inner.jobs.get(&key).is_none_or(|job| job.is_settled() || !job.is_held())).await;
    }

    /// Waits until somebody has obeyed what was said about a job, or nobody can for now; not for ever.
    pub(crate) async fn until_decided(&self, key: JobKey) {
        self.until(|inner| inner.jobs.get(&key).is_none_or(|job| job.verdict.is_none())).await;
    }

    async fn until(&self, enough: impl Fn(&Inner) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut changes = self.changed.subscribe();
        loop {
            changes.borrow_and_update();
            if enough(&self.lock()) {
                return;
            }
            // The sender is our own, so that only the time can be over.
            if timeout_at(deadline, changes.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Job {
    fn new(hold: Option<u64>, rule: Rule, queued: Option<Uuid>) -> Self {
        let at = rule.at().unwrap_or(At::Waiting);
        let released = rule.at().is_none();
        Self { hold, rule, at, queued, released, verdict: None, steps: 0, arrived: 0, parked: false }
    }

    /// What it takes in the place of the bytes of its URL.
    fn instead(&self) -> Option<Given> {
        match self.rule.then? {
            Then::Succeed => Some(picture()),
        }
    }

    fn is_held(&self) -> bool {
        !self.released && self.verdict.is_none()
    }

    /// Whether it waits at the place up to which it may go.
    fn is_settled(&self) -> bool {
        self.arrived > self.steps
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a job due that is on its way back into the queue, or there already; gives up where it is under way for longer than there is
/// patience.
async fn make_due(
    key: JobKey,
    queued: Option<Uuid>,
    records: &Records,
    now: Timestamp,
    patience: Duration,
) -> Result<(), RecordsError> {
    let deadline = Instant::now() + patience;
    loop {
        let set = match (key, queued) {
            (JobKey::FromUrl(_), Some(id)) => records.set_job_due(id, now).await?,
            (JobKey::FromUrl(_), None) => return Ok(()),
            (JobKey::Webhook(id), _) => records.set_delivery_due(id, now).await?,
            (JobKey::Copy(id), _) => records.set_copy_due(id, now).await?,
        };
        if set != SetDue::UnderWay || Instant::now() >= deadline {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}
