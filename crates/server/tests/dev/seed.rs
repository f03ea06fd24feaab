//! Seeds: what a world begins with.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stowage_store::records::DeliveryFilter;

use super::resets::dev;
use super::support::{PNG, Server, json as body_of};

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";

/// A seed with something of everything.
fn manifest() -> Value {
    json!({
        "projects": [
            { "public_key": "demopublickey", "secret_keys": ["demosecretkey"], "autostore": false, "name": "Seeded" },
            { "public_key": "second", "secret_keys": ["secondsecret"], "max_file_size": "1MiB" },
        ],
        "storages": [{ "name": "archive", "bucket": "bucket", "auto_copy": true }],
        "webhooks": [
            { "target_url": "told", "event": "file.uploaded", "signing_secret": "s" },
            { "target_url": "https://example.com/hook", "event": "file.stored", "is_active": false, "project": "second" },
        ],
        "files": [
            {
                "path": "pictures/dot.png", "uuid": ONE, "metadata": { "album": "first" }, "tags": ["Red", "round"],
                "uploaded_at": "2020-01-02T03:04:05Z", "stored_at": "2020-02-02T00:00:00Z", "source": "local",
            },
            { "text": "hello", "name": "hello.txt", "mime_type": "text/x-greeting", "stored": false, "uploaded_at": "-1h" },
            { "base64": "aGVsbG8=", "name": "hello.txt", "project": "second", "uuid": TWO },
        ],
        "groups": [
            { "id": "33333333-3333-4333-8333-333333333333~3", "created_at": "2021-01-01T00:00:00Z",
              "files": ["dot.png/-/resize/x10/-/blur/", "hello.txt", format!("{ONE}/-/grayscale/")] },
            { "files": ["pictures/dot.png"] },
        ],
        "holds": [{ "kind": "from_url", "url": "example.com" }],
        "faults": [{ "match": { "route": "/teapot/" }, "do": { "status": 418 } }],
    })
}

fn form(manifest: &Value) -> Form {
    Form::new()
        .part("file", Part::text(manifest.to_string()).file_name("seed.json"))
        .part("file", Part::bytes(PNG).file_name("pictures/dot.png"))
        .part("file", Part::text("nobody asks for it").file_name("README.md"))
}

async fn sow(server: &Server, query: &str, manifest: &Value) -> (StatusCode, Value) {
    let answer = server.http.post(server.url(&format!("/_dev/seed{query}"))).multipart(form(manifest)).send().await;
    let answer = answer.unwrap();
    (answer.status(), body_of(answer).await)
}

async fn rest(server: &Server, path: &str, keys: &str) -> Value {
    let request = server.get(path).header("Accept", "application/vnd.uploadcare-v0.7+json");
    body_of(request.header("Authorization", format!("Uploadcare.Simple {keys}")).send().await.unwrap()).await
}

async fn files(server: &Server) -> Value {
    rest(server, "/files/?limit=1000&include=appdata", "demopublickey:demosecretkey").await["results"].take()
}

#[tokio::test]
async fn everything_of_a_seed_is_made_once() {
    let server = Server::dev(&[]).await;
    let (status, sown) = sow(&server, "", &manifest()).await;
    assert_eq!(status, StatusCode::OK, "{sown}");
    let was = |sown: &Value, list: &str| -> Vec<String> {
        sown[list].as_array().unwrap().iter().map(|one| one["was"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(was(&sown, "projects"), ["changed", "made"], "the demo project was there already, with other settings");
    for (list, count) in [("storages", 1), ("webhooks", 2), ("files", 3), ("groups", 2)] {
        assert_eq!(was(&sown, list), vec!["made"; count], "{list}");
    }
    assert_eq!((&sown["holds"], &sown["faults"]), (&json!(1), &json!(1)));

    let listed = files(&server).await;
    let dot = listed.as_array().unwrap().iter().find(|file| file["uuid"] == ONE).unwrap();
    assert_eq!(dot["original_filename"], "dot.png");
    assert_eq!(dot["mime_type"], "image/png", "its type is found out");
    assert_eq!((&dot["content_info"]["image"]["width"], &dot["is_image"]), (&json!(1), &json!(true)));
    assert_eq!((&dot["metadata"], &dot["tags"]), (&json!({ "album": "first" }), &json!(["red", "round"])));
    assert_eq!(dot["datetime_uploaded"], "2020-01-02T03:04:05.000000Z");
    assert_eq!(dot["datetime_stored"], "2020-02-02T00:00:00.000000Z");
    let hello = &sown["files"][1]["uuid"];
    assert_eq!(uuid(hello).get_version_num(), 4);
    let hello = rest(&server, &format!("/files/{}/", hello.as_str().unwrap()), "demopublickey:demosecretkey").await;
    assert_eq!((&hello["mime_type"], &hello["datetime_stored"]), (&json!("text/x-greeting"), &Value::Null));
    assert_eq!(server.get(&format!("/{TWO}/")).send().await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(rest(&server, "/files/", "second:secondsecret").await["total"], 1);
    assert_eq!(rest(&server, "/project/", "demopublickey:demosecretkey").await["name"], "Seeded");
    let group = "33333333-3333-4333-8333-333333333333~3";
    assert_eq!(sown["groups"][0]["id"], group);
    let told =
        body_of(server.get(&format!("/group/info/?pub_key=demopublickey&group_id={group}")).send().await.unwrap())
            .await;
    assert_eq!(told["datetime_created"], "2021-01-01T00:00:00.000000Z");
    let effects: Vec<&str> =
        told["files"].as_array().unwrap().iter().map(|file| file["default_effects"].as_str().unwrap()).collect();
    assert_eq!(effects, ["resize/x10/-/blur/", "", "grayscale/"]);
    let hooks = rest(&server, "/webhooks/", "demopublickey:demosecretkey").await;
    assert_eq!(hooks[0]["target_url"], server.url("/_dev/capture/told"));
    assert_eq!(rest(&server, "/webhooks/", "second:secondsecret").await[0]["is_active"], false);
    assert_eq!(server.get("/teapot/").send().await.unwrap().status(), StatusCode::IM_A_TEAPOT);

    let (status, again) = sow(&server, "", &manifest()).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    for list in ["projects", "storages", "webhooks", "files", "groups"] {
        assert!(was(&again, list).iter().all(|was| was == "there"), "{list}: {again}");
        assert_eq!(again[list].as_array().unwrap().len(), sown[list].as_array().unwrap().len());
    }
    assert_eq!(again["files"][1]["uuid"], sown["files"][1]["uuid"], "ids are derived from what there is");
    assert_eq!(files(&server).await, listed, "nothing is changed");
    let (_, holds) = dev(&server, Method::GET, "/_dev/jobs/holds", Value::Null).await;
    assert_eq!(holds["holds"].as_array().or(holds.as_array()).unwrap().len(), 1, "{holds}");
    let deliveries = server.records().deliveries(&DeliveryFilter::default(), 10).await.unwrap();
    assert!(deliveries.is_empty(), "nobody was told");
    server.stop().await;
}

fn uuid(text: &Value) -> uuid::Uuid {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn webhooks_are_told_where_that_is_asked() {
    let server = Server::dev(&[]).await;
    let seed = json!({
        "webhooks": [{ "target_url": "told", "event": "file.uploaded" }],
        "files": [{ "text": "hello" }, { "text": "world", "stored": false }],
    });
    let (status, sown) = sow(&server, "?events=1", &seed).await;
    assert_eq!(status, StatusCode::OK, "{sown}");
    let mut after = stowage_model::ProjectId(0);
    while let Some(spread) = server.records().spread_events(after, 100).await.unwrap() {
        after = spread.project;
    }
    assert_eq!(server.records().deliveries(&DeliveryFilter::default(), 10).await.unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place_and_nothing_is_done() {
    let server = Server::dev(&[]).await;
    let good = json!({ "text": "good", "name": "good.txt" });
    let cases = [
        (json!({ "file": [] }), "file: unknown field `file`"),
        (json!({ "files": {} }), "files: invalid type"),
        (json!({ "files": [good, { "text": "x", "tag": "y" }] }), "files[1].tag: unknown field"),
        (json!({ "files": [good, {}] }), "files[1]: one of"),
        (json!({ "files": [{ "text": "x", "path": "pictures/dot.png" }] }), "files[0]: one of"),
        (json!({ "files": [{ "text": "" }] }), "files[0]: the file is empty"),
        (json!({ "files": [{ "base64": "!" }] }), "files[0].base64: "),
        (json!({ "files": [{ "path": "../../etc/passwd" }] }), "files[0].path: `../../etc/passwd` is no path inside"),
        (
            json!({ "files": [{ "path": "absent.png" }] }),
            "files[0].path: no part of the request is called `absent.png`",
        ),
        (json!({ "files": [good, { "text": "x", "uuid": "1" }] }), "files[1].uuid: not a UUID"),
        (json!({ "files": [{ "text": "x", "mime_type": "png" }] }), "files[0].mime_type: "),
        (json!({ "files": [{ "text": "x", "metadata": { "a b": "c" } }] }), "files[0].metadata: "),
        (json!({ "files": [{ "text": "x", "metadata": { "a": 1 } }] }), "files[0].metadata.a: invalid type"),
        (json!({ "files": [{ "text": "x", "tags": ["t".repeat(101)] }] }), "files[0].tags: "),
        (json!({ "files": [{ "text": "x", "uploaded_at": "soon" }] }), "files[0].uploaded_at: a time is written like"),
        (
            json!({ "files": [{ "text": "x", "stored": false, "stored_at": "-1h" }] }),
            "files[0].stored_at: the file is not stored",
        ),
        (
            json!({ "files": [good, { "text": "x", "project": "nobody" }] }),
            "files[1].project: there is no project `nobody`",
        ),
        (json!({ "files": [good, good] }), "files[1].uuid: files[0] has the same project, name and content"),
        (
            json!({ "files": [{ "text": "x", "uuid": ONE }, { "text": "y", "uuid": ONE }] }),
            "files[1].uuid: files[0] has the same id",
        ),
        (json!({ "files": [good], "groups": [{ "files": ["bad.txt"] }] }), "groups[0].files[0]: `bad.txt` is no id"),
        (json!({ "files": [good], "groups": [{ "files": [ONE] }] }), "groups[0].files: the project has no file"),
        (json!({ "files": [good], "groups": [{ "files": [] }] }), "groups[0].files: a group has 1 to 1000 files"),
        (
            json!({ "files": [good], "groups": [{ "files": ["good.txt"], "id": format!("{ONE}~2") }] }),
            "groups[0].id: the group has 1 files",
        ),
        (
            json!({ "files": [good], "webhooks": [{ "target_url": "a", "event": "file.eaten" }] }),
            "webhooks[0].event: `file.eaten` is not an event",
        ),
        (
            json!({ "files": [good], "webhooks": [{ "target_url": "a/b", "event": "file.stored" }] }),
            "webhooks[0].target_url: it is a URL, or",
        ),
        (
            json!({ "files": [good], "webhooks": [{ "target_url": "ftp://a/", "event": "file.stored" }] }),
            "webhooks[0].target_url: its scheme",
        ),
        (
            json!({ "files": [good], "storages": [{ "name": "a", "bucket": "bucket", "buckt": 1 }] }),
            "storages[0].buckt: unknown field",
        ),
        (json!({ "files": [good], "storages": [{ "name": "a b", "bucket": "bucket" }] }), "storages[0].name: "),
        (
            json!({ "files": [good], "projects": [{ "public_key": "new" }, { "public_key": "new" }] }),
            "projects[1].public_key: another",
        ),
        (
            json!({ "files": [good], "projects": [{ "public_key": "new", "autostor": true }] }),
            "projects[0].autostor: unknown field",
        ),
        (json!({ "files": [good], "projects": [{ "secret_keys": [] }] }), "projects[0].public_key: it is missing"),
        (json!({ "files": [good], "holds": [{ "kind": "nap" }] }), "holds[0].kind: unknown variant"),
        (json!({ "files": [good], "holds": [{ "kind": "webhook", "steps": 2 }] }), "holds[0]: "),
        (json!({ "files": [good], "faults": [{ "do": { "explode": true } }] }), "faults[0].do.explode: unknown field"),
        (json!({ "files": [good], "faults": [{ "do": { "refuse": "NoSuchError" } }] }), "faults[0]: "),
    ];
    for (seed, wanted) in cases {
        let (status, refused) = sow(&server, "", &seed).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{seed}: {refused}");
        let text = refused["error"].as_str().unwrap();
        assert!(text.starts_with(wanted), "{wanted:?} is not how this begins: {text}");
    }
    assert_eq!(files(&server).await, json!([]));
    assert_eq!(server.records().projects().await.unwrap().len(), 1, "also projects are not made");
    let secret = json!({ "projects": [{ "public_key": "new", "secret_keys": [5277] }] });
    let (_, refused) = sow(&server, "", &secret).await;
    assert!(!refused.to_string().contains("5277"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let server = Server::dev(&[]).await;
    let post = async |query: &str, form: Form| {
        let request = server.http.post(server.url(&format!("/_dev/seed{query}")));
        let answer = request.multipart(form.percent_encode_noop()).send().await.unwrap();
        let status = answer.status();
        (status, body_of(answer).await["error"].as_str().unwrap_or_default().to_owned())
    };
    let (status, text) = post("", Form::new().text("pictures/dot.png", "x")).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("no part `manifest`"), "{text}");
    let (status, text) = post("", Form::new().text("manifest", "{}").text("manifest", "{}")).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("two parts"), "{text}");
    let (status, text) = post("", Form::new().text("manifest", "{}").text("file", "x")).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("no file name"), "{text}");
    let (status, text) = post("?event=1", Form::new().text("manifest", "{}")).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("event"), "{text}");
    let parts =
        Form::new().text("manifest", json!({ "files": [{ "path": "a.txt" }] }).to_string()).text("a.txt", "by name");
    let (status, text) = post("?events=false", parts).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(files(&server).await[0]["original_filename"], "a.txt");
    let (status, sown) = dev(&server, Method::POST, "/_dev/seed", json!({ "files": [{ "text": "alone" }] })).await;
    assert_eq!((status, &sown["files"][0]["name"]), (StatusCode::OK, &json!("original")));
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_to_what_is_there_is_refused() {
    let server = Server::dev(&[]).await;
    let uploaded = server.file("a.txt", b"uploaded", "text/plain").await;
    let group = server.group(&[&uploaded]).await;
    let (group, _) = group.split_once('~').unwrap();
    let new = json!({ "text": "new", "name": "new.txt" });
    for (seed, wanted) in [
        (json!({ "files": [new, { "text": "other", "uuid": uploaded }] }), "files[1].uuid: there is another file"),
        (
            json!({ "projects": [{ "public_key": "elsewhere" }], "files": [{ "text": "uploaded", "uuid": uploaded }] }),
            "files[0].uuid: there is another file",
        ),
        (
            json!({ "files": [new], "groups": [{ "id": group, "files": ["new.txt"] }] }),
            "groups[0].id: there is another group",
        ),
        (
            json!({ "files": [new], "groups": [{ "id": group, "files": ["new.txt", uploaded] }] }),
            "groups[0].id: there is another group",
        ),
    ] {
        let (status, refused) = sow(&server, "", &seed).await;
        assert_eq!(status, StatusCode::CONFLICT, "{refused}");
        assert!(refused["error"].as_str().unwrap().starts_with(wanted), "{refused}");
    }
    assert_eq!(files(&server).await.as_array().unwrap().len(), 1, "nothing was done");
    let seed = json!({
        "files": [new, { "text": "uploaded", "uuid": uploaded, "name": "other.txt" }],
        "groups": [{ "id": group, "files": [uploaded] }],
    });
    let (status, sown) = sow(&server, "", &seed).await;
    assert_eq!(status, StatusCode::OK, "{sown}");
    assert_eq!(sown["files"][1]["was"], "there", "the same bytes: it stays as it is");
    assert_eq!(sown["groups"][0]["was"], "there");
    server.stop().await;
}

#[tokio::test]
async fn no_two_files_share_a_time() {
    let server = Server::dev(&[]).await;
    server.clock.freeze();
    server.file("first.txt", b"first", "text/plain").await;
    let list: Vec<Value> = (0..50).map(|n| json!({ "text": n.to_string() })).collect();
    let (status, sown) = sow(&server, "", &json!({ "files": list })).await;
    assert_eq!(status, StatusCode::OK, "{sown}");
    server.file("last.txt", b"last", "text/plain").await;
    let listed = files(&server).await;
    let times: Vec<&str> =
        listed.as_array().unwrap().iter().map(|file| file["datetime_uploaded"].as_str().unwrap()).collect();
    assert!(times.len() == 52 && times.is_sorted_by(|one, next| one < next), "{times:?}");
    server.stop().await;
}

/// A folder with a seed of two projects.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let seed = json!({
        "projects": [{ "public_key": "demopublickey", "secret_keys": ["demosecretkey"] }, { "public_key": "second" }],
        "files": [
            { "path": "a.txt", "uuid": ONE },
            { "path": "large.bin", "uuid": TWO, "project": "second" },
        ],
        "groups": [{ "files": [ONE] }],
    });
    std::fs::write(folder.path().join("seed.json"), seed.to_string()).unwrap();
    std::fs::write(folder.path().join("a.txt"), "from the folder").unwrap();
    std::fs::write(folder.path().join("large.bin"), vec![7; 9 << 20]).unwrap();
    folder
}

#[tokio::test]
async fn every_world_begins_with_the_configured_seed() {
    let seed = folder();
    let server = Server::dev(&[("STOWAGE_DEV__SEED", seed.path().to_str().unwrap())]).await;
    let read = async |id: &str, session: &str| {
        let answer = server.get(&format!("/{id}/")).header("x-stowage-session", session).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    for session in ["default", "one"] {
        assert_eq!(read(ONE, session).await, (200, "from the folder".into()));
        assert_eq!(read(TWO, session).await.1.len(), 9 << 20);
    }
    let remove = |id: &str, keys: &'static str| {
        let request = server.http.delete(server.url(&format!("/files/{id}/storage/")));
        let request = request.header("Accept", "application/vnd.uploadcare-v0.7+json");
        request.header("Authorization", format!("Uploadcare.Simple {keys}")).send()
    };
    assert_eq!(remove(ONE, "demopublickey:demosecretkey").await.unwrap().status(), StatusCode::OK);
    let later = server.file("later.txt", b"later", "text/plain").await;
    assert_eq!(read(ONE, "default").await.0, 404);
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", json!({ "project": "demopublickey" })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((read(ONE, "default").await.0, read(&later, "default").await.0), (200, 404));
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((read(ONE, "default").await.0, read(TWO, "default").await.1.len()), (200, 9 << 20));
    // What is large is read anew.
    std::fs::write(seed.path().join("large.bin"), "changed").unwrap();
    let (status, refused) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(refused["error"].as_str().unwrap().contains("files[1]: the file has changed"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn a_removed_file_stays_so_until_a_reset() {
    let server = Server::dev(&[]).await;
    let seed = json!({ "files": [{ "text": "hello", "uuid": ONE }] });
    sow(&server, "", &seed).await;
    let request = server.http.delete(server.url(&format!("/files/{ONE}/storage/")));
    let request = request.header("Accept", "application/vnd.uploadcare-v0.7+json");
    let removed =
        request.header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey").send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::OK);
    let (status, sown) = sow(&server, "", &seed).await;
    assert_eq!((status, &sown["files"][0]["was"]), (StatusCode::OK, &json!("removed")));
    server.stop().await;
}

#[tokio::test]
async fn a_seed_that_is_wrong_stops_the_start() {
    let seed = folder();
    std::fs::write(seed.path().join("seed.json"), r#"{ "files": [{ "path": "nope" }] }"#).unwrap();
    let fault = Server::fails_to_start(&[("STOWAGE_DEV__SEED", seed.path().to_str().unwrap())]).await;
    assert!(fault.contains("dev.seed") && fault.contains("files[0].path: `nope`"), "{fault}");
}
