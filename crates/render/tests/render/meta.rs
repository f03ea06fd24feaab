//! What goes along with the pixels: EXIF data and profiles.

use crate::see;
use crate::sources::{exif, exif6, photo, quarters, with_exif, with_segment};
use stowage_model::ImageInfo;

fn facts(bytes: &[u8]) -> ImageInfo {
    stowage_image::probe_head(bytes, bytes.len() as u64, &stowage_image::Limits::default())
        .unwrap()
        .content
        .image
        .unwrap()
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn nothing_is_kept_unless_asked_for() {
    for path in ["-/preview/-/format/jpeg/", "-/preview/-/format/jpeg/-/strip_meta/all/", "-/preview/-/format/png/"] {
        let bytes = see(&exif6(), path).rendered.bytes;
        assert!(!has(&bytes, b"Exif") && !has(&bytes, b"eXIf") && !has(&bytes, b"TestCam"), "{path}");
        assert_eq!(facts(&bytes).orientation, None);
    }
}

#[test]
fn exif_is_kept_in_every_format_and_upright() {
    for format in ["jpeg", "png", "webp", "avif"] {
        let bytes = see(&exif6(), &format!("-/preview/-/format/{format}/-/strip_meta/none/")).rendered.bytes;
        assert!(has(&bytes, b"TestCam"), "{format}");
        let facts = facts(&bytes);
        assert_eq!((facts.width, facts.height), (300, 400), "{format}");
        assert_eq!(facts.orientation, Some(1), "{format}");
        assert_eq!(facts.datetime_original.as_deref(), Some("2020-06-07T10:38:16"));
        let place = facts.geo_location.unwrap();
        assert!((place.latitude - 43.603_33).abs() < 0.001 && (place.longitude - 3.877_77).abs() < 0.001);
    }
}

#[test]
fn the_place_can_be_left_out() {
    for format in ["jpeg", "png", "webp", "avif"] {
        let bytes = see(&exif6(), &format!("-/preview/-/format/{format}/-/strip_meta/sensitive/")).rendered.bytes;
        assert!(has(&bytes, b"TestCam"), "{format}");
        let facts = facts(&bytes);
        assert_eq!(
            (facts.geo_location, facts.datetime_original.as_deref()),
            (None, Some("2020-06-07T10:38:16")),
            "{format}"
        );
        // The numbers themselves are gone too.
        assert!(!has(&bytes, &[43, 0, 0, 0, 1, 0, 0, 0, 36, 0, 0, 0, 1, 0, 0, 0]), "{format}");
    }
}

#[test]
fn exif_data_that_makes_no_sense_is_left_out() {
    let jpeg = quarters(40, 30).jpeg(90);
    for content in [&b"Exif\0\0II*\0\xFF\xFF\xFF\xFF"[..], b"Exif\0\0", b"Exif\0\0XX*\0\x08\0\0\0"] {
        let bytes =
            see(&with_segment(&jpeg, 0xE1, content), "-/preview/-/format/jpeg/-/strip_meta/none/").rendered.bytes;
        assert_eq!(facts(&bytes).orientation, None);
    }
    let whole = exif(1);
    for len in (0..whole.len()).step_by(7) {
        let source = with_segment(&jpeg, 0xE1, &[b"Exif\0\0", &whole[..len]].concat());
        see(&source, "-/preview/-/format/jpeg/-/strip_meta/sensitive/");
    }
}

#[test]
fn other_data_is_dropped_always() {
    let jpeg =
        with_segment(&with_exif(&quarters(40, 30).jpeg(90), 1), 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>");
    let jpeg = with_segment(&jpeg, 0xED, b"Photoshop 3.0\08BIM");
    let bytes = see(&jpeg, "-/preview/-/format/jpeg/-/strip_meta/none/").rendered.bytes;
    assert!(has(&bytes, b"TestCam") && !has(&bytes, b"xmpmeta") && !has(&bytes, b"Photoshop"));
}

#[test]
fn a_picture_that_is_not_turned_is_shown_as_it_is_stored() {
    let bytes = see(&exif6(), "-/autorotate/no/-/preview/-/format/jpeg/-/strip_meta/none/").rendered.bytes;
    let facts = facts(&bytes);
    assert_eq!((facts.width, facts.height, facts.orientation), (400, 300, Some(1)));
    assert_eq!(see(&photo(), "-/autorotate/no/-/preview/").size(), (1600, 900));
}
