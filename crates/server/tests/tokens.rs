//! Signed uploads: signatures, access tokens, their budgets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{START, Server, refusal};

const PROJECTS: &str = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"old\", \"new\"]\nsigned_uploads = true\n\
                        [[projects]]\npublic_key = \"legacy\"\nsecret_keys = [\"project_secret_key\"]\nsigned_uploads = true\n\
                        legacy_md5_signatures = true\n";

fn token(secret: &str, claims: &Value) -> String {
    let body = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&Sha256::digest(secret)).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims(restrictions: &Value) -> Value {
    let now = START.seconds();
    json!({"iat": now, "exp": now + 3600, "jti": "one", "uc": {"restrictions": restrictions}})
}

/// An upload with this `Authorization` and these fields.
async fn upload(server: &Server, authorization: &str, fields: &[(&str, &str)]) -> Response {
    let mut form = reqwest::multipart::Form::new();
    for (name, value) in fields {
        form = form.text((*name).to_owned(), (*value).to_owned());
    }
    let form = form.part("file", support::part("a.txt", b"x", "text/plain")).percent_encode_noop();
    let mut request = server.http.post(server.url("/base/")).multipart(form);
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    request.send().await.unwrap()
}

const KEY: (&str, &str) = ("UPLOADCARE_PUB_KEY", "demopublickey");

#[tokio::test]
async fn a_token_stands_for_a_signature() {
    let server = Server::with(PROJECTS, &[]).await;
    let bearer = format!("Bearer {}", token("new", &claims(&json!({"scope": ["/base/"]}))));
    assert_eq!(upload(&server, &bearer, &[KEY]).await.status(), 200);
    // The project is then known without its key, and in spite of a wrong one.
    assert_eq!(upload(&server, &bearer, &[]).await.status(), 200);
    assert_eq!(upload(&server, &bearer, &[("UPLOADCARE_PUB_KEY", "unknown")]).await.status(), 200);
    let wrong = upload(&server, &bearer, &[("UPLOADCARE_PUB_KEY", "legacy")]).await;
    assert_eq!(refusal(wrong).await, (401, "Invalid token. Reason: signature does not match".into()));
    let unsigned = upload(&server, "", &[KEY]).await;
    assert_eq!(refusal(unsigned).await, (400, "`signature` is required.".into()));
}

#[tokio::test]
async fn every_refusal_of_tokens() {
    let server = Server::with(PROJECTS, &[]).await;
    let now = START.seconds();
    let bearer = |claims: &Value| format!("Bearer {}", token("old", claims));
    for (authorization, status, text) in [
        ("Basic eA==".to_owned(), 401, "Invalid Authorization header format."),
        ("Bearer nonsense".to_owned(), 401, "Invalid token. Reason: unreadable or not a JWT"),
        (
            format!("Bearer {}", token("stranger", &claims(&json!({})))),
            401,
            "Invalid token. Reason: signature does not match",
        ),
        (bearer(&json!({"iat": now})), 401, "Invalid token. Reason: `exp` is required"),
        (
            bearer(&claims(&json!({"scope": ["base"]}))),
            401,
            "Invalid token. Reason: uc.restrictions.scope items must start with `/`",
        ),
        (bearer(&json!({"iat": now - 7200, "exp": now - 31})), 401, "Expired token."),
        (bearer(&claims(&json!({"scope": ["/group/"]}))), 403, "`uc.restrictions.scope` does not allow this endpoint."),
    ] {
        assert_eq!(refusal(upload(&server, &authorization, &[KEY]).await).await, (status, text.into()));
    }
    let both = upload(&server, &bearer(&claims(&json!({"scope": ["/*"]}))), &[KEY, ("expire", "1")]).await;
    let text = "Do not use `signature` or `expire` together with a Bearer token.";
    assert_eq!(refusal(both).await, (403, text.into()));
    let info = server.get("/info/?pub_key=demopublickey&file_id=nope").header("authorization", "Bearer x").send().await;
    assert_eq!(refusal(info.unwrap()).await.0, 401, "reads check a token, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_under_concurrency_and_over_a_restart() {
    let server = Server::with(PROJECTS, &[]).await;
    let bearer = format!("Bearer {}", token("old", &claims(&json!({"limits": {"operations": 5}}))));
    let refused = upload(&server, &bearer, &[KEY, ("metadata[]", "x")]).await;
    assert_eq!(refused.status(), 400, "what is refused does not count");
    let uploads = (0..12).map(|_| upload(&server, &bearer, &[KEY]));
    let answers = futures_util::future::join_all(uploads).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status() == 403).count(), 7);
    let spent = (403, "The operation limit of the token is exhausted.".to_owned());
    let server = server.restart().await;
    assert_eq!(refusal(upload(&server, &bearer, &[KEY]).await).await, spent);
    let start = server.http.post(server.url("/multipart/start/?UPLOADCARE_PUB_KEY=demopublickey"));
    assert_eq!(refusal(start.header("authorization", &bearer).send().await.unwrap()).await, spent);
    // Reads go on.
    let info = server.get("/info/?pub_key=demopublickey&file_id=nope").header("authorization", &bearer);
    assert_eq!(refusal(info.send().await.unwrap()).await, (400, "file_id is invalid.".into()));
}

#[tokio::test]
async fn md5_signatures_are_an_option() {
    let server = Server::with(PROJECTS, &[]).await;
    // md5("project_secret_key" + "4102444800"), by another program.
    let fields = |key, signature| [("UPLOADCARE_PUB_KEY", key), ("expire", "4102444800"), ("signature", signature)];
    let good = upload(&server, "", &fields("legacy", MD5)).await;
    assert_eq!(good.status(), 200);
    let other = upload(&server, "", &fields("demopublickey", MD5)).await;
    assert_eq!(refusal(other).await, (403, "Invalid signature.".into()));
    let wrong = upload(&server, "", &fields("legacy", &MD5.replace(&MD5[..1], "0"))).await;
    assert_eq!(refusal(wrong).await, (403, "Invalid signature.".into()));
}

const MD5: &str = "cda1399f0e5bb7ba0e8c03931a0341b0";
