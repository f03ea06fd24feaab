//! A file as REST API 0.7 shows it, in webhooks as well. Members stand in the order of the real service.

use serde::Serialize;
use stowage_model::{ContentInfo, File, FileId, Metadata, PublicUrls, Tags, Timestamp};
use utoipa::ToSchema;

use crate::highlight::Highlight;
use crate::rest::{FileUrl, OriginalUrl, UNPROCESSED_TYPE};

/// A file with its facts, its metadata and its tags.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileV07)]
pub struct FileInfo<'a> {
    /// When it was removed; null unless it was.
    #[schema(required)]
    datetime_removed: Option<Timestamp>,
    /// When it became permanent; null while it is temporary and once it is removed.
    #[schema(required)]
    datetime_stored: Option<Timestamp>,
    /// When it was accepted.
    datetime_uploaded: Timestamp,
    /// Whether it is a picture that can be processed; null in the answer that made it by copying.
    #[schema(required)]
    is_image: Option<bool>,
    /// Whether its upload is complete: always.
    is_ready: bool,
    /// The type that its uploader declared, else the detected one.
    mime_type: &'a str,
    /// Where its original is delivered; null once it is removed.
    #[schema(required, value_type = Option<String>, format = "uri")]
    original_file_url: Option<OriginalUrl<'a>>,
    /// Its name as sent.
    original_filename: &'a str,
    /// Bytes; 0 in the answer that made it by copying.
    size: u64,
    /// Its address in the REST API.
    #[schema(value_type = String, format = "uri")]
    url: FileUrl<'a>,
    /// Its id.
    uuid: FileId,
    /// What was converted from it: nothing yet.
    #[schema(required, value_type = Option<Object>)]
    variations: (),
    /// What its content is; null in the answer that made it by copying.
    #[schema(required)]
    content_info: Option<&'a ContentInfo>,
    /// What its uploader attached to it.
    metadata: &'a Metadata,
    /// Its tags.
    tags: &'a Tags,
    /// What add-ons found out, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    appdata: Option<AppData>,
    /// In which of its texts a search has found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    highlight: Option<Highlight>,
}

/// What add-ons found out: nothing yet.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct AppData {}

impl<'a> FileInfo<'a> {
    /// Shows a file.
    pub fn new(file: &'a File, urls: &'a PublicUrls) -> Self {
        Self {
            datetime_removed: file.removed_at,
            datetime_stored: file.stored_at,
            datetime_uploaded: file.uploaded_at,
            is_image: Some(file.is_image),
            is_ready: true,
            mime_type: &file.mime_type,
            original_file_url: OriginalUrl::unless_removed(file, urls),
            original_filename: file.name.original(),
            size: file.size,
            url: FileUrl { id: file.id, urls },
            uuid: file.id,
            variations: (),
            content_info: Some(&file.content),
            metadata: &file.metadata,
            tags: &file.tags,
            appdata: None,
            highlight: None,
        }
    }

    /// Shows what add-ons found out as well.
    #[must_use]
    pub fn with_appdata(self) -> Self {
        Self { appdata: Some(AppData {}), ..self }
    }

    /// Shows as well where a search has found it.
    #[must_use]
    pub fn with_highlight(self, highlight: Option<Highlight>) -> Self {
        Self { highlight, ..self }
    }

    /// Shows the file as the answer does that made it by copying: as if its content were not known yet.
    #[must_use]
    pub fn unprocessed(self) -> Self {
        Self { is_image: None, mime_type: UNPROCESSED_TYPE, size: 0, content_info: None, ..self }
    }
}
