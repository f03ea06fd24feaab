//! The forms of a blob's key. Keys come back from the records; nothing that does not parse here ever becomes a path.
//!
//! - `<32 hex digits>`: a file of its own, or an object.
//! - `<32 hex digits>/<8 hex digits>-<hex digits>`: pack, offset and length; lexical order is the order in the pack.

use std::fmt;
use std::ops::Range;

use stowage_model::BlobKey;
use uuid::Uuid;

use super::os::ALIGN_U64;

/// The longest blob that shares a file with others, in bytes.
pub const SMALL: usize = 64 << 10;

/// A parsed key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    /// A file of its own, or an object.
    Loose(Uuid),
    /// A part of a pack.
    Packed(Packed),
}

/// Where a small blob lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Packed {
    pub(super) pack: PackId,
    pub(super) offset: u64,
    pub(super) len: usize,
}

impl Packed {
    /// What the blob occupies of its pack: itself, its mark, and the rest of the last page.
    pub(super) fn extent(&self) -> Range<u64> {
        self.offset..self.offset + room_for(self.len)
    }
}

/// How much of a pack a blob of `len` bytes occupies, in bytes.
pub(super) fn room_for(len: usize) -> u64 {
    (len as u64 + 1).next_multiple_of(ALIGN_U64)
}

/// The name of a pack of small blobs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PackId(pub(super) Uuid);

impl PackId {
    /// What the keys of all blobs in the pack begin with.
    pub fn prefix(&self) -> String {
        format!("{}/", self.0.simple())
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl Key {
    /// Reads a key; `None` for anything that this room has not written.
    pub(super) fn parse(key: &BlobKey) -> Option<Self> {
        let Some((pack, place)) = key.0.split_once('/') else {
            return name(&key.0).map(Self::Loose);
        };
        let (offset, len) = place.split_once('-')?;
        if offset.len() != 8 || !(1..=5).contains(&len.len()) || (len.len() > 1 && len.starts_with('0')) {
            return None;
        }
        let packed = Packed {
            pack: PackId(name(pack)?),
            offset: hex(offset)?,
            len: usize::try_from(hex(len)?).ok().filter(|len| *len <= SMALL)?,
        };
        packed.offset.is_multiple_of(ALIGN_U64).then_some(Self::Packed(packed))
    }

    /// The key as the records keep it.
    pub(super) fn text(&self) -> BlobKey {
        BlobKey(match self {
            Self::Loose(id) => id.simple().to_string(),
            Self::Packed(Packed { pack, offset, len }) => format!("{pack}/{offset:08x}-{len:x}"),
        })
    }
}

/// Reads a name of 32 lower-case hexadecimal digits.
pub(super) fn name(text: &str) -> Option<Uuid> {
    if text.len() != 32 || !is_lower_hex(text) {
        return None;
    }
    Uuid::try_parse(text).ok()
}

fn hex(text: &str) -> Option<u64> {
    if is_lower_hex(text) { u64::from_str_radix(text, 16).ok() } else { None }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c0b9e25b84c4d9e557d8c6f6c4b61";

    #[test]
    fn keys_come_back_as_they_went() {
        let id = name(ID).unwrap();
        let packed = Packed { pack: PackId(id), offset: 0x0301_0000, len: 10_240 };
        for key in [Key::Loose(id), Key::Packed(packed), Key::Packed(Packed { offset: 0, len: 0, ..packed })] {
            assert_eq!(Key::parse(&key.text()), Some(key));
        }
        assert_eq!(Key::Packed(packed).text().0, format!("{ID}/03010000-2800"));
        assert!(Key::Packed(packed).text().0.starts_with(&packed.pack.prefix()));
    }

    #[test]
    fn anything_else_is_no_key() {
        for text in [
            String::new(),
            "../../etc/passwd".into(),
            ID.to_uppercase(),
            ID[1..].into(),
            format!("{ID}0"),
            format!("{ID}/"),
            format!("{ID}/../x"),
            format!("{ID}/00000000"),
            format!("{ID}/00000000-"),
            format!("{ID}/00000000-+1"),
            format!("{ID}/+0000000-1"),
            format!("{ID}/00000000-01"),
            format!("{ID}/00000001-1"),
            format!("{ID}/0000000-1"),
            format!("{ID}/00000000-10001"),
            format!("{ID}/00000000-1/.."),
            format!("{}-{}-{}-{}-{}", &ID[..8], &ID[8..12], &ID[12..16], &ID[16..20], &ID[20..]),
        ] {
            assert_eq!(Key::parse(&BlobKey(text.clone())), None, "{text}");
        }
    }

    #[test]
    fn an_extent_has_room_for_the_mark() {
        let at = |len| Packed { pack: PackId(Uuid::nil()), offset: 4096, len }.extent();
        assert_eq!((at(0), at(4095), at(4096), at(10_240)), (4096..8192, 4096..8192, 4096..12288, 4096..16384));
    }
}
