//! Stands before an S3 server: notes what it is asked, and behaves badly where a test wants it to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Passes requests on to an S3 server.
pub struct Proxy {
    server: String,
    /// The first lines of all requests that were passed on to their end, such as `PUT /bucket/key?partNumber=1&uploadId=2`.
    asked: Mutex<Vec<String>>,
    /// Each part of a multipart upload takes one of these before it is passed on.
    pub parts: Semaphore,
    /// How many requests there were.
    count: AtomicU64,
    /// Of so many requests one meets a connection that breaks and one a server that wants to be asked less; 0 means none.
    storm: u64,
}

impl Proxy {
    /// A proxy before `endpoint`, and its own URL.
    pub async fn start(endpoint: &str, storm: u64) -> (Arc<Self>, String) {
        let server = endpoint.strip_prefix("http://").expect("an S3 server of tests speaks plain HTTP").to_owned();
        let proxy = Arc::new(Self {
            server,
            asked: Mutex::default(),
            parts: Semaphore::new(0),
            count: AtomicU64::new(0),
            storm,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepting = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let proxy = Arc::clone(&accepting);
                // Whoever asks may be killed meanwhile.
                tokio::spawn(async move { drop(proxy.pass(stream).await) });
            }
        });
        (proxy, url)
    }

    /// What was passed on, as far as it contains `text`.
    pub fn asked(&self, text: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    async fn pass(&self, stream: TcpStream) -> std::io::Result<()> {
        let (from, mut to) = stream.into_split();
        let (mut answers, mut server) = TcpStream::connect(&self.server).await?.into_split();
        let mut from = BufReader::new(from);
        let answering = tokio::spawn(async move {
            copy(&mut answers, &mut to).await?;
            Ok::<_, std::io::Error>(to)
        });
        loop {
            let (mut head, mut length) = (Vec::new(), 0_u64);
            while from.read_until(b'\n', &mut head).await? > 0 && !head.ends_with(b"\r\n\r\n") {}
            if head.is_empty() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            for line in text.lines().skip(1) {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
            }
            let line = text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
            if line.contains("partNumber=") {
                self.parts.acquire().await.expect("never closed").forget();
            }
            match self.count.fetch_add(1, Ordering::SeqCst) % self.storm.max(2) {
                // The connection breaks.
                1 if self.storm > 0 => return Ok(()),
                // The next one, and every other request until then, is passed on.
                0 if self.storm > 0 && line.starts_with("PUT") => {
                    copy(&mut (&mut from).take(length), &mut sink()).await?;
                    drop(server);
                    let mut to = answering.await.map_err(std::io::Error::other)??;
                    let text =
                        "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>";
                    let answer = format!(
                        "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
                         Connection: close\r\n\r\n{text}",
                        text.len()
                    );
                    return to.write_all(answer.as_bytes()).await;
                }
                _ => {}
            }
            server.write_all(&head).await?;
            if copy(&mut (&mut from).take(length), &mut server).await? < length {
                // Whoever asked is dead.
                return Ok(());
            }
            self.asked.lock().unwrap().push(line);
        }
    }
}

/// The URL of a server that takes everything and never answers.
pub async fn black_hole() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    url
}
