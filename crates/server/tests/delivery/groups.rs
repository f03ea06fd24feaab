//! Groups: their page, their files, their archives.

use serde_json::json;

use crate::paint::{png, size};
use crate::support::{self, PNG, Server};

#[tokio::test]
async fn the_page_of_a_group() {
    let server = Server::start().await;
    let image = server.file("<photo>.png", PNG, "image/png").await;
    let text = server.file("a.txt", b"hello", "text/plain").await;
    let group = server.group(&[&format!("{image}/-/resize/10x/"), &text]).await;
    let page = server.get(&format!("/{group}/")).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=UTF-8");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.headers()["cache-control"], "public, max-age=60");
    let page = page.text().await.unwrap();
    for part in ["nth/0/", "nth/1/", "&lt;photo&gt;.png", "archive/zip/", "nth/0/-/preview/200x200/"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<photo>") && !page.contains("nth/1/-/"), "{page}");
    let listed = server.get(&format!("/{group}")).header("accept", "application/json").send().await.unwrap();
    assert_eq!(listed.headers()["content-type"], "application/json");
    let listed = support::json(listed).await;
    let base = format!("{}/{group}/", server.base);
    assert_eq!(
        listed,
        json!({
            "id": group,
            "files_count": 2,
            "url": base,
            "files": [
                { "index": 0, "url": format!("{base}nth/0/"), "uuid": image, "default_effects": "resize/10x/",
                  "original_filename": "<photo>.png", "size": PNG.len(), "mime_type": "image/png", "is_image": true },
                { "index": 1, "url": format!("{base}nth/1/"), "uuid": text, "default_effects": "",
                  "original_filename": "a.txt", "size": 5, "mime_type": "text/plain", "is_image": false },
            ],
        })
    );
}

#[tokio::test]
async fn files_by_their_place_with_their_operations() {
    let server = Server::start().await;
    let image = server.file("a.png", &png(160, 90, [9; 3], [200; 3]), "image/png").await;
    let group = server.group(&[&format!("{image}/-/resize/80x/"), &image]).await;
    let sized = async |rest: &str| {
        let answer = server.get(&format!("/{group}/{rest}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{rest}: {}", answer.text().await.unwrap());
        size(&answer.bytes().await.unwrap())
    };
    assert_eq!(sized("nth/0/").await, (80, 45), "the stored operations count");
    assert_eq!(sized("nth/0/-/crop/40x40/-/format/png/").await, (40, 40));
    assert_eq!(sized("nth/1/").await, (160, 90));
    assert_eq!(sized("nth/1/-/preview/100x100/-/format/png/a.png").await, (100, 56));
    let facts = support::json(server.get(&format!("/{group}/nth/0/-/json/")).send().await.unwrap()).await;
    assert_eq!(facts["id"], format!("/{image}/-/resize/80x/"));
    for (rest, status) in [
        ("nth/2/", 404),
        ("nth/x/", 404),
        ("-/preview/", 400),
        ("archive/rar/", 404),
        ("nth/0/detect_faces/", 200),
        ("nth/0/-/nope/", 400),
    ] {
        assert_eq!(server.get(&format!("/{group}/{rest}")).send().await.unwrap().status(), status, "{rest}");
    }
    let unknown = group.replace("~2", "~3");
    assert_eq!(server.get(&format!("/{unknown}/nth/0/")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn all_files_in_an_archive() {
    let server = Server::start().await;
    let one = server.file("a.txt", b"first", "text/plain").await;
    let two = server.file("a.txt", b"second", "text/plain").await;
    let group = server.group(&[&format!("{one}/-/resize/10x/"), &two]).await;
    for (kind, media_type, magic) in
        [("zip", "application/zip", &b"PK\x03\x04"[..]), ("tar", "application/x-tar", b"a.")]
    {
        let answer = server.get(&format!("/{group}/archive/{kind}/")).send().await.unwrap();
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], media_type);
        assert_eq!(headers["content-disposition"], format!("attachment; filename={group}.{kind}"));
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(headers["content-length"], bytes.len().to_string());
        assert!(bytes.starts_with(magic) || kind == "tar", "{kind}");
        for part in [&b"first"[..], b"second"] {
            assert!(bytes.windows(part.len()).any(|window| window == part), "{kind} lacks a file");
        }
        let head = server.http.head(server.url(&format!("/{group}/archive/{kind}/all.{kind}"))).send().await.unwrap();
        assert_eq!(head.headers()["content-disposition"], format!("attachment; filename=all.{kind}"));
        assert_eq!(head.headers()["content-length"], bytes.len().to_string());
    }
    let request = server.http.delete(server.url(&format!("/files/{two}/storage/")));
    let request = request.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    request.header("accept", "application/vnd.uploadcare-v0.7+json").send().await.unwrap();
    let status = async |rest: &str| server.get(&format!("/{group}/{rest}")).send().await.unwrap().status().as_u16();
    assert_eq!((status("archive/zip/").await, status("nth/1/").await), (404, 404));
    assert_eq!((status("nth/0/-/inline/no/").await, status("").await), (400, 200));
    let page = server.get(&format!("/{group}/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("1: removed"), "{page}");
}

#[tokio::test]
async fn archives_have_a_largest_size() {
    let server = Server::with("[delivery]\narchive_size = 9\n", &[]).await;
    let file = server.file("a.txt", b"12345", "text/plain").await;
    let group = server.group(&[&file, &file]).await;
    let answer = server.get(&format!("/{group}/archive/tar/")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("at most 9"));
}
