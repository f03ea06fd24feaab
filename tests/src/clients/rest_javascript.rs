//! `@uploadcare/rest-client`, in Node.js, with both of its ways to prove who it is.

use serde_json::{Map, Value, json};

use super::Runtime::Node;
use super::{LOCAL, NOBODY, SCHEMES, check_failures, is_time, picture};
use crate::stowage::{Place, Server};

const REST_ERROR: &str = "RestClientError";
const VALIDATION_ERROR: &str = "RestClientValidationError";
const NOT_FOUND: &str = "[404 Not Found] Not found.";

/// A value with some members changed.
fn with(value: &Value, changes: Value) -> Value {
    let mut value = value.clone();
    let Value::Object(changes) = changes else { panic!("{changes}") };
    value.as_object_mut().unwrap().extend(changes);
    value
}

/// The ids of files.
fn ids(shown: &Value) -> Vec<&str> {
    shown.as_array().unwrap().iter().map(|one| one["uuid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn it_reads_stores_removes_and_copies_files() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::new().await;
        let server = place.serve(&[]).await;
        let input = json!({ "base": server.base, "scheme": scheme, "picture": picture() });
        let seen = Node.run("rest_files.mjs", input).await;
        check_one_file(&server, &seen);
        check_many_files(&server, &seen).await;
    }
}

fn check_one_file(server: &Server, seen: &Value) {
    let (base, text, info) = (&server.base, seen["ids"]["text"].as_str().unwrap(), &seen["info"]);
    assert!(is_time(&info["datetimeUploaded"]));
    let expected = json!({
        "datetimeRemoved": null, "datetimeStored": null, "datetimeUploaded": info["datetimeUploaded"], "isImage": false,
        "isReady": true, "mimeType": "text/plain", "originalFileUrl": format!("{base}/{text}/Gre1.txt"),
        "originalFilename": "Grüße (1).txt", "size": 30, "url": format!("{base}/files/{text}/"), "uuid": text,
        "variations": null, "contentInfo": { "mime": { "mime": "text/plain", "type": "text", "subtype": "plain" } },
        "metadata": { "subsystem": "tests" }, "tags": ["cat", "animal"],
    });
    assert_eq!(*info, expected);
    assert_eq!(seen["withAppdata"], with(info, json!({ "appdata": {} })));
    let image = json!({
        "colorMode": "RGBA", "datetimeOriginal": null, "dpi": null, "format": "PNG", "geoLocation": null, "height": 1,
        "orientation": null, "sequence": false, "width": 1,
    });
    let mime = json!({ "mime": "image/png", "type": "image", "subtype": "png" });
    assert_eq!(seen["pictureInfo"]["contentInfo"], json!({ "mime": mime, "image": image }));

    let stored = &seen["stored"];
    assert!(is_time(&stored["datetimeStored"]));
    assert_eq!(*stored, with(info, json!({ "datetimeStored": stored["datetimeStored"] })));
    assert_eq!(seen["storedAgain"], *stored, "what is stored keeps its time");
    let removed = &seen["removed"];
    assert!(is_time(&removed["datetimeRemoved"]));
    let changes = json!({ "datetimeRemoved": removed["datetimeRemoved"], "originalFileUrl": null });
    assert_eq!(*removed, with(info, changes));
    assert_eq!(seen["whileRemoved"], json!({ "status": 404, "info": removed }));
    assert_eq!(seen["removedAgain"], *removed, "what is removed keeps its time");
    let back = &seen["broughtBack"];
    assert_eq!(*back, with(info, json!({ "datetimeStored": back["datetimeStored"] })));
    assert!(back["datetimeStored"].as_str() > removed["datetimeRemoved"].as_str());
    assert_eq!(seen["afterwards"], 200);
}

async fn check_many_files(server: &Server, seen: &Value) {
    let id = |name: &str| seen["ids"][name].as_str().unwrap();
    let stored = &seen["batchStored"];
    assert_eq!(ids(&stored["result"]), [id("text"), id("other")], "by the time of their upload");
    assert_eq!(stored["result"][0], seen["broughtBack"], "what was stored before keeps its time");
    assert!(is_time(&stored["result"][1]["datetimeStored"]));
    let problems = json!({ NOBODY: "Missing in the project", "nope": "Invalid" });
    assert_eq!((&stored["status"], &stored["problems"]), (&"ok".into(), &problems));
    let removed = &seen["batchRemoved"];
    assert_eq!(ids(&removed["result"]), [id("text"), id("other")]);
    for file in removed["result"].as_array().unwrap() {
        assert!(is_time(&file["datetimeRemoved"]) && file["datetimeStored"].is_null(), "{file}");
    }
    assert_eq!(removed["problems"], json!({ "nope": "Invalid" }));

    let (copied, copy) = (&seen["copied"]["result"], &seen["copy"]);
    assert_eq!((&seen["copied"]["type"], &copied["originalFilename"]), (&"file".into(), &"pixel.png".into()));
    assert_eq!((&copied["datetimeStored"], &copied["uuid"]), (&copied["datetimeUploaded"], &copy["uuid"]));
    let source = &seen["pictureInfo"];
    let fresh = |copy: &Value| {
        json!({
            "uuid": copy["uuid"], "url": format!("{}/files/{}/", server.base, copy["uuid"].as_str().unwrap()),
            "originalFileUrl": format!("{}/{}/pixel.png", server.base, copy["uuid"].as_str().unwrap()),
            "datetimeUploaded": copy["datetimeUploaded"],
        })
    };
    let expected = with(&with(source, fresh(copy)), json!({ "metadata": { "copy": "yes" } }));
    assert_eq!(*copy, with(&expected, json!({ "datetimeStored": copy["datetimeUploaded"] })));
    let temporary = &seen["temporaryCopy"];
    assert_eq!(*temporary, with(&with(source, fresh(temporary)), json!({ "datetimeStored": null })));
    for copy in [copy, temporary] {
        assert_ne!(copy["uuid"], source["uuid"]);
        server.check(&copy["uuid"], super::PICTURE, json!({ "original_filename": "pixel.png" })).await;
    }
}

#[tokio::test]
async fn it_walks_through_lists_in_both_directions() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::new().await;
        let server = place.serve(&[]).await;
        let seen = Node.run("rest_lists.mjs", json!({ "base": server.base, "scheme": scheme })).await;
        check_file_lists(&seen);
        check_group_lists(&server, &seen);
    }
}

/// Checks which of `named` the pages of a list have, and that only its ends lead nowhere.
fn check_walk(pages: &Value, named: &Value, expected: &[&[usize]]) {
    let pages = pages.as_array().unwrap();
    for (at, (page, members)) in pages.iter().zip(expected).enumerate() {
        assert_eq!(page["ids"], pick(named, members), "page {at}");
        assert_eq!(
            (page["previous"].is_null(), page["next"].is_null()),
            (at == 0, at + 1 == expected.len()),
            "page {at}"
        );
    }
    assert_eq!(pages.len(), expected.len());
}

/// Some elements of an array.
fn pick(named: &Value, members: &[usize]) -> Value {
    members.iter().map(|at| named[*at].clone()).collect()
}

fn check_file_lists(seen: &Value) {
    let (files, lists) = (&seen["files"], &seen["lists"]);
    let all = json!({
        "next": null, "previous": null, "total": 7, "totals": { "removed": 1, "stored": 3, "unstored": 4 }, "perPage": 100,
        "ids": pick(files, &[0, 1, 2, 3, 4, 5, 6]),
    });
    assert_eq!(lists["all"], all);
    assert_eq!(lists["from long ago"], all);
    for (name, total, members) in [
        ("stored", 3, &[0, 1, 2][..]),
        ("temporary", 4, &[3, 4, 5, 6]),
        ("removed", 1, &[7]),
        ("descending", 7, &[6, 5, 4, 3, 2, 1, 0]),
        ("from the third", 7, &[3, 4, 5, 6]),
        ("back from the third", 7, &[1, 0]),
        ("from tomorrow", 7, &[]),
    ] {
        let list = &lists[name];
        assert_eq!((&list["total"], &list["totals"]), (&total.into(), &all["totals"]), "{name}");
        assert_eq!((&list["ids"], &list["next"]), (&pick(files, members), &Value::Null), "{name}");
    }
    let walks = &seen["walks"];
    check_walk(&walks["onwards"], files, &[&[0, 1, 2], &[3, 4, 5], &[6]]);
    check_walk(&walks["descending"], files, &[&[6, 5], &[4, 3], &[2, 1], &[0]]);
    check_walk(&walks["temporary"], files, &[&[3, 4], &[5, 6]]);
    let back = &seen["back"];
    assert_eq!((&back[0]["ids"], &back[1]["ids"]), (&pick(files, &[3, 4, 5]), &pick(files, &[0, 1, 2])));
    assert!(back[0]["next"].is_string() && back[1]["next"].is_string() && back.as_array().unwrap().len() == 2);
    let step = |members: Option<&[usize]>, next: bool, previous: bool| json!({ "ids": members.map(|members| pick(files, members)), "next": next, "previous": previous });
    let (first, second): (&[usize], &[usize]) = (&[0, 1, 2], &[3, 4, 5]);
    let steps = [
        step(Some(first), true, false),
        step(Some(second), true, true),
        step(Some(first), true, false),
        step(None, true, false),
        step(Some(second), true, true),
        step(Some(&[6]), false, true),
        step(None, false, true),
    ];
    assert_eq!(seen["steps"], Value::from(steps.to_vec()));
}

fn check_group_lists(server: &Server, seen: &Value) {
    let (base, files, groups, lists) = (&server.base, &seen["files"], &seen["groups"], &seen["groupLists"]);
    let all = json!({ "next": null, "previous": null, "total": 3, "perPage": 100, "ids": groups });
    assert_eq!(lists["all"], all);
    let shown = |group: &Value, files: u32| {
        let id = group["id"].as_str().unwrap();
        assert!(is_time(&group["datetimeCreated"]), "{group}");
        json!({
            "id": id, "datetimeCreated": group["datetimeCreated"], "filesCount": files, "cdnUrl": format!("{base}/{id}/"),
            "url": format!("{base}/groups/{id}/"),
        })
    };
    assert_eq!(lists["whole"], shown(&lists["whole"], 1));
    check_walk(&lists["onwards"], groups, &[&[0], &[1], &[2]]);
    check_walk(&lists["descending"], groups, &[&[2, 1], &[0]]);
    assert_eq!((&lists["later"]["ids"], &lists["later"]["next"]), (&pick(groups, &[2]), &Value::Null));
    let group = &seen["group1"];
    assert_eq!(group["id"], groups[1]);
    assert_eq!(*group, with(&shown(group, 2), json!({ "files": group["files"] })));
    assert_eq!(ids(&group["files"]), [files[1].as_str().unwrap(), files[0].as_str().unwrap()]);
    let effects = [&group["files"][0]["defaultEffects"], &group["files"][1]["defaultEffects"]];
    assert_eq!(effects, ["", "resize/x800/"]);
    let of_removed = &seen["groupOfRemoved"]["files"];
    assert_eq!(of_removed[0], group["files"][0]);
    assert!(is_time(&of_removed[1]["datetimeRemoved"]), "removed files stay in their groups");
    assert_eq!(seen["deleted"], Value::Null);
    let after = &seen["afterDeletion"];
    let missing = json!({ "name": REST_ERROR, "message": NOT_FOUND });
    assert_eq!((&after["info"], &after["again"], &after["member"]), (&missing, &missing, &Value::Null));
    assert_eq!(after["all"], with(&all, json!({ "total": 2, "ids": pick(groups, &[0, 2]) })));
}

#[tokio::test]
async fn it_searches_for_files() {
    if !Node.is_here() {
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let seen = Node.run("rest_search.mjs", json!({ "base": server.base, "picture": picture() })).await;
    let id = |name: &&str| seen["ids"][*name].clone();
    for (name, expected) in [
        ("query", &["note", "pier", "beach"][..]),
        ("uuid", &["beach"]),
        ("part of a word", &["note", "pier", "beach"]),
        ("phrase", &["note"]),
        ("exact", &["note", "pier"]),
        ("detected type", &["pier"]),
        ("metadata", &["note"]),
        ("pictures", &["pier"]),
        ("size", &["note"]),
        ("time", &["note", "pier", "beach"]),
        ("any tag", &["pier", "beach"]),
        ("all tags", &["pier"]),
        ("no tag", &["note", "beach"]),
        ("fuzzy", &["note", "pier", "beach"]),
        ("together", &["beach"]),
        ("nothing", &[]),
    ] {
        let ids: Vec<Value> = expected.iter().map(id).collect();
        let page = json!({ "next": null, "previous": null, "total": ids.len(), "perPage": 20, "ids": ids });
        assert_eq!(seen["found"][name], page, "{name}");
    }
    let relevant = seen["found"]["relevance"]["ids"].as_array().unwrap();
    assert!(relevant.len() == 3 && ["beach", "pier", "note"].iter().all(|name| relevant.contains(&id(name))));
    let found = &seen["withAppdata"];
    assert_eq!((ids(found), &found[0]["appdata"]), (vec![id(&"note").as_str().unwrap()], &json!({})));
    let pages = &seen["pages"];
    assert_eq!((pages[0]["results"].as_array().unwrap().len(), &pages[0]["previous"]), (2, &Value::Null));
    assert_eq!((ids(&pages[1]["results"]), &pages[1]["next"]), (vec![id(&"beach").as_str().unwrap()], &Value::Null));
    assert_eq!(seen["steps"], ["note", "pier", "beach", "pier", "note"].iter().map(id).collect::<Value>());
}

#[tokio::test]
async fn it_marks_files_with_metadata_and_tags() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::new().await;
        let server = place.serve(&[]).await;
        let seen = Node.run("rest_marks.mjs", json!({ "base": server.base, "scheme": scheme })).await;
        let (awkward, value) = (seen["awkward"].as_str().unwrap(), "Grüße, \"quoted\"\nand more");
        let missing = json!({ "name": REST_ERROR, "message": NOT_FOUND });
        let metadata = json!({
            "before": { "color": "red" }, "none": {}, "made": value, "changed": "blue", "again": "blue", "value": value,
            "deleted": null, "missing": missing, "deletedAgain": missing, "after": { awkward: value },
        });
        assert_eq!(seen["metadata"], metadata);
        let tags = |tags: &[&str], added: &[&str], deleted: &[&str]| json!({ "tags": tags, "added": added, "deleted": deleted });
        let after = ["cat", "dog", "outdoor"];
        let tags = json!({
            "before": { "tags": ["cat", "animal"] }, "none": { "tags": [] },
            "replaced": tags(&["cat", "cute", "dog"], &["cute", "dog"], &["animal"]),
            "same": tags(&["cat", "cute", "dog"], &[], &[]),
            "updated": tags(&after, &["outdoor"], &["cute"]),
            "nothing": tags(&after, &[], &[]),
            "after": { "tags": after },
            "cleared": tags(&[], &[], &after),
        });
        assert_eq!(seen["tags"], tags);
    }
}

#[tokio::test]
async fn it_manages_webhooks() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::with(&[LOCAL]).await;
        let server = place.serve(&[]).await;
        let origin = "http://127.0.0.1:9";
        let input = json!({ "base": server.base, "scheme": scheme, "origin": origin });
        let seen = Node.run("rest_webhooks.mjs", input).await;
        let (created, second, third) = (&seen["created"], &seen["second"], &seen["third"]);
        assert!(created["id"].is_u64() && created["project"].is_u64() && is_time(&created["created"]), "{created}");
        let expected = json!({
            "id": created["id"], "project": created["project"], "created": created["created"], "updated": created["created"],
            "event": "file.uploaded", "targetUrl": format!("{origin}/hook"), "isActive": true, "version": "0.7",
            "signingSecret": "tell nobody",
        });
        assert_eq!(*created, expected);
        assert_eq!((&second["isActive"], &second["signingSecret"]), (&false.into(), &Value::Null));
        assert_eq!(seen["list"], json!([third, second, created]), "newest first");
        let message = "[400 Bad Request] This project is already subscribed on this event";
        let duplicate = json!({ "name": VALIDATION_ERROR, "message": message });
        assert_eq!((&seen["duplicate"], &seen["clash"]), (&duplicate, &duplicate));
        let (updated, moved) = (&seen["updated"], &seen["moved"]);
        let changes = json!({ "isActive": true, "event": "file.info_updated", "updated": updated["updated"] });
        assert_eq!(*updated, with(second, changes));
        let changes = json!({
            "targetUrl": format!("{origin}/other"), "signingSecret": "new secret", "updated": moved["updated"],
        });
        assert_eq!(*moved, with(third, changes));
        assert!(updated["updated"].as_str() > second["updated"].as_str());
        assert_eq!((&seen["deleted"], &seen["deletedAgain"]), (&Value::Null, &Value::Null));
        assert_eq!(seen["left"], json!([created]), "all subscriptions of a target are deleted");
    }
}

#[tokio::test]
async fn it_waits_where_it_is_throttled() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[("STOWAGE_THROTTLE__PER_KEY", "60"), ("STOWAGE_THROTTLE__BURST", "1")]).await;
    let server = place.serve(&[]).await;
    let seen = Node.run("rest_throttle.mjs", json!({ "base": server.base })).await;
    // Without the header it would wait for 15 seconds, and the limit would never be seen to be right.
    let retries = seen["wire"]["retries"].as_array().unwrap();
    assert!(seen["waited"].as_u64().unwrap() > 0 && retries.iter().all(|seconds| seconds == "1"), "{retries:?}");
    assert_eq!(seen["totals"], json!([0, 0]));
    let message = "[429 Too Many Requests] Request was throttled. Expected available in 1 second.";
    assert_eq!(seen["refused"], json!({ "name": REST_ERROR, "message": message }));
}

#[tokio::test]
async fn it_understands_every_refusal() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let place = Place::with(&[LOCAL]).await;
        let server = place.serve(&[]).await;
        let seen = Node.run("rest_errors.mjs", json!({ "base": server.base, "scheme": scheme })).await;
        let refused = seen["refused"].as_object().unwrap();
        let (with_keys, others): (Map<_, _>, Map<_, _>) =
            refused.clone().into_iter().partition(|(call, _)| call.starts_with("a wrong "));
        let wrong_signature = "[401 Unauthorized] Invalid signature. Please check your Secret key.";
        let wrong_secret =
            if scheme == "simple" { "[401 Unauthorized] Secret key not found." } else { wrong_signature };
        check_failures(
            &with_keys.into(),
            &[("a wrong secret", REST_ERROR, wrong_secret), ("a wrong signature", REST_ERROR, wrong_signature)],
        );
        check_failures(&others.into(), &REFUSED);
        assert_eq!(seen["unknownRun"], json!({ "status": "unknown" }));
    }
}

const NO_DOCUMENTS: &str = "[400 Bad Request] Document conversion feature is not available for this project.";
const NO_ADDON: &str = "[403 Forbidden] This Add-On is not available for this project.";

/// What is refused to `rest_errors.mjs`.
const REFUSED: [(&str, &str, &str); 52] = [
    ("an unknown key", REST_ERROR, "[401 Unauthorized] Public key nobody not found."),
    ("a list from no time", REST_ERROR, "[400 Bad Request] `from` parameter should be a valid ISO 8601 date and time."),
    ("a list of maybe stored files", REST_ERROR, "[400 Bad Request] `stored` parameter should be `true` or `false`."),
    ("info of no id", REST_ERROR, NOT_FOUND),
    ("info of an unknown id", REST_ERROR, NOT_FOUND),
    ("storing an unknown file", REST_ERROR, NOT_FOUND),
    ("removing an unknown file", REST_ERROR, NOT_FOUND),
    ("storing nothing", REST_ERROR, "[400 Bad Request] List of UUIDs can not be empty"),
    ("storing no list", REST_ERROR, "[400 Bad Request] Expected list of UUIDs"),
    ("removing numbers", REST_ERROR, "[400 Bad Request] Expected list of UUIDs"),
    ("removing too many", REST_ERROR, "[400 Bad Request] Maximum UUIDs per request is exceeded. The limit is 100"),
    ("a copy of nothing", REST_ERROR, "[400 Bad Request] `source` parameter is required."),
    ("a copy of no id", REST_ERROR, "[400 Bad Request] Bad `source` parameter. Use UUID or CDN URL."),
    ("a copy of an unknown file", REST_ERROR, NOT_FOUND),
    ("a copy that is maybe stored", REST_ERROR, "[400 Bad Request] `store` parameter should be `true` or `false`."),
    ("a copy to an unknown storage", REST_ERROR, "[400 Bad Request] Project has no storage with provided name."),
    ("metadata of an unknown file", REST_ERROR, NOT_FOUND),
    ("a value of an unknown key", REST_ERROR, NOT_FOUND),
    (
        "a value for a bad key",
        REST_ERROR,
        "[400 Bad Request] File's metadata key `a key` contains symbols not allowed by the metadata key format.",
    ),
    (
        "a value that is too long",
        REST_ERROR,
        "[400 Bad Request] Value of file metadata's key `k` can not be more than 512 symbols in length.",
    ),
    ("a value that is none", REST_ERROR, "[400 Bad Request] Expected JSON string."),
    ("a value for an unknown file", REST_ERROR, NOT_FOUND),
    ("deletion of an unknown key", REST_ERROR, NOT_FOUND),
    ("tags of an unknown file", REST_ERROR, NOT_FOUND),
    ("too many tags", REST_ERROR, "[400 Bad Request] Too many tags: 51 (max 50)."),
    ("a tag of other letters", REST_ERROR, "[400 Bad Request] Tag `grün` contains forbidden characters."),
    ("tags that are no list", REST_ERROR, "[400 Bad Request] `tags` parameter should be a list of strings."),
    ("no id of a group", REST_ERROR, NOT_FOUND),
    ("an unknown group", REST_ERROR, NOT_FOUND),
    ("deletion of an unknown group", REST_ERROR, NOT_FOUND),
    ("a search for nothing", VALIDATION_ERROR, "[400 Bad Request] At least one search condition is required."),
    ("a search for too little", VALIDATION_ERROR, "[400 Bad Request] query: Must be at least 4 characters."),
    ("a search by a size that is none", VALIDATION_ERROR, "[400 Bad Request] size: Bad `size` parameter."),
    ("a webhook without a target", REST_ERROR, "[400 Bad Request] `target_url` is missing."),
    ("a webhook for no URL", VALIDATION_ERROR, "[400 Bad Request] targetUrl: Enter a valid URL."),
    (
        "a webhook in a private network",
        VALIDATION_ERROR,
        "[400 Bad Request] targetUrl: Only public IPs are allowed. Others need the setting fetch.allow.",
    ),
    (
        "a webhook for an unknown event",
        VALIDATION_ERROR,
        "[400 Bad Request] event: \"file.eaten\" is not a valid choice.",
    ),
    (
        "a webhook with a long secret",
        VALIDATION_ERROR,
        "[400 Bad Request] signingSecret: Ensure this field has no more than 32 characters.",
    ),
    ("an unknown webhook", REST_ERROR, NOT_FOUND),
    ("unsubscribing nobody", REST_ERROR, "[400 Bad Request] `target_url` is missing."),
    ("a document", REST_ERROR, NO_DOCUMENTS),
    ("a video", REST_ERROR, "[400 Bad Request] Video conversion feature is not available for this project."),
    ("nothing to convert", REST_ERROR, "[400 Bad Request] “paths” parameter is required."),
    ("a document to wait for", REST_ERROR, NO_DOCUMENTS),
    ("status of an unknown document", REST_ERROR, NOT_FOUND),
    ("status of an unknown video", REST_ERROR, NOT_FOUND),
    ("formats of a document", REST_ERROR, NO_DOCUMENTS),
    ("a virus scan", REST_ERROR, NO_ADDON),
    ("a background to remove", REST_ERROR, NO_ADDON),
    ("an add-on for no id", VALIDATION_ERROR, "[400 Bad Request] target: Must be a valid UUID."),
    ("an unknown add-on", REST_ERROR, NOT_FOUND),
    ("status of no run", VALIDATION_ERROR, "[400 Bad Request] requestId: Must be a valid UUID."),
];
