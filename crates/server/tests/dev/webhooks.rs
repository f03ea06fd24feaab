//! What webhooks were told, and the built-in address that takes it.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use super::resets::dev;
use super::support::{Server, json as body_of};

const SIGNATURE: &str = "x-uc-signature";
const SECRET: &str = "7kMVZivndx0ErgvhRKAr";

/// The signature of a body.
fn signed(body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body);
    let mut text = "v1=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, body) = dev(server, Method::GET, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// Makes a webhook through the REST API; answers its number.
async fn subscribe(server: &Server, session: &str, target: &str, secret: Option<&str>) -> Value {
    let hook = json!({ "target_url": target, "event": "file.uploaded", "signing_secret": secret });
    let request = server
        .http
        .post(server.url("/webhooks/"))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
        .header("x-stowage-session", session)
        .json(&hook);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    body_of(answer).await["id"].clone()
}

#[tokio::test]
async fn a_test_needs_no_receiver() {
    let server = Server::dev(&[]).await;
    // Private addresses may not be told anything otherwise.
    subscribe(&server, "default", &server.url("/_dev/capture/hook"), Some(SECRET)).await;
    let file = server.file("a.txt", b"hello", "text/plain").await;
    let list = get(&server, "/_dev/captured?name=hook&at_least=1&wait=30s").await;
    let caught = &list["captured"][0];
    assert_eq!(caught["body"]["data"]["uuid"], file);
    assert_eq!((&caught["verdict"], &caught["event"]), (&json!("good"), &json!("file.uploaded")));
    assert_eq!(
        (&caught["project"], &caught["attempt"], &caught["status"]),
        (&json!("demopublickey"), &json!(1), &json!(200))
    );
    assert_eq!(caught["headers"]["content-type"], "application/json");
    let raw = caught["raw"]["text"].as_str().unwrap();
    assert_eq!(caught["headers"]["x-uc-signature"], signed(raw));
    let log = get(&server, "/_dev/webhooks?state=delivered&at_least=1&wait=30s").await;
    let told = &log["deliveries"][0];
    assert_eq!((&told["id"], &told["file"]), (&caught["delivery"], &json!(file)));
    assert_eq!(
        (&told["body"], &told["verdict"], &told["project"]),
        (&caught["body"], &json!("good"), &caught["project"])
    );
    assert_eq!(
        (&told["attempts"][0]["status"], &told["due_at"], &told["is_held"]),
        (&json!(200), &Value::Null, &json!(false))
    );
    assert_eq!(get(&server, "/_dev/captured/other").await["captured"], json!([]));
    assert_eq!(get(&server, "/_dev/captured/hook?event=file.uploaded").await, list);
    assert_eq!(get(&server, "/_dev/captured?event=file.stored").await["captured"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn an_address_may_refuse_and_a_delivery_may_be_repeated() {
    let server = Server::dev(&[]).await;
    subscribe(&server, "default", "http://no-such-host.invalid/_dev/capture/hook?status=503", None).await;
    server.file("a.txt", b"hello", "text/plain").await;
    let first = get(&server, "/_dev/captured?at_least=1&wait=30s").await;
    let caught = &first["captured"][0];
    assert_eq!(
        (&caught["verdict"], &caught["status"], &caught["query"]),
        (&json!("none"), &json!(503), &json!("status=503"))
    );
    // It is captured before it is recorded.
    let told = loop {
        let told =
            get(&server, "/_dev/webhooks?target=no-such-host&project=demopublickey").await["deliveries"][0].clone();
        if told["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()) {
            break told;
        }
    };
    assert_eq!((&told["state"], &told["attempts"][0]["status"]), (&json!("pending"), &json!(503)));
    assert!(told["due_at"].is_string());
    let id = told["id"].as_i64().unwrap();
    let (status, due) = dev(&server, Method::POST, &format!("/_dev/webhooks/{id}/redeliver"), Value::Null).await;
    assert_eq!((status, due), (StatusCode::OK, json!({ "due": id })));
    let second = get(&server, "/_dev/captured?at_least=2&wait=30s").await;
    let again = &second["captured"][1];
    assert_eq!((&again["delivery"], &again["attempt"], &again["raw"]), (&told["id"], &json!(2), &caught["raw"]));
    let (status, refused) = dev(&server, Method::POST, "/_dev/webhooks/77/redeliver", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(refused["error"].as_str().unwrap().contains("`77`"));
    let (status, _) = dev(&server, Method::GET, "/_dev/webhooks?project=nobody", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(get(&server, "/_dev/webhooks?event=file.stored").await["deliveries"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn whatever_is_sent_is_kept() {
    let server = Server::dev(&[]).await;
    subscribe(&server, "default", "http://h/_dev/capture/hook", Some(SECRET)).await;
    let send = |path: &str, body: &'static str, signature: Option<String>| {
        let mut request = server.http.put(server.url(path)).body(body);
        if let Some(signature) = signature {
            request = request.header(SIGNATURE, signature);
        }
        request.send()
    };
    let answer = send("/_dev/capture/mine?status=201&x=1", "{\"a\":1}", Some(signed("{\"a\":1}"))).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status(), body_of(answer).await), (StatusCode::CREATED, json!({ "captured": 1 })));
    send("/_dev/capture/mine", "no json", Some("v1=00".to_owned())).await.unwrap();
    let empty = send("/_dev/capture/other/?status=204", "", None).await.unwrap();
    assert_eq!((empty.status(), empty.text().await.unwrap()), (StatusCode::NO_CONTENT, String::new()));
    let list = get(&server, "/_dev/captured").await;
    let of =
        |member: &str| list["captured"].as_array().unwrap().iter().map(|one| one[member].clone()).collect::<Vec<_>>();
    assert_eq!(of("verdict"), ["good", "bad", "none"]);
    assert_eq!(of("body"), [json!({ "a": 1 }), Value::Null, Value::Null]);
    assert_eq!(of("method"), ["PUT", "PUT", "PUT"]);
    assert_eq!(of("delivery"), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(list["captured"][1]["raw"], json!({ "is_whole": true, "text": "no json" }));
    for path in ["/_dev/capture/a%20b", "/_dev/capture/a/b", "/_dev/capture/"] {
        assert_eq!(send(path, "", None).await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    let (status, _) = dev(&server, Method::DELETE, "/_dev/captured?name=mine", Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(get(&server, "/_dev/captured").await["captured"][0]["name"], "other");
    dev(&server, Method::DELETE, "/_dev/captured", Value::Null).await;
    assert_eq!(get(&server, "/_dev/captured").await["captured"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn worlds_capture_for_themselves() {
    let server = Server::dev(&[]).await;
    subscribe(&server, "one", &server.url("/_dev/sessions/one/capture/hook"), None).await;
    let upload = |session: &'static str| {
        let form = reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey");
        let form = form.part("file", super::support::part("a.txt", b"hello", "text/plain"));
        server.http.post(server.url("/base/")).header("x-stowage-session", session).multipart(form).send()
    };
    assert_eq!(upload("default").await.unwrap().status(), 200);
    assert_eq!(upload("one").await.unwrap().status(), 200);
    let list = get(&server, "/_dev/sessions/one/captured?at_least=1&wait=30s").await;
    assert_eq!(list["captured"].as_array().unwrap().len(), 1);
    dev(&server, Method::POST, "/_dev/sessions/one/capture/hook", json!({})).await;
    assert_eq!(get(&server, "/_dev/sessions/one/captured").await["captured"].as_array().unwrap().len(), 2);
    assert_eq!(get(&server, "/_dev/captured").await["captured"], json!([]));
    assert_eq!(get(&server, "/_dev/webhooks").await["deliveries"], json!([]));
    let (status, _) = dev(&server, Method::POST, "/_dev/sessions/one/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(get(&server, "/_dev/sessions/one/captured").await["captured"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn targets_that_capture_nothing_are_looked_at() {
    let server = Server::start().await;
    let hook = json!({ "target_url": "http://127.0.0.1/_dev/capture/hook", "event": "file.uploaded" });
    let refused = server
        .http
        .post(server.url("/webhooks/"))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
        .json(&hook);
    assert_eq!(
        refused.send().await.unwrap().status(),
        StatusCode::BAD_REQUEST,
        "without the doors it is an address like others"
    );
    server.stop().await;
}
