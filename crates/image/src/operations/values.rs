//! The values that operations take, each as its canonical text: sizes, places, colours, ratios. Reading one that is not of its form, or
//! out of every sense, gives nothing; what that means is the operation's business.

use std::fmt;

use super::{Align, Color, Length, Offset, Percent, Size};

/// The largest number of pixels that is read: far more than any picture has, little enough to count with.
pub(super) const MAX_PIXELS: u32 = 1_000_000;

/// The largest percentage that is read.
const MAX_PERCENT: f64 = 100_000.0;

/// The longest percentage that is read, in bytes.
const MAX_PERCENT_LEN: usize = 16;

/// The largest side of a ratio that is read.
const MAX_RATIO: u32 = 100_000;

/// The keywords of places, with what they stand for in percent.
const KEYWORDS: [(&str, f64, f64); 5] =
    [("center", 50.0, 50.0), ("top", 50.0, 0.0), ("bottom", 50.0, 100.0), ("left", 0.0, 50.0), ("right", 100.0, 50.0)];

/// A number without a sign, at most `most`.
pub(super) fn number(text: &str, most: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= most)
}

/// A number with or without a minus.
pub(super) fn signed(text: &str, range: std::ops::RangeInclusive<i32>) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = number(digits, i32::MAX.unsigned_abs()).and_then(|number| i32::try_from(number).ok())?;
    let number = if digits.len() == text.len() { number } else { -number };
    range.contains(&number).then_some(number)
}

/// `50p`, `33.3p`, `50%`.
pub(super) fn percent(text: &str) -> Option<Percent> {
    let digits = text.strip_suffix(['p', '%']).filter(|digits| digits.len() <= MAX_PERCENT_LEN)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let value: f64 = digits.parse().ok().filter(|_| all_digits(whole) && all_digits(fraction))?;
    (value <= MAX_PERCENT).then_some(Percent(value))
}

/// Pixels or a share.
pub(super) fn length(text: &str) -> Option<Length> {
    percent(text).map(Length::Percent).or_else(|| number(text, MAX_PIXELS).map(Length::Pixels))
}

/// Both sides in pixels, neither of them nothing.
pub(super) fn dims(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((side(width)?, side(height)?))
}

/// A side in pixels that is not nothing.
pub(super) fn side(text: &str) -> Option<u32> {
    number(text, MAX_PIXELS).filter(|pixels| *pixels > 0)
}

/// Both sides, each in pixels or as a share, neither of them nothing.
pub(super) fn size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    let some = |length: &Length| match length {
        Length::Pixels(pixels) => *pixels > 0,
        Length::Percent(percent) => percent.0 > 0.0,
    };
    Some(Size { width: length(width).filter(some)?, height: length(height).filter(some)? })
}

/// A keyword, or two coordinates.
pub(super) fn align(text: &str) -> Option<Align> {
    if let Some((_, x, y)) = KEYWORDS.into_iter().find(|(keyword, _, _)| *keyword == text) {
        return Some(Align { x: Offset::Percent(Percent(x)), y: Offset::Percent(Percent(y)) });
    }
    let (x, y) = text.split_once(',')?;
    Some(Align { x: offset(x)?, y: offset(y)? })
}

fn offset(text: &str) -> Option<Offset> {
    let most = i32::try_from(MAX_PIXELS).unwrap_or(i32::MAX);
    percent(text).map(Offset::Percent).or_else(|| signed(text, -most..=most).map(Offset::Pixels))
}

/// `16:9`.
pub(super) fn ratio(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(':')?;
    let side = |text: &str| number(text, MAX_RATIO).filter(|side| *side > 0);
    Some((side(width)?, side(height)?))
}

/// `rgb`, `rgba`, `rrggbb` or `rrggbbaa`.
pub(super) fn color(text: &str) -> Option<Color> {
    if !matches!(text.len(), 3 | 4 | 6 | 8) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digit = |at: usize| text.get(at..=at).and_then(|digit| u8::from_str_radix(digit, 16).ok());
    let channel = |at: usize| {
        if text.len() <= 4 { digit(at).map(|digit| digit * 17) } else { Some(digit(at * 2)? * 16 + digit(at * 2 + 1)?) }
    };
    let alpha = if matches!(text.len(), 4 | 8) { channel(3)? } else { 255 };
    Some(Color { red: channel(0)?, green: channel(1)?, blue: channel(2)?, alpha })
}

/// The characters of a text, of which `~s`, `~n` and `~~` are a slash, a line break and a tilde. Nothing where control characters
/// are among them, or none at all.
pub(super) fn text(piece: &str) -> Option<String> {
    let mut text = String::with_capacity(piece.len());
    let mut chars = piece.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = match chars.peek() {
            Some('s') if char == '~' => Some('/'),
            Some('n') if char == '~' => Some('\n'),
            Some('~') if char == '~' => Some('~'),
            _ => None,
        };
        if escaped.is_some() {
            chars.next();
        } else if char.is_control() {
            return None;
        }
        text.push(escaped.unwrap_or(char));
    }
    (!text.is_empty()).then_some(text)
}

/// A text as it stands in a URL, before percent escapes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('~', "~~").replace('/', "~s").replace('\n', "~n")
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}p", self.0)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => pixels.fmt(f),
            Self::Percent(percent) => percent.fmt(f),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => pixels.fmt(f),
            Self::Percent(percent) => percent.fmt(f),
        }
    }
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyword = KEYWORDS
            .into_iter()
            .find(|(_, x, y)| *self == Self { x: Offset::Percent(Percent(*x)), y: Offset::Percent(Percent(*y)) });
        match keyword {
            Some((keyword, _, _)) => f.write_str(keyword),
            None => write!(f, "{},{}", self.x, self.y),
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { red, green, blue, alpha } = self;
        write!(f, "{red:02x}{green:02x}{blue:02x}")?;
        if *alpha == 255 { Ok(()) } else { write!(f, "{alpha:02x}") }
    }
}
