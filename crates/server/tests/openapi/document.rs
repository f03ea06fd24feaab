//! The document as a reader of answers: what it says of an answer, whether that is true, and how much of it was seen to be.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use reqwest::Response;
use serde_json::Value;

use crate::support::Server;

/// A member of an object: where its schema stands, and its name.
type Member = (String, String);

/// What was seen of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Sight {
    Missing,
    Null,
    Something,
}

pub(crate) struct Document {
    pub(crate) value: Value,
    seen: RefCell<BTreeSet<(Member, Sight)>>,
    answered: RefCell<BTreeSet<String>>,
}

/// What a schema knows of a value that it fits.
#[derive(Default)]
struct Fit {
    known: BTreeSet<String>,
    seen: Vec<(Member, Sight)>,
}

fn list<'v>(schema: &'v Value, key: &str) -> &'v [Value] {
    schema[key].as_array().map_or(&[], Vec::as_slice)
}

fn members(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

impl Document {
    pub(crate) async fn of(server: &Server) -> Self {
        let answer = server.get("/openapi.json").send().await.unwrap();
        let document = Self { value: Value::Null, seen: RefCell::default(), answered: RefCell::default() };
        let value: Value = answer.json().await.unwrap();
        Self { value, ..document }
    }

    /// What the document says of a method and a path, if it says anything.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        self.value["paths"].get(path)?.get(method.to_lowercase())
    }

    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(reference) => self.value.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    /// Holds an answer against the document. Answers its status and its body: null for none, a text for what is no JSON.
    pub(crate) async fn saw(&self, method: &str, path: &str, answer: Response) -> (u16, Value) {
        let operation = self.operation(method, path).unwrap_or_else(|| panic!("{method} {path} is not documented"));
        let status = answer.status().as_u16();
        let told = &operation["responses"][status.to_string()];
        assert!(told.is_object(), "{method} {path} answers {status}: {:?}", answer.text().await);
        let told = self.resolved(told);
        for name in told["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(answer.headers().contains_key(name), "{method} {path} {status}: no {name}");
        }
        let declared = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let declared = declared.unwrap_or_default();
        let media_type = declared.split(';').next().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        let place = format!("{method} {path} {status}");
        let Some(contents) = told["content"].as_object() else {
            assert_eq!(text, "", "{place}");
            self.answered.borrow_mut().insert(place);
            return (status, Value::Null);
        };
        let (media_type, content) = match contents.get(&media_type) {
            Some(content) => (media_type, content),
            None => ("*/*".to_owned(), contents.get("*/*").unwrap_or_else(|| panic!("{place} has {media_type}"))),
        };
        self.answered.borrow_mut().insert(format!("{place} {media_type}"));
        if !media_type.ends_with("json") {
            return (status, Value::from(text));
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        if content["schema"].is_object() {
            self.holds(&content["schema"], &place, &value);
        }
        (status, value)
    }

    /// Holds a value against a schema.
    pub(crate) fn holds(&self, schema: &Value, place: &str, value: &Value) {
        match self.closed(schema, place, value) {
            Ok(seen) => self.seen.borrow_mut().extend(seen),
            Err(fault) => panic!("{place}: {fault}\n{value:#}"),
        }
    }

    /// Whether a value fits a schema that knows all of its members.
    fn closed(&self, schema: &Value, at: &str, value: &Value) -> Result<Vec<(Member, Sight)>, String> {
        let fit = self.fit(schema, at, value)?;
        match value.as_object().into_iter().flatten().find(|(name, _)| !fit.known.contains(*name)) {
            Some((name, _)) => Err(format!("{at} does not know `{name}`")),
            None => Ok(fit.seen),
        }
    }

    fn fit(&self, schema: &Value, at: &str, value: &Value) -> Result<Fit, String> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.fit(self.resolved(schema), reference.rsplit('/').next().unwrap(), value);
        }
        let mut fit = Fit::default();
        for (index, schema) in list(schema, "allOf").iter().enumerate() {
            let part = self.fit(schema, &format!("{at}&{index}"), value)?;
            fit.known.extend(part.known);
            fit.seen.extend(part.seen);
        }
        let either = list(schema, "oneOf");
        if !either.is_empty() {
            let tried = either.iter().enumerate().map(|(index, one)| self.closed(one, &format!("{at}|{index}"), value));
            let (good, bad): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
            let [Ok(seen)] = &good[..] else {
                return Err(format!("{at} fits {} of {}: {bad:?}", good.len(), either.len()));
            };
            fit.seen.extend(seen.iter().cloned());
            fit.known.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
        check_type(schema, at, value)?;
        match value {
            Value::Object(object) => {
                for (name, member) in members(schema) {
                    let sight = match object.get(name) {
                        None if list(schema, "required").iter().any(|required| required == name) => {
                            return Err(format!("{at} lacks `{name}`"));
                        }
                        None => Sight::Missing,
                        Some(value) => {
                            fit.seen.extend(self.closed(member, &format!("{at}.{name}"), value)?);
                            if value.is_null() { Sight::Null } else { Sight::Something }
                        }
                    };
                    fit.known.insert(name.clone());
                    fit.seen.push(((at.to_owned(), name.clone()), sight));
                }
                if schema["additionalProperties"].is_object() {
                    for (name, value) in object.iter().filter(|(name, _)| schema["properties"].get(name).is_none()) {
                        fit.seen.extend(self.closed(&schema["additionalProperties"], &format!("{at}.*"), value)?);
                        fit.known.insert(name.clone());
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    fit.seen.extend(self.closed(&schema["items"], &format!("{at}[]"), item)?);
                }
            }
            _ => {}
        }
        Ok(fit)
    }

    /// Whatever the document says of answers and was not seen: answers that nothing gave; members that were never there, or
    /// never missing, null or something though they may be.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (path, item) in self.value["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "servers") {
                for (status, told) in operation["responses"].as_object().unwrap() {
                    let place = format!("{} {path} {status}", method.to_uppercase());
                    let contents = self.resolved(told)["content"].as_object();
                    let places: Vec<String> = match contents {
                        Some(contents) => contents.keys().map(|media_type| format!("{place} {media_type}")).collect(),
                        None => vec![place],
                    };
                    let lacking = places.into_iter().filter(|place| !self.answered.borrow().contains(place));
                    unseen.extend(lacking.filter(|_| status.starts_with('2')));
                }
            }
        }
        let mut told = BTreeMap::new();
        for (name, schema) in self.value["components"]["schemas"].as_object().unwrap() {
            self.members_of(schema, name, &mut told);
        }
        for (member, sights) in told {
            let lacking = sights.into_iter().filter(|sight| !self.seen.borrow().contains(&(member.clone(), *sight)));
            unseen.extend(lacking.map(|sight| format!("{} {}: {sight:?}", member.0, member.1)));
        }
        unseen
    }

    /// The members of the objects of a schema, with what may be seen of each.
    fn members_of(&self, schema: &Value, at: &str, told: &mut BTreeMap<Member, Vec<Sight>>) {
        if !schema.is_object() || schema["$ref"].is_string() {
            return;
        }
        for (key, mark) in [("allOf", '&'), ("oneOf", '|')] {
            for (index, schema) in list(schema, key).iter().enumerate() {
                self.members_of(schema, &format!("{at}{mark}{index}"), told);
            }
        }
        for (name, member) in members(schema) {
            let mut sights = vec![Sight::Something];
            if self.is_nullable(member) {
                sights.push(Sight::Null);
            }
            if !list(schema, "required").iter().any(|required| required == name) {
                sights.push(Sight::Missing);
            }
            told.insert((at.to_owned(), name.clone()), sights);
            self.members_of(member, &format!("{at}.{name}"), told);
        }
        self.members_of(&schema["items"], &format!("{at}[]"), told);
        self.members_of(&schema["additionalProperties"], &format!("{at}.*"), told);
    }

    fn is_nullable(&self, schema: &Value) -> bool {
        let schema = self.resolved(schema);
        let either = list(schema, "oneOf");
        if either.is_empty() {
            return schema["allOf"].is_null() && check_type(schema, "", &Value::Null).is_ok();
        }
        either.iter().any(|one| self.is_nullable(one))
    }
}

/// Checks the type, the format and the choice of words of a value.
fn check_type(schema: &Value, at: &str, value: &Value) -> Result<(), String> {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    let good = match &schema["type"] {
        // Only what is put together of others has no type.
        Value::Null => schema["oneOf"].is_array() || schema["allOf"].is_array(),
        Value::Array(wanted) => wanted.iter().any(fits),
        wanted => fits(wanted),
    };
    if !good {
        return Err(format!("{at} is no {kind}"));
    }
    let words = list(schema, "enum");
    if !words.is_empty() && !words.contains(value) {
        return Err(format!("{at} is no {value}"));
    }
    let Some(text) = value.as_str() else { return Ok(()) };
    let good = match schema["format"].as_str() {
        Some("uuid") => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        Some("uri") => text.starts_with("http") && text.contains("://"),
        Some("date-time") => text.len() == 27 && text.ends_with('Z'),
        _ => true,
    };
    if good { Ok(()) } else { Err(format!("{at} is written otherwise: {text}")) }
}
