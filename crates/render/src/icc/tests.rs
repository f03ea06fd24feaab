//! With profiles that are made here: by the crate that reads them, or byte by byte.

use super::*;
use moxcms::ColorProfile;
use proptest::prelude::*;

fn one(layout: Layout, pixel: &[u8]) -> Bitmap {
    Bitmap { width: 1, height: 1, layout, data: pixel.to_vec() }
}

fn near(one: &[u8], other: &[u8], most: u8) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= most)
}

fn p3() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().unwrap()
}

fn gray(gamma: f32) -> Vec<u8> {
    ColorProfile::new_gray_with_gamma(gamma).encode().unwrap()
}

/// A tag of a profile.
type Tag = ([u8; 4], Vec<u8>);

/// A profile of a device with these tags.
fn profile(space: [u8; 4], connection: [u8; 4], tags: &[Tag]) -> Vec<u8> {
    let mut bytes = vec![0; 132 + 12 * tags.len()];
    bytes[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    bytes[12..16].copy_from_slice(b"prtr");
    bytes[16..20].copy_from_slice(&space);
    bytes[20..24].copy_from_slice(&connection);
    for (at, value) in [(24, 2020_u16), (26, 1), (28, 1)] {
        bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
    bytes[36..40].copy_from_slice(b"acsp");
    // D50.
    bytes[68..80].copy_from_slice(&[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
    bytes[128..132].copy_from_slice(&u32::try_from(tags.len()).unwrap().to_be_bytes());
    for (number, (name, tag)) in tags.iter().enumerate() {
        let at = 132 + 12 * number;
        let place = u32::try_from(bytes.len()).unwrap();
        bytes[at..at + 4].copy_from_slice(name);
        bytes[at + 4..at + 8].copy_from_slice(&place.to_be_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&u32::try_from(tag.len()).unwrap().to_be_bytes());
        bytes.extend(tag);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let size = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&size.to_be_bytes());
    bytes
}

/// A press whose inks are all black: lightness is what is left of the paper.
fn black_inks() -> Vec<u8> {
    let mut lut = b"mft1\0\0\0\0".to_vec();
    lut.extend([4, 3, 2, 0]);
    for row in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        lut.extend(row.into_iter().flat_map(|value: u32| (value << 16).to_be_bytes()));
    }
    for _ in 0..4 {
        lut.extend(0..=255_u8);
    }
    for corner in 0..16_u32 {
        let light = u8::try_from(255 - 63 * corner.count_ones()).unwrap();
        lut.extend([light, 128, 128]);
    }
    for _ in 0..3 {
        lut.extend(0..=255_u8);
    }
    profile(*b"CMYK", *b"Lab ", &[(*b"A2B0", lut)])
}

#[test]
fn small_rgb_profiles_are_kept_with_their_pixels() {
    let profile = p3();
    for layout in [Layout::Rgb, Layout::Rgba] {
        let picture = one(layout, &[200, 30, 60, 99][..layout.channels()]);
        for srgb in [Srgb::Fast, Srgb::Icc] {
            let (result, kept) = to_rgb(picture.clone(), Some(&profile), srgb, 10);
            assert_eq!((result, kept.as_ref()), (picture.clone(), Some(&profile)));
        }
    }
}

#[test]
fn large_rgb_profiles_are_worked_into_the_pixels() {
    for srgb in [Srgb::Fast, Srgb::Icc] {
        let (result, kept) = to_rgb(one(Layout::Rgba, &[200, 100, 60, 99]), Some(&p3()), srgb, 0);
        // (200, 100, 60) of Display P3, worked out with its primaries and those of sRGB.
        assert!(near(&result.data, &[215, 93, 47, 99], 1), "{:?}", result.data);
        assert_eq!(kept, None);
    }
    let (white, _) = to_rgb(one(Layout::Rgb, &[255; 3]), Some(&p3()), Srgb::Icc, 0);
    assert!(near(&white.data, &[255; 3], 1));
}

#[test]
fn small_is_counted_in_kilobytes() {
    let mut profile = p3();
    profile.resize(10 * 1024, 0);
    let size = u32::try_from(profile.len()).unwrap();
    profile[..4].copy_from_slice(&size.to_be_bytes());
    assert_eq!(to_rgb(one(Layout::Rgb, &[1; 3]), Some(&profile), Srgb::Fast, 10).1, Some(profile.clone()));
    assert_eq!(to_rgb(one(Layout::Rgb, &[1; 3]), Some(&profile), Srgb::Fast, 9).1, None);
    // What stands behind the profile does not belong to it.
    profile.extend([9; 100]);
    assert_eq!(to_rgb(one(Layout::Rgb, &[1; 3]), Some(&profile), Srgb::Fast, 10).1.unwrap().len(), 10 * 1024);
}

#[test]
fn a_picture_that_spans_several_pieces_is_converted_throughout() {
    let pixels = 3 * 8192 + 5;
    let picture =
        Bitmap { width: pixels, height: 1, layout: Layout::Rgb, data: [200, 100, 60].repeat(pixels as usize) };
    let (result, _) = to_rgb(picture, Some(&p3()), Srgb::Icc, 0);
    assert!(result.data.chunks(3).all(|pixel| pixel == &result.data[..3]));
    assert_ne!(&result.data[..3], &[200, 100, 60]);
}

#[test]
fn keep_profile_leaves_everything() {
    for (layout, profile) in [(Layout::Rgb, p3()), (Layout::Gray, gray(1.8)), (Layout::Cmyk, black_inks())] {
        let picture = one(layout, &[7, 77, 177, 17][..layout.channels()]);
        let (result, kept) = to_rgb(picture.clone(), Some(&profile), Srgb::KeepProfile, 0);
        assert_eq!((result, kept), (picture, Some(profile)));
    }
    let inks = one(Layout::Cmyk, &[1, 2, 3, 4]);
    assert_eq!(to_rgb(inks.clone(), None, Srgb::KeepProfile, 10), (inks, None));
}

#[test]
fn gray_profiles_become_gray() {
    let values = Bitmap { width: 256, height: 1, layout: Layout::Gray, data: (0..=255).collect() };
    let (result, kept) = to_rgb(values.clone(), Some(&gray(1.0)), Srgb::Fast, 10);
    assert_eq!((result.layout, kept), (Layout::Gray, None));
    // Half of the light is 188 in sRGB.
    assert!(near(&[result.data[0], result.data[128], result.data[255]], &[0, 188, 255], 1), "{}", result.data[128]);
    assert!(result.data.is_sorted());
    let (same, _) = to_rgb(values.clone(), Some(&gray(2.2)), Srgb::Icc, 10);
    assert!(near(&same.data, &values.data, 9));
}

#[test]
fn profiles_of_something_else_count_as_none() {
    for (layout, profile) in [
        (Layout::Rgb, gray(1.8)),
        (Layout::Rgb, black_inks()),
        (Layout::Gray, p3()),
        (Layout::Gray, black_inks()),
        (Layout::Rgba, profile(*b"Lab ", *b"XYZ ", &[])),
    ] {
        let picture = one(layout, &[7, 77, 177, 17][..layout.channels()]);
        for srgb in [Srgb::Fast, Srgb::Icc, Srgb::KeepProfile] {
            assert_eq!(to_rgb(picture.clone(), Some(&profile), srgb, 1000), (picture.clone(), None));
        }
    }
    let press = |srgb, profile: Option<&[u8]>| to_rgb(one(Layout::Cmyk, &[255, 0, 0, 0]), profile, srgb, 10).0.data;
    assert_eq!(press(Srgb::Icc, Some(&p3())), press(Srgb::Fast, None));
}

#[test]
fn inks_go_through_their_profile_only_where_asked() {
    let inks = one(Layout::Cmyk, &[255, 0, 0, 0]);
    let (through, kept) = to_rgb(inks.clone(), Some(&black_inks()), Srgb::Icc, 10_000);
    assert_eq!((through.layout, kept), (Layout::Rgb, None));
    // Lightness 75 of 100, without colour, is 185.
    assert!(near(&through.data, &[185; 3], 3), "{:?}", through.data);
    let (fast, kept) = to_rgb(inks.clone(), Some(&black_inks()), Srgb::Fast, 10_000);
    assert_eq!((fast.layout, kept), (Layout::Rgb, None));
    assert_eq!(fast, to_rgb(inks, None, Srgb::Icc, 10).0);
    assert!(fast.data[0] < 30 && fast.data[2] > 200, "{:?}", fast.data);
}

#[test]
fn the_usual_press_prints_its_known_colours() {
    // What design programs show for inks of a coated web press.
    let known: [([u8; 4], [u8; 3], u8); 17] = [
        ([0, 0, 0, 0], [255, 255, 255], 0),
        ([255, 0, 0, 0], [0, 174, 239], 3),
        ([0, 255, 0, 0], [236, 0, 140], 3),
        ([0, 0, 255, 0], [255, 242, 0], 3),
        ([0, 0, 0, 255], [35, 31, 32], 3),
        ([0, 255, 255, 0], [237, 28, 36], 4),
        ([255, 0, 255, 0], [0, 166, 81], 4),
        ([255, 255, 0, 0], [46, 49, 146], 4),
        ([255, 255, 255, 255], [0, 0, 0], 3),
        ([0, 0, 0, 26], [230, 231, 232], 8),
        ([0, 0, 0, 128], [147, 149, 152], 8),
        ([0, 0, 0, 204], [88, 89, 91], 8),
        ([128, 0, 0, 0], [109, 207, 246], 12),
        ([0, 128, 0, 0], [244, 154, 193], 12),
        ([0, 0, 128, 0], [255, 247, 153], 12),
        ([0, 128, 128, 0], [247, 151, 122], 14),
        ([128, 0, 128, 0], [130, 202, 156], 14),
    ];
    for (inks, color, most) in known {
        let (result, _) = to_rgb(one(Layout::Cmyk, &inks), None, Srgb::Fast, 10);
        assert!(near(&result.data, &color, most), "{inks:?}: {:?} for {color:?}", result.data);
    }
}

#[test]
fn more_ink_is_never_lighter() {
    for ink in 0..4 {
        let pixels = (0..=255).flat_map(|value| {
            let mut inks = [40, 40, 40, 20];
            inks[ink] = value;
            inks
        });
        let ramp = Bitmap { width: 256, height: 1, layout: Layout::Cmyk, data: pixels.collect() };
        let (result, _) = to_rgb(ramp, None, Srgb::Fast, 10);
        let lumas: Vec<u32> = result
            .data
            .chunks(3)
            .map(|p| 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]))
            .collect();
        // Rounding may give back one step.
        assert!(lumas.windows(2).all(|pair| pair[1] <= pair[0] + 1000), "{ink}");
    }
}

#[test]
fn only_what_is_needed_is_interpreted() {
    // A text of many languages which all share one string: interpreted, it would take the product of both.
    let mut text = b"mluc\0\0\0\0".to_vec();
    text.extend(5000_u32.to_be_bytes());
    text.extend(12_u32.to_be_bytes());
    for _ in 0..5000 {
        text.extend(b"enUS");
        text.extend(900_000_u32.to_be_bytes());
        text.extend(60_016_u32.to_be_bytes());
    }
    text.resize(1_000_000, b'a');
    let bytes = profile(*b"CMYK", *b"Lab ", &[(*b"desc", text.clone()), (*b"A2B0", black_lut()), (*b"cprt", text)]);
    let (result, _) = to_rgb(one(Layout::Cmyk, &[255, 0, 0, 0]), Some(&bytes), Srgb::Icc, 10);
    assert!(near(&result.data, &[185; 3], 3));
}

fn black_lut() -> Vec<u8> {
    black_inks()[144..].to_vec()
}

#[test]
fn too_much_to_interpret_counts_as_none() {
    let press = to_rgb(one(Layout::Cmyk, &[9, 99, 199, 0]), None, Srgb::Icc, 10);
    let mut lut = black_lut();
    lut.resize(5 << 20, 0);
    let large = profile(*b"CMYK", *b"Lab ", &[(*b"A2B0", lut)]);
    assert_eq!(to_rgb(one(Layout::Cmyk, &[9, 99, 199, 0]), Some(&large), Srgb::Icc, 10), press);
    let many: Vec<Tag> = (0..300_u32).map(|number| (number.to_be_bytes(), vec![0; 8])).collect();
    let many = profile(*b"CMYK", *b"Lab ", &many);
    assert_eq!(to_rgb(one(Layout::Cmyk, &[9, 99, 199, 0]), Some(&many), Srgb::Icc, 10), press);
}

#[test]
fn every_cut_of_a_profile_is_survived() {
    for (layout, whole) in [(Layout::Rgb, p3()), (Layout::Gray, gray(1.8)), (Layout::Cmyk, black_inks())] {
        let step = whole.len() / 150 + 1;
        for length in (0..whole.len()).step_by(step) {
            let mut cut = whole[..length].to_vec();
            let picture = one(layout, &[7, 77, 177, 17][..layout.channels()]);
            let (result, kept) = to_rgb(picture.clone(), Some(&cut), Srgb::Icc, 0);
            assert_eq!((result.width, kept), (1, None));
            // And with a size in its header that fits.
            if length >= 4 {
                let size = u32::try_from(length).unwrap();
                cut[..4].copy_from_slice(&size.to_be_bytes());
                assert_eq!(to_rgb(picture, Some(&cut), Srgb::Icc, 0).0.height, 1);
            }
        }
    }
}

/// Bytes of a profile that are set to something else.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec(
        (any::<prop::sample::Index>(), prop_oneof![Just(0), Just(255), Just(128), any::<u8>()]),
        1..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damaged profiles make wrong colours at worst.
    #[test]
    fn damaged_profiles_are_survived(kind in 0..3_usize, damage in damage()) {
        let (layout, mut bytes) =
            vec![(Layout::Rgba, p3()), (Layout::Gray, gray(1.8)), (Layout::Cmyk, black_inks())].swap_remove(kind);
        for (place, value) in damage {
            // Mostly where structure is.
            let length = bytes.len();
            let at = place.index(length * 4).min(length * 4 - 1);
            let at = if at < length { at } else { at % 260 };
            bytes[at] = value;
        }
        let data = [[0_u8; 4], [255; 4], [1, 128, 7, 200]].iter().flat_map(|pixel| &pixel[..layout.channels()]).copied().collect();
        let picture = Bitmap { width: 3, height: 1, layout, data };
        let (result, kept) = to_rgb(picture, Some(&bytes), Srgb::Icc, 0);
        prop_assert_eq!(result.data.len(), 3 * result.layout.channels());
        prop_assert!(result.layout != Layout::Cmyk && kept.is_none());
    }
}
