//! `stowage dev …`: one command for each door under `/_dev/` of a server that runs with `--dev`. What the door answers is printed as it
//! came, indented.

mod client;
mod folder;
mod request;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::body::Body;
use clap::{Args, Subcommand};
use http::Method;

use super::{announce, say};
use crate::config::{Config, DEV_SERVER, DEV_SESSION};
use client::{Client, Server};

#[derive(Args)]
pub(super) struct Dev {
    /// The server, like `http://127.0.0.1:8080`; the configured address where none is given
    #[arg(long, global = true, value_name = "URL", env = DEV_SERVER, hide_env_values = true)]
    server: Option<Server>,
    /// The session that it is about
    #[arg(long, global = true, value_name = "NAME", env = DEV_SESSION, hide_env_values = true)]
    session: Option<String>,
    #[command(subcommand)]
    door: Door,
}

#[derive(Subcommand)]
enum Door {
    /// Everything as it was after the start
    Reset {
        /// Only the content of the project with this public key
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
    },
    /// Make what the manifest in a folder says: files, groups, webhooks, storages, projects
    Seed {
        folder: PathBuf,
        /// Tell webhooks of it
        #[arg(long)]
        events: bool,
    },
    /// The whole state as one archive
    Snapshot {
        #[command(subcommand)]
        action: Snapshot,
    },
    /// The server's clock: show it, or
    Clock {
        #[command(subcommand)]
        action: Option<Clock>,
    },
    /// New ids: show where they come from, or
    Ids {
        #[command(subcommand)]
        action: Option<Ids>,
    },
    /// Faults of requests and webhooks: list them, or
    Faults {
        #[command(subcommand)]
        action: Option<Faults>,
    },
    /// Jobs: list the open ones, or
    Jobs {
        #[command(subcommand)]
        action: Option<Jobs>,
    },
    /// The last requests: list them, or
    Journal {
        #[command(flatten)]
        filter: Filter,
        #[command(subcommand)]
        action: Option<Journal>,
    },
    /// What webhooks were told: list it, or
    Webhooks {
        #[command(flatten)]
        filter: Told,
        #[command(subcommand)]
        action: Option<Webhooks>,
    },
    /// Sessions: list them, or
    Sessions {
        #[command(subcommand)]
        action: Option<Sessions>,
    },
}

#[derive(Subcommand)]
enum Snapshot {
    /// Write it to a file, or to the standard output (`-`)
    Export { file: PathBuf },
    /// Replace the state by that of a file, or of the standard input (`-`)
    Import { file: PathBuf },
}

#[derive(Subcommand)]
enum Clock {
    /// Stop it, now or at a time like `2030-01-02T03:04:05Z`
    Freeze { time: Option<String> },
    /// Set it to a time; what is due meanwhile does not happen
    Set { time: String },
    /// Let a time like `24h` pass; what is due meanwhile happens
    Advance { duration: String },
    /// Let it go with the machine's again
    Release,
}

#[derive(Subcommand)]
enum Ids {
    /// Draw them from a seed, so that they repeat
    Seed { number: u64 },
    /// The id of the next upload
    Pin { uuid: String },
    /// Random ones again
    Release,
}

#[derive(Subcommand)]
enum Faults {
    /// Add a rule, or a list of them: JSON, or a file of it (`@FILE`)
    Add { rule: String },
    /// Remove a rule
    Remove { id: String },
    /// Remove all rules
    Clear,
}

#[derive(Subcommand)]
enum Jobs {
    /// Hold jobs that fit a rule: JSON, or a file of it (`@FILE`)
    Hold { rule: String },
    /// List the holds
    Holds,
    /// Remove a hold and let go what it holds; all of them where no id is given
    Unhold { id: Option<String> },
    /// Let a held job go one step on
    Step { id: String },
    /// Let a held job go
    Release { id: String },
    /// Let a job succeed, with this file where it makes one
    Succeed { id: String, file: Option<PathBuf> },
    /// Let a job fail
    Fail {
        id: String,
        /// The code of the error, like `DownloadFileHTTPClientError`
        code: String,
        /// The text of the error; the usual one where none is given
        #[arg(long)]
        text: Option<String>,
    },
}

/// Which requests.
#[derive(Args)]
struct Filter {
    /// `upload`, `rest` or `cdn`
    #[arg(long, global = true)]
    api: Option<String>,
    /// A route, like `/base/`
    #[arg(long, global = true)]
    route: Option<String>,
    #[arg(long, global = true, help = "A method, like `POST`")]
    method: Option<String>,
    /// A status, like `200`
    #[arg(long, global = true)]
    status: Option<String>,
    /// The public key of a project
    #[arg(long, global = true, value_name = "KEY")]
    project: Option<String>,
    /// The id of a fault that was met
    #[arg(long, global = true, value_name = "ID")]
    fault: Option<String>,
    /// A text in the path
    #[arg(long, global = true, value_name = "TEXT")]
    path: Option<String>,
    /// A text in the body
    #[arg(long, global = true, value_name = "TEXT")]
    body: Option<String>,
    /// The number of a request; those after it
    #[arg(long, global = true, value_name = "N")]
    since: Option<u64>,
    /// The most that are listed
    #[arg(long, global = true, value_name = "N")]
    limit: Option<u32>,
}

/// What is told of webhooks.
#[derive(Args)]
struct Told {
    /// The public key of a project
    #[arg(long, global = true, value_name = "KEY")]
    project: Option<String>,
    /// An event, like `file.uploaded`
    #[arg(long, global = true)]
    event: Option<String>,
    /// `pending`, `delivered`, `failed` or `dropped`; not of what was captured
    #[arg(long, global = true)]
    state: Option<String>,
    /// A text in the address; not of what was captured
    #[arg(long, global = true, value_name = "TEXT")]
    target: Option<String>,
    #[command(flatten)]
    patience: Patience,
}

/// For how many something waits, and for how long.
#[derive(Args)]
struct Patience {
    /// Wait until there are so many
    #[arg(long, global = true, value_name = "N")]
    at_least: Option<u32>,
    /// For how long, like `5s`
    #[arg(long, global = true, value_name = "DURATION")]
    wait: Option<String>,
}

impl Filter {
    fn query(self) -> Vec<(&'static str, String)> {
        let Self { api, route, method, status, project, fault, path, body, since, limit } = self;
        some([("api", api), ("route", route), ("method", method), ("status", status), ("project", project)])
            .chain(some([("fault", fault), ("path", path), ("body", body)]))
            .chain(some([("since", since.map(|n| n.to_string())), ("limit", limit.map(|n| n.to_string()))]))
            .collect()
    }
}

impl Told {
    fn query(self) -> Vec<(&'static str, String)> {
        let Self { project, event, state, target, patience } = self;
        some([("project", project), ("event", event), ("state", state), ("target", target)])
            .chain(patience.query())
            .collect()
    }
}

impl Patience {
    fn query(self) -> impl Iterator<Item = (&'static str, String)> {
        let Self { at_least, wait } = self;
        some([("at_least", at_least.map(|n| n.to_string())), ("wait", wait)])
    }
}

/// Those parameters that were given.
fn some<const N: usize>(
    parameters: [(&'static str, Option<String>); N],
) -> impl Iterator<Item = (&'static str, String)> {
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

#[derive(Subcommand)]
enum Journal {
    /// Count them
    Count {
        #[command(flatten)]
        patience: Patience,
    },
    /// Forget all of them
    Clear,
    /// One of them, with its bodies
    Show { id: String },
}

#[derive(Subcommand)]
enum Webhooks {
    /// Deliver something once more
    Redeliver { id: String },
    /// What the built-in address has received, or that of this name
    Captured { name: Option<String> },
    /// Forget what it has received
    Clear,
}

#[derive(Subcommand)]
enum Sessions {
    /// End a session
    Remove { name: String },
}

pub(super) async fn run(config: &Config, dev: Dev) -> anyhow::Result<()> {
    let server = match dev.server {
        Some(server) => server,
        None => configured(&config.server.listen)?,
    };
    let client = Client { server, session: dev.session };
    let request = match dev.door {
        Door::Snapshot { action: Snapshot::Export { file } } => return export(&client, &file).await,
        door => request::of(door).await?,
    };
    let path = request.path();
    let answer = client.send(request.method, &path, &request.kind, request.body).await?.whole().await?;
    if !answer.is_empty() {
        say(&text::indented(&answer));
    }
    Ok(())
}

/// The server that runs with this configuration.
fn configured(listen: &str) -> anyhow::Result<Server> {
    let reachable = match listen.parse() {
        Ok(address) => announce::reachable(address).to_string(),
        Err(_) => listen.to_owned(),
    };
    let server: Server = format!("http://{reachable}").parse().map_err(anyhow::Error::msg)?;
    if server.port == 0 {
        bail!("`server.listen` takes any free port: name the server with --server or {DEV_SERVER}");
    }
    Ok(server)
}

async fn export(client: &Client, file: &Path) -> anyhow::Result<()> {
    let answer = client.send(Method::GET, "/_dev/snapshot", "", Body::empty()).await?;
    if file == Path::new("-") {
        return answer.copy(&mut tokio::io::stdout()).await.context("cannot write the snapshot");
    }
    let failed = || format!("cannot write {}", file.display());
    let mut target = tokio::fs::File::create(file).await.with_context(failed)?;
    let copied = answer.copy(&mut target).await;
    if copied.is_err() {
        // Half an archive is none.
        let _ = tokio::fs::remove_file(file).await;
    }
    copied.with_context(failed)
}
