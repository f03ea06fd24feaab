//! Managing webhooks.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Server;
use crate::{Api, column, told};

const ALLOW: &[(&str, &str)] = &[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8")];
const TARGET: &str = "http://127.0.0.1:9/hook";

async fn create(api: &Api<'_>, body: &Value) -> Value {
    let (status, webhook) = api.ask("POST", "/webhooks/", body).await;
    assert_eq!(status, 201, "{body} {webhook}");
    webhook
}

#[tokio::test]
async fn webhooks_are_made_changed_and_deleted() {
    let server = Server::with("", ALLOW).await;
    let api = Api::new(&server);
    let made = create(&api, &json!({ "target_url": TARGET, "event": "file.stored", "signing_secret": "s" })).await;
    let id = made["id"].as_i64().unwrap();
    let now = "2024-01-02T03:04:05.000000Z";
    let expected = json!({
        "id": id, "created": now, "updated": now, "event": "file.stored", "target_url": TARGET,
        "project": made["project"], "is_active": true, "version": "0.7", "signing_secret": "s",
    });
    assert_eq!(made, expected);
    assert!(made["project"].is_i64());
    let path = format!("/webhooks/{id}/");
    assert_eq!(api.get(&path).await, made);
    assert_eq!(api.get("/webhooks/").await, json!([made]));
    server.clock.advance(Duration::from_secs(1));
    let (status, changed) = api.ask("PUT", &path, &json!({ "is_active": "false", "target_url": null })).await;
    let mut expected = made.clone();
    expected["is_active"] = json!(false);
    expected["updated"] = json!("2024-01-02T03:04:06.000000Z");
    assert_eq!((status, &changed), (200, &expected), "what is not sent stays");
    let other = format!("{TARGET}/2");
    let all = json!({ "event": "file.deleted", "target_url": other, "signing_secret": "", "is_active": 1 });
    let (_, changed) = api.ask("PUT", &path, &all).await;
    assert_eq!((&changed["event"], &changed["target_url"]), (&json!("file.deleted"), &json!(other)));
    assert_eq!((&changed["signing_secret"], &changed["is_active"]), (&Value::Null, &json!(true)));
    let answer = api.send("DELETE", &path).await;
    assert_eq!(told(answer).await, (204, Value::Null));
    for method in ["GET", "PUT", "DELETE"] {
        api.refuses(method, &path, &json!({}), 404, "Not found.").await;
        api.refuses(method, "/webhooks/x/", &json!({}), 404, "Not found.").await;
        api.refuses(method, "/webhooks/99999999999999999999/", &json!({}), 404, "Not found.").await;
    }
}

#[tokio::test]
async fn forms_are_taken_as_the_python_client_sends_them() {
    let server = Server::with("", ALLOW).await;
    let api = Api::new(&server).version("0.6");
    let body = "target_url=http%3A%2F%2F127.0.0.1%3A9%2Fhook&event=file.uploaded&is_active=true&signing_secret=abc";
    for kind in ["application/x-www-form-urlencoded", "application/json"] {
        let sent = api.request("POST", "/webhooks/").header("content-type", kind).body(body).send().await.unwrap();
        let (status, made) = told(sent).await;
        assert_eq!((status, &made["target_url"], &made["is_active"]), (201, &json!(TARGET), &json!(true)), "{kind}");
        let sent = api.request("DELETE", "/webhooks/unsubscribe/").header("content-type", kind);
        let sent = sent.body("target_url=http%3A%2F%2F127.0.0.1%3A9%2Fhook").send().await.unwrap();
        assert_eq!(told(sent).await, (204, Value::Null), "{kind}");
        assert_eq!(api.get("/webhooks/").await, json!([]));
    }
}

#[tokio::test]
async fn unsubscribing_removes_all_of_a_target() {
    let server = Server::with("", ALLOW).await;
    let api = Api::new(&server);
    let other = format!("{TARGET}/2");
    for (event, target) in [("file.uploaded", TARGET), ("file.stored", TARGET), ("file.uploaded", &other)] {
        create(&api, &json!({ "target_url": target, "event": event })).await;
    }
    assert_eq!(column(&api.get("/webhooks/").await, "target_url"), [&other, TARGET, TARGET], "newest first");
    for _ in 0..2 {
        let answer = api.send_json("DELETE", "/webhooks/unsubscribe/", &json!({ "target_url": TARGET })).await;
        assert_eq!(told(answer).await, (204, Value::Null));
    }
    assert_eq!(column(&api.get("/webhooks/").await, "target_url"), [&other]);
    for body in [json!({}), json!({ "target_url": "" }), json!({ "target_url": null })] {
        api.refuses("DELETE", "/webhooks/unsubscribe/", &body, 400, "`target_url` is missing.").await;
    }
    let nothing = api.send("DELETE", "/webhooks/unsubscribe/").await;
    assert_eq!(told(nothing).await, (400, json!({ "detail": "`target_url` is missing." })));
}

#[tokio::test]
async fn versions_of_webhooks() {
    let server = Server::with("", ALLOW).await;
    let new = Api::new(&server);
    for (version, path) in
        [("0.5", "/webhooks/"), ("0.6", "/webhooks/create/"), ("0.6", "/webhooks/"), ("0.7", "/webhooks/")]
    {
        let api = new.version(version);
        let target = format!("{TARGET}{version}{path}");
        let (status, made) = api.ask("POST", path, &json!({ "target_url": target, "event": "file.uploaded" })).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made.get("version").is_some(), version == "0.7");
        assert_eq!(made.get("signing_secret").is_some(), version != "0.5");
        let one = format!("/webhooks/{}/", made["id"]);
        assert_eq!(new.get(&one).await["version"], version);
        assert_eq!(
            new.ask("PUT", &one, &json!({ "event": "file.stored" })).await.0,
            if version == "0.7" { 200 } else { 400 }
        );
        if version != "0.7" {
            assert_eq!(api.ask("POST", &one, &json!({ "is_active": false })).await.1["is_active"], false);
        }
    }
    let untold = new.version("0.5").ask("POST", "/webhooks/", &json!({ "target_url": TARGET })).await;
    assert_eq!(untold.1["event"], "file.uploaded", "there was but one");
}

#[tokio::test]
async fn every_refusal_of_webhooks() {
    let server = Server::with("", ALLOW).await;
    let api = Api::new(&server);
    let first = create(&api, &json!({ "target_url": TARGET, "event": "file.uploaded" })).await;
    let long = format!("http://127.0.0.1/{}", "x".repeat(239));
    let secret = "s".repeat(33);
    let private = "Only public IPs are allowed. Others need the setting fetch.allow.";
    let with = |name: &str, value: Value| {
        let mut body = json!({ "target_url": format!("{TARGET}/new"), "event": "file.uploaded" });
        body[name] = value;
        body
    };
    for (body, refusal) in [
        (json!([]), json!({ "detail": "Expected JSON object." })),
        (json!({ "event": "file.uploaded" }), json!({ "detail": "`target_url` is missing." })),
        (json!({ "target_url": "" }), json!({ "detail": "`target_url` is missing." })),
        (with("target_url", json!("nope")), json!({ "target_url": ["Enter a valid URL."] })),
        (with("target_url", json!("ftp://example.com/")), json!({ "target_url": ["Enter a valid URL."] })),
        (with("target_url", json!("http://127.0.0.1/a\nb")), json!({ "target_url": ["Enter a valid URL."] })),
        (with("target_url", json!("http://127.0.0.1/\0")), json!({ "detail": "Null characters are not allowed." })),
        (with("signing_secret", json!("\0")), json!({ "detail": "Null characters are not allowed." })),
        (with("target_url", json!(5)), json!({ "target_url": ["Enter a valid URL."] })),
        (
            with("target_url", json!(long)),
            json!({ "target_url": ["Ensure this field has no more than 255 characters."] }),
        ),
        (with("target_url", json!("http://10.0.0.1/")), json!({ "target_url": [private] })),
        (with("target_url", json!("http://[::ffff:192.168.0.1]/")), json!({ "target_url": [private] })),
        (with("event", Value::Null), json!({ "event": ["This field is required."] })),
        (with("event", json!("file.eaten")), json!({ "event": ["\"file.eaten\" is not a valid choice."] })),
        (with("event", json!(5)), json!({ "event": ["\"5\" is not a valid choice."] })),
        (with("is_active", json!("maybe")), json!({ "is_active": ["Must be a valid boolean."] })),
        (
            with("signing_secret", json!(secret)),
            json!({ "signing_secret": ["Ensure this field has no more than 32 characters."] }),
        ),
        (with("signing_secret", json!(5)), json!({ "signing_secret": ["Not a valid string."] })),
        (with("version", json!("0.6")), json!({ "detail": "Invalid version" })),
        (
            json!({ "target_url": TARGET, "event": "file.uploaded" }),
            json!({ "non_field_errors": ["This project is already subscribed on this event"] }),
        ),
    ] {
        assert_eq!(api.ask("POST", "/webhooks/", &body).await, (400, refusal), "{body}");
    }
    let old = api.version("0.6").ask("POST", "/webhooks/", &with("event", json!("file.stored"))).await;
    assert_eq!(old, (400, json!({ "event": ["\"file.stored\" is not a valid choice."] })));
    let second = create(&api, &json!({ "target_url": TARGET, "event": "file.stored", "version": "0.7" })).await;
    let path = format!("/webhooks/{}/", second["id"]);
    let duplicate = json!({ "non_field_errors": ["This project is already subscribed on this event"] });
    assert_eq!(api.ask("PUT", &path, &json!({ "event": "file.uploaded" })).await, (400, duplicate));
    for (body, refusal) in [
        (json!({ "version": "0.7" }), json!({ "detail": "Invalid version" })),
        (json!({ "target_url": "http://10.0.0.1/" }), json!({ "target_url": [private] })),
        (json!({ "event": "x" }), json!({ "event": ["\"x\" is not a valid choice."] })),
    ] {
        assert_eq!(api.ask("PUT", &path, &body).await, (400, refusal), "{body}");
    }
    assert_eq!(api.get("/webhooks/").await, json!([second, first]), "nothing came of it");
}

#[tokio::test]
async fn a_project_has_a_hundred_webhooks_at_most() {
    let server = Server::with("", ALLOW).await;
    let api = Api::new(&server);
    for n in 0..100 {
        create(&api, &json!({ "target_url": format!("{TARGET}/{n}"), "event": "file.uploaded" })).await;
    }
    let more = json!({ "target_url": TARGET, "event": "file.uploaded" });
    let refusal = json!({ "non_field_errors": ["A project can not have more than 100 webhooks."] });
    assert_eq!(api.ask("POST", "/webhooks/", &more).await, (400, refusal));
}

#[tokio::test]
async fn targets_that_are_not_public_need_a_setting() {
    let server = Server::start().await;
    let api = Api::new(&server);
    let refusal = json!({ "target_url": ["Only public IPs are allowed. Others need the setting fetch.allow."] });
    for target in [TARGET, "http://localhost:8080/"] {
        let (status, told) =
            api.ask("POST", "/webhooks/", &json!({ "target_url": target, "event": "file.uploaded" })).await;
        assert_eq!((status, &told), (400, &refusal), "{target}");
    }
    create(&api, &json!({ "target_url": "https://192.0.1.1/", "event": "file.uploaded" })).await;
}
