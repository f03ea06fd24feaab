//! Files of which more is known than the tests have bytes for: pictures and videos with every fact, and with none.

use stowage_model::content::{AudioStream, GeoLocation, VideoInfo, VideoStream};
use stowage_model::{
    BlobKey, Cause, ContentInfo, FileId, FileName, Ids, ImageInfo, Initiator, Metadata, MimeInfo, NewFile, PublicUrls,
    Tags,
};

use crate::support::Server;

fn picture() -> ImageInfo {
    ImageInfo {
        color_mode: Some("RGB".to_owned()),
        orientation: Some(6),
        format: "JPEG".to_owned(),
        width: 500,
        height: 800,
        sequence: false,
        geo_location: Some(GeoLocation { latitude: 55.6, longitude: 37.1 }),
        datetime_original: Some("2015-07-08T10:48:21".to_owned()),
        dpi: Some([144.0, 144.0]),
    }
}

fn bare_picture() -> ImageInfo {
    ImageInfo {
        color_mode: None,
        orientation: None,
        geo_location: None,
        datetime_original: None,
        dpi: None,
        ..picture()
    }
}

fn film() -> VideoInfo {
    let sound = || AudioStream {
        codec: Some("aac".to_owned()),
        bitrate: Some(94),
        channels: Some(2),
        sample_rate: Some(44_100),
    };
    let video =
        VideoStream { codec: Some("h264".to_owned()), width: 640, height: 480, bitrate: Some(726), frame_rate: 29.97 };
    VideoInfo {
        audio: vec![sound(), AudioStream { codec: None, bitrate: None, channels: None, sample_rate: None }],
        video: vec![video],
        format: "mp4".to_owned(),
        bitrate: Some(864),
        duration: Some(9433),
    }
}

fn silent_film() -> VideoInfo {
    let video = VideoStream { codec: None, width: 640, height: 480, bitrate: None, frame_rate: 30.0 };
    VideoInfo { audio: Vec::new(), video: vec![video], format: "webm".to_owned(), bitrate: None, duration: None }
}

/// Records such files, permanent ones, and answers their ids. Their bytes are nowhere.
pub(crate) async fn add(server: &Server) -> Vec<String> {
    let records = server.records();
    let project = records.project_by_key("demopublickey").await.unwrap().unwrap();
    let ids = Ids::seeded(7);
    let of = |mime: &str, image: Option<ImageInfo>, video: Option<VideoInfo>| NewFile {
        id: FileId(ids.uuid()),
        blob: BlobKey("nowhere".to_owned()),
        size: 1000,
        etag: "0".repeat(32),
        name: FileName::new("thing"),
        mime_type: mime.to_owned(),
        is_image: image.is_some(),
        content: ContentInfo { mime: MimeInfo::new(mime), image, video },
        stored: true,
        metadata: Metadata::from_pairs([("pet", &b"tabby"[..])]).unwrap(),
        tags: Tags::from_list("red").unwrap(),
        source: None,
    };
    let files = vec![
        of("image/jpeg", Some(picture()), None),
        of("image/png", Some(bare_picture()), None),
        of("video/mp4", None, Some(film())),
        of("video/webm", None, Some(silent_film())),
    ];
    let added = files.iter().map(|file| file.id.to_string()).collect();
    let base = server.base.clone();
    let urls = PublicUrls { upload: base.clone(), rest: base.clone(), cdn: base };
    let cause = Cause { initiator: Initiator::Api { request_id: ids.uuid() }, urls };
    records.add_files(project.id, files, cause).await.unwrap();
    added
}
