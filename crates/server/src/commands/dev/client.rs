//! A small HTTP client for the doors of a server nearby: one request a connection, no TLS, no redirects.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// The header that names a session.
const SESSION: &str = "x-stowage-session";

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address like http://127.0.0.1:8080");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_root = matches!(uri.path().trim_end_matches('/'), "" | "/_dev") && uri.query().is_none();
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) if is_root => {
                Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) })
            }
            (Some("https"), _) => Err(format!("`{text}`: the doors for tests are asked over http only")),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Asks the doors of one server, for one session.
pub(super) struct Client {
    pub(super) server: Server,
    pub(super) session: Option<String>,
}

/// An answer that is none of a refusal.
pub(super) struct Answer(Body);

/// How doors refuse.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Client {
    /// Sends a request with a body of this type, if it has one; a refusal is an error with the server's own sentence.
    pub(super) async fn send(&self, method: Method, path: &str, kind: &str, body: Body) -> anyhow::Result<Answer> {
        let Server { host, port } = &self.server;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, *port)).await.with_context(|| {
            format!("nobody answers at {}; --server or STOWAGE_DEV_SERVER names another server", self.server)
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, self.server.to_string());
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).context("--session cannot be sent")?;
        let response =
            sender.send_request(request).await.with_context(|| format!("{} gives no answer", self.server))?;
        let (head, body) = response.into_parts();
        let answer = Answer(Body::new(body));
        if head.status.is_success() {
            return Ok(answer);
        }
        let text = answer.whole().await?;
        match serde_json::from_str(&text) {
            Ok(Refused { error }) => bail!("{error}"),
            // Without them this path is one of delivery, like any other.
            Err(_) if matches!(head.status.as_u16(), 404 | 405) => {
                bail!("the server at {} has no doors for tests: start it with `stowage serve --dev`", self.server)
            }
            Err(_) => bail!("{} answers {}: {text}", self.server, head.status),
        }
    }
}

impl Answer {
    /// All of it as text.
    pub(super) async fn whole(self) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        self.copy(&mut bytes).await.context("the answer broke off")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes it somewhere, piece by piece.
    pub(super) async fn copy(self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let mut pieces = self.0.into_data_stream();
        while let Some(piece) = pieces.next().await {
            to.write_all(&piece.map_err(std::io::Error::other)?).await?;
        }
        to.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_without_a_path() {
        let read = |text: &str| text.parse::<Server>().map(|server| server.to_string());
        for (text, server) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost", "localhost:80"),
            ("http://[::1]:9/", "[::1]:9"),
            ("http://a:1/_dev/", "a:1"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(server));
        }
        for text in ["", "a:1", "https://a:1", "http://a:1/files/", "http://a/?b", "ftp://a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
