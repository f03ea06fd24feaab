use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::*;

fn request(method: &str, path: &str, body: &'static str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path).header("X-Test", "1");
    builder.header("Authorization", "Uploadcare.Simple key:secret").body(Body::from(body)).unwrap()
}

async fn read(body: Body) -> Vec<u8> {
    axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec()
}

fn shown(journal: &Journal, number: u64) -> Value {
    serde_json::to_value(journal.show(number).unwrap()).unwrap()
}

fn filter(of: &[(&str, &str)]) -> Filter {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(of).finish();
    let uri = format!("/?{query}").parse().unwrap();
    axum::extract::Query::try_from_uri(&uri).unwrap().0
}

/// Notes a request that is answered.
async fn note(journal: &Journal, method: &str, path: &str, status: u16, body: &'static str) -> Arc<Record> {
    let request = request(method, path, body);
    let record = journal.begin(&request, Timestamp(1_000_000)).unwrap();
    read(record.request_body(request.into_body())).await;
    let answer = Response::builder()
        .status(status)
        .header("X-Uploadcare-Request-Id", "id")
        .body(Body::from("sig=1 done"))
        .unwrap();
    read(record.answer(answer).into_body()).await;
    record
}

#[tokio::test]
async fn a_request_is_noted_with_its_answer() {
    let journal = Journal::new(10, 100);
    let record = note(&journal, "POST", "/files/?a=1&token=x", 201, "hello").await;
    record.project(&"key".parse().unwrap());
    record.fault("slow");
    let mut entry = shown(&journal, 1);
    assert!(entry["ms"].take().is_number() && entry["machine_at"].take().is_string());
    let expected = json!({
        "number": 1, "id": "id", "at": "1970-01-01T00:00:01.000000Z", "machine_at": null, "api": "rest", "route": "/files/",
        "method": "POST", "path": "/files/", "query": "a=1&token=***", "project": "key", "fault": "slow", "state": "answered",
        "status": 201, "ms": null,
        "request": {
            "headers": { "x-test": "1", "authorization": "Uploadcare.Simple key:***" }, "size": 5,
            "body": { "is_whole": true, "text": "hello" }
        },
        "answer": {
            "headers": { "x-uploadcare-request-id": "id" }, "size": 10, "body": { "is_whole": true, "text": "sig=*** done" }
        }
    });
    assert_eq!(entry, expected);
    let listed = serde_json::to_value(journal.find(&Filter::default())).unwrap();
    assert!(listed[0]["request"].get("body").is_none() && listed[0]["answer"]["size"] == 10);
    assert!(journal.show(2).is_none());
}

#[tokio::test]
async fn bodies_are_cut_and_counted() {
    let journal = Journal::new(10, 3);
    note(&journal, "POST", "/base/", 200, "hello").await;
    let entry = shown(&journal, 1);
    assert_eq!(entry["request"]["size"], 5);
    assert_eq!(entry["request"]["body"], json!({ "is_whole": false, "text": "hel" }));
}

#[tokio::test]
async fn the_newest_are_remembered() {
    let journal = Journal::new(2, 100);
    for path in ["/base/", "/info/", "/group/"] {
        note(&journal, "GET", path, 200, "").await;
    }
    let all = journal.find(&Filter::default());
    assert_eq!(all.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(journal.find(&filter(&[("limit", "1")]))[0].number, 3);
    journal.clear();
    assert_eq!(journal.count(&Filter::default()), 0);
    note(&journal, "GET", "/base/", 200, "").await;
    assert_eq!(journal.find(&Filter::default())[0].number, 4, "numbers go on");
    journal.wipe();
    note(&journal, "GET", "/base/", 200, "").await;
    assert_eq!(journal.find(&Filter::default())[0].number, 1);
    assert!(Journal::new(0, 100).begin(&request("GET", "/", ""), Timestamp(0)).is_none());
}

#[tokio::test]
async fn filters_choose() {
    let journal = Journal::new(10, 100);
    let id = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
    note(&journal, "POST", "/base/?x=1", 200, "store=1").await.project(&"one".parse().unwrap());
    note(&journal, "PUT", &format!("/files/{id}/storage/"), 404, "").await.project(&"two".parse().unwrap());
    note(&journal, "GET", &format!("/{id}/-/preview/"), 403, "").await.fault("slow");
    let waiting = journal.begin(&request("GET", "/info/", ""), Timestamp(0)).unwrap();
    for (of, numbers) in [
        (&[][..], &[1, 2, 3, 4][..]),
        (&[("api", "upload")], &[1, 4]),
        (&[("api", "cdn")], &[3]),
        (&[("route", "/files/:uuid/storage/")], &[2]),
        (&[("route", "/base")], &[1]),
        (&[("method", "put")], &[2]),
        (&[("status", "404")], &[2]),
        (&[("status", "4xx")], &[2, 3]),
        (&[("status", "4xx"), ("api", "rest")], &[2]),
        (&[("project", "one")], &[1]),
        (&[("fault", "slow")], &[3]),
        (&[("path", "x=1")], &[1]),
        (&[("path", id)], &[2, 3]),
        (&[("body", "store=")], &[1]),
        (&[("body", "done")], &[1, 2, 3]),
        (&[("since", "2")], &[3, 4]),
        (&[("state", "under_way")], &[4]),
        (&[("state", "answered")], &[1, 2, 3]),
        (&[("limit", "2")], &[3, 4]),
        (&[("project", "three")], &[]),
    ] {
        let found = journal.find(&filter(of));
        assert_eq!(found.iter().map(|entry| entry.number).collect::<Vec<_>>(), numbers, "{of:?}");
        if of.iter().all(|(name, _)| *name != "limit") {
            assert_eq!(journal.count(&filter(of)), numbers.len());
        }
    }
    drop(waiting);
}

#[tokio::test]
async fn it_says_what_broke_off() {
    let journal = Journal::new(10, 100);
    let state = |number| shown(&journal, number)["state"].clone();
    let begin = || journal.begin(&request("GET", "/", ""), Timestamp(0)).unwrap();
    let pieces = |last| stream::iter([Ok(Bytes::from("abc")), last]);
    drop(begin());
    assert_eq!(state(1), "broken", "there was no answer");
    let record = begin();
    let body = record.answer(Response::new(Body::from_stream(pieces(Ok(Bytes::new()))))).into_body();
    assert_eq!(state(2), "under_way");
    drop(body);
    assert_eq!(state(2), "broken", "nobody wanted to have all of it");
    let failing = Body::from_stream(pieces(Err(std::io::Error::other("broken"))));
    axum::body::to_bytes(begin().answer(Response::new(failing)).into_body(), 100).await.unwrap_err();
    assert_eq!((state(3), shown(&journal, 3)["answer"]["size"].clone()), ("broken".into(), 3.into()));
    // The server does not ask for the end of what it knows the length of.
    let mut announced = Response::new(Body::from_stream(pieces(Ok(Bytes::new()))));
    announced.headers_mut().insert("content-length", "3".parse().unwrap());
    let mut body = begin().answer(announced).into_body();
    let frame =
        std::future::poll_fn(|context| http_body::Body::poll_frame(std::pin::Pin::new(&mut body), context)).await;
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "abc");
    drop(body);
    assert_eq!(state(4), "answered");
    drop(begin().answer(Response::new(Body::empty())));
    assert_eq!(state(5), "answered");
    let head = journal.begin(&request("HEAD", "/", ""), Timestamp(0)).unwrap();
    drop(head.answer(Response::new(Body::from("not sent"))));
    assert_eq!(state(6), "answered");
}

#[tokio::test]
async fn whoever_waits_is_told() {
    let journal = Journal::new(10, 100);
    let waiting = tokio::spawn({
        let (journal, filter) = (journal.clone(), filter(&[("status", "200")]));
        async move {
            let enough = || journal.count(&filter) >= 2;
            crate::doors::query::until(journal.changed(), Duration::from_secs(60), enough).await;
            enough()
        }
    });
    note(&journal, "GET", "/", 200, "").await;
    note(&journal, "GET", "/", 404, "").await;
    note(&journal, "GET", "/", 200, "").await;
    assert!(waiting.await.unwrap());
}
