//! Texts: laid out in a box, with what is painted behind them, and then painted like any other picture. The state of the
//! operations before a text is kept here too.

pub(crate) mod fonts;
mod layout;

use crate::compose;
use layout::{Face, Layout};
use resvg::tiny_skia::{Pixmap, Transform};
use stowage_codecs::{Bitmap, Layout as Channels};
use stowage_image::operations::{Color, Family, FontChange, Horizontal, TextBox, Vertical};

/// The largest size of letters in pixels that makes sense in any picture.
const MAX_SIZE: u32 = 30_000;
/// Pixels that are painted at once: a large text is painted in stripes.
const STRIPE: u32 = 4_000_000;
const BLACK: Color = Color { red: 0, green: 0, blue: 0, alpha: 255 };
const WHITE: Color = Color { red: 255, green: 255, blue: 255, alpha: 255 };

/// What `font`, `text_align` and `text_box` have said so far.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct State {
    face: Face,
    color: Color,
    horizontal: Horizontal,
    vertical: Vertical,
    behind: TextBox,
    behind_color: Color,
    /// Pixels between the text and the edges of what is painted behind it.
    padding: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            face: Face { family: Family::DejaVu, bold: false, italic: false, size: 10 },
            color: BLACK,
            horizontal: Horizontal::Center,
            vertical: Vertical::Center,
            behind: TextBox::None,
            behind_color: WHITE,
            padding: 0,
        }
    }
}

impl State {
    /// `font`: what is absent stays.
    pub(crate) fn font(&mut self, change: &FontChange) {
        if change.reset {
            let Self { face, color, .. } = Self::default();
            (self.face, self.color) = (face, color);
        }
        self.face.bold = change.bold.unwrap_or(self.face.bold);
        self.face.italic = change.italic.unwrap_or(self.face.italic);
        self.face.size = change.size.unwrap_or(self.face.size).min(MAX_SIZE);
        self.face.family = change.family.unwrap_or(self.face.family);
        self.color = change.color.unwrap_or(self.color);
    }

    /// `text_align`
    pub(crate) fn align(&mut self, horizontal: Horizontal, vertical: Vertical) {
        self.horizontal = horizontal;
        self.vertical = vertical;
    }

    /// `text_box`: without a colour it is white.
    pub(crate) fn text_box(&mut self, mode: TextBox, color: Option<Color>, padding: Option<u32>) {
        self.behind = mode;
        self.behind_color = color.unwrap_or(WHITE);
        self.padding = padding.unwrap_or_default();
    }
}

/// Where something stands in a picture, in pixels; possibly outside.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn grown(self, by: f64) -> Self {
        Self { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }

    fn paint(self, base: Bitmap, color: Color) -> Bitmap {
        let [left, top, right, bottom] = [self.left, self.top, self.right, self.bottom].map(whole);
        let side = |from: i64, to: i64| u32::try_from(to.saturating_sub(from).max(0)).unwrap_or(u32::MAX);
        compose::rect(base, color, left, top, side(left, right), side(top, bottom))
    }
}

/// Writes a text into the box of this size at this place. It is broken into lines as wide as the box, less the padding of what
/// is painted behind it; what is higher than the box goes on below it. Grey pictures become RGB.
pub(crate) fn draw(base: Bitmap, state: &State, x: i64, y: i64, width: u32, height: u32, text: &str) -> Bitmap {
    let (left, top) = (x as f64, y as f64);
    let outer = Area { left, top, right: left + f64::from(width), bottom: top + f64::from(height) };
    let mut base = base;
    if state.behind == TextBox::Fill {
        base = outer.paint(base, state.behind_color);
    }
    let Face { size, .. } = state.face;
    if size == 0 || text.trim().is_empty() {
        return base;
    }
    let padding = if state.behind == TextBox::None { 0.0 } else { f64::from(state.padding) };
    let inner = outer.grown(-padding);
    let layout = layout::lay_out(text, state.face, inner.right - inner.left);
    let lines = places(&layout, state, inner);
    match state.behind {
        TextBox::None | TextBox::Fill => {}
        TextBox::Fit => base = around(&lines).grown(padding).paint(base, state.behind_color),
        TextBox::Line => {
            for line in lines.iter().filter(|line| line.right > line.left) {
                base = line.grown(padding).paint(base, state.behind_color);
            }
        }
    }
    let Color { red, green, blue, alpha } = state.color;
    let fill =
        format!(" fill=\"#{red:02x}{green:02x}{blue:02x}\" fill-opacity=\"{}\"", f64::from(alpha) / f64::from(u8::MAX));
    // Measured from the text itself, so that numbers stay small wherever the box is.
    let origin = around(&lines);
    let placed = lines.iter().zip(&layout.lines).map(|(area, line)| {
        let (x, y) = ((area.left - origin.left).round(), (area.top - origin.top + layout.ascent).round());
        (x, y, line.text.as_str())
    });
    let Some(tree) = layout::document(state.face, &fill, placed) else { return base };
    // Letters may reach over the edges of their lines.
    let reach = origin.grown(f64::from(size));
    let (left, right) = (whole(reach.left).max(0), whole(reach.right).min(i64::from(base.width)));
    let (top, bottom) = (whole(reach.top).max(0), whole(reach.bottom).min(i64::from(base.height)));
    let Some(width) = u32::try_from(right - left).ok().filter(|width| *width > 0) else { return base };
    let most = (STRIPE / width).max(1);
    let mut row = top;
    while row < bottom {
        let height = u32::try_from(bottom - row).unwrap_or(most).min(most);
        let Some(mut pixmap) = Pixmap::new(width, height) else { return base };
        let shift = (whole(origin.left) - left, whole(origin.top) - row);
        let transform = Transform::from_translate(shift.0 as f32, shift.1 as f32);
        resvg::render(&tree, transform, &mut pixmap.as_mut());
        let over = Bitmap { width, height, layout: Channels::Rgba, data: pixmap.take_demultiplied() };
        base = compose::overlay(base, &over, (left, row), 1.0);
        row += i64::from(height);
    }
    base
}

/// Where each line stands.
fn places(layout: &Layout, state: &State, inner: Area) -> Vec<Area> {
    let height = layout.line_height * layout.lines.len() as f64;
    let left_over = inner.bottom - inner.top - height;
    // What does not fit goes on below the box, never above.
    let above = match state.vertical {
        Vertical::Top => 0.0,
        Vertical::Center => (left_over / 2.0).max(0.0),
        Vertical::Bottom => left_over.max(0.0),
    };
    let mut top = inner.top + above;
    let place = |line: &layout::Line| {
        let left_over = inner.right - inner.left - line.width;
        let before = match state.horizontal {
            Horizontal::Left => 0.0,
            Horizontal::Center => left_over / 2.0,
            Horizontal::Right => left_over,
        };
        let left = inner.left + before;
        let area = Area { left, top, right: left + line.width, bottom: top + layout.line_height };
        top = area.bottom;
        area
    };
    layout.lines.iter().map(place).collect()
}

/// What all lines cover together.
fn around(lines: &[Area]) -> Area {
    let mut lines = lines.iter();
    let first = lines.next().copied().unwrap_or(Area { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 });
    lines.fold(first, |all, line| Area {
        left: all.left.min(line.left),
        top: all.top.min(line.top),
        right: all.right.max(line.right),
        bottom: all.bottom.max(line.bottom),
    })
}

fn whole(pixels: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a number of pixels; `as` saturates")]
    {
        pixels.round() as i64
    }
}

#[cfg(test)]
mod tests;
