//! The document of the doors, held against the table that routes.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::support::{self, Server};

/// The target of webhooks takes any method, and is documented for the one that they use.
const CAPTURE: &str = "/_dev/capture/{name}";

/// A path with something in the place of what is named in it.
fn filled(path: &str) -> String {
    let pieces: Vec<&str> = path.split('/').map(|piece| if piece.starts_with('{') { "1" } else { piece }).collect();
    pieces.join("/")
}

/// All references of a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_door_is_documented_and_nothing_else() {
    let server = Server::dev(&[]).await;
    let document = support::json(server.get("/_dev/openapi.json").send().await.unwrap()).await;
    let mut documented = document["paths"].as_object().unwrap().clone();
    for (path, _) in stowage_dev::routes() {
        if path.strip_suffix('/') == Some(CAPTURE) {
            continue;
        }
        let answer = server.http.request(Method::TRACE, server.url(&filled(path))).send().await.unwrap();
        let served: BTreeSet<String> = if path == CAPTURE {
            ["post".to_owned()].into()
        } else {
            assert_eq!(answer.status(), 405, "{path}");
            let allow = answer.headers()["allow"].to_str().unwrap().to_lowercase();
            allow.split(',').map(|method| method.trim().to_owned()).filter(|method| method != "head").collect()
        };
        let item = documented.remove(path).unwrap_or_else(|| panic!("{path} is not documented"));
        let told: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(told, served, "{path}");
    }
    assert!(documented.is_empty(), "no such doors: {:?}", documented.keys());
    server.stop().await;
}

#[tokio::test]
async fn the_document_is_whole() {
    let server = Server::dev(&[]).await;
    let document = support::json(server.get("/_dev/openapi.json").send().await.unwrap()).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody needs {name}");
    }
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "two operations are called {name}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
            let named = path.matches('{').count();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            assert_eq!(parameters.filter(|parameter| parameter["in"] == "path").count(), named, "{method} {path}");
        }
    }
    server.stop().await;
}
