//! Changing the tags of files that are there.

use sqlx::types::Json;
use stowage_model::{File, FileId, ProjectId, Refusal, Tags};

use super::engine::transaction;
use super::files::FileRow;
use super::metadata::present_sql;
use super::{Records, RecordsError};

impl Records {
    /// Changes the tags of a file to what `change` makes of them, unless it refuses or makes the same set of them; answers
    /// them before and now. Nothing if the project has no such file or it is removed. Nobody else changes them meanwhile.
    pub async fn change_tags(
        &self,
        project: ProjectId,
        id: FileId,
        change: impl Fn(&Tags) -> Result<Tags, Refusal> + Send,
    ) -> Result<Result<Option<(Tags, Tags)>, Refusal>, RecordsError> {
        const CHANGE: &str = "UPDATE files SET tags = $2 WHERE id = $1";
        let outcome = transaction!(self.engine(), tx => {
            let row: Option<FileRow> =
                sqlx::query_as(present_sql(self.engine())).bind(id.0).bind(project.0).fetch_optional(&mut *tx).await?;
            let Some(file) = row.map(File::from) else { return Ok(Ok(None)) };
            let tags = match change(&file.tags) {
                Ok(tags) => tags,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if tags.same_set(&file.tags) {
                return Ok(Ok(Some((file.tags.clone(), file.tags))));
            }
            sqlx::query(CHANGE).bind(id.0).bind(Json(&tags)).execute(&mut *tx).await?;
            tx.commit().await?;
            (file.tags, tags)
        });
        self.inner.files.forget(id);
        Ok(Ok(Some(outcome)))
    }
}
