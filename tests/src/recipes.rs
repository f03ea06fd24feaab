//! The recipes of `docs/recipes`, each run by the tool that it is for, and the examples of `docs/testing.md`. Tools that cannot be had
//! here (Cypress, a container engine) do not run theirs; what they would be handed is looked at instead.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::clients::{FOLDER, Runtime, on_path};
use crate::stowage::{Place, binary, other_pair};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
const IMAGE: &str = "registry.example.com/stowage";

/// A folder into which somebody has copied the recipes of a language.
fn copied(language: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&recipe(language), folder.path());
    if language == "javascript" {
        copy(&Path::new(FOLDER).join("playwright"), &folder.path().join("component"));
        std::os::unix::fs::symlink(Path::new(FOLDER).join("node_modules"), folder.path().join("node_modules")).unwrap();
    }
    folder
}

fn recipe(path: &str) -> PathBuf {
    Path::new(DOCS).join("recipes").join(path)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Whether a recipe is run here. They start servers of their own, so that the second pair of engines would show nothing new.
fn is_run(runtime: &Runtime) -> bool {
    !other_pair() && runtime.is_here()
}

/// A command that knows nothing of this machine's configuration but where the executable is.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOWAGE_")) {
        command.env_remove(name);
    }
    command.env("STOWAGE", binary()).env("NO_PROXY", "*").env("CI", "1").kill_on_drop(true).stdin(Stdio::null());
    command
}

/// What a command printed that must succeed.
async fn output(command: &mut Command) -> String {
    let ended = tokio::time::timeout(Duration::from_secs(300), command.output()).await;
    let output = ended.expect("it hangs").unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    text.into_owned()
}

/// A program of the packages that the tests install.
fn tool(folder: &Path, path: &str) -> Command {
    let script = Path::new(FOLDER).join("node_modules").join(path);
    assert!(script.exists(), "{} is missing: tests/run installs what package-lock.json names", script.display());
    let mut command = command("node");
    command.current_dir(folder).arg(script);
    command
}

#[tokio::test]
async fn playwright() {
    if !is_run(&Runtime::Chromium) {
        return;
    }
    let folder = copied("javascript");
    let mut run = tool(folder.path(), "@playwright/test/cli.js");
    run.args(["test", "--config", "component/playwright.config.mjs", "--reporter", "json"]);
    run.env("CLIENTS", FOLDER).env("CHROMIUM", on_path("chromium").unwrap());
    let said: Value = serde_json::from_str(&output(&mut run).await).unwrap();
    let stats = &said["stats"];
    let counts = ["expected", "unexpected", "flaky", "skipped"].map(|name| stats[name].as_u64().unwrap());
    assert_eq!(counts, [4, 0, 0, 0], "{said}");
}

#[tokio::test]
async fn vitest() {
    if !is_run(&Runtime::Node) {
        return;
    }
    let version = output(command("node").args(["--print", "process.versions.node"])).await;
    if version.split('.').next().unwrap().parse::<u32>().unwrap() < 20 {
        eprintln!("skipped: Vitest needs Node.js 20, here is {version}");
        return;
    }
    let folder = copied("javascript");
    let mut run = tool(folder.path(), "vitest/vitest.mjs");
    run.args(["run", "--root", "vitest", "--reporter", "json"]);
    let said: Value = serde_json::from_str(&output(&mut run).await).unwrap();
    assert_eq!((&said["numPassedTests"], &said["numTotalTests"]), (&json!(3), &json!(3)), "{said}");
}

#[tokio::test]
async fn pytest() {
    if !is_run(&Runtime::Python) {
        return;
    }
    let folder = copied("python");
    let (python, _) = Runtime::Python.find().unwrap();
    let mut run = command(python);
    run.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(folder.path());
    run.env("PYTHONDONTWRITEBYTECODE", "1");
    let said = output(&mut run).await;
    assert!(said.contains("4 passed"), "{said}");
}

/// Its binary cannot be downloaded here: only what runs in Node is run.
#[tokio::test]
async fn cypress() {
    if !is_run(&Runtime::Node) {
        return;
    }
    let folder = copied("javascript");
    let cypress = folder.path().join("cypress");
    for script in ["cypress/support/e2e.js", "cypress/e2e/example.cy.js"] {
        output(command("node").arg("--check").arg(cypress.join(script))).await;
    }
    let input = json!({ "recipe": cypress.join("cypress.config.mjs") }).to_string();
    let said = output(command("node").arg(Path::new(FOLDER).join("cypress.mjs")).arg(input)).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["env"]["stowage"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{said}");
    assert_eq!((&said["clock"]["frozen"], &said["reset"]), (&json!(false), &json!({ "reset": null })), "{said}");
    assert!(said["refused"].as_str().unwrap().starts_with("POST /_dev/faults: {\"error\":"), "{said}");
    assert_eq!((&said["cleared"], &said["after"]), (&Value::Null, &json!("gone")), "{said}");
}

/// What the two services have to do with ours: image, port and settings. The settings are those of a server that has doors.
#[tokio::test]
async fn services_of_ci() {
    if !is_run(&Runtime::Node) {
        return;
    }
    let docker = std::fs::read_to_string(Path::new(DOCS).join("../Dockerfile")).unwrap();
    assert!(docker.contains("\nEXPOSE 8080\n") && docker.contains("\nHEALTHCHECK "));
    let github = yaml(&recipe("ci/github-actions.yml")).await;
    let job = &github["jobs"]["tests"];
    let service = &job["services"]["stowage"];
    assert_eq!((&service["image"], &service["ports"]), (&json!(IMAGE), &json!(["8080:8080"])));
    assert_eq!(job["env"]["STOWAGE_DEV_SERVER"], "http://localhost:8080");
    let gitlab = yaml(&recipe("ci/gitlab-ci.yml")).await;
    let job = &gitlab["tests"];
    let other = &job["services"][0];
    assert_eq!(other["name"], IMAGE);
    let address = format!("http://{}:8080", other["alias"].as_str().unwrap());
    assert_eq!(job["variables"]["STOWAGE_DEV_SERVER"], address);
    assert_eq!(other["variables"], service["env"]);
    let settings = other["variables"].as_object().unwrap().iter();
    let settings: Vec<(&str, &str)> = settings.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let place = Place::with(&settings).await;
    let server = place.serve(&[]).await;
    let answer = server.http.post(server.url("/_dev/reset")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

async fn yaml(file: &Path) -> Value {
    let said = output(command("node").arg(Path::new(FOLDER).join("yaml.mjs")).arg(file)).await;
    serde_json::from_str(&said).unwrap()
}

/// No container engine is needed, and nothing is run: the facts are the right ones, and what can be parsed here can be parsed.
#[tokio::test]
async fn testcontainers() {
    let files =
        ["node.mjs", "stowage.py", "StowageContainer.java", "stowage_test.go", "StowageFixture.cs", "stowage.rs"];
    for file in files {
        let file = recipe("testcontainers").join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        for fact in
            ["\"stowage\"", "STOWAGE_DEV__ENABLED", "true", "STOWAGE_DURABILITY", "relaxed", "8080", "/_dev/reset"]
        {
            assert!(text.replace('\'', "\"").contains(fact), "{} lacks {fact}", file.display());
        }
        let parser: &[&str] = match file.extension().unwrap().to_str().unwrap() {
            "mjs" => &["node", "--check"],
            "py" => &["python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())"],
            "java" => &["javac", "-XDshould-stop.ifNoError=PARSE", "-proc:none"],
            "rs" => &[
                "rustfmt",
                "--edition",
                "2024",
                "--check",
                "--config-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
            ],
            // Neither Go nor .NET is installed where this runs.
            _ => continue,
        };
        if on_path(parser[0]).is_some() {
            output(command(parser[0]).args(&parser[1..]).arg(&file)).await;
        }
    }
}

/// Every block of commands in the document, in order and in one folder, with a server that listens elsewhere.
#[tokio::test]
async fn the_document_tells_what_happens() {
    if other_pair() || on_path("curl").is_none() {
        return;
    }
    let text = std::fs::read_to_string(Path::new(DOCS).join("testing.md")).unwrap();
    let blocks: Vec<&str> = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(blocks.len() > 5, "they are gone");
    let place = Place::with(&[]).await;
    let mut serve = place.plain(&["serve", "--ephemeral", "--dev", "--listen", "127.0.0.1:0", "--announce", "json"]);
    let mut server = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(server.stdout.take().unwrap()));
    let said: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let address = said["listening"].as_str().unwrap();
    let folder = place.folder.path();
    std::os::unix::fs::symlink(binary(), folder.join("stowage")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let script = blocks.join("\n").replace("http://127.0.0.1:8080", address);
    let mut run = command("bash");
    run.args(["-eux", "-c", &script]).current_dir(folder);
    run.env("PATH", path).env("STOWAGE_DEV_SERVER", address);
    output(&mut run).await;
}
