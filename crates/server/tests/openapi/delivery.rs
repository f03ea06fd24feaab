//! Delivery and the pages around the APIs against the document.

use reqwest::header::{ACCEPT, IF_NONE_MATCH, RANGE};

use crate::Checked;
use crate::support::PNG;

pub(crate) async fn originals(checked: &Checked) {
    let server = &checked.server;
    let id = server.file("hello.txt", b"hello", "text/plain").await;
    for (form, rest) in [
        ("/{uuid}/", ""),
        ("/{uuid}/{filename}", "a.txt"),
        ("/{uuid}/-/inline/{inline}/", "-/inline/yes/"),
        ("/{uuid}/-/inline/{inline}/{filename}", "-/inline/no/a.txt"),
    ] {
        let saw = async |id: &str, rest: &str, header, value: &str| {
            let request = server.get(&format!("/{id}/{rest}")).header(header, value);
            checked.document.saw("GET", form, request.send().await.unwrap()).await
        };
        assert_eq!(saw(&id, rest, ACCEPT, "*/*").await, (200, "hello".into()));
        assert_eq!(saw(&id, rest, RANGE, "bytes=1-2").await, (206, "el".into()));
        assert_eq!(saw(&id, rest, RANGE, "bytes=9-").await.0, 416);
        assert_eq!(saw(&id, rest, IF_NONE_MATCH, "*").await.0, 304);
        assert_eq!(saw("00000000-0000-4000-8000-000000000000", rest, ACCEPT, "*/*").await.0, 404);
        assert_eq!(saw(&id, "-/inline/maybe/", ACCEPT, "*/*").await.0, 400);
    }
}

pub(crate) async fn pictures(checked: &Checked) {
    let server = &checked.server;
    let id = server.file("a.png", PNG, "image/png").await;
    let text = server.file("a.txt", b"hello", "text/plain").await;
    for (form, rest) in [
        ("/{uuid}/-/{operations}/", "-/resize/20x/-/format/png/"),
        ("/{uuid}/-/{operations}/", "-/json/"),
        ("/{uuid}/-/{operations}/{filename}", "-/resize/20x/a.png"),
        ("/{uuid}/detect_faces/", "detect_faces/"),
    ] {
        let saw = async |id: &str, header, value: &str| {
            let request = server.get(&format!("/{id}/{rest}")).header(header, value);
            checked.document.saw("GET", form, request.send().await.unwrap()).await.0
        };
        assert_eq!(saw(&id, ACCEPT, "*/*").await, 200, "{rest}");
        assert_eq!(saw(&id, RANGE, "bytes=999999-").await, 416, "{rest}");
        assert_eq!(saw(&id, IF_NONE_MATCH, "*").await, 304, "{rest}");
        assert_eq!(saw(&text, ACCEPT, "*/*").await, 400, "{rest}");
        assert_eq!(saw("00000000-0000-4000-8000-000000000000", ACCEPT, "*/*").await, 404, "{rest}");
        assert_eq!(saw(&id, RANGE, "bytes=1-2").await, 206, "{rest}");
    }
    let still = server.get(&format!("/{id}/gif2video/")).send().await.unwrap();
    assert_eq!(checked.document.saw("GET", "/{uuid}/gif2video/", still).await.0, 400);
}

pub(crate) async fn groups(checked: &Checked) {
    let server = &checked.server;
    let id = server.file("a.png", PNG, "image/png").await;
    let group = server.group(&[&format!("{id}/-/resize/10x/"), &id]).await;
    let saw = async |form: &str, rest: &str, header, value: &str| {
        let request = server.get(&format!("/{group}/{rest}")).header(header, value);
        checked.document.saw("GET", &format!("/{{uuid}}~{{count}}/{form}"), request.send().await.unwrap()).await
    };
    assert_eq!(saw("", "", ACCEPT, "text/html").await.0, 200);
    assert_eq!(saw("", "", ACCEPT, "application/json").await.1["files"][1]["uuid"], id.as_str());
    assert_eq!(saw("nth/{index}/", "nth/0/", ACCEPT, "*/*").await.0, 200);
    assert_eq!(saw("nth/{index}/", "nth/0/", RANGE, "bytes=0-0").await.0, 206);
    assert_eq!(saw("nth/{index}/", "nth/2/", ACCEPT, "*/*").await.0, 404);
    for kind in ["zip", "tar"] {
        assert_eq!(saw("archive/{kind}/", &format!("archive/{kind}/"), ACCEPT, "*/*").await.0, 200);
        let named = saw("archive/{kind}/{filename}", &format!("archive/{kind}/all"), ACCEPT, "*/*").await;
        assert_eq!(named.0, 200);
    }
}

pub(crate) async fn pages(checked: &Checked) {
    let server = &checked.server;
    for (path, accept) in
        [("/", "*/*"), ("/", "application/json"), ("/health", "*/*"), ("/ready", "*/*"), ("/openapi.json", "*/*")]
    {
        let answer = server.get(path).header(ACCEPT, accept).send().await.unwrap();
        assert_eq!(checked.document.saw("GET", path, answer).await.0, 200, "{path}");
    }
    for path in ["/window3/{source}", "/window4/{source}"] {
        let answer = server.get(&path.replace("{source}", "facebook")).send().await.unwrap();
        assert_eq!(checked.document.saw("GET", path, answer).await.0, 501);
    }
}
