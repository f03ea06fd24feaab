//! The upload door against the document.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::Value;
use stowage_model::Refusal;

use crate::Checked;
use crate::support::{PNG, part};
use stowage_store::testing::bytes;

const KEY: (&str, &str) = ("pub_key", "demopublickey");
const UPPER_KEY: (&str, &str) = ("UPLOADCARE_PUB_KEY", "demopublickey");
const PART: &str = "/multipart/upload/{uuid}/";
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

impl Checked {
    async fn posted(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        self.document.saw("POST", path, self.server.post(path, fields).await).await
    }

    async fn got(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        let answer = self.server.get(&format!("{path}?{}", query.finish())).send().await.unwrap();
        self.document.saw("GET", path, answer).await
    }

    fn base(&self, fields: &[(&str, &str)], with_file: bool) -> RequestBuilder {
        let mut form = Form::new();
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        if with_file {
            form = form.part("file", part("grey.png", PNG, "image/png"));
        }
        self.server.http.post(self.server.url("/base/")).multipart(form)
    }
}

pub(crate) async fn direct(checked: &Checked, files: &[String]) {
    let saw = async |fields: &[(&str, &str)], with_file| {
        let answer = checked.base(fields, with_file).send().await.unwrap();
        checked.document.saw("POST", "/base/", answer).await
    };
    let (status, ids) = saw(&[UPPER_KEY, ("metadata[pet]", "cat"), ("tags", "a"), ("source", "local")], true).await;
    assert_eq!((status, ids["file"].as_str().map(str::len)), (200, Some(36)));
    assert_eq!(saw(&[UPPER_KEY], false).await.0, 400);
    assert_eq!(saw(&[], true).await.0, 403);
    assert_eq!(saw(&[UPPER_KEY, ("jsonerrors", "1")], false).await.1["error"]["status_code"], 400);
    for id in files.iter().map(String::as_str).chain([ids["file"].as_str().unwrap()]) {
        assert_eq!(checked.got("/info/", &[KEY, ("file_id", id)]).await.1["uuid"], id);
    }
    assert_eq!(checked.got("/info/", &[KEY]).await.0, 400);
    assert_eq!(checked.got("/info/", &[("file_id", UNKNOWN)]).await.0, 403);
    assert_eq!(checked.got("/info/", &[KEY, ("file_id", UNKNOWN)]).await.0, 404);
    let refused = checked.got("/info/", &[KEY, ("file_id", UNKNOWN), ("jsonerrors", "1")]).await;
    assert_eq!((refused.0, &refused.1["error"]["status_code"]), (200, &404.into()));
}

pub(crate) async fn in_parts(checked: &Checked) {
    let start = [UPPER_KEY, ("filename", "a.bin"), ("size", "10000000"), ("content_type", "application/x-thing")];
    let (status, upload) = checked.posted("/multipart/start/", &start).await;
    assert_eq!(status, 200);
    let id = upload["uuid"].as_str().unwrap();
    let complete = [UPPER_KEY, ("uuid", id)];
    assert_eq!(checked.posted("/multipart/complete/", &complete).await.0, 400);
    let content = bytes(1, 10_000_000);
    for (url, piece) in upload["parts"].as_array().unwrap().iter().zip(content.chunks(5 << 20)) {
        let answer = checked.server.put(url.as_str().unwrap(), piece).await;
        assert_eq!(checked.document.saw("PUT", PART, answer).await.0, 200);
    }
    let forged = checked.server.put(&checked.server.url(&format!("/multipart/upload/{id}/?partNumber=1")), b"x").await;
    assert_eq!(checked.document.saw("PUT", PART, forged).await.0, 403);
    assert_eq!(checked.posted("/multipart/complete/", &complete).await.0, 200);
    assert_eq!(checked.posted("/multipart/complete/", &[UPPER_KEY, ("uuid", UNKNOWN)]).await.0, 404);
    assert_eq!(checked.posted("/multipart/start/", &[UPPER_KEY]).await.0, 400);
    assert_eq!(checked.posted("/multipart/start/", &[]).await.0, 403);
}

/// How far an upload from a URL is, asked in both ways.
async fn status(checked: &Checked, token: &str) -> Value {
    let (_, got) = checked.got("/from_url/status/", &[("token", token)]).await;
    let (_, posted) = checked.posted("/from_url/status/", &[("token", token)]).await;
    assert_eq!(got, posted);
    got
}

async fn start(checked: &Checked, fields: &[(&str, &str)]) -> String {
    let (status, begun) = checked.posted("/from_url/", fields).await;
    assert_eq!((status, &begun["type"]), (200, &"token".into()));
    begun["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn from_urls(checked: &Checked) {
    let server = &checked.server;
    let file = server.file("origin.txt", b"hello", "text/plain").await;
    let url = server.url(&format!("/{file}/"));
    let fields = [KEY, ("source_url", &url), ("check_URL_duplicates", "1"), ("store", "1")];
    assert_eq!(status(checked, "x").await["status"], "unknown");
    // One that somebody is at work on, and that fails in the end.
    let token = start(checked, &fields).await;
    assert_eq!(status(checked, &token).await["status"], "waiting");
    let records = server.records();
    let (now, holder) = (server.clock.now(), uuid::Uuid::from_u128(1));
    let lease = Duration::from_secs(60);
    let claimed = records.claim_jobs(now, lease, holder, 10).await.unwrap();
    let [job] = &claimed[..] else { panic!("{} jobs", claimed.len()) };
    let known = token.parse().unwrap();
    for total in [None, Some(10)] {
        records.renew_jobs(&[(job.id, holder)], now.plus(lease), &[(known, 5, total)]).await.unwrap();
        let seen = status(checked, &token).await;
        assert_eq!((&seen["status"], &seen["total"]), (&"progress".into(), &total.into()));
    }
    let refusal = Refusal::DownloadFile;
    records.fail_url_task(job, known, &refusal.to_string(), refusal.code(), now).await.unwrap();
    assert_eq!(status(checked, &token).await["status"], "error");
    // One that succeeds, and one that finds what it has fetched.
    let token = start(checked, &fields).await;
    server.runner().drain().await.unwrap();
    assert_eq!(status(checked, &token).await["status"], "success");
    assert_eq!(checked.posted("/from_url/", &fields).await.1["type"], "file_info");
    assert_eq!(checked.got("/from_url/", &fields[..2]).await.1["type"], "token");
    server.runner().drain().await.unwrap();
    assert_eq!(checked.posted("/from_url/", &[KEY]).await.0, 400);
    assert_eq!(checked.got("/from_url/", &[KEY, ("source_url", "nope")]).await.0, 400);
    assert_eq!(checked.posted("/from_url/", &[]).await.0, 403);
    assert_eq!(checked.got("/from_url/status/", &[]).await.0, 400);
    assert_eq!(checked.posted("/from_url/status/", &[("jsonerrors", "1")]).await.1["error"]["status_code"], 400);
}

pub(crate) async fn groups(checked: &Checked, files: &[String]) {
    let effects = format!("{}/-/resize/x800/", files[1]);
    let members = [KEY, ("files[]", &files[0]), ("files[]", &effects)];
    let (status, group) = checked.posted("/group/", &members).await;
    assert_eq!(status, 200);
    assert_eq!(checked.got("/group/", &members).await.0, 200);
    let id = group["id"].as_str().unwrap();
    assert_eq!(checked.got("/group/info/", &[KEY, ("group_id", id)]).await.1, group);
    assert_eq!(checked.posted("/group/", &[KEY]).await.0, 400);
    assert_eq!(checked.posted("/group/", &[]).await.0, 403);
    assert_eq!(checked.got("/group/info/", &[KEY]).await.0, 400);
    assert_eq!(checked.got("/group/info/", &[KEY, ("group_id", "x")]).await.0, 404);
}
