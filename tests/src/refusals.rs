//! The catalogue of refusals: every code that `docs/errors.md` says is raised is raised here, in each of its forms.

mod ask;
mod book;
mod cases;
mod origin;
mod signed;

use std::collections::BTreeSet;

use ask::{KEY, base, from_url, get};
use book::{Book, outcome, raised};
use serde_json::{Value, json};

use crate::stowage::{Place, until};

const CONFIG: &str = r#"
[[projects]]
public_key = "demopublickey"
secret_keys = []
[[projects]]
public_key = "signed"
secret_keys = ["secret"]
signed_uploads = true
[[projects]]
public_key = "blocked"
secret_keys = []
account_state = "blocked"
[[projects]]
public_key = "unpaid"
secret_keys = []
account_state = "unpaid"
[[projects]]
public_key = "full"
secret_keys = []
max_files = 1
[[projects]]
public_key = "off"
secret_keys = []
uploads_enabled = false
[[projects]]
public_key = "removed"
secret_keys = []
removed = true
[[projects]]
public_key = "strict"
secret_keys = []
autostore = false
strict_autostore = true
[[projects]]
public_key = "small"
secret_keys = []
max_file_size = "10MB"
[[projects]]
public_key = "tiny"
secret_keys = []
max_file_size = 1000
[[projects]]
public_key = "images"
secret_keys = []
allowed_types = ["image/*"]
svg_validation = true
[[projects]]
public_key = "ids"
secret_keys = []
allow_client_file_id = true

[uploads]
request_size = "12MB"
fields = 1200
files = 3

[fetch]
allow = ["127.0.0.1/32"]
deny_hosts = ["blocked.example.com"]
total_timeout = "2s"

[scan]
command = ["sh", "-c", "if grep -q EICAR; then echo 'stream: Win.Test.EICAR_HDB-1 FOUND'; exit 1; fi"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_in_every_form() {
    let place = Place::new().await;
    let config = place.folder.path().join("stowage.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let server = place.serve(&["--config", config.to_str().unwrap()]).await;
    let origin = origin::origin().await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    cases::requests(&mut book).await;
    cases::metadata(&mut book).await;
    cases::signatures(&mut book).await;
    cases::multiparts(&mut book).await;
    cases::contents(&mut book).await;
    cases::groups_and_urls(&mut book).await;
    cases::downloads(&mut book, &origin).await;
    let mut seen = book.seen;

    let throttled = Place::with(&[("STOWAGE_THROTTLE__PER_KEY", "1"), ("STOWAGE_THROTTLE__BURST", "1")]).await;
    let server = throttled.serve(&[]).await;
    base(&[KEY]).send(&server, "", "*/*").await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    book.refuses("RequestThrottledError", "Request was throttled.", base(&[KEY])).await;
    seen.append(&mut book.seen);

    // A part of the house that is broken.
    let broken = Place::with(&[("STOWAGE_SCAN__COMMAND", "/nowhere/scan")]).await;
    let server = broken.serve(&[]).await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    book.refuses("UploadAPIError", "Internal error.", base(&[KEY])).await;
    seen.append(&mut book.seen);
    drop(server);
    let broken = Place::with(&[
        ("STOWAGE_SCAN__COMMAND", "/nowhere/scan"),
        ("STOWAGE_FETCH__ALLOW", "127.0.0.1/32"),
        ("STOWAGE_JOBS__ATTEMPTS", "1"),
        ("STOWAGE_JOBS__LEASE", "100ms"),
    ])
    .await;
    let server = broken.serve(&[]).await;
    let mut book = Book { server: &server, seen };
    book.fails("DownloadFileInternalServerError", "Internal server error.", "demopublickey", &format!("{origin}/x"))
        .await;
    // A worker that dies over its task.
    let (_, begun, _) = from_url("demopublickey", &format!("{origin}/slow")).send(&server, "", "*/*").await;
    let token = serde_json::from_str::<Value>(&begun).unwrap()["token"].as_str().unwrap().to_owned();
    until("the task has begun", async || {
        let (_, body, _) = get(format!("/from_url/status/?token={token}")).send(&server, "", "*/*").await;
        body.contains("progress")
    })
    .await;
    let mut seen = book.seen;
    server.kill().await;
    let server = broken.serve(&[]).await;
    let told = outcome(&server, &token).await;
    assert_eq!(
        told,
        json!({"status": "error", "error": "download task failed.", "error_code": "DownloadFileTaskFailedError"})
    );
    seen.insert("DownloadFileTaskFailedError".to_owned());

    let in_process = ["DownloadFileNotFoundError", "URLRedirectsLimitExceededError"];
    let missing: Vec<String> =
        raised().difference(&seen).filter(|code| !in_process.contains(&code.as_str())).cloned().collect();
    assert!(missing.is_empty(), "never raised: {missing:?}");
}
