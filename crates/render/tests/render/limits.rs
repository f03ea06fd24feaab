//! What is refused, and that it is refused before it costs anything.

use crate::sources::{Pixels, alpha, flat, photo, quad, small, svg, wide};
use crate::{Ask, LOGO, operations, refusal, see};
use stowage_model::ImageInfo;
use stowage_render::{Limits, Options, RenderError, estimate};

#[track_caller]
fn too_large(source: &[u8], path: &str) {
    let error = refusal(source, path);
    assert!(matches!(error, RenderError::TooLarge(_)), "{path}: {error:?}");
}

#[test]
fn written_sizes_are_limited_even_where_they_are_not_reached() {
    for path in [
        "-/preview/3001x100/",
        "-/preview/100x3001/",
        "-/resize/3001x/",
        "-/resize/x3001/",
        "-/resize/10x3001/",
        "-/smart_resize/3001x10/",
        "-/scale_crop/3001x10/",
        "-/scale_crop/10x3001/center/",
        "-/stretch/off/-/resize/4000x/",
        "-/resize/4000x/-/resize/100x/",
        "-/format/webp/-/resize/3001x/",
        "-/format/jpeg/-/resize/5001x/",
    ] {
        too_large(&small(), path);
    }
    assert_eq!(see(&small(), "-/format/jpeg/-/preview/5000x5000/").size(), (160, 120));
    assert_eq!(see(&small(), "-/preview/3000x3000/").size(), (160, 120));
}

#[test]
fn results_are_limited_whatever_led_to_them() {
    too_large(&wide(), "-/format/png/");
    too_large(&wide(), "-/rotate/90/");
    too_large(&wide(), "-/crop/3500x100/");
    too_large(&quad(), "-/crop/3500x100/");
    too_large(&quad(), "-/resize/x2000/");
    assert_eq!(see(&wide(), "-/format/jpeg/").size(), (4000, 2000));
    assert_eq!(see(&quad(), "-/crop/3500x100/-/preview/").size(), (2048, 59));
    too_large(&svg(), "-/crop/4000x10/");
}

#[test]
fn steps_on_the_way_are_limited() {
    too_large(&quad(), "-/crop/40000x10/-/preview/");
    too_large(&quad(), "-/crop/20000x20000/-/preview/");
    too_large(&quad(), "-/crop/100000px100000p/-/preview/");
    let line = Pixels::filled(1000, 1, &[0; 3]).png();
    too_large(&line, "-/scale_crop/10x3000/-/preview/");
    let trimmed = "-/trim/-/crop/20000x20000/-/preview/";
    too_large(&quad(), trimmed);
}

#[test]
fn work_is_limited() {
    let blurs = format!("{}-/preview/100x100/", "-/blur/10/".repeat(90));
    too_large(&wide(), &blurs);
    assert_eq!(see(&small(), &blurs).size(), (100, 75));
}

#[test]
fn overlays_are_work() {
    let large = "-/overlay/self/8660x8660/-/overlay/self/8650x8650/".repeat(10);
    too_large(&small(), &format!("-/resize/10x10/{large}"));
    let photo = photo();
    let many = format!("-/overlay/{LOGO}/-/overlay/{LOGO}/50px50p/").repeat(30);
    let limits = Limits { max_work: 50_000_000, ..Limits::default() };
    let ask = |path: &str| {
        Ask { logo: Some(&photo), ..Ask::options(Options { limits, ..Options::default() }) }.render(&small(), path)
    };
    assert!(matches!(ask(&many), Err(RenderError::TooLarge(_))), "1.4 megapixels 60 times");
    assert!(ask(&format!("-/overlay/{LOGO}/").repeat(60)).is_ok());
}

#[test]
fn content_that_becomes_larger_than_the_picture_would_is_refused_then() {
    let all = Pixels::filled(200, 200, &[9; 3]);
    let narrow = all.clone().with([90, 0, 110, 200], &[200; 3]).png();
    let square = all.with([0, 1, 200, 200], &[200; 3]).png();
    let path = "-/trim/-/resize/100x/-/blur/10/-/blur/10/";
    for limits in [
        Limits { max_work: 300_000, ..Limits::default() },
        Limits { max_memory: 250_000, ..Limits::default() },
        Limits { max_pixels: 80_000, ..Limits::default() },
    ] {
        let ask = Ask::options(Options { limits, ..Options::default() });
        assert_eq!(ask.see(&square, path).size(), (100, 100));
        let error = ask.render(&narrow, path).unwrap_err();
        assert!(matches!(error, RenderError::TooLarge(_)), "{error:?}");
    }
}

#[test]
fn sources_over_the_limits_are_no_images() {
    let limits = Limits { max_pixels: 100_000, ..Limits::default() };
    let ask = Ask::options(Options { limits, ..Options::default() });
    assert_eq!(ask.render(&photo(), "-/preview/").unwrap_err(), RenderError::NotAnImage);
    let limits = Limits { max_source_bytes: 1000, ..Limits::default() };
    let ask = Ask::options(Options { limits, ..Options::default() });
    assert_eq!(ask.render(&photo(), "-/preview/").unwrap_err(), RenderError::NotAnImage);
    assert_eq!(refusal(b"", "-/preview/"), RenderError::NotAnImage);
    assert_eq!(refusal(b"%PDF-1.7", "-/preview/"), RenderError::NotAnImage);
}

#[test]
fn memory_is_limited_and_counted_for_what_is_really_held() {
    let limits = Limits { max_memory: 6_000_000, ..Limits::default() };
    let ask = Ask::options(Options { limits, ..Options::default() });
    // 8 megapixels whole are 24 MB; at an eighth they are nearly nothing.
    assert_eq!(ask.see(&wide(), "-/resize/200x/").size(), (200, 100));
    for path in ["-/preview/2000x2000/", "-/blur/10/-/resize/200x/", "-/crop/100x100/"] {
        let error = ask.render(&wide(), path).unwrap_err();
        assert!(matches!(error, RenderError::TooLarge(_)), "{path}: {error:?}");
    }
}

/// The CRC of PNG, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[test]
fn a_header_that_lies_is_found_out() {
    let mut png = flat();
    png[16..24].copy_from_slice(&[0, 0, 0x1F, 0xFF, 0, 0, 0x1F, 0xFF]);
    let sum = checksum(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    let error = refusal(&png, "-/preview/");
    assert!(matches!(error, RenderError::Damaged(_)), "{error:?}");
    png[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    assert_eq!(refusal(&png, "-/preview/"), RenderError::NotAnImage);
}

#[test]
fn damage_is_told_and_never_more_than_that() {
    for whole in [photo(), quad(), alpha(), see(&quad(), "-/preview/-/format/webp/").rendered.bytes] {
        for part in 1..24 {
            let cut = &whole[..whole.len() * part / 24];
            match Ask::default().render(cut, "-/preview/50x50/") {
                Ok(rendered) => assert!(rendered.width <= 50 && rendered.height <= 50),
                Err(RenderError::Damaged(_) | RenderError::NotAnImage) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn costs_are_told_beforehand() {
    let cost = |size, path: &str| estimate(size, &operations(path), &|_| None);
    let thumb = cost((4000, 3000), "-/resize/400x/");
    assert!(!thumb.heavy && thumb.output_pixels == 400 * 300 && thumb.memory >= 4000 * 3000);
    assert!(cost((8000, 6000), "-/blur/100/-/resize/400x/").heavy);
    assert!(cost((8000, 6000), "-/preview/").memory > thumb.memory);
    let refused = cost((4000, 3000), "-/resize/9000x/");
    assert!(!refused.heavy && refused.output_pixels == 0);
    // A picture that is laid on has to be decoded and scaled.
    let over = ImageInfo {
        color_mode: None,
        orientation: None,
        format: "JPEG".to_owned(),
        width: 6000,
        height: 4000,
        sequence: false,
        geo_location: None,
        datetime_original: None,
        dpi: None,
    };
    let path = format!("-/resize/100x/-/overlay/{LOGO}/");
    let (with, without) = (estimate((200, 100), &operations(&path), &|_| Some(&over)), cost((200, 100), &path));
    assert!(with.heavy && !without.heavy && with.memory >= without.memory + 6000 * 4000 * 4);
}
