//! The way of a request to its endpoint, and of the answer back: method, limits, version, who asks, body; then the headers
//! that every answer has.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use stowage_model::{Project, RestRefusal, RestVersion};

use super::call::{Call, Note, Outcome};
use super::version::{self, media_type};
use super::{Endpoint, On};
use crate::auth::Credentials;
use crate::body::{self, PATIENCE};
use crate::{State, access, errors, origin, unknown};

/// The longest body, in bytes; a hundred times what a request has to say.
const MOST: u64 = 1 << 20;

/// The key of the project that is everybody's.
const DEMO: &str = "demopublickey";

/// An endpoint with what its answers say about it.
pub(super) struct Served {
    endpoint: &'static Endpoint,
    /// `Allow` by version, in their order.
    allow: [HeaderValue; 3],
    /// `Allow` for requests of no version.
    allow_all: HeaderValue,
}

impl Served {
    pub(super) fn new(endpoint: &'static Endpoint) -> Self {
        let versions = [RestVersion::V05, RestVersion::V06, RestVersion::V07];
        Self { endpoint, allow: versions.map(|version| endpoint.allow(Some(version))), allow_all: endpoint.allow(None) }
    }

    fn allow(&self, version: Option<RestVersion>) -> HeaderValue {
        version.map_or(&self.allow_all, |version| &self.allow[version as usize]).clone()
    }
}

/// Answers a request to an endpoint.
pub(super) async fn serve(state: &State, served: &Served, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let version = version::asked(&parts.headers, &state.rest);
    if parts.method == Method::OPTIONS {
        return preflight(served);
    }
    let mut demo = false;
    let outcome = match enter(state, served.endpoint, version, &parts).await {
        Ok(entry) => {
            demo = entry.project.public_key.as_str() == DEMO;
            attend(state, &parts, entry, body).await
        }
        Err(refusal) => {
            // Boxed: hardly anybody sends a body that is not wanted.
            let mut body = body.into_data_stream();
            Box::pin(body::pass_over(&parts.headers, &mut body, MOST, PATIENCE)).await;
            Err(refusal)
        }
    };
    let mut response = outcome.unwrap_or_else(|refusal| refuse(&refusal, version));
    response.headers_mut().insert(header::ALLOW, served.allow(version));
    warn(&mut response, demo);
    with_headers(response)
}

/// Answers a request to a path of this door that is none.
pub(crate) fn nothing(state: &State, request: &Request<Body>) -> Response<Body> {
    let version = version::asked(request.headers(), &state.rest);
    with_headers(refuse(&RestRefusal::NotFound, version))
}

/// A request that may be answered, but for its body.
struct Entry {
    on: &'static On,
    version: RestVersion,
    credentials: Credentials,
    project: Arc<Project>,
}

/// Checks whatever can be checked before the body is there, in the documented order.
async fn enter(
    state: &State,
    endpoint: &'static Endpoint,
    version: Option<RestVersion>,
    parts: &Parts,
) -> Result<Entry, RestRefusal> {
    let on = endpoint.on(parts.method.as_str(), version);
    if let Err(false) = on {
        return Err(RestRefusal::MethodNotAllowed(parts.method.to_string()));
    }
    let now = state.clock.now();
    if let Some(address) = origin::client_address(state, parts) {
        state.throttle.check_address(address, now)?;
    }
    let credentials = Credentials::read(&parts.headers);
    if let Some(credentials) = &credentials {
        state.throttle.check_key(&credentials.key, now)?;
    }
    let (Some(version), Ok(on)) = (version, on) else { return Err(RestRefusal::AcceptIncorrect) };
    let credentials = credentials.ok_or(RestRefusal::CredentialsIncorrect)?;
    let project = unknown::project_by_key(state, &credentials.key).await.map_err(errors::rest_of_records)?;
    let project = project.ok_or_else(|| credentials.unknown())?;
    credentials.check_head(&project, &parts.headers, now)?;
    access::about(&project.public_key);
    if credentials.are_simple() && state.auth.forbid_simple_over_http && !origin::is_https(state, parts) {
        return Err(RestRefusal::SimpleOverHttp);
    }
    Ok(Entry { on, version, credentials, project })
}

/// Reads the body, checks what was signed, and lets the endpoint answer.
async fn attend(state: &State, parts: &Parts, entry: Entry, body: Body) -> Outcome {
    let Entry { on, version, credentials, project } = entry;
    let body = if body.is_end_stream() { Bytes::new() } else { Box::pin(read(state, &parts.headers, body)).await? };
    credentials.check_body(&project, parts, &body, &state.auth, version)?;
    let call = Call::new(state, parts, version, project, body);
    (on.answer)(&call).await
}

/// The whole body, if it is not too long.
async fn read(state: &State, headers: &HeaderMap, body: Body) -> Result<Bytes, RestRefusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let mut body = body.into_data_stream();
    if declared.and_then(|text| text.parse().ok()).is_some_and(|declared: u64| declared > MOST) {
        body::pass_over(headers, &mut body, MOST, PATIENCE).await;
        return Err(RestRefusal::BodyTooLarge);
    }
    let gathered = tokio::time::timeout(state.request_timeout, gather(&mut body)).await;
    let outcome = gathered.unwrap_or(Err(RestRefusal::BodyBroken));
    if outcome == Err(RestRefusal::BodyTooLarge) {
        body::drain(&mut body, MOST, PATIENCE).await;
    }
    outcome
}

async fn gather(body: &mut BodyDataStream) -> Result<Bytes, RestRefusal> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| RestRefusal::BodyBroken)?;
        if (whole.len() + chunk.len()) as u64 > MOST {
            return Err(RestRefusal::BodyTooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn refuse(refusal: &RestRefusal, version: Option<RestVersion>) -> Response<Body> {
    let version = version.filter(|_| *refusal != RestRefusal::AcceptIncorrect);
    errors::rest(refusal, version.map_or("application/json", media_type))
}

/// The media type of what a request is answered.
pub(crate) fn media_type_for(state: &State, headers: &HeaderMap) -> &'static str {
    version::asked(headers, &state.rest).map_or("application/json", media_type)
}

/// Gives an answer that was made elsewhere what all answers of this door have; `path` is the one that the router knows.
pub(crate) fn dress(state: &State, request: &Parts, path: &str, mut response: Response<Body>) -> Response<Body> {
    if let Some(endpoint) = super::at(path) {
        let allow = endpoint.allow(version::asked(&request.headers, &state.rest));
        response.headers_mut().insert(header::ALLOW, allow);
    }
    with_headers(response)
}

/// What browsers ask before they send a request to another origin.
fn preflight(served: &Served) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, served.allow_all.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, served.allow_all.clone());
    let allowed = "Authorization, Accept, Content-Type, X-Uploadcare-Date, X-UC-User-Agent";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    with_headers(response)
}

/// Tells what an answer does not show: that the project is everybody's, or what was left undone.
fn warn(response: &mut Response<Body>, demo: bool) {
    let demo = demo.then_some("You are using the demo project");
    let note = response.extensions().get::<Note>().map(|Note(text)| *text);
    let texts: Vec<&str> = demo.into_iter().chain(note).collect();
    if texts.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&format!("199 Miscellaneous warning: {}", texts.join("; "))) {
        response.headers_mut().insert(header::WARNING, value);
    }
}

fn with_headers(mut response: Response<Body>) -> Response<Body> {
    let succeeded = response.status().is_success();
    let unauthorised = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "Allow, Location, Retry-After, Warning, X-Uploadcare-Request-Id";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    if succeeded {
        let robots = HeaderValue::from_static("noindex, nofollow, nosnippet, noarchive");
        headers.insert("x-robots-tag", robots);
    }
    if unauthorised {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Uploadcare"));
    }
    response
}
