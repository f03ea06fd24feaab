//! Windows: squares that may show a face.

/// A square, possibly reaching out of the picture, and how sure it is that it shows a face.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Window {
    /// Pixels from the left.
    pub(super) x: i32,
    /// Pixels from the top.
    pub(super) y: i32,
    /// Pixels of a side.
    pub(super) side: i32,
    /// Comparable only within a stage.
    pub(super) score: f64,
}

impl Window {
    /// The columns that it covers in a picture of this width, if any.
    pub(super) fn columns(&self, width: usize) -> Option<(usize, usize)> {
        inside(self.x, self.side, width)
    }

    /// The rows that it covers in a picture of this height, if any.
    pub(super) fn rows(&self, height: usize) -> Option<(usize, usize)> {
        inside(self.y, self.side, height)
    }

    /// How much of what two windows cover is covered by both.
    fn overlap(&self, other: &Self) -> f64 {
        let along = |left: i32, right: i32| (left + self.side).min(right + other.side) - left.max(right);
        let (across, down) = (along(self.x, other.x), along(self.y, other.y));
        if across <= 0 || down <= 0 {
            return 0.0;
        }
        let both = f64::from(across) * f64::from(down);
        let area = |window: &Self| f64::from(window.side) * f64::from(window.side);
        both / (area(self) + area(other) - both)
    }
}

/// The part of a stretch that lies on a side.
fn inside(from: i32, length: i32, side: usize) -> Option<(usize, usize)> {
    let end = usize::try_from(from.saturating_add(length)).ok()?.min(side);
    let from = usize::try_from(from.max(0)).ok()?;
    (from < end).then_some((from, end))
}

/// Of windows that overlap by more than `share`, the best one, with the scores of all of them; at most `most`.
pub(super) fn merged(mut windows: Vec<Window>, share: f64, most: usize) -> Vec<Window> {
    windows.sort_by(|left, right| right.score.total_cmp(&left.score));
    // Comparing all with all is quadratic, and a picture can be made that is full of windows.
    windows.truncate(most);
    let mut is_gone = vec![false; windows.len()];
    let mut kept = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        if is_gone[index] {
            continue;
        }
        let mut best = *window;
        for (other, is_gone) in windows.iter().zip(&mut is_gone).skip(index + 1) {
            if !*is_gone && window.overlap(other) > share {
                *is_gone = true;
                best.score += other.score;
            }
        }
        kept.push(best);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(x: i32, y: i32, side: i32, score: f64) -> Window {
        Window { x, y, side, score }
    }

    #[test]
    fn what_overlaps_is_one_and_scores_add_up() {
        let found = merged(
            vec![window(100, 100, 40, 1.0), window(0, 0, 40, 2.0), window(3, 2, 40, 3.0), window(38, 38, 40, 0.5)],
            0.3,
            100,
        );
        assert_eq!(found, [window(3, 2, 40, 5.0), window(100, 100, 40, 1.0), window(38, 38, 40, 0.5)]);
        assert_eq!(merged(vec![window(0, 0, 9, 1.0); 50], 0.8, 3), [window(0, 0, 9, 3.0)]);
    }

    #[test]
    fn only_what_lies_inside_is_covered() {
        assert_eq!(window(-10, 90, 40, 0.0).columns(100), Some((0, 30)));
        assert_eq!(window(-10, 90, 40, 0.0).rows(100), Some((90, 100)));
        assert_eq!(window(-40, 100, 40, 0.0).columns(100), None);
        assert_eq!(window(-40, 100, 40, 0.0).rows(100), None);
        assert_eq!(window(i32::MAX, i32::MIN, i32::MAX, 0.0).columns(100), None);
    }
}
