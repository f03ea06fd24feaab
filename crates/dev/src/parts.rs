//! What a world is made of. The room `server` puts it together, because it knows the configuration.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use stowage_api::State;
use stowage_copy::Copies;
use stowage_delivery::Delivery;
use stowage_fetch::Outbound;
use stowage_intake::Intake;
use stowage_janitor::Janitor;
use stowage_jobs::{Carrier, Meddle, Postman, Runner};
use stowage_model::{Clock, Ids, PublicUrls};
use stowage_store::blobs::Blobs;
use stowage_store::records::Records;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Starts everything that works beside serving, until the token says stop; work under way then has as long as is given to end.
pub type StartWorkers = Arc<dyn Fn(CancellationToken, Duration) -> Vec<JoinHandle<()>> + Send + Sync>;

/// Writes the configured projects and storages to the records.
pub type Declare = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// One complete server, without a listener.
pub struct Parts {
    /// The records.
    pub records: Records,
    /// The blobs.
    pub blobs: Blobs,
    /// The way in.
    pub intake: Intake,
    /// The way out.
    pub delivery: Delivery,
    /// Copies at custom storages.
    pub copies: Copies,
    /// The door to foreign HTTP.
    pub outbound: Outbound,
    /// The janitor, to be driven by hand.
    pub janitor: Janitor,
    /// The runner of jobs, to be driven by hand.
    pub runner: Runner,
    /// The postman, to be driven by hand.
    pub postman: Postman,
    /// The carrier, to be driven by hand.
    pub carrier: Carrier,
    /// What the doors of the APIs share; none in a process that only works.
    pub state: Option<State>,
    /// Now.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// The public addresses where no request says how the world reaches us.
    pub urls: PublicUrls,
    /// How long a file lives that is not stored.
    pub temporary_ttl: Duration,
    /// Starts the workers.
    pub start_workers: StartWorkers,
    /// Declares what the configuration declares.
    pub declare: Declare,
}

/// Where a world keeps what it keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Where the configuration says.
    Configured,
    /// In a folder, a schema and below a prefix of its own, all of this name.
    Aside(String),
}

/// What a world is built with.
#[derive(Clone)]
pub struct Tools {
    /// Now.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// What tests do to jobs.
    pub meddler: Option<Arc<dyn Meddle>>,
}

/// Builds worlds.
pub trait Build: Send + Sync {
    /// A world without workers, ready to serve.
    fn build(&self, place: Place, tools: Tools) -> BoxFuture<'_, anyhow::Result<Parts>>;

    /// Closes a world that was built aside, and removes everything that it kept.
    fn remove<'a>(&'a self, place: Place, parts: &'a Parts) -> BoxFuture<'a, anyhow::Result<()>>;
}
