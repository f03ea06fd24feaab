//! HEIF structures that no encoder at hand writes: grids, crops, sequences without items, and broken lists.

use crate::{image, look};

/// A box.
pub(crate) fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat()
}

/// A box with a version and no flags.
pub(crate) fn full(kind: &[u8; 4], version: u8, content: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[version, 0, 0, 0][..], content].concat())
}

/// The first box of a file.
pub(crate) fn file_type(major: &[u8; 4], compatible: &[u8]) -> Vec<u8> {
    boxed(b"ftyp", &[major, &[0; 4][..], compatible].concat())
}

fn extent(width: u32, height: u32) -> Vec<u8> {
    full(b"ispe", 0, &[width.to_be_bytes(), height.to_be_bytes()].concat())
}

fn entry(id: u8, kind: &[u8; 4]) -> Vec<u8> {
    full(b"infe", 2, &[&[0, id, 0, 0][..], kind, b"\0"].concat())
}

/// TIFF with the date and time of its making as its only fact.
fn exif() -> Vec<u8> {
    let mut bytes = b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1A\0\0\0\0".to_vec();
    bytes.extend(b"\0\x01\x90\x03\0\x02\0\0\0\x14\0\0\0\x2C\0\0\0\0");
    bytes.extend(b"2024:02:03 04:05:06\0");
    bytes
}

/// A grid whose properties come in the given order, with EXIF inside of `meta`.
fn grid(properties: &[Vec<u8>], item: &[u8; 4]) -> Vec<u8> {
    let links: Vec<u8> = (1..=u8::try_from(properties.len()).unwrap()).map(|index| index | 0x80).collect();
    let ipma = [&[0, 0, 0, 2, 0, 9, 1, 1, 0, 1, u8::try_from(links.len()).unwrap()][..], &links].concat();
    let payload = [&[0, 0, 0, 0][..], &exif()].concat();
    let iloc = [
        &[0x44, 0, 0, 1, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0][..],
        &u32::try_from(payload.len()).unwrap().to_be_bytes(),
    ]
    .concat();
    let meta = [
        full(b"hdlr", 0, &[0; 20]),
        full(b"pitm", 0, &[0, 1]),
        full(b"iinf", 0, &[&[0, 2][..], &entry(1, item), &entry(2, b"Exif")].concat()),
        boxed(b"iprp", &[boxed(b"ipco", &properties.concat()), full(b"ipma", 0, &ipma)].concat()),
        full(b"iloc", 1, &iloc),
        boxed(b"idat", &payload),
    ];
    [file_type(b"mif1", b"mif1heic"), full(b"meta", 0, &meta.concat())].concat()
}

#[test]
fn properties_apply_in_their_order() {
    let turn = boxed(b"irot", &[1]);
    let half_turn = boxed(b"irot", &[2]);
    let crop = boxed(b"clap", &[200_u32, 2, 90, 1, 0, 1, 0, 1].map(u32::to_be_bytes).concat());
    for (properties, size) in [
        (vec![extent(400, 300)], (400, 300)),
        (vec![extent(400, 300), turn.clone()], (300, 400)),
        (vec![extent(400, 300), half_turn], (400, 300)),
        (vec![extent(400, 300), crop, turn], (90, 100)),
    ] {
        let answer = look(&grid(&properties, b"grid"));
        assert_eq!(answer.content.mime.mime, "image/heif");
        let info = answer.content.image.unwrap();
        assert_eq!((info.width, info.height), size);
        assert_eq!(info.datetime_original.as_deref(), Some("2024-02-03T04:05:06"));
        assert!(!info.sequence);
    }
}

#[test]
fn alpha_and_grey_are_told_by_properties() {
    let alpha = full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0");
    let depth = full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0");
    let grey = full(b"pixi", 0, &[1, 8]);
    for (extra, mode) in [(alpha, "RGBA"), (depth, "RGB"), (grey, "L")] {
        assert_eq!(image(&grid(&[extent(4, 3), extra], b"grid")).color_mode.as_deref(), Some(mode));
    }
}

#[test]
fn items_without_size_or_of_other_kinds_are_no_pictures() {
    assert!(!look(&grid(&[], b"grid")).is_image);
    assert!(!look(&grid(&[extent(4, 3)], b"mime")).is_image);
    let zero = boxed(b"clap", &[0; 32]);
    assert!(!look(&grid(&[extent(4, 3), zero], b"grid")).is_image);
}

#[test]
fn a_sequence_without_items_has_the_size_of_its_track() {
    let mut header = vec![0; 84];
    header[76..84].copy_from_slice(&[0, 40, 0, 0, 0, 30, 0, 0]);
    let track = boxed(b"trak", &boxed(b"tkhd", &header));
    let bytes = [file_type(b"hevc", b"msf1hevc"), boxed(b"moov", &track)].concat();
    let answer = look(&bytes);
    assert_eq!(answer.content.mime.mime, "image/heic-sequence");
    let info = answer.content.image.unwrap();
    assert_eq!((info.width, info.height, info.sequence, info.format.as_str()), (40, 30, true, "HEIF"));
}
