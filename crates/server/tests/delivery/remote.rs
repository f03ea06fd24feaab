//! Files of other servers, delivered through this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::paint::{png, size};
use crate::support::Server;

const PROXY: &str = "[fetch]\nallow = [\"127.0.0.0/8\"]\n\
    [[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\nproxy_hosts = [\"127.0.0.1\"]\n";

/// A web server with one picture, which counts who asks.
async fn origin() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (read, mut write) = wire.split();
                let mut lines = BufReader::new(read).lines();
                let Ok(Some(first)) = lines.next_line().await else { return };
                while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
                let picture = png(40, 20, [1; 3], [250; 3]);
                let (status, body) = match first.split(' ').nth(1) {
                    Some("/a%20b.png?v=1" | "/c.png") => ("200 OK\r\ncontent-type: image/png", picture),
                    _ => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = write.write_all(&[head.as_bytes(), &body].concat()).await;
                let _ = write.shutdown().await;
            });
        }
    });
    (base, asked)
}

#[tokio::test]
async fn a_remote_picture_is_fetched_once() {
    let server = Server::with(PROXY, &[]).await;
    let (base, asked) = origin().await;
    let path = format!("/-/resize/20x/-/format/png/{base}/a%20b.png?v=1");
    let made = server.get(&path).send().await.unwrap();
    assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
    assert_eq!(
        (&made.headers()["x-image-width"], &made.headers()["content-disposition"]),
        (&"20".parse().unwrap(), &"inline".parse().unwrap())
    );
    assert_eq!(size(&made.bytes().await.unwrap()), (20, 10));
    let original = server.get(&format!("/{base}/a%20b.png?v=1")).send().await.unwrap();
    assert_eq!(original.headers()["content-type"], "image/png");
    assert!(original.bytes().await.unwrap() == png(40, 20, [1; 3], [250; 3]));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is kept");
    let many = futures_util::future::join_all((0..8).map(|_| server.get(&format!("/{base}/c.png")).send())).await;
    assert!(many.into_iter().all(|answer| answer.unwrap().status() == 200));
    assert_eq!(asked.load(Ordering::SeqCst), 2, "eight asked for one file at once");
}

#[tokio::test]
async fn what_is_not_fetched() {
    let server = Server::with(PROXY, &[]).await;
    let (base, asked) = origin().await;
    let ask = async |path: &str| {
        let answer = server.get(path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, page) = ask("/-/preview/https://example.com/a.png").await;
    assert!(status == 400 && page.contains("Domain is not allowed"), "{page}");
    let (status, page) = ask("/http:/").await;
    assert!(status == 400 && page.contains("No URL host supplied."), "{page}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let (status, page) = ask(&format!("/{base}/none.png")).await;
    assert!(status == 502 && page.contains("the server answered 404"), "{page}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (status, page) = ask(&format!("/-/nope/{base}/c.png")).await;
    assert!(status == 400 && page.contains("`nope`"), "{page}");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nothing is kept for operations that make no sense");
    let closed = Server::start().await;
    let answer = closed.get(&format!("/{base}/c.png")).send().await.unwrap();
    assert_eq!(answer.status(), 400, "no project has a list");
}

#[tokio::test]
async fn a_project_without_room_takes_nothing() {
    let server = Server::with(&format!("{PROXY}account_state = \"unpaid\"\n"), &[]).await;
    let (base, asked) = origin().await;
    let answer = server.get(&format!("/{base}/c.png")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (403, &"no-store".parse().unwrap()));
    assert!(answer.text().await.unwrap().contains("Account has been blocked for non payment."));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_host_names_the_project() {
    let second = "[[projects]]\npublic_key = \"second\"\nsecret_keys = []\nproxy_hosts = [\"127.0.0.1\"]\n\
                  [[projects]]\npublic_key = \"third\"\nsecret_keys = []\n";
    let server = Server::with(&format!("{PROXY}{second}"), &[]).await;
    let (base, _) = origin().await;
    let status = async |host: &str| {
        let request = server.get(&format!("/{base}/c.png")).header("host", host);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("files.example").await, 400, "there are two");
    assert_eq!((status("second.files.example:8080").await, status("SECOND.files.example").await), (200, 200));
    assert_eq!(status("1s4oyld5dc.files.example").await, 200, "the label that official clients know");
    assert_eq!(status("third.files.example").await, 400, "it has no list");
}

#[tokio::test]
async fn private_addresses_stay_private() {
    let file = PROXY.replace("127.0.0.0/8", "192.0.2.0/24");
    let server = Server::with(&file, &[]).await;
    let (base, asked) = origin().await;
    let answer = server.get(&format!("/{base}/c.png")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("Only public IPs are allowed."));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
