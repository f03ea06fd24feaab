//! Slow and greedy clients.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stowage::{Place, Server};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap()
}

/// What comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut text)).await;
    // A reset ends a connection as well.
    drop(read.expect("the server closes the connection"));
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn slow_clients_are_given_up() {
    let place = Place::with(&[
        ("STOWAGE_SERVER__HEADER_TIMEOUT", "300ms"),
        ("STOWAGE_SERVER__BODY_TIMEOUT", "300ms"),
        ("STOWAGE_SERVER__WRITE_TIMEOUT", "300ms"),
    ])
    .await;
    let server = place.serve(&[]).await;
    let mut no_head = connect(&server).await;
    no_head.write_all(b"GET / HTTP/1.1\r\nHost: x").await.unwrap();
    rest(&mut no_head).await;
    let mut idle = connect(&server).await;
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut idle).await.starts_with("HTTP/1.1 200"), "an idle connection is closed after its answer");
    let mut no_body = connect(&server).await;
    let head = "POST /base/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n";
    no_body.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut no_body).await;
    assert!(answer.contains("400 Bad Request") && answer.contains("HTTP POST request parsing failed."), "{answer}");
    let id = server.upload("large", vec![b'x'; 60 << 20], "1").await.unwrap();
    let mut no_reader = connect(&server).await;
    no_reader.write_all(format!("GET /{id}/ HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(rest(&mut no_reader).await.len() < 60 << 20, "who does not read is given up");
}

#[tokio::test]
async fn who_keeps_dripping_is_given_up_as_well() {
    let place = Place::with(&[("STOWAGE_SERVER__REQUEST_TIMEOUT", "1s")]).await;
    let server = place.serve(&[]).await;
    let stream = connect(&server).await;
    let (mut answers, mut body) = stream.into_split();
    let head = "POST /base/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n";
    body.write_all(head.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        while body.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut text = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(30), answers.read_to_end(&mut text)).await.unwrap());
    assert!(String::from_utf8_lossy(&text).contains("HTTP POST request parsing failed."));
    dripping.abort();
}

#[tokio::test]
async fn connections_above_the_limit_wait_their_turn() {
    let place = Place::with(&[("STOWAGE_SERVER__MAX_CONNECTIONS", "2")]).await;
    let server = place.serve(&[]).await;
    let (one, _two) = (connect(&server).await, connect(&server).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut third = connect(&server).await;
    third.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(500), third.read(&mut byte)).await;
    assert!(early.is_err(), "nobody listens to the third connection");
    drop(one);
    assert!(rest(&mut third).await.contains("200 OK"));
}

#[tokio::test]
async fn refusals_arrive_although_the_client_is_still_sending() {
    let place = Place::with(&[("STOWAGE_UPLOADS__REQUEST_SIZE", "8MiB")]).await;
    let server = place.serve(&[]).await;
    for _ in 0..5 {
        let refused = server.upload("large", vec![b'x'; 10 << 20], "1").await.unwrap_err();
        assert_eq!(refused, "413 The size of the request is too large.");
    }
}
