//! The catalogue of refusals: every code that `docs/errors.md` says is raised is raised here, in each of its forms.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stowage_model::Clock;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::stowage::{Place, Server, bytes, until};

const PAGE: &str = include_str!("../../docs/errors.md");

const CONFIG: &str = r#"
[[projects]]
public_key = "demopublickey"
secret_keys = []
[[projects]]
public_key = "signed"
secret_keys = ["secret"]
signed_uploads = true
[[projects]]
public_key = "blocked"
secret_keys = []
account_state = "blocked"
[[projects]]
public_key = "unpaid"
secret_keys = []
account_state = "unpaid"
[[projects]]
public_key = "full"
secret_keys = []
max_files = 1
[[projects]]
public_key = "off"
secret_keys = []
uploads_enabled = false
[[projects]]
public_key = "removed"
secret_keys = []
removed = true
[[projects]]
public_key = "strict"
secret_keys = []
autostore = false
strict_autostore = true
[[projects]]
public_key = "small"
secret_keys = []
max_file_size = "10MB"
[[projects]]
public_key = "tiny"
secret_keys = []
max_file_size = 1000
[[projects]]
public_key = "images"
secret_keys = []
allowed_types = ["image/*"]
svg_validation = true
[[projects]]
public_key = "ids"
secret_keys = []
allow_client_file_id = true

[uploads]
request_size = "12MB"
fields = 1200
files = 3

[fetch]
allow = ["127.0.0.1/32"]
deny_hosts = ["blocked.example.com"]
total_timeout = "2s"

[scan]
command = ["sh", "-c", "if grep -q EICAR; then echo 'stream: Win.Test.EICAR_HDB-1 FOUND'; exit 1; fi"]
"#;

/// A request that is to be refused.
#[derive(Clone)]
struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    fields: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    raw: Option<Vec<u8>>,
}

fn ask(method: Method, path: impl Into<String>) -> Ask {
    Ask { method, path: path.into(), headers: Vec::new(), fields: Vec::new(), files: Vec::new(), raw: None }
}

fn get(path: impl Into<String>) -> Ask {
    ask(Method::GET, path)
}

fn post(path: &str, fields: &[(&str, &str)]) -> Ask {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ask { fields, ..ask(Method::POST, path) }
}

/// A direct upload of one small file.
fn base(fields: &[(&str, &str)]) -> Ask {
    post("/base/", fields).file("a.txt", b"x")
}

fn start(fields: &[(&str, &str)]) -> Ask {
    let defaults =
        [("UPLOADCARE_PUB_KEY", "demopublickey"), ("filename", "a"), ("content_type", "a/b"), ("size", "20000000")];
    let left: Vec<_> =
        defaults.into_iter().filter(|(name, _)| !fields.iter().any(|(other, _)| name == other)).collect();
    post("/multipart/start/", &[fields, &left[..]].concat())
}

fn from_url(key: &str, url: &str) -> Ask {
    post("/from_url/", &[("pub_key", key), ("source_url", url)])
}

impl Ask {
    fn file(mut self, name: &str, content: &[u8]) -> Self {
        self.files.push((name.to_owned(), content.to_vec()));
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn raw(mut self, content_type: &str, body: &[u8]) -> Self {
        self.raw = Some(body.to_vec());
        self.header("content-type", content_type)
    }

    async fn send(&self, server: &Server, query: &str, accept: &str) -> (u16, String, Option<String>) {
        let joint = if self.path.contains('?') { "&" } else { "?" };
        let query = if query.is_empty() { String::new() } else { format!("{joint}{query}") };
        let mut request = server.http.request(self.method.clone(), server.url(&format!("{}{query}", self.path)));
        request = request.header("accept", accept);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(raw) = &self.raw {
            request = request.body(raw.clone());
        } else if self.method == Method::POST {
            let mut form = Form::new();
            for (name, value) in &self.fields {
                form = form.text(name.clone(), value.clone());
            }
            for (name, content) in &self.files {
                form = form.part("file", Part::bytes(content.clone()).file_name(name.clone()));
            }
            request = request.multipart(form.percent_encode_noop());
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), answer.text().await.unwrap(), kind)
    }
}

/// Checks refusals and remembers which codes were seen.
struct Book<'s> {
    server: &'s Server,
    seen: BTreeSet<String>,
}

impl Book<'_> {
    /// The request is refused with this code and text in both forms; `%` at the end of the text stands for anything.
    async fn refuses(&mut self, code: &str, text: &str, ask: Ask) {
        let (status, listed) = row(code);
        let fits = |seen: &str| text.strip_suffix('%').map_or(seen == text, |start| seen.starts_with(start));
        let (plain_status, plain, kind) = ask.send(self.server, "", "*/*").await;
        assert!(fits(&plain), "{code}: {plain}");
        assert!(plain_status == status || code == "AccessTokenInvalidError", "{code}: {plain_status}");
        assert_eq!(kind.as_deref(), Some("text/plain; charset=utf-8"), "{code}");
        assert!(like(&plain, &listed), "{code}: `{plain}` is not `{listed}`, as the page says");
        for (query, accept) in [("jsonerrors=1", "*/*"), ("", "application/json")] {
            let (outer, body, kind) = ask.send(self.server, query, accept).await;
            assert_eq!((outer, kind.as_deref()), (200, Some("application/json")), "{code}: {body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            let error = &body["error"];
            assert_eq!(error["error_code"], code);
            assert_eq!(error["status_code"], plain_status);
            assert!(fits(error["content"].as_str().unwrap()), "{code}: {body}");
            assert_eq!((body.as_object().unwrap().len(), error.as_object().unwrap().len()), (1, 3));
        }
        self.seen.insert(code.to_owned());
    }

    /// Fetching the URL ends with this code and text.
    async fn fails(&mut self, code: &str, text: &str, key: &str, url: &str) {
        let (status, begun, _) = from_url(key, url).send(self.server, "", "*/*").await;
        assert_eq!(status, 200, "{url}: {begun}");
        let token = serde_json::from_str::<Value>(&begun).unwrap()["token"].as_str().unwrap().to_owned();
        let told = outcome(self.server, &token).await;
        let error = told["error"].as_str().unwrap_or_default();
        assert_eq!((&told["status"], &told["error_code"]), (&"error".into(), &code.into()), "{url}: {told}");
        assert!(text.strip_suffix('%').map_or(error == text, |start| error.starts_with(start)), "{url}: {told}");
        assert!(like(error, &row(code).1), "{code}: {error}");
        self.seen.insert(code.to_owned());
    }
}

/// The last status of a task.
async fn outcome(server: &Server, token: &str) -> Value {
    let last = std::cell::RefCell::new(Value::Null);
    until("the task has ended", async || {
        let (_, body, _) = get(format!("/from_url/status/?token={token}")).send(server, "", "*/*").await;
        let told: Value = serde_json::from_str(&body).unwrap();
        let ended = told["status"] == "success" || told["status"] == "error";
        last.replace(told);
        ended
    })
    .await;
    last.into_inner()
}

/// Status and text of a code on the page.
fn row(code: &str) -> (u16, String) {
    let line = PAGE.lines().find(|line| line.starts_with(&format!("| {code} | "))).unwrap_or_else(|| panic!("{code}"));
    let cells: Vec<&str> = line.split(" | ").collect();
    (cells[1].parse().unwrap(), cells[2].trim_matches('`').trim().to_owned())
}

/// Whether a text is one of a pattern in which `%` stands for anything.
fn like(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('%');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    for piece in &pieces {
        let Some(at) = rest.rfind(piece).filter(|_| !piece.is_empty()).or(piece.is_empty().then_some(rest.len()))
        else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}

fn raised() -> BTreeSet<String> {
    let page = PAGE.split("## Not raised").next().unwrap();
    let codes = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    codes.filter(|code| code.ends_with("Error")).map(str::to_owned).collect()
}

fn signature(expire: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(expire.as_bytes());
    mac.finalize().into_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

fn bearer(claims: &Value) -> String {
    let body = format!("{}.{}", base64(br#"{"alg":"HS256","typ":"JWT"}"#), base64(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(&Sha256::digest("secret")).unwrap();
    mac.update(body.as_bytes());
    format!("Bearer {body}.{}", base64(&mac.finalize().into_bytes()))
}

/// A web server that answers by path.
async fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = wire.split();
                let mut lines = BufReader::new(read).lines();
                let Ok(Some(first)) = lines.next_line().await else { return };
                while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
                let close = "connection: close\r\n\r\n";
                let head = match first.split(' ').nth(1).unwrap_or_default() {
                    "/404" => format!("HTTP/1.1 404 x\r\ncontent-length: 0\r\n{close}"),
                    "/500" => format!("HTTP/1.1 500 x\r\ncontent-length: 0\r\n{close}"),
                    "/204" => format!("HTTP/1.1 204 x\r\n{close}"),
                    "/short" => format!("HTTP/1.1 200 x\r\ncontent-length: 9\r\n{close}x"),
                    "/loop" => format!("HTTP/1.1 302 x\r\nlocation: /loop\r\ncontent-length: 0\r\n{close}"),
                    "/slow" => {
                        let _ = write.write_all(b"HTTP/1.1 200 x\r\n\r\nx").await;
                        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                        return;
                    }
                    "/large" => format!("HTTP/1.1 200 x\r\ncontent-length: 2000\r\n{close}{}", "x".repeat(2000)),
                    _ => format!("HTTP/1.1 200 x\r\ncontent-length: 1\r\n{close}x"),
                };
                let _ = write.write_all(head.as_bytes()).await;
            });
        }
    });
    base
}

const KEY: (&str, &str) = ("UPLOADCARE_PUB_KEY", "demopublickey");
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_in_every_form() {
    let place = Place::new().await;
    let config = place.folder.path().join("stowage.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let server = place.serve(&["--config", config.to_str().unwrap()]).await;
    let origin = origin().await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    requests(&mut book).await;
    metadata(&mut book).await;
    signatures(&mut book).await;
    multiparts(&mut book).await;
    contents(&mut book).await;
    groups_and_urls(&mut book).await;
    downloads(&mut book, &origin).await;
    let mut seen = book.seen;

    let throttled = Place::with(&[("STOWAGE_THROTTLE__PER_KEY", "1"), ("STOWAGE_THROTTLE__BURST", "1")]).await;
    let server = throttled.serve(&[]).await;
    base(&[KEY]).send(&server, "", "*/*").await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    book.refuses("RequestThrottledError", "Request was throttled.", base(&[KEY])).await;
    seen.append(&mut book.seen);

    // A part of the house that is broken.
    let broken = Place::with(&[("STOWAGE_SCAN__COMMAND", "/nowhere/scan")]).await;
    let server = broken.serve(&[]).await;
    let mut book = Book { server: &server, seen: BTreeSet::new() };
    book.refuses("UploadAPIError", "Internal error.", base(&[KEY])).await;
    seen.append(&mut book.seen);
    drop(server);
    let broken = Place::with(&[
        ("STOWAGE_SCAN__COMMAND", "/nowhere/scan"),
        ("STOWAGE_FETCH__ALLOW", "127.0.0.1/32"),
        ("STOWAGE_JOBS__ATTEMPTS", "1"),
        ("STOWAGE_JOBS__LEASE", "100ms"),
    ])
    .await;
    let server = broken.serve(&[]).await;
    let mut book = Book { server: &server, seen };
    book.fails("DownloadFileInternalServerError", "Internal server error.", "demopublickey", &format!("{origin}/x"))
        .await;
    // A worker that dies over its task.
    let (_, begun, _) = from_url("demopublickey", &format!("{origin}/slow")).send(&server, "", "*/*").await;
    let token = serde_json::from_str::<Value>(&begun).unwrap()["token"].as_str().unwrap().to_owned();
    until("the task has begun", async || {
        let (_, body, _) = get(format!("/from_url/status/?token={token}")).send(&server, "", "*/*").await;
        body.contains("progress")
    })
    .await;
    let mut seen = book.seen;
    server.kill().await;
    let server = broken.serve(&[]).await;
    let told = outcome(&server, &token).await;
    assert_eq!(
        told,
        json!({"status": "error", "error": "download task failed.", "error_code": "DownloadFileTaskFailedError"})
    );
    seen.insert("DownloadFileTaskFailedError".to_owned());

    let in_process = ["DownloadFileNotFoundError", "URLRedirectsLimitExceededError"];
    let missing: Vec<String> =
        raised().difference(&seen).filter(|code| !in_process.contains(&code.as_str())).cloned().collect();
    assert!(missing.is_empty(), "never raised: {missing:?}");
}

async fn requests(book: &mut Book<'_>) {
    book.refuses("ProjectPublicKeyRequiredError", "UPLOADCARE_PUB_KEY is required.", base(&[])).await;
    book.refuses("ProjectPublicKeyRequiredError", "pub_key is required.", get("/info/")).await;
    book.refuses(
        "ProjectPublicKeyInvalidError",
        "UPLOADCARE_PUB_KEY is invalid.",
        base(&[("UPLOADCARE_PUB_KEY", "x")]),
    )
    .await;
    book.refuses("ProjectPublicKeyInvalidError", "pub_key is invalid.", get("/group/info/?pub_key=x")).await;
    for (key, code, text) in [
        ("blocked", "AccountBlockedError", "Account has been blocked."),
        ("unpaid", "AccountUnpaidError", "Account has been blocked for non payment."),
        ("removed", "ProjectPublicKeyRemovedError", "Project removed is marked as removed."),
        ("off", "UploadFailedError", "Upload failed."),
    ] {
        book.refuses(code, text, base(&[("UPLOADCARE_PUB_KEY", key)])).await;
        book.refuses(code, text, start(&[("UPLOADCARE_PUB_KEY", key)])).await;
        book.refuses(code, text, from_url(key, "http://example.com/")).await;
        book.refuses(code, text, post("/group/", &[("pub_key", key)])).await;
    }
    assert_eq!(base(&[("UPLOADCARE_PUB_KEY", "full")]).send(book.server, "", "*/*").await.0, 200);
    let full = base(&[("UPLOADCARE_PUB_KEY", "full")]);
    book.refuses("AccountLimitsExceededError", "Account has reached its limits.", full).await;
    let strict = base(&[("UPLOADCARE_PUB_KEY", "strict"), ("UPLOADCARE_STORE", "1")]);
    book.refuses("AutostoreDisabledError", "Autostore is disabled.", strict).await;
    book.refuses("MethodNotAllowedError", "HTTP method GET is not allowed for /base/", get("/base/")).await;
    let put = ask(Method::PUT, "/from_url/");
    book.refuses("MethodNotAllowedError", "HTTP method PUT is not allowed for /from_url/", put).await;
    let nul = "Null characters are not allowed.";
    book.refuses("NullCharactersForbiddenError", nul, get("/info/?pub_key=a%00")).await;
    book.refuses("NullCharactersForbiddenError", nul, get("/group/info/?pub_key=demopublickey&group_id=%00")).await;
    for path in ["/base/", "/multipart/start/", "/multipart/complete/", "/from_url/", "/group/"] {
        let form = "application/x-www-form-urlencoded";
        book.refuses("NullCharactersForbiddenError", nul, ask(Method::POST, path).raw(form, b"a=%00")).await;
        let failed = "HTTP POST request parsing failed.";
        for (kind, body) in [
            (form, &b"a=%zz"[..]),
            ("multipart/form-data", b"x"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nbroken off"),
            ("text/plain", b"a=b"),
            ("application/json", b"{}"),
        ] {
            book.refuses("PostRequestParserFailedError", failed, ask(Method::POST, path).raw(kind, body)).await;
        }
    }
    let many: Vec<(&str, &str)> = vec![("x", "y"); 1201];
    let text = "The request contains too many HTTP POST fields.";
    book.refuses("RequestFiledsNumberLimitExceededError", text, post("/base/", &many)).await;
    book.refuses("RequestFiledsNumberLimitExceededError", text, post("/group/", &many)).await;
    let files = base(&[KEY]).file("2", b"x").file("3", b"x").file("4", b"x");
    book.refuses("RequestFileNumberLimitExceededError", "The request contains too many files.", files).await;
    let large = post("/base/", &[KEY]).file("large", &vec![b'x'; 12_000_001]);
    book.refuses("RequestSizeLimitExceededError", "The size of the request is too large.", large).await;
    let large = post("/base/", &[("UPLOADCARE_PUB_KEY", "small")]).file("large", &vec![b'x'; 10_000_001]);
    book.refuses("FileSizeLimitExceededError", "File is too large.", large).await;
    book.refuses("FilesRequiredError", "Request does not contain files.", post("/base/", &[KEY])).await;
    let id = |id| base(&[("UPLOADCARE_PUB_KEY", "ids"), ("UPLOADCARE_FILE_ID", id)]);
    book.refuses("UploadcareFileIdInvalidError", "UPLOADCARE_FILE_ID should be a valid UUID.", id("x")).await;
    assert_eq!(id(NOBODY).send(book.server, "", "*/*").await.0, 200);
    let text = "UPLOADCARE_FILE_ID is duplicated. You are probably a lottery winner.";
    book.refuses("UploadcareFileIdDuplicatedError", text, id(NOBODY)).await;
    let info = |query: &str| get(format!("/info/?pub_key=demopublickey{query}"));
    book.refuses("FileIdRequiredError", "file_id is required.", info("")).await;
    book.refuses("FileIdInvalidError", "file_id is invalid.", info("&file_id=x")).await;
    book.refuses("FileNotFoundError", "File is not found.", info(&format!("&file_id={NOBODY}"))).await;
}

async fn metadata(book: &mut Book<'_>) {
    let long_key = format!("metadata[{}]", "k".repeat(65));
    let long_value = "v".repeat(513);
    let keys: Vec<String> = (0..51).map(|n| format!("metadata[k{n}]")).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let tags = vec!["t"; 51].iter().enumerate().map(|(n, t)| format!("{t}{n}")).collect::<Vec<_>>().join(",");
    let with = |fields: &[(&str, &str)]| {
        let url = ("source_url", "http://93.184.216.34/");
        [
            base(&[&[KEY][..], fields].concat()),
            start(&[&[KEY][..], fields].concat()),
            post("/from_url/", &[&[("pub_key", "demopublickey"), url][..], fields].concat()),
        ]
    };
    for (fields, code, text) in [
        (
            &[("metadata[a]", "1"), ("metadata[a]", "2")][..],
            "KeyDuplicated",
            "File's metadata key `a` has a duplicate.",
        ),
        (&[("metadata[]", "1")], "KeyEmpty", "File's metadata key can not be empty."),
        (
            &[("metadata[a b]", "1")],
            "KeyForbidden",
            "File's metadata key `a b` contains symbols not allowed by the metadata key format.",
        ),
        (&[(&long_key, "1")], "KeyLengthTooBig", "Length of file metadata key `%"),
        (&many[..], "KeysNumberTooBig", "A file can not have more than 50 metadata keys."),
        (&[("metadata[a]", "")], "ValueEmpty", "Value of the file metadata key `a` can not be empty."),
        (
            &[("metadata[a]", "\u{1}")],
            "ValueForbidden",
            "Value of file metadata key `a` contains symbols not allowed by the metadata value format.",
        ),
        (
            &[("metadata[a]", &long_value)],
            "ValueLengthTooBig",
            "Value of file metadata's key `a` can not be more than 512 symbols in length.",
        ),
    ] {
        for ask in with(fields) {
            book.refuses(&format!("FileMetadata{code}Error"), text, ask).await;
        }
    }
    for ask in with(&[("tags", tags.as_str())]) {
        book.refuses("UploadViewsError", "Too many tags: 51 (max 50).", ask).await;
    }
}

async fn signatures(book: &mut Book<'_>) {
    let expire = (Clock::machine().now().seconds() + 3600).to_string();
    let good = signature(&expire);
    let with = |fields: &[(&str, &str)]| {
        let file = ("source_url", "http://93.184.216.34/");
        let key = [("UPLOADCARE_PUB_KEY", "signed")];
        [
            base(&[&key[..], fields].concat()),
            start(&[&key[..], fields].concat()),
            post("/from_url/", &[&[("pub_key", "signed"), file][..], fields].concat()),
            post("/group/", &[&[("pub_key", "signed"), ("files[0]", NOBODY)][..], fields].concat()),
        ]
    };
    for (fields, code, text) in [
        (&[("expire", expire.as_str())][..], "SignatureRequiredError", "`signature` is required."),
        (&[("signature", &good)], "SignatureExpirationRequiredError", "`expire` is required."),
        (
            &[("signature", &good), ("expire", "1800000000000")],
            "SignatureExpirationInvalidError",
            "`expire` must be a UNIX timestamp.",
        ),
        (&[("signature", &good), ("expire", "60")], "SignatureExpirationError", "Expired signature."),
        (&[("signature", &signature("1")), ("expire", &expire)], "SignatureInvalidError", "Invalid signature."),
    ] {
        for ask in with(fields) {
            book.refuses(code, text, ask).await;
        }
    }
    let now = Clock::machine().now().seconds();
    let claims = |restrictions: Value| json!({"iat": now, "exp": now + 600, "uc": {"restrictions": restrictions}});
    let spent = bearer(&claims(json!({"limits": {"operations": 1}})));
    let first = base(&[("UPLOADCARE_PUB_KEY", "signed")]).header("authorization", spent.as_str());
    assert_eq!(first.send(book.server, "", "*/*").await.0, 200);
    let elsewhere = bearer(&claims(json!({"scope": ["/elsewhere/"]})));
    let expired = bearer(&json!({"iat": now - 1000, "exp": now - 100}));
    let reads = [
        post("/multipart/complete/", &[("UPLOADCARE_PUB_KEY", "signed")]),
        get("/info/?pub_key=signed"),
        get("/group/info/?pub_key=signed"),
    ];
    let all = with(&[]).into_iter().chain(reads);
    for ask in all.clone() {
        let with = |token: &str| ask.clone().header("authorization", token);
        book.refuses("AccessTokenExpiredError", "Expired token.", with(&expired)).await;
        let text = "Invalid token. Reason: unreadable or not a JWT";
        book.refuses("AccessTokenInvalidError", text, with("Bearer x")).await;
        book.refuses("AccessTokenInvalidError", "Invalid Authorization header format.", with("Basic x")).await;
        let text = "`uc.restrictions.scope` does not allow this endpoint.";
        book.refuses("ScopeForbiddenError", text, with(&elsewhere)).await;
    }
    for ask in with(&[]) {
        let ask = ask.header("authorization", spent.as_str());
        book.refuses("OperationsLimitExceededError", "The operation limit of the token is exhausted.", ask).await;
    }
    for ask in with(&[("expire", "1")]) {
        let text = "Do not use `signature` or `expire` together with a Bearer token.";
        book.refuses("AccessTokenInvalidError", text, ask.header("authorization", elsewhere.as_str())).await;
    }
}

async fn multiparts(book: &mut Book<'_>) {
    for (fields, code, text) in [
        (&[("filename", "")][..], "RequestParamRequired", "filename is required."),
        (&[("size", "")], "RequestParamRequired", "size is required."),
        (&[("content_type", "")], "RequestParamRequired", "content_type is required."),
        (&[("size", "abc")], "MultipartSizeInvalid", "size should be integer."),
        (&[("size", "15000000.5")], "MultipartSizeInvalid", "size should be integer."),
        (&[("size", "1000000000000000")], "MultipartFileSizeLimitExceeded", "File size exceeds project limit."),
        (
            &[("size", "9999999")],
            "MultipartFileSizeTooSmall",
            "File size can not be less than 10000000 bytes. Please use direct upload instead of multipart.",
        ),
        (&[("part_size", "x")], "MultipartPartSizeInvalid", "Multipart Upload Part Size should be an integer."),
        (
            &[("part_size", "5368709121")],
            "MultipartPartSizeTooBig",
            "Multipart Upload Part Size can not be more than 5368709120 bytes.",
        ),
        (
            &[("part_size", "5242879")],
            "MultipartPartSizeTooSmall",
            "Multipart Upload Part Size can not be less than 5242880 bytes.",
        ),
    ] {
        book.refuses(&format!("{code}Error"), text, start(fields)).await;
    }
    let complete = |id: &str| post("/multipart/complete/", &[KEY, ("uuid", id)]);
    book.refuses("MultipartFileIdRequiredError", "uuid is required.", complete("")).await;
    book.refuses("UUIDInvalidError", "uuid is invalid.", complete("x")).await;
    book.refuses("MultipartFileNotFoundError", "File is not found.", complete(NOBODY)).await;
    let begin = async |size: usize| {
        let (_, text, _) = start(&[("size", &size.to_string())]).send(book.server, "", "*/*").await;
        let begun: Value = serde_json::from_str(&text).unwrap();
        let urls: Vec<String> =
            begun["parts"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        (begun["uuid"].as_str().unwrap().to_owned(), urls)
    };
    let put = async |url: &str, len: usize| {
        let sent = book.server.http.put(url).body(bytes(1, len)).send().await.unwrap();
        assert_eq!(sent.status(), 200);
    };
    let (part, size) = (5 << 20, 11_000_000);
    let (id, urls) = begin(size).await;
    put(&urls[0], part).await;
    let (whole, whole_urls) = begin(size).await;
    for (url, len) in whole_urls.iter().zip([part, part, size - 2 * part]) {
        put(url, len).await;
    }
    let (long, long_urls) = begin(size).await;
    let (wrong, wrong_urls) = begin(size).await;
    for (url, len) in long_urls.iter().zip([part, part, part]) {
        put(url, len).await;
    }
    // The middle is missing, the sum is right: a last part may be longer than it should.
    for (url, len) in wrong_urls.iter().zip([part, size - 2 * part, part]) {
        put(url, len).await;
    }
    let text = "File size mismatch. Not all parts uploaded?";
    book.refuses("MultipartUploadSizeTooSmallError", text, complete(&id)).await;
    book.refuses("MultipartUploadSizeTooLargeError", "Uploaded size is more than expected.", complete(&long)).await;
    let text = "Can not complete upload. Wrong parts size?";
    book.refuses("MultipartFileCompletionFailedError", text, complete(&wrong)).await;
    assert_eq!(complete(&whole).send(book.server, "", "*/*").await.0, 200);
    book.refuses("MultipartFileAlreadyUploadedError", "File is already uploaded.", complete(&whole)).await;
}

async fn contents(book: &mut Book<'_>) {
    let images = |content: &[u8]| post("/base/", &[("UPLOADCARE_PUB_KEY", "images")]).file("a.svg", content);
    let text = "Uploading of these file types is not allowed.";
    book.refuses("FileTypeForbiddenError", text, images(b"plain text")).await;
    let evil = images(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script></svg>");
    book.refuses("SVGMaliciousContentError", "SVG contains malicious content: %", evil).await;
    let broken = images(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><g></svg>");
    book.refuses("SVGValidationFailedError", "SVG validation failed: %", broken).await;
    let infected = post("/base/", &[KEY]).file("a", b"EICAR");
    book.refuses("FileInfectedError", "The file is infected by Win.Test.EICAR_HDB-1 virus.", infected).await;
}

async fn groups_and_urls(book: &mut Book<'_>) {
    let group = |fields: &[(&str, &str)]| post("/group/", &[&[("pub_key", "demopublickey")], fields].concat());
    book.refuses("GroupFilesInvalidError", "No files[N] parameters found.", group(&[])).await;
    let text = "This is not valid file url: nope.";
    book.refuses("GroupFileURLParsingFailedError", text, group(&[("files[0]", "nope")])).await;
    book.refuses("GroupFilesNotFoundError", "Some files not found.", group(&[("files[0]", NOBODY)])).await;
    let many = vec![("files[]", NOBODY); 1001];
    book.refuses("FilesNumberLimitExceededError", "There are too many files.", group(&many)).await;
    let info = |query: &str| get(format!("/group/info/?pub_key=demopublickey{query}"));
    book.refuses("GroupIdRequiredError", "group_id is required.", info("")).await;
    book.refuses("GroupNotFoundError", "group_id is invalid.", info("&group_id=x")).await;
    book.refuses("GroupNotFoundError", "group_id is invalid.", info(&format!("&group_id={NOBODY}~1"))).await;
    for (url, code, text) in [
        ("", "SourceURLRequired", "source_url is required."),
        ("nope", "URLSchemeRequired", "No URL scheme supplied."),
        ("http://", "URLHostRequired", "No URL host supplied."),
        ("ftp://example.com/a.jpg", "URLSchemeInvalid", "Invalid URL scheme."),
        ("http://[::1", "URLParsingFailed", "Failed to parse URL."),
        ("http://192.168.1.10/1.jpg", "URLHostPrivateIPForbidden", "Only public IPs are allowed."),
        ("http://-bad-.example.com/", "URLHostMalformed", "URL host is malformed."),
        ("http://user@example.com/", "URLValidation", "Failed to validate URL."),
        ("http://blocked.example.com/", "URLBlacklisted", "Source is blacklisted."),
        ("http://does-not-exist.invalid/", "HostnameNotFound", "Host does not exist."),
    ] {
        book.refuses(&format!("{code}Error"), text, from_url("demopublickey", url)).await;
    }
    book.refuses("TokenRequiredError", "token is required.", get("/from_url/status/")).await;
}

async fn downloads(book: &mut Book<'_>, origin: &str) {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (path, key, code, text) in [
        ("/404", "demopublickey", "HTTPClient", "HTTP client error: 404."),
        ("/500", "demopublickey", "HTTPServer", "HTTP server error: 500."),
        ("/204", "demopublickey", "", "Failed to download the file."),
        ("/short", "demopublickey", "HTTPNetwork", "HTTP network error: %"),
        ("/loop", "demopublickey", "HTTPURLValidation", "HTTP URL validation error: Too many redirects."),
        ("/large", "tiny", "SizeLimitExceeded", "Downloaded file is too big: 2000 > 1000."),
        ("/x", "images", "ValidationFailed", "File validation error: Uploading of these file types is not allowed."),
        (
            "/slow",
            "demopublickey",
            "TimeLimitExceeded",
            "Failed to download the file within the allotted time limit of 2 seconds.",
        ),
    ] {
        book.fails(&format!("DownloadFile{code}Error"), text, key, &format!("{origin}{path}")).await;
    }
    let gone = format!("http://{closed}/");
    book.fails("DownloadFileHTTPNetworkError", "HTTP network error: %", "demopublickey", &gone).await;
}
