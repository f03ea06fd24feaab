//! Putting the rooms together: what `main` and tests both call.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use stowage_api::{Pages, PartUrls, Shared, State, Throttle, TrustedProxies, UrlOptions};
use stowage_copy::{Copies, CopyTools};
use stowage_delivery::Delivery;
use stowage_fetch::Outbound;
use stowage_intake::Intake;
use stowage_janitor::Janitor;
use stowage_jobs::{Carrier, Postman, Runner, Tools};
use stowage_model::{Clock, Ids, PublicUrls, Settings};
use stowage_store::blobs::Blobs;
use stowage_store::records::{DeclareStoragesError, Options, Records};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, DEMO};
use crate::{listener, telemetry};

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Serves, and works beside it: the only process of a small installation.
    ServeAndWork,
    /// Serves; another process works (`serve --no-worker`).
    Serve,
    /// Works: jobs and the janitor (`work`).
    Work,
}

/// A running server or worker.
pub struct Running {
    address: Option<SocketAddr>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    working: Vec<JoinHandle<()>>,
    janitor: Janitor,
    runner: Runner,
    postman: Postman,
    carrier: Carrier,
    records: Records,
}

impl Running {
    /// Where the server listens; none for a worker.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// A janitor on its stores and its clock, to be driven by hand.
    pub fn janitor(&self) -> Janitor {
        self.janitor.clone()
    }

    /// Its records.
    pub fn records(&self) -> Records {
        self.records.clone()
    }

    /// A runner on its stores and its clock, to be driven by hand.
    pub fn runner(&self) -> Runner {
        self.runner.clone()
    }

    /// A postman on its stores and its clock, to be driven by hand.
    pub fn postman(&self) -> Postman {
        self.postman.clone()
    }

    /// A carrier on its stores and its clock, to be driven by hand.
    pub fn carrier(&self) -> Carrier {
        self.carrier.clone()
    }

    /// Ends it: no new connections, requests under way finish within the drain time, then the records are closed.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.serving.into_iter().chain(self.working) {
            if let Err(crash) = task.await {
                warn!(%crash, "a task of the server crashed");
            }
        }
        self.records.close().await;
    }
}

/// The public addresses where no request says how the world reaches us: those configured, else our own.
pub(crate) fn own_urls(config: &Config, address: Option<SocketAddr>) -> PublicUrls {
    let own = format!("http://{}", address.map_or_else(|| config.server.listen.clone(), |address| address.to_string()));
    let or_own = |configured: &str| {
        let address = if configured.is_empty() { &own } else { configured };
        address.trim_end_matches('/').to_owned()
    };
    let UrlOptions { upload, rest, cdn } = &config.urls;
    PublicUrls { upload: or_own(upload), rest: or_own(rest), cdn: or_own(cdn) }
}

/// The blobs, opened as configured.
pub(crate) async fn open_blobs(config: &Config) -> anyhow::Result<Blobs> {
    Ok(Blobs::open(&config.blobs, &config.data_dir, config.durability).await?)
}

/// What makes pictures where nothing is served: with a folder of its own, because the one of the server is the server's, and nothing is
/// kept there.
pub(crate) async fn open_side_delivery(config: &Config, blobs: Blobs, folder: &str) -> anyhow::Result<Delivery> {
    let variant_folder = config.data_dir.join(folder);
    let options = stowage_delivery::Options { variant_cache: 0, variant_folder, ..config.delivery.clone() };
    let opened = Delivery::open(&options, blobs, &config.data_dir, config.blobs.reserve).await;
    opened.context("cannot make pictures")
}

/// The records as they are, for commands beside the server: they migrate nothing and declare nothing, so that a command
/// with half a configuration changes nothing that the server's configuration says.
pub(crate) async fn open_records(config: &Config, clock: &Clock) -> anyhow::Result<Records> {
    make_folder(&config.data_dir)?;
    let options = Options { migrate: false, ..config.database.clone() };
    Ok(Records::open(&options, &config.data_dir, config.durability, clock.clone()).await?)
}

/// The records of a server or worker: migrated where configured, with the declared projects and storages in them.
async fn prepare_records(config: &Config, clock: &Clock) -> anyhow::Result<Records> {
    make_folder(&config.data_dir)?;
    let records = Records::open(&config.database, &config.data_dir, config.durability, clock.clone()).await?;
    let declared = config.declared_projects()?;
    records.declare_projects(&declared, clock.now()).await?;
    // A demo project of an earlier start must not live on after it was switched off: everybody knows its secret.
    let (key, secret) = DEMO;
    if let Some(demo) = records.project_by_key(key).await?
        && !declared.iter().any(|project| project.public_key.as_str() == key)
        && demo.secret_keys == [secret]
        && !demo.settings.removed
    {
        let settings = Settings { removed: true, ..demo.settings.clone() };
        records.update_project(demo.id, &demo.secret_keys, &settings).await?;
        info!("the demo project of an earlier start is marked as removed");
    }
    let storages = config.declared_storages()?;
    if let Err(error) = records.declare_storages(&storages, clock.now()).await {
        return Err(match error {
            DeclareStoragesError::NoProject { .. } => anyhow::anyhow!(
                "[[storages]] in {}: {error}; declare it in [[projects]], or make it with `stowage project create`",
                config.source()
            ),
            DeclareStoragesError::Records(error) => error.into(),
        });
    }
    Ok(records)
}

pub(crate) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make the data folder {} (`data_dir`); name one that this user may write to", folder.display())
    })
}

/// Starts a server or a worker and answers once it is ready.
pub async fn start(config: Config, role: Role, clock: Clock, ids: Ids) -> anyhow::Result<Running> {
    // Bound first: a taken port is the most common failure, and should not leave a data folder behind.
    let listener = match role {
        Role::Work => None,
        Role::Serve | Role::ServeAndWork => Some(listener::bind(&config.server.listen).await?),
    };
    let address = listener.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?;
    let records = prepare_records(&config, &clock).await?;
    let blobs = open_blobs(&config).await?;
    let stop = CancellationToken::new();
    let intake = Intake::new(records.clone(), blobs.clone(), clock.clone(), ids.clone(), config.scan.clone());
    let outbound = Outbound::new(&config.fetch).context("[fetch] of the configuration")?;
    let urls = own_urls(&config, address);
    let (keep, options) = (config.copy.give_up_after, config.janitor.clone());
    let janitor = Janitor::new(records.clone(), blobs.clone(), clock.clone(), urls, options, keep);
    let tools = Tools {
        records: records.clone(),
        intake: intake.clone(),
        outbound: outbound.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    };
    let postman = Postman::new(tools.clone(), config.webhooks.clone(), config.jobs.poll);
    let runner = Runner::new(tools, config.jobs.clone());
    let delivery = if listener.is_some() {
        let opened = Delivery::open(&config.delivery, blobs.clone(), &config.data_dir, config.blobs.reserve).await;
        opened.context("cannot open the folder of variants (`delivery.variant_folder`)")?
    } else {
        open_side_delivery(&config, blobs.clone(), "work").await?
    };
    let tools = CopyTools {
        records: records.clone(),
        blobs: blobs.clone(),
        delivery: delivery.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    };
    let copies = Copies::new(tools, config.copy.clone());
    let carrier = Carrier::new(copies.clone(), config.jobs.poll);
    let mut working = if role == Role::Serve {
        Vec::new()
    } else {
        let drain = config.server.drain_timeout;
        vec![
            tokio::spawn(janitor.clone().work(stop.clone())),
            tokio::spawn(runner.clone().work(stop.clone(), drain)),
            tokio::spawn(postman.clone().work(stop.clone(), drain)),
            tokio::spawn(carrier.clone().work(stop.clone(), drain)),
        ]
    };
    if role != Role::Serve && !config.metrics.listen.is_empty() {
        working.push(tokio::spawn(telemetry::count_copies(records.clone(), stop.clone())));
    }
    // Never from the seed of a test: whoever knows the seed could sign.
    let secret = records.secret("part_urls", &Ids::random().hex(64)).await?;
    if listener.is_some() {
        working.push(tokio::spawn(delivery.clone().tend(records.clone(), stop.clone())));
    }
    let serving = listener.map(|listener| {
        let state = State::new(Shared {
            intake,
            delivery,
            records: records.clone(),
            blobs,
            outbound,
            copies,
            fetches: stowage_api::Fetches::default(),
            throttle: Throttle::new(&config.throttle),
            part_urls: PartUrls::new(secret),
            clock,
            ids,
            uploads: config.uploads.clone(),
            max_age: config.delivery.max_age,
            body_timeout: config.server.body_timeout,
            request_timeout: config.server.request_timeout,
            metrics: !config.metrics.listen.is_empty(),
            auth: config.auth.clone(),
            rest: config.rest.clone(),
            pages: Pages::default(),
            urls: config.urls.clone(),
            trusted_proxies: TrustedProxies(config.server.trusted_proxies.clone()),
        });
        let front = stowage_api::service(state);
        let (server, stop) = (config.server.clone(), stop.clone());
        tokio::spawn(async move { listener::serve(listener, front, &server, stop).await })
    });
    if let Some(address) = address {
        info!(%address, "serving");
        if config.has_demo_project() && !address.ip().is_loopback() {
            warn!(
                "the demo project, whose secret key is public, can be reached from other machines: declare [[projects]] or set \
                 demo_project = false"
            );
        }
    }
    Ok(Running { address, stop, serving, working, janitor, runner, postman, carrier, records })
}
