//! Which format an answer has and how well it is encoded.

use crate::sources::{Pixels, alpha, flat, noise, photo, quad, rgb, small, svg, wide};
use crate::{Ask, see};
use stowage_render::{Accept, Options};

#[test]
fn avif_is_for_small_answers_only() {
    let seen = Ask::accept(true, true).see(&wide(), "-/resize/1999x1001/");
    assert_eq!((seen.kind(), seen.rendered.negotiated), ("image/webp", true));
    assert_eq!(Ask::accept(true, false).see(&wide(), "-/resize/1999x1001/").kind(), "image/jpeg");
    assert_eq!(Ask::accept(true, false).see(&wide(), "-/resize/400x/").kind(), "image/avif");
}

#[test]
fn projects_switch_formats_off() {
    let all = Accept { avif: true, webp: true };
    for (avif, webp, kind) in [(false, true, "image/webp"), (true, false, "image/avif"), (false, false, "image/jpeg")] {
        let options = Options { avif, webp, ..Options::default() };
        let seen = Ask { accept: all, options: Some(options), logo: None }.see(&photo(), "-/resize/200x/");
        assert_eq!(seen.kind(), kind);
        assert!(seen.rendered.negotiated);
    }
    // What is asked for by name is not automatic.
    let off = Options { avif: false, webp: false, ..Options::default() };
    assert_eq!(Ask::options(off).see(&photo(), "-/resize/200x/-/format/webp/").kind(), "image/webp");
    assert_eq!(Ask::options(off).see(&photo(), "-/resize/200x/-/format/avif/").kind(), "image/avif");
}

#[test]
fn artwork_and_transparency_are_png() {
    assert_eq!(see(&flat(), "-/preview/").kind(), "image/png");
    assert_eq!(see(&photo(), "-/preview/").kind(), "image/jpeg");
    assert_eq!(see(&photo(), "-/preview/200x200/-/border_radius/20/").kind(), "image/png");
    assert_eq!(see(&alpha(), "-/crop/100x100/150,100/").kind(), "image/png", "one colour, opaque");
    let clear = Ask::accept(true, true).see(&alpha(), "-/preview/");
    assert_eq!(clear.kind(), "image/avif");
    assert_eq!(clear.rgba(5, 5)[3], 0);
    let clear = Ask::accept(false, true).see(&alpha(), "-/preview/");
    assert_eq!(clear.kind(), "image/webp");
    assert_eq!((clear.rgba(5, 5)[3], clear.rgba(200, 150)[3]), (0, 255));
}

#[test]
fn preserve_keeps_what_it_can() {
    for (source, kind) in [(quad(), "image/png"), (photo(), "image/jpeg"), (alpha(), "image/png")] {
        assert_eq!(see(&source, "-/preview/100x100/-/format/preserve/").kind(), kind);
    }
    let rounded = see(&photo(), "-/preview/200x200/-/border_radius/50p/-/setfill/ff0000/-/format/preserve/");
    assert_eq!(rounded.kind(), "image/jpeg");
    rounded.probe(1, 1, 0xFF_0000, 12);
    let webp = see(&alpha(), "-/preview/-/format/webp/").rendered.bytes;
    assert_eq!(see(&webp, "-/preview/-/format/preserve/").kind(), "image/png");
    let webp = see(&photo(), "-/preview/-/format/webp/").rendered.bytes;
    assert_eq!(see(&webp, "-/preview/-/format/preserve/").kind(), "image/jpeg");
    assert_eq!(see(&svg(), "-/rasterize/-/format/preserve/").kind(), "image/jpeg");
}

#[test]
fn transparency_is_put_on_the_last_fill() {
    let seen = see(&alpha(), "-/setfill/ff0000/-/preview/-/setfill/00ff00/-/format/jpeg/");
    seen.probe(5, 5, 0x00_FF00, 12);
    let seen = see(&alpha(), "-/preview/-/format/jpeg/");
    seen.probe(5, 5, 0xFF_FFFF, 3);
}

#[test]
fn better_is_larger() {
    let source = noise(128, 128);
    let soft = see(&source.png(), "-/blur/8/-/format/png/").rendered.bytes;
    for format in ["jpeg", "webp", "avif"] {
        let len = |quality: &str| {
            see(&soft, &format!("-/preview/-/format/{format}/-/quality/{quality}/")).rendered.bytes.len()
        };
        let sizes = ["lightest", "lighter", "normal", "better", "best"].map(len);
        assert!(sizes.is_sorted() && sizes[0] < sizes[4], "{format}: {sizes:?}");
        assert!((sizes[0]..=sizes[4]).contains(&len("smart")), "{format}");
        assert!(len("smart_retina") <= len("smart"), "{format}");
    }
}

#[test]
fn normal_is_what_counts_unless_the_project_adapts() {
    let photo = photo();
    let path = "-/resize/300x/-/format/jpeg/";
    let plain = see(&photo, path).rendered.bytes;
    assert_eq!(plain, see(&photo, &format!("{path}-/quality/normal/")).rendered.bytes);
    let adaptive = Options { adaptive_quality: true, ..Options::default() };
    let adapted = Ask::options(adaptive).see(&photo, path).rendered.bytes;
    assert_eq!(adapted, see(&photo, &format!("{path}-/quality/smart/")).rendered.bytes);
    let named = Ask::options(adaptive).see(&photo, &format!("{path}-/quality/normal/")).rendered.bytes;
    assert_eq!(named, plain);
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    for path in
        ["-/resize/90x/-/format/jpeg/", "-/resize/90x/-/format/webp/-/quality/smart/", "-/scale_crop/80x80/smart/"]
    {
        assert_eq!(see(&photo(), path).rendered, see(&photo(), path).rendered, "{path}");
    }
}

#[test]
fn gray_stays_gray() {
    let gray = crate::sources::encode_jpeg(&[90; 64 * 48], 64, 48, 90, jpeg_encoder::ColorType::Luma);
    for format in ["jpeg", "png", "webp", "avif"] {
        let seen = see(&gray, &format!("-/resize/32x/-/format/{format}/"));
        seen.probe(10, 10, 0x5A_5A5A, 3);
    }
    let jpeg = see(&gray, "-/preview/-/format/jpeg/").rendered.bytes;
    let mut decoder = jpeg_decoder::Decoder::new(&jpeg[..]);
    decoder.read_info().unwrap();
    assert_eq!(decoder.info().unwrap().pixel_format, jpeg_decoder::PixelFormat::L8);
    // Colours are possible on it all the same.
    let seen = see(&gray, "-/preview/-/rect/ff0000/50px50p/0,0/-/format/png/");
    seen.probe(5, 5, 0xFF_0000, 0);
}

#[test]
fn every_kind_of_source_is_read() {
    let pixels = Pixels::gradient(64, 48).with([0, 0, 32, 24], &rgb(0xFF_0000));
    let png = pixels.png();
    let webp = see(&png, "-/preview/-/format/webp/-/quality/best/").rendered.bytes;
    let avif = see(&png, "-/preview/-/format/avif/-/quality/best/").rendered.bytes;
    let bmp = {
        let rows =
            pixels.data.chunks_exact(64 * 3).rev().flat_map(|row| row.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]));
        let mut bytes = b"BM".to_vec();
        for number in [54 + 64 * 48 * 3, 0, 54, 40, 64, 48, 1 | 24 << 16, 0, 64 * 48 * 3, 2835, 2835, 0, 0] {
            bytes.extend(u32::to_le_bytes(number));
        }
        bytes.extend(rows);
        bytes
    };
    for source in [&png, &pixels.jpeg(95), &webp, &avif, &bmp] {
        let seen = see(source, "-/resize/32x/-/format/png/");
        assert_eq!(seen.size(), (32, 24));
        seen.probe(5, 5, 0xFF_0000, 24);
    }
    assert_eq!(see(&small(), "-/format/png/").size(), (160, 120));
}
