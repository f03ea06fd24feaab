//! How many files and groups projects have. Triggers keep the counts, in the transactions in which something changes, so
//! that asking costs the same however many there are.

use stowage_model::ProjectId;

use super::engine::read;
use super::usage::Usage;
use super::{Records, RecordsError};

/// What there is in a project at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Files that are neither stored nor removed.
    pub temporary: Usage,
    /// Files that are stored.
    pub stored: Usage,
    /// Files that are removed and whose records are not purged yet.
    pub removed: Usage,
    /// How many groups there are.
    pub groups: u64,
}

impl Records {
    /// What there is in a project.
    pub async fn totals(&self, project: ProjectId) -> Result<Totals, RecordsError> {
        const SQL: &str = "SELECT state, CAST(sum(items) AS BIGINT), CAST(sum(bytes) AS BIGINT) FROM counts \
             WHERE project = $1 GROUP BY state";
        let rows: Vec<(i16, i64, i64)> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(project.0).fetch_all(pool).await)?;
        let mut totals = Totals::default();
        for (state, items, bytes) in rows {
            let usage = Usage { files: u64::try_from(items).unwrap_or(0), bytes: u64::try_from(bytes).unwrap_or(0) };
            match state {
                0 => totals.temporary = usage,
                1 => totals.stored = usage,
                2 => totals.removed = usage,
                _ => totals.groups = usage.files,
            }
        }
        Ok(totals)
    }
}
