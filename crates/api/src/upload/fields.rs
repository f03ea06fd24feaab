//! The text fields of a request.

use bytes::Bytes;
use stowage_model::Refusal;

/// Names and values in the order in which they came. Values are bytes: a value that is no UTF-8 is refused, or not, by
/// whoever needs it as a text.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Bytes)>);

impl Fields {
    /// The parameters of a query.
    pub(super) fn of_query(query: &str) -> Self {
        Self(decode(query.as_bytes()).collect())
    }

    /// The fields of an `application/x-www-form-urlencoded` body of at most `limit` fields.
    pub(super) fn of_urlencoded(body: &[u8], limit: usize) -> Result<Self, Refusal> {
        let escapes_are_whole = body.iter().enumerate().all(|(at, byte)| {
            let digits = body.get(at + 1..at + 3);
            *byte != b'%' || digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        });
        if !escapes_are_whole {
            return Err(Refusal::PostRequestParserFailed);
        }
        let fields = Self(decode(body).take(limit + 1).collect());
        if fields.0.len() > limit { Err(Refusal::RequestFieldsNumberLimitExceeded) } else { Ok(fields) }
    }

    pub(super) fn push(&mut self, name: String, value: Bytes) {
        self.0.push((name, value));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first value of this name, where it is UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The first value of this name that is not empty.
    pub(super) fn given(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value)
    }

    fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The `metadata[key]` fields as pairs of key and value.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((key, &value[..]))
        })
    }

    /// The values of `files[]` and `files[N]`: by number, those without one behind in the order sent.
    pub(super) fn files(&self) -> Vec<&[u8]> {
        let mut found: Vec<(u64, &[u8])> = self
            .0
            .iter()
            .filter_map(|(name, value)| {
                let index = name.strip_prefix("files[")?.strip_suffix(']')?;
                let number = if index.is_empty() { Some(u64::MAX) } else { index.parse().ok() };
                Some((number?, &value[..]))
            })
            .collect();
        // Stable: equal numbers stay in the order sent.
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// Whether a name or a value holds U+0000.
    pub(super) fn have_nul(&self) -> bool {
        self.0.iter().any(|(name, value)| name.contains('\0') || value.contains(&0))
    }
}

fn decode(text: &[u8]) -> impl Iterator<Item = (String, Bytes)> + '_ {
    text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = match pair.iter().position(|b| *b == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        (String::from_utf8_lossy(&unescape(name)).into_owned(), Bytes::from(unescape(value)))
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urlencoded_fields_are_decoded() {
        let fields = Fields::of_urlencoded("a=1&&metadata%5Bk+x%5D=%D0%B4&b&metadata[]=&c=%ff".as_bytes(), 5).unwrap();
        assert_eq!(fields.text("a"), Some("1"));
        assert_eq!(fields.text("b"), Some(""));
        assert_eq!(fields.text("c"), None);
        assert_eq!(fields.metadata().collect::<Vec<_>>(), [("k x", "д".as_bytes()), ("", b"")]);
    }

    #[test]
    fn broken_escapes_and_too_many_fields_are_refused() {
        for body in ["a=%", "a=%4", "a=%zz"] {
            assert_eq!(Fields::of_urlencoded(body.as_bytes(), 9).unwrap_err(), Refusal::PostRequestParserFailed);
        }
        let refused = Fields::of_urlencoded(b"a=1&b=2&c=3", 2).unwrap_err();
        assert_eq!(refused, Refusal::RequestFieldsNumberLimitExceeded);
    }

    #[test]
    fn nul_is_found_in_names_and_values() {
        assert!(Fields::of_query("a=%00").have_nul() && Fields::of_query("%00=a").have_nul());
        assert!(!Fields::of_query("a=%30").have_nul());
    }
}
