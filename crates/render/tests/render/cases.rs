//! The mechanical cases of the URL API as far as they are about pictures; those about delivery are looked at where it is.

use crate::sources::{alpha, bordered, color, exif6, flat, logo, photo, quad, small, svg, tall, wide};
use crate::{Ask, LOGO, refusal, see};
use stowage_render::RenderError;

/// A case: the path, the size, the type, and pixels with their colours.
#[track_caller]
fn case(source: &[u8], path: &str, size: (u32, u32), kind: &str, probes: &[(u32, u32, u32)]) {
    let seen = see(source, path);
    assert_eq!((seen.size(), seen.kind()), (size, kind), "{path}");
    for (x, y, color) in probes {
        seen.probe(*x, *y, *color, 2);
    }
}

const RED: u32 = 0xFF_0000;
const GREEN: u32 = 0x00_FF00;
const BLUE: u32 = 0x00_00FF;
const YELLOW: u32 = 0xFF_FF00;
const CYAN: u32 = 0x00_FFFF;

#[test]
fn resize_and_stretch() {
    let (photo, small) = (photo(), small());
    case(&photo, "-/resize/400x/", (400, 225), "image/jpeg", &[]);
    case(&photo, "-/resize/x450/", (800, 450), "image/jpeg", &[]);
    case(&photo, "-/resize/400x400/", (400, 400), "image/jpeg", &[]);
    case(&photo, "-/resize/2400x/", (2400, 1350), "image/jpeg", &[]);
    case(&photo, "-/stretch/off/-/resize/2400x/", (1600, 900), "image/jpeg", &[]);
    let filled = "-/setfill/00ff00/-/stretch/fill/-/resize/320x240/-/format/png/";
    case(&small, filled, (320, 240), "image/png", &[(2, 2, GREEN), (317, 237, GREEN)]);
}

#[test]
fn preview() {
    let photo = photo();
    case(&photo, "-/preview/", (1600, 900), "image/jpeg", &[]);
    case(&wide(), "-/preview/", (2048, 1024), "image/jpeg", &[]);
    case(&photo, "-/preview/800x800/", (800, 450), "image/jpeg", &[]);
    case(&small(), "-/preview/3000x3000/", (160, 120), "image/jpeg", &[]);
    case(&photo, "-/preview/300x500/", (300, 169), "image/jpeg", &[]);
    assert_eq!(see(&tall(), "-/preview/500x500/").size(), (250, 500));
}

#[test]
fn crop_by_size() {
    let quad = quad();
    case(&quad, "-/crop/50x50/-/preview/-/format/png/", (50, 50), "image/png", &[(10, 10, RED), (49, 49, RED)]);
    let corners = [(10, 10, RED), (90, 10, GREEN), (10, 40, BLUE), (90, 40, YELLOW)];
    case(&quad, "-/crop/100x50/center/-/format/png/", (100, 50), "image/png", &corners);
    case(&quad, "-/crop/50x50/150,50/-/format/png/", (50, 50), "image/png", &[(5, 5, YELLOW), (45, 45, YELLOW)]);
    case(&quad, "-/crop/50px50p/-/format/png/", (100, 50), "image/png", &[(5, 5, RED), (95, 45, RED)]);
    let far = "-/crop/50px50p/100p,100p/-/format/png/";
    case(&quad, far, (100, 50), "image/png", &[(5, 5, YELLOW), (95, 45, YELLOW)]);
    case(&quad, "-/crop/100x60/right/-/format/png/", (100, 60), "image/png", &[(10, 5, GREEN), (90, 55, YELLOW)]);
}

#[test]
fn crop_by_ratio() {
    let corners = [(10, 10, RED), (90, 10, GREEN), (10, 90, BLUE), (90, 90, YELLOW)];
    case(&quad(), "-/crop/1:1/-/format/png/", (100, 100), "image/png", &corners);
    case(&photo(), "-/crop/3:2/", (1350, 900), "image/jpeg", &[]);
}

#[test]
fn crop_outside() {
    let quad = quad();
    let around = [(5, 5, CYAN), (295, 195, CYAN), (60, 60, RED), (240, 140, YELLOW)];
    case(&quad, "-/setfill/00ffff/-/crop/300x200/center/-/format/png/", (300, 200), "image/png", &around);
    let shifted = "-/setfill/00ffff/-/crop/60x60/-20,-20/-/format/png/";
    case(&quad, shifted, (60, 60), "image/png", &[(5, 5, CYAN), (30, 30, RED)]);
}

#[test]
fn scale_crop() {
    let (photo, quad) = (photo(), quad());
    case(&photo, "-/scale_crop/400x400/", (400, 400), "image/jpeg", &[]);
    let corners = [(10, 10, RED), (90, 10, GREEN), (10, 90, BLUE), (90, 90, YELLOW)];
    case(&quad, "-/scale_crop/100x100/center/-/format/png/", (100, 100), "image/png", &corners);
    let right = [(10, 10, GREEN), (90, 10, GREEN), (10, 90, YELLOW)];
    case(&quad, "-/scale_crop/100x100/100p,0p/-/format/png/", (100, 100), "image/png", &right);
    let left = [(10, 10, RED), (90, 10, RED), (90, 90, BLUE)];
    case(&quad, "-/scale_crop/100x100/-/format/png/", (100, 100), "image/png", &left);
    case(&small(), "-/scale_crop/320x320/", (320, 320), "image/jpeg", &[]);
    case(&photo, "-/scale_crop/200x200/smart/", (200, 200), "image/jpeg", &[]);
}

#[test]
fn turns() {
    let quad = quad();
    let turned = [(10, 10, GREEN), (90, 10, YELLOW), (10, 190, RED), (90, 190, BLUE)];
    case(&quad, "-/preview/-/rotate/90/-/format/png/", (100, 200), "image/png", &turned);
    let upside_down = [(10, 10, YELLOW), (190, 10, BLUE), (10, 90, GREEN)];
    case(&quad, "-/preview/-/rotate/180/-/format/png/", (200, 100), "image/png", &upside_down);
    let flipped = [(10, 10, BLUE), (190, 10, YELLOW), (10, 90, RED)];
    case(&quad, "-/preview/-/flip/-/format/png/", (200, 100), "image/png", &flipped);
    let mirrored = [(10, 10, GREEN), (190, 10, RED), (10, 90, YELLOW)];
    case(&quad, "-/preview/-/mirror/-/format/png/", (200, 100), "image/png", &mirrored);
}

#[test]
fn orientation() {
    let upright = see(&exif6(), "-/preview/-/format/png/");
    assert_eq!((upright.size(), upright.kind()), ((300, 400), "image/png"));
    for (x, y, color) in [(30, 30, BLUE), (270, 30, RED), (30, 370, YELLOW), (270, 370, GREEN)] {
        upright.probe(x, y, color, 12);
    }
    let stored = see(&exif6(), "-/autorotate/no/-/preview/-/format/png/");
    assert_eq!(stored.size(), (400, 300));
    stored.probe(30, 30, RED, 12);
}

#[test]
fn formats() {
    let photo = photo();
    case(&photo, "-/preview/640x640/-/format/png/", (640, 360), "image/png", &[]);
    case(&photo, "-/preview/640x640/-/format/webp/", (640, 360), "image/webp", &[]);
    let path = "-/preview/640x640/";
    for (accept, kind) in [
        (Ask::accept(true, true), "image/avif"),
        (Ask::accept(false, true), "image/webp"),
        (Ask::accept(false, false), "image/jpeg"),
    ] {
        let seen = accept.see(&photo, path);
        assert_eq!((seen.size(), seen.kind(), seen.rendered.negotiated), ((640, 360), kind, true));
    }
    let seen = Ask::accept(true, true).see(&photo, "-/preview/320x320/-/format/preserve/");
    assert_eq!((seen.size(), seen.kind(), seen.rendered.negotiated), ((320, 180), "image/jpeg", false));
    let seen = see(&photo, "-/preview/640x640/-/format/jpeg/-/progressive/yes/");
    assert_eq!((seen.size(), seen.kind(), seen.progressive), ((640, 360), "image/jpeg", true));
    assert!(!see(&photo, "-/preview/640x640/-/format/jpeg/").progressive);
}

#[test]
fn transparency() {
    let seen = see(&alpha(), "-/preview/");
    assert_eq!((seen.size(), seen.kind()), ((400, 300), "image/png"));
    assert_eq!(seen.rgba(5, 5)[3], 0);
    seen.probe(200, 150, BLUE, 2);
    let seen = see(&alpha(), "-/setfill/ff0000/-/preview/-/format/jpeg/");
    assert_eq!((seen.size(), seen.kind()), ((400, 300), "image/jpeg"));
    seen.probe(5, 5, RED, 12);
    seen.probe(200, 150, BLUE, 12);
}

#[test]
fn painting() {
    case(&flat(), "-/preview/-/invert/-/format/png/", (100, 100), "image/png", &[(50, 50, 0xBF_BFBF)]);
    see(&color(), "-/preview/-/grayscale/-/format/png/").probe(50, 50, 0x7C_7C7C, 4);
    let round = see(&flat(), "-/preview/-/border_radius/50p/-/format/png/");
    assert_eq!((round.rgba(0, 0)[3], round.rgba(99, 99)[3]), (0, 0));
    round.probe(50, 50, 0x40_4040, 2);
    let probes = [(50, 50, RED), (5, 5, 0x40_4040), (95, 95, 0x40_4040)];
    let rect = "-/preview/-/rect/ff0000/50px50p/center/-/format/png/";
    case(&flat(), rect, (100, 100), "image/png", &probes);
    let logo = logo();
    let path = format!("-/preview/-/overlay/{LOGO}/50px50p/100p,100p/-/format/png/");
    let seen = Ask::logo(&logo).see(&flat(), &path);
    assert_eq!(seen.size(), (100, 100));
    for (x, y, color) in [(75, 88, GREEN), (75, 60, 0x40_4040), (25, 88, 0x40_4040)] {
        seen.probe(x, y, color, 2);
    }
    case(&bordered(), "-/trim/-/preview/-/format/png/", (100, 50), "image/png", &[(2, 2, RED), (97, 47, RED)]);
}

#[test]
fn pseudo_operations_are_ignored() {
    let path =
        "-/format/auto/-/stretch/off/-/resize/320x/-/@clib/@uploadcare/file-uploader/1.25.0/uc-cloud-image-editor/";
    case(&photo(), path, (320, 180), "image/jpeg", &[]);
}

#[test]
fn refusals() {
    assert_eq!(refusal(b"hello\n", "-/preview/400x400/"), RenderError::NotAnImage);
    assert!(refusal(b"hello\n", "-/preview/").to_string().contains("not images"));
    assert!(matches!(refusal(&photo(), "-/resize/4000x/"), RenderError::TooLarge(_)));
    case(&photo(), "-/format/jpeg/-/resize/4000x/", (4000, 2250), "image/jpeg", &[]);
}

#[test]
fn members_of_groups_get_operations_like_others() {
    let seen = see(&quad(), "-/preview/100x100/-/format/png/");
    assert_eq!(seen.size(), (100, 50));
    seen.probe(5, 5, RED, 12);
}

#[test]
fn drawings() {
    let edited = Ask::default().render(&svg(), "-/resize/100x/").unwrap();
    assert_eq!((edited.media_type, edited.width, edited.height, edited.negotiated), ("image/svg+xml", 100, 50, false));
    let drawn = see(&svg(), "-/rasterize/-/resize/400x/-/format/png/");
    assert_eq!(drawn.size(), (400, 200));
    drawn.probe(100, 100, RED, 2);
    drawn.probe(300, 100, BLUE, 2);
}
