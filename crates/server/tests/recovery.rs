//! Files that somebody deletes: for how long they can be brought back, and what goes when they cannot any more.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json as value};
use stowage_janitor::Report;
use stowage_model::{Cause, File, FileId, Initiator, ProjectId, PublicUrls};
use stowage_store::testing::bytes;
use support::{DAY, Server, json};

const HOUR: Duration = Duration::from_hours(1);
const TICK: Duration = Duration::from_micros(1);

/// More than small blobs have.
const LARGE: usize = 300_000;

fn cause() -> Cause {
    let url = || "http://localhost".to_owned();
    Cause { initiator: Initiator::System, urls: PublicUrls { upload: url(), rest: url(), cdn: url() } }
}

/// The demo project of a server.
struct Demo {
    server: Server,
    project: ProjectId,
}

impl Demo {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let server = Server::with("", environment).await;
        let project = server.records().project_by_key("demopublickey").await.unwrap().unwrap().id;
        Self { server, project }
    }

    /// Uploads two files, of which one is small, and answers their ids and bytes.
    async fn two(&self) -> Vec<(FileId, Vec<u8>)> {
        let mut files = Vec::new();
        for (seed, len) in [(1, 100), (2, LARGE)] {
            let content = bytes(seed, len);
            let id = self.server.file("x.bin", &content, "application/x-thing").await;
            files.push((id.parse().unwrap(), content));
        }
        files
    }

    async fn remove(&self, ids: &[FileId]) -> Vec<File> {
        self.server.records().remove_files(self.project, ids, &cause(), self.server.clock.now()).await.unwrap()
    }

    async fn store(&self, ids: &[FileId]) -> Vec<File> {
        self.server.records().store_files(self.project, ids, &cause(), self.server.clock.now()).await.unwrap()
    }

    async fn tidy(&self) -> Report {
        self.server.janitor().tidy().await.unwrap()
    }

    /// What delivery answers: the bytes, or nothing.
    async fn delivered(&self, id: FileId) -> Option<Vec<u8>> {
        let answer = self.server.get(&format!("/{id}/")).send().await.unwrap();
        match answer.status().as_u16() {
            200 => Some(answer.bytes().await.unwrap().to_vec()),
            404 => None,
            other => panic!("{other}"),
        }
    }

    /// What the janitor would do.
    async fn explained(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.server.janitor().explain(&mut |deletion| lines.push(deletion.to_string())).await.unwrap();
        lines
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_comes_back_within_an_hour() {
    let demo = Demo::start(&[]).await;
    let files = demo.two().await;
    let ids: Vec<FileId> = files.iter().map(|(id, _)| *id).collect();
    assert_eq!(demo.remove(&ids).await.len(), 2);
    for (id, _) in &files {
        assert_eq!(demo.delivered(*id).await, None, "from the delete on");
    }
    demo.server.clock.advance(HOUR);
    assert_eq!(demo.explained().await, [""; 0]);
    assert_eq!(demo.tidy().await, Report::default());
    let back = demo.store(&ids).await;
    assert_eq!(back.len(), 2);
    assert!(back.iter().all(|file| file.removed_at.is_none() && file.stored_at == Some(demo.server.clock.now())));
    // Nor are they deleted later.
    demo.server.clock.advance(2 * HOUR);
    assert_eq!(demo.tidy().await, Report::default());
    for (id, content) in &files {
        assert!(demo.delivered(*id).await.as_ref() == Some(content));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_hour_it_is_gone() {
    let demo = Demo::start(&[]).await;
    let files = demo.two().await;
    let ids: Vec<FileId> = files.iter().map(|(id, _)| *id).collect();
    demo.remove(&ids[..1]).await;
    let removed_at = demo.server.clock.now();
    demo.server.clock.advance(TICK);
    demo.remove(&ids[1..]).await;
    demo.server.clock.advance(HOUR);
    let line = format!("file {}: removed {removed_at}, not brought back within 1h (100 bytes)", ids[0]);
    assert_eq!(demo.explained().await, [line], "each has its own hour");
    let first = demo.tidy().await;
    assert_eq!(first, Report { lost: 1, blobs: 1, ..Report::default() });
    assert_eq!(demo.store(&ids).await.iter().map(|file| file.id).collect::<Vec<_>>(), [ids[1]]);
    demo.remove(&ids).await;
    demo.server.clock.advance(HOUR + TICK);
    assert_eq!(demo.tidy().await, Report { lost: 1, blobs: 1, ..Report::default() });
    assert_eq!(demo.store(&ids).await, []);
    assert!(demo.server.blob_bytes() < LARGE as u64, "the bytes are gone");
    for (id, _) in &files {
        let kept = demo.server.records().file(*id).await.unwrap().unwrap();
        assert!(kept.removed_at.is_some() && kept.blob.is_none(), "the record stays for a while");
        assert_eq!(demo.delivered(*id).await, None);
    }
    demo.server.clock.advance(31 * DAY);
    assert_eq!(demo.tidy().await, Report { records: 2, ..Report::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_need_be_kept() {
    let demo = Demo::start(&[("STOWAGE_JANITOR__RECOVERY_TTL", "0s")]).await;
    let ids: Vec<FileId> = demo.two().await.into_iter().map(|(id, _)| id).collect();
    demo.remove(&ids).await;
    // Until the janitor comes it is no different.
    assert_eq!(demo.store(&ids).await.len(), 2);
    demo.remove(&ids).await;
    demo.server.clock.advance(TICK);
    assert_eq!(demo.tidy().await, Report { lost: 2, blobs: 2, ..Report::default() });
    assert_eq!(demo.store(&ids).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_outlives_its_bytes_however_short_it_is_kept() {
    let times = [("STOWAGE_JANITOR__RECOVERY_TTL", "2 days"), ("STOWAGE_JANITOR__REMOVED_TTL", "1s")];
    let demo = Demo::start(&times).await;
    let ids: Vec<FileId> = demo.two().await.into_iter().map(|(id, _)| id).collect();
    demo.remove(&ids).await;
    demo.server.clock.advance(DAY);
    assert_eq!(demo.tidy().await, Report::default());
    assert_eq!(demo.store(&ids).await.len(), 2);
    demo.remove(&ids).await;
    demo.server.clock.advance(2 * DAY + TICK);
    assert_eq!(demo.tidy().await, Report { lost: 2, blobs: 2, records: 2, ..Report::default() });
    assert_eq!(demo.server.records().file(ids[0]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_files_come_back_from_the_delete_but_not_from_their_end() {
    let demo = Demo::start(&[]).await;
    let mut ids: Vec<FileId> = Vec::new();
    for name in ["deleted.txt", "expired.txt"] {
        let answer = demo.server.upload(&[("UPLOADCARE_STORE", "0")], &[("file", name, b"t", "text/plain")]).await;
        ids.push(json(answer).await["file"].as_str().unwrap().parse().unwrap());
    }
    demo.server.clock.advance(DAY);
    demo.remove(&ids[..1]).await;
    demo.server.clock.advance(Duration::from_secs(1));
    let report = demo.tidy().await;
    assert_eq!((report.expired, report.lost, report.blobs), (1, 0, 1));
    let back = demo.store(&ids).await;
    assert_eq!(back.iter().map(|file| file.id).collect::<Vec<_>>(), [ids[0]]);
    assert_eq!(demo.delivered(ids[0]).await.unwrap(), b"t");
    assert_eq!(demo.delivered(ids[1]).await, None);
}

/// Asks the REST API.
async fn rest(server: &Server, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = server.http.request(method, server.url(path)).body(body.to_string());
    let request = request
        .header("accept", "application/vnd.uploadcare-v0.7+json")
        .header("content-type", "application/json")
        .header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_lives_on_without_its_source() {
    let demo = Demo::start(&[("STOWAGE_JANITOR__GRACE", "0s")]).await;
    for (source, content) in demo.two().await {
        let sent = value!({ "source": source.to_string(), "store": true });
        let (status, copied) = rest(&demo.server, Method::POST, "/files/local_copy/", &sent).await;
        assert_eq!(status, 201, "{copied}");
        let copy: FileId = copied["result"]["uuid"].as_str().unwrap().parse().unwrap();
        let (status, _) = rest(&demo.server, Method::DELETE, &format!("/files/{source}/storage/"), &Value::Null).await;
        assert_eq!(status, 200);
        demo.server.clock.advance(HOUR + TICK);
        assert_eq!(demo.tidy().await, Report { lost: 1, blobs: 1, ..Report::default() });
        // Young as it is, the janitor knows the copy for somebody's.
        assert_eq!(demo.server.janitor().sweep().await.unwrap(), Report::default());
        assert!(demo.delivered(copy).await.as_ref() == Some(&content));
        assert_eq!(demo.delivered(source).await, None);
        // And there is nothing to be copied any more.
        let (status, refused) = rest(&demo.server, Method::POST, "/files/local_copy/", &sent).await;
        assert_eq!((status, refused), (404, value!({ "detail": "Not found." })));
    }
}
