//! Searching files.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{self, PNG, Server};
use crate::{Api, column};

async fn upload(server: &Server, name: &str, bytes: &[u8], fields: &[(&str, &str)]) -> String {
    let answer = server.upload(fields, &[("file", name, bytes, "x/y")]).await;
    server.clock.advance(Duration::from_secs(1));
    support::json(answer).await["file"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_condition_finds_its_files() {
    let server = Server::start().await;
    let beach = upload(&server, "Summer beach.png", PNG, &[("tags", "sea,sun"), ("metadata[place]", "Oslo")]).await;
    let notes = upload(&server, "notes.txt", b"some notes", &[("tags", "sun")]).await;
    let empty = upload(&server, "empty.txt", b"", &[("metadata[place]", "Rome")]).await;
    let gone = upload(&server, "summer.txt", b"x", &[]).await;
    let api = Api::new(&server);
    api.send("DELETE", &format!("/files/{gone}/storage/")).await;
    for (body, found) in [
        (json!({ "query": "summer" }), vec![&beach]),
        (json!({ "phrase": { "metadata": "OSLO" } }), vec![&beach]),
        (json!({ "exact": { "metadata[place]": ["Rome", "Paris"] } }), vec![&empty]),
        (json!({ "exact": { "uuid": [notes, gone] } }), vec![&notes]),
        (
            json!({ "datetime_uploaded": { "gt": "2024-01-02T03:04:05Z" }, "sort": ["datetime_uploaded"] }),
            vec![&notes, &empty],
        ),
        (json!({ "size": { "lte": 10 }, "sort": ["-size"] }), vec![&notes, &empty]),
        (json!({ "is_image": true }), vec![&beach]),
        (json!({ "tags": { "any": ["SEA", "sun"], "none": ["sea"] } }), vec![&notes]),
        (json!({ "tags": { "all": ["sea", "sun"] }, "size": { "gt": 0 }, "fuzziness": true }), vec![&beach]),
        (json!({ "query": "nothing like it" }), vec![]),
    ] {
        let (status, answer) = api.ask("POST", "/files/search/", &body).await;
        assert_eq!(status, 200, "{body} {answer}");
        assert_eq!(column(&answer["results"], "uuid"), found, "{body}");
        assert_eq!((&answer["total"], &answer["per_page"]), (&json!(found.len()), &json!(20)), "{body}");
    }
    let body = json!({ "query": "summer", "phrase": { "metadata": "oslo" } });
    let (_, answer) = api.ask("POST", "/files/search/", &body).await;
    let highlight =
        json!({ "original_filename": ["<em>Summer</em> beach.png"], "metadata": { "place": "<em>Oslo</em>" } });
    assert_eq!(answer["results"][0]["highlight"], highlight);
    let (_, answer) = api.ask("POST", "/files/search/?include=appdata", &json!({ "is_image": false })).await;
    assert_eq!(answer["results"][0]["appdata"], json!({}));
}

#[tokio::test]
async fn results_come_in_pages() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for n in 0..5_u8 {
        ids.push(upload(&server, "a.txt", &[b'a'; 5][..usize::from(n)], &[]).await);
    }
    let api = Api::new(&server);
    let body = json!({ "size": { "gte": 0 }, "sort": "size" });
    let page = |query: &str| format!("/files/search/{query}");
    let (_, first) = api.ask("POST", &page("?limit=2"), &body).await;
    assert_eq!((column(&first["results"], "uuid"), &first["total"]), (vec![ids[0].as_str(), &ids[1]], &json!(5)));
    assert_eq!(
        (&first["previous"], &first["next"]),
        (&Value::Null, &json!(format!("{}/files/search/?limit=2&offset=2", server.base)))
    );
    let (_, last) = api.ask("POST", &page("?limit=2&offset=4"), &body).await;
    assert_eq!((column(&last["results"], "uuid"), &last["next"]), (vec![ids[4].as_str()], &Value::Null));
    assert_eq!(last["previous"], format!("{}/files/search/?limit=2&offset=2", server.base));
    let (_, all) = api.ask("POST", &page("?limit=1000"), &body).await;
    assert_eq!(all["per_page"], 100);
}

#[tokio::test]
async fn every_refusal_of_searches() {
    let server = Server::start().await;
    let api = Api::new(&server);
    let path = "/files/search/";
    api.refuses("POST", path, &json!([]), 400, "Expected JSON object.").await;
    let nothing = "At least one search condition is required.";
    for (body, field, text) in [
        (json!({}), "non_field_errors", nothing),
        (json!({ "sort": ["size"] }), "non_field_errors", nothing),
        (json!({ "query": "abc" }), "query", "Must be at least 4 characters."),
        (json!({ "exact": { "colour": ["red"] } }), "exact", "Bad `exact` parameter."),
        (json!({ "colour": "red" }), "non_field_errors", "Bad `colour` parameter."),
    ] {
        let refused = (400, json!({ field: [text] }));
        assert_eq!(api.ask("POST", path, &body).await, refused, "{body}");
    }
    let text = "The sum of `offset` and `limit` can not be more than 1000.";
    for offset in ["981", "4294967295"] {
        let refused = (400, json!({ "non_field_errors": [text] }));
        assert_eq!(api.ask("POST", &format!("{path}?offset={offset}"), &json!({ "is_image": true })).await, refused);
    }
}
