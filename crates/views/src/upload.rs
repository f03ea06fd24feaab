//! The Upload API's file information object (upload-api reference, section "File information object").

use serde::Serialize;
use stowage_model::content::{AudioStream, VideoInfo, VideoStream};
use stowage_model::{ContentInfo, File, FileId, Group, ImageInfo, Member, Metadata, PublicUrls, Timestamp};
use utoipa::ToSchema;

/// A file as `/info/` and the other endpoints of the Upload API show it. Members stand in the order of the real service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadFile, description = "A file as the Upload API shows it.")]
pub struct FileInfo<'a> {
    /// Bytes.
    size: u64,
    /// Bytes, once more.
    total: u64,
    /// Bytes that have arrived: all.
    done: u64,
    uuid: FileId,
    /// The id once more.
    file_id: FileId,
    /// Its name as sent.
    original_filename: &'a str,
    /// Whether it is a picture that can be processed.
    is_image: bool,
    /// Whether it is permanent.
    is_stored: bool,
    #[schema(required)]
    image_info: Option<&'a ImageInfo>,
    #[schema(required)]
    video_info: Option<OldVideoInfo<'a>>,
    content_info: &'a ContentInfo,
    /// Whether its upload is complete: always.
    is_ready: bool,
    /// Its name as it stands in URLs.
    filename: String,
    /// The type that its uploader declared, else the detected one.
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
            video_info: file.content.video.as_ref().and_then(OldVideoInfo::new),
            content_info: &file.content,
            is_ready: true,
            filename: file.name.sanitised(),
            mime_type: &file.mime_type,
            metadata: &file.metadata,
        }
    }
}

/// `video_info`: the facts of a video as they were shown before `content_info`, with the first stream of each kind.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OldVideoInfo<'a> {
    #[schema(required)]
    audio: Option<&'a AudioStream>,
    video: &'a VideoStream,
    format: &'a str,
    #[schema(required)]
    bitrate: Option<u64>,
    #[schema(required)]
    duration: Option<u64>,
}

impl<'a> OldVideoInfo<'a> {
    pub(crate) fn new(info: &'a VideoInfo) -> Option<Self> {
        Some(Self {
            audio: info.audio.first(),
            video: info.video.first()?,
            format: &info.format,
            bitrate: info.bitrate,
            duration: info.duration,
        })
    }
}

/// A file with a member that says what the answer is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadFileInfo)]
pub struct FileInfoAs<'a> {
    /// `file_info`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The file.
    #[serde(flatten)]
    pub info: FileInfo<'a>,
}

/// A group as `/group/` and `/group/info/` show it (upload-api reference, section "Groups").
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadGroup, description = "A group with its files.")]
pub struct GroupInfo<'a> {
    id: String,
    datetime_created: Timestamp,
    /// Deprecated by the vendor, and always null.
    #[schema(required)]
    datetime_stored: Option<Timestamp>,
    files_count: u32,
    /// Where the group is delivered.
    #[schema(format = "uri")]
    cdn_url: String,
    /// Its address in the REST API.
    #[schema(format = "uri")]
    url: String,
    /// Its files in order; null in the place of one that was removed.
    files: Vec<Option<MemberInfo<'a>>>,
}

/// A file of a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadMember)]
struct MemberInfo<'a> {
    #[serde(flatten)]
    info: FileInfo<'a>,
    /// The operations with which it was put in, without the first `-/`; empty for none.
    default_effects: &'a str,
}

impl<'a> GroupInfo<'a> {
    /// Shows a group; a member that `file` does not find was removed, and is null.
    pub fn new(group: &'a Group, urls: &PublicUrls, file: impl Fn(FileId) -> Option<&'a File>) -> Self {
        let id = group.id.to_string();
        let member = |member: &'a Member| {
            let info = FileInfo::new(file(member.file)?);
            Some(MemberInfo { info, default_effects: &member.effects })
        };
        Self {
            datetime_created: group.created_at,
            datetime_stored: None,
            files_count: group.id.count,
            cdn_url: format!("{}/{id}/", urls.cdn),
            url: format!("{}/groups/{id}/", urls.rest),
            files: group.members.iter().map(member).collect(),
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_facts_of_a_video_are_those_of_its_first_streams() {
        let audio = |channels| AudioStream { codec: None, bitrate: None, channels: Some(channels), sample_rate: None };
        let video = |width| VideoStream { codec: None, width, height: 1, bitrate: None, frame_rate: 30.0 };
        let mut info = VideoInfo {
            audio: vec![audio(1), audio(2)],
            video: vec![video(1), video(2)],
            format: "webm".to_owned(),
            bitrate: Some(3),
            duration: Some(4),
        };
        let old = OldVideoInfo::new(&info).unwrap();
        assert_eq!((old.audio, old.video), (Some(&info.audio[0]), &info.video[0]));
        assert_eq!((old.format, old.bitrate, old.duration), ("webm", Some(3), Some(4)));
        info.audio.clear();
        assert_eq!(OldVideoInfo::new(&info).unwrap().audio, None);
    }
}
