//! One request and its answer on a connection of its own. Whoever waits for the answer drives the connection: there is
//! no task behind it that could outlive the wish for the answer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header, request, response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use url::{Position, Url};

use crate::dial::Wire;
use crate::error::{FetchError, UrlFault, of_http};

/// The most bytes read at once, and so the largest piece of a body.
const READ_BUFFER: usize = 512 << 10;
/// The most bytes of a response head.
const MAX_HEAD: usize = 64 << 10;
/// How we call ourselves.
const USER_AGENT: &str = concat!("Stowage/", env!("CARGO_PKG_VERSION"));

type Connection = http1::Connection<TokioIo<Box<dyn Wire>>, String>;

/// The body of an answer, and the connection that it comes over.
pub(crate) struct Exchange {
    body: Incoming,
    /// Gone when the body has ended.
    connection: Option<Connection>,
    /// Whether the connection has nothing left to do; it must not be driven then.
    idle: bool,
    /// The length of the body as the head announced it.
    len: Option<u64>,
}

impl Exchange {
    /// Sends a request over a wire that leads to its host, and waits for the head of the answer.
    pub(crate) async fn begin(
        request: Request<String>,
        wire: Box<dyn Wire>,
    ) -> Result<(response::Parts, Self), FetchError> {
        let mut http = http1::Builder::new();
        // Foreign servers err in harmless ways: a header that is none is as if it were not there.
        http.max_buf_size(READ_BUFFER).max_header_size(MAX_HEAD).ignore_invalid_headers_in_responses(true);
        let (mut sender, mut connection) = http.handshake(TokioIo::new(wire)).await.map_err(|error| of_http(&error))?;
        let mut idle = false;
        let response = {
            let mut sending = pin!(sender.send_request(request));
            poll_fn(|cx| match sending.as_mut().poll(cx) {
                Poll::Pending => {
                    drive(&mut connection, &mut idle, cx);
                    sending.as_mut().poll(cx)
                }
                ready @ Poll::Ready(_) => ready,
            })
            .await
            .map_err(|error| of_http(&error))?
        };
        let (head, body) = response.into_parts();
        let len = body.size_hint().exact();
        Ok((head, Self { body, connection: Some(connection), idle, len }))
    }

    /// The announced length of the body, in bytes.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }

    /// The next piece of the body as it was sent; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            match poll_fn(|cx| self.poll_frame(cx)).await {
                Some(Ok(frame)) => {
                    // Anything else is a trailer.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => return Err(of_http(&error)),
                None => return self.end().map(|()| None),
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match (Pin::new(&mut self.body).poll_frame(cx), &mut self.connection) {
            (Poll::Pending, Some(connection)) => {
                drive(connection, &mut self.idle, cx);
                Pin::new(&mut self.body).poll_frame(cx)
            }
            (polled, _) => polled,
        }
    }

    /// Lets the connection go. A server that sends more than it announced has announced something else than this body.
    fn end(&mut self) -> Result<(), FetchError> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let surplus = connection.into_parts().read_buf;
        if self.len.is_some() && !surplus.is_empty() {
            return Err(FetchError::Network("body is longer than announced"));
        }
        Ok(())
    }
}

/// Lets a connection read and write. How it fails is told to those who wait for the head or for the body.
fn drive(connection: &mut Connection, idle: &mut bool, cx: &mut Context<'_>) {
    if !*idle && Pin::new(connection).poll(cx).is_ready() {
        *idle = true;
    }
}

/// The request for what a URL leads to.
pub(crate) fn get(url: &Url) -> Result<Request<String>, FetchError> {
    let request = to(Method::GET, url)
        .header(header::ACCEPT, "*/*")
        // The file as it is: its length is known then, and a `.tar.gz` stays one.
        .header(header::ACCEPT_ENCODING, "identity")
        .body(String::new());
    request.map_err(|_| FetchError::Url(UrlFault::Invalid))
}

/// The request that tells a URL something.
pub(crate) fn post(url: &Url, headers: &HeaderMap, body: String) -> Result<Request<String>, FetchError> {
    let mut request = to(Method::POST, url).body(body).map_err(|_| FetchError::Url(UrlFault::Invalid))?;
    request.headers_mut().extend(headers.clone());
    // So that the server does not keep a connection that serves but once.
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

fn to(method: Method, url: &Url) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(header::USER_AGENT, USER_AGENT)
}
