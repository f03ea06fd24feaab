//! Servers that leave nothing behind.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::stowage::{Place, Server, until};

/// A place whose folder for temporary files is its own, on the engines that need nothing but a folder.
fn place(environment: &[(&str, &str)]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tmp")).unwrap();
    let tmp = folder.path().join("tmp").display().to_string();
    let mut variables = vec![("TMPDIR".to_owned(), tmp)];
    variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Place { folder, environment: variables }
}

/// What lies in that folder.
fn left(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.folder.path().join("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Starts an ephemeral server, and reads what it says when it is ready.
async fn serve(place: &Place, arguments: &[&str]) -> (Server, Value) {
    let mut all = vec!["serve", "--ephemeral", "--announce", "json", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let mut child = place.plain(&all).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().expect("the server ended before it was ready");
    let said: Value = serde_json::from_str(&first).unwrap();
    tokio::spawn(async move { assert_eq!(lines.next_line().await.unwrap(), None, "there is one line alone") });
    (Server::of(child, said["listening"].as_str().unwrap()), said)
}

async fn complaint(place: &Place, arguments: &[&str]) -> String {
    let output = place.plain(arguments).output().await.unwrap();
    assert!(!output.status.success(), "{arguments:?} should have failed");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_announcement_names_all_addresses() {
    let place = place(&[("STOWAGE_URLS__CDN", "https://cdn.example.com/"), ("STOWAGE_DATA_DIR", "/nowhere")]);
    let (server, said) = serve(&place, &["--dev"]).await;
    let [folder] = left(&place).try_into().unwrap();
    let wanted = json!({
        "listening": server.base,
        "upload": server.base,
        "rest": server.base,
        "cdn": "https://cdn.example.com",
        "dev": format!("{}/_dev/", server.base),
        "metrics": null,
        "data_dir": folder,
        "ephemeral": true,
        "pid": server.id(),
        "version": env!("CARGO_PKG_VERSION"),
        "public_key": "demopublickey",
    });
    assert_eq!(said, wanted);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_server_says_where_it_is_in_json_and_in_text() {
    let place = Place::with(&[("STOWAGE_DEMO_PROJECT", "false"), ("STOWAGE_METRICS__LISTEN", "127.0.0.1:0")]).await;
    let mut child = place.plain(&["serve", "--announce", "json", "--listen", "0.0.0.0:0", "--data-dir"]);
    let mut child = child.arg(place.data()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let listening = said["listening"].as_str().unwrap();
    assert!(listening.starts_with("http://0.0.0.0:"), "{said}");
    assert_eq!(said["upload"], listening.replace("0.0.0.0", "127.0.0.1"), "an address that can be asked");
    assert_eq!(said["data_dir"], json!(place.data()));
    for none in ["dev", "metrics", "public_key"] {
        assert_eq!(said[none], Value::Null, "{none}");
    }
    assert_eq!(said["ephemeral"], false);
}

#[tokio::test]
async fn nothing_is_left_after_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = place(&[]);
        let (server, _) = serve(&place, &[]).await;
        server.upload("small", b"x".to_vec(), "1").await.unwrap();
        server.upload("large", vec![7; 200_000], "1").await.unwrap();
        assert_eq!(left(&place).len(), 1);
        server.signal(signal);
        assert!(server.ended().await);
        assert_eq!(left(&place), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn nothing_is_left_after_a_second_signal() {
    let place = place(&[]);
    let (server, _) = serve(&place, &[]).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"POST /base/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n--a").unwrap();
    server.signal(Signal::TERM);
    until("no new connection is taken", || async { TcpStream::connect(&address).is_err() }).await;
    server.signal(Signal::TERM);
    assert!(!server.ended().await, "it was cut off");
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn nothing_is_left_where_the_start_fails() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = place(&[]);
    let message = complaint(&place, &["serve", "--ephemeral", "--listen", &address]).await;
    assert!(message.contains("server.listen"), "{message}");
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_a_killed_server_left_goes_with_the_next_start() {
    let place = place(&[]);
    let (running, said) = serve(&place, &[]).await;
    let running_folder = PathBuf::from(said["data_dir"].as_str().unwrap());
    let (killed, said) = serve(&place, &[]).await;
    let killed_folder = PathBuf::from(said["data_dir"].as_str().unwrap());
    killed.upload("a", b"x".to_vec(), "1").await.unwrap();
    killed.kill().await;
    assert!(killed_folder.join("stowage.sqlite").exists());
    let (_next, said) = serve(&place, &[]).await;
    until("it is gone", || async { !killed_folder.exists() && left(&place).len() == 2 }).await;
    assert!(running_folder.exists() && Path::new(said["data_dir"].as_str().unwrap()).exists());
    running.upload("a", b"x".to_vec(), "1").await.unwrap();
}

#[tokio::test]
async fn what_would_outlive_the_server_is_refused() {
    for (name, value, key) in [
        ("STOWAGE_DATABASE__URL", "postgres://u:p4ss@127.0.0.1:1/x", "database.url"),
        ("STOWAGE_BLOBS__URL", "s3://bucket", "blobs.url"),
        ("STOWAGE_DELIVERY__VARIANT_FOLDER", "/nowhere", "delivery.variant_folder"),
    ] {
        let message = complaint(&place(&[(name, value)]), &["serve", "--ephemeral"]).await;
        assert!(message.contains(key) && message.contains(name) && !message.contains("p4ss"), "{message}");
    }
    let place = place(&[]);
    for arguments in
        [["--data-dir", "/nowhere", "serve", "--ephemeral"], ["serve", "--ephemeral", "--data-dir", "/nowhere"]]
    {
        let message = complaint(&place, &arguments).await;
        assert!(message.contains("leave it or --data-dir out"), "{message}");
    }
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}
