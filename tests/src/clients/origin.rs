//! A web server that the server under test fetches files from, and that its webhooks tell what has happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Serves each page under its path; below `/unsized` without telling its length. Below `/slow` the second half of it comes
/// only after somebody has asked for `/release`, and below `/never` it does not come at all.
pub struct Origin {
    pub base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What somebody asked for.
#[derive(Clone)]
pub struct Asked {
    pub path: String,
    /// By their names in small letters.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

struct Shared {
    pages: HashMap<&'static str, (&'static str, Vec<u8>)>,
    asked: Mutex<Vec<Asked>>,
    released: watch::Sender<bool>,
}

impl Origin {
    /// Pages are path, type and content.
    pub async fn serve(pages: &[(&'static str, &'static str, &[u8])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            pages: pages.iter().map(|(path, kind, content)| (*path, (*kind, content.to_vec()))).collect(),
            asked: Mutex::default(),
            released: watch::Sender::new(false),
        });
        let for_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&for_task);
                // Who asked may have gone away.
                tokio::spawn(async move { drop(shared.answer(stream).await) });
            }
        });
        Self { base, shared, task }
    }

    /// How often a path was asked for.
    pub fn times(&self, path: &str) -> usize {
        self.asked(path).len()
    }

    /// Every request for a path, as they came in.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        self.asked.lock().unwrap().push(Asked { path: path.clone(), headers, body });
        if path == "/release" {
            self.released.send_replace(true);
        }
        let under = |folder: &str| path.strip_prefix(folder);
        let (slow, never, without_length) = (under("/slow"), under("/never"), under("/unsized"));
        let page = self.pages.get(slow.or(never).or(without_length).unwrap_or(&path));
        let status = if page.is_some() || path == "/release" { "200 OK" } else { "404 Not Found" };
        let (kind, content) = page.map_or(("text/plain", &[][..]), |(kind, content)| (*kind, content.as_slice()));
        let length =
            if without_length.is_some() { String::new() } else { format!("Content-Length: {}\r\n", content.len()) };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{length}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let (first, second) = content.split_at(content.len() / 2);
        stream.write_all(first).await?;
        stream.flush().await?;
        if slow.is_some() {
            let _ = self.released.subscribe().wait_for(|released| *released).await;
        } else if never.is_some() {
            // Until the other side gives up.
            stream.read_line(&mut line).await?;
            return Ok(());
        }
        stream.write_all(second).await?;
        stream.shutdown().await
    }
}
