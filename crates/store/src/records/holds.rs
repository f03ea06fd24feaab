//! Work that waits, as doors for tests look at it and hold it: what is held is never due. Production asks none of this.

use std::collections::{HashMap, HashSet};

use sqlx::FromRow;
use stowage_model::{FileId, FromUrl, Job, ProjectId, StorageId, Timestamp, UrlTask};
use uuid::Uuid;

use super::copies::{CopyId, CopyRequest};
use super::deliveries::DeliveryId;
use super::engine::{read, write};
use super::url_tasks::read_tasks;
use super::{Records, RecordsError};

/// When something is due that is held: never.
pub const NEVER: Timestamp = Timestamp(i64::MAX);

/// Whether something is due now at the time that was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetDue {
    /// It is.
    Set,
    /// Somebody has it.
    UnderWay,
    /// There is no such thing, or it has ended.
    Unknown,
}

/// A job that has not ended.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenJob {
    /// Its id in the queue.
    pub id: Uuid,
    /// What is to be done.
    pub task: FromUrl,
    /// How far it is, as clients are told.
    pub status: Option<UrlTask>,
    /// How often it was begun.
    pub attempts: u32,
    /// When it is due, or taken for abandoned if somebody has it.
    pub due_at: Timestamp,
    /// Whether somebody has it.
    pub is_leased: bool,
}

/// A copy that is neither made nor given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenCopy {
    /// Its id.
    pub id: CopyId,
    /// The project of its storage.
    pub project: ProjectId,
    /// The storage.
    pub storage: StorageId,
    /// The file.
    pub file: FileId,
    /// The key, where somebody asked for this copy.
    pub key: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// When it is due, or taken for abandoned if somebody has it.
    pub due_at: Timestamp,
    /// Whether somebody has it.
    pub is_leased: bool,
}

#[derive(FromRow)]
struct JobRow {
    id: Uuid,
    payload: String,
    attempt: i64,
    due_at: i64,
    is_leased: bool,
}

#[derive(FromRow)]
struct CopyRow {
    id: i64,
    project: i64,
    storage: i64,
    file: Uuid,
    request: Option<String>,
    attempt: i64,
    due_at: Option<i64>,
    is_leased: bool,
}

/// Makes something due that nobody has.
macro_rules! set_due {
    ($engine:expr, $set:expr, $is_open:expr, $id:expr, $due_at:expr) => {{
        let changed = write!($engine, pool => {
            sqlx::query($set).bind($id).bind($due_at.0).execute(pool).await.map(|done| done.rows_affected())
        })?;
        let open: i64 = if changed > 0 {
            0
        } else {
            write!($engine, pool => sqlx::query_scalar($is_open).bind($id).fetch_one(pool).await)?
        };
        match (changed, open) {
            (0, 0) => SetDue::Unknown,
            (0, _) => SetDue::UnderWay,
            _ => SetDue::Set,
        }
    }};
}

impl Records {
    /// Up to `limit` jobs that have not ended, oldest first. Those that cannot be read are passed over.
    pub async fn open_jobs(&self, limit: u32) -> Result<Vec<OpenJob>, RecordsError> {
        const SQL: &str = "SELECT id, CAST(payload AS TEXT) AS payload, attempt, due_at, lease IS NOT NULL AS is_leased \
             FROM jobs ORDER BY created_at, id LIMIT $1";
        let rows: Vec<JobRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(pool).await)?;
        let read = |row: JobRow| {
            let Job::FromUrl(task) = serde_json::from_str(&row.payload).ok()?;
            Some(OpenJob {
                id: row.id,
                task,
                status: None,
                attempts: u32::try_from(row.attempt).unwrap_or(u32::MAX),
                due_at: Timestamp(row.due_at),
                is_leased: row.is_leased,
            })
        };
        let mut jobs: Vec<OpenJob> = rows.into_iter().filter_map(read).collect();
        let tokens: Vec<Uuid> = jobs.iter().map(|job| job.task.token).collect();
        let mut tasks: HashMap<Uuid, UrlTask> = read_tasks(self.engine(), &tokens).await?;
        for job in &mut jobs {
            job.status = tasks.remove(&job.task.token);
        }
        Ok(jobs)
    }

    /// Up to `limit` copies that are neither made nor given up, oldest first.
    pub async fn open_copies(&self, limit: u32) -> Result<Vec<OpenCopy>, RecordsError> {
        const SQL: &str = "SELECT c.id, s.project, c.storage, c.file, c.request, c.attempt, c.due_at, \
                 c.lease IS NOT NULL AS is_leased \
             FROM copies c JOIN storages s ON s.id = c.storage WHERE c.ended_at IS NULL ORDER BY c.id LIMIT $1";
        let rows: Vec<CopyRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(pool).await)?;
        let read = |row: CopyRow| OpenCopy {
            id: CopyId(row.id),
            project: ProjectId(row.project),
            storage: StorageId(row.storage),
            file: FileId(row.file),
            key: row.request.and_then(|text| serde_json::from_str::<CopyRequest>(&text).ok()).map(|asked| asked.key),
            attempts: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            due_at: row.due_at.map_or(NEVER, Timestamp),
            is_leased: row.is_leased,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// The deliveries to webhooks that somebody has under way.
    pub async fn leased_deliveries(&self) -> Result<HashSet<DeliveryId>, RecordsError> {
        const SQL: &str = "SELECT id FROM deliveries WHERE outcome IS NULL AND lease IS NOT NULL";
        let ids: Vec<i64> = read!(self.engine(), pool => sqlx::query_scalar(SQL).fetch_all(pool).await)?;
        Ok(ids.into_iter().map(DeliveryId).collect())
    }

    /// Makes a job due at this time, and wakes the runner of this process.
    pub async fn set_job_due(&self, id: Uuid, due_at: Timestamp) -> Result<SetDue, RecordsError> {
        const SET: &str = "UPDATE jobs SET due_at = $2 WHERE id = $1 AND lease IS NULL";
        const IS_OPEN: &str = "SELECT count(*) FROM jobs WHERE id = $1";
        let set = set_due!(self.engine(), SET, IS_OPEN, id, due_at);
        self.inner.arrived.notify_one();
        Ok(set)
    }

    /// Makes a delivery due at this time, and wakes the postman of this process.
    pub async fn set_delivery_due(&self, id: DeliveryId, due_at: Timestamp) -> Result<SetDue, RecordsError> {
        const SET: &str = "UPDATE deliveries SET due_at = $2 WHERE id = $1 AND outcome IS NULL AND lease IS NULL";
        const IS_OPEN: &str = "SELECT count(*) FROM deliveries WHERE id = $1 AND outcome IS NULL";
        let set = set_due!(self.engine(), SET, IS_OPEN, id.0, due_at);
        self.inner.hooks.arrived.notify_one();
        Ok(set)
    }

    /// Makes a copy due at this time, and wakes the carrier of this process.
    pub async fn set_copy_due(&self, id: CopyId, due_at: Timestamp) -> Result<SetDue, RecordsError> {
        const SET: &str = "UPDATE copies SET due_at = $2 WHERE id = $1 AND ended_at IS NULL AND lease IS NULL";
        const IS_OPEN: &str = "SELECT count(*) FROM copies WHERE id = $1 AND ended_at IS NULL";
        let set = set_due!(self.engine(), SET, IS_OPEN, id.0, due_at);
        self.inner.hooks.copies.notify_one();
        Ok(set)
    }

    /// Makes everything due that is held. Who holds it is known to the process alone, so that a new one begins with this.
    pub async fn release_held(&self, now: Timestamp) -> Result<(), RecordsError> {
        for sql in [
            "UPDATE jobs SET due_at = $1 WHERE due_at = $2",
            "UPDATE deliveries SET due_at = $1 WHERE due_at = $2 AND outcome IS NULL",
            "UPDATE copies SET due_at = $1 WHERE due_at = $2",
        ] {
            write!(self.engine(), pool => sqlx::query(sql).bind(now.0).bind(NEVER.0).execute(pool).await.map(drop))?;
        }
        for queue in [&self.inner.arrived, &self.inner.hooks.arrived, &self.inner.hooks.copies] {
            queue.notify_one();
        }
        Ok(())
    }
}
