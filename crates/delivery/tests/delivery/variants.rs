//! Variants: made once, kept over a restart, never half.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use stowage_delivery::{Accept, Body, Look, VariantError};
use stowage_store::blobs::conformance::eventually;

use crate::house::{House, bytes, facts, files_below, operations, options, png, read, request};

/// Waits until there are so many variants on disk.
async fn kept(house: &House, count: usize) {
    let folder = house.folder.join("variants");
    eventually("variants are on disk", async || {
        let files = files_below(&folder);
        files.len() == count && files.iter().all(|file| file.extension().is_none_or(|name| name != "part"))
    })
    .await;
}

#[tokio::test]
async fn a_variant_is_what_was_asked_for_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(1, 300, 200).await;
    let made = house.variant(&file, "-/resize/30x/-/format/png/").await.unwrap();
    assert_eq!((made.media_type, made.width, made.height, made.negotiated), ("image/png", 30, 20, false));
    assert_eq!((made.etag.len(), made.len), (32, bytes(&made).await.len() as u64));
    kept(&house, 1).await;

    let house = house.again().await;
    // Nobody can make it again.
    house.blobs.delete(file.blob.as_ref().unwrap()).await.unwrap();
    let found = house.variant(&file, "-/resize/30x/-/format/png/").await.unwrap();
    assert_eq!((found.media_type, found.width, found.height), ("image/png", 30, 20));
    assert_eq!((&found.etag, bytes(&found).await), (&made.etag, bytes(&made).await));
    let other = house.variant(&file, "-/resize/31x/-/format/png/").await.unwrap_err();
    assert_eq!(other, VariantError::Gone);
}

#[tokio::test]
async fn large_variants_are_streamed_in_exact_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    // Noise, which no format makes small.
    let (width, height) = (700, 600);
    let data = stowage_store::testing::bytes(7, 700 * 600 * 3);
    let bitmap = stowage_codecs::Bitmap { width, height, layout: stowage_codecs::Layout::Rgb, data };
    let source = Bytes::from(stowage_codecs::png(&bitmap, stowage_codecs::Extras::default()).unwrap());
    let file = house.file("noise.png", &source, Some(facts("PNG", width, height))).await;
    let made = house.variant(&file, "-/mirror/-/format/png/").await.unwrap();
    let all = bytes(&made).await;
    assert!(all.len() > 1 << 20);
    kept(&house, 1).await;
    let house = house.again().await;
    let found = house.variant(&file, "-/mirror/-/format/png/").await.unwrap();
    assert!(matches!(found.whole(), Body::Stream(_)));
    assert_eq!(bytes(&found).await, all);
    for (start, end) in [(0, 1), (262_143, 262_145), (5, 5), (all.len() - 3, all.len())] {
        assert_eq!(read(found.body(start as u64..end as u64)).await, all[start..end], "{start}..{end}");
    }
    house.delivery.forget(&[file.id]);
    assert_eq!(bytes(&found).await, all, "who has begun to read it reads it to the end");
}

#[tokio::test]
async fn what_a_crash_left_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(2, 300, 200).await;
    let made = house.variant(&file, "-/resize/60x/-/format/png/").await.unwrap();
    let good = bytes(&made).await;
    kept(&house, 1).await;
    let variants = house.folder.join("variants");
    let path = files_below(&variants).remove(0);
    for broken in [&good[..good.len() / 2], &vec![0; good.len()], &[], &[&good[..], b"more"].concat()] {
        let house = House::open(folder.path(), options()).await;
        fs::write(&path, broken).unwrap();
        fs::write(variants.join("123-0.part"), &good[..5]).unwrap();
        fs::write(path.with_file_name("000102030405060708090a0b0c0d0e0f.png"), &good).unwrap();
        fs::write(variants.join("README"), "of somebody else").unwrap();
        let house = house.again().await;
        let again = house.variant(&file, "-/resize/60x/-/format/png/").await.unwrap();
        assert_eq!(bytes(&again).await, good, "{} bytes", broken.len());
        eventually("it is whole on disk again", async || fs::read(&path).is_ok_and(|bytes| bytes == good)).await;
        let mut left: Vec<_> = files_below(&variants).into_iter().collect();
        left.sort();
        let mut wanted = vec![path.clone(), variants.join("README")];
        wanted.sort();
        assert_eq!(left, wanted);
    }
}

#[tokio::test]
async fn a_hundred_requests_share_what_one_of_them_makes() {
    let folder = tempfile::tempdir().unwrap();
    // One may be under way: a second one for the same would be refused.
    let house = House::open(folder.path(), stowage_delivery::Options { render_queue: 1, ..options() }).await;
    let file = house.picture(3, 800, 600).await;
    let asked = operations("-/resize/40x/-/format/png/");
    let all = join_all((0..100).map(|_| house.delivery.variant(request(&file, &asked)))).await;
    let first = all[0].as_ref().unwrap();
    for one in &all {
        let one = one.as_ref().unwrap();
        assert_eq!((&one.etag, bytes(one).await), (&first.etag, bytes(first).await));
    }
    kept(&house, 1).await;
}

#[tokio::test]
async fn refusals_are_told_apart_and_stay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let text = house.file("a.txt", &Bytes::from_static(b"hello"), None).await;
    let broken = Bytes::from(png(1, 300, 200)[..60].to_vec());
    let broken = house.file("b.png", &broken, Some(facts("PNG", 300, 200))).await;
    let picture = house.picture(4, 30, 20).await;
    for _ in 0..2 {
        assert_eq!(house.variant(&text, "-/preview/").await.unwrap_err(), VariantError::NotAnImage);
        assert!(matches!(house.variant(&broken, "-/preview/").await, Err(VariantError::Damaged(_))));
        assert!(matches!(house.variant(&picture, "-/resize/4000x/").await, Err(VariantError::TooLarge(_))));
        let text = house.variant(&picture, "-/text/50px50p/center/hello/").await;
        assert!(matches!(text, Err(VariantError::Invalid(_))), "texts are switched off");
        let overlay = format!("-/overlay/{}/", text_id());
        assert!(matches!(house.variant(&picture, &overlay).await, Err(VariantError::NoOverlay(_))));
    }
    let asked = operations(&format!("-/overlay/{}/", text.id));
    let with_text = stowage_delivery::VariantRequest { overlays: vec![Arc::clone(&text)], ..request(&picture, &asked) };
    let refused = house.delivery.variant(with_text).await.unwrap_err();
    assert_eq!(refused, VariantError::OverlayNotAnImage(text.id));
}

fn text_id() -> stowage_model::FileId {
    stowage_model::Ids::random().file()
}

#[tokio::test]
async fn formats_are_negotiated_and_shared_by_those_who_get_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(5, 300, 200).await;
    let ask = async |path: &str, accept: Accept, look: Look| {
        let operations = operations(path);
        let request = stowage_delivery::VariantRequest { accept, look, ..request(&file, &operations) };
        house.delivery.variant(request).await.unwrap()
    };
    let (none, webp) = (Accept::default(), Accept { webp: true, avif: false });
    let plain = ask("-/preview/90x90/", none, Look::default()).await;
    let small = ask("-/preview/90x90/", webp, Look::default()).await;
    assert_eq!((small.media_type, small.negotiated, plain.negotiated), ("image/webp", true, true));
    assert_ne!(plain.etag, small.etag);
    let without = ask("-/preview/90x90/", webp, Look { webp: false, ..Look::default() }).await;
    assert_eq!((without.media_type, without.etag), (plain.media_type, plain.etag));
    let fixed = ask("-/preview/90x90/-/format/png/", none, Look::default()).await;
    let same = ask("-/preview/90x90/-/format/png/", webp, Look::default()).await;
    assert_eq!((fixed.etag, fixed.negotiated), (same.etag, false));
}

#[tokio::test]
async fn facts_are_kept_like_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(6, 300, 200).await;
    let json = house.variant(&file, "-/json/").await.unwrap();
    assert_eq!((json.media_type, json.width, json.negotiated), ("application/json", 0, false));
    let original: serde_json::Value = serde_json::from_slice(&bytes(&json).await).unwrap();
    assert_eq!((&original["id"], &original["width"]), (&file.id.to_string().into(), &300.into()));
    assert_eq!(original["hash"].as_str().unwrap().len(), 16);
    assert!(original.get("original").is_none());

    let asked = operations("-/resize/30x/-/json/");
    let written = stowage_delivery::VariantRequest { written: "-/resize/30x/", ..request(&file, &asked) };
    let made = house.delivery.variant(written).await.unwrap();
    let made: serde_json::Value = serde_json::from_slice(&bytes(&made).await).unwrap();
    assert_eq!(made["id"], format!("/{}/-/resize/30x/", file.id));
    assert_eq!((&made["width"], &made["original"]["width"]), (&30.into(), &300.into()));
    assert_eq!(made["original"]["id"], file.id.to_string());

    let script = house.variant(&file, "-/jsonp/").await.unwrap();
    let text = String::from_utf8(bytes(&script).await).unwrap();
    assert_eq!(script.media_type, "application/javascript");
    let data = text.strip_prefix(&format!("uploadcare_callback(\"{}\", ", file.id)).unwrap();
    let data: serde_json::Value = serde_json::from_str(data.strip_suffix(");").unwrap()).unwrap();
    assert_eq!(data, original);

    let colors = house.variant(&file, "-/main_colors/3/").await.unwrap();
    let colors: serde_json::Value = serde_json::from_slice(&bytes(&colors).await).unwrap();
    assert!((1..=3).contains(&colors["main_colors"].as_array().unwrap().len()));
    let faces = house.delivery.faces(&file).await.unwrap();
    let faces: serde_json::Value = serde_json::from_slice(&bytes(&faces).await).unwrap();
    assert_eq!((&faces["faces"], &faces["height"]), (&serde_json::json!([]), &200.into()));
    kept(&house, 5).await;
}

#[tokio::test]
async fn nothing_is_kept_on_disk_where_none_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let none = stowage_delivery::Options { variant_cache: 0, ..options() };
    let house = House::open(folder.path(), none).await;
    let file = house.picture(8, 30, 20).await;
    for _ in 0..2 {
        assert_eq!(house.variant(&file, "-/resize/10x/").await.unwrap().width, 10);
    }
    assert_eq!(files_below(&house.folder.join("variants")).len(), 0);
}

#[tokio::test]
async fn who_waits_too_long_is_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let hasty = stowage_delivery::Options { render_timeout: Duration::ZERO, ..options() };
    let house = House::open(folder.path(), hasty).await;
    // Large enough for the clock to move on meanwhile.
    let file = house.picture(9, 2500, 2000).await;
    let refused = house.variant(&file, "-/rotate/90/").await.unwrap_err();
    assert!(matches!(refused, VariantError::Busy { retry_after: 1.. }));
}
