//! A run of moves over the pixels of a picture: tables where they suffice, else a few hundred pixels at a time in `f32`, one move after the
//! other, so that the compiler can use the vector units.

use super::moves::{self, Move, Tone};
use stowage_codecs::{Bitmap, Layout};

/// Pixels that are worked on at a time: what they take stays in the nearest cache.
const LANES: usize = 256;

/// Places of a table over values that are not yet rounded. Three such tables still fit into the nearest cache.
const FINE: usize = 1024;
const PLACES: usize = 2 * FINE;

/// Added to a small number, this rounds it to a whole one, which then stands in the lowest bits: far cheaper than a conversion.
const ROUNDED: f32 = 12_582_912.0;

/// One channel of the pixels that are worked on.
type Lane = [f32; LANES];

/// A run of moves.
pub(super) struct Run<'a> {
    moves: &'a [Move],
}

/// A table over 0 to 1 with straight lines between its places. Those behind `FINE` only spare the compiler its checks.
struct Table(Box<[f32; PLACES + 1]>);

/// A move over many pixels.
enum Work {
    Tones([Table; 3]),
    /// Tones that rise so steeply that no table follows them.
    Steep(Vec<[Tone; 3]>),
    Saturation(f32),
    Vibrance(f32),
    Look(f32, [Table; 3], f32),
}

impl<'a> Run<'a> {
    /// The moves in their order.
    pub(super) fn new(moves: &'a [Move]) -> Self {
        Self { moves }
    }

    /// What becomes of one pixel.
    pub(super) fn at(&self, pixel: [f32; 3]) -> [f32; 3] {
        self.moves.iter().fold(pixel, |pixel, step| step.at(pixel))
    }

    /// Applies the run to every pixel.
    pub(super) fn apply(&self, bitmap: &mut Bitmap) {
        match bitmap.layout {
            Layout::Gray => self.gray(bitmap),
            Layout::Rgb | Layout::Cmyk => self.color::<3>(&mut bitmap.data),
            Layout::Rgba => self.color::<4>(&mut bitmap.data),
        }
    }

    /// There are only 256 pixels to think of.
    fn gray(&self, bitmap: &mut Bitmap) {
        let pixels: Vec<[u8; 3]> = (0..=255).map(|value| self.at([unit(value); 3]).map(byte)).collect();
        if pixels.iter().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
            for value in &mut bitmap.data {
                *value = pixels[usize::from(*value)][0];
            }
        } else {
            bitmap.data = bitmap.data.iter().flat_map(|value| pixels[usize::from(*value)]).collect();
            bitmap.layout = Layout::Rgb;
        }
    }

    fn color<const CHANNELS: usize>(&self, data: &mut [u8]) {
        let leading = self.moves.iter().take_while(|step| matches!(step, Move::Tones(_))).count();
        let (tones, rest) = self.moves.split_at(leading);
        let first = Run::new(tones).first();
        if rest.is_empty() {
            let tables = first.map(|table| table.map(byte));
            for pixel in data.as_chunks_mut::<CHANNELS>().0 {
                for channel in 0..3 {
                    pixel[channel] = tables[channel][usize::from(pixel[channel])];
                }
            }
            return;
        }
        let works = works(rest);
        let mut lanes = [[0.0; LANES]; 3];
        for pixels in data.as_chunks_mut::<CHANNELS>().0.chunks_mut(LANES) {
            for (at, pixel) in pixels.iter().enumerate() {
                for channel in 0..3 {
                    lanes[channel][at] = first[channel][usize::from(pixel[channel])];
                }
            }
            for work in &works {
                work.over(&mut lanes);
            }
            // Rounded channel by channel, which is where the vector units help.
            let [red, green, blue] = lanes.each_ref().map(|lane| lane.map(byte));
            for (((pixel, red), green), blue) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
                (pixel[0], pixel[1], pixel[2]) = (red, green, blue);
            }
        }
    }

    /// What the moves, which keep channels apart, make of each stored value of each channel.
    fn first(&self) -> [[f32; 256]; 3] {
        let mut tables = [[0.0; 256]; 3];
        for value in 0..=255 {
            let pixel = self.at([unit(value); 3]);
            for channel in 0..3 {
                tables[channel][usize::from(value)] = pixel[channel];
            }
        }
        tables
    }
}

/// Puts neighbouring moves that keep channels apart into one table.
fn works(mut moves: &[Move]) -> Vec<Work> {
    let mut works = Vec::new();
    while let Some((first, rest)) = moves.split_first() {
        moves = rest;
        match first {
            Move::Saturation(factor) => works.push(Work::Saturation(*factor)),
            Move::Vibrance(share) => works.push(Work::Vibrance(*share)),
            Move::Look(saturation, tones, share) => {
                works.push(Work::Look(*saturation, tones.map(|tone| Table::of(|value| tone.at(value))), *share));
            }
            Move::Tones(tones) => {
                let mut group: Vec<[Tone; 3]> = vec![*tones];
                while let Some((Move::Tones(tones), rest)) = moves.split_first() {
                    group.push(*tones);
                    moves = rest;
                }
                let exact = |channel: usize, value| toned(&group, channel, value);
                let tables = [0, 1, 2].map(|channel| Table::of(|value| exact(channel, value)));
                let follow = (0..3).all(|channel| tables[channel].follows(|value| exact(channel, value)));
                works.push(if follow { Work::Tones(tables) } else { Work::Steep(group) });
            }
        }
    }
    works
}

impl Work {
    fn over(&self, [red, green, blue]: &mut [Lane; 3]) {
        match self {
            Self::Tones(tables) => {
                for (table, lane) in tables.iter().zip([red, green, blue]) {
                    for value in lane {
                        *value = table.at(*value);
                    }
                }
            }
            Self::Steep(group) => {
                for (channel, lane) in [red, green, blue].into_iter().enumerate() {
                    for value in lane {
                        *value = toned(group, channel, *value);
                    }
                }
            }
            Self::Saturation(factor) => {
                for at in 0..LANES {
                    [red[at], green[at], blue[at]] = moves::saturate([red[at], green[at], blue[at]], *factor);
                }
            }
            Self::Vibrance(share) => {
                for at in 0..LANES {
                    let pixel = [red[at], green[at], blue[at]];
                    [red[at], green[at], blue[at]] = moves::saturate(pixel, moves::vibrance(pixel, *share));
                }
            }
            Self::Look(saturation, tables, share) => {
                let mut look = [*red, *green, *blue];
                Self::Saturation(*saturation).over(&mut look);
                for ((table, look), lane) in tables.iter().zip(&look).zip([red, green, blue]) {
                    for (value, look) in lane.iter_mut().zip(look) {
                        *value = moves::mix(*value, table.at(*look), *share);
                    }
                }
            }
        }
    }
}

/// What moves that keep channels apart make of a value of one of them.
fn toned(group: &[[Tone; 3]], channel: usize, value: f32) -> f32 {
    group.iter().fold(value, |value, tones| tones[channel].at(value))
}

impl Table {
    fn of(function: impl Fn(f32) -> f32) -> Self {
        let mut places = Box::new([0.0; PLACES + 1]);
        for (place, value) in places.iter_mut().enumerate() {
            *value = function((place as f32 / FINE as f32).min(1.0));
        }
        Self(places)
    }

    /// Whether the straight lines stay close to the function: within a third of what a stored value is rounded by.
    fn follows(&self, function: impl Fn(f32) -> f32) -> bool {
        (0..FINE).all(|place| {
            let between = (place as f32 + 0.5) / FINE as f32;
            (self.at(between) - function(between)).abs() < 0.33 / 255.0
        })
    }

    /// The value must be within 0 and 1.
    #[inline]
    fn at(&self, value: f32) -> f32 {
        let place = value * FINE as f32;
        let below = place - 0.5 + ROUNDED;
        let from = below.to_bits() as usize % PLACES;
        let low = self.0[from];
        low + (self.0[from + 1] - low) * (place - (below - ROUNDED))
    }
}

/// A stored value within 0 and 1.
pub(super) fn unit(value: u8) -> f32 {
    f32::from(value) / 255.0
}

/// The nearest stored value. Moves end within 0 and 1.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is what is wanted")]
pub(super) fn byte(value: f32) -> u8 {
    (value * 255.0 + ROUNDED).to_bits() as u8
}
