//! Webhooks from end to end: what is told, when it is tried again, and who is never told anything.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "webhooks/receiver.rs"]
mod receiver;
mod support;

use std::fmt::Write;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use receiver::Receiver;
use serde_json::{Value, json as value};
use sha2::Sha256;
use stowage_model::{EventKind, HookVersion, Webhook};
use stowage_store::records::{Delivery, DeliveryFilter, DeliveryState, NewWebhook, Records, Redelivery, WebhookChange};
use stowage_store::testing::bytes;
use support::{DAY, Server, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ALLOW: (&str, &str) = ("STOWAGE_FETCH__ALLOW", "127.0.0.0/8");
const SECRET: &str = "7kMVZivndx0ErgvhRKAr";

async fn subscribe_with(server: &Server, new: NewWebhook) -> Webhook {
    let records = server.records();
    let project = records.project_by_key("demopublickey").await.unwrap().unwrap();
    records.create_webhook(project.id, &new, server.clock.now()).await.unwrap()
}

async fn subscribe(server: &Server, event: EventKind, target_url: String) -> Webhook {
    let version = HookVersion::V07;
    let signing_secret = Some(SECRET.to_owned());
    subscribe_with(server, NewWebhook { event, target_url, is_active: true, version, signing_secret }).await
}

async fn upload(server: &Server) -> String {
    server.file("a.txt", b"hello", "text/plain").await
}

async fn drain(server: &Server) -> u64 {
    server.postman().drain().await.unwrap()
}

async fn log(records: &Records) -> Vec<Delivery> {
    records.deliveries(&DeliveryFilter::default(), 1000).await.unwrap()
}

async fn the_only(server: &Server) -> Delivery {
    let mut log = log(&server.records()).await;
    assert_eq!(log.len(), 1);
    log.remove(0)
}

fn signed(body: &str) -> String {
    let mut text = "v1=".to_owned();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body);
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// A request to the REST API.
async fn rest(server: &Server, method: reqwest::Method, path: &str, body: &Value) -> reqwest::Response {
    let request = server.http.request(method, server.url(path)).json(body);
    let request = request.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let answer = request.header("accept", "application/vnd.uploadcare-v0.7+json").send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer
}

fn request_id(answer: &reqwest::Response) -> String {
    answer.headers()["x-uploadcare-request-id"].to_str().unwrap().to_owned()
}

/// Delivers, and answers what was told since the last time, by event.
async fn news(server: &Server, receiver: &Receiver) -> Vec<(String, Value)> {
    drain(server).await;
    let posts = receiver.take();
    let mut news: Vec<(String, Value)> = posts
        .iter()
        .map(|post| {
            assert_eq!(post.content_type.as_deref(), Some("application/json"));
            assert_eq!(post.signature, Some(signed(&post.body)));
            (post.path.trim_start_matches('/').to_owned(), post.payload())
        })
        .collect();
    for (path, payload) in &news {
        assert_eq!(payload["hook"]["event"], **path);
    }
    news.sort_by(|a, b| b.0.cmp(&a.0));
    news
}

fn by_request(id: &str) -> Value {
    value!({"type": "api", "detail": {"request_id": id, "addon_name": null}})
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_is_told() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    for event in EventKind::ALL {
        subscribe(&server, event, receiver.url(&format!("/{event}"))).await;
    }
    // A temporary file and, in the same request, a picture.
    let answer = server.upload(&[], &[("a", "a.txt", b"hello", "text/plain")]).await;
    let by = by_request(&request_id(&answer));
    let id = json(answer).await["a"].as_str().unwrap().to_owned();
    let told = news(&server, &receiver).await;
    assert_eq!(told.len(), 1);
    let (event, payload) = &told[0];
    assert_eq!((event.as_str(), &payload["initiator"]), ("file.uploaded", &by));
    let file = format!("{}/{id}/a.txt", server.base);
    assert_eq!(
        (&payload["file"], &payload["data"]["original_file_url"]),
        (&file.as_str().into(), &file.as_str().into())
    );
    assert_eq!((&payload["data"]["uuid"], &payload["data"]["datetime_stored"]), (&id.as_str().into(), &().into()));
    let shown =
        json(rest(&server, reqwest::Method::GET, &format!("/files/{id}/?include=appdata"), &().into()).await).await;
    assert_eq!(payload["data"], shown, "the file as the REST API shows it");
    assert_eq!(payload["hook"]["project_pub_key"], "demopublickey");
    // Stored from the start.
    let answer = server.upload(&[("UPLOADCARE_STORE", "1")], &[("a", "b.txt", b"hello", "text/plain")]).await;
    let by = by_request(&request_id(&answer));
    let told = news(&server, &receiver).await;
    assert_eq!(told.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>(), ["file.uploaded", "file.stored"]);
    assert!(
        told.iter().all(|(_, payload)| payload["initiator"] == by && !payload["data"]["datetime_stored"].is_null())
    );
    // By the REST API: stored, described, removed.
    let storage = format!("/files/{id}/storage/");
    let answer = rest(&server, reqwest::Method::PUT, &storage, &().into()).await;
    let by = by_request(&request_id(&answer));
    rest(&server, reqwest::Method::PUT, &storage, &().into()).await;
    let told = news(&server, &receiver).await;
    assert_eq!((told.len(), told[0].0.as_str(), &told[0].1["initiator"]), (1, "file.stored", &by));
    let metadata = format!("/files/{id}/metadata/pet/");
    for (word, previous) in [("cat", Value::Null), ("dog", value!({"pet": "cat"})), ("dog", value!("nothing"))] {
        rest(&server, reqwest::Method::PUT, &metadata, &word.into()).await;
        let told = news(&server, &receiver).await;
        if previous == "nothing" {
            assert_eq!(told, [], "nothing has changed");
            continue;
        }
        assert_eq!((told.len(), told[0].0.as_str()), (1, "file.info_updated"));
        assert_eq!(told[0].1["previous_values"], value!({"metadata": previous}));
        assert_eq!(told[0].1["data"]["metadata"], value!({"pet": word}));
    }
    rest(&server, reqwest::Method::DELETE, &storage, &().into()).await;
    let told = news(&server, &receiver).await;
    assert_eq!((told.len(), told[0].0.as_str()), (1, "file.deleted"));
    assert_eq!((&told[0].1["file"], &told[0].1["data"]["original_file_url"]), (&file.as_str().into(), &().into()));
    assert!(told[0].1.get("previous_values").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_and_the_janitor_are_told() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    for event in [EventKind::Uploaded, EventKind::Stored, EventKind::Deleted] {
        subscribe(&server, event, receiver.url(&format!("/{event}"))).await;
    }
    let content = bytes(1, 10 << 20);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    for (url, part) in urls.iter().zip(content.chunks(5 << 20)) {
        server.put(url, part).await;
    }
    let answer = server.complete(&id).await;
    let told = news(&server, &receiver).await;
    assert_eq!((told.len(), &told[0].1["data"]["uuid"]), (1, &id.as_str().into()));
    assert_eq!(told[0].1["initiator"], by_request(&request_id(&answer)));
    // From a URL: the request that asked for it.
    let source = format!("{}/{id}/", server.base);
    let fields = [("pub_key", "demopublickey"), ("source_url", source.as_str()), ("store", "1")];
    let answer = server.post("/from_url/", &fields).await;
    let by = by_request(&request_id(&answer));
    assert_eq!(news(&server, &receiver).await, [], "nothing has been uploaded yet");
    server.runner().drain().await.unwrap();
    let told = news(&server, &receiver).await;
    assert_eq!(told.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>(), ["file.uploaded", "file.stored"]);
    assert!(told.iter().all(|(_, payload)| payload["initiator"] == by), "{told:?}");
    // The one that was never stored expires.
    server.clock.advance(DAY + Duration::from_secs(1));
    server.janitor().tidy().await.unwrap();
    let told = news(&server, &receiver).await;
    assert_eq!((told.len(), told[0].0.as_str(), &told[0].1["data"]["uuid"]), (1, "file.deleted", &id.as_str().into()));
    let system = value!({"type": "system", "detail": {"request_id": null, "addon_name": null}});
    assert_eq!(told[0].1["initiator"], system);
    assert_eq!(told[0].1["file"], format!("{}/{id}/big.bin", server.base));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_its_payload() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    for (version, path) in [(HookVersion::V05, "/5"), (HookVersion::V06, "/6"), (HookVersion::V07, "/7")] {
        let target_url = receiver.url(path);
        let event = EventKind::Uploaded;
        subscribe_with(&server, NewWebhook { event, target_url, is_active: true, version, signing_secret: None }).await;
    }
    upload(&server).await;
    assert_eq!(drain(&server).await, 3);
    for (path, hash, content) in [("/5", true, false), ("/6", true, true), ("/7", false, true)] {
        let told = receiver.told(path);
        assert_eq!((told.len(), &told[0].signature), (1, &None), "nobody has asked for signatures");
        let payload = told[0].payload();
        assert_eq!(payload.get("payload_hash").is_some(), hash, "{path}");
        assert_eq!(payload["data"].get("content_info").is_some(), content, "{path}");
        assert_eq!(payload.get("initiator").is_some(), !hash, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_target_is_tried_again_and_again() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    let webhook = subscribe(&server, EventKind::Uploaded, receiver.url("/fail")).await;
    upload(&server).await;
    assert_eq!(drain(&server).await, 1);
    // Whatever becomes of the webhook, what is told stays the same.
    let change = WebhookChange { signing_secret: Some(Some("other".into())), ..WebhookChange::default() };
    let records = server.records();
    records.update_webhook(webhook.project, webhook.id, &change, server.clock.now()).await.unwrap().unwrap();
    let hour = 3600;
    let mut pauses = vec![10, 30, 60, 300, 900, 1800, hour, 2 * hour];
    // Every four hours for the rest of 72 hours.
    pauses.extend([4 * hour; 17]);
    for pause in pauses {
        server.clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(drain(&server).await, 0, "{pause}");
        server.clock.advance(Duration::from_secs(1));
        assert_eq!(drain(&server).await, 1, "{pause}");
    }
    server.clock.advance(DAY * 30);
    assert_eq!(drain(&server).await, 0);
    let told = receiver.told("/fail");
    assert_eq!(told.len(), 26);
    assert!(told.iter().all(|post| *post == told[0]) && told[0].signature == Some(signed(&told[0].body)));
    let delivery = the_only(&server).await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Failed, 26));
    assert!(delivery.attempts.iter().all(|attempt| attempt.status == Some(500)));
    assert!(delivery.attempts.is_sorted_by(|a, b| a.at < b.at));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_2xx_is_a_success_and_redirects_lead_nowhere() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (target, status, error) in [
        (receiver.url("/moved"), Some(302), Some("redirects are not followed")),
        (receiver.url("/gone"), Some(410), None),
        (receiver.url("/once"), Some(503), None),
        (format!("http://{nobody}/"), None, Some("connection refused")),
        (receiver.url("/ok"), Some(202), None),
        (format!("http://{}/", "missing.invalid"), None, Some("host does not resolve")),
    ] {
        let webhook = subscribe(&server, EventKind::Uploaded, target.clone()).await;
        upload(&server).await;
        assert_eq!(drain(&server).await, 1);
        let delivery = the_only(&server).await;
        let attempt = &delivery.attempts[0];
        assert_eq!((attempt.status, attempt.error.as_deref()), (status, error), "{target}");
        let state = if status == Some(202) { DeliveryState::Delivered } else { DeliveryState::Pending };
        assert_eq!(delivery.state, state, "{target}");
        server.clock.advance(Duration::from_secs(10));
        assert_eq!(drain(&server).await, u64::from(state == DeliveryState::Pending));
        let succeeded = the_only(&server).await.state == DeliveryState::Delivered;
        assert_eq!(succeeded, target.ends_with("/once") || target.ends_with("/ok"));
        server.records().delete_webhook(webhook.project, webhook.id).await.unwrap();
    }
    let paths: Vec<String> = receiver.told("/").into_iter().map(|post| post.path).collect();
    assert_eq!(paths, ["/moved", "/moved", "/gone", "/gone", "/once", "/once", "/ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_targets_are_refused() {
    let (server, receiver) = (Server::start().await, Receiver::start().await);
    subscribe(&server, EventKind::Uploaded, receiver.url("/ok")).await;
    upload(&server).await;
    assert_eq!(drain(&server).await, 1);
    let attempt = the_only(&server).await.attempts.remove(0);
    assert_eq!((attempt.status, attempt.error.unwrap().contains("fetch.allow")), (None, true));
    assert_eq!(receiver.told("/"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn inactive_and_deleted_webhooks_are_told_nothing() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    let on = WebhookChange { is_active: Some(true), ..WebhookChange::default() };
    let hook = subscribe(&server, EventKind::Uploaded, receiver.url("/fail/1")).await;
    let deleted = subscribe(&server, EventKind::Uploaded, receiver.url("/fail/2")).await;
    let unsubscribed = subscribe(&server, EventKind::Uploaded, receiver.url("/fail/3")).await;
    let records = server.records();
    upload(&server).await;
    assert_eq!(drain(&server).await, 3);
    let now = server.clock.now();
    records.update_webhook(hook.project, hook.id, &off, now).await.unwrap().unwrap();
    records.delete_webhook(hook.project, deleted.id).await.unwrap();
    records.unsubscribe(hook.project, &unsubscribed.target_url).await.unwrap();
    server.clock.advance(DAY);
    assert_eq!(drain(&server).await, 0);
    assert_eq!(the_only(&server).await.state, DeliveryState::Dropped, "with deleted ones goes their log");
    // What was missed stays missed.
    upload(&server).await;
    records.update_webhook(hook.project, hook.id, &on, now).await.unwrap().unwrap();
    assert_eq!(drain(&server).await, 0);
    upload(&server).await;
    assert_eq!((drain(&server).await, receiver.told("/").len()), (1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_targets_delay_nobody_and_are_given_back_at_the_end() {
    let variables = [ALLOW, ("STOWAGE_WEBHOOKS__TIMEOUT", "1h"), ("STOWAGE_WEBHOOKS__CONCURRENCY", "8")];
    let (server, mut receiver) = (Server::with("", &variables).await, Receiver::start().await);
    for n in 0..4 {
        subscribe(&server, EventKind::Uploaded, receiver.url(&format!("/hang/{n}"))).await;
        subscribe(&server, EventKind::Uploaded, receiver.url(&format!("/fail/{n}"))).await;
    }
    let healthy = subscribe(&server, EventKind::Uploaded, receiver.url("/ok")).await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(server.postman().work(stop.clone(), Duration::ZERO));
    for _ in 0..30 {
        upload(&server).await;
    }
    let records = server.records();
    let done = DeliveryFilter { state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() };
    while records.deliveries(&done, 100).await.unwrap().len() < 30 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    receiver.wait_for("/hang", 4).await;
    assert_eq!(receiver.told("/hang").len(), 4, "one for each target that does not answer");
    stop.cancel();
    working.await.unwrap();
    let all = log(&records).await;
    let delivered = |delivery: &&Delivery| delivery.state == DeliveryState::Delivered;
    assert_eq!(all.iter().filter(delivered).count(), 30);
    assert!(all.iter().filter(delivered).all(|delivery| delivery.webhook == healthy.id));
    // Those under way were given back, and can be claimed at once.
    let hanging: Vec<&Delivery> = all.iter().filter(|delivery| delivery.target_url.contains("/hang")).collect();
    assert!(hanging.iter().all(|delivery| delivery.attempts.is_empty() && delivery.due_at <= server.clock.now()));
    for delivery in hanging {
        assert_eq!(records.redeliver(delivery.id, server.clock.now()).await.unwrap(), Redelivery::Due);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_has_begun_is_delivered() {
    let (server, mut receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    let hook = subscribe(&server, EventKind::Uploaded, receiver.url("/hang")).await;
    upload(&server).await;
    let working = tokio::spawn(server.postman().work(CancellationToken::new(), Duration::ZERO));
    receiver.wait_for("/hang", 1).await;
    working.abort();
    assert!(working.await.unwrap_err().is_cancelled());
    let change = WebhookChange { target_url: Some(receiver.url("/ok")), ..WebhookChange::default() };
    let now = server.clock.now();
    server.records().update_webhook(hook.project, hook.id, &change, now).await.unwrap().unwrap();
    assert_eq!(drain(&server).await, 0, "it may still be under way");
    // Twice the time of an attempt, and half a minute.
    server.clock.advance(Duration::from_secs(50));
    assert_eq!(drain(&server).await, 1);
    let (first, second) = (receiver.told("/hang").remove(0), receiver.told("/ok").remove(0));
    assert_eq!(first.payload()["data"], second.payload()["data"]);
    assert_eq!(the_only(&server).await.attempts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_can_be_told_again_until_the_log_is_purged() {
    let (server, receiver) = (Server::with("", &[ALLOW]).await, Receiver::start().await);
    subscribe(&server, EventKind::Uploaded, receiver.url("/ok")).await;
    upload(&server).await;
    assert_eq!(drain(&server).await, 1);
    let (records, first) = (server.records(), the_only(&server).await);
    server.clock.advance(DAY * 6);
    server.janitor().tidy().await.unwrap();
    assert_eq!(records.redeliver(first.id, server.clock.now()).await.unwrap(), Redelivery::Due);
    assert_eq!(drain(&server).await, 1);
    let told = receiver.told("/ok");
    assert_eq!((told.len(), &told[0]), (2, &told[1]));
    assert_eq!(the_only(&server).await.attempts.len(), 2);
    server.clock.advance(DAY * 6);
    server.janitor().tidy().await.unwrap();
    assert_eq!(log(&records).await.len(), 1, "it ended anew");
    server.clock.advance(DAY + Duration::from_secs(1));
    server.janitor().tidy().await.unwrap();
    assert_eq!(log(&records).await, []);
    assert_eq!(records.redeliver(first.id, server.clock.now()).await.unwrap(), Redelivery::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_webhooks_share_a_target_and_the_pace() {
    let variables = [ALLOW, ("STOWAGE_WEBHOOKS__PER_SECOND", "1000"), ("STOWAGE_WEBHOOKS__CONCURRENCY", "3")];
    let (server, receiver) = (Server::with("", &variables).await, Receiver::start().await);
    for event in [EventKind::Uploaded, EventKind::Stored] {
        subscribe(&server, event, receiver.url("/ok")).await;
        subscribe(&server, event, receiver.url("/other")).await;
    }
    for _ in 0..10 {
        upload(&server).await;
    }
    assert_eq!(drain(&server).await, 40);
    assert_eq!((receiver.told("/ok").len(), receiver.told("/other").len()), (20, 20));
    assert_eq!(drain(&server).await, 0);
}
