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

/// Where new ids come from: randomness, or a seed that makes them repeat; clones share it.
#[derive(Clone, Debug)]
pub struct Ids(Source);

#[derive(Clone, Debug)]
enum Source {
    Random,
    Driven(Arc<Mutex<Drive>>),
}

/// What tests have asked of the ids.
#[derive(Debug, Default)]
struct Drive {
    seed: Option<(u64, StdRng)>,
    pinned: Option<FileId>,
}

impl Ids {
    /// Ids that nobody can foresee.
    pub fn random() -> Self {
        Self(Source::Random)
    }

    /// Ids that nobody can foresee until they are seeded.
    pub fn driven() -> Self {
        Self(Source::Driven(Arc::default()))
    }

    /// The same ids for the same seed, in the order in which they are asked for.
    pub fn seeded(seed: u64) -> Self {
        let ids = Self::driven();
        ids.seed(seed);
        ids
    }

    /// From now on the ids that go with a seed, from the first one on. Those of [`Ids::random`] are left alone.
    pub fn seed(&self, seed: u64) {
        self.drive(|drive| drive.seed = Some((seed, StdRng::seed_from_u64(seed))));
    }

    /// From now on ids that nobody can foresee; a pinned one is let go.
    pub fn unseed(&self) {
        self.drive(|drive| *drive = Drive::default());
    }

    /// What the ids are drawn from, if they repeat.
    pub fn seed_in_use(&self) -> Option<u64> {
        self.drive(|drive| drive.seed.as_ref().map(|(seed, _)| *seed)).flatten()
    }

    /// Makes `id` the next one that [`Ids::file`] answers, in the place of another that was to be.
    pub fn pin(&self, id: FileId) {
        self.drive(|drive| drive.pinned = Some(id));
    }

    /// The id that the next file gets, where that is settled.
    pub fn pinned(&self) -> Option<FileId> {
        self.drive(|drive| drive.pinned).flatten()
    }

    /// Whether ids may come that have been there before.
    pub fn may_repeat(&self) -> bool {
        self.drive(|drive| drive.seed.is_some() || drive.pinned.is_some()).unwrap_or(false)
    }

    /// A new version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A new file id.
    pub fn file(&self) -> FileId {
        let pinned = self.drive(|drive| drive.pinned.take()).flatten();
        pinned.unwrap_or_else(|| FileId(self.uuid()))
    }

    /// What proves that somebody has claimed something. It is never drawn from the seed: what happens in the background, or now more and
    /// now less often, would shift the other ids.
    pub fn lease(&self) -> Uuid {
        self.request().0
    }

    /// Drives the ids, if they are driven.
    fn drive<T>(&self, how: impl FnOnce(&mut Drive) -> T) -> Option<T> {
        match &self.0 {
            Source::Random => None,
            Source::Driven(drive) => Some(how(&mut drive.lock().unwrap_or_else(PoisonError::into_inner))),
        }
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
        let from_seed = self.drive(|drive| match &mut drive.seed {
            Some((_, rng)) => {
                rng.fill_bytes(bytes);
                true
            }
            None => false,
        });
        if from_seed != Some(true) {
            rand::rng().fill_bytes(bytes);
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

    #[test]
    fn ids_are_driven_by_seeds_and_pins() {
        let (ids, twin) = (Ids::driven(), Ids::seeded(7));
        assert!(!ids.may_repeat() && ids.uuid() != ids.uuid());
        ids.clone().seed(7);
        assert_eq!((ids.seed_in_use(), ids.may_repeat()), (Some(7), true));
        let (first, second) = (twin.file(), twin.file());
        let pin = Ids::random().file();
        assert_eq!(ids.file(), first);
        assert_ne!(ids.lease(), ids.lease());
        ids.pin(pin);
        assert_eq!((ids.pinned(), ids.file(), ids.pinned()), (Some(pin), pin, None));
        assert_eq!(ids.file(), second, "leases and pins take nothing from the seed");
        ids.seed(7);
        assert_eq!(ids.file(), first, "from the first one on");
        ids.pin(pin);
        ids.unseed();
        assert!(ids.file() != second && ids.pinned().is_none() && !ids.may_repeat());
        let random = Ids::random();
        random.seed(7);
        random.pin(pin);
        assert!(random.file() != pin && random.seed_in_use().is_none());
    }
}
