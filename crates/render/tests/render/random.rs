//! Chains that nobody would write, on small pictures: they never panic, and what they give has the size that it says and keeps
//! the limits.

use crate::sources::{Pixels, alpha, encode_jpeg, exif6, logo, noise, quarters, svg};
use crate::{Ask, LOGO, Seen};
use proptest::prelude::*;
use stowage_render::{Accept, Options, RenderError};

/// Pictures of every layout, one of them a single pixel.
fn pictures() -> Vec<Vec<u8>> {
    let inks = encode_jpeg(&[10, 200, 30, 90].repeat(33 * 21), 33, 21, 90, jpeg_encoder::ColorType::Cmyk);
    let gray = encode_jpeg(&[90; 40 * 30], 40, 30, 90, jpeg_encoder::ColorType::Luma);
    let photo = Pixels::gradient(161, 121).jpeg(90);
    let dot = quarters(1, 1).png();
    vec![photo, quarters(64, 40).png(), alpha(), exif6(), inks, gray, dot, noise(57, 90).jpeg(70), svg()]
}

fn size() -> impl Strategy<Value = String> {
    let one = || prop_oneof![(1..300_u32).prop_map(|n| n.to_string()), (1..200_u32).prop_map(|n| format!("{n}p"))];
    (one(), one()).prop_map(|(width, height)| format!("{width}x{height}"))
}

fn align() -> impl Strategy<Value = String> {
    let one = || prop_oneof![(-200..300_i32).prop_map(|n| n.to_string()), (0..150_u32).prop_map(|n| format!("{n}p"))];
    let words = prop::sample::select(vec!["center", "top", "right", "bottom", "left"]).prop_map(str::to_owned);
    prop_oneof![words, (one(), one()).prop_map(|(x, y)| format!("{x},{y}"))]
}

fn step() -> impl Strategy<Value = String> {
    let dims = || (1..400_u32, 1..400_u32).prop_map(|(width, height)| format!("{width}x{height}"));
    prop_oneof![
        dims().prop_map(|dims| format!("preview/{dims}")),
        dims().prop_map(|dims| format!("resize/{dims}")),
        (1..400_u32).prop_map(|width| format!("resize/{width}x")),
        (1..400_u32).prop_map(|height| format!("resize/x{height}")),
        prop::sample::select(vec!["stretch/on", "stretch/off", "stretch/fill"]).prop_map(str::to_owned),
        (dims(), align()).prop_map(|(dims, align)| format!("scale_crop/{dims}/{align}")),
        dims().prop_map(|dims| format!("scale_crop/{dims}/smart")),
        dims().prop_map(|dims| format!("smart_resize/{dims}")),
        (size(), align()).prop_map(|(size, align)| format!("crop/{size}/{align}")),
        (1..20_u32, 1..20_u32, align()).prop_map(|(w, h, align)| format!("crop/{w}:{h}/{align}")),
        (size(), align()).prop_map(|(size, align)| format!("crop/image/{size}/{align}")),
        Just("crop/face/1:1".to_owned()),
        (0..=100_u8, 0..40_u8).prop_map(|(tolerance, padding)| format!("trim/{tolerance}/{padding}")),
        Just("setfill/12345678".to_owned()),
        (0..120_u32, 0..200_u32).prop_map(|(a, b)| format!("border_radius/{a},{b}p/{b}")),
        (0..=100_u8).prop_map(|zoom| format!("zoom_objects/{zoom}")),
        (0..4_u16).prop_map(|quarters| format!("rotate/{}", quarters * 90)),
        prop::sample::select(vec!["flip", "mirror", "grayscale", "invert", "rasterize"]).prop_map(str::to_owned),
        (0..=5000_u16, -200..=100_i16).prop_map(|(strength, amount)| format!("blur/{strength}/{amount}")),
        (size(), align(), 0..500_u16)
            .prop_map(|(size, align, strength)| format!("blur_region/{size}/{align}/{strength}")),
        (0..=20_u8).prop_map(|strength| format!("sharp/{strength}")),
        (0..=100_u8).prop_map(|strength| format!("enhance/{strength}")),
        (-100..=500_i16).prop_map(|value| format!("saturation/{value}")),
        (-200..=200_i16).prop_map(|value| format!("exposure/{value}")),
        (-100..=200_i16).prop_map(|amount| format!("filter/carris/{amount}")),
        (size(), align(), 0..=100_u8).prop_map(|(size, at, seen)| format!("overlay/{LOGO}/{size}/{at}/{seen}p")),
        (size(), align()).prop_map(|(size, align)| format!("overlay/self/{size}/{align}")),
        (size(), align()).prop_map(|(size, align)| format!("rect/ff000080/{size}/{align}")),
        (size(), align()).prop_map(|(size, align)| format!("text/{size}/{align}/Stowage~nholds")),
        prop::sample::select(vec![
            "srgb/icc",
            "srgb/keep_profile",
            "autorotate/no",
            "strip_meta/none",
            "progressive/yes"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chains_keep_the_limits(
        which in 0..9_usize,
        steps in prop::collection::vec(step(), 0..8),
        format in prop::sample::select(vec!["auto", "jpeg", "png", "webp", "preserve"]),
    ) {
        let path = steps.iter().fold(String::new(), |path, step| path + "-/" + step + "/") + "-/format/" + format + "/";
        let logo = logo();
        let options = Options { text: true, ..Options::default() };
        let ask = Ask { accept: Accept { avif: false, webp: true }, options: Some(options), logo: Some(&logo) };
        match ask.render(&pictures()[which], &path) {
            Ok(rendered) => {
                let most = if format == "jpeg" { 5000 } else { 3000 };
                prop_assert!(rendered.width.max(rendered.height) <= most, "{path}");
                if rendered.media_type != "image/svg+xml" {
                    Seen::new(rendered);
                }
            }
            Err(RenderError::TooLarge(_)) => {}
            Err(other) => prop_assert!(false, "{path}: {other:?}"),
        }
    }
}
