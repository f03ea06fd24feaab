//! Servers that take their time, or never come to an end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stowage_fetch::{FetchError, Options, UrlFault, testing};
use tokio::io::AsyncWriteExt;

use crate::origin::{LARGE, NAME, Origin, endless, failure, failure_with, lookup, options, outbound};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
const BRIEF: Duration = Duration::from_millis(300);
const DRIP: Duration = Duration::from_millis(10);

fn brief_idle() -> Options {
    Options { idle_timeout: BRIEF, ..options() }
}

fn brief_total() -> Options {
    Options { total_timeout: Duration::from_secs(1), ..options() }
}

async fn silent_after(bytes: &'static [u8]) -> Origin {
    Origin::serve(move |_, mut stream| async move {
        stream.write_all(bytes).await?;
        std::future::pending().await
    })
    .await
}

async fn repeats(head: &'static [u8], piece: &'static [u8], pause: Duration) -> Origin {
    Origin::serve(move |_, stream| endless(stream, head, piece, pause)).await
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"] {
        let origin = silent_after(bytes).await;
        let expected = FetchError::Network("the server does not answer");
        assert_eq!(failure_with(&brief_idle(), &origin.url("/")).await, expected);
        assert_eq!(failure_with(&brief_total(), &origin.url("/")).await, FetchError::Timeout(1));
    }
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let origin = repeats(b"HTTP/1.1 200 OK\r\nA: ", b"a", DRIP).await;
    let expected = FetchError::Network("the server does not answer");
    assert_eq!(failure_with(&brief_idle(), &origin.url("/")).await, expected);
    let origin = repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", DRIP).await;
    assert_eq!(failure_with(&brief_idle(), &origin.url("/")).await, expected);
}

#[tokio::test]
async fn a_body_that_stops_is_not_waited_for() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
    ] {
        let origin = silent_after(bytes).await;
        let mut answer = outbound(&brief_idle()).get(&origin.url("/")).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
        for _again in 0..2 {
            assert_eq!(answer.chunk().await, Err(FetchError::Network("the server stopped sending")));
        }
    }
}

#[tokio::test]
async fn a_body_that_drips_has_its_time_all_the_same() {
    let origin = repeats(OK, b"a", DRIP).await;
    assert_eq!(failure_with(&brief_total(), &origin.url("/")).await, FetchError::Timeout(1));
}

#[tokio::test]
async fn a_body_that_never_pauses_has_its_time_all_the_same() {
    let origin = repeats(OK, LARGE, Duration::ZERO).await;
    let mut answer = outbound(&brief_total()).get(&origin.url("/")).await.unwrap();
    let error = loop {
        match answer.chunk().await {
            Ok(piece) => assert!(piece.is_some_and(|bytes| bytes.len() <= 512 << 10)),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FetchError::Timeout(1));
}

#[tokio::test]
async fn redirects_share_the_time() {
    let origin = Origin::serve(|_, mut stream| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n").await
    })
    .await;
    let options = Options { redirects: 1000, ..brief_total() };
    assert_eq!(failure_with(&options, &origin.url("/")).await, FetchError::Timeout(1));
}

#[tokio::test]
async fn whoever_has_enough_of_an_endless_body_drops_the_answer() {
    let gone = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&gone);
    let origin = Origin::serve(move |_, stream| {
        let seen = Arc::clone(&seen);
        async move {
            let ended = endless(stream, OK, LARGE, Duration::ZERO).await;
            seen.store(true, Ordering::SeqCst);
            ended
        }
    })
    .await;
    let mut answer = outbound(&options()).get(&origin.url("/")).await.unwrap();
    let mut read = 0;
    while read < 8 << 20 {
        read += answer.chunk().await.unwrap().unwrap().len();
    }
    assert!(!gone.load(Ordering::SeqCst));
    drop(answer);
    // Ends, or the test runs into the limit of the runner: the server must see that nobody reads any more.
    while !gone.load(Ordering::SeqCst) {
        tokio::time::sleep(DRIP).await;
    }
}

#[tokio::test]
async fn heads_have_a_size() {
    for (head, piece) in [
        (&b""[..], &b"a"[..]),
        (b"HTTP/1.1 200 ", b"a"),
        (b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    ] {
        let piece: &'static [u8] = piece.repeat(1000).leak();
        let origin = repeats(head, piece, Duration::ZERO).await;
        let error = failure(&origin.url("/")).await;
        let reasons = ["response head is too large", "response is not valid HTTP"];
        assert!(matches!(error, FetchError::Network(reason) if reasons.contains(&reason)), "{error:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(70_000));
    let origin = Origin::sends(long).await;
    assert_eq!(failure(&origin.url("/")).await, FetchError::Network("response head is too large"));
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "A: b\r\n".repeat(200));
    let origin = Origin::sends(many).await;
    assert_eq!(failure(&origin.url("/")).await, FetchError::Network("response head is too large"));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(60_000));
    let origin = Origin::sends(large).await;
    assert!(outbound(&options()).get(&origin.url("/")).await.is_ok());
}

#[tokio::test]
async fn what_surrounds_chunks_has_a_size() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let invalid = FetchError::Network("response is not valid HTTP");
    // Zeros before a size are read and forgotten; they are no piece of a body.
    let idle = FetchError::Network("the server stopped sending");
    for (begin, piece, expected) in [
        (&b"5;a="[..], &b"a"[..], &invalid),
        (b"5\r\nhello\r\n0\r\nA: ", b"a", &invalid),
        (b"0\r\n", b"A: b\r\n", &invalid),
        (b"0000", b"0", &idle),
    ] {
        let head: &'static [u8] = [CHUNKED, begin].concat().leak();
        let origin = repeats(head, piece.repeat(1000).leak(), Duration::ZERO).await;
        let options = if *expected == idle { brief_idle() } else { options() };
        assert_eq!(failure_with(&options, &origin.url("/")).await, *expected, "{}", begin.escape_ascii());
    }
}

#[tokio::test]
async fn a_host_that_resolves_too_slowly_does_not_resolve() {
    let (never, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let slowly = move |name: &str| -> io::Result<_> {
        let _ = wait.lock().unwrap().recv();
        lookup(name)
    };
    let options = Options { connect_timeout: Duration::from_millis(20), ..options() };
    let outbound = testing::outbound(&options, slowly, Vec::new()).unwrap();
    assert_eq!(outbound.check("http://public.test/").await, Err(UrlFault::HostNotFound));
    let url = format!("http://{NAME}/").parse().unwrap();
    assert_eq!(outbound.get(&url).await.err(), Some(FetchError::Network("connection timed out")));
    drop(never);
}

#[tokio::test]
async fn a_server_that_says_nothing_to_tls_is_not_waited_for() {
    let origin = Origin::accept(|stream| {
        Box::pin(async move {
            let _open = stream;
            std::future::pending().await
        })
    })
    .await;
    let options = Options { connect_timeout: BRIEF, ..options() };
    let url = format!("https://{NAME}:{}/", origin.port).parse().unwrap();
    assert_eq!(failure_with(&options, &url).await, FetchError::Network("connection timed out"));
}

#[tokio::test]
async fn limits_may_be_without_end() {
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    let for_ever = Duration::MAX;
    let options = Options {
        connect_timeout: for_ever,
        idle_timeout: for_ever,
        total_timeout: for_ever,
        redirects: usize::MAX - 1,
        ..options()
    };
    let mut answer = outbound(&options).get(&origin.url("/")).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hi");
}
