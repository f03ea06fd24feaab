//! The upload door: what all its endpoints have in common. Follows the Upload API reference of 2022-04-20 with the later
//! catalogue of errors.

mod base;
mod fields;
mod form;
mod from_url;
mod group;
mod info;
mod multipart;
mod part;
mod refuse;
mod social;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, any};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use stowage_model::{Cause, Project, Refusal, StoreFlag};
use tracing::warn;

use crate::errors::{self, Form};
use crate::token::{self, Token};
use crate::{State, access, origin, signature, unknown};
use fields::Fields;

pub(crate) use base::Ids;
pub(crate) use from_url::{Begun, Status, Success};
pub(crate) use multipart::Started;
pub use part::PartUrls;
pub(crate) use refuse::{Outside, is_upload};

/// The endpoints of this door: the path, the methods that are served there, and what answers.
fn endpoints() -> [(&'static str, &'static str, MethodRouter<State>); 11] {
    [
        ("/base/", base::ENDPOINT.serves, any(base::handle)),
        ("/info/", info::ENDPOINT.serves, any(info::handle)),
        ("/multipart/start/", multipart::ENDPOINT.serves, any(multipart::start)),
        ("/multipart/complete/", multipart::ENDPOINT.serves, any(multipart::complete)),
        (part::ROUTE, part::METHODS, any(part::handle)),
        ("/from_url/", from_url::START.serves, any(from_url::start)),
        ("/from_url/status/", from_url::STATUS.serves, any(from_url::status)),
        ("/group/", group::CREATE.serves, any(group::create)),
        ("/group/info/", group::INFO.serves, any(group::info)),
        ("/window3/{source}", "GET", any(social::handle)),
        ("/window4/{source}", "GET", any(social::handle)),
    ]
}

/// The routes of this door.
pub(crate) fn routes() -> Router<State> {
    endpoints().into_iter().fold(Router::new(), |router, (path, _, answer)| router.route(path, answer))
}

/// Every path of this door with every method that is served there.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    endpoints().into_iter().flat_map(|(path, methods, _)| methods.split(", ").map(move |method| (path, method)))
}

/// What is particular to an endpoint.
struct Endpoint {
    /// Its methods, as `Access-Control-Allow-Methods` lists them.
    methods: &'static str,
    /// Its methods that are served, as `Allow` lists them.
    serves: &'static str,
    /// What it calls the public key; its refusals use this name, while either name is understood.
    key: &'static str,
    /// Whether it takes files; where not, those of a form are passed over.
    takes_files: bool,
}

/// The two names of the public key.
const KEY_NAMES: [&str; 2] = ["UPLOADCARE_PUB_KEY", "pub_key"];

/// Checks that a project takes another file: its state and its limits.
pub(crate) async fn has_room(state: &State, project: &Project) -> Result<(), Refusal> {
    if let Some(refusal) = Refusal::of_project_state(project) {
        return Err(refusal);
    }
    let settings = &project.settings;
    if settings.max_files > 0 || settings.max_storage > 0 {
        let usage = state.records.usage(project.id).await.map_err(errors::of_records)?;
        let used_up = |used: u64, limit: u64| limit > 0 && used >= limit;
        if used_up(usage.files, settings.max_files) || used_up(usage.bytes, settings.max_storage) {
            return Err(Refusal::AccountLimitsExceeded);
        }
    }
    Ok(())
}

/// A request to an endpoint of this door, with what is known of it so far.
struct Call<'s> {
    state: &'s State,
    endpoint: &'static Endpoint,
    parts: Parts,
    query: Fields,
    /// The fields of the body; empty until it has been read.
    fields: Fields,
    /// The access token that the request came with, once it has been verified.
    token: Option<Token>,
}

impl<'s> Call<'s> {
    /// Looks at the method and at the limit of the address. Everything but a call of the endpoint is answered here.
    async fn open(
        state: &'s State,
        endpoint: &'static Endpoint,
        request: Request<Body>,
    ) -> Result<(Self, Body), Box<Response<Body>>> {
        let (parts, body) = request.into_parts();
        let query = Fields::of_query(parts.uri.query().unwrap_or_default());
        let call = Self { state, endpoint, parts, query, fields: Fields::default(), token: None };
        if call.parts.method == Method::OPTIONS {
            return Err(Box::new(call.with_headers(Response::new(Body::empty()))));
        }
        if !call.endpoint.serves.split(", ").any(|method| method == call.parts.method.as_str()) {
            let refusal = Refusal::MethodNotAllowed {
                method: call.parts.method.to_string(),
                path: call.parts.uri.path().to_owned(),
            };
            let mut response = call.answer(Err(refusal));
            errors::set(&mut response, header::ALLOW, call.endpoint.serves);
            Box::pin(call.pass_over(body)).await;
            return Err(Box::new(response));
        }
        if let Some(address) = origin::client_address(state, &call.parts)
            && let Err(refusal) = state.throttle.check_address(address, state.clock.now())
        {
            let response = call.answer(Err(refusal));
            Box::pin(call.pass_over(body)).await;
            return Err(Box::new(response));
        }
        Ok((call, body))
    }

    /// A parameter, from the body or else from the query; an empty one counts as missing.
    fn parameter(&self, name: &str) -> Option<&str> {
        // One that is no UTF-8 was given, but is no text that anybody could mean.
        let given = [&self.fields, &self.query].into_iter().find_map(|fields| fields.given(name));
        given.map(|value| str::from_utf8(value).unwrap_or("\u{fffd}"))
    }

    /// Refuses NUL characters, which no field may have in its name or value.
    fn check_characters(&self) -> Result<(), Refusal> {
        if self.fields.have_nul() || self.query.have_nul() { Err(Refusal::NullCharactersForbidden) } else { Ok(()) }
    }

    /// The project that the public key names, or else the access token. A token is verified whatever the project demands.
    async fn project(&mut self) -> Result<Arc<Project>, Refusal> {
        let other = KEY_NAMES.into_iter().find(|name| *name != self.endpoint.key).unwrap_or_default();
        let key = self.parameter(self.endpoint.key).or_else(|| self.parameter(other)).map(str::to_owned);
        if let Some(key) = &key {
            self.state.throttle.check_key(key, self.state.clock.now())?;
        }
        let named = match &key {
            Some(key) => unknown::project_by_key(self.state, key).await.map_err(errors::of_records)?,
            None => None,
        };
        if let Some(value) = self.parts.headers.get(header::AUTHORIZATION) {
            let jwt = token::read_header(value)?.to_owned();
            if self.parameter("signature").or_else(|| self.parameter("expire")).is_some() {
                let text = "Do not use `signature` or `expire` together with a Bearer token.".to_owned();
                return Err(Refusal::AccessTokenInvalid { status: 403, text });
            }
            let project = self.project_of_token(&jwt, named).await?;
            access::about(&project.public_key);
            return Ok(project);
        }
        key.ok_or(Refusal::ProjectPublicKeyRequired(self.endpoint.key))?;
        let project = named.ok_or(Refusal::ProjectPublicKeyInvalid(self.endpoint.key))?;
        access::about(&project.public_key);
        Ok(project)
    }

    /// Verifies a token with the secrets of the project that the public key names; where it names none, the project is the
    /// one whose secret verifies the token.
    async fn project_of_token(&mut self, jwt: &str, named: Option<Arc<Project>>) -> Result<Arc<Project>, Refusal> {
        let path = self.parts.uri.path();
        let now = self.state.clock.now();
        let candidates = match named {
            Some(project) => vec![project],
            None => self.state.records.all_projects().await.map_err(errors::of_records)?,
        };
        let mut refusal = token::TokenFault::Signature.into();
        for project in candidates {
            match token::verify(jwt, &project.secret_keys, now, path) {
                Ok(token) => {
                    // What one project's token has used up is no matter of another's.
                    self.token = Some(Token { key: format!("{}:{}", project.id.0, token.key), ..token });
                    return Ok(project);
                }
                Err(token::TokenFault::Signature) => {}
                Err(fault) => {
                    refusal = fault.into();
                    break;
                }
            }
        }
        Err(refusal)
    }

    /// Checks that the project takes uploads, and this one in particular: its state, its limits, then token or signature.
    async fn may_upload(&self, project: &Project) -> Result<(), Refusal> {
        has_room(self.state, project).await?;
        if let Some(token) = &self.token {
            let Some(limit) = token.operations else { return Ok(()) };
            let used = self.state.records.token_uses(&token.key).await.map_err(errors::of_records)?;
            return if used >= limit { Err(Refusal::OperationsLimitExceeded) } else { Ok(()) };
        }
        if !project.settings.signed_uploads {
            return Ok(());
        }
        signature::check(project, self.parameter("signature"), self.parameter("expire"), self.state.clock.now())
    }

    /// Does what counts as an operation of the access token, to its end even if the client goes away. A refused operation
    /// does not count; one of which nobody knows how it ended does.
    async fn counted<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (records, token) = (self.state.records.clone(), self.token.clone());
        let work = Box::pin(work);
        let counted = async move {
            let Some(Token { key, operations: Some(limit), expires }) = token else { return work.await };
            if !records.spend_token(&key, limit, expires).await.map_err(errors::of_records)? {
                return Err(Refusal::OperationsLimitExceeded);
            }
            let outcome = work.await;
            if outcome.as_ref().is_err_and(|refusal| *refusal != Refusal::UploadApi)
                && let Err(error) = records.refund_token(&key).await
            {
                warn!(%error, "a refused operation of a token stays counted");
            }
            outcome
        };
        access::finish(counted).await.unwrap_or(Err(Refusal::UploadApi))
    }

    /// Whether the file will be stored, as the request and the project say.
    fn stores(&self, project: &Project, name: &str) -> Result<Option<StoreFlag>, Refusal> {
        let flag: Option<StoreFlag> = self.parameter(name).and_then(|text| text.parse().ok());
        let settings = &project.settings;
        if flag == Some(StoreFlag::Yes) && !settings.autostore && settings.strict_autostore {
            return Err(Refusal::AutostoreDisabled);
        }
        Ok(flag)
    }

    /// Who makes happen what this request makes happen.
    fn cause(&self) -> Cause {
        access::cause(self.state, &self.parts)
    }

    /// Where its uploader says that the file came from.
    fn source(&self) -> Option<String> {
        self.parameter("source").map(|text| text.chars().take(64).collect())
    }

    /// How refusals are to be told: `jsonerrors` in the query or the body, or an `Accept` that names JSON.
    fn form(&self) -> Form {
        let asked = self.parameter("jsonerrors").is_some();
        if asked || accepts_json(&self.parts.headers) { Form::Json } else { Form::Text }
    }

    fn answer(&self, outcome: Result<Response<Body>, Refusal>) -> Response<Body> {
        self.with_headers(outcome.unwrap_or_else(|refusal| errors::upload(&refusal, self.form())))
    }

    fn with_headers(&self, response: Response<Body>) -> Response<Body> {
        with_headers(response, self.endpoint.methods)
    }
}

/// What every answer of an endpoint with these methods has.
fn with_headers(mut response: Response<Body>, methods: &'static str) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "DNT, X-PINGOTHER, X-UC-User-Agent, Content-Type, Authorization"),
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Warning, Retry-After"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        (header::VARY, "Origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether `Accept` names JSON.
fn accepts_json(headers: &HeaderMap) -> bool {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|accept| {
            accept.split(',').any(|item| {
                let mut pieces = item.split(';').map(str::trim);
                let unwanted = |piece: &str| matches!(piece, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
                pieces.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json")) && !pieces.any(unwanted)
            })
        })
    };
    headers.get_all(header::ACCEPT).iter().any(named)
}
