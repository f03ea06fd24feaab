//! The sieves one after the other: from every place and size to the faces.

use super::appearance::{Patterns, Table};
use super::gradients::{Changes, Network};
use super::windows::{Window, merged};

/// The side of the window that is looked at; faces are scaled to it.
pub(super) const SIDE: usize = 40;
/// How far windows are apart.
const STEP: usize = 4;
/// Each size is so much smaller than the one before.
const SHRINK: f64 = 0.8;
/// Windows of one view that go on to the networks, the best ones. Photographs have some hundreds.
const MAX_WINDOWS: usize = 1500;
/// The windows that overlap so much are one on the way, and at the end.
const MERGE: (f64, f64) = (0.8, 0.3);
/// The least sum of scores of the windows that have become one: a face is seen several times, at several sizes. What is none
/// seldom gets beyond 1.2; small faces begin at about 1.6.
const MIN_SCORE: f64 = 1.5;

/// A grey picture.
pub(super) struct Grey {
    /// Pixels in a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
    /// Row by row.
    pub(super) pixels: Vec<u8>,
}

/// A model that was read.
#[derive(Debug)]
pub(super) struct Cascade {
    /// The first sieves, one for each view of a face.
    pub(super) views: Vec<Vec<Table>>,
    /// What follows: rounds of groups of networks.
    pub(super) rounds: Vec<Vec<Group>>,
}

/// Networks that look at the same windows, one after the other.
#[derive(Debug)]
pub(super) struct Group {
    /// Which results of the round before it looks at.
    pub(super) sources: Vec<usize>,
    /// In their order.
    pub(super) networks: Vec<Network>,
}

impl Cascade {
    /// The windows that show faces, the surest first.
    pub(super) fn find(&self, grey: &Grey) -> Vec<Window> {
        let mut results: Vec<Vec<Window>> =
            self.candidates(grey).into_iter().map(|windows| merged(windows, MERGE.0, MAX_WINDOWS)).collect();
        for (index, round) in self.rounds.iter().enumerate() {
            let is_last = index + 1 == self.rounds.len();
            results = round.iter().map(|group| group.sift(grey, &results, is_last)).collect();
        }
        let mut found = results.into_iter().next().unwrap_or_default();
        found.retain(|window| window.score >= MIN_SCORE);
        found
    }

    /// What passes the first sieve of each view, at every size.
    fn candidates(&self, grey: &Grey) -> Vec<Vec<Window>> {
        let mut candidates = vec![Vec::new(); self.views.len()];
        let mut scale = 1.0;
        loop {
            let (width, height) = (floor(grey.width as f64 * scale), floor(grey.height as f64 * scale));
            if width < SIDE || height < SIDE {
                return candidates;
            }
            let pixels = scaled(grey, (0, grey.width), (0, grey.height), width, height);
            let patterns = Patterns::of(&Grey { width, height, pixels });
            let full = |value: usize| whole(value as f64 / scale);
            for y in (0..=height - SIDE).step_by(STEP) {
                for x in (0..=width - SIDE).step_by(STEP) {
                    for (tables, candidates) in self.views.iter().zip(&mut candidates) {
                        if let Some(score) = patterns.rate(tables, x, y) {
                            let (x, y, side, score) = (full(x), full(y), full(SIDE), f64::from(score));
                            candidates.push(Window { x, y, side, score });
                        }
                    }
                }
            }
            scale *= SHRINK;
        }
    }
}

impl Group {
    fn sift(&self, grey: &Grey, results: &[Vec<Window>], is_last: bool) -> Vec<Window> {
        let sources = self.sources.iter().filter_map(|source| results.get(*source));
        let mut windows: Vec<Window> = sources.flatten().copied().collect();
        for (index, network) in self.networks.iter().enumerate() {
            windows = windows.iter().filter_map(|window| looked_at(grey, *window, network)).collect();
            let is_end = index + 1 == self.networks.len();
            if !is_end {
                windows = merged(windows, MERGE.0, MAX_WINDOWS);
            } else if is_last {
                windows = merged(windows, MERGE.1, MAX_WINDOWS);
            }
        }
        windows
    }
}

/// The window moved to where the network sees the face; nothing where it sees none.
fn looked_at(grey: &Grey, mut window: Window, network: &Network) -> Option<Window> {
    let pixels = cut(grey, window)?;
    // What was cut off at the left and the top is no part of the window any more.
    (window.x, window.y) = (window.x.max(0), window.y.max(0));
    let verdict = network.judge(&Changes::of(&pixels))?;
    let [right, down, growth] = verdict.moves.map(f64::from);
    let side = f64::from(window.side);
    let grown = (growth * side + side + 0.5).floor();
    let moved = |from: i32, share: f64| bounded((share * side + f64::from(from) + (side - grown) * 0.5 + 0.5).floor());
    Some(Window {
        x: moved(window.x, right),
        y: moved(window.y, down),
        side: bounded(grown),
        score: f64::from(verdict.score),
    })
}

/// What a window shows, scaled to the size that networks look at; black outside of the picture. Nothing where the window does
/// not touch the picture or has no size.
fn cut(grey: &Grey, window: Window) -> Option<[u8; SIDE * SIDE]> {
    let (columns, rows) = (window.columns(grey.width)?, window.rows(grey.height)?);
    let side = usize::try_from(window.side).ok().filter(|side| (2..=4 * grey.width.max(grey.height)).contains(side))?;
    let mut made = [0; SIDE * SIDE];
    if columns.1 - columns.0 == side && rows.1 - rows.0 == side {
        made.copy_from_slice(&scaled(grey, columns, rows, SIDE, SIDE));
        return Some(made);
    }
    // Only where a window reaches out is it put together first.
    let (left, top) = (usize::try_from(-window.x).unwrap_or(0), usize::try_from(-window.y).unwrap_or(0));
    let mut pixels = vec![0; side * side];
    for (row, y) in (rows.0..rows.1).enumerate() {
        let from = grey.pixels.get(y * grey.width + columns.0..y * grey.width + columns.1)?;
        let to = (top + row) * side + left;
        pixels.get_mut(to..to + from.len())?.copy_from_slice(from);
    }
    let padded = Grey { width: side, height: side, pixels };
    made.copy_from_slice(&scaled(&padded, (0, side), (0, side), SIDE, SIDE));
    Some(made)
}

/// A part of the picture at another size, as the model was trained: each pixel between the four that are nearest.
fn scaled(grey: &Grey, columns: (usize, usize), rows: (usize, usize), width: usize, height: usize) -> Vec<u8> {
    let across = between(columns.1 - columns.0, width);
    let down = between(rows.1 - rows.0, height);
    let mut made = Vec::with_capacity(width * height);
    for (above, below, share) in down {
        let row = |y: usize| &grey.pixels[(rows.0 + y) * grey.width + columns.0..];
        let (above, below) = (row(above), row(below));
        for &(left, right, part) in &across {
            let mixed = |row: &[u8]| (1.0 - part) * f64::from(row[left]) + part * f64::from(row[right]);
            let value = (1.0 - share) * mixed(above) + share * mixed(below);
            made.push(u8::try_from(floor(value)).unwrap_or(u8::MAX));
        }
    }
    made
}

/// For each of `to` pixels which two of `from` it lies between, and where.
fn between(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    let scale = from as f64 / to.max(1) as f64;
    (0..to)
        .map(|pixel| {
            let at = scale * pixel as f64;
            let first = floor(at).min(from.saturating_sub(2));
            (first, (first + 1).min(from.saturating_sub(1)), at - first as f64)
        })
        .collect()
}

/// Down to a whole number, at least 0.
fn floor(value: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that ends at the bounds")]
    let floor = value as usize;
    floor
}

/// A coordinate, rounded.
fn whole(value: f64) -> i32 {
    bounded((value + 0.5).floor())
}

/// A coordinate within bounds in which sums cannot overflow.
fn bounded(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "held within bounds")]
    let bounded = value.clamp(-1e6, 1e6) as i32;
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey() -> Grey {
        Grey { width: 60, height: 50, pixels: vec![200; 3000] }
    }

    fn window(x: i32, y: i32, side: i32) -> Window {
        Window { x, y, side, score: 0.0 }
    }

    #[test]
    fn windows_that_reach_out_are_black_there() {
        let inside = cut(&grey(), window(10, 5, 40)).unwrap();
        assert_eq!(inside, [200; SIDE * SIDE]);
        let left = cut(&grey(), window(-20, 5, 40)).unwrap();
        assert!(left.chunks_exact(SIDE).all(|row| row[..20] == [0; 20] && row[20..] == [200; 20]));
        let below = cut(&grey(), window(10, 30, 40)).unwrap();
        assert!(below[..20 * SIDE].iter().all(|value| *value == 200));
        assert!(below[20 * SIDE..].iter().all(|value| *value == 0));
    }

    #[test]
    fn windows_that_are_elsewhere_or_have_no_size_show_nothing() {
        for (x, y, side) in [
            (60, 0, 40),
            (0, 50, 40),
            (-40, 0, 40),
            (0, 0, 0),
            (0, 0, 1),
            (0, 0, -5),
            (10, 10, 1_000_000),
            (i32::MIN, i32::MAX, i32::MAX),
        ] {
            assert_eq!(cut(&grey(), window(x, y, side)), None, "{x},{y} {side}");
        }
    }

    #[test]
    fn numbers_that_are_none_stay_within_bounds() {
        for (value, expected) in [(f64::NAN, 0), (f64::INFINITY, 1_000_000), (-1e300, -1_000_000), (2.5, 3)] {
            assert_eq!(whole(value), expected);
        }
    }
}
