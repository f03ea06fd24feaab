//! What the document says of finding files.

use stowage_model::RestRefusal;
use stowage_model::search::{MAX_SORT_KEYS, MIN_QUERY_CHARS};
use stowage_views::rest::{FileInfo, Page};
use utoipa::openapi::KnownFormat;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};

use super::super::operation::{Body, Field, Kind, Said, object, optional, text};
use super::Answer::Shown;
use super::files::{APPDATA, OFFSET};
use super::{Told, UNSAID};

pub(super) const SAID: &[Said<Told>] = &[Said {
    path: "/files/search/",
    on: &[("POST", "searchFiles")],
    summary: "Find files",
    about: "All conditions must hold, and there must be one. The newest file comes first unless `sort` says otherwise.",
    query: &[
        optional("limit", Kind::Number { least: 1, most: 100, usual: 20 }, "How many a page has at most."),
        OFFSET,
        APPDATA,
    ],
    body: Body::Object(SEARCH),
    answers: Told {
        answers: &[Shown(200, "A page.", |schemas, version| {
            schemas.shown::<Page<FileInfo<'_>>>(version, "FileSearch", &["totals"])
        })],
        refusals: || {
            vec![
                RestRefusal::ObjectExpected,
                RestRefusal::SearchEmpty,
                RestRefusal::SearchQueryTooShort,
                RestRefusal::SearchPhraseTooShort,
                RestRefusal::SearchFieldTwice,
                RestRefusal::SearchInvalid("size".to_owned()),
                RestRefusal::SearchReachExceeded,
            ]
        },
    },
    ..UNSAID
}];

const SEARCH: &[Field] = &[
    optional("query", Kind::Other(query), "A text in the name, the detected type or a metadata value, or the id."),
    optional("phrase", Kind::Other(phrase), "Texts that these have in them; none of them may be in `exact` too."),
    optional("exact", Kind::Other(exact), "Values of which these, or `metadata[key]`, have one, letter for letter."),
    optional("datetime_uploaded", Kind::Other(times), "When it was uploaded."),
    optional("size", Kind::Other(sizes), "How long it is, in bytes."),
    optional("is_image", Kind::Boolean, "Whether it is a picture."),
    optional("tags", Kind::Other(tag_lists), "Which tags it has."),
    optional("sort", Kind::Other(sort), "By what the result is sorted; `-` in front of it for descending."),
    optional("fuzziness", Kind::Boolean, "Without effect: texts are found as they are written."),
];

fn query() -> Schema {
    text().min_length(Some(MIN_QUERY_CHARS)).into()
}

fn phrase() -> Schema {
    let about = "";
    object(&[
        optional("original_filename", Kind::Other(query), about),
        optional("metadata", Kind::Other(query), "Any value."),
        optional("detected_mime_type", Kind::Other(query), about),
    ])
    .into()
}

/// A text, or texts in an array.
fn one_or_more() -> Schema {
    let texts = ArrayBuilder::new().items(text()).min_items(Some(1));
    OneOfBuilder::new().item(text()).item(Schema::from(texts)).build().into()
}

fn exact() -> Schema {
    let about = "";
    let known = ["uuid", "original_filename", "detected_mime_type"];
    let fields = known.map(|name| optional(name, Kind::Other(one_or_more), about));
    object(&fields).additional_properties(Some(one_or_more())).into()
}

/// An object of bounds.
fn bounds(bound: fn() -> ObjectBuilder) -> Schema {
    ["gt", "gte", "lt", "lte"]
        .into_iter()
        .fold(ObjectBuilder::new().schema_type(Type::Object), |object, side| object.property(side, bound()))
        .min_properties(Some(1))
        .into()
}

fn times() -> Schema {
    bounds(|| text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))))
}

fn sizes() -> Schema {
    bounds(|| ObjectBuilder::new().schema_type(Type::Integer))
}

fn tag_lists() -> Schema {
    object(&[
        optional("any", Kind::Texts, "At least one of these."),
        optional("all", Kind::Texts, "Each of these."),
        optional("none", Kind::Texts, "None of these."),
    ])
    .into()
}

fn sort() -> Schema {
    let key = || {
        let keys = ["score", "datetime_uploaded", "size", "original_filename", "detected_mime_type"];
        text().enum_values(Some(keys.into_iter().flat_map(|key| [key.to_owned(), format!("-{key}")])))
    };
    let keys = ArrayBuilder::new().items(key()).min_items(Some(1)).max_items(Some(MAX_SORT_KEYS));
    OneOfBuilder::new().item(key()).item(Schema::from(keys)).build().into()
}
