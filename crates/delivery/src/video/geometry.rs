//! The arithmetic of sizes and places (url-api reference, section 3) as filters of ffmpeg, which gets nothing but numbers.

use stowage_image::operations::{Align, Crop, Length, Offset, Sides, Size, Step, Stretch};

use super::MAX_SIDE;
use crate::variant::VariantError;

/// The longest side of anything on the way, in pixels.
const MAX_STEP: i64 = 30_000;

/// What is done to each frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// The chain of filters.
    pub(super) filters: String,
    /// Pixels; even.
    pub(super) width: u32,
    /// Pixels; even.
    pub(super) height: u32,
}

/// Walks through the steps.
pub(super) fn plan(from: (u32, u32), steps: &[Step]) -> Result<Plan, VariantError> {
    let mut walk = Walk { width: from.0, height: from.1, filters: Vec::new() };
    for step in steps {
        match step {
            Step::Preview { width, height } => {
                let (across, down) = (share(*width, walk.width), share(*height, walk.height));
                let scale = across.min(down).min(1.0);
                walk.scale(pixels(f64::from(walk.width) * scale), pixels(f64::from(walk.height) * scale))?;
            }
            Step::Resize(sides) => {
                let (width, height) = (f64::from(walk.width), f64::from(walk.height));
                let (width, height) = match *sides {
                    Sides::Width(to) => (to, pixels(height * f64::from(to) / width)),
                    Sides::Height(to) => (pixels(width * f64::from(to) / height), to),
                    Sides::Both(to_width, to_height) => (to_width, to_height),
                };
                walk.scale(width, height)?;
            }
            Step::Crop(crop) => walk.crop(crop)?,
            Step::ScaleCrop { width, height, align, .. } => {
                let (across, down) = (share(*width, walk.width), share(*height, walk.height));
                let scale = across.max(down);
                let scaled = |side: u32, to: u32| pixels(f64::from(side) * scale).max(to);
                walk.scale(scaled(walk.width, *width), scaled(walk.height, *height))?;
                let (x, y) = walk.offset(align.unwrap_or(Align::TOP_LEFT), *width, *height);
                let within = |at: i64, outer: u32, inner: u32| at.clamp(0, i64::from(outer.saturating_sub(inner)));
                walk.cut(within(x, walk.width, *width), within(y, walk.height, *height), *width, *height)?;
            }
            Step::Stretch(Stretch::On) => {}
            _ => return Err(VariantError::Invalid("This operation is not one of `gif2video`.".to_owned())),
        }
    }
    walk.end()
}

struct Walk {
    width: u32,
    height: u32,
    filters: Vec<String>,
}

impl Walk {
    fn scale(&mut self, width: u32, height: u32) -> Result<(), VariantError> {
        let (width, height) = (width.max(1), height.max(1));
        check(width.into(), height.into())?;
        if (width, height) != (self.width, self.height) {
            self.filters.push(format!("scale={width}:{height}:flags=lanczos"));
            (self.width, self.height) = (width, height);
        }
        Ok(())
    }

    fn crop(&mut self, crop: &Crop) -> Result<(), VariantError> {
        let whole = (self.width, self.height);
        let (width, height) = match (crop.ratio, crop.size) {
            (Some((across, down)), _) => {
                let (across, down) = (f64::from(across.max(1)), f64::from(down.max(1)));
                let wide = pixels(f64::from(whole.1) * across / down);
                let high = pixels(f64::from(whole.0) * down / across);
                (wide.min(whole.0), high.min(whole.1))
            }
            (None, Some(Size { width, height })) => (length(width, whole.0), length(height, whole.1)),
            (None, None) => whole,
        };
        let bare = crop.object.is_none() && crop.ratio.is_none();
        let align = crop.align.unwrap_or(if bare { Align::TOP_LEFT } else { Align::CENTER });
        // A crop about an object stays in the picture; nobody looks for faces in a video.
        let (width, height) =
            if crop.object.is_some() { (width.min(whole.0), height.min(whole.1)) } else { (width, height) };
        let (mut x, mut y) = self.offset(align, width, height);
        if crop.object.is_some() {
            x = x.clamp(0, i64::from(whole.0 - width));
            y = y.clamp(0, i64::from(whole.1 - height));
        }
        self.cut(x, y, width, height)
    }

    fn offset(&self, align: Align, width: u32, height: u32) -> (i64, i64) {
        let one = |offset: Offset, outer: u32, inner: u32| match offset {
            Offset::Pixels(pixels) => i64::from(pixels),
            Offset::Percent(share) => place((f64::from(outer) - f64::from(inner)) * share.0 / 100.0),
        };
        (one(align.x, self.width, width), one(align.y, self.height, height))
    }

    /// Cuts a box out, on white where it reaches outside.
    fn cut(&mut self, x: i64, y: i64, width: u32, height: u32) -> Result<(), VariantError> {
        check(width.into(), height.into())?;
        let (left, top) = (0.max(-x), 0.max(-y));
        let right = (x + i64::from(width) - i64::from(self.width)).max(0);
        let bottom = (y + i64::from(height) - i64::from(self.height)).max(0);
        if left + top + right + bottom > 0 {
            let (across, down) = (i64::from(self.width) + left + right, i64::from(self.height) + top + bottom);
            check(across, down)?;
            self.filters.push(format!("pad={across}:{down}:{left}:{top}:color=white"));
        }
        let (x, y) = (x + left, y + top);
        if (x, y, width, height) != (0, 0, self.width, self.height) {
            self.filters.push(format!("crop={width}:{height}:{x}:{y}"));
            (self.width, self.height) = (width, height);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Plan, VariantError> {
        if self.width.max(self.height) > MAX_SIDE {
            let why = format!(
                "The video would have {}x{} pixels; at most {MAX_SIDE} on each side are allowed.",
                self.width, self.height
            );
            return Err(VariantError::TooLarge(why));
        }
        let even = |side: u32| (side & !1).max(2);
        let (width, height) = (even(self.width), even(self.height));
        if self.width < 2 || self.height < 2 {
            self.scale(width, height)?;
        }
        self.cut(0, 0, width, height)?;
        self.filters.push("scale=out_color_matrix=bt709:out_range=tv".to_owned());
        self.filters.push("format=yuv420p".to_owned());
        Ok(Plan { filters: self.filters.join(","), width, height })
    }
}

fn share(to: u32, from: u32) -> f64 {
    f64::from(to) / f64::from(from)
}

fn check(width: i64, height: i64) -> Result<(), VariantError> {
    if width.max(height) > MAX_STEP || width.saturating_mul(height) > 75_000_000 {
        let why = format!("A step would make a picture of {width}x{height} pixels, which is more than is allowed.");
        return Err(VariantError::TooLarge(why));
    }
    Ok(())
}

fn length(length: Length, whole: u32) -> u32 {
    match length {
        Length::Pixels(pixels) => pixels.max(1),
        Length::Percent(share) => pixels(f64::from(whole) * share.0 / 100.0),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; casts of floats saturate")]
fn pixels(length: f64) -> u32 {
    length.round().clamp(1.0, f64::from(u32::MAX)) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
fn place(offset: f64) -> i64 {
    offset.round() as i64
}

#[cfg(test)]
mod tests {
    use stowage_image::operations::VideoOperations;

    use super::*;

    fn of(from: (u32, u32), path: &str) -> Result<(u32, u32, String), VariantError> {
        let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        let operations = VideoOperations::parse(&pieces).unwrap();
        let plan = plan(from, &operations.steps)?;
        let filters = plan.filters.strip_suffix("scale=out_color_matrix=bt709:out_range=tv,format=yuv420p").unwrap();
        Ok((plan.width, plan.height, filters.trim_end_matches(',').to_owned()))
    }

    #[test]
    fn steps_become_filters() {
        let lanczos = ":flags=lanczos";
        for (path, width, height, filters) in [
            ("", 120, 80, String::new()),
            ("-/preview/60x60/", 60, 40, format!("scale=60:40{lanczos}")),
            ("-/preview/600x600/", 120, 80, String::new()),
            ("-/resize/61x/", 60, 40, format!("scale=61:41{lanczos},crop=60:40:0:0")),
            ("-/resize/240x100/", 240, 100, format!("scale=240:100{lanczos}")),
            ("-/crop/50x40/10,20/", 50, 40, "crop=50:40:10:20".to_owned()),
            ("-/crop/1:1/", 80, 80, "crop=80:80:20:0".to_owned()),
            ("-/crop/140x40/-10,0/", 140, 40, "pad=140:80:10:0:color=white,crop=140:40:0:0".to_owned()),
            ("-/scale_crop/40x40/center/", 40, 40, format!("scale=60:40{lanczos},crop=40:40:10:0")),
        ] {
            assert_eq!(of((120, 80), path), Ok((width, height, filters)), "{path}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        for path in ["-/resize/4000x/", "-/crop/29000x29000/", "-/crop/10x10/-40000,0/"] {
            assert!(matches!(of((120, 80), path), Err(VariantError::TooLarge(_))), "{path}");
        }
        assert_eq!(of((1, 1), "").unwrap().0, 2, "the smallest video has two pixels a side");
    }
}
