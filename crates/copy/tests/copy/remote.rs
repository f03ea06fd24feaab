//! Copies that the server makes by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stowage_copy::{CopyError, Order, Outcome};

use crate::proxy::{Deed, Proxy, Request, refusal};
use crate::support::{MIB, Notes, Stand, blob, order, target, upload};

fn is_remote(request: &Request) -> bool {
    request.header("x-amz-copy-source").is_some()
}

/// A stand whose blobs and storage are at one server, behind a proxy that does `deed` to copies while it is told to.
async fn at_one_server(deed: Deed) -> Option<(Stand, Proxy, Arc<AtomicBool>)> {
    let mut stand = Stand::new().await?;
    let on = Arc::new(AtomicBool::new(true));
    let active = Arc::clone(&on);
    let decide =
        move |r: &Request| if is_remote(r) && active.load(Ordering::SeqCst) { deed.clone() } else { Deed::Pass };
    let proxy = Proxy::start(&stand.endpoint, decide).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let stand = stand.with_blobs_at(&proxy.endpoint).await;
    Some((stand, proxy, on))
}

#[tokio::test]
async fn no_byte_comes_through_here() {
    let Some((stand, proxy, _)) = at_one_server(Deed::Pass).await else { return };
    let target = target(stand.settings());
    for len in [1000, 70 * MIB] {
        let (key, content) = stand.blob(1, len).await;
        let name = format!("a+b/{len}.txt");
        let before = proxy.seen().len();
        assert_eq!(stand.copy(&target, blob(&key, &content), &name).await, Ok(Outcome::Copied));
        assert_eq!(stand.copy(&target, blob(&key, &content), &name).await, Ok(Outcome::Existed));
        let seen = proxy.seen().split_off(before);
        assert!(seen.iter().all(|request| request.method != "GET" && request.body.is_empty()), "{seen:?}");
        assert_eq!(seen.iter().filter(|request| is_remote(request)).count(), 1);
        let (object, body) = stand.get(&name).await.unwrap();
        assert!(body == content);
        assert_eq!(object.content_type(), Some("text/x-test"), "not that of the blob");
    }
}

/// As objects of more than 5 GiB are copied: the parts of an upload that was begun with smaller ones.
#[tokio::test]
async fn parts_are_copied_by_the_server_as_well() {
    let Some((stand, proxy, _)) = at_one_server(Deed::Pass).await else { return };
    let (key, content) = stand.blob(2, 23 * MIB).await;
    let begun = stand.owner.create_multipart_upload().bucket(&stand.bucket).key("key").send().await.unwrap();
    let upload = upload("key", begun.upload_id, 5 << 20);
    let resumed = Order { resume: Some(&upload), ..order(blob(&key, &content), "key") };
    let (notes, before) = (Notes::default(), proxy.seen().len());
    assert_eq!(stand.order(&target(stand.settings()), resumed, &notes).await, Ok(Outcome::Copied));
    assert!(stand.get("key").await.unwrap().1 == content);
    let seen = proxy.seen().split_off(before);
    assert_eq!(seen.iter().filter(|request| is_remote(request)).count(), 5);
    assert!(seen.iter().all(|request| request.method == "POST" || request.body.is_empty()));
    assert_eq!((notes.last(), stand.unfinished().await), (None, 0));
}

#[tokio::test]
async fn where_the_server_does_not_copy_bytes_are_sent() {
    for (answer, remembered) in [("AccessDenied", true), ("NotImplemented", true), ("NoSuchKey", false)] {
        let status = if answer == "NotImplemented" { 501 } else { 403 };
        let Some((stand, proxy, _)) = at_one_server(refusal(status, answer)).await else { return };
        let target = target(stand.settings());
        for (name, len) in [("small", 1000), ("middle", 20 * MIB), ("again", 1000)] {
            let (key, content) = stand.blob(3, len).await;
            assert_eq!(stand.copy(&target, blob(&key, &content), name).await, Ok(Outcome::Copied), "{answer} {name}");
            assert!(stand.get(name).await.unwrap().1 == content);
        }
        let asked = proxy.count(is_remote);
        assert!(if remembered { asked <= 2 } else { asked >= 3 }, "{answer}: {asked}");
    }
}

/// A success needs more than a status of 200.
#[tokio::test]
async fn a_success_with_an_error_inside_is_none() {
    let error = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>half way</Message></Error>";
    for body in [error, "", "<CopyObjectResult></CopyObjectResult>"] {
        let deed = Deed::Answer(200, "content-type: application/xml\r\n", body);
        let Some((stand, _proxy, on)) = at_one_server(deed).await else { return };
        let target = target(stand.settings());
        let (key, content) = stand.blob(4, 5000).await;
        let ended = stand.copy(&target, blob(&key, &content), "key").await;
        assert!(matches!(ended, Err(CopyError::Passing { .. })), "{body}: {ended:?}");
        assert!(stand.get("key").await.is_none());
        on.store(false, Ordering::SeqCst);
        assert_eq!(stand.copy(&target, blob(&key, &content), "key").await, Ok(Outcome::Copied));
        assert!(stand.get("key").await.unwrap().1 == content);
    }
}

#[tokio::test]
async fn a_blob_that_is_gone_is_gone_here_as_well() {
    let Some((stand, _proxy, _)) = at_one_server(Deed::Pass).await else { return };
    let (key, content) = stand.blob(5, 5000).await;
    stand.blobs.delete(&key).await.unwrap();
    let ended = stand.copy(&target(stand.settings()), blob(&key, &content), "key").await;
    assert_eq!(ended, Err(CopyError::Gone));
}
