//! Requests to this door that are answered by somebody else: in the words of this door, and with the headers of its answers.

use axum::body::Body;
use http::Response;
use http::request::Parts;
use stowage_model::{FileId, PublicKey};

use super::fields::Fields;
use super::from_url::Status;
use super::{Endpoint, KEY_NAMES, accepts_json, base, from_url, group, info, multipart, part, with_headers};
use crate::State;
use crate::catalogue::{self, Asked};
use crate::errors::{self, Form};
use crate::token::{self, TokenFault};

/// How the path of a part begins.
const PARTS: &str = "/multipart/upload/";

/// A request to this door, seen from outside.
pub(crate) struct Outside<'r> {
    pub(crate) state: &'r State,
    pub(crate) request: &'r Parts,
    /// The path as the router knows it.
    pub(crate) path: &'r str,
    /// The text fields of the body, as far as anybody knows them.
    pub(crate) form: &'r [(String, String)],
}

/// Whether a path is that of an endpoint of this door.
pub(crate) fn is_upload(path: &str) -> bool {
    let is_social = ["/window3/", "/window4/"].iter().any(|start| path.starts_with(start));
    is_part(path) || is_social || endpoint(path).is_some()
}

fn is_part(path: &str) -> bool {
    path.strip_prefix(PARTS).is_some_and(|id| !id.trim_end_matches('/').contains('/'))
}

fn endpoint(path: &str) -> Option<&'static Endpoint> {
    Some(match path {
        "/base/" => &base::ENDPOINT,
        "/info/" => &info::ENDPOINT,
        "/multipart/start/" | "/multipart/complete/" => &multipart::ENDPOINT,
        "/from_url/" => &from_url::START,
        "/from_url/status/" => &from_url::STATUS,
        "/group/" => &group::CREATE,
        "/group/info/" => &group::INFO,
        _ => return None,
    })
}

impl Outside<'_> {
    /// A refusal by its code; none if there is no such code.
    pub(crate) fn refuse(&self, code: &str, text: Option<&str>, retry_after: Option<u64>) -> Option<Response<Body>> {
        let key = endpoint(self.path).map_or(KEY_NAMES[0], |endpoint| endpoint.key);
        let asked = Asked { method: self.request.method.as_str(), path: self.path, key };
        let (code, said) = catalogue::upload(code, &asked)?;
        let said = said.with(text, retry_after);
        if self.path == "/from_url/status/" && code.starts_with("DownloadFile") {
            // There the failures of fetching are data.
            return Some(errors::json(&Status::Error { error: said.text, error_code: code.to_owned() }));
        }
        let asks = self.parameter("jsonerrors").is_some() || accepts_json(&self.request.headers);
        let form = if asks && !is_part(self.path) { Form::Json } else { Form::Text };
        Some(errors::upload_said(&said, code, form))
    }

    /// Gives an answer what all answers of the endpoint have.
    pub(crate) fn dress(&self, mut response: Response<Body>) -> Response<Body> {
        if is_part(self.path) {
            part::set_headers(&mut response);
            return response;
        }
        match endpoint(self.path) {
            Some(endpoint) => with_headers(response, endpoint.methods),
            None => response,
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let of_body = self.form.iter().find(|(other, value)| other == name && !value.is_empty());
        of_body.map(|(_, value)| value.clone()).or_else(|| {
            let query = Fields::of_query(self.request.uri.query().unwrap_or_default());
            query.given(name).map(|value| String::from_utf8_lossy(value).into_owned())
        })
    }

    /// The public key of the project that is meant: named, or that of the access token; of a part that of its upload.
    pub(crate) async fn project(&self) -> Option<PublicKey> {
        let records = &self.state.records;
        if let Some(rest) = self.path.strip_prefix(PARTS) {
            let id: FileId = rest.trim_end_matches('/').parse().ok()?;
            let upload = records.upload(id).await.ok()??;
            return Some(records.project(upload.project).await.ok()??.public_key.clone());
        }
        if let Some(key) = KEY_NAMES.iter().find_map(|name| self.parameter(name)) {
            return key.parse().ok();
        }
        let jwt = token::read_header(self.request.headers.get(http::header::AUTHORIZATION)?).ok()?;
        let (projects, now) = (records.all_projects().await.ok()?, self.state.clock.now());
        let signed_it = |secrets: &[String]| token::verify(jwt, secrets, now, self.path) != Err(TokenFault::Signature);
        projects.into_iter().find(|project| signed_it(&project.secret_keys)).map(|project| project.public_key.clone())
    }
}
