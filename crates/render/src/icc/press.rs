//! Inks to sRGB without a profile. The vendor assumes a coated web press (SWOP) then; profiles of such presses are not free, so this is a model
//! of one: the sixteen colours that four inks make where they lie over each other or not (Neugebauer), mixed in linear light by how much paper each
//! covers (Demichel), with dots that print larger than they are. The sixteen are those that design programs show for
//! the solid inks; where screens cannot show them they are below 0.

use crate::color::from_light;
use std::sync::LazyLock;
use stowage_codecs::{Bitmap, Layout};

/// Red, green, blue in linear light, and nothing: four numbers suit the vector units.
type Light = [f32; 4];

/// Paper under each mixture of cyan (1), magenta (2), yellow (4).
const SOLIDS: [Light; 8] = [
    [1.0, 1.0, 1.0, 0.0],
    [-0.27, 0.423, 0.863, 0.0],
    [0.84, -0.02, 0.262, 0.0],
    [0.027, 0.031, 0.287, 0.0],
    [1.0, 0.888, -0.03, 0.0],
    [-0.1, 0.381, 0.082, 0.0],
    [0.847, 0.012, 0.018, 0.0],
    [0.037, 0.034, 0.036, 0.0],
];

/// The same under black.
const BLACKS: [Light; 8] = [
    [0.017, 0.014, 0.014, 0.0],
    [0.0, 0.003, 0.006, 0.0],
    [0.012, 0.0, 0.003, 0.0],
    [0.0, 0.0, 0.002, 0.0],
    [0.014, 0.011, 0.0, 0.0],
    [0.0, 0.002, 0.0, 0.0],
    [0.011, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 0.0],
];

/// How much a dot of half the paper grows, times four: cyan, magenta and yellow, then black, of which small dots grow more than large ones.
const GROWTH: f32 = 0.62;
const GROWTH_OF_BLACK: f32 = 0.85;
const MORE_WHERE_SMALL: f32 = 0.3;

/// Places of the table from linear light to bytes.
const FINE: usize = 8191;
const PLACES: usize = FINE + 1;

struct Press {
    /// How much paper each ink covers.
    color: [f32; 256],
    black: [f32; 256],
    /// From linear light to bytes.
    bytes: Box<[u8; PLACES]>,
}

static PRESS: LazyLock<Press> = LazyLock::new(Press::new);

/// Makes sRGB of inks in place of what no profile says. Pictures of other layouts stay.
pub(crate) fn press_to_rgb(bitmap: &mut Bitmap) {
    if bitmap.layout != Layout::Cmyk {
        return;
    }
    let press = &*PRESS;
    let inks = bitmap.data.as_chunks::<4>().0;
    let mut data = vec![0; inks.len() * 3];
    // Print has large areas of one colour.
    let mut last = ([0; 4], press.at([0; 4]));
    for (inks, color) in inks.iter().zip(data.as_chunks_mut::<3>().0) {
        if *inks != last.0 {
            last = (*inks, press.at(*inks));
        }
        *color = last.1;
    }
    bitmap.data = data;
    bitmap.layout = Layout::Rgb;
}

impl Press {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255.5, rounded down on purpose")]
    fn new() -> Self {
        let mut press = Self { color: [0.0; 256], black: [0.0; 256], bytes: Box::new([0; PLACES]) };
        for (value, (color, black)) in press.color.iter_mut().zip(&mut press.black).enumerate() {
            let ink = value as f32 / 255.0;
            *color = ink + GROWTH * ink * (1.0 - ink);
            *black = ink + GROWTH_OF_BLACK * ink * (1.0 - ink) * (1.0 + MORE_WHERE_SMALL * (1.0 - 2.0 * ink));
        }
        for (place, byte) in press.bytes.iter_mut().enumerate() {
            *byte = (from_light(place as f32 / FINE as f32) * 255.0 + 0.5) as u8;
        }
        press
    }

    #[inline]
    fn at(&self, [cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
        let [cyan, magenta, yellow] = [cyan, magenta, yellow].map(|ink| self.color[usize::from(ink)]);
        let black = self.black[usize::from(black)];
        let under = |at: usize| between(SOLIDS[at], BLACKS[at], black);
        let row = |at: usize| between(under(at), under(at + 1), cyan);
        let side = |at: usize| between(row(at), row(at + 2), magenta);
        let light = between(side(0), side(4), yellow);
        [0, 1, 2].map(|channel| self.byte(light[channel]))
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the table")]
    fn byte(&self, light: f32) -> u8 {
        self.bytes[(light.clamp(0.0, 1.0) * FINE as f32 + 0.5) as u16 as usize % PLACES]
    }
}

#[inline]
fn between(one: Light, other: Light, way: f32) -> Light {
    let mut light = one;
    for (light, other) in light.iter_mut().zip(other) {
        *light += (other - *light) * way;
    }
    light
}
