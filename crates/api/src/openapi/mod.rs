//! `/openapi.json`: the whole surface as an `OpenAPI` document. Paths, methods and versions come from the tables that route,
//! schemas from the views. What neither says stands here, in one place for each door; tests hold that nothing is missing and
//! nothing superfluous. Nothing here answers anything but that one page.

mod cdn;
mod operation;
mod rest;
mod schemas;
mod upload;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, header};
use tracing::error;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem, Paths};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, Server, Tag,
};

use crate::access::request_id;
use crate::{State, errors, origin};
use schemas::Schemas;
use stowage_model::Refusal;

/// In the place of the addresses of the APIs, until somebody asks who knows us under some.
const UPLOAD_SERVER: &str = "{upload}";
const REST_SERVER: &str = "{rest}";
const CDN_SERVER: &str = "{cdn}";

/// The names of the ways to prove who asks.
const SIMPLE: &str = "simple";
const SIGNED: &str = "signed";
const SIGNED_UPLOAD: &str = "uploadSignature";
const SIGNATURE_EXPIRES: &str = "uploadExpire";
const TOKEN: &str = "accessToken";

/// The document without its addresses, made when somebody asks for it first.
static DOCUMENT: LazyLock<Option<String>> = LazyLock::new(|| {
    serde_json::to_string(&document())
        .inspect_err(|failure| error!(error = %failure, "the OpenAPI document could not be written"))
        .ok()
});

/// `/openapi.json`, with the addresses under which the request came.
pub(crate) async fn page(Shared(state): Shared<State>, request: Request<Body>) -> http::Response<Body> {
    let (parts, _) = request.into_parts();
    let Some(document) = DOCUMENT.as_deref() else {
        error!(request = request_id(), "there is no OpenAPI document");
        return errors::upload(&Refusal::UploadApi, errors::Form::Text);
    };
    let urls = origin::public_urls(&state, &parts);
    let mut text = document.to_owned();
    for (place, url) in [(UPLOAD_SERVER, &urls.upload), (REST_SERVER, &urls.rest), (CDN_SERVER, &urls.cdn)] {
        let quoted = serde_json::Value::from(url.as_str()).to_string();
        text = text.replace(&format!("\"{place}\""), &quoted);
    }
    let mut response = http::Response::new(Body::from(text));
    errors::set(&mut response, header::CONTENT_TYPE, "application/json");
    errors::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    errors::set(&mut response, header::VARY, "Host");
    response
}

/// The document as far as it is made.
#[derive(Default)]
struct Draft {
    paths: Paths,
    schemas: Schemas,
    /// Answers that many operations have in common.
    responses: BTreeMap<String, RefOr<Response>>,
}

impl Draft {
    fn add(&mut self, path: &str, method: HttpMethod, server: Option<&str>, operation: Operation) {
        let item = self.paths.paths.entry(path.to_owned()).or_default();
        item.servers = server.map(|url| vec![Server::new(url)]);
        item.merge_operations(PathItem::new(method, operation));
    }

    /// Refers to an answer that others have as well.
    fn shared(&mut self, name: String, response: Response) -> RefOr<Response> {
        let reference = Ref::from_response_name(&name);
        self.responses.insert(name, response.into());
        reference.into()
    }
}

const ABOUT: &str = "Stowage answers in the place of Uploadcare.\n\n\
    Paths of the Upload API and of the REST API may be written without their last slash. `OPTIONS` is answered everywhere, and `HEAD` \
    wherever `GET` is, unless that makes something.\n\n\
    The REST API has three versions, which `Accept` tells apart; each has its media type in the answers. What stands under 0.7 alone, or \
    under 0.6 and 0.5 alone, the others do not have.\n\n\
    Refusals of the Upload API come with the status and as the text that stand here; with `jsonerrors`, or where `Accept` names \
    `application/json`, with status 200 and as JSON. A method that a path does not have is refused with 405 and `Allow`.";

fn document() -> OpenApi {
    let mut draft = Draft::default();
    upload::describe(&mut draft);
    rest::describe(&mut draft);
    cdn::describe(&mut draft);
    cdn::describe_pages(&mut draft);
    let webhooks = webhooks::describe(&mut draft.schemas);
    let mut components = Components::new();
    components.schemas = draft.schemas.into_map();
    components.responses = draft.responses;
    components.add_security_schemes_from_iter(security_schemes());
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Stowage")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(ABOUT))
                .license(Some(license)),
        )
        // Relative to this document, for what no door serves.
        .servers(Some([Server::new("/")]))
        .paths(draft.paths)
        .webhooks(Some(webhooks))
        .components(Some(components))
        .tags(Some(tags()))
        .build()
}

fn tags() -> [Tag; 5] {
    [
        (upload::TAG, "Files come in here: in one request, in parts, or from a URL."),
        (rest::TAG, "What a project has, and what is done with it; for its owner's servers."),
        (cdn::TAG, "Files go out here."),
        (cdn::PAGES_TAG, "What the server says of itself."),
        (webhooks::TAG, "What the targets of webhooks are told."),
    ]
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
}

fn security_schemes() -> [(&'static str, SecurityScheme); 5] {
    let key = |name, about| ApiKeyValue::with_description(name, about);
    let simple = "`Uploadcare.Simple PUBLIC_KEY:SECRET_KEY`. The operator may forbid it over plain HTTP.";
    let signed = "`Uploadcare PUBLIC_KEY:SIGNATURE`, with `Date` or `X-Uploadcare-Date` not more than 15 minutes off. The signature is the \
        HMAC-SHA1, in hexadecimal digits and by a secret key of the project, of five lines: method, MD5 of the body in hexadecimal digits, \
        `Content-Type`, that date, and the path with its query, each as it is sent.";
    let signature = "The HMAC-SHA256 of `expire`, in hexadecimal digits and by a secret key of the project. May stand in the form as well. \
        Needed where the project wants signed uploads.";
    let expire = "Until when the signature is good: seconds since 1970. May stand in the form as well.";
    let token = "A token that the owner's server has signed (HS256) with a secret key of the project, in the place of a signature.";
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(token)).build();
    [
        (SIMPLE, SecurityScheme::ApiKey(ApiKey::Header(key("Authorization", simple)))),
        (SIGNED, SecurityScheme::ApiKey(ApiKey::Header(key("Authorization", signed)))),
        (SIGNED_UPLOAD, SecurityScheme::ApiKey(ApiKey::Query(key("signature", signature)))),
        (SIGNATURE_EXPIRES, SecurityScheme::ApiKey(ApiKey::Query(key("expire", expire)))),
        (TOKEN, SecurityScheme::Http(token)),
    ]
}

#[cfg(test)]
mod tests;
