//! Work that nobody waits for: the runner, which claims due jobs and keeps them alive, the job bodies, the postman, who tells
//! webhooks, and the carrier, who brings copies to custom storages. A job may be broken off at any moment and begun again on another node, so that a body commits what it has
//! done and the end of its job in one transaction, and only while the job is still its own.

mod carrier;
mod from_url;
mod lane;
mod meddle;
mod postman;
mod runner;
mod spreading;
mod targets;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use stowage_fetch::Outbound;
use stowage_intake::Intake;
use stowage_model::units::{duration, durations};
use stowage_model::{Clock, Ids};
use stowage_store::records::Records;

pub use carrier::{Carried, Carrier};
pub use meddle::{
    CopyAsked, CopyOrder, FetchAsked, FetchOrder, Fetched, Given, Later, Meddle, Outcome, Piece, PostAsked, PostOrder,
    Stop,
};
pub use postman::{Postman, Tried};
pub use runner::Runner;

/// `[jobs]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How many jobs a process does at the same time.
    pub concurrency: usize,
    /// How often due jobs of other processes are looked for.
    #[serde(deserialize_with = "duration")]
    pub poll: Duration,
    /// How long a job stays with a worker that gives no sign of life.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// How often a job is begun before it counts as failed.
    pub attempts: u32,
}

/// `[webhooks]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookOptions {
    /// The pauses after the first failed attempt, the second, and so on; the last is repeated. Without any, there is one
    /// attempt.
    #[serde(deserialize_with = "durations")]
    pub schedule: Vec<Duration>,
    /// How long after an event its deliveries are tried.
    #[serde(deserialize_with = "duration")]
    pub give_up_after: Duration,
    /// How long one attempt may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// How many deliveries a process has under way at the same time.
    pub concurrency: usize,
    /// How many attempts a process begins in a second at most; 0 means no limit.
    pub per_second: u32,
}

/// What jobs need of the rest of the house.
#[derive(Clone)]
pub struct Tools {
    /// The records.
    pub records: Records,
    /// The way in.
    pub intake: Intake,
    /// The door to foreign HTTP.
    pub outbound: Outbound,
    /// Now.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// Who decides what becomes of jobs and of deliveries to webhooks, where tests want that.
    pub meddler: Option<Arc<dyn Meddle>>,
}

/// How far a job is, written by its body and read by the runner.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    /// One more than the total; 0 while it is unknown.
    total: AtomicU64,
}

impl Progress {
    fn set_total(&self, total: Option<u64>) {
        self.0.total.store(total.map_or(0, |total| total.saturating_add(1)), Ordering::Relaxed);
    }

    fn set_done(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, Option<u64>) {
        (self.0.done.load(Ordering::Relaxed), self.0.total.load(Ordering::Relaxed).checked_sub(1))
    }
}
