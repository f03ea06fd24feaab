//! A server inside the test's process, with a clock that stands still and ids that repeat.
//!
//! `STOWAGE_TEST_PAIR=postgres+s3` runs the same tests on the other pair of engines.
#![allow(clippy::allow_attributes, reason = "an expectation would fail where a test binary uses all of it")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this module")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use stowage::config::{Config, Flags};
use stowage::{Role, Running};
use stowage_janitor::Janitor;
use stowage_model::{Clock, Ids, Timestamp};
/// 2024-01-02T03:04:05Z.
pub const START: Timestamp = Timestamp(1_704_164_645_000_000);

pub struct Server {
    running: Running,
    pub config: Config,
    pub clock: Clock,
    pub base: String,
    pub http: Client,
    pub folder: tempfile::TempDir,
}

impl Server {
    /// A server with the default configuration.
    pub async fn start() -> Self {
        Self::with("", &[]).await
    }

    /// A server with this configuration file and these variables.
    pub async fn with(file: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, file, environment).await;
        let clock = Clock::manual(START);
        let running =
            Box::pin(stowage::start(config.clone(), Role::Serve, clock.clone(), Ids::seeded(1))).await.unwrap();
        let base = format!("http://{}", running.address().unwrap());
        Self { running, config, clock, base, http: Client::new(), folder }
    }

    /// A server with the doors for tests, which works, with a clock and ids that run until they are driven.
    pub async fn dev(environment: &[(&str, &str)]) -> Self {
        Self::with_dev("", environment).await
    }

    /// The same with this configuration file.
    pub async fn with_dev(file: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment: Vec<_> = [("STOWAGE_DEV__ENABLED", "true")].iter().chain(environment).copied().collect();
        let config = config(&folder, file, &environment).await;
        let clock = Clock::driven();
        let running =
            Box::pin(stowage::start(config.clone(), Role::ServeAndWork, clock.clone(), Ids::driven())).await.unwrap();
        let base = format!("http://{}", running.address().unwrap());
        Self { running, config, clock, base, http: Client::new(), folder }
    }

    /// Why a server with the doors for tests and these variables does not start.
    pub async fn fails_to_start(environment: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let environment: Vec<_> = [("STOWAGE_DEV__ENABLED", "true")].iter().chain(environment).copied().collect();
        let config = config(&folder, "", &environment).await;
        let started = Box::pin(stowage::start(config, Role::ServeAndWork, Clock::driven(), Ids::driven())).await;
        format!("{:#}", started.err().expect("it does not start"))
    }

    /// Stops it gracefully.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    /// The same server again, after a graceful stop.
    pub async fn restart(self) -> Self {
        let Self { running, config, clock, http, folder, .. } = self;
        running.stop().await;
        let running =
            Box::pin(stowage::start(config.clone(), Role::Serve, clock.clone(), Ids::seeded(2))).await.unwrap();
        let base = format!("http://{}", running.address().unwrap());
        Self { running, config, clock, base, http, folder }
    }

    /// A janitor on the server's stores and clock.
    pub fn janitor(&self) -> Janitor {
        self.running.janitor()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    /// `POST /base/` with a key and these fields, then these files.
    pub async fn upload(&self, fields: &[(&str, &str)], files: &[(&str, &str, &[u8], &str)]) -> Response {
        let mut form = Form::new();
        if !fields.iter().any(|(name, _)| *name == "UPLOADCARE_PUB_KEY") {
            form = form.text("UPLOADCARE_PUB_KEY", "demopublickey");
        }
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        for (field, name, bytes, mime) in files {
            form = form.part((*field).to_owned(), part(name, bytes, mime));
        }
        self.http.post(self.url("/base/")).multipart(form.percent_encode_noop()).send().await.unwrap()
    }

    /// Uploads one file and answers its id.
    pub async fn file(&self, name: &str, bytes: &[u8], mime: &str) -> String {
        let answer = self.upload(&[("UPLOADCARE_STORE", "1")], &[("file", name, bytes, mime)]).await;
        assert_eq!(answer.status(), 200);
        json(answer).await["file"].as_str().unwrap().to_owned()
    }

    /// Makes a group of the demo project and answers its id.
    pub async fn group(&self, files: &[&str]) -> String {
        let fields: Vec<(String, &str)> =
            files.iter().enumerate().map(|(index, file)| (format!("files[{index}]"), *file)).collect();
        let mut all = vec![("pub_key", "demopublickey")];
        all.extend(fields.iter().map(|(name, file)| (name.as_str(), *file)));
        let answer = json(self.post("/group/", &all).await).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub async fn info(&self, id: &str) -> Value {
        json(self.get(&format!("/info/?pub_key=demopublickey&file_id={id}")).send().await.unwrap()).await
    }

    /// How many blobs and temporary files lie in the data folder; with other blob stores nothing can be counted.
    pub fn blob_bytes(&self) -> u64 {
        fn bytes(folder: &std::path::Path) -> u64 {
            let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
            let sizes = entries.flatten().map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => bytes(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            });
            sizes.sum()
        }
        bytes(&self.folder.path().join("data/blobs"))
    }
}

async fn config(folder: &tempfile::TempDir, file: &str, environment: &[(&str, &str)]) -> Config {
    let mut variables: BTreeMap<String, String> = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    variables.entry("STOWAGE_DURABILITY".into()).or_insert_with(|| "relaxed".into());
    if std::env::var("STOWAGE_TEST_PAIR").is_ok_and(|pair| pair == "postgres+s3") {
        let url = stowage_store::testing::postgres_url().await.expect("STOWAGE_TEST_PAIR needs Postgres");
        variables.insert("STOWAGE_DATABASE__URL".into(), url);
        let var = |name: &str| std::env::var(name).expect("STOWAGE_TEST_PAIR needs S3");
        let bucket = format!("t{}", Ids::random().uuid().simple());
        let url = format!("s3://{bucket}?endpoint={}&path_style=true", var("STOWAGE_TEST_S3_ENDPOINT"));
        variables.insert("STOWAGE_BLOBS__URL".into(), url);
        variables.insert("STOWAGE_BLOBS__ACCESS_KEY_ID".into(), var("STOWAGE_TEST_S3_KEY"));
        variables.insert("STOWAGE_BLOBS__SECRET_ACCESS_KEY".into(), var("STOWAGE_TEST_S3_SECRET"));
    }
    let path = folder.path().join("stowage.toml");
    std::fs::File::create(&path).unwrap().write_all(file.as_bytes()).unwrap();
    let flags = Flags {
        file: Some(path),
        listen: Some("127.0.0.1:0".into()),
        data_dir: Some(folder.path().join("data")),
        ..Flags::default()
    };
    Config::load(&flags, &variables).unwrap()
}

pub fn part(name: &str, bytes: &[u8], mime: &str) -> Part {
    Part::bytes(bytes.to_vec()).file_name(name.to_owned()).mime_str(mime).unwrap()
}

pub async fn json(answer: Response) -> Value {
    answer.json().await.unwrap()
}

/// Status and text of a refusal.
pub async fn refusal(answer: Response) -> (u16, String) {
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A whole answer as text, without what changes from run to run.
pub async fn shown(answer: Response) -> String {
    let mut text = format!("{}\n", answer.status());
    let mut headers: Vec<String> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !["date", "x-uploadcare-request-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    writeln!(text, "{}\n", headers.join("\n")).unwrap();
    text.push_str(&answer.text().await.unwrap());
    text
}

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// The smallest PNG: one grey pixel.
pub const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0,
    0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1, 0x48, 0xaf,
    0xa4, 0x71, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

impl Server {
    /// A runner of jobs on the server's stores and clock.
    pub fn runner(&self) -> stowage_jobs::Runner {
        self.running.runner()
    }

    /// A postman on the server's stores and clock.
    pub fn postman(&self) -> stowage_jobs::Postman {
        self.running.postman()
    }

    /// The server's records.
    pub fn records(&self) -> stowage_store::records::Records {
        self.running.records()
    }

    /// `POST` of an urlencoded form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.http.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        request.body(body.finish()).send().await.unwrap()
    }

    /// Starts a multipart upload of the demo project and answers its id and the URLs of its parts.
    pub async fn start_multipart(&self, size: usize, fields: &[(&str, &str)]) -> (String, Vec<String>) {
        let size = size.to_string();
        let mut all = vec![
            ("UPLOADCARE_PUB_KEY", "demopublickey"),
            ("filename", "big.bin"),
            ("content_type", "application/x-thing"),
            ("size", &size),
        ];
        all.extend_from_slice(fields);
        let answer = json(self.post("/multipart/start/", &all).await).await;
        let urls = answer["parts"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let urls = urls.iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        (answer["uuid"].as_str().unwrap().to_owned(), urls)
    }

    pub async fn put(&self, url: &str, bytes: &[u8]) -> Response {
        let request = self.http.put(url).header("content-type", "application/octet-stream");
        request.body(bytes.to_vec()).send().await.unwrap()
    }

    pub async fn complete(&self, id: &str) -> Response {
        self.post("/multipart/complete/", &[("UPLOADCARE_PUB_KEY", "demopublickey"), ("uuid", id)]).await
    }

    /// Uploads a URL with these fields, works until it is done, and answers its last status.
    pub async fn fetch_url(&self, url: &str, fields: &[(&str, &str)]) -> Value {
        let mut all = vec![("pub_key", "demopublickey"), ("source_url", url)];
        all.extend_from_slice(fields);
        let answer = json(self.post("/from_url/", &all).await).await;
        assert_eq!(answer["type"], "token", "{answer}");
        self.runner().drain().await.unwrap();
        self.status(answer["token"].as_str().unwrap()).await
    }

    pub async fn status(&self, token: &str) -> Value {
        json(self.get(&format!("/from_url/status/?token={token}")).send().await.unwrap()).await
    }
}

pub fn on_s3() -> bool {
    std::env::var("STOWAGE_TEST_PAIR").is_ok()
}
