//! From the pieces of a path to operations, or to the one sentence that says why not.

use std::fmt;

use super::parameters::Parameters;
use super::{
    Adjustment, Align, Crop, CropObject, FILTERS, Facts, FontChange, Length, Operations, OverlaySource, Percent,
    Region, Settings, Sides, Size, Step, values, words,
};

/// The most operations of one path.
const MAX_OPERATIONS: usize = 100;

/// The longest path of operations, in bytes before escaping.
const MAX_LEN: usize = 4096;

/// The box of `preview` without parameters, in pixels.
const PREVIEW: u32 = 2048;

/// The largest font, in pixels.
const MAX_FONT: u32 = 3000;

/// The largest padding of `text_box`, in pixels: five digits, which no colour has.
const MAX_PADDING: u32 = 99_999;

/// Why a path is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct OperationError {
    /// The name of the operation; empty where the path as such is wrong.
    pub operation: String,
    /// What is wrong with it, as the end of a sentence that begins with the name.
    pub reason: String,
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation.as_str() {
            "" => write!(f, "{}.", self.reason),
            operation => write!(f, "`{operation}` {}.", self.reason),
        }
    }
}

impl OperationError {
    /// An error of the path as such, as a sentence without its full stop.
    pub(super) fn of_path(reason: impl Into<String>) -> Self {
        Self { operation: String::new(), reason: reason.into() }
    }
}

impl Operations {
    /// Reads what stands behind a file's id, split on slashes and decoded, without the file's name. Each operation begins
    /// with a piece `-`. Operations whose names begin with `@` are markers of official components and ignored.
    pub fn parse<S: AsRef<str>>(pieces: &[S]) -> Result<Self, OperationError> {
        let mut operations = Self::default();
        for call in calls(pieces)? {
            if let Some(facts) = &operations.facts {
                let name = match facts {
                    Facts::Json => "json",
                    Facts::Jsonp => "jsonp",
                    Facts::MainColors(_) => "main_colors",
                };
                let reason = "has to be the last operation".to_owned();
                return Err(OperationError { operation: name.to_owned(), reason });
            }
            operations.add(call)?;
        }
        Ok(operations)
    }

    fn add(&mut self, mut call: Parameters<'_>) -> Result<(), OperationError> {
        let call = &mut call;
        if setting(&mut self.settings, call)? {
            return call.end();
        }
        match call.name() {
            "inline" => self.inline = Some(call.word(words::YES_NO)?),
            "json" => self.facts = Some(Facts::Json),
            "jsonp" => self.facts = Some(Facts::Jsonp),
            "main_colors" => self.facts = Some(Facts::MainColors(call.integer(1..=256, Some(4))?)),
            _ => self.steps.push(step(call)?),
        }
        call.end()
    }
}

/// Cuts a path into operations; those that are none of ours are left out.
pub(super) fn calls<S: AsRef<str>>(pieces: &[S]) -> Result<Vec<Parameters<'_>>, OperationError> {
    let len: usize = pieces.iter().map(|piece| piece.as_ref().len() + 1).sum();
    if len > MAX_LEN {
        return Err(OperationError::of_path(format!("The operations are longer than {MAX_LEN} bytes")));
    }
    let mut pieces = pieces.iter().map(AsRef::as_ref).filter(|piece| !piece.is_empty()).peekable();
    let mut calls = Vec::new();
    while let Some(dash) = pieces.next() {
        if dash != "-" {
            return Err(OperationError::of_path(format!("An operation begins with `-`, not with `{}`", short(dash))));
        }
        let Some(name) = pieces.next_if(|piece| *piece != "-") else {
            return Err(OperationError::of_path("The name of an operation is missing behind `-`"));
        };
        let mut parameters = Vec::new();
        while let Some(parameter) = pieces.next_if(|piece| *piece != "-") {
            parameters.push(parameter);
        }
        if name.starts_with('@') {
            continue;
        }
        // The spelling of the first years, `-/effect/flip/`, which old addresses still have.
        let name = if name == "effect" && !parameters.is_empty() { parameters.remove(0) } else { name };
        if calls.len() == MAX_OPERATIONS {
            return Err(OperationError::of_path(format!("There are more than {MAX_OPERATIONS} operations")));
        }
        calls.push(Parameters::new(name, parameters));
    }
    Ok(calls)
}

/// The beginning of a text that somebody made up, fit for a message.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(64).collect()
}

/// Reads a setting; false where the operation is none.
fn setting(settings: &mut Settings, call: &mut Parameters<'_>) -> Result<bool, OperationError> {
    match call.name() {
        "format" => settings.format = Some(call.word(words::FORMAT)?),
        "quality" => settings.quality = Some(call.word(words::QUALITY)?),
        "progressive" => settings.progressive = Some(call.word(words::YES_NO)?),
        "strip_meta" => settings.strip_meta = Some(call.word(words::STRIP_META)?),
        "autorotate" => settings.autorotate = Some(call.word(words::YES_NO)?),
        "srgb" => settings.srgb = Some(call.word(words::SRGB)?),
        "max_icc_size" => {
            let read = |text: &str| values::number(text, values::MAX_PIXELS);
            settings.max_icc_size = Some(call.need(read, "takes a size in kilobytes, like `10`")?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

const SIDES: &str = "takes a width and a height in pixels, like `400x300`";
const BOX: &str = "takes a size like `100x100` or `50px50p`";
const PLACE: &str = "takes a place like `center` or `10,20`";
const COLOR: &str = "takes a colour like `ff0000`";

/// Reads a step.
fn step(call: &mut Parameters<'_>) -> Result<Step, OperationError> {
    Ok(match call.name() {
        "preview" => {
            let (width, height) = if call.is_empty() { (PREVIEW, PREVIEW) } else { call.need(values::dims, SIDES)? };
            Step::Preview { width, height }
        }
        "resize" => Step::Resize(call.need(sides, "takes one side or both, like `400x`, `x300` or `400x300`")?),
        "stretch" => Step::Stretch(call.word(words::STRETCH)?),
        "smart_resize" => {
            let (width, height) = call.need(values::dims, SIDES)?;
            Step::SmartResize { width, height }
        }
        "crop" => Step::Crop(crop(call)?),
        "scale_crop" => {
            let (width, height) = call.need(values::dims, SIDES)?;
            let smart = call.take(|text| words::meaning(words::SMART, text));
            Step::ScaleCrop { width, height, smart, align: call.take(values::align) }
        }
        "trim" => trim(call),
        "setfill" => Step::SetFill(call.need(values::color, COLOR)?),
        "border_radius" => {
            let horizontal = call.need(radii, "takes one to four radii, like `10` or `10,20p`")?;
            Step::BorderRadius { horizontal, vertical: call.take(radii) }
        }
        "zoom_objects" => Step::ZoomObjects(call.integer(0..=100, None)?),
        "rotate" => {
            let turns = |text: &str| {
                let angle = values::signed(text, -36_000..=36_000).filter(|angle| angle % 90 == 0)?;
                u8::try_from((angle / 90).rem_euclid(4)).ok()
            };
            Step::Rotate(call.need(turns, "takes a multiple of 90")?)
        }
        "flip" => Step::Flip,
        "mirror" => Step::Mirror,
        "enhance" => Step::Enhance(call.integer(0..=100, Some(50))?),
        "grayscale" => Step::Grayscale,
        "invert" => Step::Invert,
        "filter" => {
            let index =
                |text: &str| FILTERS.iter().position(|name| *name == text).and_then(|index| u8::try_from(index).ok());
            let name = call.need(index, "takes the name of a filter, like `adaris`")?;
            Step::Filter { name, amount: call.integer(-100..=200, Some(100))? }
        }
        "blur" => {
            Step::Blur { strength: call.integer(0..=5000, Some(10))?, amount: call.integer(-200..=100, Some(100))? }
        }
        "blur_region" => {
            let region = if call.take(|text| (text == "faces").then_some(())).is_some() {
                Region::Faces
            } else {
                let size = call.need(values::size, "takes `faces`, or a size and a place like `50px50p/center`")?;
                Region::Box(size, call.need(values::align, PLACE)?)
            };
            let strength = if call.is_empty() { None } else { Some(call.integer(0..=5000, None)?) };
            Step::BlurRegion { region, strength }
        }
        "sharp" => Step::Sharp(call.integer(0..=20, Some(5))?),
        "overlay" => overlay(call)?,
        "rect" => Step::Rect {
            color: call.need(values::color, COLOR)?,
            size: call.need(values::size, BOX)?,
            align: call.need(values::align, PLACE)?,
        },
        "font" => Step::Font(font(call)?),
        "text_align" => {
            Step::TextAlign { horizontal: call.word(words::HORIZONTAL)?, vertical: call.word(words::VERTICAL)? }
        }
        "text_box" => {
            let mode = call.word(words::TEXT_BOX)?;
            let color = call.take(values::color);
            Step::TextBox { mode, color, padding: call.take(|text| values::number(text, MAX_PADDING)) }
        }
        "text" => Step::Text {
            size: call.need(values::size, BOX)?,
            align: call.need(values::align, PLACE)?,
            text: call.need(values::text, "takes a text behind its size and place")?,
        },
        "rasterize" => Step::Rasterize,
        name => {
            let Some(adjustment) = words::meaning(words::ADJUSTMENTS, name) else {
                return Err(call.error("is not an operation"));
            };
            let (least, most, _) = Adjustment::range(adjustment);
            Step::Adjust(adjustment, call.integer(i32::from(least)..=i32::from(most), None)?)
        }
    })
}

fn sides(text: &str) -> Option<Sides> {
    match text.split_once('x')? {
        (width, "") => values::side(width).map(Sides::Width),
        ("", height) => values::side(height).map(Sides::Height),
        _ => values::dims(text).map(|(width, height)| Sides::Both(width, height)),
    }
}

fn crop(call: &mut Parameters<'_>) -> Result<Crop, OperationError> {
    let object = call.take(|text| match text {
        "face" => Some(CropObject::Face),
        "image" => Some(CropObject::Image),
        _ => None,
    });
    let ratio = call.take(values::ratio);
    // Beside an object, one client writes both.
    let size = if ratio.is_none() || object.is_some() { call.take(values::size) } else { None };
    if object.is_none() && ratio.is_none() && size.is_none() {
        return Err(call.error("takes a size like `100x100` or `50px50p`, a ratio like `16:9`, `face` or `image`"));
    }
    let align = call.take(values::align);
    Ok(Crop { object, ratio, size, align })
}

fn trim(call: &mut Parameters<'_>) -> Step {
    // One tool of the vendor's writes `auto` for what counts anyway.
    let tolerance = match call.take(|text| (text == "auto").then_some(())) {
        Some(()) => None,
        None => call.take(|text| values::number(text, 100)),
    };
    let padding = tolerance.and_then(|_| call.take(values::length));
    let tolerance = tolerance.and_then(|tolerance| u8::try_from(tolerance).ok());
    Step::Trim { tolerance: tolerance.unwrap_or(10), padding: padding.unwrap_or(Length::Pixels(0)) }
}

/// One to four lengths; those that are missing follow their opposite as in CSS.
fn radii(text: &str) -> Option<[Length; 4]> {
    let given: Vec<Length> = text.splitn(5, ',').map(values::length).collect::<Option<_>>()?;
    match *given.as_slice() {
        [all] => Some([all; 4]),
        [one, two] => Some([one, two, one, two]),
        [one, two, three] => Some([one, two, three, two]),
        [one, two, three, four] => Some([one, two, three, four]),
        _ => None,
    }
}

/// Size, place and opacity are told apart by their forms, since real clients do not agree on their order.
fn overlay(call: &mut Parameters<'_>) -> Result<Step, OperationError> {
    let source = |text: &str| match text {
        "self" => Some(OverlaySource::Own),
        id => id.parse().ok().map(OverlaySource::File),
    };
    let source = call.need(source, "takes the id of a file or `self`")?;
    let (mut size, mut align, mut opacity) = (None, None, None);
    loop {
        if size.is_none() {
            size = call.take(values::size);
            if size.is_some() {
                continue;
            }
        }
        if align.is_none() {
            align = call.take(values::align);
            if align.is_some() {
                continue;
            }
        }
        if opacity.is_none() {
            opacity = call.take(|text| values::percent(text).filter(|percent| percent.0 <= 100.0));
            if opacity.is_some() {
                continue;
            }
        }
        break;
    }
    let all = Length::Percent(Percent(100.0));
    Ok(Step::Overlay {
        source,
        size: size.unwrap_or(Size { width: all, height: all }),
        align: align.unwrap_or(Align::TOP_LEFT),
        opacity: opacity.unwrap_or(Percent(100.0)),
    })
}

/// Every part at most once, in any order. Digits alone are a size where they can be one and none was given before, else a colour.
fn font(call: &mut Parameters<'_>) -> Result<FontChange, OperationError> {
    let mut font = FontChange::default();
    if call.is_empty() {
        return Err(call.error("takes a weight, a style, a size, a colour or a family"));
    }
    if call.take(|text| (text == "reset").then_some(())).is_some() {
        font.reset = true;
    }
    let size = |text: &str| values::number(text, MAX_FONT).filter(|_| !text.starts_with('0'));
    while !call.is_empty() {
        let before = call.left();
        if font.bold.is_none() {
            font.bold = call.take(|text| words::meaning(words::BOLD, text));
        }
        if font.italic.is_none() {
            font.italic = call.take(|text| words::meaning(words::ITALIC, text));
        }
        if font.size.is_none() {
            font.size = call.take(size);
        }
        if font.color.is_none() {
            font.color = call.take(values::color);
        }
        if font.family.is_none() {
            font.family = call.take(|text| words::meaning(words::FAMILIES, text));
        }
        if call.left() == before {
            break;
        }
    }
    Ok(font)
}
