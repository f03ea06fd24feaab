//! Emptying a store, on disk and in S3, and removing a branch of one.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use stowage_model::{BlobKey, Ids};
use stowage_store::Durability;
use stowage_store::blobs::conformance::{content, eventually, get, listed, put, put_part};
use stowage_store::blobs::{BlobError, Blobs, Freed, Options, SMALL};
use stowage_store::testing::services::S3Server;

const NO_GRACE: Duration = Duration::ZERO;
const LARGE: usize = 3_000_000;
const PART: usize = 5 << 20;

fn on_disk() -> Options {
    Options { reserve: 0, ..Options::default() }
}

fn branch(options: &Options, branch: &str) -> Options {
    Options { branch: branch.to_owned(), ..options.clone() }
}

async fn open(options: &Options, folder: &Path, durability: Durability) -> Blobs {
    Blobs::open(options, folder, durability).await.unwrap()
}

async fn is_gone(blobs: &Blobs, key: &BlobKey, len: usize) -> bool {
    matches!(get(blobs, key, 0, len).await, Err(BlobError::NotFound))
}

/// A small blob, a large one and one that has begun to arrive are gone after a wipe, and the store is as good as new.
async fn a_wipe_leaves_nothing(blobs: &Blobs) {
    let (small, large) = (content(1, SMALL), content(2, LARGE));
    for _ in 0..3 {
        let keys = [put(blobs, &small, SMALL).await, put(blobs, &large, 1 << 20).await];
        // What was read before must not be found in memory afterwards.
        assert_eq!(get(blobs, &keys[0], 0, SMALL).await.unwrap(), small);
        assert_eq!(get(blobs, &keys[1], 0, LARGE).await.unwrap(), large);
        let copy = blobs.copy(&keys[0], SMALL as u64).await.unwrap();
        let parts = blobs.begin_parts(2 * PART as u64).await.unwrap();
        put_part(blobs, &parts, 1, PART, &content(3, PART)).await;
        // Some servers cannot say which uploads are unfinished.
        let forgettable =
            blobs.s3_place(&parts.key).is_none() || blobs.unfinished_parts(NO_GRACE).await.unwrap().contains(&parts);
        let mut draft = blobs.draft();
        draft.write(large.clone()).await.unwrap();

        blobs.wipe().await.unwrap();
        assert!(is_gone(blobs, &keys[0], SMALL).await && is_gone(blobs, &keys[1], LARGE).await);
        assert!(is_gone(blobs, &copy, SMALL).await);
        assert!(listed(blobs, NO_GRACE).await.is_empty());
        assert!(blobs.unfinished_parts(NO_GRACE).await.unwrap().is_empty());
        if forgettable {
            assert!(blobs.part(&parts, 2, PART as u64).await.is_err() || blobs.list_parts(&parts).await.is_err());
        }
        drop(draft);
        blobs.delete(&keys[0]).await.unwrap();
        blobs.ready().await.unwrap();
    }
    blobs.wipe().await.unwrap();
    let key = put(blobs, &small, SMALL).await;
    assert_eq!(get(blobs, &key, 0, SMALL).await.unwrap(), small);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_wiped() {
    for durability in [Durability::Full, Durability::Relaxed] {
        let folder = tempfile::tempdir().unwrap();
        a_wipe_leaves_nothing(&open(&on_disk(), folder.path(), durability).await).await;
        let aside = folder.path().join("blobs/wiped");
        eventually("the space becomes free", async || !aside.exists()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wipe_comes_soon_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&on_disk(), folder.path(), Durability::Relaxed).await;
    for _ in 0..200 {
        put(&blobs, &content(1, SMALL), SMALL).await;
        // What was moved aside before is being deleted at this moment.
        blobs.wipe().await.unwrap();
    }
    let aside = folder.path().join("blobs/wiped");
    eventually("the space becomes free", async || !aside.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_wiped() {
    let Some(server) = S3Server::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bucket = format!("test-{}", Ids::random().uuid().simple());
    a_wipe_leaves_nothing(&open(&server.options(&format!("{bucket}/p")), folder.path(), Durability::Full).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_has_moved_aside_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let aside = folder.path().join("blobs/wiped/x/files/ab/cd");
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("y"), "bytes").unwrap();
    let blobs = open(&on_disk(), folder.path(), Durability::Full).await;
    eventually("it is gone", async || !folder.path().join("blobs/wiped").exists()).await;
    assert_eq!(blobs.sweep_drafts(NO_GRACE, true).await.unwrap(), Freed::default());
}

/// Branches keep apart from each other and from the store that they grow from, and go as a whole.
async fn branches_are_apart(options: &Options, folder: &Path) {
    let small = content(1, SMALL);
    let trunk = open(options, folder, Durability::Relaxed).await;
    let one = open(&branch(options, "sessions/one"), folder, Durability::Relaxed).await;
    let two = open(&branch(options, "sessions/two"), folder, Durability::Relaxed).await;
    let mut keys = Vec::new();
    for blobs in [&trunk, &one, &two] {
        keys.push(put(blobs, &small, SMALL).await);
        put(blobs, &content(2, LARGE), 1 << 20).await;
    }
    for (own, blobs) in [&trunk, &one, &two].into_iter().enumerate() {
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(is_gone(blobs, key, SMALL).await, n != own);
        }
    }
    let there = async |at: [&Blobs; 3]| {
        let mut there = Vec::new();
        for (blobs, key) in at.into_iter().zip(&keys) {
            there.push(!is_gone(blobs, key, SMALL).await);
        }
        there
    };
    one.wipe().await.unwrap();
    assert_eq!(there([&trunk, &one, &two]).await, [true, false, true]);
    trunk.wipe().await.unwrap();
    assert_eq!(there([&trunk, &one, &two]).await, [false, false, true], "a store does not touch its branches");
    drop(two);
    Blobs::destroy(&branch(options, "sessions"), folder).await.unwrap();
    let two = open(&branch(options, "sessions/two"), folder, Durability::Relaxed).await;
    assert_eq!(there([&trunk, &one, &two]).await, [false; 3]);
    assert!(listed(&two, NO_GRACE).await.is_empty());
    Blobs::destroy(&branch(options, "sessions/none"), folder).await.unwrap();
    assert!(Blobs::destroy(options, folder).await.is_err(), "a whole store is nobody's to remove");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    branches_are_apart(&on_disk(), folder.path()).await;
    assert!(!folder.path().join("blobs/sessions/one").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_of_a_bucket() {
    let Some(server) = S3Server::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bucket = format!("test-{}", Ids::random().uuid().simple());
    branches_are_apart(&server.options(&bucket), folder.path()).await;
}
