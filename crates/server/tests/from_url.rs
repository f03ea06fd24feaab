//! Uploads from URLs: statuses, names, duplicates, every way in which an origin can fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json as value};
use stowage_store::testing::bytes;
use support::{DAY, PNG, Server, json, refusal};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A web server that answers by path, in raw bytes.
struct Origin {
    base: String,
    asked: Arc<AtomicUsize>,
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn serve(mut wire: TcpStream, base: String) {
    let (read, mut write) = wire.split();
    let mut lines = BufReader::new(read).lines();
    let Ok(Some(first)) = lines.next_line().await else { return };
    while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let text = b"hello".as_slice();
    let sent = match path.as_str() {
        "/photo.png" => answer("200 OK\r\ncontent-type: image/png", PNG),
        "/large" => answer("200 OK\r\ncontent-type: video/mp4", &bytes(1, 3_000_000)),
        "/named" => answer("200 OK\r\ncontent-disposition: attachment; filename*=utf-8''%C3%BC.txt", text),
        "/to/photo" => answer("302 Found\r\nlocation: /photo.png", b""),
        "/loop" => answer(&format!("302 Found\r\nlocation: {base}/loop"), b""),
        "/to/private" => answer("302 Found\r\nlocation: http://10.1.2.3/", b""),
        "/evil.svg" => answer(
            "200 OK\r\ncontent-type: image/svg+xml",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>",
        ),
        "/404" => answer("404 Not Found", text),
        "/503" => answer("503 Unavailable", text),
        "/204" => answer("204 No Content", b""),
        "/lying" => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this".to_vec(),
        "/garbage" => b"this is not HTTP\r\n\r\n".to_vec(),
        "/endless" | "/slow" => {
            let _ = write.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let (piece, pause) = if path == "/slow" { (1, 100) } else { (64 << 10, 0) };
            let piece = vec![b'x'; piece];
            while write.write_all(&piece).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            return;
        }
        _ => answer("200 OK\r\ncontent-type: text/html; charset=UTF-8", text),
    };
    let _ = write.write_all(&sent).await;
    let _ = write.shutdown().await;
}

impl Origin {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, own) = (Arc::clone(&asked), base.clone());
        tokio::spawn(async move {
            while let Ok((wire, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(wire, own.clone()));
            }
        });
        Self { base, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

const ALLOW: (&str, &str) = ("STOWAGE_FETCH__ALLOW", "127.0.0.0/8,localhost");

fn error(status: &Value) -> (&str, &str) {
    assert_eq!(status["status"], "error", "{status}");
    (status["error_code"].as_str().unwrap(), status["error"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_becomes_a_file() {
    let (server, origin) = (Server::with("", &[ALLOW]).await, Origin::start().await);
    let fields = [("store", "1"), ("metadata[k]", "v")];
    let status = server.fetch_url(&origin.url("/photo.png"), &fields).await;
    assert_eq!((&status["status"], &status["is_image"]), (&"success".into(), &true.into()));
    assert_eq!((&status["is_stored"], &status["metadata"]["k"]), (&true.into(), &"v".into()));
    assert_eq!((&status["filename"], &status["mime_type"]), (&"photo.png".into(), &"image/png".into()));
    let text = server.get("/from_url/status/?token=x&jsonerrors=1").send().await.unwrap();
    assert_eq!(json(text).await, value!({"status": "unknown"}));
    let id = status["uuid"].as_str().unwrap();
    assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap(), PNG);
    // Without a word about it nothing is stored; the type is passed through, the name has no extension of its own.
    let page = server.fetch_url(&origin.url("/2250/2250"), &[]).await;
    assert_eq!((&page["is_stored"], &page["filename"]), (&false.into(), &"2250".into()));
    assert_eq!(page["mime_type"], "text/html; charset=UTF-8");
    let large = server.fetch_url(&origin.url("/large"), &[]).await;
    let id = large["uuid"].as_str().unwrap();
    assert!(server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap() == bytes(1, 3_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_from_the_request_then_the_origin_then_the_path() {
    let (server, origin) = (Server::with("", &[ALLOW]).await, Origin::start().await);
    for (path, fields, name) in [
        ("/named", vec![("filename", "dir/mine.txt")], "mine.txt"),
        ("/named", vec![], "ü.txt"),
        ("/to/photo", vec![], "photo.png"),
        ("/a%20b%2Fc.txt?x=/d", vec![], "c.txt"),
        ("/", vec![], "original"),
    ] {
        let status = server.fetch_url(&origin.url(path), &fields).await;
        assert_eq!(status["original_filename"], name, "{path} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_may_stand_in_the_query() {
    let (server, origin) = (Server::with("", &[ALLOW]).await, Origin::start().await);
    let source: String = form_urlencoded::byte_serialize(origin.url("/photo.png").as_bytes()).collect();
    let query = format!(
        "/from_url/?jsonerrors=1&pub_key=demopublickey&source_url={source}&store=auto&metadata[a]=b&source=url"
    );
    let begun = json(server.http.post(server.url(&query)).send().await.unwrap()).await;
    let token = begun["token"].as_str().unwrap();
    assert_eq!(server.status(token).await, value!({"status": "waiting"}));
    assert_eq!(server.runner().drain().await.unwrap(), 1);
    let status = server.status(token).await;
    assert_eq!((&status["metadata"]["a"], &status["is_stored"]), (&"b".into(), &true.into()));
    assert_eq!(json(server.get(&query).send().await.unwrap()).await["type"], "token", "GET is served, too");
    // Outcomes are kept for a day.
    server.clock.advance(DAY + Duration::from_secs(1));
    server.runner().drain().await.unwrap();
    server.janitor().tidy().await.unwrap();
    let server = server.restart().await;
    assert_eq!(server.status(token).await, value!({"status": "unknown"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_url_can_give_the_same_file() {
    let (server, origin) = (Server::with("", &[ALLOW]).await, Origin::start().await);
    let url = origin.url("/photo.png");
    let first = server.fetch_url(&url, &[("check_URL_duplicates", "1")]).await;
    let ask = async |fields: &[(&str, &str)]| {
        let mut all = vec![("pub_key", "demopublickey"), ("source_url", url.as_str())];
        all.extend_from_slice(fields);
        json(server.post("/from_url/", &all).await).await
    };
    let second = ask(&[("check_URL_duplicates", "1")]).await;
    assert_eq!((&second["type"], &second["uuid"]), (&"file_info".into(), &first["uuid"]));
    assert_eq!(origin.asked.load(Ordering::SeqCst), 1);
    assert_eq!(ask(&[]).await["type"], "token");
    server.runner().drain().await.unwrap();
    let unsaved =
        server.fetch_url(&origin.url("/other"), &[("check_URL_duplicates", "1"), ("save_URL_duplicates", "0")]).await;
    assert_eq!(unsaved["status"], "success");
    let other = [("pub_key", "demopublickey"), ("source_url", &origin.url("/other")), ("check_URL_duplicates", "1")];
    assert_eq!(json(server.post("/from_url/", &other).await).await["type"], "token");
    // A removed file is nobody's duplicate.
    server.runner().drain().await.unwrap();
    server.clock.advance(DAY + Duration::from_secs(1));
    server.janitor().tidy().await.unwrap();
    assert_eq!(ask(&[("check_URL_duplicates", "1")]).await["type"], "token");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_which_an_origin_fails() {
    let project = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\nmax_file_size = \"1MB\"\n\
                   svg_validation = true\nblocked_types = [\"image/png\"]\n[fetch]\nallow = [\"127.0.0.0/8\"]\n\
                   total_timeout = \"2s\"\nidle_timeout = \"1s\"\n";
    let (server, origin) = (Server::with(project, &[]).await, Origin::start().await);
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, code, text) in [
        (origin.url("/404"), "DownloadFileHTTPClientError", "HTTP client error: 404."),
        (origin.url("/503"), "DownloadFileHTTPServerError", "HTTP server error: 503."),
        (origin.url("/204"), "DownloadFileError", "Failed to download the file."),
        (origin.url("/loop"), "DownloadFileHTTPURLValidationError", "HTTP URL validation error: Too many redirects."),
        (
            origin.url("/to/private"),
            "DownloadFileHTTPURLValidationError",
            "HTTP URL validation error: Only public IPs are allowed.",
        ),
        (origin.url("/large"), "DownloadFileSizeLimitExceededError", "Downloaded file is too big: 3000000 > 1000000."),
        (
            origin.url("/photo.png"),
            "DownloadFileValidationFailedError",
            "File validation error: Uploading of these file types is not allowed.",
        ),
        (
            origin.url("/slow"),
            "DownloadFileTimeLimitExceededError",
            "Failed to download the file within the allotted time limit of 2 seconds.",
        ),
    ] {
        let status = server.fetch_url(&url, &[]).await;
        assert_eq!(error(&status), (code, text), "{url}");
        assert_eq!(status.as_object().unwrap().len(), 3);
    }
    for (url, code, beginning) in [
        (format!("http://{refused}/"), "DownloadFileHTTPNetworkError", "HTTP network error: "),
        (origin.url("/lying"), "DownloadFileHTTPNetworkError", "HTTP network error: "),
        (origin.url("/garbage"), "DownloadFileHTTPNetworkError", "HTTP network error: "),
        (origin.url("/endless"), "DownloadFileSizeLimitExceededError", "Downloaded file is too big: "),
        (origin.url("/evil.svg"), "DownloadFileValidationFailedError", "File validation error: SVG contains malicious"),
    ] {
        let status = server.fetch_url(&url, &[]).await;
        let (seen, text) = error(&status);
        assert!(seen == code && text.starts_with(beginning), "{url}: {status}");
    }
    server.janitor().tidy().await.unwrap();
    assert_eq!(server.blob_bytes(), 0, "something was left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_are_checked_before_the_answer() {
    let server = Server::with("", &[("STOWAGE_FETCH__DENY_HOSTS", "blocked.example.com")]).await;
    let origin = Origin::start().await;
    let port = origin.base.rsplit(':').next().unwrap().to_owned();
    for (url, text) in [
        ("", "source_url is required."),
        ("nope", "No URL scheme supplied."),
        ("http://", "No URL host supplied."),
        ("ftp://example.com/a.jpg", "Invalid URL scheme."),
        ("http://[::1", "Failed to parse URL."),
        ("http://192.168.1.10/1.jpg", "Only public IPs are allowed."),
        ("http://-bad-.example.com/", "URL host is malformed."),
        ("http://user@example.com/", "Failed to validate URL."),
        ("http://a.blocked.example.com/", "Source is blacklisted."),
        ("http://does-not-exist.invalid/", "Host does not exist."),
        ("http://127.0.0.1:PORT/", "Only public IPs are allowed."),
        ("http://2130706433:PORT/", "Only public IPs are allowed."),
        ("http://0x7f.1:PORT/", "Only public IPs are allowed."),
        ("http://[::ffff:127.0.0.1]:PORT/", "Only public IPs are allowed."),
        ("http://localhost:PORT/", "Only public IPs are allowed."),
    ] {
        let fields = [("pub_key", "demopublickey"), ("source_url", &url.replace("PORT", &port))];
        assert_eq!(refusal(server.post("/from_url/", &fields).await).await, (400, text.into()), "{url}");
    }
    assert_eq!(origin.asked.load(Ordering::SeqCst), 0);
    let missing = server.get("/from_url/status/").send().await.unwrap();
    assert_eq!(refusal(missing).await, (400, "token is required.".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_survive_a_restart_and_a_dead_worker() {
    let (server, origin) = (Server::with("", &[ALLOW, ("STOWAGE_JOBS__ATTEMPTS", "1")]).await, Origin::start().await);
    let fields = [("pub_key", "demopublickey"), ("source_url", &origin.url("/photo.png"))];
    let begin = async |server: &Server| {
        json(server.post("/from_url/", &fields).await).await["token"].as_str().unwrap().to_owned()
    };
    let token = begin(&server).await;
    let server = server.restart().await;
    assert_eq!(server.status(&token).await, value!({"status": "waiting"}));
    assert_eq!(server.runner().drain().await.unwrap(), 1);
    assert_eq!(server.status(&token).await["status"], "success");
    // A worker that claims a job and dies over it, as often as it may.
    let token = begin(&server).await;
    let lease = Duration::from_secs(30);
    let claims = server.records().claim_jobs(server.clock.now(), lease, uuid::Uuid::nil(), 9).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(server.runner().drain().await.unwrap(), 0, "the job is another worker's");
    server.clock.advance(lease);
    assert_eq!(server.runner().drain().await.unwrap(), 1);
    let status = server.status(&token).await;
    assert_eq!(error(&status), ("DownloadFileTaskFailedError", "download task failed."));
}
