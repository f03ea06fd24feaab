//! The REST door against the document, in every version.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use stowage_store::records::DeliveryFilter;
use stowage_store::testing::services::free_address;

use crate::Checked;
use crate::bucket::Bucket;
use crate::support::DAY;

const VERSIONS: [&str; 3] = ["0.7", "0.6", "0.5"];
const OLD: [&str; 2] = ["0.6", "0.5"];
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

const FILE: &str = "/files/{uuid}/";
const STORAGE: &str = "/files/{uuid}/storage/";
const METADATA: &str = "/files/{uuid}/metadata/{key}/";
const WEBHOOK: &str = "/webhooks/{id}/";
const REMOTE: &str = "/files/remote_copy/";

impl Checked {
    fn request(&self, version: &str, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.server.http.request(method, self.server.url(path));
        let request = request.header("accept", format!("application/vnd.uploadcare-v{version}+json"));
        request.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey")
    }

    /// Asks under a path of the document, without a body.
    async fn ask(&self, version: &str, method: &str, form: &str, path: &str) -> (u16, Value) {
        let answer = self.request(version, method, path).send().await.unwrap();
        self.document.saw(method, form, answer).await
    }

    /// The same with a body.
    async fn send(&self, version: &str, method: &str, form: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.request(version, method, path).json(body).send().await.unwrap();
        self.document.saw(method, form, answer).await
    }

    /// Walks through all pages of a list, and one page back.
    async fn walk(&self, version: &str, method: &str, form: &str, path: &str, body: &Value) {
        let mut path = path.to_owned();
        loop {
            let (status, page) = self.send(version, method, form, &path, body).await;
            assert_eq!(status, 200);
            let Some(next) = page["next"].as_str() else {
                let previous = page["previous"].as_str().unwrap().strip_prefix(&self.server.base).unwrap();
                assert_eq!(self.send(version, method, form, previous, body).await.0, 200);
                return;
            };
            path = next.strip_prefix(&self.server.base).unwrap().to_owned();
        }
    }

    /// Uploads a file without storing it.
    async fn temporary(&self) -> String {
        let answer = self.server.upload(&[], &[("file", "a.txt", b"hello", "text/plain")]).await;
        answer.json::<Value>().await.unwrap()["file"].as_str().unwrap().to_owned()
    }
}

/// Manages webhooks, and leaves one for each version and kind of event.
pub(crate) async fn webhooks(checked: &Checked) {
    for version in VERSIONS {
        let target = |name: &str| checked.server.url(&format!("/health?{version}{name}"));
        let all = checked.send(version, "POST", "/webhooks/", "/webhooks/", &json!({ "event": "file.uploaded" })).await;
        assert_eq!(all.0, 400);
        let kept = json!({ "target_url": target(""), "event": "file.uploaded", "signing_secret": "s" });
        assert_eq!(checked.send(version, "POST", "/webhooks/", "/webhooks/", &kept).await.0, 201);
        assert_eq!(checked.send(version, "POST", "/webhooks/", "/webhooks/", &kept).await.0, 400, "there is one");
        let create = if version == "0.7" { "/webhooks/" } else { "/webhooks/create/" };
        let other = json!({ "target_url": target("other"), "event": "file.uploaded" });
        for _ in 0..2 {
            let (status, made) = checked.send(version, "POST", create, create, &other).await;
            assert_eq!(status, 201);
            let path = format!("/webhooks/{}/", made["id"]);
            assert_eq!(checked.ask(version, "GET", WEBHOOK, &path).await, (200, made));
            for method in if version == "0.7" { &["PUT"][..] } else { &["PUT", "POST"] } {
                let change = json!({ "is_active": false });
                let (status, changed) = checked.send(version, method, WEBHOOK, &path, &change).await;
                assert_eq!((status, &changed["is_active"]), (200, &json!(false)));
                let bad = json!({ "target_url": "nope" });
                assert_eq!(checked.send(version, method, WEBHOOK, &path, &bad).await.0, 400);
            }
            assert_eq!(checked.ask(version, "DELETE", WEBHOOK, &path).await.0, 204);
            assert_eq!(checked.ask(version, "DELETE", WEBHOOK, &path).await.0, 404);
        }
        assert_eq!(checked.send(version, "POST", create, create, &other).await.0, 201);
        assert_eq!(checked.ask(version, "GET", "/webhooks/", "/webhooks/").await.0, 200);
        let unsubscribe = "/webhooks/unsubscribe/";
        assert_eq!(checked.send(version, "DELETE", unsubscribe, unsubscribe, &other).await.0, 204);
        assert_eq!(checked.ask(version, "DELETE", unsubscribe, unsubscribe).await.0, 400);
    }
    for event in ["file.infected", "file.stored", "file.deleted", "file.info_updated"] {
        let new = json!({ "target_url": checked.server.url("/health"), "event": event });
        assert_eq!(checked.send("0.7", "POST", "/webhooks/", "/webhooks/", &new).await.0, 201);
    }
}

pub(crate) async fn files(checked: &Checked, files: &[String]) {
    for version in VERSIONS {
        let ask = async |method, form, path: &str| checked.ask(version, method, form, path).await;
        let extras = if version == "0.7" { "include=appdata" } else { "add_fields=rekognition_info" };
        let id = checked.temporary().await;
        checked.walk(version, "GET", "/files/", "/files/?limit=2", &Value::Null).await;
        assert_eq!(ask("GET", "/files/", "/files/?ordering=x").await.0, 400);
        for file in files {
            assert_eq!(ask("GET", FILE, &format!("/files/{file}/?{extras}")).await.0, 200);
        }
        assert_eq!(ask("GET", FILE, &format!("/files/{id}/")).await.1["datetime_stored"], Value::Null);
        let storage = format!("/files/{id}/storage/");
        for method in ["PUT", "POST", "GET"] {
            assert_ne!(ask(method, STORAGE, &storage).await.1["datetime_stored"], Value::Null);
        }
        for (form, path) in [(STORAGE, storage.as_str()), (FILE, &format!("/files/{id}/"))] {
            assert_ne!(ask("DELETE", form, path).await.1["datetime_removed"], Value::Null);
        }
        for method in ["PUT", "DELETE"] {
            let sent = json!([id, UNKNOWN]);
            let (status, batch) = checked.send(version, method, "/files/storage/", "/files/storage/", &sent).await;
            assert_eq!((status, batch["result"].as_array().unwrap().len()), (200, 1));
            let empty = checked.send(version, method, "/files/storage/", "/files/storage/", &json!([])).await;
            assert_eq!(empty.0, 400);
        }
        for (method, form) in [("GET", FILE), ("DELETE", FILE), ("PUT", STORAGE), ("GET", STORAGE), ("DELETE", STORAGE)]
        {
            assert_eq!(ask(method, form, &form.replace("{uuid}", UNKNOWN)).await.0, 404, "{method} {form}");
        }
    }
    let search = "/files/search/";
    let everything = json!({
        "query": "thing",
        "phrase": { "original_filename": "thing" },
        "exact": { "detected_mime_type": ["image/jpeg", "image/png"], "uuid": files },
        "datetime_uploaded": { "gte": "2024-01-01T00:00:00Z", "lt": "2030-01-01T00:00:00Z" },
        "size": { "gt": 0, "lte": 1000 },
        "is_image": true,
        "tags": { "any": ["red"], "all": [], "none": ["blue"] },
        "sort": ["-size", "datetime_uploaded"],
        "fuzziness": true,
    });
    // What only other texts show of where something was found.
    for body in
        [json!({ "query": "image" }), json!({ "query": "tabby" }), json!({ "exact": { "metadata[pet]": ["tabby"] } })]
    {
        assert_eq!(checked.send("0.7", "POST", search, search, &body).await.0, 200);
    }
    let documented = &checked.document.operation("POST", search).unwrap()["requestBody"]["content"]["application/json"];
    let documented = documented["schema"]["properties"].as_object().unwrap();
    let sent = everything.as_object().unwrap();
    assert!(documented.keys().eq(sent.keys()), "no other member is taken");
    checked.walk("0.7", "POST", search, "/files/search/?limit=1&include=appdata", &everything).await;
    assert_eq!(checked.send("0.7", "POST", search, search, &json!({})).await.0, 400);
}

pub(crate) async fn copies(checked: &Checked, bucket: Option<&Bucket>) {
    if let Some(bucket) = bucket {
        let nowhere = format!("http://{}", free_address());
        bucket.serves(&checked.server, "demopublickey", "mine", json!({})).await;
        bucket.serves(&checked.server, "demopublickey", "down", json!({ "endpoint_url": nowhere })).await;
    }
    let source = checked.temporary().await;
    for version in VERSIONS {
        let forms = if version == "0.7" { &["/files/local_copy/"][..] } else { &["/files/local_copy/", "/files/"] };
        for form in forms {
            let send = async |body: Value| checked.send(version, "POST", form, form, &body).await.0;
            assert_eq!(send(json!({ "source": source, "store": true })).await, 201);
            assert_eq!(send(json!({})).await, 400);
            assert_eq!(send(json!({ "source": UNKNOWN })).await, 404);
        }
        let sent = json!({ "source": source, "target": "x" });
        assert_eq!(checked.send(version, "POST", REMOTE, REMOTE, &sent).await.0, 400);
        if bucket.is_none() {
            continue;
        }
        for form in if version == "0.7" { &[REMOTE][..] } else { &[REMOTE, "/files/"] } {
            let source = checked.temporary().await;
            let send = async |target: &str| {
                let body = json!({ "source": source, "target": target, "make_public": false, "pattern": "${uuid}" });
                checked.send(version, "POST", form, form, &body).await.0
            };
            assert_eq!((send("mine").await, send("mine").await), (201, 200), "{version} {form}");
        }
    }
    if bucket.is_some() {
        let sent = json!({ "source": source, "target": "down" });
        assert_eq!(checked.send("0.7", "POST", REMOTE, REMOTE, &sent).await.0, 503);
    }
}

/// Metadata and tags.
pub(crate) async fn belongings(checked: &Checked) {
    let id = checked.temporary().await;
    let ask = async |method, form: &str| checked.ask("0.7", method, form, &form.replace("{uuid}", &id)).await;
    let key = METADATA.replace("{uuid}", &id).replace("{key}", "pet");
    let put = async |value: Value| checked.send("0.7", "PUT", METADATA, &key, &value).await;
    assert_eq!(put(json!("cat")).await, (201, json!("cat")));
    assert_eq!(put(json!("dog")).await, (200, json!("dog")));
    assert_eq!(put(json!(1)).await.0, 400);
    assert_eq!(checked.ask("0.7", "GET", METADATA, &key).await, (200, json!("dog")));
    assert_eq!(ask("GET", "/files/{uuid}/metadata/").await, (200, json!({ "pet": "dog" })));
    assert_eq!(checked.ask("0.7", "DELETE", METADATA, &key).await.0, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(checked.ask("0.7", method, METADATA, &key).await.0, 404);
    }
    let tags = "/files/{uuid}/tags/";
    let path = tags.replace("{uuid}", &id);
    for (method, body, status) in [
        ("PUT", json!({ "tags": ["a", "b"] }), 200),
        ("PATCH", json!({ "add": ["c"], "delete": ["a"] }), 200),
        ("PUT", json!({}), 400),
        ("PATCH", json!({ "add": ["a b"] }), 400),
    ] {
        assert_eq!(checked.send("0.7", method, tags, &path, &body).await.0, status, "{method} {body}");
    }
    assert_eq!(ask("GET", tags).await.1["tags"], json!(["b", "c"]));
}

pub(crate) async fn groups(checked: &Checked, files: &[String]) {
    let form = "/groups/{id}/";
    let mut groups = Vec::new();
    for _ in 0..3 {
        let fields = [("pub_key", "demopublickey"), ("files[]", &files[0]), ("files[]", &files[2])];
        let group: Value = checked.server.post("/group/", &fields).await.json().await.unwrap();
        groups.push(format!("/groups/{}/", group["id"].as_str().unwrap()));
    }
    for version in VERSIONS {
        checked.walk(version, "GET", "/groups/", "/groups/?limit=2", &Value::Null).await;
        assert_eq!(checked.ask(version, "GET", "/groups/", "/groups/?from=x").await.0, 400);
        assert_eq!(checked.ask(version, "GET", form, &groups[0]).await.0, 200);
        assert_eq!(checked.ask(version, "GET", form, "/groups/x/").await.0, 404);
    }
    for version in OLD {
        let path = format!("{}storage/", groups[0]);
        assert_eq!(checked.ask(version, "PUT", "/groups/{id}/storage/", &path).await.0, 200);
    }
    assert_eq!(checked.ask("0.7", "DELETE", form, &groups[1]).await.0, 204);
    assert_eq!(checked.ask("0.7", "DELETE", form, &groups[1]).await.0, 404);
}

/// The project, what is not set up, and what is refused everywhere.
pub(crate) async fn refusals(checked: &Checked) {
    for version in VERSIONS {
        let (_, project) = checked.ask(version, "GET", "/project/", "/project/").await;
        assert_eq!(project["collaborators"][0]["name"], "Ada");
        for form in ["/convert/document/", "/convert/video/"] {
            let sent = json!({ "paths": [format!("{UNKNOWN}/video/-/format/webm/")] });
            assert_eq!(checked.send(version, "POST", form, form, &sent).await.0, 400);
        }
        let formats = "/convert/document/{uuid}/";
        assert_eq!(checked.ask(version, "GET", formats, &formats.replace("{uuid}", UNKNOWN)).await.0, 400);
        for form in ["/convert/document/status/{token}/", "/convert/video/status/{token}/"] {
            assert_eq!(checked.ask(version, "GET", form, &form.replace("{token}", "1")).await.0, 404);
        }
        let stranger =
            checked.server.get("/files/").header("accept", format!("application/vnd.uploadcare-v{version}+json"));
        assert_eq!(checked.document.saw("GET", "/files/", stranger.send().await.unwrap()).await.0, 401);
        let xml = checked.request(version, "PUT", "/files/storage/").header("content-type", "text/xml").body("<a/>");
        assert_eq!(checked.document.saw("PUT", "/files/storage/", xml.send().await.unwrap()).await.0, 415);
    }
    assert_eq!(checked.ask("0.8", "GET", "/files/", "/files/").await.0, 406);
    let execute = "/addons/{name}/execute/";
    let run = execute.replace("{name}", "remove_bg");
    assert_eq!(checked.send("0.7", "POST", execute, &run, &json!({ "target": UNKNOWN })).await.0, 403);
    assert_eq!(checked.send("0.7", "POST", execute, &run, &json!({})).await.0, 400);
    let (form, path) = (format!("{execute}status/"), format!("{run}status/"));
    assert_eq!(checked.ask("0.7", "GET", &form, &format!("{path}?request_id={UNKNOWN}")).await.0, 200);
    assert_eq!(checked.ask("0.7", "GET", &form, &path).await.0, 400);
}

/// What the webhooks have been told of all that.
pub(crate) async fn events(checked: &Checked) {
    let server = &checked.server;
    // One that nobody asked for.
    checked.temporary().await;
    server.clock.advance(2 * DAY);
    server.janitor().tidy().await.unwrap();
    server.postman().drain().await.unwrap();
    let told = server.records().deliveries(&DeliveryFilter::default(), 1000).await.unwrap();
    for delivery in &told {
        let content = &checked.document.value["webhooks"][&delivery.event]["post"]["requestBody"]["content"];
        let body = serde_json::from_str(delivery.body.as_ref().unwrap()).unwrap();
        checked.document.holds(&content["application/json"]["schema"], &delivery.event, &body);
    }
    let kinds: BTreeSet<&str> = told.iter().map(|delivery| delivery.event.as_str()).collect();
    assert_eq!(Vec::from_iter(kinds), ["file.deleted", "file.info_updated", "file.stored", "file.uploaded"]);
}
