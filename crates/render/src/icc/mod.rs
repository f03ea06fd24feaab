//! Embedded colour profiles: kept where they are small, otherwise what they say is worked into the pixels; and inks, which become sRGB.
//!
//! A profile is a program by a stranger. It is cut down to the few tags that are used before anybody interprets it, so that what it takes is
//! bounded; one that is broken or says nonsense counts as none, it never fails a picture.

mod press;
mod profile;

use profile::{Profile, Space};
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::Srgb;

pub(crate) use press::press_to_rgb;

/// Brings a picture to a colour space that every browser understands; gives back the profile that the answer has to carry.
///
/// `max_icc_size` is in kilobytes (1024 bytes): RGB profiles up to that are kept with their pixels, larger ones are worked into the pixels.
/// Inks become RGB: through the profile with [`Srgb::Icc`], by the usual press without. With [`Srgb::KeepProfile`] pixels stay as they are.
/// A profile that does not fit the pixels counts as none.
pub(crate) fn to_rgb(
    mut bitmap: Bitmap,
    icc: Option<&[u8]>,
    srgb: Srgb,
    max_icc_size: u32,
) -> (Bitmap, Option<Vec<u8>>) {
    let profile = icc.and_then(Profile::new).filter(|profile| profile.fits(bitmap.layout));
    if srgb == Srgb::KeepProfile {
        return (bitmap, profile.map(|profile| profile.bytes().to_vec()));
    }
    match (bitmap.layout, profile) {
        (Layout::Cmyk, Some(profile)) if srgb == Srgb::Icc => {
            if !profile.inks_to_srgb(&mut bitmap) {
                press_to_rgb(&mut bitmap);
            }
        }
        (Layout::Cmyk, _) => press_to_rgb(&mut bitmap),
        (_, Some(profile)) if profile.space() == Space::Rgb && is_small(profile.bytes(), max_icc_size) => {
            return (bitmap, Some(profile.bytes().to_vec()));
        }
        (_, Some(profile)) => profile.to_srgb(&mut bitmap),
        (_, None) => {}
    }
    (bitmap, None)
}

fn is_small(profile: &[u8], kilobytes: u32) -> bool {
    profile.len() as u64 <= u64::from(kilobytes) * 1024
}

#[cfg(test)]
mod tests;
