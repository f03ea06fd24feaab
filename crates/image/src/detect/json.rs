//! Whether a text is JSON: a checker without recursion that keeps one bit for every open bracket.

/// Brackets inside each other; libmagic stops at such a depth as well.
const MAX_DEPTH: usize = 500;

/// The type of a text that begins with a bracket: one JSON value, or one to a line. Where the text is `cut` off
/// because the file is longer, what is there has to be right so far.
pub(super) fn detect(text: &[u8], cut: bool) -> Option<&'static str> {
    let mut rest = text;
    let mut values = 0;
    loop {
        match value(rest) {
            End::At(len) => {
                values += 1;
                rest = &rest[len..];
            }
            End::Cut if cut => return Some(kind(values + 1)),
            End::Cut | End::Wrong => return None,
        }
        let next = rest.trim_ascii_start();
        if next.is_empty() {
            return Some(kind(values));
        }
        let new_line = rest[..rest.len() - next.len()].contains(&b'\n');
        if !new_line || !matches!(next[0], b'{' | b'[') {
            return None;
        }
        rest = next;
    }
}

fn kind(values: u32) -> &'static str {
    if values > 1 { "application/x-ndjson" } else { "application/json" }
}

enum End {
    /// The value is complete and has this many bytes.
    At(usize),
    /// The text ended inside the value.
    Cut,
    Wrong,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Due {
    Value,
    /// A value or the end of an array.
    First,
    Key,
    /// A key or the end of an object.
    FirstKey,
    Colon,
    /// A comma or the end of what is open.
    Comma,
}

/// Checks the object or array at the beginning of a text.
fn value(text: &[u8]) -> End {
    // One entry for each open bracket: whether it is that of an object.
    let mut open: Vec<bool> = Vec::new();
    let mut due = Due::Value;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        let len = match (byte, due) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => Some(1),
            (b'{' | b'[', Due::Value | Due::First) if open.len() < MAX_DEPTH => {
                open.push(*byte == b'{');
                due = if *byte == b'{' { Due::FirstKey } else { Due::First };
                at += 1;
                continue;
            }
            (b'}', Due::FirstKey | Due::Comma) if open.last() == Some(&true) => Some(close(&mut open, &mut due)),
            (b']', Due::First | Due::Comma) if open.last() == Some(&false) => Some(close(&mut open, &mut due)),
            (b',', Due::Comma) => {
                due = if open.last() == Some(&true) { Due::Key } else { Due::Value };
                Some(1)
            }
            (b':', Due::Colon) => {
                due = Due::Value;
                Some(1)
            }
            (b'"', Due::Key | Due::FirstKey) => {
                due = Due::Colon;
                string(rest)
            }
            (_, Due::Value | Due::First) => {
                due = Due::Comma;
                scalar(rest)
            }
            _ => return End::Wrong,
        };
        match len {
            Some(0) => return End::Wrong,
            Some(len) => at += len,
            None => return End::Cut,
        }
        if open.is_empty() {
            return End::At(at);
        }
    }
    End::Cut
}

fn close(open: &mut Vec<bool>, due: &mut Due) -> usize {
    open.pop();
    *due = Due::Comma;
    1
}

/// The length of the string, number or word at the beginning; 0 for what is none, nothing when it is cut off.
fn scalar(text: &[u8]) -> Option<usize> {
    match text[0] {
        b'"' => string(text),
        b'-' | b'0'..=b'9' => {
            let len = text.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))?;
            Some(if is_number(&text[..len]) { len } else { 0 })
        }
        _ => [b"true".as_slice(), b"false", b"null"]
            .iter()
            .find_map(|word| {
                if text.starts_with(word) { Some(Some(word.len())) } else { word.starts_with(text).then_some(None) }
            })
            .unwrap_or(Some(0)),
    }
}

fn string(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            0..0x20 => return Some(0),
            _ => {}
        }
    }
    None
}

fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut halves = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = (halves.next().unwrap_or_default(), halves.next());
    let mut parts = mantissa.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    digits(whole)
        && (whole.len() == 1 || whole[0] != b'0')
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_what_only_looks_like_it() {
        for good in ["{}", "[]", r#"{"a":[1,-2.5e+3,{"b":null}],"c":"x\"y"}"#, "[true,false]\n", "[[[[]]]]"] {
            assert_eq!(detect(good.as_bytes(), false), Some("application/json"), "{good}");
        }
        for bad in
            ["{", "[1,]", "{\"a\"}", "{a:1}", "[01]", "[1 2]", "{} x", "[}", "[\"a\nb\"]", "[tru]", "[1.]", "{}{}"]
        {
            assert_eq!(detect(bad.as_bytes(), false), None, "{bad}");
        }
        assert_eq!(detect(b"{\"a\":1}\n{\"a\":2}\n", false), Some("application/x-ndjson"));
        for cut in ["{\"a\":1,", "[1,2", "[\"ab", "[tr", "[-"] {
            assert_eq!(detect(cut.as_bytes(), true), Some("application/json"), "{cut}");
            assert_eq!(detect(cut.as_bytes(), false), None, "{cut}");
        }
        assert_eq!(detect("[".repeat(100_000).as_bytes(), true), None);
    }
}
