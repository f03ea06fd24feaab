//! What an answer must look like to be the refusal that `docs/errors.md` describes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ask::{Ask, from_url, get};
use crate::stowage::{Server, until};

const PAGE: &str = include_str!("../../../docs/errors.md");

/// Checks refusals and remembers which codes were seen.
pub struct Book<'s> {
    pub server: &'s Server,
    pub seen: BTreeSet<String>,
}

impl Book<'_> {
    /// The request is refused with this code and text in both forms; `%` at the end of the text stands for anything.
    pub async fn refuses(&mut self, code: &str, text: &str, ask: Ask) {
        let (status, listed) = row(code);
        let fits = |seen: &str| text.strip_suffix('%').map_or(seen == text, |start| seen.starts_with(start));
        let (plain_status, plain, kind) = ask.send(self.server, "", "*/*").await;
        assert!(fits(&plain), "{code}: {plain}");
        assert!(plain_status == status || code == "AccessTokenInvalidError", "{code}: {plain_status}");
        assert_eq!(kind.as_deref(), Some("text/plain; charset=utf-8"), "{code}");
        assert!(like(&plain, &listed), "{code}: `{plain}` is not `{listed}`, as the page says");
        for (query, accept) in [("jsonerrors=1", "*/*"), ("", "application/json")] {
            let (outer, body, kind) = ask.send(self.server, query, accept).await;
            assert_eq!((outer, kind.as_deref()), (200, Some("application/json")), "{code}: {body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            let error = &body["error"];
            assert_eq!(error["error_code"], code);
            assert_eq!(error["status_code"], plain_status);
            assert!(fits(error["content"].as_str().unwrap()), "{code}: {body}");
            assert_eq!((body.as_object().unwrap().len(), error.as_object().unwrap().len()), (1, 3));
        }
        self.seen.insert(code.to_owned());
    }

    /// Fetching the URL ends with this code and text.
    pub async fn fails(&mut self, code: &str, text: &str, key: &str, url: &str) {
        let (status, begun, _) = from_url(key, url).send(self.server, "", "*/*").await;
        assert_eq!(status, 200, "{url}: {begun}");
        let token = serde_json::from_str::<Value>(&begun).unwrap()["token"].as_str().unwrap().to_owned();
        let told = outcome(self.server, &token).await;
        let error = told["error"].as_str().unwrap_or_default();
        assert_eq!((&told["status"], &told["error_code"]), (&"error".into(), &code.into()), "{url}: {told}");
        assert!(text.strip_suffix('%').map_or(error == text, |start| error.starts_with(start)), "{url}: {told}");
        assert!(like(error, &row(code).1), "{code}: {error}");
        self.seen.insert(code.to_owned());
    }
}

/// The last status of a task.
pub async fn outcome(server: &Server, token: &str) -> Value {
    let last = std::cell::RefCell::new(Value::Null);
    until("the task has ended", async || {
        let (_, body, _) = get(format!("/from_url/status/?token={token}")).send(server, "", "*/*").await;
        let told: Value = serde_json::from_str(&body).unwrap();
        let ended = told["status"] == "success" || told["status"] == "error";
        last.replace(told);
        ended
    })
    .await;
    last.into_inner()
}

/// Status and text of a code on the page.
fn row(code: &str) -> (u16, String) {
    let line = PAGE.lines().find(|line| line.starts_with(&format!("| {code} | "))).unwrap_or_else(|| panic!("{code}"));
    let cells: Vec<&str> = line.split(" | ").collect();
    (cells[1].parse().unwrap(), cells[2].trim_matches('`').trim().to_owned())
}

/// Whether a text is one of a pattern in which `%` stands for anything.
fn like(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('%');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    for piece in &pieces {
        let Some(at) = rest.rfind(piece).filter(|_| !piece.is_empty()).or(piece.is_empty().then_some(rest.len()))
        else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}

/// The codes that the page says are raised.
pub fn raised() -> BTreeSet<String> {
    let page = PAGE.split("## Not raised").next().unwrap();
    let codes = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    codes.filter(|code| code.ends_with("Error")).map(str::to_owned).collect()
}
