//! One profile: its header, the part of it that is interpreted, and what that does to pixels.

use moxcms::{ColorProfile, Layout as Order, Transform8BitExecutor, TransformOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use stowage_codecs::{Bitmap, Layout};

/// The header and the number of tags behind it.
const HEADER: usize = 132;
/// One entry of the list of tags.
const ENTRY: usize = 12;
/// More tags than any profile has.
const MAX_TAGS: usize = 200;
/// The largest profile that is looked at, in bytes. The largest of presses have about 3 MB.
const MAX_PROFILE: usize = 16 << 20;
/// The most bytes that the tags which are interpreted may have, together; what they take in memory is a small multiple.
const MAX_INTERPRETED: usize = 4 << 20;
/// What is interpreted: primaries, curves, adaptation, the way from the device to the connection space. Texts are left out, and so is the
/// way back, which nobody goes.
const INTERPRETED: [&[u8; 4]; 11] =
    [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"chad", b"A2B0", b"A2B1"];
/// Pixels that are converted at a time.
const CHUNK: usize = 8192;

/// What a profile describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Space {
    Gray,
    Rgb,
    Cmyk,
}

/// A profile whose header makes sense.
#[derive(Clone, Copy)]
pub(super) struct Profile<'a> {
    bytes: &'a [u8],
    space: Space,
}

type Transform = Arc<Transform8BitExecutor>;

impl<'a> Profile<'a> {
    /// Reads the header. What stands behind the announced size is cut off.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let size = usize::try_from(number(bytes, 0)?).ok()?;
        if !(HEADER..=MAX_PROFILE).contains(&size) || bytes.get(36..40)? != b"acsp" {
            return None;
        }
        let bytes = bytes.get(..size)?;
        let space = match bytes.get(16..20)? {
            b"GRAY" => Space::Gray,
            b"RGB " => Space::Rgb,
            b"CMYK" => Space::Cmyk,
            _ => return None,
        };
        Some(Self { bytes, space })
    }

    /// The whole profile.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it describes.
    pub(super) fn space(&self) -> Space {
        self.space
    }

    /// Whether it can be about pixels of this layout.
    pub(super) fn fits(&self, layout: Layout) -> bool {
        let space = match layout {
            Layout::Gray => Space::Gray,
            Layout::Rgb | Layout::Rgba => Space::Rgb,
            Layout::Cmyk => Space::Cmyk,
        };
        self.space == space
    }

    /// Works the profile into the pixels of one or three channels. They stay as they are where it says nothing that makes sense.
    pub(super) fn to_srgb(self, bitmap: &mut Bitmap) {
        match bitmap.layout {
            Layout::Gray => self.gray(bitmap),
            Layout::Rgb => self.color::<3>(&mut bitmap.data, Order::Rgb),
            Layout::Rgba => self.color::<4>(&mut bitmap.data, Order::Rgba),
            Layout::Cmyk => {}
        }
    }

    /// Inks to sRGB; whether the profile could say how.
    pub(super) fn inks_to_srgb(self, bitmap: &mut Bitmap) -> bool {
        let Some(transform) = self.transform(Order::Rgba, Order::Rgb) else {
            return false;
        };
        let mut data = vec![0; bitmap.data.len() / 4 * 3];
        for (inks, colors) in bitmap.data.chunks(4 * CHUNK).zip(data.chunks_mut(3 * CHUNK)) {
            if !run(&transform, inks, colors) {
                return false;
            }
        }
        bitmap.data = data;
        bitmap.layout = Layout::Rgb;
        true
    }

    /// There are only 256 values to ask for.
    fn gray(self, bitmap: &mut Bitmap) {
        let values: Vec<u8> = (0..=255).collect();
        let mut colors = [0; 768];
        if let Some(transform) = self.transform(Order::Gray, Order::Rgb)
            && run(&transform, &values, &mut colors)
        {
            for value in &mut bitmap.data {
                // The middle of the three: they are equal but for rounding.
                *value = colors[usize::from(*value) * 3 + 1];
            }
        }
    }

    fn color<const CHANNELS: usize>(self, data: &mut [u8], order: Order) {
        let Some(transform) = self.transform(order, order) else {
            return;
        };
        let mut colors = vec![0; CHANNELS * CHUNK];
        for pixels in data.chunks_mut(CHANNELS * CHUNK) {
            let colors = &mut colors[..pixels.len()];
            if !run(&transform, pixels, colors) {
                return;
            }
            pixels.copy_from_slice(colors);
        }
    }

    fn transform(self, from: Order, to: Order) -> Option<Transform> {
        let profile = self.interpreted()?;
        // Nothing of the half-made transform survives a panic.
        catch_unwind(AssertUnwindSafe(|| {
            let profile = ColorProfile::new_from_slice(&profile).ok()?;
            profile.create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default()).ok()
        }))
        .ok()
        .flatten()
    }

    /// The profile with nothing but what is interpreted, or nothing if that is too much.
    fn interpreted(self) -> Option<Vec<u8>> {
        let count = usize::try_from(number(self.bytes, HEADER - 4)?).ok()?;
        if count > MAX_TAGS {
            return None;
        }
        let mut tags: Vec<([u8; 4], &[u8])> = Vec::new();
        let mut total = 0;
        for entry in self.bytes.get(HEADER..HEADER + count * ENTRY)?.as_chunks::<ENTRY>().0 {
            let name = [entry[0], entry[1], entry[2], entry[3]];
            // The perceptual table is the one that is used; the colorimetric one only where that is missing.
            let is_known = INTERPRETED.contains(&&name) && tags.iter().all(|(other, _)| *other != name);
            if is_known {
                let from = usize::try_from(number(entry, 4)?).ok()?;
                let size = usize::try_from(number(entry, 8)?).ok()?;
                tags.push((name, self.bytes.get(from..from.checked_add(size)?)?));
            }
        }
        if tags.iter().any(|(name, _)| name == b"A2B0") {
            tags.retain(|(name, _)| name != b"A2B1");
        }
        let mut slim = self.bytes.get(..HEADER - 4)?.to_vec();
        slim.extend(u32::try_from(tags.len()).ok()?.to_be_bytes());
        let mut place = HEADER + tags.len() * ENTRY;
        for (name, tag) in &tags {
            total += tag.len();
            slim.extend(name);
            slim.extend(u32::try_from(place).ok()?.to_be_bytes());
            slim.extend(u32::try_from(tag.len()).ok()?.to_be_bytes());
            place += tag.len().next_multiple_of(4);
        }
        if total > MAX_INTERPRETED {
            return None;
        }
        for (_, tag) in &tags {
            slim.extend(*tag);
            slim.resize(slim.len().next_multiple_of(4), 0);
        }
        let size = u32::try_from(slim.len()).ok()?;
        slim.get_mut(..4)?.copy_from_slice(&size.to_be_bytes());
        Some(slim)
    }
}

/// Converts a piece; whether that was possible.
fn run(transform: &Transform, from: &[u8], to: &mut [u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| transform.transform(from, to).is_ok())).unwrap_or(false)
}

/// A number of four bytes.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
