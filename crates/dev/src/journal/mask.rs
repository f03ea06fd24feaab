//! What the journal does not show: whatever opens something. Secrets are found by the names before them, in whatever is written there
//! (queries, forms, JSON), because a body may be cut anywhere.

use std::ops::Range;

use uuid::Uuid;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// What secrets are called, in lower case.
const SECRETS: [&str; 14] = [
    "signature",
    "uploadcare_signature",
    "sig",
    "token",
    "access_token",
    "secret",
    "secret_key",
    "secret_keys",
    "access_key",
    "signing_secret",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "password",
];

/// How far behind the name of a part of a form its value is looked for, in bytes.
const FAR: usize = 1024;

/// Whether something of this name is secret.
pub(super) fn is_secret(name: &[u8]) -> bool {
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

/// The text without its secrets.
pub(super) fn bytes(bytes: &[u8]) -> Vec<u8> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut masked = Vec::with_capacity(bytes.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(start) = bytes[at..].iter().position(is_word).map(|skipped| at + skipped) {
        let end = bytes[start..].iter().position(|byte| !is_word(byte)).map_or(bytes.len(), |word| start + word);
        at = end;
        if !is_secret(&bytes[start..end]) {
            continue;
        }
        let Some(value) = value_behind(bytes, end).filter(|value| !is_harmless(&bytes[value.clone()])) else {
            continue;
        };
        masked.extend_from_slice(&bytes[copied..value.start]);
        masked.extend_from_slice(MASK.as_bytes());
        (copied, at) = (value.end, value.end);
    }
    masked.extend_from_slice(&bytes[copied..]);
    masked
}

/// The text without its secrets.
pub(super) fn text(text: &str) -> String {
    String::from_utf8_lossy(&bytes(text.as_bytes())).into_owned()
}

/// Pairs of a query or of a form without their secrets, whose names may be escaped.
pub(super) fn pairs(query: &str) -> String {
    let pair = |pair: &str| {
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
        let raw = pair.split('=').next().unwrap_or_default();
        if is_secret(name.as_bytes()) && !is_harmless(value.as_bytes()) { format!("{raw}={MASK}") } else { text(pair) }
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// The value of a header without its secrets.
pub(super) fn header(name: &str, value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    match name {
        "authorization" | "proxy-authorization" => {
            let (scheme, rest) = value.trim().split_once(' ').unwrap_or(("", &value));
            match rest.split_once(':') {
                Some((key, _)) if scheme.to_ascii_lowercase().starts_with("uploadcare") => {
                    format!("{scheme} {key}:{MASK}")
                }
                _ => format!("{scheme} {MASK}").trim_start().to_owned(),
            }
        }
        "cookie" | "set-cookie" => MASK.to_owned(),
        _ => text(&value),
    }
}

/// Tokens of uploads from URLs open nothing, and are how tests find them again. What is masked already stays.
fn is_harmless(value: &[u8]) -> bool {
    value.is_empty() || value == MASK.as_bytes() || (value.len() == 36 && Uuid::try_parse_ascii(value).is_ok())
}

/// Where the value is whose name ends here.
fn value_behind(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    match bytes.get(end)? {
        b'=' if bytes.get(end + 1) != Some(&b'"') => {
            let ends = |byte: &u8| {
                byte.is_ascii_whitespace() || matches!(byte, b'&' | b'"' | b'\'' | b'<' | b'>' | b'#' | b'\\')
            };
            Some(end + 1..find(bytes, end + 1, ends))
        }
        b'"' if bytes[end + 1..].starts_with(b"\r\n") || bytes[end + 1..].starts_with(b";") => in_form(bytes, end + 1),
        b'"' => in_json(bytes, end + 1),
        _ => None,
    }
}

/// The place of the first such byte, else the end.
fn find(bytes: &[u8], from: usize, is: impl Fn(&u8) -> bool) -> usize {
    let from = from.min(bytes.len());
    bytes[from..].iter().position(is).map_or(bytes.len(), |at| from + at)
}

/// The value of a part of a form of parts, from within the line that names it.
fn in_form(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let near = &bytes[from..bytes.len().min(from + FAR)];
    let start = from + super::forms::find(near, b"\r\n\r\n")? + 4;
    let end = super::forms::find(&bytes[start..], b"\r\n--").map_or(bytes.len(), |at| start + at);
    Some(start..end)
}

/// The value of a member of an object, from behind its name; of an array of texts all of it.
fn in_json(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let colon = find(bytes, from, |byte| !is_space(byte));
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let start = find(bytes, colon + 1, |byte| !is_space(byte));
    match bytes.get(start)? {
        b'"' => {
            let mut end = start + 1;
            while let Some(byte) = bytes.get(end) {
                match byte {
                    b'"' => break,
                    b'\\' => end += 2,
                    _ => end += 1,
                }
            }
            Some(start + 1..end.min(bytes.len()))
        }
        b'[' => Some(start + 1..find(bytes, start, |byte| *byte == b']')),
        b'0'..=b'9' | b'-' => {
            Some(start..find(bytes, start, |byte| is_space(byte) || matches!(byte, b',' | b'}' | b']')))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_their_names() {
        for (plain, masked) in [
            ("signature=abc&expire=1", "signature=***&expire=1"),
            ("pub_key=a&UPLOADCARE_SIGNATURE=abc", "pub_key=a&UPLOADCARE_SIGNATURE=***"),
            ("xsignature=abc my_token=x metadata[token]=y", "xsignature=abc my_token=x metadata[token]=y"),
            ("token=0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61", "token=0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61"),
            (r#"{"type":"token","token":"exp=1~hmac=2"}"#, r#"{"type":"token","token":"***"}"#),
            (r#"{"signing_secret" : "a\"b", "x": 1}"#, r#"{"signing_secret" : "***", "x": 1}"#),
            (
                r#"{"signing_secret":null,"secret_key":12,"sig":true}"#,
                r#"{"signing_secret":null,"secret_key":***,"sig":true}"#,
            ),
            (r#"{"secret_keys":["a","b"]}"#, r#"{"secret_keys":[***]}"#),
            (r#"{"parts":["http://h/?exp=1&sig=ab","x"]}"#, r#"{"parts":["http://h/?exp=1&sig=***","x"]}"#),
            (r#"{"signing_secret":"cut o"#, r#"{"signing_secret":"***"#),
            (r#"{"secret":"cut \"#, r#"{"secret":"***"#),
            ("name=\"signature\"\r\n\r\nabc\r\n--B", "name=\"signature\"\r\n\r\n***\r\n--B"),
            (
                "name=\"signature\"\r\nContent-Type: text/plain\r\n\r\nab",
                "name=\"signature\"\r\nContent-Type: text/plain\r\n\r\n***",
            ),
            ("name=\"signature\"\r\nContent-", "name=\"signature\"\r\nContent-"),
            ("sig", "sig"),
            ("sig=", "sig="),
            ("", ""),
        ] {
            assert_eq!(text(plain), masked, "{plain}");
            assert_eq!(text(masked), masked, "twice is once");
        }
    }

    #[test]
    fn names_in_queries_may_be_escaped() {
        assert_eq!(pairs("a=1&signing%5Fsecret=x&&b"), "a=1&signing%5Fsecret=***&&b");
        assert_eq!(pairs("token=exp%3D1&c=2"), "token=***&c=2");
        assert_eq!(pairs(""), "");
    }

    #[test]
    fn headers_say_who_but_not_how() {
        for (name, value, masked) in [
            ("authorization", "Uploadcare.Simple key:secret", "Uploadcare.Simple key:***"),
            ("authorization", "Uploadcare key:ab:cd", "Uploadcare key:***"),
            ("authorization", "Bearer a.b.c", "Bearer ***"),
            ("authorization", "Basic a:b", "Basic ***"),
            ("authorization", "nonsense", "***"),
            ("authorization", "", "***"),
            ("cookie", "a=b", "***"),
            ("referer", "http://h/?token=abc&x=1", "http://h/?token=***&x=1"),
            ("accept", "*/*", "*/*"),
        ] {
            assert_eq!(header(name, value.as_bytes()), masked, "{name}: {value}");
        }
        assert_eq!(header("x", b"\xff"), "\u{fffd}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_masked(text in r#"(sig|token|"|=|:|\\|\[|\r\n|--|[a-z{} ]|\PC){0,40}"#, cut in 0usize..200) {
            let bytes = text.as_bytes();
            let cut = &bytes[..cut.min(bytes.len())];
            let masked = super::bytes(cut);
            if !cut.windows(3).any(|three| three.eq_ignore_ascii_case(b"sig") || three.eq_ignore_ascii_case(b"tok")) {
                proptest::prop_assert_eq!(masked.as_slice(), cut);
            }
        }
    }
}
