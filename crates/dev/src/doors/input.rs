//! The body of a request to a door: JSON, with sentences for what is wrong with it.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::DevError;

/// The most bytes of a JSON body.
const LIMIT: usize = 1 << 20;

/// A body of JSON; none counts as `{}`.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = DevError;

    async fn from_request(request: Request, _: &S) -> Result<Self, DevError> {
        let body = axum::body::to_bytes(request.into_body(), LIMIT).await;
        let body = body.map_err(|_| DevError::bad("the body is larger than 1 MiB, or broke off"))?;
        let text: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { &body };
        serde_json::from_slice(text).map(Self).map_err(|fault| DevError::bad(format!("the body: {fault}")))
    }
}
