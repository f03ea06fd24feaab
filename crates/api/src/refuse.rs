//! Requests that somebody else answers than their endpoint, in its words and with its headers: the doors for tests do.

use axum::body::Body;
use futures_util::StreamExt;
use http::Response;
use http::request::Parts;
use stowage_model::{DeliveryRefusal, PublicKey};

use crate::access::{self, Front};
use crate::auth::Credentials;
use crate::body::{self, PATIENCE};
use crate::catalogue::{self, Asked, Door};
use crate::errors::{self, Said};
use crate::{cdn, rest, upload};

/// How much of a body that nobody wants is read, in bytes.
const DRAIN: u64 = 128 << 20;

/// A request that is answered by somebody else.
pub struct Aside<'r> {
    front: &'r Front,
    request: &'r Parts,
    /// The path as the router knows it.
    path: String,
    form: &'r [(String, String)],
}

impl Front {
    /// Sets a request aside. `form` are the text fields of its body, as far as they are known.
    pub fn aside<'r>(&'r self, request: &'r Parts, form: &'r [(String, String)]) -> Aside<'r> {
        let tidied = access::tidy(&request.uri);
        let path = tidied.as_ref().unwrap_or(&request.uri).path().to_owned();
        Aside { front: self, request, path, form }
    }
}

impl Aside<'_> {
    fn door(&self) -> Door {
        match self.path.as_str() {
            path if cdn::is_delivery(path) => Door::Delivery,
            path if rest::is_rest(path) => Door::Rest,
            path if upload::is_upload(path) => Door::Upload,
            _ => Door::Delivery,
        }
    }

    fn upload(&self) -> upload::Outside<'_> {
        let Self { front, request, path, form } = self;
        upload::Outside { state: front.state(), request, path, form }
    }

    /// Refuses it by a code of the catalogue, with another sentence or for another time where these are given; none if its door has no
    /// such code.
    pub fn refuse(&self, code: &str, text: Option<&str>, retry_after: Option<u64>) -> Option<Response<Body>> {
        let asked = Asked { method: self.request.method.as_str(), path: &self.path, key: "" };
        let refused = match self.door() {
            Door::Upload => self.upload().refuse(code, text, retry_after)?,
            Door::Rest => {
                let (shape, said) = catalogue::rest(code, &asked)?;
                let unversioned = said.status == 406;
                let media_type = rest::media_type_for(self.front.state(), &self.request.headers);
                let media_type = if unversioned { "application/json" } else { media_type };
                errors::rest_said(&said.with(text, retry_after), shape, media_type)
            }
            Door::Delivery => match catalogue::delivery(code, &asked)? {
                DeliveryRefusal::NotFound if text.is_none() && retry_after.is_none() => {
                    cdn::refuse(&DeliveryRefusal::NotFound, self.request)
                }
                refusal => errors::delivery_said(&Said::from(&refusal).with(text, retry_after)),
            },
        };
        Some(self.dress(refused))
    }

    /// Gives an answer that was made elsewhere what all answers at its address have: a name, the headers of CORS.
    pub fn dress(&self, response: Response<Body>) -> Response<Body> {
        let state = self.front.state();
        let mut response = match self.door() {
            Door::Upload => self.upload().dress(response),
            Door::Rest => rest::dress(state, self.request, &self.path, response),
            Door::Delivery => {
                let mut response = response;
                cdn::set_cors(&mut response);
                response
            }
        };
        access::set_headers(&mut response, state.ids.request());
        response
    }

    /// The public key of the project that it seems to be about: nothing is verified but access tokens without a key.
    pub async fn project(&self) -> Option<PublicKey> {
        match self.door() {
            Door::Upload => self.upload().project().await,
            Door::Rest => Credentials::read(&self.request.headers)?.key.parse().ok(),
            Door::Delivery => cdn::project_of(self.front.state(), &self.request.uri).await,
        }
    }

    /// Reads its body and forgets it: most clients see an answer only after they have sent everything.
    pub async fn pass_over(&self, body: Body) {
        let mut body = body.into_data_stream().boxed();
        body::pass_over(&self.request.headers, &mut body, DRAIN, PATIENCE).await;
    }
}
