//! Pictures on pictures, rectangles and texts in a chain.

use crate::sources::{Pixels, flat, logo, photo, quarters, rgb, svg, with_exif};
use crate::{Ask, LOGO, operations, refusal, see};
use stowage_render::{Options, RenderError};

const RED: u32 = 0xFF_0000;
const GREEN: u32 = 0x00_FF00;
const GRAY: u32 = 0x40_4040;

#[test]
fn a_picture_fits_into_its_box() {
    let logo = logo();
    let seen = |parameters: &str| {
        Ask::logo(&logo).see(&flat(), &format!("-/preview/-/overlay/{LOGO}/{parameters}-/format/png/"))
    };
    // 100x50 into 100x100, at the top left.
    let whole = seen("");
    whole.probe(5, 45, GREEN, 0);
    whole.probe(5, 55, GRAY, 0);
    let centered = seen("50px50p/center/");
    centered.probe(26, 40, GREEN, 1);
    centered.probe(50, 35, GRAY, 1);
    let shifted = seen("20x20/30,40/");
    shifted.probe(31, 41, GREEN, 0);
    shifted.probe(49, 49, GREEN, 0);
    shifted.probe(29, 41, GRAY, 0);
    shifted.probe(31, 51, GRAY, 0);
    let faint = seen("100px100p/0,0/50p/");
    faint.probe(5, 5, 0x20_A020, 1);
    let size_and_opacity = seen("50px50p/20p/");
    size_and_opacity.probe(5, 5, 0x33_6633, 1);
    seen("100px100p/0,0/0p/").probe(5, 5, GRAY, 0);
}

#[test]
fn several_pictures_lie_on_each_other() {
    let logo = logo();
    let path = format!("-/overlay/{LOGO}/-/rect/ff0000/10x10/0,0/-/overlay/{LOGO}/4x4/2,2/-/format/png/");
    let seen = Ask::logo(&logo).see(&flat(), &path);
    seen.probe(50, 20, GREEN, 0);
    seen.probe(1, 1, RED, 0);
    seen.probe(3, 3, GREEN, 0);
    seen.probe(8, 8, RED, 0);
}

#[test]
fn overlays_are_upright_and_may_be_drawings() {
    let turned = with_exif(&quarters(80, 40).jpeg(95), 6);
    let seen = Ask::logo(&turned).see(&flat(), &format!("-/overlay/{LOGO}/-/format/png/"));
    // 40x80 in 100x100: 50x100, the blue quarter first.
    seen.probe(10, 10, 0x00_00FF, 12);
    seen.probe(40, 90, GREEN, 12);
    seen.probe(55, 50, GRAY, 0);
    let drawing = svg();
    let seen = Ask::logo(&drawing).see(&flat(), &format!("-/overlay/{LOGO}/-/format/png/"));
    seen.probe(10, 10, RED, 2);
    seen.probe(90, 40, 0x00_00FF, 2);
    seen.probe(90, 60, GRAY, 0);
}

#[test]
fn a_picture_on_itself_is_as_it_was_before() {
    let path = "-/scale_crop/440x440/center/-/blur/60/-/gamma/50/-/overlay/self/100px100p/center/-/format/png/";
    let seen = see(&photo(), path);
    assert_eq!(seen.size(), (440, 440));
    // 1600x900 into 440x440 is 440x248, from 96 down; there the gradient goes all the way from left to right.
    let [left, ..] = seen.rgba(2, 220);
    let [right, ..] = seen.rgba(437, 220);
    assert!(left < 6 && right > 249, "{left} {right}");
    let [above, ..] = seen.rgba(2, 50);
    assert!(above > 40, "{above}: the blurred background is cut and lightened");
    let inverted = see(&flat(), "-/invert/-/overlay/self/50px50p/-/format/png/");
    inverted.probe(10, 10, GRAY, 0);
    inverted.probe(90, 90, 0xBF_BFBF, 0);
}

#[test]
fn missing_and_strange_files_are_refused() {
    let path = format!("-/preview/-/overlay/{LOGO}/");
    assert_eq!(refusal(&flat(), &path), RenderError::NoOverlay(LOGO.parse().unwrap()));
    let refused = Ask::logo(b"hello").render(&flat(), &path).unwrap_err();
    assert_eq!(refused, RenderError::OverlayNotAnImage(LOGO.parse().unwrap()));
    let huge = format!("-/preview/-/overlay/{LOGO}/90000px90000p/");
    let logo = logo();
    let refused = Ask::logo(&logo).render(&flat(), &huge).unwrap_err();
    assert!(matches!(refused, RenderError::TooLarge(_)), "{refused:?}");
}

#[test]
fn texts_have_a_switch() {
    let path = "-/preview/-/font/40/000000/-/text/100px100p/center/HHH/-/format/png/";
    assert!(operations(path).has_text());
    let white = Pixels::filled(200, 100, &rgb(0xFF_FFFF)).png();
    let off = Ask::options(Options { text: false, ..Options::default() }).render(&white, path).unwrap_err();
    assert!(matches!(off, RenderError::Invalid(_)), "{off:?}");
    let seen = see(&white, path);
    let dark = seen.pixels.iter().filter(|pixel| pixel[0] < 64).count();
    assert!((200..10_000).contains(&dark), "{dark}");
    seen.probe(2, 2, 0xFF_FFFF, 0);
}

#[test]
fn parts_are_blurred_where_they_are() {
    let source = Pixels::filled(100, 100, &rgb(0)).with([50, 0, 100, 100], &rgb(0xFF_FFFF)).png();
    let seen = see(&source, "-/blur_region/100px50p/0,0/50/-/format/png/");
    let at = |x, y| seen.rgba(x, y)[0];
    assert!((20..128).contains(&at(48, 10)) && (128..236).contains(&at(51, 10)));
    assert_eq!((at(49, 60), at(50, 60)), (0, 255));
    let outside = see(&source, "-/blur_region/10x10/500,500/-/format/png/");
    assert_eq!((outside.rgba(49, 50)[0], outside.rgba(50, 50)[0]), (0, 255));
    let faceless = see(&source, "-/blur_region/faces/-/format/png/");
    assert_eq!((faceless.rgba(49, 50)[0], faceless.rgba(50, 50)[0]), (0, 255));
}
