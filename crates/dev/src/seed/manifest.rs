//! The manifest of a seed as it is written. What is wrong with it is said with its place, like `files[3].uuid`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::wrong;
use crate::faults::RuleInput;
use crate::{DevError, holds};

/// A seed: what there is to be. What a key does not say is as it is by default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Projects, with the keys of `[[projects]]` in the configuration.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(super) projects: Vec<Map<String, Value>>,
    /// Storages, with the keys of `[[storages]]` in the configuration.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(super) storages: Vec<Map<String, Value>>,
    /// Webhooks.
    #[serde(default)]
    pub(super) webhooks: Vec<WebhookEntry>,
    /// Files.
    #[serde(default)]
    pub(super) files: Vec<FileEntry>,
    /// Groups.
    #[serde(default)]
    pub(super) groups: Vec<GroupEntry>,
    /// Rules that make requests fail, as `POST /_dev/faults` takes them; those that come later are tried earlier.
    #[serde(default)]
    pub(super) faults: Vec<RuleInput>,
    /// Rules that hold jobs, as `POST /_dev/jobs/holds` takes them.
    #[serde(default)]
    pub(super) holds: Vec<holds::Rule>,
}

/// A webhook of a seed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookEntry {
    /// The public key of its project; that of the first project where there is none.
    pub(super) project: Option<String>,
    /// Where it is told: a URL, or the bare name of a capture address.
    pub(super) target_url: String,
    /// What it is told of.
    #[schema(example = "file.uploaded")]
    pub(super) event: String,
    /// With what payloads are signed.
    pub(super) signing_secret: Option<String>,
    /// Whether it is told anything at present; it is, by default.
    pub(super) is_active: Option<bool>,
}

/// A file of a seed. One of `path`, `text` and `base64` says what is in it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEntry {
    /// The public key of its project; that of the first project where there is none.
    pub(super) project: Option<String>,
    /// Where its content is in the folder, or among the parts that were sent.
    pub(super) path: Option<String>,
    /// Its content as text.
    pub(super) text: Option<String>,
    /// Its content in Base64.
    pub(super) base64: Option<String>,
    /// Its id; by default derived from project, name and content.
    pub(super) uuid: Option<String>,
    /// Its name; by default that of its path.
    pub(super) name: Option<String>,
    /// Its type as declared; by default the one that its content has.
    pub(super) mime_type: Option<String>,
    /// Its metadata.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    /// Its tags.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Whether it is stored; it is, by default.
    pub(super) stored: Option<bool>,
    /// When it was uploaded: RFC 3339, or an age like `-3 days`; now by default.
    pub(super) uploaded_at: Option<String>,
    /// When it was stored; by default when it was uploaded.
    pub(super) stored_at: Option<String>,
    /// Where its uploader says it came from.
    pub(super) source: Option<String>,
}

/// A group of a seed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupEntry {
    /// The public key of its project; that of the first project where there is none.
    pub(super) project: Option<String>,
    /// Its id, with or without `~` and the number of its files; by default derived from project and files.
    pub(super) id: Option<String>,
    /// Its files: ids, names or paths of the seed, with operations like `/-/resize/x800/` where there are any.
    pub(super) files: Vec<String>,
    /// When it was made: RFC 3339, or an age like `-3 days`; now by default.
    pub(super) created_at: Option<String>,
}

impl Manifest {
    pub(super) fn parse(text: &[u8]) -> Result<Self, DevError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let manifest = serde_path_to_error::deserialize(&mut reader).map_err(|fault| {
            let place = fault.path().to_string();
            wrong(if place == "." { "the manifest" } else { &place }, fault.inner())
        })?;
        reader.end().map_err(|fault| wrong("the manifest", fault))?;
        no_zeros(text)?;
        Ok(manifest)
    }
}

/// Refuses characters zero where the APIs do too: not every database keeps them. What files and made-up answers consist of may have some.
fn no_zeros(text: &[u8]) -> Result<(), DevError> {
    // JSON has no other way to write them.
    if !text.windows(6).any(|six| six == br"\u0000") {
        return Ok(());
    }
    let mut whole: Value = serde_json::from_slice(text).map_err(|fault| wrong("the manifest", fault))?;
    for file in whole.get_mut("files").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(file) = file.as_object_mut() {
            file.remove("text");
        }
    }
    let mut lists = ["projects", "storages", "webhooks", "files", "groups"].into_iter();
    match lists.find_map(|list| zero_in(whole.get(list)?, list.to_owned())) {
        Some(place) => Err(wrong(place, "there is a character zero in it")),
        None => Ok(()),
    }
}

/// Where the first of them is, if there is one.
fn zero_in(value: &Value, place: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(place),
        Value::Array(list) => {
            list.iter().enumerate().find_map(|(index, value)| zero_in(value, format!("{place}[{index}]")))
        }
        Value::Object(members) => members.iter().find_map(|(key, value)| {
            if key.contains('\0') { Some(place.clone()) } else { zero_in(value, format!("{place}.{key}")) }
        }),
        _ => None,
    }
}

/// Takes a text out of an entry whose other keys are settings.
pub(super) fn take(entry: &mut Map<String, Value>, key: &str, place: &str) -> Result<Option<String>, DevError> {
    match entry.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(format!("{place}.{key}"), "it is a text")),
    }
}

/// Reads the settings that are left of an entry. What is wrong is said without the values: some are secret.
pub(super) fn settings<T: DeserializeOwned>(entry: Map<String, Value>, place: &str) -> Result<T, DevError> {
    serde_path_to_error::deserialize(Value::Object(entry)).map_err(|fault| {
        let key = fault.path().to_string();
        let place = if key == "." { place.to_owned() } else { format!("{place}.{key}") };
        wrong(place, fault.inner())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_contents_have_characters_zero() {
        let refused = |text: &str| Manifest::parse(text.as_bytes()).err().map(|fault| fault.text);
        assert_eq!(refused(r#"{"files": [{"text": "a\u0000b"}], "faults": [{"do": {"body": "\u0000"}}]}"#), None);
        assert_eq!(refused(r#"{"files": [{"text": "\\u0000", "source": "\\u0000"}]}"#), None, "that is a backslash");
        for (text, place) in [
            (r#"{"files": [{"text": "a"}, {"text": "a", "source": "\u0000"}]}"#, "files[1].source"),
            (r#"{"projects": [{"public_key": "a", "secret_keys": ["b", "\u0000"]}]}"#, "projects[0].secret_keys[1]"),
            (r#"{"webhooks": [{"target_url": "a", "event": "b", "signing_secret": "\u0000"}]}"#, "signing_secret"),
            (r#"{"files": [{"text": "a", "metadata": {"a\u0000": "b"}}]}"#, "files[0].metadata"),
        ] {
            assert!(refused(text).unwrap().contains(place), "{text}");
        }
    }
}
