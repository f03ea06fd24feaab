//! What is made of answers: good ones, those that lie, and those that are none.

use std::net::SocketAddr;

use stowage_fetch::{FetchError, Url, UrlFault};
use tokio::net::TcpSocket;

use crate::origin::{NAME, Origin, failure, fetch, finish, options, outbound, target};

#[tokio::test]
async fn an_answer_tells_what_its_head_says() {
    let origin = Origin::sends(
        &b"HTTP/1.1 200 OK\r\nContent-Type:  text/html; charset=UTF-8 \r\nContent-Length: 5\r\n\
           Content-Disposition: attachment; filename=\"caf\xe9.txt\"\r\n\r\nhello"[..],
    )
    .await;
    let (answer, body) = fetch(&origin.url("/a")).await.unwrap();
    assert_eq!(answer.url, origin.url("/a"));
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=UTF-8"));
    assert_eq!(answer.content_disposition.as_deref(), Some(&b"attachment; filename=\"caf\xe9.txt\""[..]));
    assert_eq!((answer.len, body.as_slice()), (Some(5), &b"hello"[..]));
}

#[tokio::test]
async fn an_answer_may_say_nothing() {
    let origin = Origin::sends("HTTP/1.0 200 OK\r\nContent-Type:\r\n\r\nhello").await;
    let (answer, body) = fetch(&origin.url("/")).await.unwrap();
    assert_eq!((answer.content_type, answer.content_disposition, answer.len), (None, None, None));
    assert_eq!(body, b"hello");
}

#[tokio::test]
async fn only_200_is_success() {
    let origin = Origin::serve(|head, stream| async move {
        let status = &target(&head)[1..];
        finish(stream, format!("HTTP/1.1 {status} Such\r\nContent-Length: 0\r\n\r\n").as_bytes()).await
    })
    .await;
    assert!(fetch(&origin.url("/200")).await.is_ok());
    for status in [
        101, 201, 202, 203, 204, 205, 206, 226, 299, 400, 401, 403, 404, 410, 418, 429, 451, 499, 500, 501, 502, 503,
        504, 599, 999,
    ] {
        assert_eq!(failure(&origin.url(&format!("/{status}"))).await, FetchError::Status(status));
    }
}

#[tokio::test]
async fn every_framing_is_understood() {
    for (answer, len) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Some(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", Some(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", Some(5)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nT: t\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\n\r\nhello", None),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Some(5),
        ),
        ("HTTP/1.1 200 OK\r\nin valid: header\r\nContent-Length: 5\r\n\r\nhello", Some(5)),
        ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", Some(5)),
    ] {
        let origin = Origin::sends(answer).await;
        let (read, body) = fetch(&origin.url("/")).await.unwrap();
        assert_eq!((read.len, body.as_slice()), (len, &b"hello"[..]), "{answer:?}");
    }
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let (answer, body) = fetch(&origin.url("/")).await.unwrap();
    assert_eq!((answer.len, body.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_no_file() {
    for (answer, reason) in [
        ("Content-Length: 6\r\n\r\nhello", "connection closed early"),
        ("Content-Length: 4\r\n\r\nhello", "body is longer than announced"),
        ("Content-Length: 0\r\n\r\nhello", "body is longer than announced"),
        ("Content-Length: 4\r\nConnection: close\r\n\r\nhello", "body is longer than announced"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "connection closed early"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "connection closed early"),
        ("Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n", "response is not valid HTTP"),
        ("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n", "response is not valid HTTP"),
        ("Content-Length: -5\r\n\r\nhello", "response is not valid HTTP"),
        ("Content-Length: 5, 6\r\n\r\nhello", "response is not valid HTTP"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "response is not valid HTTP"),
        ("Content-Length: 18446744073709551616\r\n\r\nhello", "response is not valid HTTP"),
    ] {
        let origin = Origin::sends(format!("HTTP/1.1 200 OK\r\n{answer}")).await;
        assert_eq!(failure(&origin.url("/")).await, FetchError::Network(reason), "{answer:?}");
    }
}

#[tokio::test]
async fn an_enormous_length_is_no_reason_to_reserve_memory() {
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello").await;
    let mut answer = outbound(&options()).get(&origin.url("/")).await.unwrap();
    assert_eq!(answer.len, Some(9_223_372_036_854_775_807));
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
    assert_eq!(answer.chunk().await, Err(FetchError::Network("connection closed early")));
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    for (bytes, reason) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "response is not valid HTTP"),
        (b"220 mail.example ESMTP\r\n", "response is not valid HTTP"),
        (b"-ERR unknown command\r\n", "response is not valid HTTP"),
        (b"<html>hello</html>\r\n\r\n", "response is not valid HTTP"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "response is not valid HTTP"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "response is not valid HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "response is not valid HTTP"),
        (b"\0\0\x12\x04\0\0\0\0\0\0\0", "response is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "connection closed early"),
        (b"", "connection closed early"),
    ] {
        let origin = Origin::sends(bytes).await;
        assert_eq!(failure(&origin.url("/")).await, FetchError::Network(reason), "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let held = TcpSocket::new_v4().unwrap();
    held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{NAME}:{}/", held.local_addr().unwrap().port()).parse().unwrap();
    assert_eq!(failure(&url).await, FetchError::Network("connection refused"));
}

#[tokio::test]
async fn a_connection_that_ends_before_the_request_is_an_error() {
    let origin = Origin::counts().await;
    let error = failure(&origin.url("/")).await;
    let reasons = ["connection closed early", "connection reset"];
    assert!(matches!(error, FetchError::Network(reason) if reasons.contains(&reason)), "{error:?}");
}

#[tokio::test]
async fn an_error_is_not_followed_by_an_end() {
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello").await;
    let outbound = outbound(&options());
    let url = origin.url("/");
    // Another task reads it: both must be allowed to go there.
    let mut answer = tokio::spawn(async move { outbound.get(&url).await }).await.unwrap().unwrap();
    let reading = tokio::spawn(async move {
        let first = answer.chunk().await;
        (first, answer.chunk().await, answer.chunk().await)
    });
    let (first, second, third) = reading.await.unwrap();
    let error = Err(FetchError::Network("connection closed early"));
    assert_eq!((first.unwrap().unwrap(), second, third), ("hello".into(), error.clone(), error));
}

#[tokio::test]
async fn an_end_stays_one() {
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let mut answer = outbound(&options()).get(&origin.url("/")).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
    assert_eq!((answer.chunk().await, answer.chunk().await), (Ok(None), Ok(None)));
}

#[tokio::test]
async fn a_url_that_was_never_checked_is_judged_all_the_same() {
    for (text, fault) in [
        ("ftp://origin.test/", UrlFault::SchemeInvalid),
        ("unix:/run/docker.sock", UrlFault::SchemeInvalid),
        ("http://me@origin.test/", UrlFault::Invalid),
        ("http://origin.test:0/", UrlFault::HostMalformed),
    ] {
        let url: Url = text.parse().unwrap();
        assert_eq!(failure(&url).await, FetchError::Url(fault), "{text}");
    }
}

#[tokio::test]
async fn odd_characters_of_a_path_arrive_escaped() {
    let origin = Origin::serve(|head, stream| async move {
        let target = target(&head);
        finish(stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()).as_bytes()).await
    })
    .await;
    let odd = r#"/a b/"<>`{}|\[]'é/%zz?q="<>`{}|\^[]'é %"#;
    let text = format!("http://{NAME}.:{}{odd}#part", origin.port);
    let url = outbound(&options()).check(&text).await.unwrap();
    let (_, seen) = fetch(&url).await.unwrap();
    assert_eq!(
        String::from_utf8(seen).unwrap(),
        "/a%20b/%22%3C%3E%60%7B%7D|/[]'%C3%A9/%zz?q=%22%3C%3E`{}|\\^[]%27%C3%A9%20%"
    );
}
