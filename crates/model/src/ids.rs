//! Identifiers, parsed once at the door, and the source of new ones.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The id of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = "uuid")]
pub struct FileId(pub Uuid);

impl FromStr for FileId {
    type Err = NotAnId;

    /// Accepts the hyphenated form alone, in either case: other spellings of a UUID are not ids here.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 36 {
            return Err(NotAnId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The text is not an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a UUID")]
pub struct NotAnId;

/// The number under which the records know a project; never shown to users except in webhooks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(description = "The number of a project.")]
pub struct ProjectId(pub i64);

/// The public key of a project: an opaque text of 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
pub struct PublicKey(String);

impl PublicKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = NotAPublicKey;

    fn from_str(text: &str) -> Result<Self, NotAPublicKey> {
        let good = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if good { Ok(Self(text.to_owned())) } else { Err(NotAPublicKey) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot be a public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a public key is 1 to 255 visible ASCII characters without `:`")]
pub struct NotAPublicKey;

/// The id of one request, sent back as `X-Uploadcare-Request-Id`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Where new ids come from: randomness, or a seed that makes them repeat.
#[derive(Clone, Debug)]
pub struct Ids(Source);

#[derive(Clone, Debug)]
enum Source {
    Random,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Ids {
    /// Ids that nobody can foresee.
    pub fn random() -> Self {
        Self(Source::Random)
    }

    /// The same ids for the same seed, in the order in which they are asked for.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A new version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A new file id.
    pub fn file(&self) -> FileId {
        FileId(self.uuid())
    }

    /// A new request id. It is never drawn from the seed: requests that nobody counts would shift the other ids.
    #[expect(clippy::disallowed_methods, reason = "the second of two places that draw random numbers")]
    pub fn request(&self) -> RequestId {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        RequestId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A new secret of `len` lower-case hexadecimal digits.
    pub fn hex(&self, len: usize) -> String {
        let mut bytes = vec![0; len.div_ceil(2)];
        self.fill(&mut bytes);
        let mut text = String::with_capacity(len + 1);
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        text.truncate(len);
        text
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws random numbers for ids")]
    fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::Random => rand::rng().fill_bytes(bytes),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_id_is_the_hyphenated_form_in_either_case() {
        let id: FileId = "0B7C0B9E-25B8-4C4D-9E55-7D8C6F6C4B61".parse().unwrap();
        assert_eq!(id.to_string(), "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61");
        for text in ["", "nope", "0b7c0b9e25b84c4d9e557d8c6f6c4b61", "{0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b6}"] {
            assert_eq!(text.parse::<FileId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn seeded_ids_repeat_and_are_version_4() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        let id = one.uuid();
        assert_eq!(id, two.uuid());
        assert_eq!(id.get_version_num(), 4);
        assert_ne!(id, one.uuid());
        assert_eq!(one.hex(20).len(), 20);
    }
}
