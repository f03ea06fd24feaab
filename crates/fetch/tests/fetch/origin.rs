//! Servers for tests, written on bare sockets, because what they send must not be checked by anybody; and an `Outbound`
//! whose names are made up.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stowage_fetch::{Answer, FetchError, Options, Outbound, Place, Url, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The name of every [`Origin`]; the only thing that may be reached.
pub(crate) const NAME: &str = "origin.test";
/// An address that anybody may be sent to. No test dials it.
pub(crate) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34));

/// A piece of a body that is larger than what sockets take at once.
pub(crate) static LARGE: &[u8] = &[b'a'; 65536];

/// Generous limits, and nothing allowed but [`NAME`].
pub(crate) fn options() -> Options {
    Options {
        allow: places(&[NAME]),
        deny_hosts: Vec::new(),
        redirects: 5,
        connect_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(30),
        total_timeout: Duration::from_secs(60),
        decoded_size: 1 << 30,
    }
}

pub(crate) fn places(texts: &[&str]) -> Vec<Place> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Knows the names of the tests and none else.
pub(crate) fn lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses: &[&str] = match name {
        NAME | "loop.test" => &["127.0.0.1"],
        "public.test" => &["93.184.216.34"],
        "private.test" => &["10.0.0.1"],
        "six.test" => &["fd00::1"],
        "mapped.test" => &["::ffff:127.0.0.1"],
        "mixed.test" => &["93.184.216.34", "2606:2800:220:1::1", "127.0.0.1"],
        "empty.test" => &[],
        _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

pub(crate) fn outbound(options: &Options) -> Outbound {
    testing::outbound(options, lookup, Vec::new()).unwrap()
}

/// Fetches a URL and all of its body with the default options.
pub(crate) async fn fetch(url: &Url) -> Result<(Answer, Vec<u8>), FetchError> {
    fetch_with(&options(), url).await
}

pub(crate) async fn fetch_with(options: &Options, url: &Url) -> Result<(Answer, Vec<u8>), FetchError> {
    let mut answer = outbound(options).get(url).await?;
    let mut body = Vec::new();
    while let Some(bytes) = answer.chunk().await? {
        assert!(!bytes.is_empty(), "an empty piece says nothing");
        body.extend_from_slice(&bytes);
    }
    Ok((answer, body))
}

pub(crate) async fn failure(url: &Url) -> FetchError {
    failure_with(&options(), url).await
}

pub(crate) async fn failure_with(options: &Options, url: &Url) -> FetchError {
    match fetch_with(options, url).await {
        Ok((answer, body)) => panic!("{answer:?} with {} bytes", body.len()),
        Err(error) => error,
    }
}

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A server on this machine; gone when dropped.
pub(crate) struct Origin {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Origin {
    /// Hands each connection to `serve`, together with the head of its request, as soon as that is complete.
    pub(crate) async fn serve<F, S>(serve: F) -> Self
    where
        F: Fn(String, TcpStream) -> S + Send + Sync + 'static,
        S: Future<Output = io::Result<()>> + Send + 'static,
    {
        let serve = Arc::new(serve);
        Self::accept(move |mut stream| {
            let serve = Arc::clone(&serve);
            Box::pin(async move {
                let head = read_head(&mut stream).await?;
                serve(head, stream).await
            })
        })
        .await
    }

    /// Answers every request with these bytes and the end of the connection.
    pub(crate) async fn sends(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Arc::new(bytes.into());
        Self::serve(move |_, stream| {
            let bytes = Arc::clone(&bytes);
            async move { finish(stream, &bytes).await }
        })
        .await
    }

    /// Takes connections on all addresses of the machine, and does nothing but count them.
    pub(crate) async fn counts() -> Self {
        Self::accept(|_| Box::pin(async { Ok(()) })).await
    }

    /// Hands each connection to `serve` at once.
    pub(crate) async fn accept(serve: impl Fn(TcpStream) -> Serving + Send + 'static) -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        Self::on(listener, serve)
    }

    /// Hands each connection of a listener to `serve` at once.
    pub(crate) fn on(listener: TcpListener, serve: impl Fn(TcpStream) -> Serving + Send + 'static) -> Self {
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                // That a client turns away is for the client's test to judge.
                tokio::spawn(serve(stream));
            }
        });
        Self { port, connections, task }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{NAME}:{}{path}", self.port).parse().unwrap()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Sends, then closes; what the client still says is read, so that the close is not taken for a reset.
pub(crate) async fn finish(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Sends the piece again and again until the client goes away.
pub(crate) async fn endless(mut stream: TcpStream, head: &[u8], piece: &[u8], pause: Duration) -> io::Result<()> {
    stream.write_all(head).await?;
    loop {
        stream.write_all(piece).await?;
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(pause).await;
        }
    }
}

/// The target of a request, read off its head.
pub(crate) fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}
