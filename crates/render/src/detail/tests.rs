//! Against a Gaussian computed the slow way, in `f64`, with every pixel that counts.

use super::*;
use proptest::prelude::*;
use stowage_codecs::Layout;

/// Smooth, with edges and grain.
fn picture(width: u32, height: u32, layout: Layout) -> Bitmap {
    let mut noise = 7_u32;
    let data = (0..width * height)
        .flat_map(|at| {
            let (x, y) = (at % width, at / width);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let edge = if (x / 23 + y / 17) % 2 == 0 { 140 } else { 0 };
            let pixel = [edge + (noise >> 27), (x * 5 + (noise >> 28)) % 256, 255 - edge, (y * 3 + x) % 256];
            pixel.into_iter().take(layout.channels()).map(|value| u8::try_from(value).unwrap())
        })
        .collect();
    Bitmap { width, height, layout, data }
}

fn flat(width: u32, height: u32, layout: Layout, pixel: &[u8]) -> Bitmap {
    Bitmap { width, height, layout, data: pixel.repeat((width * height) as usize) }
}

/// One direction of the Gaussian over values with so many numbers each, `step` apart.
fn line(values: &[f64], sigma: f64) -> Vec<f64> {
    let radius = (sigma * 5.0).ceil();
    (0..values.len())
        .map(|at| {
            let (mut sum, mut weights) = (0.0, 0.0);
            let mut offset = -radius;
            while offset <= radius {
                let weight = (-0.5 * (offset / sigma).powi(2)).exp();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the line")]
                let place = (at as f64 + offset).clamp(0.0, values.len() as f64 - 1.0) as usize;
                sum += values[place] * weight;
                weights += weight;
                offset += 1.0;
            }
            sum / weights
        })
        .collect()
}

/// One channel after a Gaussian.
fn reference(bitmap: &Bitmap, channel: usize, sigma: f64) -> Vec<f64> {
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let values: Vec<f64> =
        bitmap.data.iter().skip(channel).step_by(bitmap.layout.channels()).map(|value| f64::from(*value)).collect();
    let rows: Vec<f64> = values.chunks(width).flat_map(|row| line(row, sigma)).collect();
    let mut result = rows.clone();
    for x in 0..width {
        let column: Vec<f64> = (0..height).map(|y| rows[y * width + x]).collect();
        for (y, value) in line(&column, sigma).into_iter().enumerate() {
            result[y * width + x] = value;
        }
    }
    result
}

/// The largest and the mean difference of one channel from the reference.
fn distance(result: &Bitmap, source: &Bitmap, channel: usize, sigma: f64) -> (f64, f64) {
    let exact = reference(source, channel, sigma);
    let values = result.data.iter().skip(channel).step_by(result.layout.channels());
    let differences: Vec<f64> =
        exact.iter().zip(values).map(|(exact, value)| (exact - f64::from(*value)).abs()).collect();
    (differences.iter().copied().fold(0.0, f64::max), differences.iter().sum::<f64>() / differences.len() as f64)
}

#[test]
fn small_blurs_are_gaussian() {
    for layout in [Layout::Gray, Layout::Rgb, Layout::Cmyk] {
        let source = picture(90, 70, layout);
        for sigma in [0.3, 0.8, 1.0, 2.0, 3.9] {
            let result = blur(source.clone(), sigma, 1.0);
            for channel in 0..layout.channels() {
                let (most, mean) = distance(&result, &source, channel, f64::from(sigma));
                assert!(most <= 1.0 && mean < 0.3, "{layout:?} {sigma}: {most} {mean}");
            }
        }
    }
}

#[test]
fn large_blurs_are_nearly_gaussian() {
    let source = picture(160, 131, Layout::Rgb);
    for sigma in [4.0, 5.9, 6.0, 7.3, 10.0, 25.0, 60.0] {
        let result = blur(source.clone(), sigma, 1.0);
        for channel in 0..3 {
            let (most, mean) = distance(&result, &source, channel, f64::from(sigma));
            assert!(most <= 2.6 && mean < 0.8, "{sigma}: {most} {mean}");
        }
    }
}

#[test]
fn one_bright_pixel_spreads_as_wide_as_asked() {
    for sigma in [1.0_f32, 3.0, 4.0, 6.0, 9.0] {
        let mut source = flat(121, 121, Layout::Gray, &[0]);
        // A block, so that rounding does not eat what is left of it.
        for y in 50..71 {
            source.data[y * 121 + 50..y * 121 + 71].fill(255);
        }
        let result = blur(source.clone(), sigma, 1.0);
        let spread = |bitmap: &Bitmap| {
            let columns: Vec<f64> = (0..121)
                .map(|x| bitmap.data.iter().skip(x).step_by(121).map(|value| f64::from(*value)).sum())
                .collect();
            let all: f64 = columns.iter().sum();
            columns.iter().enumerate().map(|(x, value)| (x as f64 - 60.0).powi(2) * value).sum::<f64>() / all
        };
        let grown = spread(&result) - spread(&source);
        let asked = f64::from(sigma).powi(2);
        assert!((grown - asked).abs() < 0.06 * asked + 0.1, "{sigma}: {grown} for {asked}");
    }
}

#[test]
fn fine_stripes_leave_no_pattern() {
    for period in [2, 3, 5, 7] {
        let data = (0..200 * 50).map(|at| if at % 200 % period < period / 2 { 255 } else { 0 }).collect();
        let stripes = Bitmap { width: 200, height: 50, layout: Layout::Gray, data };
        for sigma in [4.0, 5.0, 8.0, 13.0] {
            let result = blur(stripes.clone(), sigma, 1.0);
            let row = &result.data[20 * 200 + 60..20 * 200 + 140];
            let (low, high) = (row.iter().min().unwrap(), row.iter().max().unwrap());
            assert!(high - low <= 3, "{period} {sigma}: {low} to {high}");
        }
    }
}

#[test]
fn flat_pictures_stay_flat_at_every_size() {
    for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 50), (31, 17)] {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba, Layout::Cmyk] {
            let source = flat(width, height, layout, &[9, 200, 255, 77][..layout.channels()]);
            for sigma in [0.2, 1.0, 3.0, 4.0, 17.0, 500.0] {
                for amount in [1.0, 0.5, -2.0] {
                    assert_eq!(
                        blur(source.clone(), sigma, amount),
                        source,
                        "{width}x{height} {layout:?} {sigma} {amount}"
                    );
                }
            }
        }
    }
}

#[test]
fn nothing_is_blurred_where_nothing_is_asked() {
    let source = picture(40, 30, Layout::Rgba);
    assert_eq!(blur(source.clone(), 0.0, 1.0), source);
    assert_eq!(blur(source.clone(), 5.0, 0.0), source);
    assert_eq!(sharp(source.clone(), 0), source);
    assert_eq!(blur_region(source.clone(), Rect { x: 3, y: 4, width: 5, height: 6 }, 0.0), source);
}

#[test]
fn half_of_a_blur_lies_half_way() {
    for layout in [Layout::Gray, Layout::Rgb] {
        for sigma in [2.0, 12.0] {
            let source = picture(60, 60, layout);
            let (half, full) = (blur(source.clone(), sigma, 0.5), blur(source.clone(), sigma, 1.0));
            for ((before, half), full) in source.data.iter().zip(&half.data).zip(&full.data) {
                let middle = f64::midpoint(f64::from(*before), f64::from(*full));
                assert!((middle - f64::from(*half)).abs() <= 1.0);
            }
        }
    }
}

#[test]
fn negative_amounts_sharpen() {
    // Left dark, right light: beside the edge dark gets darker and light lighter, far from it nothing happens.
    let data = (0..60 * 60).map(|at| if at % 60 < 30 { 80 } else { 160 }).collect();
    let edge = Bitmap { width: 60, height: 60, layout: Layout::Gray, data };
    for sigma in [2.0, 5.0] {
        let result = blur(edge.clone(), sigma, -1.2);
        let row = &result.data[30 * 60..31 * 60];
        assert!(row[29] < 60 && row[30] > 180, "{row:?}");
        assert_eq!((row[0], row[59]), (80, 160));
    }
    let stronger: Vec<u8> = (0..=20).map(|strength| sharp(edge.clone(), strength).data[30 * 60 + 30]).collect();
    assert!(stronger.is_sorted() && stronger[20] > stronger[5] && stronger[5] > stronger[0], "{stronger:?}");
}

#[test]
fn unseen_colours_do_not_bleed() {
    // Opaque green beside transparent red.
    let data = (0..40 * 40).flat_map(|at| if at % 40 < 20 { [0, 200, 0, 255] } else { [255, 0, 0, 0] }).collect();
    let source = Bitmap { width: 40, height: 40, layout: Layout::Rgba, data };
    for sigma in [1.5, 6.0] {
        let result = blur(source.clone(), sigma, 1.0);
        for pixel in result.data.chunks(4) {
            assert!(pixel[3] < 8 || (pixel[0] <= 1 && pixel[1].abs_diff(200) <= 1), "{pixel:?}");
        }
        let alpha: Vec<u8> = result.data[20 * 160..21 * 160].iter().skip(3).step_by(4).copied().collect();
        assert!(alpha.iter().rev().is_sorted());
        assert!((251..=259).contains(&(u32::from(alpha[19]) + u32::from(alpha[20]))), "{alpha:?}");
        // Sharpening does not touch opacity, and there is nothing to sharpen in one colour.
        assert_eq!(blur(source.clone(), sigma, -2.0), source);
    }
}

#[test]
fn opaque_pictures_are_blurred_like_those_without_opacity() {
    let color = picture(50, 50, Layout::Rgb);
    let data = color.data.chunks(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    let opaque = Bitmap { layout: Layout::Rgba, data, ..color };
    for (sigma, amount) in [(1.0, 1.0), (9.0, 0.7), (3.0, -1.5)] {
        let (one, other) = (blur(color.clone(), sigma, amount), blur(opaque.clone(), sigma, amount));
        for (one, other) in one.data.chunks(3).zip(other.data.chunks(4)) {
            assert!(other[3] == 255 && one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= 1));
        }
    }
}

#[test]
fn a_region_is_blurred_and_nothing_else() {
    let source = picture(80, 60, Layout::Rgb);
    let rect = Rect { x: 10, y: 20, width: 30, height: 25 };
    let result = blur_region(source.clone(), rect, 5.0);
    let mut changed = 0;
    for (at, (before, after)) in source.data.chunks(3).zip(result.data.chunks(3)).enumerate() {
        let (x, y) = (at % 80, at / 80);
        if (10..40).contains(&x) && (20..45).contains(&y) {
            changed += u32::from(before != after);
        } else {
            assert_eq!(before, after);
        }
    }
    assert!(changed > 600);
    let whole = Rect { x: 0, y: 0, width: 80, height: 60 };
    assert_eq!(blur_region(source.clone(), whole, 5.0), blur(source, 5.0, 1.0));
}

proptest! {
    /// Blurring never leaves the range of what is there, whatever the sizes.
    #[test]
    fn blurring_stays_within_the_values(width in 1..70_u32, height in 1..70_u32, sigma in 0.1..80.0_f32, low in 0..200_u8) {
        let mut source = picture(width, height, Layout::Gray);
        for value in &mut source.data {
            *value = low + *value % 50;
        }
        let result = blur(source.clone(), sigma, 1.0);
        let (least, most) = (source.data.iter().min().unwrap(), source.data.iter().max().unwrap());
        prop_assert!(result.data.iter().all(|value| (least..=most).contains(&value)));
    }
}
