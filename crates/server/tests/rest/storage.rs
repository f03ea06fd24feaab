//! Storing and removing files, one by one and up to a hundred at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Server;
use crate::{Api, UNKNOWN, column, upload};

#[tokio::test]
async fn a_file_is_stored_once() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "0").await;
    let path = format!("/files/{id}/storage/");
    for version in ["0.5", "0.6", "0.7"] {
        let api = Api::new(&server).version(version);
        server.clock.advance(Duration::from_secs(1));
        let (status, file) = api.ask("PUT", &path, &json!({})).await;
        assert_eq!((status, &file["datetime_stored"]), (200, &json!("2024-01-02T03:04:06.000000Z")), "{version}");
        assert_eq!(api.get(&format!("/files/{id}/")).await, file);
    }
    let api = Api::new(&server);
    assert_eq!(api.send("POST", &path).await.status(), 200);
    assert_eq!(api.get(&path).await["uuid"], id.as_str());
    for missing in [UNKNOWN, "nonexistent"] {
        api.refuses("PUT", &format!("/files/{missing}/storage/"), &json!({}), 404, "Not found.").await;
        api.refuses("DELETE", &format!("/files/{missing}/storage/"), &json!({}), 404, "Not found.").await;
        api.refuses("DELETE", &format!("/files/{missing}/"), &json!({}), 404, "Not found.").await;
    }
}

#[tokio::test]
async fn a_removed_file_can_be_seen_and_brought_back() {
    let server = Server::start().await;
    for (version, path) in [("0.5", ""), ("0.6", ""), ("0.6", "storage/"), ("0.7", "storage/"), ("0.7", "")] {
        let api = Api::new(&server).version(version);
        let id = upload(&server, "one.txt", "1").await;
        let removed_at = server.clock.now().to_string();
        let (status, removed) = api.ask("DELETE", &format!("/files/{id}/{path}"), &json!({})).await;
        assert_eq!(status, 200, "{version} {path}");
        assert_eq!((&removed["datetime_removed"], &removed["datetime_stored"]), (&json!(removed_at), &Value::Null));
        assert_eq!((&removed["original_file_url"], &removed["size"]), (&Value::Null, &json!(7)));
        assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().status(), 404, "delivery stops at once");
        server.clock.advance(Duration::from_secs(60));
        assert_eq!(api.ask("DELETE", &format!("/files/{id}/{path}"), &json!({})).await, (200, removed.clone()));
        assert_eq!(api.get(&format!("/files/{id}/")).await, removed);
        let (status, back) = api.ask("PUT", &format!("/files/{id}/storage/"), &json!({})).await;
        assert_eq!((status, &back["datetime_removed"]), (200, &Value::Null));
        assert_eq!(back["datetime_stored"], json!(server.clock.now().to_string()));
        assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().text().await.unwrap(), "one.txt");
    }
}

#[tokio::test]
async fn batches_are_shown_by_upload_time_with_their_problems() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for (name, store) in [("a", "0"), ("b", "1"), ("c", "0")] {
        ids.push(upload(&server, name, store).await);
        server.clock.advance(Duration::from_secs(1));
    }
    let [a, b, c] = &ids[..] else { unreachable!() };
    let api = Api::new(&server);
    let upper = a.to_uppercase();
    let sent = json!([c, b, UNKNOWN, a, "nonexistent", upper, UNKNOWN, ""]);
    let (status, stored) = api.ask("PUT", "/files/storage/", &sent).await;
    assert_eq!((status, &stored["status"]), (200, &json!("ok")));
    assert_eq!(column(&stored["result"], "uuid"), [a, b, c], "each once");
    let now = "2024-01-02T03:04:08.000000Z";
    assert_eq!(column(&stored["result"], "datetime_stored"), [now, "2024-01-02T03:04:06.000000Z", now]);
    let problems = json!({ UNKNOWN: "Missing in the project", "nonexistent": "Invalid", "": "Invalid" });
    assert_eq!(stored["problems"], problems);
    server.clock.advance(Duration::from_secs(1));
    let (_, removed) = api.ask("DELETE", "/files/storage/", &json!([b])).await;
    assert_eq!(removed["problems"], json!({}));
    let (_, removed) = api.ask("DELETE", "/files/storage/", &json!([c, b])).await;
    assert_eq!(column(&removed["result"], "uuid"), [b, c], "one was removed before");
    let old = api.version("0.5").send_json("DELETE", "/files/storage/", &json!(["x"])).await.text().await.unwrap();
    assert_eq!(old, r#"{"status":"ok","problems":{"x":"Invalid"},"result":[]}"#);
}

#[tokio::test]
async fn batches_that_are_none() {
    let server = Server::start().await;
    for version in ["0.5", "0.6", "0.7"] {
        let api = Api::new(&server).version(version);
        for method in ["PUT", "DELETE"] {
            for body in [json!({}), json!("x"), json!(null), json!([1]), json!([UNKNOWN, null]), json!({ "0": "x" })] {
                api.refuses(method, "/files/storage/", &body, 400, "Expected list of UUIDs").await;
            }
            let text = "List of UUIDs can not be empty";
            api.refuses(method, "/files/storage/", &json!([]), 400, text).await;
            let text = "Maximum UUIDs per request is exceeded. The limit is 100";
            api.refuses(method, "/files/storage/", &json!(vec!["x"; 101]), 400, text).await;
            let (status, answer) = api.ask(method, "/files/storage/", &json!(vec![UNKNOWN; 100])).await;
            assert_eq!((status, &answer["result"]), (200, &json!([])));
        }
        let broken = api.request("PUT", "/files/storage/").body("[\"").send().await.unwrap();
        assert_eq!(crate::told(broken).await, (400, json!({ "detail": "Expected list of UUIDs" })));
        let nothing = api.send("DELETE", "/files/storage/").await;
        assert_eq!(crate::told(nothing).await, (400, json!({ "detail": "Expected list of UUIDs" })));
    }
}
