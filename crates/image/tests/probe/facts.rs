//! Facts of good pictures, each as Pillow has it but where a comment says so.

use crate::{fixture, image, look, png, png_chunk};
use stowage_image::{Limits, probe_head};
use stowage_model::GeoLocation;

/// Name, MIME type, format, mode, width and height, several frames, dots per inch.
type Row = (&'static str, &'static str, &'static str, &'static str, (u32, u32), bool, Option<[f64; 2]>);

const S: (u32, u32) = (16, 12);
const M: (u32, u32) = (64, 48);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("rgb.jpg", "image/jpeg", "JPEG", "RGB", S, false, None),
    ("grey.jpg", "image/jpeg", "JPEG", "L", S, false, None),
    ("cmyk.jpg", "image/jpeg", "JPEG", "CMYK", S, false, None),
    ("progressive.jpg", "image/jpeg", "JPEG", "RGB", S, false, None),
    ("dpi.jpg", "image/jpeg", "JPEG", "RGB", S, false, Some([300.0, 150.0])),
    ("per-cm.jpg", "image/jpeg", "JPEG", "RGB", S, false, Some([300.0, 300.0])),
    ("no-unit.jpg", "image/jpeg", "JPEG", "RGB", S, false, None),
    ("exif-dpi.jpg", "image/jpeg", "JPEG", "RGB", (12, 16), false, Some([300.0, 300.0])),
    ("rgb.png", "image/png", "PNG", "RGB", S, false, None),
    ("rgba.png", "image/png", "PNG", "RGBA", S, false, None),
    ("la.png", "image/png", "PNG", "LA", S, false, None),
    ("l.png", "image/png", "PNG", "L", S, false, None),
    ("p.png", "image/png", "PNG", "P", S, false, None),
    ("p-transparent.png", "image/png", "PNG", "P", S, false, None),
    // Pillow's 1 and I;16 are not among the modes that the API documents.
    ("1.png", "image/png", "PNG", "L", S, false, None),
    ("i16.png", "image/png", "PNG", "L", S, false, None),
    ("dpi.png", "image/png", "PNG", "RGB", S, false, Some([72.0, 144.0])),
    ("anim.png", "image/png", "PNG", "RGB", S, true, None),
    ("p.gif", "image/gif", "GIF", "P", S, false, None),
    ("anim.gif", "image/gif", "GIF", "P", S, true, None),
    ("loop-one.gif", "image/gif", "GIF", "P", S, false, None),
    ("lossy.webp", "image/webp", "WEBP", "RGB", S, false, None),
    ("lossless.webp", "image/webp", "WEBP", "RGB", S, false, None),
    ("alpha.webp", "image/webp", "WEBP", "RGBA", S, false, None),
    ("alpha-lossless.webp", "image/webp", "WEBP", "RGBA", S, false, None),
    ("anim.webp", "image/webp", "WEBP", "RGB", S, true, None),
    ("rgb.bmp", "image/bmp", "BMP", "RGB", S, false, Some([96.0, 96.0])),
    ("rgba.bmp", "image/bmp", "BMP", "RGB", S, false, Some([96.0, 96.0])),
    ("l.bmp", "image/bmp", "BMP", "L", S, false, Some([96.0, 96.0])),
    ("p.bmp", "image/bmp", "BMP", "P", S, false, Some([96.0, 96.0])),
    ("1.bmp", "image/bmp", "BMP", "L", S, false, Some([96.0, 96.0])),
    ("rgb.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("rgba.tif", "image/tiff", "TIFF", "RGBA", S, false, None),
    ("l.tif", "image/tiff", "TIFF", "L", S, false, None),
    ("la.tif", "image/tiff", "TIFF", "LA", S, false, None),
    ("p.tif", "image/tiff", "TIFF", "P", S, false, None),
    ("1.tif", "image/tiff", "TIFF", "L", S, false, None),
    ("i16.tif", "image/tiff", "TIFF", "L", S, false, None),
    ("cmyk.tif", "image/tiff", "TIFF", "CMYK", S, false, None),
    ("lab.tif", "image/tiff", "TIFF", "LAB", S, false, None),
    ("ycbcr.tif", "image/tiff", "TIFF", "YCbCr", S, false, None),
    ("lzw.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("adobe_deflate.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("packbits.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("jpeg.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("g4.tif", "image/tiff", "TIFF", "L", S, false, None),
    ("big.tif", "image/tiff", "TIFF", "RGB", S, false, None),
    ("dpi.tif", "image/tiff", "TIFF", "RGB", S, false, Some([300.0, 150.0])),
    ("exif.tif", "image/tiff", "TIFF", "RGB", (12, 16), false, None),
    ("pages.tif", "image/tiff", "TIFF", "RGB", S, true, None),
    ("rgb.heic", "image/heic", "HEIF", "RGB", M, false, None),
    ("rgba.heic", "image/heic", "HEIF", "RGBA", M, false, None),
    ("l.heic", "image/heic", "HEIF", "L", M, false, None),
    ("odd.heic", "image/heic", "HEIF", "RGB", (70, 50), false, None),
    ("rgb.avif", "image/avif", "AVIF", "RGB", M, false, None),
    ("rgba.avif", "image/avif", "AVIF", "RGBA", M, false, None),
    ("l.avif", "image/avif", "AVIF", "L", M, false, None),
    ("rotated.avif", "image/avif", "AVIF", "RGB", (48, 64), false, None),
    ("anim.avif", "image/avif", "AVIF", "RGB", S, true, None),
    ("rgb.pcx", "image/x-pcx", "PCX", "RGB", S, false, Some([100.0, 100.0])),
    ("l.pcx", "image/x-pcx", "PCX", "L", S, false, Some([100.0, 100.0])),
    ("p.pcx", "image/x-pcx", "PCX", "P", S, false, Some([100.0, 100.0])),
    ("1.pcx", "image/x-pcx", "PCX", "L", S, false, Some([100.0, 100.0])),
    ("rgb.tga", "image/x-tga", "TGA", "RGB", S, false, None),
    ("rle.tga", "image/x-tga", "TGA", "RGB", S, false, None),
    ("rgba.tga", "image/x-tga", "TGA", "RGBA", S, false, None),
    ("l.tga", "image/x-tga", "TGA", "L", S, false, None),
    ("la.tga", "image/x-tga", "TGA", "LA", S, false, None),
    ("p.tga", "image/x-tga", "TGA", "P", S, false, None),
];

#[test]
fn pictures_have_the_facts_that_pillow_has() {
    for (name, mime, format, mode, (width, height), sequence, dpi) in ROWS {
        let answer = look(&fixture(name));
        assert_eq!(answer.content.mime.mime, *mime, "{name}");
        assert!(answer.is_image, "{name}");
        let info = answer.content.image.unwrap();
        assert_eq!(info.format, *format, "{name}");
        assert_eq!(info.color_mode.as_deref(), Some(*mode), "{name}");
        assert_eq!((info.width, info.height), (*width, *height), "{name}");
        assert_eq!(info.sequence, *sequence, "{name}");
        assert_eq!(info.dpi, *dpi, "{name}");
    }
}

#[test]
fn exif_tells_orientation_place_and_time() {
    let here = GeoLocation { latitude: -10.5, longitude: -20.255 };
    for (name, size, orientation, dpi, time, place) in [
        ("exif-south.jpg", (16, 12), 1, Some([96.0; 2]), Some("2023-06-24T15:09:48"), Some(here)),
        ("exif.png", (12, 16), 8, None, Some("2020-01-02T03:04:05"), Some(here)),
        ("exif.webp", (12, 16), 6, Some([72.0; 2]), Some("2020-01-02T03:04:05"), Some(here)),
        ("exif.heic", (64, 48), 1, Some([72.0; 2]), Some("2023-06-26T19:09:27"), Some(here)),
        ("exif-dpi.jpg", (12, 16), 8, Some([300.0; 2]), None, None),
        ("exif.tif", (12, 16), 6, None, None, None),
    ] {
        let info = image(&fixture(name));
        assert_eq!((info.width, info.height), size, "{name}");
        assert_eq!(info.orientation, Some(orientation), "{name}");
        assert_eq!(info.dpi, dpi, "{name}");
        assert_eq!(info.datetime_original.as_deref(), time, "{name}");
        assert_eq!(info.geo_location, place, "{name}");
    }
    // The values of the example in the REST reference.
    let info = image(&fixture("exif.jpg"));
    let place = info.geo_location.unwrap();
    assert!((place.latitude - 55.620_136_111_111_11).abs() < 1e-12, "{place:?}");
    assert!((place.longitude - 37.662_991_666_666_66).abs() < 1e-12, "{place:?}");
    assert_eq!(info.datetime_original.as_deref(), Some("2018-08-20T08:59:50"));
    assert_eq!((info.width, info.height, info.orientation), (12, 16, Some(6)));
}

#[test]
fn exif_without_resolution_is_taken_as_72() {
    // Orientation alone: JFIF is cut out, so that only EXIF could tell the density.
    let tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
    let payload = [&b"Exif\0\0"[..], tiff].concat();
    let mut jpeg = b"\xFF\xD8\xFF\xE1".to_vec();
    jpeg.extend(u16::try_from(payload.len() + 2).unwrap().to_be_bytes());
    jpeg.extend(&payload);
    jpeg.extend(b"\xFF\xC0\0\x0B\x08\0\x05\0\x07\x01\x01\x11\0\xFF\xDA\0\x08\x01\x01\0\0\x3F\0");
    let info = image(&jpeg);
    assert_eq!((info.width, info.height, info.orientation), (7, 5, Some(3)));
    assert_eq!(info.color_mode.as_deref(), Some("L"));
    assert_eq!(info.dpi, Some([72.0; 2]));
}

#[test]
fn png_layouts_follow_pillow() {
    let palette = png_chunk(*b"PLTE", &[0; 3]);
    for (depth, colour, mode) in
        [(1, 0, "L"), (16, 0, "L"), (16, 2, "RGB"), (4, 3, "P"), (16, 4, "RGBA"), (16, 6, "RGBA")]
    {
        let info = image(&png(3, 2, depth, colour, &[&palette]));
        assert_eq!(info.color_mode.as_deref(), Some(mode), "{depth} {colour}");
    }
    for (depth, colour) in [(2, 2), (16, 3), (4, 4), (8, 1), (8, 5), (3, 0)] {
        assert!(!look(&png(3, 2, depth, colour, &[&palette])).is_image, "{depth} {colour}");
    }
    assert!(!look(&png(3, 2, 8, 3, &[])).is_image, "no palette");
    let mut broken = png(3, 2, 8, 2, &[]);
    broken[19] = 9;
    let answer = look(&broken);
    assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), ("image/png", false), "wrong checksum");
    let ratio = png_chunk(*b"pHYs", &[0, 0, 0, 1, 0, 0, 0, 2, 0]);
    assert_eq!(image(&png(3, 2, 8, 2, &[&ratio])).dpi, None);
    let one_frame = png_chunk(*b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]);
    assert!(!image(&png(3, 2, 8, 2, &[&one_frame])).sequence);
}

#[test]
fn grey_gif_is_l_and_grows_with_its_first_picture() {
    let mut gif = b"GIF89a\x04\0\x04\0\x80\0\0\0\0\0\x01\x01\x01".to_vec();
    gif.extend(b"\x2C\x01\0\0\0\x05\0\x02\0\0\x02\x01\0\0\x3B");
    let info = image(&gif);
    assert_eq!((info.color_mode.as_deref(), info.width, info.height, info.sequence), (Some("L"), 6, 4, false));
    gif[16] = 7;
    assert_eq!(image(&gif).color_mode.as_deref(), Some("P"));
}

#[test]
fn pictures_over_the_limits_are_no_pictures() {
    let wide = |width, height| look(&png(width, height, 8, 2, &[]));
    assert!(wide(30_000, 2_500).is_image);
    for (width, height) in [(30_001, 1), (1, 30_001), (10_000, 7_501), (0, 5), (5, 0), (u32::MAX, u32::MAX)] {
        let answer = wide(width, height);
        assert!(!answer.is_image && answer.content.image.is_none(), "{width} x {height}");
        assert_eq!(answer.content.mime.mime, "image/png");
    }
    let small = Limits { max_bytes: 100, ..Limits::default() };
    let bytes = fixture("rgb.jpg");
    let answer = probe_head(&bytes, bytes.len() as u64, &small).unwrap();
    assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), ("image/jpeg", false));
}

#[test]
fn jpegs_that_decoders_refuse_are_no_pictures() {
    let good = fixture("rgb.jpg");
    let frame = good.windows(2).position(|mark| mark == [0xFF, 0xC0]).unwrap();
    // Lossless, arithmetic, twelve bits, two components.
    for (at, byte) in [(1, 0xC3), (1, 0xC9), (4, 12), (9, 2)] {
        let mut bytes = good.clone();
        bytes[frame + at] = byte;
        let answer = look(&bytes);
        assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), ("image/jpeg", false), "{at}");
    }
    // Fill bytes and strays between segments are forgiven, as decoders do.
    let mut padded = good.clone();
    padded.splice(frame..frame, [0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(image(&padded), image(&good));
}

#[test]
fn svg_sizes() {
    const NS: &str = "xmlns=\"http://www.w3.org/2000/svg\"";
    for (text, size) in [
        (format!("<svg {NS} width=\"20\" height=\"10\"/>"), (20, 10)),
        (format!("<svg {NS} width=\"1in\" height=\"25.4mm\"></svg>"), (96, 96)),
        (format!("<svg {NS} viewBox=\"0 0 30 40\"/>"), (30, 40)),
        (format!("<svg {NS} viewBox='-5,-5, 30.4 , 39.6'/>"), (30, 40)),
        (format!("<svg {NS} width=\"100%\" height=\"100%\" viewBox=\"0 0 30 40\"/>"), (30, 40)),
        (format!("<svg {NS} width=\"60\" viewBox=\"0 0 30 40\"/>"), (60, 80)),
        (format!("<svg {NS} height=\"20\" viewBox=\"0 0 30 40\"/>"), (15, 20)),
        (format!("<svg {NS} width=\"0.2\" height=\"0.4\"/>"), (1, 1)),
        (format!("<svg {NS}/>"), (300, 150)),
        ("<svg width='5' height='6'><g/></svg>".to_owned(), (5, 6)),
        (
            format!(
                "\u{feff}<?xml version=\"1.0\"?>\n<!-- a > b --><!DOCTYPE svg PUBLIC \"-//W3C\" \"x>y\">\n<svg {NS} width=\"2\" height=\"3\"/>\n"
            ),
            (2, 3),
        ),
        (
            format!(
                "<!DOCTYPE svg [<!ENTITY ns \"http://x\">]><svg {NS} xmlns:i='&ns;' width=\"2\" height=\"3\">&ns;</svg>"
            ),
            (2, 3),
        ),
        ("<s:svg xmlns:s='http://www.w3.org/2000/svg' width='2' height='3'><s:g/></s:svg>".to_owned(), (2, 3)),
    ] {
        let answer = look(text.as_bytes());
        assert_eq!(answer.content.mime.mime, "image/svg+xml", "{text}");
        let info = answer.content.image.unwrap_or_else(|| panic!("{text}"));
        assert_eq!((info.width, info.height), size, "{text}");
        assert_eq!((info.format.as_str(), info.color_mode), ("SVG", None));
    }
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><svg width='2' height='3'><desc>\xE9</desc></svg>";
    assert!(look(latin).is_image);
}

#[test]
fn svg_that_does_not_parse_is_no_picture() {
    for text in [
        "<svg width='5' height='6'>",
        "<svg width='5' height='6'><g></svg>",
        "<svg width='5' height='6'/><svg/>",
        "<svg width='5' height='6'/>text",
        "<svg width='5' height='6' broken/>",
        "<svg width='0' height='6'/>",
        "<svg width='40000' height='6'/>",
        "<svg xmlns='http://elsewhere' width='5' height='6'/>",
        "<s:svg width='5' height='6'/>",
        "<svg width='5' height='6'>&</svg>",
        "<svg width='5' height='6'><!-- </svg>",
    ] {
        let answer = look(text.as_bytes());
        assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), ("image/svg+xml", false), "{text}");
    }
    let answer = look(b"<svg width='5' height='6'><desc>\xE9</desc></svg>");
    assert!(!answer.is_image, "not UTF-8");
}
