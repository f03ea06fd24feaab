//! Files that are put into a project as if they had been uploaded at a time of somebody's choice: the seeds of tests. What they are is
//! found out as for any file; whether the project takes such files is not asked.

use futures_util::future::join_all;
use stowage_model::{Cause, File, Project, Timestamp};
use stowage_store::records::{AddError, Planted, RecordsError};

use super::{Description, Intake, IntakeError, Received};

/// How many blobs are kept at the same time: they share waits for the disk.
const TOGETHER: usize = 32;

/// A file that is put into a project.
pub struct Seedling {
    /// Its bytes.
    pub received: Received,
    /// What else is known of it.
    pub description: Description,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When it became permanent, if it is; none means when it was uploaded.
    pub stored_at: Option<Timestamp>,
}

impl Intake {
    /// Makes files with given times, all or none, and answers them as recorded, in the same order; a time that is taken moves on by a
    /// microsecond. `cause` is told to webhooks; without it nobody is told.
    ///
    /// Not to be given up halfway: what is kept by then stays until the janitor finds it.
    pub async fn plant(
        &self,
        project: &Project,
        seedlings: Vec<Seedling>,
        cause: Option<&Cause>,
    ) -> Result<Vec<File>, IntakeError> {
        let mut planted = Vec::with_capacity(seedlings.len());
        let mut seedlings = seedlings.into_iter();
        loop {
            let some: Vec<Seedling> = seedlings.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                break;
            }
            let kept = some.into_iter().map(async |seedling| {
                let Seedling { received, description, uploaded_at, stored_at } = seedling;
                Ok(Planted { file: self.keep(received, description).await?, uploaded_at, stored_at })
            });
            let mut failure = None;
            for kept in join_all(kept).await {
                match kept {
                    Ok(kept) => planted.push(kept),
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                self.undo(planted.into_iter().map(|planted| planted.file.blob)).await;
                return Err(error);
            }
        }
        match self.records.plant_files(project.id, &planted, cause, self.clock.now()).await {
            Ok(files) => Ok(files),
            Err(error) => {
                // As for uploads: a database that went away may have committed all the same.
                if matches!(error, AddError::IdTaken(_) | AddError::Records(RecordsError::NoSpace)) {
                    self.undo(planted.into_iter().map(|planted| planted.file.blob)).await;
                }
                Err(error.into())
            }
        }
    }
}
