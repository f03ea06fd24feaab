//! The eight ways to lay a picture, which is all that quarter turns, mirrors and the orientations of EXIF can come to.

use crate::Rect;
use crate::geometry::Dimensions;
use stowage_codecs::Bitmap;

/// One of the eight ways to lay a picture: its axes swapped, then mirrored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Turn {
    /// Whether rows become columns.
    pub(crate) swap: bool,
    /// Whether left and right are exchanged afterwards.
    pub(crate) mirror: bool,
    /// Whether top and bottom are exchanged afterwards.
    pub(crate) flip: bool,
}

impl Turn {
    /// What an EXIF orientation asks for; anything but 2 to 8 is upright.
    pub(crate) fn upright(orientation: u8) -> Self {
        let (swap, mirror, flip) = match orientation {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { swap, mirror, flip }
    }

    /// Quarter turns counterclockwise.
    pub(crate) fn quarters(count: u8) -> Self {
        Self::upright([1, 8, 3, 6][usize::from(count % 4)])
    }

    /// This one, and then another.
    pub(crate) fn then(self, next: Self) -> Self {
        let (mirror, flip) = if next.swap { (self.flip, self.mirror) } else { (self.mirror, self.flip) };
        Self { swap: self.swap ^ next.swap, mirror: mirror ^ next.mirror, flip: flip ^ next.flip }
    }

    /// The size after the turn, and before it.
    pub(crate) fn size(self, (width, height): Dimensions) -> Dimensions {
        if self.swap { (height, width) } else { (width, height) }
    }

    /// Where a part of the turned picture of the size `of` is in the picture before the turn.
    pub(crate) fn back(self, part: Rect, of: Dimensions) -> Rect {
        let Rect { mut x, mut y, width, height } = part;
        if self.mirror {
            x = of.0 - x - width;
        }
        if self.flip {
            y = of.1 - y - height;
        }
        if self.swap { Rect { x: y, y: x, width: height, height: width } } else { Rect { x, y, width, height } }
    }

    /// Moves the pixels.
    pub(crate) fn apply(self, bitmap: Bitmap) -> Bitmap {
        match bitmap.layout.channels() {
            1 => self.moved::<1>(bitmap),
            3 => self.moved::<3>(bitmap),
            _ => self.moved::<4>(bitmap),
        }
    }

    fn moved<const N: usize>(self, mut bitmap: Bitmap) -> Bitmap {
        if self == Self::default() {
            return bitmap;
        }
        let (from_width, from_height) = (bitmap.width as usize, bitmap.height as usize);
        if !self.swap {
            let pixels = bitmap.data.as_chunks_mut::<N>().0;
            if self.flip && self.mirror {
                pixels.reverse();
            } else if self.mirror {
                pixels.chunks_exact_mut(from_width).for_each(<[_]>::reverse);
            } else {
                for row in 0..from_height / 2 {
                    let (upper, lower) = pixels.split_at_mut((from_height - 1 - row) * from_width);
                    upper[row * from_width..][..from_width].swap_with_slice(&mut lower[..from_width]);
                }
            }
            return bitmap;
        }
        let (width, height) = (from_height, from_width);
        let mut data = vec![0; bitmap.data.len()];
        let into = data.as_chunks_mut::<N>().0;
        let pixels = bitmap.data.as_chunks::<N>().0;
        // In tiles, so that the columns of one side stay in the cache while the rows of the other are walked.
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                for y in top..(top + TILE).min(height) {
                    let column = if self.flip { height - 1 - y } else { y };
                    let row = &mut into[y * width..][..width];
                    for (x, pixel) in row.iter_mut().enumerate().take(left + TILE).skip(left) {
                        let line = if self.mirror { width - 1 - x } else { x };
                        *pixel = pixels[line * from_width + column];
                    }
                }
            }
        }
        Bitmap { width: bitmap.height, height: bitmap.width, layout: bitmap.layout, data }
    }
}

/// Pixels on the side of a tile.
const TILE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_codecs::Layout;

    /// Every pixel is its number.
    fn numbered(width: u32, height: u32) -> Bitmap {
        let data = (0..u8::try_from(width * height).unwrap()).collect();
        Bitmap { width, height, layout: Layout::Gray, data }
    }

    fn all() -> impl Iterator<Item = Turn> {
        (1..=8).map(Turn::upright)
    }

    #[test]
    fn turns_one_after_the_other_are_one_turn() {
        for first in all() {
            for second in all() {
                let bitmap = numbered(5, 3);
                let both = second.apply(first.apply(bitmap.clone()));
                assert_eq!(first.then(second).apply(bitmap), both, "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn quarter_turns_go_counterclockwise() {
        let turned = Turn::quarters(1).apply(numbered(3, 2));
        assert_eq!((turned.width, turned.height, turned.data), (2, 3, vec![2, 5, 1, 4, 0, 3]));
        assert_eq!(Turn::quarters(2).apply(numbered(3, 2)).data, [5, 4, 3, 2, 1, 0]);
        let all_around = Turn::quarters(3).then(Turn::quarters(1));
        assert_eq!(all_around, Turn::default());
    }

    #[test]
    fn large_pictures_are_turned_like_small_ones() {
        let (width, height) = (69_u32, 35_u32);
        const { assert!(TILE < 35, "more than one tile on each side") };
        let pixels = (0..width * height).flat_map(|at| [at.to_be_bytes()[2], at.to_be_bytes()[3], 7]).collect();
        let bitmap = Bitmap { width, height, layout: Layout::Rgb, data: pixels };
        for turn in all().filter(|turn| turn.swap) {
            let turned = turn.apply(bitmap.clone());
            for (x, y) in [(0, 0), (3, 40), (33, 64), (height - 1, width - 1)] {
                let part = turn.back(Rect { x, y, width: 1, height: 1 }, (height, width));
                let pixel = |bitmap: &Bitmap, x: u32, y: u32| {
                    let at = (y * bitmap.width + x) as usize * 3;
                    bitmap.data[at..at + 3].to_vec()
                };
                assert_eq!(pixel(&turned, x, y), pixel(&bitmap, part.x, part.y), "{turn:?} {x},{y}");
            }
        }
    }
}
