//! Several processes on the same stores.

use crate::stowage::{Place, bytes, until};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_a_worker_share_their_stores() {
    let place = Place::with(&[
        ("STOWAGE_JANITOR__TEMPORARY_TTL", "3s"),
        ("STOWAGE_JANITOR__INTERVAL", "100ms"),
        ("STOWAGE_JANITOR__SWEEP_INTERVAL", "200ms"),
        // Short, so that two workers sweep while files are being uploaded and deleted.
        ("STOWAGE_JANITOR__GRACE", "2s"),
    ])
    .await;
    let (one, two) = (place.serve(&["--no-worker"]).await, place.serve(&["--no-worker"]).await);
    let _workers = (place.work(), place.work());
    let mut kept = Vec::new();
    let mut temporary = Vec::new();
    for seed in 0..20_u64 {
        let len = if seed % 4 == 0 { 200_000 } else { 3000 };
        let node = if seed % 2 == 0 { &one } else { &two };
        kept.push((node.upload("k", bytes(seed, len), "1").await.unwrap(), seed, len));
        temporary.push(node.upload("t", bytes(seed + 100, len), "0").await.unwrap());
    }
    for (id, seed, len) in &kept {
        for node in [&one, &two] {
            assert!(node.fetch(id).await == (200, bytes(*seed, *len)), "{id}");
        }
    }
    for id in &temporary {
        for node in [&one, &two] {
            until("the file has expired on both nodes", || async { node.fetch(id).await.0 == 404 }).await;
        }
    }
    for (id, seed, len) in &kept {
        assert!(one.fetch(id).await == (200, bytes(*seed, *len)), "{id} was not the workers' to take");
    }
}
