//! Colours in a chain: runs of adjustments, inks, profiles.

use crate::sources::{Pixels, color, encode_jpeg, logo, noise, photo, rgb};
use crate::{Ask, LOGO, see};
use jpeg_encoder::ColorType;
use stowage_codecs::{Bitmap, Extras, Layout};

#[test]
fn adjustments_in_a_row_are_not_rounded_between() {
    let levels =
        Pixels { width: 256, height: 1, alpha: false, data: (0..=255_u8).flat_map(|level| [level; 3]).collect() };
    let seen = see(&levels.png(), "-/contrast/-90/-/contrast/500/-/contrast/67/-/format/png/");
    let distinct: std::collections::BTreeSet<_> = seen.pixels.iter().map(|pixel| pixel[0]).collect();
    assert!(distinct.len() > 200, "{}: 0.1 * 6 * 1.67 is nearly 1", distinct.len());
}

#[test]
fn neutral_values_change_nothing() {
    let noise = noise(40, 30);
    let path = "-/brightness/0/-/exposure/0/-/gamma/100/-/contrast/0/-/saturation/0/-/vibrance/0/-/warmth/0/-/blur/0/\
                -/sharp/0/-/enhance/0/-/filter/adaris/0/-/zoom_objects/0/-/format/png/";
    let data: Vec<u8> = see(&noise.png(), path).pixels.iter().flat_map(|pixel| pixel[..3].to_vec()).collect();
    assert!(data == noise.data);
}

#[test]
fn steps_of_color_stand_where_they_stand() {
    // The rectangle is painted after the negative has been made, or before.
    let source = color();
    see(&source, "-/invert/-/rect/ff0000/50px50p/0,0/-/format/png/").probe(10, 10, 0xFF_0000, 0);
    see(&source, "-/rect/ff0000/50px50p/0,0/-/invert/-/format/png/").probe(10, 10, 0x00_FFFF, 0);
    see(&source, "-/invert/-/setfill/00ff00/-/invert/-/format/png/").probe(10, 10, 0xC8_6432, 0);
    see(&source, "-/grayscale/-/crop/200x200/center/-/format/png/").probe(5, 5, 0xFF_FFFF, 0);
}

#[test]
fn colors_before_a_scaling_are_like_colors_after_it() {
    let photo = photo();
    let before = see(&photo, "-/saturation/-100/-/brightness/10/-/resize/100x/-/format/png/");
    let after = see(&photo, "-/resize/100x/-/saturation/-100/-/brightness/10/-/format/png/");
    for (before, after) in before.pixels.iter().zip(&after.pixels) {
        assert!(before.iter().zip(after).all(|(before, after)| before.abs_diff(*after) <= 2));
    }
}

#[test]
fn blur_and_sharp_do_what_they_say() {
    let source = Pixels::filled(60, 20, &rgb(0x40_4040)).with([30, 0, 60, 20], &rgb(0xC0_C0C0)).png();
    let blurred = see(&source, "-/blur/40/-/format/png/");
    assert!((0x50..0xB0).contains(&blurred.rgba(29, 10)[0]));
    let sharpened = see(&source, "-/sharp/20/-/format/png/");
    assert!(sharpened.rgba(29, 10)[0] < 0x40 && sharpened.rgba(30, 10)[0] > 0xC0);
    let unsharp = see(&source, "-/blur/20/-100/-/format/png/");
    assert!(unsharp.rgba(29, 10)[0] < 0x40 && unsharp.rgba(30, 10)[0] > 0xC0);
}

/// A JPEG of inks as Adobe writes it, inverted: little of the first ink.
fn inks() -> Vec<u8> {
    encode_jpeg(&[0, 255, 255, 0].repeat(64 * 64), 64, 64, 95, ColorType::Cmyk)
}

#[test]
fn inks_become_colors() {
    for path in ["-/preview/", "-/preview/-/srgb/icc/", "-/preview/-/srgb/fast/", "-/invert/-/invert/", "-/resize/20x/"]
    {
        let [red, green, blue, alpha] = see(&inks(), &format!("{path}-/format/png/")).rgba(10, 10);
        assert!(red > 150 && green < 110 && blue < 110 && alpha == 255, "{path}: {red} {green} {blue}");
    }
}

#[test]
fn a_kept_profile_is_not_that_of_colors_from_elsewhere() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let red = Bitmap { width: 64, height: 64, layout: Layout::Rgb, data: [200, 50, 50].repeat(64 * 64) };
    let source = stowage_codecs::png(&red, Extras { icc: Some(&profile), exif: None }).unwrap();
    let logo = logo();
    let made = |path: &str| {
        let seen = Ask::logo(&logo).see(&source, &format!("-/srgb/keep_profile/{path}-/format/png/"));
        let decoder = png::Decoder::new(std::io::Cursor::new(&seen.rendered.bytes));
        (decoder.read_info().unwrap().info().icc_profile.is_some(), seen.rgba(60, 60)[0])
    };
    assert_eq!(made("-/preview/32x32/-/resize/64x/"), (true, 200));
    let overlay = format!("-/overlay/{LOGO}/10x10/");
    for path in [overlay.as_str(), "-/rect/ff0000/10x10/0,0/", "-/text/10x10/0,0/a/"] {
        let (has_profile, red) = made(path);
        assert!(!has_profile && red > 205, "{path}: {red}");
    }
}

#[test]
fn inks_are_kept_where_they_can_be() {
    let kept = |path: &str| {
        let bytes = see(&inks(), path).rendered.bytes;
        let mut decoder = jpeg_decoder::Decoder::new(&bytes[..]);
        decoder.read_info().is_ok() && decoder.info().unwrap().pixel_format == jpeg_decoder::PixelFormat::CMYK32
    };
    assert!(kept("-/preview/32x32/-/srgb/keep_profile/-/format/jpeg/"));
    assert!(kept("-/srgb/keep_profile/-/rotate/90/-/format/preserve/"));
    assert!(kept("-/srgb/keep_profile/-/crop/3:2/-/format/jpeg/"));
    assert!(kept("-/srgb/keep_profile/-/crop/3:2/right/-/format/jpeg/"));
    // Beside the picture there is a colour, which may even let something through.
    assert!(!kept("-/srgb/keep_profile/-/setfill/ff000080/-/crop/3:2/-20,0/-/format/jpeg/"));
    assert!(!kept("-/srgb/keep_profile/-/crop/3:2/120p,0p/-/format/jpeg/"));
    assert!(!kept("-/preview/32x32/-/format/jpeg/"));
    assert!(!kept("-/srgb/keep_profile/-/preview/-/format/png/"));
    // Nobody knows what a rectangle or a filter is in inks.
    assert!(!kept("-/srgb/keep_profile/-/rect/ff0000/10x10/0,0/-/format/jpeg/"));
    assert!(!kept("-/srgb/keep_profile/-/invert/-/format/jpeg/"));
    let seen = see(&inks(), "-/srgb/keep_profile/-/preview/-/format/webp/");
    assert!(seen.rgba(5, 5)[0] > 150);
}
