//! How much projects keep.

use std::ops::Add;

use stowage_model::ProjectId;

use super::{Records, RecordsError};

/// A number of files, and how long they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// How many there are.
    pub files: u64,
    /// The sum of their lengths in bytes.
    pub bytes: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { files: self.files.saturating_add(more.files), bytes: self.bytes.saturating_add(more.bytes) }
    }
}

impl Records {
    /// What a project keeps at present: its files that are not removed.
    pub async fn usage(&self, project: ProjectId) -> Result<Usage, RecordsError> {
        let totals = self.totals(project).await?;
        Ok(totals.temporary + totals.stored)
    }
}
