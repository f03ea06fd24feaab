//! One file: what is shown of it in which version, and what on demand only.

use serde_json::{Value, json};

use crate::support::{self, PNG, Server};
use crate::{Api, UNKNOWN, upload};

#[tokio::test]
async fn a_picture_has_its_facts_where_the_version_puts_them() {
    let server = Server::start().await;
    let id = server.file("grey \u{e9}.png", PNG, "image/x-mine").await;
    let path = format!("/files/{id}/");
    let api = Api::new(&server);
    let new = api.get(&path).await;
    assert_eq!(
        (&new["mime_type"], &new["is_image"], &new["is_ready"]),
        (&json!("image/x-mine"), &json!(true), &json!(true))
    );
    assert_eq!(new["original_filename"], "grey \u{e9}.png");
    assert_eq!(new["original_file_url"], format!("{}/{id}/grey.png", server.base));
    assert_eq!(new["url"], format!("{}/files/{id}/", server.base));
    assert_eq!(new["content_info"]["image"]["width"], 1);
    assert_eq!(
        server
            .get(new["original_file_url"].as_str().unwrap().trim_start_matches(&server.base))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    for old in ["0.5", "0.6"] {
        assert_eq!(api.version(old).get(&path).await["image_info"], new["content_info"]["image"], "{old}");
    }
}

#[tokio::test]
async fn metadata_and_tags_are_shown() {
    let server = Server::start().await;
    let fields = [("metadata[pet]", "cat"), ("tags", "Big, red")];
    let answer = server.upload(&fields, &[("file", "a.txt", b"a", "text/plain")]).await;
    let id = support::json(answer).await["file"].as_str().unwrap().to_owned();
    let file = Api::new(&server).get(&format!("/files/{id}/")).await;
    assert_eq!((&file["metadata"], &file["tags"]), (&json!({ "pet": "cat" }), &json!(["big", "red"])));
    assert_eq!(file["datetime_stored"], Value::Null);
}

#[tokio::test]
async fn extras_are_shown_on_demand() {
    let server = Server::start().await;
    let id = upload(&server, "a.txt", "1").await;
    let api = Api::new(&server);
    for (version, query, extra) in [
        ("0.7", "", None),
        ("0.7", "?include=appdata", Some(("appdata", json!({})))),
        ("0.7", "?include=other,%20appdata", Some(("appdata", json!({})))),
        ("0.7", "?include=app", None),
        ("0.7", "?add_fields=rekognition_info", None),
        ("0.6", "?add_fields=rekognition_info", Some(("rekognition_info", Value::Null))),
        ("0.6", "?include=appdata", None),
        ("0.5", "?add_fields=rekognition_info", Some(("rekognition_info", Value::Null))),
    ] {
        let api = api.version(version);
        let file = api.get(&format!("/files/{id}/{query}")).await;
        let list = api.get(&format!("/files/{query}")).await;
        for shown in [&file, &list["results"][0]] {
            let found =
                ["appdata", "rekognition_info"].into_iter().find_map(|name| Some((name, shown.get(name)?.clone())));
            assert_eq!(found, extra, "{version} {query}");
        }
    }
}

#[tokio::test]
async fn files_that_are_not_there() {
    let server = Server::start().await;
    for version in ["0.5", "0.6", "0.7"] {
        let api = Api::new(&server).version(version);
        for id in [UNKNOWN, "nonexistent", "%ff", "0b7c0b9e25b84c4d9e557d8c6f6c4b61"] {
            api.refuses("GET", &format!("/files/{id}/"), &json!({}), 404, "Not found.").await;
        }
    }
}

#[tokio::test]
async fn an_expired_file_is_seen_as_removed() {
    let server = Server::start().await;
    let id = upload(&server, "a.txt", "0").await;
    server.clock.advance(2 * support::DAY);
    server.janitor().tidy().await.unwrap();
    let api = Api::new(&server);
    let file = api.get(&format!("/files/{id}/")).await;
    assert_eq!(
        (&file["datetime_removed"], &file["original_file_url"]),
        (&json!(server.clock.now().to_string()), &Value::Null)
    );
}
