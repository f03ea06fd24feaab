//! From an address to an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Shared;
use http::request::Parts;
use http::{Method, Request, Response, header};
use stowage_model::{DeliveryRefusal, File};

use super::path::{Address, Form, Wish};
use super::visit::{Host, Visit};
use super::{accept, groups, headers, pictures, remote};
use crate::{State, errors};

/// What a request is answered.
pub(super) type Outcome = Result<Response<Body>, DeliveryRefusal>;

/// The picture that stands for a file that is not there.
const NOT_FOUND: &[u8] = include_bytes!("not-found.jpg");

/// Answers everything that no other door serves.
pub(crate) async fn route(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let mut response = match parts.method {
        Method::GET | Method::HEAD => match answer(Visit { state: &state, request: &parts }).await {
            Ok(response) => response,
            Err(refusal) => refuse(&refusal, &parts),
        },
        Method::OPTIONS => Response::new(Body::empty()),
        _ => {
            let refusal = DeliveryRefusal::MethodNotAllowed(parts.method.to_string());
            let mut response = errors::delivery(&refusal);
            errors::set(&mut response, header::ALLOW, headers::METHODS);
            response
        }
    };
    headers::set_cors(&mut response);
    response
}

/// A page; where an `<img>` shows the answer, a picture with the words.
pub(crate) fn refuse(refusal: &DeliveryRefusal, parts: &Parts) -> Response<Body> {
    let mut response = errors::delivery(refusal);
    if *refusal == DeliveryRefusal::NotFound {
        if accept::prefers_pictures(&parts.headers) {
            *response.body_mut() = Body::from(NOT_FOUND);
            errors::set(&mut response, header::CONTENT_TYPE, "image/jpeg");
        }
        errors::set(&mut response, header::VARY, "Accept");
    }
    response
}

async fn answer(visit: Visit<'_>) -> Outcome {
    match Address::parse(visit.address()) {
        Ok(Address::File(id, wish)) => {
            let (file, host) = visit.file(id).await?;
            show(visit, &host, &file, "", &wish).await
        }
        Ok(Address::Group(id)) => Box::pin(groups::page(visit, id)).await,
        Ok(Address::Member(id, place, wish)) => Box::pin(groups::member(visit, id, place, &wish)).await,
        Ok(Address::Archive { group, kind, name }) => Box::pin(groups::archive(visit, group, kind, name)).await,
        Ok(Address::Remote { url, pieces }) => Box::pin(remote::show(visit, &url, pieces)).await,
        Err(refusal) => Err(refusal),
    }
}

/// Shows a file in the form that is wanted; `stored` are the operations with which it lies in a group.
pub(super) async fn show(visit: Visit<'_>, host: &Host, file: &Arc<File>, stored: &str, wish: &Wish) -> Outcome {
    match wish.form {
        Form::Plain => pictures::show(visit, host, file, stored, wish).await,
        Form::Faces => Box::pin(pictures::faces(visit, host, file)).await,
        Form::Video => Box::pin(pictures::video(visit, host, file, wish)).await,
    }
}
