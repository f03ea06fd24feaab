//! A proxy in front of an S3 server, which passes on what it gets, or something else. Requests stay as they were signed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: String,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether it is this method, and its target contains this text.
    pub(crate) fn is(&self, method: &str, part_of_target: &str) -> bool {
        self.method == method && self.target.contains(part_of_target)
    }

    /// Whether it writes an object at once.
    pub(crate) fn is_put(&self) -> bool {
        self.method == "PUT" && !self.target.contains("partNumber") && self.header("x-amz-copy-source").is_none()
    }
}

/// What the proxy does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// It passes the request on, and the answer back.
    Pass,
    /// It answers by itself.
    Answer(u16, &'static str, &'static str),
    /// It hangs up instead of answering.
    Reset,
    /// It passes the request on and hangs up.
    Lose,
    /// It passes the answer back in little pieces.
    Slow,
    /// It passes the request on with this header left out. Only servers that verify no signatures take that.
    Without(&'static str),
    /// It passes on one byte of the body that is another.
    Spoil,
    /// It passes one byte of the answer back that is another.
    SpoilAnswer,
}

/// An answer with an error in its body.
pub(crate) fn refusal(status: u16, code: &'static str) -> Deed {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
    Deed::Answer(status, "content-type: application/xml\r\n", body.leak())
}

pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

type Decide = dyn Fn(&Request) -> Deed + Send + Sync;

impl Proxy {
    /// A proxy in front of the server at `endpoint`.
    pub(crate) async fn start(endpoint: &str, decide: impl Fn(&Request) -> Deed + Send + Sync + 'static) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (decide, log): (Arc<Decide>, _) = (Arc::new(decide), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (decide, log, server) = (Arc::clone(&decide), Arc::clone(&log), server.clone());
                tokio::spawn(async move {
                    // A client that hangs up in the middle is its own affair.
                    let _ = serve(stream, &server, &*decide, &log).await;
                });
            }
        });
        Self { endpoint, seen }
    }

    pub(crate) fn count(&self, which: impl Fn(&Request) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|request| which(request)).count()
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, server: &str, decide: &Decide, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut headers) = (String::new(), String::new());
    stream.read_line(&mut first).await?;
    while stream.read_line(&mut headers).await? > 2 {}
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers,
        body: Bytes::new(),
    };
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut body = vec![0; request.header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    request.body = body.into();
    let deed = decide(&request);
    log.lock().unwrap().push(request.clone());
    let mut answer = match &deed {
        Deed::Reset => return Ok(()),
        Deed::Answer(status, headers, body) => {
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
                .into()
        }
        _ => forward(&request, server, &deed).await?,
    };
    match deed {
        Deed::Lose => return Ok(()),
        Deed::SpoilAnswer => *answer.last_mut().unwrap() ^= 1,
        Deed::Slow => {
            for piece in answer.chunks(64) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                sleep(Duration::from_millis(5)).await;
            }
            return Ok(());
        }
        _ => {}
    }
    stream.write_all(&answer).await?;
    stream.flush().await
}

async fn forward(request: &Request, server: &str, deed: &Deed) -> std::io::Result<Vec<u8>> {
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", request.method, request.target);
    for line in request.headers.lines().filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let left_out = matches!(deed, Deed::Without(header) if *header == name);
        if !left_out && !matches!(name.as_str(), "connection" | "expect") {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
    head.push_str("\r\n");
    let mut body = request.body.to_vec();
    if matches!(deed, Deed::Spoil) {
        *body.last_mut().unwrap() ^= 1;
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(head.as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}
