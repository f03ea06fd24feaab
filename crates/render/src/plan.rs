//! The walk through the steps with sizes instead of pixels, before anything is decoded: it refuses what would become too large,
//! says how much work and memory the rest is, and finds how small a picture may be decoded (url-api reference, sections 2.2 and 13).
//! Where a size depends on the content (`trim`, crops about faces) the walk goes on with the most that it can be, and refuses nothing
//! any more; the same walk is therefore taken once again beside the steps themselves, with the sizes that pictures really have.

mod most;

use crate::RenderError;
use crate::geometry::{self, Dimensions};
use crate::limits::Limits;
use crate::source::{Decoder, Raw, Wish};
use stowage_image::operations::{
    Align, CropObject, Format, Length, Offset, Operations, OverlaySource, Region, Sides, Step, Stretch,
};
use stowage_model::FileId;

/// How much more than its target a picture is decoded to, so that the resampling, not the decoder, makes the difference.
const MARGIN: f64 = 1.25;
/// The longest side of the sketches in which faces and objects are looked for.
pub(crate) const SKETCH_SIDE: u32 = 640;

/// What is known before decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// The size to which the whole picture, upright, is going to be scaled first, where it is going to be.
    pub(crate) target: Option<Dimensions>,
    /// Pixels that are worked on, all steps together.
    pub(crate) work: u64,
    /// Bytes of pixels at the same time, at most, with four channels.
    pub(crate) memory: u64,
    /// The area of the result, at most.
    pub(crate) output_pixels: u64,
}

/// Bytes of a pixel where the layout is not known yet.
const CHANNELS: u64 = 4;
/// What looking for faces or objects costs, in pixels of other work; it is done on a sketch, whatever the size.
const LOOK: u64 = 12_000_000;
/// What drawing an SVG costs beside its pixels; nobody knows yet what is in it.
const DRAWING: u64 = 40_000_000;

/// The files that steps may lay over the picture, as far as they are there and are pictures.
pub(crate) type Overlays<'a> = &'a dyn Fn(FileId) -> Option<Raw>;

/// Where the walk is.
#[expect(clippy::struct_excessive_bools, reason = "facts about the way so far that do not exclude each other")]
pub(crate) struct Walk<'a> {
    limits: &'a Limits,
    overlays: Overlays<'a>,
    /// The picture as it is now.
    size: Dimensions,
    /// Whether `size` is exact.
    exact: bool,
    /// Whether it has been all the way, so that nothing is reckoned too high.
    sure: bool,
    stretch: Stretch,
    /// The picture as it was in the beginning.
    raw: Raw,
    /// Whether there was nothing yet but turns, cuts by shares and changes of colours, so that less of the picture would have
    /// done as well.
    lead: bool,
    /// Whether width and height have been exchanged.
    swapped: bool,
    /// Whether the step before was one of colours: those are one work together.
    coloring: bool,
    target: Option<Dimensions>,
    /// What overlays of the picture itself need.
    own: Dimensions,
    work: u64,
    /// Pixels in memory now, without overlays.
    held: u64,
    /// The most of those that were in memory at a time.
    memory: u64,
    /// Pixels of the picture before all steps, where it is kept for overlays.
    original: u64,
    /// The overlay that was made last, which is kept.
    laid: Option<(OverlaySource, Dimensions)>,
    /// Pixels of the largest overlay and of what it was made of.
    most_laid: u64,
    jpeg: bool,
}

impl Plan {
    /// Walks from a picture as it is stored. Errors: [`RenderError::TooLarge`] for what surely exceeds the limits.
    pub(crate) fn new(
        raw: Raw,
        operations: &Operations,
        limits: &Limits,
        overlays: Overlays<'_>,
    ) -> Result<Self, RenderError> {
        limits.check_step(raw.size)?;
        let mut walk = Walk::new(raw, operations, limits, overlays);
        for step in &operations.steps {
            walk.step(step)?;
        }
        walk.memory = walk.memory.max(walk.held);
        walk.check()?;
        if walk.exact {
            limits.check_output(walk.size, walk.jpeg)?;
        }
        let target = walk.target.map(|target| (target.0.max(walk.own.0), target.1.max(walk.own.1)));
        Ok(Self { target, work: walk.work, memory: walk.bytes(CHANNELS), output_pixels: area(walk.size) })
    }

    /// What decoders are asked for.
    pub(crate) fn wish(&self) -> Wish {
        Wish { target: self.target, at_least: self.target.map(with_margin) }
    }
}

/// A size from which another can be made as well as from any larger one.
pub(crate) fn with_margin((width, height): Dimensions) -> Dimensions {
    let more = |side: u32| geometry::pixels((f64::from(side) * MARGIN).ceil());
    (more(width), more(height))
}

pub(crate) fn area(size: Dimensions) -> u64 {
    u64::from(size.0) * u64::from(size.1)
}

impl<'a> Walk<'a> {
    /// Before the first step.
    pub(crate) fn new(raw: Raw, operations: &Operations, limits: &'a Limits, overlays: Overlays<'a>) -> Self {
        let own = operations.steps.iter().any(|step| matches!(step, Step::Overlay { source: OverlaySource::Own, .. }));
        Self {
            limits,
            overlays,
            size: raw.size,
            exact: true,
            sure: true,
            stretch: Stretch::On,
            raw,
            lead: true,
            swapped: false,
            coloring: false,
            target: None,
            own: (1, 1),
            work: area(raw.size),
            held: area(raw.size),
            memory: 0,
            original: if own { area(raw.size) } else { 0 },
            laid: None,
            most_laid: 0,
            jpeg: operations.settings.format == Some(Format::Jpeg),
        }
    }

    /// Goes on over a step. Errors: [`RenderError::TooLarge`] for what surely exceeds the limits.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), RenderError> {
        self.reckon(step)?;
        self.check()
    }

    /// Says what size the picture really has.
    pub(crate) fn arrive(&mut self, size: Dimensions) {
        if !self.exact {
            (self.size, self.held) = (size, area(size));
            (self.exact, self.sure) = (true, true);
        }
    }

    /// Refuses more work and memory than is allowed.
    fn check(&self) -> Result<(), RenderError> {
        if !self.sure {
            return Ok(());
        }
        if self.work > self.limits.max_work {
            let why = "The operations are more work than is allowed for a picture of this size.";
            return Err(RenderError::TooLarge(why.to_owned()));
        }
        if self.bytes(self.raw.channels) > self.limits.max_memory {
            return Err(RenderError::TooLarge("The picture needs more memory than is allowed.".to_owned()));
        }
        Ok(())
    }

    /// The most bytes in memory at a time, so far, if the picture has so many channels.
    fn bytes(&self, channels: u64) -> u64 {
        let own = self.memory.saturating_add(self.original).saturating_mul(channels);
        own.saturating_add(self.most_laid.saturating_mul(CHANNELS))
    }

    fn reckon(&mut self, step: &Step) -> Result<(), RenderError> {
        let was_coloring = std::mem::take(&mut self.coloring);
        match step {
            Step::Stretch(stretch) => self.stretch = *stretch,
            Step::SetFill(_)
            | Step::Font(_)
            | Step::TextAlign { .. }
            | Step::TextBox { .. }
            | Step::Rasterize
            | Step::Flip
            | Step::Mirror => {}
            Step::Rotate(quarters) => {
                if quarters % 2 == 1 {
                    self.size = (self.size.1, self.size.0);
                    self.swapped = !self.swapped;
                }
            }
            Step::Preview { width, height } => {
                self.written(*width, *height)?;
                let within = (self.size.0.min(*width), self.size.1.min(*height));
                let to = if self.exact { geometry::preview(self.size, (*width, *height)) } else { within };
                self.scales(to, false)?;
            }
            Step::Resize(sides) => {
                match *sides {
                    Sides::Width(width) => self.written(width, 0)?,
                    Sides::Height(height) => self.written(0, height)?,
                    Sides::Both(width, height) => self.written(width, height)?,
                }
                let (scaled, result) = self.resized(*sides);
                self.exact |= matches!(sides, Sides::Both(..)) && self.stretch != Stretch::Off;
                self.scales(scaled, false)?;
                self.becomes(result)?;
            }
            Step::SmartResize { width, height } => {
                self.written(*width, *height)?;
                self.scales(self.covering((*width, *height), Stretch::Off), false)?;
                self.exact = true;
                self.becomes((*width, *height))?;
                self.pixels(8);
                self.look();
            }
            Step::ScaleCrop { width, height, smart, align } => {
                self.written(*width, *height)?;
                let align = align.unwrap_or(Align::CENTER);
                let scaling = geometry::scale_crop(self.size, (*width, *height), align, self.stretch);
                if smart.is_some() {
                    self.look();
                }
                self.scales(self.covering((*width, *height), self.stretch), smart.is_some())?;
                self.exact |= self.stretch != Stretch::Off;
                self.becomes(scaling.result())?;
            }
            Step::Crop(crop) => {
                let by_pixels = crop.size.is_some_and(|size| in_pixels(size.width) || in_pixels(size.height))
                    || crop.align.is_some_and(|align| shifts(align.x) || shifts(align.y));
                let about_face = crop.object == Some(CropObject::Face);
                let cut = geometry::crop(self.size, crop, None);
                self.lead &= !by_pixels && !about_face && cut.within(self.size).is_some();
                if about_face {
                    self.look();
                    self.is_unsure();
                }
                self.becomes(if about_face { self.size } else { (cut.width, cut.height) })?;
            }
            Step::Trim { .. } => {
                self.is_unsure();
                self.pixels(1);
            }
            Step::Adjust(..) | Step::Enhance(_) | Step::Grayscale | Step::Invert | Step::Filter { .. } => {
                self.coloring = true;
                self.works(u64::from(!was_coloring));
            }
            Step::Overlay { source, size, .. } => {
                self.lays(*source, geometry::size(*size, self.size))?;
                self.pixels(2);
            }
            Step::BlurRegion { region, .. } => {
                if *region == Region::Faces {
                    self.look();
                }
                self.pixels(2);
            }
            Step::Blur { .. } | Step::ZoomObjects(_) | Step::Sharp(_) => self.pixels(2),
            Step::BorderRadius { .. } | Step::Rect { .. } | Step::Text { .. } => self.pixels(1),
        }
        Ok(())
    }

    /// From here on sizes are the most that they can be.
    fn is_unsure(&mut self) {
        (self.exact, self.sure) = (false, false);
    }

    /// Something is looked for in the picture.
    fn look(&mut self) {
        self.work = self.work.saturating_add(LOOK);
    }

    /// Another picture is made as large as fits into a box, unless it was just laid on.
    fn lays(&mut self, source: OverlaySource, place: Dimensions) -> Result<(), RenderError> {
        let over = match source {
            OverlaySource::Own => Some(self.raw),
            OverlaySource::File(id) => (self.overlays)(id),
        };
        // The step itself says that it is not there.
        let Some(over) = over else { return Ok(()) };
        let to = geometry::fit(over.size, place);
        if self.exact {
            self.limits.check_step(to)?;
        }
        let is_own = source == OverlaySource::Own;
        if is_own {
            self.own = (self.own.0.max(to.0), self.own.1.max(to.1));
        }
        if self.laid.replace((source, to)) == Some((source, to)) {
            return Ok(());
        }
        let decoded = if is_own { 0 } else { over.decoded(to) };
        self.most_laid = self.most_laid.max(decoded.saturating_add(area(to)));
        let drawing = if !is_own && over.decoder == Decoder::Draws { DRAWING } else { 0 };
        self.work = self.work.saturating_add(drawing).saturating_add(area(over.size)).saturating_add(area(to));
        Ok(())
    }

    /// Refuses sides that are written larger than any result.
    fn written(&self, width: u32, height: u32) -> Result<(), RenderError> {
        self.limits.check_output((width, height), self.jpeg)
    }

    /// The picture is scaled to another size; for some, detectors look at it before.
    fn scales(&mut self, to: Dimensions, looked_at: bool) -> Result<(), RenderError> {
        if to == self.size && !looked_at {
            return Ok(());
        }
        if std::mem::take(&mut self.lead) {
            let full = self.raw.size;
            let across = f64::from(to.0) / f64::from(self.size.0);
            let down = f64::from(to.1) / f64::from(self.size.1);
            let (across, down) = if self.swapped { (down, across) } else { (across, down) };
            let mut target = (geometry::pixels(f64::from(full.0) * across), geometry::pixels(f64::from(full.1) * down));
            if looked_at {
                let sketch = geometry::fit(full, (SKETCH_SIDE, SKETCH_SIDE));
                target = (target.0.max(sketch.0), target.1.max(sketch.1));
            }
            self.held = self.raw.decoded(target);
            self.target = Some(target);
        }
        self.becomes(to)
    }

    /// The picture has another size now.
    fn becomes(&mut self, to: Dimensions) -> Result<(), RenderError> {
        if self.exact {
            self.limits.check_step(to)?;
        }
        if !self.lead {
            self.memory = self.memory.max(self.held.saturating_add(area(to)));
            self.held = area(to);
        }
        self.size = to;
        self.works(1);
        Ok(())
    }

    /// A step looks at the picture as it is.
    fn pixels(&mut self, times: u64) {
        self.lead = false;
        self.memory = self.memory.max(self.held.saturating_add(area(self.size)));
        self.works(times);
    }

    fn works(&mut self, times: u64) {
        self.work = self.work.saturating_add(area(self.size).saturating_mul(times));
    }
}

fn in_pixels(length: Length) -> bool {
    matches!(length, Length::Pixels(_))
}

fn shifts(offset: Offset) -> bool {
    !matches!(offset, Offset::Percent(_) | Offset::Pixels(0))
}

#[cfg(test)]
mod tests;
