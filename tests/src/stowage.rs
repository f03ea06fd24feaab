//! Starting and ending the executable.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use rustix::process::{Pid, Signal, kill_process};
use stowage_model::Ids;
use stowage_store::testing;
pub use stowage_store::testing::bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Where a server keeps its things: a data folder, and the engines of this run.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub environment: Vec<(String, String)>,
}

impl Place {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A place of its own on the engines that `STOWAGE_TEST_PAIR` names.
    pub async fn with(environment: &[(&str, &str)]) -> Self {
        let mut variables = Vec::new();
        if other_pair() {
            let bucket = format!("t{}", Ids::random().uuid().simple());
            let var = |name: &str| testing::named(name, "s3").expect("STOWAGE_TEST_PAIR needs it");
            variables.extend([
                (
                    "STOWAGE_DATABASE__URL".to_owned(),
                    testing::postgres_url().await.expect("STOWAGE_TEST_PAIR needs it"),
                ),
                (
                    "STOWAGE_BLOBS__URL".to_owned(),
                    format!("s3://{bucket}?endpoint={}&path_style=true", var("STOWAGE_TEST_S3_ENDPOINT")),
                ),
                ("STOWAGE_BLOBS__ACCESS_KEY_ID".to_owned(), var("STOWAGE_TEST_S3_KEY")),
                ("STOWAGE_BLOBS__SECRET_ACCESS_KEY".to_owned(), var("STOWAGE_TEST_S3_SECRET")),
            ]);
        }
        variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { folder: tempfile::tempdir().unwrap(), environment: variables }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain(arguments);
        command.arg("--data-dir").arg(self.data());
        command
    }

    /// A command that is not told where the data folder is.
    pub fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        // Nothing of this machine's configuration may reach the server under test.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOWAGE_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(arguments).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// Runs a command to its end and gives it something to read.
    pub async fn feed(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        child.wait_with_output().await.unwrap()
    }

    /// Runs a command that must succeed, and answers what it printed.
    pub async fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server and waits until it is ready.
    pub async fn serve(&self, arguments: &[&str]) -> Server {
        self.serve_logged(arguments, Stdio::inherit()).await
    }

    /// The same with its log somewhere else.
    pub async fn serve_logged(&self, arguments: &[&str], log: Stdio) -> Server {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = self.command(&all).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.unwrap().unwrap();
        let first = first.expect("the server ended before it was ready");
        let base = first.strip_prefix("listening on ").expect("the documented first line");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Server::of(child, base)
    }

    /// Starts a worker beside servers.
    pub fn work(&self) -> Child {
        self.command(&["work"]).spawn().unwrap()
    }

    /// The ids of every file that the records hold.
    pub async fn recorded_ids(&self) -> Vec<String> {
        let ids: Vec<sqlx::types::Uuid> = match self.database().await {
            Database::Postgres(pool) => sqlx::query_scalar("SELECT id FROM files").fetch_all(&pool).await.unwrap(),
            Database::Sqlite(pool) => sqlx::query_scalar("SELECT id FROM files").fetch_all(&pool).await.unwrap(),
        };
        ids.into_iter().map(|id| id.to_string()).collect()
    }

    /// Changes the records behind the server's back, as the passing of time would.
    pub async fn execute(&self, sql: &'static str) {
        match self.database().await {
            Database::Postgres(pool) => drop(sqlx::query(sql).execute(&pool).await.unwrap()),
            Database::Sqlite(pool) => drop(sqlx::query(sql).execute(&pool).await.unwrap()),
        }
    }

    async fn database(&self) -> Database {
        let url = self.environment.iter().find(|(name, _)| name == "STOWAGE_DATABASE__URL");
        if let Some((_, url)) = url {
            return Database::Postgres(sqlx::PgPool::connect(url).await.unwrap());
        }
        let url = format!("sqlite://{}", self.data().join("stowage.sqlite").display());
        Database::Sqlite(sqlx::SqlitePool::connect(&url).await.unwrap())
    }
}

enum Database {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

/// Whether this run uses Postgres and S3.
pub fn other_pair() -> bool {
    match std::env::var("STOWAGE_TEST_PAIR").as_deref() {
        Ok("postgres+s3") => true,
        Ok("sqlite+disk") | Err(_) => false,
        Ok(other) => panic!("STOWAGE_TEST_PAIR is {other}; it is sqlite+disk or postgres+s3"),
    }
}

/// The executable that was built beside this test.
pub fn binary() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let built = here.parent().and_then(Path::parent).unwrap().join("stowage");
    assert!(built.exists(), "{} is missing: run `cargo build -p stowage` first, as tests/run does", built.display());
    built
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub base: String,
    pub http: reqwest::Client,
}

impl Server {
    /// A child that listens at this address.
    pub fn of(child: Child, base: &str) -> Self {
        Self { child, base: base.to_owned(), http: reqwest::Client::new() }
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A line of what the kernel says of its memory, in KiB: `VmRSS` now, `VmHWM` at the peak.
    pub fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it at once, as a crash does.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended by itself, and says whether it was content.
    pub async fn ended(mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.unwrap().unwrap().success()
    }

    /// Uploads a file and answers its id, or what was refused.
    pub async fn upload(&self, name: &str, bytes: Vec<u8>, store: &str) -> Result<String, String> {
        let part = Part::bytes(bytes).file_name(name.to_owned());
        let form = Form::new()
            .part("file", part)
            .text("UPLOADCARE_STORE", store.to_owned())
            .text("UPLOADCARE_PUB_KEY", "demopublickey");
        let sent = self.http.post(self.url("/base/")).multipart(form).send().await.map_err(|e| e.to_string())?;
        let status = sent.status();
        let text = sent.text().await.map_err(|e| e.to_string())?;
        if status != 200 {
            return Err(format!("{} {text}", status.as_u16()));
        }
        let answer: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        answer["file"].as_str().map(str::to_owned).ok_or(text)
    }

    /// Status and bytes of a delivered file.
    pub async fn fetch(&self, id: &str) -> (u16, Vec<u8>) {
        let answer = self.http.get(self.url(&format!("/{id}/"))).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }
}

/// Waits until `condition` holds; three minutes are more than anything here needs: clients of S3 give a silent server one.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    for _ in 0..1800 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain until {what}");
}
