//! Changing the metadata of files that are there. The file is locked before its metadata is read, so that changes of
//! different keys, by whichever nodes, lose nothing.

use stowage_model::{Cause, Event, EventKind, File, FileId, Metadata, ProjectId, Timestamp};

use sqlx::types::Json;

use super::engine::{Engine, transaction};
use super::events::{self, tell};
use super::files::{FileRow, columns};
use super::{Records, RecordsError};

/// What became of a key of a file's metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataSet {
    /// It is new.
    Created,
    /// It has another value now.
    Changed,
    /// It had that value already.
    Unchanged,
    /// It was not set: the file has as many keys as it can have.
    TooMany,
}

impl Records {
    /// Sets a key of a file's metadata; key and value must have passed the checks of [`stowage_model::metadata`]. Nothing if
    /// the project has no such file or it is removed. Where something changes, `cause` is told to webhooks.
    pub async fn set_metadata(
        &self,
        project: ProjectId,
        id: FileId,
        key: &str,
        value: &str,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Option<MetadataSet>, RecordsError> {
        let set = |metadata: &Metadata| match metadata.get(key) {
            Some(before) if before == value => (MetadataSet::Unchanged, None),
            before => match metadata.with(key, value) {
                Some(with) if before.is_some() => (MetadataSet::Changed, Some(with)),
                Some(with) => (MetadataSet::Created, Some(with)),
                None => (MetadataSet::TooMany, None),
            },
        };
        self.change_metadata(project, id, set, cause, now).await
    }

    /// Removes a key of a file's metadata; false if there is no such key. Nothing if the project has no such file or it is
    /// removed. Where something changes, `cause` is told to webhooks.
    pub async fn remove_metadata(
        &self,
        project: ProjectId,
        id: FileId,
        key: &str,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Option<bool>, RecordsError> {
        let remove = |metadata: &Metadata| {
            let without = metadata.without(key);
            (without.is_some(), without)
        };
        self.change_metadata(project, id, remove, cause, now).await
    }

    /// Changes the metadata of a file to what `change` makes of it, if it makes anything.
    async fn change_metadata<T: Send>(
        &self,
        project: ProjectId,
        id: FileId,
        change: impl Fn(&Metadata) -> (T, Option<Metadata>) + Send,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Option<T>, RecordsError> {
        const CHANGE: &str = "UPDATE files SET metadata = $2 WHERE id = $1";
        let wanted = self.wanted(project).await?;
        let outcome = transaction!(self.engine(), tx => {
            let row: Option<FileRow> =
                sqlx::query_as(present_sql(self.engine())).bind(id.0).bind(project.0).fetch_optional(&mut *tx).await?;
            let Some(mut file) = row.map(File::from) else { return Ok(None) };
            let (outcome, changed) = change(&file.metadata);
            let Some(metadata) = changed else { return Ok(Some(outcome)) };
            sqlx::query(CHANGE).bind(id.0).bind(Json(&metadata)).execute(&mut *tx).await?;
            let previous = std::mem::replace(&mut file.metadata, metadata);
            let told = if wanted.has(EventKind::InfoUpdated) {
                let (kind, cause) = (EventKind::InfoUpdated, cause.clone());
                events::told(&[Event { kind, file, cause, previous_metadata: Some(previous) }])
            } else {
                Vec::new()
            };
            tell!(tx, told, now)?;
            tx.commit().await?;
            if !told.is_empty() {
                self.inner.hooks.happened();
            }
            outcome
        });
        self.inner.files.forget(id);
        Ok(Some(outcome))
    }
}

/// A file of a project that is not removed, kept from changing until the transaction ends.
pub(super) fn present_sql(engine: &Engine) -> &'static str {
    const SQLITE: &str =
        concat!("SELECT ", columns!(), " FROM files WHERE id = $1 AND project = $2 AND removed_at IS NULL");
    const POSTGRES: &str =
        concat!("SELECT ", columns!(), " FROM files WHERE id = $1 AND project = $2 AND removed_at IS NULL FOR UPDATE");
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}
