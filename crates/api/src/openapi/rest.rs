//! What the document says of the REST door. Paths, methods and versions are those of its tables; each version has its media
//! type in the answers.

mod files;
mod others;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use stowage_model::rest::Shape;
use stowage_model::{Refusal, RestRefusal, RestVersion};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Responses, SecurityRequirement};

use super::operation::{Body, Said, find, header, listed, operation_on, text};
use super::schemas::Schemas;
use super::{Draft, REST_SERVER, SIGNED, SIMPLE};
use crate::rest::{self, media_type};

pub(super) const TAG: &str = "REST API";

/// A view as a version shows it.
type View = fn(&mut Schemas, RestVersion) -> RefOr<Schema>;

/// An answer that is no refusal.
pub(super) enum Answer {
    /// In the media type of the version.
    Shown(u16, &'static str, View),
    /// In the same media type by every version.
    Plain(&'static str, fn(&mut Schemas) -> RefOr<Schema>),
    /// Without a body.
    Nothing(&'static str),
}

/// What is answered on a path of this door.
pub(super) struct Told {
    answers: &'static [Answer],
    /// The refusals of the endpoint itself, each with an example of what it is filled in with.
    refusals: fn() -> Vec<RestRefusal>,
}

/// What an entry leaves out.
const UNSAID: Said<Told> = Said {
    path: "",
    on: &[],
    summary: "",
    about: "",
    at: &[],
    query: &[],
    body: Body::None,
    answers: Told { answers: &[], refusals: Vec::new },
};

/// What is said of every path and method.
pub(super) const SAID: [&[Said<Told>]; 3] = [files::SAID, search::SAID, others::SAID];

/// Describes every path and method of the door's tables.
pub(super) fn describe(draft: &mut Draft) {
    for (path, method, versions) in rest::served() {
        let said = SAID.into_iter().find_map(|said| find(said, path, method));
        let (Some(on), Some((said, name))) = (operation_on(method), said) else { continue };
        let responses = responses(&said.answers, &versions, said.body, method, draft);
        let security = [SIMPLE, SIGNED].map(|scheme| SecurityRequirement::new(scheme, None::<String>));
        let operation = said.operation(name, TAG, &on, responses, security.to_vec());
        draft.add(path, on, Some(REST_SERVER), operation);
    }
}

/// The refusals of every endpoint.
fn always() -> Vec<RestRefusal> {
    vec![
        RestRefusal::CredentialsIncorrect,
        RestRefusal::PublicKeyNotFound("PUBLIC_KEY".to_owned()),
        RestRefusal::SecretKeyNotFound,
        RestRefusal::SignatureInvalid,
        RestRefusal::SimpleOverHttp,
        Refusal::ProjectPublicKeyRemoved("PUBLIC_KEY".to_owned()).into(),
        RestRefusal::AcceptIncorrect,
        RestRefusal::Throttled(10),
        RestRefusal::Internal,
    ]
}

/// The refusals of endpoints that read a body.
fn with_body() -> Vec<RestRefusal> {
    vec![RestRefusal::BodyBroken, RestRefusal::BodyTooLarge, RestRefusal::MediaTypeUnsupported("text/xml".to_owned())]
}

/// The statuses of which no endpoint has refusals of its own.
const SHARED: [u16; 6] = [401, 406, 413, 415, 429, 500];

fn responses(told: &Told, versions: &[RestVersion], body: Body, method: &str, draft: &mut Draft) -> Responses {
    let schemas = &mut draft.schemas;
    let mut responses = Responses::new();
    for answer in told.answers {
        let (status, response) = match answer {
            Answer::Shown(status, about, view) => {
                let response = versions.iter().fold(ResponseBuilder::new().description(*about), |response, version| {
                    response.content(media_type(*version), Content::new(Some(view(schemas, *version))))
                });
                (*status, response)
            }
            Answer::Plain(about, view) => {
                let content = Content::new(Some(view(schemas)));
                (200, ResponseBuilder::new().description(*about).content("application/json", content))
            }
            Answer::Nothing(about) => (204, ResponseBuilder::new().description(*about)),
        };
        responses.responses.insert(status.to_string(), response.build().into());
    }
    schemas.name("RestError", detail());
    let read = if matches!(body, Body::None) { Vec::new() } else { with_body() };
    let written = (method != "GET").then_some(RestRefusal::NoSpace);
    let mut by_status: BTreeMap<u16, Vec<RestRefusal>> = BTreeMap::new();
    for refusal in always().into_iter().chain(read).chain(written).chain((told.refusals)()) {
        by_status.entry(refusal.status()).or_default().push(refusal);
    }
    for (status, refusals) in by_status {
        let response = if SHARED.contains(&status) {
            let all = [RestVersion::V07, RestVersion::V06, RestVersion::V05];
            draft.shared(format!("Rest{status}"), refused(status, &refusals, &all))
        } else {
            refused(status, &refusals, versions).into()
        };
        responses.responses.insert(status.to_string(), response);
    }
    responses
}

/// Refusals of one status.
fn refused(status: u16, refusals: &[RestRefusal], versions: &[RestVersion]) -> Response {
    let texts = refusals.iter().map(|refusal| match refusal.shape() {
        Shape::Detail => refusal.to_string(),
        Shape::Field(name) => format!("`{name}`: {refusal}"),
    });
    let response = ResponseBuilder::new().description(listed(texts));
    let content = || Content::new(Some(shape(refusals)));
    let response = if status == 406 {
        response.content("application/json", content())
    } else {
        versions.iter().fold(response, |response, version| response.content(media_type(*version), content()))
    };
    match status {
        401 => response.header("WWW-Authenticate", header("`Uploadcare`.")).build(),
        429 | 503 => response.header("Retry-After", header("Seconds.")).build(),
        _ => response.build(),
    }
}

/// A refusal that is about no member of the body in particular.
fn detail() -> Schema {
    let about = "A refusal.";
    let object = ObjectBuilder::new().schema_type(Type::Object).description(Some(about));
    object.property("detail", text()).required("detail").into()
}

/// What stands around the texts of refusals.
fn shape(refusals: &[RestRefusal]) -> RefOr<Schema> {
    let detail = Ref::from_schema_name("RestError");
    let fields: BTreeSet<&str> = refusals
        .iter()
        .filter_map(|refusal| match refusal.shape() {
            Shape::Detail => None,
            Shape::Field(name) => Some(name),
        })
        .collect();
    if fields.is_empty() {
        return detail.into();
    }
    // One field at a time.
    let either = fields.into_iter().fold(OneOfBuilder::new(), |either, name| {
        let texts = ArrayBuilder::new().items(text()).min_items(Some(1));
        either.item(ObjectBuilder::new().schema_type(Type::Object).property(name, texts).required(name))
    });
    either.item(detail).into()
}
