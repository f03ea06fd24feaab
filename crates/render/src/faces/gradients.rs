//! The finer sieves: a window of 40x40 pixels is described by how its brightness changes in parts of it (SURF), and a small
//! neural network says whether that is a face, and where in the window it is.

use super::cascade::SIDE;

/// Kinds of change that are told apart: left and right, up and down, each with its sign and without, by the sign of the other.
const KINDS: usize = 8;
/// Numbers that describe one part of a window: four cells, each with every kind of change.
const NUMBERS: usize = 4 * KINDS;
/// The smallest side of a part, and how far parts are apart.
const PART: usize = 16;
/// A row of sums; there is one row and one column more than pixels.
const STRIDE: usize = SIDE + 1;

/// A part of the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// All parts that a model can refer to, in the order in which it counts them.
pub(super) fn parts() -> Vec<Part> {
    let mut parts = Vec::new();
    for (across, down) in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2)] {
        for height in (PART..=SIDE).filter(|height| height % 2 == 0 && height % down == 0) {
            let width = height / down * across;
            if width % 2 != 0 || !(PART..=SIDE).contains(&width) {
                continue;
            }
            for y in (0..=SIDE - height).step_by(PART) {
                for x in (0..=SIDE - width).step_by(PART) {
                    parts.push(Part { x, y, width, height });
                }
            }
        }
    }
    parts
}

/// The changes of brightness in a window.
pub(super) struct Changes {
    /// For each kind the sum over everything above and to the left.
    sums: Vec<[i32; KINDS]>,
}

impl Changes {
    /// Of a window of 40x40 pixels.
    pub(super) fn of(pixels: &[u8; SIDE * SIDE]) -> Self {
        let mut sums = vec![[0; KINDS]; STRIDE * STRIDE];
        let value = |x: usize, y: usize| i32::from(pixels[y * SIDE + x]);
        for y in 0..SIDE {
            let mut row = [0; KINDS];
            for x in 0..SIDE {
                // At the edges there is one neighbour only, which counts twice.
                let across = match x {
                    0 => 2 * (value(1, y) - value(0, y)),
                    x if x + 1 == SIDE => 2 * (value(x, y) - value(x - 1, y)),
                    x => value(x + 1, y) - value(x - 1, y),
                };
                let down = match y {
                    0 => 2 * (value(x, 1) - value(x, 0)),
                    y if y + 1 == SIDE => 2 * (value(x, y) - value(x, y - 1)),
                    y => value(x, y + 1) - value(x, y - 1),
                };
                let (first, second) = (if down >= 0 { 0 } else { 2 }, if across >= 0 { 4 } else { 6 });
                row[first] += across;
                row[first + 1] += across.abs();
                row[second] += down;
                row[second + 1] += down.abs();
                let above = sums[y * STRIDE + x + 1];
                let here = &mut sums[(y + 1) * STRIDE + x + 1];
                for ((here, above), row) in here.iter_mut().zip(above).zip(row) {
                    *here = above + row;
                }
            }
        }
        Self { sums }
    }

    /// The description of a part, of length 1 unless nothing changes there.
    fn describe(&self, part: Part, numbers: &mut [f32]) {
        let (width, height) = (part.width / 2, part.height / 2);
        let mut sums = [0; NUMBERS];
        for (cell, sums) in sums.chunks_exact_mut(KINDS).enumerate() {
            let (x, y) = (part.x + cell % 2 * width, part.y + cell / 2 * height);
            let (top, bottom) = (y * STRIDE + x, (y + height) * STRIDE + x);
            for (kind, sum) in sums.iter_mut().enumerate() {
                *sum = self.sums[bottom + width][kind] + self.sums[top][kind]
                    - self.sums[top + width][kind]
                    - self.sums[bottom][kind];
            }
        }
        let length = sums.iter().map(|sum| f64::from(*sum) * f64::from(*sum)).sum::<f64>().sqrt();
        for (number, sum) in numbers.iter_mut().zip(sums) {
            #[expect(clippy::cast_possible_truncation, reason = "less precision is what the network was trained with")]
            let share = if length > 0.0 { (f64::from(sum) / length) as f32 } else { 0.0 };
            *number = share;
        }
    }
}

/// One layer of a network.
#[derive(Debug)]
pub(super) struct Layer {
    /// Numbers that go in.
    pub(super) inputs: usize,
    /// For each number that comes out, one weight for each that goes in.
    pub(super) weights: Vec<f32>,
    /// One for each number that comes out.
    pub(super) biases: Vec<f32>,
}

/// A network and the parts that it looks at.
#[derive(Debug)]
pub(super) struct Network {
    parts: Vec<Part>,
    threshold: f32,
    layers: Vec<Layer>,
}

/// What a network says about a window that may show a face.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Verdict {
    /// How sure it is.
    pub(super) score: f32,
    /// By how much of its side the window should move to the right and down, and grow.
    pub(super) moves: [f32; 3],
}

impl Network {
    /// Puts a network together; nothing if the layers do not fit to each other.
    pub(super) fn new(parts: Vec<Part>, threshold: f32, layers: Vec<Layer>) -> Option<Self> {
        let mut inputs = parts.len() * NUMBERS;
        for layer in &layers {
            if layer.inputs != inputs || inputs == 0 || layer.weights.len() != inputs * layer.biases.len() {
                return None;
            }
            inputs = layer.biases.len();
        }
        (!layers.is_empty() && inputs > 0).then_some(Self { parts, threshold, layers })
    }

    /// Nothing, where there is no face.
    pub(super) fn judge(&self, changes: &Changes) -> Option<Verdict> {
        let mut numbers = vec![0.0; self.parts.len() * NUMBERS];
        for (part, numbers) in self.parts.iter().zip(numbers.chunks_exact_mut(NUMBERS)) {
            changes.describe(*part, numbers);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let is_last = index + 1 == self.layers.len();
            let sums = layer.weights.chunks_exact(layer.inputs).zip(&layer.biases);
            numbers = sums
                .map(|(weights, bias)| {
                    let sum = product(weights, &numbers) + bias;
                    if is_last { 1.0 / (1.0 + (-sum).exp()) } else { sum.max(0.0) }
                })
                .collect();
        }
        let score = numbers.first().copied()?;
        let share = |index: usize| numbers.get(index).map_or(0.0, |share| share * 2.0 - 1.0);
        (score > self.threshold).then(|| Verdict { score, moves: [share(1), share(2), share(3)] })
    }
}

/// The sum of the products, in eight lanes, so that the machine can add several at once.
fn product(left: &[f32], right: &[f32]) -> f32 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let mut lanes = [0.0_f32; 8];
    for (left, right) in left.iter().zip(right) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += left * right;
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_to_the_right_changes_in_one_direction() {
        let mut pixels = [0; SIDE * SIDE];
        for (at, pixel) in pixels.iter_mut().enumerate() {
            *pixel = u8::try_from(at % SIDE * 5).unwrap();
        }
        let changes = Changes::of(&pixels);
        let mut numbers = [0.0; NUMBERS];
        changes.describe(Part { x: 0, y: 0, width: 40, height: 40 }, &mut numbers);
        for cell in numbers.chunks_exact(KINDS) {
            // With and without sign the same, downwards nothing; the length of all four cells together is 1.
            assert!(cell[..2].iter().all(|share| (share - 0.125_f32.sqrt()).abs() < 1e-6), "{cell:?}");
            assert!(cell[2..].iter().all(|share| *share == 0.0), "{cell:?}");
        }
        let flat = Changes::of(&[7; SIDE * SIDE]);
        flat.describe(Part { x: 16, y: 0, width: 16, height: 16 }, &mut numbers);
        assert!(numbers.iter().all(|number| *number == 0.0));
    }

    #[test]
    fn networks_that_do_not_fit_are_refused() {
        let layer = |inputs: usize, outputs: usize| Layer {
            inputs,
            weights: vec![0.0; inputs * outputs],
            biases: vec![0.0; outputs],
        };
        let part = parts()[0];
        assert!(Network::new(vec![part], 0.4, vec![layer(32, 4), layer(4, 4)]).is_some());
        assert!(Network::new(vec![part], 0.4, vec![layer(32, 4), layer(5, 4)]).is_none());
        assert!(Network::new(vec![part; 2], 0.4, vec![layer(32, 4)]).is_none());
        assert!(Network::new(vec![part], 0.4, vec![]).is_none());
        assert!(Network::new(vec![part], 0.4, vec![layer(32, 0)]).is_none());
    }

    #[test]
    fn a_network_of_zeros_is_undecided() {
        let zeros = Layer { inputs: 32, weights: vec![0.0; 128], biases: vec![0.0; 4] };
        let network = Network::new(vec![parts()[0]], 0.4, vec![zeros]).unwrap();
        let verdict = network.judge(&Changes::of(&[7; SIDE * SIDE])).unwrap();
        assert_eq!(verdict, Verdict { score: 0.5, moves: [0.0; 3] });
    }
}
