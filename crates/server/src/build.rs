//! Building a server as it is configured, without a listener: the configured one, and, for sessions of tests, others beside it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::BoxFuture;
use stowage_api::{Pages, PartUrls, Shared, State, Throttle, TrustedProxies, UnknownKeys};
use stowage_copy::{Copies, CopyTools};
use stowage_delivery::Delivery;
use stowage_dev::{Build, Parts, Place, Tools};
use stowage_fetch::Outbound;
use stowage_intake::Intake;
use stowage_janitor::Janitor;
use stowage_jobs::{Carrier, Postman, Runner};
use stowage_model::Ids;
use stowage_store::blobs::Blobs;
use stowage_store::records::Records;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::Config;
use crate::run::{self, Role};
use crate::telemetry;

/// The folder, and the prefix of blobs, of worlds that are built aside.
const ASIDE: &str = "sessions";
/// How often their workers look for what has become due, retries above all.
const ASIDE_POLL: Duration = Duration::from_secs(5);
/// What the names of their schemas begin with.
const SCHEMA: &str = "stowage_session_";

/// Builds servers from a configuration.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) config: Arc<Config>,
    pub(crate) role: Role,
    pub(crate) address: Option<SocketAddr>,
}

impl Build for Builder {
    fn build(&self, place: Place, tools: Tools) -> BoxFuture<'_, anyhow::Result<Parts>> {
        Box::pin(async move {
            let config = match place {
                Place::Configured => Arc::clone(&self.config),
                Place::Aside(name) => Arc::new(aside(&self.config, &name)),
            };
            Box::pin(self.put_together(config, tools)).await
        })
    }

    fn remove<'a>(&'a self, place: Place, parts: &'a Parts) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let Place::Aside(name) = place else { return Ok(()) };
            let config = aside(&self.config, &name);
            if !config.blobs.branch.is_empty() {
                Blobs::destroy(&config.blobs, &config.data_dir).await?;
            }
            if config.database.schema.is_some() {
                parts.records.drop_schema().await?;
            }
            parts.records.close().await;
            match tokio::fs::remove_dir_all(&config.data_dir).await {
                Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => Err(failure.into()),
                _ => Ok(()),
            }
        })
    }
}

/// What tells the worlds that a server builds aside from those of others which share its database or bucket: the next server in the
/// same data folder removes what it finds of them.
fn mark(config: &Config) -> String {
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The configuration of a world that is built aside: nothing of what it keeps lies where that of another does.
fn aside(config: &Config, name: &str) -> Config {
    let mark = mark(config);
    let mut config = config.clone();
    config.data_dir = config.data_dir.join(ASIDE).join(name);
    config.delivery.variant_folder = std::path::PathBuf::new();
    // What this process puts in wakes the workers by itself, and hundreds of idle worlds should cost next to nothing.
    config.jobs.poll = config.jobs.poll.max(ASIDE_POLL);
    if config.database.url.starts_with("postgres") {
        config.database.schema = Some(format!("{SCHEMA}{mark}_{name}"));
    } else {
        config.database.url.clear();
        // Nobody misses it after a power cut.
        config.database.scratch = true;
    }
    if config.blobs.url.starts_with("s3:") {
        config.blobs.branch = format!("{ASIDE}/{mark}/{name}");
    } else {
        config.blobs.url.clear();
    }
    config
}

impl Builder {
    /// Removes what an earlier process has left aside.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        let config = &self.config;
        if config.database.url.starts_with("postgres") {
            Records::drop_schemas(&config.database, &format!("{SCHEMA}{}_", mark(config))).await?;
        }
        if config.blobs.url.starts_with("s3:") {
            let options =
                stowage_store::blobs::Options { branch: format!("{ASIDE}/{}", mark(config)), ..config.blobs.clone() };
            Blobs::destroy(&options, &config.data_dir).await?;
        }
        match tokio::fs::remove_dir_all(config.data_dir.join(ASIDE)).await {
            Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => Err(failure.into()),
            _ => Ok(()),
        }
    }

    async fn put_together(&self, config: Arc<Config>, tools: Tools) -> anyhow::Result<Parts> {
        let (serves, works) = (self.role != Role::Work, self.role != Role::Serve);
        let Tools { clock, ids, meddler } = tools;
        run::make_folder(&config.data_dir)?;
        // Side by side: each waits for the disk, and tests start servers all the time.
        let stores = async {
            let blobs = run::open_blobs(&config).await?;
            let delivery = if serves {
                let opened =
                    Delivery::open(&config.delivery, blobs.clone(), &config.data_dir, config.blobs.reserve).await;
                opened.context("cannot open the folder of variants (`delivery.variant_folder`)")?
            } else {
                run::open_side_delivery(&config, blobs.clone(), "work").await?
            };
            Ok((blobs, delivery))
        };
        let (records, (blobs, delivery)) = tokio::try_join!(run::prepare_records(&config, &clock), stores)?;
        let intake = Intake::new(records.clone(), blobs.clone(), clock.clone(), ids.clone(), config.scan.clone());
        let outbound = Outbound::new(&config.fetch).context("[fetch] of the configuration")?;
        let urls = run::own_urls(&config, self.address);
        let (keep, options) = (config.copy.give_up_after, config.janitor.clone());
        let janitor = Janitor::new(records.clone(), blobs.clone(), clock.clone(), urls.clone(), options, keep);
        let tools = stowage_jobs::Tools {
            records: records.clone(),
            intake: intake.clone(),
            outbound: outbound.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            meddler: meddler.clone(),
        };
        let postman = Postman::new(tools.clone(), config.webhooks.clone(), config.jobs.poll);
        let runner = Runner::new(tools, config.jobs.clone());
        let tools = CopyTools {
            records: records.clone(),
            blobs: blobs.clone(),
            delivery: delivery.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
        };
        let copies = Copies::new(tools, config.copy.clone());
        let mut carrier = Carrier::new(copies.clone(), config.jobs.poll);
        if let Some(meddler) = meddler {
            carrier = carrier.with_meddler(meddler);
        }
        // Never from the seed of a test: whoever knows the seed could sign.
        let secret = records.secret("part_urls", &Ids::random().hex(64)).await?;
        let state = serves.then(|| {
            State::new(Shared {
                intake: intake.clone(),
                delivery: delivery.clone(),
                records: records.clone(),
                blobs: blobs.clone(),
                outbound: outbound.clone(),
                copies: copies.clone(),
                fetches: stowage_api::Fetches::default(),
                throttle: Throttle::new(&config.throttle),
                part_urls: PartUrls::new(secret),
                clock: clock.clone(),
                ids: ids.clone(),
                unknown_keys: unknown_keys(&config),
                is_internal_target: if config.dev.enabled { stowage_dev::is_capture } else { |_| false },
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
            })
        });
        let start_workers = {
            let (janitor, runner, postman, carrier) =
                (janitor.clone(), runner.clone(), postman.clone(), carrier.clone());
            let (delivery, records) = (delivery.clone(), records.clone());
            let count = works && !config.metrics.listen.is_empty();
            Arc::new(move |stop: CancellationToken, drain: Duration| {
                let mut tasks = Vec::new();
                if works {
                    tasks.push(tokio::spawn(janitor.clone().work(stop.clone())));
                    tasks.push(tokio::spawn(runner.clone().work(stop.clone(), drain)));
                    tasks.push(tokio::spawn(postman.clone().work(stop.clone(), drain)));
                    tasks.push(tokio::spawn(carrier.clone().work(stop.clone(), drain)));
                }
                if count {
                    tasks.push(tokio::spawn(telemetry::count_copies(records.clone(), stop.clone())));
                }
                if serves {
                    tasks.push(tokio::spawn(delivery.clone().tend(records.clone(), stop)));
                }
                tasks
            })
        };
        let declare = {
            let (records, clock, config) = (records.clone(), clock.clone(), Arc::clone(&config));
            Arc::new(move || -> BoxFuture<'static, anyhow::Result<()>> {
                let (records, clock, config) = (records.clone(), clock.clone(), Arc::clone(&config));
                Box::pin(async move { run::declare(&config, &records, &clock).await })
            })
        };
        let temporary_ttl = config.janitor.temporary_ttl;
        Ok(Parts {
            records,
            blobs,
            intake,
            delivery,
            copies,
            outbound,
            janitor,
            runner,
            postman,
            carrier,
            state,
            clock,
            ids,
            urls,
            temporary_ttl,
            start_workers,
            declare,
        })
    }
}

/// What becomes of public keys that nobody knows: with the doors for tests they may make projects like the first that is configured.
fn unknown_keys(config: &Config) -> UnknownKeys {
    if !config.dev.enabled || !config.dev.create_projects {
        return UnknownKeys::Refuse;
    }
    if let Some(template) = config.declared_projects().unwrap_or_default().into_iter().next() {
        return UnknownKeys::Create(Arc::new(template));
    }
    warn!("dev.create_projects does nothing without a configured project, which would be the model of those to come");
    UnknownKeys::Refuse
}
