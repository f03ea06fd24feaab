//! The REST door: its endpoints and what every answer of theirs has. Follows the REST API reference 0.7, with 0.6 and 0.5
//! beside it.

mod addons;
mod baked;
mod call;
mod content;
mod convert;
mod copy;
mod files;
mod groups;
mod links;
mod list;
mod metadata;
mod moment;
mod pages;
mod project;
mod remote_copy;
mod search;
mod serve;
mod storage;
mod tags;
mod version;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::routing::any;
use http::{HeaderValue, Request};
use stowage_model::RestVersion;

use crate::State;
use call::{Answering, Call};

pub(crate) use addons::Status as AddonStatus;
pub use pages::Pages;
pub(crate) use serve::{dress, media_type_for, nothing};
pub(crate) use tags::{Changed as TagsChanged, Shown as TagsShown};
pub use version::RestOptions;
pub(crate) use version::media_type;

/// A path of this door; `{…}` is a segment that names something.
struct Endpoint {
    path: &'static str,
    methods: &'static [On],
}

/// What a path does on a method. `GET` answers `HEAD` as well.
struct On {
    method: &'static str,
    versions: Versions,
    answer: for<'c> fn(&'c Call<'c>) -> Answering<'c>,
}

/// Which versions have something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    All,
    Since07,
    Before07,
}

impl Versions {
    fn have(self, version: RestVersion) -> bool {
        match self {
            Self::All => true,
            Self::Since07 => version == RestVersion::V07,
            Self::Before07 => version != RestVersion::V07,
        }
    }
}

/// Shorter names for the tables of endpoints.
const fn on(method: &'static str, answer: for<'c> fn(&'c Call<'c>) -> Answering<'c>) -> On {
    On { method, versions: Versions::All, answer }
}

const fn since_07(method: &'static str, answer: for<'c> fn(&'c Call<'c>) -> Answering<'c>) -> On {
    On { method, versions: Versions::Since07, answer }
}

const fn before_07(method: &'static str, answer: for<'c> fn(&'c Call<'c>) -> Answering<'c>) -> On {
    On { method, versions: Versions::Before07, answer }
}

impl Endpoint {
    /// What is done on a method, where the version has it; else whether any version has the method.
    fn on(&self, method: &str, version: Option<RestVersion>) -> Result<&'static On, bool> {
        let method = if method == "HEAD" { "GET" } else { method };
        let mut all = self.methods.iter().filter(|on| on.method == method).peekable();
        let known = all.peek().is_some();
        all.find(|on| version.is_some_and(|version| on.versions.have(version))).ok_or(known)
    }

    /// The methods as `Allow` lists them: those of a version, or all that there are.
    fn allow(&self, version: Option<RestVersion>) -> HeaderValue {
        let has = |on: &&On| version.is_none_or(|version| on.versions.have(version));
        let mut methods: Vec<&str> = self.methods.iter().filter(has).map(|on| on.method).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.dedup();
        HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
    }
}

const ENDPOINTS: [&[Endpoint]; 10] = [
    files::ENDPOINTS,
    storage::ENDPOINTS,
    copy::ENDPOINTS,
    metadata::ENDPOINTS,
    tags::ENDPOINTS,
    search::ENDPOINTS,
    groups::ENDPOINTS,
    webhooks::ENDPOINTS,
    project::ENDPOINTS,
    convert::ENDPOINTS,
];

fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.into_iter().flatten().chain(addons::ENDPOINTS)
}

/// Every path of this door with every method of it, and the versions that have it, the newest first.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str, Vec<RestVersion>)> {
    endpoints().flat_map(|endpoint| {
        endpoint.methods.iter().map(|on| {
            let versions = [RestVersion::V07, RestVersion::V06, RestVersion::V05];
            (endpoint.path, on.method, versions.into_iter().filter(|version| on.versions.have(*version)).collect())
        })
    })
}

/// The endpoint at a path, as the router finds it: what is written out goes before what names something.
fn at(path: &str) -> Option<&'static Endpoint> {
    let names = |segment: &str| segment.starts_with('{');
    let fits = |pattern: &str| {
        let mut wanted = pattern.split('/');
        path.split('/').all(|segment| wanted.next().is_some_and(|wanted| names(wanted) || wanted == segment))
            && wanted.next().is_none()
    };
    let fitting = endpoints().filter(|endpoint| fits(endpoint.path));
    fitting.min_by_key(|endpoint| endpoint.path.split('/').filter(|segment| names(segment)).count())
}

/// The first segments of the paths of this door.
const NOUNS: [&str; 6] = ["files", "groups", "project", "webhooks", "convert", "addons"];

/// Whether a path is this door's, be there an endpoint or not.
pub(crate) fn is_rest(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|noun| NOUNS.contains(&noun))
}

/// The endpoints of this door.
pub(crate) fn routes() -> Router<State> {
    let mut router = Router::new();
    for endpoint in endpoints() {
        let served = Arc::new(serve::Served::new(endpoint));
        let handle = move |Shared(state): Shared<State>, request: Request<Body>| {
            let served = Arc::clone(&served);
            async move { serve::serve(&state, &served, request).await }
        };
        router = router.route(endpoint.path, any(handle));
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> &'static Endpoint {
        endpoints().find(|endpoint| endpoint.path == path).unwrap()
    }

    #[test]
    fn allow_lists_what_the_real_service_lists() {
        let new = Some(RestVersion::V07);
        let old = Some(RestVersion::V06);
        for (path, version, allow) in [
            ("/files/", new, "GET, HEAD, OPTIONS"),
            ("/files/", old, "GET, HEAD, OPTIONS, POST"),
            ("/files/", None, "GET, HEAD, OPTIONS, POST"),
            ("/files/{uuid}/", new, "DELETE, GET, HEAD, OPTIONS"),
            ("/files/{uuid}/storage/", new, "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
            ("/files/storage/", new, "DELETE, OPTIONS, PUT"),
            ("/files/local_copy/", new, "OPTIONS, POST"),
            ("/files/remote_copy/", new, "OPTIONS, POST"),
            ("/files/{uuid}/metadata/", new, "GET, HEAD, OPTIONS"),
            ("/files/{uuid}/metadata/{key}/", new, "DELETE, GET, HEAD, OPTIONS, PUT"),
            ("/groups/", new, "GET, HEAD, OPTIONS"),
            ("/groups/{id}/", new, "DELETE, GET, HEAD, OPTIONS"),
            ("/groups/{id}/", old, "GET, HEAD, OPTIONS"),
            ("/project/", new, "GET, HEAD, OPTIONS"),
            ("/webhooks/", new, "GET, HEAD, OPTIONS, POST"),
            ("/webhooks/{id}/", new, "DELETE, GET, HEAD, OPTIONS, PUT"),
            ("/webhooks/unsubscribe/", new, "DELETE, OPTIONS"),
            ("/convert/document/", new, "OPTIONS, POST"),
            ("/convert/document/status/{token}/", new, "GET, HEAD, OPTIONS"),
            ("/addons/{name}/execute/", new, "OPTIONS, POST"),
            ("/addons/{name}/execute/status/", new, "GET, HEAD, OPTIONS"),
        ] {
            assert_eq!(endpoint(path).allow(version), allow, "{path}");
        }
    }

    #[test]
    fn methods_are_told_apart_by_version() {
        let files = endpoint("/files/");
        assert!(files.on("HEAD", Some(RestVersion::V07)).is_ok());
        assert!(files.on("POST", Some(RestVersion::V05)).is_ok());
        assert_eq!(files.on("POST", Some(RestVersion::V07)).err(), Some(true), "another version has it");
        assert_eq!(files.on("GET", None).err(), Some(true));
        assert_eq!(files.on("PATCH", Some(RestVersion::V07)).err(), Some(false));
    }

    #[test]
    fn endpoints_are_found_by_their_paths() {
        let found = |path: &str| at(path).map(|endpoint| endpoint.path);
        assert_eq!(found("/files/"), Some("/files/"));
        assert_eq!(found("/files/storage/"), Some("/files/storage/"));
        assert_eq!(found("/files/x/storage/"), Some("/files/{uuid}/storage/"));
        assert_eq!(found("/files/x/y/z/u/"), None);
    }

    #[test]
    fn paths_of_this_door_are_recognised() {
        assert!(is_rest("/files/") && is_rest("/files") && is_rest("/addons/x/"));
        assert!(!is_rest("/filesystem/") && !is_rest("/") && !is_rest("/group/"));
    }
}
