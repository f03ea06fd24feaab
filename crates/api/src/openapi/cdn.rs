//! What the document says of delivery, and of the pages around the APIs.

use utoipa::openapi::Responses;

use super::operation::{Answer, Body, Field, Kind, Said, find, json, operation_on, plain, required};
use super::schemas::Schemas;
use super::{CDN_SERVER, Draft};
use crate::{cdn, health, landing};

pub(super) const TAG: &str = "Delivery";
pub(super) const PAGES_TAG: &str = "Pages";

/// Describes every path and method of the door's table.
pub(super) fn describe(draft: &mut Draft) {
    for (path, method) in cdn::served() {
        let (Some(on), Some((said, name))) = (operation_on(method), find(SAID, path, method)) else { continue };
        let responses = responses(said.answers, &mut draft.schemas);
        let operation = said.operation(name, TAG, &on, responses, Vec::new());
        draft.add(path, on, Some(CDN_SERVER), operation);
    }
}

/// Describes the pages, which answer every method alike.
pub(super) fn describe_pages(draft: &mut Draft) {
    for (path, _) in crate::pages() {
        let (Some(on), Some((said, name))) = (operation_on("GET"), find(PAGES, path, "GET")) else { continue };
        let responses = responses(said.answers, &mut draft.schemas);
        let operation = said.operation(name, PAGES_TAG, &on, responses, Vec::new());
        draft.add(path, on, None, operation);
    }
}

fn responses(answers: &[Answer], schemas: &mut Schemas) -> Responses {
    let mut responses = Responses::new();
    for answer in answers {
        let response = answer.response(schemas);
        let told = responses.responses.entry(answer.status.to_string()).or_insert_with(|| response.clone().into());
        // The same in another media type.
        if let utoipa::openapi::RefOr::T(told) = told {
            told.content.extend(response.content);
        }
    }
    responses
}

const ID: Field = required("uuid", Kind::Uuid, "The id of the file.");
const NAME: Field = required("filename", Kind::Text, "Whatever name the file is to have when it is saved.");
const INLINE: Field =
    required("inline", Kind::OneOf(&["yes", "no"]), "Whether a browser shows the file or offers to save it.");

const ETAG: (&str, &str) = ("ETag", "Of the content.");
const MODIFIED: (&str, &str) = ("Last-Modified", "When it was uploaded.");
const CACHE: (&str, &str) = ("Cache-Control", "How long it may be kept elsewhere.");
const DISPOSITION: (&str, &str) = ("Content-Disposition", "Its name, and whether it is to be shown.");
const RANGES: (&str, &str) = ("Accept-Ranges", "`bytes`.");
const RANGE: (&str, &str) = ("Content-Range", "Which part it is.");

/// The answers to every form of address.
const DELIVERED: &[Answer] = &[
    Answer { headers: &[ETAG, MODIFIED, CACHE, DISPOSITION, RANGES], ..plain(200, "The original.", "*/*") },
    Answer {
        headers: &[ETAG, MODIFIED, CACHE, DISPOSITION, RANGES, RANGE],
        ..plain(206, "The part of it that `Range` asks for.", "*/*")
    },
    Answer {
        headers: &[ETAG, MODIFIED, CACHE],
        ..plain(304, "It is as `If-None-Match` or `If-Modified-Since` says.", "")
    },
    plain(400, "The address makes no sense, or asks for an operation: none is there yet.", "text/html"),
    plain(404, "There is no such file, or it was removed.", "text/html"),
    Answer { headers: &[RANGE], ..plain(416, "It has no such part.", "") },
    plain(500, "It cannot be read at the moment.", "text/html"),
];

const UNSAID: Said<&[Answer]> = Said {
    path: "",
    on: &[],
    summary: "Get a file",
    about: "`Range` may ask for one part of it.",
    at: &[],
    query: &[],
    body: Body::None,
    answers: DELIVERED,
};

pub(super) const SAID: &[Said<&[Answer]>] = &[
    Said { path: "/{uuid}/", on: &[("GET", "file")], at: &[ID], ..UNSAID },
    Said { path: "/{uuid}/{filename}", on: &[("GET", "fileWithName")], at: &[ID, NAME], ..UNSAID },
    Said { path: "/{uuid}/-/inline/{inline}/", on: &[("GET", "fileInline")], at: &[ID, INLINE], ..UNSAID },
    Said {
        path: "/{uuid}/-/inline/{inline}/{filename}",
        on: &[("GET", "fileInlineWithName")],
        at: &[ID, INLINE, NAME],
        ..UNSAID
    },
];

pub(super) const PAGES: &[Said<&[Answer]>] = &[
    Said {
        path: "/",
        on: &[("GET", "addresses")],
        summary: "See where the APIs are",
        about: "",
        answers: &[
            json(
                200,
                "The addresses of the APIs, as JSON where `Accept` asks for it.",
                Schemas::of::<landing::Page<'_>>,
            ),
            plain(200, "The addresses of the APIs, as JSON where `Accept` asks for it.", "text/plain"),
        ],
        ..UNSAID
    },
    Said {
        path: "/health",
        on: &[("GET", "health")],
        summary: "See whether the process lives",
        about: "",
        answers: &[plain(200, "It does.", "text/plain")],
        ..UNSAID
    },
    Said {
        path: "/ready",
        on: &[("GET", "readiness")],
        summary: "See whether the server can work",
        about: "",
        answers: &[
            json(200, "It can.", Schemas::of::<health::Readiness>),
            json(503, "It cannot; the log says why.", Schemas::of::<health::Readiness>),
        ],
        ..UNSAID
    },
    Said {
        path: "/openapi.json",
        on: &[("GET", "document")],
        summary: "This document",
        about: "",
        answers: &[plain(200, "An `OpenAPI` document.", "application/json")],
        ..UNSAID
    },
];
