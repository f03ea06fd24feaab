//! Copies within a project: a new file of the same bytes, about which everything is known already.

use stowage_model::{Cause, File, Metadata, NewFile, Project, Tags};
use stowage_store::blobs::BlobError;

use super::{Intake, IntakeError};

impl Intake {
    /// Makes a file of the same bytes as `source`, a file of the project, with an id, a life and `metadata` of its own and
    /// without tags, and answers it as recorded. Fails with [`IntakeError::SourceGone`] where the bytes are there no more.
    /// Whether the project takes such files is not asked: it has this one.
    ///
    /// Not to be given up halfway: what is kept by then stays until the janitor finds it. `cause` is told to webhooks.
    pub async fn copy(
        &self,
        project: &Project,
        source: &File,
        stored: bool,
        metadata: Metadata,
        cause: Cause,
    ) -> Result<File, IntakeError> {
        let bytes = source.blob.as_ref().ok_or(IntakeError::SourceGone)?;
        let blob = self.blobs.copy(bytes, source.size).await.map_err(|error| match error {
            BlobError::NotFound => IntakeError::SourceGone,
            other => other.into(),
        })?;
        let file = NewFile {
            id: self.ids.file(),
            blob,
            size: source.size,
            etag: source.etag.clone(),
            name: source.name.clone(),
            mime_type: source.mime_type.clone(),
            is_image: source.is_image,
            content: source.content.clone(),
            stored,
            metadata,
            tags: Tags::default(),
            source: None,
        };
        let times = self.record(project, vec![file.clone()], cause).await?;
        // One file has one time.
        let time = times.first().copied().unwrap_or_else(|| self.clock.now());
        Ok(file.recorded(project.id, time))
    }
}
