//! Whom webhooks tell.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a receiver was told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) content_type: Option<String>,
    pub(crate) signature: Option<String>,
    pub(crate) body: String,
}

impl Post {
    pub(crate) fn payload(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A web server that keeps what it is told and answers by path.
pub(crate) struct Receiver {
    base: String,
    heard: Arc<Mutex<Vec<Post>>>,
    count: watch::Receiver<usize>,
}

async fn hear(wire: &mut TcpStream) -> Option<Post> {
    let mut lines = BufReader::new(wire);
    let mut first = String::new();
    lines.read_line(&mut first).await.ok()?;
    let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let (mut content_type, mut signature, mut length) = (None, None, 0);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).await.ok()?;
        let Some((name, text)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => content_type = Some(text.to_owned()),
            "x-uc-signature" => signature = Some(text.to_owned()),
            "content-length" => length = text.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).await.ok()?;
    Some(Post { path, content_type, signature, body: String::from_utf8(body).unwrap() })
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Post>>> = Arc::default();
        let (counter, count) = watch::channel(0);
        let (kept, counter) = (Arc::clone(&heard), Arc::new(counter));
        tokio::spawn(async move {
            while let Ok((mut wire, _)) = listener.accept().await {
                let (kept, counter) = (Arc::clone(&kept), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Some(post) = hear(&mut wire).await else { return };
                    let (path, told) = {
                        let mut kept = kept.lock().unwrap();
                        let path = post.path.clone();
                        kept.push(post);
                        (path.clone(), kept.iter().filter(|post| post.path == path).count())
                    };
                    counter.send_modify(|count| *count += 1);
                    let status = match path.split('/').nth(1).unwrap() {
                        "hang" => std::future::pending().await,
                        "fail" => "500 Broken",
                        "moved" => "302 Found\r\nlocation: /ok",
                        "gone" => "410 Gone",
                        "once" if told == 1 => "503 Later",
                        _ => "202 Accepted",
                    };
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                    let _ = wire.write_all(answer.as_bytes()).await;
                    let _ = wire.shutdown().await;
                });
            }
        });
        Self { base, heard, count }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What was told under paths with this beginning.
    pub(crate) fn told(&self, path: &str) -> Vec<Post> {
        self.heard.lock().unwrap().iter().filter(|post| post.path.starts_with(path)).cloned().collect()
    }

    /// Waits until `count` posts have come to paths with this beginning.
    pub(crate) async fn wait_for(&mut self, path: &str, count: usize) {
        while self.told(path).len() < count {
            self.count.changed().await.unwrap();
        }
    }

    /// Everything that was told, and forgets it.
    pub(crate) fn take(&self) -> Vec<Post> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}
