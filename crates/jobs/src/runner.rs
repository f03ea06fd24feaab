//! Claims due jobs, runs them side by side, and tells the records that they are alive.

use std::collections::HashMap;
use std::future::pending;
use std::time::Duration;

use stowage_model::Job;
use stowage_store::records::{Claimed, RecordsError};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::{Fetched, Options, Progress, Tools, from_url};

/// How often the records hear of running jobs, and clients of their progress.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Runs jobs. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    tools: Tools,
    options: Options,
}

/// A job that runs here.
struct Live {
    claim: Claimed,
    progress: Progress,
    abort: AbortHandle,
    /// Whether the records no longer knew it as ours when they were last told of it.
    missed: bool,
}

impl Runner {
    /// A runner.
    pub fn new(tools: Tools, options: Options) -> Self {
        Self { tools, options }
    }

    /// Works until told to stop; jobs under way then have `drain` to end, and those that do not are given back.
    pub async fn work(self, stop: CancellationToken, drain: Duration) {
        let mut jobs = JoinSet::new();
        let mut live: HashMap<Id, Live> = HashMap::new();
        let mut deadline = None;
        let mut next_look = Instant::now();
        let mut next_beat = Instant::now() + HEARTBEAT;
        // Where the records did not hear of our jobs, these may look like those of a dead worker: nothing is claimed then.
        let mut heard = true;
        loop {
            if !live.is_empty() && Instant::now() >= next_beat {
                next_beat = Instant::now() + HEARTBEAT;
                heard = self.beat(&mut live).await;
            } else if live.is_empty() {
                heard = true;
            }
            if deadline.is_none() && stop.is_cancelled() {
                deadline = Some(Instant::now() + drain);
            }
            if let Some(deadline) = deadline
                && (jobs.is_empty() || Instant::now() >= deadline)
            {
                break;
            }
            let room = self.options.concurrency.max(1).saturating_sub(jobs.len());
            if deadline.is_none() && room > 0 && heard && Instant::now() >= next_look {
                // Armed before looking: what arrives while we look wakes us again.
                next_look = Instant::now() + self.options.poll.max(Duration::from_millis(10));
                match self.claim(room).await {
                    Ok(claims) => {
                        if claims.len() == room {
                            next_look = Instant::now();
                        }
                        for claim in claims {
                            self.begin(claim, &mut jobs, &mut live);
                        }
                    }
                    Err(failure) => error!(error = %failure, "jobs cannot be claimed; trying again"),
                }
            }
            let has_room = heard && jobs.len() < self.options.concurrency.max(1);
            tokio::select! {
                () = stop.cancelled(), if deadline.is_none() => {}
                () = self.tools.records.job_arrived(), if deadline.is_none() && has_room => next_look = Instant::now(),
                () = sleep_until(next_look), if deadline.is_none() && has_room => {}
                () = async { match deadline { Some(at) => sleep_until(at).await, None => pending().await } } => {}
                Some(ended) = jobs.join_next_with_id() => {
                    let id = match &ended { Ok((id, ())) => *id, Err(crash) => crash.id() };
                    if let Some(job) = live.remove(&id)
                        && let Err(crash) = ended
                        && crash.is_panic()
                    {
                        // Its lease runs out, and it is begun again, as if the process had died.
                        error!(job = %job.claim.id, "a job crashed");
                    }
                    if has_room || deadline.is_some() { continue }
                    next_look = Instant::now();
                }
                () = sleep_until(next_beat), if !live.is_empty() => {}
            }
        }
        for (_, job) in live {
            job.abort.abort();
            self.give_back(&job.claim).await;
        }
        jobs.shutdown().await;
    }

    /// Does everything that is due, also what that enqueues; answers how many jobs there were. What is held on its way goes back into
    /// the queue instead of being waited for. For tests.
    pub async fn drain(&self) -> Result<u64, RecordsError> {
        let mut count = 0;
        self.drain_with(&mut |_| count += 1).await?;
        Ok(count)
    }

    /// Like [`drain`](Self::drain), and tells how each job went.
    pub async fn drain_with(&self, tell: &mut (dyn FnMut(Fetched) + Send)) -> Result<(), RecordsError> {
        loop {
            let claims = self.claim(self.options.concurrency.max(1)).await?;
            if claims.is_empty() {
                return Ok(());
            }
            for claim in claims {
                let turn = Turn { waits: false, ..self.turn(Progress::default()) };
                tell(Box::pin(run(self.tools.clone(), claim, turn)).await);
            }
        }
    }

    fn turn(&self, progress: Progress) -> Turn {
        Turn { attempts: self.options.attempts, lease: self.options.lease, progress, waits: true }
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Claimed>, RecordsError> {
        let tools = &self.tools;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        tools.records.claim_jobs(tools.clock.now(), self.options.lease, tools.ids.lease(), limit).await
    }

    fn begin(&self, claim: Claimed, jobs: &mut JoinSet<()>, live: &mut HashMap<Id, Live>) {
        let progress = Progress::default();
        let (tools, turn, job) = (self.tools.clone(), self.turn(progress.clone()), claim.clone());
        let work = async move { drop(run(tools, job, turn).await) };
        let abort = jobs.spawn(work);
        live.insert(abort.id(), Live { claim, progress, abort, missed: false });
    }

    /// Extends the leases of running jobs, writes their progress, and ends those that others have taken over; false if the
    /// records did not hear of it.
    async fn beat(&self, live: &mut HashMap<Id, Live>) -> bool {
        let leases: Vec<(Uuid, Uuid)> = live.values().map(|job| (job.claim.id, job.claim.lease)).collect();
        let progress: Vec<(Uuid, u64, Option<u64>)> = live
            .values()
            .map(|job| {
                let Job::FromUrl(task) = &job.claim.job;
                let (done, total) = job.progress.get();
                (task.token, done, total)
            })
            .collect();
        let until = self.tools.clock.now().plus(self.options.lease);
        match self.tools.records.renew_jobs(&leases, until, &progress).await {
            Ok(ours) => {
                for job in live.values_mut() {
                    let lost = !ours.contains(&job.claim.id);
                    // A job that is just ending is no longer in the records either, so it is given one more beat.
                    if lost && job.missed && !job.abort.is_finished() {
                        info!(job = %job.claim.id, "another worker has taken a job over");
                        job.abort.abort();
                    }
                    job.missed = lost;
                }
                true
            }
            Err(failure) => {
                warn!(error = %failure, "leases of jobs could not be extended; trying again");
                false
            }
        }
    }

    async fn give_back(&self, claim: &Claimed) {
        let now = self.tools.clock.now();
        if let Err(failure) = self.tools.records.release_job(claim.id, claim.lease, now, true).await {
            warn!(job = %claim.id, error = %failure, "a job is begun again only after its lease");
        }
    }
}

/// How a job is done.
pub(crate) struct Turn {
    /// How often it may be begun.
    attempts: u32,
    pub(crate) lease: Duration,
    pub(crate) progress: Progress,
    /// Whether it is waited for where somebody holds it on its way.
    pub(crate) waits: bool,
}

async fn run(tools: Tools, claim: Claimed, turn: Turn) -> Fetched {
    let Job::FromUrl(task) = &claim.job;
    let failed_for_good = claim.attempt > turn.attempts.max(1);
    let outcome = from_url::run(&tools, &claim, task, failed_for_good, &turn).await;
    Fetched { token: task.token, url: task.url.clone(), outcome }
}
