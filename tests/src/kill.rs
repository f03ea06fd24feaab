//! Crashes: whatever was answered 200 is whole afterwards, no record lacks its blob, and nothing half-written stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;

use crate::stowage::{Place, Server, bytes};

/// Rounds of kill -9; `STOWAGE_TEST_KILL_ROUNDS` changes it.
const ROUNDS: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9() {
    let rounds = std::env::var("STOWAGE_TEST_KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let place = Place::with(&[("STOWAGE_JANITOR__GRACE", "0s"), ("STOWAGE_BLOBS__RESERVE", "0")]).await;
    let counter = Arc::new(AtomicU64::new(1));
    let mut answered: Vec<(String, u64, usize)> = Vec::new();
    let mut interrupted = 0;
    for round in 0..rounds {
        let server = Arc::new(place.serve(&["--no-worker"]).await);
        // What the round before was told must be there now.
        for (id, seed, len) in answered.iter().rev().take(40) {
            assert!(
                server.fetch(id).await == (200, bytes(*seed, *len)),
                "round {round}: {id} of {len} bytes is damaged"
            );
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut uploaders = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (server, counter, stop) = (Arc::clone(&server), Arc::clone(&counter), Arc::clone(&stop));
            uploaders.spawn(async move {
                let mut mine = Vec::new();
                let mut failed = 0;
                while !stop.load(Ordering::SeqCst) {
                    let seed = counter.fetch_add(1, Ordering::SeqCst);
                    let len = [10, 5_000, 64 << 10, 70_000, 400_000][usize::try_from(seed % 5).unwrap()];
                    match server.upload("x", bytes(seed, len), "1").await {
                        Ok(id) => mine.push((id, seed, len)),
                        Err(_) => failed += 1,
                    }
                }
                (mine, failed)
            });
        }
        tokio::time::sleep(Duration::from_millis(60 + round * 37 % 150)).await;
        server.signal(rustix::process::Signal::KILL);
        stop.store(true, Ordering::SeqCst);
        for (mine, failed) in uploaders.join_all().await {
            answered.extend(mine);
            interrupted += failed;
        }
    }
    assert!(answered.len() as u64 > rounds, "only {} uploads were answered", answered.len());
    assert!(interrupted > 0, "no upload was interrupted");

    let server = place.serve(&["--no-worker"]).await;
    check_all(&server, &answered).await;
    for id in place.recorded_ids().await {
        assert_eq!(server.fetch(&id).await.0, 200, "the record of {id} has no blob");
    }
    server.kill().await;
    place.print(&["janitor"]).await;
    let left = place.print(&["janitor", "--dry-run"]).await;
    assert_eq!(left, "0 deletion(s) due; nothing was deleted\n");
    let server = place.serve(&["--no-worker"]).await;
    check_all(&server, &answered).await;
}

/// Fetches everything that was answered, several files at a time.
async fn check_all(server: &Server, answered: &[(String, u64, usize)]) {
    futures_util::stream::iter(answered)
        .for_each_concurrent(16, |(id, seed, len)| async move {
            assert!(server.fetch(id).await == (200, bytes(*seed, *len)), "{id} of {len} bytes is damaged or gone");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_lets_an_upload_finish() {
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let body = futures_util::stream::unfold(0_u8, |n| async move {
        if n == 4 {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        Some((Ok::<_, std::io::Error>(vec![b'a' + n; 50_000]), n + 1))
    });
    let part = reqwest::multipart::Part::stream(reqwest::Body::wrap_stream(body)).file_name("slow");
    let form = reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey").part("file", part);
    let upload = tokio::spawn(server.http.post(server.url("/base/")).multipart(form).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal(rustix::process::Signal::TERM);
    let answer = upload.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let id = answer.json::<serde_json::Value>().await.unwrap()["file"].as_str().unwrap().to_owned();
    assert!(server.ended().await, "a graceful stop is a success");
    let server = place.serve(&[]).await;
    assert_eq!(server.fetch(&id).await.1.len(), 200_000);
}
