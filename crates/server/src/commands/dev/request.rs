//! What each command asks: method, path, query and body.

use std::path::Path;

use anyhow::Context;
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::{Clock, Door, Faults, Ids, Jobs, Journal, Sessions, Snapshot, Webhooks, folder};

/// The type of a body that is what it is.
const BYTES: &str = "application/octet-stream";

/// What is asked of a door.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path below `/_dev/`, its pieces encoded.
    door: String,
    query: Vec<(&'static str, String)>,
    /// What the body is.
    pub(super) kind: String,
    pub(super) body: Body,
}

impl Request {
    fn new(method: Method, door: &[&str]) -> Self {
        let pieces: Vec<String> =
            door.iter().map(|piece| form_urlencoded::byte_serialize(piece.as_bytes()).collect()).collect();
        Self { method, door: pieces.join("/"), query: Vec::new(), kind: String::new(), body: Body::empty() }
    }

    fn get(door: &[&str]) -> Self {
        Self::new(Method::GET, door)
    }

    fn post(door: &[&str]) -> Self {
        Self::new(Method::POST, door)
    }

    fn put(door: &[&str]) -> Self {
        Self::new(Method::PUT, door)
    }

    fn delete(door: &[&str]) -> Self {
        Self::new(Method::DELETE, door)
    }

    fn json(self, body: &Value) -> Self {
        self.body("application/json", Body::from(body.to_string()))
    }

    fn query(self, query: Vec<(&'static str, String)>) -> Self {
        Self { query, ..self }
    }

    fn body(self, kind: &str, body: Body) -> Self {
        Self { kind: kind.to_owned(), body, ..self }
    }

    /// Path and query.
    pub(super) fn path(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/_dev/{}{mark}{query}", self.door)
    }
}

/// The request that a command stands for.
pub(super) async fn of(door: Door) -> anyhow::Result<Request> {
    Ok(match door {
        Door::Reset { project } => Request::post(&["reset"]).json(&object([("project", project.map(Value::from))])),
        Door::Seed { folder, events } => {
            let query = if events { vec![("events", "true".to_owned())] } else { Vec::new() };
            let (kind, form) = folder::form(&folder).await?;
            Request::post(&["seed"]).query(query).body(&kind, form)
        }
        Door::Snapshot { action: Snapshot::Export { .. } } => Request::get(&["snapshot"]),
        Door::Snapshot { action: Snapshot::Import { file } } => {
            Request::put(&["snapshot"]).body(BYTES, read(&file).await?)
        }
        Door::Clock { action } => match action {
            None => Request::get(&["clock"]),
            Some(Clock::Freeze { time }) => {
                Request::put(&["clock"]).json(&object([("frozen", Some(true.into())), ("now", time.map(Value::from))]))
            }
            Some(Clock::Set { time }) => Request::put(&["clock"]).json(&json!({ "now": time })),
            Some(Clock::Advance { duration }) => Request::post(&["clock", "advance"]).json(&json!({ "by": duration })),
            Some(Clock::Release) => Request::delete(&["clock"]),
        },
        Door::Ids { action } => match action {
            None => Request::get(&["ids"]),
            Some(Ids::Seed { number }) => Request::put(&["ids"]).json(&json!({ "seed": number })),
            Some(Ids::Pin { uuid }) => Request::put(&["ids"]).json(&json!({ "pin": uuid })),
            Some(Ids::Release) => Request::delete(&["ids"]),
        },
        Door::Faults { action } => match action {
            None => Request::get(&["faults"]),
            Some(Faults::Add { rule }) => Request::post(&["faults"]).body("application/json", given(&rule).await?),
            Some(Faults::Remove { id }) => Request::delete(&["faults", &id]),
            Some(Faults::Clear) => Request::delete(&["faults"]),
        },
        Door::Jobs { action } => match action {
            None => Request::get(&["jobs"]),
            Some(action) => of_jobs(action).await?,
        },
        Door::Journal { filter, action } => match action {
            None => Request::get(&["journal"]).query(filter.query()),
            Some(Journal::Count { patience }) => {
                Request::get(&["journal", "count"]).query(filter.query().into_iter().chain(patience.query()).collect())
            }
            Some(Journal::Clear) => Request::delete(&["journal"]),
            Some(Journal::Show { id }) => Request::get(&["journal", &id]),
        },
        Door::Webhooks { filter, action } => match action {
            None => Request::get(&["webhooks"]).query(filter.query()),
            Some(Webhooks::Redeliver { id }) => Request::post(&["webhooks", &id, "redeliver"]),
            Some(Webhooks::Captured { name: None }) => Request::get(&["captured"]).query(filter.query()),
            Some(Webhooks::Captured { name: Some(name) }) => Request::get(&["captured", &name]).query(filter.query()),
            Some(Webhooks::Clear) => Request::delete(&["captured"]),
        },
        Door::Sessions { action } => match action {
            None => Request::get(&["sessions"]),
            Some(Sessions::Remove { name }) => Request::delete(&["sessions", &name]),
        },
    })
}

async fn of_jobs(action: Jobs) -> anyhow::Result<Request> {
    Ok(match action {
        Jobs::Hold { rule } => Request::post(&["jobs", "holds"]).body("application/json", given(&rule).await?),
        Jobs::Holds => Request::get(&["jobs", "holds"]),
        Jobs::Unhold { id: Some(id) } => Request::delete(&["jobs", "holds", &id]),
        Jobs::Unhold { id: None } => Request::delete(&["jobs", "holds"]),
        Jobs::Step { id } => Request::post(&["jobs", &id, "step"]),
        Jobs::Release { id } => Request::post(&["jobs", &id, "release"]),
        Jobs::Succeed { id, file: None } => Request::post(&["jobs", &id, "succeed"]),
        Jobs::Succeed { id, file: Some(file) } => {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Request::post(&["jobs", &id, "succeed"]).query(vec![("name", name)]).body("", read(&file).await?)
        }
        Jobs::Fail { id, code, text } => Request::post(&["jobs", &id, "fail"])
            .json(&object([("code", Some(code.into())), ("text", text.map(Value::from))])),
    })
}

/// An object with those members that there are.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What was given on the line itself, or in the file that it names after an `@`.
async fn given(text: &str) -> anyhow::Result<Body> {
    match text.strip_prefix('@') {
        Some(file) => read(Path::new(file)).await,
        None => Ok(Body::from(text.to_owned())),
    }
}

/// The bytes of a file, or of the standard input.
async fn read(file: &Path) -> anyhow::Result<Body> {
    if file == Path::new("-") {
        return Ok(Body::from_stream(ReaderStream::new(tokio::io::stdin())));
    }
    let opened = tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Body::from_stream(ReaderStream::new(opened)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        door: Door,
    }

    /// Method, path and body of what a command asks.
    async fn asked(line: &str) -> String {
        let line = Line::try_parse_from(std::iter::once("dev").chain(line.split(' '))).unwrap();
        let request = of(line.door).await.unwrap();
        let (method, path) = (request.method.clone(), request.path());
        let body = axum::body::to_bytes(request.body, 1 << 20).await.unwrap();
        format!("{method} {path} {}", String::from_utf8_lossy(&body)).trim_end().to_owned()
    }

    #[tokio::test]
    async fn each_command_asks_its_door() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "text").unwrap();
        let file = file.display();
        for (line, wanted) in [
            ("reset", r"POST /_dev/reset {}"),
            ("reset --project a", r#"POST /_dev/reset {"project":"a"}"#),
            (&format!("snapshot import {file}"), "PUT /_dev/snapshot text"),
            ("clock", "GET /_dev/clock"),
            ("clock freeze", r#"PUT /_dev/clock {"frozen":true}"#),
            ("clock freeze 2030-01-02T03:04:05Z", r#"PUT /_dev/clock {"frozen":true,"now":"2030-01-02T03:04:05Z"}"#),
            ("clock set 2030-01-02T03:04:05Z", r#"PUT /_dev/clock {"now":"2030-01-02T03:04:05Z"}"#),
            ("clock advance 24h", r#"POST /_dev/clock/advance {"by":"24h"}"#),
            ("clock release", "DELETE /_dev/clock"),
            ("ids seed 7", r#"PUT /_dev/ids {"seed":7}"#),
            ("ids pin x", r#"PUT /_dev/ids {"pin":"x"}"#),
            ("ids release", "DELETE /_dev/ids"),
            ("faults", "GET /_dev/faults"),
            ("faults add {}", "POST /_dev/faults {}"),
            (&format!("faults add @{file}"), "POST /_dev/faults text"),
            ("faults remove 3", "DELETE /_dev/faults/3"),
            ("faults clear", "DELETE /_dev/faults"),
            ("jobs", "GET /_dev/jobs"),
            ("jobs hold {}", "POST /_dev/jobs/holds {}"),
            ("jobs holds", "GET /_dev/jobs/holds"),
            ("jobs unhold", "DELETE /_dev/jobs/holds"),
            ("jobs unhold a/b", "DELETE /_dev/jobs/holds/a%2Fb"),
            ("jobs step a", "POST /_dev/jobs/a/step"),
            ("jobs release a", "POST /_dev/jobs/a/release"),
            ("jobs succeed a", "POST /_dev/jobs/a/succeed"),
            (&format!("jobs succeed a {file}"), "POST /_dev/jobs/a/succeed?name=a.txt text"),
            ("jobs fail a C", r#"POST /_dev/jobs/a/fail {"code":"C"}"#),
            ("journal --api upload --limit 3", "GET /_dev/journal?api=upload&limit=3"),
            ("journal count --route /base/", "GET /_dev/journal/count?route=%2Fbase%2F"),
            ("journal count --at-least 2 --wait 5s", "GET /_dev/journal/count?at_least=2&wait=5s"),
            ("journal clear", "DELETE /_dev/journal"),
            ("journal show 5", "GET /_dev/journal/5"),
            ("webhooks", "GET /_dev/webhooks"),
            ("webhooks redeliver 5", "POST /_dev/webhooks/5/redeliver"),
            ("webhooks captured", "GET /_dev/captured"),
            ("webhooks --state failed", "GET /_dev/webhooks?state=failed"),
            ("webhooks captured a --event file.stored --wait 5s", "GET /_dev/captured/a?event=file.stored&wait=5s"),
            ("webhooks clear", "DELETE /_dev/captured"),
            ("sessions", "GET /_dev/sessions"),
            ("sessions remove a", "DELETE /_dev/sessions/a"),
        ] {
            assert_eq!(asked(line).await, wanted, "{line}");
        }
        assert!(
            asked(&format!("seed --events {}", folder.path().display()))
                .await
                .starts_with("POST /_dev/seed?events=true --")
        );
    }
}
