//! What the document says of each endpoint of the upload door.

use stowage_model::multipart::{MAX_PART_SIZE, MIN_FILE_SIZE, MIN_PART_SIZE};
use stowage_model::{Refusal, group};
use stowage_views::upload::{FileInfo, FileInfoAs, GroupInfo};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::super::operation::{Answer, Body, Field, Kind, Said, json, optional, plain, required, text};
use super::super::schemas::Schemas;
use super::refusals::{allowed, always, attached, checked, keyed, tokened};
use super::{Proof, Told};
use crate::upload::{Begun, Ids, Started, Status, Success};

const KEY: &str = "The public key of the project; may be missing where an access token says it.";
const UPPER_KEY: Field = optional("UPLOADCARE_PUB_KEY", Kind::Text, KEY);
const LOWER_KEY: Field = optional("pub_key", Kind::Text, KEY);
const STORE_WORDS: Kind = Kind::OneOf(&["0", "1", "auto"]);
const STORE: Field = optional(
    "UPLOADCARE_STORE",
    STORE_WORDS,
    "Whether the file is permanent: `auto` leaves it to the project. Without a word it is as the project says, usually not.",
);
const METADATA: Field = optional("metadata", Kind::TextsByKey, "What is to be attached to the file.");
const TAGS: Field = optional("tags", Kind::Text, "Tags, separated by commas.");
const SOURCE: Field = optional("source", Kind::Text, "Where the file comes from (`local`, `url`, …), for the log.");
const SIGNATURE: Field = optional("signature", Kind::Text, "The signature, where the project wants one.");
const EXPIRE: Field =
    optional("expire", Kind::Integer, "Until when the signature is good: seconds since 1970. Belongs to `signature`.");
const JSON_ERRORS: Field = optional(
    "jsonerrors",
    Kind::Text,
    "Anything: refusals come with status 200 and as JSON. `Accept` may ask as well.",
);

const NO_CONTENT_TYPE: &str = "";

/// What an entry leaves out.
const UNSAID: Said<Told> = Said {
    path: "",
    on: &[],
    summary: "",
    about: "",
    at: &[],
    query: &[],
    body: Body::None,
    answers: Told { answers: &[], refusals: Vec::new, proof: Proof::None },
};

/// Where web components look for social sources, which are none of ours.
const SOCIAL: Said<Told> = Said {
    summary: "Look for a social source",
    about: "Dropbox, Google Drive and the like are services of the vendor's own cloud.",
    at: &[required("source", Kind::Text, "Which one.")],
    answers: Told { answers: &[plain(501, "A page that says so.", "text/html")], ..UNSAID.answers },
    ..UNSAID
};

pub(in super::super) const SAID: &[Said<Told>] = &[
    Said {
        path: "/base/",
        on: &[("POST", "baseUpload")],
        summary: "Upload files in one request",
        about: "Every part of the form that has a file name is a file, whatever it is called; the answer shows their ids by these names.",
        body: Body::Files(&[
            UPPER_KEY,
            STORE,
            required("file", Kind::File, "A file; there may be others under other names."),
            METADATA,
            TAGS,
            optional("UPLOADCARE_FILE_ID", Kind::Uuid, "The id of the file, where the project lets requests choose."),
            SOURCE,
            SIGNATURE,
            EXPIRE,
            JSON_ERRORS,
        ]),
        answers: Told {
            answers: &[json(200, "The ids of the files, or a refusal as JSON.", Schemas::of::<Ids>)],
            refusals: || {
                let own = vec![
                    Refusal::FilesRequired,
                    Refusal::FileSizeLimitExceeded,
                    Refusal::RequestFileNumberLimitExceeded,
                    Refusal::UploadcareFileIdDuplicated,
                    Refusal::UploadcareFileIdInvalid,
                ];
                [always(), keyed("UPLOADCARE_PUB_KEY"), allowed(), attached(), checked(), own].concat()
            },
            proof: Proof::Signature,
        },
        ..UNSAID
    },
    Said {
        path: "/info/",
        on: &[("GET", "fileUploadInfo")],
        summary: "Look at a file",
        query: &[LOWER_KEY, required("file_id", Kind::Uuid, "The id of the file."), JSON_ERRORS],
        answers: Told {
            answers: &[json(200, "The file, or a refusal as JSON.", Schemas::of::<FileInfo<'_>>)],
            refusals: || {
                let own = vec![Refusal::FileIdRequired, Refusal::FileIdInvalid, Refusal::FileNotFound];
                [always(), keyed("pub_key"), tokened(), own].concat()
            },
            proof: Proof::Token,
        },
        ..UNSAID
    },
    Said {
        path: "/multipart/start/",
        on: &[("POST", "multipartFileUploadStart")],
        summary: "Begin an upload in parts",
        about: "Each part is then sent with `PUT` to its URL, in any order, and several at a time; all but the last are `part_size` long.",
        body: Body::Form(&[
            UPPER_KEY,
            required("filename", Kind::Text, "The name of the file."),
            required("size", Kind::Other(file_size), "Its length in bytes."),
            required("content_type", Kind::Text, "Its type."),
            optional("part_size", Kind::Other(part_size), "How long a part is, in bytes."),
            STORE,
            METADATA,
            TAGS,
            SOURCE,
            SIGNATURE,
            EXPIRE,
            JSON_ERRORS,
        ]),
        answers: Told {
            answers: &[json(
                200,
                "The upload and the URLs of its parts, or a refusal as JSON.",
                Schemas::of::<Started>,
            )],
            refusals: || {
                let own = vec![
                    Refusal::RequestParamRequired("filename"),
                    Refusal::MultipartSizeInvalid,
                    Refusal::MultipartFileSizeLimitExceeded,
                    Refusal::MultipartFileSizeTooSmall,
                    Refusal::MultipartPartSizeInvalid,
                    Refusal::MultipartPartSizeTooBig,
                    Refusal::MultipartPartSizeTooSmall(MIN_PART_SIZE),
                ];
                [always(), keyed("UPLOADCARE_PUB_KEY"), allowed(), attached(), own].concat()
            },
            proof: Proof::Signature,
        },
        ..UNSAID
    },
    Said {
        path: "/multipart/upload/{uuid}/",
        on: &[("PUT", "multipartFileUploadPart")],
        summary: "Send a part",
        about: "Under the URL that the start has answered, as it is. Where blobs are in S3, these URLs may lead there.",
        at: &[required("uuid", Kind::Uuid, "The id of the upload.")],
        query: &[
            required("partNumber", Kind::Integer, "Which part it is, from 1 on."),
            required("exp", Kind::Integer, "Until when the URL is good: seconds since 1970."),
            required("sig", Kind::Text, "The signature of the URL."),
        ],
        body: Body::Bytes,
        answers: Told {
            answers: &[
                Answer {
                    headers: &[("ETag", "Of the part.")],
                    ..plain(200, "The part has been taken.", NO_CONTENT_TYPE)
                },
                plain(403, "The URL is not one of ours, or its time is over.", "text/plain"),
                plain(408, "The part did not arrive in time.", "text/plain"),
                plain(507, "No space is left.", "text/plain"),
            ],
            refusals: || {
                vec![
                    Refusal::MultipartFileNotFound,
                    Refusal::MultipartFileAlreadyUploaded,
                    Refusal::RequestSizeLimitExceeded,
                    Refusal::UploadApi,
                ]
            },
            proof: Proof::None,
        },
    },
    Said {
        path: "/multipart/complete/",
        on: &[("POST", "multipartFileUploadComplete")],
        summary: "End an upload in parts",
        body: Body::Form(&[UPPER_KEY, required("uuid", Kind::Uuid, "The id of the upload."), JSON_ERRORS]),
        answers: Told {
            answers: &[json(200, "The file, or a refusal as JSON.", Schemas::of::<FileInfo<'_>>)],
            refusals: || {
                let own = vec![
                    Refusal::MultipartFileIdRequired,
                    Refusal::UuidInvalid,
                    Refusal::MultipartFileNotFound,
                    Refusal::MultipartFileAlreadyUploaded,
                    Refusal::MultipartUploadSizeTooSmall,
                    Refusal::MultipartUploadSizeTooLarge,
                    Refusal::MultipartFileCompletionFailed,
                    Refusal::UploadFailed,
                ];
                [always(), keyed("UPLOADCARE_PUB_KEY"), tokened(), checked(), own].concat()
            },
            proof: Proof::Token,
        },
        ..UNSAID
    },
    Said {
        path: "/from_url/",
        on: &[("GET", "fromURLUploadByGet"), ("POST", "fromURLUpload")],
        summary: "Upload a file from a URL",
        about: "The file is fetched later; its token tells how far that is.",
        body: Body::Form(&[
            LOWER_KEY,
            required("source_url", Kind::Uri, "Where the file is: http or https, at a public address."),
            optional("store", STORE_WORDS, "Whether the file is permanent; without a word it is not."),
            optional("filename", Kind::Text, "The name of the file, in the place of the one that its server says."),
            optional(
                "check_URL_duplicates",
                Kind::OneOf(&["0", "1"]),
                "Whether a file fetched from this URL before will do.",
            ),
            optional("save_URL_duplicates", Kind::OneOf(&["0", "1"]), "Whether the URL is remembered for that."),
            METADATA,
            TAGS,
            SOURCE,
            SIGNATURE,
            EXPIRE,
            JSON_ERRORS,
        ]),
        answers: Told {
            answers: &[json(
                200,
                "The token of the upload, or the file where one fetched before will do, or a refusal as JSON.",
                |schemas| {
                    let either = OneOfBuilder::new().item(schemas.of::<Begun>());
                    either.item(schemas.of::<FileInfoAs<'_>>()).into()
                },
            )],
            refusals: || {
                let own = vec![
                    Refusal::SourceUrlRequired,
                    Refusal::HostnameNotFound,
                    Refusal::UrlBlacklisted,
                    Refusal::UrlHostMalformed,
                    Refusal::UrlHostPrivateIpForbidden,
                    Refusal::UrlHostRequired,
                    Refusal::UrlParsingFailed,
                    Refusal::UrlSchemeInvalid,
                    Refusal::UrlSchemeRequired,
                    Refusal::UrlValidation,
                ];
                [always(), keyed("pub_key"), allowed(), attached(), own].concat()
            },
            proof: Proof::Signature,
        },
        ..UNSAID
    },
    Said {
        path: "/from_url/status/",
        on: &[("GET", "fromURLUploadStatus"), ("POST", "fromURLUploadStatusByPost")],
        summary: "See how far an upload from a URL is",
        body: Body::Form(&[required("token", Kind::Text, "What the upload has answered."), JSON_ERRORS]),
        answers: Told {
            answers: &[json(200, "How far it is, or the file, or a refusal as JSON.", |schemas| {
                OneOfBuilder::new().item(schemas.of::<Status>()).item(schemas.of::<Success<'_>>()).into()
            })],
            refusals: || [always(), vec![Refusal::TokenRequired, Refusal::NullCharactersForbidden]].concat(),
            proof: Proof::None,
        },
        ..UNSAID
    },
    Said {
        path: "/group/",
        on: &[("GET", "createFilesGroupByGet"), ("POST", "createFilesGroup")],
        summary: "Make a group of files",
        body: Body::Form(&[
            LOWER_KEY,
            required(
                "files[]",
                Kind::Other(group_files),
                "Ids or delivery URLs of files, with operations or without; `files[0]`, `files[1]`, … will do as well.",
            ),
            SIGNATURE,
            EXPIRE,
            JSON_ERRORS,
        ]),
        answers: Told {
            answers: &[json(200, "The group, or a refusal as JSON.", Schemas::of::<GroupInfo<'_>>)],
            refusals: || {
                let own = vec![
                    Refusal::GroupFilesInvalid,
                    Refusal::FilesNumberLimitExceeded,
                    Refusal::GroupFileUrlParsingFailed("x".to_owned()),
                    Refusal::GroupFilesNotFound,
                ];
                [always(), keyed("pub_key"), allowed(), own].concat()
            },
            proof: Proof::Signature,
        },
        ..UNSAID
    },
    Said {
        path: "/group/info/",
        on: &[("GET", "filesGroupInfo")],
        summary: "Look at a group",
        query: &[LOWER_KEY, required("group_id", Kind::Text, "The id of the group: `UUID~N`."), JSON_ERRORS],
        answers: Told {
            answers: &[json(200, "The group, or a refusal as JSON.", Schemas::of::<GroupInfo<'_>>)],
            refusals: || {
                let own = vec![Refusal::GroupIdRequired, Refusal::GroupNotFound];
                [always(), keyed("pub_key"), tokened(), own].concat()
            },
            proof: Proof::Token,
        },
        ..UNSAID
    },
    Said { path: "/window3/{source}", on: &[("GET", "socialSource3")], ..SOCIAL },
    Said { path: "/window4/{source}", on: &[("GET", "socialSource4")], ..SOCIAL },
];

fn bytes(least: u64, most: Option<u64>) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least as f64));
    object.maximum(most.map(|most| most as f64))
}

fn file_size() -> Schema {
    bytes(MIN_FILE_SIZE, None).into()
}

fn part_size() -> Schema {
    bytes(MIN_PART_SIZE, Some(MAX_PART_SIZE)).default(Some(MIN_PART_SIZE.into())).into()
}

fn group_files() -> Schema {
    ArrayBuilder::new().items(text()).min_items(Some(1)).max_items(Some(group::MAX_FILES)).into()
}
