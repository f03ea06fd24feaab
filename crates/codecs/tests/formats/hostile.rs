//! Bytes that nobody means well with: cut off, changed, lying about sizes, or larger inside than outside. Every answer is a
//! picture or a refusal; a decoder that aborts ends this test, and memory is looked at.

use crate::common::{fixture, fixtures, limits_of};
use std::path::Path;
use stowage_codecs::{Ask, DecodeError, Extras, Layout, Limits, decode, frames, png};

/// Decodes, and looks at what comes out.
fn survive(bytes: &[u8]) -> bool {
    let ask = limits_of(100_000, 2_000);
    let decoded = decode(bytes, &ask);
    if let Ok(decoded) = &decoded {
        let bitmap = &decoded.bitmap;
        assert_eq!(bitmap.data.len(), bitmap.width as usize * bitmap.height as usize * bitmap.layout.channels());
        assert!(bitmap.width > 0 && bitmap.height > 0 && (1..=8).contains(&decoded.orientation));
    }
    if let Ok(frames) = frames(bytes, &ask.limits) {
        frames.take(8).for_each(drop);
    }
    decoded.is_ok()
}

/// How many bytes are left alone between two that are changed: decoders of films take their time.
fn stride(name: &str) -> usize {
    match name.rsplit('.').next() {
        Some("avif" | "heic") => 13,
        _ => 3,
    }
}

#[test]
fn files_may_end_anywhere() {
    for name in fixtures() {
        let bytes = fixture(&name);
        assert!(survive(&bytes), "{name}");
        for len in (0..bytes.len()).step_by(stride(&name)) {
            survive(&bytes[..len]);
        }
        // Without its second half no picture is whole, but several formats show the first.
        let half = decode(&bytes[..bytes.len() / 4], &Ask::default());
        assert!(half.is_err() || name.contains("animated"), "{name}");
    }
}

#[test]
fn any_byte_may_be_wrong() {
    for name in fixtures() {
        let mut bytes = fixture(&name);
        for at in (0..bytes.len()).step_by(stride(&name)) {
            let right = bytes[at];
            for wrong in [0, u8::MAX, right ^ 0x80, right ^ 1] {
                bytes[at] = wrong;
                survive(&bytes);
            }
            bytes[at] = right;
        }
    }
}

#[test]
fn what_once_broke_a_decoder_does_so_no_more() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut count = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            survive(&std::fs::read(path).unwrap());
            count += 1;
        }
    }
    assert!(count > 0, "the seeds are where they are looked for");
}

fn too_large(bytes: &[u8]) {
    let refused = decode(bytes, &Ask::default()).map(|decoded| decoded.full);
    assert!(matches!(refused, Err(DecodeError::TooLarge(_))), "{refused:?}");
}

fn damaged(bytes: &[u8]) {
    let refused = decode(bytes, &Ask::default()).map(|decoded| decoded.full);
    assert!(matches!(refused, Err(DecodeError::Damaged(_))), "{refused:?}");
}

/// Replaces the bytes at a place.
fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// Where some bytes stand.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

#[test]
fn headers_that_announce_too_much_are_refused_before_pixels_are_made() {
    let mut gif = fixture("still.gif");
    put(&mut gif, 6, &[0xFF; 4]);
    too_large(&gif);
    let mut bmp = fixture("rgb.bmp");
    put(&mut bmp, 18, &29_000_u32.to_le_bytes());
    put(&mut bmp, 22, &29_000_u32.to_le_bytes());
    too_large(&bmp);
    let mut pcx = fixture("rgb.pcx");
    put(&mut pcx, 8, &[0xFE, 0x7F, 0xFE, 0x7F]);
    put(&mut pcx, 66, &[0x00, 0x80]);
    too_large(&pcx);
    let mut tif = fixture("tiles.tif");
    for tag in [256_u16, 257] {
        let entry = find(&tif, &tag.to_le_bytes());
        put(&mut tif, entry + 2, &4_u16.to_le_bytes());
        put(&mut tif, entry + 8, &29_000_u32.to_le_bytes());
    }
    // Where the tiles do not cover that, it is damaged before it is too large.
    assert!(decode(&tif, &Ask::default()).is_err());
    let mut tif = fixture("gray.tif");
    for tag in [256_u16, 257] {
        let entry = find(&tif, &tag.to_le_bytes());
        put(&mut tif, entry + 2, &4_u16.to_le_bytes());
        put(&mut tif, entry + 8, &29_000_u32.to_le_bytes());
    }
    let rows = find(&tif, &278_u16.to_le_bytes());
    put(&mut tif, rows + 2, &4_u16.to_le_bytes());
    put(&mut tif, rows + 8, &29_000_u32.to_le_bytes());
    too_large(&tif);
    let mut avif = fixture("rgb.avif");
    let size = find(&avif, b"ispe") + 8;
    put(&mut avif, size, &29_000_u32.to_be_bytes());
    put(&mut avif, size + 4, &29_000_u32.to_be_bytes());
    too_large(&avif);
    let mut webp = fixture("lossless.webp");
    put(&mut webp, 21, &[0xFE, 0xBF, 0xFF, 0x0F]);
    too_large(&webp);
    // A packed TGA of a size that its bytes can hardly hold is no TGA at all.
    let mut tga = fixture("packed.tga");
    put(&mut tga, 12, &[0xFF, 0x7F, 0xFF, 0x7F]);
    assert!(matches!(decode(&tga, &Ask::default()), Err(DecodeError::Unsupported(_))));
}

#[test]
fn a_frame_may_not_be_larger_than_its_picture_says() {
    // The canvas says 24 x 16, the coded frame as much as it can.
    let mut webp = fixture("lossy.webp");
    let frame = find(&webp, b"VP8 ") + 8;
    put(&mut webp, frame + 6, &[0xFF, 0x3F, 0xFF, 0x3F]);
    damaged(&webp);
    let mut gif = fixture("part.gif");
    let frame = find(&gif, b"\x2C\x02\0\x03\0");
    put(&mut gif, frame + 5, &[0xFF; 4]);
    too_large(&gif);
    let mut tif = fixture("jpeg.tif");
    let start = find(&tif, &[0xFF, 0xC0]);
    put(&mut tif, start + 5, &[0x3F, 0xFF, 0x3F, 0xFF]);
    damaged(&tif);
    let mut tif = fixture("tiles.tif");
    let entry = find(&tif, &322_u16.to_le_bytes());
    put(&mut tif, entry + 2, &4_u16.to_le_bytes());
    put(&mut tif, entry + 8, &0x7FFF_FFF0_u32.to_le_bytes());
    damaged(&tif);
    // The container says 72 x 48, the coded picture 60,000 x 48.
    let mut avif = fixture("full.avif");
    let ask = Ask { limits: Limits { max_pixels: 72 * 48 - 1, ..Limits::default() }, at_least: None };
    let size = find(&avif, b"ispe") + 8;
    put(&mut avif, size, &10_u32.to_be_bytes());
    assert!(matches!(decode(&avif, &ask), Err(DecodeError::TooLarge(_))));
}

/// A TIFF of one tile, whose bytes are these.
fn one_tile(full: u32, tile: u32, compression: u32, data: &[u8]) -> Vec<u8> {
    let (len, at) = (u32::try_from(data.len()).unwrap(), 8 + 2 + 11 * 12 + 4);
    // Width, height, bits, compression, black is zero, samples, tile width, tile height, where, how long, no planes.
    let values = [
        (256, full),
        (257, full),
        (258, 8),
        (259, compression),
        (262, 1),
        (277, 1),
        (284, 1),
        (322, tile),
        (323, tile),
        (324, at),
        (325, len),
    ];
    let mut file = [&b"II*\0\x08\0\0\0"[..], &11_u16.to_le_bytes()].concat();
    for (tag, value) in values {
        file.extend([tag, 4_u16].map(u16::to_le_bytes).concat());
        file.extend([1, value].map(u32::to_le_bytes).concat());
    }
    [&file[..], &[0; 4], data].concat()
}

#[test]
fn tiles_may_not_be_much_larger_than_pictures() {
    let (none, deflate, jpeg) = (1, 8, 7);
    let start = b"\xFF\xD8\xFF\xC0\0\x0B\x08\x20\0\x20\0\x01\x01\x11\0\xFF\xDA";
    for compression in [none, deflate, jpeg] {
        too_large(&one_tile(1, 65_536, compression, start));
        too_large(&one_tile(1, 13_000, compression, start));
    }
    // The decoder makes all of a JPEG before a pixel is taken, but nothing except rows of the others.
    let ask = Ask { limits: Limits { max_memory: 450_000_000, ..Limits::default() }, at_least: None };
    let refused = |compression| decode(&one_tile(7_000, 12_000, compression, start), &ask).map(|decoded| decoded.full);
    assert!(matches!(refused(jpeg), Err(DecodeError::TooLarge(_))), "{:?}", refused(jpeg));
    assert!(matches!(refused(deflate), Err(DecodeError::Damaged(_))), "{:?}", refused(deflate));
    let shown = decode(&one_tile(2, 16, none, &[7; 256]), &Ask::default()).unwrap();
    assert_eq!((shown.full, shown.bitmap.data), ((2, 2), vec![7; 4]));
}

#[test]
fn parts_that_share_their_bytes_are_refused() {
    let mut tif = fixture("large.tif");
    let entry = find(&tif, &279_u16.to_le_bytes());
    // Four strips, each as long as the file.
    let len = u16::try_from(tif.len() - 1).unwrap().to_le_bytes();
    (0..4).for_each(|strip| put(&mut tif, entry + 12 + strip * 2, &len));
    damaged(&tif);
    // Every tile of a grid the same one, and every item the whole file.
    let mut avif = fixture("grid.avif");
    let tiles = find(&avif, b"dimg") + 8;
    put(&mut avif, tiles, &[0, 2, 0, 2, 0, 2, 0, 2]);
    damaged(&avif);
    let mut avif = fixture("grid.avif");
    let places = find(&avif, b"iloc") + 12;
    let len = u32::try_from(avif.len()).unwrap();
    for item in 0..5 {
        put(&mut avif, places + item * 14 + 6, &0_u32.to_be_bytes());
        put(&mut avif, places + item * 14 + 10, &len.to_be_bytes());
    }
    damaged(&avif);
    // The picture of opacity is the whole file, and so is the other one.
    if cfg!(feature = "heic") {
        let mut heic = fixture("alpha.heic");
        let places = find(&heic, b"iloc") + 12;
        let len = u32::try_from(heic.len()).unwrap();
        // Each has a number, a base of four bytes, and one piece.
        for item in 0..2 {
            put(&mut heic, places + item * 18 + 4, &0_u32.to_be_bytes());
            put(&mut heic, places + item * 18 + 10, &0_u32.to_be_bytes());
            put(&mut heic, places + item * 18 + 14, &(len + 1).to_be_bytes());
        }
        let refused = decode(&heic, &Ask::default()).map(|decoded| decoded.full);
        assert!(matches!(&refused, Err(DecodeError::Damaged(why)) if why.contains("container")), "{refused:?}");
    }
}

#[test]
fn what_was_packed_well_does_not_burst() {
    // A colour profile that is a thousand times larger inside: 100 MB.
    let bitmap = stowage_codecs::Bitmap { width: 8, height: 8, layout: Layout::Gray, data: vec![7; 64] };
    let icc = vec![0; 100_000_000];
    let bomb = png(&bitmap, Extras { icc: Some(&icc), exif: None }).unwrap();
    assert!(bomb.len() < 1_000_000);
    let before = peak();
    match decode(&bomb, &Ask::default()) {
        Ok(decoded) => assert_eq!(decoded.icc, None),
        Err(error) => assert!(matches!(error, DecodeError::TooLarge(_)), "{error}"),
    }
    // The profile and the packed file were there before.
    assert!(peak() - before < 80_000_000, "{} bytes", peak() - before);
}

#[test]
fn a_film_is_no_picture() {
    let still = fixture("full.avif");
    let coded = find(&still, b"mdat") + 4;
    // The same picture thirty times; each takes as long as the first.
    let mut film = still.clone();
    (0..30).for_each(|_| film.extend_from_slice(&still[coded..]));
    let places = find(&film, b"iloc");
    let place = film[places..].windows(4).position(|window| window == u32::try_from(coded).unwrap().to_be_bytes());
    let len = u32::try_from(film.len() - coded).unwrap();
    put(&mut film, places + place.unwrap() + 4, &len.to_be_bytes());
    assert!(matches!(decode(&film, &Ask::default()), Err(DecodeError::Unsupported(_))));
}

/// The most memory that this process ever took, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}
