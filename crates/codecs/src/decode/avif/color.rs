//! From brightness and differences of colour to red, green and blue.

use super::super::heif::{Cursor, Part};
use super::coded::{Coded, Plane};

/// Codes of matrices, as every video standard has them.
const IDENTITY: u8 = 0;
const UNKNOWN: u8 = 2;
const GREEN_ORANGE: u8 = 8;

/// How samples were made from colours.
#[derive(Clone, Copy)]
pub(super) struct Signal {
    matrix: u8,
    full_range: bool,
}

impl Signal {
    /// What the container says; it overrules the coded picture.
    pub(super) fn announced(properties: &[Part<'_>]) -> Option<Self> {
        let colors = properties.iter().filter(|part| part.kind == *b"colr");
        let body = colors.into_iter().find_map(|part| part.body.strip_prefix(b"nclx"))?;
        let mut cursor = Cursor(body.get(4..)?);
        let matrix = u8::try_from(cursor.number(2)?).unwrap_or(UNKNOWN);
        Some(Self { matrix, full_range: cursor.number(1)? & 0x80 != 0 })
    }
}

/// Samples to numbers around 0 to 1 for brightness and -0.5 to 0.5 for differences.
struct Scale {
    black: f32,
    bright: f32,
    middle: f32,
    difference: f32,
}

impl Scale {
    fn new(bits: u8, full_range: bool) -> Self {
        let unit = f32::from(1_u16 << (bits - 8));
        let highest = f32::from((1_u16 << (bits - 1)) - 1) * 2.0 + 1.0;
        if full_range {
            Self { black: 0.0, bright: highest, middle: 128.0 * unit, difference: highest }
        } else {
            Self { black: 16.0 * unit, bright: 219.0 * unit, middle: 128.0 * unit, difference: 224.0 * unit }
        }
    }
}

/// Draws a coded picture on a canvas of red, green and blue at a place; what hangs over its edges is cut off.
pub(super) fn draw(coded: &Coded, signal: Option<Signal>, canvas: &mut [u8], size: (u32, u32), at: (usize, usize)) {
    let own = Signal { matrix: coded.color.matrix_coefficients, full_range: coded.color.color_range };
    let Signal { matrix, full_range } = signal.unwrap_or(own);
    let scale = Scale::new(coded.bits, full_range);
    let (width, height) = (size.0 as usize, size.1 as usize);
    let columns = (coded.width as usize).min(width.saturating_sub(at.0));
    let rows = (coded.height as usize).min(height.saturating_sub(at.1));
    let (mut bright, mut blue, mut red) = (Vec::new(), Vec::new(), Vec::new());
    let mut near = (Vec::new(), Vec::new());
    for y in 0..rows {
        let from = ((at.1 + y) * width + at.0) * 3;
        let line = canvas[from..from + columns * 3].as_chunks_mut::<3>().0;
        coded.planes[0].row(y, &mut bright);
        let [_, first, second] = coded.planes.as_slice() else {
            for (pixel, sample) in line.iter_mut().zip(&bright) {
                *pixel = [byte((sample - scale.black) / scale.bright); 3];
            }
            continue;
        };
        widen(first, (coded.width, coded.height), y, &mut near, &mut blue);
        widen(second, (coded.width, coded.height), y, &mut near, &mut red);
        if matrix == IDENTITY {
            // The planes are green, blue and red themselves.
            let level = |sample: f32| byte((sample - scale.black) / scale.bright);
            for (((pixel, g), b), r) in line.iter_mut().zip(&bright).zip(&blue).zip(&red) {
                *pixel = [level(*r), level(*g), level(*b)];
            }
            continue;
        }
        for (((pixel, y), cb), cr) in line.iter_mut().zip(&bright).zip(&blue).zip(&red) {
            let y = (y - scale.black) / scale.bright;
            let (cb, cr) = ((cb - scale.middle) / scale.difference, (cr - scale.middle) / scale.difference);
            let [r, g, b] =
                if matrix == GREEN_ORANGE { [y - cb + cr, y + cb, y - cb - cr] } else { convert(matrix, y, cb, cr) };
            *pixel = [byte(r), byte(g), byte(b)];
        }
    }
}

/// Red, green and blue by the shares of red and blue in brightness.
fn convert(matrix: u8, y: f32, cb: f32, cr: f32) -> [f32; 3] {
    let (kr, kb) = match matrix {
        1 => (0.2126, 0.0722),
        4 => (0.3, 0.11),
        7 => (0.212, 0.087),
        9 | 10 => (0.2627, 0.0593),
        // BT.601, which is also what is meant where nothing is said.
        _ => (0.299, 0.114),
    };
    let kg = 1.0 - kr - kb;
    let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
    [r, y - (2.0 * kr * (1.0 - kr) * cr + 2.0 * kb * (1.0 - kb) * cb) / kg, b]
}

/// A float of 0 to 1 as a byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "such a cast stays within the bounds of its type, which is what colours that are too bright or too dark need"
)]
fn byte(level: f32) -> u8 {
    (level * 255.0 + 0.5) as u8
}

/// A row of a plane at the size of the whole picture. Samples of a smaller plane stand between pixels, so that each pixel takes
/// three quarters of the nearer and one of the farther one.
fn widen(plane: &Plane, size: (u32, u32), y: usize, near: &mut (Vec<f32>, Vec<f32>), row: &mut Vec<f32>) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    if plane.height == height {
        plane.row(y, &mut near.0);
    } else {
        let (nearer, farther) = neighbours(y, plane.height);
        plane.row(nearer, &mut near.0);
        plane.row(farther, &mut near.1);
        for (sample, other) in near.0.iter_mut().zip(&near.1) {
            *sample = *sample * 0.75 + other * 0.25;
        }
    }
    row.clear();
    if plane.width == width {
        row.extend_from_slice(&near.0);
    } else {
        row.extend((0..width).map(|x| {
            let (nearer, farther) = neighbours(x, plane.width);
            near.0[nearer] * 0.75 + near.0[farther] * 0.25
        }));
    }
}

/// The two samples next to a pixel, out of so many.
fn neighbours(at: usize, count: usize) -> (usize, usize) {
    let nearer = (at / 2).min(count - 1);
    let farther = if at.is_multiple_of(2) { nearer.saturating_sub(1) } else { (nearer + 1).min(count - 1) };
    (nearer, farther)
}
