//! Public keys that nobody knows.

use futures_util::future::join_all;
use reqwest::Response;
use reqwest::multipart::{Form, Part};

use super::resets::dev;
use super::support::{self, Server};

const PROJECTS: &str = "[[projects]]\npublic_key = \"first\"\nsecret_keys = [\"s\"]\nautostore = false\n\
                        [[projects]]\npublic_key = \"second\"\nsecret_keys = [\"t\"]\n";
const CREATE: (&str, &str) = ("STOWAGE_DEV__CREATE_PROJECTS", "true");

async fn upload(server: &Server, key: &str) -> Response {
    let part = Part::bytes(b"x".to_vec()).file_name("a.txt");
    let form = Form::new().text("UPLOADCARE_PUB_KEY", key.to_owned()).part("file", part);
    server.http.post(server.url("/base/")).multipart(form).send().await.unwrap()
}

async fn keys(server: &Server) -> Vec<String> {
    let projects = server.records().projects().await.unwrap();
    projects.iter().map(|project| project.public_key.to_string()).collect()
}

async fn project(server: &Server, authorization: &str) -> Response {
    let request = server.get("/project/").header("accept", "application/vnd.uploadcare-v0.7+json");
    request.header("authorization", authorization).send().await.unwrap()
}

#[tokio::test]
async fn a_new_key_makes_one_project_like_the_first() {
    let server = Server::with_dev(PROJECTS, &[CREATE]).await;
    let answers = join_all((0..16).map(|_| upload(&server, "made"))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(keys(&server).await, ["first", "second", "made"]);
    let projects = server.records().projects().await.unwrap();
    assert_eq!((&projects[2].secret_keys, &projects[2].settings), (&projects[0].secret_keys, &projects[0].settings));
    assert!(!projects[2].from_config);
    let shown = support::json(project(&server, "Uploadcare.Simple asked:s").await).await;
    assert_eq!(shown["pub_key"], "asked");
    assert_eq!(project(&server, "Uploadcare.Simple asked:t").await.status(), 401, "with the secret of the first alone");
    let refused = upload(&server, "a b").await;
    assert_eq!(refused.status(), 403, "no project can have this key");
    assert_eq!(keys(&server).await, ["first", "second", "made", "asked"]);
    dev(&server, reqwest::Method::POST, "/_dev/reset", serde_json::Value::Null).await;
    assert_eq!(keys(&server).await, ["first", "second"]);
    assert_eq!(upload(&server, "made").await.status(), 200, "a key that was forgotten is new again");
    server.stop().await;
}

#[tokio::test]
async fn a_new_key_is_refused_where_nobody_asked_for_projects() {
    let server = Server::with_dev(PROJECTS, &[]).await;
    assert_eq!(upload(&server, "made").await.status(), 403);
    assert_eq!(project(&server, "Uploadcare.Simple made:s").await.status(), 401);
    assert_eq!(keys(&server).await, ["first", "second"]);
    server.stop().await;
    // The setting belongs to the doors: alone it does nothing.
    let server = Server::with(PROJECTS, &[CREATE]).await;
    assert_eq!(upload(&server, "made").await.status(), 403);
    server.stop().await;
}
