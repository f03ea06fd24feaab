//! The clock, ids, and jobs that are held.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::resets::dev;
use super::support::{self, PNG, Server};

const STATUS: &str = "/from_url/status/?token=";

async fn put(server: &Server, path: &str, body: Value) -> Value {
    let (status, answer) = dev(server, Method::PUT, path, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

async fn post(server: &Server, path: &str, body: Value) -> Value {
    let (status, answer) = dev(server, Method::POST, path, body).await;
    assert!(status.is_success(), "{path}: {answer}");
    answer
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, answer) = dev(server, Method::GET, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn refused(server: &Server, method: Method, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = dev(server, method, path, body).await;
    (status.as_u16(), answer["error"].as_str().unwrap_or_else(|| panic!("{path}: {answer}")).to_owned())
}

/// Starts an upload from a URL and answers its token.
async fn fetch(server: &Server, url: &str) -> String {
    let fields = [("pub_key", "demopublickey"), ("source_url", url)];
    let answer = support::json(server.post("/from_url/", &fields).await).await;
    answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn status(server: &Server, token: &str) -> Value {
    get(server, &format!("{STATUS}{token}")).await
}

/// Asks until the condition holds.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain until {what}");
}

async fn make_webhook(server: &Server, hook: &Value) {
    let made = server
        .http
        .post(server.url("/webhooks/"))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
        .json(hook)
        .send()
        .await
        .unwrap();
    let status = made.status();
    assert_eq!(status, StatusCode::CREATED, "{}", made.text().await.unwrap());
}

/// A server whose uploads from URLs may ask itself.
async fn server() -> Server {
    Server::dev(&[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_is_frozen_set_and_released() {
    let server = Server::dev(&[]).await;
    let shown = get(&server, "/_dev/clock").await;
    assert_eq!((&shown["frozen"], &shown["ahead_ms"]), (&json!(false), &json!(0)));
    let set = put(&server, "/_dev/clock", json!({ "now": "2030-01-02T05:04:05+02:00", "frozen": true })).await;
    assert_eq!((&set["now"], &set["frozen"]), (&json!("2030-01-02T03:04:05.000000Z"), &json!(true)));
    let id = server.file("a.txt", b"hello", "text/plain").await;
    let file = server
        .get(&format!("/files/{id}/"))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let file = support::json(file.send().await.unwrap()).await;
    assert!(file["datetime_uploaded"].as_str().unwrap().starts_with("2030-01-02T03:04:05"), "{file}");
    let runs = put(&server, "/_dev/clock", json!({ "frozen": false })).await;
    assert!(runs["now"].as_str().unwrap().starts_with("2030-01-02T03:04") && runs["frozen"] == json!(false), "{runs}");
    let (code, _) = dev(&server, Method::DELETE, "/_dev/clock", Value::Null).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(get(&server, "/_dev/clock").await["ahead_ms"], 0);
    for (method, path, body) in [
        (Method::PUT, "/_dev/clock", json!({})),
        (Method::PUT, "/_dev/clock", json!({ "now": "yesterday" })),
        (Method::PUT, "/_dev/clock", json!({ "now": "1969-12-31T23:59:59Z" })),
        (Method::PUT, "/_dev/clock", json!({ "now": "9999-12-31T23:59:59Z" })),
        (Method::PUT, "/_dev/clock", json!({ "time": "2030-01-02T03:04:05Z" })),
        (Method::POST, "/_dev/clock/advance", json!({})),
        (Method::POST, "/_dev/clock/advance", json!({ "by": "soon" })),
        (Method::POST, "/_dev/clock/advance", json!({ "by": "1h", "to": "2030-01-02T03:04:05Z" })),
        (Method::POST, "/_dev/clock/advance", json!({ "to": "2001-01-02T03:04:05Z" })),
        (Method::POST, "/_dev/clock/advance", json!({ "by": "9000 years" })),
    ] {
        let (code, sentence) = refused(&server, method, path, body.clone()).await;
        assert_eq!(code, 400, "{body}: {sentence}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn advancing_does_what_is_due_on_the_way() {
    let server = server().await;
    put(&server, "/_dev/clock", json!({ "frozen": true })).await;
    let temporary = server.upload(&[("UPLOADCARE_STORE", "0")], &[("file", "a.txt", b"hello", "text/plain")]).await;
    let temporary = support::json(temporary).await["file"].clone();
    let stored = server.file("b.txt", b"again", "text/plain").await;
    // Nobody listens there: it is tried at its times, and told.
    let hook = json!({ "target_url": "http://127.0.0.1:1/", "event": "file.deleted", "is_active": true });
    make_webhook(&server, &hook).await;
    let before = get(&server, "/_dev/clock").await["now"].clone();
    let early = post(&server, "/_dev/clock/advance", json!({ "by": "23h 59m" })).await;
    assert_eq!((&early["expired"]["count"], &early["complete"]), (&json!(0), &json!(true)), "{early}");
    let done = post(&server, "/_dev/clock/advance", json!({ "by": "1h" })).await;
    assert_eq!(done["expired"], json!({ "count": 1, "files": [temporary] }), "{done}");
    assert_eq!((&done["blobs"], &done["frozen"], &done["complete"]), (&json!(1), &json!(true), &json!(true)), "{done}");
    let told = done["webhooks"].as_array().unwrap();
    assert!(told.len() > 2, "{done}");
    assert!(told.iter().all(|told| told["outcome"] == "retry" && told["status"].is_null()), "{done}");
    let times: Vec<&str> = told.iter().map(|told| told["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times[0] < times[1] && times[0] > before.as_str().unwrap(), "{times:?}");
    let gone = format!("/info/?pub_key=demopublickey&file_id={}", temporary.as_str().unwrap());
    assert_eq!(server.get(&gone).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(server.info(&stored).await["uuid"], json!(stored));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seeded_ids_repeat_after_a_reset() {
    let server = server().await;
    let mut rounds = Vec::new();
    for _ in 0..2 {
        post(&server, "/_dev/reset", Value::Null).await;
        put(&server, "/_dev/ids", json!({ "seed": 7 })).await;
        let file = server.file("a.txt", b"hello", "text/plain").await;
        let group = server.group(&[&file]).await;
        let token = fetch(&server, &server.url(&format!("/{file}/"))).await;
        let mut fetched = Value::Null;
        until("it is fetched", async || {
            fetched = status(&server, &token).await;
            fetched["status"] == "success"
        })
        .await;
        let fields =
            [("UPLOADCARE_PUB_KEY", "demopublickey"), ("filename", "l"), ("size", "10485760"), ("content_type", "a/b")];
        let parts = support::json(server.post("/multipart/start/", &fields).await).await;
        rounds.push((file, group, token, fetched["uuid"].clone(), parts["uuid"].clone()));
    }
    assert_eq!(rounds[0], rounds[1]);
    assert!(rounds[0].3.is_string() && rounds[0].4.is_string(), "{rounds:?}");
    // The same once more, without a reset: the ids are taken.
    put(&server, "/_dev/ids", json!({ "seed": 7 })).await;
    let clash = server.upload(&[("UPLOADCARE_STORE", "1")], &[("file", "a.txt", b"hello", "text/plain")]).await;
    assert_eq!(clash.status(), StatusCode::BAD_REQUEST);
    assert!(clash.text().await.unwrap().contains("is duplicated"));
    let clash = server.post("/group/", &[("pub_key", "demopublickey"), ("files[0]", &rounds[1].0)]).await;
    assert_eq!(clash.status(), StatusCode::BAD_REQUEST, "{}", clash.text().await.unwrap());
    let url = server.url(&format!("/{}/", rounds[1].0));
    let clash = server.post("/from_url/", &[("pub_key", "demopublickey"), ("source_url", &url)]).await;
    assert_eq!(clash.status(), StatusCode::BAD_REQUEST, "{}", clash.text().await.unwrap());
    // The id of the job was the next one; then comes that of the upload in parts.
    let fields =
        [("UPLOADCARE_PUB_KEY", "demopublickey"), ("filename", "l"), ("size", "10485760"), ("content_type", "a/b")];
    let clash = server.post("/multipart/start/", &fields).await;
    assert_eq!(clash.status(), StatusCode::BAD_REQUEST, "{}", clash.text().await.unwrap());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_id_is_the_next_one() {
    let server = server().await;
    let pin = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
    assert_eq!(put(&server, "/_dev/ids", json!({ "pin": pin })).await, json!({ "seed": null, "pin": pin }));
    assert_eq!(server.file("a.txt", b"hello", "text/plain").await, pin);
    assert_eq!(get(&server, "/_dev/ids").await, json!({ "seed": null, "pin": null }));
    let (code, sentence) = refused(&server, Method::PUT, "/_dev/ids", json!({ "pin": pin })).await;
    assert!(code == 409 && sentence.contains(pin), "{code} {sentence}");
    for wrong in [json!({}), json!({ "pin": "x" }), json!({ "seed": -1 }), json!({ "seeds": 1 })] {
        assert_eq!(refused(&server, Method::PUT, "/_dev/ids", wrong.clone()).await.0, 400, "{wrong}");
    }
    let other = "11111111-25b8-4c4d-9e55-7d8c6f6c4b61";
    put(&server, "/_dev/ids", json!({ "pin": other, "seed": 1 })).await;
    let token = fetch(&server, &server.url(&format!("/{pin}/"))).await;
    until("the fetched file has it", async || status(&server, &token).await["uuid"] == other).await;
    put(&server, "/_dev/ids", json!({ "pin": "22222222-25b8-4c4d-9e55-7d8c6f6c4b61" })).await;
    let (code, shown) = dev(&server, Method::DELETE, "/_dev/ids", Value::Null).await;
    assert_eq!((code, shown), (StatusCode::OK, json!({ "seed": null, "pin": null })));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_held_in_waiting() {
    let server = server().await;
    let file = server.file("photo.png", PNG, "image/png").await;
    let url = server.url(&format!("/{file}/photo.png"));
    let hold = post(&server, "/_dev/jobs/holds", json!({ "kind": "from_url", "url": "photo.png" })).await;
    let tokens = [fetch(&server, &url).await, fetch(&server, &url).await, fetch(&server, &url).await];
    let held = async || {
        let jobs = get(&server, "/_dev/jobs").await;
        jobs["jobs"].as_array().unwrap().iter().filter(|job| job["state"] == "held" && job["due"].is_null()).count()
    };
    until("all are held", async || held().await == 3).await;
    let listed = get(&server, "/_dev/jobs/holds").await;
    assert_eq!((&listed["holds"][0]["id"], listed["holds"][0]["held"].as_array().unwrap().len()), (&hold["id"], 3));
    // Whatever time it becomes, they are not due.
    let done = post(&server, "/_dev/clock/advance", json!({ "by": "1h" })).await;
    assert_eq!(done["jobs"], json!([]), "{done}");
    for token in &tokens {
        assert_eq!(status(&server, token).await, json!({ "status": "waiting" }));
    }
    let shown = get(&server, "/_dev/jobs").await["jobs"][0].clone();
    assert_eq!(
        (&shown["kind"], &shown["project"], &shown["url"]),
        (&json!("from_url"), &json!("demopublickey"), &json!(url))
    );
    assert_eq!((&shown["attempts"], &shown["done"]), (&json!(0), &Value::Null), "{shown}");
    let fail = json!({ "code": "DownloadFileHTTPClientError" });
    post(&server, &format!("/_dev/jobs/{}/fail", tokens[0]), fail).await;
    let failed =
        json!({ "status": "error", "error": "HTTP client error: 404.", "error_code": "DownloadFileHTTPClientError" });
    assert_eq!(status(&server, &tokens[0]).await, failed);
    let succeed = format!("/_dev/jobs/{}/succeed?name=mine.txt", tokens[1]);
    let answer = server.http.post(server.url(&succeed)).header("content-type", "text/plain").body("mine").send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
    let mine = status(&server, &tokens[1]).await;
    assert_eq!(
        (&mine["status"], &mine["filename"], &mine["size"]),
        (&json!("success"), &json!("mine.txt"), &json!(4)),
        "{mine}"
    );
    let (code, _) = dev(&server, Method::DELETE, &format!("/_dev/jobs/holds/{}", hold["id"]), Value::Null).await;
    assert_eq!(code, StatusCode::NO_CONTENT);
    until("the last is let go", async || status(&server, &tokens[2]).await["status"] == "success").await;
    assert_eq!(get(&server, "/_dev/jobs").await, json!({ "jobs": [] }));
    for (path, body) in [
        (format!("/_dev/jobs/{}/step", tokens[2]), Value::Null),
        (format!("/_dev/jobs/{}/release", tokens[2]), Value::Null),
        (format!("/_dev/jobs/{}/fail", tokens[2]), json!({ "code": "DownloadFileError" })),
        (format!("/_dev/jobs/{}/succeed", tokens[2]), Value::Null),
        ("/_dev/jobs/nonsense/step".to_owned(), Value::Null),
    ] {
        assert_eq!(refused(&server, Method::POST, &path, body).await.0, 404, "{path}");
    }
    assert_eq!(refused(&server, Method::POST, "/_dev/jobs/holds", json!({ "steps": 0 })).await.0, 400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_held_in_progress_and_stepped() {
    let server = server().await;
    let body = vec![b'x'; 300_000];
    let file = server.file("l.bin", &body, "application/octet-stream").await;
    let url = server.url(&format!("/{file}/"));
    post(&server, "/_dev/jobs/holds", json!({ "kind": "from_url", "steps": 3, "times": 1 })).await;
    let token = fetch(&server, &url).await;
    let progress = |done: u64| json!({ "status": "progress", "done": done, "total": 300_000 });
    until("it has begun", async || status(&server, &token).await == progress(100_000)).await;
    let stepped = post(&server, &format!("/_dev/jobs/{token}/step"), Value::Null).await;
    assert_eq!((&stepped["job"]["state"], &stepped["job"]["done"]), (&json!("held"), &json!(200_000)), "{stepped}");
    assert_eq!(status(&server, &token).await, progress(200_000));
    // It waits in its worker, which is stopped on the way, and is where it was afterwards.
    let done = post(&server, "/_dev/clock/advance", json!({ "by": "1h" })).await;
    assert_eq!(done["jobs"][0]["outcome"], "held", "{done}");
    assert_eq!(status(&server, &token).await, progress(200_000));
    until("it waits again", async || get(&server, "/_dev/jobs").await["jobs"][0]["state"] == "held").await;
    let stepped = post(&server, &format!("/_dev/jobs/{token}/step"), Value::Null).await;
    assert_eq!(stepped, json!({ "job": null }));
    assert_eq!(status(&server, &token).await["size"], 300_000);
    // The hold has taken what it may take.
    let free = fetch(&server, &url).await;
    until("another is not held", async || status(&server, &free).await["status"] == "success").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_may_need_no_network() {
    let server = Server::dev(&[]).await;
    post(&server, "/_dev/jobs/holds", json!({ "url": "stock", "then": "succeed" })).await;
    let token = fetch(&server, "https://8.8.8.8/stock.png").await;
    let mut picture = Value::Null;
    until("the picture is there", async || {
        picture = status(&server, &token).await;
        picture["status"] == "success"
    })
    .await;
    assert_eq!((&picture["filename"], &picture["mime_type"]), (&json!("stock.png"), &json!("image/png")), "{picture}");
    assert_eq!(picture["image_info"]["width"], 16, "{picture}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_to_webhooks_are_held() {
    let server = server().await;
    let hook = json!({ "target_url": "http://127.0.0.1:1/", "event": "file.uploaded", "is_active": true });
    make_webhook(&server, &hook).await;
    post(&server, "/_dev/jobs/holds", json!({ "kind": "webhook", "project": "demopublickey" })).await;
    server.file("a.txt", b"hello", "text/plain").await;
    server.file("b.txt", b"hello", "text/plain").await;
    let jobs = async || get(&server, "/_dev/jobs").await["jobs"].as_array().unwrap().clone();
    until("both are held", async || {
        let jobs = jobs().await;
        jobs.len() == 2 && jobs.iter().all(|job| job["state"] == "held" && job["attempts"] == 0)
    })
    .await;
    let ids: Vec<String> = jobs().await.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    post(&server, &format!("/_dev/jobs/{}/succeed", ids[0]), Value::Null).await;
    post(&server, &format!("/_dev/jobs/{}/fail", ids[1]), json!({ "code": "503" })).await;
    until("one is delivered, and the other tried again", async || {
        let jobs = jobs().await;
        jobs.len() == 1 && jobs[0]["id"] == json!(ids[1]) && jobs[0]["state"] == "waiting" && jobs[0]["attempts"] == 1
    })
    .await;
    server.stop().await;
}
