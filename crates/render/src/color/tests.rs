//! Against plain arithmetic in `f64`, written down a second time here.

use super::*;
use proptest::prelude::*;
use stowage_image::operations::FILTERS;

const ADJUSTMENTS: [Adjustment; 7] = [
    Adjustment::Brightness,
    Adjustment::Exposure,
    Adjustment::Gamma,
    Adjustment::Contrast,
    Adjustment::Saturation,
    Adjustment::Vibrance,
    Adjustment::Warmth,
];

fn bitmap(layout: Layout, pixels: &[&[u8]]) -> Bitmap {
    Bitmap { width: u32::try_from(pixels.len()).unwrap(), height: 1, layout, data: pixels.concat() }
}

fn after(mut bitmap: Bitmap, run: &[Step]) -> Bitmap {
    apply(&mut bitmap, run);
    bitmap
}

/// What becomes of one pixel of one colour.
fn pixel(color: [u8; 3], run: &[Step]) -> [u8; 3] {
    after(bitmap(Layout::Rgb, &[&color]), run).data.try_into().unwrap()
}

/// All grays, then colours all over the cube.
fn palette() -> Bitmap {
    let mut data: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
    let levels = [0, 1, 30, 77, 128, 180, 230, 254, 255];
    for red in levels {
        for green in levels {
            for blue in levels {
                data.extend([red, green, blue]);
            }
        }
    }
    let width = u32::try_from(data.len() / 3).unwrap();
    Bitmap { width, height: 1, layout: Layout::Rgb, data }
}

fn differences(one: &Bitmap, other: &Bitmap) -> u64 {
    assert_eq!(one.data.len(), other.data.len());
    one.data.iter().zip(&other.data).map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
}

fn luma(color: &[u8]) -> f64 {
    0.299 * f64::from(color[0]) + 0.587 * f64::from(color[1]) + 0.114 * f64::from(color[2])
}

fn chroma(color: &[u8]) -> u8 {
    color.iter().max().unwrap() - color.iter().min().unwrap()
}

#[test]
fn neutral_values_change_nothing() {
    let mut run: Vec<Step> = ADJUSTMENTS.iter().map(|kind| Step::Adjust(*kind, kind.range().2)).collect();
    run.push(Step::Enhance(0));
    run.extend((0..40).map(|name| Step::Filter { name, amount: 0 }));
    assert_eq!(after(palette(), &run), palette());
    assert_eq!(after(palette(), &[]), palette());
}

#[test]
fn every_value_of_every_range_keeps_size_and_opacity() {
    for kind in ADJUSTMENTS {
        let (from, to, _) = kind.range();
        for value in (from..=to).step_by(25) {
            let result =
                after(bitmap(Layout::Rgba, &[&[200, 100, 50, 0], &[1, 2, 3, 77]]), &[Step::Adjust(kind, value)]);
            assert_eq!((result.layout, result.width, result.data.len()), (Layout::Rgba, 2, 8));
            assert_eq!((result.data[3], result.data[7]), (0, 77));
        }
    }
}

/// Something about a picture of three pixels: light, middle, dark.
type Measure = fn(&Bitmap) -> f64;

#[test]
fn adjustments_rise_with_their_value() {
    // What each of them is meant to raise; of contrast the distance of what is light from what is dark.
    let measures: [(Adjustment, Measure); 7] = [
        (Adjustment::Brightness, |one| luma(&one.data[3..6])),
        (Adjustment::Exposure, |one| luma(&one.data[3..6])),
        (Adjustment::Gamma, |one| -luma(&one.data[3..6])),
        (Adjustment::Contrast, |one| luma(&one.data[..3]) - luma(&one.data[6..9])),
        (Adjustment::Saturation, |one| f64::from(chroma(&one.data[3..6]))),
        (Adjustment::Vibrance, |one| f64::from(chroma(&one.data[3..6]))),
        (Adjustment::Warmth, |one| f64::from(one.data[3]) - f64::from(one.data[5])),
    ];
    let picture = bitmap(Layout::Rgb, &[&[180, 185, 175], &[130, 122, 115], &[60, 70, 65]]);
    for (kind, measure) in measures {
        let (from, to, _) = kind.range();
        let seen: Vec<f64> =
            (from..=to).map(|value| measure(&after(picture.clone(), &[Step::Adjust(kind, value)]))).collect();
        // Rounding may take back one step.
        assert!(seen.windows(2).all(|pair| pair[1] >= pair[0] - 1.0), "{kind:?}");
        assert!(seen[seen.len() - 1] > seen[0] + 20.0, "{kind:?}: {} to {}", seen[0], seen[seen.len() - 1]);
    }
}

#[test]
fn tones_keep_the_order_of_values() {
    for kind in ADJUSTMENTS {
        let (from, to, _) = kind.range();
        for value in [from, from / 2, to / 10, to / 2, to] {
            let grays =
                Bitmap { width: 256, height: 1, layout: Layout::Rgb, data: (0..=255).flat_map(|v| [v; 3]).collect() };
            let result = after(grays, &[Step::Adjust(kind, value)]);
            for channel in 0..3 {
                let line: Vec<u8> = result.data.iter().skip(channel).step_by(3).copied().collect();
                assert!(line.is_sorted(), "{kind:?} {value}");
            }
        }
    }
}

#[test]
fn the_ends_of_the_ranges_are_what_they_are_called() {
    let colors = [[0, 0, 0], [255, 255, 255], [200, 100, 50], [3, 250, 128]];
    for color in colors {
        assert_eq!(pixel(color, &[Step::Adjust(Adjustment::Brightness, 100)]), [255; 3]);
        assert_eq!(pixel(color, &[Step::Adjust(Adjustment::Brightness, -100)]), [0; 3]);
        assert_eq!(pixel(color, &[Step::Adjust(Adjustment::Contrast, -100)]), [128; 3]);
        assert_eq!(pixel(color, &[Step::Adjust(Adjustment::Gamma, 0)]), [255; 3]);
        let gray = pixel(color, &[Step::Adjust(Adjustment::Saturation, -100)]);
        assert_eq!(gray, pixel(color, &[Step::Grayscale]));
        assert_eq!(chroma(&gray), 0);
    }
    // Exposure and gamma compress: black stays black and white stays white, and nothing between becomes either.
    for value in [-500, -300, 300, 500] {
        assert_eq!(pixel([0; 3], &[Step::Adjust(Adjustment::Exposure, value)]), [0; 3]);
        assert_eq!(pixel([255; 3], &[Step::Adjust(Adjustment::Exposure, value)]), [255; 3]);
    }
    assert!((1..255).contains(&pixel([230; 3], &[Step::Adjust(Adjustment::Exposure, 500)])[0]));
    assert_eq!(pixel([0; 3], &[Step::Adjust(Adjustment::Gamma, 1000)]), [0; 3]);
    assert_eq!(pixel([255; 3], &[Step::Adjust(Adjustment::Gamma, 1000)]), [255; 3]);
}

#[test]
fn known_pixels() {
    assert_eq!(pixel([0x40; 3], &[Step::Invert]), [0xbf; 3]);
    assert_eq!(pixel([0xc8, 0x64, 0x32], &[Step::Grayscale]), [124; 3]);
    assert_eq!(pixel([100, 128, 200], &[Step::Adjust(Adjustment::Brightness, 20)]), [151, 179, 251]);
    assert_eq!(pixel([100, 128, 250], &[Step::Adjust(Adjustment::Contrast, 50)]), [86, 128, 255]);
    // 2 stops: 0.5 in sRGB is 0.2140 of the light, 4 * 0.2140 / (1 + 3 * 0.2140) = 0.5214 of it, which is 0.7501 in sRGB.
    assert_eq!(pixel([128, 0, 255], &[Step::Adjust(Adjustment::Exposure, 200)]), [192, 0, 255]);
    assert_eq!(pixel([64, 128, 192], &[Step::Adjust(Adjustment::Gamma, 200)]), [16, 64, 145]);
    // Luma 131.8; distances doubled.
    assert_eq!(pixel([140, 130, 120], &[Step::Adjust(Adjustment::Saturation, 100)]), [148, 128, 108]);
}

#[test]
fn vibrance_prefers_muted_colours() {
    let growth = |color: [u8; 3], value| {
        f64::from(chroma(&pixel(color, &[Step::Adjust(Adjustment::Vibrance, value)]))) / f64::from(chroma(&color))
    };
    let (muted, vivid) = ([130, 120, 110], [230, 120, 20]);
    assert!(growth(muted, 50) > growth(vivid, 50) + 0.1);
    assert!(growth(muted, -50) < growth(vivid, -50) - 0.1);
    assert_eq!(pixel([99; 3], &[Step::Adjust(Adjustment::Vibrance, 500)]), [99; 3]);
}

#[test]
fn warmth_keeps_the_lightness_of_gray() {
    for value in [-100, -30, 30, 100] {
        let color = pixel([120; 3], &[Step::Adjust(Adjustment::Warmth, value)]);
        assert!((luma(&color) - 120.0).abs() < 1.0, "{color:?}");
        assert_eq!(color[0] > color[2], value > 0);
    }
}

#[test]
fn a_negative_of_a_negative_is_the_picture() {
    assert_eq!(after(palette(), &[Step::Invert, Step::Invert]), palette());
    let once = after(palette(), &[Step::Invert]);
    assert!(once.data.iter().zip(&palette().data).all(|(one, other)| one + other == 255));
}

#[test]
fn gray_stays_gray_as_long_as_it_can() {
    let gray = Bitmap { width: 256, height: 1, layout: Layout::Gray, data: (0..=255).collect() };
    let run: Vec<Step> = [
        Step::Adjust(Adjustment::Exposure, 70),
        Step::Adjust(Adjustment::Saturation, 300),
        Step::Adjust(Adjustment::Vibrance, 90),
        Step::Enhance(80),
        Step::Grayscale,
        Step::Invert,
        Step::Filter { name: 12, amount: 100 },
    ]
    .to_vec();
    let result = after(gray.clone(), &run);
    assert_eq!(result.layout, Layout::Gray);
    assert_ne!(result.data, gray.data);
    // As the same picture with three channels.
    let spread = |bitmap: &Bitmap| Bitmap {
        layout: Layout::Rgb,
        data: bitmap.data.iter().flat_map(|value| [*value; 3]).collect(),
        ..*bitmap
    };
    let color = after(spread(&gray), &run);
    assert!(spread(&result).data.iter().zip(&color.data).all(|(one, other)| one.abs_diff(*other) <= 1));
    assert_eq!(after(gray.clone(), &[Step::Adjust(Adjustment::Warmth, 50)]).layout, Layout::Rgb);
    let sepia = after(gray, &[Step::Filter { name: 13, amount: 100 }]);
    assert_eq!((sepia.layout, sepia.data.len()), (Layout::Rgb, 768));
}

#[test]
fn inks_become_colours_where_colour_is_asked_for() {
    let inks = bitmap(Layout::Cmyk, &[&[0, 0, 0, 0], &[0, 255, 255, 0]]);
    assert_eq!(after(inks.clone(), &[]), inks);
    let result = after(inks, &[Step::Invert]);
    assert_eq!((result.layout, &result.data[..3]), (Layout::Rgb, &[0_u8; 3][..]));
}

#[test]
fn looks_differ_from_each_other_and_from_nothing() {
    let names = 0..u8::try_from(FILTERS.len()).unwrap();
    let looks: Vec<Bitmap> = names.map(|name| after(palette(), &[Step::Filter { name, amount: 100 }])).collect();
    let visible = 2 * palette().data.len() as u64;
    for (at, look) in looks.iter().enumerate() {
        assert!(differences(look, &palette()) > visible, "{}", FILTERS[at]);
        for (other, second) in looks.iter().enumerate().skip(at + 1) {
            assert!(differences(look, second) > visible, "{} and {}", FILTERS[at], FILTERS[other]);
        }
    }
}

#[test]
fn the_amount_of_a_look_goes_on_in_both_directions() {
    for name in 0..40 {
        let steps: Vec<Bitmap> = [-100, 0, 50, 100, 200]
            .iter()
            .map(|amount| after(palette(), &[Step::Filter { name, amount: *amount }]))
            .collect();
        assert_eq!(steps[1], palette());
        for ((half, full), before) in steps[2].data.iter().zip(&steps[3].data).zip(&palette().data) {
            let middle = i32::midpoint(i32::from(*before), i32::from(*full));
            assert!((i32::from(*half) - middle).abs() <= 1, "{}", FILTERS[usize::from(name)]);
        }
        for at in 0..palette().data.len() {
            let [below, before, _, full, double] = [0, 1, 2, 3, 4].map(|step| i32::from(steps[step].data[at]));
            assert!((double - (2 * full - before).clamp(0, 255)).abs() <= 2);
            assert!((below - (2 * before - full).clamp(0, 255)).abs() <= 2);
        }
    }
}

#[test]
fn an_unknown_look_changes_nothing() {
    assert_eq!(after(palette(), &[Step::Filter { name: 40, amount: 100 }]), palette());
}

#[test]
fn a_look_that_is_gray_is_gray_everywhere() {
    for name in ["galen", "nerion"] {
        let name = u8::try_from(FILTERS.iter().position(|other| *other == name).unwrap()).unwrap();
        let result = after(palette(), &[Step::Filter { name, amount: 100 }]);
        assert!(result.data.chunks(3).all(|color| chroma(color) <= 1));
    }
}

/// 64 by 64, dull and with a blue cast.
fn dull() -> Bitmap {
    let data = (0..64_u8)
        .flat_map(|y| (0..64).flat_map(move |x| [70 + x / 2 + y / 4, 70 + x / 2 + y / 4, 90 + x / 2 + y / 4]))
        .collect();
    Bitmap { width: 64, height: 64, layout: Layout::Rgb, data }
}

fn spread(bitmap: &Bitmap) -> f64 {
    let lumas: Vec<f64> = bitmap.data.chunks(3).map(luma).collect();
    let mean = lumas.iter().sum::<f64>() / lumas.len() as f64;
    (lumas.iter().map(|luma| (luma - mean).powi(2)).sum::<f64>() / lumas.len() as f64).sqrt()
}

#[test]
fn enhance_spreads_what_is_dull() {
    let steps: Vec<f64> = (0..=100).step_by(10).map(|value| spread(&after(dull(), &[Step::Enhance(value)]))).collect();
    assert!(steps.windows(2).all(|pair| pair[1] > pair[0]), "{steps:?}");
    assert!(steps[10] > 2.0 * steps[0]);
    // The cast is not spread as much as the rest.
    let cast = |bitmap: &Bitmap| {
        let middle = &bitmap.data[(32 * 64 + 32) * 3..][..3];
        (f64::from(middle[2]) - f64::from(middle[0])) / spread(bitmap)
    };
    assert!(cast(&after(dull(), &[Step::Enhance(100)])) < 0.9 * cast(&dull()));
}

#[test]
fn enhance_leaves_what_is_flat_or_good_as_it_is() {
    let flat = Bitmap { width: 30, height: 30, layout: Layout::Rgb, data: vec![77; 2700] };
    assert_eq!(after(flat.clone(), &[Step::Enhance(100)]), flat);
    // Unseen pixels do not count.
    let mut hidden = Bitmap { width: 30, height: 30, layout: Layout::Rgba, data: [77, 77, 77, 255].repeat(900) };
    hidden.data[..400].copy_from_slice(&[255, 0, 0, 0].repeat(100));
    assert_eq!(after(hidden.clone(), &[Step::Enhance(100)]), hidden);
    let even = Bitmap { width: 256, height: 1, layout: Layout::Gray, data: (0..=255).collect() };
    let result = after(even.clone(), &[Step::Enhance(100)]);
    assert!(result.data.iter().zip(&even.data).all(|(one, other)| one.abs_diff(*other) < 20));
    assert!(result.data.is_sorted());
}

#[test]
fn enhance_looks_at_what_the_steps_before_made() {
    // A picture made dark is enhanced to about the same as the picture itself.
    let dark = after(dull(), &[Step::Adjust(Adjustment::Brightness, -20), Step::Enhance(100)]);
    let plain = after(dull(), &[Step::Enhance(100)]);
    assert!(dark.data.iter().zip(&plain.data).all(|(one, other)| one.abs_diff(*other) <= 6));
}

/// A step as the vendor describes it, or as `docs/url-api.md` does where the vendor is silent, on one unrounded pixel.
fn reference(step: &Step, pixel: [f64; 3]) -> [f64; 3] {
    let luma = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    let saturated = |factor: f64| pixel.map(|value| luma + (value - luma) * factor);
    match step {
        Step::Invert => pixel.map(|value| 1.0 - value),
        Step::Grayscale => [luma; 3],
        Step::Adjust(kind, value) => {
            let share = f64::from(*value) / 100.0;
            match kind {
                Adjustment::Brightness => pixel.map(|value| value + share),
                Adjustment::Contrast => pixel.map(|value| 0.5 + (value - 0.5) * (1.0 + share)),
                Adjustment::Gamma => pixel.map(|value| value.powf(share)),
                Adjustment::Exposure => pixel.map(|value| {
                    let light = if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
                    let light = light * share.exp2() / (1.0 + (share.exp2() - 1.0) * light);
                    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
                }),
                Adjustment::Saturation => saturated(1.0 + share),
                Adjustment::Vibrance => {
                    let chroma = pixel.iter().copied().fold(0.0, f64::max) - pixel.iter().copied().fold(1.0, f64::min);
                    saturated(if share > 0.0 {
                        (1.0 + share) / (1.0 + share * chroma)
                    } else {
                        1.0 + share * (1.0 - chroma)
                    })
                }
                Adjustment::Warmth => {
                    let (red, blue) = ((0.22 * share).exp2(), (-0.33 * share).exp2());
                    [pixel[0] * red, pixel[1] * (1.0 - 0.299 * red - 0.114 * blue) / 0.587, pixel[2] * blue]
                }
            }
        }
        _ => unreachable!("not drawn"),
    }
    .map(|value| value.clamp(0.0, 1.0))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let adjustment = (0..ADJUSTMENTS.len(), 0.0..1.0_f64).prop_map(|(kind, at)| {
        let (from, to, _) = ADJUSTMENTS[kind].range();
        // Powers near 0 make steps of what is nearly black, which no table follows.
        let from = if ADJUSTMENTS[kind] == Adjustment::Gamma { 25 } else { from };
        #[expect(clippy::cast_possible_truncation, reason = "within the range of the adjustment")]
        let value = (f64::from(from) + at * f64::from(to - from)) as i16;
        Step::Adjust(ADJUSTMENTS[kind], value)
    });
    proptest::collection::vec(prop_oneof![6 => adjustment, 1 => Just(Step::Invert), 1 => Just(Step::Grayscale)], 1..7)
}

proptest! {
    /// Rounding once at the end may differ from the reference by one where the reference lies on the edge; the tables by little more.
    #[test]
    fn a_run_is_as_if_nothing_were_rounded(run in steps(), colors in proptest::collection::vec(any::<[u8; 3]>(), 1..40)) {
        let pixels: Vec<&[u8]> = colors.iter().map(<[u8; 3]>::as_slice).collect();
        let result = after(bitmap(Layout::Rgb, &pixels), &run);
        for (color, result) in colors.iter().zip(result.data.chunks(3)) {
            let exact = run.iter().fold(color.map(|value| f64::from(value) / 255.0), |pixel, step| reference(step, pixel));
            for channel in 0..3 {
                let difference = (exact[channel] * 255.0 - f64::from(result[channel])).abs();
                prop_assert!(difference <= 1.3, "{color:?} {exact:?} {result:?}");
            }
        }
    }

    /// As the same colours one by one, and in a picture with opacity.
    #[test]
    fn pixels_do_not_depend_on_their_neighbours(run in steps(), count in 1..600_usize) {
        let colors: Vec<[u8; 3]> = (0..count).map(|at| [at * 7, at * 31, at * 101].map(|value| u8::try_from(value % 256).unwrap())).collect();
        let pixels: Vec<&[u8]> = colors.iter().map(<[u8; 3]>::as_slice).collect();
        let together = after(bitmap(Layout::Rgb, &pixels), &run);
        let last = colors[count - 1];
        prop_assert_eq!(&together.data[(count - 1) * 3..], &pixel(last, &run)[..]);
        let opaque: Vec<u8> = colors.iter().flat_map(|color| [color[0], color[1], color[2], 9]).collect();
        let width = together.width;
        let clear = after(Bitmap { width, height: 1, layout: Layout::Rgba, data: opaque }, &run);
        prop_assert!(clear.data.chunks(4).zip(together.data.chunks(3)).all(|(one, other)| &one[..3] == other && one[3] == 9));
    }
}
