//! Logs to stderr, and metrics on a listener of their own.

use std::net::SocketAddr;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts to log; once per process.
pub(crate) fn log(config: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.level).with_context(|| {
        format!("`log.level` is `{}`; it takes words like `info` or `warn,stowage_api=debug`", config.level)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
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
    metrics::describe_gauge!("stowage_variants_waiting", "Variants that wait or are being made.");
    metrics::describe_gauge!("stowage_variant_disk_bytes", metrics::Unit::Bytes, "Disk that variants occupy.");
    Ok(())
}
