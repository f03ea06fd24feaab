//! Files that are fetched from URLs: how far that is, and which file a URL became. What polling clients ask is answered
//! in `hot_tasks`, and success is recorded in `finish`.

use std::collections::HashMap;

use sqlx::FromRow;
use stowage_model::{FileId, Job, ProjectId, Timestamp, UrlTask};
use uuid::Uuid;

use super::engine::{Engine, json_of, read, transaction, write};
use super::jobs::{Claimed, enqueue};
use super::{Records, RecordsError};

#[derive(FromRow)]
struct TaskRow {
    token: Uuid,
    status: String,
    done: i64,
    total: Option<i64>,
    file: Option<Uuid>,
    error: Option<String>,
    error_code: Option<String>,
}

impl TaskRow {
    fn into_task(self) -> Result<UrlTask, sqlx::Error> {
        Ok(match (self.status.as_str(), self.file) {
            ("waiting", _) => UrlTask::Waiting,
            ("progress", _) => UrlTask::Progress {
                done: u64::try_from(self.done).unwrap_or(0),
                total: self.total.and_then(|total| u64::try_from(total).ok()),
            },
            ("success", Some(file)) => UrlTask::Success(FileId(file)),
            ("error", _) => {
                UrlTask::Failed { text: self.error.unwrap_or_default(), code: self.error_code.unwrap_or_default() }
            }
            (status, _) => return Err(sqlx::Error::Decode(format!("a task is `{status}`").into())),
        })
    }
}

/// The key of a URL in the history.
pub(super) fn digest_of(url: &str) -> String {
    blake3::hash(url.as_bytes()).to_hex().to_string()
}

/// Reads many tasks with one query; one that cannot be read counts as unknown.
pub(super) async fn read_tasks(engine: &Engine, tokens: &[Uuid]) -> Result<HashMap<Uuid, UrlTask>, sqlx::Error> {
    const SQLITE: &str = "SELECT token, status, done, total, file, error, error_code FROM url_tasks \
         WHERE token IN (SELECT unhex(value) FROM json_each($1))";
    const POSTGRES: &str = "SELECT token, status, done, total, file, error, error_code FROM url_tasks \
         WHERE token = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb)))";
    let sql = match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    };
    let tokens = json_of(tokens.iter().copied());
    let rows: Vec<TaskRow> = read!(engine, pool => sqlx::query_as(sql).bind(tokens).fetch_all(pool).await)?;
    Ok(rows.into_iter().filter_map(|row| Some((row.token, row.into_task().ok()?))).collect())
}

impl Records {
    /// Records that a URL is to be fetched, enqueues the job `id` that does it, and wakes the runner of this process. The
    /// task is due at once.
    pub async fn start_url_task(&self, job: &Job, id: Uuid, now: Timestamp) -> Result<(), RecordsError> {
        const SQL: &str = "INSERT INTO url_tasks (token, project, created_at, status, done) \
             VALUES ($1, $2, $3, 'waiting', 0)";
        let Job::FromUrl(task) = job;
        transaction!(self.engine(), tx => {
            sqlx::query(SQL).bind(task.token).bind(task.project.0).bind(now.0).execute(&mut *tx).await?;
            enqueue!(tx, job, id, now, now)?;
            tx.commit().await?;
        });
        self.inner.tasks.changed(task.token, UrlTask::Waiting);
        self.inner.arrived.notify_one();
        Ok(())
    }

    /// How far a task is, as it is now; none for unknown tokens and those purged.
    pub async fn url_task(&self, token: Uuid) -> Result<Option<UrlTask>, RecordsError> {
        const SQL: &str = "SELECT token, status, done, total, file, error, error_code FROM url_tasks WHERE token = $1";
        let row: Option<TaskRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(token).fetch_optional(pool).await)?;
        Ok(row.map(TaskRow::into_task).transpose()?)
    }

    /// Ends a job and its task, which has failed for good, in one transaction; false, and nothing is changed, if another
    /// worker has taken the job over. `text` and `code` are for users.
    pub async fn fail_url_task(
        &self,
        claim: &Claimed,
        token: Uuid,
        text: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, RecordsError> {
        self.fail_task(claim.id, claim.lease, Some(token), text, code, now).await
    }

    pub(super) async fn fail_task(
        &self,
        id: Uuid,
        lease: Uuid,
        token: Option<Uuid>,
        text: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, RecordsError> {
        const END: &str = "DELETE FROM jobs WHERE id = $1 AND lease = $2";
        const FAIL: &str = "UPDATE url_tasks SET status = 'error', error = $2, error_code = $3, finished_at = $4 \
             WHERE token = $1 AND finished_at IS NULL";
        transaction!(self.engine(), tx => {
            let ended = sqlx::query(END).bind(id).bind(lease).execute(&mut *tx).await?;
            if ended.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(FAIL).bind(token).bind(text).bind(code).bind(now.0).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        if let Some(token) = token {
            self.inner.tasks.changed(token, UrlTask::Failed { text: text.to_owned(), code: code.to_owned() });
        }
        Ok(true)
    }

    /// The file that was fetched from this URL last, if it was to be remembered and is still there.
    pub async fn url_history(&self, project: ProjectId, url: &str) -> Result<Option<FileId>, RecordsError> {
        const SQL: &str = "SELECT f.id FROM url_history h JOIN files f ON f.id = h.file \
             WHERE h.project = $1 AND h.digest = $2 AND f.project = $1 AND f.removed_at IS NULL";
        let file: Option<Uuid> = read!(self.engine(), pool => {
            sqlx::query_scalar(SQL).bind(project.0).bind(digest_of(url)).fetch_optional(pool).await
        })?;
        Ok(file.map(FileId))
    }

    /// Remembers that this URL has become this file, in the place of an earlier one.
    pub async fn remember_url(
        &self,
        project: ProjectId,
        url: &str,
        file: FileId,
        now: Timestamp,
    ) -> Result<(), RecordsError> {
        const SQL: &str = "INSERT INTO url_history (project, digest, file, saved_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (project, digest) DO UPDATE SET file = excluded.file, saved_at = excluded.saved_at";
        let digest = digest_of(url);
        Ok(write!(self.engine(), pool => {
            sqlx::query(SQL).bind(project.0).bind(&digest).bind(file.0).bind(now.0).execute(pool).await.map(drop)
        })?)
    }

    /// Deletes up to `limit` tasks that ended before `cutoff`; answers how many.
    pub async fn purge_url_tasks(&self, cutoff: Timestamp, limit: u32) -> Result<u64, RecordsError> {
        const SQL: &str = "DELETE FROM url_tasks WHERE token IN \
             (SELECT token FROM url_tasks WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
        Ok(write!(self.engine(), pool => {
            sqlx::query(SQL).bind(cutoff.0).bind(i64::from(limit)).execute(pool).await.map(|done| done.rows_affected())
        })?)
    }
}
