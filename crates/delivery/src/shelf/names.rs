//! Where a variant lies, and what its name says: `<key>-<checksum>-<width>x<height>[-n].<extension>`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use stowage_model::FileId;

use crate::label::{Kind, Label};

/// How the name of an unfinished file ends.
pub(super) const DRAFT: &str = ".part";

/// How the name of a folder begins that is being deleted.
pub(super) const WIPED: &str = "wiped-";

/// The name of a variant, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    /// That of its key.
    pub(crate) hash: [u8; 16],
    /// The beginning of the BLAKE3 hash of its bytes.
    pub(crate) check: u64,
    /// What it is.
    pub(crate) label: Label,
}

/// The folder of the variants of a file.
pub(super) fn folder(root: &Path, file: FileId) -> PathBuf {
    let name = file.to_string();
    // A folder of folders, because some file systems are slow with long ones.
    root.join(name.get(..2).unwrap_or_default()).join(name)
}

/// Whether a folder of that name has folders of files.
pub(super) fn is_shelf(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Name {
    pub(super) fn text(&self) -> String {
        let Label { kind, width, height, negotiated } = self.label;
        let mut text = String::with_capacity(80);
        for byte in self.hash {
            let _ = write!(text, "{byte:02x}");
        }
        let negotiated = if negotiated { "-n" } else { "" };
        let _ = write!(text, "-{:016x}-{width}x{height}{negotiated}.{}", self.check, kind.extension());
        text
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rest, extension) = text.rsplit_once('.')?;
        let mut pieces = rest.split('-');
        let (hash, check, size) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let negotiated = match pieces.next() {
            None => false,
            Some("n") => true,
            Some(_) => return None,
        };
        let (width, height) = size.split_once('x')?;
        let label = Label {
            kind: Kind::of_extension(extension)?,
            width: width.parse().ok()?,
            height: height.parse().ok()?,
            negotiated,
        };
        let name = Self {
            hash: u128::from_str_radix(hash, 16).ok()?.to_be_bytes(),
            check: u64::from_str_radix(check, 16).ok()?,
            label,
        };
        // Only what we would have written ourselves.
        (name.text() == text).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (kind, negotiated) in [(Kind::Jpeg, false), (Kind::Avif, true), (Kind::Json, false)] {
            let label = Label { kind, width: 640, height: 360, negotiated };
            let name = Name { hash: [0xab; 16], check: 0x0123_4567, label };
            assert_eq!(Name::parse(&name.text()), Some(name), "{}", name.text());
        }
        let good = "000102030405060708090a0b0c0d0e0f-00000000000000ff-1x2-n.webp";
        assert_eq!(Name::parse(good).unwrap().text(), good);
        for bad in [
            "",
            "x.webp",
            "000102030405060708090a0b0c0d0e0f-ff-1x2.webp",
            "000102030405060708090a0b0c0d0e0f-00000000000000ff-1x2-m.webp",
            "000102030405060708090a0b0c0d0e0f-00000000000000ff-01x2.webp",
            "000102030405060708090a0b0c0d0e0f-00000000000000ff-1x2.part",
            "000102030405060708090A0B0C0D0E0F-00000000000000ff-1x2.webp",
            "+00102030405060708090a0b0c0d0e0f-00000000000000ff-1x2.webp",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
    }
}
