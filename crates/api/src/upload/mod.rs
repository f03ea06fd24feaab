//! The upload door: what all its endpoints have in common. Follows the Upload API reference of 2022-04-20 with the later
//! catalogue of errors.

mod base;
mod disposition;
mod fields;
mod form;
mod info;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, header};
use stowage_model::{Project, Refusal};

use crate::errors::{self, Form};
use crate::{State, signature};
use fields::Fields;

/// The endpoints of this door.
pub(crate) fn routes() -> Router<State> {
    Router::new().route("/base/", axum::routing::any(base::handle)).route("/info/", axum::routing::any(info::handle))
}

/// What is particular to an endpoint.
struct Endpoint {
    /// Its methods, as `Access-Control-Allow-Methods` and `Allow` list them.
    methods: &'static str,
    /// What it calls the public key; its refusals use this name, while either name is understood.
    key: &'static str,
}

/// The two names of the public key.
const KEY_NAMES: [&str; 2] = ["UPLOADCARE_PUB_KEY", "pub_key"];

/// A request to an endpoint of this door, with what is known of it so far.
struct Call<'s> {
    state: &'s State,
    endpoint: &'static Endpoint,
    parts: Parts,
    query: Fields,
    /// The fields of the body; empty until it has been read.
    fields: Fields,
}

impl<'s> Call<'s> {
    /// Looks at the method. Everything but a call of the endpoint is answered here: a preflight, a wrong method.
    fn open(
        state: &'s State,
        endpoint: &'static Endpoint,
        request: Request<Body>,
    ) -> Result<(Self, Body), Box<Response<Body>>> {
        let (parts, body) = request.into_parts();
        let query = Fields::of_query(parts.uri.query().unwrap_or_default());
        let call = Self { state, endpoint, parts, query, fields: Fields::default() };
        if call.parts.method == Method::OPTIONS {
            return Err(Box::new(call.with_headers(Response::new(Body::empty()))));
        }
        if !call.endpoint.methods.split(", ").any(|method| method == call.parts.method.as_str()) {
            let refusal = Refusal::MethodNotAllowed {
                method: call.parts.method.to_string(),
                path: call.parts.uri.path().to_owned(),
            };
            let mut response = call.answer(Err(refusal));
            errors::set(&mut response, header::ALLOW, call.endpoint.methods);
            return Err(Box::new(response));
        }
        Ok((call, body))
    }

    /// A parameter, from the body or else from the query; an empty one counts as missing.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.fields.text(name).or_else(|| self.query.text(name)).filter(|value| !value.is_empty())
    }

    /// Refuses NUL characters, which no field may have in its name or value.
    fn check_characters(&self) -> Result<(), Refusal> {
        if self.fields.have_nul() || self.query.have_nul() { Err(Refusal::NullCharactersForbidden) } else { Ok(()) }
    }

    /// The project that the public key names.
    async fn project(&self) -> Result<Arc<Project>, Refusal> {
        let other = KEY_NAMES.into_iter().find(|name| *name != self.endpoint.key).unwrap_or_default();
        let key = self.parameter(self.endpoint.key).or_else(|| self.parameter(other));
        let key = key.ok_or(Refusal::ProjectPublicKeyRequired(self.endpoint.key))?;
        let project = self.state.records.project_by_key(key).await.map_err(errors::of_records)?;
        project.ok_or(Refusal::ProjectPublicKeyInvalid(self.endpoint.key))
    }

    /// Checks that the project takes uploads, and this one in particular: its state, then its signature.
    fn may_upload(&self, project: &Project) -> Result<(), Refusal> {
        if let Some(refusal) = Refusal::of_project_state(project) {
            return Err(refusal);
        }
        if !project.settings.signed_uploads {
            return Ok(());
        }
        signature::check(project, self.parameter("signature"), self.parameter("expire"), self.state.clock.now())
    }

    /// How refusals are to be told: `jsonerrors` in the query or the body, or an `Accept` that names JSON.
    fn form(&self) -> Form {
        let named = |value: &HeaderValue| {
            value.to_str().is_ok_and(|accept| {
                let mut types = accept.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
                types.any(|name| name.eq_ignore_ascii_case("application/json"))
            })
        };
        let asked = self.parameter("jsonerrors").is_some();
        if asked || self.parts.headers.get_all(header::ACCEPT).iter().any(named) { Form::Json } else { Form::Text }
    }

    fn answer(&self, outcome: Result<Response<Body>, Refusal>) -> Response<Body> {
        self.with_headers(outcome.unwrap_or_else(|refusal| errors::upload(&refusal, self.form())))
    }

    fn with_headers(&self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, self.endpoint.methods),
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
}
