//! Delivery and the pages around the APIs against the document.

use reqwest::header::{ACCEPT, IF_NONE_MATCH, RANGE};

use crate::Checked;

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
