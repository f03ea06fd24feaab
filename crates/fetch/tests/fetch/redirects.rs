//! Redirects are followed like everything else: counted, judged, and with nothing carried over.

use std::sync::{Arc, Mutex};

use stowage_fetch::{FetchError, UrlFault};

use crate::origin::{LARGE, NAME, Origin, failure, failure_with, fetch, finish, options, target};

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\ngone").into_bytes()
}

/// `/3` leads to `/2` and so on, `/0` is the file.
async fn countdown() -> Origin {
    Origin::serve(|head, stream| async move {
        let left: usize = target(&head)[1..].parse().unwrap();
        match left {
            0 => finish(stream, HELLO).await,
            _ => finish(stream, &redirect(302, &format!("/{}", left - 1))).await,
        }
    })
    .await
}

#[tokio::test]
async fn as_many_as_configured_are_followed() {
    let origin = countdown().await;
    let (answer, body) = fetch(&origin.url("/5")).await.unwrap();
    assert_eq!((answer.url, body.as_slice()), (origin.url("/0"), &b"hello"[..]));
    assert_eq!(origin.connections(), 6);
    assert_eq!(failure(&origin.url("/6")).await, FetchError::TooManyRedirects);
    assert_eq!(origin.connections(), 12);
    let mut none = options();
    none.redirects = 0;
    assert_eq!(failure_with(&none, &origin.url("/1")).await, FetchError::TooManyRedirects);
    assert_eq!(origin.connections(), 13);
}

#[tokio::test]
async fn a_loop_ends() {
    let origin = Origin::sends(redirect(301, "/")).await;
    assert_eq!(failure(&origin.url("/")).await, FetchError::TooManyRedirects);
    assert_eq!(origin.connections(), 6);
}

#[tokio::test]
async fn every_kind_of_redirect_and_no_other_status_is_followed() {
    let origin = Origin::serve(|head, stream| async move {
        match target(&head)[1..].parse() {
            Ok(status) => finish(stream, &redirect(status, "/done")).await,
            Err(_) => finish(stream, HELLO).await,
        }
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let (answer, _) = fetch(&origin.url(&format!("/{status}"))).await.unwrap();
        assert_eq!(answer.url.path(), "/done", "{status}");
    }
    for status in [201, 300, 304, 305, 306, 310, 401, 503] {
        assert_eq!(failure(&origin.url(&format!("/{status}"))).await, FetchError::Status(status));
    }
    // A status that says that all is well is not made a redirect by a header.
    assert_eq!(fetch(&origin.url("/200")).await.unwrap().1, b"gone");
}

#[tokio::test]
async fn a_redirect_that_does_not_say_where_to_is_a_status() {
    for status in [301, 302, 303, 307, 308] {
        let origin = Origin::sends(format!("HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(failure(&origin.url("/")).await, FetchError::Status(status));
    }
}

#[tokio::test]
async fn locations_are_relative_to_the_url_that_sent_them() {
    let origin = Origin::serve(|head, stream| async move {
        let path = target(&head);
        let next = match path {
            "/a/b?c" => "../d/e?f#g",
            "/d/e?f" => "?h=i j",
            "/d/e?h=i%20j" => "",
            _ => panic!("{path}"),
        };
        match next {
            "" => finish(stream, HELLO).await,
            _ => finish(stream, &redirect(302, next)).await,
        }
    })
    .await;
    let (answer, body) = fetch(&origin.url("/a/b?c")).await.unwrap();
    assert_eq!((answer.url.path(), answer.url.query(), body.len()), ("/d/e", Some("h=i%20j"), 5));
}

#[tokio::test]
async fn a_redirect_leads_to_another_server_but_to_no_other_scheme() {
    let second = Origin::sends(HELLO).await;
    let first = Origin::sends(redirect(302, &format!("//{NAME}:{}/x", second.port))).await;
    let (answer, body) = fetch(&first.url("/")).await.unwrap();
    assert_eq!((answer.url, body.as_slice()), (second.url("/x"), &b"hello"[..]));
    for (location, fault) in [
        ("ftp://origin.test/", UrlFault::SchemeInvalid),
        ("file:///etc/passwd", UrlFault::SchemeInvalid),
        ("data:text/plain,hello", UrlFault::SchemeInvalid),
        ("gopher://127.0.0.1:6379/_FLUSHALL", UrlFault::SchemeInvalid),
        ("http://", UrlFault::HostRequired),
        ("http://[::1", UrlFault::Parsing),
        ("http://origin.test:0/", UrlFault::HostMalformed),
        ("http://me:secret@origin.test/", UrlFault::Invalid),
        ("http://169.254.169.254/latest/", UrlFault::PrivateIp),
    ] {
        let origin = Origin::sends(redirect(302, location)).await;
        assert_eq!(failure(&origin.url("/")).await, FetchError::Url(fault), "{location}");
    }
    let long = Origin::sends(redirect(302, &"a".repeat(5000))).await;
    assert_eq!(failure(&long.url("/")).await, FetchError::Url(UrlFault::Invalid));
}

#[tokio::test]
async fn nothing_is_carried_over() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let origin = Origin::serve(move |head, stream| {
        seen.lock().unwrap().push(head.clone());
        async move {
            match target(&head) {
                "/first?secret" => {
                    let answer = "HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /second\r\n\r\n";
                    finish(stream, answer.as_bytes()).await
                }
                _ => finish(stream, HELLO).await,
            }
        }
    })
    .await;
    fetch(&origin.url("/first?secret#fragment")).await.unwrap();
    let expected = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: {NAME}:{}\r\nuser-agent: Stowage/{}\r\naccept: */*\r\n\
             accept-encoding: identity\r\n\r\n",
            origin.port,
            env!("CARGO_PKG_VERSION")
        )
    };
    assert_eq!(*heads.lock().unwrap(), [expected("/first?secret"), expected("/second")]);
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_read() {
    let done = Origin::sends(HELLO).await;
    let location = done.url("/").to_string();
    let origin = Origin::serve(move |_, stream| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        async move { crate::origin::endless(stream, head.as_bytes(), LARGE, std::time::Duration::ZERO).await }
    })
    .await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().1, b"hello");
}
