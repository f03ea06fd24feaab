//! A file as REST API 0.6 shows it. Members stand in the order of the real service.

use serde::Serialize;
use stowage_model::{File, FileId, ImageInfo, PublicUrls, Timestamp};
use utoipa::ToSchema;

use crate::rest::{FileUrl, OriginalUrl, UNPROCESSED_TYPE};
use crate::upload::OldVideoInfo;

/// A file with the facts of a picture or a video.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileV06)]
pub struct FileInfo<'a> {
    #[schema(required)]
    datetime_removed: Option<Timestamp>,
    #[schema(required)]
    datetime_stored: Option<Timestamp>,
    datetime_uploaded: Timestamp,
    #[schema(required)]
    image_info: Option<&'a ImageInfo>,
    #[schema(required)]
    is_image: Option<bool>,
    is_ready: bool,
    mime_type: &'a str,
    #[schema(required, value_type = Option<String>, format = "uri")]
    original_file_url: Option<OriginalUrl<'a>>,
    original_filename: &'a str,
    size: u64,
    #[schema(value_type = String, format = "uri")]
    url: FileUrl<'a>,
    uuid: FileId,
    /// What was converted from it: nothing yet.
    #[schema(required, value_type = Option<Object>)]
    variations: (),
    #[schema(required)]
    video_info: Option<OldVideoInfo<'a>>,
    /// What was recognised in it: nothing yet, and only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    rekognition_info: Option<()>,
}

impl<'a> FileInfo<'a> {
    /// Shows a file.
    pub fn new(file: &'a File, urls: &'a PublicUrls) -> Self {
        Self {
            datetime_removed: file.removed_at,
            datetime_stored: file.stored_at,
            datetime_uploaded: file.uploaded_at,
            image_info: file.content.image.as_ref(),
            is_image: Some(file.is_image),
            is_ready: true,
            mime_type: &file.mime_type,
            original_file_url: OriginalUrl::unless_removed(file, urls),
            original_filename: file.name.original(),
            size: file.size,
            url: FileUrl { id: file.id, urls },
            uuid: file.id,
            variations: (),
            video_info: file.content.video.as_ref().and_then(OldVideoInfo::new),
            rekognition_info: None,
        }
    }

    /// Shows what was recognised in the picture as well.
    #[must_use]
    pub fn with_rekognition(self) -> Self {
        Self { rekognition_info: Some(()), ..self }
    }

    /// Shows the file as the answer does that made it by copying: as if its content were not known yet.
    #[must_use]
    pub fn unprocessed(self) -> Self {
        Self { image_info: None, is_image: None, mime_type: UNPROCESSED_TYPE, size: 0, video_info: None, ..self }
    }
}
