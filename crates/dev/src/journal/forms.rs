//! Forms among the bodies that the journal keeps, as far as they were kept: their fields, and what their files are called.

use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::bodies::Kept;
use super::mask::{self, MASK};

/// A file in a form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = JournalFile)]
pub(crate) struct File {
    /// The name of its field.
    field: String,
    /// Its name.
    name: String,
    /// Its type, as the form says.
    #[serde(rename = "type")]
    #[schema(required)]
    kind: Option<String>,
    /// How many bytes it has; `null` where the journal has not kept where it ends.
    #[schema(required)]
    size: Option<u64>,
}

/// A form.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Form {
    /// Fields by name; a list where several have the same name.
    pub(super) fields: Map<String, Value>,
    pub(super) files: Vec<File>,
}

impl Form {
    fn add(&mut self, name: String, value: &str) {
        let value = if mask::is_secret(name.as_bytes()) { MASK.to_owned() } else { mask::text(value) };
        let value = Value::String(value);
        match self.fields.get_mut(&name) {
            None => drop(self.fields.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
}

/// Where something begins for the first time.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

/// The form that a body is, if it is one.
pub(super) fn read(headers: &HeaderMap, kept: &Kept) -> Option<Form> {
    let kind = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Some(of_pairs(kept));
    }
    if !essence.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(kind, "boundary").filter(|boundary| !boundary.is_empty())?;
    let mut bytes = kept.head.clone();
    bytes.extend_from_slice(kept.tail());
    let missing = (bytes.len() as u64) < kept.size;
    Some(of_parts(&bytes, &boundary, missing.then_some(kept.head.len())))
}

fn of_pairs(kept: &Kept) -> Form {
    let mut bytes = kept.head.as_slice();
    if !kept.is_complete() {
        // The last pair is cut.
        bytes = bytes.iter().rposition(|byte| *byte == b'&').map_or(&[], |at| &bytes[..at]);
    }
    let mut form = Form::default();
    for (name, value) in form_urlencoded::parse(bytes) {
        form.add(name.into_owned(), &value);
    }
    form
}

/// Parts between delimiters. Where `gap` says, bytes are missing.
fn of_parts(bytes: &[u8], boundary: &str, gap: Option<usize>) -> Form {
    let mut form = Form::default();
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may be at the very beginning.
    let first = if bytes.starts_with(&delimiter.as_bytes()[2..]) { Some(delimiter.len() - 2) } else { None };
    let mut next = first.or_else(|| find(bytes, delimiter.as_bytes()).map(|at| at + delimiter.len()));
    while let Some(start) = next {
        let rest = &bytes[start..];
        if rest.starts_with(b"--") {
            break;
        }
        let end = find(rest, delimiter.as_bytes());
        next = end.map(|end| start + end + delimiter.len());
        let part = &rest[..end.unwrap_or(rest.len())];
        let Some(head) = find(part, b"\r\n\r\n") else { continue };
        let (head, value) = (String::from_utf8_lossy(&part[..head]), &part[head + 4..]);
        let line = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let disposition = line("content-disposition").unwrap_or_default();
        let Some(field) = parameter(&disposition, "name") else { continue };
        let cut = end.is_none() || gap.is_some_and(|gap| (start..start + part.len()).contains(&gap));
        match parameter(&disposition, "filename") {
            Some(name) => {
                let size = (!cut).then_some(value.len() as u64);
                form.files.push(File { field, name, kind: line("content-type"), size });
            }
            None if cut => {}
            None => form.add(field, &String::from_utf8_lossy(value)),
        }
    }
    form
}

/// The value of a parameter behind a semicolon, with or without quotes.
fn parameter(line: &str, name: &str) -> Option<String> {
    let (_, mut rest) = line.split_once(';')?;
    while let Some((found, behind)) = rest.split_once('=') {
        let (value, behind) = if let Some(quoted) = behind.strip_prefix('"') {
            until_quote(quoted)
        } else {
            let end = behind.find(';').unwrap_or(behind.len());
            (behind[..end].trim().to_owned(), &behind[end..])
        };
        let found = found.rsplit(';').next().unwrap_or_default();
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
    None
}

/// A quoted text up to its end, and what is behind it. Browsers write quotes as `%22`, others with a backslash.
fn until_quote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value.replace("%22", "\""), &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;\\\"b.txt\"\r\nContent-Type: text/plain\r\n\r\n\
                        hello\r\n\
                        --B\r\ncontent-disposition: form-data; name=\"UPLOADCARE_PUB_KEY\"\r\n\r\nkey\r\n\
                        --B\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n\
                        --B\r\nContent-Disposition: form-data; name=x\r\n\r\n2\r\n\
                        --B\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\nabc\r\n--B--\r\n";

    fn form(kind: &str, body: &str, limit: usize) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        let mut kept = Kept::new(limit, 0, 300);
        kept.push(body.as_bytes());
        kept.end();
        read(&headers, &kept)
    }

    #[test]
    fn fields_and_files_are_found() {
        let form = form("multipart/form-data; boundary=B", BODY, 10_000).unwrap();
        assert_eq!(
            Value::Object(form.fields),
            json!({ "UPLOADCARE_PUB_KEY": "key", "x": ["1", "2"], "signature": "***" })
        );
        let file =
            File { field: "file".into(), name: "a;\"b.txt".into(), kind: Some("text/plain".into()), size: Some(5) };
        assert_eq!(form.files, [file]);
    }

    #[test]
    fn what_was_not_kept_is_not_made_up() {
        let body = BODY.replace("hello", &"x".repeat(5000));
        let form = form("multipart/form-data; boundary=\"B\"", &body, 200).unwrap();
        assert_eq!(
            Value::Object(form.fields),
            json!({ "UPLOADCARE_PUB_KEY": "key", "x": ["1", "2"], "signature": "***" })
        );
        assert_eq!((form.files.len(), form.files[0].size), (1, None));
        for limit in 0..BODY.len() {
            let mut kept = Kept::new(limit, 0, 0);
            kept.push(BODY.as_bytes());
            let headers = HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                "multipart/form-data; boundary=B".parse().unwrap(),
            )]);
            for (name, value) in read(&headers, &kept).unwrap().fields {
                let whole = ["UPLOADCARE_PUB_KEY", "x", "signature"].contains(&name.as_str());
                assert!(
                    whole && ["\"key\"", "\"1\"", "[\"1\",\"2\"]", "\"***\""].contains(&value.to_string().as_str()),
                    "{name} {value}"
                );
            }
        }
    }

    #[test]
    fn parameters_are_read() {
        let line = "form-data; x; filename=\"a;name=b\"; NAME = c d ;filename*=UTF-8''e; last=\"";
        for (name, value) in
            [("name", Some("c d")), ("filename", Some("a;name=b")), ("filename*", Some("UTF-8''e")), ("last", Some(""))]
        {
            assert_eq!(parameter(line, name).as_deref(), value, "{name}");
        }
        for line in ["", "form-data", "form-data; name", "name=a", ";=;=", "form-data; filename=\"; name=\"a"] {
            assert_eq!(parameter(line, "name"), None, "{line}");
        }
    }

    #[test]
    fn pairs_are_fields_too() {
        let found = form("application/x-www-form-urlencoded; charset=utf-8", "pub_key=a%20b&sig=1&c", 100).unwrap();
        assert_eq!(Value::Object(found.fields), json!({ "pub_key": "a b", "sig": "***", "c": "" }));
        let cut = form("application/x-www-form-urlencoded", "a=1&b=22222", 7).unwrap();
        assert_eq!(Value::Object(cut.fields), json!({ "a": "1" }));
        assert!(form("application/json", "{}", 10).is_none());
        assert!(form("multipart/form-data", "", 10).is_none());
    }
}
