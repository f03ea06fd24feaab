//! What a rule says: which requests it is for, of these which, and what they meet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use stowage_model::EventKind;
use utoipa::ToSchema;

/// A rule that makes requests fail, late or slow.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FaultRule)]
pub(crate) struct RuleInput {
    /// What it is called in answers and in the journal, 1 to 64 of `A-Z a-z 0-9 . _ -` and not digits alone; without it, its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// What it is for; without it, every request to an API.
    #[serde(rename = "match", skip_serializing_if = "is_default")]
    pub(crate) on: Match,
    /// Of what matches, only the one with this number, counted from 1; together with `every`, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nth: Option<u64>,
    /// Of what matches, only each one so many after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<u64>,
    /// How often it acts at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// How likely it acts, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// With the same seed the same of what matches is hit again; without one it is drawn, and shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// `form NAME` or `query NAME`: acts on the first request with each value of this parameter, and never on those without it. Values are
    /// told apart by their first 256 characters; of more than 10,000 the oldest are forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) once_per: Option<String>,
    /// What is done.
    #[serde(rename = "do")]
    pub(crate) action: Action,
}

/// What a rule is for. What is not named matches everything. Requests of the method `OPTIONS`, which browsers send by themselves, match
/// only where it is named.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FaultMatch)]
pub(crate) struct Match {
    /// The API: `upload`, `rest`, `cdn`, `part`, which are parts of multipart uploads, or `webhook` and `copy`, which nobody requests.
    /// Without it, all that are requested and that fit to the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<On>,
    /// The path, or the pattern of an endpoint such as `/files/:uuid/storage/`; with a `*` at its end whatever begins like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// The public key of the project that a request names, in whichever way its API does, or to which the file belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    /// Parameters of the query by name; `{"partNumber": "2"}` is the second part.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query: BTreeMap<String, String>,
    /// Text fields of the body by name, of the Upload API alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) form: BTreeMap<String, String>,
    /// The event, of webhooks alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<EventKind>,
    /// A text in the URL of the webhook, or in the name of the storage to which something is copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
}

/// What a rule is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FaultApi)]
pub(crate) enum On {
    /// Requests to the Upload API, but those that send parts.
    Upload,
    /// Requests to the REST API.
    Rest,
    /// Requests to delivery.
    Cdn,
    /// Requests that send a part of a multipart upload.
    Part,
    /// Attempts to tell a webhook.
    Webhook,
    /// Attempts to copy a file to a custom storage, but those of `POST /files/remote_copy/`.
    Copy,
}

/// What is done. `delay`, `slow` and `truncate` leave the answer as it is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FaultAction)]
pub(crate) struct Action {
    /// For how long nothing happens first, such as `2s` or `150ms`; at most an hour.
    #[serde(with = "span", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) delay: Option<Duration>,
    /// The code of a refusal of the catalogue (docs/errors.md), told as the API in question tells it; of copies, S3's word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refuse: Option<String>,
    /// Another sentence for the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// `Retry-After` in seconds, of a refusal or a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
    /// A status from 200 to 599 instead of an answer; a webhook counts as having answered with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The body that goes with the status: a text, or any other JSON value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) body: Option<Value>,
    /// Headers that go with the status.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// Closes the connection without an answer. Browsers ask once more by themselves where the connection had been used before;
    /// `"truncate": 0` they do not repeat.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) drop: bool,
    /// Breaks the connection off after so many bytes of the answer's body, if it has more.
    #[serde(with = "size", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(crate) truncate: Option<u64>,
    /// How many bytes of the answer's body are sent in a second: a number, or a size such as `10KiB`.
    #[serde(with = "size", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) slow: Option<u64>,
    /// Whether the request takes effect all the same, before its answer is held back, replaced or dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) after: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Durations as texts.
mod span {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over like this")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(|span| humantime::format_duration(span).to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Span(#[serde(deserialize_with = "stowage_model::units::duration")] Duration);
        Ok(Option::<Span>::deserialize(deserializer)?.map(|Span(span)| span))
    }
}

/// Numbers of bytes, also as texts.
mod size {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over like this")]
    pub(super) fn serialize<S: Serializer>(size: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        size.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        #[derive(Deserialize)]
        struct Size(#[serde(deserialize_with = "stowage_model::units::bytes")] u64);
        Ok(Option::<Size>::deserialize(deserializer)?.map(|Size(size)| size))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        let rule = json!({
            "name": "second-part",
            "match": { "api": "part", "query": { "partNumber": "2" } },
            "times": 1,
            "do": { "delay": "1s 500ms", "status": 503, "headers": { "x-a": "b" } }
        });
        let read: RuleInput = serde_json::from_value(rule.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), rule);
        let read: Action = serde_json::from_value(json!({ "slow": "10KiB", "truncate": 7 })).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json!({ "slow": 10_240, "truncate": 7 }));
    }

    #[test]
    fn unknown_keys_are_errors() {
        for wrong in [
            json!({ "when": {} }),
            json!({ "match": { "path": "/" } }),
            json!({ "do": { "delays": "1s" } }),
            json!({ "do": { "delay": 5 } }),
            json!({ "match": { "api": "other" } }),
            json!({ "match": { "event": "file.eaten" } }),
        ] {
            assert!(serde_json::from_value::<RuleInput>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
