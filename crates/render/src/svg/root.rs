//! The root element of an SVG: where it stands in the document, what size it says, and how it is written anew. Everything
//! else of the document is only copied, byte by byte.

use quick_xml::Reader;
use quick_xml::events::Event;
use std::borrow::Cow;
use std::ops::Range;
use stowage_image::{svg_length, svg_view_box};

/// What a picture without any size is given, as CSS gives it to a replaced element.
const DEFAULT_SIZE: (f64, f64) = (300.0, 150.0);
/// The attributes that are written anew.
const GEOMETRY: [&str; 4] = ["width", "height", "viewBox", "preserveAspectRatio"];

/// A rectangle in the units of the document's shapes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct View {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The root element.
#[derive(Debug)]
pub(super) struct Root {
    /// Where its tag stands, angle brackets included.
    tag: Range<usize>,
    /// The attributes, as they stand.
    attributes: Vec<Attribute>,
    /// Width and height in CSS pixels.
    pub(super) size: (f64, f64),
    /// The `viewBox`.
    view_box: Option<View>,
    /// How the `viewBox` is fit into the picture.
    aspect: Aspect,
}

/// An attribute in a document.
#[derive(Debug)]
struct Attribute {
    name: Range<usize>,
    value: Range<usize>,
}

/// `preserveAspectRatio`
#[derive(Clone, Copy, PartialEq, Debug)]
struct Aspect {
    /// Shares of what is left over, across and down; absent means that the view is stretched.
    align: Option<(f64, f64)>,
    /// Whether the picture is covered rather than the view shown as a whole.
    slice: bool,
}

/// A document as text of the same length: in a one-byte encoding an underscore stands for each byte that is not ASCII, because
/// these are letters and signs, which neither are nor hide markup.
pub(super) fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '_' }).collect(),
    }
}

impl Root {
    /// Finds the root element. Nothing when there is none, or its size makes no sense.
    pub(super) fn find(text: &str) -> Option<Self> {
        let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut reader = Reader::from_str(&text[begin..]);
        let tag = loop {
            let start = begin + usize::try_from(reader.buffer_position()).ok()?;
            match reader.read_event().ok()? {
                Event::Start(element) | Event::Empty(element) => {
                    let local = element.local_name();
                    if local.into_inner() != "svg" || element.attributes().with_checks(false).any(|one| one.is_err()) {
                        return None;
                    }
                    break start..begin + usize::try_from(reader.buffer_position()).ok()?;
                }
                Event::Eof => return None,
                _ => {}
            }
        };
        let attributes = attributes(text, &tag)?;
        let value = |name: &str| {
            let found = attributes.iter().rfind(|attribute| text.get(attribute.name.clone()) == Some(name))?;
            text.get(found.value.clone()).map(str::trim)
        };
        let view_box =
            value("viewBox").and_then(svg_view_box).map(|[x, y, width, height]| View { x, y, width, height });
        let size = match (value("width").and_then(svg_length), value("height").and_then(svg_length), view_box) {
            (Some(width), Some(height), _) => (width, height),
            (Some(width), None, Some(view)) => (width, width * view.height / view.width),
            (None, Some(height), Some(view)) => (height * view.width / view.height, height),
            (None, None, Some(view)) => (view.width, view.height),
            (width, height, None) => (width.unwrap_or(DEFAULT_SIZE.0), height.unwrap_or(DEFAULT_SIZE.1)),
        };
        let has_extent = |side: f64| side > 0.0 && side <= f64::from(u32::MAX);
        let aspect = aspect(value("preserveAspectRatio").unwrap_or_default());
        (has_extent(size.0) && has_extent(size.1)).then_some(Self { tag, attributes, size, view_box, aspect })
    }

    /// What the picture shows, edges included: its sides have the ratio of the picture's, unless the view is stretched.
    pub(super) fn view(&self) -> View {
        let (width, height) = self.size;
        let Some(view) = self.view_box else { return View { x: 0.0, y: 0.0, width, height } };
        let Some((across, down)) = self.aspect.align else { return view };
        let (by_width, by_height) = (width / view.width, height / view.height);
        let scale = if self.aspect.slice { by_width.max(by_height) } else { by_width.min(by_height) };
        let shown = (width / scale, height / scale);
        View {
            x: view.x - (shown.0 - view.width) * across,
            y: view.y - (shown.1 - view.height) * down,
            width: shown.0,
            height: shown.1,
        }
    }

    /// Whether the view is stretched to the picture.
    pub(super) fn is_stretched(&self) -> bool {
        self.view_box.is_some() && self.aspect.align.is_none()
    }

    /// The tag with another size. A `view` takes the place of the `viewBox`; without one the old `viewBox` stays, or that which
    /// the old size meant is written.
    pub(super) fn write(
        &self,
        bytes: &[u8],
        (width, height): (u32, u32),
        view: Option<View>,
        stretched: bool,
    ) -> Vec<u8> {
        let mut written = Vec::with_capacity(self.tag.len() + 128);
        let view = if self.view_box.is_none() { Some(view.unwrap_or_else(|| self.view())) } else { view };
        let mut at = self.tag.start;
        for attribute in &self.attributes {
            let name = &bytes[attribute.name.clone()];
            // With the quotation mark behind it.
            let end = attribute.value.end + 1;
            if name == b"style" {
                written.extend_from_slice(&bytes[at..attribute.value.start]);
                written.extend(without_sides(&bytes[attribute.value.clone()]));
                at = attribute.value.end;
            } else if is_geometry(name, view.is_some(), stretched) {
                written.extend_from_slice(bytes[at..attribute.name.start].trim_ascii_end());
                at = end;
            }
        }
        let rest = &bytes[at..self.tag.end];
        let (rest, close): (_, &[u8]) = match rest.strip_suffix(b"/>") {
            Some(rest) => (rest, b"/>"),
            None => (rest.strip_suffix(b">").unwrap_or(rest), b">"),
        };
        written.extend_from_slice(rest.trim_ascii_end());
        written.extend_from_slice(format!(" width=\"{width}\" height=\"{height}\"").as_bytes());
        if let Some(view) = view {
            let [x, y, width, height] = [view.x, view.y, view.width, view.height].map(number);
            written.extend_from_slice(format!(" viewBox=\"{x} {y} {width} {height}\"").as_bytes());
        }
        if stretched {
            written.extend_from_slice(b" preserveAspectRatio=\"none\"");
        }
        written.extend_from_slice(close);
        [&bytes[..self.tag.start], &written, &bytes[self.tag.end..]].concat()
    }
}

/// Whether an attribute is written anew.
fn is_geometry(name: &[u8], view: bool, stretched: bool) -> bool {
    let written = [true, true, view, stretched];
    GEOMETRY.iter().zip(written).any(|(one, written)| written && one.as_bytes() == name)
}

/// A style without `width` and `height`, which would win over the attributes.
fn without_sides(style: &[u8]) -> Vec<u8> {
    let is_side = |declaration: &&[u8]| {
        let name = declaration.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"width") || name.eq_ignore_ascii_case(b"height")
    };
    let kept: Vec<&[u8]> = style.split(|byte| *byte == b';').filter(|declaration| !is_side(declaration)).collect();
    kept.join(&b';')
}

/// At most six digits behind the point, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The attributes of a tag that a parser has found to be well formed.
fn attributes(text: &str, tag: &Range<usize>) -> Option<Vec<Attribute>> {
    let bytes = text.as_bytes();
    let skip = |from: usize, what: fn(&u8) -> bool| {
        bytes[from..tag.end].iter().position(|byte| !what(byte)).map_or(tag.end, |count| from + count)
    };
    let is_name: fn(&u8) -> bool = |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'/');
    let mut found = Vec::new();
    let mut at = skip(tag.start + 1, is_name);
    loop {
        at = skip(at, u8::is_ascii_whitespace);
        let name = at..skip(at, is_name);
        if name.is_empty() {
            return Some(found);
        }
        let equals = skip(name.end, u8::is_ascii_whitespace);
        let quote = skip(equals + 1, u8::is_ascii_whitespace);
        let mark = bytes.get(quote).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let len = bytes.get(quote + 1..tag.end)?.iter().position(|byte| byte == mark)?;
        let value = quote + 1..quote + 1 + len;
        at = value.end + 1;
        found.push(Attribute { name, value });
    }
}

fn aspect(value: &str) -> Aspect {
    let share = |min: &str, mid: &str| {
        if value.contains(min) {
            0.0
        } else if value.contains(mid) || !value.contains('M') {
            0.5
        } else {
            1.0
        }
    };
    let align = (!value.contains("none")).then(|| (share("xMin", "xMid"), share("YMin", "YMid")));
    Aspect { align, slice: value.contains("slice") }
}
