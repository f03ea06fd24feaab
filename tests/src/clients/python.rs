//! `pyuploadcare`, its uploads.

use serde_json::{Value, json};

use super::Runtime::Python;
use super::origin::Origin;
use super::{LOCAL, PICTURE, count, file_of, serve_projects};
use crate::stowage::Place;

#[tokio::test]
async fn it_uploads_in_one_piece_and_in_parts() {
    if !Python.is_here() {
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let (_, small) = file_of(&place, "Grüße (1).txt", 1, 30);
    let (_, other) = file_of(&place, "other.bin", 2, 200_000);
    let (_, large) = file_of(&place, "large.bin", 3, 11_000_000);
    let seen = Python.run("upload.py", json!({ "base": server.base, "folder": place.folder.path() })).await;
    let one = &seen["one"]["uuid"];
    assert_eq!(seen["one"]["url"], format!("{}/{}/", server.base, one.as_str().unwrap()));
    let facts = json!({
        "original_filename": "Grüße (1).txt", "filename": "Gre1.txt", "mime_type": "text/plain", "is_stored": true,
        "metadata": { "subsystem": "tests" },
    });
    server.check(one, &small, facts).await;
    let several = &seen["several"];
    server.check(&several[0], &small, json!({ "original_filename": "Grüße (1).txt", "is_stored": false })).await;
    server.check(&several[1], &other, json!({ "original_filename": "other.bin", "is_stored": false })).await;
    let parts = &seen["parts"];
    let facts = json!({
        "original_filename": "large.bin", "mime_type": "application/octet-stream", "is_stored": true,
        "metadata": { "parts": "many" },
    });
    server.check(&parts["uuid"], &large, facts).await;
    assert_eq!(parts["info"], server.info("demopublickey", &parts["uuid"]).await, "the answer to the completion");
    let total = 11_000_000;
    assert_eq!(seen["progress"], json!([[5_242_880, total], [10_485_760, total], [total, total]]));
    assert_eq!(count(&seen, "PUT "), 3);
    assert_eq!(seen["unknown"], json!({ "name": "AuthenticationError", "message": "UPLOADCARE_PUB_KEY is invalid." }));
    assert_eq!(place.recorded_ids().await.len(), 4);
}

#[tokio::test]
async fn it_uploads_from_urls_and_makes_groups() {
    if !Python.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let pages: &[_] = &[("/picture.png", "image/png", PICTURE), ("/plain.txt", "text/plain", b"from afar")];
    let origin = Origin::serve(pages).await;
    let seen = Python.run("from_url.py", json!({ "base": server.base, "origin": origin.base })).await;
    let (fetched, named) = (&seen["fetched"], &seen["named"]);
    let facts = json!({
        "original_filename": "picture.png", "mime_type": "image/png", "is_image": true, "is_stored": true,
        "metadata": { "from": "afar" },
    });
    server.check(fetched, PICTURE, facts).await;
    assert_eq!(&seen["known"], fetched);
    assert_eq!(origin.times("/picture.png"), 1, "a known URL is not fetched again");
    let facts = json!({ "original_filename": "Other name.txt", "mime_type": "text/plain", "is_stored": false });
    server.check(&named["uuid"], b"from afar", facts).await;
    let mut success = server.info("demopublickey", &named["uuid"]).await;
    success["status"] = "success".into();
    assert_eq!(named, &success, "the answer to the last question for the status");
    assert_eq!(seen["missing"]["name"], "UploadError");
    let message = seen["missing"]["message"].as_str().unwrap();
    assert!(
        message.contains("HTTP client error: 404.") && message.contains("DownloadFileHTTPClientError"),
        "{message}"
    );
    let private = json!({ "name": "InvalidRequestError", "message": "Only public IPs are allowed." });
    assert_eq!(seen["private"], private);

    assert!(count(&seen, &format!("POST {}/group//", server.base)) > 0, "with two slashes");
    let group = &seen["group"];
    let id = group["id"].as_str().unwrap();
    assert_eq!((group["length"].as_u64(), id.ends_with("~2")), (Some(2), true));
    assert_eq!(group["url"], format!("{}/{id}/", server.base));
    let info = &group["info"];
    assert_eq!((&info["id"], &info["cdn_url"], &info["files_count"]), (&group["id"], &group["url"], &2.into()));
    assert_eq!(info["files"][0]["default_effects"], "resize/x800/");
    let url = |id: &Value, effects: &str| Value::from(format!("{}/{}/{effects}", server.base, id.as_str().unwrap()));
    assert_eq!(group["files"], json!([url(fetched, "-/resize/x800/"), url(&named["uuid"], "")]));
    let told = server.url(&format!("/group/info/?pub_key=demopublickey&group_id={id}"));
    assert_eq!(&server.http.get(told).send().await.unwrap().json::<Value>().await.unwrap(), info);
    assert_eq!(seen["no_file"], json!({ "name": "InvalidRequestError", "message": "Some files not found." }));
}

#[tokio::test]
async fn it_signs_uploads() {
    if !Python.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = serve_projects(&place).await;
    let (_, small) = file_of(&place, "other.bin", 4, 1000);
    let (_, large) = file_of(&place, "large.bin", 5, 11_000_000);
    let origin = Origin::serve(&[("/plain.txt", "text/plain", b"from afar")]).await;
    let input = json!({ "base": server.base, "origin": origin.base, "folder": place.folder.path() });
    let seen = Python.run("signed.py", input).await;
    let uploads = &seen["uploads"];
    for (name, content) in [("one", small.as_slice()), ("parts", &large), ("fetched", b"from afar")] {
        server.check_of("signedproject", &uploads[name], content, json!({ "is_stored": true })).await;
    }
    assert!(uploads["group"].as_str().unwrap().ends_with("~3"));
    for (name, error, message) in [
        ("wrong", "AuthenticationError", "Invalid signature."),
        ("expired", "AuthenticationError", "Expired signature."),
        ("unsigned", "InvalidRequestError", "`signature` is required."),
    ] {
        let refused = json!({ "name": error, "message": message });
        assert_eq!(seen[name], json!([refused, refused, refused]), "{name}");
    }
    assert_eq!(place.recorded_ids().await.len(), 3, "what was refused left nothing");
}

#[tokio::test]
async fn it_waits_where_it_is_throttled() {
    if !Python.is_here() {
        return;
    }
    let place = Place::with(&[("STOWAGE_THROTTLE__PER_KEY", "60"), ("STOWAGE_THROTTLE__BURST", "1")]).await;
    let server = place.serve(&[]).await;
    let seen = Python.run("throttle.py", json!({ "base": server.base })).await;
    for id in seen["uploads"].as_array().unwrap() {
        assert_eq!(server.fetch(id.as_str().unwrap()).await, (200, b"quick".to_vec()));
    }
    assert_eq!(seen["refused"]["name"], "ThrottledRequestError");
    assert_eq!(
        (&seen["project"], &seen["refused_by_rest"]["name"]),
        (&"demopublickey".into(), &"ThrottledRequestError".into())
    );
    assert_eq!(count(&seen, "POST "), 4, "two uploads, the second in two attempts, and one that is refused");
}
