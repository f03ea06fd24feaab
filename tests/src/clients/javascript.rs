//! `@uploadcare/upload-client` and `@uploadcare/signed-uploads`, in Node.js.

use serde_json::{Value, json};

use super::Runtime::Node;
use super::origin::Origin;
use super::{LOCAL, PICTURE, check_progress, count, file_of, serve_projects, until_nothing_is_left};
use crate::stowage::Place;

#[tokio::test]
async fn it_uploads_and_reads() {
    if !Node.is_here() {
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let seen = Node.run("upload.mjs", json!({ "base": server.base })).await;
    let uploaded = &seen["uploaded"];
    assert_eq!(uploaded["name"], "Gre1.txt");
    assert_eq!(uploaded["originalFilename"], "Grüße (1).txt");
    assert_eq!((&uploaded["size"], &uploaded["isStored"]), (&30.into(), &true.into()));
    assert_eq!((&uploaded["mimeType"], &uploaded["metadata"]["subsystem"]), (&"text/plain".into(), &"tests".into()));
    let id = uploaded["uuid"].as_str().unwrap();
    assert_eq!(uploaded["cdnUrl"], format!("{}/{id}/", server.base));
    let (known, second) = (&seen["known"], &seen["second"]);
    assert_eq!((&known["uuid"], &known["isReady"], &known["isStored"]), (second, &true.into(), &false.into()));
    assert_eq!((&seen["again"]["uuid"], &seen["again"]["name"]), (&uploaded["uuid"], &"renamed.txt".into()));
    assert_eq!((&seen["delivered"]["status"], &seen["delivered"]["type"]), (&200.into(), &"text/plain".into()));
    assert_eq!(seen["delivered"]["text"], "hello from the official client");
    check_progress(&seen["progress"], 1.0);
    assert!(seen["progress"].as_array().unwrap().len() > 2, "the progress of the body is told as it goes");
    let facts = json!({ "original_filename": "second.txt", "mime_type": "application/octet-stream", "metadata": {} });
    server.check(second, b"hello from the official client", facts).await;
}

#[tokio::test]
async fn it_uploads_in_parts() {
    if !Node.is_here() {
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let (large, large_content) = file_of(&place, "large", 1, 27_000_001);
    let (least, least_content) = file_of(&place, "least", 2, 10_000_000);
    let seen = Node.run("multipart.mjs", json!({ "base": server.base, "large": large, "least": least })).await;
    assert_eq!((&seen["parts"], &seen["wire"]["mostPutting"]), (&6.into(), &4.into()));
    assert_eq!(count(&seen, "PUT "), 6 + 2);
    check_progress(&seen["progress"], 1.0);
    assert_eq!(seen["large"]["cdnUrl"], format!("{}/{}/", server.base, seen["large"]["uuid"].as_str().unwrap()));
    let facts = json!({
        "original_filename": "large.bin", "mime_type": "application/x-large", "is_stored": true, "metadata": { "parts": "many" },
    });
    server.check(&seen["large"]["uuid"], &large_content, facts).await;
    let facts = json!({ "original_filename": "least.bin", "is_stored": false });
    server.check(&seen["least"]["uuid"], &least_content, facts).await;
}

#[tokio::test]
async fn it_uploads_from_urls() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let pages: &[_] = &[("/picture.png", "image/png", PICTURE), ("/plain.txt", "text/plain", b"from afar")];
    let origin = Origin::serve(pages).await;
    let seen = Node.run("from_url.mjs", json!({ "base": server.base, "origin": origin.base })).await;
    let facts = json!({
        "original_filename": "picture.png", "mime_type": "image/png", "is_image": true, "is_stored": true,
        "metadata": { "from": "afar" },
    });
    server.check(&seen["slow"]["uuid"], PICTURE, facts).await;
    // Until the length is known the server says null, as is documented; this client divides by it.
    let told: Value = seen["progress"].as_array().unwrap().iter().filter(|value| !value.is_null()).cloned().collect();
    check_progress(&told, 1.0);
    assert!(told[0].as_f64().unwrap() < 1.0, "progress is told while the origin is slow");
    server.check(&seen["sizeless"]["uuid"], PICTURE, json!({ "original_filename": "picture.png" })).await;
    assert_eq!(seen["sizelessProgress"].as_array().unwrap().last().unwrap(), 1);
    assert_eq!(seen["known"]["uuid"], seen["slow"]["uuid"]);
    assert_eq!(origin.times("/slow/picture.png"), 1, "a known URL is not fetched again");
    let facts = json!({
        "original_filename": "Other name.txt", "filename": "Othername.txt", "mime_type": "text/plain", "is_stored": false,
    });
    server.check(&seen["named"]["uuid"], b"from afar", facts).await;
    assert_eq!(seen["missing"]["code"], "DownloadFileHTTPClientError");
    assert_eq!(seen["missing"]["message"], "HTTP client error: 404.");
    assert_eq!(seen["givenUp"]["isCancel"], true);
    assert_eq!(seen["unknown"]["status"], "unknown");
}

#[tokio::test]
async fn it_makes_groups() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let origin = Origin::serve(&[("/plain.txt", "text/plain", b"from afar")]).await;
    let seen = Node.run("group.mjs", json!({ "base": server.base, "origin": origin.base })).await;
    let fresh = &seen["fresh"];
    let group = fresh["uuid"].as_str().unwrap();
    assert!(group.ends_with("~2"), "{group}");
    assert_eq!(fresh["cdnUrl"], format!("{}/{group}/", server.base));
    assert_eq!((&fresh["filesCount"], &fresh["totalSize"]), (&2.into(), &15.into()));
    check_progress(&seen["progress"], 1.0);
    let (first, second) = (&fresh["files"][0]["uuid"], &fresh["files"][1]["uuid"]);
    server.check(first, b"first", json!({ "is_stored": true })).await;
    server.check(second, b"the second", json!({ "is_stored": true })).await;
    server.check(&seen["fetched"]["files"][0]["uuid"], b"from afar", json!({})).await;
    let effects = &seen["effects"]["files"];
    assert_eq!((&effects[0]["uuid"], &effects[0]["defaultEffects"]), (second, &"resize/x800/".into()));
    assert_eq!((&effects[1]["uuid"], &effects[1]["defaultEffects"]), (first, &"".into()));
    let raw = &seen["raw"];
    assert_eq!(raw["filesCount"], 3);
    assert_eq!(raw["files"][1]["defaultEffects"], "preview/-/blur/10/");
    assert_eq!((&raw["files"][0]["uuid"], &raw["files"][2]["uuid"]), (first, first));
    assert_eq!(raw["url"], format!("{}/groups/{}/", server.base, raw["id"].as_str().unwrap()));
    assert_eq!(&seen["known"], raw, "a group is told as it was made");
}

#[tokio::test]
async fn it_signs_uploads() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = serve_projects(&place).await;
    let origin = Origin::serve(&[("/plain.txt", "text/plain", b"from afar")]).await;
    let (large, content) = file_of(&place, "large", 3, 11_000_000);
    let input = json!({ "base": server.base, "origin": origin.base, "large": large });
    let seen = Node.run("signed.mjs", input).await;
    for name in ["direct", "other"] {
        server.check_of("signedproject", &seen[name]["uuid"], b"signed, sealed, delivered", json!({})).await;
    }
    server.check_of("signedproject", &seen["parts"]["uuid"], &content, json!({})).await;
    server.check_of("signedproject", &seen["fetched"]["uuid"], b"from afar", json!({})).await;
    assert_eq!(seen["group"]["filesCount"], 2);
    let unsigned = ("SignatureRequiredError", "`signature` is required.");
    check_refusals(
        &seen["refused"],
        &[
            ("unsigned", unsigned),
            ("no expiry", ("SignatureExpirationRequiredError", "`expire` is required.")),
            ("milliseconds", ("SignatureExpirationInvalidError", "`expire` must be a UNIX timestamp.")),
            ("expired", ("SignatureExpirationError", "Expired signature.")),
            ("wrong", ("SignatureInvalidError", "Invalid signature.")),
            ("unsigned parts", unsigned),
            ("unsigned URL", unsigned),
            ("unsigned group", unsigned),
        ],
    );
    assert_eq!(place.recorded_ids().await.len(), 4, "what was refused left nothing");
}

#[tokio::test]
async fn what_it_gives_up_leaves_nothing() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[("STOWAGE_JANITOR__GRACE", "0s")]).await;
    let server = place.serve(&["--no-worker"]).await;
    let (large, _) = file_of(&place, "large", 4, 30_000_000);
    let seen = Node.run("abort.mjs", json!({ "base": server.base, "large": large })).await;
    for way in ["direct", "parts", "before"] {
        assert_eq!(seen[way]["isCancel"], true, "{way}");
    }
    assert!(seen["progress"].as_array().unwrap().iter().all(|value| value.as_f64().unwrap() < 1.0));
    assert!(count(&seen, "POST http://127.0.0.1") == 2 && count(&seen, "PUT ") > 1, "{seen}");
    until_nothing_is_left(&place, 1).await;
    // The server cannot know that nobody will go on sending parts, until a day has passed.
    place.execute("UPDATE uploads SET expires_at = 0").await;
    let done = place.print(&["janitor"]).await;
    assert!(done.contains("1 multipart upload(s) expired"), "{done}");
    until_nothing_is_left(&place, 0).await;
}

#[tokio::test]
async fn it_waits_where_it_is_throttled() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[("STOWAGE_THROTTLE__PER_KEY", "60"), ("STOWAGE_THROTTLE__BURST", "1")]).await;
    let server = place.serve(&[]).await;
    let seen = Node.run("throttle.mjs", json!({ "base": server.base })).await;
    // Without the header it would wait for 15 seconds, and the limit would never be seen to be right.
    let retries = seen["wire"]["retries"].as_array().unwrap();
    assert!(seen["waited"].as_u64().unwrap() > 0 && retries.iter().all(|seconds| seconds == "1"), "{retries:?}");
    assert_eq!(
        (&seen["refused"]["code"], &seen["refused"]["name"]),
        (&"RequestThrottledError".into(), &"UploadError".into())
    );
    assert_eq!(seen["refused"]["message"], "Request was throttled.");
    assert_eq!(server.fetch(seen["uploaded"]["uuid"].as_str().unwrap()).await, (200, b"quick".to_vec()));
}

#[tokio::test]
async fn it_understands_every_refusal() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let seen = Node.run("errors.mjs", json!({ "base": server.base })).await;
    let unknown_key = ("ProjectPublicKeyInvalidError", "pub_key is invalid.");
    check_refusals(
        &seen["refused"],
        &[
            ("base without a key", ("ProjectPublicKeyRequiredError", "UPLOADCARE_PUB_KEY is required.")),
            ("base with an unknown key", ("ProjectPublicKeyInvalidError", "UPLOADCARE_PUB_KEY is invalid.")),
            (
                "base with bad metadata",
                (
                    "FileMetadataKeyForbiddenError",
                    "File's metadata key `a key` contains symbols not allowed by the metadata key format.",
                ),
            ),
            ("base with too many tags", ("UploadViewsError", "Too many tags: 51 (max 50).")),
            ("info without a key", ("ProjectPublicKeyRequiredError", "pub_key is required.")),
            ("info of nothing", ("FileIdRequiredError", "file_id is required.")),
            ("info of no id", ("FileIdInvalidError", "file_id is invalid.")),
            ("info of an unknown id", ("FileNotFoundError", "File is not found.")),
            (
                "start of a small file",
                (
                    "MultipartFileSizeTooSmallError",
                    "File size can not be less than 10000000 bytes. Please use direct upload instead of multipart.",
                ),
            ),
            ("start of a huge file", ("MultipartFileSizeLimitExceededError", "File size exceeds project limit.")),
            (
                "start with small parts",
                ("MultipartPartSizeTooSmallError", "Multipart Upload Part Size can not be less than 5242880 bytes."),
            ),
            ("complete of nothing", ("MultipartFileIdRequiredError", "uuid is required.")),
            ("complete of no id", ("UUIDInvalidError", "uuid is invalid.")),
            ("complete of an unknown id", ("MultipartFileNotFoundError", "File is not found.")),
            ("from_url of nothing", ("SourceURLRequiredError", "source_url is required.")),
            ("from_url without a scheme", ("URLSchemeRequiredError", "No URL scheme supplied.")),
            ("from_url without a host", ("URLHostRequiredError", "No URL host supplied.")),
            ("from_url by another protocol", ("URLSchemeInvalidError", "Invalid URL scheme.")),
            ("from_url of a private address", ("URLHostPrivateIPForbiddenError", "Only public IPs are allowed.")),
            ("from_url with an unknown key", unknown_key),
            ("group of nothing", ("GroupFilesInvalidError", "No files[N] parameters found.")),
            ("group of no id", ("GroupFileURLParsingFailedError", "This is not valid file url: nope.")),
            ("group of an unknown id", ("GroupFilesNotFoundError", "Some files not found.")),
            ("group info of nothing", ("GroupIdRequiredError", "group_id is required.")),
            ("group info of an unknown id", ("GroupNotFoundError", "group_id is invalid.")),
        ],
    );
    assert_eq!(place.recorded_ids().await, [""; 0]);
}

/// Checks that exactly these requests failed, each with its code and its text.
fn check_refusals(seen: &Value, expected: &[(&str, (&str, &str))]) {
    for (name, (code, message)) in expected {
        let error = &seen[name];
        let read = [&error["name"], &error["code"], &error["message"]];
        assert_eq!(read, [&json!("UploadError"), &json!(code), &json!(message)], "{name}");
    }
    assert_eq!(seen.as_object().unwrap().len(), expected.len());
}
