//! Coded pictures to planes of samples.

use super::super::DecodeError;
use oxideav_av1::Error;
use oxideav_av1::decoder::{SpecDecodeSession, SpecFrame};
use oxideav_av1::obu::parse_obu;
use oxideav_av1::sequence_header::{ColorConfig, parse_sequence_header};

/// Types of the units that a coded picture consists of.
const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
/// A picture has one frame, a layered one a few; a film would take its time.
const MAX_FRAMES: u64 = 4;
/// The most units, of whatever kind.
const MAX_UNITS: usize = 4096;

/// Bytes that decoding a frame takes for each pixel, measured: where colours have a quarter of the samples, and where they have more.
const SMALL_COST: u64 = 13;
pub(in super::super) const COST: u64 = 24;

/// A decoded frame.
pub(super) struct Coded {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Brightness and, unless it is grey, two differences of colour.
    pub(super) planes: Vec<Plane>,
    /// 8, 10 or 12.
    pub(super) bits: u8,
    pub(super) color: ColorConfig,
}

/// Samples, row by row.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    /// One byte each, or two where there are more than eight bits, the low one first.
    data: Vec<u8>,
    wide: bool,
}

impl Plane {
    /// A row of samples, as floats.
    pub(super) fn row(&self, y: usize, samples: &mut Vec<f32>) {
        samples.clear();
        let row = y.min(self.height - 1) * self.width;
        if self.wide {
            let row = &self.data[row * 2..(row + self.width) * 2];
            samples.extend(row.as_chunks::<2>().0.iter().map(|pair| f32::from(u16::from_le_bytes(*pair))));
        } else {
            samples.extend(self.data[row..row + self.width].iter().map(|sample| f32::from(*sample)));
        }
    }
}

/// Decodes a picture of so many pixels at most, with so many bytes of memory.
pub(super) fn decode(data: &[u8], max_pixels: u64, max_memory: u64) -> Result<Coded, DecodeError> {
    let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
    let (color, frames) = check(data)?;
    let cost = match (color.mono_chrome, color.subsampling_x, color.subsampling_y) {
        (true, ..) | (_, true, true) => SMALL_COST,
        _ => COST,
    };
    // Every frame of a layered picture stays until the last is decoded.
    let max_pixels = max_pixels.min(max_memory / (cost * frames.max(1)));
    let mut session = SpecDecodeSession::new();
    session.set_max_picture_size(u32::try_from(max_pixels).unwrap_or(u32::MAX));
    let frames = session.decode_temporal_unit(data).map_err(|error| match error {
        Error::PictureSizeExceedsLimit => DecodeError::TooLarge("a coded picture in it".to_owned()),
        error => DecodeError::Damaged(error.to_string()),
    })?;
    // The last of several layers is the finest.
    let frame = frames.into_iter().next_back().ok_or_else(|| damaged("it shows no frame"))?;
    Coded::new(frame, color).ok_or_else(|| damaged("its planes do not hold together"))
}

/// What the units say about colours, and how many frames there are; a refusal where there are too many.
fn check(data: &[u8]) -> Result<(ColorConfig, u64), DecodeError> {
    let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
    let refuse = |error: Error| DecodeError::Damaged(error.to_string());
    let (mut rest, mut sequence, mut frames) = (data, None, 0);
    for _ in 0..MAX_UNITS {
        if rest.is_empty() {
            let sequence = sequence.ok_or_else(|| damaged("it says nothing about its sequence"))?;
            return Ok((parse_sequence_header(sequence).map_err(refuse)?.color_config, frames));
        }
        let (unit, len) = parse_obu(rest).map_err(refuse)?;
        match unit.obu_type.as_raw() {
            SEQUENCE_HEADER if *sequence.get_or_insert(unit.payload) != unit.payload => {
                return Err(damaged("it says two things about its sequence"));
            }
            FRAME_HEADER | FRAME => frames += 1,
            _ => {}
        }
        rest = rest.get(len.max(1)..).unwrap_or_default();
        if frames > MAX_FRAMES {
            break;
        }
    }
    Err(DecodeError::Unsupported("it is coded like a film".to_owned()))
}

impl Coded {
    fn new(frame: SpecFrame, color: ColorConfig) -> Option<Self> {
        let wide = frame.bit_depth > 8;
        let mut planes = Vec::with_capacity(frame.planes.len());
        for (data, (width, height)) in frame.planes.into_iter().zip(frame.plane_dims) {
            let (width, height) = (width as usize, height as usize);
            let len = width * height * if wide { 2 } else { 1 };
            if len == 0 || data.len() < len {
                return None;
            }
            planes.push(Plane { width, height, data, wide });
        }
        let whole = (frame.width as usize, frame.height as usize);
        let fits =
            matches!(planes.len(), 1 | 3) && planes.first().is_some_and(|plane| (plane.width, plane.height) == whole);
        fits.then_some(Self { width: frame.width, height: frame.height, planes, bits: frame.bit_depth, color })
    }
}
