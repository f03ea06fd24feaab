//! `Content-Disposition` of a part or of an origin's answer, read from its raw bytes: clients send names in UTF-8, in Latin-1, in the form of
//! RFC 5987, and with quotes escaped in two ways.

use std::borrow::Cow;

/// What such a header says.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Disposition {
    /// The name of the form field.
    pub name: Option<String>,
    /// The name of the file; a part that has one is a file, even if it is empty.
    pub filename: Option<String>,
}

impl Disposition {
    /// Reads `form-data; name="…"; filename="…"; filename*=utf-8''…`; what cannot be read is absent.
    pub fn parse(value: &[u8]) -> Self {
        let mut disposition = Self::default();
        let mut extended = None;
        let mut rest = value;
        while let Some((parameter, tail)) = next_parameter(rest) {
            rest = tail;
            let Some(at) = parameter.iter().position(|b| *b == b'=') else { continue };
            let value = unquote(&parameter[at + 1..]);
            match parameter[..at].trim_ascii().to_ascii_lowercase().as_slice() {
                b"name" => disposition.name = disposition.name.or(Some(text(&value))),
                b"filename" => disposition.filename = disposition.filename.or(Some(text(&value))),
                b"filename*" => extended = extended.or(extended_value(&value)),
                _ => {}
            }
        }
        disposition.filename = extended.or(disposition.filename);
        disposition
    }
}

/// Cuts off the next `;`-separated parameter; a `;` between quotes is none.
fn next_parameter(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.is_empty() {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return Some((&rest[..at], &rest[at + 1..])),
            _ => {}
        }
    }
    Some((rest, &[]))
}

/// Takes quotes off. A backslash is an escape before a quote or a backslash only: browsers send Windows paths unescaped.
fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    let Some(inner) = value.strip_prefix(b"\"") else { return Cow::Borrowed(value) };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(next @ (b'"' | b'\\')) if byte == b'\\' => {
                plain.push(*next);
                bytes.next();
            }
            _ => plain.push(byte),
        }
    }
    Cow::Owned(plain)
}

/// UTF-8, else Latin-1; browsers write quotes and line ends as `%22`, `%0D`, `%0A`.
fn text(bytes: &[u8]) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => latin_1(bytes),
    };
    text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// `charset'language'percent-encoded` (RFC 5987) in one of the two character sets that the RFC demands.
fn extended_value(value: &[u8]) -> Option<String> {
    let mut pieces = value.splitn(3, |b| *b == b'\'');
    let (charset, _language, encoded) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let bytes: Vec<u8> = percent_encoding::percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin_1(&bytes))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &[u8]) -> (Option<String>, Option<String>) {
        let Disposition { name, filename } = Disposition::parse(value);
        (name, filename)
    }

    fn file(value: &[u8]) -> String {
        parsed(value).1.unwrap()
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        assert_eq!(parsed(b"form-data; name=\"a\""), (Some("a".into()), None));
        assert_eq!(parsed(b"form-data; name=file; filename=x.txt"), (Some("file".into()), Some("x.txt".into())));
        assert_eq!(parsed(b"form-data; name=\"f\"; filename=\"\""), (Some("f".into()), Some(String::new())));
        assert_eq!(parsed(b"form-data"), (None, None));
        assert_eq!(parsed(b""), (None, None));
        assert_eq!(
            parsed(b"form-data; filename=\"a;name=b.txt\"; NAME=\"c\""),
            (Some("c".into()), Some("a;name=b.txt".into()))
        );
    }

    #[test]
    fn names_of_files_are_decoded() {
        assert_eq!(file("form-data; filename=\"Москалев.pdf\"".as_bytes()), "Москалев.pdf");
        assert_eq!(file(b"form-data; filename=\"caf\xe9.txt\""), "café.txt");
        assert_eq!(file(br#"form-data; filename="a\"b.txt""#), "a\"b.txt");
        assert_eq!(file(b"form-data; filename=\"a%22b%0D%0A.txt\""), "a\"b\r\n.txt");
        assert_eq!(file(br#"form-data; filename="C:\temp\x.txt""#), r"C:\temp\x.txt");
        assert_eq!(file(b"form-data; filename=\"plain.txt\"; filename*=UTF-8'en'%e2%82%ac%20rates.txt"), "€ rates.txt");
        assert_eq!(file(b"form-data; filename*=iso-8859-1''caf%e9.txt; filename=x"), "café.txt");
        assert_eq!(file(b"form-data; filename=x; filename*=utf-16''zz"), "x");
        assert_eq!(file(b"form-data; filename=\"unclosed"), "unclosed");
    }
}
