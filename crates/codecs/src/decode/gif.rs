//! GIF: the first frame on its canvas, or all of them one after the other.

use super::{Ask, DecodeError, Decoded, Limits, pixels};
use crate::{Bitmap, Layout};
use gif::{DecodingError, DisposalMethod, MemoryLimit};
use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes that decoding takes for each pixel: the canvas, the one before it, a frame's indices, the result.
pub(super) const COST: u64 = 13;
/// Browsers show frames that want to be shorter than this for a tenth of a second.
const SHORTEST: u16 = 2;
const HURRIED: u16 = 10;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let mut canvas = Canvas::open(bytes, &ask.limits)?;
    if !canvas.draw()? {
        return Err(DecodeError::Damaged("it has no frame".to_owned()));
    }
    let (layout, data) = pixels::without_opaque_alpha(std::mem::take(&mut canvas.data));
    let decoded = Decoded::plain(pixels::bitmap(canvas.size, layout, data)?);
    let icc = canvas.decoder.icc_profile().map(<[u8]>::to_vec);
    // A second frame that cannot be read is none.
    let is_sequence = canvas.decoder.next_frame_info().is_ok_and(|frame| frame.is_some());
    Ok(Decoded { is_sequence, ..decoded.with_icc(icc) })
}

/// The area on which frames are drawn.
pub(super) struct Canvas<'a> {
    decoder: gif::Decoder<&'a [u8]>,
    limits: Limits,
    size: (u32, u32),
    /// RGBA, what is shown now.
    data: Vec<u8>,
    /// How the frame that is shown goes before the next one is drawn, and where it is.
    disposal: DisposalMethod,
    frame: Area,
    /// What was there before it, if that comes back.
    before: Option<Vec<u8>>,
    indices: Vec<u8>,
}

/// A part of the canvas in pixels.
#[derive(Clone, Copy, Default)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl<'a> Canvas<'a> {
    /// Reads the header.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut options = gif::DecodeOptions::new();
        options.allow_unknown_blocks(true);
        options.set_memory_limit(NonZeroU64::new(limits.max_memory).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
        let decoder = options.read_info(bytes).map_err(|error| refuse(&error))?;
        let size = (u32::from(decoder.width()), u32::from(decoder.height()));
        limits.admit(size, COST)?;
        let data = pixels::zeroed(size.0 as usize * size.1 as usize * 4)?;
        let (disposal, frame) = (DisposalMethod::Keep, Area::default());
        Ok(Self { decoder, limits: *limits, size, data, disposal, frame, before: None, indices: Vec::new() })
    }

    /// Draws the next frame; says whether there was one.
    pub(super) fn draw(&mut self) -> Result<bool, DecodeError> {
        self.dispose();
        let Some(info) = self.decoder.next_frame_info().map_err(|error| refuse(&error))? else { return Ok(false) };
        let frame =
            Area { left: info.left.into(), top: info.top.into(), width: info.width.into(), height: info.height.into() };
        let (disposal, transparent) = (info.dispose, info.transparent);
        self.limits.admit((info.width.into(), info.height.into()), COST)?;
        self.indices.clear();
        self.indices.resize(self.decoder.buffer_size(), 0);
        self.decoder.read_into_buffer(&mut self.indices).map_err(|error| refuse(&error))?;
        if disposal == DisposalMethod::Previous {
            self.before = Some(self.data.clone());
        }
        (self.frame, self.disposal) = (frame, disposal);
        let palette = self.decoder.palette().map_err(|error| refuse(&error))?.as_chunks::<3>().0;
        for (row, indices) in self.indices.chunks_exact(frame.width).enumerate() {
            let Some(line) = row_of(&mut self.data, self.size, frame, row) else { break };
            for (pixel, &index) in line.as_chunks_mut::<4>().0.iter_mut().zip(indices) {
                // Colours that the palette lacks leave the canvas as it is, as transparent ones do.
                if let Some(&[r, g, b]) = palette.get(usize::from(index))
                    && transparent != Some(index)
                {
                    *pixel = [r, g, b, u8::MAX];
                }
            }
        }
        Ok(true)
    }

    /// The frame that is shown, and for how long.
    pub(super) fn shown(&self) -> (Bitmap, Duration) {
        let delay = self.decoder.current_frame_info().map_or(0, |frame| frame.delay);
        let delay = if delay < SHORTEST { HURRIED } else { delay };
        let bitmap = Bitmap { width: self.size.0, height: self.size.1, layout: Layout::Rgba, data: self.data.clone() };
        (bitmap, Duration::from_millis(u64::from(delay) * 10))
    }

    /// Takes away the frame that is shown, as it wants to be.
    fn dispose(&mut self) {
        match self.disposal {
            DisposalMethod::Any | DisposalMethod::Keep => {}
            DisposalMethod::Background => {
                for row in 0..self.frame.height {
                    let Some(line) = row_of(&mut self.data, self.size, self.frame, row) else { break };
                    line.fill(0);
                }
            }
            DisposalMethod::Previous => {
                if let Some(before) = self.before.take() {
                    self.data = before;
                }
            }
        }
        self.disposal = DisposalMethod::Keep;
    }
}

/// The part of an area's row that lies on the canvas; none below it.
fn row_of(data: &mut [u8], size: (u32, u32), area: Area, row: usize) -> Option<&mut [u8]> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let top = area.top + row;
    if top >= height {
        return None;
    }
    let (left, right) = (area.left.min(width), (area.left + area.width).min(width));
    data.get_mut((top * width + left) * 4..(top * width + right) * 4)
}

fn refuse(error: &DecodingError) -> DecodeError {
    match error {
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => {
            DecodeError::TooLarge("it takes too much memory".to_owned())
        }
        error => DecodeError::Damaged(error.to_string()),
    }
}
