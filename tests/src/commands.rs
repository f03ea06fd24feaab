//! The commands of the executable.

use crate::stowage::Place;

async fn complaint(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments).await;
    assert!(!output.status.success(), "{arguments:?} should have failed");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn health_is_checked_from_outside() {
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let port = server.base.rsplit(':').next().unwrap().to_owned();
    let listen = format!("0.0.0.0:{port}");
    let asking = Place::with(&[("STOWAGE_SERVER__LISTEN", &listen)]).await;
    asking.print(&["healthcheck"]).await;
    server.kill().await;
    assert!(complaint(&asking, &["healthcheck"]).await.contains("nobody answers"));
}

#[tokio::test]
async fn the_configuration_is_checked() {
    let place = Place::with(&[("STOWAGE_BLOBS__SECRET_ACCESS_KEY", "s3cr3t")]).await;
    let shown = place.print(&["check-config"]).await;
    assert!(shown.contains("127.0.0.1:8080") && !shown.contains("s3cr3t"), "{shown}");
    assert!(!place.data().exists(), "checking leaves nothing behind");
    let wrong = Place::with(&[("STOWAGE_SERVER__LISTN", "x")]).await;
    let message = complaint(&wrong, &["check-config"]).await;
    assert!(message.contains("server.listn") && message.contains("STOWAGE_SERVER__LISTN"), "{message}");
    let database = Place::with(&[("STOWAGE_DATABASE__URL", "mysql://u:p4ss@h/d")]).await;
    let message = complaint(&database, &["serve"]).await;
    assert!(message.contains("database.url") && !message.contains("p4ss"), "{message}");
    let missing = complaint(&place, &["serve", "--config", "/nowhere.toml"]).await;
    assert!(missing.contains("/nowhere.toml"), "{missing}");
    let healthy = Place::new().await;
    let taken = healthy.serve(&[]).await;
    let address = taken.base.trim_start_matches("http://");
    let message = complaint(&Place::new().await, &["serve", "--listen", address]).await;
    assert!(message.contains("server.listen") && message.contains("Port 0"), "{message}");
}

#[tokio::test]
async fn migrations_may_be_applied_apart() {
    let place = Place::with(&[("STOWAGE_DATABASE__MIGRATE", "false")]).await;
    assert!(complaint(&place, &["serve", "--listen", "127.0.0.1:0"]).await.contains("stowage migrate"));
    assert!(place.print(&["migrate"]).await.contains("applied"));
    assert!(place.print(&["migrate"]).await.contains("up to date"));
    place.serve(&[]).await.upload("a", b"x".to_vec(), "1").await.unwrap();
}

#[tokio::test]
async fn the_demo_project_can_be_switched_off_later() {
    let mut place = Place::new().await;
    place.serve(&[]).await.upload("a", b"x".to_vec(), "1").await.unwrap();
    place.environment.push(("STOWAGE_DEMO_PROJECT".into(), "false".into()));
    let server = place.serve(&[]).await;
    let refused = server.upload("a", b"x".to_vec(), "1").await.unwrap_err();
    assert_eq!(refused, "403 Project demopublickey is marked as removed.");
    server.kill().await;
    place.environment.pop();
    // A command beside the server neither brings it back nor takes it over.
    place.print(&["project", "list"]).await;
    place.environment.push(("STOWAGE_DEMO_PROJECT".into(), "false".into()));
    assert!(place.serve(&[]).await.upload("a", b"x".to_vec(), "1").await.is_err());
    place.environment.pop();
    place.serve(&[]).await.upload("a", b"x".to_vec(), "1").await.unwrap();
}

#[tokio::test]
async fn projects_are_managed_while_the_server_runs() {
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let made = place.print(&["project", "create", "--set", "autostore=false", "--set", "name=Mine"]).await;
    let word = |line: usize| made.lines().nth(line).unwrap().split_whitespace().last().unwrap().to_owned();
    let (key, secret) = (word(0), word(1));
    let upload = || async {
        let part = reqwest::multipart::Part::bytes(b"x".to_vec()).file_name("a");
        let form = reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", key.clone()).part("file", part);
        let answer = server.http.post(server.url("/base/")).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    crate::stowage::until("the server knows the new project", || async { upload().await.0 == 200 }).await;
    let list = place.print(&["project", "list"]).await;
    assert!(list.contains(&key) && list.contains("autostore = false") && list.contains("demopublickey"), "{list}");
    assert!(!list.contains(&secret) && !place.print(&["project", "list", "--json"]).await.contains(&secret));
    place.print(&["project", "update", &key, "--set", "account_state=blocked"]).await;
    crate::stowage::until("the project is blocked", || async { upload().await.1 == "Account has been blocked." }).await;
    let added = place.print(&["project", "keys", &key, "--add"]).await;
    assert_eq!(place.print(&["project", "keys", &key]).await, format!("{secret}\n{added}"));
    place.print(&["project", "keys", &key, "--remove", &secret]).await;
    assert_eq!(place.print(&["project", "keys", &key]).await, added);
    for (arguments, wanted) in [
        (&["project", "update", "demopublickey", "--set", "autostore=false"][..], "configuration"),
        (&["project", "update", "nobody", "--set", "autostore=false"], "project list"),
        (&["project", "update", &key, "--set", "autostor=false"], "there are account_state"),
        (&["project", "create", "--public-key", &key], "already"),
        (&["project", "keys", &key, "--remove", "x"], "no such secret key"),
    ] {
        let message = complaint(&place, arguments).await;
        assert!(message.contains(wanted), "{arguments:?}: {message}");
    }
}

#[tokio::test]
async fn what_webhooks_are_told_is_listed_and_repeated() {
    let place = Place::with(&[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8")]).await;
    let server = place.serve(&[]).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let create = server.http.post(server.url("/webhooks/")).header("content-type", "application/json");
    let create = create.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let create = create.header("accept", "application/vnd.uploadcare-v0.7+json");
    let wanted = format!("{{\"target_url\":\"http://127.0.0.1:{port}/\",\"event\":\"file.uploaded\"}}");
    assert_eq!(create.body(wanted).send().await.unwrap().status(), 201);
    let file = server.upload("a", b"x".to_vec(), "1").await.unwrap();
    let list = ["webhook", "deliveries", "--project", "demopublickey", "--outcome", "pending"];
    crate::stowage::until("it was tried", || async { place.print(&list).await.contains("connection refused") }).await;
    let shown = place.print(&list).await;
    assert!(shown.contains(&file) && shown.contains(&format!("http://127.0.0.1:{port}/")), "{shown}");
    let json = place.print(&["webhook", "deliveries", "--json", "--limit", "1"]).await;
    assert!(json.contains("\"body\":\"{") && json.contains("\"state\":\"pending\""), "{json}");
    assert_eq!(place.print(&["webhook", "deliveries", "--outcome", "delivered"]).await, "");
    assert_eq!(place.print(&["webhook", "deliveries", "--webhook", "99"]).await, "");
    place.print(&["webhook", "redeliver", "1"]).await;
    let tries = || async { place.print(&list).await.matches("connection refused").count() };
    crate::stowage::until("it was tried again", || async { tries().await > 1 }).await;
    for (arguments, wanted) in [
        (&["webhook", "redeliver", "99"][..], "webhook deliveries"),
        (&["webhook", "deliveries", "--project", "nobody"], "no project"),
        (&["webhook", "deliveries", "--outcome", "lost"], "pending, delivered, failed or dropped"),
    ] {
        let message = complaint(&place, arguments).await;
        assert!(message.contains(wanted), "{arguments:?}: {message}");
    }
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::with(&[("STOWAGE_METRICS__LISTEN", &format!("127.0.0.1:{port}"))]).await;
    let server = place.serve(&[]).await;
    server.upload("a", b"x".to_vec(), "1").await.unwrap();
    let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("stowage_requests_total{method=\"POST\",status=\"200\"} 1"), "{metrics}");
    assert!(metrics.contains("stowage_connections 1"), "{metrics}");
    assert_eq!(server.http.get(server.url("/metrics")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_doors_for_tests_have_commands() {
    let place = Place::new().await;
    let server = place.serve(&["--dev"]).await;
    let asking = Place::with(&[("STOWAGE_DEV_SERVER", &format!("{}/_dev/", server.base))]).await;
    let asked = async |arguments: &[&str]| {
        let printed = asking.print(&[&["dev"], arguments].concat()).await;
        serde_json::from_str::<serde_json::Value>(&printed).unwrap()
    };
    asked(&["clock", "freeze", "2030-01-02T03:04:05Z"]).await;
    asked(&["ids", "seed", "7"]).await;
    let first = server.upload("a.txt", b"a".to_vec(), "0").await.unwrap();
    let seed = asking.folder.path().join("seed");
    std::fs::create_dir_all(seed.join("files")).unwrap();
    std::fs::write(seed.join("files/b.txt"), "from a folder").unwrap();
    std::fs::write(seed.join("seed.json"), r#"{"files":[{"path":"files/b.txt"}]}"#).unwrap();
    let sown = asked(&["seed", seed.to_str().unwrap()]).await;
    let sown = sown["files"][0]["uuid"].as_str().unwrap().to_owned();
    assert_eq!(server.fetch(&sown).await, (200, b"from a folder".to_vec()));
    let archive = asking.folder.path().join("state.tar");
    let archive = archive.to_str().unwrap();
    asking.print(&["dev", "snapshot", "export", archive]).await;
    let advanced = asked(&["clock", "advance", "24h"]).await;
    assert_eq!(advanced["expired"]["files"], serde_json::json!([first]));
    assert_eq!(server.fetch(&first).await.0, 404);
    asked(&["snapshot", "import", archive]).await;
    assert_eq!(server.fetch(&first).await, (200, b"a".to_vec()), "it is yesterday again");
    asked(&["faults", "add", r#"{"match":{"api":"upload"},"times":1,"do":{"status":418}}"#]).await;
    assert!(server.upload("a.txt", b"a".to_vec(), "0").await.unwrap_err().starts_with("418"));
    assert_eq!(asked(&["journal", "count", "--status", "418"]).await["count"], 1);
    asked(&["--session", "mine", "reset"]).await;
    assert_eq!(asked(&["sessions"]).await["sessions"], serde_json::json!(["mine"]));
    asked(&["reset"]).await;
    assert_eq!(server.fetch(&sown).await.0, 404);
    asked(&["ids", "seed", "7"]).await;
    assert_eq!(server.upload("a.txt", b"a".to_vec(), "0").await.unwrap(), first, "a seed repeats ids");
}

#[tokio::test]
async fn a_door_that_refuses_says_why() {
    let place = Place::new().await;
    let server = place.serve(&["--dev"]).await;
    let told = complaint(&place, &["dev", "--server", &server.base, "clock", "advance", "soon"]).await;
    assert!(told.starts_with("stowage: ") && told.contains("`24h`"), "{told}");
    let told = complaint(&place, &["dev", "--server", "https://127.0.0.1:1", "clock"]).await;
    assert!(told.contains("over http only"), "{told}");
    let told = complaint(&place, &["dev", "--server", "http://127.0.0.1:1", "clock"]).await;
    assert!(told.contains("nobody answers at 127.0.0.1:1"), "{told}");
    let closed = Place::new().await;
    let server = closed.serve(&[]).await;
    let told = complaint(&place, &["dev", "--server", &server.base, "clock"]).await;
    assert!(told.contains("start it with `stowage serve --dev`"), "{told}");
}
