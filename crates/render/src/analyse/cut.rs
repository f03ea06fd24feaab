//! Smart crops: what a picture is about, and the cut of a given size that shows most of it.

use stowage_codecs::Bitmap;
use stowage_image::operations::Detector;

use super::{corners::corners, objects::objects};
use crate::{Rect, faces};

/// What the first of the detectors that finds anything has found, each part with its weight; nothing where none does.
fn regions(bitmap: &Bitmap, detectors: &[Detector]) -> Option<Vec<(Rect, f64)>> {
    let area = |rect: &Rect| f64::from(rect.width) * f64::from(rect.height);
    detectors
        .iter()
        .map(|detector| match detector {
            Detector::Faces => faces::find(bitmap).into_iter().map(|face| (face, area(&face))).collect(),
            Detector::Objects => objects(bitmap),
            Detector::Points => corners(bitmap),
        })
        .find(|regions: &Vec<_>| !regions.is_empty())
}

/// The top left of the cut of this size that shows what the detectors find, as central as the borders allow; nothing where
/// they find nothing. A cut that is larger than the picture begins at 0.
pub(crate) fn smart_cut(bitmap: &Bitmap, width: u32, height: u32, detectors: &[Detector]) -> Option<(u32, u32)> {
    let regions = regions(bitmap, detectors)?;
    let along = |from: fn(&Rect) -> u32, length: fn(&Rect) -> u32| -> Vec<Stretch> {
        let stretch = |(rect, weight): &(Rect, f64)| Stretch {
            from: from(rect).into(),
            to: (u64::from(from(rect)) + u64::from(length(rect))),
            weight: *weight,
        };
        regions.iter().map(stretch).collect()
    };
    let x = place(&along(|rect| rect.x, |rect| rect.width), width.into(), bitmap.width.into());
    let y = place(&along(|rect| rect.y, |rect| rect.height), height.into(), bitmap.height.into());
    Some((x, y))
}

/// What a region covers of one side.
struct Stretch {
    from: u64,
    to: u64,
    weight: f64,
}

impl Stretch {
    fn middle(&self) -> f64 {
        (self.from + self.to) as f64 / 2.0
    }

    /// How much of it a cut shows. Half a face is worth less than half of a face.
    fn worth(&self, start: u64, length: u64) -> f64 {
        let shown = self.to.min(start + length).saturating_sub(self.from.max(start));
        let share = shown as f64 / (self.to - self.from).max(1) as f64;
        self.weight * share * share
    }
}

/// Where a cut of a length begins on a side.
fn place(stretches: &[Stretch], length: u64, side: u64) -> u32 {
    let last = side.saturating_sub(length);
    let weight: f64 = stretches.iter().map(|stretch| stretch.weight).sum();
    let middle = if weight > 0.0 {
        stretches.iter().map(|stretch| stretch.weight * stretch.middle()).sum::<f64>() / weight
    } else {
        side as f64 / 2.0
    };
    let around = |middle: f64| u64::from(super::reduced::whole(middle - length as f64 / 2.0)).min(last);
    let from = stretches.iter().map(|stretch| stretch.from).min().unwrap_or(0);
    let to = stretches.iter().map(|stretch| stretch.to).max().unwrap_or(side);
    let start = if to - from <= length {
        // Everything fits: as near to its weighted middle as shows all of it.
        around(middle).clamp(to.saturating_sub(length).min(last), from.min(last))
    } else {
        let ends = stretches.iter().flat_map(|stretch| [stretch.from, stretch.to.saturating_sub(length)]);
        let candidates = ends.chain(stretches.iter().map(|stretch| around(stretch.middle()))).chain([around(middle)]);
        let mut best = (f64::NEG_INFINITY, f64::INFINITY, 0);
        for start in candidates.map(|start| start.min(last)) {
            let worth: f64 = stretches.iter().map(|stretch| stretch.worth(start, length)).sum();
            let apart = (start as f64 + length as f64 / 2.0 - middle).abs();
            let is_better = worth > best.0 + weight * 1e-9 || (worth > best.0 - weight * 1e-9 && apart < best.1);
            if is_better {
                best = (worth, apart, start);
            }
        }
        best.2
    };
    u32::try_from(start).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;

    fn stretch(from: u64, to: u64) -> Stretch {
        Stretch { from, to, weight: (to - from) as f64 }
    }

    #[test]
    fn what_fits_stands_in_the_middle() {
        assert_eq!(place(&[stretch(600, 700)], 300, 1000), 500);
        assert_eq!(place(&[stretch(900, 1000)], 300, 1000), 700);
        assert_eq!(place(&[stretch(0, 40)], 300, 1000), 0);
        // The larger one draws the cut towards itself, as far as the smaller one stays inside.
        assert_eq!(place(&[stretch(400, 420), stretch(500, 680)], 300, 1000), 400);
    }

    #[test]
    fn what_does_not_fit_is_chosen_from() {
        // Rather one of two than the gap between them.
        let start = place(&[stretch(0, 100), stretch(800, 940)], 200, 1000);
        assert!((740..=800).contains(&start), "{start}");
        // A region larger than the cut fills it.
        let start = place(&[stretch(100, 900)], 300, 1000);
        assert_eq!(start, 350);
    }

    #[test]
    fn a_cut_as_large_as_the_picture_begins_at_its_edge() {
        assert_eq!(place(&[stretch(600, 700)], 1000, 1000), 0);
        assert_eq!(place(&[stretch(600, 700)], 4000, 1000), 0);
    }

    #[test]
    fn the_first_detector_that_finds_something_decides() {
        let inside = |x: u32, y: u32| (240..300).contains(&x) && (60..120).contains(&y);
        let data = (0..200).flat_map(|y| (0..400).map(move |x| if inside(x, y) { 20 } else { 230 })).collect();
        let picture = Bitmap { width: 400, height: 200, layout: Layout::Gray, data };
        let detectors = [Detector::Faces, Detector::Objects, Detector::Points];
        let found = regions(&picture, &detectors).unwrap();
        assert_eq!(found.len(), 1, "an object, not four corners: {found:?}");
        let (x, y) = smart_cut(&picture, 200, 200, &detectors).unwrap();
        assert_eq!(y, 0);
        assert!((160..=180).contains(&x), "{x}");
        let (x, _) = smart_cut(&picture, 200, 200, &[Detector::Points]).unwrap();
        assert!((160..=180).contains(&x), "{x}");
    }

    #[test]
    fn a_plain_picture_has_no_cut_of_its_own() {
        let plain = Bitmap { width: 400, height: 200, layout: Layout::Gray, data: vec![90; 80_000] };
        assert_eq!(smart_cut(&plain, 100, 100, &[Detector::Faces, Detector::Objects, Detector::Points]), None);
        assert_eq!(regions(&plain, &[]), None);
    }
}
