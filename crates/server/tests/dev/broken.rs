//! Faults that break things off: connections, bodies, parts, webhooks, copies.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::driving::until;
use super::faults::{clear, counts, fault, files, rest};
use super::resets::dev;
use super::support::{self, Server, json as body_of};

/// Everything that comes back on a connection of its own, and whether the other side has closed it properly.
async fn raw(server: &Server, path: &str) -> (String, usize) {
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut sent = Vec::new();
    // Broken off is broken off, whichever way.
    let _ = stream.read_to_end(&mut sent).await;
    let head = sent.windows(4).position(|window| window == b"\r\n\r\n").map_or(sent.len(), |at| at + 4);
    (String::from_utf8_lossy(&sent[..head]).to_lowercase(), sent.len() - head)
}

#[tokio::test]
async fn connections_are_dropped_before_and_after() {
    let server = Server::dev(&[]).await;
    let upload = || {
        let form = reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey");
        let form = form.part("file", support::part("a.txt", b"hello", "text/plain"));
        server.http.post(server.url("/base/")).multipart(form).send()
    };
    let before = fault(&server, json!({ "match": { "api": "upload" }, "do": { "drop": true } })).await;
    assert!(upload().await.is_err());
    assert_eq!((counts(&server, before).await.1, files(&server).await), (1, 0));
    clear(&server).await;
    let after = fault(&server, json!({ "match": { "api": "upload" }, "do": { "drop": true, "after": true } })).await;
    assert!(upload().await.is_err());
    assert_eq!((counts(&server, after).await.1, files(&server).await), (1, 1), "it took effect");
    clear(&server).await;
    fault(&server, json!({ "match": { "api": "upload" }, "do": { "refuse": "UploadAPIError", "after": true } })).await;
    assert_eq!(upload().await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(files(&server).await, 2, "it took effect");
    clear(&server).await;
    fault(&server, json!({ "name": "gone", "do": { "drop": true } })).await;
    assert_eq!(raw(&server, "/files/").await, (String::new(), 0));
    let (_, noted) = dev(&server, Method::GET, "/_dev/journal?fault=gone", Value::Null).await;
    assert_eq!(noted["requests"][0]["status"], Value::Null, "{noted}");
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_truncated() {
    let server = Server::dev(&[]).await;
    let bytes = vec![b'x'; 300_000];
    let id = server.file("a.bin", &bytes, "application/x-thing").await;
    for most in [0, 1, 10_000, 250_000] {
        clear(&server).await;
        fault(&server, json!({ "match": { "api": "cdn" }, "do": { "truncate": most } })).await;
        let (head, sent) = raw(&server, &format!("/{id}/")).await;
        assert!(head.contains("200 ok") && head.contains("content-length: 300000"), "{head}");
        assert_eq!(sent, most, "as many bytes as were asked for");
        let answer = server.get(&format!("/{id}/")).send().await.unwrap();
        assert!(answer.bytes().await.is_err(), "clients see that something is missing");
    }
    clear(&server).await;
    fault(&server, json!({ "match": { "api": "rest" }, "do": { "truncate": "1MiB", "slow": "1MiB" } })).await;
    assert_eq!(files(&server).await, 1, "shorter ones are whole");
    clear(&server).await;
    let slow = fault(&server, json!({ "match": { "api": "cdn" }, "do": { "slow": "1MB" } })).await;
    let answer = server.get(&format!("/{id}/")).send().await.unwrap();
    assert_eq!((answer.bytes().await.unwrap(), counts(&server, slow).await.1), (bytes.into(), 1));
    server.stop().await;
}

#[tokio::test]
async fn a_reset_ends_delays() {
    let server = Server::dev(&[]).await;
    let late = fault(&server, json!({ "match": { "api": "rest" }, "do": { "delay": "1h" } })).await;
    let asked = tokio::spawn(rest(&server, Method::GET, "/files/").send());
    until("the request is held up", async || counts(&server, late).await.1 == 1).await;
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(asked.await.unwrap().is_err(), "it is cut off");
    assert_eq!(files(&server).await, 0, "others are not held up any more");
    server.stop().await;
}

#[tokio::test]
async fn a_delayed_request_is_answered() {
    let server = Server::dev(&[]).await;
    for after in [false, true] {
        clear(&server).await;
        fault(&server, json!({ "name": "late", "do": { "delay": "5ms", "after": after } })).await;
        let answer = rest(&server, Method::GET, "/project/").send().await.unwrap();
        assert_eq!((answer.status(), &answer.headers()["x-stowage-fault"]), (StatusCode::OK, &"late".parse().unwrap()));
        assert_eq!(body_of(answer).await["pub_key"], "demopublickey");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_part_fails_and_is_sent_again() {
    let server = Server::dev(&[]).await;
    let bytes: Vec<u8> = (0..12_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let (id, urls) = server.start_multipart(bytes.len(), &[]).await;
    assert!(
        urls.iter().all(|url| url.starts_with(&server.base)),
        "parts come to us, also where blobs are in S3: {urls:?}"
    );
    let rule = json!({
        "match": { "api": "part", "project": "demopublickey", "query": { "partNumber": "2" } },
        "times": 1,
        "do": { "status": 503, "body": "SlowDown" },
    });
    let second = fault(&server, rule).await;
    let pieces: Vec<&[u8]> = bytes.chunks(5 << 20).collect();
    let mut statuses = Vec::new();
    for (url, piece) in urls.iter().zip(&pieces) {
        let answer = server.put(url, piece).await;
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 200]);
    assert_ne!(server.complete(&id).await.status(), StatusCode::OK, "it has not arrived");
    assert_eq!(server.put(&urls[1], pieces[1]).await.status(), StatusCode::OK);
    assert_eq!(server.complete(&id).await.status(), StatusCode::OK);
    assert_eq!(counts(&server, second).await, (2, 1));
    assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap(), bytes);
    fault(&server, json!({ "do": { "refuse": "MultipartFileNotFoundError" } })).await;
    let refused = server.put(&urls[0], pieces[0]).await;
    assert_eq!((refused.status().as_u16(), refused.text().await.unwrap()), (404, "File is not found.".to_owned()));
    server.stop().await;
}

#[tokio::test]
async fn webhooks_fail_and_are_told_again() {
    let server = Server::dev(&[]).await;
    let hook =
        |name: &str, event: &str| json!({ "target_url": server.url(&format!("/_dev/capture/{name}")), "event": event });
    for (name, event) in [("one", "file.uploaded"), ("two", "file.uploaded"), ("three", "file.stored")] {
        let made = rest(&server, Method::POST, "/webhooks/").json(&hook(name, event)).send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED);
    }
    let status = json!({ "match": { "event": "file.uploaded", "target": "capture/one" }, "times": 1, "do": { "status": 503, "delay": "1ms" } });
    let status = fault(&server, status).await;
    let dropped = json!({ "name": "mute", "match": { "api": "webhook", "event": "file.stored", "project": "demopublickey" }, "times": 1, "do": { "drop": true } });
    let dropped = fault(&server, dropped).await;
    fault(&server, json!({ "match": { "event": "file.uploaded", "project": "other" }, "do": { "drop": true } })).await;
    server.file("a.txt", b"hello", "text/plain").await;
    until("both have acted", async || counts(&server, status).await.1 + counts(&server, dropped).await.1 == 2).await;
    let (_, caught) = dev(&server, Method::GET, "/_dev/captured/two?at_least=1&wait=30s", Value::Null).await;
    assert_eq!(caught["captured"].as_array().unwrap().len(), 1, "another target");
    let attempts = async |name: &str| {
        let (_, log) = dev(&server, Method::GET, "/_dev/webhooks", Value::Null).await;
        let all = log["deliveries"].as_array().unwrap();
        let one = all.iter().find(|one| one["target"].as_str().unwrap().ends_with(name)).unwrap();
        one["attempts"].clone()
    };
    until("the attempts are noted", async || {
        attempts("one").await.as_array().unwrap().len() == 1 && attempts("three").await.as_array().unwrap().len() == 1
    })
    .await;
    assert_eq!(attempts("one").await[0]["status"], 503);
    let reason = attempts("three").await[0]["error"].as_str().unwrap().to_owned();
    assert!(reason.contains("mute"), "{reason}");
    for name in ["one", "three"] {
        let (_, caught) = dev(&server, Method::GET, &format!("/_dev/captured/{name}"), Value::Null).await;
        assert_eq!(caught["captured"], json!([]), "{name} was not told");
    }
    let (advanced, _) = dev(&server, Method::POST, "/_dev/clock/advance", json!({ "by": "2h" })).await;
    assert_eq!(advanced, StatusCode::OK);
    for name in ["one", "three"] {
        let (_, caught) =
            dev(&server, Method::GET, &format!("/_dev/captured/{name}?at_least=1&wait=30s"), Value::Null).await;
        assert_eq!(caught["captured"].as_array().unwrap().len(), 1, "{name} was told at last");
    }
    server.stop().await;
}

#[tokio::test]
async fn copies_to_a_storage_are_refused() {
    let storages = "[[storages]]\nproject = \"demopublickey\"\nname = \"archive\"\nbucket = \"nowhere\"\nauto_copy = true\n\
                    endpoint_url = \"http://127.0.0.1:1\"\naccess_key_id = \"a\"\nsecret_access_key = \"b\"\n";
    let server = Server::with_dev(storages, &[]).await;
    let rule =
        json!({ "match": { "api": "copy", "target": "arch" }, "do": { "refuse": "NoSuchBucket", "text": "made up" } });
    let copy = fault(&server, rule).await;
    server.file("a.txt", b"hello", "text/plain").await;
    let records = server.records();
    let storage = records.storages().await.unwrap()[0].id;
    let first = stowage_store::records::CopyId(0);
    until("the copy was refused", async || counts(&server, copy).await.1 > 0).await;
    // What S3 refuses is tried again; in the end it is given up.
    let (advanced, _) = dev(&server, Method::POST, "/_dev/clock/advance", json!({ "by": "4d" })).await;
    assert_eq!(advanced, StatusCode::OK);
    let failed = records.failed_copies(storage, first, 9).await.unwrap();
    assert_eq!(failed[0].error, "made up");
    assert!(counts(&server, copy).await.1 > 1);
    server.stop().await;
}
