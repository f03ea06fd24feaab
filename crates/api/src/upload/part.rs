//! `PUT /multipart/upload/{uuid}/?partNumber=…&exp=…&sig=…`: a part of an upload, under a URL that the start has signed.
//! Browsers and clients that expect S3 send here, so that it behaves like S3: no other credential, an `ETag`, CORS.

use axum::body::Body;
use axum::extract::State as Shared;
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use sha2::Sha256;
use stowage_intake::PartError;
use stowage_model::{FileId, Refusal, Upload};

use super::fields::Fields;
use crate::body::PATIENCE;
use crate::errors::{self, Form};
use crate::{State, body, signature};

/// The path of this endpoint.
pub(super) const ROUTE: &str = "/multipart/upload/{uuid}/";
/// Its methods.
pub(super) const METHODS: &str = "PUT, OPTIONS";

/// How much of a body that is not wanted is read, in bytes.
const DRAIN: u64 = 16 << 20;

/// Signs and verifies the URLs of parts. All nodes share the secret.
#[derive(Clone)]
pub struct PartUrls {
    secret: String,
}

impl PartUrls {
    /// URLs that this secret signs.
    pub fn new(secret: String) -> Self {
        Self { secret }
    }

    /// The URLs of all parts of an upload, good until it expires.
    pub(super) fn sign(&self, base: &str, upload: &Upload) -> Vec<String> {
        let expires = upload.expires_at.seconds();
        let url = |number| {
            let signature = self.signature(upload.id, number, expires);
            format!("{base}/multipart/upload/{}/?partNumber={number}&exp={expires}&sig={signature}", upload.id)
        };
        (1..=upload.part_count()).map(url).collect()
    }

    fn mac(&self, id: FileId, number: u64, expires: i64) -> Option<Hmac<Sha256>> {
        // A key of any length is a good HMAC key, so that this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).ok()?;
        mac.update(format!("PUT\n{id}\n{number}\n{expires}").as_bytes());
        Some(mac)
    }

    fn signature(&self, id: FileId, number: u64, expires: i64) -> String {
        let mac = self.mac(id, number, expires).map(|mac| mac.finalize().into_bytes());
        signature::to_hex(&mac.unwrap_or_default())
    }

    /// Which part a URL names, if its signature is ours and its time is not over.
    fn verify(&self, id: FileId, query: &Fields, now: i64) -> Option<u32> {
        let number: u32 = query.text("partNumber")?.parse().ok()?;
        let expires: i64 = query.text("exp")?.parse().ok()?;
        let given = signature::from_hex(query.text("sig")?)?;
        // The comparison takes the same time wherever the first difference is.
        self.mac(id, number.into(), expires)?.verify_slice(&given).ok()?;
        (expires > now).then_some(number)
    }
}

pub(super) async fn handle(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let id = parts.uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut response = match parts.method {
        Method::OPTIONS => Response::new(Body::empty()),
        Method::PUT => {
            let query = Fields::of_query(parts.uri.query().unwrap_or_default());
            let verified = id
                .parse()
                .ok()
                .and_then(|id: FileId| Some((id, state.part_urls.verify(id, &query, state.clock.now().seconds())?)));
            if let Some((id, number)) = verified {
                take(&state, id, number, &parts.headers, body).await
            } else {
                body::pass_over(&parts.headers, &mut body.into_data_stream(), DRAIN, PATIENCE).await;
                text(StatusCode::FORBIDDEN, "Request has expired.")
            }
        }
        method => {
            let refusal = Refusal::MethodNotAllowed { method: method.to_string(), path: parts.uri.path().to_owned() };
            let mut response = errors::upload(&refusal, Form::Text);
            errors::set(&mut response, header::ALLOW, METHODS);
            response
        }
    };
    set_headers(&mut response);
    response
}

/// What every answer of this endpoint has.
pub(super) fn set_headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, X-UC-User-Agent"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    errors::set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

async fn take(state: &State, id: FileId, number: u32, headers: &HeaderMap, body: Body) -> Response<Body> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse().ok());
    let mut body = body.into_data_stream();
    let outcome = async {
        let mut part = state.intake.part(id, number, announced).await?;
        while let Some(chunk) = body.next().await {
            // A body that breaks off leaves the part missing; nobody is there to be told.
            let Ok(chunk) = chunk else { return Ok(None) };
            part.write(chunk).await?;
        }
        part.finish().await.map(Some)
    };
    match tokio::time::timeout(state.request_timeout, outcome).await {
        Ok(Ok(Some(etag))) => {
            let mut response = Response::new(Body::empty());
            if let Ok(etag) = HeaderValue::from_str(&format!("\"{etag}\"")) {
                response.headers_mut().insert(header::ETAG, etag);
            }
            response
        }
        Ok(Ok(None)) | Err(_) => text(StatusCode::REQUEST_TIMEOUT, "The part did not arrive in time."),
        Ok(Err(failure)) => {
            body::pass_over(headers, &mut body, DRAIN, PATIENCE).await;
            match failure {
                PartError::Intake(stowage_intake::IntakeError::NoSpace) => {
                    text(StatusCode::INSUFFICIENT_STORAGE, "No space left.")
                }
                failure => errors::upload(&errors::of_part(failure), Form::Text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_signatures_open_the_door() {
        let urls = PartUrls::new("secret".to_owned());
        let id: FileId = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61".parse().unwrap();
        let other: FileId = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b62".parse().unwrap();
        let good = urls.signature(id, 7, 100);
        let verify = |id, query: String, now| urls.verify(id, &Fields::of_query(&query), now);
        assert_eq!(verify(id, format!("partNumber=7&exp=100&sig={good}"), 99), Some(7));
        assert_eq!(verify(id, format!("partNumber=7&exp=100&sig={good}"), 100), None, "its time is over");
        assert_eq!(verify(id, format!("partNumber=8&exp=100&sig={good}"), 99), None);
        assert_eq!(verify(id, format!("partNumber=7&exp=101&sig={good}"), 99), None);
        assert_eq!(verify(other, format!("partNumber=7&exp=100&sig={good}"), 99), None);
        assert_eq!(verify(id, "partNumber=7&exp=100&sig=".into(), 99), None);
        assert_eq!(verify(id, "partNumber=7&exp=100".into(), 99), None);
        let stranger = PartUrls::new("other".to_owned());
        assert_eq!(stranger.verify(id, &Fields::of_query(&format!("partNumber=7&exp=100&sig={good}")), 99), None);
    }
}
