//! What `json`, `main_colors` and `detect_faces` are told.

use crate::sources::{Pixels, exif6, noise, photo, quad, rgb, svg, with_exif};
use crate::{Ask, see};
use stowage_render::{Description, Look, RenderError, describe, find_faces};

fn described(source: &[u8], path: &str, main_colors: Option<u16>) -> Description {
    Ask::default().job(source, path, |job| describe(job, main_colors)).unwrap()
}

fn hashes(source: &[u8], path: &str) -> (u64, String) {
    match described(source, path, None).look {
        Look::Hashes { hash, blurhash } => (hash, blurhash),
        Look::Colors(colors) => panic!("{colors:?}"),
    }
}

#[test]
fn originals_are_described_as_uploads_are() {
    let Description { info, original, look } = described(&photo(), "-/json/", None);
    assert_eq!((info.width, info.height, info.format.as_str()), (1600, 900, "JPEG"));
    assert_eq!((info.color_mode.as_deref(), info.sequence, info.orientation), (Some("RGB"), false, None));
    assert_eq!(original, None);
    assert!(matches!(look, Look::Hashes { blurhash, .. } if blurhash.len() == 52 && blurhash.starts_with('W')));
    let info = described(&exif6(), "-/json/", None).info;
    assert_eq!((info.width, info.height, info.orientation), (300, 400, Some(6)));
    assert!(info.geo_location.is_some() && info.datetime_original.is_some());
}

#[test]
fn processed_pictures_are_described_with_their_originals() {
    let Description { info, original, .. } = described(&exif6(), "-/preview/150x150/-/format/webp/-/json/", None);
    assert_eq!((info.width, info.height, info.format.as_str()), (113, 150, "WEBP"));
    assert_eq!((info.orientation, info.geo_location, info.datetime_original), (None, None, None));
    let original = original.unwrap();
    assert_eq!((original.width, original.height, original.orientation), (300, 400, Some(6)));
    let kept = described(&exif6(), "-/preview/-/strip_meta/none/-/json/", None).info;
    assert!(kept.orientation == Some(1) && kept.geo_location.is_some() && kept.datetime_original.is_some());
    let careful = described(&exif6(), "-/preview/-/strip_meta/sensitive/-/json/", None).info;
    assert!(careful.geo_location.is_none() && careful.datetime_original.is_some());
    assert_eq!(
        described(&quad(), "-/preview/-/border_radius/20/-/json/", None).info.color_mode.as_deref(),
        Some("RGBA")
    );
}

#[test]
fn hashes_are_those_of_what_is_seen() {
    let (whole, text) = hashes(&photo(), "-/json/");
    let (small, _) = hashes(&photo(), "-/preview/300x300/-/json/");
    assert!((whole ^ small).count_ones() <= 8);
    assert_eq!(hashes(&photo(), "-/json/").1, text);
    let spotted = see(&noise(6, 4).png(), "-/resize/600x400/-/format/jpeg/").rendered.bytes;
    let (whole, _) = hashes(&spotted, "-/json/");
    let (turned, _) = hashes(&spotted, "-/rotate/90/-/json/");
    assert!((whole ^ turned).count_ones() > 8);
    // The picture is upright, however it is stored.
    let (upright, _) = hashes(&with_exif(&spotted, 8), "-/json/");
    assert!((upright ^ turned).count_ones() <= 8);
}

#[test]
fn main_colors_are_found() {
    let source = Pixels::filled(100, 100, &rgb(0xFF_0000)).with([0, 0, 100, 30], &rgb(0x00_00FF)).png();
    for path in ["-/main_colors/2/", "-/resize/50x/-/main_colors/2/"] {
        let Look::Colors(colors) = described(&source, path, Some(2)).look else { panic!("{path}") };
        assert_eq!(colors.len(), 2);
        let near = |color: [u8; 3], wanted: [u8; 3]| color.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 24);
        assert!(near(colors[0], [255, 0, 0]) && near(colors[1], [0, 0, 255]), "{path}: {colors:?}");
    }
}

#[test]
fn drawings_are_described_too() {
    let Description { info, original, .. } = described(&svg(), "-/json/", None);
    assert_eq!((info.format.as_str(), info.width, info.height, original), ("SVG", 200, 100, None));
    let Description { info, original, .. } = described(&svg(), "-/resize/50x/-/json/", None);
    assert_eq!((info.format.as_str(), info.width, info.height), ("SVG", 50, 25));
    assert_eq!(original.unwrap().width, 200);
}

#[test]
fn what_is_no_picture_has_no_facts() {
    let refused = Ask::default().job(b"hello\n", "-/json/", |job| describe(job, None));
    assert_eq!(refused.unwrap_err(), RenderError::NotAnImage);
    let refused = Ask::default().job(b"hello\n", "", find_faces);
    assert_eq!(refused.unwrap_err(), RenderError::NotAnImage);
}

#[test]
fn a_picture_without_faces_has_none() {
    let (info, faces) = Ask::default().job(&exif6(), "", find_faces).unwrap();
    assert_eq!((info.width, info.height), (300, 400));
    assert!(faces.is_empty());
}
