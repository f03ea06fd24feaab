//! How large anything may become, and what a picture will cost, told from its size and the operations before a single pixel is
//! decoded.

use crate::RenderError;
use crate::plan::Plan;
use crate::source::{Decoder, Raw};
use stowage_image::operations::Operations;
use stowage_model::{FileId, ImageInfo};

/// How large anything may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest source in bytes.
    pub max_source_bytes: u64,
    /// The largest area in pixels of a source and of anything on the way to the result.
    pub max_pixels: u64,
    /// The longest side in pixels of a source and of anything on the way to the result.
    pub max_side: u32,
    /// The most memory in bytes for pixels at any time.
    pub max_memory: u64,
    /// The longest side in pixels of a result.
    pub max_output_side: u32,
    /// The same where JPEG is asked for by name.
    pub max_jpeg_side: u32,
    /// How many pixels all steps together may work on.
    pub max_work: u64,
    /// The largest SVG in bytes.
    pub max_svg_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_source_bytes: 100_000_000,
            max_pixels: 75_000_000,
            max_side: 30_000,
            max_memory: 512 * 1024 * 1024,
            max_output_side: 3000,
            max_jpeg_side: 5000,
            max_work: 750_000_000,
            max_svg_bytes: 5_000_000,
        }
    }
}

impl Limits {
    /// What decoders are told.
    pub(crate) fn decoding(&self) -> stowage_codecs::Limits {
        stowage_codecs::Limits { max_pixels: self.max_pixels, max_side: self.max_side, max_memory: self.max_memory }
    }

    /// What the reader of facts is told.
    pub(crate) fn probing(&self) -> stowage_image::Limits {
        stowage_image::Limits {
            max_pixels: self.max_pixels,
            max_side: self.max_side,
            max_bytes: self.max_source_bytes,
            max_svg_bytes: self.max_svg_bytes,
            ..stowage_image::Limits::default()
        }
    }

    /// Refuses a size that nothing on the way may have.
    pub(crate) fn check_step(&self, (width, height): (u32, u32)) -> Result<(), RenderError> {
        if width.max(height) > self.max_side || u64::from(width) * u64::from(height) > self.max_pixels {
            let why = format!("A step would make a picture of {width}x{height} pixels, which is more than is allowed.");
            return Err(RenderError::TooLarge(why));
        }
        Ok(())
    }

    /// Refuses a size that no result may have.
    pub(crate) fn check_output(&self, (width, height): (u32, u32), jpeg: bool) -> Result<(), RenderError> {
        let most = if jpeg { self.max_jpeg_side } else { self.max_output_side };
        if width.max(height) > most {
            let why =
                format!("The picture would have {width}x{height} pixels; at most {most} on each side are allowed.");
            return Err(RenderError::TooLarge(why));
        }
        Ok(())
    }
}

/// What a picture will cost, at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Bytes of memory beyond the files themselves.
    pub memory: u64,
    /// Whether it takes longer than a thumbnail does, the time for encoding AVIF left aside.
    pub heavy: bool,
    /// The area of the result in pixels; as AVIF anything above 50,000 is heavy.
    pub output_pixels: u64,
}

/// Pixels whose decoding and other work take about as long as a thumbnail of a usual photo may.
const LIGHT_WORK: u64 = 16_000_000;

/// What a picture of this size, upright, will cost; `overlays` tells the facts of the files that `Operations::overlays` names.
/// Operations over the limits cost next to nothing: they are refused.
pub fn estimate<'a>(
    size: (u32, u32),
    operations: &Operations,
    overlays: &dyn Fn(FileId) -> Option<&'a ImageInfo>,
) -> Cost {
    let raw = |id| {
        let raw = Raw::new(overlays(id)?, true);
        // How it is decoded is not known for sure, and a decoder that shrinks may need the memory all the same.
        Some(if raw.decoder == Decoder::Shrinks { Raw::whole(raw.size) } else { raw })
    };
    match Plan::new(Raw::whole(size), operations, &Limits { max_memory: u64::MAX, ..Limits::default() }, &raw) {
        Ok(plan) => Cost { memory: plan.memory, heavy: plan.work > LIGHT_WORK, output_pixels: plan.output_pixels },
        Err(_) => Cost { memory: 0, heavy: false, output_pixels: 0 },
    }
}
