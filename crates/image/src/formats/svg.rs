//! SVG: the size on the root element, and whether the document is well formed. The parser streams, expands no
//! entities, follows no references, and gives up on documents that are too large or too deep.

use super::{Facts, Format};
use crate::source::Source;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Elements inside each other; renderers stop there too.
const MAX_DEPTH: u32 = 1024;
/// Attributes of the root element that are looked at.
const MAX_ATTRIBUTES: usize = 256;
const NAMESPACE: &str = "http://www.w3.org/2000/svg";
/// What a picture without any size is given, as CSS gives it to a replaced element.
const DEFAULT_SIZE: (f64, f64) = (300.0, 150.0);

pub(super) fn read(src: &mut Source, max: u64) -> Option<Facts> {
    let bytes = src.whole(max)?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => Cow::Borrowed(text),
        // Other one-byte encodings differ only in names and text that we do not look at.
        Err(_) if declares_encoding(&bytes) => String::from_utf8_lossy(&bytes),
        Err(_) => return None,
    };
    let size = parse(text.strip_prefix('\u{feff}').unwrap_or(&text))?;
    Some(Facts::new(Format::Svg, size, None))
}

/// Whether the XML declaration names an encoding other than UTF-8.
fn declares_encoding(bytes: &[u8]) -> bool {
    let declaration = bytes.split(|byte| *byte == b'>').next().unwrap_or_default();
    let declaration = String::from_utf8_lossy(&declaration[..declaration.len().min(200)]).to_ascii_lowercase();
    declaration.starts_with("<?xml") && declaration.contains("encoding") && !declaration.contains("utf-8")
}

/// The size in pixels of a well-formed document whose root is `svg`.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut size) = (0_u32, None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                check(&element, depth, &mut size)?;
                depth += 1;
                if depth > MAX_DEPTH {
                    return None;
                }
            }
            Event::Empty(element) => check(&element, depth, &mut size)?,
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::Text(text) if depth == 0 && !text.trim_ascii().is_empty() => return None,
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => return None,
            Event::DocType(_) if size.is_some() => return None,
            Event::Eof => return if depth == 0 { size } else { None },
            _ => {}
        }
    }
}

/// Takes the size from the root, refuses a second root, and checks how attributes are written.
fn check(element: &BytesStart, depth: u32, size: &mut Option<(u32, u32)>) -> Option<()> {
    // Looking for duplicates would cost the square of their number.
    if element.attributes().with_checks(false).any(|attribute| attribute.is_err()) {
        return None;
    }
    if depth > 0 {
        return Some(());
    }
    if size.is_some() {
        return None;
    }
    *size = Some(root_size(element)?);
    Some(())
}

fn root_size(root: &BytesStart) -> Option<(u32, u32)> {
    let name = root.name();
    let (prefix, local) = name.0.split_once(':').unwrap_or(("", name.0));
    if local != "svg" {
        return None;
    }
    let (mut width, mut height, mut view_box, mut namespace) = (None, None, None, None);
    for attribute in root.attributes().with_checks(false).take(MAX_ATTRIBUTES) {
        let attribute = attribute.ok()?;
        let value = attribute.value.trim();
        match attribute.key.0 {
            "width" => width = svg_length(value),
            "height" => height = svg_length(value),
            "viewBox" => view_box = svg_view_box(value).map(|[_, _, width, height]| (width, height)),
            "xmlns" if prefix.is_empty() => namespace = Some(value.to_owned()),
            key if !prefix.is_empty() && key.strip_prefix("xmlns:") == Some(prefix) => {
                namespace = Some(value.to_owned());
            }
            _ => {}
        }
    }
    // Illustrator writes the namespace as an entity. A document without any is taken too: people upload such.
    let known = match namespace.as_deref() {
        Some(namespace) => namespace == NAMESPACE || namespace.contains('&'),
        None => prefix.is_empty(),
    };
    let (width, height) = match (width, height, view_box) {
        (Some(width), Some(height), _) => (width, height),
        (Some(width), None, Some((w, h))) => (width, width * h / w),
        (None, Some(height), Some((w, h))) => (height * w / h, height),
        (None, None, Some(size)) => size,
        (width, height, None) => (width.unwrap_or(DEFAULT_SIZE.0), height.unwrap_or(DEFAULT_SIZE.1)),
    };
    known.then(|| Some((pixels(width)?, pixels(height)?)))?
}

/// Whole pixels, at least one; nothing for a picture without extent.
fn pixels(side: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (side > 0.0 && side <= f64::from(u32::MAX)).then(|| side.round().max(1.0) as u32)
}

/// A length of an SVG in CSS pixels, 96 to the inch; nothing for percentages and for what is no length.
pub fn svg_length(value: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 9] = [
        ("px", 1.0),
        ("pt", 96.0 / 72.0),
        ("pc", 16.0),
        ("mm", 96.0 / 25.4),
        ("cm", 96.0 / 2.54),
        ("in", 96.0),
        ("em", 16.0),
        ("ex", 8.0),
        ("Q", 96.0 / 101.6),
    ];
    let (number, scale) = UNITS
        .iter()
        .find_map(|(unit, scale)| Some((value.strip_suffix(unit)?.trim_end(), *scale)))
        .unwrap_or((value, 1.0));
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * scale)
}

/// The part of the plane that an SVG shows: left, top, width and height; nothing where one is missing or the extent is none.
pub fn svg_view_box(value: &str) -> Option<[f64; 4]> {
    let mut numbers = value
        .split(|c: char| c.is_ascii_whitespace() || c == ',')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse::<f64>().ok().filter(|number| number.is_finite()));
    let (x, y, width, height) = (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??);
    (width > 0.0 && height > 0.0).then_some([x, y, width, height])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_css_pixels() {
        for (value, pixels) in [
            ("10", 10.0),
            ("10px", 10.0),
            ("72pt", 96.0),
            ("1in", 96.0),
            ("2.54cm", 96.0),
            ("25.4mm", 96.0),
            ("1e2", 100.0),
            ("2em", 32.0),
            ("6pc", 96.0),
        ] {
            let got = svg_length(value).unwrap();
            assert!((got - pixels).abs() < 1e-6, "{value}: {got}");
        }
        for value in ["100%", "", "auto", "-5", "NaN", "inf", "&w;", "10 10"] {
            assert_eq!(svg_length(value), None, "{value}");
        }
    }
}
