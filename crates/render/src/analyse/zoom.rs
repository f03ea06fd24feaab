//! `zoom_objects`: the main object grows, the picture keeps its size.

use stowage_codecs::Bitmap;

use super::objects::objects;
use crate::resample::{View, resize_part};

/// Space that is left around the object, as a share of the side.
const MARGIN: f64 = 0.03;

/// Enlarges the objects that stand out, from 0, not at all, to 100, as far as they fit. Unchanged where nothing stands out.
pub(crate) fn zoom_objects(bitmap: Bitmap, zoom: u8) -> Bitmap {
    if zoom == 0 {
        return bitmap;
    }
    let found = objects(&bitmap);
    let Some(left) = found.iter().map(|(rect, _)| rect.x).min() else { return bitmap };
    let top = found.iter().map(|(rect, _)| rect.y).min().unwrap_or(0);
    let right = found.iter().map(|(rect, _)| u64::from(rect.x) + u64::from(rect.width)).max().unwrap_or(0);
    let bottom = found.iter().map(|(rect, _)| u64::from(rect.y) + u64::from(rect.height)).max().unwrap_or(0);
    let view = view(
        Side::of(bitmap.width, left, right),
        Side::of(bitmap.height, top, bottom),
        f64::from(zoom.min(100)) / 100.0,
    );
    resize_part(&bitmap, view, bitmap.width, bitmap.height)
}

/// A side of the picture, and what the objects cover of it with their margin.
#[derive(Clone, Copy)]
struct Side {
    length: f64,
    from: f64,
    to: f64,
}

impl Side {
    fn of(length: u32, from: u32, to: u64) -> Self {
        let length = f64::from(length);
        let margin = length * MARGIN;
        Self { length, from: (f64::from(from) - margin).max(0.0), to: (to as f64 + margin).min(length) }
    }

    /// How often the objects fit.
    fn scale(self) -> f64 {
        self.length / (self.to - self.from).max(1.0)
    }

    /// Where a part of the side begins so that the objects keep their place among what is left over: they stay inside as long
    /// as the part is no shorter than they are.
    fn start(self, part: f64) -> f64 {
        let left_over = self.length - (self.to - self.from);
        if left_over > 0.0 { (self.length - part) * self.from / left_over } else { 0.0 }
    }
}

/// The part of the picture that will fill it.
fn view(across: Side, down: Side, zoom: f64) -> View {
    let scale = 1.0 + (across.scale().min(down.scale()).max(1.0) - 1.0) * zoom;
    let (width, height) = (across.length / scale, down.length / scale);
    View { x: across.start(width), y: down.start(height), width, height }
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;

    /// A dark block on a light ground.
    fn block() -> Bitmap {
        let inside = |x: u32, y: u32| (60..120).contains(&x) && (100..140).contains(&y);
        let data = (0..200).flat_map(|y| (0..400).map(move |x| if inside(x, y) { 20 } else { 230 })).collect();
        Bitmap { width: 400, height: 200, layout: Layout::Gray, data }
    }

    fn dark(bitmap: &Bitmap) -> usize {
        bitmap.data.iter().filter(|value| **value < 128).count()
    }

    #[test]
    fn the_object_grows_with_the_number_and_stays_whole() {
        let sizes: Vec<usize> = [0, 25, 50, 75, 100].map(|zoom| dark(&zoom_objects(block(), zoom))).to_vec();
        assert_eq!(sizes[0], 60 * 40);
        assert!(sizes.is_sorted_by(|left, right| left < right), "{sizes:?}");
        let full = zoom_objects(block(), 100);
        assert_eq!((full.width, full.height), (400, 200));
        // As high as the picture but for the margins, and still of its own ratio.
        assert!((20_000..36_000).contains(&sizes[4]), "{sizes:?}");
        let edge = full.data.iter().take(400).chain(full.data.iter().rev().take(400));
        assert!(edge.into_iter().all(|value| *value > 200), "nothing of the object is cut off");
    }

    #[test]
    fn without_an_object_nothing_happens() {
        let plain = Bitmap { width: 40, height: 30, layout: Layout::Gray, data: vec![9; 1200] };
        assert_eq!(zoom_objects(plain.clone(), 100), plain);
    }
}
