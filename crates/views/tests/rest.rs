//! Every version's members in the order of the real service.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::Serialize;
use stowage_model::content::{ContentInfo, ImageInfo, MimeInfo, VideoInfo, VideoStream};
use stowage_model::{
    BlobKey, EventKind, File, FileId, FileName, Group, GroupId, HookVersion, Member, Metadata, ProjectId, PublicUrls,
    Tags, Timestamp, Webhook, WebhookId,
};
use stowage_views::rest::{Batch, Copied, FileInfo, GroupInfo, OriginalUrl, Page, Totals, WebhookInfo};

const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
const VERSIONS: [HookVersion; 3] = [HookVersion::V05, HookVersion::V06, HookVersion::V07];

fn urls() -> PublicUrls {
    PublicUrls { upload: "http://u".into(), rest: "http://r".into(), cdn: "http://c".into() }
}

fn file() -> File {
    let image = ImageInfo {
        color_mode: Some("RGB".into()),
        orientation: None,
        format: "PNG".into(),
        width: 2,
        height: 3,
        sequence: false,
        geo_location: None,
        datetime_original: None,
        dpi: None,
    };
    File {
        id: ID.parse().unwrap(),
        project: ProjectId(7),
        uploaded_at: Timestamp(1_664_928_796_093_042),
        stored_at: Some(Timestamp(1_664_928_796_093_043)),
        removed_at: None,
        blob: Some(BlobKey("b".into())),
        size: 5,
        etag: "e".into(),
        name: FileName::new("a \"photo\".png"),
        mime_type: "image/png".into(),
        is_image: true,
        content: ContentInfo { mime: MimeInfo::new("image/png"), image: Some(image), video: None },
        metadata: Metadata::from_pairs([("k", &b"v"[..])]).unwrap(),
        tags: Tags::from_list("cat").unwrap(),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

const IMAGE: &str = r#"{"color_mode":"RGB","orientation":null,"format":"PNG","width":2,"height":3,"sequence":false,"geo_location":null,"datetime_original":null,"dpi":null}"#;

/// What all versions have between the dates and the members of their own.
const COMMON: &str = r#""is_image":true,"is_ready":true,"mime_type":"image/png","original_file_url":"http://c/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/aphoto.png","original_filename":"a \"photo\".png","size":5,"url":"http://r/files/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/","uuid":"0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61""#;
const DATES: &str = r#""datetime_removed":null,"datetime_stored":"2022-10-05T00:13:16.093043Z","datetime_uploaded":"2022-10-05T00:13:16.093042Z""#;

fn expected(version: HookVersion) -> String {
    match version {
        HookVersion::V05 => format!(r#"{{{DATES},"image_info":{IMAGE},{COMMON},"source":null"#),
        HookVersion::V06 => format!(r#"{{{DATES},"image_info":{IMAGE},{COMMON},"variations":null,"video_info":null"#),
        HookVersion::V07 => {
            let mime = r#"{"mime":"image/png","type":"image","subtype":"png"}"#;
            format!(
                r#"{{{DATES},{COMMON},"variations":null,"content_info":{{"mime":{mime},"image":{IMAGE}}},"metadata":{{"k":"v"}},"tags":["cat"]"#
            )
        }
    }
}

#[test]
fn files_have_their_members_in_order() {
    let (file, urls) = (file(), urls());
    for version in VERSIONS {
        let plain = FileInfo::new(version, &file, &urls);
        assert_eq!(json(&plain), expected(version) + "}");
        let extra = if version == HookVersion::V07 { r#","appdata":{}}"# } else { r#","rekognition_info":null}"# };
        assert_eq!(json(&plain.with_extras()), expected(version) + extra);
    }
}

#[test]
fn removed_files_have_no_address_but_their_facts() {
    let mut file = file();
    (file.removed_at, file.stored_at) = (file.stored_at, None);
    let urls = urls();
    for version in VERSIONS {
        let shown = json(&FileInfo::new(version, &file, &urls));
        let start = r#"{"datetime_removed":"2022-10-05T00:13:16.093043Z","datetime_stored":null,"#;
        assert!(shown.starts_with(start), "{shown}");
        assert!(
            shown.contains(r#""original_file_url":null,"original_filename":"a \"photo\".png","size":5,"#),
            "{shown}"
        );
    }
    assert_eq!(OriginalUrl::new(&file, &urls).to_string(), format!("http://c/{ID}/aphoto.png"));
}

#[test]
fn copies_are_shown_as_if_their_content_were_not_known() {
    let (file, urls) = (file(), urls());
    let source: FileId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let unprocessed = COMMON
        .replace(r#""is_image":true"#, r#""is_image":null"#)
        .replace("image/png", "application/octet-stream")
        .replace(r#""size":5"#, r#""size":0"#);
    for (version, rest) in [
        (HookVersion::V05, format!(r#""image_info":null,{unprocessed},"source":"/{source}/""#)),
        (HookVersion::V06, format!(r#""image_info":null,{unprocessed},"variations":null,"video_info":null"#)),
        (
            HookVersion::V07,
            format!(r#"{unprocessed},"variations":null,"content_info":null,"metadata":{{"k":"v"}},"tags":["cat"]"#),
        ),
    ] {
        let copy = FileInfo::new(version, &file, &urls).copied_from(source);
        assert_eq!(json(&Copied::new(copy)), format!(r#"{{"type":"file","result":{{{DATES},{rest}}}}}"#));
    }
}

#[test]
fn videos_have_their_old_facts_in_0_6_alone() {
    let mut file = file();
    let stream = VideoStream { codec: None, width: 1, height: 2, bitrate: None, frame_rate: 30.0 };
    let video =
        VideoInfo { audio: vec![], video: vec![stream], format: "mp4".into(), bitrate: None, duration: Some(9) };
    file.content = ContentInfo { mime: MimeInfo::new("video/mp4"), image: None, video: Some(video) };
    let urls = urls();
    let old = r#""video_info":{"audio":null,"video":{"codec":null,"width":1,"height":2,"bitrate":null,"frame_rate":30},"format":"mp4","bitrate":null,"duration":9}"#;
    assert!(json(&FileInfo::new(HookVersion::V06, &file, &urls)).contains(old));
    for version in [HookVersion::V05, HookVersion::V07] {
        assert!(!json(&FileInfo::new(version, &file, &urls)).contains("video_info"));
    }
    let new = r#""video":{"audio":[],"video":[{"#;
    assert!(json(&FileInfo::new(HookVersion::V07, &file, &urls)).contains(new));
}

#[test]
fn groups_with_and_without_their_files() {
    let (file, urls) = (file(), urls());
    let gone: FileId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let members =
        vec![Member { file: file.id, effects: "resize/x8/".into() }, Member { file: gone, effects: String::new() }];
    let id = GroupId { uuid: gone.0, count: 2 };
    let group = Group { id, project: ProjectId(7), created_at: file.uploaded_at, members };
    for version in VERSIONS {
        let stored = if version == HookVersion::V07 { "" } else { r#""datetime_stored":null,"# };
        let listed = format!(
            r#"{{"id":"{id}","datetime_created":"2022-10-05T00:13:16.093042Z",{stored}"files_count":2,"cdn_url":"http://c/{id}/","url":"http://r/groups/{id}/""#
        );
        assert_eq!(json(&GroupInfo::listed(version, id, group.created_at, &urls)), format!("{listed}}}"));
        let whole = GroupInfo::whole(version, &group, &urls, |id| (id == file.id).then_some(&file));
        let member = expected(version);
        assert_eq!(json(&whole), format!(r#"{listed},"files":[{member},"default_effects":"resize/x8/"}},null]}}"#));
    }
}

#[test]
fn pages_have_totals_since_0_7() {
    let mut page =
        Page { next: None, previous: Some("u".into()), total: 3, totals: None, per_page: 2, results: vec![1] };
    assert_eq!(json(&page), r#"{"next":null,"previous":"u","total":3,"per_page":2,"results":[1]}"#);
    page.totals = Some(Totals { removed: 1, stored: 2, unstored: 3 });
    let totals = r#"{"next":null,"previous":"u","total":3,"totals":{"removed":1,"stored":2,"unstored":3},"per_page":2,"results":[1]}"#;
    assert_eq!(json(&page), totals);
}

#[test]
fn batches_tell_problems_last_except_in_0_5() {
    for version in VERSIONS {
        let problems = [("x", "Invalid")].into();
        let text = if version == HookVersion::V05 {
            r#"{"status":"ok","problems":{"x":"Invalid"},"result":[]}"#
        } else {
            r#"{"status":"ok","result":[],"problems":{"x":"Invalid"}}"#
        };
        assert_eq!(json(&Batch::new(version, vec![], problems)), text);
    }
}

#[test]
fn webhooks_by_version() {
    let mut webhook = Webhook {
        id: WebhookId(5),
        project: ProjectId(7),
        created_at: Timestamp(0),
        updated_at: Timestamp(1),
        event: EventKind::Stored,
        target_url: "http://t/".into(),
        is_active: true,
        version: HookVersion::V06,
        signing_secret: None,
    };
    let common = r#"{"id":5,"created":"1970-01-01T00:00:00.000000Z","updated":"1970-01-01T00:00:00.000001Z","event":"file.stored","target_url":"http://t/","project":7,"is_active":true"#;
    for (version, rest) in [
        (HookVersion::V05, ""),
        (HookVersion::V06, r#","signing_secret":null"#),
        (HookVersion::V07, r#","version":"0.6","signing_secret":null"#),
    ] {
        assert_eq!(json(&WebhookInfo::new(version, &webhook)), format!("{common}{rest}}}"));
    }
    webhook.signing_secret = Some("s".into());
    assert!(json(&WebhookInfo::new(HookVersion::V06, &webhook)).ends_with(r#","signing_secret":"s"}"#));
}
