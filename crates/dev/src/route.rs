//! Which endpoint a path is of: the pattern that all paths of an endpoint have in common, as the journal shows it and rules name it. Paths
//! are looked up when somebody asks, not while requests are served.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use stowage_model::{FileId, GroupId};
use utoipa::ToSchema;

/// An API of this server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JournalApi)]
pub(crate) enum Api {
    /// The Upload API.
    Upload,
    /// The REST API.
    Rest,
    /// Delivery.
    Cdn,
    /// Parts of multipart uploads.
    Part,
    /// The pages around the APIs.
    Other,
}

/// An endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    /// Its API.
    pub(crate) api: Api,
    /// Its path, with a name and a colon where paths differ, like `/files/:uuid/storage/`; a path that is none of ours is its own.
    pub(crate) pattern: String,
}

/// What the APIs say of their paths.
struct Known {
    api: Api,
    pieces: Vec<&'static str>,
    pattern: String,
}

/// The path to which parts are sent.
const PART: &str = "/multipart/upload/";

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let [upload, rest, others] = stowage_api::paths();
    let all = [(Api::Upload, upload), (Api::Rest, rest), (Api::Other, others)];
    let known = |api: Api, path: &'static str| {
        let api = if path.starts_with(PART) { Api::Part } else { api };
        Known { api, pieces: pieces(path).collect(), pattern: with_colons(path) }
    };
    all.into_iter().flat_map(|(api, paths)| paths.into_iter().map(move |path| known(api, path))).collect()
});

fn pieces(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|piece| !piece.is_empty())
}

/// `{name}` as `:name`.
fn with_colons(path: &str) -> String {
    path.replace('{', ":").replace('}', "")
}

/// The endpoint that a path is of, however it writes its slashes.
pub(crate) fn of(path: &str) -> Route {
    let asked: Vec<&str> = pieces(path).collect();
    let fits = |known: &&Known| {
        let pairs = known.pieces.iter().zip(&asked);
        known.pieces.len() == asked.len()
            && pairs.into_iter().all(|(known, asked)| known.starts_with('{') || known == asked)
    };
    let names = |known: &&Known| known.pieces.iter().filter(|piece| piece.starts_with('{')).count();
    if let Some(known) = KNOWN.iter().filter(fits).min_by_key(names) {
        return Route { api: known.api, pattern: known.pattern.clone() };
    }
    let noun = asked.first().copied().unwrap_or_default();
    if KNOWN.iter().any(|known| known.api == Api::Rest && known.pieces.first() == Some(&noun)) {
        return Route { api: Api::Rest, pattern: path.to_owned() };
    }
    Route { api: Api::Cdn, pattern: delivered(path, &asked) }
}

/// The form of a delivery address.
fn delivered(path: &str, asked: &[&str]) -> String {
    let Some((first, rest)) = asked.split_first() else { return path.to_owned() };
    let subject = if first.parse::<FileId>().is_ok() {
        ":uuid"
    } else if first.parse::<GroupId>().is_ok() {
        ":uuid~:count"
    } else {
        return if path.contains("/http:/") || path.contains("/https:/") {
            "/:url".to_owned()
        } else {
            path.to_owned()
        };
    };
    let named = !path.ends_with('/') && !rest.is_empty();
    let (last, rest) = match rest.split_last() {
        Some((_, rest)) if named => ("/:filename", rest),
        _ => ("/", rest),
    };
    let mut pattern = format!("/{subject}");
    let mut rest = rest.iter();
    while let Some(&piece) = rest.next() {
        pattern.push_str(match (piece, rest.as_slice().first().copied()) {
            ("nth", Some(_)) => "/nth/:index",
            ("archive", Some(_)) => "/archive/:kind",
            ("-", Some("inline")) => "/-/inline/:inline",
            ("-", _) => "/-/:operations",
            ("detect_faces", _) => "/detect_faces",
            ("gif2video", _) => "/gif2video",
            _ => return path.to_owned(),
        });
        match piece {
            "nth" | "archive" => drop(rest.next()),
            "-" => break,
            _ => {}
        }
    }
    pattern + last
}

impl Route {
    /// Whether a text means this endpoint: its pattern, with names after colons or in braces and with or without the slash at the end, or
    /// the beginning of it and a `*`. `path` is that of the request; it may be meant itself.
    pub(crate) fn is_meant(&self, text: &str, path: &str) -> bool {
        let text = with_colons(text);
        match text.strip_suffix('*') {
            Some(start) => self.pattern.starts_with(start) || path.starts_with(start),
            None => {
                [self.pattern.as_str(), path].iter().any(|own| own.trim_end_matches('/') == text.trim_end_matches('/'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_patterns() {
        let id = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
        let own = |path: &str| path.replace("ID", id);
        for (path, api, pattern) in [
            ("/base/", Api::Upload, "/base/"),
            ("/base", Api::Upload, "/base/"),
            ("//from_url//status", Api::Upload, "/from_url/status/"),
            ("/multipart/upload/ID/", Api::Part, "/multipart/upload/:uuid/"),
            ("/files/", Api::Rest, "/files/"),
            ("/files/storage/", Api::Rest, "/files/storage/"),
            ("/files/ID/", Api::Rest, "/files/:uuid/"),
            ("/files/ID/metadata/a", Api::Rest, "/files/:uuid/metadata/:key/"),
            ("/files/a/b/c/d/e", Api::Rest, "/files/a/b/c/d/e"),
            ("/", Api::Other, "/"),
            ("/health", Api::Other, "/health"),
            ("/ID/", Api::Cdn, "/:uuid/"),
            ("/ID", Api::Cdn, "/:uuid/"),
            ("/ID/a.jpg", Api::Cdn, "/:uuid/:filename"),
            ("/ID/-/preview/1x1/-/format/png/", Api::Cdn, "/:uuid/-/:operations/"),
            ("/ID/-/preview/a.jpg", Api::Cdn, "/:uuid/-/:operations/:filename"),
            ("/ID/-/inline/no/", Api::Cdn, "/:uuid/-/inline/:inline/"),
            ("/ID/gif2video/-/format/mp4/", Api::Cdn, "/:uuid/gif2video/-/:operations/"),
            ("/ID~2/", Api::Cdn, "/:uuid~:count/"),
            ("/ID~2/nth/0/-/preview/", Api::Cdn, "/:uuid~:count/nth/:index/-/:operations/"),
            ("/ID~2/archive/zip/a.zip", Api::Cdn, "/:uuid~:count/archive/:kind/:filename"),
            ("/-/preview/https://example.com/a.jpg", Api::Cdn, "/:url"),
            ("/robots.txt", Api::Cdn, "/robots.txt"),
        ] {
            assert_eq!(of(&own(path)), Route { api, pattern: own(pattern) }, "{path}");
        }
    }

    #[test]
    fn endpoints_are_named_in_several_ways() {
        let path = "/files/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/storage/";
        let route = of(path);
        for text in ["/files/:uuid/storage/", "/files/{uuid}/storage", "/files/*", "*", path] {
            assert!(route.is_meant(text, path), "{text}");
        }
        for text in ["", "/files/", "/files", "/groups/*", "files/*"] {
            assert!(!route.is_meant(text, path), "{text}");
        }
    }
}
