//! One complete server with what tests have put into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stowage_api::Front;
use stowage_model::{ProjectId, PublicKey};
use stowage_store::records::{DeliveryFilter, DeliveryState, Records, RecordsError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::DevError;
use crate::capture::Captured;
use crate::faults::Faults;
use crate::gate::Gate;
use crate::holds::{Holds, JobKey};
use crate::journal::Journal;
use crate::parts::{Parts, Place};
use crate::seed::Seed;

/// The most open jobs that are looked at of each kind; holds know no more either.
const MOST_JOBS: u32 = 10_000;

/// A world.
pub struct World {
    /// Its parts.
    pub(crate) parts: Parts,
    pub(crate) place: Place,
    pub(crate) front: Front,
    pub(crate) gate: Gate,
    /// The jobs that tests hold.
    pub(crate) holds: Arc<Holds>,
    /// The faults that tests have asked for.
    pub(crate) faults: Arc<Faults>,
    /// What was sent to the built-in address for webhooks.
    pub(crate) captured: Captured,
    /// Its last requests.
    pub(crate) journal: Journal,
    /// The seed that it begins with.
    seed: Option<Arc<Seed>>,
    /// One seed is sown at a time.
    pub(crate) sowing: tokio::sync::Mutex<()>,
    workers: tokio::sync::Mutex<Workers>,
    ended: AtomicBool,
}

/// What works beside serving.
#[derive(Default)]
struct Workers {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl World {
    pub(crate) fn new(
        parts: Parts,
        place: Place,
        holds: Arc<Holds>,
        faults: Arc<Faults>,
        captured: Captured,
        journal: Journal,
        seed: Option<Arc<Seed>>,
    ) -> anyhow::Result<Self> {
        let state =
            parts.state.clone().ok_or_else(|| anyhow::anyhow!("the doors for tests need a process that serves"))?;
        let front = stowage_api::service(state);
        let (gate, sowing, workers) = (Gate::new(), tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self {
            parts,
            place,
            front,
            gate,
            holds,
            faults,
            captured,
            journal,
            seed,
            sowing,
            workers,
            ended: AtomicBool::new(false),
        })
    }

    /// Its parts.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Begins to work; what the configuration declares is there.
    pub(crate) async fn begin(&self) -> Result<(), DevError> {
        self.parts.records.release_held(self.parts.clock.now()).await?;
        self.sow(None).await?;
        self.start(&mut *self.workers.lock().await);
        Ok(())
    }

    /// Sows the seed that it begins with, or what a project has of it.
    async fn sow(&self, only: Option<&PublicKey>) -> Result<(), DevError> {
        match &self.seed {
            Some(seed) => Box::pin(seed.sow(self, only, false)).await.map(drop),
            None => Ok(()),
        }
    }

    fn start(&self, workers: &mut Workers) {
        let stop = CancellationToken::new();
        let tasks = (self.parts.start_workers)(stop.clone(), Duration::ZERO);
        *workers = Workers { stop, tasks };
    }

    async fn stop(workers: &mut Workers) {
        workers.stop.cancel();
        for task in workers.tasks.drain(..) {
            if let Err(crash) = task.await {
                error!(%crash, "a worker crashed");
            }
        }
    }

    /// Does something while nothing works by itself; requests are served meanwhile. What was under way is given back and begun again.
    pub(crate) async fn paused<T>(&self, work: impl AsyncFnOnce() -> T) -> T {
        let mut workers = self.workers.lock().await;
        Self::stop(&mut workers).await;
        let done = work().await;
        self.start(&mut workers);
        done
    }

    /// The same for what may take long: whoever wants the world alone cuts it off; then there is nothing.
    pub(crate) async fn paused_inside<T>(&self, work: impl AsyncFnOnce() -> T) -> Option<T> {
        let pass = self.gate.enter().await;
        self.paused(async || {
            tokio::select! {
                biased;
                () = pass.cut.cancelled() => None,
                done = work() => Some(done),
            }
        })
        .await
    }

    /// Does something while nothing works and nothing is served.
    pub(crate) async fn alone<T>(&self, work: impl AsyncFnOnce() -> T) -> T {
        let _alone = self.gate.alone().await;
        self.paused(work).await
    }

    /// Stops it for good.
    pub(crate) async fn end(&self) {
        let _alone = self.gate.alone().await;
        self.ended.store(true, Ordering::Release);
        Self::stop(&mut *self.workers.lock().await).await;
    }

    /// Whether it was stopped for good: whoever comes in then has come too late.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Makes it what it was after its start.
    pub(crate) async fn reset(&self) -> Result<(), DevError> {
        self.alone(async || {
            let Parts { records, blobs, declare, .. } = &self.parts;
            records.wipe().await?;
            // Side by side, and whatever comes of the blobs: nothing may remember files that the records do not know.
            let (wiped, ()) = tokio::join!(blobs.wipe(), self.forget());
            wiped?;
            declare().await?;
            self.sow(None).await
        })
        .await
    }

    /// Forgets everything but what the stores keep.
    pub(crate) async fn forget(&self) {
        // Whoever adds something to a world decides here what a reset does with it, and an import of a snapshot.
        let Self {
            parts,
            place: _,
            front: _,
            gate: _,
            holds,
            faults,
            captured,
            journal,
            seed: _,
            sowing: _,
            workers: _,
            ended: _,
        } = self;
        holds.wipe();
        faults.wipe();
        captured.wipe();
        journal.wipe();
        forget(parts).await;
    }

    /// Removes what one project has; its settings and keys stay.
    pub(crate) async fn reset_project(&self, key: &str) -> Result<(), DevError> {
        self.alone(async || {
            let Parts { records, delivery, janitor, clock, state, .. } = &self.parts;
            let project = records.project_by_key(key).await?;
            let project = project.ok_or_else(|| DevError::missing(format!("there is no project `{key}`")))?;
            let jobs = jobs_of(records, project.id).await?;
            let files = records.wipe_project(project.id, clock.now()).await?;
            self.forget_project(&project.public_key, &jobs);
            delivery.forget(&files);
            janitor.tidy().await.map_err(|failure| DevError::failed(failure.to_string()))?;
            if let Some(state) = state {
                state.wipe();
            }
            (self.parts.declare)().await?;
            self.sow(Some(&project.public_key)).await
        })
        .await
    }

    /// Forgets what tests have put in for one project alone, and what was noted of it.
    fn forget_project(&self, key: &PublicKey, jobs: &[JobKey]) {
        // Whoever adds something to a world decides here what becomes of it when one project is reset.
        let Self {
            parts: _,
            place: _,
            front: _,
            gate: _,
            holds,
            faults,
            captured,
            journal,
            seed: _,
            sowing: _,
            workers: _,
            ended: _,
        } = self;
        holds.forget_project(key.as_str(), jobs);
        faults.forget_project(key);
        captured.forget_project(key.as_str());
        journal.forget_project(key);
    }
}

/// The jobs of a project that have not ended.
async fn jobs_of(records: &Records, project: ProjectId) -> Result<Vec<JobKey>, RecordsError> {
    let fetches = records.open_jobs(MOST_JOBS).await?.into_iter();
    let fetches = fetches.filter(|job| job.task.project == project).map(|job| JobKey::FromUrl(job.task.token));
    let mut jobs: Vec<JobKey> = fetches.collect();
    let pending =
        DeliveryFilter { project: Some(project), state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    jobs.extend(
        records.deliveries(&pending, MOST_JOBS).await?.into_iter().map(|delivery| JobKey::Webhook(delivery.id)),
    );
    let copies = records.open_copies(MOST_JOBS).await?.into_iter();
    jobs.extend(copies.filter(|copy| copy.project == project).map(|copy| JobKey::Copy(copy.id)));
    Ok(jobs)
}

async fn forget(parts: &Parts) {
    let Parts {
        // Whoever calls this has emptied them, or filled them with something else.
        records: _,
        blobs: _,
        // It holds no state of its own, like those below.
        intake: _,
        delivery,
        copies,
        outbound: _,
        janitor: _,
        runner: _,
        postman: _,
        carrier: _,
        state,
        clock,
        ids,
        urls: _,
        temporary_ttl: _,
        start_workers: _,
        declare: _,
    } = parts;
    delivery.wipe().await;
    copies.wipe();
    if let Some(state) = state {
        state.wipe();
    }
    clock.release();
    ids.unseed();
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("place", &self.place).finish_non_exhaustive()
    }
}
