//! Metadata and tags of files that are there.

use serde_json::{Value, json};

use crate::support::Server;
use crate::{Api, UNKNOWN, told, upload};

#[tokio::test]
async fn keys_come_change_and_go() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    let path = |key: &str| format!("/files/{id}/metadata/{key}");
    assert_eq!(api.get(&path("")).await, json!({}));
    for (key, value, status) in [
        ("-:45az_/", "any string", 201),
        ("-:45az_/", "any string", 200),
        ("%2D:45az_/", "другое", 200),
        ("b", "2", 201),
    ] {
        assert_eq!(api.ask("PUT", &path(key), &json!(value)).await, (status, json!(value)), "{key} {value}");
    }
    assert_eq!(api.get(&path("")).await, json!({ "-:45az_": "другое", "b": "2" }));
    assert_eq!(api.get(&path("b/")).await, json!("2"));
    assert_eq!(api.get(&format!("/files/{id}/")).await["metadata"]["b"], "2");
    let answer = api.send("DELETE", &path("b/")).await;
    assert_eq!(answer.headers().get("content-type"), None);
    assert_eq!(answer.headers()["allow"], "DELETE, GET, HEAD, OPTIONS, PUT");
    assert_eq!(told(answer).await, (204, Value::Null));
    api.refuses("GET", &path("b/"), &json!({}), 404, "Not found.").await;
    api.refuses("DELETE", &path("b/"), &json!({}), 404, "Not found.").await;
    assert_eq!(api.get(&path("")).await, json!({ "-:45az_": "другое" }));
}

#[tokio::test]
async fn every_refusal_of_metadata() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    let long = "k".repeat(65);
    let shown = format!("Length of file metadata key `{}...` can not be more than 64 symbols.", "k".repeat(64));
    for (key, value, text) in [
        ("k", json!({}), "Expected JSON string."),
        ("k", json!(5), "Expected JSON string."),
        ("k", json!(""), "Value of the file metadata key `k` can not be empty."),
        ("k", json!("x".repeat(513)), "Value of file metadata's key `k` can not be more than 512 symbols in length."),
        (
            "k",
            json!("\u{1}"),
            "Value of file metadata key `k` contains symbols not allowed by the metadata value format.",
        ),
        ("a%20b", json!("1"), "File's metadata key `a b` contains symbols not allowed by the metadata key format."),
        (&long, json!("1"), &shown),
    ] {
        api.refuses("PUT", &format!("/files/{id}/metadata/{key}/"), &value, 400, text).await;
    }
    for n in 0..50 {
        assert_eq!(api.ask("PUT", &format!("/files/{id}/metadata/k{n}/"), &json!("1")).await.0, 201);
    }
    let text = "A file can not have more than 50 metadata keys.";
    api.refuses("PUT", &format!("/files/{id}/metadata/more/"), &json!("1"), 400, text).await;
    assert_eq!(api.ask("PUT", &format!("/files/{id}/metadata/k7/"), &json!("2")).await.0, 200);
    let nothing = api.send("PUT", &format!("/files/{id}/metadata/k/")).await;
    assert_eq!(told(nothing).await, (400, json!({ "detail": "Expected JSON string." })));
}

#[tokio::test]
async fn metadata_and_tags_need_a_file_that_is_there() {
    let server = Server::start().await;
    let gone = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    api.ask("PUT", &format!("/files/{gone}/metadata/k/"), &json!("1")).await;
    api.send("DELETE", &format!("/files/{gone}/storage/")).await;
    for id in [gone.as_str(), UNKNOWN, "nonexistent"] {
        for (method, path, body) in [
            ("GET", "metadata/", json!({})),
            ("GET", "metadata/k/", json!({})),
            ("PUT", "metadata/k/", json!("2")),
            ("DELETE", "metadata/k/", json!({})),
            ("GET", "tags/", json!({})),
            ("PUT", "tags/", json!({ "tags": ["a"] })),
            ("PATCH", "tags/", json!({ "add": ["a"] })),
        ] {
            api.refuses(method, &format!("/files/{id}/{path}"), &body, 404, "Not found.").await;
        }
    }
}

#[tokio::test]
async fn tags_are_replaced_and_changed() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    let path = format!("/files/{id}/tags/");
    assert_eq!(api.get(&path).await, json!({ "tags": [] }));
    let none: [&str; 0] = [];
    for (method, body, tags, added, deleted) in [
        (
            "PUT",
            json!({ "tags": ["Zoo", " cat ", "ant", "cat"] }),
            &["zoo", "cat", "ant"][..],
            &["ant", "cat", "zoo"][..],
            &none[..],
        ),
        ("PUT", json!({ "tags": ["CAT", "ant", "zoo"] }), &["zoo", "cat", "ant"], &none, &none),
        ("PATCH", json!({}), &["zoo", "cat", "ant"], &none, &none),
        (
            "PATCH",
            json!({ "add": ["bee", "cat"], "delete": ["zoo", "cat", "x"] }),
            &["ant", "bee", "cat"],
            &["bee"],
            &["zoo"],
        ),
        ("PATCH", json!({ "delete": ["ant", "bee", "cat"] }), &none, &none, &["ant", "bee", "cat"]),
        ("PUT", json!({ "tags": [] }), &none, &none, &none),
    ] {
        let expected = json!({ "tags": tags, "added": added, "deleted": deleted });
        assert_eq!(api.ask(method, &path, &body).await, (200, expected), "{method} {body}");
        assert_eq!(api.get(&path).await["tags"], json!(tags));
        assert_eq!(api.get(&format!("/files/{id}/")).await["tags"], json!(tags));
    }
    assert_eq!(told(api.send("PATCH", &path).await).await.0, 200, "a body of nothing changes nothing");
}

#[tokio::test]
async fn every_refusal_of_tags() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    let path = format!("/files/{id}/tags/");
    let many: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(api.ask("PUT", &path, &json!({ "tags": many })).await.0, 200);
    let long = "x".repeat(101);
    let too_long = format!("Tag `{}...` is too long: 101 (max 100).", "x".repeat(100));
    for (method, body, text) in [
        ("PUT", json!([]), "Expected JSON object."),
        ("PUT", json!({}), "`tags` parameter should be a list of strings."),
        ("PUT", json!({ "tags": null }), "`tags` parameter should be a list of strings."),
        ("PUT", json!({ "tags": "a,b" }), "`tags` parameter should be a list of strings."),
        ("PUT", json!({ "tags": ["a", 1] }), "`tags` parameter should be a list of strings."),
        ("PUT", json!({ "tags": ["a,b"] }), "Tag `a,b` contains forbidden characters."),
        ("PATCH", json!({ "add": [long] }), too_long.as_str()),
        ("PATCH", json!({ "add": ["more"] }), "Too many tags: 51 (max 50)."),
        ("PATCH", json!({ "add": "x" }), "`add` parameter should be a list of strings."),
        ("PATCH", json!({ "delete": 5 }), "`delete` parameter should be a list of strings."),
    ] {
        api.refuses(method, &path, &body, 400, text).await;
    }
    let kind = api.request("PUT", &path).header("content-type", "text/plain").body("{}").send().await.unwrap();
    assert_eq!(told(kind).await, (415, json!({ "detail": "Unsupported media type \"text/plain\" in request." })));
    assert_eq!(api.get(&path).await["tags"].as_array().unwrap().len(), 50);
}
