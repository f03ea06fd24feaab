//! Emptying the records, for tests that want to begin anew: everything, or one project. Whoever does that has them for itself: what
//! others write at the same time is kept or lost. The tasks that write for everybody stand still meanwhile, so that nothing which was
//! handed in before comes after.

use std::fmt::Write;

use sqlx::AssertSqlSafe;
use stowage_model::{FileId, ProjectId, Timestamp};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::engine::{Engine, transaction};
use super::tables::{Of, TABLES};
use super::{Inner, Records, RecordsError};

/// Asks a task to stand still.
pub(super) struct Pause {
    begun: oneshot::Sender<()>,
    over: oneshot::Receiver<()>,
}

/// A task that will stand still: it goes on when this is dropped.
pub(super) struct Paused {
    begun: oneshot::Receiver<()>,
    _over: oneshot::Sender<()>,
}

/// Two ends of one pause.
pub(super) fn pause() -> (Pause, Paused) {
    let ((begun, has_begun), (over, is_over)) = (oneshot::channel(), oneshot::channel());
    (Pause { begun, over: is_over }, Paused { begun: has_begun, _over: over })
}

impl Pause {
    /// Stands still until whoever asked for it is done. Everything that was handed in before must be made by now.
    pub(super) async fn hold(self) {
        if self.begun.send(()).is_ok() {
            // An error says that it was dropped, which is the sign.
            let _ = self.over.await;
        }
    }
}

impl Paused {
    /// Waits until the task stands still.
    pub(super) async fn begun(mut self) -> Result<Self, RecordsError> {
        match (&mut self.begun).await {
            Ok(()) => Ok(self),
            Err(_) => Err(RecordsError::Database(sqlx::Error::WorkerCrashed)),
        }
    }
}

/// The statements that delete every row there is to delete. Rows that go with another one go first, since it costs more to look for
/// them for each of those.
fn wipe_sql(engine: &Engine) -> String {
    let mut sql = String::new();
    for table in TABLES.iter().filter(|table| table.of != Of::House) {
        let _ = write!(sql, "DELETE FROM \"{}\";", table.name);
    }
    if matches!(engine, Engine::Sqlite { .. }) {
        sql.push_str("DELETE FROM sqlite_sequence;");
    }
    sql
}

/// The statement that lets numbers begin with 1 again, where emptying the tables has not done that.
fn renumber_sql() -> String {
    let columns = TABLES.iter().filter_map(|table| Some((table.name, table.numbered?)));
    let calls =
        columns.map(|(table, column)| format!("setval(pg_get_serial_sequence('{table}', '{column}'), 1, FALSE)"));
    format!("SELECT {}", calls.collect::<Vec<_>>().join(", "))
}

/// The statement that deletes what hangs on project `$1` in a table; none where the database does that by itself, or must not.
fn wipe_project_sql(engine: &Engine, table: &str, of: Of) -> Option<String> {
    let project = match (of, engine) {
        (Of::Column(column), _) => column.to_owned(),
        (Of::Json(column), Engine::Sqlite { .. }) => format!("{column} ->> '$.project'"),
        (Of::Json(column), Engine::Postgres(_)) => format!("({column} ->> 'project')::bigint"),
        (Of::Itself | Of::Row(..) | Of::Nobody | Of::House, _) => return None,
    };
    Some(format!("DELETE FROM \"{table}\" WHERE {project} = $1"))
}

impl Records {
    /// Removes every row there is, but not what all nodes sign with, begins to number anew, and forgets what was remembered.
    pub async fn wipe(&self) -> Result<(), RecordsError> {
        let Inner { engine, files, projects, storages, tasks, hooks, intake, changes, arrived: _, schema: _ } =
            &*self.inner;
        let _still = (intake.pause().await?, changes.pause().await?);
        let wiped = wipe_engine(engine).await;
        // Also after a failure: what was committed is not always known.
        files.wipe();
        tasks.wipe();
        projects.forget().await;
        storages.forget().await;
        hooks.forget().await;
        Ok(wiped?)
    }

    /// Removes everything of a project but itself, its storages and webhooks included, and lets go of its blobs; answers the files
    /// that there were. What access tokens have used stays: it is nobody's.
    pub async fn wipe_project(&self, id: ProjectId, now: Timestamp) -> Result<Vec<FileId>, RecordsError> {
        let Inner { engine, files, projects: _, storages, tasks, hooks, intake, changes, arrived: _, schema: _ } =
            &*self.inner;
        let _still = (intake.pause().await?, changes.pause().await?);
        let wiped = wipe_project(engine, id, now).await;
        for file in wiped.iter().flatten() {
            files.removed(*file);
        }
        files.changed();
        tasks.wipe();
        storages.forget().await;
        hooks.forget().await;
        Ok(wiped?)
    }
}

async fn wipe_engine(engine: &Engine) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(wipe_sql(engine));
    transaction!(engine, tx => {
        sqlx::raw_sql(sql).execute(&mut *tx).await?;
        tx.commit().await?;
    });
    if let Engine::Postgres(pool) = engine {
        // Numbers are not part of a transaction: earlier, and a commit that fails would leave numbers that are taken.
        sqlx::raw_sql(AssertSqlSafe(renumber_sql())).execute(pool).await?;
    }
    Ok(())
}

async fn wipe_project(engine: &Engine, id: ProjectId, now: Timestamp) -> Result<Vec<FileId>, sqlx::Error> {
    const FILES: &str = "SELECT id FROM files WHERE project = $1 ORDER BY uploaded_at";
    const DISCARD: &str = "INSERT INTO garbage (blob, since) SELECT blob, $2 FROM files WHERE project = $1 AND blob IS NOT NULL \
         UNION SELECT blob, $2 FROM uploads WHERE project = $1 AND completed_at IS NULL ON CONFLICT (blob) DO NOTHING";
    transaction!(engine, tx => {
        let files: Vec<Uuid> = sqlx::query_scalar(FILES).bind(id.0).fetch_all(&mut *tx).await?;
        sqlx::query(DISCARD).bind(id.0).bind(now.0).execute(&mut *tx).await?;
        for table in &TABLES {
            if let Some(sql) = wipe_project_sql(engine, table.name, table.of) {
                sqlx::query(AssertSqlSafe(sql)).bind(id.0).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(files.into_iter().map(FileId).collect())
    })
}
