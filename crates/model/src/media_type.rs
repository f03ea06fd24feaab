//! Media types as uploaders declare them. They come back in answers and headers, so that only well-formed ones are kept.

/// The longest media type that is kept, in bytes.
const MAX_LEN: usize = 255;

/// Whether `text` is one media type, `type/subtype` with parameters `; name=token` or `; name="quoted text"` (RFC 9110,
/// section 8.3.1). A list of types is none: browsers take the last type of a list, whatever the first one promises.
pub fn is_well_formed(text: &str) -> bool {
    if text.len() > MAX_LEN || !text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return false;
    }
    let (essence, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let Some((kind, subtype)) = essence.trim_end().split_once('/') else { return false };
    if !is_token(kind) || !is_token(subtype) {
        return false;
    }
    while let Some(parameter) = rest.strip_prefix(';') {
        let parameter = parameter.trim_start();
        if parameter.is_empty() {
            return true;
        }
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let Some(end) = value_end(value) else { return false };
        if !is_token(name) {
            return false;
        }
        rest = value[end..].trim_start();
    }
    rest.is_empty()
}

/// `type/subtype` alone, in lower case.
pub fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Where the value of a parameter ends that begins `text`: a token, or a text in quotes.
fn value_end(text: &str) -> Option<usize> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        for (at, byte) in quoted.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(at + 2),
                _ => {}
            }
        }
        return None;
    }
    let end = text.bytes().position(|b| !is_token_byte(b)).unwrap_or(text.len());
    (end > 0).then_some(end)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_with_parameters_is_well_formed() {
        for good in [
            "image/png",
            "text/html; charset=UTF-8",
            "text/html;charset=utf-8;",
            "application/vnd.ms-excel",
            "video/mp4; codecs=\"avc1.42E01E, mp4a.40.2\"",
            "multipart/x; a=b ; c=\"d\\\"e\"",
        ] {
            assert!(is_well_formed(good), "{good}");
        }
    }

    #[test]
    fn lists_and_odd_forms_are_not() {
        for bad in [
            "",
            "image",
            "/png",
            "image/",
            "image/png, text/html",
            "image/png; a=b, text/html",
            "image/png; a",
            "image/png; =b",
            "image/png; a=",
            "image/png; a=\"b",
            "image/png; a=b c",
            "text/plain\r\nX: y",
            "a b/c",
            "text/pläin",
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
        assert!(!is_well_formed(&format!("text/{}", "x".repeat(300))));
        assert_eq!(essence(" Text/HTML ; charset=x"), "text/html");
    }
}
