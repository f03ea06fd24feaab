//! Servers that fail, and servers that know less than others.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use stowage_copy::{CopyError, Ledger, Outcome, Source};
use stowage_store::records::CopyUpload;

use crate::proxy::{Deed, Proxy, Request, refusal};
use crate::support::{MIB, Notes, Stand, blob, code, order, target};

const LARGE: usize = 65 * MIB;

/// Picks requests.
type Which = fn(&Request) -> bool;

/// What a server of another region says.
type Teller = Box<dyn Fn(&Request) -> Deed + Send + Sync>;

/// A stand behind a proxy that does `deed` to the first `times` requests that `which` picks.
async fn behind(
    stand: Option<Stand>,
    times: usize,
    which: impl Fn(&Request) -> bool + Send + Sync + 'static,
    deed: Deed,
) -> Option<(Stand, Proxy)> {
    let mut stand = stand?;
    let left = AtomicUsize::new(times);
    let take = move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let decide = move |request: &Request| if which(request) && take() { deed.clone() } else { Deed::Pass };
    let proxy = Proxy::start(&stand.endpoint, decide).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    Some((stand, proxy))
}

fn is_part(request: &Request) -> bool {
    request.is("PUT", "partNumber")
}

fn is_complete(request: &Request) -> bool {
    request.is("POST", "uploadId=")
}

#[tokio::test]
async fn passing_faults_are_overcome() {
    let unfinished = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>half way</Message></Error>";
    let puts: Which = |request| request.is_put();
    let cases: [(Which, Deed); 10] = [
        (puts, Deed::Reset),
        (puts, refusal(500, "InternalError")),
        (puts, refusal(503, "SlowDown")),
        (puts, refusal(409, "ConditionalRequestConflict")),
        (puts, Deed::Slow),
        (is_part, Deed::Reset),
        (is_part, refusal(503, "SlowDown")),
        (is_part, Deed::Spoil),
        (is_complete, refusal(500, "InternalError")),
        (is_complete, Deed::Answer(200, "", unfinished)),
    ];
    for (which, deed) in cases {
        let Some((stand, proxy)) = behind(Stand::new().await, 2, which, deed.clone()).await else { return };
        let target = target(stand.settings());
        for (name, len) in [("small", 1000), ("large", LARGE)] {
            let (key, content) = stand.blob(1, len).await;
            assert_eq!(stand.copy(&target, blob(&key, &content), name).await, Ok(Outcome::Copied), "{deed:?} {name}");
            assert!(stand.get(name).await.unwrap().1 == content, "{deed:?} {name}");
        }
        let slow = matches!(deed, Deed::Slow);
        assert!(proxy.count(which) > if slow { 1 } else { 2 }, "{deed:?}");
        assert_eq!(stand.unfinished().await, 0, "{deed:?}");
    }
}

/// The bytes come with a checksum that the server compares.
#[tokio::test]
async fn bytes_that_change_on_the_way_are_refused() {
    let Some((stand, _proxy)) = behind(Stand::new().await, usize::MAX, Request::is_put, Deed::Spoil).await else {
        return;
    };
    let target = target(stand.settings());
    for len in [1000, 2 * MIB] {
        let (key, content) = stand.blob(1, len).await;
        let name = len.to_string();
        let ended = stand.copy(&target, blob(&key, &content), &name).await;
        // Some servers keep what they refuse. That must be said once and for all, as another attempt would be content with it.
        match stand.get(&name).await {
            Some(_) => assert_eq!(code(ended), stowage_copy::DATA_CORRUPTED),
            None => assert!(matches!(ended, Err(CopyError::Passing { .. })), "{ended:?}"),
        }
    }
}

#[tokio::test]
async fn faults_that_stay_leave_nothing_half_made() {
    for (which, deed) in [
        (Request::is_put as Which, refusal(503, "SlowDown")),
        (is_part, Deed::Reset),
        (is_complete, refusal(500, "InternalError")),
    ] {
        let Some((stand, _proxy)) = behind(Stand::new().await, usize::MAX, which, deed).await else { return };
        let target = target(stand.settings());
        let notes = Notes::default();
        let mut last = Ok(Outcome::Copied);
        for len in [1000, LARGE] {
            let ended = stand.order(&target, order(Source::Bytes(vec![1; len].into()), "key"), &notes).await;
            last = last.and(ended);
            if last.is_err() {
                break;
            }
            stand.owner.delete_object().bucket(&stand.bucket).key("key").send().await.unwrap();
        }
        assert!(matches!(last, Err(CopyError::Passing { .. })), "{last:?}");
        assert!(stand.get("key").await.is_none());
        if let Some(upload) = notes.last() {
            target.abort(&upload).await.unwrap();
            // One that is gone counts as aborted.
            target.abort(&upload).await.unwrap();
        }
        assert_eq!(stand.unfinished().await, 0);
    }
}

/// The object was made, but its maker never heard of it.
#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let Some((stand, _proxy)) = behind(Stand::new().await, 1, is_complete, Deed::Lose).await else { return };
    let content = vec![3; LARGE];
    let notes = Notes::default();
    let target = target(stand.settings());
    let ended = stand.order(&target, order(Source::Bytes(content.clone().into()), "key"), &notes).await.unwrap();
    // Which of the two is said depends on what the server says to the second request.
    assert!(matches!(ended, Outcome::Copied | Outcome::Existed));
    assert!(stand.get("key").await.unwrap().1 == content);
    assert_eq!((notes.last(), stand.unfinished().await), (None, 0));
}

#[tokio::test]
async fn servers_without_conditions_are_looked_at_first() {
    let conditional = |request: &Request| request.header("if-none-match").is_some();
    let stand = Stand::new().await;
    let Some((stand, proxy)) = behind(stand, usize::MAX, conditional, refusal(501, "NotImplemented")).await else {
        return;
    };
    let target = target(stand.settings());
    for name in ["one", "two", "three"] {
        assert_eq!(stand.copy(&target, Source::Bytes(name.into()), name).await, Ok(Outcome::Copied));
        assert_eq!(stand.copy(&target, Source::Bytes("other".into()), name).await, Ok(Outcome::Existed));
        assert_eq!(stand.get(name).await.unwrap().1, name);
    }
    assert_eq!(proxy.count(conditional), 1, "asked once and remembered");
    let large = order(Source::Bytes(vec![1; LARGE].into()), "large");
    assert_eq!(stand.order(&target, large.clone(), &Notes::default()).await, Ok(Outcome::Copied));
    assert_eq!(stand.order(&target, large, &Notes::default()).await, Ok(Outcome::Existed));
}

/// Some servers take conditions and overlook them.
#[tokio::test]
async fn servers_that_overlook_conditions_are_looked_at_first() {
    let deed = Deed::Without("if-none-match");
    let Some((stand, _proxy)) = behind(Stand::with_acls().await, usize::MAX, |_| true, deed).await else { return };
    let target = target(stand.settings());
    for name in ["one", "two", "three"] {
        assert_eq!(stand.copy(&target, Source::Bytes(name.into()), name).await, Ok(Outcome::Copied));
        assert_eq!(stand.copy(&target, Source::Bytes("other".into()), name).await, Ok(Outcome::Existed));
        assert_eq!(stand.get(name).await.unwrap().1, name);
    }
}

/// Somebody who writes an object while its parts are sent.
struct Rival<'s>(&'s Stand);

impl Ledger for Rival<'_> {
    async fn note(&self, upload: Option<&CopyUpload>) -> Result<bool, CopyError> {
        if upload.is_some() {
            let put = self.0.owner.put_object().bucket(&self.0.bucket).key("key");
            put.body(Bytes::from_static(b"theirs").into()).send().await.unwrap();
        }
        Ok(true)
    }
}

#[tokio::test]
async fn what_appears_while_parts_are_sent_is_not_overwritten() {
    let deed = Deed::Without("if-none-match");
    let Some((stand, _proxy)) = behind(Stand::with_acls().await, usize::MAX, |_| true, deed).await else { return };
    let target = target(stand.settings());
    let large = order(Source::Bytes(vec![1; LARGE].into()), "key");
    assert_eq!(Box::pin(target.copy(&stand.blobs, large, &Rival(&stand))).await, Ok(Outcome::Existed));
    assert_eq!(stand.get("key").await.unwrap().1, "theirs");
    assert_eq!(stand.unfinished().await, 0);
}

/// What the server does with conditions is tried with the first small object, even if that comes late; from then on one request
/// is enough.
#[tokio::test]
async fn after_a_large_object_small_ones_are_still_sent_at_once() {
    let Some((stand, proxy)) = behind(Stand::new().await, 0, |_| true, Deed::Pass).await else { return };
    let target = target(stand.settings());
    assert_eq!(stand.copy(&target, Source::Bytes(vec![1; LARGE].into()), "large").await, Ok(Outcome::Copied));
    for (name, puts, first) in [("one", 2, "HEAD"), ("two", 1, "PUT"), ("three", 1, "PUT")] {
        let before = proxy.seen().len();
        assert_eq!(stand.copy(&target, Source::Bytes(name.into()), name).await, Ok(Outcome::Copied));
        let seen = proxy.seen().split_off(before);
        let counted = seen.iter().filter(|request| request.is_put()).count();
        assert_eq!((counted, seen[0].method.as_str()), (puts, first), "{name}");
    }
}

/// The same without the right to look: such a server would overwrite everything.
#[tokio::test]
async fn servers_that_overlook_conditions_are_not_written_to_blindly() {
    let Some(mut stand) = Stand::with_acls().await else { return };
    let proxy = Proxy::start(&stand.endpoint, |request| {
        if request.is("HEAD", "/second") { Deed::Answer(403, "", "") } else { Deed::Without("if-none-match") }
    });
    stand.endpoint.clone_from(&proxy.await.endpoint);
    let target = target(stand.settings());
    assert_eq!(stand.copy(&target, Source::Bytes("x".into()), "first").await, Ok(Outcome::Copied));
    assert_eq!(code(stand.copy(&target, Source::Bytes("x".into()), "second").await), "AccessDenied");
    assert!(stand.get("second").await.is_none());
}

/// Where objects can neither be looked for nor be written on condition, somebody's object would be overwritten.
#[tokio::test]
async fn without_eyes_and_conditions_nothing_is_written() {
    let Some(mut stand) = Stand::new().await else { return };
    let proxy = Proxy::start(&stand.endpoint, |request| match request.header("if-none-match") {
        Some(_) => refusal(501, "NotImplemented"),
        None if request.is("HEAD", "/key") => Deed::Answer(403, "", ""),
        None => Deed::Pass,
    });
    stand.endpoint.clone_from(&proxy.await.endpoint);
    assert_eq!(code(stand.copy(&target(stand.settings()), Source::Bytes("x".into()), "key").await), "AccessDenied");
    assert!(stand.get("key").await.is_none());
}

#[tokio::test]
async fn without_the_right_to_look_the_condition_decides() {
    let Some((stand, _proxy)) =
        behind(Stand::new().await, usize::MAX, |r| r.method == "HEAD", Deed::Answer(403, "", "")).await
    else {
        return;
    };
    let target = target(stand.settings());
    for len in [10, LARGE] {
        let name = len.to_string();
        let content = Source::Bytes(vec![1; len].into());
        assert_eq!(stand.copy(&target, content.clone(), &name).await, Ok(Outcome::Copied));
        assert_eq!(stand.copy(&target, content, &name).await, Ok(Outcome::Existed));
    }
    assert_eq!(stand.unfinished().await, 0);
}

/// A server that keeps other bytes than it was sent is found out by the first object, and that is not left there.
#[tokio::test]
async fn servers_that_keep_other_bytes_are_found_out() {
    let stand = Stand::with_acls().await;
    let Some((stand, _proxy)) = behind(stand, usize::MAX, |r| r.method == "GET", Deed::SpoilAnswer).await else {
        return;
    };
    let target = target(stand.settings());
    for len in [1000, LARGE] {
        let ended = stand.copy(&target, Source::Bytes(vec![1; len].into()), "key").await;
        assert!(matches!(&ended, Err(CopyError::Passing { message }) if message.contains("other bytes")), "{ended:?}");
        assert!(stand.get("key").await.is_none());
    }
}

#[tokio::test]
async fn servers_that_refuse_checksums_get_none() {
    for answer in [("NotImplemented", 501), ("InvalidRequest", 400), ("InvalidArgument", 400)] {
        let knows = |request: &Request| {
            request.header("x-amz-checksum-crc32").is_some() || request.header("x-amz-checksum-algorithm").is_some()
        };
        let stand = Stand::new().await;
        let Some((stand, proxy)) = behind(stand, usize::MAX, knows, refusal(answer.1, answer.0)).await else { return };
        let target = target(stand.settings());
        for (name, len) in [("one", 1000), ("two", LARGE), ("three", 1000)] {
            let (key, content) = stand.blob(1, len).await;
            let made = stand.copy(&target, blob(&key, &content), name).await;
            assert_eq!(made, Ok(Outcome::Copied), "{answer:?} {name}");
            assert!(stand.get(name).await.unwrap().1 == content);
        }
        assert!(proxy.count(knows) <= 2, "remembered");
        let mut settings = stand.settings();
        settings.checksums = stowage_model::Checksums::Always;
        let strict = crate::support::target(settings);
        assert_eq!(code(stand.copy(&strict, Source::Bytes("x".into()), "strict").await), answer.0);
    }
}

/// Requests are signed for a region; the right one is found out.
#[tokio::test]
async fn the_region_is_found_out() {
    let abroad = |request: &Request| !request.headers.contains("/eu-west-3/s3/aws4_request");
    let by_header = |request: &Request| {
        if request.method == "HEAD" { Deed::Answer(301, "x-amz-bucket-region: eu-west-3\r\n", "") } else { Deed::Reset }
    };
    let body =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-3</Region></Error>";
    let by_body = move |request: &Request| match request.method.as_str() {
        "HEAD" => Deed::Answer(400, "", ""),
        _ => Deed::Answer(400, "content-type: application/xml\r\n", body),
    };
    let tellers: [Teller; 2] = [Box::new(by_header), Box::new(by_body)];
    for tell in tellers {
        let Some(mut stand) = Stand::with_acls().await else { return };
        let proxy = Proxy::start(&stand.endpoint, move |r| if abroad(r) { tell(r) } else { Deed::Pass }).await;
        stand.endpoint.clone_from(&proxy.endpoint);
        for region in ["", "us-west-2"] {
            let mut settings = stand.settings();
            settings.region = region.to_owned();
            let name = format!("key-{region}");
            let made = stand.copy(&target(settings), Source::Bytes("abroad".into()), &name).await;
            assert_eq!(made, Ok(Outcome::Copied));
        }
    }
}

/// Those who ask while a dead storage is being looked for share what comes of it.
#[tokio::test]
async fn a_dead_storage_is_not_asked_by_everybody_in_turn() {
    let Some(mut stand) = Stand::new().await else { return };
    let proxy = Proxy::start("http://127.0.0.1:9", |_| Deed::Reset).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let target = target(stand.settings());
    let copies = (0..50).map(|n| {
        let (stand, target) = (&stand, &target);
        async move { stand.copy(target, Source::Bytes("x".into()), &n.to_string()).await }
    });
    let ended = futures_util::future::join_all(copies).await;
    assert!(ended.iter().all(|end| matches!(end, Err(CopyError::Passing { .. }))));
    assert_eq!(proxy.seen().len(), 3, "one question, asked as often as the client repeats itself");
}
