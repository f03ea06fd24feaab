//! The pages around the APIs: addresses, health, readiness.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{Server, json, shown};

async fn addresses(server: &Server, headers: &[(&str, &str)]) -> [String; 3] {
    let mut request = server.get("/").header("accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let page = json(request.send().await.unwrap()).await;
    ["upload", "rest", "cdn"].map(|name| page[name].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn absolute_urls_follow_the_request_or_the_configuration() {
    let https = [("forwarded", "proto=https;host=files.example.com"), ("host", "inside:8080")];
    let x = [("x-forwarded-proto", "https"), ("x-forwarded-host", "files.example.com"), ("host", "inside:8080")];
    let server = Server::start().await;
    assert_eq!(addresses(&server, &[]).await, [&server.base; 3].map(Clone::clone));
    assert_eq!(addresses(&server, &[("host", "stowage:8080")]).await, ["http://stowage:8080"; 3]);
    assert_eq!(addresses(&server, &https).await, ["http://inside:8080"; 3], "nobody is trusted by default");
    let trusting = Server::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n", &[]).await;
    assert_eq!(addresses(&trusting, &https).await, ["https://files.example.com"; 3]);
    assert_eq!(addresses(&trusting, &x).await, ["https://files.example.com"; 3]);
    let configured =
        Server::with("[urls]\ncdn = \"https://cdn.example.com/\"\nrest = \"https://api.example.com\"\n", &[]).await;
    let wanted = ["http://stowage:1", "https://api.example.com", "https://cdn.example.com"];
    assert_eq!(addresses(&configured, &[("host", "stowage:1")]).await, wanted);
}

#[tokio::test]
async fn the_page_explains_itself() {
    let server = Server::start().await;
    let page = shown(server.get("/").header("host", "stowage:8080").send().await.unwrap()).await;
    insta::assert_snapshot!("page", page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn health_and_readiness() {
    let server = Server::start().await;
    assert_eq!(server.get("/health").send().await.unwrap().text().await.unwrap(), "ok\n");
    let ready = server.get("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let wanted = serde_json::json!({ "ready": true, "records": "ok", "migrations": "ok", "blobs": "ok" });
    assert_eq!(json(ready).await, wanted);
}

#[tokio::test]
async fn a_server_without_blobs_is_alive_but_not_ready() {
    let server = Server::start().await;
    let blobs = server.folder.path().join("data/blobs");
    if !blobs.exists() {
        return; // the blobs are elsewhere in this run
    }
    std::fs::remove_dir_all(blobs).unwrap();
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
    let ready = server.get("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(json(ready).await["blobs"], "failed");
}

#[tokio::test]
async fn records_and_files_survive_a_restart() {
    let server = Server::start().await;
    let id = server.file("a.txt", b"kept", "text/plain").await;
    let server = server.restart().await;
    assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().text().await.unwrap(), "kept");
}
