//! Copies: within the project as the real service shows them, and into storages, of which there are none.

use serde_json::{Value, json};

use crate::support::{self, PNG, Server};
use crate::{Api, PROJECTS, UNKNOWN, told, upload};

#[tokio::test]
async fn a_copy_is_a_file_of_its_own() {
    let server = Server::start().await;
    let fields = [("metadata[pet]", "cat"), ("metadata[old]", "1"), ("tags", "red")];
    let answer = server.upload(&fields, &[("file", "grey.png", PNG, "image/png")]).await;
    let source = support::json(answer).await["file"].as_str().unwrap().to_owned();
    let api = Api::new(&server);
    server.clock.advance(support::DAY / 2);
    let now = server.clock.now().to_string();
    let sent = json!({ "source": source, "store": true, "metadata": { "old": "2", "new": "3" } });
    let answer = api.send_json("POST", "/files/local_copy/", &sent).await;
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let body = support::json(answer).await;
    let copy = &body["result"];
    let id = copy["uuid"].as_str().unwrap();
    assert_ne!(id, source);
    assert_eq!((&body["type"], &location), (&json!("file"), &format!("{}/files/{id}/", server.base)));
    // As if nothing were known of it yet.
    for (name, value) in [
        ("is_image", Value::Null),
        ("content_info", Value::Null),
        ("variations", Value::Null),
        ("size", json!(0)),
        ("mime_type", json!("application/octet-stream")),
        ("is_ready", json!(true)),
        ("original_filename", json!("grey.png")),
        ("original_file_url", json!(format!("{}/{id}/grey.png", server.base))),
        ("datetime_uploaded", json!(now)),
        ("datetime_stored", json!(now)),
        ("metadata", json!({ "pet": "cat", "old": "2", "new": "3" })),
        ("tags", json!([])),
    ] {
        assert_eq!(copy[name], value, "{name}");
    }
    let later = api.get(&format!("/files/{id}/")).await;
    assert_eq!((&later["size"], &later["mime_type"]), (&json!(PNG.len()), &json!("image/png")));
    assert_eq!(later["content_info"], api.get(&format!("/files/{source}/")).await["content_info"]);
    api.send("DELETE", &format!("/files/{source}/storage/")).await;
    let delivered = server.get(&format!("/{id}/")).send().await.unwrap();
    assert_eq!(delivered.bytes().await.unwrap(), PNG);
}

#[tokio::test]
async fn operations_are_baked_into_a_copy() {
    let server = Server::start().await;
    let answer = server.upload(&[("metadata[pet]", "cat")], &[("file", "grey.bmp.png", PNG, "image/png")]).await;
    let source = support::json(answer).await["file"].as_str().unwrap().to_owned();
    let api = Api::new(&server);
    for (operations, mime, size) in [
        ("-/resize/30x20/-/format/jpeg/", "image/jpeg", (30, 20)),
        ("-/effect/flip/-/grayscale/", "image/png", (1, 1)),
        ("-/inline/no/", "image/png", (1, 1)),
    ] {
        let body = json!({ "source": format!("{source}/{operations}"), "store": true });
        let (status, copy) = api.ask("POST", "/files/local_copy/", &body).await;
        assert_eq!((status, &copy["result"]["original_filename"]), (201, &json!("grey.bmp.png")), "{copy}");
        let id = copy["result"]["uuid"].as_str().unwrap();
        let made = api.get(&format!("/files/{id}/")).await;
        assert_eq!((&made["mime_type"], &made["metadata"]), (&json!(mime), &json!({ "pet": "cat" })), "{operations}");
        let image = &made["content_info"]["image"];
        assert_eq!((&image["width"], &image["height"]), (&json!(size.0), &json!(size.1)), "{operations}");
        let delivered = server.get(&format!("/{id}/")).send().await.unwrap();
        assert_eq!(delivered.headers()["content-type"], mime);
        assert_eq!(delivered.bytes().await.unwrap().len(), usize::try_from(made["size"].as_u64().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn sources_and_flags_in_every_form() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    for source in
        [id.clone(), format!("{id}/"), format!("https://ucarecdn.com/{id}/any.txt"), format!("{}/{id}/", server.base)]
    {
        let (status, copy) = api.ask("POST", "/files/local_copy/", &json!({ "source": source })).await;
        assert_eq!((status, &copy["result"]["datetime_stored"]), (201, &Value::Null), "{source}");
    }
    for (store, stored) in [(json!("true"), true), (json!("false"), false), (json!(true), true), (json!(null), false)] {
        let sent = json!({ "source": id, "store": store, "make_public": "anything" });
        let (_, copy) = api.ask("POST", "/files/local_copy/", &sent).await;
        assert_eq!(copy["result"]["datetime_stored"].is_string(), stored, "{store}");
    }
    let form = api.request("POST", "/files/local_copy/").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body(format!("source={id}&store=1")).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn older_versions_copy_under_the_list() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server).version("0.5");
    let (status, copy) = api.ask("POST", "/files/", &json!({ "source": id, "store": "true" })).await;
    assert_eq!((status, &copy["result"]["source"]), (201, &json!(format!("/{id}/"))));
    let copied = copy["result"]["uuid"].as_str().unwrap();
    assert_eq!(api.get(&format!("/files/{copied}/")).await["source"], Value::Null);
    let text = "Project has no storage with provided name.";
    api.refuses("POST", "/files/", &json!({ "source": id, "target": "s3" }), 400, text).await;
    assert_eq!(api.ask("POST", "/files/local_copy/", &json!({ "source": id })).await.0, 201);
    assert_eq!(api.version("0.6").ask("POST", "/files/", &json!({ "source": id, "target": null })).await.0, 201);
}

#[tokio::test]
async fn metadata_that_does_not_fit_is_dropped_with_a_warning() {
    let projects = "[[projects]]\npublic_key = \"mine\"\nsecret_keys = [\"s\"]\n";
    let server = Server::with(projects, &[]).await;
    let keys: Vec<(String, String)> = (0..49).map(|n| (format!("metadata[k{n}]"), n.to_string())).collect();
    let mut form = reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", "mine");
    for (key, value) in keys {
        form = form.text(key, value);
    }
    let form = form.part("file", support::part("a.txt", b"a", "text/plain")).percent_encode_noop();
    let answer = server.http.post(server.url("/base/")).multipart(form).send().await.unwrap();
    let id = support::json(answer).await["file"].as_str().unwrap().to_owned();
    let api = Api { key: "mine", secret: "s", ..Api::new(&server) };
    for (metadata, dropped) in [
        (json!({ "k1": "new", "a": "1" }), false),
        (json!({ "a": "1", "b": "2" }), true),
        (json!({ "a b": "1" }), true),
        (json!({ "k1": "" }), true),
        (json!({}), false),
    ] {
        let answer = api.send_json("POST", "/files/local_copy/", &json!({ "source": id, "metadata": metadata })).await;
        assert_eq!(answer.status(), 201);
        let warning = answer.headers().get("warning").map(|value| value.to_str().unwrap().to_owned());
        let expected = dropped.then(|| "199 Miscellaneous warning: Some metadata keys were dropped".to_owned());
        assert_eq!(warning, expected, "{metadata}");
    }
}

#[tokio::test]
async fn every_refusal_of_copies() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let gone = upload(&server, "two.txt", "1").await;
    let api = Api::new(&server);
    api.send("DELETE", &format!("/files/{gone}/storage/")).await;
    for path in ["/files/local_copy/", "/files/remote_copy/"] {
        let bad = "Bad `source` parameter. Use UUID or CDN URL.";
        for (body, status, text) in [
            (json!([]), 400, "Expected JSON object."),
            (json!({}), 400, "`source` parameter is required."),
            (json!({ "source": "" }), 400, "`source` parameter is required."),
            (json!({ "source": null }), 400, "`source` parameter is required."),
            (json!({ "source": "nope" }), 400, bad),
            (json!({ "source": 5 }), 400, bad),
            (json!({ "source": format!("{id}/a/b") }), 400, bad),
            (json!({ "source": UNKNOWN }), 404, "Not found."),
            (json!({ "source": gone }), 404, "Not found."),
        ] {
            api.refuses("POST", path, &body, status, text).await;
        }
    }
    for (extra, text) in [
        (json!({ "store": "maybe" }), "`store` parameter should be `true` or `false`."),
        (json!({ "metadata": "x" }), "`metadata` parameter should be an object of strings."),
        (json!({ "metadata": { "a": 1 } }), "`metadata` parameter should be an object of strings."),
    ] {
        let mut body = json!({ "source": id });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        api.refuses("POST", "/files/local_copy/", &body, 400, text).await;
    }
    for (operations, text) in [
        ("resize/10x10", "Not supported for files that are not images."),
        ("nope", "Bad `source` parameter. Use UUID or CDN URL."),
        ("json", "Bad `source` parameter. Use UUID or CDN URL."),
    ] {
        let processed = json!({ "source": format!("{id}/-/{operations}/") });
        api.refuses("POST", "/files/local_copy/", &processed, 400, text).await;
    }
    for target in [json!("s3"), json!(""), json!(null), json!(5)] {
        let body = json!({ "source": format!("{id}/-/resize/10x10/"), "target": target, "pattern": "${x}" });
        api.refuses("POST", "/files/remote_copy/", &body, 400, "Project has no storage with provided name.").await;
    }
    let text = "`make_public` parameter should be `true` or `false`.";
    api.refuses("POST", "/files/remote_copy/", &json!({ "source": id, "target": "s3", "make_public": "x" }), 400, text)
        .await;
    assert_eq!(api.get("/files/").await["total"], 1, "nothing came of it");
}

#[tokio::test]
async fn a_project_without_room_makes_no_copies() {
    for (setting, text) in [
        ("max_files = 1", "Account has reached its limits."),
        ("account_state = \"unpaid\"", "Account has been blocked for non payment."),
        ("uploads_enabled = false", "Upload failed."),
    ] {
        let server = Server::with(PROJECTS, &[]).await;
        let id = upload(&server, "one.txt", "1").await;
        let project = server.records().project_by_key("demopublickey").await.unwrap().unwrap();
        let mut settings = project.settings.clone();
        match setting {
            "max_files = 1" => settings.max_files = 1,
            "uploads_enabled = false" => settings.uploads_enabled = false,
            _ => settings.account_state = stowage_model::AccountState::Unpaid,
        }
        server.records().update_project(project.id, &project.secret_keys, &settings).await.unwrap();
        let answer = Api::new(&server).send_json("POST", "/files/local_copy/", &json!({ "source": id })).await;
        assert_eq!(told(answer).await, (403, json!({ "detail": text })), "{setting}");
    }
}
