//! The delivery door: originals, ranges, conditions, what is hostile; what is made of pictures, groups, tokens, remote files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "delivery/groups.rs"]
mod groups;
#[path = "delivery/paint.rs"]
mod paint;
#[path = "delivery/pictures.rs"]
mod pictures;
#[path = "delivery/remote.rs"]
mod remote;
#[path = "delivery/signed.rs"]
mod signed;
mod support;

use reqwest::Method;
use support::{DAY, PNG, Server, shown};

#[tokio::test]
async fn an_original_is_delivered_with_its_headers() {
    let server = Server::start().await;
    let id = server.file("hello world.txt", b"hello\n", "text/plain").await;
    insta::assert_snapshot!("original", shown(server.get(&format!("/{id}/")).send().await.unwrap()).await);
    for path in [format!("/{id}"), format!("//{id}//"), format!("/{}/", id.to_uppercase())] {
        assert_eq!(server.get(&path).send().await.unwrap().text().await.unwrap(), "hello\n", "{path}");
    }
    let named = server.get(&format!("/{id}/any-name.txt")).send().await.unwrap();
    assert_eq!(named.headers()["content-disposition"], "inline; filename=any-name.txt");
    let head = server.http.head(server.url(&format!("/{id}/"))).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"6".parse().unwrap()));
    assert_eq!(head.text().await.unwrap(), "");
    let preflight = server.http.request(Method::OPTIONS, server.url(&format!("/{id}/"))).send().await.unwrap();
    assert_eq!(preflight.headers()["access-control-allow-methods"], "HEAD, GET, OPTIONS");
    let delete = server.http.delete(server.url(&format!("/{id}/"))).send().await.unwrap();
    assert_eq!((delete.status().as_u16(), &delete.headers()["allow"]), (405, &"HEAD, GET, OPTIONS".parse().unwrap()));
}

#[tokio::test]
async fn small_and_large_files_come_back_whole_and_in_parts() {
    let server = Server::start().await;
    for size in [0, 1, 65_535, 65_536, 65_537, 3_000_001_usize] {
        let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let id = server.file("x.bin", &bytes, "application/x-thing").await;
        let get = |range: String| {
            let request = server.get(&format!("/{id}/")).header("range", range);
            async move { request.send().await.unwrap() }
        };
        let whole = server.get(&format!("/{id}/")).send().await.unwrap();
        assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(size as u64)), "{size}");
        assert!(whole.bytes().await.unwrap() == bytes, "{size}");
        if size > 10 {
            let part = get(format!("bytes=5-{}", size - 3)).await;
            assert_eq!(part.status(), 206);
            assert_eq!(part.headers()["content-range"], format!("bytes 5-{}/{size}", size - 3));
            assert!(part.bytes().await.unwrap() == bytes[5..size - 2], "{size}");
            assert!(get("bytes=-7".into()).await.bytes().await.unwrap() == bytes[size - 7..], "{size}");
            let several = get("bytes=0-1,4-5".into()).await;
            assert_eq!((several.status().as_u16(), several.content_length()), (200, Some(size as u64)));
        }
        let outside = get(format!("bytes={size}-")).await;
        assert_eq!(outside.status(), 416);
        assert_eq!(outside.headers()["content-range"], format!("bytes */{size}"));
        assert_eq!(outside.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn conditions_spare_the_bytes() {
    let server = Server::start().await;
    let id = server.file("a.txt", b"hello", "text/plain").await;
    let first = server.get(&format!("/{id}/")).send().await.unwrap();
    let (etag, modified) = (first.headers()["etag"].clone(), first.headers()["last-modified"].clone());
    assert_eq!(etag.len(), 34);
    let with = |name: &'static str, value: &reqwest::header::HeaderValue| {
        let request = server.get(&format!("/{id}/")).header(name, value).header("range", "bytes=0-0");
        async move { request.send().await.unwrap() }
    };
    let unchanged = with("if-none-match", &etag).await;
    assert_eq!((unchanged.status().as_u16(), &unchanged.headers()["etag"]), (304, &etag));
    assert_eq!(with("if-modified-since", &modified).await.status(), 304);
    assert_eq!(with("if-none-match", &"\"x\"".parse().unwrap()).await.status(), 206);
    assert_eq!(with("if-range", &etag).await.status(), 206);
    assert_eq!(with("if-range", &"\"x\"".parse().unwrap()).await.status(), 200);
    let same = server.file("b.txt", b"hello", "text/plain").await;
    assert_eq!(
        server.get(&format!("/{same}/")).send().await.unwrap().headers()["etag"],
        etag,
        "derived from the content"
    );
}

#[tokio::test]
async fn hostile_types_are_harmless() {
    let server = Server::start().await;
    let script = b"<script>alert(1)</script>";
    for (name, mime, disposition, sandboxed) in [
        ("a.html", "text/html", "attachment; filename=a.html", true),
        ("a.xhtml", "application/xhtml+xml; charset=utf-8", "attachment; filename=a.xhtml", true),
        ("a.svg", "image/svg+xml", "inline; filename=a.svg", true),
        ("a.js", "text/javascript", "attachment; filename=a.js", true),
        ("a.bin", "application/octet-stream", "attachment; filename=a.bin", true),
        ("a.txt", "text/plain", "inline; filename=a.txt", false),
        ("a.pdf", "application/pdf", "inline; filename=a.pdf", false),
        ("a.mp4", "video/mp4", "inline; filename=a.mp4", false),
    ] {
        let id = server.file(name, script, mime).await;
        let answer = server.get(&format!("/{id}/")).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(
            (&headers["content-type"], &headers["content-disposition"]),
            (&mime.parse().unwrap(), &disposition.parse().unwrap())
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers.get("content-security-policy").map(|policy| policy.to_str().unwrap());
        assert_eq!(
            policy.is_some_and(|p| p.starts_with("sandbox;") && p.contains("script-src 'none'")),
            sandboxed,
            "{mime}"
        );
        let forced = server.get(&format!("/{id}/-/inline/yes/x.html")).send().await.unwrap();
        assert_eq!(forced.headers()["content-disposition"], "inline; filename=x.html");
        assert_eq!(forced.headers().contains_key("content-security-policy"), sandboxed, "{mime}");
        let saved = server.get(&format!("/{id}/-/inline/no/")).send().await.unwrap();
        assert!(saved.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"), "{mime}");
    }
}

#[tokio::test]
async fn a_type_that_is_a_list_is_not_believed() {
    let server = Server::start().await;
    let body = "--b\r\nContent-Disposition: form-data; name=\"UPLOADCARE_PUB_KEY\"\r\n\r\ndemopublickey\r\n\
                --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\
                Content-Type: image/png; a=b, text/html\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n";
    let request = server.http.post(server.url("/base/")).header("content-type", "multipart/form-data; boundary=b");
    let answer = support::json(request.body(body).send().await.unwrap()).await;
    let delivered = server.get(&format!("/{}/", answer["f"].as_str().unwrap())).send().await.unwrap();
    assert!(!delivered.headers()["content-type"].to_str().unwrap().contains(','));
    assert!(
        delivered.headers().contains_key("content-security-policy")
            || delivered.headers()["content-type"] == "text/plain"
    );
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done() {
    let server = Server::start().await;
    let missing = "11111111-2222-4333-8444-555555555555";
    insta::assert_snapshot!("missing", shown(server.get(&format!("/{missing}/")).send().await.unwrap()).await);
    for path in ["/nonsense/", "/favicon.ico", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/filesystem/"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), 404, "{path}");
    }
    let text = server.file("a.txt", b"text", "image/png").await;
    insta::assert_snapshot!(
        "not_an_image",
        shown(server.get(&format!("/{text}/-/preview/400x400/")).send().await.unwrap()).await
    );
    let image = server.file("a.png", PNG, "image/png").await;
    let unknown = server.get(&format!("/{image}/-/%3Cb%3E/")).send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert!(unknown.text().await.unwrap().contains("&lt;b&gt;"), "what comes back is escaped");
    let marked = server.get(&format!("/{image}/-/@clib/blocks/1.33.2/uc-img/")).send().await.unwrap();
    assert!(marked.bytes().await.unwrap() == PNG, "markers of official components are ignored");
}

#[tokio::test]
async fn indexing_is_a_setting_of_the_project() {
    let server = Server::start().await;
    let id = server.file("a", b"x", "text/plain").await;
    let answer = server.get(&format!("/{id}/")).send().await.unwrap();
    assert_eq!(answer.headers()["x-robots-tag"], "noindex, nofollow, nosnippet, noarchive");
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\nallow_indexing = true\n";
    let server = Server::with(file, &[]).await;
    let id = server.file("a", b"x", "text/plain").await;
    let answer = server.get(&format!("/{id}/")).send().await.unwrap();
    assert!(!answer.headers().contains_key("x-robots-tag"));
}

#[tokio::test]
async fn a_temporary_file_vanishes_after_its_24_hours_and_a_stored_one_stays() {
    let server = Server::start().await;
    let large = vec![b'x'; 200_000];
    let mut temporary = Vec::new();
    for bytes in [&b"small"[..], &large] {
        let answer = server.upload(&[("UPLOADCARE_STORE", "0")], &[("file", "a", bytes, "text/plain")]).await;
        temporary.push(support::json(answer).await["file"].as_str().unwrap().to_owned());
    }
    let stored = server.file("b", b"kept", "text/plain").await;
    let status = |id: &str| {
        let request = server.get(&format!("/{id}/"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let info = |id: &str| {
        let request = server.get(&format!("/info/?pub_key=demopublickey&file_id={id}"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let second = std::time::Duration::from_secs(1);
    server.clock.advance(DAY.checked_sub(second).unwrap());
    server.janitor().tidy().await.unwrap();
    for id in &temporary {
        assert_eq!((status(id).await, info(id).await), (200, 200), "24 hours are not over yet");
    }
    server.clock.advance(second);
    let mut explained = Vec::new();
    server.janitor().explain(&mut |deletion| explained.push(deletion.to_string())).await.unwrap();
    assert_eq!(explained.len(), 2, "{explained:?}");
    for id in &temporary {
        assert!(explained.iter().any(|text| text.contains(id) && text.contains("24h")), "{explained:?}");
        assert_eq!(status(id).await, 200, "a dry run deletes nothing");
    }
    let report = server.janitor().tidy().await.unwrap();
    assert_eq!((report.expired, report.blobs), (2, 2));
    for id in &temporary {
        assert_eq!((status(id).await, info(id).await), (404, 404));
    }
    assert_eq!((status(&stored).await, info(&stored).await), (200, 200));
    let again = server.janitor().tidy().await.unwrap();
    assert_eq!((again.expired, again.blobs), (0, 0));
}
