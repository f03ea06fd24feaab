//! The commands of the executable.

mod announce;
mod dev;
mod ephemeral;
mod project;
mod seed;
mod settings;
mod storage;
mod webhook;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use stowage_janitor::Janitor;
use stowage_model::{Clock, Ids};
use stowage_store::Durability;
use stowage_store::records::Records;
use tokio::signal::unix::{SignalKind, signal};

use announce::{Announce, Announcement};
use ephemeral::Ephemeral;

use crate::config::{Config, Flags};
use crate::run::{self, Role};
use crate::telemetry;

/// An upload server that speaks Uploadcare's APIs.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Line {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Common {
    /// Configuration file; `config/default.toml` in the sources lists all keys [env: `STOWAGE_CONFIG`]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for the database, blobs and temporary files [env: `STOWAGE_DATA_DIR`]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs (the default)
    Serve(Serve),
    /// Work without serving: jobs and the janitor, beside `serve --no-worker`
    Work,
    /// Apply pending migrations to the records
    Migrate,
    /// Check the configuration and show what is in force
    CheckConfig,
    /// Ask the server at the configured address whether it lives; exit status 1 if not
    Healthcheck,
    /// Look for expired files and forgotten blobs once, and delete them
    Janitor {
        /// Say what would be deleted and why, and delete nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Projects in the records
    Project {
        #[command(subcommand)]
        action: project::Action,
    },
    /// Custom S3 storages, and copies to them
    Storage {
        #[command(subcommand)]
        action: storage::Action,
    },
    /// What webhooks are and were told
    Webhook {
        #[command(subcommand)]
        action: webhook::Action,
    },
    /// Lay down many synthetic files for load tests; the server may run meanwhile
    Seed(seed::Wanted),
    /// The doors for tests of a server that runs with `--dev`
    Dev(dev::Dev),
}

#[derive(Args, Default)]
struct Serve {
    /// Address to listen on; port 0 picks a free one [env: `STOWAGE_SERVER__LISTEN`]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Leave jobs and the janitor to `stowage work`
    #[arg(long)]
    no_worker: bool,
    /// Keep everything in a temporary folder that is gone when the server ends
    #[arg(long)]
    ephemeral: bool,
    /// Open the doors for tests under /_dev/ [env: `STOWAGE_DEV__ENABLED`]
    #[arg(long)]
    dev: bool,
    /// How to say that the server is ready
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    announce: Announce,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match run(Line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("stowage: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(line: Line) -> anyhow::Result<()> {
    let mut flags = Flags { file: line.common.config, data_dir: line.common.data_dir, ..Flags::default() };
    let command = line.command.unwrap_or(Command::Serve(Serve::default()));
    if let Command::Serve(serve) = &command {
        flags.listen.clone_from(&serve.listen);
        (flags.ephemeral, flags.dev) = (serve.ephemeral, serve.dev);
    }
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let config = Config::load(&flags, &environment)?;
    if let Command::CheckConfig = command {
        say(&config.summary());
        return Ok(());
    }
    if let Command::Healthcheck = command {
        return healthcheck(&config);
    }
    telemetry::log(&config.log)?;
    // Removed when the last thread of the runtime has ended.
    let mut ephemeral = None;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(line) => {
                let role = if line.no_worker { Role::Serve } else { Role::ServeAndWork };
                Box::pin(serve(config, role, line.announce, line.ephemeral.then_some(&mut ephemeral))).await
            }
            Command::Work => Box::pin(serve(config, Role::Work, Announce::Text, None)).await,
            Command::Migrate => migrate(&config).await,
            Command::Janitor { dry_run } => janitor(&config, dry_run).await,
            Command::Project { action } => project::run(&config, action).await,
            Command::Storage { action } => Box::pin(storage::run(config, action)).await,
            Command::Webhook { action } => webhook::run(&config, action).await,
            Command::Seed(wanted) => Box::pin(seed::run(&config, wanted)).await,
            Command::Dev(dev) => Box::pin(dev::run(&config, dev)).await,
            Command::CheckConfig | Command::Healthcheck => Ok(()),
        }
    })
}

/// Runs until it is told to stop; told twice, it ends at once. `ephemeral` keeps the temporary data folder, where there is to be one.
async fn serve(
    mut config: Config,
    role: Role,
    form: Announce,
    ephemeral: Option<&mut Option<Ephemeral>>,
) -> anyhow::Result<()> {
    raise_file_limit();
    telemetry::metrics(&config.metrics.listen)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let is_ephemeral = ephemeral.is_some();
    if let Some(kept) = ephemeral {
        // After the signals: from here on whoever ends the server gets the folder removed.
        config.data_dir = kept.insert(Ephemeral::make()?).folder().to_owned();
        config.database.scratch = config.durability == Durability::Relaxed;
    }
    // Tests may drive them where the doors for tests are open.
    let (clock, ids) =
        if config.dev.enabled { (Clock::driven(), Ids::driven()) } else { (Clock::machine(), Ids::random()) };
    let running = Box::pin(run::start(config.clone(), role, clock, ids)).await?;
    if let Some(address) = running.address() {
        Announcement::of(&config, is_ephemeral, address).make(form)?;
    }
    if is_ephemeral {
        tokio::task::spawn_blocking(ephemeral::sweep);
    }
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    tracing::info!("stopping: requests under way may finish; a second signal ends them");
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => bail!("ended by a second signal"),
        _ = interrupt.recv() => bail!("ended by a second signal"),
    }
    Ok(())
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    run::make_folder(&config.data_dir)?;
    match Records::migrate(&config.database, &config.data_dir).await? {
        0 => say("the records are up to date"),
        applied => say(&format!("applied {applied} migration(s)")),
    }
    Ok(())
}

async fn janitor(config: &Config, dry_run: bool) -> anyhow::Result<()> {
    let clock = Clock::machine();
    let records = run::open_records(config, &clock).await?;
    let blobs = run::open_blobs(config).await?;
    let (urls, keep) = (run::own_urls(config, None), config.copy.give_up_after);
    let janitor = Janitor::new(records.clone(), blobs, clock, urls, config.janitor.clone(), keep);
    if dry_run {
        let mut count = 0;
        janitor
            .explain(&mut |deletion| {
                count += 1;
                say(&deletion.to_string());
            })
            .await?;
        say(&format!("{count} deletion(s) due; nothing was deleted"));
    } else {
        let mut report = janitor.tidy().await?;
        report.add(janitor.sweep().await?);
        say(&report.to_string());
    }
    records.close().await;
    Ok(())
}

/// Asks `/health` of the configured address.
fn healthcheck(config: &Config) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let listen = &config.server.listen;
    let address: SocketAddr = std::net::ToSocketAddrs::to_socket_addrs(listen)
        .with_context(|| format!("`server.listen` is `{listen}`"))?
        .next()
        .with_context(|| format!("`server.listen` is `{listen}`, which has no address"))?;
    let address = announce::reachable(address);
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("nobody answers at {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { bail!("the server at {address} is not healthy") }
}

/// Every connection and every open blob takes a file descriptor, and the usual soft limit is 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// A bar on stderr, where that is a terminal.
pub(crate) fn bar(what: &str, all: u64) -> ProgressBar {
    let bar = ProgressBar::new(all);
    let template = format!("{{bar:40}} {{pos}} of {{len}} {what}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Prints a line; who closed our output does not want to read it.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
