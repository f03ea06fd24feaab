//! No project's keys reach anything of another project: every endpoint that names something, asked by a stranger.

use serde_json::{Value, json};

use crate::support::Server;
use crate::{Api, PROJECTS, make_group, told, upload};

#[tokio::test]
async fn strangers_see_and_change_nothing() {
    let server = Server::with(PROJECTS, &[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8")]).await;
    let owner = Api::new(&server);
    let stranger = Api { key: "other", secret: "othersecret", ..owner };
    let file = upload(&server, "private name.txt", "0").await;
    let removed = upload(&server, "private too.txt", "1").await;
    owner.send("DELETE", &format!("/files/{removed}/storage/")).await;
    owner.ask("PUT", &format!("/files/{file}/metadata/k/"), &json!("private value")).await;
    owner.ask("PUT", &format!("/files/{file}/tags/"), &json!({ "tags": ["private"] })).await;
    let group = make_group(&server, &[&file]).await;
    let target = "http://127.0.0.1:9/private";
    let (_, webhook) =
        owner.ask("POST", "/webhooks/", &json!({ "target_url": target, "event": "file.uploaded" })).await;
    let webhook = &webhook["id"];
    let everything = async || {
        let mut all = Vec::new();
        for path in ["/files/", "/files/?removed=true", "/groups/", "/webhooks/", "/project/"] {
            all.push(owner.get(path).await);
        }
        for path in [format!("/files/{file}/"), format!("/files/{removed}/"), format!("/groups/{group}/")] {
            all.push(owner.get(&path).await);
        }
        all
    };
    let before = everything().await;

    let not_found = (404, json!({ "detail": "Not found." }));
    let none = Value::Null;
    for id in [&file, &removed] {
        for (version, method, path, body) in [
            ("0.7", "GET", format!("/files/{id}/"), &none),
            ("0.7", "GET", format!("/files/{id}/?include=appdata"), &none),
            ("0.5", "GET", format!("/files/{id}/"), &none),
            ("0.7", "DELETE", format!("/files/{id}/"), &none),
            ("0.6", "DELETE", format!("/files/{id}/"), &none),
            ("0.7", "GET", format!("/files/{id}/storage/"), &none),
            ("0.7", "PUT", format!("/files/{id}/storage/"), &none),
            ("0.7", "POST", format!("/files/{id}/storage/"), &none),
            ("0.7", "DELETE", format!("/files/{id}/storage/"), &none),
            ("0.7", "POST", "/files/local_copy/".to_owned(), &json!({ "source": id, "store": true })),
            ("0.7", "POST", "/files/local_copy/".to_owned(), &json!({ "source": format!("{id}/-/resize/9x9/") })),
            ("0.7", "POST", "/files/remote_copy/".to_owned(), &json!({ "source": id, "target": "s3" })),
            ("0.5", "POST", "/files/".to_owned(), &json!({ "source": id })),
            ("0.5", "POST", "/files/".to_owned(), &json!({ "source": id, "target": "s3" })),
            ("0.7", "GET", format!("/files/{id}/metadata/"), &none),
            ("0.7", "GET", format!("/files/{id}/metadata/k/"), &none),
            ("0.7", "PUT", format!("/files/{id}/metadata/k/"), &json!("x")),
            ("0.7", "DELETE", format!("/files/{id}/metadata/k/"), &none),
            ("0.7", "GET", format!("/files/{id}/tags/"), &none),
            ("0.7", "PUT", format!("/files/{id}/tags/"), &json!({ "tags": ["x"] })),
            ("0.7", "PATCH", format!("/files/{id}/tags/"), &json!({ "delete": ["private"] })),
            ("0.7", "GET", format!("/groups/{group}/"), &none),
            ("0.6", "GET", format!("/groups/{group}/"), &none),
            ("0.7", "DELETE", format!("/groups/{group}/"), &none),
            ("0.6", "PUT", format!("/groups/{group}/storage/"), &none),
            ("0.7", "GET", format!("/webhooks/{webhook}/"), &none),
            ("0.7", "PUT", format!("/webhooks/{webhook}/"), &json!({ "is_active": false })),
            ("0.5", "POST", format!("/webhooks/{webhook}/"), &json!({ "is_active": false })),
            ("0.7", "DELETE", format!("/webhooks/{webhook}/"), &none),
        ] {
            let request = stranger.version(version).request(method, &path);
            let request = if body.is_null() { request } else { request.json(body) };
            assert_eq!(told(request.send().await.unwrap()).await, not_found, "{version} {method} {path}");
        }
        for (method, path, body) in [
            ("PUT", "/files/storage/", json!([id])),
            ("DELETE", "/files/storage/", json!([id])),
            ("POST", "/files/search/", json!({ "exact": { "uuid": [id] } })),
            ("POST", "/files/search/", json!({ "query": "private" })),
            ("POST", "/files/search/", json!({ "tags": { "any": ["private"] } })),
            ("POST", "/convert/document/", json!({ "paths": [format!("{id}/document/")] })),
            ("POST", "/convert/video/", json!({ "paths": [format!("{id}/video/")] })),
            ("POST", "/addons/remove_bg/execute/", json!({ "target": id })),
            ("DELETE", "/webhooks/unsubscribe/", json!({ "target_url": target })),
        ] {
            let (status, answer) = told(stranger.send_json(method, path, &body).await).await;
            let found = &answer[if path.ends_with("search/") { "results" } else { "result" }];
            assert!(found.is_null() || *found == json!([]), "{method} {path}: {answer}");
            if path == "/files/storage/" {
                assert_eq!((status, &answer["problems"]), (200, &json!({ id.as_str(): "Missing in the project" })));
            }
        }
        assert_eq!(told(stranger.send("GET", &format!("/convert/document/{id}/")).await).await.0, 400);
    }
    for path in ["/files/", "/files/?removed=true", "/files/?stored=true", "/groups/"] {
        for version in ["0.5", "0.6", "0.7"] {
            let page = stranger.version(version).get(path).await;
            assert_eq!((&page["total"], &page["results"]), (&json!(0), &json!([])), "{path}");
        }
    }
    assert_eq!(stranger.get("/files/").await["totals"], json!({ "removed": 0, "stored": 0, "unstored": 0 }));
    assert_eq!(stranger.get("/webhooks/").await, json!([]));
    assert_eq!(stranger.get("/project/").await["pub_key"], "other");
    assert_eq!(everything().await, before, "and nothing has changed");
}
