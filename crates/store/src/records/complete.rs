//! Making an upload a file.

use stowage_model::{Cause, FileId, NewFile, ProjectId, Timestamp, Upload};
use tokio::sync::oneshot;

use super::engine::transaction;
use super::events::{self, tell};
use super::insert::{TRIES, free_time, id_is_taken, insert_files, is_taken, leap, lock_times, no_free_time};
use super::intake::{Order, Tools, events_of};
use super::{Records, RecordsError};

/// Why an upload was not completed; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// Somebody else has completed it, or it is expired or gone.
    #[error("the upload is not open")]
    NotOpen,
    /// The parts are no longer those that were looked at.
    #[error("the parts have changed")]
    PartsChanged,
    /// Another file has the id.
    #[error("the id {0} is taken")]
    IdTaken(FileId),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Records {
    /// Makes an open upload the file `file`, in one transaction: it is marked as completed, and its parts are forgotten.
    /// `expect_parts` are the parts that must have arrived, by number and `ETag`, in order: any other means that something
    /// was written since they were looked at. Nothing where the blob store itself knows the parts. `cause` is told to
    /// webhooks. Answers the upload time of the file.
    pub async fn complete_upload(
        &self,
        upload: &Upload,
        file: NewFile,
        expect_parts: Option<Vec<(u32, String)>>,
        cause: Cause,
        now: Timestamp,
    ) -> Result<Timestamp, CompleteError> {
        let (upload, project) = (upload.id, upload.project);
        let order =
            |done| Order::Complete(Box::new(Completion { upload, project, file, expect_parts, cause, now, done }));
        self.inner.intake.ask(order).await
    }
}

pub(super) struct Completion {
    upload: FileId,
    pub(super) project: ProjectId,
    file: NewFile,
    expect_parts: Option<Vec<(u32, String)>>,
    cause: Cause,
    now: Timestamp,
    done: oneshot::Sender<Result<Timestamp, CompleteError>>,
}

impl Completion {
    /// Completes the upload and answers; `time` is the upload time of the file if no other node has taken it.
    pub(super) async fn run(self: Box<Self>, tools: Tools, time: Timestamp) {
        let outcome = self.attempts(&tools, time).await;
        tools.files.changed();
        let _ = self.done.send(outcome);
    }

    async fn attempts(&self, tools: &Tools, time: Timestamp) -> Result<Timestamp, CompleteError> {
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
    ) -> Result<Result<Timestamp, CompleteError>, sqlx::Error> {
        // Waits for whoever is recording a part, or is completing the same upload.
        const CLOSE: &str =
            "UPDATE uploads SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL AND expires_at > $2";
        const PARTS: &str = "SELECT number, etag FROM upload_parts WHERE upload = $1 ORDER BY number";
        const FORGET: &str = "DELETE FROM upload_parts WHERE upload = $1";
        let engine = &tools.engine;
        let wanted = tools.hooks.wanted(engine, self.project).await?;
        transaction!(engine, tx => {
            let closed = sqlx::query(CLOSE).bind(self.upload.0).bind(self.now.0).execute(&mut *tx).await?;
            if closed.rows_affected() == 0 {
                return Ok(Err(CompleteError::NotOpen));
            }
            if let Some(expected) = &self.expect_parts {
                let arrived: Vec<(i64, String)> =
                    sqlx::query_as(PARTS).bind(self.upload.0).fetch_all(&mut *tx).await?;
                let expected = expected.iter().map(|(number, etag)| (i64::from(*number), etag.as_str()));
                if !expected.eq(arrived.iter().map(|(number, etag)| (*number, etag.as_str()))) {
                    return Ok(Err(CompleteError::PartsChanged));
                }
            }
            if carefully {
                lock_times!(engine, tx, self.project)?;
                if id_is_taken!(tx, self.file.id)? {
                    return Ok(Err(CompleteError::IdTaken(self.file.id)));
                }
                time = free_time!(tx, self.project, time)?;
            }
            insert_files!(&[(self.project, &self.file, time)]).execute(&mut *tx).await?;
            sqlx::query(FORGET).bind(self.upload.0).execute(&mut *tx).await?;
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
