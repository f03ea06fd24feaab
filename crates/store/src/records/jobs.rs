//! The queue of jobs. A claimed job stays in the queue with a lease: it is due again when the lease ends, so that
//! another worker takes over what a dead one has left. Only who has the lease ends the job.

use std::time::Duration;

use sqlx::types::Json;
use stowage_model::{Job, Refusal, Timestamp};
use tracing::{error, warn};
use uuid::Uuid;

use super::engine::{Engine, read, transaction, write};
use super::{Records, RecordsError};

/// A job that was claimed.
#[derive(Clone, PartialEq, Debug)]
pub struct Claimed {
    /// The id of the job.
    pub id: Uuid,
    /// What is to be done.
    pub job: Job,
    /// How often it has been begun, this time included.
    pub attempt: u32,
    /// What proves that the job is still ours.
    pub lease: Uuid,
}

/// Enqueues a job in the transaction of the record that it follows.
macro_rules! enqueue {
    ($tx:expr, $job:expr, $id:expr, $due_at:expr, $now:expr) => {
        sqlx::query($crate::records::jobs::ENQUEUE)
            .bind($id)
            .bind($crate::records::jobs::kind_of($job))
            .bind(sqlx::types::Json($job))
            .bind($due_at.0)
            .bind($now.0)
            .execute(&mut *$tx)
            .await
    };
}

pub(super) use enqueue;

pub(super) const ENQUEUE: &str =
    "INSERT INTO jobs (id, kind, payload, due_at, attempt, created_at) VALUES ($1, $2, $3, $4, 0, $5)";

/// The kind of a job, as the records and its payload name it. The statements that claim jobs name the kinds as well:
/// others are left for nodes of a later version.
pub(super) fn kind_of(job: &Job) -> &'static str {
    match job {
        Job::FromUrl(_) => "from_url",
    }
}

/// Whether there are due jobs of known kinds, and claiming them.
const ANY_DUE: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE due_at <= $1 AND kind IN ('from_url'))";
const CLAIM_SQLITE: &str = "UPDATE jobs SET due_at = $2, lease = $3, attempt = attempt + 1 WHERE id IN ( \
         SELECT id FROM jobs WHERE due_at <= $1 AND kind IN ('from_url') ORDER BY due_at LIMIT $4 \
     ) RETURNING id, CAST(payload AS TEXT), attempt, created_at";
const CLAIM_POSTGRES: &str = "WITH due AS MATERIALIZED ( \
         SELECT id FROM jobs WHERE due_at <= $1 AND kind IN ('from_url') ORDER BY due_at LIMIT $4 \
         FOR UPDATE SKIP LOCKED \
     ) UPDATE jobs SET due_at = $2, lease = $3, attempt = attempt + 1 FROM due WHERE jobs.id = due.id \
     RETURNING jobs.id, CAST(payload AS TEXT), attempt, created_at";

impl Records {
    /// Waits until a job is enqueued by this process; at once if that has happened since the last wait was over.
    pub async fn job_arrived(&self) {
        self.inner.arrived.notified().await;
    }

    /// Claims up to `limit` jobs that are due at `now`, those due first, for the time of `lease`. `holder` stands for the
    /// claim: nobody else may use the same. Several nodes may ask at once: each job is answered to one of them.
    ///
    /// A job that cannot be read is logged and ends as failed.
    pub async fn claim_jobs(
        &self,
        now: Timestamp,
        lease: Duration,
        holder: Uuid,
        limit: u32,
    ) -> Result<Vec<Claimed>, RecordsError> {
        // Asked of a reader: those who find nothing must not keep others from writing.
        let due: bool = read!(self.engine(), pool => sqlx::query_scalar(ANY_DUE).bind(now.0).fetch_one(pool).await)?;
        if !due {
            return Ok(Vec::new());
        }
        let sql = match self.engine() {
            Engine::Sqlite { .. } => CLAIM_SQLITE,
            Engine::Postgres(_) => CLAIM_POSTGRES,
        };
        let mut rows: Vec<(Uuid, String, i64, i64)> = write!(self.engine(), pool => {
            sqlx::query_as(sql)
                .bind(now.0)
                .bind(now.plus(lease).0)
                .bind(holder)
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await
        })?;
        rows.sort_by_key(|(id, _, _, created_at)| (*created_at, *id));
        let mut claimed = Vec::with_capacity(rows.len());
        for (id, payload, attempt, _) in rows {
            match serde_json::from_str(&payload) {
                Ok(job) => {
                    let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
                    claimed.push(Claimed { id, job, attempt, lease: holder });
                }
                Err(cause) => {
                    // Its text may quote a URL with a password in it.
                    error!(job = %id, cause = ?cause.classify(), "a job cannot be read; it ends as failed");
                    self.bury(id, holder, &payload, now).await;
                }
            }
        }
        Ok(claimed)
    }

    /// Ends a job that cannot be read, and the task that waits for it.
    async fn bury(&self, id: Uuid, lease: Uuid, payload: &str, now: Timestamp) {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        let token = payload.get("token").and_then(|token| token.as_str()).and_then(|token| token.parse().ok());
        let refusal = Refusal::DownloadFileTaskFailed;
        let failed = self.fail_task(id, lease, token, &refusal.to_string(), refusal.code(), now).await;
        if let Err(failure) = failed {
            warn!(job = %id, error = %failure, "a job that cannot be read stays until its lease ends");
        }
    }

    /// Extends the leases of `held` jobs, each named by its id and its lease, to `until`, and writes the progress of tasks,
    /// each named by its token: bytes that have arrived, and bytes that will. One transaction. Answers the ids of those jobs
    /// that are still ours; the tasks of others are left alone.
    pub async fn renew_jobs(
        &self,
        held: &[(Uuid, Uuid)],
        until: Timestamp,
        progress: &[(Uuid, u64, Option<u64>)],
    ) -> Result<Vec<Uuid>, RecordsError> {
        // `ANY` says what the joins say already, but Postgres takes what it cannot count for few and looks into the index.
        const RENEW_SQLITE: &str = "UPDATE jobs SET due_at = $2 FROM json_each($1) AS held \
             WHERE jobs.id = unhex(held.value ->> 0) AND jobs.lease = unhex(held.value ->> 1) \
             RETURNING jobs.id, payload ->> 'token'";
        const RENEW_POSTGRES: &str = "UPDATE jobs SET due_at = $2 FROM jsonb_array_elements($1::jsonb) AS held \
             WHERE jobs.id = (held ->> 0)::uuid AND jobs.lease = (held ->> 1)::uuid \
             AND jobs.id = ANY (ARRAY(SELECT (h ->> 0)::uuid FROM jsonb_array_elements($1::jsonb) h)) \
             RETURNING jobs.id, payload ->> 'token'";
        const PROGRESS_SQLITE: &str = "UPDATE url_tasks SET status = 'progress', done = p.value ->> 1, \
             total = p.value ->> 2 FROM json_each($1) AS p \
             WHERE token = unhex(p.value ->> 0) AND status IN ('waiting', 'progress')";
        const PROGRESS_POSTGRES: &str = "UPDATE url_tasks SET status = 'progress', done = (p ->> 1)::bigint, \
             total = (p ->> 2)::bigint FROM jsonb_array_elements($1::jsonb) AS p \
             WHERE token = (p ->> 0)::uuid AND status IN ('waiting', 'progress') \
             AND token = ANY (ARRAY(SELECT (h ->> 0)::uuid FROM jsonb_array_elements($1::jsonb) h))";
        let (renew, report) = match self.engine() {
            Engine::Sqlite { .. } => (RENEW_SQLITE, PROGRESS_SQLITE),
            Engine::Postgres(_) => (RENEW_POSTGRES, PROGRESS_POSTGRES),
        };
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let hex = |id: &Uuid| id.simple().to_string();
        let pairs: Vec<(String, String)> = held.iter().map(|(id, lease)| (hex(id), hex(lease))).collect();
        let ours: Vec<(Uuid, Option<String>)>;
        let mut alive = Vec::new();
        transaction!(self.engine(), tx => {
            ours = sqlx::query_as(renew).bind(Json(&pairs)).bind(until.0).fetch_all(&mut *tx).await?;
            let ours_is = |token: &Uuid| {
                let text = token.hyphenated().to_string();
                ours.iter().any(|(_, of_job)| of_job.as_ref() == Some(&text))
            };
            alive.extend(progress.iter().filter(|(token, ..)| ours_is(token)));
            if !alive.is_empty() {
                let int = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
                let rows: Vec<(String, i64, Option<i64>)> =
                    alive.iter().map(|(token, done, total)| (hex(token), int(*done), total.map(int))).collect();
                sqlx::query(report).bind(Json(&rows)).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        for (token, done, total) in alive {
            self.inner.tasks.progressed(token, done, total);
        }
        Ok(ours.into_iter().map(|(id, _)| id).collect())
    }

    /// Gives a job back before its end: it is due at `due_at`. With `forget_attempt` this attempt does not count. False if
    /// the job was no longer ours.
    pub async fn release_job(
        &self,
        id: Uuid,
        lease: Uuid,
        due_at: Timestamp,
        forget_attempt: bool,
    ) -> Result<bool, RecordsError> {
        const SQL: &str =
            "UPDATE jobs SET due_at = $3, lease = NULL, attempt = attempt - $4 WHERE id = $1 AND lease = $2";
        let released = write!(self.engine(), pool => {
            sqlx::query(SQL)
                .bind(id)
                .bind(lease)
                .bind(due_at.0)
                .bind(i64::from(forget_attempt))
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(released > 0)
    }
}

#[cfg(test)]
mod tests {
    use stowage_model::{Cause, FromUrl, Initiator, Metadata, ProjectId, PublicUrls, Tags};

    use super::*;

    #[test]
    fn every_kind_is_called_alike_everywhere() {
        let fetch = FromUrl {
            token: Uuid::nil(),
            project: ProjectId(1),
            url: "https://example.com/".into(),
            name: None,
            stored: false,
            metadata: Metadata::default(),
            tags: Tags::default(),
            remember: false,
            source: None,
            cause: Cause {
                initiator: Initiator::System,
                urls: PublicUrls { upload: String::new(), rest: String::new(), cdn: String::new() },
            },
        };
        for job in [Job::FromUrl(fetch)] {
            let kind = kind_of(&job);
            assert_eq!(serde_json::to_value(&job).unwrap()["kind"], kind);
            for sql in [ANY_DUE, CLAIM_SQLITE, CLAIM_POSTGRES] {
                assert!(sql.contains(&format!("'{kind}'")), "{kind} is never claimed");
            }
        }
    }
}
