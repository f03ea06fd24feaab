//! What the document says of the upload door. Paths and methods are those of its table.

mod endpoints;
mod refusals;

use std::collections::BTreeMap;

use stowage_model::Refusal;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder, Responses, SecurityRequirement};

use super::operation::{Answer, find, header, listed, operation_on, text};
use super::{Draft, SIGNATURE_EXPIRES, SIGNED_UPLOAD, TOKEN, UPLOAD_SERVER};
use crate::{errors, upload};

pub(super) use endpoints::SAID;

pub(super) const TAG: &str = "Upload API";

/// What is answered on a path of this door.
pub(super) struct Told {
    answers: &'static [Answer],
    /// Every refusal but those of bodies, with an example of what it is filled in with.
    refusals: fn() -> Vec<Refusal>,
    proof: Proof,
}

impl Told {
    /// The refusals on a method.
    pub(super) fn refusals_on(&self, method: &str) -> Vec<Refusal> {
        let posted = if method == "POST" { refusals::posted() } else { Vec::new() };
        [(self.refusals)(), posted].concat()
    }
}

/// What may prove that a request is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Nothing is asked for.
    None,
    /// An access token may stand in the place of the public key.
    Token,
    /// A project may want a signature or an access token.
    Signature,
}

/// Describes every path and method of the door's table.
pub(super) fn describe(draft: &mut Draft) {
    for (path, method) in upload::served() {
        let (Some(on), Some((said, name))) = (operation_on(method), find(SAID, path, method)) else { continue };
        let responses = responses(&said.answers, method, draft);
        let operation = said.operation(name, TAG, &on, responses, security(said.answers.proof));
        draft.add(path, on, Some(UPLOAD_SERVER), operation);
    }
}

fn security(proof: Proof) -> Vec<SecurityRequirement> {
    let none = SecurityRequirement::default();
    let token = SecurityRequirement::new(TOKEN, None::<String>);
    let signed = SecurityRequirement::new(SIGNED_UPLOAD, None::<String>).add(SIGNATURE_EXPIRES, None::<String>);
    match proof {
        Proof::None => Vec::new(),
        Proof::Token => vec![none, token],
        Proof::Signature => vec![none, signed, token],
    }
}

/// The statuses of which no endpoint has refusals of its own.
const SHARED: [u16; 3] = [413, 429, 500];

/// The answers of an endpoint, and its refusals in both of their forms.
fn responses(told: &Told, method: &str, draft: &mut Draft) -> Responses {
    let schemas = &mut draft.schemas;
    let mut by_status: BTreeMap<u16, Vec<Refusal>> = BTreeMap::new();
    for refusal in told.refusals_on(method) {
        by_status.entry(refusal.status()).or_default().push(refusal);
    }
    let mut responses = Responses::new();
    for answer in told.answers {
        let mut response = answer.response(schemas);
        if let Some(view) = answer.view {
            let either = OneOfBuilder::new().item(view(schemas)).item(schemas.of::<errors::Envelope<'_>>());
            let content: Content = Content::new(Some(RefOr::T(Schema::from(either.build()))));
            response.content.insert(answer.media_type.to_owned(), RefOr::T(content));
        }
        by_status.remove(&answer.status);
        responses.responses.insert(answer.status.to_string(), response.into());
    }
    for (status, refusals) in by_status {
        let response = refused(status, &refusals);
        let response =
            if SHARED.contains(&status) { draft.shared(format!("Upload{status}"), response) } else { response.into() };
        responses.responses.insert(status.to_string(), response);
    }
    responses
}

/// Refusals of one status, as they are told without `jsonerrors`.
fn refused(status: u16, refusals: &[Refusal]) -> Response {
    let texts = refusals.iter().map(|refusal| format!("{}: {refusal}", refusal.code()));
    let response = ResponseBuilder::new().description(listed(texts));
    let response = response.content("text/plain", Content::new(Some(text())));
    if status == 429 { response.header("Retry-After", header("Seconds.")).build() } else { response.build() }
}
