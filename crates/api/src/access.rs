//! What happens to every request before and after its endpoint: one way to write a path, an id, a span, a metric.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body::Body as HttpBody;
use stowage_model::{Cause, Initiator, PublicKey, RequestId};
use tokio::task::JoinHandle;
use tower::{Service, ServiceExt};
use tower_http::timeout::TimeoutBody;
use tracing::{Instrument, debug, debug_span};

use crate::{State, cdn, origin, rest};

/// The header that names a request in answers and logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-uploadcare-request-id");

/// The address at the other end of the connection, put into each request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Follows a request: the doors for tests do. It is kept until everything that the request has begun is over, also what goes on after
/// its answer.
pub trait Watch: Send + Sync {
    /// The project that the request turned out to be about.
    fn project(&self, key: &PublicKey);

    /// Whether an upload of a project from this URL is answered by somebody else than the URL's host, which then need not be there.
    fn is_given(&self, project: &PublicKey, url: &str) -> bool;

    /// Ends when whatever the request has begun is to be broken off.
    fn cut_off(&self) -> BoxFuture<'static, ()>;
}

/// Put into a request by whoever wants to follow it.
#[derive(Clone)]
pub struct Watched(pub Arc<dyn Watch>);

/// The service behind the main listener.
#[derive(Clone)]
pub struct Front {
    router: Router,
    state: State,
}

impl Front {
    pub(crate) fn new(router: Router, state: State) -> Self {
        Self { router, state }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (state, router) = (self.state.clone(), self.router.clone());
        let mut request = request.map(|body| {
            if body.is_end_stream() { Body::empty() } else { Body::new(TimeoutBody::new(state.body_timeout, body)) }
        });
        let id = state.ids.request();
        let current = Current { id, watched: request.extensions_mut().remove() };
        let started = Instant::now();
        let method = request.method().clone();
        let span = debug_span!("request", %id, %method, path = request.uri().path());
        if let Some(uri) = tidy(request.uri()) {
            let sent = std::mem::replace(request.uri_mut(), uri);
            request.extensions_mut().insert(AsSent(sent));
        }
        let answering = async move {
            // Delivery is most of all requests, and needs no router.
            if cdn::is_delivery(request.uri().path()) {
                return cdn::route(axum::extract::State(state), request).await;
            }
            // Boxed: every future is as large as its largest branch, and delivery should not move what it never uses.
            match Box::pin(router.oneshot(request)).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        let counted = self.state.metrics;
        let answered = async move {
            let mut response = REQUEST.scope(current, answering).await;
            let status = response.status();
            set_headers(&mut response, id);
            if counted {
                let method = method_label(&method);
                metrics::counter!("stowage_requests_total", "method" => method, "status" => status.as_str().to_owned())
                    .increment(1);
                metrics::histogram!("stowage_request_seconds", "method" => method)
                    .record(started.elapsed().as_secs_f64());
            }
            debug!(status = status.as_u16(), micros = started.elapsed().as_micros(), "answered");
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

/// The address of a request that was tidied, as it was sent.
#[derive(Clone)]
struct AsSent(Uri);

/// The address of a request as its client sent, and perhaps signed it.
pub(crate) fn as_sent(parts: &Parts) -> &Uri {
    parts.extensions.get::<AsSent>().map_or(&parts.uri, |AsSent(uri)| uri)
}

/// The request that is being answered.
#[derive(Clone)]
struct Current {
    id: RequestId,
    watched: Option<Watched>,
}

tokio::task_local! {
    static REQUEST: Current;
}

/// The id of the request that is being answered, for the log: spans exist at the level `debug` only, because each costs as
/// much as a tenth of a small GET, while an error must always name its request.
pub(crate) fn request_id() -> String {
    REQUEST.try_with(|current| current.id.to_string()).unwrap_or_default()
}

/// Says which project the request that is being answered is about.
pub(crate) fn about(project: &PublicKey) {
    let _ = REQUEST.try_with(|current| {
        if let Some(Watched(watch)) = &current.watched {
            watch.project(project);
        }
    });
}

/// Whether what is asked for is answered by somebody else than the URL's host.
pub(crate) fn is_given(project: &PublicKey, url: &str) -> bool {
    let given = |current: &Current| current.watched.as_ref().is_some_and(|Watched(watch)| watch.is_given(project, url));
    REQUEST.try_with(given).unwrap_or_default()
}

/// Who makes happen what a request makes happen: for webhooks.
pub(crate) fn cause(state: &State, parts: &Parts) -> Cause {
    let request_id = REQUEST.try_with(|current| current.id.0).unwrap_or_default();
    Cause { initiator: Initiator::Api { request_id }, urls: origin::public_urls(state, parts) }
}

/// Runs work in a task of its own, which goes on when the client goes away, under the id of the request that is being
/// answered. None if the work crashed.
pub(crate) async fn finish<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    spawn(work).await.ok().flatten()
}

/// The same for work that may go on after the answer; none where it was broken off.
pub(crate) fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<Option<T>> {
    let current = REQUEST.try_with(Clone::clone).ok();
    let cut_off = current.as_ref().and_then(|current| Some(current.watched.as_ref()?.0.cut_off()));
    let work = async move {
        match cut_off {
            None => Some(work.await),
            Some(cut_off) => tokio::select! {
                biased;
                done = work => Some(done),
                () = cut_off => None,
            },
        }
    };
    match current {
        Some(current) => tokio::spawn(REQUEST.scope(current, work)),
        None => tokio::spawn(work),
    }
}

/// What every answer has.
pub(crate) fn set_headers(response: &mut Response<Body>, id: RequestId) {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id_value(id));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn id_value(id: RequestId) -> HeaderValue {
    let mut buffer = [0; 36];
    let text = id.0.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Methods are free text on the wire, and nobody may grow our metrics at will.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The endpoints of the Upload API, which are served with and without the slash at the end.
const ENDPOINTS: [&str; 8] = [
    "/base",
    "/info",
    "/multipart/start",
    "/multipart/complete",
    "/from_url",
    "/from_url/status",
    "/group",
    "/group/info",
];

/// Whether a path without a slash at its end is that of an endpoint that has one.
fn lacks_slash(path: &str) -> bool {
    !path.ends_with('/') && (ENDPOINTS.contains(&path) || rest::is_rest(path))
}

/// The path as the router knows it, where it is written otherwise: runs of slashes become one, as clients send them, and
/// an endpoint without its slash gets it, because a redirect would lose the body of a POST.
pub(crate) fn tidy(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let doubled = path.contains("//");
    if !doubled && !lacks_slash(path) {
        return None;
    }
    let mut tidied = String::with_capacity(path.len() + 1);
    for c in path.chars() {
        if c != '/' || !tidied.ends_with('/') {
            tidied.push(c);
        }
    }
    if lacks_slash(&tidied) {
        tidied.push('/');
    }
    if let Some(query) = uri.query() {
        tidied.push('?');
        tidied.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(tidied.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied() {
        let tidied = |text: &str| tidy(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(tidied("/base/"), None);
        assert_eq!(tidied("/base?a=//b").as_deref(), Some("/base/?a=//b"));
        assert_eq!(tidied("//base//").as_deref(), Some("/base/"));
        assert_eq!(tidied("/info").as_deref(), Some("/info/"));
        assert_eq!(tidied("/x//y.txt").as_deref(), Some("/x/y.txt"));
        assert_eq!(tidied("http://h:1//base").as_deref(), Some("http://h:1/base/"));
        assert_eq!(tidied("/files/"), None);
        assert_eq!(tidied("/files?limit=1").as_deref(), Some("/files/?limit=1"));
        assert_eq!(tidied("/files/x//metadata/-:45az_").as_deref(), Some("/files/x/metadata/-:45az_/"));
        assert_eq!(tidied("/filesystem"), None);
    }
}
