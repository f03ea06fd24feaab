//! What stands before the APIs: finds the world of a request, and lets it in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::IntoResponse;
use axum::{BoxError, Router};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use stowage_api::{Watch, Watched};
use stowage_jobs::Meddle;
use stowage_model::PublicKey;
use tokio::sync::oneshot;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::{Service, ServiceExt};
use uuid::Uuid;

use crate::gate::Pass;
use crate::holds::Holds;
use crate::journal::Record;
use crate::session::SessionName;
use crate::{Dev, DevError, World, doors};

/// How often a request looks for its session where that is ended at the same moment.
const ATTEMPTS: u32 = 3;
/// Bodies up to so many bytes leave at once, also where the client does not read them.
const SMALL: u64 = 64 << 10;

/// The service behind the main listener, with the doors for tests.
#[derive(Clone)]
pub struct Front {
    dev: Dev,
    doors: Router,
}

impl Front {
    /// The APIs of all worlds, and the doors for tests.
    pub fn new(dev: Dev) -> Self {
        let doors = doors::router(dev.clone());
        Self { dev, doors }
    }
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    /// The connection is cut off.
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (dev, doors) = (self.dev.clone(), self.doors.clone());
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        Box::pin(async move {
            let path = request.uri().path();
            if path == doors::ROOT || path.starts_with(doors::BELOW) {
                return match doors.oneshot(request).await {
                    Ok(answer) => Ok(answer),
                    Err(never) => match never {},
                };
            }
            for _ in 0..ATTEMPTS {
                let world = match world_of(&dev, request.headers(), request.uri().path()).await {
                    Ok(world) => world,
                    Err(refused) => return Ok(refused.into_response()),
                };
                let pass = world.gate.enter().await;
                // A session that was ended meanwhile begins anew.
                if !world.has_ended() {
                    return serve(&world, pass, request).await;
                }
            }
            Err(cut_off())
        })
    }
}

/// The world that a request to the APIs is for.
async fn world_of(dev: &Dev, headers: &HeaderMap, path: &str) -> Result<Arc<World>, DevError> {
    match SessionName::read(headers).map_err(|fault| DevError::bad(fault.to_string()))? {
        Some(name) => dev.world(Some(&name)).await,
        None => Ok(dev.home(path).await),
    }
}

/// Somebody who is in a world, until everything that the request has begun is over.
struct Inside {
    pass: Pass,
    record: Option<Arc<Record>>,
    holds: Arc<Holds>,
}

impl Watch for Inside {
    fn project(&self, key: &PublicKey) {
        if let Some(record) = &self.record {
            record.project(key);
        }
    }

    fn is_given(&self, project: &PublicKey, url: &str) -> bool {
        self.holds.gives(project.as_str(), url)
    }

    fn cut_off(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.pass.cut.clone().cancelled_owned())
    }
}

/// Lets a request into its world.
async fn serve(world: &World, pass: Pass, mut request: Request<Body>) -> Result<Response<Body>, io::Error> {
    // Not before: who waits at the gate while the world is reset belongs to the time after it.
    let record = world.journal.begin(&request, world.parts.clock.now());
    if let Some(record) = &record {
        request = request.map(|body| record.request_body(body));
    }
    let inside = Arc::new(Inside { pass, record, holds: Arc::clone(&world.holds) });
    let watch: Arc<dyn Watch> = Arc::<Inside>::clone(&inside);
    request.extensions_mut().insert(Watched(watch));
    let asks_first = request.method() == Method::OPTIONS;
    let mut answer = tokio::select! {
        biased;
        () = inside.pass.cut.cancelled() => return Err(cut_off()),
        answered = answer(world, request, inside.record.as_deref()) => answered?,
    };
    if asks_first {
        allow_sessions(&mut answer);
    }
    if let Some(record) = &inside.record {
        answer = record.answer(answer);
    }
    Ok(answer.map(|body| {
        let cut = inside.pass.cut.clone();
        let inside = if body.size_hint().upper().is_some_and(|size| size <= SMALL) {
            Stays::Here { _inside: inside }
        } else {
            Stays::Aside { _sending: aside(inside) }
        };
        Body::new(Sending { body, cut: Box::pin(cut.cancelled_owned()), _inside: inside })
    }))
}

/// Stays inside until what is returned is dropped, or until it is cut off: a client that has stopped reading has nobody ask for more of a
/// body, so that the body itself would never learn of it.
fn aside(inside: Arc<Inside>) -> oneshot::Sender<()> {
    let (sending, sent) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = sent => {}
            () = inside.pass.cut.cancelled() => {}
        }
    });
    sending
}

/// Answers a request, or has it meet a fault.
async fn answer(world: &World, request: Request<Body>, record: Option<&Record>) -> Result<Response<Body>, io::Error> {
    if !world.faults.may_meet() {
        return Ok(pass(world, request).await);
    }
    // Boxed: who asks for no faults should not move what they need.
    let met = Box::pin(async move {
        let (request, fault) = world.faults.meet(world, request).await;
        let Some(fault) = fault else { return Ok(pass(world, request).await) };
        if let Some(record) = record {
            record.fault(&fault.mark());
        }
        fault.answer(world, request).await
    });
    met.await
}

/// Passes a request on to the APIs.
pub(crate) async fn pass(world: &World, request: Request<Body>) -> Response<Body> {
    let polled = polled(request.uri());
    let mut hidden = false;
    if let Some(token) = polled {
        world.holds.poll_begins(token, &world.parts.records).await;
        hidden = world.holds.hides_total(token);
    }
    let answer = match world.front.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    if let Some(token) = polled {
        hidden |= world.holds.hides_total(token);
        world.holds.polled(token).await;
    }
    if hidden { crate::holds::total::unknown(answer).await } else { answer }
}

/// The upload from a URL of which a request asks how far it is.
fn polled(uri: &Uri) -> Option<Uuid> {
    if !uri.path().trim_end_matches('/').ends_with("/from_url/status") {
        return None;
    }
    let token = form_urlencoded::parse(uri.query()?.as_bytes()).find(|(name, _)| name == "token")?.1;
    token.parse().ok()
}

/// Allows pages to send the headers that name a session.
fn allow_sessions(answer: &mut Response<Body>) {
    let names = crate::session::HEADERS;
    for name in names {
        append(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, &name);
    }
}

/// Adds a name to a header that lists names, where there is that header.
pub(crate) fn append(answer: &mut Response<Body>, list: HeaderName, name: &HeaderName) {
    let known = answer.headers().get(&list).and_then(|value| value.to_str().ok());
    let longer = known.and_then(|known| HeaderValue::try_from(format!("{known}, {name}")).ok());
    if let Some(longer) = longer {
        answer.headers_mut().insert(list, longer);
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut off by a reset")
}

/// A body on its way out.
struct Sending {
    body: Body,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _inside: Stays,
}

/// How somebody stays inside while a body is sent.
enum Stays {
    Here { _inside: Arc<Inside> },
    Aside { _sending: oneshot::Sender<()> },
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(cut_off()))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
