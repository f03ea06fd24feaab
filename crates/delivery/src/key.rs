//! What tells variants apart: the file, what is asked in its canonical form, what was negotiated, and what the project prefers.

use std::fmt::Write;

use stowage_model::FileId;

/// Counts changes of the engine after which the same operations make other bytes; keys, and so the tags of answers, are new then.
const ENGINE: u32 = 2;

/// Under what a variant is found again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    /// The file that it was made of; first, so that all that was made of it stands together.
    pub(crate) file: FileId,
    /// Everything else.
    pub(crate) hash: [u8; 16],
}

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Making {
    Picture = 0,
    Facts = 1,
    Faces = 2,
    Video = 3,
}

impl Key {
    /// The key of what `making` makes of `file` by the canonical text of the operations; `flags` are what else decides.
    pub(crate) fn new(file: FileId, making: Making, canonical: &str, flags: &[bool]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&ENGINE.to_le_bytes());
        hasher.update(file.0.as_bytes());
        hasher.update(&[making as u8]);
        for flag in flags {
            hasher.update(&[u8::from(*flag)]);
        }
        hasher.update(canonical.as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self { file, hash }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn hash_text(&self) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.hash {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_decides_is_in_the_key() {
        let file: FileId = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61".parse().unwrap();
        let other: FileId = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b62".parse().unwrap();
        let key = Key::new(file, Making::Picture, "-/preview/1x1/", &[true, false]);
        assert_eq!(key, Key::new(file, Making::Picture, "-/preview/1x1/", &[true, false]));
        assert_eq!(key.hash_text().len(), 32);
        for differs in [
            Key::new(other, Making::Picture, "-/preview/1x1/", &[true, false]),
            Key::new(file, Making::Facts, "-/preview/1x1/", &[true, false]),
            Key::new(file, Making::Picture, "-/preview/1x2/", &[true, false]),
            Key::new(file, Making::Picture, "-/preview/1x1/", &[false, true]),
        ] {
            assert_ne!(key.hash_text(), differs.hash_text());
        }
    }
}
