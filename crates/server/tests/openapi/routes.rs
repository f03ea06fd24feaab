//! Every path and method of the document is served, and no other method of these paths.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::Checked;
use crate::support::Server;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A path with something in the place of what is named in it.
fn filled(path: &str, file: &str, group: &str) -> String {
    let path = &path.replace("{uuid}~{count}", group);
    let id = if path.starts_with("/groups/") { "00000000-0000-4000-8000-000000000000~1" } else { "1" };
    [("uuid", file), ("id", id), ("key", "k"), ("name", "remove_bg"), ("token", "1"), ("source", "facebook")]
        .into_iter()
        .chain([("filename", "a.txt"), ("inline", "yes"), ("operations", "json"), ("index", "0"), ("kind", "zip")])
        .fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

async fn ask(server: &Server, method: &str, path: &str, version: &str) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = server.http.request(method, server.url(path)).header("accept", version);
    request.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey").send().await.unwrap()
}

/// A version that has an operation of the REST API.
fn version(operation: &Value) -> &str {
    let content = operation["responses"]["400"]["content"].as_object();
    let version = content.and_then(|content| content.keys().find(|media_type| media_type.contains("vnd")));
    version.map_or("*/*", String::as_str)
}

/// Whether an answer is delivery's, of an address that leads nowhere.
fn is_nowhere(answer: &Response) -> bool {
    let html =
        answer.headers().get("content-type").is_some_and(|value| value.to_str().unwrap().starts_with("text/html"));
    answer.status() == 404 && html
}

#[tokio::test]
async fn documented_methods_are_served_and_no_others() {
    let checked = Checked::start().await;
    let Checked { server, document } = &checked;
    for (path, item) in document.value["paths"].as_object().unwrap() {
        let any = ["/", "/health", "/ready", "/openapi.json"].contains(&path.as_str()) || path.starts_with("/window");
        let rest = item["servers"].is_array() && item.to_string().contains("vnd.uploadcare");
        for method in METHODS {
            let file = server.file("a.txt", b"a", "text/plain").await;
            let group = server.group(&[&file]).await;
            let operation = document.operation(method, path);
            let accept = operation.map_or("application/vnd.uploadcare-v0.7+json", version);
            let answer = ask(server, method, &filled(path, &file, &group), accept).await;
            let status = answer.status().as_u16();
            if operation.is_none() {
                assert!(status == 405 || any, "{method} {path}: {status}, but is not documented");
                continue;
            }
            assert!(status != 405 && status != 406 && !is_nowhere(&answer), "{method} {path}: {status}");
            assert!(!rest || answer.headers().contains_key("allow"), "{method} {path} has no endpoint");
        }
    }
}

#[tokio::test]
async fn head_and_options_are_answered_as_the_document_says() {
    let checked = Checked::start().await;
    let Checked { server, document } = &checked;
    let file = server.file("a.txt", b"a", "text/plain").await;
    let group = server.group(&[&file]).await;
    for path in document.value["paths"].as_object().unwrap().keys() {
        let accept = document.operation("GET", path).map_or("*/*", version);
        let options = ask(server, "OPTIONS", &filled(path, &file, &group), accept).await;
        assert!(options.status().is_success() || path.starts_with("/window"), "{path}: {}", options.status());
        let head = ask(server, "HEAD", &filled(path, &file, &group), accept).await;
        let has = document.operation("GET", path).is_some() && !["/from_url/", "/group/"].contains(&path.as_str());
        assert_eq!(head.status() != 405, has, "{path}: {}", head.status());
    }
}
