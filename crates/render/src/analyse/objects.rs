//! Objects that stand out: what cannot be reached from the edge of a picture without crossing a border, and has other
//! colours than the edge. Good at things on plain grounds; where everything is busy, nothing stands out.

use stowage_codecs::Bitmap;

use super::reduced::{Small, distance2, oklab, on_white, soften};
use crate::Rect;

/// The longest side of the copy.
const SIDE: u32 = 160;
/// How often the copy is swept from each of its corners; more change hardly anything.
const ROUNDS: usize = 2;
/// The share of the sides that counts as edge, as one part in so many.
const EDGE: usize = 12;
/// The least distance from what is around, in the space of colours, that stands out.
const MIN_CONTRAST: f32 = 0.06;
/// The distance from the colours of the edge from which on a colour counts as none of theirs.
const UNLIKE: f32 = 0.1;
/// How much more than the rest the objects have to stand out.
const MIN_RATIO: f32 = 2.0;
/// The largest share of a picture that its objects can have, and the smallest that one can have, in parts of 1000.
const AREA: (usize, usize) = (750, 3);
/// How much less than the largest an object may weigh.
const SHARE: f64 = 0.2;
/// Objects that are kept, and the share, in percent, that they have of all that stands out: if it is scattered all over the
/// picture, that is its texture.
const MAX_OBJECTS: usize = 8;
const GATHERED: f64 = 60.0;
/// The share of transparent pixels from which on opacity says what the object is, as one part in so many.
const TRANSPARENT: usize = 20;

/// How much each pixel of a copy stands out, 0 to 1.
pub(super) struct Salience {
    /// The copy.
    pub(super) small: Small,
    /// A number for each of its pixels.
    pub(super) map: Vec<f32>,
    /// The objects in pixels of the copy, columns and rows from the first up to but without the last, and their weights;
    /// the heaviest first.
    objects: Vec<(Span, Span, f64)>,
}

/// From the first up to but without the last.
type Span = (usize, usize);

/// The objects of a picture, the most important first, each with its weight; none where nothing stands out.
pub(super) fn objects(bitmap: &Bitmap) -> Vec<(Rect, f64)> {
    let salience = Salience::of(bitmap);
    salience.objects().zip(&salience.objects).map(|(rect, (.., weight))| (rect, *weight)).collect()
}

impl Salience {
    /// Looks at a picture.
    pub(super) fn of(bitmap: &Bitmap) -> Self {
        let small = Small::of(bitmap, SIDE);
        if small.width < 8 || small.height < 8 {
            let map = vec![0.0; small.pixels.len()];
            return Self { small, map, objects: Vec::new() };
        }
        let transparent = small.pixels.iter().filter(|pixel| pixel[3] < 128).count();
        let mut map = if transparent * TRANSPARENT > small.pixels.len() {
            small.pixels.iter().map(|pixel| f32::from(pixel[3]) / 255.0).collect()
        } else {
            contrast(&small)
        };
        let objects = found(&map, small.width, small.height);
        let strongest = map.iter().copied().fold(MIN_CONTRAST, f32::max);
        for value in &mut map {
            *value /= strongest;
        }
        Self { small, map, objects }
    }

    /// The objects, the most important first.
    pub(super) fn objects(&self) -> impl Iterator<Item = Rect> {
        self.objects.iter().map(|(columns, rows, _)| self.small.rect(*columns, *rows))
    }
}

/// How far each pixel is from the edge of the picture: by the least range of brightness and of colour on any way to it
/// (the minimum barrier distance), and by its colour alone.
fn contrast(small: &Small) -> Vec<f32> {
    let (width, height) = (small.width, small.height);
    let colors: Vec<[f32; 3]> = small.pixels.iter().map(|&pixel| oklab(on_white(pixel))).collect();
    let mut planes = [0, 1, 2].map(|channel| colors.iter().map(|color| color[channel]).collect::<Vec<f32>>());
    let mut sum = vec![0.0_f32; colors.len()];
    for plane in &mut planes {
        soften(plane, width, height, 1);
        for (sum, barrier) in sum.iter_mut().zip(barriers(plane, width, height)) {
            *sum += barrier;
        }
    }
    let smooth: Vec<[f32; 3]> = (0..colors.len()).map(|at| [planes[0][at], planes[1][at], planes[2][at]]).collect();
    let grounds = grounds(&smooth, width, height);
    for (value, color) in sum.iter_mut().zip(&smooth) {
        // Unlike the ground on every side: a hill against the sky is like the ground below.
        let unlike = grounds.iter().map(|ground| distance2(*color, *ground)).fold(f32::INFINITY, f32::min).sqrt();
        *value *= (unlike / UNLIKE).min(1.0);
    }
    soften(&mut sum, width, height, 1);
    sum
}

/// The mean colours along the four sides.
fn grounds(colors: &[[f32; 3]], width: usize, height: usize) -> [[f32; 3]; 4] {
    let (across, down) = ((width / EDGE).max(1), (height / EDGE).max(1));
    let mean = |columns: Span, rows: Span| {
        let mut sum = [0.0; 3];
        for y in rows.0..rows.1 {
            for color in &colors[y * width + columns.0..y * width + columns.1] {
                for (sum, value) in sum.iter_mut().zip(color) {
                    *sum += value;
                }
            }
        }
        sum.map(|sum| sum / ((columns.1 - columns.0) * (rows.1 - rows.0)) as f32)
    };
    [
        mean((0, width), (0, down)),
        mean((0, width), (height - down, height)),
        mean((0, across), (0, height)),
        mean((width - across, width), (0, height)),
    ]
}

/// A way to a pixel: the range of values on it.
#[derive(Clone, Copy)]
struct Way {
    cost: f32,
    low: f32,
    high: f32,
}

/// For each pixel the smallest range of values on a way from the edge, nearly: found by sweeps to and fro.
fn barriers(plane: &[f32], width: usize, height: usize) -> Vec<f32> {
    let is_edge = |at: usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut ways: Vec<Way> = plane
        .iter()
        .enumerate()
        .map(|(at, &value)| Way { cost: if is_edge(at) { 0.0 } else { f32::INFINITY }, low: value, high: value })
        .collect();
    let better = |ways: &mut [Way], at: usize, from: usize| {
        let (value, before) = (plane[at], ways[from]);
        let (low, high) = (before.low.min(value), before.high.max(value));
        if before.cost.is_finite() && high - low < ways[at].cost {
            ways[at] = Way { cost: high - low, low, high };
        }
    };
    // Each sweep carries ways on in two of the four directions; a way along a diagonal needs its own two.
    for (from_right, from_below) in [(false, false), (true, true), (true, false), (false, true)].repeat(ROUNDS) {
        for row in 1..height - 1 {
            let y = if from_below { height - 1 - row } else { row };
            for column in 1..width - 1 {
                let x = if from_right { width - 1 - column } else { column };
                let at = y * width + x;
                better(&mut ways, at, if from_right { at + 1 } else { at - 1 });
                better(&mut ways, at, if from_below { at + width } else { at - width });
            }
        }
    }
    ways.into_iter().map(|way| way.cost).collect()
}

/// The connected parts of what stands out, if anything does.
fn found(map: &[f32], width: usize, height: usize) -> Vec<(Span, Span, f64)> {
    let threshold = threshold(map);
    let (mut inside, mut outside) = ((0.0_f32, 0_usize), (0.0_f32, 0_usize));
    for &value in map {
        let side = if value > threshold { &mut inside } else { &mut outside };
        *side = (side.0 + value, side.1 + 1);
    }
    let mean = |(sum, count): (f32, usize)| sum / count.max(1) as f32;
    let stands_out = mean(inside) >= MIN_CONTRAST && mean(inside) >= MIN_RATIO * mean(outside);
    if !stands_out || inside.1 * 1000 > map.len() * AREA.0 {
        return Vec::new();
    }
    let mut parts = parts(map, threshold, width, height);
    let all: f64 = parts.iter().map(|part| part.weight).sum();
    parts.retain(|part| part.pixels * 1000 >= map.len() * AREA.1);
    parts.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    let least = parts.first().map_or(0.0, |part| part.weight * SHARE);
    parts.retain(|part| part.weight >= least);
    parts.truncate(MAX_OBJECTS);
    if parts.iter().map(|part| part.weight).sum::<f64>() * 100.0 < all * GATHERED {
        return Vec::new();
    }
    parts.into_iter().map(|part| (part.columns, part.rows, part.weight)).collect()
}

/// The value that parts what stands out from what does not (Otsu): between the two the variance is largest.
fn threshold(map: &[f32]) -> f32 {
    const STEPS: usize = 128;
    let largest = map.iter().copied().fold(0.0_f32, f32::max);
    if largest <= 0.0 {
        return 0.0;
    }
    let mut histogram = [0_u32; STEPS];
    for value in map {
        let step = super::reduced::whole(f64::from(value / largest) * (STEPS - 1) as f64) as usize;
        histogram[step.min(STEPS - 1)] += 1;
    }
    let total: f64 = map.len() as f64;
    let all: f64 = histogram.iter().enumerate().map(|(step, count)| step as f64 * f64::from(*count)).sum();
    let (mut below, mut sum, mut best) = (0.0, 0.0, (0.0, 0));
    for (step, count) in histogram.iter().enumerate() {
        below += f64::from(*count);
        sum += step as f64 * f64::from(*count);
        if below > 0.0 && below < total {
            let apart = sum / below - (all - sum) / (total - below);
            let variance = below * (total - below) * apart * apart;
            if variance > best.0 {
                best = (variance, step);
            }
        }
    }
    (best.1 as f32 + 0.5) / (STEPS - 1) as f32 * largest
}

/// A connected part.
struct Part {
    columns: Span,
    rows: Span,
    pixels: usize,
    weight: f64,
}

/// The connected parts above a threshold.
fn parts(map: &[f32], threshold: f32, width: usize, height: usize) -> Vec<Part> {
    let mut open: Vec<bool> = map.iter().map(|value| *value > threshold).collect();
    let (mut parts, mut next) = (Vec::new(), Vec::new());
    for start in 0..map.len() {
        if !open[start] {
            continue;
        }
        open[start] = false;
        next.push(start);
        let mut part = Part { columns: (width, 0), rows: (height, 0), pixels: 0, weight: 0.0 };
        while let Some(at) = next.pop() {
            let (x, y) = (at % width, at / width);
            part.columns = (part.columns.0.min(x), part.columns.1.max(x + 1));
            part.rows = (part.rows.0.min(y), part.rows.1.max(y + 1));
            part.pixels += 1;
            part.weight += f64::from(map[at]);
            for y in y.saturating_sub(1)..(y + 2).min(height) {
                for x in x.saturating_sub(1)..(x + 2).min(width) {
                    let neighbour = y * width + x;
                    if open[neighbour] {
                        open[neighbour] = false;
                        next.push(neighbour);
                    }
                }
            }
        }
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;
    use crate::analyse::reduced::byte;

    fn picture(layout: Layout, color: impl Fn(u32, u32) -> Vec<u8>) -> Bitmap {
        let data = (0..300).flat_map(|y| (0..400).map(move |x| (x, y))).flat_map(|(x, y)| color(x, y)).collect();
        Bitmap { width: 400, height: 300, layout, data }
    }

    /// How well two parts cover each other: their intersection by their union.
    fn overlap(left: Rect, right: Rect) -> f64 {
        let along = |a: u32, a_length: u32, b: u32, b_length: u32| {
            f64::from((a + a_length).min(b + b_length).saturating_sub(a.max(b)))
        };
        let both = along(left.x, left.width, right.x, right.width) * along(left.y, left.height, right.y, right.height);
        let area = |rect: Rect| f64::from(rect.width) * f64::from(rect.height);
        both / (area(left) + area(right) - both)
    }

    /// A ball that is lit from above, on a ground that gets darker.
    fn ball(x: u32, y: u32) -> Vec<u8> {
        let (right, down) = (f64::from(x) - 280.0, f64::from(y) - 120.0);
        let inside = right * right + down * down < 60.0 * 60.0;
        let light = |value: f64| u8::try_from(crate::analyse::reduced::whole(value)).unwrap();
        if inside {
            vec![light(200.0 - down / 2.0), light(60.0), light(40.0)]
        } else {
            vec![light(180.0 - f64::from(y) / 5.0), light(190.0 - f64::from(y) / 5.0), light(200.0)]
        }
    }

    #[test]
    fn a_ball_is_an_object() {
        let found = objects(&picture(Layout::Rgb, ball));
        assert_eq!(found.len(), 1, "{found:?}");
        let ball = Rect { x: 220, y: 60, width: 120, height: 120 };
        assert!(overlap(found[0].0, ball) > 0.8, "{found:?}");
    }

    #[test]
    fn two_objects_are_two_and_the_larger_comes_first() {
        let found = objects(&picture(Layout::Gray, |x, y| {
            let within =
                |left: u32, top: u32, side: u32| (left..left + side).contains(&x) && (top..top + side).contains(&y);
            vec![if within(40, 40, 60) || within(200, 120, 110) { 30 } else { 220 }]
        }));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(overlap(found[0].0, Rect { x: 200, y: 120, width: 110, height: 110 }) > 0.8);
        assert!(overlap(found[1].0, Rect { x: 40, y: 40, width: 60, height: 60 }) > 0.7);
        assert!(found[0].1 > found[1].1);
    }

    #[test]
    fn what_is_not_transparent_is_the_object() {
        let found = objects(&picture(Layout::Rgba, |x, y| {
            vec![90, 90, 90, if (100..200).contains(&x) && (50..250).contains(&y) { 255 } else { 0 }]
        }));
        assert_eq!(found.len(), 1);
        assert!(overlap(found[0].0, Rect { x: 100, y: 50, width: 100, height: 200 }) > 0.9, "{found:?}");
    }

    #[test]
    fn nothing_stands_out_of_gradients_and_grain() {
        let gradient = picture(Layout::Rgb, |x, y| vec![byte(x as f32 * 0.6), byte(y as f32 * 0.8), 90]);
        assert_eq!(objects(&gradient), []);
        let mut state = 1_u32;
        let data = (0..400 * 300)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        assert_eq!(objects(&Bitmap { width: 400, height: 300, layout: Layout::Gray, data }), []);
        let flat = picture(Layout::Gray, |_, _| vec![7]);
        assert_eq!(objects(&flat), []);
    }

    #[test]
    fn slivers_are_bearable() {
        for (width, height) in [(1, 1), (5000, 1), (3, 4000), (9, 9)] {
            let data = (0..width * height).map(|at| if at % 3 == 0 { 0 } else { 255 }).collect();
            objects(&Bitmap { width, height, layout: Layout::Gray, data });
        }
    }
}
