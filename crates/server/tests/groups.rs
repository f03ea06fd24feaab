//! Groups: every way to name their files, order, removed members, every refusal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::{DAY, PNG, Server, json, refusal, shown};

async fn create(server: &Server, fields: &[(&str, &str)]) -> reqwest::Response {
    let mut all = vec![("pub_key", "demopublickey")];
    all.extend_from_slice(fields);
    server.post("/group/", &all).await
}

async fn info(server: &Server, id: &str) -> Value {
    json(server.get(&format!("/group/info/?pub_key=demopublickey&group_id={id}")).send().await.unwrap()).await
}

#[tokio::test]
async fn files_are_named_in_every_way() {
    let server = Server::start().await;
    let one = server.file("one.png", PNG, "image/png").await;
    let two = server.file("two.txt", b"two", "text/plain").await;
    let with_operations = format!("{one}/-/resize/x800/-/grayscale/");
    let by_url = format!("https://ucarecdn.com/{two}/-/preview/photo.jpg");
    let fields =
        [("files[10]", two.as_str()), ("files[2]", &with_operations), ("files[0]", &by_url), ("files[3]", &one)];
    let group = json(create(&server, &fields).await).await;
    let id = group["id"].as_str().unwrap().to_owned();
    assert!(id.ends_with("~4") && group["files_count"] == 4, "{group}");
    let seen: Vec<(&str, &str)> = group["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["uuid"].as_str().unwrap(), file["default_effects"].as_str().unwrap()))
        .collect();
    let expected = [(two.as_str(), "preview/"), (&one, "resize/x800/-/grayscale/"), (&one, ""), (&two, "")];
    assert_eq!(seen, expected, "ordered by number, the same file may come twice");
    assert_eq!(group["cdn_url"], format!("{}/{id}/", server.base));
    assert_eq!(group["url"], format!("{}/groups/{id}/", server.base));
    assert_eq!(group["datetime_stored"], Value::Null);
    assert_eq!(info(&server, &id).await, group);
    // The form of the JavaScript client, the path and the type of the Python client.
    let body = format!("pub_key=demopublickey&files%5B%5D={two}&files%5B%5D={one}");
    let request = server.http.post(server.url("/group//")).header("content-type", "application/json");
    let again = json(request.body(body).send().await.unwrap()).await;
    assert_eq!((&again["files"][0]["uuid"], &again["files"][1]["uuid"]), (&two.clone().into(), &one.clone().into()));
    assert_ne!(again["id"], group["id"], "every call makes a new group");
    assert_ne!(again["datetime_created"], group["datetime_created"], "not even a frozen clock gives a time twice");
    let by_query = server.get(&format!("/group/?pub_key=demopublickey&files[]={one}&callback=x")).send().await.unwrap();
    assert_eq!(json(by_query).await["files_count"], 1);
}

#[tokio::test]
async fn a_group_as_it_is_shown() {
    let server = Server::start().await;
    let file = server.file("one.txt", b"one", "text/plain").await;
    let answer = create(&server, &[("files[0]", &format!("{file}/-/preview/"))]).await;
    let text = shown(answer).await.replace(&server.base, "http://HOST");
    insta::assert_snapshot!("group", text);
}

#[tokio::test]
async fn grouping_stores_nothing_and_removed_members_are_null() {
    let server = Server::start().await;
    let kept = server.file("kept.txt", b"1", "text/plain").await;
    let temporary = server.upload(&[("UPLOADCARE_STORE", "0")], &[("file", "t.txt", b"2", "text/plain")]).await;
    let temporary = json(temporary).await["file"].as_str().unwrap().to_owned();
    let group = json(create(&server, &[("files[0]", &temporary), ("files[1]", &kept)]).await).await;
    assert_eq!(group["files"][0]["is_stored"], false);
    server.clock.advance(DAY + DAY);
    server.janitor().tidy().await.unwrap();
    let later = info(&server, group["id"].as_str().unwrap()).await;
    assert_eq!((&later["files"][0], &later["files"][1]["uuid"]), (&Value::Null, &kept.into()));
    assert_eq!(later["files_count"], 2);
    let again = create(&server, &[("files[0]", &temporary)]).await;
    assert_eq!(refusal(again).await, (400, "Some files not found.".into()));
}

#[tokio::test]
async fn every_refusal_of_groups() {
    let projects = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\n\
                    [[projects]]\npublic_key = \"other\"\nsecret_keys = []\n";
    let server = Server::with(projects, &[]).await;
    let file = server.file("one.txt", b"one", "text/plain").await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (fields, text) in [
        (vec![], "No files[N] parameters found."),
        (vec![("files[x]", file.as_str())], "No files[N] parameters found."),
        (vec![("files[0]", "nope")], "This is not valid file url: nope."),
        (vec![("files[0]", "")], "This is not valid file url: ."),
        (vec![("files[0]", &file), ("files[1]", unknown)], "Some files not found."),
    ] {
        assert_eq!(refusal(create(&server, &fields).await).await, (400, text.into()));
    }
    let others = server.post("/group/", &[("pub_key", "other"), ("files[0]", &file)]).await;
    assert_eq!(refusal(others).await, (400, "Some files not found.".into()), "of another project");
    let many = vec![("files[]", file.as_str()); 1001];
    assert_eq!(refusal(create(&server, &many).await).await, (400, "There are too many files.".into()));
    let most = json(create(&server, &many[1..]).await).await;
    assert_eq!(most["files_count"], 1000);
    let id = most["id"].as_str().unwrap();
    let asked = |query: String| {
        let server = &server;
        async move { refusal(server.get(&format!("/group/info/?{query}")).send().await.unwrap()).await }
    };
    assert_eq!(asked("pub_key=demopublickey".into()).await, (400, "group_id is required.".into()));
    let missing = (404, "group_id is invalid.".to_owned());
    assert_eq!(asked("pub_key=demopublickey&group_id=nope".into()).await, missing);
    assert_eq!(asked(format!("pub_key=demopublickey&group_id={unknown}~1")).await, missing);
    assert_eq!(asked(format!("pub_key=demopublickey&group_id={}", id.replace("~1000", "~999"))).await, missing);
    assert_eq!(asked(format!("pub_key=other&group_id={id}")).await, missing);
    assert_eq!(asked(format!("group_id={id}")).await, (403, "pub_key is required.".into()));
    let head = server.http.head(server.url("/group/")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["allow"].to_str().unwrap()), (405, "GET, POST, OPTIONS"));
}
