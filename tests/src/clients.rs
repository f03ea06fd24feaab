//! Official clients against the executable.
//!
//! The scripts of `tests/clients` do with a client what its users do, and print what they got as JSON. The tests then look
//! at the server from the other side: at `/info/`, at the bytes that it delivers, at what is left in its stores.

mod browser;
mod copies;
mod deliveries;
mod emulator;
mod javascript;
mod origin;
mod pictures;
mod python;
mod rest_javascript;
mod rest_python;
mod ucare;

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::stowage::{Place, Server, bytes, until};

pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// A picture of one pixel.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xdacd\xf8\xcfP\x0f\0\x03\
    \x86\x01\x80Z4}k\0\0\0\0IEND\xaeB`\x82";

/// Local sources of files and targets of webhooks must be allowed by name.
const LOCAL: (&str, &str) = ("STOWAGE_FETCH__ALLOW", "127.0.0.0/8,localhost");

/// An id that no file has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// How clients of the REST API prove who they are.
const SCHEMES: [&str; 2] = ["simple", "signed"];

/// A project that demands signatures, beside the one of the other tests.
const PROJECTS: &str = r#"
[[projects]]
public_key = "signedproject"
secret_keys = ["first secret", "second secret"]
signed_uploads = true

[[projects]]
public_key = "restproject"
secret_keys = ["first secret", "second secret"]
name = "A shop"
store_default = "0"
collaborators = [{ name = "Ada", email = "ada@example.com" }]
"#;

/// What runs the scripts of a client.
pub enum Runtime {
    Node,
    Python,
    Chromium,
}

impl Runtime {
    /// The program that runs the scripts and the browser that they drive, where these and the client are installed.
    pub fn find(&self) -> Option<(PathBuf, Option<PathBuf>)> {
        let folder = Path::new(FOLDER);
        let package = |name: &str| folder.join("node_modules").join(name).exists().then_some(());
        match self {
            Self::Node => {
                package("@uploadcare/upload-client")?;
                package("@uploadcare/rest-client")?;
                package("@uploadcare/signed-uploads")?;
                Some((on_path("node")?, None))
            }
            Self::Python => {
                let program = folder.join(".venv/bin/python");
                program.exists().then_some((program, None))
            }
            Self::Chromium => {
                package("@uploadcare/file-uploader")?;
                package("playwright-core")?;
                Some((on_path("node")?, Some(on_path("chromium")?)))
            }
        }
    }

    /// The name by which `STOWAGE_TEST_REQUIRE` lists it.
    fn name(&self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Chromium => "chromium",
        }
    }

    /// Whether its tests can run here; says so where not, or fails where it is required.
    #[expect(clippy::print_stderr, reason = "a skipped client must be seen in the test's output")]
    pub fn is_here(&self) -> bool {
        let is_here = self.find().is_some();
        let required = std::env::var("STOWAGE_TEST_REQUIRE").unwrap_or_default();
        let name = self.name();
        assert!(
            is_here || !required.split(',').any(|required| required.trim() == name),
            "{name} is required, but it or the client that it runs is not installed"
        );
        if !is_here {
            eprintln!("skipped: {name} or the client that it runs is not installed (tests/run installs both)");
        }
        is_here
    }

    /// Runs a script to its end and answers what it saw. No client may have looked for another machine, but for the
    /// push service whose name is written into the JavaScript client; that was out of reach.
    async fn run(&self, script: &str, mut input: Value) -> Value {
        let (program, browser) = self.find().unwrap();
        if let Some(browser) = browser {
            input["browser"] = browser.to_str().into();
        }
        let mut command = Command::new(program);
        command.current_dir(FOLDER).arg(script).arg(input.to_string()).kill_on_drop(true);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*");
        let ended = tokio::time::timeout(Duration::from_secs(180), command.output()).await;
        let output = ended.expect("the script hangs").unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} failed: {errors}");
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        for host in seen["wire"]["foreign"].as_array().unwrap() {
            assert_eq!(host, "ws.pusherapp.com", "no other machine is needed");
        }
        seen
    }
}

/// [`PICTURE`], as scripts are given it.
fn picture() -> String {
    STANDARD.encode(PICTURE)
}

pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Writes a file for a client to upload, and answers its path and its bytes.
fn file_of(place: &Place, name: &str, seed: u64, len: usize) -> (PathBuf, Vec<u8>) {
    let (path, content) = (place.folder.path().join(name), bytes(seed, len));
    std::fs::write(&path, &content).unwrap();
    (path, content)
}

/// Starts a server with the projects of [`PROJECTS`].
async fn serve_projects(place: &Place) -> Server {
    let config = place.folder.path().join("stowage.toml");
    std::fs::write(&config, PROJECTS).unwrap();
    place.serve(&["--config", config.to_str().unwrap()]).await
}

impl Server {
    /// What `/info/` says about a file.
    async fn info(&self, key: &str, id: &Value) -> Value {
        let url = self.url(&format!("/info/?pub_key={key}&file_id={}", id.as_str().unwrap()));
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{id}");
        answer.json().await.unwrap()
    }

    /// What the REST API says to the owner of the demo project.
    async fn rest(&self, path: &str) -> Value {
        let asked =
            self.http.get(self.url(path)).header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
        let answer = asked.header("accept", "application/vnd.uploadcare-v0.7+json").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Checks that a file of the demo project is what was uploaded, on the outside and inside.
    async fn check(&self, id: &Value, content: &[u8], facts: Value) {
        self.check_of("demopublickey", id, content, facts).await;
    }

    async fn check_of(&self, key: &str, id: &Value, content: &[u8], facts: Value) {
        let info = self.info(key, id).await;
        assert_eq!((&info["size"], &info["is_ready"]), (&content.len().into(), &true.into()), "{info}");
        for (name, value) in facts.as_object().unwrap() {
            assert_eq!(&info[name], value, "{name} of {info}");
        }
        // Not printed: the content may be large.
        assert!(self.fetch(id.as_str().unwrap()).await == (200, content.to_vec()), "{id} is delivered as it was sent");
    }
}

/// Whether a text is a time as the REST API writes it.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let pattern = "0000-00-00T00:00:00.000000Z";
    let fits = |(c, of): (char, char)| if of == '0' { c.is_ascii_digit() } else { c == of };
    text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(fits)
}

/// Checks that exactly these calls failed, each with its error and its text.
fn check_failures(seen: &Value, expected: &[(&str, &str, &str)]) {
    for (call, name, message) in expected {
        assert_eq!(seen[call], json!({ "name": name, "message": message }), "{call}");
    }
    assert_eq!(seen.as_object().unwrap().len(), expected.len());
}

/// Checks that progress never went back, and came to its end.
fn check_progress(values: &Value, end: f64) {
    let values: Vec<f64> = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(values.is_sorted(), "{values:?}");
    assert!(values.last().is_some_and(|last| (last - end).abs() < 1e-9), "{values:?}");
}

/// How many requests of a script begin like this.
fn count(seen: &Value, start: &str) -> usize {
    seen["wire"]["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|asked| asked.as_str().unwrap().starts_with(start))
        .count()
}

/// Waits until the stores hold neither files nor anything that the janitor would delete, and the disk at most as many blobs.
async fn until_nothing_is_left(place: &Place, blobs: usize) {
    assert_eq!(place.recorded_ids().await, [""; 0]);
    until("nothing is left behind", || async {
        let due = place.print(&["janitor", "--dry-run"]).await;
        due == "0 deletion(s) due; nothing was deleted\n" && blobs_in(&place.data()) <= blobs
    })
    .await;
}

/// How many files a data folder has beside the database.
fn blobs_in(folder: &Path) -> usize {
    let count = |entry: std::fs::DirEntry| {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return blobs_in(&entry.path());
        }
        usize::from(!entry.file_name().to_string_lossy().starts_with("stowage.sqlite"))
    };
    // What the server deletes meanwhile may be missing.
    std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(count).sum()
}
