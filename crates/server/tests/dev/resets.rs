//! Reset, sessions, and who may use the doors.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{self, Server, json as body_of};

/// A session of the vendor's emulator.
const SESSION: &str = "x-uploadcare-emulator-session";

pub(crate) async fn dev(server: &Server, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let mut request = server.http.request(method, server.url(path));
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn listed(server: &Server) -> usize {
    let answer = server
        .get("/files/")
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
        .send()
        .await
        .unwrap();
    usize::try_from(body_of(answer).await["total"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn without_the_setting_there_are_no_doors() {
    let server = Server::start().await;
    let doors = stowage_dev::routes().into_iter().map(|(path, _)| path);
    for path in doors.chain(["/_dev", "/_dev/", "/_dev/nothing"]) {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let path = path.replace(['{', '}'], "");
            let (status, said) = dev(&server, method.clone(), &path, Value::Null).await;
            let nothing = dev(&server, method.clone(), "/there/is/no/such/page", Value::Null).await;
            assert_eq!((status, said), nothing, "{method} {path}");
            assert!(method != Method::GET || status == StatusCode::NOT_FOUND, "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reset_brings_back_the_beginning() {
    let server = Server::dev(&[]).await;
    let id = server.file("a.txt", b"hello", "text/plain").await;
    assert_eq!(listed(&server).await, 1);
    let (status, done) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!((status, done), (StatusCode::OK, json!({ "reset": null })));
    assert_eq!(listed(&server).await, 0);
    assert_eq!(server.get(&format!("/{id}/")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(server.blob_bytes(), 0);
    server.file("b.txt", b"again", "text/plain").await;
    assert_eq!(listed(&server).await, 1, "the demo project is there again");
    server.stop().await;
}

#[tokio::test]
async fn one_project_is_reset_and_others_are_not() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\n\
                [[projects]]\npublic_key = \"other\"\nsecret_keys = [\"secret\"]\n";
    let server = Server::with_dev(file, &[]).await;
    let mine = server.file("a.txt", b"hello", "text/plain").await;
    let other = server.upload(&[("UPLOADCARE_PUB_KEY", "other")], &[("file", "b.txt", b"hello", "text/plain")]).await;
    let other = body_of(other).await["file"].as_str().unwrap().to_owned();
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", json!({ "project": "demopublickey" })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(listed(&server).await, 0);
    assert_eq!(server.get(&format!("/{mine}/")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("/{other}/")).send().await.unwrap().text().await.unwrap(), "hello");
    let (status, refused) = dev(&server, Method::POST, "/_dev/reset", json!({ "project": "nobody" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(refused["error"].as_str().unwrap().contains("nobody"));
    let (status, refused) = dev(&server, Method::POST, "/_dev/reset", json!({ "projekt": "nobody" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"].as_str().unwrap().contains("projekt"));
    server.stop().await;
}

#[tokio::test]
async fn one_project_takes_along_what_was_noted_of_it() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\n\
                [[projects]]\npublic_key = \"other\"\nsecret_keys = [\"secret\"]\n";
    let server = Server::with_dev(file, &[]).await;
    for key in ["demopublickey", "other"] {
        let sent = server.upload(&[("UPLOADCARE_PUB_KEY", key)], &[("file", "a.txt", b"hello", "text/plain")]).await;
        assert_eq!(sent.status(), StatusCode::OK);
        let told = json!({ "hook": { "event": "file.uploaded", "project_pub_key": key } });
        assert_eq!(dev(&server, Method::POST, "/_dev/capture/hook", told).await.0, StatusCode::OK);
        let fault = json!({ "name": key, "match": { "project": key, "route": "/info/" }, "do": { "drop": true } });
        assert_eq!(dev(&server, Method::POST, "/_dev/faults", fault).await.0, StatusCode::OK);
        let hold = json!({ "kind": "from_url", "project": key, "at": "waiting", "then": "succeed" });
        assert_eq!(dev(&server, Method::POST, "/_dev/jobs/holds", hold).await.0, StatusCode::CREATED);
        let asked = format!("/from_url/?pub_key={key}&source_url=https://nowhere.invalid/a.png");
        assert_eq!(server.get(&asked).send().await.unwrap().status(), StatusCode::OK);
    }
    let anybodys = json!({ "name": "anybodys", "match": { "route": "/group/" }, "do": { "drop": true } });
    dev(&server, Method::POST, "/_dev/faults", anybodys).await;
    let left = async || {
        let mut of = Vec::new();
        for key in ["demopublickey", "other"] {
            let (_, noted) =
                dev(&server, Method::GET, &format!("/_dev/journal/count?project={key}"), Value::Null).await;
            let (_, caught) = dev(&server, Method::GET, &format!("/_dev/captured?project={key}"), Value::Null).await;
            of.push((noted["count"].as_u64().unwrap(), caught["captured"].as_array().unwrap().len()));
        }
        let (_, faults) = dev(&server, Method::GET, "/_dev/faults", Value::Null).await;
        let faults: Vec<String> =
            faults["faults"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect();
        let (_, holds) = dev(&server, Method::GET, "/_dev/jobs/holds", Value::Null).await;
        let holds: Vec<String> = holds["holds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hold| hold["project"].as_str().unwrap().to_owned())
            .collect();
        (of, faults, holds)
    };
    let (of, faults, holds) = left().await;
    assert_eq!((faults.len(), holds.len()), (3, 2));
    assert!(of.iter().all(|(noted, caught)| *noted > 0 && *caught == 1), "{of:?}");
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", json!({ "project": "demopublickey" })).await;
    assert_eq!(status, StatusCode::OK);
    let others = of[1];
    let (of, faults, holds) = left().await;
    assert_eq!((of, holds), (vec![(0, 0), others], vec!["other".to_owned()]));
    assert_eq!(faults, ["anybodys", "other"]);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_up() {
    use tokio::io::AsyncWriteExt;
    // Otherwise its connection would be closed for another reason some day.
    let server = Server::dev(&[("STOWAGE_SERVER__WRITE_TIMEOUT", "1h")]).await;
    let id = server.file("a.bin", &vec![b'x'; 32 << 20], "application/x-thing").await;
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /{id}/ HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    // The answer has begun, and more of it than fits on the way waits.
    stream.readable().await.unwrap();
    let (status, _) = dev(&server, Method::POST, "/_dev/reset", Value::Null).await;
    assert_eq!((status, listed(&server).await), (StatusCode::OK, 0));
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn sessions_do_not_see_each_other() {
    let server = Server::dev(&[]).await;
    let in_default = server.file("a.txt", b"default", "text/plain").await;
    let form = |text: &'static str| {
        let part = support::part("s.txt", text.as_bytes(), "text/plain");
        reqwest::multipart::Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey").part("file", part)
    };
    let mut ids = Vec::new();
    for session in ["one", "two"] {
        let answer =
            server.http.post(server.url("/base/")).header(SESSION, session).multipart(form(session)).send().await;
        ids.push(body_of(answer.unwrap()).await["file"].as_str().unwrap().to_owned());
    }
    let total = async |session: &str| {
        let answer = server
            .get("/files/")
            .header(SESSION, session)
            .header("Accept", "application/vnd.uploadcare-v0.7+json")
            .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
            .send()
            .await;
        body_of(answer.unwrap()).await["total"].as_u64().unwrap()
    };
    assert_eq!((total("one").await, total("two").await, total("default").await), (1, 1, 1));
    let (_, seen) = dev(&server, Method::GET, "/_dev/sessions", Value::Null).await;
    assert_eq!(seen["sessions"], json!(["one", "two"]));
    // Browsers ask for pictures without our header.
    assert_eq!(server.get(&format!("/{}/", ids[1])).send().await.unwrap().text().await.unwrap(), "two");
    let elsewhere = server.get(&format!("/{in_default}/")).header(SESSION, "one").send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    let (status, _) = dev(&server, Method::POST, "/_dev/sessions/two/reset", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((total("one").await, total("two").await, total("default").await), (1, 0, 1));
    let (status, _) = dev(&server, Method::DELETE, "/_dev/sessions/one", Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&format!("/{}/", ids[0])).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let (status, _) = dev(&server, Method::DELETE, "/_dev/sessions/one", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let refused = server.get("/files/").header(SESSION, "a b").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    server.stop().await;
}

#[tokio::test]
async fn pages_of_strangers_are_refused() {
    let server = Server::dev(&[("STOWAGE_DEV__ORIGINS", "https://tests.example.com")]).await;
    server.file("a.txt", b"hello", "text/plain").await;
    let reset = |origin: &str| server.http.post(server.url("/_dev/reset")).header("Origin", origin).send();
    let refused = reset("https://evil.example").await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.headers().get("access-control-allow-origin").is_none());
    assert_eq!(listed(&server).await, 1);
    for origin in ["http://localhost:5173", "https://tests.example.com"] {
        let answer = reset(origin).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["access-control-allow-origin"], origin);
        let asked = server
            .http
            .request(Method::OPTIONS, server.url("/_dev/reset"))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["access-control-allow-origin"], origin);
    }
    server.stop().await;
}

#[tokio::test]
async fn too_many_sessions_are_refused() {
    let server = Server::dev(&[("STOWAGE_DEV__SESSIONS", "2")]).await;
    let ask = |session: &'static str| server.get("/health").header(SESSION, session).send();
    assert_eq!(ask("a").await.unwrap().status(), StatusCode::OK);
    assert_eq!(ask("b").await.unwrap().status(), StatusCode::OK);
    assert_eq!(ask("c").await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask("a").await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}
