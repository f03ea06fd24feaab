//! Groups: the list, one of them, deleting, and storing their files in the old way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{DAY, Server};
use crate::{Api, UNKNOWN, column, make_group, told, upload};

#[tokio::test]
async fn a_group_is_shown_with_its_files() {
    let server = Server::start().await;
    let (one, two) = (upload(&server, "one.txt", "0").await, upload(&server, "two.txt", "1").await);
    let id = make_group(&server, &[&two, &format!("{one}/-/preview/"), &two]).await;
    let api = Api::new(&server);
    let group = api.get(&format!("/groups/{id}/")).await;
    assert_eq!((&group["id"], &group["files_count"]), (&json!(id), &json!(3)));
    assert_eq!(group["cdn_url"], format!("{}/{id}/", server.base));
    assert_eq!(group["url"], format!("{}/groups/{id}/", server.base));
    assert_eq!(group.get("datetime_stored"), None);
    assert_eq!(column(&group["files"], "uuid"), [&two, &one, &two]);
    assert_eq!(column(&group["files"], "default_effects"), ["", "preview/", ""]);
    assert_eq!(group["files"][0]["metadata"], json!({}));
    let listed = api.get("/groups/").await;
    assert_eq!((&listed["total"], listed.get("totals")), (&json!(1), None));
    assert_eq!((&listed["results"][0]["id"], listed["results"][0].get("files")), (&json!(id), None));
    for old in ["0.5", "0.6"] {
        let group = api.version(old).get(&format!("/groups/{id}/")).await;
        assert_eq!(group.get("datetime_stored"), Some(&Value::Null));
        assert!(group["files"][0].get("image_info").is_some());
    }
}

#[tokio::test]
async fn removed_members_stay_until_their_records_go() {
    let server = Server::start().await;
    let (kept, gone) = (upload(&server, "kept.txt", "1").await, upload(&server, "gone.txt", "1").await);
    let id = make_group(&server, &[&gone, &kept]).await;
    let api = Api::new(&server);
    api.send("DELETE", &format!("/files/{gone}/storage/")).await;
    let group = api.get(&format!("/groups/{id}/")).await;
    assert!(group["files"][0]["datetime_removed"].is_string() && group["files"][0]["original_file_url"].is_null());
    for _ in 0..3 {
        server.clock.advance(40 * DAY);
        server.janitor().tidy().await.unwrap();
    }
    let group = api.get(&format!("/groups/{id}/")).await;
    assert_eq!((&group["files"][0], &group["files"][1]["uuid"]), (&Value::Null, &json!(kept)));
    assert_eq!(group["files_count"], 2);
}

#[tokio::test]
async fn groups_are_listed_in_pages() {
    let server = Server::start().await;
    let file = upload(&server, "one.txt", "1").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(make_group(&server, &[&file]).await);
        server.clock.advance(Duration::from_secs(1));
    }
    let api = Api::new(&server);
    let page = api.get("/groups/?limit=2").await;
    assert_eq!((column(&page["results"], "id"), &page["previous"]), (vec![ids[0].as_str(), &ids[1]], &Value::Null));
    let next = "limit=2&from=2024-01-02T03%3A04%3A06.000000%2B00%3A00&offset=0";
    assert_eq!(page["next"], format!("{}/groups/?{next}", server.base));
    let page = api.get(&format!("/groups/?{next}")).await;
    assert_eq!(column(&page["results"], "id"), ids[2..4]);
    let previous = "limit=2&offset=0&to=2024-01-02T03%3A04%3A07.000000%2B00%3A00";
    assert_eq!(page["previous"], format!("{}/groups/?{previous}", server.base), "as recorded");
    let back = api.get(&format!("/groups/?{previous}")).await;
    assert_eq!((column(&back["results"], "id"), &back["previous"]), (vec![ids[0].as_str(), &ids[1]], &Value::Null));
    let newest = api.get("/groups/?ordering=-datetime_created&limit=1").await;
    assert_eq!(column(&newest["results"], "id"), [&ids[4]]);
    let older = api.get(newest["next"].as_str().unwrap().strip_prefix(&server.base).unwrap()).await;
    assert_eq!(column(&older["results"], "id"), [&ids[3]]);
    let all = api.get("/groups/?from=2015-10-21T00:00:00").await;
    assert_eq!((column(&all["results"], "id").len(), &all["total"], &all["previous"]), (5, &json!(5), &Value::Null));
    let none = api.get("/groups/?from=2030-10-21T00:00:00").await;
    assert_eq!((&none["results"], &none["next"], none["previous"].is_string()), (&json!([]), &Value::Null, true));
    let text = "`ordering` parameter should be one of `datetime_created`, `-datetime_created`.";
    api.refuses("GET", "/groups/?ordering=size", &json!({}), 400, text).await;
    let text = "`from` parameter should be a valid ISO 8601 date and time.";
    api.refuses("GET", "/groups/?from=5", &json!({}), 400, text).await;
}

#[tokio::test]
async fn deleting_a_group_leaves_its_files() {
    let server = Server::start().await;
    let file = upload(&server, "one.txt", "1").await;
    let id = make_group(&server, &[&file]).await;
    let api = Api::new(&server);
    let answer = api.send("DELETE", &format!("/groups/{id}/")).await;
    assert_eq!(answer.headers()["allow"], "DELETE, GET, HEAD, OPTIONS");
    assert_eq!(told(answer).await, (204, Value::Null));
    assert_eq!(api.get("/groups/").await["total"], 0);
    assert_eq!(api.get(&format!("/files/{file}/")).await["datetime_removed"], Value::Null);
    let wrong_count = id.replace("~1", "~2");
    for missing in [id.as_str(), &wrong_count, &format!("{UNKNOWN}~1"), "nonexistent", UNKNOWN] {
        for method in ["GET", "DELETE"] {
            api.refuses(method, &format!("/groups/{missing}/"), &json!({}), 404, "Not found.").await;
        }
    }
}

#[tokio::test]
async fn older_versions_store_whole_groups() {
    let server = Server::start().await;
    let (one, two) = (upload(&server, "one.txt", "0").await, upload(&server, "two.txt", "0").await);
    let id = make_group(&server, &[&one, &two, &one]).await;
    let api = Api::new(&server).version("0.6");
    let (status, group) = api.ask("PUT", &format!("/groups/{id}/storage/"), &json!({})).await;
    assert_eq!((status, &group["id"]), (200, &json!(id)));
    assert_eq!(column(&group["files"], "datetime_stored").len(), 3, "all are stored");
    assert_eq!(api.get("/files/?stored=true").await["total"], 2);
    api.refuses("PUT", &format!("/groups/{UNKNOWN}~1/storage/"), &json!({}), 404, "Not found.").await;
}
