//! Faults: rules, what they match, and refusals in the words of each API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::resets::dev;
use super::support::{self, Server, json as body_of};

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// Adds a rule and answers its number.
pub(crate) async fn fault(server: &Server, rule: Value) -> u64 {
    let (status, added) = dev(server, Method::POST, "/_dev/faults", rule).await;
    assert_eq!(status, StatusCode::OK, "{added}");
    added["id"].as_u64().unwrap()
}

/// How often a rule has matched and acted.
pub(crate) async fn counts(server: &Server, id: u64) -> (u64, u64) {
    let (_, listed) = dev(server, Method::GET, "/_dev/faults", Value::Null).await;
    let rules = listed["faults"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("{listed}"));
    (rule["matched"].as_u64().unwrap(), rule["acted"].as_u64().unwrap())
}

pub(crate) async fn clear(server: &Server) {
    let (status, _) = dev(server, Method::DELETE, "/_dev/faults", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}

/// Asks the REST API.
pub(crate) fn rest(server: &Server, method: Method, path: &str) -> RequestBuilder {
    server
        .http
        .request(method, server.url(path))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
}

pub(crate) async fn files(server: &Server) -> u64 {
    let answer = rest(server, Method::GET, "/files/").send().await.unwrap();
    body_of(answer).await["total"].as_u64().unwrap()
}

/// Uploads a small file with these fields.
async fn upload(server: &Server, fields: &[(&str, &str)]) -> Response {
    server.upload(fields, &[("file", "a.txt", b"hello", "text/plain")]).await
}

fn header<'r>(answer: &'r Response, name: &str) -> &'r str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn rules_are_added_listed_and_removed() {
    let server = Server::dev(&[]).await;
    let first = fault(&server, json!({ "name": "slow", "match": { "api": "rest" }, "do": { "delay": "1ms" } })).await;
    let list = json!([{ "do": { "refuse": "NotFound" } }, { "match": { "api": "webhook" }, "do": { "status": 500 } }]);
    let (status, added) = dev(&server, Method::POST, "/_dev/faults", list).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&added[0]["id"], &added[1]["id"]), (&json!(first + 1), &json!(first + 2)));
    let (_, listed) = dev(&server, Method::GET, "/_dev/faults", Value::Null).await;
    let ids: Vec<u64> = listed["faults"].as_array().unwrap().iter().map(|rule| rule["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [first + 2, first + 1, first], "the newest is tried first");
    assert_eq!(
        listed["faults"][2],
        json!({
            "id": first, "matched": 0, "acted": 0, "name": "slow", "match": { "api": "rest" }, "do": { "delay": "1ms" },
        })
    );
    for (path, status) in [("slow", 204), ("slow", 404), (&*(first + 1).to_string(), 204), ("99", 404)] {
        let (got, _) = dev(&server, Method::DELETE, &format!("/_dev/faults/{path}"), Value::Null).await;
        assert_eq!(got.as_u16(), status, "{path}");
    }
    for (rule, word) in [
        (json!({ "do": { "delays": "1s" } }), "delays"),
        (json!({ "do": {} }), "does nothing"),
        (json!([{ "do": { "drop": true } }, { "do": { "refuse": "Nonsense" } }]), "rule 1"),
        (json!([{ "do": { "drop": true } }, { "nth": "x", "do": { "drop": true } }]), "rule 1"),
        (json!("drop"), "the body"),
    ] {
        let (status, refused) = dev(&server, Method::POST, "/_dev/faults", rule.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{rule}");
        assert!(refused["error"].as_str().unwrap().contains(word), "{rule}: {refused}");
    }
    let (_, removed) = dev(&server, Method::DELETE, "/_dev/faults", Value::Null).await;
    assert_eq!(removed, json!({ "removed": 1 }));
    fault(&server, json!({ "do": { "drop": true } })).await;
    dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!(upload(&server, &[]).await.status(), StatusCode::OK, "a reset removes rules");
    server.stop().await;
}

#[tokio::test]
async fn the_upload_api_refuses_in_both_forms() {
    let server = Server::dev(&[]).await;
    let rule = json!({ "name": "busy", "do": { "refuse": "RequestThrottledError", "retry_after": 7 } });
    fault(&server, rule).await;
    let plain = upload(&server, &[]).await;
    assert_eq!(
        (plain.status().as_u16(), header(&plain, "retry-after"), header(&plain, "x-stowage-fault")),
        (429, "7", "busy")
    );
    assert_eq!(
        (header(&plain, "access-control-allow-origin"), header(&plain, "content-type")),
        ("*", "text/plain; charset=utf-8")
    );
    assert!(header(&plain, "access-control-expose-headers").contains("x-stowage-fault"));
    assert_eq!(header(&plain, "x-uploadcare-request-id").len(), 36);
    assert_eq!(plain.text().await.unwrap(), "Request was throttled.");
    for (fields, query) in [(&[("jsonerrors", "1")][..], ""), (&[], "?jsonerrors=1")] {
        let mut form = Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey");
        for (name, value) in fields {
            form = form.text(*name, *value);
        }
        let json = server.http.post(server.url(&format!("/base/{query}"))).multipart(form).send().await.unwrap();
        assert_eq!((json.status().as_u16(), header(&json, "retry-after")), (200, "7"));
        let told =
            json!({ "status_code": 429, "content": "Request was throttled.", "error_code": "RequestThrottledError" });
        assert_eq!(body_of(json).await["error"], told);
    }
    clear(&server).await;
    assert_eq!(files(&server).await, 0, "nothing took effect");
    fault(&server, json!({ "do": { "refuse": "DownloadFileHTTPServerError", "text": "HTTP server error: 599." } }))
        .await;
    let told = body_of(server.get("/from_url/status/?token=x").send().await.unwrap()).await;
    let failed =
        json!({ "status": "error", "error": "HTTP server error: 599.", "error_code": "DownloadFileHTTPServerError" });
    assert_eq!(told, failed, "there it is data");
    server.stop().await;
}

#[tokio::test]
async fn rest_and_delivery_refuse_in_their_words() {
    let server = Server::dev(&[]).await;
    let id = server.file("a.txt", b"hello", "text/plain").await;
    fault(&server, json!({ "match": { "api": "rest" }, "do": { "refuse": "Throttled", "retry_after": 30 } })).await;
    let refused = rest(&server, Method::GET, "/files/").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "30"));
    assert_eq!(header(&refused, "content-type"), "application/vnd.uploadcare-v0.7+json");
    assert_eq!(header(&refused, "allow"), "GET, HEAD, OPTIONS");
    assert!(body_of(refused).await["detail"].as_str().unwrap().starts_with("Request was throttled."));
    clear(&server).await;
    let rule = json!({ "match": { "route": "/webhooks/" }, "do": { "refuse": "TargetUrlInvalid", "text": "No." } });
    fault(&server, rule).await;
    let refused = rest(&server, Method::POST, "/webhooks/").json(&json!({})).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body_of(refused).await, json!({ "target_url": ["No."] }));
    assert_eq!(files(&server).await, 1, "another route");
    clear(&server).await;
    fault(&server, json!({ "do": { "refuse": "SecretKeyNotFound" } })).await;
    let refused = rest(&server, Method::GET, "/project/").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "www-authenticate")), (401, "Uploadcare"));
    clear(&server).await;
    fault(&server, json!({ "do": { "refuse": "Busy", "retry_after": 9 } })).await;
    let refused = server.get(&format!("/{id}/-/preview/")).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "9"));
    assert_eq!((header(&refused, "access-control-allow-origin"), header(&refused, "cache-control")), ("*", "no-store"));
    assert!(refused.text().await.unwrap().contains("<p>The server is busy."));
    clear(&server).await;
    fault(&server, json!({ "match": { "api": "cdn" }, "do": { "refuse": "NotFound" } })).await;
    let refused = server.get(&format!("/{id}/")).header("Accept", "image/png,image/*").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "content-type")), (404, "image/jpeg"));
    server.stop().await;
}

/// Codes and statuses in a part of the page.
fn codes(page: &str) -> Vec<(&str, &str)> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (code, status) = (cells.next()?, cells.next()?);
        (status == "*" || status.parse::<u16>().is_ok()).then_some((code, status))
    });
    rows.collect()
}

#[tokio::test]
async fn every_code_of_the_catalogue_is_told() {
    let server = Server::dev(&[]).await;
    let (uploads, others) = PAGE.split_once("# Refusals of delivery").unwrap();
    let (deliveries, rests) = others.split_once("# Refusals of the REST API").unwrap();
    let mut told = 0;
    for (code, status) in codes(uploads) {
        fault(&server, json!({ "name": code, "do": { "refuse": code } })).await;
        let plain = server.get("/info/?pub_key=demopublickey").send().await.unwrap();
        assert!(plain.status().as_str() == status, "{code}: {}", plain.status());
        assert_eq!(header(&plain, "x-stowage-fault"), code);
        let text = plain.text().await.unwrap();
        let json = body_of(server.get("/info/?pub_key=demopublickey&jsonerrors=1").send().await.unwrap()).await;
        let error = &json["error"];
        assert_eq!((&error["error_code"], &error["content"]), (&json!(code), &json!(text)));
        assert_eq!(error["status_code"].to_string(), status);
        clear(&server).await;
        told += 1;
    }
    for (code, status) in codes(rests) {
        fault(&server, json!({ "match": { "api": "rest" }, "do": { "refuse": code } })).await;
        let refused = rest(&server, Method::GET, "/files/").send().await.unwrap();
        assert!(status == "*" || refused.status().as_str() == status, "{code}: {}", refused.status());
        let body = body_of(refused).await;
        let (_, said) = body.as_object().unwrap().iter().next().unwrap();
        assert!(said.is_string() || said[0].is_string(), "{code}: {body}");
        clear(&server).await;
        told += 1;
    }
    for (code, status) in codes(deliveries) {
        fault(&server, json!({ "match": { "api": "cdn" }, "do": { "refuse": code } })).await;
        let refused = server.get("/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/").send().await.unwrap();
        assert_eq!(
            (refused.status().as_str(), header(&refused, "content-type")),
            (status, "text/html; charset=UTF-8"),
            "{code}"
        );
        clear(&server).await;
        told += 1;
    }
    assert_eq!(told, 97 + 61 + 13);
    server.stop().await;
}

#[tokio::test]
async fn statuses_are_made_up() {
    let server = Server::dev(&[]).await;
    let rule = json!({
        "match": { "api": "upload" },
        "do": { "status": 502, "body": { "oops": true }, "headers": { "X-Proxy": "one", "Vary": "Cookie" }, "retry_after": 3 },
    });
    fault(&server, rule).await;
    let answer = upload(&server, &[]).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "x-proxy"), header(&answer, "vary")), (502, "one", "Cookie"));
    assert_eq!((header(&answer, "retry-after"), header(&answer, "content-type")), ("3", "application/json"));
    assert_eq!(header(&answer, "access-control-allow-origin"), "*", "pages may read it");
    assert_eq!(body_of(answer).await, json!({ "oops": true }));
    // Paths that nothing serves, as a mock server of other people has them.
    let [even, odd] = [json!({ "do": { "status": 200 } }), json!({ "nth": 1, "every": 2, "do": { "status": 429 } })];
    for mut rule in [even, odd] {
        rule["match"] = json!({ "route": "/throttle/" });
        fault(&server, rule).await;
    }
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.get("/throttle/").send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [429, 200, 429, 200]);
    server.stop().await;
}

#[tokio::test]
async fn each_value_of_a_form_is_hit_once() {
    let server = Server::dev(&[]).await;
    let rule = json!({
        "match": { "route": "/base/", "method": "POST" },
        "once_per": "form metadata[mock_throttle]",
        "do": { "refuse": "RequestThrottledError", "retry_after": 1 },
    });
    let id = fault(&server, rule).await;
    let mut statuses = Vec::new();
    for value in ["one", "one", "two", "one", "two"] {
        statuses.push(upload(&server, &[("metadata[mock_throttle]", value)]).await.status().as_u16());
    }
    statuses.push(upload(&server, &[("metadata[other]", "three")]).await.status().as_u16());
    assert_eq!(statuses, [429, 200, 429, 200, 200, 200]);
    assert_eq!(counts(&server, id).await, (5, 2));
    assert_eq!(files(&server).await, 4);
    // The body is whole though it was read before.
    let big = vec![7; 3 << 20];
    let answer =
        server.upload(&[("metadata[mock_throttle]", "one")], &[("file", "b.bin", &big, "application/x-thing")]).await;
    let file = body_of(answer).await["file"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/{file}/")).send().await.unwrap().bytes().await.unwrap(), big);
    server.stop().await;
}

/// An access token of the project with this secret.
fn token(secret: &str, now: i64) -> String {
    let claims = json!({ "iat": now, "exp": now + 3600 });
    let body = [json!({ "alg": "HS256", "typ": "JWT" }), claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let mut mac = Hmac::<Sha256>::new_from_slice(&Sha256::digest(secret)).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn rules_match_what_they_name() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\n\
                [[projects]]\npublic_key = \"other\"\nsecret_keys = [\"secret\"]\n";
    let server = Server::with_dev(file, &[]).await;
    let mine = server.file("a.txt", b"hello", "text/plain").await;
    let other =
        body_of(upload(&server, &[("UPLOADCARE_PUB_KEY", "other")]).await).await["file"].as_str().unwrap().to_owned();
    let hit = async |rule: Value, request: RequestBuilder| {
        clear(&server).await;
        let mut rule = json!({ "match": rule });
        rule["do"] = json!({ "status": 599 });
        fault(&server, rule).await;
        request.send().await.unwrap().status().as_u16() == 599
    };
    let form = |key: &'static str| {
        let form = Form::new().text("UPLOADCARE_PUB_KEY", key).part("file", support::part("a.txt", b"x", "text/plain"));
        server.http.post(server.url("/base/")).multipart(form)
    };
    let of_other = json!({ "project": "other" });
    assert!(hit(of_other.clone(), form("other")).await && !hit(of_other.clone(), form("demopublickey")).await);
    let by_token = |secret: &str| {
        let form = Form::new().part("file", support::part("a.txt", b"x", "text/plain"));
        let authorization = format!("Bearer {}", token(secret, server.clock.now().seconds()));
        server.http.post(server.url("/base/")).header("Authorization", authorization).multipart(form)
    };
    assert!(hit(of_other.clone(), by_token("secret")).await && !hit(of_other.clone(), by_token("demosecretkey")).await);
    let info = |key: &str| server.get(&format!("/info/?pub_key={key}&file_id={mine}"));
    assert!(hit(of_other.clone(), info("other")).await && !hit(of_other.clone(), info("demopublickey")).await);
    let list = |key: &str| server.get("/files/").header("Authorization", format!("Uploadcare.Simple {key}:x"));
    assert!(hit(of_other.clone(), list("other")).await && !hit(of_other.clone(), list("demopublickey")).await);
    let show = |id: &str| server.get(&format!("/{id}/"));
    assert!(hit(of_other.clone(), show(&other)).await && !hit(of_other.clone(), show(&mine)).await);
    let head = |id: &str| server.http.head(server.url(&format!("/{id}/")));
    assert!(
        hit(json!({ "method": "HEAD" }), head(&mine)).await && !hit(json!({ "method": "HEAD" }), show(&mine)).await
    );
    let operations = json!({ "route": "/:uuid/-/:operations/" });
    assert!(
        hit(operations.clone(), server.get(&format!("/{mine}/-/preview/"))).await
            && !hit(operations, show(&mine)).await
    );
    let stored = json!({ "route": "/files/{uuid}/storage/" });
    assert!(hit(stored.clone(), rest(&server, Method::PUT, &format!("/files/{mine}/storage/"))).await);
    assert!(!hit(stored, rest(&server, Method::PUT, "/files/storage/")).await, "all files are another endpoint");
    let below = json!({ "route": "/files/*" });
    assert!(hit(below.clone(), rest(&server, Method::GET, "/files/")).await && !hit(below, show(&mine)).await);
    let named = json!({ "form": { "metadata[a]": "b" } });
    let with = |value: &'static str| {
        let form = Form::new().text("UPLOADCARE_PUB_KEY", "other").text("metadata[a]", value);
        server.http.post(server.url("/base/")).multipart(form.part("file", support::part("a.txt", b"x", "text/plain")))
    };
    assert!(hit(named.clone(), with("b")).await && !hit(named, with("c")).await);
    let page = json!({ "query": { "limit": "2" } });
    let limited = |limit: u8| rest(&server, Method::GET, &format!("/files/?limit={limit}"));
    assert!(hit(page.clone(), limited(2)).await && !hit(page, limited(3)).await);
    assert!(!hit(json!({}), server.get("/health")).await, "no API");
    assert!(!hit(json!({}), server.get("/_dev/clock")).await, "the doors themselves");
    server.stop().await;
}

#[tokio::test]
async fn preflights_pass_and_allow_sessions() {
    let server = Server::dev(&[]).await;
    let id = fault(&server, json!({ "do": { "drop": true } })).await;
    for path in ["/base/", "/files/", "/multipart/upload/x/", "/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61/"] {
        let answer = server.http.request(Method::OPTIONS, server.url(path)).send().await.unwrap();
        let allowed = header(&answer, "access-control-allow-headers");
        assert!(
            allowed.contains("x-uploadcare-emulator-session") && allowed.contains("x-stowage-session"),
            "{path}: {allowed}"
        );
    }
    assert_eq!(counts(&server, id).await, (0, 0));
    server.stop().await;
}

#[tokio::test]
async fn faults_are_those_of_a_session_and_stand_in_the_journal() {
    let server = Server::dev(&[]).await;
    let rule = json!({ "name": "mine", "do": { "status": 500 } });
    let (status, _) = dev(&server, Method::POST, "/_dev/sessions/one/faults", rule).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(upload(&server, &[]).await.status(), StatusCode::OK);
    let list = rest(&server, Method::GET, "/files/").header("x-stowage-session", "one").send().await.unwrap();
    assert_eq!(list.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let (_, noted) = dev(&server, Method::GET, "/_dev/sessions/one/journal?fault=mine", Value::Null).await;
    let requests = noted["requests"].as_array().unwrap_or_else(|| panic!("{noted}"));
    assert_eq!((requests.len(), &requests[0]["status"]), (1, &json!(500)));
    server.stop().await;
}
