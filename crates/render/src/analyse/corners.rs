//! Corners: points that are recognised when a picture moves, and a fair guess at what is worth keeping of it.

use stowage_codecs::Bitmap;

use super::reduced::{Small, soften};
use crate::Rect;

/// The longest side of the copy.
const SIDE: u32 = 256;
/// Corners that are kept.
const MAX_CORNERS: usize = 48;
/// The least difference in brightness, in steps of 255, that makes a corner.
const MIN_STRENGTH: f32 = 12.0;
/// How much weaker than the strongest a corner may be.
const SHARE: f32 = 0.1;
/// Corners nearer than this are one.
const APART: usize = 6;
/// How far around a corner belongs to it.
const REACH: usize = 4;

/// The strongest corners (Shi and Tomasi), each a small square with its strength.
pub(super) fn corners(bitmap: &Bitmap) -> Vec<(Rect, f64)> {
    let small = Small::of(bitmap, SIDE);
    let (width, height) = (small.width, small.height);
    if width < 8 || height < 8 {
        return Vec::new();
    }
    let strengths = strengths(&small);
    let mut found: Vec<(f32, usize)> = Vec::new();
    // The edges of the copy have no neighbours to be compared with.
    for y in 2..height - 2 {
        for x in 2..width - 2 {
            let at = y * width + x;
            let strength = strengths[at];
            let is_peak = || {
                [at - width - 1, at - width, at - width + 1, at - 1].iter().all(|&other| strengths[other] < strength)
                    && [at + 1, at + width - 1, at + width, at + width + 1]
                        .iter()
                        .all(|&other| strengths[other] <= strength)
            };
            if strength >= MIN_STRENGTH && is_peak() {
                found.push((strength, at));
            }
        }
    }
    found.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let weakest = found.first().map_or(0.0, |(strength, _)| strength * SHARE);
    let mut kept: Vec<(f32, usize, usize)> = Vec::new();
    for (strength, at) in found {
        let (x, y) = (at % width, at / width);
        if kept.len() == MAX_CORNERS || strength < weakest {
            break;
        }
        if kept.iter().all(|(_, left, top)| left.abs_diff(x).max(top.abs_diff(y)) >= APART) {
            kept.push((strength, x, y));
        }
    }
    kept.into_iter()
        .map(|(strength, x, y)| {
            let around = |at: usize, side: usize| (at.saturating_sub(REACH), (at + REACH + 1).min(side));
            (small.rect(around(x, width), around(y, height)), f64::from(strength))
        })
        .collect()
}

/// For each pixel, how much the brightness changes around it in the direction in which it changes least.
fn strengths(small: &Small) -> Vec<f32> {
    let (width, height) = (small.width, small.height);
    let grey: Vec<f32> = small.grey().into_iter().map(f32::from).collect();
    let mut planes = [(); 3].map(|()| vec![0.0_f32; grey.len()]);
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let at = y * width + x;
            let across = (grey[at + 1] - grey[at - 1]) / 2.0;
            let down = (grey[at + width] - grey[at - width]) / 2.0;
            planes[0][at] = across * across;
            planes[1][at] = down * down;
            planes[2][at] = across * down;
        }
    }
    for plane in &mut planes {
        soften(plane, width, height, 2);
    }
    let [across, down, both] = planes;
    across
        .iter()
        .zip(&down)
        .zip(&both)
        .map(|((across, down), both)| {
            let (middle, half) = (f32::midpoint(*across, *down), (across - down) / 2.0);
            (middle - (half * half + both * both).sqrt()).max(0.0).sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;

    #[test]
    fn the_corners_of_a_square_are_found_and_its_edges_are_not() {
        let inside = |x: u32, y: u32| (60..140).contains(&x) && (50..130).contains(&y);
        let data = (0..200).flat_map(|y| (0..240).map(move |x| if inside(x, y) { 230 } else { 20 })).collect();
        let found = corners(&Bitmap { width: 240, height: 200, layout: Layout::Gray, data });
        assert_eq!(found.len(), 4);
        for (x, y) in [(60, 50), (139, 50), (60, 129), (139, 129)] {
            let hit =
                |rect: &Rect| (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y);
            assert!(found.iter().any(|(rect, _)| hit(rect)), "{x},{y}: {found:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for (width, height) in [(100, 100), (1, 1), (3000, 2), (7, 300)] {
            let data = vec![128; width as usize * height as usize];
            assert_eq!(corners(&Bitmap { width, height, layout: Layout::Gray, data }), []);
        }
    }
}
