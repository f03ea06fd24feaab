//! Copies to custom storages as their owners see them: every way in ends in the bucket, dead storages hurt nobody else, crashes lose and
//! repeat nothing, and what has failed can be tried again.

mod proxy;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proxy::{Proxy, black_hole};
use serde_json::Value;
use stowage_store::testing::services::S3Server;

use crate::stowage::{Place, Server, bytes, until};

/// How many copies must survive storms and crashes; `STOWAGE_TEST_COPIES` changes it.
const COPIES: u64 = 2_000;
/// A file that is copied in five parts, and the size of these.
const LARGE: usize = 80 << 20;

/// A place, the file in which its storages are declared, and the S3 server at which they are.
struct Copied {
    place: Place,
    s3: S3Server,
    config: PathBuf,
}

impl Copied {
    /// None where there is no such server.
    async fn new(environment: &[(&str, &str)]) -> Option<Self> {
        let s3 = S3Server::own()?;
        let mut place = Place::with(environment).await;
        let config = place.folder.path().join("storages.toml");
        std::fs::write(&config, "").unwrap();
        place.environment.push(("STOWAGE_CONFIG".to_owned(), config.to_str().unwrap().to_owned()));
        Some(Self { place, s3, config })
    }

    /// Declares a storage at `endpoint` and makes its bucket, which has the same name.
    fn declare(&self, name: &str, endpoint: &str, settings: &str) {
        let S3Server { key, secret, .. } = &self.s3;
        let before = std::fs::read_to_string(&self.config).unwrap();
        let storage = format!(
            "[[storages]]\nproject = \"demopublickey\"\nname = \"{name}\"\nbucket = \"{name}\"\nendpoint_url = \"{endpoint}\"\n\
             access_key_id = \"{key}\"\nsecret_access_key = \"{secret}\"\n{settings}\n"
        );
        std::fs::write(&self.config, before + &storage).unwrap();
        self.make_bucket(name);
    }

    fn make_bucket(&self, name: &str) {
        std::fs::create_dir_all(self.folder().join(name)).unwrap();
    }

    fn folder(&self) -> &Path {
        self.s3.folder().expect("a server of the test's own")
    }

    async fn serve(&self) -> Server {
        self.place.serve(&[]).await
    }

    /// An object's bytes, once it is there.
    fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder().join(bucket).join(key)).ok()
    }

    /// Waits for an object and compares it.
    async fn wait_for(&self, bucket: &str, key: &str, content: &[u8]) {
        let what = format!("{bucket}/{key} has arrived");
        until(&what, || async { self.object(bucket, key).is_some_and(|object| object == content) }).await;
    }

    /// The keys of all objects of a bucket.
    fn keys(&self, bucket: &str) -> HashSet<String> {
        let root = self.folder().join(bucket);
        let (mut folders, mut keys) = (vec![root.clone()], HashSet::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        keys
    }

    /// What the S3 server keeps of multipart uploads that have not ended, with the files that match.
    fn unfinished(&self, text: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().contains(text)).collect()
    }

    /// How many copies of a storage have failed for good.
    async fn failed(&self, storage: &str) -> usize {
        let lines = self.place.print(&["storage", "copies", "demopublickey", storage, "--json"]).await;
        lines.lines().count()
    }
}

async fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> Value {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = server.http.post(server.url(path)).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(fields.join("&")).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Uploads in parts of 5 MiB and answers the file's id.
async fn upload_in_parts(server: &Server, name: &str, content: &[u8]) -> String {
    let size = content.len().to_string();
    let fields = [
        ("UPLOADCARE_PUB_KEY", "demopublickey"),
        ("filename", name),
        ("content_type", "application/x-thing"),
        ("UPLOADCARE_STORE", "1"),
        ("size", &size),
    ];
    let started = form(server, "/multipart/start/", &fields).await;
    let urls = started["parts"].as_array().unwrap();
    for (url, part) in urls.iter().zip(content.chunks(5 << 20)) {
        let sent = server.http.put(url.as_str().unwrap()).body(part.to_vec()).send().await.unwrap();
        assert_eq!(sent.status(), 200);
    }
    let id = started["uuid"].as_str().unwrap();
    let done = form(server, "/multipart/complete/", &[("UPLOADCARE_PUB_KEY", "demopublickey"), ("uuid", id)]).await;
    done["uuid"].as_str().unwrap().to_owned()
}

/// Uploads from a URL and answers the file's id.
async fn upload_from(server: &Server, url: &str, store: &str) -> String {
    let fields = [("pub_key", "demopublickey"), ("source_url", url), ("store", store), ("check_URL_duplicates", "0")];
    let token = form(server, "/from_url/", &fields).await["token"].as_str().unwrap().to_owned();
    loop {
        let status = server.http.get(server.url(&format!("/from_url/status/?token={token}"))).send().await.unwrap();
        let status: Value = serde_json::from_str(&status.text().await.unwrap()).unwrap();
        match status["status"].as_str().unwrap() {
            "success" => return status["uuid"].as_str().unwrap().to_owned(),
            "error" => panic!("{status}"),
            _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn store(server: &Server, id: &str) {
    let request = server.http.put(server.url(&format!("/files/{id}/storage/")));
    let request = request.header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let answer = request.header("Accept", "application/vnd.uploadcare-v0.7+json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_ends_in_the_bucket() {
    let Some(copied) = Copied::new(&[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8")]).await else { return };
    let endpoint = copied.s3.endpoint.clone();
    copied.declare("everything", &endpoint, "prefix = \"backup/\"");
    copied.declare("kept", &endpoint, "pattern = \"${uuid}${ext}\"\nonly_stored = true");
    copied.declare("asked", &endpoint, "auto_copy = false");
    let server = copied.serve().await;
    let (small, large) = (bytes(1, 3000), bytes(2, 12_000_000));
    let direct = server.upload("image(1).jpeg", small.clone(), "0").await.unwrap();
    let parts = upload_in_parts(&server, "archive.tar.gz", &large).await;
    let fetched = upload_from(&server, &server.url(&format!("/{direct}/2250")), "1").await;
    copied.wait_for("everything", &format!("backup/{direct}/image1.jpeg"), &small).await;
    copied.wait_for("everything", &format!("backup/{parts}/archivetar.gz"), &large).await;
    copied.wait_for("kept", &format!("{parts}.gz"), &large).await;
    copied.wait_for("kept", &fetched, &small).await;
    copied.wait_for("everything", &format!("backup/{fetched}/2250"), &small).await;
    // What happened before has been spread by now: the temporary file was left out.
    assert_eq!(copied.keys("kept"), [format!("{parts}.gz"), fetched.clone()].into());
    store(&server, &direct).await;
    copied.wait_for("kept", &format!("{direct}.jpeg"), &small).await;
    assert_eq!(copied.keys("kept").len(), 3);
    assert_eq!(copied.keys("everything").len(), 3);
    assert_eq!(copied.keys("asked"), HashSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_storages_delay_nobody_else() {
    // Whoever waits for an answer of the dead ones waits longer than this test.
    let environment =
        [("STOWAGE_COPY__CONCURRENCY", "4"), ("STOWAGE_COPY__TIMEOUT", "1h"), ("STOWAGE_SERVER__DRAIN_TIMEOUT", "1s")];
    let Some(copied) = Copied::new(&environment).await else { return };
    copied.declare("silent", &black_hole().await, "");
    copied.declare("nobody", "http://127.0.0.1:1", "");
    copied.declare("silent-too", &black_hole().await, "");
    copied.declare("good", &copied.s3.endpoint, "pattern = \"${uuid}\"");
    let server = copied.serve().await;
    for round in 0..3_u64 {
        let mut sent = Vec::new();
        for seed in round * 20..(round + 1) * 20 {
            let content = bytes(seed, 2000);
            sent.push((server.upload("x", content.clone(), "1").await.unwrap(), content));
        }
        for (id, content) in sent {
            copied.wait_for("good", &id, &content).await;
        }
    }
    // A stop gives back what hangs, so that it comes to an end.
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_parts_goes_on_after_a_crash() {
    let Some(copied) = Copied::new(&[("STOWAGE_COPY__LEASE", "2s")]).await else { return };
    let (proxy, url) = Proxy::start(&copied.s3.endpoint, 0).await;
    copied.declare("target", &url, "pattern = \"${filename}${ext}\"");
    let server = copied.serve().await;
    let content = bytes(7, LARGE);
    proxy.parts.add_permits(2);
    upload_in_parts(&server, "large.bin", &content).await;
    // The other parts wait in front of the server.
    let there = || copied.unfinished(".part-").len() == 2 && proxy.asked("partNumber=").len() == 2;
    until("two parts have arrived", || async { there() }).await;
    server.kill().await;
    proxy.parts.add_permits(100);
    let _server = copied.serve().await;
    copied.wait_for("target", "large.bin", &content).await;
    until("nothing is left of the upload", || async { copied.unfinished(".upload").is_empty() }).await;
    assert_eq!(proxy.asked("?uploads").len(), 1, "it was begun once");
    let parts = proxy.asked("partNumber=");
    let different: HashSet<&String> = parts.iter().collect();
    assert_eq!((parts.len(), different.len()), (5, 5), "every part was sent once: {parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_is_tried_again_by_command() {
    let environment = [("STOWAGE_COPY__SCHEDULE", "100ms"), ("STOWAGE_COPY__GIVE_UP_AFTER", "1s")];
    let Some(copied) = Copied::new(&environment).await else { return };
    copied.declare("away", &copied.s3.endpoint, "pattern = \"${uuid}\"");
    std::fs::remove_dir(copied.folder().join("away")).unwrap();
    let server = copied.serve().await;
    let content = bytes(3, 500);
    let id = server.upload("x", content.clone(), "1").await.unwrap();
    until("the copy has failed for good", || async { copied.failed("away").await == 1 }).await;
    let told = copied.place.print(&["storage", "copies", "demopublickey", "away"]).await;
    assert!(told.contains("asking for the bucket failed") && told.contains(&id), "{told}");
    copied.make_bucket("away");
    copied.place.print(&["storage", "retry", "demopublickey", "away"]).await;
    copied.wait_for("away", &id, &content).await;
    until("it no longer counts as failed", || async { copied.failed("away").await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_copies_survive_storms_and_crashes() {
    let copies = std::env::var("STOWAGE_TEST_COPIES").map_or(COPIES, |text| text.parse().unwrap());
    let environment =
        [("STOWAGE_DURABILITY", "relaxed"), ("STOWAGE_COPY__SCHEDULE", "100ms,200ms"), ("STOWAGE_COPY__LEASE", "3s")];
    let Some(copied) = Copied::new(&environment).await else { return };
    let (_proxy, url) = Proxy::start(&copied.s3.endpoint, 20).await;
    copied.declare("target", &url, "pattern = \"${uuid}\"");
    let server = Arc::new(copied.serve().await);
    let counter = Arc::new(AtomicU64::new(0));
    let mut uploaders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (server, counter) = (Arc::clone(&server), Arc::clone(&counter));
        uploaders.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let seed = counter.fetch_add(1, Ordering::SeqCst);
                if seed >= copies {
                    return sent;
                }
                sent.push((server.upload("x", bytes(seed, 1000), "0").await.unwrap(), seed));
            }
        });
    }
    let sent: Vec<(String, u64)> = uploaders.join_all().await.into_iter().flatten().collect();
    let ids: HashSet<String> = sent.iter().map(|(id, _)| id.clone()).collect();
    let mut server = Arc::into_inner(server).unwrap();
    for crash in 1..=2 {
        let wanted = ids.len() * crash / 3;
        until("a good part has arrived", || async { copied.keys("target").len() >= wanted }).await;
        server.kill().await;
        server = copied.serve().await;
    }
    until("all have arrived", || async { copied.keys("target").len() >= ids.len() }).await;
    assert_eq!(copied.keys("target"), ids);
    for (id, seed) in &sent {
        assert_eq!(copied.object("target", id), Some(bytes(*seed, 1000)), "{id}");
    }
    assert_eq!(copied.failed("target").await, 0);
}
