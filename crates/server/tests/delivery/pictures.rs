//! What operations make of pictures: headers, conditions, facts, refusals. What the pixels look like is the engine's matter.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::paint::{png, size};
use crate::support::{self, Server};

const MISSING: &str = "11111111-2222-4333-8444-555555555555";

fn photo() -> Vec<u8> {
    png(160, 90, [200, 30, 30], [30, 30, 200])
}

/// The status of a page, and whether it says this; or what it says instead.
async fn page(answer: Response, text: &str) -> u16 {
    assert_eq!(answer.headers()["content-type"], "text/html; charset=UTF-8");
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
    let status = answer.status().as_u16();
    let page = answer.text().await.unwrap();
    assert!(page.contains(text), "{page}");
    status
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_picture_is_made_and_described() {
    let server = Server::start().await;
    let id = server.file("my photo.png", &photo(), "image/png").await;
    let made = server.get(&format!("/{id}/-/resize/80x/-/format/png/")).send().await.unwrap();
    assert_eq!(made.status(), 200);
    let headers = made.headers().clone();
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-image-width", "80"),
        ("x-image-height", "45"),
        ("cache-control", "public, max-age=31536000"),
        ("content-disposition", "inline"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "HEAD, GET, OPTIONS"),
        ("x-robots-tag", "noindex, nofollow, nosnippet, noarchive"),
        ("accept-ranges", "bytes"),
        ("vary", ""),
        ("last-modified", ""),
    ] {
        assert_eq!(text(&headers, name), value, "{name}");
    }
    assert!(text(&headers, "access-control-expose-headers").contains("X-Image-Width, X-Image-Height"));
    let etag = text(&headers, "etag").trim_matches('"').to_owned();
    assert!(etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{etag}");
    let bytes = made.bytes().await.unwrap();
    assert_eq!((size(&bytes), text(&headers, "content-length")), ((80, 45), bytes.len().to_string().as_str()));

    let disposition = async |rest: &str| {
        let answer = server.get(&format!("/{id}/-/resize/80x/-/format/png/{rest}")).send().await.unwrap();
        text(answer.headers(), "content-disposition").to_owned()
    };
    assert_eq!(disposition("small.png").await, "inline; filename=small.png");
    assert_eq!(disposition("-/inline/no/").await, "attachment; filename=myphoto.png");
    let head = server.http.head(server.url(&format!("/{id}/-/resize/80x/-/format/png/"))).send().await.unwrap();
    assert_eq!((text(head.headers(), "etag"), text(head.headers(), "x-image-width")), (text(&headers, "etag"), "80"));
    assert_eq!(head.headers()["content-length"], bytes.len().to_string());
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_format_is_negotiated_and_said_so() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\n\
                [[projects]]\npublic_key = \"plain\"\nsecret_keys = []\nwebp = false\navif = false\n";
    let server = Server::with(file, &[]).await;
    let id = server.file("a.png", &photo(), "image/png").await;
    let ask = async |path: &str, accept: &str| {
        let answer = server.get(path).header("accept", accept).send().await.unwrap();
        (text(answer.headers(), "content-type").to_owned(), text(answer.headers(), "vary").to_owned())
    };
    let path = format!("/{id}/-/preview/");
    for (accept, media_type) in [
        ("image/webp,*/*", "image/webp"),
        ("image/avif,image/webp,*/*", "image/avif"),
        ("image/*,*/*", "image/png"),
        ("*/*", "image/png"),
        ("image/webp;q=0", "image/png"),
    ] {
        assert_eq!(ask(&path, accept).await, (media_type.to_owned(), "Accept".to_owned()), "{accept}");
    }
    let named = format!("/{id}/-/preview/-/format/jpeg/");
    assert_eq!(ask(&named, "image/webp").await, ("image/jpeg".to_owned(), String::new()));
    let other = upload(&server, "plain", &photo()).await;
    assert_eq!(ask(&format!("/{other}/-/preview/"), "image/avif,image/webp").await.0, "image/png");
}

/// Uploads a picture to another project than the usual one.
async fn upload(server: &Server, key: &str, bytes: &[u8]) -> String {
    let form = reqwest::multipart::Form::new()
        .text("UPLOADCARE_PUB_KEY", key.to_owned())
        .text("UPLOADCARE_STORE", "1")
        .part("file", support::part("a.png", bytes, "image/png"));
    let answer = server.http.post(server.url("/base/")).multipart(form).send().await.unwrap();
    support::json(answer).await["file"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn conditions_and_ranges_of_what_was_made() {
    let server = Server::start().await;
    let id = server.file("a.png", &photo(), "image/png").await;
    let path = format!("/{id}/-/preview/50x50/");
    let first = server.get(&path).send().await.unwrap();
    let etag = first.headers()["etag"].clone();
    let bytes = first.bytes().await.unwrap();
    let unchanged = server.get(&path).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!((unchanged.status().as_u16(), &unchanged.headers()["etag"]), (304, &etag));
    assert_eq!(unchanged.headers()["vary"], "Accept");
    let since = server.get(&path).header("if-modified-since", "Sun, 06 Nov 2044 08:49:37 GMT").send().await.unwrap();
    assert_eq!(since.status(), 200, "what was made has no date");
    let part = server.get(&path).header("range", "bytes=2-5").header("if-range", &etag).send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap()), (206, bytes.slice(2..6)));
    let same = server.get(&format!("/{id}//-/preview/50x50/-/@clib/a/b/x.png")).send().await.unwrap();
    assert_eq!(same.headers()["etag"], etag, "names and markers make no other picture");
    let other = server.get(&format!("/{id}/-/preview/51x51/")).send().await.unwrap();
    assert_ne!(other.headers()["etag"], etag);
    let server = server.restart().await;
    let again = server.get(&path).send().await.unwrap();
    assert_eq!((&again.headers()["etag"], again.status().as_u16()), (&etag, 200));
    assert!(again.bytes().await.unwrap() == bytes);
}

#[tokio::test]
async fn facts_of_pictures() {
    let server = Server::start().await;
    let exif = include_bytes!("../../../image/tests/fixtures/exif.jpg");
    let id = server.file("exif.jpg", exif, "image/jpeg").await;
    let answer = server.get(&format!("/{id}/-/json/")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=86400");
    let facts = support::json(answer).await;
    let info = server.info(&id).await;
    for (key, value) in info["image_info"].as_object().unwrap() {
        assert_eq!(&facts[key], value, "{key} is not as in /info/");
    }
    assert_eq!(facts["id"], id.as_str());
    assert!(facts["hash"].as_str().is_some_and(|hash| hash.len() == 16), "{facts}");
    assert!(facts["blurhash"].is_string() && facts.get("original").is_none(), "{facts}");

    let photo = server.file("a.png", &photo(), "image/png").await;
    let made: Value = support::json(server.get(&format!("/{photo}/-/resize/80x/-/json/")).send().await.unwrap()).await;
    assert_eq!((&made["width"], &made["height"]), (&json!(80), &json!(45)));
    assert_eq!(made["id"], format!("/{photo}/-/resize/80x/"));
    assert_eq!((&made["original"]["width"], &made["original"]["id"]), (&json!(160), &json!(photo)));
    let script = server.get(&format!("/{photo}/-/jsonp/")).send().await.unwrap();
    assert_eq!(script.headers()["content-type"], "application/javascript");
    assert!(script.text().await.unwrap().starts_with("uploadcare_callback("));
    let colors = support::json(server.get(&format!("/{photo}/-/main_colors/2/")).send().await.unwrap()).await;
    assert_eq!((colors["main_colors"].as_array().unwrap().len(), &colors["width"]), (2, &json!(160)));
    let faces = server.get(&format!("/{photo}/detect_faces//")).send().await.unwrap();
    assert_eq!(faces.headers()["cache-control"], "public, max-age=86400");
    assert_eq!(faces.headers()["etag"].len(), 34);
    let faces = support::json(faces).await;
    assert_eq!((&faces["faces"], &faces["width"], &faces["id"]), (&json!([]), &json!(160), &json!(photo)));
}

#[tokio::test]
async fn what_can_not_be_done_is_said_on_a_page() {
    let server = Server::start().await;
    let image = server.file("a.png", &photo(), "image/png").await;
    let plain = server.file("a.txt", b"hello", "text/plain").await;
    let none = format!("-/overlay/{MISSING}/");
    let over = format!("-/overlay/{plain}/");
    for (id, rest, status, said) in [
        (&image, "-/nope/", 400, "`nope` is not an operation"),
        (&image, "-/sharp/21/", 400, "from 0 to 20"),
        (&image, "-/json/-/preview/", 400, "`json` has to be the last operation"),
        (&image, "-/resize/4000x/", 400, "3000"),
        (&image, "-/text/50px50p/center/hello/", 400, "text_overlays"),
        (&image, "detect_faces/-/preview/", 400, "can not be combined"),
        (&image, "gif2video/", 400, "400: Bad Request"),
        (&image, "gif2video/-/blur/", 400, "`blur` is not an operation of `gif2video`"),
        (&image, &none, 404, MISSING),
        (&image, &over, 400, "is not an image"),
        (&plain, "-/preview/400x400/", 400, "Not supported for files that are not images."),
        (&plain, "-/json/", 400, "are not images"),
        (&plain, "-/autorotate/no/", 400, "are not images"),
        (&plain, "detect_faces/", 400, "are not images"),
        (&image, "video/-/size/4x4/", 404, "File not found."),
    ] {
        let answer = server.get(&format!("/{id}/{rest}")).send().await.unwrap();
        let cache = if status == 400 { "public, max-age=3600" } else { "no-store" };
        assert_eq!(answer.headers()["cache-control"], cache, "{rest}");
        assert!(answer.headers().contains_key("access-control-expose-headers"));
        assert_eq!(page(answer, said).await, status, "{rest}");
    }
    let alone = server.get(&format!("/{image}/-/autorotate/no/-/inline/no/")).send().await.unwrap();
    assert!(alone.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(alone.bytes().await.unwrap() == photo(), "nothing was asked that makes another picture");
    let larger = server.get(&format!("/{image}/-/resize/4000x/-/format/jpeg/")).send().await.unwrap();
    assert_eq!((larger.status().as_u16(), text(larger.headers(), "x-image-width")), (200, "4000"));
}

#[tokio::test]
async fn an_img_is_shown_a_picture_that_says_so() {
    let server = Server::start().await;
    let accept = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
    let answer = server.get(&format!("/{MISSING}/-/preview/")).header("accept", accept).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), text(answer.headers(), "content-type")), (404, "image/jpeg"));
    assert_eq!((text(answer.headers(), "cache-control"), text(answer.headers(), "vary")), ("no-store", "Accept"));
    assert!(answer.bytes().await.unwrap().starts_with(b"\xff\xd8\xff"));
    let window = server.get(&format!("/{MISSING}/")).header("accept", "text/html,image/avif,*/*;q=0.8");
    assert_eq!(page(window.send().await.unwrap(), "File not found.").await, 404);
}

#[tokio::test]
async fn texts_and_lifetimes_are_settings_of_the_project() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\ntext_overlays = true\n\
                delivery_max_age = \"1h\"\n";
    let server = Server::with(file, &[]).await;
    let id = server.file("a.png", &photo(), "image/png").await;
    let cache = async |rest: &str| {
        let answer = server.get(&format!("/{id}/{rest}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{rest}: {}", answer.text().await.unwrap());
        text(answer.headers(), "cache-control").to_owned()
    };
    for rest in ["", "-/preview/-/text/80px80p/center/hi/", "-/json/", "detect_faces/"] {
        assert_eq!(cache(rest).await, "public, max-age=3600", "{rest}");
    }
}

#[tokio::test]
async fn what_was_made_goes_with_its_file() {
    let server = Server::start().await;
    let id = server.file("a.png", &photo(), "image/png").await;
    let logo = server.file("b.png", &png(10, 10, [0; 3], [0; 3]), "image/png").await;
    let (path, over) = (format!("/{id}/-/preview/20x20/"), format!("/{id}/-/overlay/{logo}/"));
    let status = async |path: &str| server.get(path).send().await.unwrap().status().as_u16();
    assert_eq!((status(&path).await, status(&over).await), (200, 200));
    let delete = async |id: &str| {
        let request = server.http.delete(server.url(&format!("/files/{id}/storage/")));
        let request = request.header("authorization", "Uploadcare.Simple demopublickey:demosecretkey");
        let answer = request.header("accept", "application/vnd.uploadcare-v0.7+json").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    delete(&logo).await;
    assert_eq!((status(&path).await, status(&over).await), (200, 404));
    delete(&id).await;
    assert_eq!((status(&path).await, status(&over).await), (404, 404));
}
