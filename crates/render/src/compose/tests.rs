use super::*;
use proptest::prelude::*;
use stowage_image::operations::Percent;

const RED: Color = Color { red: 255, green: 0, blue: 0, alpha: 255 };
const HALF_BLUE: Color = Color { red: 0, green: 0, blue: 255, alpha: 128 };
const GRAY: Color = Color { red: 90, green: 90, blue: 90, alpha: 255 };
const CLEAR: Color = Color { red: 0, green: 255, blue: 0, alpha: 0 };

fn flat(width: u32, height: u32, layout: Layout, pixel: &[u8]) -> Bitmap {
    assert_eq!(pixel.len(), layout.channels());
    Bitmap { width, height, layout, data: pixel.repeat((width * height) as usize) }
}

fn pixel(bitmap: &Bitmap, x: u32, y: u32) -> &[u8] {
    pixels(&bitmap.data, (y * bitmap.width + x) as usize, 1, bitmap.layout.channels())
}

#[test]
fn opaque_pixels_replace_what_is_under_them() {
    let base = flat(10, 8, Layout::Rgb, &[10, 20, 30]);
    let over = flat(4, 3, Layout::Rgb, &[200, 100, 0]);
    let result = overlay(base, &over, (8, -1), 1.0);
    assert_eq!((result.width, result.height, result.layout), (10, 8, Layout::Rgb));
    assert_eq!(pixel(&result, 8, 0), [200, 100, 0]);
    assert_eq!(pixel(&result, 9, 1), [200, 100, 0]);
    assert_eq!(pixel(&result, 7, 0), [10, 20, 30]);
    assert_eq!(pixel(&result, 8, 2), [10, 20, 30]);
}

#[test]
fn opacity_multiplies_into_that_of_the_overlay() {
    let base = flat(2, 1, Layout::Rgb, &[0, 0, 0]);
    let over = flat(2, 1, Layout::Rgba, &[255, 255, 255, 128]);
    assert_eq!(pixel(&overlay(base.clone(), &over, (0, 0), 1.0), 0, 0), [128, 128, 128]);
    assert_eq!(pixel(&overlay(base.clone(), &over, (0, 0), 0.5), 0, 0), [64, 64, 64]);
    assert_eq!(overlay(base.clone(), &over, (0, 0), 0.0), base);
}

#[test]
fn on_transparency_colours_stay_pure() {
    let base = flat(1, 1, Layout::Rgba, &[255, 255, 255, 0]);
    let over = flat(1, 1, Layout::Rgba, &[255, 0, 0, 100]);
    assert_eq!(overlay(base, &over, (0, 0), 1.0).data, [255, 0, 0, 100]);
    let base = flat(1, 1, Layout::Rgba, &[0, 0, 255, 255]);
    assert_eq!(overlay(base, &over, (0, 0), 1.0).data, [100, 0, 155, 255]);
}

#[test]
fn grey_becomes_colour_only_under_colour() {
    let base = flat(2, 2, Layout::Gray, &[50]);
    let gray = flat(1, 1, Layout::Gray, &[80]);
    let result = overlay(base.clone(), &gray, (1, 1), 1.0);
    assert_eq!((result.layout, result.data.as_slice()), (Layout::Gray, &[50, 50, 50, 80][..]));
    let result = overlay(base, &flat(1, 1, Layout::Rgb, &[1, 2, 3]), (0, 0), 1.0);
    assert_eq!(
        (result.layout, pixel(&result, 0, 0), pixel(&result, 1, 1)),
        (Layout::Rgb, &[1, 2, 3][..], &[50, 50, 50][..])
    );
}

#[test]
fn rectangles_mix_and_are_cut_off() {
    let base = flat(4, 4, Layout::Rgb, &[255, 255, 255]);
    let result = rect(base, HALF_BLUE, 2, -5, 100, 7);
    assert_eq!(pixel(&result, 1, 0), [255, 255, 255]);
    assert_eq!(pixel(&result, 2, 1), [127, 127, 255]);
    assert_eq!(pixel(&result, 3, 2), [255, 255, 255]);
    let gray = flat(2, 2, Layout::Gray, &[0]);
    assert_eq!(rect(gray.clone(), GRAY, 0, 0, 1, 1).data, [90, 0, 0, 0]);
    assert_eq!(rect(gray.clone(), RED, 0, 0, 1, 1).layout, Layout::Rgb);
    assert_eq!(rect(gray.clone(), GRAY, i64::MIN, i64::MAX, u32::MAX, u32::MAX), gray);
}

#[test]
fn corners_are_cut_to_the_published_values() {
    let pixels = |list: &[u32]| -> [Length; 4] {
        let at = |index: usize| list.get(index).map(|pixels| Length::Pixels(*pixels));
        let first = at(0).unwrap();
        let second = at(1).unwrap_or(first);
        [first, second, at(2).unwrap_or(first), at(3).unwrap_or(second)]
    };
    let share = |percent: f64| Length::Percent(Percent(percent));
    let both = [share(500.0), share(100.0), share(500.0), share(100.0)];
    let cases = [
        (60, 40, pixels(&[10, 12]), pixels(&[10, 12]), [(10, 10), (12, 12), (10, 10), (12, 12)]),
        (60, 40, pixels(&[10, 12, 14, 16]), pixels(&[20]), [(10, 20), (12, 20), (14, 20), (16, 20)]),
        (60, 40, pixels(&[10]), pixels(&[20, 18, 16, 14]), [(10, 20), (10, 18), (10, 16), (10, 14)]),
        (60, 40, pixels(&[50]), pixels(&[50]), [(20, 20); 4]),
        (60, 42, pixels(&[50]), pixels(&[50]), [(21, 21); 4]),
        (60, 40, pixels(&[50, 10]), pixels(&[50, 10]), [(33, 33), (7, 7), (33, 33), (7, 7)]),
        (60, 41, both, both, [(50, 34), (10, 7), (50, 34), (10, 7)]),
    ];
    for (width, height, horizontal, vertical, expected) in cases {
        assert_eq!(radii(width, height, &horizontal, &vertical), expected, "{width}x{height}");
    }
}

#[test]
fn half_of_a_square_is_a_circle() {
    let base = flat(100, 100, Layout::Gray, &[64]);
    let result = round(base, &[Length::Percent(Percent(50.0)); 4], None);
    assert_eq!(result.layout, Layout::Rgba);
    assert_eq!(pixel(&result, 50, 50), [64, 64, 64, 255]);
    for (x, y) in [(0, 0), (99, 0), (0, 99), (99, 99), (13, 13)] {
        assert_eq!(pixel(&result, x, y)[3], 0, "{x},{y}");
    }
    for (x, y) in [(50, 1), (1, 50), (50, 98), (98, 50), (16, 16)] {
        assert_eq!(pixel(&result, x, y)[3], 255, "{x},{y}");
    }
    // The area of the circle, within what rounding of single pixels can do.
    let sum: f64 = result.data.chunks_exact(4).map(|pixel| f64::from(pixel[3]) / 255.0).sum();
    assert!((sum - std::f64::consts::PI * 2500.0).abs() < 30.0, "{sum}");
}

#[test]
fn each_corner_has_its_own_radius() {
    let base = flat(40, 40, Layout::Rgb, &[1, 2, 3]);
    let none = Length::Pixels(0);
    let result = round(base, &[none, none, Length::Pixels(20), none], None);
    assert_eq!(pixel(&result, 39, 39)[3], 0);
    for (x, y) in [(0, 0), (39, 0), (0, 39), (20, 20)] {
        assert_eq!(pixel(&result, x, y), [1, 2, 3, 255], "{x},{y}");
    }
}

#[test]
fn flattening_shows_the_fill_through() {
    let base = flat(2, 1, Layout::Rgba, &[0, 0, 255, 51]);
    let result = flatten(base, Color { alpha: 0, ..RED });
    assert_eq!((result.layout, pixel(&result, 1, 0)), (Layout::Rgb, &[204, 0, 51][..]));
    let opaque = flat(2, 1, Layout::Gray, &[9]);
    assert_eq!(flatten(opaque.clone(), RED), opaque);
}

#[test]
fn a_canvas_surrounds_the_picture() {
    let base = flat(2, 2, Layout::Rgb, &[1, 2, 3]);
    let result = place(base.clone(), 1, -1, 4, 3, RED);
    assert_eq!((result.width, result.height, result.layout), (4, 3, Layout::Rgb));
    assert_eq!(pixel(&result, 1, 0), [1, 2, 3]);
    for (x, y) in [(0, 0), (3, 0), (1, 1), (3, 2)] {
        assert_eq!(pixel(&result, x, y), [255, 0, 0], "{x},{y}");
    }
    assert_eq!(place(base.clone(), 0, 0, 2, 2, CLEAR), base);
    assert_eq!(place(base.clone(), -1, -1, 1, 1, CLEAR).layout, Layout::Rgb);
    let result = place(base, 0, 0, 3, 2, CLEAR);
    assert_eq!((pixel(&result, 0, 0), pixel(&result, 2, 0)), (&[1, 2, 3, 255][..], &[0, 255, 0, 0][..]));
}

#[test]
fn a_canvas_keeps_transparency_and_grey() {
    let base = flat(1, 1, Layout::Rgba, &[1, 2, 3, 0]);
    assert_eq!(place(base, 0, 0, 2, 1, RED).data, [1, 2, 3, 0, 255, 0, 0, 255]);
    let base = flat(1, 1, Layout::Gray, &[7]);
    assert_eq!(place(base.clone(), 1, 0, 2, 1, GRAY).data, [90, 7]);
    assert_eq!(place(base, 1, 0, 2, 1, RED).data, [255, 0, 0, 7, 7, 7]);
    let base = flat(1, 1, Layout::Cmyk, &[1, 2, 3, 4]);
    assert_eq!(place(base, 1, 0, 2, 1, RED).data, [0, 255, 255, 0, 1, 2, 3, 4]);
}

fn any_layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::Gray), Just(Layout::Rgb), Just(Layout::Rgba), Just(Layout::Cmyk)]
}

prop_compose! {
    fn any_bitmap()(layout in any_layout(), width in 1..12_u32, height in 1..12_u32)(
        data in prop::collection::vec(any::<u8>(), width as usize * height as usize * layout.channels()),
        layout in Just(layout), width in Just(width), height in Just(height),
    ) -> Bitmap {
        Bitmap { width, height, layout, data }
    }
}

prop_compose! {
    fn any_color()(red: u8, green: u8, blue: u8, alpha: u8) -> Color {
        Color { red, green, blue, alpha }
    }
}

fn any_length() -> impl Strategy<Value = Length> {
    prop_oneof![any::<u32>().prop_map(Length::Pixels), (0.0..1e12).prop_map(|share| Length::Percent(Percent(share)))]
}

/// Places near the picture and at the ends of all numbers.
fn any_place() -> impl Strategy<Value = i64> {
    prop_oneof![-20..20_i64, any::<i64>()]
}

fn is_whole(bitmap: &Bitmap) -> bool {
    bitmap.data.len() == bitmap.width as usize * bitmap.height as usize * bitmap.layout.channels()
}

proptest! {
    #[test]
    fn nothing_panics_and_sizes_are_kept(
        base in any_bitmap(), over in any_bitmap(), color in any_color(), x in any_place(), y in any_place(),
        width: u32, height: u32, opacity: f64, lengths in prop::array::uniform4(any_length()),
        more in prop::option::of(prop::array::uniform4(any_length())),
    ) {
        let size = (base.width, base.height);
        for result in [
            overlay(base.clone(), &over, (x, y), opacity),
            rect(base.clone(), color, x, y, width, height),
            round(base.clone(), &lengths, more.as_ref()),
            flatten(base.clone(), color),
        ] {
            prop_assert_eq!((result.width, result.height), size);
            prop_assert!(is_whole(&result));
        }
        let result = place(base, x, y, width % 30 + 1, height % 30 + 1, color);
        prop_assert_eq!((result.width, result.height), (width % 30 + 1, height % 30 + 1));
        prop_assert!(is_whole(&result));
    }
}
