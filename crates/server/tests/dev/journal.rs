//! The journal: what tests may ask about the requests there were.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::resets::dev;
use super::support::{self, Server, json as body_of};

const REST: [(&str, &str); 2] = [
    ("Accept", "application/vnd.uploadcare-v0.7+json"),
    ("Authorization", "Uploadcare.Simple demopublickey:demosecretkey"),
];

async fn get(server: &Server, path: &str) -> Value {
    let (status, body) = dev(server, Method::GET, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

async fn count(server: &Server, query: &str) -> Value {
    get(server, &format!("/_dev/journal/count?{query}")).await["count"].clone()
}

/// The requests that a filter lets through, as method, route and status.
async fn listed(server: &Server, query: &str) -> Vec<String> {
    let list = get(server, &format!("/_dev/journal?{query}")).await;
    let line = |entry: &Value| format!("{} {} {}", entry["method"], entry["route"], entry["status"]).replace('"', "");
    list["requests"].as_array().unwrap().iter().map(line).collect()
}

async fn rest(server: &Server, method: Method, path: &str) -> reqwest::Response {
    let mut request = server.http.request(method, server.url(path));
    for (name, value) in REST {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn exactly_two_uploads_happened() {
    let server = Server::dev(&[]).await;
    let file = server.file("a.txt", b"hello", "text/plain").await;
    server.file("b.txt", b"hello again", "text/plain").await;
    assert_eq!(rest(&server, Method::PUT, &format!("/files/{file}/storage/")).await.status(), 200);
    assert_eq!(rest(&server, Method::GET, "/files/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/").await.status(), 404);
    assert_eq!(server.get(&format!("/{file}/a.txt")).send().await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(count(&server, "api=upload&method=POST&status=200").await, 2);
    assert_eq!(count(&server, "route=/base/&project=demopublickey").await, 2);
    assert_eq!(count(&server, "route=/base/&project=other").await, 0);
    assert_eq!(count(&server, "body=hello+again").await, 1);
    assert_eq!(
        listed(&server, "").await,
        [
            "POST /base/ 200",
            "POST /base/ 200",
            "PUT /files/:uuid/storage/ 200",
            "GET /files/:uuid/ 404",
            "GET /:uuid/:filename 200"
        ],
        "doors for tests are not noted"
    );
    assert_eq!(listed(&server, "route=/files/*&project=demopublickey").await.len(), 2);
    assert_eq!(listed(&server, "status=4xx").await, ["GET /files/:uuid/ 404"]);
    assert_eq!(listed(&server, "api=cdn&since=3").await, ["GET /:uuid/:filename 200"]);
    assert_eq!(listed(&server, "limit=1").await, ["GET /:uuid/:filename 200"]);
    let (status, _) = dev(&server, Method::DELETE, "/_dev/journal", Value::Null).await;
    assert_eq!((status, count(&server, "").await), (StatusCode::NO_CONTENT, json!(0)));
    server.stop().await;
}

#[tokio::test]
async fn a_request_is_shown_as_a_whole() {
    let server = Server::dev(&[("STOWAGE_DEV__JOURNAL_BODY", "1KiB")]).await;
    let fields = [("UPLOADCARE_STORE", "1"), ("signature", "abc"), ("metadata[k]", "v")];
    let small = server.upload(&fields, &[("file", "a.txt", b"hello", "text/plain")]).await;
    let id = small.headers()["x-uploadcare-request-id"].to_str().unwrap().to_owned();
    let shown = get(&server, "/_dev/journal/1").await;
    assert_eq!((&shown["id"], &shown["state"], &shown["api"]), (&json!(id), &json!("answered"), &json!("upload")));
    let body = &shown["request"]["body"];
    let expected = json!({ "UPLOADCARE_PUB_KEY": "demopublickey", "UPLOADCARE_STORE": "1", "signature": "***", "metadata[k]": "v" });
    assert_eq!(body["fields"], expected);
    assert_eq!(body["files"], json!([{ "field": "file", "name": "a.txt", "type": "text/plain", "size": 5 }]));
    assert!(body["text"].as_str().unwrap().contains("hello") && !body["text"].as_str().unwrap().contains("abc"));
    let answer: Value = serde_json::from_str(shown["answer"]["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(answer, body_of(small).await);
    // The official clients put the fields behind the file.
    let form = reqwest::multipart::Form::new()
        .part("file", support::part("b.bin", &vec![0xff; 100_000], "application/octet-stream"))
        .text("UPLOADCARE_PUB_KEY", "demopublickey");
    let sent = server.http.post(server.url("/base/")).multipart(form).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let shown = get(&server, "/_dev/journal/2").await;
    let body = &shown["request"]["body"];
    assert!(shown["request"]["size"].as_u64().unwrap() > 100_000);
    assert_eq!(body["fields"], json!({ "UPLOADCARE_PUB_KEY": "demopublickey" }));
    assert_eq!(body["files"][0]["name"], "b.bin");
    assert_eq!((&body["is_whole"], body["text"].is_null(), body["base64"].is_string()), (&json!(false), true, true));
    let (status, refused) = dev(&server, Method::GET, "/_dev/journal/3", Value::Null).await;
    assert_eq!((status, refused), (StatusCode::NOT_FOUND, json!({ "error": "the journal remembers no request `3`" })));
    server.stop().await;
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let server = Server::dev(&[]).await;
    let file = server.file("a.txt", b"hello", "text/plain").await;
    rest(&server, Method::GET, "/files/").await;
    server.get(&format!("/{file}/?token=exp=1~hmac=5ec2e7")).send().await.unwrap();
    server.get("/info/?pub_key=demopublickey&signature=5ec2e7").send().await.unwrap();
    let hook = json!({ "target_url": "http://x/_dev/capture/a", "event": "file.stored", "signing_secret": "5ec2e7" });
    let asked = server.http.post(server.url("/webhooks/")).json(&hook);
    let made = REST.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value)).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let (_, urls) = server.start_multipart(11 << 20, &[]).await;
    let signature = urls[0].rsplit('=').next().unwrap().to_owned();
    let mut all = get(&server, "/_dev/journal").await.to_string();
    for number in 1..=6 {
        all.push_str(&get(&server, &format!("/_dev/journal/{number}")).await.to_string());
    }
    assert!(
        all.contains("Uploadcare.Simple demopublickey:***")
            && all.contains("signing_secret")
            && all.contains("partNumber=1")
    );
    for secret in ["demosecretkey", "5ec2e7", signature.as_str()] {
        assert!(!all.contains(secret), "{secret}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_test_may_wait_for_what_is_to_come() {
    let server = Server::dev(&[]).await;
    let waiting = count(&server, "route=/base/&state=answered&at_least=2&wait=60s");
    let uploads = async {
        server.file("a.txt", b"hello", "text/plain").await;
        server.file("b.txt", b"hello", "text/plain").await;
    };
    assert_eq!(tokio::join!(waiting, uploads).0, 2);
    assert_eq!(count(&server, "at_least=1000&wait=1ms").await, 2, "it does not wait for ever");
    server.stop().await;
}

#[tokio::test]
async fn worlds_have_journals_of_their_own() {
    let server = Server::dev(&[("STOWAGE_DEV__JOURNAL", "2")]).await;
    for _ in 0..3 {
        let refused = server.get("/files/").header("x-stowage-session", "one").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE, "{}", refused.text().await.unwrap());
    }
    server.file("a.txt", b"hello", "text/plain").await;
    let list = get(&server, "/_dev/sessions/one/journal").await;
    let numbers: Vec<&Value> = list["requests"].as_array().unwrap().iter().map(|entry| &entry["number"]).collect();
    assert_eq!(numbers, [2, 3], "the newest are remembered");
    assert_eq!(listed(&server, "").await, ["POST /base/ 200"]);
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!((status, count(&server, "").await), (StatusCode::OK, json!(0)));
    server.file("a.txt", b"hello", "text/plain").await;
    assert_eq!(get(&server, "/_dev/journal").await["requests"][0]["number"], 1);
    assert_eq!(get(&server, "/_dev/sessions/one/journal/count").await["count"], 2);
    server.stop().await;
}

#[tokio::test]
async fn wrong_questions_are_answered_with_sentences() {
    let server = Server::dev(&[]).await;
    for (query, word) in [
        ("rout=/base/", "unknown field `rout`"),
        ("api=soap", "unknown variant `soap`"),
        ("status=4", "404, or 4xx"),
        ("limit=many", "invalid digit"),
        ("wait=soon", "`90s`"),
        ("wait=61s", "60s at most"),
    ] {
        let (status, refused) = dev(&server, Method::GET, &format!("/_dev/journal?{query}"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(refused["error"].as_str().is_some_and(|text| text.contains(word)), "{query}: {refused}");
    }
    server.stop().await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let server = Server::dev(&[("STOWAGE_DEV__JOURNAL", "0")]).await;
    server.file("a.txt", b"hello", "text/plain").await;
    assert_eq!(count(&server, "").await, 0);
    assert_eq!(get(&server, "/_dev/journal").await, json!({ "requests": [] }));
    server.stop().await;
}
