//! Metadata that an uploader attaches to a file: up to 50 keys with a text each (upload-api reference, metadata).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::Refusal;

/// The most keys that a file can have.
pub const MAX_KEYS: usize = 50;
/// The longest key, in characters.
pub const MAX_KEY_CHARS: usize = 64;
/// The longest value, in characters.
pub const MAX_VALUE_CHARS: usize = 512;

/// The metadata of one file, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(description = "The metadata of a file: texts by key.")]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Checks the pairs in the order in which they were sent and refuses at the first bad one. Values arrive as bytes, because
    /// a value that is no UTF-8 has a refusal of its own.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, Refusal> {
        let mut map = BTreeMap::new();
        for (key, value) in pairs {
            check_key(key)?;
            if map.contains_key(key) {
                return Err(Refusal::FileMetadataKeyDuplicated(key.to_owned()));
            }
            let value = check_value(key, value)?;
            map.insert(key.to_owned(), value.to_owned());
        }
        if map.len() > MAX_KEYS {
            return Err(Refusal::FileMetadataKeysNumberTooBig);
        }
        Ok(Self(map))
    }

    /// The pairs, ordered by key.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The same with this pair, which must have passed [`check_key`] and [`check_value`], in the place of what the key had;
    /// none if that is a key too many.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Option<Self> {
        if self.0.len() >= MAX_KEYS && !self.0.contains_key(key) {
            return None;
        }
        let mut map = self.0.clone();
        map.insert(key.to_owned(), value.to_owned());
        Some(Self(map))
    }

    /// The same without this key; none if there is no such key.
    #[must_use]
    pub fn without(&self, key: &str) -> Option<Self> {
        let mut map = self.0.clone();
        map.remove(key).map(|_| Self(map))
    }
}

/// Refuses what cannot be a key.
pub fn check_key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::FileMetadataKeyEmpty);
    }
    if !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b)) {
        return Err(Refusal::FileMetadataKeyForbidden(shortened(key)));
    }
    if key.len() > MAX_KEY_CHARS {
        return Err(Refusal::FileMetadataKeyLengthTooBig(shortened(key)));
    }
    Ok(())
}

/// Refuses what cannot be the value of this key, else answers it as text.
pub fn check_value<'a>(key: &str, value: &'a [u8]) -> Result<&'a str, Refusal> {
    if value.is_empty() {
        return Err(Refusal::FileMetadataValueEmpty(key.to_owned()));
    }
    let forbidden = || Refusal::FileMetadataValueForbidden(key.to_owned());
    let text = str::from_utf8(value).map_err(|_| forbidden())?;
    if text.chars().count() > MAX_VALUE_CHARS {
        return Err(Refusal::FileMetadataValueLengthTooBig(key.to_owned()));
    }
    if text.chars().any(|c| c == '\u{7f}' || (c < ' ' && !matches!(c, '\t' | '\n' | '\r'))) {
        return Err(forbidden());
    }
    Ok(text)
}

/// A key as a refusal quotes it: what is too long is cut, so that nobody's megabyte comes back to them.
fn shortened(key: &str) -> String {
    if key.chars().count() <= MAX_KEY_CHARS {
        return key.to_owned();
    }
    let mut text: String = key.chars().take(MAX_KEY_CHARS).collect();
    text.push_str("...");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: &[u8]) -> Result<Metadata, Refusal> {
        Metadata::from_pairs([(key, value)])
    }

    #[test]
    fn good_pairs_pass() {
        let metadata = Metadata::from_pairs([("b", &b"56"[..]), ("-:45az_", "дом".as_bytes())]).unwrap();
        assert_eq!(metadata.pairs().collect::<Vec<_>>(), [("-:45az_", "дом"), ("b", "56")]);
        assert!(one("k", "я".repeat(512).as_bytes()).is_ok());
        assert!(one(&"k".repeat(64), b"1\t\r\n").is_ok());
    }

    #[test]
    fn pairs_come_and_go() {
        let metadata = one("a", b"1").unwrap();
        let more = metadata.with("b", "2").unwrap();
        assert_eq!((more.get("a"), more.get("b"), more.get("c")), (Some("1"), Some("2"), None));
        assert_eq!(more.with("a", "3").unwrap().pairs().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        assert_eq!((more.without("b"), more.without("c")), (Some(metadata), None));
        let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
        let full = Metadata::from_pairs(keys.iter().map(|k| (k.as_str(), &b"1"[..]))).unwrap();
        assert_eq!(full.with("more", "1"), None);
        assert_eq!(full.with("k49", "2").unwrap().get("k49"), Some("2"));
    }

    #[test]
    fn each_bad_pair_has_its_refusal() {
        assert_eq!(one("", b"1"), Err(Refusal::FileMetadataKeyEmpty));
        assert_eq!(one("a b", b"1"), Err(Refusal::FileMetadataKeyForbidden("a b".into())));
        let long = "k".repeat(65);
        let cut = format!("{}...", "k".repeat(64));
        assert_eq!(one(&long, b"1"), Err(Refusal::FileMetadataKeyLengthTooBig(cut)));
        assert_eq!(one("k", b""), Err(Refusal::FileMetadataValueEmpty("k".into())));
        assert_eq!(one("k", &[b'x'; 513]), Err(Refusal::FileMetadataValueLengthTooBig("k".into())));
        assert_eq!(one("k", b"\x07"), Err(Refusal::FileMetadataValueForbidden("k".into())));
        assert_eq!(one("k", b"\xff"), Err(Refusal::FileMetadataValueForbidden("k".into())));
        let twice = Metadata::from_pairs([("k", &b"1"[..]), ("k", b"2")]);
        assert_eq!(twice, Err(Refusal::FileMetadataKeyDuplicated("k".into())));
        let keys: Vec<String> = (0..51).map(|n| format!("k{n}")).collect();
        let many = Metadata::from_pairs(keys.iter().map(|k| (k.as_str(), &b"1"[..])));
        assert_eq!(many, Err(Refusal::FileMetadataKeysNumberTooBig));
    }
}
