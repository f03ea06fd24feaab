//! Boxes of a HEIF container and the numbers in them; whatever does not hold together is simply not there.

/// A place among bytes, from which numbers are taken one after the other.
#[derive(Clone, Copy)]
pub(in super::super) struct Cursor<'a>(pub(in super::super) &'a [u8]);

impl Cursor<'_> {
    /// A number of so many bytes, at most eight; none of no bytes is 0.
    pub(in super::super) fn number(&mut self, len: usize) -> Option<u64> {
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The same as a count of things in memory.
    pub(in super::super) fn count(&mut self, len: usize) -> Option<usize> {
        usize::try_from(self.number(len)?).ok()
    }

    /// The same as a smaller number.
    pub(in super::super) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number(4)?).ok()
    }

    /// The version and the flags with which many boxes begin.
    pub(in super::super) fn version(&mut self) -> Option<(u64, u64)> {
        Some((self.number(1)?, self.number(3)?))
    }
}

/// A box: its type and what is in it.
#[derive(Clone, Copy)]
pub(in super::super) struct Part<'a> {
    pub(in super::super) kind: [u8; 4],
    pub(in super::super) body: &'a [u8],
}

/// The boxes in some bytes, one after the other; one that is cut short ends them.
pub(in super::super) struct Parts<'a>(pub(in super::super) &'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let mut cursor = Cursor(self.0);
        let len = cursor.number(4)?;
        let (kind, _) = cursor.0.split_first_chunk::<4>()?;
        cursor.0 = &cursor.0[4..];
        let len = match len {
            0 => self.0.len() as u64,
            1 => match cursor.number(8)? {
                // What others take for a box without an end has to be one here too.
                u64::MAX => self.0.len() as u64,
                len => len,
            },
            len => len,
        };
        let head = self.0.len() - cursor.0.len();
        let whole = self.0.get(..usize::try_from(len).ok()?)?;
        let body = whole.get(head..)?;
        self.0 = &self.0[whole.len()..];
        Some(Part { kind: *kind, body })
    }
}

/// The only box of a type, empty if there is none; nothing if there are several, of which others may take another one.
pub(super) fn only(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let mut found = Parts(bytes).filter(|part| part.kind == kind);
    let body = found.next().map_or(&[][..], |part| part.body);
    found.next().is_none().then_some(body)
}

/// The first box of a type.
pub(in super::super) fn find(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    Parts(bytes).find(|part| part.kind == kind).map(|part| part.body)
}

#[cfg(test)]
mod tests {
    use super::{Parts, only};

    #[test]
    fn a_box_may_end_with_what_is_around_it() {
        for bytes in [&b"\0\0\0\0abcdrest"[..], b"\0\0\0\x01abcd\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFrest"] {
            let parts: Vec<_> = Parts(bytes).map(|part| (part.kind, part.body)).collect();
            assert_eq!(parts, [(*b"abcd", &b"rest"[..])]);
        }
        // Longer than what is around it, or shorter than itself.
        assert!(Parts(b"\0\0\0\x0Dabcdrest").next().is_none());
        assert!(Parts(b"\0\0\0\x01abcd\0\0\0\0\0\0\0\x0Frest").next().is_none());
    }

    #[test]
    fn what_stands_twice_is_not_the_only_one() {
        let twice = b"\0\0\0\x09abcd1\0\0\0\x09abcd2\0\0\0\x09efgh3";
        assert_eq!(only(twice, *b"abcd"), None);
        assert_eq!(only(twice, *b"efgh"), Some(&b"3"[..]));
        assert_eq!(only(twice, *b"ijkl"), Some(&b""[..]));
    }
}
