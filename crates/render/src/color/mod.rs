//! Colour and light: the adjustments, `enhance`, `grayscale`, `invert` and the looks of `filter`. Steps that stand next to each other are
//! one pass over the pixels, and nothing is rounded to eight bits between them, as the vendor promises.
//!
//! Every step is a function of one pixel (`enhance` after a look at the whole picture), so a run of steps is one table of 256 entries for
//! each channel as long as no step mixes channels, and always for pictures that have one channel only.

mod enhance;
mod looks;
mod moves;
mod run;

use moves::Move;
pub(crate) use moves::from_light;
use run::Run;
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Adjustment, Step};

/// Whether [`apply`] does this step; a run is a row of such steps.
pub(crate) fn is_color(step: &Step) -> bool {
    matches!(step, Step::Adjust(..) | Step::Enhance(_) | Step::Grayscale | Step::Invert | Step::Filter { .. })
}

/// Applies a run of colour steps without rounding between them. Opacity is kept. One channel stays one channel unless the picture gets
/// coloured, then it becomes [`Layout::Rgb`]; inks become [`Layout::Rgb`]; other layouts stay. Steps of other kinds are passed over.
pub(crate) fn apply(bitmap: &mut Bitmap, run: &[Step]) {
    let mut moves = Vec::new();
    if run.iter().any(is_color) && bitmap.layout == Layout::Cmyk {
        crate::icc::press_to_rgb(bitmap);
    }
    for step in run {
        extend(&mut moves, step, bitmap);
    }
    if !moves.is_empty() {
        Run::new(&moves).apply(bitmap);
    }
}

/// Adds what one step does. Neutral values add nothing, so that they cost nothing and change nothing.
fn extend(moves: &mut Vec<Move>, step: &Step, bitmap: &Bitmap) {
    match *step {
        Step::Adjust(adjustment, value) if value != adjustment.range().2 => {
            let share = f32::from(value) / 100.0;
            moves.push(match adjustment {
                Adjustment::Brightness => Move::brightness(share),
                Adjustment::Exposure => Move::exposure(share),
                Adjustment::Gamma => Move::gamma(share),
                Adjustment::Contrast => Move::contrast(share),
                Adjustment::Saturation => Move::Saturation(1.0 + share),
                Adjustment::Vibrance => Move::Vibrance(share),
                Adjustment::Warmth => Move::warmth(share),
            });
        }
        Step::Enhance(value) if value > 0 => enhance::extend(moves, f32::from(value) / 100.0, bitmap),
        Step::Grayscale => moves.push(Move::Saturation(0.0)),
        Step::Invert => moves.push(Move::invert()),
        Step::Filter { name, amount } if amount != 0 => {
            if let Some(look) = looks::LOOKS.get(usize::from(name)) {
                moves.push(look.at(f32::from(amount) / 100.0));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
