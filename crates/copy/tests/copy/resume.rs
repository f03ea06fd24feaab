//! Copies that are taken up again where they broke off, and those that are not.

use std::sync::atomic::{AtomicUsize, Ordering};

use stowage_copy::{CopyError, Order, Outcome};
use stowage_store::records::CopyUpload;

use crate::proxy::{Deed, Proxy, Request, refusal};
use crate::support::{MIB, Notes, Stand, blob, code, order, target, upload};

const LARGE: usize = 100 * MIB + 5;

fn is_part(request: &Request) -> bool {
    request.is("PUT", "partNumber")
}

#[tokio::test]
async fn another_process_sends_only_the_parts_that_are_missing() {
    let Some(mut stand) = Stand::new().await else { return };
    // From the fifth part on nothing comes through, until the first maker has gone.
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (parts, over) = (AtomicUsize::new(0), std::sync::Arc::clone(&gone));
    let dead =
        move |r: &Request| is_part(r) && !over.load(Ordering::SeqCst) && parts.fetch_add(1, Ordering::SeqCst) >= 4;
    let proxy = Proxy::start(&stand.endpoint, move |r| if dead(r) { Deed::Reset } else { Deed::Pass }).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let (key, content) = stand.blob(2, LARGE).await;
    let notes = Notes::default();
    let first = stand.order(&target(stand.settings()), order(blob(&key, &content), "key"), &notes).await;
    assert!(matches!(first, Err(CopyError::Passing { .. })), "{first:?}");
    gone.store(true, Ordering::SeqCst);
    go_on(&stand, &proxy, &key, &content, &notes).await;
}

/// The second attempt, in another process.
async fn go_on(stand: &Stand, proxy: &Proxy, key: &stowage_model::BlobKey, content: &[u8], notes: &Notes) {
    let upload = notes.last().unwrap();
    assert_eq!((upload.key.as_str(), upload.part_size), ("key", 16 << 20));
    let listed = stand.owner.list_parts().bucket(&stand.bucket).key("key").upload_id(&upload.upload_id).send().await;
    let there = listed.unwrap().parts().len();
    assert!((1..7).contains(&there), "{there}");
    let before = proxy.count(is_part);
    let resumed = Order { resume: Some(&upload), ..order(blob(key, content), "key") };
    assert_eq!(stand.order(&target(stand.settings()), resumed, notes).await, Ok(Outcome::Copied));
    assert!(stand.get("key").await.unwrap().1 == content);
    assert_eq!(proxy.count(is_part) - before, 7 - there, "the parts that were missing");
    assert_eq!((notes.last(), stand.unfinished().await), (None, 0));
}

#[tokio::test]
async fn uploads_that_are_of_no_use_are_begun_anew() {
    let Some(stand) = Stand::new().await else { return };
    let (key, content) = stand.blob(3, LARGE).await;
    let begin = async |name: &str| {
        let begun = stand.owner.create_multipart_upload().bucket(&stand.bucket).key(name).send().await.unwrap();
        upload(name, begun.upload_id, 16 << 20)
    };
    let aborted = begin("aborted").await;
    target(stand.settings()).abort(&aborted).await.unwrap();
    let odd_parts = CopyUpload { part_size: 1, ..begin("odd").await };
    // Of another way; parts of this size would be gathered in memory.
    let large_parts = CopyUpload { part_size: 512 << 20, ..begin("large").await };
    let moved = upload("moved", Some("unknown here".to_owned()), 16 << 20);
    let moved = CopyUpload { bucket: "another".to_owned(), ..moved };
    let whole = begin("whole").await;
    let of_no_use = [aborted, odd_parts, large_parts, moved];
    for upload in of_no_use.into_iter().chain([whole]) {
        let notes = Notes::default();
        let resumed = Order { resume: Some(&upload), ..order(blob(&key, &content), &upload.key) };
        let made = stand.order(&target(stand.settings()), resumed, &notes).await;
        assert_eq!(made, Ok(Outcome::Copied), "{}", upload.key);
        assert!(stand.get(&upload.key).await.unwrap().1 == content);
        assert_eq!((notes.last(), stand.unfinished().await), (None, 0), "{}", upload.key);
        let begun = notes.all.lock().unwrap().first().cloned().flatten();
        let noted = begun.map(|begun| (begun.part_size, begun.bucket, begun.endpoint));
        let anew = (16 << 20, stand.bucket.clone(), stand.endpoint.clone());
        assert_eq!(noted, (upload.key != "whole").then_some(anew), "{}", upload.key);
    }
    // The object has come into being meanwhile, perhaps by this very upload.
    let late = begin("whole").await;
    let notes = Notes::default();
    let resumed = Order { resume: Some(&late), ..order(blob(&key, &content), "whole") };
    assert_eq!(stand.order(&target(stand.settings()), resumed, &notes).await, Ok(Outcome::Existed));
    assert_eq!((notes.last(), stand.unfinished().await), (None, 0));
}

/// Servers whose lists of parts we cannot read.
#[tokio::test]
async fn uploads_that_cannot_be_listed_are_begun_anew() {
    let Some(stand) = Stand::with_acls().await else { return };
    let (key, content) = stand.blob(4, LARGE).await;
    let begun = stand.owner.create_multipart_upload().bucket(&stand.bucket).key("key").send().await.unwrap();
    let upload = upload("key", begun.upload_id, 16 << 20);
    let resumed = Order { resume: Some(&upload), ..order(blob(&key, &content), "key") };
    let notes = Notes::default();
    assert_eq!(stand.order(&target(stand.settings()), resumed, &notes).await, Ok(Outcome::Copied));
    assert!(stand.get("key").await.unwrap().1 == content);
    assert_eq!((notes.last(), stand.unfinished().await), (None, 0));
}

#[tokio::test]
async fn uploads_are_aborted_unless_somebody_may_go_on() {
    let Some(mut stand) = Stand::new().await else { return };
    let (key, content) = stand.blob(5, LARGE).await;
    // It was never ours.
    let notes = Notes { lost: true, ..Notes::default() };
    let lost = stand.order(&target(stand.settings()), order(blob(&key, &content), "key"), &notes).await;
    assert_eq!((lost, stand.unfinished().await), (Err(CopyError::Lost), 0));
    // It is refused for good.
    let refused = |r: &Request| if is_part(r) { refusal(403, "AccessDenied") } else { Deed::Pass };
    let proxy = Proxy::start(&stand.endpoint, refused).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let notes = Notes::default();
    let denied = stand.order(&target(stand.settings()), order(blob(&key, &content), "key"), &notes).await;
    assert_eq!((code(denied), notes.last(), stand.unfinished().await), ("AccessDenied".to_owned(), None, 0));
    assert_eq!(notes.all.lock().unwrap().len(), 2, "it was noted, and forgotten");
}

fn is_abort(request: &Request) -> bool {
    request.is("DELETE", "uploadId=")
}

/// A passing fault must not make anybody forget what is still there.
#[tokio::test]
async fn what_could_not_be_aborted_is_not_forgotten() {
    let Some(mut stand) = Stand::new().await else { return };
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fails = std::sync::Arc::clone(&failing);
    let decide = move |r: &Request| {
        if is_abort(r) && fails.load(Ordering::SeqCst) { refusal(503, "SlowDown") } else { Deed::Pass }
    };
    let proxy = Proxy::start(&stand.endpoint, decide).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let (key, content) = stand.blob(6, LARGE).await;
    for there in [false, true] {
        failing.store(true, Ordering::SeqCst);
        let begun = stand.owner.create_multipart_upload().bucket(&stand.bucket).key("key").send().await.unwrap();
        let odd = upload("key", begun.upload_id, 1);
        let notes = Notes::default();
        let target = target(stand.settings());
        let resumed = || Order { resume: Some(&odd), ..order(blob(&key, &content), "key") };
        let first = stand.order(&target, resumed(), &notes).await;
        if there {
            assert_eq!(first, Ok(Outcome::Existed));
        } else {
            assert!(matches!(first, Err(CopyError::Passing { .. })), "{first:?}");
        }
        assert_eq!(*notes.all.lock().unwrap(), [], "neither forgotten nor replaced");
        failing.store(false, Ordering::SeqCst);
        let aborted = proxy.count(is_abort);
        let expected = if there { Outcome::Existed } else { Outcome::Copied };
        assert_eq!(stand.order(&target, resumed(), &notes).await, Ok(expected));
        assert_eq!((proxy.count(is_abort), notes.last(), stand.unfinished().await), (aborted + 1, None, 0));
    }
    assert!(stand.get("key").await.unwrap().1 == content);
}

/// Nobody may take an upload for aborted because another bucket does not know it.
#[tokio::test]
async fn uploads_of_other_buckets_are_left_alone() {
    let Some(stand) = Stand::new().await else { return };
    let endpoint = "https://s3.example.com".to_owned();
    let here = upload("key", Some("x".to_owned()), 16 << 20);
    for moved in [
        CopyUpload { bucket: "another".to_owned(), endpoint: stand.endpoint.clone(), ..here.clone() },
        CopyUpload { bucket: stand.bucket.clone(), endpoint, ..here },
    ] {
        let ended = target(stand.settings()).abort(&moved).await;
        assert_eq!(code(ended.map(|()| Outcome::Copied)), "Elsewhere");
    }
}
