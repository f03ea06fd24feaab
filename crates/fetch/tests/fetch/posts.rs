//! Telling a server something: the same guard, no redirects, and an answer of which only the status counts.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use stowage_fetch::{FetchError, Options, Url, UrlFault, testing};
use tokio::io::AsyncReadExt;

use crate::origin::{LARGE, NAME, Origin, PUBLIC, endless, finish, lookup, options, outbound, places};

const BODY: &str = "{\"ü\":\"\\\"\"}";
const PATIENCE: Duration = Duration::from_secs(60);

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("x-uc-signature"), HeaderValue::from_static("v1=00")),
    ])
}

async fn post(url: &Url) -> Result<StatusCode, FetchError> {
    post_with(&options(), url, PATIENCE).await
}

async fn post_with(options: &Options, url: &Url, total: Duration) -> Result<StatusCode, FetchError> {
    outbound(options).post(url, &headers(), BODY.to_owned(), total).await
}

#[tokio::test]
async fn what_is_told_arrives_whole() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let origin = Origin::serve(move |head, mut stream| {
        let kept = Arc::clone(&kept);
        async move {
            let mut body = vec![0; BODY.len()];
            stream.read_exact(&mut body).await?;
            kept.lock().unwrap().push(format!("{head}{}", String::from_utf8_lossy(&body)));
            finish(stream, b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok").await
        }
    })
    .await;
    assert_eq!(post(&origin.url("/hook?a=b#c")).await, Ok(StatusCode::CREATED));
    let expected = format!(
        "POST /hook?a=b HTTP/1.1\r\nhost: {NAME}:{}\r\nuser-agent: Stowage/{}\r\ncontent-type: application/json\r\n\
         x-uc-signature: v1=00\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{BODY}",
        origin.port,
        env!("CARGO_PKG_VERSION"),
        BODY.len(),
    );
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn every_status_is_an_answer_and_none_is_followed() {
    for status in [200, 204, 301, 302, 303, 307, 308, 400, 404, 410, 500, 503] {
        let answer = format!("HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
        let origin = Origin::sends(answer).await;
        assert_eq!(post(&origin.url("/")).await.map(|status| status.as_u16()), Ok(status));
        assert_eq!(origin.connections(), 1, "{status}");
    }
}

#[tokio::test]
async fn only_the_status_of_an_answer_counts() {
    // A body that never ends, one that stops in the middle, one that is broken.
    let many =
        Origin::serve(
            |_, stream| async move { endless(stream, b"HTTP/1.1 200 OK\r\n\r\n", LARGE, Duration::ZERO).await },
        )
        .await;
    assert_eq!(post(&many.url("/")).await, Ok(StatusCode::OK));
    let silent = Origin::serve(|_, stream| async move {
        endless(stream, b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nx", b"", PATIENCE).await
    })
    .await;
    assert_eq!(post(&silent.url("/")).await, Ok(StatusCode::ACCEPTED));
    let broken = Origin::sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense").await;
    assert_eq!(post(&broken.url("/")).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn who_does_not_answer_in_time_has_not_answered() {
    let second = Duration::from_secs(1);
    let silent = Origin::serve(|_, stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    assert_eq!(post_with(&options(), &silent.url("/"), second).await, Err(FetchError::Timeout(1)));
    let dripping = Origin::serve(|_, stream| async move {
        endless(stream, b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", Duration::from_millis(50)).await
    })
    .await;
    assert_eq!(post_with(&options(), &dripping.url("/"), second).await, Err(FetchError::Timeout(1)));
    let garbage = Origin::sends("no HTTP at all\r\n\r\n").await;
    assert_eq!(post(&garbage.url("/")).await, Err(FetchError::Network("response is not valid HTTP")));
    let closed = Origin::sends("").await;
    assert_eq!(post(&closed.url("/")).await, Err(FetchError::Network("connection closed early")));
}

#[tokio::test]
async fn addresses_are_judged_at_each_attempt() {
    let origin = Origin::counts().await;
    for host in ["127.0.0.1", "localhost", "[::1]", "loop.test", "private.test", "mixed.test"] {
        let url = format!("http://{host}:{}/", origin.port).parse().unwrap();
        assert_eq!(post(&url).await, Err(FetchError::Url(UrlFault::PrivateIp)), "{host}");
    }
    let denied = Options { deny_hosts: places(&[NAME]), ..options() };
    let blacklisted = Err(FetchError::Url(UrlFault::Blacklisted));
    assert_eq!(post_with(&denied, &origin.url("/"), PATIENCE).await, blacklisted);
    for (url, fault) in
        [("ftp://origin.test/", UrlFault::SchemeInvalid), ("http://me:secret@origin.test/", UrlFault::Invalid)]
    {
        assert_eq!(post(&url.parse().unwrap()).await, Err(FetchError::Url(fault)), "{url}");
    }
    let missing = post(&"http://missing.test/".parse().unwrap()).await;
    assert_eq!(missing, Err(FetchError::Network("host does not resolve")));
    // A name that was public when the webhook was made.
    let asked = AtomicUsize::new(0);
    let moving = move |name: &str| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(vec![PUBLIC]),
        _ => lookup(name).map_err(io::Error::other),
    };
    let outbound = testing::outbound(&options(), moving, Vec::new()).unwrap();
    let url = format!("http://loop.test:{}/", origin.port);
    let url = outbound.check(&url).await.unwrap();
    let told = outbound.post(&url, &headers(), BODY.to_owned(), PATIENCE).await;
    assert_eq!(told, Err(FetchError::Url(UrlFault::PrivateIp)));
    assert_eq!(origin.connections(), 0);
}
