//! From the bytes of a file to a picture on its way: what it is, told from its header, and then its pixels, as few of them as do.

use crate::geometry::{self, Dimensions};
use crate::picture::{ColorPolicy, Picture};
use crate::plan::{area, with_margin};
use crate::turn::Turn;
use crate::{Limits, RenderError, svg};
use stowage_codecs::Ask;
use stowage_image::operations::Srgb;
use stowage_model::ImageInfo;

/// The most pixels that are made of an SVG, whatever is cut out of it later.
const MAX_DRAWN: u64 = 16_000_000;

/// A picture that has not been decoded yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Raw {
    /// As the steps see it: turned upright or not.
    pub(crate) size: Dimensions,
    pub(crate) decoder: Decoder,
    /// Bytes of a pixel, at most.
    pub(crate) channels: u64,
}

/// How many pixels a decoder makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decoder {
    /// All that there are.
    Whole,
    /// A half, a quarter or an eighth of each side, where that does.
    Shrinks,
    /// As many as are asked for: an SVG has none of its own.
    Draws,
}

impl Raw {
    /// A picture of which nothing but the size is known.
    pub(crate) fn whole(size: Dimensions) -> Self {
        Self { size, decoder: Decoder::Whole, channels: 4 }
    }

    /// A picture with these facts.
    pub(crate) fn new(facts: &ImageInfo, upright: bool) -> Self {
        let decoder = match facts.format.as_str() {
            "JPEG" => Decoder::Shrinks,
            "SVG" => Decoder::Draws,
            _ => Decoder::Whole,
        };
        let channels = match facts.color_mode.as_deref() {
            Some("1" | "L") => 1,
            Some("RGB" | "YCbCr") => 3,
            _ => 4,
        };
        Self { size: size(facts, upright), decoder, channels }
    }

    /// How many pixels are decoded where the whole picture is going to be scaled to `target`.
    pub(crate) fn decoded(&self, target: Dimensions) -> u64 {
        let enough = with_margin(target);
        let fits = |by: &&u32| self.size.0 / **by >= enough.0 && self.size.1 / **by >= enough.1;
        match self.decoder {
            Decoder::Whole => area(self.size),
            Decoder::Shrinks => {
                let by = u64::from([8, 4, 2].iter().find(fits).copied().unwrap_or(1));
                area(self.size) / (by * by)
            }
            Decoder::Draws => area(target).min(MAX_DRAWN),
        }
    }
}

/// A picture and what came with it.
pub(crate) struct Opened {
    pub(crate) picture: Picture,
    /// EXIF data, beginning with `II` or `MM`.
    pub(crate) exif: Option<Vec<u8>>,
}

/// The facts of a picture that may be processed.
pub(crate) fn facts(bytes: &[u8], limits: &Limits) -> Result<ImageInfo, RenderError> {
    let probe = stowage_image::probe_head(bytes, bytes.len() as u64, &limits.probing());
    probe.and_then(|probe| probe.content.image).ok_or(RenderError::NotAnImage)
}

/// Whether a picture with these facts is an SVG.
pub(crate) fn is_svg(facts: &ImageInfo) -> bool {
    facts.format == "SVG"
}

/// The size of a picture as the steps see it: turned upright or not.
pub(crate) fn size(facts: &ImageInfo, upright: bool) -> Dimensions {
    let turned = facts.orientation.is_some_and(|orientation| (5..=8).contains(&orientation));
    if turned && !upright { (facts.height, facts.width) } else { (facts.width, facts.height) }
}

/// How much of a picture is needed, as the steps see it; without a wish all of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// What the whole picture is going to be scaled to.
    pub(crate) target: Option<Dimensions>,
    /// A size that suffices for that.
    pub(crate) at_least: Option<Dimensions>,
}

/// Decodes.
pub(crate) fn open(
    bytes: &[u8],
    facts: &ImageInfo,
    wish: Wish,
    upright: bool,
    policy: ColorPolicy,
    limits: &Limits,
) -> Result<Opened, RenderError> {
    if is_svg(facts) {
        return draw(bytes, wish.target, policy, limits);
    }
    let stored = if upright { facts.orientation.and_then(|number| u8::try_from(number).ok()).unwrap_or(1) } else { 1 };
    let at_least = wish.at_least.map(|size| Turn::upright(stored).size(size));
    let decoded = stowage_codecs::decode(bytes, &Ask { limits: limits.decoding(), at_least })?;
    let turn = if upright { Turn::upright(decoded.orientation) } else { Turn::default() };
    let picture = Picture::new(decoded.bitmap, decoded.full, turn, decoded.icc, policy);
    Ok(Opened { picture, exif: decoded.exif })
}

/// Makes pixels of an SVG, as many as the first scaling asks for.
fn draw(bytes: &[u8], target: Option<Dimensions>, policy: ColorPolicy, limits: &Limits) -> Result<Opened, RenderError> {
    let full = svg::size(bytes)?;
    limits.check_step(full)?;
    let (width, height) = target.unwrap_or(full);
    let scale = (MAX_DRAWN as f64 / area((width, height)) as f64).sqrt().min(1.0);
    let most = (geometry::pixels(f64::from(width) * scale), geometry::pixels(f64::from(height) * scale));
    let bitmap = svg::rasterize(bytes, Some(most), limits)?;
    let policy = ColorPolicy { srgb: Srgb::Fast, ..policy };
    Ok(Opened { picture: Picture::new(bitmap, full, Turn::default(), None, policy), exif: None })
}
