//! Turns, mirrors and cuts that a container orders.

use super::super::heif::{Cursor, Part};
use crate::Bitmap;

/// Does what a property orders, if it orders something of this kind that makes sense.
pub(super) fn apply(bitmap: Bitmap, property: &Part<'_>) -> Bitmap {
    let mut cursor = Cursor(property.body);
    match &property.kind {
        b"irot" => match cursor.number(1).unwrap_or_default() & 3 {
            1 => turn(&bitmap, |width, _, x, y| (width - 1 - y, x)),
            2 => turned_half(&bitmap),
            3 => turn(&bitmap, |_, height, x, y| (y, height - 1 - x)),
            _ => bitmap,
        },
        b"imir" => match cursor.number(1).unwrap_or_default() & 1 {
            0 => rearrange(&bitmap, (bitmap.width, bitmap.height), |_, height, x, y| (x, height - 1 - y)),
            _ => rearrange(&bitmap, (bitmap.width, bitmap.height), |width, _, x, y| (width - 1 - x, y)),
        },
        b"clap" => match aperture(&bitmap, cursor) {
            Some((left, top, width, height)) => {
                rearrange(&bitmap, (width, height), |_, _, x, y| (left as usize + x, top as usize + y))
            }
            None => bitmap,
        },
        _ => bitmap,
    }
}

/// A quarter turn: the picture's width and height change places.
fn turn(bitmap: &Bitmap, from: impl Fn(usize, usize, usize, usize) -> (usize, usize)) -> Bitmap {
    rearrange(bitmap, (bitmap.height, bitmap.width), from)
}

fn turned_half(bitmap: &Bitmap) -> Bitmap {
    rearrange(bitmap, (bitmap.width, bitmap.height), |width, height, x, y| (width - 1 - x, height - 1 - y))
}

/// A picture of another size, each of whose pixels comes from somewhere in the old one, whose width and height are told too.
fn rearrange(
    bitmap: &Bitmap,
    (width, height): (u32, u32),
    from: impl Fn(usize, usize, usize, usize) -> (usize, usize),
) -> Bitmap {
    let channels = bitmap.layout.channels();
    let (old_width, old_height) = (bitmap.width as usize, bitmap.height as usize);
    let mut data = Vec::with_capacity(width as usize * height as usize * channels);
    for y in 0..height as usize {
        for x in 0..width as usize {
            let (x, y) = from(old_width, old_height, x, y);
            let at = (y * old_width + x) * channels;
            data.extend_from_slice(&bitmap.data[at..at + channels]);
        }
    }
    Bitmap { width, height, layout: bitmap.layout, data }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an edge lies inside the picture")]
fn whole(edge: f64) -> u32 {
    edge as u32
}

/// The left, top, width and height of a clean aperture, if it lies inside the picture.
fn aperture(bitmap: &Bitmap, mut cursor: Cursor<'_>) -> Option<(u32, u32, u32, u32)> {
    let mut ratio = || {
        let (over, under) = (cursor.u32()?.cast_signed(), cursor.u32()?.cast_signed());
        (under > 0).then(|| f64::from(over) / f64::from(under))
    };
    let (width, height, right, down) = (ratio()?, ratio()?, ratio()?, ratio()?);
    // The middle of the aperture stands so far from the middle of the picture.
    let edge = |side: u32, part: f64, off: f64| {
        let low = (f64::from(side) - part) / 2.0 + off;
        let fits = part >= 1.0 && low >= 0.0 && low + part <= f64::from(side);
        fits.then(|| (whole(low.round()), whole(part)))
    };
    let ((left, width), (top, height)) = (edge(bitmap.width, width, right)?, edge(bitmap.height, height, down)?);
    Some((left, top, width.min(bitmap.width - left), height.min(bitmap.height - top)))
}

#[cfg(test)]
mod tests {
    use super::{Part, apply};
    use crate::{Bitmap, Layout};

    fn order(kind: [u8; 4], body: &[u8]) -> (u32, u32, Vec<u8>) {
        // 1 2 3
        // 4 5 6
        let bitmap = Bitmap { width: 3, height: 2, layout: Layout::Gray, data: vec![1, 2, 3, 4, 5, 6] };
        let done = apply(bitmap, &Part { kind, body });
        (done.width, done.height, done.data)
    }

    #[test]
    fn turns_go_against_the_clock() {
        assert_eq!(order(*b"irot", &[1]), (2, 3, vec![3, 6, 2, 5, 1, 4]));
        assert_eq!(order(*b"irot", &[2]), (3, 2, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(order(*b"irot", &[3]), (2, 3, vec![4, 1, 5, 2, 6, 3]));
    }

    #[test]
    fn mirrors_exchange_top_and_bottom_or_left_and_right() {
        assert_eq!(order(*b"imir", &[0]), (3, 2, vec![4, 5, 6, 1, 2, 3]));
        assert_eq!(order(*b"imir", &[1]), (3, 2, vec![3, 2, 1, 6, 5, 4]));
    }

    #[test]
    fn an_aperture_cuts_and_one_outside_does_not() {
        let numbers = |numbers: [i32; 8]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        // 2 x 1, half a pixel to the right and half a pixel down.
        assert_eq!(order(*b"clap", &numbers([2, 1, 1, 1, 1, 2, 1, 2])), (2, 1, vec![5, 6]));
        for outside in [[4, 1, 1, 1, 0, 1, 0, 1], [2, 1, 1, 1, 9, 1, 0, 1], [2, 0, 1, 1, 0, 1, 0, 1]] {
            assert_eq!(order(*b"clap", &numbers(outside)).0, 3);
        }
    }
}
