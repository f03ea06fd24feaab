//! The records: projects, files, groups, uploads in parts, jobs, and blobs that wait for deletion. One method per question
//! that the product asks; the SQL stands next to the method that asks it, once where both dialects agree and side by side
//! where they differ.
//!
//! Transactions of several nodes lock in one order, so that they cannot block each other: uploads, their parts, jobs,
//! projects, files, counts, tasks, history, webhooks, storages, deliveries, copies.

mod arrivals;
mod backfill;
mod carry;
mod complete;
mod copies;
mod copy_log;
mod deliveries;
mod delivery_log;
mod due;
mod dump;
mod engine;
mod events;
mod files;
mod finish;
mod fresh;
mod groups;
mod holds;
mod hot_tasks;
mod insert;
mod intake;
mod jobs;
mod lay;
mod list;
mod metadata;
#[cfg(test)]
mod plans;
mod plant;
mod projects;
mod remembered;
mod restore;
mod search;
mod secrets;
mod spread;
mod storage;
mod storages;
mod tables;
mod tags;
mod tokens;
mod totals;
mod upkeep;
mod uploads;
mod url_tasks;
mod usage;
mod webhooks;
mod wipe;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sqlx::error::DatabaseError;
use stowage_model::Clock;
use tokio::sync::Notify;

use crate::Durability;
pub use backfill::Backfilled;
pub use complete::CompleteError;
pub use copies::{ClaimedCopy, CopyEnd, CopyId, CopyRequest, CopyTask, CopyUpload};
pub use copy_log::{CopyCounts, FailedCopy};
pub use deliveries::{Attempt, Attempted, ClaimedDelivery, DeliveryId, Next, Sent};
pub use delivery_log::{Delivery, DeliveryFilter, DeliveryState, NotAState, Redelivery};
pub use dump::{Dumped, Numbers};
use engine::Engine;
pub use files::POLLED_FOR;
pub use finish::FinishError;
pub use groups::{GroupEntry, GroupPage};
pub use holds::{NEVER, OpenCopy, OpenJob, SetDue};
pub use intake::AddError;
pub use jobs::Claimed;
pub use list::{Edge, FileFilter, FileOrder, FilePage, Listed};
pub use metadata::MetadataSet;
pub use plant::Planted;
pub use projects::{CreateError, Declared};
pub use restore::{Restore, RestoreError, Rows, content_size};
pub use search::Found;
pub use spread::Spread;
pub use storages::{CreateStorageError, DeclareStoragesError};
pub use tables::{Of, TABLES, Table};
pub use totals::Totals;
pub use usage::Usage;
pub use webhooks::{NewWebhook, WebhookChange, WebhookError};

/// How long another process's change may go unseen by [`Records::hot_file`] and the look-ups of projects.
/// Changes made through this process are seen at once.
pub const HOT_FOR: Duration = Duration::from_secs(1);

/// `[database]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// `sqlite://PATH`, `postgres://…`, or empty for SQLite in the data folder.
    pub url: String,
    /// The most connections to Postgres, or the most readers of SQLite.
    pub max_connections: u32,
    /// Whether pending migrations are applied at start.
    pub migrate: bool,
    /// Postgres only: the schema in which everything is, made where it is missing; none takes what the URL says.
    #[serde(skip)]
    pub schema: Option<String>,
    /// SQLite only: nothing of it needs to survive the machine, so that nobody ever waits for the disk.
    #[serde(skip)]
    pub scratch: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { url: String::new(), max_connections: 4, migrate: true, schema: None, scratch: false }
    }
}

/// The records. Cheap to clone; all clones share connections, caches and the one writer.
#[derive(Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    files: Arc<files::HotFiles>,
    projects: projects::HotProjects,
    storages: storages::HotStorages,
    tasks: Arc<hot_tasks::HotTasks>,
    hooks: Arc<events::HotHooks>,
    intake: intake::Intake,
    changes: storage::Changes,
    /// Whether jobs were enqueued by this process.
    arrived: Notify,
    schema: Option<String>,
}

/// Why the records could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The disk under the database is full.
    #[error("no space left for records")]
    NoSpace,
    /// The database refused or went away.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        if is_full(&error) { Self::NoSpace } else { Self::Database(error) }
    }
}

impl RecordsError {
    /// Whether an id, or something else of which there may be one only, is there already. Nothing was recorded.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Database(error) if error.as_database_error().is_some_and(DatabaseError::is_unique_violation))
    }

    /// The same failure once more, for each of several who share it.
    fn alike(error: &sqlx::Error) -> Self {
        if is_full(error) { Self::NoSpace } else { Self::Database(sqlx::Error::Protocol(error.to_string())) }
    }
}

fn is_full(error: &sqlx::Error) -> bool {
    // SQLITE_FULL, and disk_full of Postgres.
    matches!(error.as_database_error().and_then(DatabaseError::code).as_deref(), Some("13" | "53100"))
}

/// Why the records could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none of the two known kinds.
    #[error("database.url is `{0}`, but it must begin with `sqlite://` or `postgres://`")]
    Url(String),
    /// The database could not be reached or opened.
    #[error("cannot open the records at {at}: {source}. Check database.url and that the database is up and writable.")]
    Connect {
        /// The URL without its password.
        at: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("cannot migrate the records: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Migrations are pending and must not be applied here.
    #[error("the records lack {0} migration(s) and database.migrate is off; run `stowage migrate` first")]
    Pending(usize),
}

impl Records {
    /// Opens the records, and brings them up to date where the options say so.
    pub async fn open(
        options: &Options,
        data_dir: &Path,
        durability: Durability,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let engine = Engine::open(options, data_dir, durability).await?;
        if options.migrate {
            engine.migrate().await?;
        }
        let pending = engine.pending_migrations().await?;
        if pending > 0 {
            return Err(OpenError::Pending(pending));
        }
        let (tasks, hooks) = (Arc::new(hot_tasks::HotTasks::new()), Arc::default());
        let files = Arc::new(files::HotFiles::new());
        let tools = intake::Tools {
            engine: engine.clone(),
            files: Arc::clone(&files),
            tasks: Arc::clone(&tasks),
            hooks: Arc::clone(&hooks),
        };
        let inner = Inner {
            engine: engine.clone(),
            files: Arc::clone(&files),
            projects: projects::HotProjects::default(),
            storages: storages::HotStorages::default(),
            tasks,
            hooks: Arc::clone(&hooks),
            intake: intake::Intake::start(tools, clock),
            changes: storage::Changes::start(engine.clone(), hooks, files),
            arrived: Notify::new(),
            schema: options.schema.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Applies pending migrations and says how many there were.
    pub async fn migrate(options: &Options, data_dir: &Path) -> Result<usize, OpenError> {
        let engine = Engine::open(options, data_dir, Durability::Full).await?;
        let pending = engine.pending_migrations().await?;
        engine.migrate().await?;
        engine.close().await;
        Ok(pending)
    }

    /// Whether the records answer and have every migration that this program knows.
    pub async fn ready(&self) -> Result<bool, RecordsError> {
        match self.inner.engine.pending_migrations().await {
            Ok(pending) => Ok(pending == 0),
            Err(OpenError::Connect { source, .. }) => Err(source.into()),
            Err(other) => Err(RecordsError::Database(sqlx::Error::Configuration(other.to_string().into()))),
        }
    }

    /// Writes what is queued and closes every connection.
    pub async fn close(&self) {
        self.inner.intake.end().await;
        self.inner.changes.end().await;
        self.inner.engine.close().await;
    }

    /// Like [`Records::close`]; the schema of the options goes, with everything in it. The file of SQLite stays.
    pub async fn drop_schema(&self) -> Result<(), RecordsError> {
        self.inner.intake.end().await;
        self.inner.changes.end().await;
        let dropped = match &self.inner.schema {
            Some(schema) => self.inner.engine.drop_schema(schema).await,
            None => Ok(()),
        };
        self.inner.engine.close().await;
        Ok(dropped?)
    }

    /// Drops every schema of the Postgres in the options whose name begins with `prefix`, and says how many there were: what
    /// dead processes have left.
    pub async fn drop_schemas(options: &Options, prefix: &str) -> Result<usize, OpenError> {
        if !options.url.starts_with("postgres") {
            return Ok(0);
        }
        let failed = |source| OpenError::Connect { at: "the schemas of the database".to_owned(), source };
        let options = Options { schema: None, max_connections: 1, ..options.clone() };
        let engine = Engine::open(&options, Path::new(""), Durability::Full).await?;
        let schemas = engine.schemas(prefix).await.map_err(failed)?;
        for schema in &schemas {
            engine.drop_schema(schema).await.map_err(failed)?;
        }
        engine.close().await;
        Ok(schemas.len())
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }
}
