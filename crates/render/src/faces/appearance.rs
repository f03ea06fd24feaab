//! The first sieve: a window is looked at through boosted tables of local patterns (LAB), cheap enough for every place and
//! size there is.

use super::cascade::{Grey, SIDE};

/// A pattern compares a square of so many pixels with its eight neighbours.
const SQUARE: usize = 3;
/// The side of a whole pattern.
pub(super) const PATTERN: usize = 3 * SQUARE;
/// How often the sum is compared with its threshold: each time after so many patterns.
const GROUP: usize = 10;
/// The least standard deviation of the brightness of a window; what is flatter is no face.
const MIN_DEVIATION: f64 = 10.0;

/// One table of a sieve.
#[derive(Debug)]
pub(super) struct Table {
    /// Where in the window its pattern begins.
    pub(super) x: usize,
    /// Where in the window its pattern begins.
    pub(super) y: usize,
    /// What each of the 256 patterns says for a face.
    pub(super) weights: Vec<f32>,
    /// What the sum has to reach, if it is compared here.
    pub(super) threshold: f32,
}

/// The patterns of a picture, and what the deviation is computed from.
pub(super) struct Patterns {
    width: usize,
    codes: Vec<u8>,
    /// Sums of the brightness and of its square over everything above and to the left, one row and column more than pixels.
    sums: Vec<u64>,
    squares: Vec<u64>,
}

impl Patterns {
    /// Of a picture that is at least as large as a pattern.
    pub(super) fn of(grey: &Grey) -> Self {
        let (width, height) = (grey.width, grey.height);
        let stride = width + 1;
        let mut sums = vec![0_u64; stride * (height + 1)];
        let mut squares = sums.clone();
        for (y, row) in grey.pixels.chunks_exact(width).enumerate() {
            let (mut sum, mut square) = (0_u64, 0_u64);
            for (x, value) in row.iter().enumerate() {
                let value = u64::from(*value);
                sum += value;
                square += value * value;
                let at = (y + 1) * stride + x + 1;
                sums[at] = sums[at - stride] + sum;
                squares[at] = squares[at - stride] + square;
            }
        }
        let mut made = Self { width, codes: vec![0; width * height], sums, squares };
        made.compare(height);
        made
    }

    /// For each place, which of the eight squares around are not brighter than the one in the middle.
    fn compare(&mut self, height: usize) {
        const AROUND: [(usize, usize, u8); 8] = [
            (0, 0, 0x80),
            (SQUARE, 0, 0x40),
            (2 * SQUARE, 0, 0x20),
            (2 * SQUARE, SQUARE, 0x08),
            (2 * SQUARE, 2 * SQUARE, 0x01),
            (SQUARE, 2 * SQUARE, 0x02),
            (0, 2 * SQUARE, 0x04),
            (0, SQUARE, 0x10),
        ];
        let (columns, rows) = (self.width + 1 - SQUARE, height + 1 - SQUARE);
        let mut squares = vec![0_u64; columns * rows];
        for (at, square) in squares.iter_mut().enumerate() {
            *square = self.sum(&self.sums, at % columns, at / columns, SQUARE);
        }
        for y in 0..=height - PATTERN {
            for x in 0..=self.width - PATTERN {
                let middle = squares[(y + SQUARE) * columns + x + SQUARE];
                self.codes[y * self.width + x] = AROUND.iter().fold(0, |pattern, (right, down, bit)| {
                    if middle >= squares[(y + down) * columns + x + right] { pattern | bit } else { pattern }
                });
            }
        }
    }

    /// The sum over a square.
    fn sum(&self, sums: &[u64], x: usize, y: usize, side: usize) -> u64 {
        let stride = self.width + 1;
        let (top, bottom) = (y * stride + x, (y + side) * stride + x);
        sums[bottom + side] + sums[top] - sums[top + side] - sums[bottom]
    }

    /// What the tables say for a face in the window that begins here; nothing if they say that there is none.
    pub(super) fn rate(&self, tables: &[Table], x: usize, y: usize) -> Option<f32> {
        let start = y * self.width + x;
        let mut score = 0.0;
        for group in tables.chunks(GROUP) {
            for table in group {
                let pattern = self.codes[start + table.y * self.width + table.x];
                score += table.weights[usize::from(pattern)];
            }
            if group.last().is_some_and(|last| score < last.threshold) {
                return None;
            }
        }
        (self.deviation(x, y) > MIN_DEVIATION).then_some(score)
    }

    fn deviation(&self, x: usize, y: usize) -> f64 {
        let area = (SIDE * SIDE) as f64;
        let mean = self.sum(&self.sums, x, y, SIDE) as f64 / area;
        (self.sum(&self.squares, x, y, SIDE) as f64 / area - mean * mean).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_who_is_not_brighter() {
        // Nine squares; the middle one is brighter than the corners and darker than the sides.
        let square = |x: usize, y: usize| match (x / SQUARE % 3, y / SQUARE % 3) {
            (1, 1) => 100,
            (0 | 2, 0 | 2) => 50,
            _ => 150,
        };
        let pixels = (0..40).flat_map(|y| (0..40).map(move |x| square(x, y))).collect();
        let patterns = Patterns::of(&Grey { width: 40, height: 40, pixels });
        assert_eq!(patterns.codes[0], 0x80 | 0x20 | 0x01 | 0x04);
        assert!((patterns.deviation(0, 0) - 40.0).abs() < 8.0);
    }

    #[test]
    fn tables_are_summed_up_until_they_refuse() {
        let pixels = (0..1600_u32).map(|at| if at % 40 < 20 { 0 } else { 255 }).collect();
        let patterns = Patterns::of(&Grey { width: 40, height: 40, pixels });
        let table = |threshold| Table { x: 0, y: 0, weights: vec![0.5; 256], threshold };
        let tables: Vec<Table> = (0..20).map(|_| table(5.0)).collect();
        assert_eq!(patterns.rate(&tables, 0, 0), Some(10.0));
        let tables: Vec<Table> = (0..20).map(|_| table(5.1)).collect();
        assert_eq!(patterns.rate(&tables, 0, 0), None);
        let flat = Patterns::of(&Grey { width: 40, height: 40, pixels: vec![9; 1600] });
        assert_eq!(flat.rate(&[table(0.0)], 0, 0), None);
    }
}
