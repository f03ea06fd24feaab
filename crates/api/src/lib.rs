//! The doors: upload, REST, delivery, and the page that explains them. A door parses a request, asks the rooms below and renders
//! what they answer; it holds no state of its own, so that any number of processes may serve.
//! Folder = door, file = noun.

mod access;
mod auth;
mod body;
mod catalogue;
mod cdn;
mod errors;
mod health;
mod landing;
mod openapi;
mod origin;
mod refuse;
mod rest;
mod signature;
mod throttle;
mod token;
mod unknown;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, any};
use http::{Request, Response};
use serde::Deserialize;
use stowage_copy::Copies;
use stowage_delivery::Delivery;
use stowage_fetch::Outbound;
use stowage_intake::Intake;
use stowage_model::{Clock, Ids};
use stowage_store::blobs::Blobs;
use stowage_store::records::Records;

pub use access::{Front, Peer, Watch, Watched};
pub use auth::AuthOptions;
pub use catalogue::Door;
pub use cdn::Fetches;
pub use origin::{TrustedProxies, UrlOptions};
pub use refuse::Aside;
pub use rest::{Pages, RestOptions};
pub use throttle::{Options as ThrottleOptions, Throttle};
pub use unknown::UnknownKeys;
pub use upload::PartUrls;

/// `[uploads]` of the configuration: limits of one request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadOptions {
    /// The most bytes of file data in one direct upload.
    #[serde(deserialize_with = "stowage_model::units::bytes")]
    pub request_size: u64,
    /// The most bytes of one text field.
    #[serde(deserialize_with = "stowage_model::units::bytes")]
    pub field_size: u64,
    /// The most text fields.
    pub fields: usize,
    /// The most files.
    pub files: usize,
}

/// What the doors need of the rest of the house.
#[derive(Clone)]
pub struct State(Arc<Shared>);

/// The parts of a [`State`].
pub struct Shared {
    /// The records.
    pub records: Records,
    /// The blobs, for the readiness probe.
    pub blobs: Blobs,
    /// The way in.
    pub intake: Intake,
    /// The way out.
    pub delivery: Delivery,
    /// What copies files to storages.
    pub copies: Copies,
    /// What may be fetched.
    pub outbound: Outbound,
    /// Remote files that are being fetched for delivery.
    pub fetches: Fetches,
    /// Rate limits.
    pub throttle: Throttle,
    /// What signs the URLs of parts.
    pub part_urls: PartUrls,
    /// Now.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// Limits of uploads.
    pub uploads: UploadOptions,
    /// For how long what was delivered may be kept elsewhere.
    pub max_age: Duration,
    /// How long a request body may pause before the request is given up.
    pub body_timeout: Duration,
    /// How long a request body may take as a whole.
    pub request_timeout: Duration,
    /// Whether requests are counted.
    pub metrics: bool,
    /// How clients of the REST API prove who they are.
    pub auth: AuthOptions,
    /// How the REST API answers.
    pub rest: RestOptions,
    /// Lists that were shown a moment ago.
    pub pages: Pages,
    /// Where the world reaches the APIs.
    pub urls: UrlOptions,
    /// Who may speak for others.
    pub trusted_proxies: TrustedProxies,
    /// What becomes of public keys that nobody knows.
    pub unknown_keys: UnknownKeys,
    /// Which targets of webhooks lead nowhere but to ourselves, and need no look at where their hosts are.
    pub is_internal_target: fn(&str) -> bool,
}

impl State {
    /// Shares the parts among all requests.
    pub fn new(parts: Shared) -> Self {
        Self(Arc::new(parts))
    }

    /// Forgets what the doors have counted and remembered; what the rooms below keep is for them.
    pub fn wipe(&self) {
        let Shared {
            records: _,
            blobs: _,
            intake: _,
            delivery: _,
            copies: _,
            outbound: _,
            fetches,
            throttle,
            part_urls: _,
            clock: _,
            ids: _,
            uploads: _,
            max_age: _,
            body_timeout: _,
            request_timeout: _,
            metrics: _,
            auth: _,
            rest: _,
            pages,
            urls: _,
            trusted_proxies: _,
            unknown_keys: _,
            is_internal_target: _,
        } = &**self;
        fetches.wipe();
        throttle.wipe();
        pages.wipe();
    }
}

impl std::ops::Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Everything that the main listener serves.
pub fn service(state: State) -> Front {
    let pages = pages().into_iter().fold(Router::new(), |router, (path, page)| router.route(path, page));
    let router = pages.merge(upload::routes()).merge(rest::routes()).fallback(elsewhere).with_state(state.clone());
    Front::new(router, state)
}

/// The paths of the Upload API, of the REST API, and of the pages around them; `{…}` is a segment that names something.
pub fn paths() -> [Vec<&'static str>; 3] {
    let upload = upload::served().map(|(path, _)| path).collect();
    let rest = rest::served().map(|(path, ..)| path).collect();
    [upload, rest, pages().into_iter().map(|(path, _)| path).collect()]
}

/// The pages around the APIs.
fn pages() -> [(&'static str, MethodRouter<State>); 4] {
    [
        ("/", any(landing::page)),
        ("/health", any(health::live)),
        ("/ready", any(health::ready)),
        ("/openapi.json", any(openapi::page)),
    ]
}

/// Answers what no endpoint serves: as the REST API does below its paths, as delivery does everywhere else.
async fn elsewhere(state: axum::extract::State<State>, request: Request<Body>) -> Response<Body> {
    if rest::is_rest(request.uri().path()) {
        return rest::nothing(&state, &request);
    }
    cdn::route(state, request).await
}
