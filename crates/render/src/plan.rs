//! The walk through the steps with sizes instead of pixels, before anything is decoded: it refuses what would become too large,
//! says how much work and memory the rest is, and finds how small a picture may be decoded (url-api reference, sections 2.2 and 13).
//! Where a size depends on the content (`trim`, crops about faces) the walk goes on with the most that it can be.

use crate::RenderError;
use crate::geometry::{self, Dimensions};
use crate::limits::Limits;
use crate::source::Wish;
use stowage_image::operations::{
    Align, CropObject, Format, Length, Offset, Operations, OverlaySource, Sides, Step, Stretch,
};

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

#[expect(clippy::struct_excessive_bools, reason = "facts about the way so far that do not exclude each other")]
struct Walk<'a> {
    limits: &'a Limits,
    /// The picture as it is now.
    size: Dimensions,
    /// Whether `size` is exact.
    exact: bool,
    stretch: Stretch,
    /// The whole picture in the beginning.
    full: Dimensions,
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
    shrinks: bool,
    /// Pixels in memory now.
    held: u64,
    /// The most pixels that were in memory at a time.
    memory: u64,
    jpeg: bool,
}

impl Plan {
    /// Walks from a picture of the size `full`, upright.
    /// `shrinks` says whether the decoder can decode at a fraction of the size.
    pub(crate) fn new(
        full: Dimensions,
        operations: &Operations,
        limits: &Limits,
        shrinks: bool,
    ) -> Result<Self, RenderError> {
        let jpeg = operations.settings.format == Some(Format::Jpeg);
        limits.check_step(full)?;
        let mut walk = Walk {
            limits,
            size: full,
            exact: true,
            stretch: Stretch::On,
            full,
            lead: true,
            swapped: false,
            coloring: false,
            target: None,
            own: (1, 1),
            work: area(full),
            shrinks,
            held: area(full),
            memory: 0,
            jpeg,
        };
        for step in &operations.steps {
            walk.step(step)?;
        }
        if walk.exact {
            limits.check_output(walk.size, jpeg)?;
        }
        if walk.work > limits.max_work {
            let why = "The operations are more work than is allowed for a picture of this size.";
            return Err(RenderError::TooLarge(why.to_owned()));
        }
        let own = operations.steps.iter().any(|step| matches!(step, Step::Overlay { source: OverlaySource::Own, .. }));
        let pixels = walk.memory.max(walk.held) + if own { area(full) } else { 0 };
        let target = walk.target.map(|target| (target.0.max(walk.own.0), target.1.max(walk.own.1)));
        Ok(Self { target, work: walk.work, memory: pixels.saturating_mul(CHANNELS), output_pixels: area(walk.size) })
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

fn area(size: Dimensions) -> u64 {
    u64::from(size.0) * u64::from(size.1)
}

impl Walk<'_> {
    fn step(&mut self, step: &Step) -> Result<(), RenderError> {
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
                self.scales(geometry::preview(self.size, (*width, *height)), false)?;
            }
            Step::Resize(sides) => {
                match *sides {
                    Sides::Width(width) => self.written(width, 0)?,
                    Sides::Height(height) => self.written(0, height)?,
                    Sides::Both(width, height) => self.written(width, height)?,
                }
                let scaling = geometry::resize(self.size, *sides, self.stretch);
                self.exact |= matches!(sides, Sides::Both(..)) && self.stretch != Stretch::Off;
                self.scales(scaling.scaled, false)?;
                self.becomes(scaling.result())?;
            }
            Step::SmartResize { width, height } => {
                self.written(*width, *height)?;
                self.scales(geometry::cover(self.size, (*width, *height), Stretch::Off).0, false)?;
                self.exact = true;
                self.becomes((*width, *height))?;
                self.pixels(8);
            }
            Step::ScaleCrop { width, height, smart, align } => {
                self.written(*width, *height)?;
                let align = align.unwrap_or(Align::CENTER);
                let scaling = geometry::scale_crop(self.size, (*width, *height), align, self.stretch);
                self.scales(scaling.scaled, smart.is_some())?;
                self.exact |= self.stretch != Stretch::Off;
                self.becomes(scaling.result())?;
            }
            Step::Crop(crop) => {
                let by_pixels = crop.size.is_some_and(|size| in_pixels(size.width) || in_pixels(size.height))
                    || crop.align.is_some_and(|align| shifts(align.x) || shifts(align.y));
                let about_face = crop.object == Some(CropObject::Face);
                let cut = geometry::crop(self.size, crop, None);
                self.lead &= !by_pixels && !about_face && cut.within(self.size).is_some();
                self.exact &= !about_face;
                self.becomes(if about_face { self.size } else { (cut.width, cut.height) })?;
            }
            Step::Trim { .. } => {
                self.exact = false;
                self.pixels(1);
            }
            Step::Adjust(..) | Step::Enhance(_) | Step::Grayscale | Step::Invert | Step::Filter { .. } => {
                self.coloring = true;
                self.works(u64::from(!was_coloring));
            }
            Step::Overlay { source, size, .. } => {
                if *source == OverlaySource::Own {
                    let to = geometry::fit(self.full, geometry::size(*size, self.size));
                    self.own = (self.own.0.max(to.0), self.own.1.max(to.1));
                }
                self.pixels(2);
            }
            Step::Blur { .. } | Step::BlurRegion { .. } | Step::ZoomObjects(_) | Step::Sharp(_) => self.pixels(2),
            Step::BorderRadius { .. } | Step::Rect { .. } | Step::Text { .. } => self.pixels(1),
        }
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
            let across = f64::from(to.0) / f64::from(self.size.0);
            let down = f64::from(to.1) / f64::from(self.size.1);
            let (across, down) = if self.swapped { (down, across) } else { (across, down) };
            let mut target =
                (geometry::pixels(f64::from(self.full.0) * across), geometry::pixels(f64::from(self.full.1) * down));
            if looked_at {
                let sketch = geometry::fit(self.full, (SKETCH_SIDE, SKETCH_SIDE));
                target = (target.0.max(sketch.0), target.1.max(sketch.1));
            }
            if self.shrinks {
                let enough = with_margin(target);
                let fits = |by: &&u32| self.full.0 / **by >= enough.0 && self.full.1 / **by >= enough.1;
                let by = u64::from([8, 4, 2].iter().find(fits).copied().unwrap_or(1));
                self.held = self.held.min(area(self.full) / (by * by));
            } else {
                self.held = self.held.max(area(self.full));
            }
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
mod tests {
    use super::*;

    fn plan(full: Dimensions, path: &str) -> Result<Plan, RenderError> {
        let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        Plan::new(full, &Operations::parse(&pieces).unwrap(), &Limits::default(), true)
    }

    fn target(full: Dimensions, path: &str) -> Option<Dimensions> {
        plan(full, path).unwrap().target
    }

    #[test]
    fn the_first_scaling_says_how_much_is_needed() {
        let full = (4000, 3000);
        for (path, wanted) in [
            ("-/resize/400x/", Some((400, 300))),
            ("-/preview/-/resize/400x/", Some((2048, 1536))),
            ("-/preview/4000x3000/-/resize/400x/-/format/jpeg/", Some((400, 300))),
            ("-/scale_crop/300x300/center/", Some((400, 300))),
            // Half of the picture becomes 400 wide, so all of it would be 800.
            ("-/crop/50px50p/-/resize/400x/", Some((800, 600))),
            ("-/crop/1:1/-/preview/300x300/", Some((400, 300))),
            ("-/rotate/90/-/resize/300x/", Some((400, 300))),
            ("-/rotate/90/-/flip/-/crop/100px50p/center/-/resize/300x300/", Some((600, 300))),
            ("-/enhance/-/filter/adaris/-/mirror/-/preview/400x400/", Some((400, 300))),
            ("-/scale_crop/30x30/smart/", Some((640, 480))),
            ("-/resize/2000x/-/scale_crop/30x30/smart/", Some((2000, 1500))),
            ("-/crop/1000x1000/-/resize/100x/", None),
            ("-/crop/50px50p/10,10/-/resize/100x/", None),
            ("-/crop/face/-/resize/100x/", None),
            ("-/trim/-/resize/100x/", None),
            ("-/blur/-/resize/100x/", None),
            ("-/sharp/-/resize/100x/", None),
            ("-/preview/4000x3000/-/format/jpeg/", None),
        ] {
            assert_eq!(target(full, path), wanted, "{path}");
        }
    }

    #[test]
    fn overlays_of_the_picture_itself_need_it_too() {
        let path = "-/resize/100x/-/overlay/self/1600px1600p/";
        assert_eq!(target((4000, 3000), path), Some((1600, 1200)));
        assert_eq!(target((4000, 3000), "-/overlay/self/-/resize/100x/"), None);
    }

    #[test]
    fn memory_is_that_of_what_is_held() {
        let held = |path: &str| plan((8000, 6000), path).unwrap().memory / CHANNELS;
        assert_eq!(held("-/resize/400x/"), 1000 * 750 + 400 * 300);
        assert_eq!(held("-/blur/-/resize/400x/"), 2 * 8000 * 6000);
        assert_eq!(held("-/crop/100x100/-/resize/400x/"), 8000 * 6000 + 100 * 100);
    }

    #[test]
    fn colors_next_to_each_other_are_one_work() {
        let work = |path: &str| plan((1000, 1000), path).unwrap().work;
        assert_eq!(work("-/invert/-/grayscale/-/enhance/"), work("-/invert/"));
        assert!(work("-/invert/-/blur/-/invert/") > work("-/invert/-/invert/-/blur/"));
    }
}
