//! Sizes on the walk that follow from the ratio of the picture: exact ones, or the most that they can be where nobody knows the
//! ratio, because a few pixels may be left of the picture.

use super::{Walk, area};
use crate::geometry::{self, Dimensions};
use stowage_image::operations::{Sides, Stretch};

impl Walk<'_> {
    /// The side of a picture beside one that becomes `side`, if the picture is at most `other` along it: as long as can be where
    /// nobody knows the ratio.
    fn follows(&self, side: u32, other: u32) -> u32 {
        let side = u64::from(side.max(1));
        let most = (side * u64::from(other)).min(self.limits.max_pixels / side);
        u32::try_from(most).unwrap_or(u32::MAX).clamp(1, self.limits.max_side)
    }

    /// What `resize` scales to, and the size behind it.
    pub(super) fn resized(&self, sides: Sides) -> (Dimensions, Dimensions) {
        let (width, height) = self.size;
        let (wanted, kept) = match sides {
            Sides::Width(to) if !self.exact => ((to, self.follows(to, height)), (to.min(width), height)),
            Sides::Height(to) if !self.exact => ((self.follows(to, width), to), (width, to.min(height))),
            _ => {
                let scaling = geometry::resize(self.size, sides, self.stretch);
                return (scaling.scaled, scaling.result());
            }
        };
        match self.stretch {
            Stretch::On => (wanted, wanted),
            Stretch::Off => (kept, kept),
            Stretch::Fill => (kept, wanted),
        }
    }

    /// The size that covers a box.
    pub(super) fn covering(&self, to: Dimensions, stretch: Stretch) -> Dimensions {
        if self.exact {
            return geometry::cover(self.size, to, stretch).0;
        }
        if stretch != Stretch::On {
            return self.size;
        }
        let (wide, high) = ((to.0, self.follows(to.0, self.size.1)), (self.follows(to.1, self.size.0), to.1));
        if area(wide) > area(high) { wide } else { high }
    }
}
