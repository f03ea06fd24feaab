//! `stowage storage …`: storages are declared, managed, tested and filled from outside. The secrets of storages leave the executable
//! for their storage alone.

use std::process::{Output, Stdio};

use serde_json::Value;
use stowage_model::Ids;
use stowage_store::testing;

use crate::stowage::{Place, Server, until};

const SECRET: &str = "Sup3rS3cr3tK3y";

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn complaint(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments).await;
    assert!(!output.status.success(), "{arguments:?} should have failed");
    both(&output)
}

/// A place with a configuration file of this text.
async fn configured(text: &str, environment: &[(&str, &str)]) -> (Place, String) {
    let mut place = Place::with(environment).await;
    let file = place.folder.path().join("stowage.toml").display().to_string();
    std::fs::write(&file, text).unwrap();
    place.environment.push(("STOWAGE_CONFIG".into(), file.clone()));
    (place, file)
}

/// A bucket of the S3 server that honours ACLs.
struct Bucket {
    endpoint: String,
    name: String,
    http: reqwest::Client,
}

impl Bucket {
    async fn new() -> Option<Self> {
        let endpoint = testing::named("STOWAGE_TEST_S3_ACL_ENDPOINT", "s3")?;
        let bucket = Self { endpoint, name: Ids::random().hex(20), http: reqwest::Client::new() };
        assert_eq!(bucket.http.put(bucket.url("")).send().await.unwrap().status(), 200);
        Some(bucket)
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{}/{key}", self.endpoint, self.name)
    }

    /// What everybody may read under a key.
    async fn public(&self, key: &str) -> Option<Vec<u8>> {
        let answer = self.http.get(self.url(key)).send().await.unwrap();
        let found = answer.status() == 200;
        let bytes = answer.bytes().await.unwrap();
        found.then(|| bytes.to_vec())
    }

    /// The settings that reach it, as arguments, behind those of `storage add` that name it.
    fn settings(&self) -> Vec<String> {
        let endpoint = format!("endpoint_url={}", self.endpoint);
        let all = [endpoint.as_str(), "access_key_id=AK", "make_public=true"];
        all.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]).collect()
    }
}

async fn add(place: &Place, name: &str, bucket: &str, settings: &[String]) -> String {
    let mut arguments = vec!["storage", "add", "demopublickey", name, bucket];
    arguments.extend(settings.iter().map(String::as_str));
    place.print(&arguments).await
}

#[tokio::test]
async fn storages_of_the_configuration_are_changed_there() {
    let text = format!(
        "[[storages]]\nproject = \"demopublickey\"\nname = \"archive\"\nbucket = \"bucket\"\naccess_key_id = \"AK\"\n\
         secret_access_key = \"{SECRET}\"\nendpoint_url = \"http://127.0.0.1:1\"\n"
    );
    let (mut place, file) = configured(&text, &[]).await;
    let named = ["demopublickey", "archive"];
    let checked = place.print(&["check-config"]).await;
    assert!(checked.contains("storages    1 declared") && !checked.contains(SECRET), "{checked}");
    let server = place.serve(&[]).await;
    let list = place.print(&["storage", "list"]).await;
    assert!(list.starts_with("archive of demopublickey  s3://bucket  declared in the configuration"), "{list}");
    assert!(list.contains("secret_access_key = true"), "{list}");
    for command in [
        &["storage", "update", named[0], named[1], "--set", "auto_copy=false"][..],
        &["storage", "remove", named[0], named[1]],
        &["storage", "add", named[0], named[1], "other"],
    ] {
        let message = complaint(&place, command).await;
        assert!(message.contains(&file) && message.contains("`archive`"), "{command:?}: {message}");
    }
    // A command that was started without the file knows it from the records.
    place.environment.retain(|(name, _)| name != "STOWAGE_CONFIG");
    let message = complaint(&place, &["storage", "remove", named[0], named[1]]).await;
    assert!(message.contains("the configuration that the server was started with"), "{message}");
    server.kill().await;
    // Once a server has been started without it, it belongs to the records.
    place.serve(&[]).await.kill().await;
    assert!(place.print(&["storage", "list"]).await.contains("in the records"));
    place.print(&["storage", "remove", named[0], named[1]]).await;
    assert_eq!(place.print(&["storage", "list"]).await, "");
}

#[tokio::test]
async fn a_storage_of_nobody_is_not_declared() {
    let text = "[[storages]]\nproject = \"nobody\"\nname = \"archive\"\nbucket = \"bucket\"\n";
    let (place, file) = configured(text, &[]).await;
    let message = complaint(&place, &["serve", "--listen", "127.0.0.1:0"]).await;
    for part in ["`archive`", "`nobody`", &file, "stowage project create"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[tokio::test]
async fn storages_are_managed_while_the_server_runs() {
    let mut place = Place::new().await;
    let server = place.serve(&[]).await;
    let key = "demopublickey";
    place.environment.push(("STOWAGE_STORAGE_SECRET".into(), SECRET.into()));
    let added = add(&place, "archive", "bucket", &["--set".into(), "access_key_id=AK".into()]).await;
    assert!(added.contains("stowage storage test demopublickey archive"), "{added}");
    place.environment.pop();
    let json = place.print(&["storage", "list", "--project", key, "--json"]).await;
    let listed: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&listed["project"], &listed["name"], &listed["waiting"]), (&key.into(), &"archive".into(), &0.into()));
    assert_eq!(
        (&listed["settings"]["secret_access_key"], &listed["settings"]["auto_copy"]),
        (&true.into(), &true.into())
    );
    place.print(&["storage", "update", key, "archive", "--set", "auto_copy=false", "--set", "pattern=${uuid}"]).await;
    let list = place.print(&["storage", "list"]).await;
    assert!(list.contains("auto_copy = false") && list.contains("pattern = \"${uuid}\""), "{list}");
    let add = ["storage", "add", key, "fed", "bucket", "--set", "access_key_id=AK", "--secret-stdin"];
    let fed = place.feed(&add, SECRET).await;
    assert!(fed.status.success(), "{}", both(&fed));
    for (arguments, wanted) in [
        (&["storage", "add", key, "archive", "bucket"][..], "already"),
        (&["storage", "add", "nobody", "archive", "bucket"], "project list"),
        (&["storage", "add", key, "a b", "bucket"], "1 to 64 characters"),
        (&["storage", "add", key, "other", "B"], "3 to 63 characters"),
        (&["storage", "add", key, "other", "bucket", "--set", "buckt=x"], "there are access_key_id"),
        (&["storage", "add", key, "other", "bucket", "--set", "access_key_id=AK"], "STOWAGE_STORAGE_SECRET"),
        (&["storage", "add", key, "other", "bucket", "--set", "secret_access_key=Sup3rS3cr3tK3y"], "--secret-stdin"),
        (&["storage", "update", key, "nothing", "--set", "auto_copy=false"], "storage list"),
        (&["storage", "update", key, "archive"], "nothing is to be changed"),
        (&["storage", "remove", key, "nothing"], "storage list"),
        (&["storage", "test", key, "nothing"], "storage list"),
        (&["storage", "list", "--project", "nobody"], "project list"),
    ] {
        let message = complaint(&place, arguments).await;
        assert!(message.contains(wanted) && !message.contains(SECRET), "{arguments:?}: {message}");
    }
    for name in ["archive", "fed"] {
        place.print(&["storage", "remove", key, name]).await;
    }
    assert_eq!(place.print(&["storage", "list"]).await, "");
    server.kill().await;
}

async fn upload(server: &Server, name: &str) -> String {
    let id = server.upload(name, name.as_bytes().to_vec(), "1").await.unwrap();
    format!("{id}/{name}")
}

#[tokio::test]
async fn a_storage_is_tested_filled_and_kept_filled() {
    let Some(bucket) = Bucket::new().await else { return };
    let mut place = Place::new().await;
    let server = place.serve(&[]).await;
    let mut keys = vec![upload(&server, "first.txt").await, upload(&server, "second.txt").await];
    place.environment.push(("STOWAGE_STORAGE_SECRET".into(), SECRET.into()));
    add(&place, "archive", &bucket.name, &bucket.settings()).await;
    let tested = place.print(&["storage", "test", "demopublickey", "archive"]).await;
    assert!(tested.lines().count() >= 5 && !tested.contains("failed"), "{tested}");
    let policy = place.print(&["storage", "test", "demopublickey", "archive", "--policy"]).await;
    assert!(policy.contains("s3:PutObject") && policy.contains(&bucket.name), "{policy}");
    let backfill = ["storage", "backfill", "demopublickey", "archive"];
    let asked = place.print(&[&backfill[..], &["--dry-run"]].concat()).await;
    assert!(asked.starts_with("2 file(s)"), "{asked}");
    assert_eq!(bucket.public(&keys[0]).await, None);
    let filled = place.print(&backfill).await;
    assert!(filled.starts_with("2 file(s)") && filled.contains("0 waiting, 0 failed"), "{filled}");
    for (key, text) in keys.iter().zip([b"first.txt".as_slice(), b"second.txt"]) {
        assert_eq!(bucket.public(key).await.as_deref(), Some(text), "{key}");
    }
    let again = place.print(&backfill).await;
    // Files of the last minute are looked at again, because others may have been recorded among them; nothing is written twice.
    assert!(again.starts_with("2 file(s)") && again.contains("0 waiting, 0 failed"), "{again}");
    keys.push(upload(&server, "third.txt").await);
    until("the server copies what is new", || async { bucket.public(&keys[2]).await.is_some() }).await;
    let all = place.print(&[&backfill[..], &["--restart"]].concat()).await;
    assert!(all.starts_with("3 file(s)") && all.contains("0 waiting, 0 failed"), "{all}");
}

#[tokio::test]
async fn a_back_fill_goes_on_where_it_was() {
    let Some(bucket) = Bucket::new().await else { return };
    let place = Place::with(&[("STOWAGE_STORAGE_SECRET", SECRET)]).await;
    let server = place.serve(&["--no-worker"]).await;
    let keys = [upload(&server, "first.txt").await, upload(&server, "second.txt").await];
    add(&place, "archive", &bucket.name, &bucket.settings()).await;
    let backfill = ["storage", "backfill", "demopublickey", "archive"];
    let enqueued = place.print(&[&backfill[..], &["--enqueue-only"]].concat()).await;
    assert!(enqueued.starts_with("2 file(s) enqueued, 2 to be copied"), "{enqueued}");
    assert!(place.print(&["storage", "list"]).await.contains("2 waiting, 0 failed"));
    assert_eq!(bucket.public(&keys[0]).await, None);
    let copied = place.print(&backfill).await;
    assert!(copied.starts_with("0 file(s) enqueued, 2 to be copied") && copied.contains("0 waiting"), "{copied}");
    assert!(bucket.public(&keys[0]).await.is_some() && bucket.public(&keys[1]).await.is_some());
    server.kill().await;
}

#[tokio::test]
async fn copies_that_failed_are_shown_and_made_again() {
    let Some(bucket) = Bucket::new().await else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let metrics = format!("127.0.0.1:{port}");
    // One attempt each.
    let environment =
        [("STOWAGE_COPY__SCHEDULE", ""), ("STOWAGE_STORAGE_SECRET", SECRET), ("STOWAGE_METRICS__LISTEN", &metrics)];
    let place = Place::with(&environment).await;
    let server = place.serve(&[]).await;
    let missing = format!("{}x", bucket.name);
    add(&place, "archive", &missing, &bucket.settings()).await;
    let named = ["demopublickey", "archive"];
    let refused = complaint(&place, &["storage", "test", named[0], named[1]]).await;
    assert!(refused.contains("bucket_not_found") && refused.contains(&missing), "{refused}");
    let refused = complaint(&place, &["storage", "backfill", named[0], named[1]]).await;
    assert!(refused.contains("bucket_not_found"), "{refused}");
    let key = upload(&server, "a.txt").await;
    let shown = || async { place.print(&["storage", "copies", named[0], named[1]]).await };
    until("the copy has failed", || async { shown().await.starts_with("0 waiting, 1 failed") }).await;
    let text = shown().await;
    assert!(text.contains(key.split('/').next().unwrap()) && text.contains("status 404"), "{text}");
    let json = place.print(&["storage", "copies", named[0], named[1], "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["attempts"], 1, "{json}");
    server.kill().await;
    let server = place.serve(&[]).await;
    let gauge = "stowage_copies_failed{project=\"demopublickey\",storage=\"archive\"} 1";
    until("it is counted", || async {
        let answer = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
        answer.contains(gauge)
    })
    .await;
    place.print(&["storage", "update", named[0], named[1], "--set", &format!("bucket={}", bucket.name)]).await;
    assert_eq!(place.print(&["storage", "retry", named[0], named[1]]).await.trim(), "1 copy is due again");
    until("it is made", || async { bucket.public(&key).await.is_some() }).await;
    until("nothing is left", || async { shown().await.trim() == "0 waiting, 0 failed" }).await;
    server.kill().await;
}

#[tokio::test]
async fn secrets_stay_secret() {
    let endpoint = Bucket::new().await.map_or_else(|| "http://127.0.0.1:1".to_owned(), |bucket| bucket.endpoint);
    let text = format!(
        "[[storages]]\nproject = \"demopublickey\"\nname = \"declared\"\nbucket = \"no-such-bucket\"\naccess_key_id = \"AK\"\n\
         secret_access_key = \"{SECRET}\"\nrole_arn = \"arn:aws:iam::1:role/r\"\nexternal_id = \"{SECRET}\"\n\
         endpoint_url = \"http://127.0.0.1:1\"\n"
    );
    let (place, _) = configured(&text, &[("STOWAGE_LOG__LEVEL", "trace"), ("STOWAGE_STORAGE_SECRET", SECRET)]).await;
    let log = place.folder.path().join("log");
    let server = place.serve_logged(&[], Stdio::from(std::fs::File::create(&log).unwrap())).await;
    let endpoint = format!("endpoint_url={endpoint}");
    let settings = ["--set".to_owned(), endpoint, "--set".to_owned(), "access_key_id=AK".to_owned()];
    let mut add = vec!["storage", "add", "demopublickey", "added", "no-such-bucket"];
    add.extend(settings.iter().map(String::as_str));
    let mut said = both(&place.run(&add).await);
    upload(&server, "a.txt").await;
    until("both storages were tried", || async {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("no-such-bucket") && log.contains("127.0.0.1:1")
    })
    .await;
    for storage in ["declared", "added"] {
        let named = ["demopublickey", storage];
        for (command, more) in [
            ("test", &[][..]),
            ("test", &["--policy"]),
            ("copies", &[]),
            ("copies", &["--json"]),
            ("backfill", &[]),
            ("update", &["--set", "pattern=a b"]),
            ("update", &["--set", "region=eu-west-1"]),
            ("add", &["other"]),
        ] {
            said += &both(&place.run(&[&["storage", command], &named[..], more].concat()).await);
        }
    }
    for command in
        [&["check-config"][..], &["storage", "list"], &["storage", "list", "--json"], &["project", "list", "--json"]]
    {
        said += &both(&place.run(command).await);
    }
    server.kill().await;
    said += &std::fs::read_to_string(&log).unwrap();
    let shown: Vec<&str> = said.lines().filter(|line| line.contains(SECRET)).collect();
    let shown: Vec<String> = shown.iter().map(|line| line.chars().take(200).collect()).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert!(said.contains("no-such-bucket"), "there is something to look at");
}
