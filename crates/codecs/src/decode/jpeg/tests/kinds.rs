//! Every layout of components, beside jpeg-decoder.

use super::{Kind, PLAIN, difference, pixels, shown, shrunk, written};
use crate::Layout;
use jpeg_encoder::{ColorType, SamplingFactor};

const SAMPLINGS: [SamplingFactor; 8] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
    SamplingFactor::F_4_2,
    SamplingFactor::F_1_4,
    SamplingFactor::F_2_4,
];

/// What another decoder sees.
fn other(bytes: &[u8]) -> Vec<u8> {
    jpeg_decoder::Decoder::new(bytes).decode().unwrap()
}

fn kinds() -> impl Iterator<Item = Kind> {
    [(false, false), (false, true), (true, false)].into_iter().flat_map(|(progressive, optimized)| {
        SAMPLINGS.into_iter().map(move |sampling| Kind { sampling, progressive, optimized, ..PLAIN })
    })
}

#[test]
fn colours_are_those_of_another_decoder() {
    for kind in kinds() {
        let bytes = written(&kind);
        let bitmap = shown(&bytes);
        assert_eq!((bitmap.width, bitmap.height, bitmap.layout), (167, 123, Layout::Rgb));
        let (mean, most) = difference(&bitmap.data, &other(&bytes));
        assert!(mean < 0.6 && most <= 6, "{:?} {} {}: {mean} {most}", kind.sampling, kind.progressive, kind.optimized);
    }
}

#[test]
fn passes_make_the_same_pixels() {
    for sampling in SAMPLINGS {
        let once = written(&Kind { sampling, ..PLAIN });
        let apart = written(&Kind { sampling, optimized: true, ..PLAIN });
        let progressive = written(&Kind { sampling, progressive: true, ..PLAIN });
        for by in [1, 2, 4, 8] {
            let expected = shrunk(&once, by).bitmap;
            assert_eq!(shrunk(&apart, by).bitmap, expected, "{sampling:?} 1/{by}");
            assert_eq!(shrunk(&progressive, by).bitmap, expected, "{sampling:?} 1/{by}");
        }
    }
}

#[test]
fn grey_inks_and_both_of_their_encodings() {
    for progressive in [false, true] {
        for (color, layout) in
            [(ColorType::Luma, Layout::Gray), (ColorType::Cmyk, Layout::Cmyk), (ColorType::CmykAsYcck, Layout::Cmyk)]
        {
            let kind = Kind { color, progressive, sampling: SamplingFactor::F_1_1, ..PLAIN };
            let bytes = written(&kind);
            let bitmap = shown(&bytes);
            assert_eq!(bitmap.layout, layout);
            let (mean, most) = difference(&bitmap.data, &other(&bytes));
            assert!(mean < 0.6 && most <= 6, "{color:?}: {mean} {most}");
            // The inks that were written, not their opposites.
            assert!(difference(&bitmap.data, &pixels(&kind)).0 < 2.0, "{color:?}");
        }
    }
}

#[test]
fn inks_without_a_word_from_adobe_are_not_inverted() {
    let kind = Kind { color: ColorType::Cmyk, sampling: SamplingFactor::F_1_1, ..PLAIN };
    let bytes = written(&kind);
    let adobe = bytes.windows(5).position(|five| five == b"Adobe").unwrap();
    let mut silent = bytes.clone();
    silent[adobe] = b'B';
    let inverted: Vec<u8> = shown(&bytes).data.iter().map(|ink| !ink).collect();
    assert_eq!(shown(&silent).data, inverted);
}

#[test]
fn rgb_is_known_by_adobe_and_by_its_names() {
    // Written as YCbCr and then declared to be RGB: the components themselves have to come out.
    let kind = Kind { color: ColorType::Ycbcr, sampling: SamplingFactor::F_1_1, ..PLAIN };
    let mut bytes = written(&kind);
    let jfif = bytes.windows(4).position(|four| four == b"JFIF").unwrap();
    bytes[jfif] = b'X';
    let named = {
        let mut bytes = bytes.clone();
        let frame = bytes.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        let scan = bytes.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
        for (n, name) in b"RGB".iter().enumerate() {
            bytes[frame + 10 + 3 * n] = *name;
            bytes[scan + 5 + 2 * n] = *name;
        }
        bytes
    };
    let declared = [&bytes[..2], b"\xFF\xEE\0\x0EAdobe\0d\0\0\0\0\0", &bytes[2..]].concat();
    for bytes in [named, declared] {
        assert!(difference(&shown(&bytes).data, &pixels(&kind)).0 < 2.0);
    }
}

#[test]
fn restart_markers_change_nothing() {
    // The encoder cannot have both restart markers and tables of its own.
    for kind in kinds().filter(|kind| !kind.optimized) {
        let expected = shown(&written(&kind));
        for restart in [1, 3, 100] {
            let bytes = written(&Kind { restart, ..kind });
            assert_eq!(shown(&bytes), expected, "{:?} {} {restart}", kind.sampling, kind.progressive);
        }
    }
}

#[test]
fn odd_sizes_keep_their_edges() {
    for sampling in SAMPLINGS {
        for (width, height) in [(1, 1), (2, 3), (7, 9), (8, 8), (15, 17), (16, 16), (33, 31), (1, 40), (40, 1)] {
            let kind = Kind { width, height, sampling, ..PLAIN };
            let bytes = written(&kind);
            let bitmap = shown(&bytes);
            assert_eq!((bitmap.width, bitmap.height), (width.into(), height.into()));
            let (mean, _) = difference(&bitmap.data, &other(&bytes));
            assert!(mean < 0.8, "{sampling:?} {width}x{height}: {mean}");
            for by in [2, 4, 8] {
                let decoded = shrunk(&bytes, by);
                assert_eq!(decoded.full, (width.into(), height.into()));
                let expected = (u32::from(width).div_ceil(by), u32::from(height).div_ceil(by));
                assert_eq!((decoded.bitmap.width, decoded.bitmap.height), expected);
                assert_eq!(decoded.bitmap.data.len(), 3 * (expected.0 * expected.1) as usize);
            }
        }
    }
}
