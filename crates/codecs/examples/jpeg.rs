//! Measures what a thumbnail of a JPEG costs and how good it is: decode, shrink, encode. `bench/image/run` sets it beside sharp.
//!
//! `jpeg time FILE SIDE MARGIN RUNS OUT` prints the CPU seconds of one run for each of them and leaves the last thumbnail in OUT; SIDE 0 only decodes.
//! `jpeg compare FILE OUT...` prints the similarity of each picture, of any format, to an exactly computed one of the same size: of the middle of FILE
//! where its shape is another one, on grey where it is transparent.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sides of pictures fit")]

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use std::error::Error;
use std::fs;
use stowage_codecs::{Ask, Bitmap, Decoded, Extras, Layout, decode, jpeg};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What sharp writes where nothing is said.
const QUALITY: u8 = 80;

#[expect(clippy::print_stdout, reason = "a tool for the command line")]
fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["time", file, side, margin, runs, out] => {
            let bytes = fs::read(file)?;
            let (side, margin, runs): (u32, f64, usize) = (side.parse()?, margin.parse()?, runs.parse()?);
            for _ in 0..runs {
                let before = cpu()?;
                let thumbnail = thumbnail(&bytes, side, margin)?;
                println!("{}", cpu()? - before);
                fs::write(out, thumbnail)?;
            }
        }
        ["compare", file, outs @ ..] => {
            let source = on_grey(decode(&fs::read(file)?, &Ask::default())?.bitmap);
            for out in outs {
                let shown = on_grey(decode(&fs::read(out)?, &Ask::default())?.bitmap);
                let exact = exact(&source, shown.width, shown.height)?;
                println!("{out} {:.5} {:.2}", similarity(&exact, &shown), distance(&exact, &shown));
            }
        }
        _ => return Err("jpeg time FILE SIDE MARGIN RUNS OUT | jpeg compare FILE OUT...".into()),
    }
    Ok(())
}

/// The seconds that this thread was on a processor. Of the kernel's scheduler: clocks are not for us to read.
fn cpu() -> Result<f64> {
    let times = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = times.split(' ').next().ok_or("schedstat is empty")?.parse()?;
    Ok(nanoseconds / 1e9)
}

fn thumbnail(bytes: &[u8], side: u32, margin: f64) -> Result<Vec<u8>> {
    if side == 0 {
        decode(bytes, &Ask::default())?;
        return Ok(Vec::new());
    }
    // The header is cheap; the pipeline knows the size from the file's record.
    let full = size(bytes)?;
    let (width, height) = target(full, side);
    let wanted = |length: u32| (f64::from(length) * margin).floor() as u32;
    let ask = Ask { at_least: Some((wanted(width), wanted(height))), ..Ask::default() };
    let Decoded { bitmap, .. } = decode(bytes, &ask)?;
    let mut image = Image::from_vec_u8(bitmap.width, bitmap.height, bitmap.data, PixelType::U8x3)?;
    let mut small = Image::new(width, height, PixelType::U8x3);
    Resizer::new().resize(&image, &mut small, &lanczos())?;
    image = small;
    let bitmap = Bitmap { width, height, layout: Layout::Rgb, data: image.into_vec() };
    Ok(jpeg(&bitmap, QUALITY, false, Extras::default())?)
}

fn lanczos() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false)
}

/// The size in the frame of a JPEG.
fn size(bytes: &[u8]) -> Result<(u32, u32)> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info()?;
    let info = decoder.info().ok_or("no header")?;
    Ok((info.width.into(), info.height.into()))
}

/// A size whose longer side is `side`.
fn target((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let by = f64::from(side) / f64::from(width.max(height));
    let scaled = |length: u32| ((f64::from(length) * by).round() as u32).max(1);
    (scaled(width), scaled(height))
}

/// RGB, with grey behind what is transparent.
fn on_grey(bitmap: Bitmap) -> Bitmap {
    let blend = |level: u8, alpha: u8| {
        let (level, alpha) = (u32::from(level), u32::from(alpha));
        ((level * alpha + 128 * (255 - alpha) + 127) / 255) as u8
    };
    let data = match bitmap.layout {
        // Inks are compared by nobody here.
        Layout::Rgb | Layout::Cmyk => return bitmap,
        Layout::Rgba => {
            let pixels = bitmap.data.as_chunks().0.iter();
            pixels.flat_map(|&[r, g, b, a]: &[u8; 4]| [r, g, b].map(|level| blend(level, a))).collect()
        }
        Layout::Gray => bitmap.data.iter().flat_map(|&level| [level; 3]).collect(),
    };
    Bitmap { layout: Layout::Rgb, data, ..bitmap }
}

/// The largest middle part of a picture with the shape of `width` and `height`; the picture itself where that is its shape but for rounding.
fn middle(source: &Bitmap, width: u32, height: u32) -> (f64, f64, f64, f64) {
    let (full_width, full_height) = (f64::from(source.width), f64::from(source.height));
    let shape = f64::from(width) / f64::from(height);
    if (full_width / full_height / shape - 1.0).abs() < 0.01 {
        return (0.0, 0.0, full_width, full_height);
    }
    let (w, h) = (full_width.min(full_height * shape), full_height.min(full_width / shape));
    ((full_width - w) / 2.0, (full_height - h) / 2.0, w, h)
}

/// The picture scaled with Lanczos in floating point.
fn exact(source: &Bitmap, width: u32, height: u32) -> Result<Vec<f32>> {
    let (left, top, part_width, part_height) = middle(source, width, height);
    let floats: Vec<u8> = source.data.iter().flat_map(|&level| f32::from(level).to_ne_bytes()).collect();
    let image = Image::from_vec_u8(source.width, source.height, floats, PixelType::F32x3)?;
    let mut small = Image::new(width, height, PixelType::F32x3);
    let options = lanczos().crop(left, top, part_width, part_height);
    Resizer::new().resize(&image, &mut small, &options)?;
    Ok(small.buffer().as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes).clamp(0.0, 255.0)).collect())
}

/// The mean structural similarity of the brightness, in windows of eight times eight pixels, four apart.
fn similarity(exact: &[f32], shown: &Bitmap) -> f64 {
    let luma = |pixel: [f64; 3]| 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    let a: Vec<f64> = exact.as_chunks().0.iter().map(|pixel: &[f32; 3]| luma(pixel.map(f64::from))).collect();
    let b: Vec<f64> = shown.data.as_chunks().0.iter().map(|pixel: &[u8; 3]| luma(pixel.map(f64::from))).collect();
    let (width, height) = (shown.width as usize, shown.height as usize);
    let (mut sum, mut windows) = (0.0, 0.0);
    for y in (0..=height.saturating_sub(8)).step_by(4) {
        for x in (0..=width.saturating_sub(8)).step_by(4) {
            let window = (0..64).map(|n| (y + n / 8) * width + x + n % 8);
            let (mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for at in window {
                let (a, b) = (a[at], b[at]);
                (sa, sb, saa, sbb, sab) = (sa + a, sb + b, saa + a * a, sbb + b * b, sab + a * b);
            }
            let (ma, mb) = (sa / 64.0, sb / 64.0);
            let (va, vb, cov) = (saa / 64.0 - ma * ma, sbb / 64.0 - mb * mb, sab / 64.0 - ma * mb);
            let (c1, c2) = (6.5025, 58.5225);
            sum += (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            windows += 1.0;
        }
    }
    sum / windows
}

/// The signal-to-noise ratio of all channels in decibels.
fn distance(exact: &[f32], shown: &Bitmap) -> f64 {
    let error: f64 = exact.iter().zip(&shown.data).map(|(a, b)| f64::from(a - f32::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * exact.len() as f64 / error).log10()
}
