//! Animated pictures, frame by frame.

use crate::common::{fixture, limits_of, rgba};
use std::time::Duration;
use stowage_codecs::{Bitmap, DecodeError, Frames, Limits, frames};

const RED: [u8; 4] = [255, 0, 0, 255];
const GREEN: [u8; 4] = [0, 255, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const DARK: [u8; 4] = [9, 9, 9, 255];
const NOTHING: [u8; 4] = [0; 4];

fn all(frames: Frames<'_>) -> (Vec<Bitmap>, Vec<u64>) {
    let (bitmaps, times): (Vec<Bitmap>, Vec<Duration>) = frames.map(|frame| frame.unwrap()).unzip();
    (bitmaps, times.into_iter().map(|time| u64::try_from(time.as_millis()).unwrap()).collect())
}

fn pixel(bitmap: &Bitmap, x: usize, y: usize) -> [u8; 4] {
    *rgba(bitmap)[(y * bitmap.width as usize + x) * 4..].first_chunk().unwrap()
}

#[test]
fn gif_frames_go_as_each_of_them_says() {
    let bytes = fixture("disposals.gif");
    let (bitmaps, times) = all(frames(&bytes, &Limits::default()).unwrap());
    // Those of a hundredth and of none stay for a tenth of a second.
    assert_eq!(times, [50, 100, 70, 100]);
    let [red, green, blue, dark] = &bitmaps[..] else { panic!("four frames") };
    assert!(rgba(red).as_chunks::<4>().0.iter().all(|pixel| *pixel == RED));
    assert_eq!(
        [pixel(green, 0, 0), pixel(green, 1, 1), pixel(green, 3, 2), pixel(green, 4, 2)],
        [RED, GREEN, GREEN, RED]
    );
    // The green one went and left nothing.
    assert_eq!(
        [pixel(blue, 1, 1), pixel(blue, 2, 2), pixel(blue, 5, 4), pixel(blue, 7, 5)],
        [NOTHING, BLUE, BLUE, RED]
    );
    // The blue one gave back what was there; the second pixel of the last one is a hole.
    assert_eq!([pixel(dark, 0, 0), pixel(dark, 1, 0), pixel(dark, 2, 2), pixel(dark, 5, 4)], [DARK, RED, NOTHING, RED]);
}

#[test]
fn webp_frames_are_those_that_were_written() {
    let bytes = fixture("animated.webp");
    let (bitmaps, times) = all(frames(&bytes, &Limits::default()).unwrap());
    assert_eq!(times, [40, 50, 60]);
    let first = fixture("animated.webp.rgba");
    for (bitmap, shift) in bitmaps.iter().zip([0, 4, 8]) {
        for (y, row) in rgba(bitmap).chunks(24 * 4).enumerate() {
            for (x, found) in row.chunks(4).enumerate() {
                let from = (y * 24 + (x + 24 - shift) % 24) * 4;
                let expected = &first[from..from + 4];
                assert!(found == expected || found[3] == 0 && expected[3] == 0, "{x}, {y} shifted by {shift}");
            }
        }
    }
}

#[test]
fn a_frame_that_is_cut_off_is_an_error_and_the_last_item() {
    let bytes = fixture("disposals.gif");
    let end = bytes.windows(2).rposition(|pair| pair == b"\x21\xF9").unwrap();
    let mut frames = frames(&bytes[..end + 12], &Limits::default()).unwrap();
    assert_eq!(frames.by_ref().take(3).flatten().count(), 3);
    assert!(matches!(frames.next(), Some(Err(DecodeError::Damaged(_)))));
    assert!(frames.next().is_none());
}

#[test]
fn still_pictures_and_large_ones_are_refused() {
    for name in ["lossy.webp", "rgb8.png", "animated.png"] {
        assert!(matches!(frames(&fixture(name), &Limits::default()), Err(DecodeError::Unsupported(_))), "{name}");
    }
    for (name, pixels) in [("disposals.gif", 8 * 6 - 1), ("animated.webp", 24 * 16 - 1)] {
        let limits = limits_of(pixels, 100).limits;
        assert!(matches!(frames(&fixture(name), &limits), Err(DecodeError::TooLarge(_))), "{name}");
    }
}
