//! Logs to stderr, and metrics on a listener of their own.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use stowage_store::records::{CopyCounts, Records, RecordsError};
use tokio_util::sync::CancellationToken;
use tracing::{Level, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// How often copies are counted: the records count them anew each time.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Starts to log; once per process.
pub(crate) fn log(config: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.level).with_context(|| {
        format!("`log.level` is `{}`; it takes words like `info` or `warn,stowage_api=debug`", config.level)
    })?;
    // The S3 client writes down all that it was given at this level, and that has secrets of storages in it.
    let discreet = filter_fn(|of| !(of.target().starts_with("aws_") && *of.level() == Level::TRACE));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).finish().with(discreet).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).finish().with(discreet).try_init(),
    };
    // Tests start several servers in one process; the first one's log serves them all.
    drop(started);
    Ok(())
}

/// Serves metrics, where an address is configured.
pub(crate) fn metrics(listen: &str) -> anyhow::Result<()> {
    if listen.is_empty() {
        return Ok(());
    }
    let address: SocketAddr = listen
        .parse()
        .with_context(|| format!("`metrics.listen` is `{listen}`; it takes an address like 127.0.0.1:9090"))?;
    let buckets = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
    PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets(&buckets)
        .and_then(PrometheusBuilder::install)
        .with_context(|| format!("cannot serve metrics at {listen} (`metrics.listen`)"))?;
    metrics::describe_counter!("stowage_requests_total", "Requests answered, by method and status.");
    metrics::describe_histogram!(
        "stowage_request_seconds",
        metrics::Unit::Seconds,
        "Time until the answer began, by method."
    );
    metrics::describe_gauge!("stowage_connections", "Connections open on the main listener.");
    metrics::describe_counter!("stowage_janitor_deleted_total", "What the janitor deleted, by kind.");
    metrics::describe_counter!(
        "stowage_variants_total",
        "Variants asked for, by where they came from: memory, disk, made; or that they were refused, or nobody was free."
    );
    metrics::describe_histogram!(
        "stowage_variant_seconds",
        metrics::Unit::Seconds,
        "Time from the beginning of a variant to its end, waiting included."
    );
    metrics::describe_counter!("stowage_copies_total", "Attempts to copy a file to a custom storage, by outcome.");
    metrics::describe_gauge!(
        "stowage_copies_waiting",
        "Copies to custom storages that are to be made, by project and storage."
    );
    metrics::describe_gauge!("stowage_copies_failed", "Copies to custom storages that have failed for good, likewise.");
    metrics::describe_gauge!("stowage_variants_waiting", "Variants that wait or are being made.");
    metrics::describe_gauge!("stowage_variant_disk_bytes", metrics::Unit::Bytes, "Disk that variants occupy.");
    Ok(())
}

/// A storage as metrics name it: the public key of its project, and its name.
type Named = (String, String);

/// Tells the metrics how many copies wait and have failed at each storage, until told to stop.
pub(crate) async fn count_copies(records: Records, stop: CancellationToken) {
    let mut known = HashSet::new();
    loop {
        if let Err(error) = tell_copies(&records, &mut known).await {
            warn!(%error, "copies could not be counted");
        }
        if stop.run_until_cancelled(tokio::time::sleep(COUNT_EVERY)).await.is_none() {
            return;
        }
    }
}

/// `known` are the storages of which something was told: of one that is gone, zeros are.
async fn tell_copies(records: &Records, known: &mut HashSet<Named>) -> Result<(), RecordsError> {
    let storages = records.storages().await?;
    if storages.is_empty() && known.is_empty() {
        return Ok(());
    }
    let keys: HashMap<_, _> = records.projects().await?.into_iter().map(|p| (p.id, p.public_key)).collect();
    let counts: HashMap<_, _> = records.copy_counts().await?.into_iter().collect();
    let mut told: HashMap<Named, _> = known.drain().map(|named| (named, CopyCounts::default())).collect();
    for storage in storages {
        let key = keys.get(&storage.project).map(ToString::to_string).unwrap_or_default();
        told.insert((key, storage.name.to_string()), counts.get(&storage.id).copied().unwrap_or_default());
    }
    for ((project, storage), counts) in told {
        let labels = [("project", project.clone()), ("storage", storage.clone())];
        metrics::gauge!("stowage_copies_waiting", &labels).set(counts.waiting as f64);
        metrics::gauge!("stowage_copies_failed", &labels).set(counts.failed as f64);
        known.insert((project, storage));
    }
    Ok(())
}
