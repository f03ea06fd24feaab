//! What is said here against the tables that route, and against the page of refusals.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operation::Said;
use super::*;

type Keys = BTreeSet<(String, String)>;

fn keys<'k>(table: impl IntoIterator<Item = (&'k str, &'k str)>) -> Keys {
    let told = table.into_iter().filter(|(_, method)| !matches!(*method, "HEAD" | "OPTIONS"));
    told.map(|(path, method)| (path.to_owned(), method.to_owned())).collect()
}

/// The paths and methods of entries, each of which stands there once and names what is in its path.
fn said<'a, A: 'static>(all: impl IntoIterator<Item = &'a Said<A>>) -> Keys {
    let mut keys = Keys::new();
    for said in all {
        let named: Vec<&str> = said.path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(said.at.iter().map(|field| field.name).collect::<Vec<_>>(), named, "{}", said.path);
        for (method, _) in said.on {
            assert!(keys.insert((said.path.to_owned(), (*method).to_owned())), "{method} {} comes twice", said.path);
        }
    }
    keys
}

#[test]
fn every_entry_has_a_route_and_every_route_an_entry() {
    assert_eq!(said(upload::SAID), keys(crate::upload::served()));
    let table = crate::rest::served().map(|(path, method, _)| (path, method));
    assert_eq!(said(rest::SAID.into_iter().flatten()), keys(table));
    assert_eq!(said(cdn::SAID), keys(crate::cdn::served()));
    let pages = crate::pages();
    assert_eq!(said(cdn::PAGES), keys(pages.iter().map(|(path, _)| (*path, "GET"))));
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let mut wanted = keys(crate::upload::served());
    wanted.extend(keys(crate::rest::served().map(|(path, method, _)| (path, method))));
    wanted.extend(keys(crate::cdn::served()));
    wanted.extend(keys(crate::pages().iter().map(|(path, _)| (*path, "GET"))));
    let document = serde_json::to_value(document()).unwrap();
    let mut told = Keys::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "servers");
        told.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    assert_eq!(told, wanted);
}

/// Every value under this key.
fn under<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key).and_then(Value::as_str));
            object.values().for_each(|value| under(value, key, found));
        }
        Value::Array(array) => array.iter().for_each(|value| under(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document = serde_json::to_value(document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    under(&document, "$ref", &mut references);
    for reference in &references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference.as_str()), "nothing refers to {name}");
    }
    let mut names = Vec::new();
    under(&document, "operationId", &mut names);
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), unique.len(), "{names:?}");
    let text = document.to_string();
    for scheme in [SIMPLE, SIGNED, SIGNED_UPLOAD, SIGNATURE_EXPIRES, TOKEN] {
        assert!(text.contains(&format!("\"{scheme}\":[]")), "nothing needs {scheme}");
        assert!(document["components"]["securitySchemes"][scheme].is_object());
    }
    for tag in document["tags"].as_array().unwrap() {
        assert!(text.contains(&format!("\"tags\":[{}]", tag["name"])), "{tag}");
    }
}

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// The endpoints that the page of refusals speaks of.
const ENDPOINTS: [(&str, &str); 9] = [
    ("base", "/base/"),
    ("start", "/multipart/start/"),
    ("complete", "/multipart/complete/"),
    ("part", "/multipart/upload/{uuid}/"),
    ("from_url", "/from_url/"),
    ("status", "/from_url/status/"),
    ("info", "/info/"),
    ("group", "/group/"),
    ("group info", "/group/info/"),
];

/// Whether the endpoints of a row of the page include one.
fn includes(row: &str, endpoint: &str) -> bool {
    let posts = !matches!(endpoint, "part" | "info" | "group info");
    row.split(", ").any(|word| match word.trim_end_matches(" (opt-in)") {
        "any" => true,
        "all but part" => endpoint != "part",
        "all but status and part" => !matches!(endpoint, "status" | "part"),
        "every POST" => posts,
        word => word == endpoint,
    })
}

#[test]
fn refusals_of_the_upload_api_are_those_of_their_page() {
    let (raised, _) = PAGE.split_once("## Not raised").unwrap();
    let mut page: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in raised.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        // What an upload from a URL fails of is no refusal, but told with success; and methods are refused everywhere.
        let told = cells[0].starts_with("DownloadFile") || cells[0].starts_with("URLRedirects");
        if !cells[0].ends_with("Error") || cells[0] == "MethodNotAllowedError" || told {
            continue;
        }
        for (endpoint, path) in ENDPOINTS {
            if includes(cells[3], endpoint) {
                page.entry(path).or_default().insert(cells[0]);
            }
        }
    }
    for said in upload::SAID.iter().filter(|said| !said.path.starts_with("/window")) {
        let refusals = said.on.iter().flat_map(|(method, _)| said.answers.refusals_on(method));
        let codes: BTreeSet<&str> = refusals.map(|refusal| refusal.code()).collect();
        assert_eq!(codes, page[said.path], "{}", said.path);
    }
}
