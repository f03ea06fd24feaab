//! What the encoders write, read again: by the decoders here, which other tests hold against Pillow, and box by box.

use crate::common::{fixture, rgba};
use stowage_codecs::{Ask, Bitmap, Decoded, EncodeError, Extras, Layout, avif, decode, png, webp};

const EXIF: &[u8] = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";

/// A smooth picture of 40 x 30 pixels.
fn picture(layout: Layout) -> Bitmap {
    let data = (0..30_u8).flat_map(|y| {
        (0..40_u8).flat_map(move |x| match layout {
            Layout::Gray => vec![x * 3 + y * 4],
            Layout::Rgb => vec![x * 6, y * 8, 255 - x * 3 - y * 4],
            Layout::Rgba => vec![x * 6, y * 8, 255 - x * 3 - y * 4, 255 - y * 5],
            Layout::Cmyk => vec![x, y, 0, 9],
        })
    });
    Bitmap { width: 40, height: 30, layout, data: data.collect() }
}

fn profile() -> Vec<u8> {
    decode(&fixture("rgb8.png"), &Ask::default()).unwrap().icc.unwrap()
}

fn read(bytes: &[u8]) -> Decoded {
    decode(bytes, &Ask::default()).unwrap()
}

/// How far two pictures are apart on average, where both can be seen.
fn apart(a: &Bitmap, b: &Bitmap) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let (a, b) = (rgba(a), rgba(b));
    let sum: u32 = a.iter().zip(&b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / a.len() as f64
}

#[test]
fn png_gives_back_the_same_pixels() {
    for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
        let bitmap = picture(layout);
        let bytes = png(&bitmap, Extras::default()).unwrap();
        let decoded = read(&bytes);
        assert_eq!((decoded.bitmap, decoded.icc, decoded.exif), (bitmap, None, None));
    }
}

#[test]
fn webp_and_avif_give_back_similar_pixels() {
    for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
        let bitmap = picture(layout);
        let files = [webp(&bitmap, 90, Extras::default()).unwrap(), avif(&bitmap, 80, 8, Extras::default()).unwrap()];
        for (file, kind) in files.iter().zip(["WebP", "AVIF"]) {
            let decoded = read(file).bitmap;
            assert_eq!(decoded.layout, if layout == Layout::Rgba { Layout::Rgba } else { Layout::Rgb });
            let apart = apart(&decoded, &bitmap);
            assert!(apart < 3.0, "{kind} of {layout:?}: {apart} apart");
        }
    }
}

/// An encoder of which only the quality is left open.
type Quality<'a> = &'a dyn Fn(u8) -> Vec<u8>;

#[test]
fn better_quality_takes_more_bytes_and_shows_more() {
    let bitmap = picture(Layout::Rgb);
    let encoders: [(&str, Quality<'_>); 2] = [
        ("WebP", &|quality| webp(&bitmap, quality, Extras::default()).unwrap()),
        ("AVIF", &|quality| avif(&bitmap, quality, 8, Extras::default()).unwrap()),
    ];
    for (kind, encode) in encoders {
        let (low, high) = (encode(10), encode(95));
        assert!(low.len() < high.len(), "{kind}");
        assert!(apart(&read(&high).bitmap, &bitmap) < apart(&read(&low).bitmap, &bitmap), "{kind}");
    }
}

type Encode = fn(&Bitmap, Extras<'_>) -> Result<Vec<u8>, EncodeError>;

#[test]
fn extras_go_along_and_leave_the_pixels_alone() {
    let icc = profile();
    let both = Extras { icc: Some(&icc), exif: Some(EXIF) };
    for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
        let bitmap = picture(layout);
        let encoders: [(&str, Encode); 3] = [
            ("PNG", png),
            ("WebP", |bitmap, extras| webp(bitmap, 80, extras)),
            ("AVIF", |bitmap, extras| avif(bitmap, 80, 10, extras)),
        ];
        for (kind, encode) in encoders {
            let plain = read(&encode(&bitmap, Extras::default()).unwrap());
            assert_eq!((&plain.icc, &plain.exif), (&None, &None), "{kind}");
            for extras in [both, Extras { exif: None, ..both }, Extras { icc: None, ..both }] {
                let decoded = read(&encode(&bitmap, extras).unwrap());
                assert_eq!(decoded.bitmap, plain.bitmap, "{kind}");
                assert_eq!(decoded.icc.as_deref(), extras.icc, "{kind}");
                assert_eq!(decoded.exif.as_deref(), extras.exif, "{kind}");
            }
        }
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let inks = picture(Layout::Cmyk);
    assert!(png(&inks, Extras::default()).is_err());
    assert!(webp(&inks, 80, Extras::default()).is_err());
    assert!(avif(&inks, 80, 8, Extras::default()).is_err());
    let long = Bitmap { width: 16_384, height: 1, layout: Layout::Gray, data: vec![0; 16_384] };
    assert!(webp(&long, 80, Extras::default()).is_err());
    assert!(png(&long, Extras::default()).is_ok());
    let short = Bitmap { data: vec![0; 9], ..picture(Layout::Rgb) };
    assert!(png(&short, Extras::default()).is_err());
    assert!(webp(&short, 80, Extras::default()).is_err());
    assert!(avif(&short, 80, 8, Extras::default()).is_err());
}
