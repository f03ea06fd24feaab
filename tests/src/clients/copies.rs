//! Copies to storages by official clients, into an S3 server that knows who may read what.

use serde_json::{Value, json};
use stowage_model::Ids;
use stowage_store::testing::named;

use super::Runtime::{self, Node, Python};
use super::{NOBODY, PICTURE, SCHEMES, check_failures, picture};
use crate::stowage::Place;

/// What is refused, in the words of both clients.
const REFUSED: [(&str, &str); 6] = [
    ("an unknown storage", "Project has no storage with provided name."),
    ("a bad pattern", "Invalid pattern provided: `${nope}`"),
    ("a bad character", "Invalid pattern provided: Invalid character in a pattern."),
    ("no picture", "Not supported for files that are not images."),
    ("an unknown file", "Not found."),
    ("no bucket", "Can not copy to storage `gone`: NoSuchBucket."),
];

#[tokio::test]
async fn the_javascript_client_copies_to_storages() {
    if !Node.is_here() {
        return;
    }
    for scheme in SCHEMES {
        let answer = |result: String| json!({ "type": "url", "result": result });
        check(&Node, "rest_copies.mjs", scheme, answer, |text| {
            let status = if text == "Not found." { "404 Not Found" } else { "400 Bad Request" };
            ("RestClientError", format!("[{status}] {text}"))
        })
        .await;
    }
}

#[tokio::test]
async fn the_python_client_copies_to_storages() {
    if !Python.is_here() {
        return;
    }
    for scheme in SCHEMES {
        check(&Python, "rest_copies.py", scheme, Value::from, |text| {
            ("InvalidRequestError", json!({ "detail": text }).to_string())
        })
        .await;
    }
}

/// Runs a script and looks at what it was answered, and at what is in the bucket.
async fn check(
    client: &Runtime,
    script: &str,
    scheme: &str,
    answer: impl Fn(String) -> Value,
    refusal: impl Fn(&'static str) -> (&'static str, String),
) {
    let Some(s3) = named("STOWAGE_TEST_S3_ACL_ENDPOINT", "s3") else { return };
    let bucket = format!("clients-{}", Ids::random().uuid().simple());
    let http = reqwest::Client::new();
    assert_eq!(http.put(format!("{s3}/{bucket}")).send().await.unwrap().status(), 200);
    let storage = |name: &str, bucket: &str| {
        format!(
            "[[storages]]\nproject = \"demopublickey\"\nname = \"{name}\"\nbucket = \"{bucket}\"\nendpoint_url = \"{s3}\"\n\
             access_key_id = \"test\"\nsecret_access_key = \"test\"\nauto_copy = false\n"
        )
    };
    let place = Place::new().await;
    let config = place.folder.path().join("stowage.toml");
    std::fs::write(&config, storage("archive", &bucket) + &storage("gone", &format!("{bucket}-gone"))).unwrap();
    let server = place.serve(&["--config", config.to_str().unwrap()]).await;
    let input = json!({ "base": server.base, "scheme": scheme, "picture": picture(), "nobody": NOBODY });
    let seen = client.run(script, input).await;

    let id = |name: &str| seen["ids"][name].as_str().unwrap();
    let keys = [
        ("copied", format!("{}/apixel.png", id("picture"))),
        ("existed", format!("{}/apixel.png", id("picture"))),
        ("processed", format!("{}/apixel-resize-20x30-format-jpeg.jpg", id("picture"))),
        ("secret", format!("private/{}.txt", id("text"))),
        ("byPattern", "texts/hello".to_owned()),
    ];
    for (name, key) in &keys {
        assert_eq!(seen[*name], answer(format!("s3://{bucket}/{key}")), "{name}");
        let got = http.get(format!("{s3}/{bucket}/{key}")).send().await.unwrap();
        let (status, media_type) = (got.status(), got.headers().get("content-type").cloned());
        let bytes = got.bytes().await.unwrap();
        match *name {
            "secret" => assert_eq!(status, 403),
            "byPattern" => assert_eq!((status.as_u16(), &bytes[..]), (200, &b"hello"[..])),
            "processed" => {
                assert_eq!((media_type.unwrap().as_bytes(), &bytes[..2]), (&b"image/jpeg"[..], &[0xff, 0xd8][..]));
            }
            _ => assert_eq!((media_type.unwrap().as_bytes(), &bytes[..]), (&b"image/png"[..], PICTURE)),
        }
    }
    let refused = REFUSED.map(|(name, text)| (name, refusal(text)));
    let refused: Vec<(&str, &str, &str)> =
        refused.iter().map(|(name, (error, text))| (*name, *error, text.as_str())).collect();
    check_failures(&seen["refused"], &refused);
    // Nothing was written for those that were refused, or twice.
    let listed = http.get(format!("{s3}/{bucket}?list-type=2")).send().await.unwrap().text().await.unwrap();
    assert_eq!(listed.matches("<Key>").count(), 4, "{listed}");
}
