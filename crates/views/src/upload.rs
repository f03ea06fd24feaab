//! The Upload API's file information object (upload-api reference, section "File information object").

use serde::Serialize;
use stowage_model::{ContentInfo, File, FileId, ImageInfo, Metadata};

/// A file as `/info/` and the other endpoints of the Upload API show it. Members stand in the order of the real service.
#[derive(Debug, Serialize)]
pub struct FileInfo<'a> {
    size: u64,
    total: u64,
    done: u64,
    uuid: FileId,
    file_id: FileId,
    original_filename: &'a str,
    is_image: bool,
    is_stored: bool,
    image_info: Option<&'a ImageInfo>,
    /// Facts of a video; not read yet, and so null for every file.
    video_info: Option<()>,
    content_info: &'a ContentInfo,
    is_ready: bool,
    filename: String,
    mime_type: &'a str,
    metadata: &'a Metadata,
}

impl<'a> FileInfo<'a> {
    /// Shows a file.
    pub fn new(file: &'a File) -> Self {
        Self {
            size: file.size,
            total: file.size,
            done: file.size,
            uuid: file.id,
            file_id: file.id,
            original_filename: file.name.original(),
            is_image: file.is_image,
            is_stored: file.stored_at.is_some(),
            image_info: file.content.image.as_ref(),
            video_info: None,
            content_info: &file.content,
            is_ready: true,
            filename: file.name.sanitised(),
            mime_type: &file.mime_type,
            metadata: &file.metadata,
        }
    }
}
