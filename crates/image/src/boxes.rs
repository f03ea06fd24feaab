//! Boxes, the structure that HEIF, AVIF, MP4 and `QuickTime` share: a length, a type of four letters, and content in which
//! there may be further boxes. Lists end where something does not make sense, and after a bounded number of boxes.

use crate::source::Source;

/// Boxes that are looked at in one list.
const MAX_STEPS: u32 = 2048;

/// The content of a box: where it begins and ends in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl Span {
    /// The whole file.
    pub(crate) fn file(src: &Source) -> Self {
        Self { at: 0, end: src.len() }
    }

    /// The length in bytes.
    pub(crate) fn size(self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// What is left behind the first bytes.
    pub(crate) fn skip(self, bytes: u64) -> Option<Self> {
        (bytes <= self.size()).then(|| Self { at: self.at + bytes, ..self })
    }

    /// The content behind version and flags.
    pub(crate) fn full(self) -> Option<Self> {
        self.skip(4)
    }

    /// The `N` bytes that begin `from` bytes into the content.
    pub(crate) fn array<const N: usize>(self, src: &mut Source, from: u64) -> Option<[u8; N]> {
        let rest = self.skip(from)?;
        if rest.size() < N as u64 {
            return None;
        }
        src.array(rest.at)
    }

    /// One byte of the content.
    pub(crate) fn u8(self, src: &mut Source, from: u64) -> Option<u8> {
        self.array::<1>(src, from).map(|[byte]| byte)
    }

    /// A big-endian number in the content.
    pub(crate) fn be16(self, src: &mut Source, from: u64) -> Option<u16> {
        self.array(src, from).map(u16::from_be_bytes)
    }

    /// A big-endian number in the content.
    pub(crate) fn be32(self, src: &mut Source, from: u64) -> Option<u32> {
        self.array(src, from).map(u32::from_be_bytes)
    }

    /// A big-endian number in the content.
    pub(crate) fn be64(self, src: &mut Source, from: u64) -> Option<u64> {
        self.array(src, from).map(u64::from_be_bytes)
    }
}

/// The boxes inside a parent, one after the other.
pub(crate) struct Boxes {
    rest: Span,
    left: u32,
}

/// The boxes inside `parent`.
pub(crate) fn boxes(parent: Span) -> Boxes {
    Boxes { rest: parent, left: MAX_STEPS }
}

impl Boxes {
    /// The type and the content of the next box.
    pub(crate) fn next(&mut self, src: &mut Source) -> Option<([u8; 4], Span)> {
        self.left = self.left.checked_sub(1)?;
        let Span { at, end } = self.rest;
        if end.checked_sub(at)? < 8 {
            return None;
        }
        let (len, kind) = (u64::from(src.be32(at)?), src.array(at + 4)?);
        let (header, len) = match len {
            0 => (8, end - at),
            1 => (16, src.be64(at + 8)?),
            len => (8, len),
        };
        let next = at.checked_add(len)?;
        if len < header || next > end {
            return None;
        }
        self.rest.at = next;
        Some((kind, Span { at: at + header, end: next }))
    }
}

/// The first box of a type inside `parent`.
pub(crate) fn child(src: &mut Source, parent: Span, kind: [u8; 4]) -> Option<Span> {
    let [found] = children(src, parent, [kind]);
    found
}

/// The first box of each type inside `parent`; the list is walked once, and no further than needed.
pub(crate) fn children<const N: usize>(src: &mut Source, parent: Span, kinds: [[u8; 4]; N]) -> [Option<Span>; N] {
    let (mut list, mut found) = (boxes(parent), [None; N]);
    while found.iter().any(Option::is_none)
        && let Some((kind, span)) = list.next(src)
    {
        if let Some(index) = kinds.iter().position(|wanted| *wanted == kind) {
            found[index].get_or_insert(span);
        }
    }
    found
}
