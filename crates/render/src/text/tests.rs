use super::*;
use proptest::prelude::*;

const RED: Color = Color { red: 255, green: 0, blue: 0, alpha: 255 };

fn white(width: u32, height: u32) -> Bitmap {
    Bitmap { width, height, layout: Channels::Rgb, data: vec![255; (width * height * 3) as usize] }
}

fn sized(size: u32) -> State {
    let mut state = State::default();
    state.font(&FontChange { size: Some(size), ..FontChange::default() });
    state
}

fn pixel(bitmap: &Bitmap, x: u32, y: u32) -> [u8; 3] {
    let at = (y * bitmap.width + x) as usize * 3;
    bitmap.data[at..at + 3].try_into().unwrap()
}

/// The box around everything that is not white: left, top, right, bottom.
fn ink(bitmap: &Bitmap) -> Option<(u32, u32, u32, u32)> {
    let mut found: Option<(u32, u32, u32, u32)> = None;
    for y in 0..bitmap.height {
        for x in 0..bitmap.width {
            if pixel(bitmap, x, y) != [255; 3] {
                let (left, top, right, bottom) = found.unwrap_or((x, y, x, y));
                found = Some((left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)));
            }
        }
    }
    found
}

fn lines(text: &str, width: f64) -> Vec<String> {
    let face = Face { family: Family::DejaVuMono, bold: false, italic: false, size: 10 };
    layout::lay_out(text, face, width).lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn letters_are_as_wide_and_high_as_the_font_says() {
    // DejaVu Sans Mono: 1233 of 2048 units wide; lines from 1901 above to 483 below.
    let face = Face { family: Family::DejaVuMono, bold: false, italic: false, size: 2048 };
    let layout = layout::lay_out("four words are here", face, 1e9);
    assert!((layout.lines[0].width - 19.0 * 1233.0).abs() < 1.0, "{:?}", layout.lines);
    assert!((layout.ascent - 1901.0).abs() < 1.0 && (layout.line_height - 2384.0).abs() < 1.0, "{layout:?}");
}

#[test]
fn lines_break_between_words_and_then_inside_of_them() {
    // Ten letters of six pixels and a little.
    let width = 61.0;
    assert_eq!(lines("one two three four", width), ["one two", "three four"]);
    assert_eq!(lines("one\ntwo\n\nthree", width), ["one", "two", "", "three"]);
    assert_eq!(lines("a abcdefghijklmnopqrstuvw b", width), ["a", "abcdefghij", "klmnopqrst", "uvw b"]);
    assert_eq!(lines("two  spaces   here", width), ["two", "spaces", "here"]);
    assert_eq!(lines("  in", width), ["  in"]);
    assert_eq!(lines("ab e\u{301}\u{302}cd", 7.0), ["a", "b", "e\u{301}\u{302}", "c", "d"]);
    assert_eq!(lines("abc", 0.0), ["a", "b", "c"]);
    assert_eq!(lines("<b> & \u{0}\u{7}\t\u{ffff}'\"", 1e4), ["<b> &  '\""]);
}

#[test]
fn texts_stand_where_they_are_aligned() {
    let state = |horizontal, vertical| {
        let mut state = sized(20);
        state.align(horizontal, vertical);
        state
    };
    let drawn = |state: &State| ink(&draw(white(200, 100), state, 20, 10, 160, 80, "Hxy")).unwrap();
    let (left, top, _, _) = drawn(&state(Horizontal::Left, Vertical::Top));
    assert!((20..26).contains(&left) && (10..18).contains(&top), "{left} {top}");
    let (_, _, right, bottom) = drawn(&state(Horizontal::Right, Vertical::Bottom));
    assert!((174..=180).contains(&right) && (84..=91).contains(&bottom), "{right} {bottom}");
    let (left, top, right, bottom) = drawn(&State { ..sized(20) });
    assert!((left + right).abs_diff(200) <= 4 && (top + bottom).abs_diff(100) <= 8, "{left} {top} {right} {bottom}");
}

#[test]
fn what_does_not_fit_goes_on_below() {
    let mut state = sized(20);
    state.align(Horizontal::Left, Vertical::Bottom);
    let (left, top, right, bottom) = ink(&draw(white(100, 200), &state, 0, 50, 30, 10, "one two three")).unwrap();
    assert!(left < 5 && right <= 32, "{left} {right}");
    assert!((50..60).contains(&top) && bottom > 110, "{top} {bottom}");
}

#[test]
fn every_face_looks_different() {
    let families =
        [Family::DejaVu, Family::DejaVuMono, Family::DejaVuSerif, Family::Noto, Family::NotoMono, Family::NotoSerif];
    let mut seen: Vec<Bitmap> = Vec::new();
    for family in families {
        for (bold, italic) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut state = sized(24);
            let change =
                FontChange { bold: Some(bold), italic: Some(italic), family: Some(family), ..FontChange::default() };
            state.font(&change);
            let picture = draw(white(120, 40), &state, 0, 0, 120, 40, "Rang");
            assert!(ink(&picture).is_some());
            assert!(!seen.contains(&picture), "{family:?} {bold} {italic}");
            seen.push(picture);
        }
    }
}

#[test]
fn colours_and_their_opacity_count() {
    let mut state = sized(60);
    let block = "\u{2588}\u{2588}";
    assert_eq!(pixel(&draw(white(80, 80), &state, 0, 0, 80, 80, block), 40, 40), [0, 0, 0]);
    state.font(&FontChange { color: Some(Color { alpha: 128, ..RED }), ..FontChange::default() });
    let [red, green, blue] = pixel(&draw(white(80, 80), &state, 0, 0, 80, 80, block), 40, 40);
    assert!(red == 255 && green.abs_diff(127) <= 1 && blue == green, "{red} {green} {blue}");
    let gray = Bitmap { width: 80, height: 80, layout: Channels::Gray, data: vec![255; 6400] };
    assert_eq!(draw(gray, &state, 0, 0, 80, 80, block).layout, Channels::Rgb);
}

#[test]
fn fonts_change_only_what_is_named() {
    let mut state = sized(30);
    state.font(&FontChange { bold: Some(true), color: Some(RED), ..FontChange::default() });
    assert_eq!(state.face, Face { family: Family::DejaVu, bold: true, italic: false, size: 30 });
    state.font(&FontChange { reset: true, italic: Some(true), ..FontChange::default() });
    assert_eq!(state.face, Face { family: Family::DejaVu, bold: false, italic: true, size: 10 });
    assert_eq!(state.color, BLACK);
}

#[test]
fn boxes_are_painted_behind_texts() {
    let drawn = |mode, padding| {
        let mut state = sized(20);
        state.align(Horizontal::Left, Vertical::Top);
        state.text_box(mode, Some(RED), Some(padding));
        draw(white(200, 100), &state, 10, 10, 180, 80, "wide line here\nx")
    };
    let reds = |bitmap: &Bitmap| ink(bitmap).unwrap();
    let fill = drawn(TextBox::Fill, 5);
    assert_eq!((reds(&fill), pixel(&fill, 189, 89)), ((10, 10, 190, 90), [255, 0, 0]));
    let fit = drawn(TextBox::Fit, 5);
    let (left, top, right, bottom) = reds(&fit);
    assert!(
        (left, top) == (10, 10) && (140..190).contains(&right) && (60..=70).contains(&bottom),
        "{left} {top} {right} {bottom}"
    );
    assert_eq!(pixel(&fit, right - 1, bottom - 1), [255, 0, 0]);
    let line = drawn(TextBox::Line, 2);
    assert_eq!(pixel(&line, 10, 10), [255, 0, 0]);
    assert_eq!(pixel(&line, 100, 14), [255, 0, 0]);
    assert_eq!(pixel(&line, 100, 50), [255, 255, 255]);
    assert_eq!(drawn(TextBox::None, 50), drawn(TextBox::None, 0));
}

#[test]
fn large_texts_are_painted_in_stripes_without_a_seam() {
    let state = sized(2000);
    let picture = draw(white(2100, 2600), &state, 0, 0, 2100, 2600, "\u{2588}");
    for y in (400..2200).step_by(7) {
        assert_eq!(pixel(&picture, 1000, y), [0, 0, 0], "{y}");
    }
}

#[test]
fn missing_letters_are_taken_from_other_fonts() {
    let mut state = sized(40);
    state.font(&FontChange { family: Some(Family::Noto), ..FontChange::default() });
    // An Arabic letter: none of the Noto files that came along has it, DejaVu Sans does.
    let arabic = draw(white(60, 60), &state, 0, 0, 60, 60, "\u{634}");
    let missing = draw(white(60, 60), &state, 0, 0, 60, 60, "\u{10ffff}");
    assert!(ink(&arabic).is_some());
    assert_ne!(arabic, missing);
    state.font(&FontChange { bold: Some(true), ..FontChange::default() });
    assert_ne!(draw(white(60, 60), &state, 0, 0, 60, 60, "\u{634}"), arabic);
}

fn any_state() -> impl Strategy<Value = State> {
    let family = prop::sample::select(vec![Family::DejaVu, Family::DejaVuMono, Family::NotoSerif, Family::NotoMono]);
    let mode = prop::sample::select(vec![TextBox::None, TextBox::Fit, TextBox::Line, TextBox::Fill]);
    let size = prop_oneof![0..40_u32, any::<u32>()];
    (family, mode, size, any::<(bool, bool)>(), prop_oneof![0..40_u32, any::<u32>()]).prop_map(
        |(family, mode, size, (bold, italic), padding)| {
            let mut state = State::default();
            state.font(&FontChange {
                reset: false,
                bold: Some(bold),
                italic: Some(italic),
                size: Some(size),
                color: None,
                family: Some(family),
            });
            state.text_box(mode, None, Some(padding));
            state
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_can_be_drawn(
        text in prop_oneof!["\\PC{0,30}", ".{0,30}", "[ab \n]{0,60}"], state in any_state(),
        x in prop_oneof![-100..100_i64, any::<i64>()], y in prop_oneof![-100..100_i64, any::<i64>()],
        width in prop_oneof![0..200_u32, any::<u32>()], height in prop_oneof![0..200_u32, any::<u32>()],
    ) {
        let result = draw(white(64, 48), &state, x, y, width, height, &text);
        prop_assert_eq!((result.width, result.height, result.data.len()), (64, 48, 64 * 48 * 3));
    }

    #[test]
    fn lines_hold_what_was_written(text in "[a-z ]{0,80}", width in 0.0..500.0_f64) {
        let written: String = lines(&text, width).concat();
        let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
        prop_assert_eq!(letters(&written), letters(&text));
        for line in lines(&text, width) {
            prop_assert!(line.chars().count() <= 1 || line.chars().count() as f64 * 6.0 <= width + 1.0, "{} {}", line, width);
        }
    }
}
