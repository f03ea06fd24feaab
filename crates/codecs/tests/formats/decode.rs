//! Every format against the pixels that Pillow sees in the same file.

use crate::common::{fixture, limits_of, rgba};
use stowage_codecs::{Ask, DecodeError, Layout, decode};

/// Formats whose pixels can be told exactly.
const EXACT: [&str; 59] = [
    "gray1.png",
    "gray2.png",
    "gray4.png",
    "gray8.png",
    "gray16.png",
    "gray-alpha8.png",
    "rgb8.png",
    "rgb16.png",
    "rgba8.png",
    "palette1.png",
    "palette4.png",
    "palette8.png",
    "palette8-transparent.png",
    "rgb8-keyed.png",
    "interlaced.png",
    "exif-behind.png",
    "animated.png",
    "still.gif",
    "interlaced.gif",
    "transparent.gif",
    "disposals.gif",
    "part.gif",
    "overhanging.gif",
    "lossless.webp",
    "lossless-alpha.webp",
    "animated.webp",
    "1.bmp",
    "l.bmp",
    "rgb.bmp",
    "rgba.bmp",
    "palette.bmp",
    "565.bmp",
    "topdown.bmp",
    "rle8.bmp",
    "rgb.tga",
    "rgba.tga",
    "gray.tga",
    "gray-alpha.tga",
    "palette.tga",
    "packed.tga",
    "top.tga",
    "gray.pcx",
    "rgb.pcx",
    "palette.pcx",
    "mono.pcx",
    "odd.pcx",
    "mono.tif",
    "fax4.tif",
    "gray.tif",
    "lzw.tif",
    "deflate.tif",
    "packbits.tif",
    "palette.tif",
    "pages.tif",
    "wide.tif",
    "gray16-big.tif",
    "planes.tif",
    "tiles.tif",
    "large.tif",
];
const EXACT_TOO: [&str; 6] =
    ["exif.tif", "cmyk.tif", "white-is-zero.tif", "premultiplied.tif", "gray-alpha.tif", "palette4.tif"];

#[test]
fn pixels_are_those_that_pillow_sees() {
    for name in EXACT.into_iter().chain(EXACT_TOO) {
        let decoded = decode(&fixture(name), &Ask::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded.full, (decoded.bitmap.width, decoded.bitmap.height), "{name}");
        let (found, expected) = (rgba(&decoded.bitmap), fixture(&format!("{name}.rgba")));
        assert_eq!(found.len(), expected.len(), "{name}");
        // What cannot be seen has no colour, except where the fourth channel is ink.
        let differ = |a: &[u8], b: &[u8]| a != b && (decoded.bitmap.layout == Layout::Cmyk || (a[3], b[3]) != (0, 0));
        let mut pixels = found.chunks(4).zip(expected.chunks(4)).enumerate();
        assert_eq!(pixels.find(|(_, (found, expected))| differ(found, expected)), None, "{name} differs");
    }
}

/// Formats whose decoders may round differently, and by how much: at most, and on average in hundredths.
const ROUNDED: [(&str, u8, u64); 3] = [("lossy.webp", 2, 20), ("lossy-alpha.webp", 2, 20), ("jpeg.tif", 4, 100)];

#[test]
fn pixels_are_nearly_those_that_pillow_sees() {
    for (name, most, mean) in ROUNDED {
        near(name, most, mean);
    }
}

#[test]
fn avif_is_decoded_at_every_sampling_and_from_tiles() {
    for name in
        ["rgb.avif", "full.avif", "half.avif", "alpha.avif", "gray.avif", "limited.avif", "animated.avif", "grid.avif"]
    {
        near(name, 4, 60);
    }
}

#[cfg(feature = "heic")]
#[test]
fn heic_is_decoded_at_every_sampling_and_depth() {
    for name in ["rgb.heic", "gray.heic", "full.heic", "alpha.heic"] {
        near(name, 6, 100);
    }
    // Pillow cuts the deeper samples off.
    near("deep.heic", 8, 150);
}

fn near(name: &str, most: u8, mean: u64) {
    let decoded = decode(&fixture(name), &Ask::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (found, expected) = (rgba(&decoded.bitmap), fixture(&format!("{name}.rgba")));
    assert_eq!(found.len(), expected.len(), "{name}");
    let apart: Vec<u8> = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: u64 = apart.iter().map(|apart| u64::from(*apart)).sum();
    let worst = apart.iter().max().copied().unwrap_or_default();
    assert!(worst <= most, "{name}: {worst} apart");
    assert!(
        sum * 100 <= mean * apart.len() as u64,
        "{name}: {} hundredths apart on average",
        sum * 100 / apart.len() as u64
    );
}

#[test]
fn layouts_are_kept() {
    let layouts = [
        ("gray16.png", Layout::Gray),
        ("gray-alpha8.png", Layout::Rgba),
        ("rgb8.png", Layout::Rgb),
        ("still.gif", Layout::Rgb),
        ("transparent.gif", Layout::Rgba),
        ("lossy.webp", Layout::Rgb),
        ("lossy-alpha.webp", Layout::Rgba),
        ("cmyk.tif", Layout::Cmyk),
        ("palette4.tif", Layout::Rgb),
        ("mono.tif", Layout::Gray),
    ];
    for (name, layout) in layouts {
        assert_eq!(decode(&fixture(name), &Ask::default()).unwrap().bitmap.layout, layout, "{name}");
    }
}

#[test]
fn what_comes_with_the_pixels_is_found() {
    for (name, has_exif) in
        [("rgb8.png", true), ("lossy.webp", true), ("rgb.heic", true), ("rgb.avif", true), ("lzw.tif", false)]
    {
        if cfg!(not(feature = "heic")) && name == "rgb.heic" {
            continue;
        }
        let decoded = decode(&fixture(name), &Ask::default()).unwrap();
        let icc = decoded.icc.unwrap_or_else(|| panic!("{name} has a profile"));
        assert_eq!(&icc[36..40], b"acsp", "{name}");
        assert_eq!(decoded.exif.is_some(), has_exif, "{name}");
        if let Some(exif) = decoded.exif {
            assert!(exif.starts_with(b"MM\0*"), "{name}");
        }
        // These are turned by their containers.
        let is_turned = matches!(name, "rgb.heic" | "rgb.avif");
        assert_eq!(decoded.orientation, if is_turned { 1 } else { 6 }, "{name}");
    }
    assert_eq!(decode(&fixture("exif-behind.png"), &Ask::default()).unwrap().orientation, 6);
    let plain = decode(&fixture("rgba8.png"), &Ask::default()).unwrap();
    assert_eq!((plain.icc, plain.exif, plain.orientation), (None, None, 1));
}

#[test]
fn what_a_tiff_says_becomes_exif_data() {
    let exif = decode(&fixture("exif.tif"), &Ask::default()).unwrap().exif.unwrap();
    assert!(exif.starts_with(b"II*\0\x08\0\0\0"));
    let long = |at: usize| u32::from_le_bytes(*exif[at..].first_chunk().unwrap()) as usize;
    // Where a tag's entry stands in a directory.
    let entry = |directory: usize, tag: u16| {
        let count = usize::from(u16::from_le_bytes([exif[directory], exif[directory + 1]]));
        (0..count).map(|index| directory + 2 + index * 12).find(|&at| exif[at..].starts_with(&tag.to_le_bytes()))
    };
    let text = |at: usize| &exif[long(at + 8)..][..long(at + 4)];
    assert_eq!(text(entry(8, 271).unwrap()), b"A maker of cameras\0");
    let camera = long(entry(8, 34_665).unwrap() + 8);
    assert_eq!(text(entry(camera, 36_867).unwrap()), b"2020:01:02 03:04:05\0");
    let aperture = long(entry(camera, 33_437).unwrap() + 8);
    assert_eq!(long(aperture) * 10, long(aperture + 4) * 28);
    let place = long(entry(8, 34_853).unwrap() + 8);
    assert!(entry(place, 1).is_some() && entry(place, 2).is_some());
    // How the pixels were stored in the old file says nothing about them any more.
    assert_eq!([256, 273, 279].map(|tag| entry(8, tag)), [None; 3]);
}

#[test]
fn more_frames_are_noticed() {
    for name in ["animated.png", "animated.webp", "animated.avif", "disposals.gif", "pages.tif"] {
        assert!(decode(&fixture(name), &Ask::default()).unwrap().is_sequence, "{name}");
    }
    for name in ["rgb8.png", "lossy.webp", "still.gif", "part.gif", "rgb.avif", "lzw.tif"] {
        assert!(!decode(&fixture(name), &Ask::default()).unwrap().is_sequence, "{name}");
    }
}

#[test]
fn limits_are_those_that_were_given() {
    for name in ["rgb8.png", "still.gif", "lossy.webp", "rgb.bmp", "rgb.tga", "rgb.pcx", "lzw.tif", "palette.tif"] {
        let bytes = fixture(name);
        assert!(decode(&bytes, &limits_of(24 * 16, 24)).is_ok(), "{name}");
        for (pixels, side) in [(24 * 16 - 1, 24), (24 * 16, 23)] {
            let refused = decode(&bytes, &limits_of(pixels, side));
            assert!(matches!(refused, Err(DecodeError::TooLarge(_))), "{name}: {refused:?}");
        }
        let mut ask = limits_of(24 * 16, 24);
        ask.limits.max_memory = 24 * 16 * 3;
        assert!(matches!(decode(&bytes, &ask), Err(DecodeError::TooLarge(_))), "{name}");
    }
}

#[test]
fn what_is_no_picture_is_unsupported() {
    for bytes in [&b""[..], b"plain text", b"%PDF-1.7", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", b"<svg/>"] {
        assert!(matches!(decode(bytes, &Ask::default()), Err(DecodeError::Unsupported(_))));
    }
}
