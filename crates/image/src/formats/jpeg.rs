//! JPEG: segments from the start to the first scan; JFIF density, EXIF, frame header.

use super::{Facts, Format};
use crate::exif;
use crate::source::Source;

/// Segments that are looked at; a picture with megabytes of extended XMP has under two hundred.
const MAX_SEGMENTS: u32 = 1000;
/// Stray and fill bytes between segments that are forgiven.
const MAX_STRAY: u32 = 4096;

pub(super) fn read(src: &mut Source) -> Option<Facts> {
    let (mut at, mut stray, mut segments) = (2_u64, 0, 0);
    let (mut frame, mut density, mut metadata) = (None, None, None);
    loop {
        let [mark, marker] = src.array(at)?;
        if mark != 0xFF || marker == 0xFF {
            at += 1;
            stray += 1;
            if stray > MAX_STRAY {
                return None;
            }
            continue;
        }
        segments += 1;
        if segments > MAX_SEGMENTS {
            return None;
        }
        at += 2;
        match marker {
            // Markers that stand alone.
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            0xD9 => return None,
            0xDA => break,
            _ => {}
        }
        let size = u64::from(src.be16(at)?);
        let len = size.checked_sub(2)?;
        let body = at + 2;
        match marker {
            0xC0..=0xC2 if frame.is_none() => frame = Some(frame_header(src, body)?),
            // Lossless, hierarchical and arithmetic pictures, which decoders do not take.
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return None,
            0xE0 if density.is_none() && len >= 12 => density = jfif(src, body),
            0xE1 if metadata.is_none() && len > 6 && src.array::<6>(body)? == *b"Exif\0\0" => {
                metadata = Some(exif::read(src, body, len).unwrap_or_default());
            }
            _ => {}
        }
        at += size;
    }
    let (size, mode) = frame?;
    let mut facts = Facts::new(Format::Jpeg, size, Some(mode));
    if let Some(exif) = metadata {
        // Pillow's answer for EXIF that says nothing of resolution.
        facts.dpi = density.or(exif.dpi).or(Some([72.0; 2]));
        facts.exif = exif;
    } else {
        facts.dpi = density;
    }
    Some(facts)
}

fn frame_header(src: &mut Source, body: u64) -> Option<((u32, u32), &'static str)> {
    let [precision, h1, h0, w1, w0, components] = src.array(body)?;
    let mode = match components {
        1 => "L",
        3 => "RGB",
        4 => "CMYK",
        _ => return None,
    };
    let size = (u32::from(u16::from_be_bytes([w1, w0])), u32::from(u16::from_be_bytes([h1, h0])));
    (precision == 8).then_some((size, mode))
}

fn jfif(src: &mut Source, body: u64) -> Option<[f64; 2]> {
    let [name @ .., _, _, unit, x1, x0, y1, y0] = src.array::<12>(body)?;
    let density = [u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0])].map(f64::from);
    match unit {
        _ if name != *b"JFIF\0" => None,
        1 => Some(density),
        2 => Some(density.map(|n| n * 2.54)),
        _ => None,
    }
}
