//! The queue of copies to custom storages. A copy that was claimed stays due with a lease, like a job: when the lease ends it is due
//! again, so that another process goes on where a dead one has stopped. What was copied leaves the queue; what has failed for good
//! stays, for people to see (`copy_log`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use stowage_model::{FileId, StorageId, Timestamp};
use uuid::Uuid;

use super::engine::{Engine, read, transaction, write};
use super::{Records, RecordsError};

/// The id of a copy that is to be made, a number that is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CopyId(pub i64);

impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be copied where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyTask {
    /// The file.
    pub file: FileId,
    /// The storage.
    pub storage: StorageId,
    /// What was asked for. None of an automatic copy: that is the original, under the pattern of the storage and as public as that
    /// says when the copy is made.
    pub request: Option<CopyRequest>,
}

/// What somebody has asked the REST API for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopyRequest {
    /// Operations of the URL API, empty for the original.
    pub operations: String,
    /// The key; it was answered, so that nothing changes it any more.
    pub key: String,
    /// Whether the copy is public.
    pub make_public: bool,
}

/// A multipart upload that is under way at a storage, so that another process can go on with it or abort it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopyUpload {
    /// The key of the object that it will be.
    pub key: String,
    /// What the storage calls the upload.
    pub upload_id: String,
    /// The length of every part but the last, in bytes.
    pub part_size: u64,
    /// The bucket in which it was begun, which the settings of the storage may no longer name; empty where nobody noted it.
    #[serde(default)]
    pub bucket: String,
    /// The address of the service there, empty for AWS. Means nothing without a bucket.
    #[serde(default)]
    pub endpoint: String,
}

/// A copy that was claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedCopy {
    /// Its id.
    pub id: CopyId,
    /// What is to be done.
    pub task: CopyTask,
    /// What another attempt has begun.
    pub upload: Option<CopyUpload>,
    /// How often it has been begun, this time included; from 1. What happens after it was given up does not count.
    pub attempt: u32,
    /// What proves that the copy is still ours.
    pub lease: Uuid,
    /// Since when it is wanted.
    pub created_at: Timestamp,
    /// Whether it has failed for good, so that nothing is left to do but to abort `upload`.
    pub given_up: bool,
}

/// How an attempt has ended. A copy that was given up keeps its first error, whatever becomes of its upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CopyEnd {
    /// There is nothing left to do: the object is there, or the file is not, or the upload of a copy that was given up is aborted.
    Done,
    /// It is tried again.
    Retry {
        /// When.
        due_at: Timestamp,
        /// What went wrong, in words for people and without secrets.
        error: String,
    },
    /// It has failed for good. Its upload, if there is one, is due to be aborted; if that fails for good as well, it is forgotten.
    Failed {
        /// What went wrong, in words for people and without secrets.
        error: String,
    },
}

#[derive(FromRow)]
struct ClaimRow {
    id: i64,
    storage: i64,
    file: Uuid,
    request: Option<String>,
    upload: Option<String>,
    created_at: i64,
    attempt: i64,
    given_up: bool,
}

impl ClaimRow {
    /// None for what only a later version of this program can have written; it is left to that.
    fn into_claimed(self, lease: Uuid) -> Option<ClaimedCopy> {
        let request = self.request.map(|request| serde_json::from_str(&request)).transpose().ok()?;
        Some(ClaimedCopy {
            id: CopyId(self.id),
            task: CopyTask { file: FileId(self.file), storage: StorageId(self.storage), request },
            // Whatever cannot be read is begun anew.
            upload: self.upload.and_then(|upload| serde_json::from_str(&upload).ok()),
            attempt: u32::try_from(self.attempt).unwrap_or(u32::MAX),
            lease,
            created_at: Timestamp(self.created_at),
            given_up: self.given_up,
        })
    }
}

/// A copy that ends and is still ours.
#[derive(FromRow)]
struct HeldRow {
    id: i64,
    error: Option<String>,
    ended_at: Option<i64>,
    has_upload: bool,
    has_file: bool,
}

/// What becomes of a copy: its id, when it is due, its error, when it ended, and whether it keeps its upload. None deletes it.
type Fate = (i64, Option<i64>, Option<String>, Option<i64>, bool);

fn fate(held: HeldRow, end: &CopyEnd, now: Timestamp) -> Option<Fate> {
    let HeldRow { id, error: first, ended_at, has_upload, has_file } = held;
    match (end, ended_at) {
        (CopyEnd::Done, None) => None,
        // The failure of a copy is forgotten with its file; that has passed this one by for its upload.
        (CopyEnd::Done | CopyEnd::Failed { .. }, Some(_)) if !has_file => None,
        (CopyEnd::Done | CopyEnd::Failed { .. }, Some(_)) => Some((id, None, first, ended_at, false)),
        (CopyEnd::Retry { due_at, .. }, Some(_)) => Some((id, Some(due_at.0), first, ended_at, true)),
        (CopyEnd::Retry { due_at, error }, None) => Some((id, Some(due_at.0), Some(error.clone()), None, true)),
        (CopyEnd::Failed { error }, None) => {
            Some((id, has_upload.then_some(now.0), Some(error.clone()), Some(now.0), true))
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|fault| sqlx::Error::Encode(fault.into()))
}

/// Copies with their leases, as statements take them apart.
fn pairs(held: &[(CopyId, Uuid)]) -> String {
    let pair = |(id, lease): &(CopyId, Uuid)| (id.0, lease.simple().to_string());
    serde_json::json!(held.iter().map(pair).collect::<Vec<_>>()).to_string()
}

impl Records {
    /// Waits until there may be something new to copy for this process; at once if that has happened since the last wait was over.
    pub async fn copy_arrived(&self) {
        self.inner.hooks.copies.notified().await;
    }

    /// Records a copy that somebody has asked for and that the asking process makes itself, claimed by `holder`: nobody else may use
    /// the same. From `lease_until` on it is due for everybody.
    pub async fn begin_copy(
        &self,
        task: &CopyTask,
        lease_until: Timestamp,
        holder: Uuid,
        now: Timestamp,
    ) -> Result<ClaimedCopy, RecordsError> {
        const SQL: &str = "INSERT INTO copies (storage, file, request, created_at, due_at, lease, attempt) \
             VALUES ($1, $2, $3, $4, $5, $6, 1) RETURNING id";
        let request = task.request.as_ref().map(to_json).transpose()?;
        let id = write!(self.engine(), pool => {
            sqlx::query_scalar(SQL)
                .bind(task.storage.0)
                .bind(task.file.0)
                .bind(request)
                .bind(now.0)
                .bind(lease_until.0)
                .bind(holder)
                .fetch_one(pool)
                .await
        })?;
        Ok(ClaimedCopy {
            id: CopyId(id),
            task: task.clone(),
            upload: None,
            attempt: 1,
            lease: holder,
            created_at: now,
            given_up: false,
        })
    }

    /// Up to `limit` storages with copies that are due at `now`, by id, from the one behind `after` on.
    pub async fn due_storages(
        &self,
        now: Timestamp,
        after: StorageId,
        limit: u32,
    ) -> Result<Vec<StorageId>, RecordsError> {
        let ids: Vec<i64> = read!(self.engine(), pool => {
            sqlx::query_scalar(DUE_STORAGES).bind(now.0).bind(after.0).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        Ok(ids.into_iter().map(StorageId).collect())
    }

    /// Claims copies that are due at `now`, those due first, for the time of `lease`: of each storage up to as many as `wanted` says.
    /// `holder` stands for the claim: nobody else may use the same. Several nodes may ask at once: each copy is answered to one of
    /// them.
    pub async fn claim_copies(
        &self,
        wanted: &[(StorageId, u32)],
        now: Timestamp,
        lease: Duration,
        holder: Uuid,
    ) -> Result<Vec<ClaimedCopy>, RecordsError> {
        let sql = claim_sql(self.engine());
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows: Vec<ClaimRow> = Vec::new();
        transaction!(self.engine(), tx => {
            for (storage, limit) in wanted {
                let of_storage: Vec<ClaimRow> = sqlx::query_as(sql)
                    .bind(now.0)
                    .bind(now.plus(lease).0)
                    .bind(holder)
                    .bind(storage.0)
                    .bind(i64::from(*limit))
                    .fetch_all(&mut *tx)
                    .await?;
                rows.extend(of_storage);
            }
            tx.commit().await?;
        });
        Ok(rows.into_iter().filter_map(|row| row.into_claimed(holder)).collect())
    }

    /// Extends the leases of copies, each named by its id and its lease, to `until`. Answers the ids of those that are still ours.
    pub async fn renew_copies(&self, held: &[(CopyId, Uuid)], until: Timestamp) -> Result<Vec<CopyId>, RecordsError> {
        const SQLITE: &str = "UPDATE copies SET due_at = $2 FROM json_each($1) h \
             WHERE copies.id = h.value ->> 0 AND copies.lease = unhex(h.value ->> 1) RETURNING copies.id";
        // Locked in the order in which those lock who end copies or remove their storage.
        const POSTGRES: &str = "WITH held AS MATERIALIZED (SELECT c.id FROM jsonb_array_elements($1::jsonb) AS h \
                 JOIN copies c ON c.id = (h ->> 0)::bigint AND c.lease = (h ->> 1)::uuid \
                 WHERE c.id = ANY (ARRAY(SELECT (h ->> 0)::bigint FROM jsonb_array_elements($1::jsonb) h)) \
                 ORDER BY c.id FOR UPDATE OF c) \
             UPDATE copies c SET due_at = $2 FROM held WHERE c.id = held.id RETURNING c.id";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let ours: Vec<i64> = write!(self.engine(), pool => {
            sqlx::query_scalar(sql).bind(pairs(held)).bind(until.0).fetch_all(pool).await
        })?;
        Ok(ours.into_iter().map(CopyId).collect())
    }

    /// Notes the multipart upload that a copy has under way, or that it has none any more; false, and nothing is noted, if the copy is
    /// no longer ours.
    pub async fn note_copy_upload(
        &self,
        id: CopyId,
        lease: Uuid,
        upload: Option<&CopyUpload>,
    ) -> Result<bool, RecordsError> {
        const SQL: &str = "UPDATE copies SET upload = $3 WHERE id = $1 AND lease = $2";
        let upload = upload.map(to_json).transpose()?;
        let noted = write!(self.engine(), pool => {
            sqlx::query(SQL).bind(id.0).bind(lease).bind(upload).execute(pool).await.map(|done| done.rows_affected())
        })?;
        Ok(noted > 0)
    }

    /// Records how attempts have ended, each named by its id and its lease, in one transaction. Those that are no longer ours are left
    /// alone.
    pub async fn end_copies(&self, ended: &[(CopyId, Uuid, CopyEnd)], now: Timestamp) -> Result<(), RecordsError> {
        let Ends { held, delete, change } = end_sql(self.engine());
        if ended.is_empty() {
            return Ok(());
        }
        let ours: Vec<(CopyId, Uuid)> = ended.iter().map(|(id, lease, _)| (*id, *lease)).collect();
        transaction!(self.engine(), tx => {
            let rows: Vec<HeldRow> = sqlx::query_as(held).bind(pairs(&ours)).fetch_all(&mut *tx).await?;
            let (mut gone, mut changed) = (Vec::new(), Vec::new());
            for row in rows {
                let Some((id, _, end)) = ended.iter().find(|(id, ..)| id.0 == row.id) else { continue };
                match fate(row, end, now) {
                    Some(fate) => changed.push(fate),
                    None => gone.push(*id),
                }
            }
            if !gone.is_empty() {
                sqlx::query(delete).bind(serde_json::json!(gone).to_string()).execute(&mut *tx).await?;
            }
            if !changed.is_empty() {
                sqlx::query(change).bind(serde_json::json!(changed).to_string()).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        Ok(())
    }

    /// Gives copies back that were claimed and not tried, each named by its id and its lease: they are due at `now`, and the attempt
    /// does not count. One that was given up is not due any more once its upload is aborted.
    pub async fn release_copies(&self, held: &[(CopyId, Uuid)], now: Timestamp) -> Result<(), RecordsError> {
        const SQL: &str = "UPDATE copies SET due_at = CASE WHEN ended_at IS NULL OR upload IS NOT NULL THEN $3 END, \
                 lease = NULL, attempt = attempt - CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END \
             WHERE id = $1 AND lease = $2";
        if held.is_empty() {
            return Ok(());
        }
        let mut held = held.to_vec();
        held.sort();
        transaction!(self.engine(), tx => {
            for (id, lease) in held {
                sqlx::query(SQL).bind(id.0).bind(lease).bind(now.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        self.inner.hooks.copies.notify_one();
        Ok(())
    }
}

pub(super) const DUE_STORAGES: &str = "SELECT id FROM storages WHERE id > $2 AND EXISTS (SELECT 1 FROM copies c \
     WHERE c.storage = storages.id AND c.due_at <= $1) ORDER BY id LIMIT $3";

pub(super) fn claim_sql(engine: &Engine) -> &'static str {
    const SQLITE: &str = "UPDATE copies SET due_at = $2, lease = $3, attempt = attempt + (ended_at IS NULL) WHERE id IN ( \
             SELECT id FROM copies WHERE storage = $4 AND due_at <= $1 ORDER BY due_at, id LIMIT $5) \
         RETURNING id, storage, file, request, upload, created_at, attempt, ended_at IS NOT NULL AS given_up";
    const POSTGRES: &str = "WITH due AS MATERIALIZED (SELECT id FROM copies \
             WHERE storage = $4 AND due_at <= $1 ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED) \
         UPDATE copies c SET due_at = $2, lease = $3, attempt = attempt + (ended_at IS NULL)::int FROM due WHERE c.id = due.id \
         RETURNING c.id, storage, file, request, upload, created_at, attempt, ended_at IS NOT NULL AS given_up";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}

/// The statements that end copies.
struct Ends {
    /// Finds those that are still ours and holds them.
    held: &'static str,
    /// Deletes.
    delete: &'static str,
    /// Writes [`Fate`]s.
    change: &'static str,
}

fn end_sql(engine: &Engine) -> Ends {
    const SQLITE: Ends = Ends {
        held: "SELECT c.id, c.error, c.ended_at, c.upload IS NOT NULL AS has_upload, \
                 EXISTS (SELECT 1 FROM files f WHERE f.id = c.file) AS has_file FROM json_each($1) h \
             CROSS JOIN copies c ON c.id = h.value ->> 0 AND c.lease = unhex(h.value ->> 1)",
        delete: "DELETE FROM copies WHERE id IN (SELECT value FROM json_each($1))",
        change: "UPDATE copies SET due_at = f.value ->> 1, error = f.value ->> 2, ended_at = f.value ->> 3, \
                 upload = CASE WHEN f.value ->> 4 THEN upload END, lease = NULL \
             FROM json_each($1) f WHERE copies.id = f.value ->> 0",
    };
    const POSTGRES: Ends = Ends {
        // Locked in the order in which those lock who remove the storage. `ANY` says what the join says already, but Postgres takes
        // what it cannot count for few and looks into the index.
        held: "SELECT c.id, c.error, c.ended_at, c.upload IS NOT NULL AS has_upload, \
                 EXISTS (SELECT 1 FROM files f WHERE f.id = c.file) AS has_file \
             FROM jsonb_array_elements($1::jsonb) h \
             JOIN copies c ON c.id = (h ->> 0)::bigint AND c.lease = (h ->> 1)::uuid \
             WHERE c.id = ANY (ARRAY(SELECT (h ->> 0)::bigint FROM jsonb_array_elements($1::jsonb) h)) \
             ORDER BY c.id FOR UPDATE OF c",
        delete: "DELETE FROM copies \
             WHERE id = ANY (ARRAY(SELECT i::bigint FROM jsonb_array_elements_text($1::jsonb) i))",
        change: "UPDATE copies c SET due_at = (f ->> 1)::bigint, error = f ->> 2, ended_at = (f ->> 3)::bigint, \
                 upload = CASE WHEN (f ->> 4)::boolean THEN upload END, lease = NULL \
             FROM jsonb_array_elements($1::jsonb) f WHERE c.id = (f ->> 0)::bigint \
             AND c.id = ANY (ARRAY(SELECT (f ->> 0)::bigint FROM jsonb_array_elements($1::jsonb) f))",
    };
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}
