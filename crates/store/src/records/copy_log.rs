//! How many copies wait, and those that have failed for good.

use serde::Serialize;
use sqlx::FromRow;
use stowage_model::{FileId, StorageId, Timestamp};
use uuid::Uuid;

use super::copies::{CopyId, CopyRequest};
use super::engine::{Engine, read, write};
use super::{Records, RecordsError};

/// How many copies of a storage are in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CopyCounts {
    /// Those that are to be made, also if they are under way.
    pub waiting: u64,
    /// Those that have failed for good.
    pub failed: u64,
}

/// A copy that has failed for good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FailedCopy {
    /// Its id.
    pub id: CopyId,
    /// The file.
    pub file: FileId,
    /// The key that was asked for; none of an automatic copy.
    pub key: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it was wanted.
    pub created_at: Timestamp,
    /// When it was given up.
    pub ended_at: Timestamp,
    /// Why.
    pub error: String,
}

#[derive(FromRow)]
struct FailedRow {
    id: i64,
    file: Uuid,
    request: Option<String>,
    attempt: i64,
    created_at: i64,
    ended_at: i64,
    error: Option<String>,
}

impl From<FailedRow> for FailedCopy {
    fn from(row: FailedRow) -> Self {
        let request: Option<CopyRequest> = row.request.and_then(|request| serde_json::from_str(&request).ok());
        Self {
            id: CopyId(row.id),
            file: FileId(row.file),
            key: request.map(|request| request.key),
            attempts: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            created_at: Timestamp(row.created_at),
            ended_at: Timestamp(row.ended_at),
            error: row.error.unwrap_or_default(),
        }
    }
}

/// All copies of each storage, and those that have failed: both from an index alone.
pub(super) const COUNTS: &str = "SELECT id, (SELECT count(*) FROM copies c WHERE c.storage = s.id), \
     (SELECT count(*) FROM copies c WHERE c.storage = s.id AND c.ended_at IS NOT NULL) FROM storages s ORDER BY id";

impl Records {
    /// How many copies there are in the queue of each storage, by its id.
    pub async fn copy_counts(&self) -> Result<Vec<(StorageId, CopyCounts)>, RecordsError> {
        let rows: Vec<(i64, i64, i64)> = read!(self.engine(), pool => sqlx::query_as(COUNTS).fetch_all(pool).await)?;
        let counts = |(id, all, failed): (i64, i64, i64)| {
            let number = |count: i64| u64::try_from(count).unwrap_or(0);
            (StorageId(id), CopyCounts { waiting: number(all - failed), failed: number(failed) })
        };
        Ok(rows.into_iter().map(counts).collect())
    }

    /// Up to `limit` copies to a storage that have failed for good, by id, from the one behind `after` on.
    pub async fn failed_copies(
        &self,
        storage: StorageId,
        after: CopyId,
        limit: u32,
    ) -> Result<Vec<FailedCopy>, RecordsError> {
        const SQL: &str = "SELECT id, file, request, attempt, created_at, ended_at, error FROM copies \
             WHERE storage = $1 AND ended_at IS NOT NULL AND id > $2 ORDER BY id LIMIT $3";
        let rows: Vec<FailedRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(storage.0).bind(after.0).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(FailedCopy::from).collect())
    }

    /// Makes all copies to a storage that have failed for good due at `now`, as if they had been wanted only now; answers how many.
    pub async fn retry_copies(&self, storage: StorageId, now: Timestamp) -> Result<u64, RecordsError> {
        const SQLITE: &str = "UPDATE copies SET ended_at = NULL, created_at = $2, due_at = $2, lease = NULL, attempt = 0 \
             WHERE storage = $1 AND ended_at IS NOT NULL";
        // Locked in the order of their ids, as by those who end copies.
        const POSTGRES: &str = "WITH failed AS MATERIALIZED (SELECT id FROM copies \
                 WHERE storage = $1 AND ended_at IS NOT NULL ORDER BY id FOR UPDATE) \
             UPDATE copies c SET ended_at = NULL, created_at = $2, due_at = $2, lease = NULL, attempt = 0 \
             FROM failed WHERE c.id = failed.id";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        let retried = write!(self.engine(), pool => {
            sqlx::query(sql).bind(storage.0).bind(now.0).execute(pool).await.map(|done| done.rows_affected())
        })?;
        self.inner.hooks.copies.notify_one();
        Ok(retried)
    }
}
