//! `/`: what this is and where its APIs are, for people and, with `Accept: application/json`, for programs.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, errors, origin};

/// Where everything is.
#[derive(Serialize, ToSchema)]
#[schema(as = Addresses)]
pub(crate) struct Page<'a> {
    name: &'static str,
    version: &'static str,
    upload: &'a str,
    rest: &'a str,
    cdn: &'a str,
    openapi: &'a str,
}

pub(crate) async fn page(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let urls = origin::public_urls(&state, &parts);
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = if accept.contains("application/json") {
        errors::json(&Page {
            name: "Stowage",
            version: env!("CARGO_PKG_VERSION"),
            upload: &urls.upload,
            rest: &urls.rest,
            cdn: &urls.cdn,
            openapi: &format!("{}/openapi.json", urls.rest),
        })
    } else {
        let text = format!(
            "Stowage {}\n\nUpload API  {upload}/base/\nREST API    {rest}/\nDelivery    {cdn}/UUID/\nOpenAPI     {rest}/openapi.json\n\n\
             curl -F UPLOADCARE_PUB_KEY=YOUR_PUBLIC_KEY -F UPLOADCARE_STORE=auto -F file=@photo.jpg {upload}/base/\n",
            env!("CARGO_PKG_VERSION"),
            upload = urls.upload,
            rest = urls.rest,
            cdn = urls.cdn,
        );
        let mut response = Response::new(Body::from(text));
        errors::set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
        response
    };
    errors::set(&mut response, header::VARY, "Accept, Host");
    response
}
