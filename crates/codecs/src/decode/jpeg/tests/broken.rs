//! Pictures that are cut, damaged, or made to hurt.

use super::{Kind, PLAIN, shown, written};
use crate::decode::jpeg::{MAX_SCANS, decode};
use crate::decode::{Ask, DecodeError, Limits};
use jpeg_encoder::{ColorType, SamplingFactor};

/// Where the coded pixels of the first scan begin.
fn pixels_at(bytes: &[u8]) -> usize {
    let scan = bytes.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
    scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]))
}

fn frame_at(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|two| matches!(two, [0xFF, 0xC0..=0xC2])).unwrap()
}

fn refusal(bytes: &[u8]) -> DecodeError {
    decode(bytes, &Ask::default()).unwrap_err()
}

#[test]
fn a_cut_picture_is_shown_as_far_as_it_goes() {
    let kind = Kind { sampling: SamplingFactor::F_1_1, ..PLAIN };
    let bytes = written(&kind);
    let whole = shown(&bytes);
    let pixels = pixels_at(&bytes);
    let cut = shown(&bytes[..pixels + (bytes.len() - pixels) / 2]);
    let row = 167 * 3;
    assert_eq!(cut.data[..40 * row], whole.data[..40 * row]);
    assert!(cut.data[115 * row..].iter().all(|&level| level == 128), "what is missing is grey");
}

#[test]
fn a_cut_progressive_picture_is_blurred() {
    let bytes = written(&Kind { progressive: true, ..PLAIN });
    let whole = shown(&bytes);
    let cut = shown(&bytes[..bytes.len() * 2 / 3]);
    assert_eq!((cut.width, cut.height), (whole.width, whole.height));
    let (mean, _) = super::difference(&cut.data, &whole.data);
    assert!(mean > 0.0 && mean < 12.0, "{mean}");
}

#[test]
fn a_picture_without_pixels_is_damaged() {
    for kind in [PLAIN, Kind { progressive: true, ..PLAIN }] {
        let bytes = written(&kind);
        let pixels = pixels_at(&bytes);
        for length in [2, 3, 20, frame_at(&bytes) + 5, pixels - 3, pixels] {
            assert!(matches!(refusal(&bytes[..length]), DecodeError::Damaged(_)), "{length}");
        }
        let ended = [&bytes[..pixels], &[0xFF, 0xD9]].concat();
        assert!(matches!(refusal(&ended), DecodeError::Damaged(_)));
    }
    assert!(matches!(refusal(b""), DecodeError::Unsupported(_)));
    assert!(matches!(refusal(b"GIF89a"), DecodeError::Unsupported(_)));
}

#[test]
fn damage_ends_at_the_next_restart_marker() {
    let kind =
        Kind { width: 160, height: 64, color: ColorType::Luma, sampling: SamplingFactor::F_1_1, restart: 20, ..PLAIN };
    let mut bytes = written(&kind);
    let whole = shown(&bytes);
    // One interval is a row of blocks; the third one is made senseless.
    let markers: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, two)| matches!(two, [0xFF, 0xD0..=0xD7])).map(|(at, _)| at).collect();
    assert_eq!(markers.len(), 7);
    bytes[markers[1] + 2..markers[2]].fill(0x5A);
    let damaged = shown(&bytes);
    let row = 8 * 160;
    assert_eq!(damaged.data[..2 * row], whole.data[..2 * row]);
    assert_ne!(damaged.data[2 * row..3 * row], whole.data[2 * row..3 * row]);
    assert_eq!(damaged.data[3 * row..], whole.data[3 * row..]);
}

#[test]
fn kinds_that_nobody_writes_are_refused_by_name() {
    let bytes = written(&PLAIN);
    let frame = frame_at(&bytes);
    for (marker, name) in [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic"), (0xCB, "arithmetic")] {
        let mut bytes = bytes.clone();
        bytes[frame + 1] = marker;
        assert!(matches!(refusal(&bytes), DecodeError::Unsupported(why) if why.contains(name)), "{marker:x}");
    }
    let mut deep = bytes.clone();
    deep[frame + 4] = 12;
    assert!(matches!(refusal(&deep), DecodeError::Unsupported(why) if why.contains("12 bits")));
}

#[test]
fn sizes_are_refused_before_pixels() {
    let bytes = written(&PLAIN);
    let limits = |max_pixels, max_side, max_memory| {
        let limits = Limits { max_pixels, max_side, max_memory };
        decode(&bytes, &Ask { limits, at_least: None }).map(|_| ())
    };
    assert_eq!(limits(167 * 123, 167, 1 << 20), Ok(()));
    for refused in [limits(167 * 123 - 1, 167, 1 << 20), limits(1 << 30, 166, 1 << 20), limits(1 << 30, 167, 60_000)] {
        assert!(matches!(refused, Err(DecodeError::TooLarge(_))));
    }
    // A header that promises much: refused for its size alone, though nothing follows.
    let mut lie = bytes.clone();
    let frame = frame_at(&bytes);
    lie[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    assert!(matches!(refusal(&lie), DecodeError::TooLarge(_)));
    // Coefficients of progressive pictures count too.
    let mut lie = written(&Kind { progressive: true, sampling: SamplingFactor::F_1_1, ..PLAIN });
    let frame = frame_at(&lie);
    lie[frame + 5..frame + 9].copy_from_slice(&[0x23, 0x28, 0x20, 0x00]);
    assert!(matches!(refusal(&lie), DecodeError::TooLarge(why) if why.contains("memory")));
}

#[test]
fn scans_without_end_are_refused() {
    let bytes = written(&Kind { progressive: true, ..PLAIN });
    let scan = bytes.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
    let end = scan + 4 + bytes[scan + 4..].windows(2).position(|two| two[0] == 0xFF && two[1] != 0).unwrap();
    let mut long = bytes[..scan].to_vec();
    for _ in 0..=MAX_SCANS {
        long.extend(&bytes[scan..end]);
    }
    assert!(matches!(refusal(&long), DecodeError::Damaged(why) if why.contains("scans")));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let bytes = written(&PLAIN);
    let frame = frame_at(&bytes);
    // No area, no components, sampling of nothing and of too much, a table that cannot be.
    for (at, value) in [(6, 0), (9, 2), (9, 0), (11, 0x02), (11, 0x52), (12, 4)] {
        let mut bytes = bytes.clone();
        if at == 6 {
            bytes[frame + 5] = 0;
        }
        bytes[frame + at] = value;
        assert!(matches!(refusal(&bytes), DecodeError::Damaged(_) | DecodeError::Unsupported(_)), "{at}");
    }
    // More codes than bits allow.
    let mut codes = bytes.clone();
    let table = bytes.windows(2).position(|two| two == [0xFF, 0xC4]).unwrap();
    codes[table + 5] = 3;
    assert!(matches!(refusal(&codes), DecodeError::Damaged(_)));
}

/// Whatever is written over a picture: an answer, of the promised size.
#[test]
fn nothing_makes_it_panic() {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 16) as usize % below
    };
    let small = Kind { width: 61, height: 43, ..PLAIN };
    let mut pictures = Vec::new();
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2, SamplingFactor::F_4_1] {
        for (progressive, optimized, restart) in
            [(false, false, 2), (false, true, 0), (true, false, 0), (true, false, 5)]
        {
            pictures.push(written(&Kind { sampling, progressive, optimized, restart, ..small }));
        }
    }
    pictures.push(written(&Kind { color: ColorType::CmykAsYcck, ..small }));
    for round in 0..6000 {
        let mut bytes = pictures[round % pictures.len()].clone();
        for _ in 0..=random(6) {
            let at = match random(3) {
                0 => random(bytes.len()),
                _ => random(700.min(bytes.len())),
            };
            bytes[at] = match random(4) {
                0 => 0xFF,
                1 => bytes[at] ^ (1 << random(8)),
                _ => random(256) as u8,
            };
        }
        if random(4) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        let limits = Limits { max_pixels: 200_000, max_side: 4000, max_memory: 8 << 20 };
        let ask = Ask { limits, at_least: [None, Some((1, 1)), Some((16, 11)), Some((31, 22))][random(4)] };
        if let Ok(decoded) = decode(&bytes, &ask) {
            let bitmap = decoded.bitmap;
            let pixels = bitmap.width as usize * bitmap.height as usize;
            assert_eq!(bitmap.data.len(), pixels * bitmap.layout.channels());
        }
    }
}
