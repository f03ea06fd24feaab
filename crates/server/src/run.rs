//! Putting the rooms together: what `main` and tests both call.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use stowage_api::UrlOptions;
use stowage_delivery::Delivery;
use stowage_dev::{Build, Dev, Parts, Place, Tools};
use stowage_janitor::Janitor;
use stowage_jobs::{Carrier, Postman, Runner};
use stowage_model::{Clock, Ids, PublicUrls, Settings};
use stowage_store::blobs::{Blobs, PartUrls};
use stowage_store::records::{DeclareStoragesError, Options, Records};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::{info, warn};

use crate::build::Builder;
use crate::config::{Config, DEMO};
use crate::listener;

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
    house: House,
}

/// What runs behind the listener.
enum House {
    Plain(Box<Parts>),
    /// With the doors for tests.
    Dev(Dev),
}

impl Running {
    /// Where the server listens; none for a worker.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn parts(&self) -> &Parts {
        match &self.house {
            House::Plain(parts) => parts,
            House::Dev(dev) => dev.configured().parts(),
        }
    }

    /// A janitor on its stores and its clock, to be driven by hand.
    pub fn janitor(&self) -> Janitor {
        self.parts().janitor.clone()
    }

    /// Its records.
    pub fn records(&self) -> Records {
        self.parts().records.clone()
    }

    /// A runner on its stores and its clock, to be driven by hand.
    pub fn runner(&self) -> Runner {
        self.parts().runner.clone()
    }

    /// A postman on its stores and its clock, to be driven by hand.
    pub fn postman(&self) -> Postman {
        self.parts().postman.clone()
    }

    /// A carrier on its stores and its clock, to be driven by hand.
    pub fn carrier(&self) -> Carrier {
        self.parts().carrier.clone()
    }

    /// Ends it: no new connections, requests under way finish within the drain time, then the records are closed.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.serving.into_iter().chain(self.working) {
            if let Err(crash) = task.await {
                warn!(%crash, "a task of the server crashed");
            }
        }
        match self.house {
            House::Plain(parts) => parts.records.close().await,
            House::Dev(dev) => dev.stop().await,
        }
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
    let mut options = config.blobs.clone();
    if config.dev.enabled {
        // Faults and the journal are to see them.
        options.part_urls = PartUrls::Own;
    }
    Ok(Blobs::open(&options, &config.data_dir, config.durability).await?)
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
pub(crate) async fn prepare_records(config: &Config, clock: &Clock) -> anyhow::Result<Records> {
    make_folder(&config.data_dir)?;
    let records = Records::open(&config.database, &config.data_dir, config.durability, clock.clone()).await?;
    declare(config, &records, clock).await?;
    Ok(records)
}

/// Writes the declared projects and storages to the records.
pub(crate) async fn declare(config: &Config, records: &Records, clock: &Clock) -> anyhow::Result<()> {
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
    Ok(())
}

pub(crate) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make the data folder {} (`data_dir`); name one that this user may write to", folder.display())
    })
}

/// Starts a server or a worker and answers once it is ready.
pub async fn start(config: Config, role: Role, clock: Clock, ids: Ids) -> anyhow::Result<Running> {
    if config.dev.enabled && role != Role::ServeAndWork {
        bail!(
            "the doors for tests (`dev.enabled`) need one process that serves and works: leave out --no-worker and `stowage work`"
        );
    }
    // Bound first: a taken port is the most common failure, and should not leave a data folder behind.
    let listener = match role {
        Role::Work => None,
        Role::Serve | Role::ServeAndWork => Some(listener::bind(&config.server.listen).await?),
    };
    let address = listener.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?;
    let stop = CancellationToken::new();
    let builder = Builder { config: Arc::new(config), role, address };
    let config = Arc::clone(&builder.config);
    let (mut serving, mut working) = (None, Vec::new());
    let house = if config.dev.enabled {
        builder.clear().await?;
        let dev = Dev::open(config.dev.clone(), Arc::new(builder), clock, ids).await?;
        serving = listener.map(|listener| serve(listener, stowage_dev::Front::new(dev.clone()), &config, &stop));
        House::Dev(dev)
    } else {
        let parts = builder.build(Place::Configured, Tools { clock, ids, meddler: None }).await?;
        working = (parts.start_workers)(stop.clone(), config.server.drain_timeout);
        if let (Some(listener), Some(state)) = (listener, parts.state.clone()) {
            serving = Some(serve(listener, stowage_api::service(state), &config, &stop));
        }
        House::Plain(Box::new(parts))
    };
    let running = Running { address, stop, serving, working, house };
    if let Some(address) = address {
        info!(%address, "serving");
        let open = !address.ip().is_loopback();
        if open && config.has_demo_project() {
            warn!(
                "the demo project, whose secret key is public, can be reached from other machines: declare [[projects]] or set \
                 demo_project = false"
            );
        }
        if open && config.dev.enabled {
            warn!(
                "the doors for tests (`dev.enabled`) can be reached from other machines: whoever does can empty this server"
            );
        }
    }
    Ok(running)
}

fn serve<F>(listener: TcpListener, front: F, config: &Config, stop: &CancellationToken) -> JoinHandle<()>
where
    F: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + 'static,
    F::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F::Future: Send,
{
    let (server, stop) = (config.server.clone(), stop.clone());
    tokio::spawn(async move { listener::serve(listener, front, &server, stop).await })
}
