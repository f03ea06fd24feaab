//! Blobs in a bucket of a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use stowage_model::{BlobKey, Ids};
use stowage_store::Durability;
use stowage_store::blobs::conformance::{self, content, get, put, put_part};
use stowage_store::blobs::{AssembleError, BlobError, Blobs, Checksums, Freed, Options, Part, PartUrls, Parts};
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

/// PUTs a body as clients do; what they send besides is a content type.
async fn put_to(url: &str, body: Bytes) -> (u16, Option<String>) {
    let client = reqwest::Client::new();
    let answer = client.put(url).header("content-type", "image/png").body(body).send().await.unwrap();
    let etag = answer.headers().get("etag").map(|etag| etag.to_str().unwrap().trim_matches('"').to_owned());
    (answer.status().as_u16(), etag)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_put_parts_to_s3_themselves() {
    let Some(server) = S3Server::find() else { return };
    for checksums in [Checksums::Auto, Checksums::Always] {
        let options = Options { checksums, ..server.options(&format!("{}/p", new_bucket())) };
        let (blobs, folder) = open(&options).await;
        let bytes = content(5, (10 << 20) + 5000);
        let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
        let urls = blobs.presign_parts(&parts, 3, Duration::from_hours(24)).await.unwrap().unwrap();
        assert_eq!(urls.len(), 3);
        let mut list = Vec::new();
        for (n, number) in [2_usize, 0, 1].into_iter().zip([3, 1, 2]) {
            assert!(urls[n].starts_with(&server.endpoint) && urls[n].contains(&format!("partNumber={number}&")));
            assert!(urls[n].contains("X-Amz-Expires=86400") && !urls[n].to_lowercase().contains("checksum"));
            let body = bytes.slice(n * (5 << 20)..bytes.len().min((n + 1) * (5 << 20)));
            let size = body.len() as u64;
            // A part may be sent again; the last one counts.
            assert_eq!(put_to(&urls[n], content(6, 100)).await.0, 200);
            let (status, etag) = put_to(&urls[n], body).await;
            assert_eq!(status, 200);
            list.push(Part { number, size, etag: etag.unwrap() });
        }
        list.sort_by_key(|part| part.number);
        let mut listed = blobs.list_parts(&parts).await.unwrap().unwrap();
        assert_eq!(
            listed.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(),
            [(1, 5 << 20), (2, 5 << 20), (3, 5000)]
        );
        if checksums == Checksums::Auto {
            listed = list;
        }
        blobs.assemble(&parts, bytes.len() as u64, &listed).await.unwrap();
        assert!(get(&blobs, &parts.key, 0, bytes.len()).await.unwrap() == bytes);
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0, "nothing has come through us");
    }
}

#[tokio::test]
async fn urls_are_good_for_what_they_were_made_for() {
    let Some(server) = S3Server::find() else { return };
    let (blobs, _folder) = open(&server.options(&new_bucket())).await;
    let parts = blobs.begin_parts(10 << 20).await.unwrap();
    let urls = async |life| blobs.presign_parts(&parts, 2, Duration::from_secs(life)).await.unwrap().unwrap();
    let short = urls(1).await;
    let good = urls(3600).await;
    let tampered = [
        good[0].replace("partNumber=1&", "partNumber=2&"),
        good[0].replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"),
        good[0].replace(&parts.key.0, "0b7c0b9e25b84c4d9e557d8c6f6c4b61"),
        // Another last digit.
        format!("{}{}", &good[0][..good[0].len() - 1], if good[0].ends_with('0') { '1' } else { '0' }),
    ];
    for url in tampered {
        assert_ne!(url, good[0]);
        assert_eq!(put_to(&url, content(1, 100)).await.0, 403, "{url}");
    }
    // S3 counts in whole seconds.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(put_to(&short[1], content(1, 100)).await.0, 403);
    assert_eq!(blobs.list_parts(&parts).await.unwrap().unwrap(), []);
    assert_eq!(put_to(&good[1], content(1, 100)).await.0, 200);
    assert_eq!(blobs.list_parts(&parts).await.unwrap().unwrap().len(), 1);
    // A week is the most, and ten thousand are.
    assert!(blobs.presign_parts(&parts, 1, Duration::from_hours(24 * 8)).await.is_err());
    assert!(blobs.presign_parts(&parts, 10_001, Duration::from_hours(1)).await.is_err());
    assert_eq!(blobs.presign_parts(&parts, 0, Duration::from_hours(1)).await.unwrap().unwrap(), [""; 0]);
    let foreign = Parts { upload: None, ..parts };
    assert!(matches!(blobs.presign_parts(&foreign, 1, Duration::from_hours(1)).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn urls_name_the_address_that_clients_know() {
    let Some(server) = S3Server::find() else { return };
    let place = new_bucket();
    // Another name of the same server, as a proxy in front of it would be.
    let public = server.endpoint.replace("127.0.0.1", "localhost");
    let options = Options { public_endpoint: public.clone(), ..server.options(&place) };
    let (blobs, _folder) = open(&options).await;
    let parts = blobs.begin_parts(10 << 20).await.unwrap();
    let urls = blobs.presign_parts(&parts, 1, Duration::from_hours(1)).await.unwrap().unwrap();
    assert!(urls[0].starts_with(&format!("{public}/{place}/")), "{}", urls[0]);
    assert_eq!(put_to(&urls[0], content(1, 100)).await.0, 200);
    assert_eq!(blobs.list_parts(&parts).await.unwrap().unwrap().len(), 1);

    let own = Options { part_urls: PartUrls::Own, ..options };
    let (blobs, _folder) = open(&own).await;
    assert_eq!(blobs.presign_parts(&parts, 1, Duration::from_hours(1)).await.unwrap(), None);
    let small = put_part(&blobs, &parts, 1, 5 << 20, &content(2, 200)).await;
    let last = put_part(&blobs, &parts, 2, 5 << 20, &content(3, 200)).await;
    let refused = blobs.assemble(&parts, 400, &[small, last]).await;
    assert!(matches!(refused, Err(AssembleError::Refused)), "{refused:?}");
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
