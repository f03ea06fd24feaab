//! What colour and detail cost, for a person to read: `cargo nextest run -p stowage-render --run-ignored only --no-capture speed`.

use crate::{color, detail, icc};
use std::time::{Duration, Instant};
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Adjustment, Srgb, Step};

const SIDE: u32 = 1000;

/// Smooth with some noise, as photographs are.
fn picture(layout: Layout) -> Bitmap {
    let mut noise = 1_u32;
    let data = (0..SIDE * SIDE)
        .flat_map(|at| {
            let (x, y) = (at % SIDE, at / SIDE);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = noise >> 28;
            let pixel = [x / 5 + grain, y / 5 + grain, (x + y) / 9 + grain, 255];
            pixel.into_iter().take(layout.channels()).map(|value| u8::try_from(value).unwrap_or(255))
        })
        .collect();
    Bitmap { width: SIDE, height: SIDE, layout, data }
}

/// The fastest of several runs: what else the machine does only ever adds.
fn measure(name: &str, layout: Layout, mut work: impl FnMut(Bitmap) -> Bitmap) {
    let source = picture(layout);
    let fastest = (0..15)
        .map(|_| {
            let copy = source.clone();
            let start = Instant::now();
            let result = work(copy);
            let took = start.elapsed();
            assert_eq!(result.width, SIDE);
            took
        })
        .min()
        .unwrap_or(Duration::ZERO);
    let area = f64::from(SIDE) * f64::from(SIDE) / 1e6;
    println!("{name:<28} {layout:?}: {:6.2} ms/MP", fastest.as_secs_f64() * 1e3 / area);
}

#[test]
#[ignore = "measures; run it optimised and alone"]
fn speed() {
    use Adjustment::{Brightness, Contrast, Exposure, Gamma, Saturation, Vibrance, Warmth};
    let runs: [(&str, Vec<Step>); 9] = [
        ("brightness", vec![Step::Adjust(Brightness, 20)]),
        (
            "five tables",
            vec![
                Step::Adjust(Brightness, 20),
                Step::Adjust(Exposure, 20),
                Step::Adjust(Gamma, 120),
                Step::Adjust(Contrast, 20),
                Step::Adjust(Warmth, 30),
            ],
        ),
        ("saturation", vec![Step::Adjust(Saturation, 40)]),
        ("grayscale", vec![Step::Grayscale]),
        ("vibrance", vec![Step::Adjust(Vibrance, 40)]),
        ("enhance", vec![Step::Enhance(50)]),
        ("look", vec![Step::Filter { name: 0, amount: 100 }]),
        ("look at 50", vec![Step::Filter { name: 1, amount: 50 }]),
        (
            "the editor's whole chain",
            vec![
                Step::Enhance(50),
                Step::Adjust(Brightness, 10),
                Step::Adjust(Exposure, 10),
                Step::Adjust(Gamma, 110),
                Step::Adjust(Contrast, 10),
                Step::Adjust(Saturation, 10),
                Step::Adjust(Vibrance, 10),
                Step::Adjust(Warmth, 10),
                Step::Filter { name: 2, amount: 80 },
            ],
        ),
    ];
    for (name, run) in &runs {
        for layout in [Layout::Rgb, Layout::Rgba] {
            measure(name, layout, |mut bitmap| {
                color::apply(&mut bitmap, run);
                bitmap
            });
        }
    }
    for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
        for sigma in [0.8, 1.0, 2.0, 3.9, 4.0, 10.0, 50.0, 500.0] {
            measure(&format!("blur {sigma}"), layout, |bitmap| detail::blur(bitmap, sigma, 1.0));
        }
        measure("sharp", layout, |bitmap| detail::sharp(bitmap, 5));
    }
    measure("inks without a profile", Layout::Cmyk, |bitmap| icc::to_rgb(bitmap, None, Srgb::Fast, 10).0);
}
