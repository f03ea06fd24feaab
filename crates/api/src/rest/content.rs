//! The bodies of requests: JSON, or an urlencoded form, which counts as a JSON object of strings. Both are taken by every
//! endpoint, whatever its reference says: official clients send forms where JSON is documented, and the other way round.

use http::{HeaderMap, header};
use serde_json::{Map, Value};
use stowage_model::{Refusal, RestRefusal};

/// The longest declared type that is repeated in a refusal, in characters.
const SHOWN: usize = 100;

/// The body as JSON. Without a body it is an empty object, and null where it cannot be read. Texts with U+0000 in them are
/// refused: not every database can keep or look for them.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, RestRefusal> {
    let value = parse(headers, body)?;
    if has_nul(&value) { Err(Refusal::NullCharactersForbidden.into()) } else { Ok(value) }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Value, RestRefusal> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Ok(Value::Object(Map::new()));
    };
    let declared = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let declared = declared.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_form = declared.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let is_json = declared.eq_ignore_ascii_case("application/json") || declared.to_ascii_lowercase().ends_with("+json");
    if !is_form && !is_json && !declared.is_empty() {
        return Err(RestRefusal::MediaTypeUnsupported(declared.chars().take(SHOWN).collect()));
    }
    // No form begins like this, whatever the body is declared as; and JSON is never a line of pairs.
    if !is_form || matches!(first, b'{' | b'[' | b'"') {
        match serde_json::from_slice(body) {
            Ok(value) => return Ok(value),
            Err(_) if !body.contains(&b'=') || matches!(first, b'{' | b'[' | b'"') => return Ok(Value::Null),
            Err(_) => {}
        }
    }
    Ok(Value::Object(form(body)))
}

/// A form; the values of a name that repeats are an array.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Value::String(value.into_owned());
        match object.get_mut(&*name) {
            None => {
                object.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(known) => *known = Value::Array(vec![known.take(), value]),
        }
    }
    object
}

/// Whether a word means yes; none for a word that means neither yes nor no.
pub(super) fn word(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }
}

/// A boolean, also as a word or a number.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => word(text),
        Value::Number(number) => word(&number.to_string()),
        _ => None,
    }
}

/// Texts in an array.
pub(super) fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn of(declared: &'static str, body: &str) -> Result<Value, RestRefusal> {
        let mut headers = HeaderMap::new();
        if !declared.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(declared));
        }
        read(&headers, body.as_bytes())
    }

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    #[test]
    fn json_and_forms_are_read_however_they_are_declared() {
        for declared in ["", FORM, "application/json", "Application/JSON; x=y", "application/vnd.uploadcare-v0.7+json"]
        {
            assert_eq!(of(declared, "").unwrap(), json!({}), "{declared}");
            assert_eq!(of(declared, " [\"a\"]\n").unwrap(), json!(["a"]), "{declared}");
            assert_eq!(of(declared, "{\"a\":\"b=c\"}").unwrap(), json!({ "a": "b=c" }), "{declared}");
            assert_eq!(of(declared, "\"a\"").unwrap(), json!("a"), "{declared}");
            assert_eq!(of(declared, "a=b+%26&c=&a=d").unwrap(), json!({ "a": ["b &", "d"], "c": "" }), "{declared}");
            assert_eq!(of(declared, "{\"a\"=1}").unwrap(), Value::Null, "{declared}");
        }
        assert_eq!(of("application/json", "nope").unwrap(), Value::Null);
        assert_eq!(of(FORM, "nope").unwrap(), json!({ "nope": "" }));
        assert_eq!(of("", "true").unwrap(), json!(true));
        assert_eq!(of("application/json", &"[".repeat(1 << 20)).unwrap(), Value::Null, "depth is limited");
    }

    #[test]
    fn other_types_are_refused_where_there_is_a_body() {
        assert_eq!(of("text/xml", " ").unwrap(), json!({}));
        assert_eq!(of("text/xml; a=b", "<a/>"), Err(RestRefusal::MediaTypeUnsupported("text/xml".into())));
    }

    #[test]
    fn nul_is_refused_wherever_it_hides() {
        for (declared, body) in [
            ("", r#""a\u0000""#),
            ("", r#"{"a":[{"b":"\u0000"}]}"#),
            ("", r#"{"\u0000":1}"#),
            (FORM, "a=%00"),
            (FORM, "%00=a"),
            (FORM, "a=\0"),
        ] {
            assert_eq!(of(declared, body), Err(Refusal::NullCharactersForbidden.into()), "{body}");
        }
        assert_eq!(of("", "\"a\0\"").unwrap(), Value::Null, "no JSON");
    }

    #[test]
    fn booleans_in_every_form() {
        for yes in [json!(true), json!("true"), json!("True"), json!("1"), json!(1)] {
            assert_eq!(boolean(&yes), Some(true), "{yes}");
        }
        for no in [json!(false), json!("false"), json!("False"), json!("0"), json!(0)] {
            assert_eq!(boolean(&no), Some(false), "{no}");
        }
        for neither in [json!(null), json!("yes"), json!(""), json!(2), json!(1.0), json!([])] {
            assert_eq!(boolean(&neither), None, "{neither}");
        }
    }
}
