//! Markup by its root element, behind byte order mark, XML declaration, comments and document type.

/// The type of SVG, whose facts are read further.
pub(super) const SVG: &str = "image/svg+xml";

/// Roots of HTML without a document type; others, such as `div` and `p`, are in use outside of it.
const HTML_ROOTS: [&[u8]; 10] =
    [b"html", b"head", b"body", b"title", b"script", b"style", b"iframe", b"table", b"h1", b"a"];

/// The type of a text that may be markup; nothing when it is not.
pub(super) fn detect(head: &[u8]) -> Option<&'static str> {
    let mut rest = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let (mut declared, mut html) = (false, false);
    loop {
        rest = rest.trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"<?") {
            let xml = inside.starts_with(b"xml") && inside.get(3).is_some_and(u8::is_ascii_whitespace);
            if !xml && !declared {
                return None;
            }
            declared = true;
            rest = match behind(inside, b"?>") {
                Some(rest) => rest,
                None => return Some("text/xml"),
            };
        } else if let Some(inside) = rest.strip_prefix(b"<!--") {
            match behind(inside, b"-->") {
                Some(behind) => rest = behind,
                None => break,
            }
        } else if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype")) {
            let kind = rest[9..].trim_ascii_start();
            html |= kind.get(..4).is_some_and(|kind| kind.eq_ignore_ascii_case(b"html"));
            match behind_doctype(&rest[9..]) {
                Some(behind) => rest = behind,
                None => break,
            }
        } else {
            break;
        }
    }
    let root = rest.strip_prefix(b"<").map(|rest| {
        let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
        &rest[..end.unwrap_or(rest.len())]
    });
    let local = root.and_then(|name| name.rsplit(|byte| *byte == b':').next()).unwrap_or_default();
    if local == b"svg" && !html {
        Some(SVG)
    } else if declared {
        Some("text/xml")
    } else if html || HTML_ROOTS.iter().any(|name| root.is_some_and(|root| root.eq_ignore_ascii_case(name))) {
        Some("text/html")
    } else {
        None
    }
}

fn behind<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    text.get(at + mark.len()..)
}

/// What follows a document type, whose declarations may stand in brackets and hold quoted angles.
fn behind_doctype(text: &[u8]) -> Option<&[u8]> {
    let (mut quote, mut brackets) = (None, false);
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => brackets = true,
            (None, b']') => brackets = false,
            (None, b'>') if !brackets => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}
