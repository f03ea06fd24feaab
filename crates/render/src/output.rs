//! The last step: which format an answer has, how well it is encoded and what is written beside the pixels (url-api reference,
//! section 5).

use crate::pipeline::Made;
use crate::{Accept, Job, RenderError, Rendered, analyse, compose, quality};
use std::ops::RangeInclusive;
use stowage_codecs::{Bitmap, EncodeError, Extras, Layout};
use stowage_image::operations::{Color, Format, Quality};
use stowage_model::ImageInfo;

/// Below this area in pixels automatic formats may be AVIF: encoding takes about a second for a megapixel.
const MAX_AUTO_AVIF: u64 = 2_000_000;

/// The longest EXIF data that fits into a JPEG.
const MAX_JPEG_EXIF: usize = 65_527;

/// What an answer is encoded as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Jpeg,
    Png,
    Webp,
    Avif,
}

impl Target {
    /// The name of the format, as facts of pictures show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WEBP",
            Self::Avif => "AVIF",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
        }
    }
}

/// Whether the format depends on what the request accepts.
pub(crate) fn is_negotiated(job: &Job<'_>) -> bool {
    matches!(job.operations.settings.format, None | Some(Format::Auto))
}

/// The format of a picture that was made of one with these facts.
pub(crate) fn choose(job: &Job<'_>, facts: &ImageInfo, bitmap: &Bitmap) -> Target {
    match job.operations.settings.format.unwrap_or(Format::Auto) {
        Format::Jpeg => Target::Jpeg,
        Format::Png => Target::Png,
        Format::Webp => Target::Webp,
        Format::Avif => Target::Avif,
        // Inks that have come so far are those of a JPEG, see `is_jpeg_for_inks`.
        _ if bitmap.layout == Layout::Cmyk => Target::Jpeg,
        Format::Preserve => match facts.format.as_str() {
            "JPEG" => Target::Jpeg,
            "PNG" => Target::Png,
            _ if bitmap.layout == Layout::Rgba => Target::Png,
            _ => Target::Jpeg,
        },
        Format::Auto => automatic(job, bitmap),
    }
}

fn automatic(job: &Job<'_>, bitmap: &Bitmap) -> Target {
    let Accept { avif, webp } = accepted(job);
    if avif && u64::from(bitmap.width) * u64::from(bitmap.height) < MAX_AUTO_AVIF {
        Target::Avif
    } else if webp {
        Target::Webp
    } else if bitmap.layout == Layout::Rgba || analyse::looks_like_artwork(bitmap) {
        Target::Png
    } else {
        Target::Jpeg
    }
}

/// What automatic formats may be besides JPEG and PNG.
fn accepted(job: &Job<'_>) -> Accept {
    Accept { avif: job.accept.avif && job.options.avif, webp: job.accept.webp && job.options.webp }
}

/// Whether a source of inks can stay one: only JPEG is written with inks.
pub(crate) fn is_jpeg_for_inks(job: &Job<'_>, facts: &ImageInfo) -> bool {
    match job.operations.settings.format.unwrap_or(Format::Auto) {
        Format::Jpeg => true,
        Format::Preserve => facts.format == "JPEG",
        Format::Auto => accepted(job) == Accept::default(),
        Format::Png | Format::Webp | Format::Avif => false,
    }
}

/// Puts a picture on its background where the format has no transparency.
pub(crate) fn flatten_for(target: Target, bitmap: Bitmap, fill: Color) -> Bitmap {
    if target == Target::Jpeg { compose::flatten(bitmap, fill) } else { bitmap }
}

/// Encodes.
pub(crate) fn encode(job: &Job<'_>, made: Made, target: Target) -> Result<Rendered, RenderError> {
    let bitmap = flatten_for(target, made.bitmap, made.fill);
    let exif = made.exif.as_deref().filter(|exif| target != Target::Jpeg || exif.len() <= MAX_JPEG_EXIF);
    let extras = Extras { icc: made.icc.as_deref(), exif };
    let settings = &job.operations.settings;
    let wanted =
        settings.quality.unwrap_or(if job.options.adaptive_quality { Quality::Smart } else { Quality::Normal });
    let progressive = settings.progressive == Some(true);
    let bytes = match target {
        Target::Png => stowage_codecs::png(&bitmap, extras)?,
        Target::Jpeg => {
            let quality = number(&bitmap, wanted, &JPEG, |sample, quality| {
                stowage_codecs::jpeg(sample, quality, false, Extras::default())
            })?;
            stowage_codecs::jpeg(&bitmap, quality, progressive, extras)?
        }
        Target::Webp => {
            let quality = number(&bitmap, wanted, &WEBP, |sample, quality| {
                stowage_codecs::webp(sample, quality, Extras::default())
            })?;
            stowage_codecs::webp(&bitmap, quality, extras)?
        }
        Target::Avif => stowage_codecs::avif(&bitmap, avif_quality(wanted), job.options.avif_speed, extras)?,
    };
    let Bitmap { width, height, .. } = bitmap;
    Ok(Rendered { bytes, media_type: target.media_type(), width, height, negotiated: is_negotiated(job) })
}

/// The numbers that a codec takes for the names of qualities.
struct Scale {
    lightest: u8,
    lighter: u8,
    normal: u8,
    better: u8,
    best: u8,
    /// Where a search looks for `smart` and for `smart_retina`.
    smart: RangeInclusive<u8>,
    smart_retina: RangeInclusive<u8>,
}

const JPEG: Scale =
    Scale { lightest: 38, lighter: 70, normal: 80, better: 87, best: 95, smart: 70..=87, smart_retina: 38..=80 };
const WEBP: Scale =
    Scale { lightest: 34, lighter: 66, normal: 79, better: 86, best: 94, smart: 66..=86, smart_retina: 34..=79 };

/// The number for a name, by a search where the name asks for one.
fn number(
    bitmap: &Bitmap,
    wanted: Quality,
    scale: &Scale,
    encode: impl Fn(&Bitmap, u8) -> Result<Vec<u8>, EncodeError>,
) -> Result<u8, EncodeError> {
    let search = |range: &RangeInclusive<u8>, likeness: f64| {
        let sample = quality::sample(bitmap);
        quality::search(&sample, |quality| encode(&sample, quality), range.clone(), likeness)
    };
    Ok(match wanted {
        Quality::Lightest => scale.lightest,
        Quality::Lighter => scale.lighter,
        Quality::Normal => scale.normal,
        Quality::Better => scale.better,
        Quality::Best => scale.best,
        // Inks are not looked at by eyes.
        Quality::Smart | Quality::SmartRetina if bitmap.layout == Layout::Cmyk => scale.normal,
        Quality::Smart => search(&scale.smart, quality::SMART)?,
        Quality::SmartRetina => search(&scale.smart_retina, quality::SMART_RETINA)?,
    })
}

/// The number that AVIF takes; a search would cost more than the whole render.
fn avif_quality(wanted: Quality) -> u8 {
    match wanted {
        Quality::Lightest => 30,
        Quality::Lighter => 42,
        Quality::SmartRetina => 38,
        Quality::Smart => 48,
        Quality::Normal => 50,
        Quality::Better => 60,
        Quality::Best => 78,
    }
}
