//! What every answer has: the version's media type, headers, methods; and what is no path.

use serde_json::{Value, json};

use crate::support::{Server, shown};
use crate::{Api, UNKNOWN, told, upload};

const NOT_ACCEPTABLE: &str =
    "Incorrect Accept header provided. Make sure to specify API version. Refer to REST API docs for details";

#[tokio::test]
async fn a_file_as_each_version_shows_it() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    for version in ["0.5", "0.6", "0.7"] {
        let answer = Api::new(&server).version(version).send("GET", &format!("/files/{id}/")).await;
        let text = shown(answer).await.replace(&server.base, "http://HOST");
        insta::assert_snapshot!(format!("file_{version}"), text);
    }
}

#[tokio::test]
async fn refusals_have_the_headers_of_answers() {
    let server = Server::start().await;
    let answer = Api::new(&server).send("GET", &format!("/files/{UNKNOWN}/")).await;
    insta::assert_snapshot!("refusal", shown(answer).await);
}

#[tokio::test]
async fn versions_that_are_not_served_are_refused_as_plain_json() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for version in ["0.777", "0.4", "1.0", ""] {
        let answer = api.version(version).send("GET", "/files/").await;
        assert_eq!(answer.headers()["content-type"], "application/json", "{version}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS, POST");
        assert_eq!(told(answer).await, (406, json!({ "detail": NOT_ACCEPTABLE })));
    }
    let unversioned = server.get("/files/").header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    assert_eq!(told(unversioned.send().await.unwrap()).await, (406, json!({ "detail": NOT_ACCEPTABLE })));
}

#[tokio::test]
async fn a_version_can_be_the_default() {
    let server = Server::with("[rest]\ndefault_version = \"0.5\"\n", &[]).await;
    let unversioned = server.get("/files/").header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let answer = unversioned.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/vnd.uploadcare-v0.5+json".parse().unwrap())
    );
    assert_eq!(Api::new(&server).version("0.8").send("GET", "/files/").await.status(), 406);
}

#[tokio::test]
async fn what_one_version_has_and_another_lacks() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for (method, path) in [
        ("GET", "/files/x/metadata/"),
        ("PUT", "/files/x/metadata/k/"),
        ("GET", "/files/x/tags/"),
        ("POST", "/files/search/"),
        ("DELETE", "/groups/x/"),
        ("POST", "/addons/remove_bg/execute/"),
        ("GET", "/addons/remove_bg/execute/status/"),
    ] {
        for old in ["0.5", "0.6"] {
            let answer = api.version(old).send(method, path).await;
            assert_eq!(answer.headers()["content-type"], "application/json");
            assert_eq!(told(answer).await, (406, json!({ "detail": NOT_ACCEPTABLE })), "{method} {path} {old}");
        }
        assert_ne!(api.send(method, path).await.status(), 406, "{method} {path}");
    }
    for (method, path) in
        [("POST", "/files/"), ("PUT", "/groups/x/storage/"), ("POST", "/webhooks/1/"), ("POST", "/webhooks/create/")]
    {
        assert_eq!(api.send(method, path).await.status(), 406, "{method} {path}");
        assert_ne!(api.version("0.5").send(method, path).await.status(), 406, "{method} {path}");
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_have() {
    let server = Server::start().await;
    let answer = Api::new(&server).send("PATCH", "/files/storage/").await;
    assert_eq!(answer.headers()["allow"], "DELETE, OPTIONS, PUT");
    assert_eq!(answer.headers()["content-type"], "application/vnd.uploadcare-v0.7+json");
    assert_eq!(told(answer).await, (405, json!({ "detail": "Method \"PATCH\" not allowed." })));
    assert_eq!(Api::new(&server).send("HEAD", "/files/storage/").await.status(), 405);
}

#[tokio::test]
async fn paths_that_are_none() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for path in ["/files/nonexistent/", "/files/x/y/", "/files/x/metadata/k/l/", "/convert/", "/addons", "/groups/x/y/"]
    {
        let answer = api.send("GET", path).await;
        assert_eq!(answer.headers()["content-type"], "application/vnd.uploadcare-v0.7+json", "{path}");
        assert_eq!(told(answer).await, (404, json!({ "detail": "Not found." })), "{path}");
    }
    let nobody = server.get("/webhooks/a/b/").send().await.unwrap();
    assert_eq!(nobody.headers()["content-type"], "application/json");
    assert_eq!(told(nobody).await, (404, json!({ "detail": "Not found." })));
}

#[tokio::test]
async fn paths_are_found_without_their_slash_and_with_too_many() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    for path in [format!("/files/{id}"), format!("//files//{id}//"), format!("/files//{id}?include=appdata")] {
        assert_eq!(api.get(&path).await["uuid"], id.as_str(), "{path}");
    }
    assert_eq!(api.get("/files").await["total"], 1);
    // A redirect would lose the body.
    let (status, body) = api.ask("PUT", "/files/storage", &json!([id])).await;
    assert_eq!((status, &body["result"][0]["uuid"]), (200, &Value::from(id)));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::start().await;
    let id = upload(&server, "one.txt", "1").await;
    let api = Api::new(&server);
    let whole = api.send("GET", &format!("/files/{id}/")).await;
    let head = api.send("HEAD", &format!("/files/{id}/")).await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], whole.headers()["content-length"]);
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn browsers_may_ask_before_they_ask() {
    let server = Server::start().await;
    let request = server.http.request(reqwest::Method::OPTIONS, server.url("/files/x/storage/"));
    let request = request.header("origin", "https://example.com").header("access-control-request-method", "PUT");
    insta::assert_snapshot!("preflight", shown(request.send().await.unwrap()).await);
}

#[tokio::test]
async fn the_demo_project_is_warned_of() {
    let server = Server::with(crate::PROJECTS, &[]).await;
    let warning = |answer: reqwest::Response| answer.headers().get("warning").map(|w| w.to_str().unwrap().to_owned());
    let demo = "199 Miscellaneous warning: You are using the demo project".to_owned();
    assert_eq!(warning(Api::new(&server).send("GET", "/files/").await), Some(demo));
    let other = Api { key: "other", secret: "othersecret", ..Api::new(&server) };
    assert_eq!(warning(other.send("GET", "/files/").await), None);
}
