//! Pictures and colours put over and under each other. Opacity is not multiplied into the channels here, so a pixel is mixed
//! by weights that sum up to its new opacity; what is invisible has no say in the colour of what can be seen.

use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Color, Length};

/// Rows in which the coverage of a row of pixels by a round corner is measured.
const SUB_ROWS: u32 = 16;

/// Puts a picture over another; parts outside are left out. `opacity` is 0 to 1 and multiplied into that of `over`. The
/// layout of `base` stays, but grey becomes RGB under a picture that has colours.
pub(crate) fn overlay(base: Bitmap, over: &Bitmap, at: (i64, i64), opacity: f64) -> Bitmap {
    let mut base = ready_for(base, over.layout == Layout::Gray);
    let columns = overlap(at.0, over.width, base.width);
    let rows = overlap(at.1, over.height, base.height);
    let (Some(columns), Some(rows)) = (columns, rows) else { return base };
    // Opacity by every alpha that there is, so that no pixel needs a multiplication of its own.
    let alphas: [u8; 256] = std::array::from_fn(|alpha| rounded(alpha as f64 * opacity.clamp(0.0, 1.0)));
    let (width, channels) = (base.width as usize, base.layout.channels());
    let (over_width, over_channels) = (over.width as usize, over.layout.channels());
    for row in 0..rows.len {
        let into = pixels_mut(&mut base.data, (rows.outer + row) * width + columns.outer, columns.len, channels);
        let from = pixels(&over.data, (rows.inner + row) * over_width + columns.inner, columns.len, over_channels);
        for (into, from) in into.chunks_exact_mut(channels).zip(from.chunks_exact(over_channels)) {
            let [red, green, blue, alpha] = rgba(from, over.layout);
            mix(into, [red, green, blue], alphas[usize::from(alpha)]);
        }
    }
    base
}

/// Paints a rectangle; parts outside are left out. The layout stays, but grey becomes RGB under a colour.
pub(crate) fn rect(base: Bitmap, color: Color, x: i64, y: i64, width: u32, height: u32) -> Bitmap {
    let mut base = ready_for(base, is_gray(color));
    let (Some(columns), Some(rows)) = (overlap(x, width, base.width), overlap(y, height, base.height)) else {
        return base;
    };
    let (row_len, channels) = (base.width as usize, base.layout.channels());
    for row in 0..rows.len {
        let into = pixels_mut(&mut base.data, (rows.outer + row) * row_len + columns.outer, columns.len, channels);
        for pixel in into.chunks_exact_mut(channels) {
            mix(pixel, [color.red, color.green, color.blue], color.alpha);
        }
    }
    base
}

/// Makes the corners transparent: top left, top right, bottom right, bottom left. Radii that do not fit beside each other are
/// made smaller together. The picture becomes RGBA.
pub(crate) fn round(base: Bitmap, horizontal: &[Length; 4], vertical: Option<&[Length; 4]>) -> Bitmap {
    let mut base = to_rgba(base);
    let radii = radii(base.width, base.height, horizontal, vertical.unwrap_or(horizontal));
    let (width, height) = (f64::from(base.width), f64::from(base.height));
    let [top_left, top_right, bottom_right, bottom_left] = radii.map(|(rx, ry)| (f64::from(rx), f64::from(ry)));
    let top_rows = top_left.1.max(top_right.1);
    let bottom_rows = height - bottom_left.1.max(bottom_right.1);
    for (y, row) in (0_u32..).zip(base.data.chunks_exact_mut(base.width as usize * 4)) {
        if f64::from(y) >= top_rows && f64::from(y + 1) <= bottom_rows {
            continue;
        }
        // The first and the last point of the picture in each part of the row.
        let spans: [(f64, f64); SUB_ROWS as usize] = std::array::from_fn(|part| {
            let y = f64::from(y) + (part as f64 + 0.5) / f64::from(SUB_ROWS);
            let left = inset(top_left, y).max(inset(bottom_left, height - y));
            let right = inset(top_right, y).max(inset(bottom_right, height - y));
            (left, width - right)
        });
        let whole_from = spans.iter().fold(0.0, |most: f64, span| most.max(span.0));
        let whole_to = spans.iter().fold(width, |least: f64, span| least.min(span.1));
        for (x, pixel) in (0_u32..).zip(row.chunks_exact_mut(4)) {
            let x = f64::from(x);
            if x >= whole_from && x + 1.0 <= whole_to {
                continue;
            }
            let covered = |(from, to): &(f64, f64)| ((x + 1.0).min(*to) - x.max(*from)).max(0.0);
            let share = spans.iter().map(covered).sum::<f64>() / f64::from(SUB_ROWS);
            pixel[3] = rounded(f64::from(pixel[3]) * share);
        }
    }
    base
}

/// Puts a picture with transparency on a colour, whose own transparency does not count; the result is RGB. Others stay.
pub(crate) fn flatten(base: Bitmap, fill: Color) -> Bitmap {
    if base.layout != Layout::Rgba {
        return base;
    }
    let mut data = Vec::with_capacity(base.data.len() / 4 * 3);
    for pixel in base.data.chunks_exact(4) {
        let mut mixed = [fill.red, fill.green, fill.blue];
        mix(&mut mixed, [pixel[0], pixel[1], pixel[2]], pixel[3]);
        data.extend_from_slice(&mixed);
    }
    Bitmap { layout: Layout::Rgb, data, ..base }
}

/// The picture at a place of a canvas of the given size, which the caller has checked; parts outside are cut off, and around
/// the picture there is the fill colour. Transparent pixels of the picture stay so. The layout stays where it can hold the
/// fill colour or no fill is seen.
pub(crate) fn place(base: Bitmap, x: i64, y: i64, width: u32, height: u32, fill: Color) -> Bitmap {
    if (x, y, width, height) == (0, 0, base.width, base.height) {
        return base;
    }
    let columns = overlap(x, base.width, width);
    let rows = overlap(y, base.height, height);
    let covers = |span: Option<Overlap>, side: u32| span.is_some_and(|span| span.len == side as usize);
    let is_covered = covers(columns, width) && covers(rows, height);
    let base = match base.layout {
        _ if is_covered => base,
        _ if fill.alpha < 255 => to_rgba(base),
        Layout::Gray if !is_gray(fill) => with_colors(base),
        _ => base,
    };
    let channels = base.layout.channels();
    let fill: Vec<u8> = match base.layout {
        Layout::Gray => vec![fill.red],
        Layout::Rgb => vec![fill.red, fill.green, fill.blue],
        Layout::Rgba => vec![fill.red, fill.green, fill.blue, fill.alpha],
        Layout::Cmyk => vec![255 - fill.red, 255 - fill.green, 255 - fill.blue, 0],
    };
    let mut data = fill.repeat(width as usize * height as usize);
    if let (Some(columns), Some(rows)) = (columns, rows) {
        for row in 0..rows.len {
            let start = (rows.outer + row) * width as usize + columns.outer;
            let from = (rows.inner + row) * base.width as usize + columns.inner;
            let from = pixels(&base.data, from, columns.len, channels);
            pixels_mut(&mut data, start, columns.len, channels).copy_from_slice(from);
        }
    }
    Bitmap { width, height, layout: base.layout, data }
}

/// The picture with colour and opacity. Inks are mixed as if they were ideal.
fn to_rgba(base: Bitmap) -> Bitmap {
    if base.layout == Layout::Rgba {
        return base;
    }
    let mut data = Vec::with_capacity(base.width as usize * base.height as usize * 4);
    for pixel in base.data.chunks_exact(base.layout.channels()) {
        data.extend_from_slice(&rgba(pixel, base.layout));
    }
    Bitmap { layout: Layout::Rgba, data, ..base }
}

/// The picture with colour: grey and inks become RGB.
fn with_colors(base: Bitmap) -> Bitmap {
    if matches!(base.layout, Layout::Rgb | Layout::Rgba) {
        return base;
    }
    let mut data = Vec::with_capacity(base.width as usize * base.height as usize * 3);
    for pixel in base.data.chunks_exact(base.layout.channels()) {
        data.extend_from_slice(&rgba(pixel, base.layout)[..3]);
    }
    Bitmap { layout: Layout::Rgb, data, ..base }
}

/// The picture in a layout that can be painted on.
fn ready_for(base: Bitmap, gray: bool) -> Bitmap {
    if gray && base.layout == Layout::Gray { base } else { with_colors(base) }
}

/// Radii in pixels, horizontal and vertical, as they fit. The arithmetic is that of the vendor's published mask.
fn radii(width: u32, height: u32, horizontal: &[Length; 4], vertical: &[Length; 4]) -> [(u32, u32); 4] {
    let share = |length: Length, side: u32| match length {
        Length::Pixels(pixels) => f64::from(pixels) / f64::from(side),
        Length::Percent(percent) => percent.0 / 100.0,
    };
    let across = horizontal.map(|length| share(length, width));
    let down = vertical.map(|length| share(length, height));
    let sums = [across[0] + across[1], across[3] + across[2], down[0] + down[3], down[1] + down[2]]
        .into_iter()
        .fold(0.0, f64::max);
    let shrink = (1.001 * sums).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the side; `as` saturates")]
    let pixels = |share: f64, side: u32| (share / shrink * f64::from(side)).round() as u32;
    std::array::from_fn(|corner| (pixels(across[corner], width), pixels(down[corner], height)))
}

/// How far a corner of the given radii reaches in at a distance from its edge.
fn inset((rx, ry): (f64, f64), distance: f64) -> f64 {
    if distance >= ry {
        return 0.0;
    }
    let up = 1.0 - distance / ry;
    rx * (1.0 - (1.0 - up * up).max(0.0).sqrt())
}

/// What an inner line of pixels and an outer one share.
#[derive(Clone, Copy)]
struct Overlap {
    /// Where it begins in the outer line.
    outer: usize,
    /// Where it begins in the inner line.
    inner: usize,
    /// Pixels.
    len: usize,
}

/// The overlap of a line of `inner` pixels that begins at `at` of a line of `outer` pixels; nothing when there is none.
fn overlap(at: i64, inner: u32, outer: u32) -> Option<Overlap> {
    let start = at.max(0);
    let end = at.saturating_add(i64::from(inner)).min(i64::from(outer));
    if start >= end {
        return None;
    }
    Some(Overlap {
        outer: usize::try_from(start).ok()?,
        inner: usize::try_from(start.checked_sub(at)?).ok()?,
        len: usize::try_from(end - start).ok()?,
    })
}

fn pixels(data: &[u8], start: usize, len: usize, channels: usize) -> &[u8] {
    &data[start * channels..(start + len) * channels]
}

fn pixels_mut(data: &mut [u8], start: usize, len: usize, channels: usize) -> &mut [u8] {
    &mut data[start * channels..(start + len) * channels]
}

fn is_gray(color: Color) -> bool {
    color.red == color.green && color.green == color.blue
}

fn rgba(pixel: &[u8], layout: Layout) -> [u8; 4] {
    match (layout, pixel) {
        (Layout::Gray, [gray, ..]) => [*gray, *gray, *gray, 255],
        (Layout::Rgb, [red, green, blue, ..]) => [*red, *green, *blue, 255],
        (Layout::Rgba, [red, green, blue, alpha, ..]) => [*red, *green, *blue, *alpha],
        (Layout::Cmyk, [cyan, magenta, yellow, black, ..]) => {
            let light = |ink: &u8| share_of(255 - ink, 255 - black);
            [light(cyan), light(magenta), light(yellow), 255]
        }
        _ => [0; 4],
    }
}

/// Mixes a colour of an opacity over a pixel of one to four channels.
fn mix(pixel: &mut [u8], color: [u8; 3], alpha: u8) {
    if alpha == 0 {
        return;
    }
    match pixel {
        [gray] => *gray = between(*gray, color[0], alpha),
        [red, green, blue] => {
            *red = between(*red, color[0], alpha);
            *green = between(*green, color[1], alpha);
            *blue = between(*blue, color[2], alpha);
        }
        [channels @ .., under] => {
            // In units of 1/255: what the colour and what the pixel contributes, and both.
            let over = u32::from(alpha) * 255;
            let rest = u32::from(*under) * u32::from(255 - alpha);
            let sum = over + rest;
            for (channel, color) in channels.iter_mut().zip(color) {
                *channel = byte((u32::from(color) * over + u32::from(*channel) * rest + sum / 2) / sum);
            }
            *under = byte((sum + 127) / 255);
        }
        [] => {}
    }
}

fn between(under: u8, over: u8, alpha: u8) -> u8 {
    byte((u32::from(over) * u32::from(alpha) + u32::from(under) * u32::from(255 - alpha) + 127) / 255)
}

fn share_of(value: u8, of: u8) -> u8 {
    byte((u32::from(value) * u32::from(of) + 127) / 255)
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn rounded(value: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a channel; `as` saturates")]
    {
        value.round() as u8
    }
}

#[cfg(test)]
mod tests;
