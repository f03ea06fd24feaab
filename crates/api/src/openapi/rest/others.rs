//! What the document says of groups, webhooks, the project, conversion and add-ons.

use stowage_model::webhook::{MAX_SECRET_CHARS, MAX_TARGET_CHARS};
use stowage_model::{EventKind, RestRefusal, RestVersion};
use stowage_views::rest::{GroupInfo, Page, ProjectInfo, WebhookInfo};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::super::operation::{Body, Field, Kind, Said, optional, required, text};
use super::super::schemas::Schemas;
use super::Answer::{Nothing, Plain, Shown};
use super::files::{FROM, LIMIT, OFFSET, TO};
use super::{Told, UNSAID};
use crate::rest::AddonStatus;

const GROUP: Field = required("id", Kind::Text, "The id of the group: `UUID~N`.");
const WEBHOOK: Field = required("id", Kind::Integer, "The id of the webhook.");

fn group(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    schemas.shown::<GroupInfo<'_>>(version, "Group", dated(version))
}

fn groups(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    let lacks: Vec<&str> = [&["files"], dated(version)].concat();
    schemas.shown::<GroupInfo<'_>>(version, "GroupListed", &lacks);
    schemas.shown::<Page<GroupInfo<'_>>>(version, "GroupList", &["totals"])
}

/// Since 0.7 groups do not say when they were stored.
fn dated(version: RestVersion) -> &'static [&'static str] {
    if version == RestVersion::V07 { &["datetime_stored"] } else { &[] }
}

fn webhook(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    let lacks: &[&str] = match version {
        RestVersion::V07 => &[],
        RestVersion::V06 => &["version"],
        RestVersion::V05 => &["version", "signing_secret"],
    };
    schemas.shown::<WebhookInfo<'_>>(version, "Webhook", lacks)
}

fn webhooks(schemas: &mut Schemas, version: RestVersion) -> RefOr<Schema> {
    ArrayBuilder::new().items(webhook(schemas, version)).into()
}

fn target() -> Schema {
    text().max_length(Some(MAX_TARGET_CHARS)).into()
}

fn event() -> Schema {
    EventKind::schema().into()
}

fn secret() -> Schema {
    let text = text().max_length(Some(MAX_SECRET_CHARS));
    OneOfBuilder::new().item(text).item(ObjectBuilder::new().schema_type(Type::Null)).build().into()
}

const ACTIVE: Field = optional("is_active", Kind::Boolean, "Whether it is told anything; without a word it is.");
const SECRET: Field =
    optional("signing_secret", Kind::Other(secret), "With what payloads are signed; null for not at all.");

const NEW_WEBHOOK: Body = Body::Object(&[
    required("target_url", Kind::Other(target), "Where it is told: an http or https URL at a public address."),
    optional(
        "event",
        Kind::Other(event),
        "Of what it is told; must be there in 0.7. 0.6 and 0.5 have `file.uploaded` alone.",
    ),
    ACTIVE,
    SECRET,
    optional("version", Kind::OneOf(&["0.5", "0.6", "0.7"]), "How it is told: by the version of the request."),
]);

/// Why a webhook is not made.
fn not_made() -> Vec<RestRefusal> {
    [vec![RestRefusal::TargetUrlMissing, RestRefusal::EventRequired, RestRefusal::WebhooksTooMany], not_set()].concat()
}

/// Why a webhook is not changed to this.
fn not_set() -> Vec<RestRefusal> {
    vec![
        RestRefusal::ObjectExpected,
        RestRefusal::TargetUrlInvalid,
        RestRefusal::TargetUrlTooLong,
        RestRefusal::TargetUrlPrivate,
        RestRefusal::EventUnknown("file.other".to_owned()),
        RestRefusal::ActiveInvalid,
        RestRefusal::SigningSecretInvalid,
        RestRefusal::SigningSecretTooLong,
        RestRefusal::WebhookVersionInvalid,
        RestRefusal::WebhookDuplicated,
    ]
}

fn paths() -> Schema {
    ArrayBuilder::new().items(text()).min_items(Some(1)).into()
}

const PATHS: Field = required("paths", Kind::Other(paths), "Files, each with what is to be made of it.");
const STORE: Field = optional("store", Kind::Boolean, "Whether what is made is permanent.");
const TOKEN: Field = required("token", Kind::Text, "The token of the job.");
const ADDON: Field = required(
    "name",
    Kind::OneOf(&[
        "uc_clamav_virus_scan",
        "aws_rekognition_detect_labels",
        "aws_rekognition_detect_moderation_labels",
        "remove_bg",
    ]),
    "The add-on.",
);
const NOT_YET: &str = "Nothing here converts yet, so that everything is refused as for projects without the feature.";

pub(super) const SAID: &[Said<Told>] = &[
    Said {
        path: "/groups/",
        on: &[("GET", "groupsList")],
        summary: "List groups",
        about: "Without their files.",
        query: &[
            optional("ordering", Kind::OneOf(&["datetime_created", "-datetime_created"]), "In which order."),
            FROM,
            TO,
            LIMIT,
            OFFSET,
        ],
        answers: Told {
            answers: &[Shown(200, "A page.", groups)],
            refusals: || {
                vec![
                    RestRefusal::OrderingUnknown("`datetime_created`, `-datetime_created`"),
                    RestRefusal::TimeExpected("from"),
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/groups/{id}/",
        on: &[("GET", "groupInfo")],
        summary: "Look at a group",
        at: &[GROUP],
        answers: Told { answers: &[Shown(200, "The group.", group)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/groups/{id}/",
        on: &[("DELETE", "deleteGroup")],
        summary: "Delete a group",
        about: "Its files stay.",
        at: &[GROUP],
        answers: Told { answers: &[Nothing("It is gone.")], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/groups/{id}/storage/",
        on: &[("PUT", "storeGroup")],
        summary: "Store the files of a group",
        at: &[GROUP],
        answers: Told { answers: &[Shown(200, "The group.", group)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/webhooks/",
        on: &[("GET", "webhooksList")],
        summary: "List webhooks",
        answers: Told { answers: &[Shown(200, "All, the newest first.", webhooks)], refusals: Vec::new },
        ..UNSAID
    },
    Said {
        path: "/webhooks/",
        on: &[("POST", "webhookCreate")],
        summary: "Make a webhook",
        body: NEW_WEBHOOK,
        answers: Told { answers: &[Shown(201, "The webhook.", webhook)], refusals: not_made },
        ..UNSAID
    },
    Said {
        path: "/webhooks/create/",
        on: &[("POST", "webhookCreateOld")],
        summary: "Make a webhook",
        about: "The same as under `/webhooks/`.",
        body: NEW_WEBHOOK,
        answers: Told { answers: &[Shown(201, "The webhook.", webhook)], refusals: not_made },
        ..UNSAID
    },
    Said {
        path: "/webhooks/unsubscribe/",
        on: &[("DELETE", "webhookUnsubscribe")],
        summary: "Delete the webhooks of a target",
        body: Body::Object(&[required("target_url", Kind::Text, "The target.")]),
        answers: Told {
            answers: &[Nothing("There is none for this target, or none any more.")],
            refusals: || vec![RestRefusal::ObjectExpected, RestRefusal::TargetUrlMissing],
        },
        ..UNSAID
    },
    Said {
        path: "/webhooks/{id}/",
        on: &[("GET", "webhookInfo")],
        summary: "Look at a webhook",
        at: &[WEBHOOK],
        answers: Told { answers: &[Shown(200, "The webhook.", webhook)], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/webhooks/{id}/",
        on: &[("PUT", "updateWebhook"), ("POST", "updateWebhookByPost")],
        summary: "Change a webhook",
        about: "What is not said stays as it is.",
        at: &[WEBHOOK],
        body: Body::Object(&[
            optional("target_url", Kind::Other(target), "Where it is told."),
            optional("event", Kind::Other(event), "Of what it is told."),
            optional("is_active", Kind::Boolean, "Whether it is told anything."),
            SECRET,
        ]),
        answers: Told {
            answers: &[Shown(200, "The webhook as it is now.", webhook)],
            refusals: || [vec![RestRefusal::TargetUrlMissing, RestRefusal::NotFound], not_set()].concat(),
        },
        ..UNSAID
    },
    Said {
        path: "/webhooks/{id}/",
        on: &[("DELETE", "deleteWebhook")],
        summary: "Delete a webhook",
        at: &[WEBHOOK],
        answers: Told { answers: &[Nothing("It is gone.")], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/project/",
        on: &[("GET", "projectInfo")],
        summary: "Look at the project",
        answers: Told {
            answers: &[Shown(200, "The project.", |schemas, _| schemas.of::<ProjectInfo<'_>>())],
            refusals: Vec::new,
        },
        ..UNSAID
    },
    Said {
        path: "/convert/document/",
        on: &[("POST", "documentConvert")],
        summary: "Convert documents",
        about: NOT_YET,
        body: Body::Object(&[
            PATHS,
            STORE,
            optional("save_in_group", Kind::Boolean, "Whether the pages become a group."),
        ]),
        answers: Told {
            answers: &[],
            refusals: || {
                vec![
                    RestRefusal::ObjectExpected,
                    RestRefusal::PathsRequired,
                    RestRefusal::BooleanExpected("store"),
                    RestRefusal::DocumentConversionUnavailable,
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/convert/document/{uuid}/",
        on: &[("GET", "documentConvertInfo")],
        summary: "Look at what a document can be converted to",
        about: NOT_YET,
        at: &[required("uuid", Kind::Uuid, "The id of the file.")],
        answers: Told {
            answers: &[],
            refusals: || vec![RestRefusal::NotFound, RestRefusal::DocumentConversionUnavailable],
        },
        ..UNSAID
    },
    Said {
        path: "/convert/document/status/{token}/",
        on: &[("GET", "documentConvertStatus")],
        summary: "See how far a conversion is",
        about: NOT_YET,
        at: &[TOKEN],
        answers: Told { answers: &[], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/convert/video/",
        on: &[("POST", "videoConvert")],
        summary: "Convert videos",
        about: NOT_YET,
        body: Body::Object(&[PATHS, STORE]),
        answers: Told {
            answers: &[],
            refusals: || {
                vec![
                    RestRefusal::ObjectExpected,
                    RestRefusal::PathsRequired,
                    RestRefusal::BooleanExpected("store"),
                    RestRefusal::VideoConversionUnavailable,
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/convert/video/status/{token}/",
        on: &[("GET", "videoConvertStatus")],
        summary: "See how far a conversion is",
        about: NOT_YET,
        at: &[TOKEN],
        answers: Told { answers: &[], refusals: || vec![RestRefusal::NotFound] },
        ..UNSAID
    },
    Said {
        path: "/addons/{name}/execute/",
        on: &[("POST", "executeAddon")],
        summary: "Let an add-on look at a file",
        about: "None is set up yet, so that everything is refused as for projects without it.",
        at: &[ADDON],
        body: Body::Object(&[
            required("target", Kind::Uuid, "The id of the file."),
            optional(
                "params",
                Kind::Other(|| ObjectBuilder::new().schema_type(Type::Object).into()),
                "What the add-on takes.",
            ),
        ]),
        answers: Told {
            answers: &[],
            refusals: || {
                vec![
                    RestRefusal::NotFound,
                    RestRefusal::ObjectExpected,
                    RestRefusal::AddonTargetRequired,
                    RestRefusal::AddonTargetInvalid,
                    RestRefusal::AddonUnavailable,
                ]
            },
        },
        ..UNSAID
    },
    Said {
        path: "/addons/{name}/execute/status/",
        on: &[("GET", "addonExecutionStatus")],
        summary: "See how far an add-on is",
        at: &[ADDON],
        query: &[required("request_id", Kind::Uuid, "What the execution has answered.")],
        answers: Told {
            answers: &[Plain("How far it is.", Schemas::of::<AddonStatus>)],
            refusals: || vec![RestRefusal::NotFound, RestRefusal::RequestIdRequired, RestRefusal::RequestIdInvalid],
        },
        ..UNSAID
    },
];
