//! Emptying a bucket of which only a part is ours.

use std::sync::Mutex;

use bytes::Bytes;
use stowage_store::blobs::{BlobError, Checksums};

use super::{Fake, ID, answer, is_probe, refusal, to_probe};

fn objects(more: &str, keys: [&str; 2]) -> String {
    let objects = keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>")).concat();
    format!("<ListBucketResult>{more}{objects}</ListBucketResult>")
}

#[tokio::test]
async fn only_what_is_ours_goes() {
    let kept = Mutex::new(Bytes::new());
    let other = ID.replace('0', "1");
    let first = objects("<IsTruncated>true</IsTruncated>", [ID, "foreign"]);
    let second = objects("", ["folder/x", &other]);
    let upload = |key: &str, id: &str| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>");
    let uploads = format!("{}{}", upload(ID, "u1"), upload("foreign", "u2"));
    let fake = Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        _ if is_probe(request) => to_probe(request, &kept),
        ("GET", target) if target.contains("uploads") => {
            answer(200, format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>"))
        }
        ("GET", target) if target.contains("start-after=foreign") => answer(200, second.clone()),
        ("GET", target) if target.contains("list-type") => answer(200, first.clone()),
        // Somebody else was quicker.
        ("DELETE", target) if target.contains(ID) => refusal(404, "NoSuchKey"),
        _ => answer(204, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let before = fake.seen("DELETE", "");
    blobs.wipe().await.unwrap();
    assert_eq!((fake.seen("DELETE", "uploadId=u1"), fake.seen("DELETE", ID)), (1, 2));
    assert_eq!(fake.seen("DELETE", &ID.replace('0', "1")), 1);
    assert_eq!(fake.seen("DELETE", "") - before, 3, "nothing else was deleted");
}

#[tokio::test]
async fn a_refusal_is_told() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        _ if is_probe(request) => to_probe(request, &kept),
        ("GET", target) if target.contains("list-type") => answer(200, objects("", [ID, "foreign"])),
        ("GET", target) if target.contains("uploads") => refusal(501, "NotImplemented"),
        ("DELETE", _) => refusal(403, "AccessDenied"),
        _ => answer(200, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let Err(BlobError::S3(text)) = blobs.wipe().await else { panic!("nothing was said") };
    assert!(text.contains("status 403, AccessDenied"), "{text}");
}
