//! From what a rule says to what is compared and done: whatever makes no sense, can never match or does nothing is refused here.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;
use stowage_api::Door;
use stowage_model::{EventKind, PublicKey};

use super::rule::{Action, Match, On, RuleInput};
use crate::route::{self, Api};

/// The longest delay.
const MOST_DELAY: Duration = Duration::from_secs(3600);
/// The longest name.
const MOST_NAME: usize = 64;

/// A rule that makes sense.
pub(super) struct Checked {
    /// What it is for; one at least.
    pub(super) on: Vec<On>,
    pub(super) route: Option<String>,
    pub(super) method: Option<Method>,
    pub(super) project: Option<PublicKey>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) form: BTreeMap<String, String>,
    pub(super) event: Option<EventKind>,
    pub(super) target: Option<String>,
    pub(super) once_per: Option<Parameter>,
    pub(super) act: Act,
}

/// A parameter of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Parameter {
    Form(String),
    Query(String),
}

/// What is done.
pub(super) struct Act {
    pub(super) delay: Option<Duration>,
    pub(super) what: What,
    pub(super) truncate: Option<u64>,
    /// Bytes in a second; 1 at least.
    pub(super) slow: Option<u64>,
    pub(super) after: bool,
}

/// What becomes of the answer.
pub(super) enum What {
    /// It stays as it is.
    Pass,
    /// There is none.
    Drop,
    /// It is a refusal of the catalogue.
    Refuse { code: String, text: Option<String>, retry_after: Option<u64> },
    /// It is made up.
    Answer { status: StatusCode, body: Bytes, headers: HeaderMap },
}

impl What {
    /// The made-up answer.
    pub(super) fn answer(status: StatusCode, body: &Bytes) -> Response<Body> {
        let mut response = Response::new(Body::from(body.clone()));
        *response.status_mut() = status;
        response
    }
}

impl RuleInput {
    /// What it comes to, or a sentence that says what is wrong with it.
    pub(super) fn checked(&self) -> Result<Checked, String> {
        let Self { name, on, nth, every, times, probability, seed, once_per, action } = self;
        if let Some(name) = name {
            let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let good = (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(known);
            if !good || name.bytes().all(|b| b.is_ascii_digit()) {
                return Err("`name` is 1 to 64 characters of A-Z a-z 0-9 . _ -, and not digits alone".to_owned());
            }
        }
        for (member, value) in [("nth", nth), ("every", every), ("times", times)] {
            if *value == Some(0) {
                return Err(format!("`{member}` is 1 or more: with 0 the rule never acts"));
            }
        }
        if probability.is_some_and(|probability| !(probability > 0.0 && probability <= 1.0)) {
            return Err("`probability` is more than 0 and at most 1".to_owned());
        }
        if seed.is_some() && probability.is_none() {
            return Err("`seed` goes with `probability`".to_owned());
        }
        let once_per = once_per.as_deref().map(parameter).transpose()?;
        let for_what = for_what(on, once_per.as_ref(), action)?;
        let act = act(action, &for_what)?;
        let method = match &on.method {
            None => None,
            Some(text) => Some(method(text)?),
        };
        let key = |text: &String| text.parse().map_err(|fault| format!("`match.project`: {fault}"));
        Ok(Checked {
            on: for_what,
            route: on.route.clone(),
            method,
            project: on.project.as_ref().map(key).transpose()?,
            query: on.query.clone(),
            form: on.form.clone(),
            event: on.event,
            target: on.target.clone(),
            once_per,
            act,
        })
    }
}

fn parameter(text: &str) -> Result<Parameter, String> {
    match text.split_once(' ') {
        Some(("form", name)) if !name.trim().is_empty() => Ok(Parameter::Form(name.trim().to_owned())),
        Some(("query", name)) if !name.trim().is_empty() => Ok(Parameter::Query(name.trim().to_owned())),
        _ => Err("`once_per` is `form NAME` or `query NAME`".to_owned()),
    }
}

fn method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.as_bytes()).ok();
    method
        .filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase()))
        .ok_or_else(|| "`match.method` is a method in capitals, such as POST".to_owned())
}

/// Everything that is requested.
const REQUESTED: [On; 4] = [On::Upload, On::Rest, On::Cdn, On::Part];

/// What the rule is for, by everything that it says.
fn for_what(on: &Match, once_per: Option<&Parameter>, action: &Action) -> Result<Vec<On>, String> {
    let Match { api, route, method, project, query, form, event, target } = on;
    let of_requests =
        route.is_some() || method.is_some() || !query.is_empty() || !form.is_empty() || once_per.is_some();
    let mut left = match api {
        Some(api) => vec![*api],
        None if event.is_some() || target.is_some() => vec![On::Webhook],
        None => REQUESTED.to_vec(),
    };
    if left == [On::Webhook] || left == [On::Copy] {
        if of_requests {
            return Err(
                "`route`, `method`, `query`, `form` and `once_per` are of requests; webhooks and copies have none"
                    .to_owned(),
            );
        }
        if event.is_some() && left == [On::Copy] {
            return Err("`match.event` is of webhooks; copies have none".to_owned());
        }
        return Ok(left);
    }
    if event.is_some() || target.is_some() {
        return Err("`match.event` and `match.target` are of webhooks: \"api\": \"webhook\"".to_owned());
    }
    if let Some(route) = route {
        let of_route = of_route(route)?;
        left.retain(|on| of_route.contains(on));
        if left.is_empty() {
            return Err(format!("`match.route`: no request of this API goes to `{route}`"));
        }
        if project.is_some() && left == [On::Upload] && route.trim_end_matches('/') == "/from_url/status" {
            return Err("/from_url/status/ names no project: match it without `project`".to_owned());
        }
    }
    if !form.is_empty() || matches!(once_per, Some(Parameter::Form(_))) {
        left.retain(|on| *on == On::Upload);
        if left.is_empty() {
            return Err("only requests to the Upload API have a form".to_owned());
        }
    }
    if let Some(code) = &action.refuse {
        let known = |on: &On| door(*on).is_some_and(|door| door.has_code(code));
        if !REQUESTED.iter().any(known) {
            return Err(format!("`do.refuse`: the catalogue has no code `{code}`; docs/errors.md lists them"));
        }
        left.retain(known);
        if left.is_empty() {
            return Err(format!("`do.refuse`: `{code}` is no code of this API; docs/errors.md says whose it is"));
        }
    }
    Ok(left)
}

fn door(on: On) -> Option<Door> {
    match on {
        On::Upload | On::Part => Some(Door::Upload),
        On::Rest => Some(Door::Rest),
        On::Cdn => Some(Door::Delivery),
        On::Webhook | On::Copy => None,
    }
}

/// What a request to an API is.
pub(super) fn on(api: Api) -> Option<On> {
    match api {
        Api::Upload => Some(On::Upload),
        Api::Rest => Some(On::Rest),
        Api::Cdn => Some(On::Cdn),
        Api::Part => Some(On::Part),
        Api::Other => None,
    }
}

/// Which APIs have such paths.
fn of_route(text: &str) -> Result<Vec<On>, String> {
    let fault = |text: &str| Err(format!("`match.route`: {text}"));
    if !text.starts_with('/') {
        return fault("a path begins with a slash");
    }
    let (start, open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
    if start.contains('*') {
        return fault("a `*` stands at the end");
    }
    let pattern = start.replace('{', ":").replace('}', "");
    let patterns = || stowage_api::paths().into_iter().flatten().map(|path| path.replace('{', ":").replace('}', ""));
    if !open {
        let is_path = !pattern.contains("/:") || pattern.starts_with("/:uuid") || pattern.starts_with("/:url");
        if !is_path && !patterns().any(|known| known.trim_end_matches('/') == pattern.trim_end_matches('/')) {
            return fault("no endpoint has this pattern; GET /openapi.json lists them, in braces");
        }
        return match on(route::of(&pattern).api) {
            Some(on) => Ok(vec![on]),
            None => fault("the pages around the APIs have no faults"),
        };
    }
    let known = patterns().filter(|known| known.starts_with(&pattern)).filter_map(|known| on(route::of(&known).api));
    let mut found: Vec<On> = known.collect();
    found.extend(on(route::of(&format!("{pattern}x")).api));
    if pattern == "/" {
        found.push(On::Cdn);
    }
    Ok(found)
}

fn act(action: &Action, on: &[On]) -> Result<Act, String> {
    let Action { delay, refuse, text, retry_after, status, body, headers, drop, truncate, slow, after } = action;
    let fault = |text: &str| Err(format!("`do`: {text}"));
    let replaced = [refuse.is_some(), status.is_some(), *drop].into_iter().filter(|one| *one).count();
    if replaced == 0 && delay.is_none() && truncate.is_none() && slow.is_none() {
        return fault("the rule does nothing; give it delay, refuse, status, drop, truncate or slow");
    }
    if replaced > 1 {
        return fault("only one of refuse, status and drop");
    }
    if delay.is_some_and(|delay| delay > MOST_DELAY) {
        return fault("a delay of more than an hour");
    }
    if *drop && (truncate.is_some() || slow.is_some()) {
        return fault("drop leaves no answer that could be truncated or slow");
    }
    if *slow == Some(0) {
        return fault("slow is 1 byte per second or more");
    }
    if text.is_some() && refuse.is_none() {
        return fault("text goes with refuse");
    }
    if (body.is_some() || !headers.is_empty()) && status.is_none() {
        return fault("body and headers go with status");
    }
    if retry_after.is_some() && refuse.is_none() && status.is_none() {
        return fault("retry_after goes with refuse or status");
    }
    if *after && replaced == 0 && delay.is_none() {
        return fault("after goes with delay, refuse, status or drop");
    }
    let of_answers = truncate.is_some()
        || slow.is_some()
        || *after
        || retry_after.is_some()
        || body.is_some()
        || !headers.is_empty();
    if on == [On::Webhook] && (of_answers || refuse.is_some()) {
        return fault("webhooks know delay, status and drop");
    }
    if on == [On::Copy] && (of_answers || refuse.is_none() || delay.is_some()) {
        return fault("copies know refuse, with S3's word for it, and text");
    }
    let what = match (refuse, status) {
        (Some(code), _) => What::Refuse { code: code.clone(), text: text.clone(), retry_after: *retry_after },
        (_, Some(status)) => made_up(*status, body.as_ref(), headers, *retry_after)?,
        _ if *drop => What::Drop,
        _ => What::Pass,
    };
    Ok(Act { delay: *delay, what, truncate: *truncate, slow: *slow, after: *after })
}

fn made_up(
    status: u16,
    body: Option<&Value>,
    given: &BTreeMap<String, String>,
    retry_after: Option<u64>,
) -> Result<What, String> {
    let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let status = status.ok_or("`do.status` is a status from 200 to 599")?;
    let mut headers = HeaderMap::new();
    let (kind, body) = match body {
        None => (None, Bytes::new()),
        Some(Value::String(text)) => (Some("text/plain; charset=utf-8"), Bytes::from(text.clone())),
        Some(value) => (Some("application/json"), Bytes::from(value.to_string())),
    };
    headers.extend(kind.map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind))));
    headers.extend(retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
    for (name, value) in given {
        let fault = || format!("`do.headers`: `{name}` cannot be sent");
        let key = HeaderName::try_from(name.as_str()).map_err(|_| fault())?;
        // They say how the message is to be read, which hyper does.
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE].contains(&key) {
            return Err(format!("`do.headers`: `{name}` is set by the server; drop and truncate break connections"));
        }
        headers.insert(key, HeaderValue::try_from(value.as_str()).map_err(|_| fault())?);
    }
    Ok(What::Answer { status, body, headers })
}

#[cfg(test)]
mod tests;
