//! The whole way: facts, plan, decoding, steps, format, encoding. Nothing is decoded before the plan has been agreed to.

use crate::geometry::Dimensions;
use crate::picture::ColorPolicy;
use crate::plan::{Plan, Walk};
use crate::source::{Decoder, Raw};
use crate::steps::Steps;
use crate::{Job, RenderError, Rendered, meta, output, source, svg};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Color, Format, Offset, Operations, Srgb, Step, Stretch, StripMeta};
use stowage_model::{FileId, ImageInfo};

/// The largest RGB profile that is kept, in kilobytes, where the URL says nothing.
pub(crate) const MAX_ICC_SIZE: u32 = 10;

/// A picture that has gone through all steps.
pub(crate) struct Made {
    pub(crate) bitmap: Bitmap,
    pub(crate) icc: Option<Vec<u8>>,
    pub(crate) exif: Option<Vec<u8>>,
    /// The colour behind transparency, in the end.
    pub(crate) fill: Color,
}

/// Makes a picture. An SVG stays one unless it is rasterized. Errors are the user's or the file's, except `Busy` and `Failed`.
pub fn render(job: &Job<'_>) -> Result<Rendered, RenderError> {
    guarded(job, || {
        let facts = source::facts(job.source, &job.options.limits)?;
        if stays_svg(&facts, job.operations) {
            return edit_svg(job);
        }
        let made = make(job, &facts)?;
        let target = output::choose(job, &facts, &made.bitmap);
        output::encode(job, made, target)
    })
}

/// Runs one job so that a fault in it is only an error.
pub(crate) fn guarded<T>(job: &Job<'_>, work: impl FnOnce() -> Result<T, RenderError>) -> Result<T, RenderError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(file = %job.id, operations = %job.operations, "a render panicked");
        Err(RenderError::Failed("an unexpected fault".to_owned()))
    })
}

/// Whether the answer is an SVG again.
pub(crate) fn stays_svg(facts: &ImageInfo, operations: &Operations) -> bool {
    source::is_svg(facts) && !operations.steps.iter().any(|step| matches!(step, Step::Rasterize))
}

/// Changes the sizes that an SVG has.
pub(crate) fn edit_svg(job: &Job<'_>) -> Result<Rendered, RenderError> {
    let limits = &job.options.limits;
    let drawn = Raw { size: svg::size(job.source)?, decoder: Decoder::Draws, channels: 4 };
    Plan::new(drawn, job.operations, limits, &|_| None)?;
    let (bytes, width, height) = svg::edit(job.source, &job.operations.steps, limits)?;
    limits.check_output((width, height), job.operations.settings.format == Some(Format::Jpeg))?;
    Ok(Rendered { bytes, media_type: "image/svg+xml", width, height, negotiated: false })
}

/// Decodes and runs all steps.
pub(crate) fn make(job: &Job<'_>, facts: &ImageInfo) -> Result<Made, RenderError> {
    let (operations, limits) = (job.operations, &job.options.limits);
    if !job.options.text && operations.has_text() {
        return Err(RenderError::Invalid("The operation text is switched off.".to_owned()));
    }
    let upright = operations.settings.autorotate != Some(false);
    let raw = Raw::new(facts, upright);
    let overlays: HashMap<FileId, Raw> =
        operations.overlays().into_iter().filter_map(|id| Some((id, overlay(job, id)?))).collect();
    let overlays = |id: FileId| overlays.get(&id).copied();
    let plan = Plan::new(raw, operations, limits, &overlays)?;
    let opened = source::open(job.source, facts, plan.wish(), upright, policy(job, facts), limits)?;
    // Where the header that was looked at first and the decoder disagree, the decoder has the pixels.
    let raw = Raw { size: opened.picture.size(), ..raw };
    let mut walk = Walk::new(raw, operations, limits, &overlays);
    let mut steps = Steps::new(job, opened.picture);
    for step in &operations.steps {
        walk.step(step)?;
        steps.step(step)?;
        walk.arrive(steps.size());
    }
    let (picture, fill) = steps.finish();
    check_result(job, picture.size())?;
    let (mut bitmap, icc) = picture.finish();
    if bitmap.layout == Layout::Rgba && crate::resample::is_opaque(&bitmap) {
        bitmap = crate::compose::flatten(bitmap, fill);
    }
    let exif = match operations.settings.strip_meta.unwrap_or_default() {
        StripMeta::All => None,
        StripMeta::None => opened.exif.and_then(|exif| meta::kept(&exif, true)),
        StripMeta::Sensitive => opened.exif.and_then(|exif| meta::kept(&exif, false)),
    };
    Ok(Made { bitmap, icc, exif, fill })
}

fn check_result(job: &Job<'_>, size: Dimensions) -> Result<(), RenderError> {
    job.options.limits.check_output(size, job.operations.settings.format == Some(Format::Jpeg))
}

/// The file of an overlay, if it is there and a picture.
fn overlay(job: &Job<'_>, id: FileId) -> Option<Raw> {
    let facts = source::facts((job.overlays)(id)?, &job.options.limits).ok()?;
    Some(Raw::new(&facts, true))
}

/// What becomes of the colours of a source.
fn policy(job: &Job<'_>, facts: &ImageInfo) -> ColorPolicy {
    let settings = &job.operations.settings;
    let steps = &job.operations.steps;
    let mut policy = ColorPolicy {
        srgb: settings.srgb.unwrap_or_default(),
        max_icc_size: settings.max_icc_size.unwrap_or(MAX_ICC_SIZE),
    };
    let mixes = |step: &Step| matches!(step, Step::Overlay { .. } | Step::Rect { .. } | Step::Text { .. });
    let is_inks = facts.color_mode.as_deref() == Some("CMYK");
    if policy.srgb == Srgb::KeepProfile && is_inks {
        let may_stay = steps.iter().all(moves_only) && output::is_jpeg_for_inks(job, facts);
        if !may_stay {
            policy.srgb = Srgb::Icc;
        }
    } else if steps.iter().any(mixes) {
        // Colours from elsewhere are sRGB; what they are mixed with has to be as well.
        policy.max_icc_size = 0;
        if policy.srgb == Srgb::KeepProfile {
            policy.srgb = Srgb::Fast;
        }
    }
    policy
}

/// Whether a step does nothing but scale, cut and turn what is there, so that inks stay inks.
fn moves_only(step: &Step) -> bool {
    match step {
        Step::Preview { .. }
        | Step::Resize(_)
        | Step::Rotate(_)
        | Step::Flip
        | Step::Mirror
        | Step::Rasterize
        | Step::SetFill(_)
        | Step::Font(_)
        | Step::TextAlign { .. }
        | Step::TextBox { .. } => true,
        Step::Stretch(stretch) => *stretch != Stretch::Fill,
        Step::ScaleCrop { smart, .. } => smart.is_none(),
        // What is outside would get the fill colour.
        Step::Crop(crop) => {
            let stays_inside = crop.align.is_none_or(|align| is_inside(align.x) && is_inside(align.y));
            crop.object.is_none() && crop.size.is_none() && stays_inside
        }
        _ => false,
    }
}

/// Whether a box that fits into a picture stays in it at this place, whatever their sizes are.
fn is_inside(offset: Offset) -> bool {
    match offset {
        Offset::Pixels(pixels) => pixels == 0,
        Offset::Percent(share) => share.0 <= 100.0,
    }
}
