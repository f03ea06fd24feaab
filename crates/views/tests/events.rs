//! What webhooks are sent: every member in its order, and signatures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use stowage_model::content::{ContentInfo, MimeInfo, VideoInfo, VideoStream};
use stowage_model::{
    Cause, Event, EventKind, File, FileName, HookVersion, Initiator, Metadata, ProjectId, PublicUrls, Tags, Timestamp,
    Webhook, WebhookId,
};
use stowage_views::events::{body, signature};
use stowage_views::v07;

const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
const REQUEST: &str = "972654bd-a2ad-485a-bd27-c86126c1ed8c";

fn event(kind: EventKind) -> Event {
    let file = File {
        id: ID.parse().unwrap(),
        project: ProjectId(7),
        uploaded_at: Timestamp(1_664_928_796_093_042),
        stored_at: None,
        removed_at: None,
        blob: None,
        size: 5,
        etag: "e".into(),
        name: FileName::new("ä \"film\".mp4"),
        mime_type: "video/mp4".into(),
        is_image: false,
        content: ContentInfo { mime: MimeInfo::new("video/mp4"), image: None, video: Some(film()) },
        metadata: Metadata::from_pairs([("k", &b"v"[..])]).unwrap(),
        tags: Tags::from_list("cat").unwrap(),
    };
    let urls = PublicUrls { upload: "http://u".into(), rest: "http://r".into(), cdn: "http://c".into() };
    let cause = Cause { initiator: Initiator::Api { request_id: REQUEST.parse().unwrap() }, urls };
    Event { kind, file, cause, previous_metadata: None }
}

fn film() -> VideoInfo {
    let stream = VideoStream { codec: None, width: 1, height: 2, bitrate: None, frame_rate: 30.0 };
    VideoInfo { audio: Vec::new(), video: vec![stream], format: "mp4".into(), bitrate: Some(3), duration: Some(4) }
}

fn webhook(version: HookVersion) -> Webhook {
    Webhook {
        id: WebhookId(3),
        project: ProjectId(7),
        created_at: Timestamp(1_664_928_796_000_000),
        updated_at: Timestamp(1_664_928_796_000_001),
        event: EventKind::Uploaded,
        target_url: "https://example.com/?a=b".into(),
        is_active: true,
        version,
        signing_secret: Some("12345X".into()),
    }
}

fn sent(event: &Event, version: HookVersion) -> String {
    body(event, &webhook(version), &"pubkey".parse().unwrap()).unwrap()
}

const TIMES: &str = r#""created_at":"2022-10-05T00:13:16.000000Z","updated_at":"2022-10-05T00:13:16.000001Z""#;
const URL: &str = "http://c/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/film.mp4";

fn hook(event: EventKind) -> String {
    format!(
        r#""hook":{{"id":3,"project_id":7,"project_pub_key":"pubkey","target":"https://example.com/?a=b","event":"{event}","is_active":true,"version":"0.7",{TIMES}}}"#
    )
}

#[test]
fn the_payload_of_0_7() {
    let uploaded = event(EventKind::Uploaded);
    let by = format!(r#""initiator":{{"type":"api","detail":{{"request_id":"{REQUEST}","addon_name":null}}}}"#);
    let data = serde_json::to_string(&v07::FileInfo::new(&uploaded.file, &uploaded.cause.urls).with_appdata()).unwrap();
    assert!(data.ends_with(r#""tags":["cat"],"appdata":{}}"#), "{data}");
    let expected = format!(r#"{{{by},{},"data":{data},"file":"{URL}"}}"#, hook(EventKind::Uploaded));
    assert_eq!(sent(&uploaded, HookVersion::V07), expected);
}

#[test]
fn the_former_address_of_a_removed_file_is_told() {
    let mut deleted = event(EventKind::Deleted);
    deleted.file.removed_at = Some(Timestamp(1_664_928_797_000_000));
    deleted.cause.initiator = Initiator::System;
    let payload: serde_json::Value = serde_json::from_str(&sent(&deleted, HookVersion::V07)).unwrap();
    let by = serde_json::json!({"type": "system", "detail": {"request_id": null, "addon_name": null}});
    assert_eq!((&payload["initiator"], &payload["file"]), (&by, &URL.into()));
    assert_eq!(
        (&payload["data"]["original_file_url"], &payload["hook"]["event"]),
        (&().into(), &"file.deleted".into())
    );
    assert_eq!(payload["data"]["datetime_removed"], "2022-10-05T00:13:17.000000Z");
}

#[test]
fn what_has_changed_is_told_as_it_was() {
    let mut updated = event(EventKind::InfoUpdated);
    for (previous, told) in [(&[("a", &b"1"[..]), ("b", b"2")][..], r#"{"a":"1","b":"2"}"#), (&[], "null")] {
        updated.previous_metadata = Some(Metadata::from_pairs(previous.iter().copied()).unwrap());
        let payload = sent(&updated, HookVersion::V07);
        let end = format!(r#","file":"{URL}","previous_values":{{"metadata":{told}}}}}"#);
        assert!(payload.ends_with(&end) && payload.contains(&hook(EventKind::InfoUpdated)), "{payload}");
    }
}

#[test]
fn the_payloads_of_0_6_and_0_5() {
    let uploaded = event(EventKind::Uploaded);
    let stream = r#"{"codec":null,"width":1,"height":2,"bitrate":null,"frame_rate":30}"#;
    let rest = r#""format":"mp4","bitrate":3,"duration":4}"#;
    let content = format!(
        r#""content_info":{{"mime":{{"mime":"video/mp4","type":"video","subtype":"mp4"}},"video":{{"audio":[],"video":[{stream}],{rest},"image":null}},"#
    );
    for (version, content) in [(HookVersion::V06, content.as_str()), (HookVersion::V05, "")] {
        let payload = sent(&uploaded, version);
        let hash: serde_json::Value = serde_json::from_str(&payload).unwrap();
        let hash = hash["payload_hash"].as_str().unwrap();
        let number: u32 = hash.parse().unwrap();
        let expected = format!(
            r#"{{"payload_hash":"{number}","data":{{"uuid":"{ID}","image_info":null,"video_info":{{"audio":null,"video":{stream},{rest},{content}"mime_type":"video/mp4","original_filename":"ä \"film\".mp4","size":5,"is_image":false,"is_ready":true,"datetime_removed":null,"datetime_stored":null,"datetime_uploaded":"2022-10-05T00:13:16.093042Z","original_file_url":"{URL}","url":"http://r/files/{ID}/","source":null,"variations":null,"rekognition_info":null}},"hook":{{"id":3,"project_id":7,"target":"https://example.com/?a=b","event":"file.uploaded","is_active":true,{TIMES}}},"file":"{URL}"}}"#
        );
        assert_eq!(payload, expected);
        assert_eq!(sent(&uploaded, version), payload, "the same again");
        let mut other = uploaded.clone();
        other.file.size += 1;
        assert!(!sent(&other, version).contains(hash));
    }
}

/// The message that the test of the vendor's Ruby client signs, put together from its facts.
#[test]
fn the_published_signature_is_ours() {
    let image = r#"{"color_mode":"RGB","format":"JPEG","height":168,"width":300,"orientation":null,"dpi":null,"geo_location":null,"datetime_original":null,"sequence":false}"#;
    let id = "f08d7c8a-2971-42e0-ab01-780d9039b40b";
    let url = format!("https://ucarecdn.com/{id}/download.jpeg");
    let mime = r#"{"mime":"image/jpeg","type":"image","subtype":"jpeg"}"#;
    let made = "2021-11-18T06:17:42.730459Z";
    let message = format!(
        r#"{{"payload_hash":"1844671900","data":{{"uuid":"{id}","image_info":{image},"video_info":null,"content_info":{{"mime":{mime},"video":null,"image":{image}}},"mime_type":"image/jpeg","original_filename":"download.jpeg","size":10603,"is_image":true,"is_ready":true,"datetime_removed":null,"datetime_stored":null,"datetime_uploaded":null,"original_file_url":"{url}","url":"","source":null,"variations":null,"rekognition_info":null}},"hook":{{"id":889783,"project_id":123681,"target":"https://6f48-188-232-175-230.ngrok.io/posts","event":"file.uploaded","is_active":true,"created_at":"{made}","updated_at":"{made}"}},"file":"{url}"}}"#
    );
    assert_eq!(message.len(), 1163);
    let published = "v1=9b31c7dd83fdbf4a2e12b19d7f2b9d87d547672a325b9492457292db4f513c70";
    assert_eq!(signature("12345X", &message), published);
    assert_ne!(signature("12345", &message), published);
    // Ours has the same members.
    let names = |text: &str, member: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value[member].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let ours = sent(&event(EventKind::Uploaded), HookVersion::V06);
    for member in ["data", "hook"] {
        assert_eq!(names(&ours, member), names(&message, member));
    }
}
