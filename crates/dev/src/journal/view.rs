//! Requests of the journal as they are shown.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};
use stowage_model::{PublicKey, Timestamp};
use utoipa::ToSchema;

use super::bodies::Kept;
use super::filter::State;
use super::{Later, forms, mask};
use crate::route::{self, Api};

/// A request that the journal remembers. Secrets in it are shown as `***`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = JournalEntry)]
pub(crate) struct Entry {
    /// Counts from 1 on since the last reset.
    pub(crate) number: u64,
    /// Its `X-Uploadcare-Request-Id`, once it was answered.
    #[schema(required, format = "uuid")]
    id: Option<String>,
    /// When it came, by the clock.
    at: Timestamp,
    /// The same by the clock of the machine.
    machine_at: Timestamp,
    api: Api,
    /// The pattern of its path, like `/files/:uuid/storage/`.
    route: String,
    method: String,
    path: String,
    #[schema(required)]
    query: Option<String>,
    /// The public key of the project that it turned out to be about.
    #[schema(required)]
    project: Option<PublicKey>,
    /// The name, else the id, of the fault that it has met.
    #[schema(required)]
    fault: Option<String>,
    state: State,
    /// The status of its answer.
    #[schema(required)]
    status: Option<u16>,
    /// How long it took until the last byte of its answer, in milliseconds.
    #[schema(required)]
    ms: Option<f64>,
    request: Side,
    #[schema(required)]
    answer: Option<Side>,
}

/// What one side has said.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = JournalSide)]
struct Side {
    /// By name, in lower case; values of the same name are joined by commas.
    headers: BTreeMap<String, String>,
    /// How many bytes of the body have come or gone.
    size: u64,
    /// Only where one request is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    body: Option<Body>,
}

/// A body as far as it was kept.
#[derive(Clone, PartialEq, Debug, Default, Serialize, ToSchema)]
#[schema(as = JournalBody)]
pub(crate) struct Body {
    /// Whether this is all of it.
    is_whole: bool,
    /// What was kept, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    /// What was kept, if it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    base64: Option<String>,
    /// The fields of a form, by name; a list of values where several have the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Object>)]
    fields: Option<Map<String, Value>>,
    /// The files of a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    files: Option<Vec<forms::File>>,
}

impl Body {
    /// Some bytes, with secrets masked, as text where they are text.
    pub(crate) fn new(bytes: &[u8], is_whole: bool) -> Self {
        let masked = mask::bytes(bytes);
        let (text, base64) = match as_text(masked, is_whole) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Self { is_whole, text, base64, fields: None, files: None }
    }
}

/// The text that bytes are. Where they were cut, half a character at the end is left out.
fn as_text(mut bytes: Vec<u8>, is_whole: bool) -> Result<String, Vec<u8>> {
    if let Err(fault) = std::str::from_utf8(&bytes) {
        if is_whole || fault.error_len().is_some() {
            return Err(bytes);
        }
        bytes.truncate(fault.valid_up_to());
    }
    String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)
}

/// Headers with secrets masked.
pub(crate) fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = mask::header(name.as_str(), value.as_bytes());
        match shown.get_mut(name.as_str()) {
            Some(values) => {
                values.push_str(", ");
                values.push_str(&value);
            }
            None => drop(shown.insert(name.as_str().to_owned(), value)),
        }
    }
    shown
}

/// The headers that lines say.
fn unlined(lines: &[u8]) -> HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.split(|byte| *byte == b'\n').filter_map(header) {
        headers.append(name, value);
    }
    headers
}

fn side(lines: &[u8], kept: &Kept, with_body: bool) -> Side {
    let map = unlined(lines);
    let body = with_body.then(|| {
        let form = forms::read(&map, kept);
        let (fields, files) = form.map(|form| (form.fields, form.files)).unzip();
        Body { fields, files, ..Body::new(&kept.head, kept.is_complete()) }
    });
    Side { headers: headers(&map), size: kept.size, body }
}

/// A request, with or without its bodies.
pub(super) fn entry(entry: &super::Entry, with_bodies: bool) -> Entry {
    let route::Route { api, pattern } = route::of(&entry.path);
    let later = entry.later();
    let Later { project, fault, request, answer, end } = &*later;
    let answer_side = answer.as_ref().map(|answer| side(&answer.headers, &answer.body, with_bodies));
    let ms =
        end.map(|end| u32::try_from(end.took.as_micros()).unwrap_or(u32::MAX)).map(|micros| f64::from(micros) / 1000.0);
    Entry {
        number: entry.number,
        id: answer_side.as_ref().and_then(|side| side.headers.get("x-uploadcare-request-id").cloned()),
        at: entry.at,
        machine_at: entry.machine_at,
        api,
        route: pattern,
        method: entry.method.to_string(),
        path: entry.path.to_string(),
        query: entry.query.as_deref().map(mask::pairs),
        project: project.clone(),
        fault: fault.clone(),
        state: later.state(),
        status: answer.as_ref().map(|answer| answer.status.as_u16()),
        ms,
        request: side(&entry.headers, request, with_bodies),
        answer: answer_side,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_text_where_they_are() {
        let shown = |bytes: &[u8], whole| {
            let body = Body::new(bytes, whole);
            (body.text, body.base64)
        };
        assert_eq!(shown("naïve sig=1".as_bytes(), true), (Some("naïve sig=***".to_owned()), None));
        assert_eq!(shown(b"na\xc3", false), (Some("na".to_owned()), None), "cut within a letter");
        assert_eq!(shown(b"na\xc3", true), (None, Some("bmHD".to_owned())));
        assert_eq!(shown(b"\xff\xfe", false), (None, Some("//4=".to_owned())));
    }

    #[test]
    fn headers_come_back_from_their_lines() {
        let mut map = HeaderMap::new();
        for value in ["a", "b:c"] {
            map.append("x-y", HeaderValue::from_static(value));
        }
        map.insert("cookie", HeaderValue::from_static("secret"));
        map.insert("z", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(unlined(&super::super::lines(&map)), map);
        let shown = headers(&map);
        assert_eq!((shown["x-y"].as_str(), shown["cookie"].as_str()), ("a, b:c", "***"));
    }
}
