//! What comes with the pixels.

use super::{PLAIN, written};
use crate::decode::{Ask, decode};

/// Segments put behind the beginning of a picture.
fn with(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let picture = written(&PLAIN);
    let mut bytes = picture[..2].to_vec();
    for (marker, body) in segments {
        bytes.extend([0xFF, *marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(*body);
    }
    bytes.extend(&picture[2..]);
    bytes
}

fn piece(number: u8, of: u8, body: &[u8]) -> Vec<u8> {
    [b"ICC_PROFILE\0", &[number, of][..], body].concat()
}

#[test]
fn profiles_are_put_together_in_their_order() {
    let (first, second, third) = (piece(1, 3, b"one "), piece(2, 3, b"two "), piece(3, 3, b"three"));
    let bytes = with(&[(0xE2, &second), (0xE2, &third), (0xE2, &first)]);
    let icc = decode(&bytes, &Ask::default()).unwrap().icc;
    assert_eq!(icc.as_deref(), Some(&b"one two three"[..]));
}

#[test]
fn a_profile_that_lacks_a_piece_is_none() {
    let (first, third) = (piece(1, 3, b"one "), piece(3, 3, b"three"));
    let (odd, twice) = (piece(1, 0, b"odd"), piece(1, 2, b"twice"));
    for pieces in
        [vec![(0xE2, &first[..]), (0xE2, &third[..])], vec![(0xE2, &odd)], vec![(0xE2, &twice), (0xE2, &twice)]]
    {
        assert_eq!(decode(&with(&pieces), &Ask::default()).unwrap().icc, None);
    }
}

#[test]
fn exif_tells_how_the_picture_is_turned() {
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let bytes = with(&[(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), (0xE1, &[b"Exif\0\0", &exif[..]].concat())]);
    let decoded = decode(&bytes, &Ask::default()).unwrap();
    assert_eq!((decoded.orientation, decoded.exif.as_deref()), (6, Some(&exif[..])));
    // The pixels are as they are stored.
    assert_eq!((decoded.bitmap.width, decoded.bitmap.height), (167, 123));
    assert_eq!(decode(&written(&PLAIN), &Ask::default()).unwrap().orientation, 1);
}
