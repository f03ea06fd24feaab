//! Making what a job has fetched a file.

use stowage_model::{Cause, FileId, FromUrl, NewFile, ProjectId, Timestamp, UrlTask};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::engine::transaction;
use super::events::{self, tell};
use super::insert::{TRIES, free_time, id_is_taken, insert_files, is_taken, leap, lock_times, no_free_time};
use super::intake::{Order, Tools, events_of};
use super::jobs::Claimed;
use super::url_tasks::digest_of;
use super::{Records, RecordsError};

/// Why what was fetched was not recorded; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Another worker has taken the job over, or has ended it.
    #[error("another worker has the job")]
    LeaseLost,
    /// Another file has the id.
    #[error("the id {0} is taken")]
    IdTaken(FileId),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Records {
    /// Ends a job whose task has become `file`, in one transaction, if the job is still ours. Where the task says so,
    /// [`Records::url_history`] finds the file from now on. Answers its upload time.
    pub async fn finish_url_task(
        &self,
        claim: &Claimed,
        task: &FromUrl,
        file: NewFile,
        now: Timestamp,
    ) -> Result<Timestamp, FinishError> {
        let (id, lease, project) = (claim.id, claim.lease, task.project);
        let remember = task.remember.then(|| digest_of(&task.url));
        let (token, cause) = (task.token, task.cause.clone());
        let order =
            |done| Order::Finish(Box::new(Finish { id, lease, token, project, file, remember, cause, now, done }));
        self.inner.intake.ask(order).await
    }
}

pub(super) struct Finish {
    id: Uuid,
    lease: Uuid,
    token: Uuid,
    pub(super) project: ProjectId,
    file: NewFile,
    remember: Option<String>,
    cause: Cause,
    now: Timestamp,
    done: oneshot::Sender<Result<Timestamp, FinishError>>,
}

impl Finish {
    /// Records the file and answers; `time` is its upload time if no other node has taken it.
    pub(super) async fn run(self: Box<Self>, tools: Tools, time: Timestamp) {
        let outcome = self.attempts(&tools, time).await;
        tools.files.changed();
        if outcome.is_ok() {
            tools.tasks.changed(self.token, UrlTask::Success(self.file.id));
        }
        let _ = self.done.send(outcome);
    }

    async fn attempts(&self, tools: &Tools, time: Timestamp) -> Result<Timestamp, FinishError> {
        for attempt in 0..TRIES {
            match self.attempt(tools, leap(time, attempt.saturating_sub(1)), attempt > 0).await {
                Ok(outcome) => return outcome,
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(RecordsError::from(error).into()),
            }
        }
        Err(no_free_time().into())
    }

    /// Tries with this time, or `carefully` with the next one that is free.
    async fn attempt(
        &self,
        tools: &Tools,
        mut time: Timestamp,
        carefully: bool,
    ) -> Result<Result<Timestamp, FinishError>, sqlx::Error> {
        const END: &str = "DELETE FROM jobs WHERE id = $1 AND lease = $2";
        const SUCCEED: &str = "UPDATE url_tasks SET status = 'success', file = $2, finished_at = $3 \
             WHERE token = $1 AND finished_at IS NULL";
        const REMEMBER: &str = "INSERT INTO url_history (project, digest, file, saved_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (project, digest) DO UPDATE SET file = excluded.file, saved_at = excluded.saved_at";
        let engine = &tools.engine;
        let wanted = tools.hooks.wanted(engine, self.project).await?;
        transaction!(engine, tx => {
            let ended = sqlx::query(END).bind(self.id).bind(self.lease).execute(&mut *tx).await?;
            if ended.rows_affected() == 0 {
                return Ok(Err(FinishError::LeaseLost));
            }
            if carefully {
                lock_times!(engine, tx, self.project)?;
                if id_is_taken!(tx, self.file.id)? {
                    return Ok(Err(FinishError::IdTaken(self.file.id)));
                }
                time = free_time!(tx, self.project, time)?;
            }
            insert_files!(&[(self.project, &self.file, time)]).execute(&mut *tx).await?;
            sqlx::query(SUCCEED).bind(self.token).bind(self.file.id.0).bind(self.now.0).execute(&mut *tx).await?;
            if let Some(digest) = &self.remember {
                sqlx::query(REMEMBER)
                    .bind(self.project.0)
                    .bind(digest)
                    .bind(self.file.id.0)
                    .bind(self.now.0)
                    .execute(&mut *tx)
                    .await?;
            }
            let told = events::told(&events_of(self.project, [(&self.file, time)], &self.cause, wanted));
            tell!(tx, told, self.now)?;
            tx.commit().await?;
            if !told.is_empty() {
                tools.hooks.happened();
            }
            Ok(Ok(time))
        })
    }
}
