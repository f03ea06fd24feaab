//! `pyuploadcare`, its REST part, with both of its ways to prove who it is.

use serde_json::{Value, json};

use super::Runtime::Python;
use super::{LOCAL, NOBODY, PICTURE, SCHEMES, check_failures, is_time, picture, serve_projects};
use crate::stowage::{Place, Server};

/// What the server says where the client answers 404 with the text of the body.
const NOT_FOUND: &str = r#"{"detail":"Not found."}"#;

/// A time as this client prints it, the way the API writes it.
fn time(printed: &Value) -> Value {
    let text = printed.as_str().unwrap_or_default();
    let text = text.replacen(' ', "T", 1).replacen("+00:00", "Z", 1);
    assert!(is_time(&text.as_str().into()), "{printed}");
    text.into()
}

impl Server {
    /// Checks that the client understood all that the server says about a file.
    async fn check_understood(&self, info: &Value) {
        let said = self.rest(&format!("/files/{}/", info["uuid"].as_str().unwrap())).await;
        for (name, said) in said.as_object().unwrap() {
            let understood = &info[name];
            match name.as_str() {
                _ if name.starts_with("datetime_") && !said.is_null() => assert_eq!(time(understood), *said, "{name}"),
                // The client writes down what may be missing as well.
                "content_info" => {
                    assert_eq!(understood["mime"], said["mime"]);
                    assert_eq!(understood["image"]["width"], said["image"]["width"]);
                    assert_eq!(understood["image"]["color_mode"].is_null(), said["image"]["color_mode"].is_null());
                }
                _ => assert_eq!(understood, said, "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn it_reads_stores_removes_copies_and_marks_files() {
    if !Python.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::new().await;
        let server = place.serve(&[]).await;
        let input = json!({ "base": server.base, "scheme": scheme, "picture": picture(), "nobody": NOBODY });
        let seen = Python.run("rest_files.py", input).await;
        let info = &seen["info"];
        let known = [&info["original_filename"], &info["mime_type"], &info["metadata"], &info["tags"]];
        let expected =
            ["Grüße (1).txt".into(), "text/plain".into(), json!({ "subsystem": "tests" }), json!(["cat", "animal"])];
        assert_eq!(known, expected.each_ref());
        assert_eq!((&info["datetime_stored"], &info["datetime_removed"]), (&Value::Null, &Value::Null));
        assert!(info["appdata"].is_null() && seen["with_appdata"]["appdata"].is_object(), "{seen}");
        assert_eq!(seen["stored"][0], seen["stored"][1], "what is stored keeps its time");
        let removed = &seen["removed"];
        let states = [&removed["is_removed"], &removed["is_stored"], &removed["info"]["original_file_url"]];
        assert_eq!((states, &removed["delivered"]), ([&true.into(), &false.into(), &Value::Null], &404.into()));
        let back = &seen["brought_back"];
        assert_eq!((&back["info"]["datetime_removed"], &back["delivered"]), (&Value::Null, &200.into()));
        assert!(time(&back["info"]["datetime_stored"]).as_str() > time(&removed["info"]["datetime_removed"]).as_str());
        check_batches(&seen);
        for (name, is_stored) in [("copy", true), ("temporary", false)] {
            let copy = &seen[name];
            assert_ne!(copy["uuid"], seen["picture"]["uuid"]);
            server
                .check(&copy["uuid"], PICTURE, json!({ "original_filename": "pixel.png", "is_stored": is_stored }))
                .await;
            server.check_understood(copy).await;
        }
        server.check_understood(&seen["picture"]).await;
        check_marks(&seen);
    }
}

fn check_batches(seen: &Value) {
    let (several, batch) = (&seen["several"], &seen["batch"]);
    assert!(seen["all_stored"].as_array().unwrap().iter().all(Value::is_string), "{seen}");
    assert_eq!(seen["are_removed"], json!([true, true, true, false, false]));
    assert_eq!(
        (&batch["status"], &batch["problems"]),
        (&"ok".into(), &json!({ NOBODY: "Missing in the project", "nope": "Invalid" }))
    );
    let result = &batch["result"];
    assert_eq!([&result[0]["uuid"], &result[1]["uuid"]], [&several[0], &several[1]], "by the time of their upload");
    assert!(result[0]["datetime_stored"].is_string() && result[0]["datetime_removed"].is_null(), "{result}");
    let batches = |method: &str| {
        let requests = seen["wire"]["requests"].as_array().unwrap().iter();
        requests
            .filter(|asked| {
                asked.as_str().unwrap().starts_with(method) && asked.as_str().unwrap().ends_with("/files/storage/")
            })
            .count()
    };
    assert_eq!((batches("PUT "), batches("DELETE ")), (3 + 1, 2), "two files each");
}

fn check_marks(seen: &Value) {
    let missing = json!({ "name": "InvalidRequestError", "message": NOT_FOUND });
    let marks = json!({
        "before": { "subsystem": "tests" }, "none": {}, "made": "Grüße", "changed": "other", "value": "Grüße", "deleted": null,
        "missing": missing, "after": { "-:45az_": "Grüße" },
    });
    assert_eq!(seen["marks"], marks);
    let tags =
        |tags: &[&str], added: &[&str], deleted: &[&str]| json!({ "tags": tags, "added": added, "deleted": deleted });
    let tags = json!({
        "before": ["cat", "animal"], "none": [], "set": tags(&["cat", "cute"], &["cute"], &["animal"]),
        "updated": tags(&["cat", "dog"], &["dog"], &["cute"]), "candidates": tags(&["cat"], &[], &["dog"]),
        "after": ["cat"], "cleared": tags(&[], &[], &["cat"]),
    });
    assert_eq!(seen["tags"], tags);
}

#[tokio::test]
async fn it_walks_through_lists() {
    if !Python.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::new().await;
        let server = place.serve(&[]).await;
        let seen = Python.run("rest_lists.py", json!({ "base": server.base, "scheme": scheme })).await;
        let files = &seen["files"];
        check_pages(
            &seen["lists"],
            files,
            &[
                ("all", &[0, 1, 2, 3, 4, 5], 1),
                ("by_two", &[0, 1, 2, 3, 4, 5], 3),
                ("five_by_two", &[0, 1, 2, 3, 4], 3),
                ("descending", &[5, 4, 3, 2, 1, 0], 2),
                ("stored", &[0, 1, 2], 1),
                ("temporary", &[3, 4, 5], 3),
                ("removed", &[6], 1),
                ("from_third", &[3, 4, 5], 2),
                ("back_from_third", &[1, 0], 1),
                ("naive", &[3, 4, 5], 1),
                ("from_tomorrow", &[], 1),
            ],
        );
        assert_eq!(seen["listed"]["uuid"], files[0]);
        server.check_understood(&seen["listed"]).await;
        // The client asks for the number with a parameter that means nothing.
        assert_eq!((&seen["counted"], &seen["sliced"]), (&6.into(), &pick(files, &[1, 2, 3])));

        let groups = &seen["groups"];
        check_pages(
            &seen["group_lists"],
            groups,
            &[("all", &[0, 1, 2], 1), ("by_one", &[0, 1, 2], 3), ("descending", &[2, 1, 0], 2), ("later", &[1, 2], 1)],
        );
        assert_eq!(seen["group_lists"]["count"], 3);
        let group = &seen["group"];
        assert_eq!((&group["is_stored"], &group["stored"]), (&false.into(), &true.into()));
        let info = &group["info"];
        assert_eq!((&info["id"], &info["files_count"]), (&groups[1], &2.into()));
        assert_eq!([&info["files"][0]["uuid"], &info["files"][1]["uuid"]], [&files[3], &files[4]]);
        let left = json!({ "groups": pick(groups, &[2]), "first": null, "members": [true, true] });
        assert_eq!(seen["left"], left, "groups go without their files, unless these are to go as well");

        // 3 and 4 are removed by now.
        let search = &seen["search"];
        check_pages(
            search,
            files,
            &[("even", &[2, 0], 2), ("sized", &[2, 1], 1), ("since_third", &[5], 1), ("named", &[1], 1)],
        );
        let page = &search["page"];
        assert_eq!((&page["total"], &page["per_page"]), (&4.into(), &2.into()));
        let found = page["results"].as_array().unwrap().iter().map(|file| file["uuid"].clone());
        assert_eq!(found.collect::<Value>(), pick(files, &[2, 1]));
    }
}

/// Some elements of an array.
fn pick(named: &Value, members: &[usize]) -> Value {
    members.iter().map(|at| named[*at].clone()).collect()
}

/// Checks what was found, and how many requests that took.
fn check_pages(seen: &Value, named: &Value, expected: &[(&str, &[usize], usize)]) {
    for (name, members, requests) in expected {
        let pages = json!({ "ids": pick(named, members), "requests": requests });
        assert_eq!(seen[name], pages, "{name}");
    }
}

#[tokio::test]
async fn it_manages_the_project_and_understands_refusals() {
    if !Python.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::with(&[LOCAL]).await;
        let server = serve_projects(&place).await;
        let origin = "http://127.0.0.1:9";
        let input = json!({ "base": server.base, "scheme": scheme, "origin": origin, "nobody": NOBODY });
        let seen = Python.run("rest_project.py", input).await;
        if scheme == "signed" {
            // `Sat, 21 Nov 2026, 13:30:00 GMT`: no date of HTTP, but what was signed.
            let date = seen["date"].as_str().unwrap();
            assert!(date.matches(',').count() == 2 && date.ends_with(" GMT"), "{date}");
        }
        let project = json!({
            "collaborators": [{ "email": "ada@example.com", "name": "Ada" }], "name": "A shop", "pub_key": "restproject",
            "autostore_enabled": true,
        });
        assert_eq!((&seen["project"], &seen["first_secret"]), (&project, &"restproject".into()));
        check_webhooks(&seen["webhooks"], origin);
        let wrong_secret = if scheme == "simple" {
            r#"{"detail":"Secret key not found."}"#
        } else {
            r#"{"detail":"Invalid signature. Please check your Secret key."}"#
        };
        let mut expected = REFUSED.to_vec();
        expected.push(("a wrong secret", "AuthenticationError", wrong_secret));
        check_failures(&seen["refused"], &expected);
        assert_eq!(seen["run"], json!({ "status": "unknown", "result": null }));
        for (version, member) in [("0.6", "variations"), ("0.5", "source")] {
            let file = &seen["old"][version];
            assert_eq!((&file["uuid"], file.get(member)), (&seen["file"], Some(&Value::Null)), "{file}");
            assert!(file.get("image_info").is_some() && file.get("content_info").is_none(), "{file}");
        }
    }
}

fn check_webhooks(seen: &Value, origin: &str) {
    let (created, silent) = (&seen["created"], &seen["silent"]);
    let expected = json!({
        "id": created["id"], "created": created["created"], "updated": created["created"], "event": "file.uploaded",
        "target_url": format!("{origin}/hook"), "project": created["project"], "is_active": true,
        "signing_secret": "tell nobody",
    });
    assert_eq!(*created, expected);
    assert_eq!((&silent["is_active"], &silent["signing_secret"]), (&false.into(), &Value::Null));
    let message = r#"{"non_field_errors":["This project is already subscribed on this event"]}"#;
    let duplicate = json!({ "name": "WebhookIsNotUnique", "message": message });
    assert_eq!((&seen["duplicate"], &seen["clash"]), (&duplicate, &duplicate));
    assert_eq!((&seen["list"], &seen["limited"]), (&json!([silent, created]), &json!([silent["id"]])));
    let updated = &seen["updated"];
    assert_eq!((&updated["event"], &updated["is_active"]), (&"file.deleted".into(), &true.into()));
    assert_eq!((&updated["id"], &updated["target_url"]), (&silent["id"], &silent["target_url"]));
    assert_eq!((&seen["deleted"], &seen["left"]), (&Value::Null, &json!([silent["id"]])));
    assert_eq!(seen["again"], json!({ "name": "InvalidRequestError", "message": NOT_FOUND }));
}

const NO_DOCUMENTS: &str = r#"{"detail":"Document conversion feature is not available for this project."}"#;

/// What is refused to `rest_project.py` whoever it says it is.
const REFUSED: [(&str, &str, &str); 19] = [
    ("an unknown key", "AuthenticationError", r#"{"detail":"Public key nobody not found."}"#),
    ("an unknown file", "InvalidRequestError", NOT_FOUND),
    ("storing an unknown file", "InvalidRequestError", NOT_FOUND),
    ("removing an unknown file", "InvalidRequestError", NOT_FOUND),
    ("a copy of an unknown file", "InvalidRequestError", NOT_FOUND),
    (
        "a copy to an unknown storage",
        "InvalidRequestError",
        r#"{"detail":"Project has no storage with provided name."}"#,
    ),
    ("an unknown group", "InvalidRequestError", NOT_FOUND),
    ("storing nothing", "InvalidRequestError", r#"{"detail":"List of UUIDs can not be empty"}"#),
    ("metadata of an unknown file", "InvalidRequestError", NOT_FOUND),
    ("tags of an unknown file", "InvalidRequestError", NOT_FOUND),
    (
        "a webhook in a private network",
        "InvalidRequestError",
        r#"{"target_url":["Only public IPs are allowed. Others need the setting fetch.allow."]}"#,
    ),
    ("a webhook for no URL", "InvalidRequestError", r#"{"target_url":["Enter a valid URL."]}"#),
    ("an unknown webhook", "InvalidRequestError", NOT_FOUND),
    ("a document", "InvalidRequestError", NO_DOCUMENTS),
    ("a video", "InvalidRequestError", r#"{"detail":"Video conversion feature is not available for this project."}"#),
    ("formats of a document", "InvalidRequestError", NO_DOCUMENTS),
    ("status of an unknown document", "InvalidRequestError", NOT_FOUND),
    ("a virus scan", "AuthenticationError", r#"{"detail":"This Add-On is not available for this project."}"#),
    (
        "an unknown version",
        "APIError",
        r#"{"detail":"Incorrect Accept header provided. Make sure to specify API version. Refer to REST API docs for details"}"#,
    ),
];
