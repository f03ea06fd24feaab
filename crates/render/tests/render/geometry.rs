//! Sizes and places beyond the cases, and that cutting down on work does not show.

use crate::see;
use crate::sources::{Pixels, bordered, noise, oriented, photo, quad, quarters, rgb, wide};

const RED: u32 = 0xFF_0000;
const GREEN: u32 = 0x00_FF00;
const BLUE: u32 = 0x00_00FF;
const YELLOW: u32 = 0xFF_FF00;
const CYAN: u32 = 0x00_FFFF;

#[track_caller]
fn size(source: &[u8], path: &str, wanted: (u32, u32)) {
    assert_eq!(see(source, path).size(), wanted, "{path}");
}

#[test]
fn stretch_on_each_axis() {
    let small = Pixels::gradient(160, 120).png();
    size(&small, "-/stretch/off/-/resize/200x100/", (160, 100));
    size(&small, "-/stretch/off/-/resize/x300/", (160, 120));
    size(&small, "-/stretch/off/-/resize/80x/", (80, 60));
    size(&small, "-/stretch/off/-/resize/320x/-/stretch/on/-/resize/320x/", (320, 240));
    size(&small, "-/resize/320x/-/stretch/off/", (320, 240));
    size(&small, "-/stretch/fill/-/resize/80x/", (80, 60));
    size(&small, "-/stretch/fill/-/resize/320x/", (320, 240));
    size(&small, "-/stretch/off/-/scale_crop/200x200/center/", (160, 120));
    size(&small, "-/stretch/off/-/scale_crop/100x200/center/", (100, 120));
    size(&small, "-/stretch/off/-/scale_crop/50x50/center/", (50, 50));
    size(&small, "-/stretch/fill/-/scale_crop/200x200/center/", (200, 200));
}

#[test]
fn the_picture_stands_in_the_middle_of_its_canvas() {
    let flat = Pixels::filled(100, 50, &rgb(RED)).png();
    let seen = see(&flat, "-/setfill/0000ff/-/stretch/fill/-/resize/200x200/-/format/png/");
    for (x, y, color) in
        [(50, 75, RED), (149, 124, RED), (49, 100, BLUE), (150, 100, BLUE), (100, 74, BLUE), (100, 125, BLUE)]
    {
        seen.probe(x, y, color, 0);
    }
    let seen = see(&flat, "-/setfill/0000ff/-/stretch/fill/-/scale_crop/200x40/center/-/format/png/");
    assert_eq!(seen.size(), (200, 40));
    seen.probe(49, 20, BLUE, 0);
    seen.probe(50, 0, RED, 0);
}

#[test]
fn a_canvas_may_be_clear() {
    let flat = Pixels::filled(100, 50, &rgb(RED)).png();
    let seen = see(&flat, "-/setfill/0000ff00/-/stretch/fill/-/resize/200x200/");
    assert_eq!(seen.kind(), "image/png");
    assert_eq!((seen.rgba(5, 5)[3], seen.rgba(100, 100)), (0, [255, 0, 0, 255]));
}

#[test]
fn crops_about_the_picture_as_an_object() {
    size(&quad(), "-/crop/image/1:1/-/format/png/", (100, 100));
    size(&quad(), "-/crop/image/50px50p/-/format/png/", (100, 50));
    size(&quad(), "-/crop/image/", (200, 100));
    size(&quad(), "-/crop/image/400x400/", (200, 100));
    let seen = see(&quad(), "-/crop/image/100x50/right/-/format/png/");
    seen.probe(5, 5, GREEN, 0);
    seen.probe(5, 45, YELLOW, 0);
    // Without a face the whole picture is meant.
    size(&quad(), "-/crop/face/1:1/", (100, 100));
    size(&quad(), "-/crop/face/", (200, 100));
}

#[test]
fn keywords_stand_for_shares() {
    let quad = quad();
    for (keyword, x, y) in [("top", 75, 0), ("bottom", 75, 50), ("left", 0, 25), ("right", 150, 25), ("center", 75, 25)]
    {
        let named = see(&quad, &format!("-/crop/50x50/{keyword}/-/format/png/"));
        let placed = see(&quad, &format!("-/crop/50x50/{x},{y}/-/format/png/"));
        assert_eq!(named.pixels, placed.pixels, "{keyword}");
    }
}

#[test]
fn a_box_wholly_outside_is_filled() {
    let seen = see(&quad(), "-/setfill/00ffff/-/crop/20x10/500,500/-/format/png/");
    assert_eq!(seen.size(), (20, 10));
    assert!(seen.pixels.iter().all(|pixel| *pixel == [0, 255, 255, 255]));
}

#[test]
fn a_crop_after_scaling_cuts_the_scaled_picture() {
    let source = noise(120, 90).png();
    let whole = see(&source, "-/resize/80x/-/format/png/");
    let part = see(&source, "-/resize/80x/-/crop/30x20/25,17/-/format/png/");
    assert_eq!(part.size(), (30, 20));
    for y in 0..20 {
        for x in 0..30 {
            let (wanted, seen) = (whole.rgba(x + 25, y + 17), part.rgba(x, y));
            assert!(wanted.iter().zip(seen).all(|(wanted, seen)| wanted.abs_diff(seen) <= 1), "{x},{y}");
        }
    }
}

#[test]
fn what_is_cut_off_does_not_shine_into_edges() {
    let source = Pixels::filled(64, 64, &rgb(RED)).with([32, 0, 64, 64], &rgb(BLUE)).png();
    let seen = see(&source, "-/crop/32x64/-/resize/7x/-/format/png/");
    assert!(seen.pixels.iter().all(|pixel| *pixel == [255, 0, 0, 255]));
    let seen = see(&source, "-/crop/32x64/right/-/resize/500x/-/format/png/");
    assert!(seen.pixels.iter().all(|pixel| *pixel == [0, 0, 255, 255]));
}

#[test]
fn two_scalings_are_two() {
    let source = noise(64, 64).png();
    let blurred = see(&source, "-/resize/4x/-/resize/64x/-/format/png/");
    let sharp = see(&source, "-/preview/-/format/png/");
    let spread = |seen: &crate::Seen| {
        let reds = seen.pixels.iter().map(|pixel| pixel[0]);
        i32::from(reds.clone().max().unwrap()) - i32::from(reds.min().unwrap())
    };
    assert!(spread(&blurred) < spread(&sharp) / 2);
}

#[test]
fn a_scaling_to_the_same_size_changes_nothing() {
    let noise = noise(50, 40);
    for path in ["-/resize/50x/", "-/resize/50x40/", "-/preview/", "-/scale_crop/50x40/", "-/crop/100px100p/"] {
        let seen = see(&noise.png(), &format!("{path}-/format/png/"));
        let data: Vec<u8> = seen.pixels.iter().flat_map(|pixel| pixel[..3].to_vec()).collect();
        assert!(data == noise.data, "{path}");
    }
}

#[test]
fn turns_follow_each_other() {
    let quad = quad();
    let plain = see(&quad, "-/format/png/").pixels;
    for path in [
        "-/rotate/90/-/rotate/270/",
        "-/flip/-/flip/",
        "-/mirror/-/flip/-/rotate/180/",
        "-/rotate/90/-/flip/-/rotate/90/-/flip/",
        "-/rotate/360/",
        "-/rotate/-90/-/rotate/450/",
    ] {
        assert!(see(&quad, &format!("{path}-/format/png/")).pixels == plain, "{path}");
    }
    // Each turn counts for what stands behind it.
    let seen = see(&quad, "-/rotate/90/-/crop/50x50/-/flip/-/format/png/");
    seen.probe(5, 5, GREEN, 0);
    let seen = see(&quad, "-/crop/50x50/150,50/-/rotate/90/-/mirror/-/resize/20x/-/format/png/");
    seen.probe(5, 5, YELLOW, 0);
}

#[test]
fn every_orientation_is_turned_upright() {
    // What stands in the corners of the upright picture: top left, top right, bottom left, bottom right.
    for (orientation, corners) in [
        (1, [RED, GREEN, BLUE, YELLOW]),
        (2, [GREEN, RED, YELLOW, BLUE]),
        (3, [YELLOW, BLUE, GREEN, RED]),
        (4, [BLUE, YELLOW, RED, GREEN]),
        (5, [RED, BLUE, GREEN, YELLOW]),
        (6, [BLUE, RED, YELLOW, GREEN]),
        (7, [YELLOW, GREEN, BLUE, RED]),
        (8, [GREEN, YELLOW, RED, BLUE]),
    ] {
        let size = if orientation < 5 { (400, 300) } else { (300, 400) };
        for (path, (width, height)) in [("-/preview/", size), ("-/preview/100x100/", (size.0 / 4, size.1 / 4))] {
            let seen = see(&oriented(orientation), &format!("{path}-/format/png/"));
            assert_eq!(seen.size(), (width, height), "{orientation}");
            let places = [(5, 5), (width - 6, 5), (5, height - 6), (width - 6, height - 6)];
            for ((x, y), color) in places.into_iter().zip(corners) {
                seen.probe(x, y, color, 12);
            }
        }
    }
}

#[test]
fn crops_of_turned_photos_are_in_upright_coordinates() {
    let seen = see(&oriented(6), "-/crop/100x100/200,0/-/format/png/");
    seen.probe(50, 50, RED, 12);
    let seen = see(&oriented(6), "-/crop/100x100/0,300/-/resize/20x/-/format/png/");
    seen.probe(10, 10, YELLOW, 12);
}

#[test]
fn decoding_at_a_fraction_does_not_show() {
    // The same picture as PNG is always decoded whole.
    for (width, height) in [(1600, 900), (1601, 903), (1999, 1007)] {
        let pixels = Pixels::gradient(width, height);
        let (jpeg, png) = (pixels.jpeg(95), pixels.png());
        for path in [
            "-/resize/100x/",
            "-/scale_crop/90x90/center/",
            "-/scale_crop/33x90/100p,0p/",
            "-/crop/1:2/-/preview/60x60/",
            "-/crop/50px50p/70p,30p/-/resize/x77/",
            "-/rotate/90/-/preview/120x90/",
            "-/crop/701x301/333,222/-/preview/90x90/",
        ] {
            let path = format!("{path}-/format/png/");
            let (fast, slow) = (see(&jpeg, &path), see(&png, &path));
            assert_eq!(fast.size(), slow.size(), "{path}");
            let off = fast.pixels.iter().zip(&slow.pixels).flat_map(|(fast, slow)| {
                fast.iter().zip(slow).map(|(fast, slow)| fast.abs_diff(*slow)).collect::<Vec<_>>()
            });
            assert!(off.max().unwrap() <= 4, "{path}");
        }
    }
}

#[test]
fn trims_leave_what_was_asked_for() {
    let bordered = bordered();
    size(&bordered, "-/trim/10/5/-/format/png/", (110, 60));
    size(&bordered, "-/trim/10/1000/-/format/png/", (300, 200));
    size(&bordered, "-/trim/-/resize/50x/-/format/png/", (50, 25));
    let plain = Pixels::filled(30, 20, &rgb(CYAN)).png();
    size(&plain, "-/trim/", (30, 20));
}

#[test]
fn smart_steps_have_exactly_the_size_that_was_asked_for() {
    let photo = photo();
    size(&photo, "-/smart_resize/300x300/", (300, 300));
    size(&photo, "-/smart_resize/1700x200/", (1700, 200));
    for kind in ["smart", "smart_faces", "smart_objects_points", "smart_points", "smart_faces_objects"] {
        size(&photo, &format!("-/scale_crop/120x200/{kind}/"), (120, 200));
        size(&photo, &format!("-/scale_crop/120x200/{kind}/center/"), (120, 200));
    }
    size(&photo, "-/zoom_objects/50/", (1600, 900));
}

#[test]
fn smart_crops_keep_what_stands_out() {
    let white = Pixels::filled(900, 300, &rgb(0xF0_F0F0));
    for (left, right) in [(20, 140), (760, 880)] {
        let source = white.clone().with([left, 90, right, 210], &rgb(RED)).png();
        let seen = see(&source, "-/scale_crop/150x150/smart_objects/-/format/png/");
        let red = seen.pixels.iter().filter(|pixel| pixel[0] > 200 && pixel[1] < 60).count();
        assert!(red > 60 * 60 * 9 / 10, "{left}: {red}");
    }
}

#[test]
fn odd_sizes_never_become_nothing() {
    let line = Pixels::filled(2000, 1, &rgb(RED)).png();
    size(&line, "-/preview/10x10/", (10, 1));
    size(&line, "-/resize/1x/", (1, 1));
    size(&line, "-/scale_crop/5x5/center/", (5, 5));
    size(&line, "-/crop/1:1/", (1, 1));
    let dot = quarters(1, 1).png();
    size(&dot, "-/resize/3x/-/crop/50px50p/-/rotate/90/-/sharp/-/blur/", (2, 2));
    size(&wide(), "-/resize/x1/", (2, 1));
}
