//! The whole way: facts, plan, decoding, steps, format, encoding. Nothing is decoded before the plan has been agreed to.

use crate::geometry::Dimensions;
use crate::picture::ColorPolicy;
use crate::plan::Plan;
use crate::steps::Steps;
use crate::{Job, RenderError, Rendered, meta, output, source, svg};
use std::panic::{AssertUnwindSafe, catch_unwind};
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Color, Format, Operations, Srgb, Step, Stretch, StripMeta};
use stowage_model::ImageInfo;

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

/// Makes a picture. An SVG stays one unless it is rasterized. Errors are the user's or the file's, except `Failed`.
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
    let full = svg::size(job.source)?;
    Plan::new(full, job.operations, limits, true)?;
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
    let shrinks = facts.format == "JPEG" || source::is_svg(facts);
    let planned = source::size(facts, upright);
    let plan = Plan::new(planned, operations, limits, shrinks)?;
    if plan.memory > limits.max_memory.saturating_mul(4) / channels(facts) {
        return Err(RenderError::TooLarge("The picture needs more memory than is allowed.".to_owned()));
    }
    let opened = source::open(job.source, facts, plan.wish(), upright, policy(job, facts), limits)?;
    if opened.picture.size() != planned {
        // The header that was looked at first and the decoder disagree; the decoder has the pixels.
        Plan::new(opened.picture.size(), operations, limits, shrinks)?;
    }
    let mut steps = Steps::new(job, opened.picture);
    for step in &operations.steps {
        steps.step(step)?;
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

/// Bytes of a pixel, at most, as far as the facts tell.
fn channels(facts: &ImageInfo) -> u64 {
    match facts.color_mode.as_deref() {
        Some("1" | "L") => 1,
        Some("RGB" | "YCbCr") => 3,
        _ => 4,
    }
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
    if policy.srgb != Srgb::KeepProfile {
        if steps.iter().any(mixes) {
            // Colours from elsewhere are sRGB; what they are mixed with has to be as well.
            policy.max_icc_size = 0;
        }
    } else if facts.color_mode.as_deref() == Some("CMYK") {
        let may_stay = steps.iter().all(moves_only) && output::is_jpeg_for_inks(job, facts);
        if !may_stay {
            policy.srgb = Srgb::Icc;
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
        Step::Crop(crop) => crop.object.is_none() && crop.size.is_none(),
        _ => false,
    }
}
