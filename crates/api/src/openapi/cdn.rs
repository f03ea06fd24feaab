//! What the document says of delivery, and of the pages around the APIs.

use utoipa::openapi::Responses;

use super::operation::{Answer, Body, Field, Kind, Said, find, json, operation_on, optional, plain, required};
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

const OPERATIONS: Field = required(
    "operations",
    Kind::Text,
    "Operations with their parameters, parted by `/-/`, like `resize/400x/-/format/png`: any number of pieces. With `json`, `jsonp` or \
     `main_colors` at the end the facts of the picture.",
);
const COUNT: Field = required("count", Kind::Integer, "How many files the group has: the id of a group ends with it.");
const GROUP: Field = required("uuid", Kind::Uuid, "The beginning of the id of the group.");
const INDEX: Field = required("index", Kind::Integer, "The place of the file, counted from 0.");
const KIND: Field = required("kind", Kind::OneOf(&["zip", "tar"]), "The form of the archive.");
const TOKEN: Field = optional("token", Kind::Text, "Opens addresses of projects with signed delivery.");

const FORBIDDEN: Answer =
    plain(403, "The project wants a token, and this is none that opens the address.", "text/html");
const MISSING: Answer = plain(404, "There is no such file or group, or it was removed.", "text/html");
const FAILED: Answer = plain(500, "It cannot be read or made at the moment.", "text/html");
const BUSY: Answer = Answer {
    headers: &[("Retry-After", "Seconds.")],
    ..plain(503, "There is too much to compute at the moment, or it took too long.", "text/html")
};

/// The answers to addresses of what is made of a picture.
const MADE: &[Answer] = &[
    Answer { headers: &[ETAG, CACHE, RANGES], ..plain(200, "What was made of the file.", "*/*") },
    Answer { headers: &[ETAG, CACHE, RANGES, RANGE], ..plain(206, "The part of it that `Range` asks for.", "*/*") },
    Answer { headers: &[ETAG, CACHE], ..plain(304, "It is as `If-None-Match` says.", "") },
    plain(400, "The operations make no sense, or not for this file; the page says why.", "text/html"),
    FORBIDDEN,
    plain(404, "There is no such file, or it was removed; or that of an overlay.", "text/html"),
    Answer { headers: &[RANGE], ..plain(416, "It has no such part.", "") },
    FAILED,
    BUSY,
];

/// The answers to the address of a group.
const LISTED: &[Answer] = &[
    Answer { headers: &[CACHE], ..plain(200, "The files of the group with their addresses.", "text/html") },
    Answer { headers: &[CACHE], ..plain(200, "The files of the group with their addresses.", "application/json") },
    plain(400, "Operations are asked of the group itself.", "text/html"),
    FORBIDDEN,
    MISSING,
    FAILED,
];

/// The answers to the address of an archive.
const ARCHIVED: &[Answer] = &[
    Answer { headers: &[CACHE, DISPOSITION], ..plain(200, "The files of the group in an archive.", "*/*") },
    plain(400, "The files are too large for an archive.", "text/html"),
    FORBIDDEN,
    plain(404, "There is no such group, or a file of it was removed.", "text/html"),
    FAILED,
];

/// The answers to every form of address that leads to an original.
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
    plain(400, "The address makes no sense.", "text/html"),
    FORBIDDEN,
    plain(404, "There is no such file, or it was removed.", "text/html"),
    Answer { headers: &[RANGE], ..plain(416, "It has no such part.", "") },
    FAILED,
];

const UNSAID: Said<&[Answer]> = Said {
    path: "",
    on: &[],
    summary: "Get a file",
    about: "`Range` may ask for one part of it.",
    at: &[],
    query: &[TOKEN],
    body: Body::None,
    answers: DELIVERED,
};

const MAKES: Said<&[Answer]> =
    Said { summary: "Get a picture as the operations make it, or its facts", answers: MADE, ..UNSAID };

const ARCHIVES: Said<&[Answer]> = Said {
    summary: "Get all files of a group",
    about: "As they were uploaded, without operations.",
    answers: ARCHIVED,
    ..UNSAID
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
    Said { path: "/{uuid}/-/{operations}/", on: &[("GET", "picture")], at: &[ID, OPERATIONS], ..MAKES },
    Said {
        path: "/{uuid}/-/{operations}/{filename}",
        on: &[("GET", "pictureWithName")],
        at: &[ID, OPERATIONS, NAME],
        ..MAKES
    },
    Said {
        path: "/{uuid}/detect_faces/",
        on: &[("GET", "faces")],
        summary: "Find faces",
        about: "",
        at: &[ID],
        ..MAKES
    },
    Said {
        path: "/{uuid}/gif2video/",
        on: &[("GET", "video")],
        summary: "Get a video of an animated picture",
        about: "Operations may follow: `format`, `quality`, `preview`, `resize`, `crop`, `scale_crop`.",
        at: &[ID],
        ..MAKES
    },
    Said {
        path: "/{uuid}~{count}/",
        on: &[("GET", "group")],
        summary: "See the files of a group",
        about: "As JSON where `Accept` prefers that.",
        at: &[GROUP, COUNT],
        answers: LISTED,
        ..UNSAID
    },
    Said {
        path: "/{uuid}~{count}/nth/{index}/",
        on: &[("GET", "groupFile")],
        summary: "Get a file of a group",
        about: "With the operations with which it was put in. Whatever may follow the id of a file may follow here.",
        at: &[GROUP, COUNT, INDEX],
        ..MAKES
    },
    Said { path: "/{uuid}~{count}/archive/{kind}/", on: &[("GET", "archive")], at: &[GROUP, COUNT, KIND], ..ARCHIVES },
    Said {
        path: "/{uuid}~{count}/archive/{kind}/{filename}",
        on: &[("GET", "archiveWithName")],
        at: &[GROUP, COUNT, KIND, NAME],
        ..ARCHIVES
    },
];

const PAGE: Said<&[Answer]> = Said { query: &[], ..UNSAID };

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
        ..PAGE
    },
    Said {
        path: "/health",
        on: &[("GET", "health")],
        summary: "See whether the process lives",
        about: "",
        answers: &[plain(200, "It does.", "text/plain")],
        ..PAGE
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
        ..PAGE
    },
    Said {
        path: "/openapi.json",
        on: &[("GET", "document")],
        summary: "This document",
        about: "",
        answers: &[plain(200, "An `OpenAPI` document.", "application/json")],
        ..PAGE
    },
];
