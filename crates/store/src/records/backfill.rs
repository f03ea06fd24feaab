//! Copying files that were there before: the queue gets them piece by piece, behind a cursor that the storage keeps, so that whoever
//! breaks it off goes on where it was.

use std::time::Duration;

use serde::Serialize;
use stowage_model::{StorageId, Timestamp};
use uuid::Uuid;

use super::engine::{Engine, json_of, read, transaction, write};
use super::storages::read_settings;
use super::{Records, RecordsError};

/// What a step of a back-fill has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Backfilled {
    /// How many files are new in the queue.
    pub enqueued: u64,
    /// How many files were looked at: those that were in the queue already, too.
    pub looked_at: u64,
    /// Whether no others are left.
    pub done: bool,
}

/// How far the back-fill of a storage is.
struct Progress {
    project: i64,
    backfilled_to: i64,
    settings: String,
    only_stored: bool,
}

/// The cursor stays this far behind the time: a file gets its upload time before its record is there for others to see.
const SETTLED: Duration = Duration::from_secs(60);

/// The files of project `$1` that were uploaded behind `$2` and before `$3`, without temporary ones if `$4`; removed ones never.
macro_rules! files_behind {
    () => {
        " FROM files WHERE project = $1 AND uploaded_at > $2 AND uploaded_at < $3 \
         AND removed_at IS NULL AND (stored_at IS NOT NULL OR NOT $4)"
    };
}

pub(super) const NEXT: &str = concat!("SELECT id, uploaded_at", files_behind!(), " ORDER BY uploaded_at LIMIT $5");

impl Records {
    /// Enqueues the next files of a storage's project, `limit` in a transaction, that were uploaded before `until` and are not removed;
    /// only stored ones where the storage takes no others. The cursor moves in the same transaction, but never into the last
    /// minute before `now`: files of that time are enqueued in one go, and looked at again by whoever asks later.
    pub async fn backfill(
        &self,
        storage: StorageId,
        until: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> Result<Backfilled, RecordsError> {
        const SQLITE: &str = "SELECT id FROM storages WHERE id = $1 AND backfilled_to = $2";
        // It stays there. It can be changed, though: whoever does that may have enqueued some of these files and would wait for us.
        const POSTGRES: &str = "SELECT id FROM storages WHERE id = $1 AND backfilled_to = $2 FOR KEY SHARE";
        const MOVE: &str =
            "UPDATE storages SET backfilled_to = $3 WHERE id = $1 AND backfilled_to = $2 AND settings = $4";
        let (hold, enqueue) = match self.engine() {
            Engine::Sqlite { .. } => (SQLITE, ENQUEUE_SQLITE),
            Engine::Postgres(_) => (POSTGRES, ENQUEUE_POSTGRES),
        };
        let settled = now.minus(SETTLED).0;
        let mut all = Backfilled::default();
        // How far this call is where the cursor may not follow it.
        let mut behind = i64::MIN;
        loop {
            let Some(progress) = self.backfill_progress(storage).await? else {
                return Ok(Backfilled { done: true, ..all });
            };
            // Looked for by a reader: others write meanwhile.
            let files: Vec<(Uuid, i64)> = read!(self.engine(), pool => {
                sqlx::query_as(NEXT)
                    .bind(progress.project)
                    .bind(progress.backfilled_to.max(behind))
                    .bind(until.0)
                    .bind(progress.only_stored)
                    .bind(i64::from(limit))
                    .fetch_all(pool)
                    .await
            })?;
            let looked_at = files.len() as u64;
            all.done = looked_at < u64::from(limit);
            let Some((_, last)) = files.last() else { return Ok(all) };
            let mut ids: Vec<Uuid> = files.iter().map(|(id, _)| *id).collect();
            // In the order in which those who spread what has happened enqueue them.
            ids.sort();
            let enqueued = transaction!(self.engine(), tx => {
                let held: Option<i64> = sqlx::query_scalar(hold)
                    .bind(storage.0)
                    .bind(progress.backfilled_to)
                    .fetch_optional(&mut *tx)
                    .await?;
                if held.is_none() {
                    // Somebody else has taken these files, or the storage away.
                    behind = i64::MIN;
                    continue;
                }
                let made = sqlx::query(enqueue)
                    .bind(json_of(ids))
                    .bind(storage.0)
                    .bind(now.0)
                    .execute(&mut *tx)
                    .await?;
                let moved = sqlx::query(MOVE)
                    .bind(storage.0)
                    .bind(progress.backfilled_to)
                    .bind(progress.backfilled_to.max(settled.min(*last)))
                    .bind(progress.settings)
                    .execute(&mut *tx)
                    .await?;
                if moved.rows_affected() == 0 {
                    // Somebody else has taken these files at the same time, or the storage takes others now.
                    behind = i64::MIN;
                    continue;
                }
                tx.commit().await?;
                made.rows_affected()
            });
            self.inner.hooks.copies.notify_one();
            all.enqueued += enqueued;
            all.looked_at += looked_at;
            if all.done || *last <= settled {
                return Ok(all);
            }
            behind = *last;
        }
    }

    /// How many files the back-fill of a storage would look at: those of the last minute before it was there, too.
    pub async fn backfill_left(&self, storage: StorageId) -> Result<u64, RecordsError> {
        const COUNT: &str = concat!("SELECT count(*)", files_behind!());
        let Some(progress) = self.backfill_progress(storage).await? else { return Ok(0) };
        let count: i64 = read!(self.engine(), pool => {
            sqlx::query_scalar(COUNT)
                .bind(progress.project)
                .bind(progress.backfilled_to)
                .bind(i64::MAX)
                .bind(progress.only_stored)
                .fetch_one(pool)
                .await
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Makes the back-fill of a storage begin anew the next time.
    pub async fn reset_backfill(&self, storage: StorageId) -> Result<(), RecordsError> {
        const SQL: &str = "UPDATE storages SET backfilled_to = 0 WHERE id = $1";
        Ok(write!(self.engine(), pool => sqlx::query(SQL).bind(storage.0).execute(pool).await.map(drop))?)
    }

    async fn backfill_progress(&self, storage: StorageId) -> Result<Option<Progress>, RecordsError> {
        const SQL: &str = "SELECT project, backfilled_to, settings FROM storages WHERE id = $1";
        let row: Option<(i64, i64, String)> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(storage.0).fetch_optional(pool).await)?;
        Ok(row.and_then(|(project, backfilled_to, settings)| {
            let only_stored = read_settings(storage.0, &settings)?.only_stored;
            Some(Progress { project, backfilled_to, settings, only_stored })
        }))
    }
}

const ENQUEUE_SQLITE: &str = "INSERT INTO copies (storage, file, created_at, due_at, attempt) \
     SELECT $2, unhex(value), $3, $3, 0 FROM json_each($1) WHERE TRUE ORDER BY key \
     ON CONFLICT (storage, file) WHERE request IS NULL DO NOTHING";
const ENQUEUE_POSTGRES: &str = "INSERT INTO copies (storage, file, created_at, due_at, attempt) \
     SELECT $2, f.value::uuid, $3, $3, 0 \
     FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS f (value, position) ORDER BY position \
     ON CONFLICT (storage, file) WHERE request IS NULL DO NOTHING";
