//! The claims of an access token whose signature is good. What they may be is strict: a restriction that is misspelt must
//! not become no restriction.

use serde_json::{Map, Value};
use stowage_model::Timestamp;

/// The longest life of a token in seconds.
const MAX_LIFETIME: f64 = 86_400.0;
/// How long after its end a token is still taken, in seconds: clocks differ.
const LEEWAY: f64 = 30.0;
const MAX_OPERATIONS: u32 = 100_000;
const MAX_SCOPE_ITEMS: usize = 16;
const MAX_SCOPE_CHARS: usize = 64;

/// What is wrong with a claim, as one clause.
type Reason = String;

type Object = Map<String, Value>;

/// The claims that mean something to this server.
#[derive(Debug)]
pub(super) struct Claims {
    /// `jti`.
    pub(super) id: Option<String>,
    /// `exp` and the leeway: the last moment at which the token is good.
    pub(super) expires: Timestamp,
    /// `uc.restrictions.limits.operations`.
    pub(super) operations: Option<u32>,
    /// `uc.restrictions.scope`: paths, or beginnings of paths with `*` behind them.
    scope: Option<Vec<String>>,
}

impl Claims {
    /// Reads the claims of a token, of which none may be unknown, of another type or out of range.
    pub(super) fn read(claims: &Object, now: Timestamp) -> Result<Self, Reason> {
        let ends = claims.get("exp").and_then(Value::as_f64).ok_or("`exp` is required")?;
        only(claims, "", &["exp", "iat", "iss", "sub", "jti", "uc"])?;
        let starts = match claims.get("iat") {
            Some(iat) => iat.as_f64().ok_or("`iat` must be a number")?,
            None => seconds(now),
        };
        if starts > seconds(now) + LEEWAY {
            return Err("`iat` must not lie in the future".to_owned());
        }
        if ends - starts > MAX_LIFETIME {
            return Err(format!("`exp` must be at most {MAX_LIFETIME} seconds after `iat`"));
        }
        let text = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{name}` must be a string")),
        };
        text("iss")?;
        text("sub")?;
        let id = text("jti")?;
        if id.as_deref() == Some("") {
            return Err("`jti` must not be empty".to_owned());
        }
        let (mut scope, mut operations) = (None, None);
        if let Some(uc) = inner(claims, "", "uc", &["restrictions"])?
            && let Some(restrictions) = inner(uc, "uc.", "restrictions", &["scope", "limits"])?
        {
            scope = restrictions.get("scope").map(read_scope).transpose()?;
            let limits = inner(restrictions, "uc.restrictions.", "limits", &["operations"])?;
            operations = limits.and_then(|limits| limits.get("operations")).map(read_operations).transpose()?;
        }
        Ok(Self { id, expires: timestamp(ends + LEEWAY), operations, scope })
    }

    /// Whether the scope covers a path; without a scope every path is covered.
    pub(super) fn allow(&self, path: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| {
            scope.iter().any(|item| match item.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == item,
            })
        })
    }
}

/// The object inside another, where there is one.
fn inner<'a>(of: &'a Object, path: &str, name: &str, known: &[&str]) -> Result<Option<&'a Object>, Reason> {
    let Some(value) = of.get(name) else { return Ok(None) };
    let object = value.as_object().ok_or_else(|| format!("`{path}{name}` must be an object"))?;
    only(object, &format!("{path}{name}."), known)?;
    Ok(Some(object))
}

/// Refuses unknown members.
fn only(object: &Object, path: &str, known: &[&str]) -> Result<(), Reason> {
    let Some(unknown) = object.keys().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
    // What is told to the user is of our own words, or at least looks like a name.
    let plain =
        (1..=64).contains(&unknown.len()) && unknown.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    Err(if plain {
        format!("`{path}{unknown}` is not supported")
    } else {
        "it has a claim that is not supported".to_owned()
    })
}

fn read_scope(value: &Value) -> Result<Vec<String>, Reason> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=MAX_SCOPE_ITEMS).contains(&items.len()) {
        return Err(format!("uc.restrictions.scope must be a list of 1 to {MAX_SCOPE_ITEMS} items"));
    }
    items.iter().map(read_scope_item).collect()
}

fn read_scope_item(value: &Value) -> Result<String, Reason> {
    let item = value.as_str().unwrap_or_default();
    if !item.starts_with('/') {
        return Err("uc.restrictions.scope items must start with `/`".to_owned());
    }
    if item.chars().count() > MAX_SCOPE_CHARS {
        return Err(format!("uc.restrictions.scope items must have at most {MAX_SCOPE_CHARS} characters"));
    }
    let beginning = item.strip_suffix("/*").unwrap_or(item);
    if beginning.contains('*') {
        return Err("uc.restrictions.scope items may have `*` at their end only, behind `/`".to_owned());
    }
    Ok(item.to_owned())
}

fn read_operations(value: &Value) -> Result<u32, Reason> {
    let operations = value.as_u64().and_then(|number| u32::try_from(number).ok());
    operations
        .filter(|number| (1..=MAX_OPERATIONS).contains(number))
        .ok_or_else(|| format!("`uc.restrictions.limits.operations` must be an integer from 1 to {MAX_OPERATIONS}"))
}

fn seconds(moment: Timestamp) -> f64 {
    moment.micros() as f64 / 1e6
}

/// Numbers beyond all times become the last or the first moment.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e6).floor() as i64)
}
