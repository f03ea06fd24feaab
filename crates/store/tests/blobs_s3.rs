//! Blobs in a bucket of a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

use std::fs;
use std::time::Duration;

use stowage_model::{BlobKey, Ids};
use stowage_store::Durability;
use stowage_store::blobs::conformance::{self, content, get, put};
use stowage_store::blobs::{Blobs, Checksums, Freed, Options};
use stowage_store::testing::services::{S3Server, free_address};

fn new_bucket() -> String {
    format!("test-{}", Ids::random().uuid().simple())
}

async fn open(options: &Options) -> (Blobs, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Blobs::open(options, folder.path(), Durability::Full).await.unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_under_a_prefix() {
    let Some(server) = S3Server::find() else { return };
    let (blobs, _folder) = open(&server.options(&format!("{}/some/prefix", new_bucket()))).await;
    conformance::check(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_with_checksums() {
    let Some(server) = S3Server::find() else { return };
    let options = Options { checksums: Checksums::Always, ..server.options(&new_bucket()) };
    let (blobs, _folder) = open(&options).await;
    conformance::check(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_blobs_go_in_parts() {
    let Some(server) = S3Server::find() else { return };
    for checksums in [Checksums::Auto, Checksums::Always] {
        let options = Options { checksums, ..server.options(&new_bucket()) };
        let (blobs, folder) = open(&options).await;
        let len = (70 << 20) + 12_345;
        let bytes = content(1, len);
        let key = put(&blobs, &bytes, 1 << 20).await;
        assert!(get(&blobs, &key, 0, len).await.unwrap() == bytes, "70 MB come back as they went");
        let (from, to) = ((16 << 20) - 10, (16 << 20) + 10);
        assert_eq!(get(&blobs, &key, from, to).await.unwrap(), bytes[from..to]);
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
        assert_eq!(blobs.sweep_drafts(Duration::ZERO, true).await.unwrap(), Freed::default());
        blobs.delete(&key).await.unwrap();
    }
}

#[tokio::test]
async fn stores_share_a_bucket_and_see_only_their_own() {
    let Some(server) = S3Server::find() else { return };
    let bucket = new_bucket();
    let (outer, _a) = open(&server.options(&bucket)).await;
    let (inner, _b) = open(&server.options(&format!("{bucket}/inner"))).await;
    let (one, two) = (put(&outer, &content(1, 10), 10).await, put(&inner, &content(2, 10), 10).await);
    let listed = async |blobs: &Blobs| conformance::listed(blobs, Duration::ZERO).await;
    assert_eq!(listed(&outer).await, [one.clone()].into());
    assert_eq!(listed(&inner).await, [two.clone()].into());
    inner.delete(&one).await.unwrap();
    assert_eq!(get(&outer, &one, 0, 10).await.unwrap(), content(1, 10));
    // A second process finds the bucket as it is.
    let (again, _c) = open(&server.options(&bucket)).await;
    assert_eq!(get(&again, &one, 0, 10).await.unwrap(), content(1, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_inventories_come_in_pages() {
    let Some(server) = S3Server::own() else { return };
    let Some(root) = server.folder() else { panic!("a server of our own has a folder") };
    let bucket = new_bucket();
    let (blobs, _folder) = open(&server.options(&bucket)).await;
    let mut expected: Vec<BlobKey> =
        (0..2300_u64).map(|n| BlobKey(blake3::hash(&n.to_le_bytes()).to_hex()[..32].to_owned())).collect();
    for key in &expected {
        fs::write(root.join(&bucket).join(&key.0), "x").unwrap();
    }
    fs::write(root.join(&bucket).join("somebody else's"), "x").unwrap();
    expected.sort();
    let first = blobs.inventory(None, Duration::ZERO).await.unwrap();
    assert!(first.next.is_some() && first.items.len() <= 1000);
    let all: Vec<BlobKey> = conformance::listed(&blobs, Duration::ZERO).await.into_iter().collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn refusals_say_what_to_do_and_tell_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = async |options: &Options| {
        let opened = Blobs::open(options, folder.path(), Durability::Full).await;
        let text = opened.err().expect("it must be refused").to_string();
        assert!(!text.contains("hunter2"), "{text}");
        text
    };
    let nobody = Options {
        url: format!("s3://bucket?endpoint=http://{}", free_address()),
        access_key_id: "somebody".into(),
        secret_access_key: "hunter2".into(),
        ..Options::default()
    };
    let text = refusal(&nobody).await;
    assert!(text.starts_with("blobs.url: bucket bucket: "), "{text}");
    let half = Options { access_key_id: String::new(), ..nobody };
    let text = refusal(&half).await;
    assert!(text.starts_with("blobs.access_key_id: "), "{text}");

    let Some(server) = S3Server::find() else { return };
    let wrong = Options { secret_access_key: "hunter2".into(), ..server.options(&new_bucket()) };
    let text = refusal(&wrong).await;
    assert!(text.contains("blobs.secret_access_key"), "{text}");
}

#[tokio::test]
async fn a_server_that_went_away_is_not_ready() {
    let Some(server) = S3Server::own() else { return };
    let (blobs, _folder) = open(&server.options(&new_bucket())).await;
    blobs.ready().await.unwrap();
    drop(server);
    assert!(blobs.ready().await.is_err());
    let mut draft = blobs.draft();
    draft.write(content(1, 10)).await.unwrap();
    assert!(draft.finish().await.unwrap().keep().await.is_err());
}
