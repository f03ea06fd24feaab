//! `@uploadcare/file-uploader`, the web component, in headless Chromium.

use serde_json::json;

use super::Runtime::Chromium;
use super::origin::Origin;
use super::{PICTURE, check_progress, count, file_of};
use crate::stowage::Place;

#[tokio::test]
async fn the_web_component_uploads_and_asks_for_thumbnails() {
    if !Chromium.is_here() {
        return;
    }
    // Browsers may send parts to an S3 server of another origin only where that allows it; the one of the tests does not.
    let place = Place::with(&[("STOWAGE_FETCH__ALLOW", "127.0.0.0/8"), ("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let server = place.serve(&[]).await;
    let small = place.folder.path().join("small.png");
    std::fs::write(&small, PICTURE).unwrap();
    let (large, content) = file_of(&place, "large.bin", 1, 30_000_000);
    let origin = Origin::serve(&[("/linked.png", "image/png", PICTURE)]).await;
    let input = json!({ "base": server.base, "origin": origin.base, "files": [small, large] });
    let seen = Chromium.run("browser.mjs", input).await;
    let ended = &seen["ended"];
    for (name, content, source, kind) in [
        ("small.png", PICTURE, "local", "image/png"),
        ("large.bin", content.as_slice(), "local", "application/octet-stream"),
        ("linked.png", PICTURE, "url", "image/png"),
    ] {
        let file = &ended[name];
        assert_eq!((&file["status"], &file["source"]), (&"success".into(), &source.into()), "{name}: {file}");
        assert_eq!(file["cdnUrl"], format!("{}/{}/", server.base, file["uuid"].as_str().unwrap()));
        let facts = json!({
            "original_filename": name, "mime_type": kind, "is_image": kind == "image/png", "is_stored": true,
        });
        server.check(&file["uuid"], content, facts).await;
    }
    check_progress(&seen["progress"]["large.bin"], 100.0);
    assert_eq!(count(&seen, &format!("PUT {}/multipart/upload/", server.base)), 6);
    for (way, name) in [("local", "small.png"), ("linked", "linked.png")] {
        let url = seen["thumbnails"][way].as_str().unwrap();
        let start = format!("{}/{}/-/stretch/off/-/scale_crop/", server.base, ended[name]["uuid"].as_str().unwrap());
        assert!(url.starts_with(&start) && url.ends_with("/center/"), "{url}");
        let thumbnail = server.http.get(url).send().await.unwrap();
        assert_eq!(
            (thumbnail.status().as_u16(), &thumbnail.headers()["content-type"]),
            (200, &"image/png".parse().unwrap())
        );
    }
}
