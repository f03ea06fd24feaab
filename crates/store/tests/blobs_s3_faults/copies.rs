//! Copies inside a bucket whose server misbehaves.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use stowage_model::BlobKey;
use stowage_store::blobs::{BlobError, Blobs, Checksums};

use super::{Answer, Fake, ID, Request, answer, is_probe, refusal, to_probe};

const WHOLE: &str = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";
const PART: &str = "<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>";
const BEGUN: &str = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

/// More than goes in one request: five whole parts and some.
const LARGE: u64 = (5 << 30) + 7;

async fn start(handle: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Fake, Blobs, tempfile::TempDir) {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| if is_probe(request) { to_probe(request, &kept) } else { handle(request) });
    let (fake, folder) = (fake.await, tempfile::tempdir().unwrap());
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    (fake, blobs, folder)
}

/// Copies what every server here knows, or not.
async fn copy(blobs: &Blobs, size: u64) -> Result<BlobKey, BlobError> {
    blobs.copy(&BlobKey(ID.to_owned()), size).await
}

fn is_copy(request: &Request) -> bool {
    request.header("x-amz-copy-source") == Some(&format!("bucket/{ID}"))
}

/// The copies of parts that a server was asked for, by number: the bytes of the source, in order.
fn asked(fake: &Fake) -> Vec<String> {
    let seen = fake.seen.lock().unwrap();
    let copies = seen.iter().filter(|request| is_copy(request));
    let mut parts: Vec<(u32, String)> = copies
        .filter_map(|request| {
            let number = request.target.split_once("partNumber=")?.1.split('&').next()?.parse().ok()?;
            Some((number, request.header("x-amz-copy-source-range")?.to_owned()))
        })
        .collect();
    parts.sort();
    parts.into_iter().map(|(_, range)| range).collect()
}

#[tokio::test]
async fn a_copy_up_to_five_gigabytes_is_one_request() {
    let (fake, blobs, _folder) = start(|request| answer(200, if is_copy(request) { WHOLE } else { "" })).await;
    for size in [0, 1, 5 << 30] {
        let copied = copy(&blobs, size).await.unwrap();
        assert_ne!(copied.0, ID);
        assert_eq!(fake.seen("PUT", &format!("/bucket/{}", copied.0)), 1, "{size}");
    }
    assert_eq!((fake.seen("POST", ""), fake.seen("GET", ID)), (0, 0), "no byte is read");
}

#[tokio::test]
async fn a_larger_copy_is_made_of_parts() {
    let (fake, blobs, _folder) = start(|request| match request.method.as_str() {
        "POST" if request.target.contains("uploads") => answer(200, BEGUN),
        "POST" => answer(200, "<CompleteMultipartUploadResult/>"),
        "PUT" if is_copy(request) => answer(200, PART),
        _ => answer(200, ""),
    })
    .await;
    let copied = copy(&blobs, LARGE).await.unwrap();
    let expected: Vec<String> = (0..5_u64)
        .map(|n| format!("bytes={}-{}", n << 30, ((n + 1) << 30) - 1))
        .chain(["bytes=5368709120-5368709126".into()])
        .collect();
    assert_eq!(asked(&fake), expected);
    let seen = fake.seen.lock().unwrap().clone();
    assert!(seen.iter().filter(|request| is_copy(request)).all(|request| request.target.contains(&copied.0)));
    let ended: Vec<&Request> =
        seen.iter().filter(|request| request.target.contains("uploadId=u1") && request.method == "POST").collect();
    let sent = std::str::from_utf8(&ended[0].body).unwrap();
    assert_eq!((ended.len(), sent.matches("<PartNumber>").count()), (1, 6));
    let order = |number: u32| sent.find(&format!("<PartNumber>{number}</PartNumber>")).unwrap();
    assert!((1..6).all(|number| order(number) < order(number + 1)), "{sent}");
    assert_eq!(fake.seen("DELETE", "uploadId"), 0);
}

#[tokio::test]
async fn a_copy_in_parts_that_fails_is_aborted() {
    // What the third part is answered, and what the end.
    for (part, end, expected) in [
        ((400, "Odd"), (200, ""), "status 400, Odd, no"),
        // Some begin to answer before they know.
        ((200, "SlowRead"), (200, ""), "status 200, SlowRead, no"),
        ((404, "NoSuchUpload"), (200, ""), "status 404, NoSuchUpload, no"),
        ((404, "NoSuchKey"), (200, ""), ""),
        ((200, ""), (400, "InvalidPart"), "status 400, InvalidPart, no"),
    ] {
        let (fake, blobs, _folder) = start(move |request| {
            let or = |(status, code): (u16, &str), good: &'static str| match code {
                "" => answer(status, good),
                code => refusal(status, code),
            };
            match request.method.as_str() {
                "POST" if request.target.contains("uploads") => answer(200, BEGUN),
                "POST" => or(end, "<CompleteMultipartUploadResult/>"),
                "PUT" if request.target.contains("partNumber=3&") => or(part, PART),
                "PUT" => answer(200, PART),
                _ => answer(204, ""),
            }
        })
        .await;
        match copy(&blobs, LARGE).await {
            Err(BlobError::S3(text)) if !expected.is_empty() => assert!(text.contains(expected), "{text}"),
            Err(BlobError::NotFound) if expected.is_empty() => {}
            other => panic!("{part:?} {end:?}: {other:?}"),
        }
        assert_eq!(fake.seen("DELETE", "uploadId=u1"), 1, "{part:?} {end:?}");
        let ends = usize::from(end.0 != 200);
        assert_eq!(fake.seen("POST", "uploadId=u1"), ends, "it is not completed");
    }
}

#[tokio::test]
async fn a_copy_that_was_not_made_is_none() {
    for (status, code, gone) in [
        (404, "NoSuchKey", true),
        (404, "NoSuchBucket", false),
        (403, "AccessDenied", false),
        // Servers that copy for long begin to answer before they know what became of it.
        (200, "NoSuchKey", true),
        (200, "AccessDenied", false),
    ] {
        let (_fake, blobs, _folder) =
            start(move |request| if is_copy(request) { refusal(status, code) } else { answer(200, "") }).await;
        match copy(&blobs, 100).await {
            Err(BlobError::NotFound) => assert!(gone, "{status} {code}"),
            Err(BlobError::S3(text)) => assert!(!gone && text.contains(code), "{status} {code}: {text}"),
            other => panic!("{status} {code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_copy_is_tried_again_where_s3_stumbles() {
    let stumbles = Mutex::new(2);
    let (fake, blobs, _folder) = start(move |request| {
        if !is_copy(request) {
            return answer(200, "");
        }
        let mut left = stumbles.lock().unwrap();
        *left -= 1;
        if *left > 0 { refusal(503, "SlowDown") } else { answer(200, WHOLE) }
    })
    .await;
    let copied = copy(&blobs, 100).await.unwrap();
    assert_eq!(fake.seen("PUT", &copied.0), 2, "the same object both times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_nobody_waits_for_is_deleted() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let released = Mutex::new(released);
    let (fake, blobs, _folder) = start(move |request| {
        if !is_copy(request) {
            return answer(204, "");
        }
        arrived.send(request.target.clone()).unwrap();
        let _ = tokio::task::block_in_place(|| released.lock().unwrap().recv());
        answer(200, WHOLE)
    })
    .await;
    let copying = tokio::spawn(async move { copy(&blobs, 100).await });
    let target = arrivals.recv().await.unwrap();
    let object = target.split('?').next().unwrap();
    copying.abort();
    assert!(copying.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    for _ in 0..500 {
        if fake.seen("DELETE", object) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("after ten seconds the copy is still there");
}

#[tokio::test]
async fn names_are_encoded_in_headers() {
    let kept = Mutex::new(Bytes::new());
    let fake =
        Fake::start(move |request| if is_probe(request) { to_probe(request, &kept) } else { answer(200, WHOLE) });
    let (fake, folder) = (fake.await, tempfile::tempdir().unwrap());
    let blobs = fake.open_at("bucket/a b/ü+c", &folder, Checksums::Auto).await.unwrap();
    copy(&blobs, 100).await.unwrap();
    let seen = fake.seen.lock().unwrap();
    let sources: Vec<&str> = seen.iter().filter_map(|request| request.header("x-amz-copy-source")).collect();
    assert_eq!(sources, [format!("bucket/a%20b/%C3%BC%2Bc/{ID}")]);
}
