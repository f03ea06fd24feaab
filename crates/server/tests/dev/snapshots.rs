//! Snapshots: everything comes back, also on other engines, and nothing bad gets in.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stowage_model::Ids;

use super::faults::{fault, rest};
use super::resets::dev;
use super::support::{PNG, Server, json as body_of, part};

const SESSION: &str = "x-stowage-session";

async fn export(server: &Server) -> Vec<u8> {
    let answer = server.get("/_dev/snapshot").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-tar");
    answer.bytes().await.unwrap().to_vec()
}

async fn import(server: &Server, archive: &[u8]) -> (StatusCode, Value) {
    let answer = server.http.put(server.url("/_dev/snapshot")).body(archive.to_vec()).send().await.unwrap();
    (answer.status(), body_of(answer).await)
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = rest(server, Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text.replace(&server.base, "BASE")).unwrap()
}

/// Everything that clients and tests can see of a world, without the address of the server.
async fn seen(server: &Server, token: &str) -> Value {
    let listed = get(server, "/files/?limit=1000&removed=false").await;
    let removed = get(server, "/files/?removed=true").await;
    let mut bytes = Vec::new();
    for file in listed["results"].as_array().unwrap() {
        let id = file["uuid"].as_str().unwrap();
        let answer = server.get(&format!("/{id}/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        bytes.push((id.to_owned(), etag, answer.bytes().await.unwrap().to_vec()));
    }
    let clock = dev(server, Method::GET, "/_dev/clock", Value::Null).await.1;
    assert_eq!(clock["frozen"], json!(true));
    let status = server.get(&format!("/from_url/status/?token={token}")).send().await.unwrap();
    let mut jobs = dev(server, Method::GET, "/_dev/jobs", Value::Null).await.1;
    for job in jobs["jobs"].as_array_mut().into_iter().flatten() {
        // What was held is held again a moment later.
        job.as_object_mut().unwrap().retain(|key, _| ["id", "kind", "project", "url"].contains(&key.as_str()));
    }
    json!({
        "files": listed,
        "removed": removed,
        "bytes": bytes,
        "groups": get(server, "/groups/").await,
        "webhooks": get(server, "/webhooks/").await,
        "project": get(server, "/project/").await,
        "now": clock["now"],
        "from_url": body_of(status).await,
        "jobs": jobs,
        "faults": dev(server, Method::GET, "/_dev/faults", Value::Null).await.1,
    })
}

/// A bit of everything; answers the token of an upload that is held.
async fn fill(server: &Server) -> String {
    let (status, _) = dev(server, Method::PUT, "/_dev/clock", json!({ "frozen": true })).await;
    assert_eq!(status, StatusCode::OK);
    let text = server.file("Ünïcode.txt", b"hello", "text/plain").await;
    let picture = server.file("a.png", PNG, "image/png").await;
    // Equal bytes, no bytes, many bytes.
    server.file("twice.txt", b"hello", "text/plain").await;
    server.file("large.bin", &vec![7; 300_000], "application/x-thing").await;
    let (field, temporary) = ("metadata[key]", [("temporary", "t.txt", &b"short lived"[..], "text/plain")]);
    let answer = server.upload(&[("UPLOADCARE_STORE", "0"), (field, "v \u{1F980}")], &temporary).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let gone = server.file("gone.txt", b"gone", "text/plain").await;
    let answer = rest(server, Method::DELETE, &format!("/files/{gone}/storage/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    server.group(&[&picture, &format!("{picture}/-/preview/"), &text]).await;
    let webhook = json!({ "target_url": "https://example.com/hook", "event": "file.infected", "signing_secret": "s" });
    let answer = rest(server, Method::POST, "/webhooks/").json(&webhook).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    fault(server, json!({ "match": { "project": "other" }, "do": { "status": 500 } })).await;
    let (status, _) = dev(server, Method::POST, "/_dev/jobs/holds", json!({ "kind": "from_url", "times": 1 })).await;
    assert_eq!(status, StatusCode::CREATED);
    let fields = [("pub_key", "demopublickey"), ("source_url", "http://8.8.8.8/a.png"), ("store", "1")];
    let token = body_of(server.post("/from_url/", &fields).await).await["token"].as_str().unwrap().to_owned();
    held(server).await;
    token
}

/// Waits until the one job there is is held.
async fn held(server: &Server) {
    for _ in 0..600 {
        let (_, jobs) = dev(server, Method::GET, "/_dev/jobs", Value::Null).await;
        if jobs["jobs"].as_array().unwrap().iter().any(|job| job["state"] == "held") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the job is not held");
}

/// A server on these engines, whatever the others run on; none where they are not there.
async fn on_postgres_and_s3() -> Option<Server> {
    let url = stowage_store::testing::postgres_url().await?;
    let var = |name: &str| std::env::var(name).ok();
    let bucket = format!("t{}", Ids::random().uuid().simple());
    let blobs = format!("s3://{bucket}?endpoint={}&path_style=true", var("STOWAGE_TEST_S3_ENDPOINT")?);
    let (key, secret) = (var("STOWAGE_TEST_S3_KEY")?, var("STOWAGE_TEST_S3_SECRET")?);
    let environment = [
        ("STOWAGE_DATABASE__URL", url.as_str()),
        ("STOWAGE_BLOBS__URL", &blobs),
        ("STOWAGE_BLOBS__ACCESS_KEY_ID", &key),
        ("STOWAGE_BLOBS__SECRET_ACCESS_KEY", &secret),
    ];
    Some(Server::dev(&environment).await)
}

#[tokio::test]
async fn everything_comes_back_after_a_reset() {
    let server = Server::dev(&[]).await;
    let token = fill(&server).await;
    let before = seen(&server, &token).await;
    assert_eq!(before["files"]["total"], 5);
    assert_eq!(before["from_url"]["status"], "waiting");
    let archive = export(&server).await;
    assert_eq!(seen(&server, &token).await, before, "an export changes nothing");
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    server.file("other.txt", b"other", "text/plain").await;
    let (status, imported) = import(&server, &archive).await;
    assert_eq!(status, StatusCode::OK, "{imported}");
    assert_eq!((&imported["rows"]["files"], &imported["contents"]), (&json!(6), &json!(5)));
    assert_eq!(imported["left_behind"], json!({ "open_uploads": 0, "copy_uploads": 0 }));
    held(&server).await;
    assert_eq!(seen(&server, &token).await, before);
    // It lives: what is held can end, a file that was deleted can be brought back, and bytes that two files share go with the second.
    let gone = before["removed"]["results"][0]["uuid"].as_str().unwrap();
    let answer = rest(&server, Method::PUT, &format!("/files/{gone}/storage/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(server.get(&format!("/{gone}/")).send().await.unwrap().text().await.unwrap(), "gone");
    let (status, _) = dev(&server, Method::POST, &format!("/_dev/jobs/{token}/succeed"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    server.file("new.txt", b"new", "text/plain").await;
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_files_share_go_with_the_last_of_them() {
    let server = Server::dev(&[("STOWAGE_JANITOR__RECOVERY_TTL", "1s")]).await;
    let one = server.file("one.txt", b"shared", "text/plain").await;
    let two = server.file("two.txt", b"shared", "text/plain").await;
    let archive = export(&server).await;
    assert_eq!(import(&server, &archive).await.0, StatusCode::OK);
    let delete = async |id: &str| {
        let answer = rest(&server, Method::DELETE, &format!("/files/{id}/storage/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let (status, _) = dev(&server, Method::POST, "/_dev/clock/advance", json!({ "by": "1h" })).await;
        assert_eq!(status, StatusCode::OK);
    };
    delete(&one).await;
    assert_eq!(server.get(&format!("/{two}/")).send().await.unwrap().text().await.unwrap(), "shared");
    let known = server.records().file(two.parse().unwrap()).await.unwrap().unwrap().blob.unwrap();
    delete(&two).await;
    assert!(!server.records().garbage(10).await.unwrap().contains(&known));
    assert_eq!(server.records().known_blobs(&[known]).await.unwrap().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn it_goes_to_other_engines_and_back() {
    let Some(other) = on_postgres_and_s3().await else { return };
    let server = Server::dev(&[]).await;
    let token = fill(&server).await;
    let before = seen(&server, &token).await;
    let (status, imported) = import(&other, &export(&server).await).await;
    assert_eq!(status, StatusCode::OK, "{imported}");
    held(&other).await;
    assert_eq!(seen(&other, &token).await, before);
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, imported) = import(&server, &export(&other).await).await;
    assert_eq!(status, StatusCode::OK, "{imported}");
    held(&server).await;
    assert_eq!(seen(&server, &token).await, before);
    server.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_session_is_exported_and_imported_alone() {
    let server = Server::dev(&[]).await;
    let outside = server.file("a.txt", b"outside", "text/plain").await;
    let form = reqwest::multipart::Form::new()
        .text("UPLOADCARE_PUB_KEY", "demopublickey")
        .part("file", part("b.txt", b"inside", "text/plain"));
    let answer = server.http.post(server.url("/base/")).header(SESSION, "one").multipart(form).send().await.unwrap();
    let answer = body_of(answer).await;
    let inside = answer["file"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let archive = server.get("/_dev/sessions/one/snapshot").send().await.unwrap().bytes().await.unwrap();
    let answer =
        server.http.put(server.url("/_dev/snapshot")).header(SESSION, "two").body(archive).send().await.unwrap();
    let status = answer.status();
    let imported = body_of(answer).await;
    assert_eq!((status, &imported["rows"]["files"]), (StatusCode::OK, &json!(1)));
    let found = async |session: &str, id: &str| {
        let answer = server.get(&format!("/{id}/")).header(SESSION, session).send().await.unwrap();
        answer.status() == StatusCode::OK
    };
    assert!(found("one", &inside).await && found("two", &inside).await);
    assert!(!found("two", &outside).await && found("default", &outside).await);
    server.stop().await;
}

#[tokio::test]
async fn open_uploads_stay_behind_and_that_is_said() {
    let server = Server::dev(&[]).await;
    let (id, _) = server.start_multipart(11_000_000, &[]).await;
    let archive = export(&server).await;
    let (status, imported) = import(&server, &archive).await;
    assert_eq!((status, &imported["left_behind"]["open_uploads"]), (StatusCode::OK, &json!(1)));
    assert_eq!(server.complete(&id).await.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn a_bad_archive_changes_nothing() {
    let server = Server::dev(&[]).await;
    let token = fill(&server).await;
    let before = seen(&server, &token).await;
    let archive = export(&server).await;
    let at = |text: &str| archive.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = archive.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let mut twice = archive.clone();
    twice.extend_from_slice(&archive);
    for (what, bytes, says) in [
        ("nothing", Vec::new(), "ends too early"),
        ("text", vec![b'x'; 5000], "no tar archive"),
        ("the first half", archive[..archive.len() / 2].to_vec(), "ends too early"),
        ("no end", archive[..archive.len() - 1024].to_vec(), "ends too early"),
        ("another form", changed(at("\"stowage_snapshot\": 1"), b"\"stowage_snapshot\": 2"), "form 2"),
        ("another path", changed(at("records/files"), b"../../../../x"), "no tar archive"),
        ("changed bytes", changed(at("short lived"), b"shorX lived"), "digest"),
        ("a changed row", changed(at("a.png"), b"b.png"), "digest"),
        ("a broken row", changed(at("\"is_image\""), b"\"is_imagf\""), "is_image"),
        ("a broken clock", changed(at("frozen_at"), b"frozen_xx"), "frozen_xx"),
    ] {
        let (status, refused) = import(&server, &bytes).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}: {refused}");
        assert!(refused["error"].as_str().unwrap().contains(says), "{what}: {refused}");
    }
    assert_eq!(seen(&server, &token).await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_standing_still() {
    let server = Server::dev(&[]).await;
    server.file("large.bin", &vec![7; 20_000_000], "application/x-thing").await;
    let mut answer = server.get("/_dev/snapshot").send().await.unwrap();
    answer.chunk().await.unwrap();
    drop(answer);
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    server.stop().await;
}
