//! Processed pictures as official clients ask for them: the components in headless Chromium, and the builder of
//! `pyuploadcare`.

use serde_json::{Value, json};

use super::Runtime::{Chromium, Python};
use crate::stowage::{Place, Server};

/// The quarters of the picture.
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const YELLOW: [u8; 3] = [255, 255, 0];

/// A BMP of 400x300 pixels in four quarters.
fn quarters() -> Vec<u8> {
    let (width, height) = (400_u32, 300_u32);
    let mut pixels = Vec::<u8>::new();
    // From the bottom up, blue first.
    for row in (0..height).rev() {
        for column in 0..width {
            let color = match (column < width / 2, row < height / 2) {
                (true, true) => RED,
                (false, true) => GREEN,
                (true, false) => BLUE,
                (false, false) => YELLOW,
            };
            pixels.extend(color.iter().rev());
        }
    }
    let len = u32::try_from(pixels.len()).unwrap();
    let mut bytes = b"BM".to_vec();
    for number in [54 + len, 0, 54, 40, width, height, 1 | 24 << 16, 0, len, 2835, 2835, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(pixels);
    bytes
}

async fn upload(server: &Server) -> String {
    server.upload("quarters.bmp", quarters(), "1").await.unwrap()
}

/// Whether the browser has decoded these colours near the four corners, up to what encoding costs.
fn shows(seen: &Value, corners: [[u8; 3]; 4]) -> bool {
    let shown = seen["corners"].as_array().unwrap().iter().flat_map(|corner| corner.as_array().unwrap());
    let expected = corners.as_flattened();
    shown.clone().count() == expected.len()
        && shown.zip(expected).all(|(shown, expected)| shown.as_i64().unwrap().abs_diff(i64::from(*expected)) < 40)
}

#[tokio::test]
async fn the_components_show_and_edit_pictures() {
    if !Chromium.is_here() {
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let uuid = upload(&server).await;
    let seen = Chromium.run("pictures.mjs", json!({ "base": server.base, "uuid": uuid })).await;
    let image = &seen["image"];
    assert_eq!((&image["width"], &image["height"]), (&json!(200), &json!(150)));
    assert!(shows(image, [RED, GREEN, BLUE, YELLOW]), "{image}");
    // Mirrored, turned to the left, and in the colours of a filter.
    let applied = &seen["applied"];
    assert_eq!(applied["cdnUrlModifiers"], "-/filter/adaris/100/-/mirror/-/rotate/90/-/preview/");
    assert_eq!((&applied["width"], &applied["height"]), (&json!(300), &json!(400)));
    assert!(shows(applied, [RED, BLUE, GREEN, YELLOW]), "{applied}");
    // Among them ten previews of filters and more.
    let answers = seen["answers"].as_array().unwrap();
    for answer in answers {
        let url = answer["url"].as_str().unwrap();
        // A script that fetches, as this test's own does, names no format.
        let kinds = if url.ends_with("/-/json/") { &["application/json"][..] } else { &["image/avif", "image/png"] };
        assert!(answer["status"] == 200 && kinds.contains(&answer["type"].as_str().unwrap()), "{answer}");
    }
}

#[tokio::test]
async fn everything_that_the_builder_writes_is_computed() {
    if !Python.is_here() {
        return;
    }
    let place = Place::new().await;
    let config = place.folder.path().join("stowage.toml");
    let project =
        "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\ntext_overlays = true\n";
    std::fs::write(&config, project).unwrap();
    let server = place.serve(&["--config", config.to_str().unwrap()]).await;
    let input = json!({ "file": upload(&server).await, "other": upload(&server).await });
    let seen = Python.run("transformations.py", input).await;
    let paths = seen["paths"].as_array().unwrap();
    assert!(paths.len() > 150);
    for path in paths {
        let answer = server.http.get(server.url(&format!("/{}", path.as_str().unwrap()))).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(answer.status() == 200 && kind.starts_with("image/"), "{path}: {} {kind}", answer.status());
    }
    let faces = server.http.get(server.url(&format!("/{}", seen["faces"].as_str().unwrap()))).send().await.unwrap();
    let faces: Value = faces.json().await.unwrap();
    assert_eq!((&faces["width"], &faces["faces"]), (&json!(400), &json!([])));
}
