//! The REST API: who may ask, versions, every endpoint with its answers and refusals.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "rest/auth.rs"]
mod auth;
#[path = "support/bucket.rs"]
mod bucket;
#[path = "rest/copy.rs"]
mod copy;
#[path = "rest/files.rs"]
mod files;
#[path = "rest/gate.rs"]
mod gate;
#[path = "rest/groups.rs"]
mod groups;
#[path = "rest/hostile.rs"]
mod hostile;
#[path = "rest/isolation.rs"]
mod isolation;
#[path = "rest/lists.rs"]
mod lists;
#[path = "rest/metadata.rs"]
mod metadata;
#[path = "rest/others.rs"]
mod others;
#[path = "rest/remote_copy.rs"]
mod remote_copy;
#[path = "rest/remote_keys.rs"]
mod remote_keys;
#[path = "rest/search.rs"]
mod search;
#[path = "rest/storage.rs"]
mod storage;
#[path = "rest/versions.rs"]
mod versions;
#[path = "rest/webhooks.rs"]
mod webhooks;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use support::Server;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Two projects, the first of which is the one that [`Server`] uploads to.
const PROJECTS: &str = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\n\
                        [[projects]]\npublic_key = \"other\"\nsecret_keys = [\"othersecret\"]\n";

/// The REST API of a server as a project sees it through one version.
#[derive(Clone, Copy)]
struct Api<'s> {
    server: &'s Server,
    key: &'s str,
    secret: &'s str,
    version: &'s str,
}

impl<'s> Api<'s> {
    fn new(server: &'s Server) -> Self {
        Self { server, key: "demopublickey", secret: "demosecretkey", version: "0.7" }
    }

    fn version(self, version: &'s str) -> Self {
        Self { version, ..self }
    }

    fn accept(&self) -> String {
        format!("application/vnd.uploadcare-v{}+json", self.version)
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.server.http.request(method, self.server.url(path));
        let authorization = format!("Uploadcare.Simple {}:{}", self.key, self.secret);
        request.header("accept", self.accept()).header("authorization", authorization)
    }

    async fn send(&self, method: &str, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    async fn send_json(&self, method: &str, path: &str, body: &Value) -> Response {
        self.request(method, path).json(body).send().await.unwrap()
    }

    /// The body of a success.
    async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Status and body.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        told(self.send_json(method, path, body).await).await
    }

    /// Whether a request is refused with this status and detail.
    async fn refuses(&self, method: &str, path: &str, body: &Value, status: u16, detail: &str) {
        let expected = (status, json!({ "detail": detail }));
        assert_eq!(self.ask(method, path, body).await, expected, "{method} {path} {body}");
    }
}

/// Status and body of an answer; null for no body.
async fn told(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

/// Uploads a small text and answers its id.
async fn upload(server: &Server, name: &str, store: &str) -> String {
    let answer = server.upload(&[("UPLOADCARE_STORE", store)], &[("file", name, name.as_bytes(), "text/plain")]).await;
    support::json(answer).await["file"].as_str().unwrap().to_owned()
}

/// Makes a group of these files and answers its id.
async fn make_group(server: &Server, files: &[&str]) -> String {
    let mut fields = vec![("pub_key", "demopublickey")];
    fields.extend(files.iter().map(|file| ("files[]", *file)));
    let group = support::json(server.post("/group/", &fields).await).await;
    group["id"].as_str().unwrap().to_owned()
}

/// The members of the items of a list that have this name.
fn column<'v>(list: &'v Value, name: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}
