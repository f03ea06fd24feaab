//! Custom storages: where copies of a project's files go, and how (vendor document: S3 integration, custom storage). The public API
//! names a storage `target` and never shows one: storages are declared in the configuration or made by a command.

mod key;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ProjectId, Timestamp};
pub use key::{KeyError, KeyPattern, Keyed, PatternError};

/// The longest name of a storage, in characters.
const MAX_NAME: usize = 64;

/// The id of a storage, a number that is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StorageId(pub i64);

/// The name of a storage within its project: `target` of the REST API. One to 64 characters of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StorageName(String);

/// Why something is no name of a storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the name of a storage has 1 to 64 characters of A-Z a-z 0-9 _ -")]
pub struct StorageNameError;

impl StorageName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StorageName {
    type Err = StorageNameError;

    fn from_str(text: &str) -> Result<Self, StorageNameError> {
        let good = (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        good.then(|| Self(text.to_owned())).ok_or(StorageNameError)
    }
}

/// A place at an S3 service to which files of a project are copied.
#[derive(Clone, PartialEq, Debug)]
pub struct Storage {
    /// Its id.
    pub id: StorageId,
    /// The project whose files are copied there.
    pub project: ProjectId,
    /// Its name, unique in the project.
    pub name: StorageName,
    /// Whether it stands in the configuration file, which then alone changes it.
    pub from_config: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where and how.
    pub settings: StorageSettings,
}

/// What is configured for a storage, as `[[storages]]` names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// The bucket.
    pub bucket: Bucket,
    /// Literal text before every key.
    #[serde(default)]
    pub prefix: KeyPrefix,
    /// The key of copies that name no pattern of their own.
    #[serde(default)]
    pub pattern: KeyPattern,
    /// The region of the bucket; empty asks the service.
    #[serde(default)]
    pub region: String,
    /// The address of the S3 service, `http://` or `https://`; empty means AWS.
    #[serde(default)]
    pub endpoint_url: String,
    /// Whether the bucket stands in the path of an address and not in its host; absent means: where `endpoint_url` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_path_style: Option<bool>,
    /// Keys of the service; empty takes those of the AWS environment.
    #[serde(default)]
    pub access_key_id: String,
    /// The secret that belongs to them.
    #[serde(default)]
    pub secret_access_key: Secret,
    /// A role that is assumed with these keys; empty for none.
    #[serde(default)]
    pub role_arn: String,
    /// What the owner of the role wants to be told when it is assumed.
    #[serde(default)]
    pub external_id: Secret,
    /// Whether automatic copies are public. Requests to the REST API say it themselves.
    #[serde(default)]
    pub make_public: bool,
    /// Whether every new upload is copied there.
    #[serde(default = "yes")]
    pub auto_copy: bool,
    /// Whether only files that are stored are copied automatically, as soon as they are.
    #[serde(default)]
    pub only_stored: bool,
    /// How copies become public.
    #[serde(default)]
    pub acl: AclMode,
    /// The storage class of copies; empty for that of the bucket.
    #[serde(default)]
    pub storage_class: String,
    /// The server-side encryption of copies, `AES256` or `aws:kms`; empty for that of the bucket.
    #[serde(default)]
    pub sse: String,
    /// The key of `aws:kms`; empty for the service's own.
    #[serde(default)]
    pub sse_kms_key: String,
    /// Checksums that go with the bytes.
    #[serde(default)]
    pub checksums: Checksums,
}

fn yes() -> bool {
    true
}

impl StorageSettings {
    /// A storage in this bucket with every other setting at its default.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            prefix: KeyPrefix::default(),
            pattern: KeyPattern::default(),
            region: String::new(),
            endpoint_url: String::new(),
            force_path_style: None,
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            role_arn: String::new(),
            external_id: Secret::default(),
            make_public: false,
            auto_copy: true,
            only_stored: false,
            acl: AclMode::default(),
            storage_class: String::new(),
            sse: String::new(),
            sse_kms_key: String::new(),
            checksums: Checksums::default(),
        }
    }

    /// What is wrong with settings that are well-formed one by one and make no sense together; a sentence that names the keys.
    pub fn fault(&self) -> Option<&'static str> {
        let http = |url: &str| {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', '@', ' ']))
        };
        let plain = |text: &str| text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic());
        let texts = [&self.region, &self.access_key_id, &self.role_arn, &self.storage_class, &self.sse_kms_key];
        match () {
            () if !self.endpoint_url.is_empty() && !http(&self.endpoint_url) => {
                Some("endpoint_url begins with http:// or https:// and has neither keys nor a query in it")
            }
            () if self.access_key_id.is_empty() != self.secret_access_key.is_empty() => Some(
                "access_key_id and secret_access_key belong together; leave both out to take those of the AWS environment",
            ),
            () if !["", "AES256", "aws:kms"].contains(&self.sse.as_str()) => Some("sse is AES256 or aws:kms"),
            () if !self.sse_kms_key.is_empty() && self.sse != "aws:kms" => Some("sse_kms_key needs sse = \"aws:kms\""),
            () if !self.external_id.is_empty() && self.role_arn.is_empty() => Some("external_id needs role_arn"),
            () if texts.into_iter().any(|text| !plain(text)) => {
                Some("region, access_key_id, role_arn, storage_class and sse_kms_key are ASCII without spaces")
            }
            () => None,
        }
    }

    /// Whether automatic copies are made of a file when it arrives: `stored` says whether it is stored by then.
    pub fn copies_arrivals(&self, stored: bool) -> bool {
        self.auto_copy && (stored || !self.only_stored)
    }
}

/// The name of a bucket: 3 to 63 characters of `a-z 0-9 - .`, with a letter or digit at both ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Bucket(String);

/// Why something is no name of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the name of a bucket has 3 to 63 characters of a-z 0-9 - . and begins and ends with a letter or digit")]
pub struct BucketError;

impl Bucket {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Bucket {
    type Error = BucketError;

    fn try_from(text: String) -> Result<Self, BucketError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let good = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| plain(*b) || b"-.".contains(b))
            && [bytes.first(), bytes.last()].into_iter().flatten().all(|b| plain(*b))
            && !text.contains("..");
        if good { Ok(Self(text)) } else { Err(BucketError) }
    }
}

/// Literal text before every key of a storage, of the characters that patterns may have; without a slash in front.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        if !text.chars().all(key::is_literal) {
            return Err(PatternError::Character);
        }
        Ok(Self(text.trim_start_matches('/').to_owned()))
    }
}

/// Something that is kept and never shown.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text, for those who must use it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "set" })
    }
}

/// How copies become public.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclMode {
    /// By the ACL `public-read`; without it, with a warning, where the service or the bucket does not take ACLs.
    #[default]
    Auto,
    /// By the ACL `public-read`, always.
    Acl,
    /// Not by us: a policy of the bucket says what is public.
    None,
}

/// When an S3 client adds checksums to what it sends and checks those of what it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksums {
    /// Where the server is found to know them: with other people's storages until it refuses them or says nothing of them, with our
    /// own store only where it is AWS itself.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Only where an operation requires them.
    WhenRequired,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<StorageSettings, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bucket_is_enough() {
        let settings = read(json!({ "bucket": "my-bucket" })).unwrap();
        assert_eq!(settings, StorageSettings::new("my-bucket".to_owned().try_into().unwrap()));
        assert_eq!(settings.fault(), None);
        assert!(settings.copies_arrivals(false));
        let again = serde_json::from_value(serde_json::to_value(&settings).unwrap()).unwrap();
        assert_eq!(settings, again);
    }

    #[test]
    fn names() {
        for good in ["s3", "Archive_2-x", &"a".repeat(64)] {
            assert_eq!(good.parse::<StorageName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "é", "a/b", &"a".repeat(65)] {
            assert_eq!(bad.parse::<StorageName>(), Err(StorageNameError), "{bad}");
        }
        for bad in ["ab", "Bucket", "-abc", "abc.", "a..b", "a_b", "a/b", &"a".repeat(64)] {
            assert_eq!(Bucket::try_from(bad.to_owned()), Err(BucketError), "{bad}");
        }
    }

    #[test]
    fn faults_name_their_keys() {
        let fault = |more: serde_json::Value| {
            let mut value = json!({ "bucket": "bucket" });
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(value).unwrap().fault().unwrap_or_default()
        };
        assert!(fault(json!({ "endpoint_url": "s3.example.com" })).starts_with("endpoint_url"));
        assert!(fault(json!({ "endpoint_url": "https://key:secret@host" })).starts_with("endpoint_url"));
        assert!(fault(json!({ "access_key_id": "a" })).starts_with("access_key_id"));
        assert!(fault(json!({ "secret_access_key": "a" })).starts_with("access_key_id"));
        assert!(fault(json!({ "sse": "rot13" })).starts_with("sse"));
        assert!(fault(json!({ "sse_kms_key": "k" })).starts_with("sse_kms_key"));
        assert!(fault(json!({ "external_id": "k" })).starts_with("external_id"));
        assert!(fault(json!({ "region": "eu west" })).starts_with("region"));
        assert!(read(json!({ "bucket": "bucket", "colour": "red" })).unwrap_err().contains("colour"));
        assert!(read(json!({ "bucket": "bucket", "pattern": "${nope}" })).unwrap_err().contains("${nope}"));
        assert!(read(json!({ "bucket": "bucket", "prefix": "a b" })).unwrap_err().contains("character"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = read(json!({
            "bucket": "bucket", "access_key_id": "id", "secret_access_key": "hunter2", "role_arn": "arn:aws:iam::1:role/r", "external_id": "hunter2",
        }))
        .unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.secret_access_key.expose(), "hunter2");
    }
}
