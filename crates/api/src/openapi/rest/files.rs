//! What the document says of files and what belongs to them.

use stowage_model::metadata::{MAX_KEY_CHARS, MAX_VALUE_CHARS};
use stowage_model::rest::MAX_BATCH;
use stowage_model::storage::PatternError;
use stowage_model::{Metadata, Refusal, RestRefusal, RestVersion};
use stowage_views::rest::{Batch, Copied, FileInfo, Page, Sent};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema, SchemaFormat};

use super::super::operation::{Body, Field, Kind, Said, optional, required, text};
use super::super::schemas::Schemas;
use super::Answer::{self, Nothing, Shown};
use super::{Told, UNSAID};
use crate::rest::{TagsChanged, TagsShown};

const FILE: Field = required("uuid", Kind::Uuid, "The id of the file.");
const KEY: Field = required("key", Kind::Short(MAX_KEY_CHARS), "The key: letters, digits, `_`, `-`, `.` and `:`.");
pub(super) const APPDATA: Field = optional("include", Kind::OneOf(&["appdata"]), "0.7: what else is shown of a file.");
const REKOGNITION: Field =
    optional("add_fields", Kind::OneOf(&["rekognition_info"]), "0.6 and 0.5: what else is shown of a file.");
pub(super) const LIMIT: Field =
    optional("limit", Kind::Number { least: 1, most: 1000, usual: 100 }, "How many a page has at most.");
pub(super) const OFFSET: Field = optional("offset", Kind::Integer, "How many are skipped.");
pub(super) const FROM: Field =
    optional("from", Kind::Text, "Where the page begins: a time, or a size where files are sorted by it.");
pub(super) const TO: Field = optional("to", Kind::Text, "Where the page ends, if nothing says where it begins.");

fn file(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    schemas.file(version)
}

fn files(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    let lacks: &[&str] = if version == RestVersion::V07 { &[] } else { &["totals"] };
    schemas.shown::<Page<FileInfo<'_>>>(version, "FileList", lacks)
}

fn batch(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    schemas.shown::<Batch<'_>>(version, "FileBatch", &[])
}

fn copied(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    schemas.shown::<Copied<'_>>(version, "FileCopy", &[])
}

fn sent(schemas: &mut Schemas, _: RestVersion) -> RefOr<Schema> {
    schemas.of::<Sent<'_>>()
}

fn copied_or_sent(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    let either = OneOfBuilder::new().item(copied(schemas, version)).item(sent(schemas, version));
    RefOr::T(either.into())
}

fn tags(schemas: &mut Schemas, _: RestVersion) -> RefOr<Schema> {
    schemas.of::<TagsShown<'_>>()
}

fn changed_tags(schemas: &mut Schemas, _: RestVersion) -> RefOr<Schema> {
    schemas.of::<TagsChanged<'_>>()
}

fn value(_: &mut Schemas, _: RestVersion) -> RefOr<Schema> {
    text().into()
}

fn metadata_value() -> Schema {
    text().min_length(Some(1)).max_length(Some(MAX_VALUE_CHARS)).into()
}

fn uuids() -> Schema {
    let id = text().format(Some(SchemaFormat::Custom("uuid".to_owned())));
    ArrayBuilder::new().items(id).min_items(Some(1)).max_items(Some(MAX_BATCH)).into()
}

/// Why a batch is none.
fn no_batch() -> Vec<RestRefusal> {
    vec![RestRefusal::UuidsExpected, RestRefusal::UuidsEmpty, RestRefusal::UuidsTooMany]
}

const SOURCE: Field = required("source", Kind::Text, "The id or a delivery URL of the file.");
const STORE: Field = optional("store", Kind::Boolean, "Whether the copy is permanent; without a word it is not.");
const PUBLIC: Field =
    optional("make_public", Kind::Boolean, "Whether everybody may read the copy; without a word they may.");
const TARGET: &str = "The name of the storage.";
const PATTERN: Field = optional("pattern", Kind::Text, "The key of the copy; without a word that of the storage.");
const SENT: &[Answer] =
    &[Shown(201, "It was copied.", sent), Shown(200, "There is an object with this key; nothing was written.", sent)];

/// Why a file is not copied within the project.
fn not_copied() -> Vec<RestRefusal> {
    vec![
        RestRefusal::ObjectExpected,
        RestRefusal::SourceRequired,
        RestRefusal::SourceInvalid,
        RestRefusal::BooleanExpected("store"),
        RestRefusal::NotFound,
        RestRefusal::CannotProcess(String::new()),
        RestRefusal::CopyTooLarge,
        Refusal::AccountBlocked.into(),
        Refusal::AccountUnpaid.into(),
        Refusal::AccountLimitsExceeded.into(),
        Refusal::UploadFailed.into(),
    ]
}

/// Why a file is not copied to a storage.
fn not_sent() -> Vec<RestRefusal> {
    vec![
        RestRefusal::ObjectExpected,
        RestRefusal::SourceRequired,
        RestRefusal::SourceInvalid,
        RestRefusal::BooleanExpected("make_public"),
        RestRefusal::NotFound,
        RestRefusal::StorageNotFound,
        RestRefusal::PatternInvalid("`PATTERN`".to_owned()),
        RestRefusal::PatternInvalid(PatternError::Character.to_string()),
        RestRefusal::CannotProcess(String::new()),
        RestRefusal::CopyTooLarge,
        RestRefusal::StorageRefused { storage: "NAME".to_owned(), code: "CODE".to_owned() },
        RestRefusal::StorageUnavailable { storage: "NAME".to_owned(), retry_after: 10 },
    ]
}

pub(super) const SAID: &[Said<Told>] = &[
    Said {
        path: "/files/",
        on: &[("GET", "filesList")],
        summary: "List files",
        about: "A page says where its neighbours are. `from` and `to` are exclusive; times of a project are unique.",
        query: &[
            optional("removed", Kind::Boolean, "Whether removed files are listed, instead of those that are not."),
            optional("stored", Kind::Boolean, "Whether permanent or temporary files are listed, instead of both."),
            optional(
                "ordering",
                Kind::OneOf(&["datetime_uploaded", "-datetime_uploaded", "size", "-size"]),
                "In which order; by size in 0.6 and 0.5 only.",
            ),
            FROM,
            TO,
            LIMIT,
            OFFSET,
            APPDATA,
            REKOGNITION,
        ],
        answers: Told {
            answers: &[Shown(200, "A page.", files)],
            refusals: || {
                vec![
                    RestRefusal::BooleanExpected("stored"),
                    RestRefusal::OrderingUnknown("`datetime_uploaded`, `-datetime_uploaded`"),
                    RestRefusal::TimeExpected("from"),
                    RestRefusal::SizeExpected("from"),
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/files/",
        on: &[("POST", "createCopy")],
        summary: "Copy a file",
        about: "Within the project, or to a storage where `target` names one.",
        body: Body::Object(&[SOURCE, STORE, optional("target", Kind::Text, TARGET), PUBLIC, PATTERN]),
        answers: Told {
            answers: &[
                Shown(201, "The copy, as if its content were not known yet; or where it is.", copied_or_sent),
                Shown(200, "There is an object with this key; nothing was written.", sent),
            ],
            refusals: || [not_copied(), not_sent()].concat(),
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/",
        on: &[("GET", "fileInfo")],
        summary: "Look at a file",
        about: "Removed files can be seen for a while.",
        at: &[FILE],
        query: &[APPDATA, REKOGNITION],
        answers: Told { answers: &[Shown(200, "The file.", file)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/",
        on: &[("DELETE", "deleteFile")],
        summary: "Remove a file",
        at: &[FILE],
        query: &[APPDATA, REKOGNITION],
        answers: Told {
            answers: &[Shown(200, "The file as it is now.", file)],
            refusals: || vec![RestRefusal::NotFound],
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/storage/",
        on: &[("PUT", "storeFile"), ("POST", "storeFileByPost")],
        summary: "Store a file",
        about: "Makes it permanent, and brings it back where it was removed a short while ago.",
        at: &[FILE],
        query: &[APPDATA, REKOGNITION],
        answers: Told {
            answers: &[Shown(200, "The file as it is now.", file)],
            refusals: || vec![RestRefusal::NotFound],
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/storage/",
        on: &[("DELETE", "deleteFileStorage"), ("GET", "fileStorageInfo")],
        summary: "Remove a file, or look at it",
        about: "The same as under its own address.",
        at: &[FILE],
        query: &[APPDATA, REKOGNITION],
        answers: Told {
            answers: &[Shown(200, "The file as it is now.", file)],
            refusals: || vec![RestRefusal::NotFound],
        },
        ..UNSAID
    },
    Said {
        path: "/files/storage/",
        on: &[("PUT", "filesStoring")],
        summary: "Store many files",
        query: &[APPDATA, REKOGNITION],
        body: Body::Json(uuids),
        answers: Told {
            answers: &[Shown(200, "The files as they are now, by upload time.", batch)],
            refusals: no_batch,
        },
        ..UNSAID
    },
    Said {
        path: "/files/storage/",
        on: &[("DELETE", "filesDelete")],
        summary: "Remove many files",
        query: &[APPDATA, REKOGNITION],
        body: Body::Json(uuids),
        answers: Told {
            answers: &[Shown(200, "The files as they are now, by upload time.", batch)],
            refusals: no_batch,
        },
        ..UNSAID
    },
    Said {
        path: "/files/local_copy/",
        on: &[("POST", "createLocalCopy")],
        summary: "Copy a file within its project",
        about: "`Warning` tells of metadata that could not be given to the copy.",
        body: Body::Object(&[
            SOURCE,
            STORE,
            optional("metadata", Kind::TextsByKey, "0.7: metadata of the copy, over that of the file."),
        ]),
        answers: Told {
            answers: &[Shown(201, "The copy, as if its content were not known yet.", copied)],
            refusals: || [not_copied(), vec![RestRefusal::TextsByKeyExpected("metadata")]].concat(),
        },
        ..UNSAID
    },
    Said {
        path: "/files/remote_copy/",
        on: &[("POST", "createRemoteCopy")],
        summary: "Copy a file to a storage",
        about: "Waits for the copy. Copies that take very long are answered for before they are made; they go on.",
        body: Body::Object(&[SOURCE, required("target", Kind::Text, TARGET), PUBLIC, PATTERN]),
        answers: Told { answers: SENT, refusals: not_sent },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/metadata/",
        on: &[("GET", "fileMetadata")],
        summary: "Look at the metadata of a file",
        at: &[FILE],
        answers: Told {
            answers: &[Shown(200, "The metadata.", |schemas, _| schemas.of::<Metadata>())],
            refusals: || vec![RestRefusal::NotFound],
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/metadata/{key}/",
        on: &[("GET", "fileMetadataKey")],
        summary: "Look at the value of a metadata key",
        at: &[FILE, KEY],
        answers: Told { answers: &[Shown(200, "The value.", value)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/metadata/{key}/",
        on: &[("PUT", "updateFileMetadataKey")],
        summary: "Set the value of a metadata key",
        at: &[FILE, KEY],
        body: Body::Json(metadata_value),
        answers: Told {
            answers: &[Shown(200, "The value.", value), Shown(201, "The value of a key that is new.", value)],
            refusals: || {
                let key = || "key".to_owned();
                vec![
                    RestRefusal::StringExpected,
                    Refusal::FileMetadataKeyForbidden(key()).into(),
                    Refusal::FileMetadataKeyLengthTooBig(key()).into(),
                    Refusal::FileMetadataValueEmpty(key()).into(),
                    Refusal::FileMetadataValueForbidden(key()).into(),
                    Refusal::FileMetadataValueLengthTooBig(key()).into(),
                    Refusal::FileMetadataKeysNumberTooBig.into(),
                    RestRefusal::NotFound,
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/metadata/{key}/",
        on: &[("DELETE", "deleteFileMetadataKey")],
        summary: "Take a metadata key away",
        at: &[FILE, KEY],
        answers: Told { answers: &[Nothing("It is gone.")], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/tags/",
        on: &[("GET", "fileTags")],
        summary: "Look at the tags of a file",
        at: &[FILE],
        answers: Told { answers: &[Shown(200, "The tags.", tags)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/tags/",
        on: &[("PUT", "replaceFileTags")],
        summary: "Set the tags of a file",
        at: &[FILE],
        body: Body::Object(&[required("tags", Kind::Texts, "All that it is to have.")]),
        answers: Told {
            answers: &[Shown(200, "The tags, and what has changed.", changed_tags)],
            refusals: || not_tagged("tags"),
        },
        ..UNSAID
    },
    Said {
        path: "/files/{uuid}/tags/",
        on: &[("PATCH", "changeFileTags")],
        summary: "Give tags to a file and take others away",
        at: &[FILE],
        body: Body::Object(&[
            optional("add", Kind::Texts, "Those that it is to have."),
            optional("delete", Kind::Texts, "Those that it is to lose, before it gets the others."),
        ]),
        answers: Told {
            answers: &[Shown(200, "The tags, and what has changed.", changed_tags)],
            refusals: || not_tagged("add"),
        },
        ..UNSAID
    },
];

/// Why the tags of a file are not changed.
fn not_tagged(member: &'static str) -> Vec<RestRefusal> {
    vec![
        RestRefusal::ObjectExpected,
        RestRefusal::TextsExpected(member),
        Refusal::UploadViews("Tag `a b` contains forbidden characters.".to_owned()).into(),
        RestRefusal::NotFound,
    ]
}
