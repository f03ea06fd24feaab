//! EBML, the structure of Matroska and `WebM`: elements of a number and a length, both of variable size, inside of each
//! other. A length may be unknown, and then reaches to the end of the parent; so does one that lies.

use crate::boxes::Span;
use crate::source::Source;

/// Elements that are looked at in one list.
const MAX_STEPS: u32 = 2048;

/// The elements inside a parent, one after the other.
pub(super) struct Elements {
    rest: Span,
    left: u32,
}

/// The elements inside `parent`.
pub(super) fn elements(parent: Span) -> Elements {
    Elements { rest: parent, left: MAX_STEPS }
}

impl Elements {
    /// The number (with its marker of length, as the specification writes it) and the content of the next element.
    pub(super) fn next(&mut self, src: &mut Source) -> Option<(u32, Span)> {
        self.left = self.left.checked_sub(1)?;
        let (id, behind) = number(src, self.rest, 4)?;
        let (len, content) = number(src, behind, 8)?;
        let (marker, known) = (1 << (7 * (content.at - behind.at)), len);
        // All bits set is a length that is not known.
        let len = known - marker;
        let end = if len == marker - 1 { content.end } else { content.at.saturating_add(len).min(content.end) };
        self.rest.at = end;
        Some((u32::try_from(id).ok()?, Span { at: content.at, end }))
    }
}

/// A number of variable size with its marker, of up to `max` bytes, and what is behind it.
fn number(src: &mut Source, from: Span, max: u32) -> Option<(u64, Span)> {
    let size = from.u8(src, 0)?.leading_zeros() + 1;
    let behind = from.skip(size.into())?;
    if size > max {
        return None;
    }
    let bytes = src.bytes(from.at, size as usize)?;
    Some((bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), behind))
}

/// An element's content as an unsigned number; of no bytes it is 0.
pub(super) fn unsigned(src: &mut Source, content: Span) -> Option<u64> {
    let size = usize::try_from(content.size()).ok().filter(|size| *size <= 8)?;
    let bytes = src.bytes(content.at, size)?;
    Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// An element's content as a number with a fraction.
pub(super) fn float(src: &mut Source, content: Span) -> Option<f64> {
    match content.size() {
        4 => Some(f32::from_be_bytes(src.array(content.at)?).into()),
        8 => Some(f64::from_be_bytes(src.array(content.at)?)),
        _ => None,
    }
}
