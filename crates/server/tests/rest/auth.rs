//! Who may ask: both schemes, in all their refusals and in their order.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use reqwest::Response;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::support::Server;
use crate::{Api, PROJECTS, UNKNOWN, told};

/// The moment at which the clock of servers under test stands.
const DATE: &str = "Tue, 02 Jan 2024 03:04:05 GMT";
const JSON: &str = "application/json";

/// A request as its client signs it.
#[derive(Clone, Copy)]
struct Signed<'a> {
    method: &'a str,
    target: &'a str,
    body: &'a str,
    secret: &'a str,
    date: (&'a str, &'a str),
    kind: Option<&'a str>,
    /// What the client believes to be the beginning of the path.
    prefix: &'a str,
}

const LIST: Signed<'static> = Signed {
    method: "GET",
    target: "/files/?limit=1&stored=true",
    body: "",
    secret: "demosecretkey",
    date: ("date", DATE),
    kind: Some(JSON),
    prefix: "",
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

impl Signed<'_> {
    fn signature(&self) -> String {
        let digest = hex(&Md5::digest(self.body));
        let kind = self.kind.unwrap_or_default();
        let signed = [self.method, &digest, kind, self.date.1, &format!("{}{}", self.prefix, self.target)].join("\n");
        let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).unwrap().chain_update(signed);
        hex(&mac.finalize().into_bytes())
    }

    async fn send(&self, server: &Server) -> Response {
        self.send_as(server, &format!("Uploadcare demopublickey:{}", self.signature()), "0.7").await
    }

    async fn send_as(&self, server: &Server, authorization: &str, version: &str) -> Response {
        let method = self.method.parse().unwrap();
        let mut request = server.http.request(method, server.url(self.target)).header(self.date.0, self.date.1);
        request = request.header("accept", format!("application/vnd.uploadcare-v{version}+json"));
        request = request.header("authorization", authorization).body(self.body.to_owned());
        if let Some(kind) = self.kind {
            request = request.header("content-type", kind);
        }
        request.send().await.unwrap()
    }
}

fn refusal(status: u16, text: &str) -> (u16, Value) {
    (status, json!({ "detail": text }))
}

#[tokio::test]
async fn signed_requests_of_every_client_are_let_in() {
    let server = Server::start().await;
    let store = format!("[\"{UNKNOWN}\"]");
    for signed in [
        LIST,
        Signed { date: ("x-uploadcare-date", DATE), ..LIST },
        // As pyuploadcare writes it.
        Signed { date: ("date", "Tue, 02 Jan 2024, 03:04:05 GMT"), ..LIST },
        Signed { date: ("date", "Tue, 02 Jan 2024 03:18:05 -0000"), ..LIST },
        Signed { kind: None, ..LIST },
        // Signed as sent, however the path is tidied and the query decoded afterwards.
        Signed { target: "//files//?limit=1&from=2024-01-01T00%3a00%3A00%2B00:00&&x=%zz", ..LIST },
        Signed { target: "/files?", ..LIST },
        Signed { method: "HEAD", ..LIST },
        Signed { method: "PUT", target: "/files/storage/", body: &store, ..LIST },
        Signed {
            method: "DELETE",
            target: "/files/storage/",
            body: &store,
            kind: Some("application/json; x=y"),
            ..LIST
        },
    ] {
        let answer = signed.send(&server).await;
        assert_eq!(answer.status(), 200, "{} {} {:?}", signed.method, signed.target, signed.date);
    }
}

#[tokio::test]
async fn signatures_of_anything_else_are_refused() {
    let server = Server::start().await;
    let invalid = refusal(401, "Invalid signature. Please check your Secret key.");
    let put = Signed { method: "PUT", target: "/files/storage/", body: "[]", ..LIST };
    let authorization = format!("Uploadcare demopublickey:{}", put.signature());
    for other in [
        Signed { method: "DELETE", ..put },
        Signed { target: "/files//storage/", ..put },
        Signed { target: "/files/storage/?", ..put },
        Signed { body: "[ ]", ..put },
        Signed { kind: Some("application/json;"), ..put },
        Signed { date: ("date", "Tue, 02 Jan 2024 03:04:06 GMT"), ..put },
    ] {
        assert_eq!(told(other.send_as(&server, &authorization, "0.7").await).await, invalid, "{}", other.target);
    }
    let wrong = Signed { secret: "other", ..LIST };
    let answer = wrong.send(&server).await;
    assert_eq!(answer.headers()["www-authenticate"], "Uploadcare");
    assert_eq!(answer.headers()["content-type"], "application/vnd.uploadcare-v0.7+json");
    assert_eq!(told(answer).await, invalid);
    let authorization = format!("Uploadcare demopublickey:{}", wrong.signature());
    for old in ["0.5", "0.6"] {
        let expected = refusal(401, "Invalid signature. Please check your secret key.");
        assert_eq!(told(wrong.send_as(&server, &authorization, old).await).await, expected);
    }
}

#[tokio::test]
async fn dates_must_be_of_now() {
    let server = Server::start().await;
    let incorrect = refusal(401, "Incorrect authentication credentials.");
    for date in ["Tue, 02 Jan 2024 02:49:04 GMT", "Tue, 02 Jan 2024 03:19:06 GMT", "soon", ""] {
        let signed = Signed { date: ("x-uploadcare-date", date), ..LIST };
        assert_eq!(told(signed.send(&server).await).await, incorrect, "{date}");
    }
    let without = Signed { date: ("x-date", ""), ..LIST };
    assert_eq!(told(without.send(&server).await).await, incorrect);
    // The header of its own counts, also where the other one would do.
    let authorization = format!("Uploadcare demopublickey:{}", LIST.signature());
    let request = server.get(LIST.target).header("date", DATE).header("x-uploadcare-date", "soon");
    let request = request.header("authorization", authorization).header("content-type", JSON);
    let request = request.header("accept", "application/vnd.uploadcare-v0.7+json");
    assert_eq!(told(request.send().await.unwrap()).await, incorrect);
    server.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(LIST.send(&server).await.status(), 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(told(LIST.send(&server).await).await, incorrect);
}

#[tokio::test]
async fn credentials_that_are_none() {
    let projects = format!("{PROJECTS}[[projects]]\npublic_key = \"keyless\"\nsecret_keys = []\n");
    let server = Server::with(&projects, &[]).await;
    let long = "k".repeat(300);
    for (authorization, text) in [
        ("", "Incorrect authentication credentials."),
        ("Uploadcare.Simple", "Incorrect authentication credentials."),
        ("Uploadcare.Simple demopublickey", "Incorrect authentication credentials."),
        ("Bearer demopublickey:demosecretkey", "Incorrect authentication credentials."),
        ("Uploadcare.Simple nobody:demosecretkey", "Public key nobody not found."),
        ("Uploadcare nobody:00", "Public key nobody not found."),
        (&format!("Uploadcare {long}:00"), &format!("Public key {} not found.", &long[..255])),
        ("Uploadcare.Simple demopublickey:", "Secret key not found."),
        ("Uploadcare.Simple demopublickey:othersecret", "Secret key not found."),
        ("Uploadcare.Simple keyless:", "Secret key not found."),
        ("Uploadcare keyless:00", "Secret key not found."),
    ] {
        let answer = LIST.send_as(&server, authorization, "0.7").await;
        assert_eq!(answer.headers()["www-authenticate"], "Uploadcare", "{authorization}");
        assert_eq!(told(answer).await, refusal(401, text), "{authorization}");
    }
    let nobody = server.get("/files/").header("accept", "application/vnd.uploadcare-v0.6+json").send().await.unwrap();
    assert_eq!(told(nobody).await, refusal(401, "Incorrect authentication credentials."));
}

#[tokio::test]
async fn any_secret_key_of_the_project_is_good() {
    let projects = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"old\", \"new\"]\n";
    let server = Server::with(projects, &[]).await;
    for secret in ["old", "new"] {
        assert_eq!(Signed { secret, ..LIST }.send(&server).await.status(), 200);
        assert_eq!(Api { secret, ..Api::new(&server) }.send("GET", "/project/").await.status(), 200);
    }
}

#[tokio::test]
async fn secrets_in_the_open_can_be_forbidden() {
    let file = "[auth]\nforbid_simple_over_http = true\n[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let server = Server::with(file, &[]).await;
    let text = "Simple authentication over HTTP is forbidden. Please, use HTTPS or signed requests instead.";
    let api = Api::new(&server);
    assert_eq!(told(api.send("GET", "/project/").await).await, refusal(400, text));
    let https = api.request("GET", "/project/").header("x-forwarded-proto", "https").send().await.unwrap();
    assert_eq!(https.status(), 200);
    assert_eq!(LIST.send(&server).await.status(), 200, "signatures give nothing away");
    // Who does not know the secret is not told about it.
    let wrong = Api { secret: "x", ..api };
    assert_eq!(told(wrong.send("GET", "/project/").await).await.0, 401);
    let distrusting = Server::with("[auth]\nforbid_simple_over_http = true\n", &[]).await;
    let https = Api::new(&distrusting).request("GET", "/project/").header("x-forwarded-proto", "https");
    assert_eq!(https.send().await.unwrap().status(), 400, "anybody can write that header");
}

#[tokio::test]
async fn a_proxy_may_take_the_beginning_of_the_path_off() {
    let server = Server::with("[auth]\nsigned_path_prefix = \"/rest\"\n", &[]).await;
    assert_eq!(Signed { prefix: "/rest", ..LIST }.send(&server).await.status(), 200);
    assert_eq!(LIST.send(&server).await.status(), 401);
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    let file = format!("{PROJECTS}removed = true\n[throttle]\nper_key = 1\nburst = 12\n");
    let server = Server::with(&file, &[]).await;
    let api = Api { key: "other", secret: "othersecret", ..Api::new(&server) };
    let nobody = Api { key: "nobody", ..api };
    let huge = "x".repeat((1 << 20) + 1);
    for (request, status) in [
        (nobody.request("GET", "/files/nothing/here/"), 404),
        (nobody.version("0.8").request("PATCH", "/files/"), 405),
        (nobody.version("0.8").request("GET", "/files/"), 406),
        (nobody.version("0.6").request("GET", "/files/x/tags/"), 406),
        (nobody.request("GET", "/files/?stored=x"), 401),
        (api.request("PUT", "/files/storage/").body(huge), 413),
        (api.request("PUT", "/files/storage/").body("{}").header("content-type", "text/xml"), 415),
        (api.request("PUT", "/files/storage/").body("{}"), 400),
        (api.request("GET", "/files/?stored=x"), 400),
        (api.request("GET", "/files/?stored=1"), 403),
        (api.request("GET", &format!("/files/{UNKNOWN}/")), 403),
    ] {
        let (method, target) = {
            let request = request.try_clone().unwrap().build().unwrap();
            (request.method().clone(), request.url().path().to_owned())
        };
        assert_eq!(request.send().await.unwrap().status(), status, "{method} {target}");
    }
    api.refuses("GET", "/files/", &json!({}), 403, "Project other is marked as removed.").await;
}

#[tokio::test]
async fn limits_are_told_in_the_form_of_this_api() {
    for (setting, second) in [("per_key = 6", "nobody"), ("per_address = 6", "nobody")] {
        let file = format!("[throttle]\n{setting}\nburst = 1\n");
        let server = Server::with(&file, &[]).await;
        let api = Api { key: second, ..Api::new(&server) };
        assert_eq!(api.send("GET", "/files/").await.status(), 401);
        let answer = api.version("0.6").send("GET", "/files/").await;
        assert_eq!(answer.headers()["retry-after"], "10");
        assert_eq!(answer.headers()["content-type"], "application/vnd.uploadcare-v0.6+json");
        assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS, POST");
        let text = "Request was throttled. Expected available in 10 seconds.";
        assert_eq!(told(answer).await, refusal(429, text), "{setting}");
    }
}

#[tokio::test]
async fn bodies_have_a_limit_that_is_told() {
    let server = Server::start().await;
    let api = Api::new(&server);
    let fitting = format!("{}[]", " ".repeat((1 << 20) - 2));
    let answer = api.request("PUT", "/files/storage/").body(fitting.clone()).send().await.unwrap();
    assert_eq!(told(answer).await, refusal(400, "List of UUIDs can not be empty"));
    let answer = api.request("PUT", "/files/storage/").body(fitting + " ").send().await.unwrap();
    assert_eq!(told(answer).await, refusal(413, "The size of the request is too large."));
    let pieces = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100_000])));
    let streamed = api.request("PUT", "/files/storage/").body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(told(streamed.send().await.unwrap()).await, refusal(413, "The size of the request is too large."));
}
