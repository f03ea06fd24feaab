//! Copies to storages: into real S3 servers, with everything that can come of it.

use std::collections::BTreeMap;

use serde_json::json;
use stowage_model::{
    BlobKey, Cause, ContentInfo, FileId, FileName, Ids, Initiator, Metadata, MimeInfo, NewFile, PublicUrls, Tags,
};
use stowage_store::testing::services::free_address;

use crate::bucket::Bucket;
use crate::gate::Gate;
use crate::support::{PNG, Server};
use crate::{Api, PROJECTS, UNKNOWN, told, upload};

pub(crate) const COPY: &str = "/files/remote_copy/";

/// How many copies wait or have failed.
async fn queued(server: &Server) -> u64 {
    let counts = server.records().copy_counts().await.unwrap();
    counts.into_iter().map(|(_, counts)| counts.waiting + counts.failed).sum()
}

pub(crate) async fn picture(server: &Server, name: &str) -> String {
    server.file(name, PNG, "image/png").await
}

#[tokio::test]
async fn a_copy_is_made_once_in_every_version() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({})).await;
    let api = Api::new(&server);
    for (version, path) in [("0.7", COPY), ("0.6", COPY), ("0.5", COPY), ("0.6", "/files/"), ("0.5", "/files/")] {
        let api = api.version(version);
        let id = upload(&server, "one two.txt", "0").await;
        let key = format!("{id}/onetwo.txt");
        let body = json!({ "source": id, "target": "mine" });
        assert_eq!(api.ask("POST", path, &body).await, (201, bucket.result(&key)), "{version} {path}");
        let copy = bucket.object(&key).await.unwrap();
        assert_eq!((copy.media_type.as_str(), copy.bytes), ("text/plain", b"one two.txt".to_vec()));
        assert_eq!(api.ask("POST", path, &body).await, (200, bucket.result(&key)), "{version} {path}");
        // It stays when the file goes.
        Api::new(&server).send("DELETE", &format!("/files/{id}/storage/")).await;
        api.refuses("POST", path, &body, 404, "Not found.").await;
        assert!(bucket.object(&key).await.is_some());
    }
    assert_eq!(queued(&server).await, 0, "nothing is left to do");
}

#[tokio::test]
async fn what_is_there_is_never_overwritten() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({ "pattern": "same" })).await;
    let api = Api::new(&server);
    let ids = [upload(&server, "one.txt", "1").await, upload(&server, "two.txt", "1").await];
    let asking = (0..10).map(|n| {
        let body = json!({ "source": ids[n % 2], "target": "mine" });
        async move { (n % 2, api.ask("POST", COPY, &body).await) }
    });
    let answers = futures_util::future::join_all(asking).await;
    let made: Vec<usize> = answers.iter().filter(|(_, (status, _))| *status == 201).map(|(n, _)| *n).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    for (_, (status, body)) in answers {
        assert!(status == 200 || status == 201);
        assert_eq!(body, bucket.result("same"));
    }
    let name = ["one.txt", "two.txt"][made[0]];
    assert_eq!(bucket.object("same").await.unwrap().bytes, name.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({})).await;
    let api = Api::new(&server);
    let id = upload(&server, "a.txt", "1").await;
    let asking = (0..500).map(|n| {
        let body = json!({ "source": id, "target": "mine", "pattern": format!("many/{n}") });
        async move { api.ask("POST", COPY, &body).await }
    });
    for (n, answer) in futures_util::future::join_all(asking).await.into_iter().enumerate() {
        assert_eq!(answer, (201, bucket.result(&format!("many/{n}"))));
    }
    assert_eq!((bucket.keys().await.len(), queued(&server).await), (500, 0));
}

#[tokio::test]
async fn sources_and_forms_of_every_kind() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({})).await;
    let api = Api::new(&server);
    for form in ["{}", "{}/", "https://ucarecdn.com/{}/any.txt", "http://localhost/{}/-/inline/no/x.png", "/{}/"] {
        let id = picture(&server, "a.png").await;
        let body = json!({ "source": form.replace("{}", &id), "target": "mine", "make_public": "false" });
        assert_eq!(api.ask("POST", COPY, &body).await, (201, bucket.result(&format!("{id}/a.png"))), "{form}");
    }
    let id = picture(&server, "a.png").await;
    let form = api.request("POST", COPY).header("content-type", "application/x-www-form-urlencoded");
    let form = form.body(format!("source={id}&target=mine&make_public=true&pattern="));
    assert_eq!(told(form.send().await.unwrap()).await, (201, bucket.result(&format!("{id}/a.png"))));
    // Pictures that operations make, and what they cannot make.
    let source = format!("{id}/-/resize/30x20/-/format/jpeg/");
    let (status, _) = api.ask("POST", COPY, &json!({ "source": source, "target": "mine" })).await;
    assert_eq!(status, 201);
    let copy = bucket.object(&format!("{id}/a-resize-30x20-format-jpeg.jpg")).await.unwrap();
    assert_eq!((copy.media_type.as_str(), &copy.bytes[..3]), ("image/jpeg", &[0xff, 0xd8, 0xff][..]));
    let delivered = server.get(&format!("/{source}")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(copy.bytes, delivered, "the copy is what is delivered");
    let text = upload(&server, "a.txt", "1").await;
    for (source, refusal) in [
        (format!("{text}/-/resize/10x10/"), "Not supported for files that are not images."),
        (format!("{id}/-/json/"), "Bad `source` parameter. Use UUID or CDN URL."),
        (format!("{id}/-/nope/"), "Bad `source` parameter. Use UUID or CDN URL."),
        (format!("{id}/-/resize/"), "Bad `source` parameter. Use UUID or CDN URL."),
    ] {
        let body = json!({ "source": source, "target": "mine", "pattern": "never" });
        api.refuses("POST", COPY, &body, 400, refusal).await;
    }
    assert!(bucket.object("never").await.is_none());
    assert_eq!(queued(&server).await, 0);
}

#[tokio::test]
async fn copies_are_public_unless_somebody_says_otherwise() {
    let Some(bucket) = Bucket::with_acls().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({ "make_public": false })).await;
    bucket.serves(&server, "demopublickey", "policy", json!({ "acl": "none" })).await;
    let api = Api::new(&server);
    for (target, public, status) in [
        ("mine", json!(null), 200),
        ("mine", json!(true), 200),
        ("mine", json!("true"), 200),
        ("mine", json!(false), 403),
        ("mine", json!("false"), 403),
        ("policy", json!(true), 403),
    ] {
        let id = upload(&server, "a.txt", "1").await;
        let body = json!({ "source": id, "target": target, "make_public": public });
        assert_eq!(api.ask("POST", COPY, &body).await, (201, bucket.result(&format!("{id}/a.txt"))));
        let url = format!("{}/{}/{id}/a.txt", bucket.endpoint, bucket.name);
        let answer = server.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), status, "{target} {public}");
        if status == 200 {
            assert_eq!(answer.headers()["content-type"], "text/plain");
            assert_eq!(answer.bytes().await.unwrap(), "a.txt");
        }
    }
}

#[tokio::test]
async fn both_recorded_answers() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "my-storage", json!({})).await;
    let api = Api::new(&server).version("0.6");
    let id = picture(&server, "image.png").await;
    // Recorded where the object was there already.
    let body = json!({ "source": id, "target": "my-storage" });
    let recorded = bucket.result(&format!("{id}/image.png"));
    assert_eq!(api.ask("POST", COPY, &body).await, (201, recorded.clone()));
    assert_eq!(api.ask("POST", COPY, &body).await, (200, recorded));
    let unknown = json!({ "source": id, "target": "nowhere" });
    api.refuses("POST", COPY, &unknown, 400, "Project has no storage with provided name.").await;
}

#[tokio::test]
async fn storages_belong_to_their_project() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::with(PROJECTS, &[]).await;
    bucket.serves(&server, "other", "theirs", json!({})).await;
    let id = upload(&server, "a.txt", "1").await;
    let api = Api::new(&server);
    let body = json!({ "source": id, "target": "theirs" });
    api.refuses("POST", COPY, &body, 400, "Project has no storage with provided name.").await;
    let stranger = Api { key: "other", secret: "othersecret", ..api };
    stranger.refuses("POST", COPY, &body, 404, "Not found.").await;
    assert_eq!(bucket.keys().await, [""; 0]);
}

#[tokio::test]
async fn what_storages_refuse_is_told() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    let nowhere = format!("http://{}", free_address());
    bucket.serves(&server, "demopublickey", "gone", json!({ "bucket": "no-such-bucket-here" })).await;
    bucket.serves(&server, "demopublickey", "wrong", json!({ "secret_access_key": "tell nobody" })).await;
    bucket.serves(&server, "demopublickey", "down", json!({ "endpoint_url": nowhere })).await;
    let api = Api::new(&server);
    let id = upload(&server, "a.txt", "1").await;
    for (target, text) in [
        ("gone", "Can not copy to storage `gone`: NoSuchBucket."),
        ("wrong", "Can not copy to storage `wrong`: SignatureDoesNotMatch."),
    ] {
        api.refuses("POST", COPY, &json!({ "source": id, "target": target }), 400, text).await;
    }
    let answer = api.send_json("POST", COPY, &json!({ "source": id, "target": "down" })).await;
    assert_eq!(answer.headers()["retry-after"], "10");
    let text = "Storage `down` can not be reached at the moment. Please try again later.";
    assert_eq!(told(answer).await, (503, json!({ "detail": text })));
    assert_eq!(queued(&server).await, 0);
}

#[tokio::test]
async fn sizes_that_are_not_copied() {
    let Some(bucket) = Bucket::strict().await else { return };
    let text = "Copying of large files is not supported at the moment.";
    for (large, allowed) in [("false", false), ("true", true)] {
        let server = Server::with("", &[("STOWAGE_COPY__ALLOW_LARGE", large)]).await;
        bucket.serves(&server, "demopublickey", "mine", json!({})).await;
        let api = Api::new(&server);
        let ids = files_of(&server, &[(5 << 30) + 1, 100_000_001]).await;
        let body = json!({ "source": ids[0], "target": "mine" });
        if allowed {
            // Their bytes are nowhere, and that was seen.
            api.refuses("POST", COPY, &body, 404, "Not found.").await;
        } else {
            api.refuses("POST", COPY, &body, 400, text).await;
        }
        for path in [COPY, "/files/local_copy/"] {
            let body = json!({ "source": format!("{}/-/resize/10x/", ids[1]), "target": "mine" });
            api.refuses("POST", path, &body, 400, text).await;
        }
    }
    assert_eq!(bucket.keys().await, [""; 0]);
}

/// Files of these sizes, whose bytes are nowhere.
async fn files_of(server: &Server, sizes: &[u64]) -> Vec<String> {
    let records = server.records();
    let project = records.project_by_key("demopublickey").await.unwrap().unwrap();
    let ids = Ids::random();
    let of = |size: &u64| NewFile {
        id: FileId(ids.uuid()),
        blob: BlobKey("nowhere".to_owned()),
        size: *size,
        etag: "0".repeat(32),
        name: FileName::new("large.jpg"),
        mime_type: "image/jpeg".to_owned(),
        is_image: true,
        content: ContentInfo { mime: MimeInfo::new("image/jpeg"), image: None, video: None },
        stored: true,
        metadata: Metadata::default(),
        tags: Tags::default(),
        source: None,
    };
    let files: Vec<NewFile> = sizes.iter().map(of).collect();
    let added = files.iter().map(|file| file.id.to_string()).collect();
    let base = server.base.clone();
    let urls = PublicUrls { upload: base.clone(), rest: base.clone(), cdn: base };
    records.add_files(project.id, files, Cause { initiator: Initiator::System, urls }).await.unwrap();
    added
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_does_not_break_a_copy_off() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    let gate = Gate::before(&bucket.endpoint).await;
    bucket.serves(&server, "demopublickey", "mine", json!({ "endpoint_url": gate.url })).await;
    let id = upload(&server, "a.txt", "1").await;
    let body = json!({ "source": id, "target": "mine" });
    let request = Api::new(&server).request("POST", COPY).json(&body);
    let asking = tokio::spawn(request.send());
    gate.arrival().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(bucket.appears(&format!("{id}/a.txt")).await.bytes, b"a.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_nobody_hears_of_does_not_end_the_copy() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::with("", &[("STOWAGE_COPY__SCHEDULE", "")]).await;
    let gate = Gate::before(&bucket.endpoint).await;
    let wrong = json!({ "endpoint_url": gate.url, "secret_access_key": "x" });
    bucket.serves(&server, "demopublickey", "mine", wrong).await;
    let id = upload(&server, "a.txt", "1").await;
    let request = Api::new(&server).request("POST", COPY).json(&json!({ "source": id, "target": "mine" }));
    let asking = tokio::spawn(request.send());
    gate.arrival().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    // The server has seen that, too.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    gate.open();
    // Without a schedule the first failure is the last, and stays for people to see.
    loop {
        let counts = server.records().copy_counts().await.unwrap();
        assert!(counts.iter().any(|(_, counts)| counts.waiting + counts.failed > 0), "it is not forgotten");
        if counts.iter().any(|(_, counts)| counts.failed > 0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_take_long_are_answered_for_and_go_on() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::with("", &[("STOWAGE_COPY__SYNC_TIMEOUT", "1ms")]).await;
    let gate = Gate::before(&bucket.endpoint).await;
    bucket.serves(&server, "demopublickey", "slow", json!({ "endpoint_url": gate.url })).await;
    bucket
        .serves(&server, "demopublickey", "refusing", json!({ "endpoint_url": gate.url, "secret_access_key": "x" }))
        .await;
    let api = Api::new(&server);
    let id = upload(&server, "a.txt", "1").await;
    let mut answers = BTreeMap::new();
    for target in ["slow", "refusing"] {
        let body = json!({ "source": id, "target": target, "pattern": format!("{target}-${{uuid}}") });
        answers.insert(target, api.ask("POST", COPY, &body).await);
        assert_eq!(answers[target], (201, bucket.result(&format!("{target}-{id}"))));
    }
    assert_eq!(queued(&server).await, 2, "they are written down");
    gate.open();
    assert_eq!(bucket.appears(&format!("slow-{id}")).await.bytes, b"a.txt");
    // The other one was promised, so that it stays until it is made or given up.
    while queued(&server).await > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let project = server.records().project_by_key("demopublickey").await.unwrap().unwrap();
    let refusing = server.records().storage_named(project.id, "refusing").await.unwrap().unwrap();
    let mut left = server.records().copy_counts().await.unwrap();
    left.retain(|(_, counts)| counts.waiting + counts.failed > 0);
    assert_eq!(left.iter().map(|(storage, _)| *storage).collect::<Vec<_>>(), [refusing.id]);
    assert_eq!(bucket.keys().await, [format!("slow-{id}")]);
}

#[tokio::test]
async fn targets_that_are_none() {
    let server = Server::start().await;
    let id = upload(&server, "a.txt", "1").await;
    let api = Api::new(&server);
    for target in [json!("s3"), json!(""), json!(null), json!(5), json!("a".repeat(100_000)), json!("a\u{7f}b")] {
        let body = json!({ "source": id, "target": target, "make_public": "0" });
        api.refuses("POST", COPY, &body, 400, "Project has no storage with provided name.").await;
    }
    let body = json!({ "source": UNKNOWN, "target": "s3" });
    api.refuses("POST", COPY, &body, 404, "Not found.").await;
}
