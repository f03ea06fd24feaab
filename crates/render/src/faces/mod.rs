//! Faces that look at the camera, more or less.
//!
//! The detector is that of `SeetaFace` (S. Wu, M. Kan, Z. He, S. Shan, X. Chen: Funnel-structured cascade for multi-view face
//! detection with alignment awareness; BSD 2-Clause, see `models/`), written anew: what there is for it in Rust follows
//! windows that the picture moves by unchecked pointers, and its time can be made to grow with the square of what a picture
//! pretends to show. Here everything is checked and bounded.

mod appearance;
mod cascade;
mod gradients;
mod model;
mod windows;

use stowage_codecs::Bitmap;

use crate::Rect;
use crate::analyse::Small;

/// The longest side of the grey copy that is searched: faces from a sixteenth of it on are found, in about 0.1 s.
const SIDE: u32 = 640;
/// Pictures of which no side is longer than this are enlarged to twice their size: the detector needs 40 pixels of a face.
const ENLARGED: u32 = 240;

/// The faces of an upright picture, the largest first; none where the picture is too small for any.
pub(crate) fn find(bitmap: &Bitmap) -> Vec<Rect> {
    let Some(cascade) = model::cascade() else { return Vec::new() };
    let small = if bitmap.width.max(bitmap.height) <= ENLARGED {
        Small::sized(bitmap, bitmap.width * 2, bitmap.height * 2)
    } else {
        Small::of(bitmap, SIDE)
    };
    let grey = cascade::Grey { width: small.width, height: small.height, pixels: small.grey() };
    let mut faces: Vec<Rect> = cascade
        .find(&grey)
        .into_iter()
        .filter_map(|window| {
            let (columns, rows) = (window.columns(small.width)?, window.rows(small.height)?);
            Some(small.rect(columns, rows))
        })
        .collect();
    let area = |face: &Rect| u64::from(face.width) * u64::from(face.height);
    faces.sort_by(|left, right| area(right).cmp(&area(left)).then((left.y, left.x).cmp(&(right.y, right.x))));
    faces
}

#[cfg(test)]
mod tests {
    use stowage_codecs::{Ask, Layout, decode};

    use super::*;
    use crate::resample::resize;

    /// A head and shoulders, 240x220; see `tests/fixtures/README.md`.
    fn portrait() -> Bitmap {
        decode(include_bytes!("../../tests/fixtures/portrait.jpg"), &Ask::default()).unwrap().bitmap
    }

    /// Where the face is in it, as fractions of the sides: left, top, width, height.
    const FACE: [f64; 4] = [76.0 / 240.0, 47.0 / 220.0, 96.0 / 240.0, 96.0 / 220.0];

    /// How well what was found covers what was meant: their intersection by their union.
    fn overlap(found: Rect, [x, y, width, height]: [f64; 4]) -> f64 {
        let along = |from: u32, length: u32, other: f64, other_length: f64| {
            (f64::from(from + length).min(other + other_length) - f64::from(from).max(other)).max(0.0)
        };
        let both = along(found.x, found.width, x, width) * along(found.y, found.height, y, height);
        both / (f64::from(found.width) * f64::from(found.height) + width * height - both)
    }

    #[test]
    fn a_face_is_found_at_every_size() {
        let portrait = portrait();
        for (width, height) in [(120, 110), (240, 220), (480, 440), (1200, 1100), (300, 220)] {
            let found = find(&resize(&portrait, width, height));
            let [x, y, across, down] = FACE;
            let (width, height) = (f64::from(width), f64::from(height));
            let face = [x * width, y * height, across * width, down * height];
            assert_eq!(found.len(), 1, "{width}x{height}: {found:?}");
            assert!(overlap(found[0], face) > 0.6, "{width}x{height}: {found:?} is not {face:?}");
        }
    }

    #[test]
    fn the_larger_face_comes_first() {
        let (near, far) = (portrait(), resize(&portrait(), 144, 132));
        let mut canvas = Bitmap { width: 600, height: 300, layout: Layout::Rgb, data: vec![128; 600 * 300 * 3] };
        for (picture, left, top) in [(&far, 20, 100), (&near, 300, 40)] {
            let stride = picture.width as usize * 3;
            for (row, from) in picture.data.chunks_exact(stride).enumerate() {
                let at = ((top + row) * 600 + left) * 3;
                canvas.data[at..at + stride].copy_from_slice(from);
            }
        }
        let found = find(&canvas);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(overlap(found[0], [376.0, 87.0, 96.0, 96.0]) > 0.6, "{found:?}");
        assert!(overlap(found[1], [65.0, 128.0, 58.0, 58.0]) > 0.6, "{found:?}");
        assert_eq!(find(&canvas), found);
    }

    #[test]
    fn there_are_none_where_there_are_none() {
        let mut upside_down = portrait();
        upside_down.data = upside_down.data.rchunks_exact(3).flatten().copied().collect();
        assert_eq!(find(&upside_down), []);
        for (width, height) in [(1, 1), (30, 5000), (5000, 30), (400, 300)] {
            let data = vec![200; width as usize * height as usize];
            assert_eq!(find(&Bitmap { width, height, layout: Layout::Gray, data }), []);
        }
    }

    #[test]
    fn patterns_and_noise_are_bearable() {
        let mut state = 7_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        for pattern in 1..8_u32 {
            let (width, height) = (40 + pattern * 83, 43 + 71 * (pattern % 5));
            let pixel = |x: u32, y: u32, noise: u8| match pattern {
                1 => noise,
                2 => noise & 0x80,
                3 => noise / 2 + if (x / 7 + y / 7).is_multiple_of(2) { 127 } else { 0 },
                period => {
                    if (x / period + y / period).is_multiple_of(2) {
                        255
                    } else {
                        0
                    }
                }
            };
            let data =
                (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y, random())).collect();
            for face in find(&Bitmap { width, height, layout: Layout::Gray, data }) {
                assert!(face.x + face.width <= width && face.y + face.height <= height);
            }
        }
    }
}
