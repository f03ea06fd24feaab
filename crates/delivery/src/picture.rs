//! Variants that are pictures: what the operations of a URL make of a file.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use stowage_image::operations::{Format, Operations, Quality};
use stowage_model::{File, FileId};
use stowage_render::{Accept, Job, RenderError};
use stowage_store::blobs::Blobs;
use tracing::error;

use crate::Delivery;
use crate::crew::{Crashed, Weight};
use crate::flights::Begun;
use crate::key::{Key, Making};
use crate::label::{Kind, Label};
use crate::source;
use crate::variant::{Outcome, VariantError};
use crate::variants::{Line, Made, RETRY_AFTER, Variants};

/// The largest AVIF in pixels that counts as a moment's work.
const LIGHT_AVIF: u64 = 50_000;

/// What is asked of a file. Who may ask, and whether the files are still there, is settled before.
#[derive(Clone, Debug)]
pub struct VariantRequest<'a> {
    /// The file.
    pub file: &'a Arc<File>,
    /// What the URL asks for.
    pub operations: &'a Operations,
    /// The operations as the URL writes them, without the one that asks for facts: `-/preview/`. Facts of a processed picture show
    /// it.
    pub written: &'a str,
    /// The files that [`Operations::overlays`] names, of the same project, as far as they exist; others are refused.
    pub overlays: Vec<Arc<File>>,
    /// What the request accepts.
    pub accept: Accept,
    /// What the project prefers.
    pub look: Look,
}

impl VariantRequest<'_> {
    /// Refuses what no picture can come of, before anything is looked up.
    pub(crate) fn check(&self) -> Result<(), VariantError> {
        if !self.file.is_image {
            return Err(VariantError::NotAnImage);
        }
        for id in self.operations.overlays() {
            let overlay = self.overlays.iter().find(|overlay| overlay.id == id).ok_or(VariantError::NoOverlay(id))?;
            if !overlay.is_image {
                return Err(VariantError::OverlayNotAnImage(id));
            }
        }
        Ok(())
    }
}

/// The settings of a project that change pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of a project")]
pub struct Look {
    /// Whether automatic formats may be AVIF.
    pub avif: bool,
    /// Whether automatic formats may be WebP.
    pub webp: bool,
    /// Whether pictures without a `quality` are encoded as with `quality/smart`.
    pub adaptive_quality: bool,
    /// Whether `text` may be used.
    pub text: bool,
}

impl Default for Look {
    fn default() -> Self {
        let stowage_render::Options { avif, webp, adaptive_quality, text, .. } = stowage_render::Options::default();
        Self { avif, webp, adaptive_quality, text }
    }
}

impl Look {
    pub(crate) fn options(self) -> stowage_render::Options {
        let Self { avif, webp, adaptive_quality, text } = self;
        stowage_render::Options { avif, webp, adaptive_quality, text, ..stowage_render::Options::default() }
    }

    /// Keeps of what the request accepts what can decide anything, so that requests that get the same share it.
    pub(crate) fn negotiate(self, operations: &Operations, accept: Accept) -> Accept {
        let automatic = matches!(operations.settings.format, None | Some(Format::Auto));
        Accept { avif: automatic && self.avif && accept.avif, webp: automatic && self.webp && accept.webp }
    }

    /// What decides beside the operations.
    pub(crate) fn flags(self, operations: &Operations, accept: Accept) -> [bool; 5] {
        let adaptive = self.adaptive_quality && operations.settings.quality.is_none();
        let smart = adaptive || matches!(operations.settings.quality, Some(Quality::Smart | Quality::SmartRetina));
        [accept.avif, accept.webp, adaptive, smart, self.text && operations.has_text()]
    }
}

/// Everything that a computation takes with it to another thread.
pub(crate) struct Task {
    pub(crate) blobs: Blobs,
    pub(crate) file: Arc<File>,
    pub(crate) overlays: Vec<Arc<File>>,
    pub(crate) operations: Operations,
    pub(crate) accept: Accept,
    pub(crate) options: stowage_render::Options,
}

impl Task {
    pub(crate) fn new(delivery: &Delivery, request: VariantRequest<'_>, accept: Accept) -> Self {
        Self {
            blobs: delivery.blobs.clone(),
            file: Arc::clone(request.file),
            overlays: request.overlays,
            operations: request.operations.clone(),
            accept,
            options: request.look.options(),
        }
    }

    /// Waits for memory, fetches the bytes, and has `compute` run on a thread of the crew.
    pub(crate) async fn run(
        mut self,
        variants: Arc<Variants>,
        begun: Begun,
        compute: impl FnOnce(&Job<'_>) -> Result<Made, VariantError> + Send + 'static,
    ) -> Result<Made, VariantError> {
        let (memory, weight) = self.cost();
        let admitted = variants.admission.enter(weight, memory).await;
        // What is let in alone has to do with what there is: for pixels, that which the files leave.
        let files = self.overlays.iter().fold(self.file.size, |sum, file| sum.saturating_add(file.size));
        let limits = &mut self.options.limits;
        limits.max_memory = limits.max_memory.min(variants.admission.memory().saturating_sub(files));
        let most = self.options.limits.max_source_bytes;
        let source = Box::pin(source::read(&self.blobs, &self.file, most)).await?;
        let mut overlays = HashMap::new();
        for overlay in &self.overlays {
            let bytes = Box::pin(source::read(&self.blobs, overlay, most)).await.map_err(|error| match error {
                VariantError::Gone => VariantError::NoOverlay(overlay.id),
                other => other,
            })?;
            overlays.insert(overlay.id, bytes);
        }
        let work = move || {
            let found = |id: FileId| overlays.get(&id).map(Vec::as_slice);
            let job = Job {
                source: &source,
                operations: &self.operations,
                overlays: &found,
                accept: self.accept,
                options: &self.options,
                id: self.file.id,
            };
            let made = compute(&job);
            // Only now is the memory free again.
            drop((source, admitted));
            made
        };
        variants.crew.run(weight, begun, work).await.unwrap_or_else(|Crashed| Err(VariantError::Failed))
    }

    /// The bytes of memory that it takes, and how much work it is.
    fn cost(&self) -> (u64, Weight) {
        let size = self.file.content.image.as_ref().map_or((0, 0), |image| (image.width, image.height));
        let overlay = |id| self.overlays.iter().find(|file| file.id == id)?.content.image.as_ref();
        let cost = stowage_render::estimate(size, &self.operations, &overlay);
        // One is decoded at a time.
        let decoding = self.overlays.iter().chain([&self.file]).map(|file| decoding(file)).max().unwrap_or(0);
        let files = self.overlays.iter().map(|file| file.size);
        let memory = files.fold(cost.memory.max(decoding).saturating_add(self.file.size), u64::saturating_add);
        let avif = self.accept.avif || self.operations.settings.format == Some(Format::Avif);
        let heavy = cost.heavy || avif && cost.output_pixels > LIGHT_AVIF;
        (memory, if heavy { Weight::Large } else { Weight::Small })
    }
}

/// The bytes of memory that decoding a file takes. Of a JPEG the pixels say it: it is decoded as small as it may be.
fn decoding(file: &File) -> u64 {
    let image = file.content.image.as_ref().filter(|image| image.format != "JPEG");
    image.map_or(0, |image| {
        u64::from(image.width) * u64::from(image.height) * stowage_codecs::decoding_cost(&image.format)
    })
}

impl Delivery {
    /// The picture that the operations make of a file, or the facts that they ask for: made now, or long ago.
    pub async fn variant(&self, request: VariantRequest<'_>) -> Outcome {
        if request.operations.facts.is_some() {
            return Box::pin(self.facts(request)).await;
        }
        request.check()?;
        let accept = request.look.negotiate(request.operations, request.accept);
        let flags = request.look.flags(request.operations, accept);
        let canonical = request.operations.without_defaults().to_string();
        let key = Key::new(request.file.id, Making::Picture, &canonical, &flags);
        let make = |begun| {
            let (variants, task) = (Arc::clone(&self.variants), Task::new(self, request, accept));
            task.run(variants, begun, render)
        };
        Box::pin(self.variants.get_or_make(key, Line::Pictures, make)).await
    }
}

fn render(job: &Job<'_>) -> Result<Made, VariantError> {
    let rendered = stowage_render::render(job).map_err(|error| refused(job.id, error))?;
    let Some(kind) = Kind::of_media_type(rendered.media_type) else {
        error!(media_type = rendered.media_type, "the engine made something unknown");
        return Err(VariantError::Failed);
    };
    let label = Label { kind, width: rendered.width, height: rendered.height, negotiated: rendered.negotiated };
    Ok(Made { label, bytes: Bytes::from(rendered.bytes) })
}

pub(crate) fn refused(file: FileId, error: RenderError) -> VariantError {
    match error {
        RenderError::NotAnImage => VariantError::NotAnImage,
        RenderError::TooLarge(why) => VariantError::TooLarge(why),
        RenderError::Invalid(why) => VariantError::Invalid(why),
        RenderError::Damaged(_) => VariantError::Damaged(error.to_string()),
        RenderError::NoOverlay(id) => VariantError::NoOverlay(id),
        RenderError::OverlayNotAnImage(id) => VariantError::OverlayNotAnImage(id),
        RenderError::Busy => VariantError::Busy { retry_after: RETRY_AFTER },
        RenderError::Failed(why) => {
            error!(%file, why, "a picture could not be made");
            VariantError::Failed
        }
    }
}
