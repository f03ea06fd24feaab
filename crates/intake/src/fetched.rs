//! Files that a job has fetched: accepted only while the job is still ours.

use stowage_model::{FileId, FromUrl, Project};
use stowage_store::records::{Claimed, FinishError, RecordsError};

use super::{Description, Intake, IntakeError, Received};

/// Why what was fetched did not become a file.
#[derive(Debug, thiserror::Error)]
pub enum FetchedError {
    /// Another worker has taken the job over, and answers for it.
    #[error("another worker has the job")]
    LeaseLost,
    /// It was refused, or could not be kept.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl Intake {
    /// Makes a file of what a job has fetched for `task` and ends the job, in one commit.
    pub async fn accept_fetched(
        &self,
        project: &Project,
        received: Received,
        description: Description,
        claim: &Claimed,
        task: &FromUrl,
    ) -> Result<FileId, FetchedError> {
        self.check(project, &received, description.declared_type.as_deref()).await?;
        let file = self.keep(received, description).await?;
        let (id, blob) = (file.id, file.blob.clone());
        let now = self.clock.now();
        match self.records.finish_url_task(claim, task, file, now).await {
            Ok(_) => Ok(id),
            Err(error) => {
                let certain = !matches!(error, FinishError::Records(RecordsError::Database(_)));
                if certain {
                    self.undo(std::iter::once(blob)).await;
                }
                Err(match error {
                    FinishError::LeaseLost => FetchedError::LeaseLost,
                    FinishError::IdTaken(id) => IntakeError::IdTaken(id).into(),
                    FinishError::Records(RecordsError::NoSpace) => IntakeError::NoSpace.into(),
                    FinishError::Records(other) => IntakeError::Records(other).into(),
                })
            }
        }
    }
}
