//! What the janitor asks: what is due, what nobody needs any more, and which blobs are known.

use std::collections::HashSet;

use stowage_model::{BlobKey, Cause, Event, EventKind, File, FileId, Timestamp};
use uuid::Uuid;

use super::engine::{Engine, json_of, read, transaction, write};
use super::events::{self, AllWanted, tell};
use super::files::{FileRow, columns};
use super::{Records, RecordsError};

/// A temporary file whose time is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expired {
    /// Its id.
    pub id: FileId,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// Its length in bytes.
    pub size: u64,
}

/// A removed file whose bytes are still there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removable {
    /// Its id.
    pub id: FileId,
    /// When it was removed.
    pub removed_at: Timestamp,
    /// Its length in bytes.
    pub size: u64,
}

/// Whether the time of a file is over that nobody has stored, where `$1` is the upload time up to which it is: but not before its copies
/// to custom storages are made or given up, where those that were wanted by `$3` no longer count, tried or not. Whether there are any is not known while something waits to be spread that is as
/// old as the file; a minute makes up for clocks that differ.
macro_rules! expired {
    () => {
        "stored_at IS NULL AND removed_at IS NULL AND uploaded_at <= $1 \
         AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.file = files.id AND c.ended_at IS NULL AND c.created_at > $3) \
         AND NOT (EXISTS (SELECT 1 FROM storages s WHERE s.project = files.project AND s.auto_event IS NOT NULL) \
             AND COALESCE((SELECT e.created_at FROM events e WHERE e.project = files.project ORDER BY e.id LIMIT 1) \
                 < $1 + 60000000, FALSE))"
    };
}

pub(super) const EXPIRED: &str =
    concat!("SELECT id, uploaded_at, size FROM files WHERE ", expired!(), " ORDER BY uploaded_at LIMIT $2");

/// Makes the blobs of these files garbage: a `Result<(), sqlx::Error>`.
macro_rules! discard {
    ($engine:expr, $tx:expr, $ids:expr, $now:expr) => {
        sqlx::query(discard_sql($engine))
            .bind(json_of($ids.iter().map(|id| id.0)))
            .bind($now.0)
            .execute(&mut *$tx)
            .await
            .map(drop)
    };
}

fn discard_sql(engine: &Engine) -> &'static str {
    const SQLITE: &str = "INSERT INTO garbage (blob, since) SELECT blob, $2 FROM files \
         WHERE id IN (SELECT unhex(value) FROM json_each($1)) AND blob IS NOT NULL ON CONFLICT (blob) DO NOTHING";
    const POSTGRES: &str = "INSERT INTO garbage (blob, since) SELECT blob, $2 FROM files \
         WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb))) AND blob IS NOT NULL \
         ON CONFLICT (blob) DO NOTHING";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}

/// What is to be told of files that were removed because their time was over.
fn of_expired(files: Vec<File>, now: Timestamp, cause: &Cause, wanted: &AllWanted) -> Vec<Event> {
    let (kind, mut events) = (EventKind::Deleted, Vec::new());
    for file in files {
        if wanted.get(&file.project).is_some_and(|wanted| wanted.has(kind)) {
            let file = File { removed_at: Some(now), blob: None, ..file };
            events.push(Event { kind, file, cause: cause.clone(), previous_metadata: None });
        }
    }
    events
}

impl Records {
    /// Up to `limit` files that are neither stored nor removed, were uploaded at `cutoff` or before, and of which no copy waits to be made
    /// that is wanted since a time after `copies_since`; oldest first.
    pub async fn expired_files(
        &self,
        cutoff: Timestamp,
        copies_since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Expired>, RecordsError> {
        let rows: Vec<(Uuid, i64, i64)> = read!(self.engine(), pool => {
            sqlx::query_as(EXPIRED).bind(cutoff.0).bind(i64::from(limit)).bind(copies_since.0).fetch_all(pool).await
        })?;
        let expired = |(id, uploaded_at, size)| Expired {
            id: FileId(id),
            uploaded_at: Timestamp(uploaded_at),
            size: u64::try_from(size).unwrap_or(0),
        };
        Ok(rows.into_iter().map(expired).collect())
    }

    /// Marks up to `limit` of the files that [`Records::expired_files`] answers as removed and lets go of their blobs, in one
    /// transaction. Several nodes may ask at once: each file is answered to one of them. `cause` is told to webhooks.
    pub async fn expire_files(
        &self,
        cutoff: Timestamp,
        copies_since: Timestamp,
        now: Timestamp,
        limit: u32,
        cause: &Cause,
    ) -> Result<Vec<FileId>, RecordsError> {
        const DUE_SQLITE: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM files WHERE id IN (SELECT unhex(value) FROM json_each($4)) AND ",
            expired!(),
            " ORDER BY uploaded_at LIMIT $2"
        );
        const DUE_POSTGRES: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM files WHERE ",
            expired!(),
            " ORDER BY uploaded_at LIMIT $2 FOR UPDATE OF files SKIP LOCKED"
        );
        const REMOVE_SQLITE: &str = "UPDATE files SET removed_at = $2, blob = NULL \
             WHERE id IN (SELECT unhex(value) FROM json_each($1))";
        const REMOVE_POSTGRES: &str = "UPDATE files SET removed_at = $2, blob = NULL \
             WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb)))";
        let (sql, remove) = match self.engine() {
            Engine::Sqlite { .. } => (DUE_SQLITE, REMOVE_SQLITE),
            Engine::Postgres(_) => (DUE_POSTGRES, REMOVE_POSTGRES),
        };
        let mut candidates = None;
        if matches!(self.engine(), Engine::Sqlite { .. }) {
            // Looked for by a reader: those that wait for their copies may be many, and others write meanwhile.
            let found = self.expired_files(cutoff, copies_since, limit).await?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            candidates = Some(json_of(found.into_iter().map(|expired| expired.id.0)));
        }
        let wanted = self.inner.hooks.all(self.engine()).await?;
        let ids: Vec<FileId> = transaction!(self.engine(), tx => {
            let mut due = sqlx::query_as(sql).bind(cutoff.0).bind(i64::from(limit)).bind(copies_since.0);
            if let Some(candidates) = candidates {
                due = due.bind(candidates);
            }
            let due: Vec<FileRow> = due.fetch_all(&mut *tx).await?;
            let due: Vec<File> = due.into_iter().map(File::from).collect();
            let ids: Vec<FileId> = due.iter().map(|file| file.id).collect();
            discard!(self.engine(), tx, ids, now)?;
            // In one statement, so that its counts are changed in their order.
            sqlx::query(remove).bind(json_of(ids.iter().map(|id| id.0))).bind(now.0).execute(&mut *tx).await?;
            let told = events::told(&of_expired(due, now, cause, &wanted));
            tell!(tx, told, now)?;
            tx.commit().await?;
            if !told.is_empty() {
                self.inner.hooks.happened();
            }
            ids
        });
        for id in &ids {
            self.inner.files.removed(*id);
        }
        Ok(ids)
    }

    /// Up to `limit` removed files whose bytes are still there and that were removed before `cutoff`, oldest removal first.
    pub async fn removable(&self, cutoff: Timestamp, limit: u32) -> Result<Vec<Removable>, RecordsError> {
        const SQL: &str = "SELECT id, removed_at, size FROM files \
             WHERE removed_at < $1 AND blob IS NOT NULL ORDER BY removed_at LIMIT $2";
        let rows: Vec<(Uuid, i64, i64)> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(cutoff.0).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        let removable = |(id, removed_at, size)| Removable {
            id: FileId(id),
            removed_at: Timestamp(removed_at),
            size: u64::try_from(size).unwrap_or(0),
        };
        Ok(rows.into_iter().map(removable).collect())
    }

    /// Lets go of the blobs of up to `limit` files that were removed before `cutoff`, so that nobody can bring them back any
    /// more. Several nodes may ask at once: each file is answered to one of them.
    pub async fn let_go(&self, cutoff: Timestamp, now: Timestamp, limit: u32) -> Result<Vec<FileId>, RecordsError> {
        const DUE_SQLITE: &str =
            "SELECT id FROM files WHERE removed_at < $1 AND blob IS NOT NULL ORDER BY removed_at LIMIT $2";
        const DUE_POSTGRES: &str = "SELECT id FROM files \
             WHERE removed_at < $1 AND blob IS NOT NULL ORDER BY removed_at LIMIT $2 FOR UPDATE SKIP LOCKED";
        const LET_GO_SQLITE: &str = "UPDATE files SET blob = NULL WHERE id IN (SELECT unhex(value) FROM json_each($1))";
        const LET_GO_POSTGRES: &str = "UPDATE files SET blob = NULL \
             WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb)))";
        let (due, let_go) = match self.engine() {
            Engine::Sqlite { .. } => (DUE_SQLITE, LET_GO_SQLITE),
            Engine::Postgres(_) => (DUE_POSTGRES, LET_GO_POSTGRES),
        };
        let ids: Vec<FileId> = transaction!(self.engine(), tx => {
            let due: Vec<Uuid> =
                sqlx::query_scalar(due).bind(cutoff.0).bind(i64::from(limit)).fetch_all(&mut *tx).await?;
            let ids: Vec<FileId> = due.into_iter().map(FileId).collect();
            discard!(self.engine(), tx, ids, now)?;
            sqlx::query(let_go).bind(json_of(ids.iter().map(|id| id.0))).execute(&mut *tx).await?;
            tx.commit().await?;
            ids
        });
        for id in &ids {
            self.inner.files.removed(*id);
        }
        Ok(ids)
    }

    /// Up to `limit` blobs that wait for deletion, oldest first.
    pub async fn garbage(&self, limit: u32) -> Result<Vec<BlobKey>, RecordsError> {
        const SQL: &str = "SELECT blob FROM garbage ORDER BY since, blob LIMIT $1";
        let blobs: Vec<String> =
            read!(self.engine(), pool => sqlx::query_scalar(SQL).bind(i64::from(limit)).fetch_all(pool).await)?;
        Ok(blobs.into_iter().map(BlobKey).collect())
    }

    /// Forgets blobs that have been deleted.
    pub async fn forget_garbage(&self, blobs: &[BlobKey]) -> Result<(), RecordsError> {
        const SQL: &str = "DELETE FROM garbage WHERE blob = $1";
        transaction!(self.engine(), tx => {
            for blob in blobs {
                sqlx::query(SQL).bind(&blob.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        Ok(())
    }

    /// Deletes up to `limit` records of files that were removed before `cutoff` and whose blobs are gone, what is
    /// remembered of URLs that they were fetched from, and copies of them that have failed; answers how many files there were.
    pub async fn purge_removed(&self, cutoff: Timestamp, limit: u32) -> Result<u64, RecordsError> {
        const FILES_SQLITE: &str = "DELETE FROM files WHERE id IN \
             (SELECT id FROM files WHERE removed_at < $1 AND blob IS NULL ORDER BY removed_at LIMIT $2) RETURNING id";
        // Whoever locks one of these files may be about to lock another one of them.
        const FILES_POSTGRES: &str = "DELETE FROM files WHERE id = ANY (ARRAY(SELECT id FROM files \
             WHERE removed_at < $1 AND blob IS NULL ORDER BY removed_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id";
        // Copies that wait find out themselves.
        const COPIES_SQLITE: &str = "DELETE FROM copies WHERE file IN (SELECT unhex(value) FROM json_each($1)) \
             AND ended_at IS NOT NULL AND upload IS NULL";
        const COPIES_POSTGRES: &str = "DELETE FROM copies WHERE id IN (SELECT id FROM copies \
                 WHERE file = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb))) \
                 AND ended_at IS NOT NULL AND upload IS NULL ORDER BY id FOR UPDATE)";
        const HISTORY_SQLITE: &str = "DELETE FROM url_history WHERE file IN (SELECT unhex(value) FROM json_each($1))";
        const HISTORY_POSTGRES: &str = "DELETE FROM url_history \
             WHERE file = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb)))";
        let (files, traces) = match self.engine() {
            Engine::Sqlite { .. } => (FILES_SQLITE, [HISTORY_SQLITE, COPIES_SQLITE]),
            Engine::Postgres(_) => (FILES_POSTGRES, [HISTORY_POSTGRES, COPIES_POSTGRES]),
        };
        let purged: Vec<Uuid> = transaction!(self.engine(), tx => {
            let purged: Vec<Uuid> =
                sqlx::query_scalar(files).bind(cutoff.0).bind(i64::from(limit)).fetch_all(&mut *tx).await?;
            if !purged.is_empty() {
                for traces in traces {
                    sqlx::query(traces).bind(json_of(purged.iter().copied())).execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
            purged
        });
        self.inner.files.changed();
        Ok(purged.len() as u64)
    }

    /// How many records [`Records::purge_removed`] would delete.
    pub async fn purgeable(&self, cutoff: Timestamp) -> Result<u64, RecordsError> {
        const SQL: &str = "SELECT count(*) FROM files WHERE removed_at < $1 AND blob IS NULL";
        let count: i64 = read!(self.engine(), pool => sqlx::query_scalar(SQL).bind(cutoff.0).fetch_one(pool).await)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Which of these blobs belong to a file or to an upload that is not completed.
    pub async fn known_blobs(&self, blobs: &[BlobKey]) -> Result<HashSet<BlobKey>, RecordsError> {
        // One statement: an upload that becomes a file meanwhile is either still the one or already the other.
        const SQLITE: &str = "SELECT blob FROM files WHERE blob IN (SELECT value FROM json_each($1)) UNION ALL \
             SELECT blob FROM uploads WHERE completed_at IS NULL AND blob IN (SELECT value FROM json_each($1))";
        const POSTGRES: &str = "SELECT blob FROM files WHERE blob IN (SELECT jsonb_array_elements_text($1::jsonb)) \
             UNION ALL SELECT blob FROM uploads \
             WHERE completed_at IS NULL AND blob = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        let keys = serde_json::json!(blobs).to_string();
        // Asked of the writer: a reader of SQLite sees the same, but a node behind must not judge what is an orphan.
        let known: Vec<String> =
            write!(self.engine(), pool => sqlx::query_scalar(sql).bind(keys).fetch_all(pool).await)?;
        Ok(known.into_iter().map(BlobKey).collect())
    }

    /// Every blob that belongs to a file or to an upload that is not completed, and whose key begins with `prefix`, which
    /// must end in an ASCII character.
    pub async fn blobs_with_prefix(&self, prefix: &str) -> Result<Vec<BlobKey>, RecordsError> {
        const SQL: &str = "SELECT blob FROM files WHERE blob >= $1 AND blob < $2 UNION \
             SELECT blob FROM uploads WHERE completed_at IS NULL AND blob >= $1 AND blob < $2 ORDER BY blob";
        let mut end = prefix.to_owned();
        if let Some(last) = end.pop() {
            end.push(char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX));
        }
        let blobs: Vec<String> = write!(self.engine(), pool => {
            sqlx::query_scalar(SQL).bind(prefix).bind(end).fetch_all(pool).await
        })?;
        Ok(blobs.into_iter().map(BlobKey).collect())
    }
}
