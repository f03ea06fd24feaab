//! Rearranging pixels, shared by decoders.

use super::DecodeError;
use crate::{Bitmap, Layout};

/// A bitmap, if there are as many bytes as it takes.
pub(super) fn bitmap((width, height): (u32, u32), layout: Layout, data: Vec<u8>) -> Result<Bitmap, DecodeError> {
    if data.len() as u64 != u64::from(width) * u64::from(height) * layout.channels() as u64 {
        return Err(DecodeError::Damaged("it has too few pixels".to_owned()));
    }
    Ok(Bitmap { width, height, layout, data })
}

/// Zeroed bytes; running out of memory is an error, not an abort.
pub(super) fn zeroed(len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut data = Vec::new();
    data.try_reserve_exact(len).map_err(|_| DecodeError::TooLarge("no memory is left".to_owned()))?;
    data.resize(len, 0);
    Ok(data)
}

/// Grey and opacity to three equal channels and opacity.
pub(super) fn gray_alpha_to_rgba(data: &[u8]) -> Vec<u8> {
    data.as_chunks::<2>().0.iter().flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]).collect()
}

/// Colours without their opacity, where every pixel is opaque.
pub(super) fn without_opaque_alpha(data: Vec<u8>) -> (Layout, Vec<u8>) {
    let pixels = data.as_chunks::<4>().0;
    if pixels.iter().any(|pixel| pixel[3] != u8::MAX) {
        return (Layout::Rgba, data);
    }
    (Layout::Rgb, pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect())
}

/// Takes the opacity out of colours that were multiplied by it, pixel by pixel.
pub(super) fn unmultiply(data: &mut [u8]) {
    for [r, g, b, alpha] in data.as_chunks_mut::<4>().0 {
        if *alpha != 0 {
            let whole = u32::from(*alpha);
            for color in [r, g, b] {
                let level = (u32::from(*color) * 255 + whole / 2) / whole;
                *color = u8::try_from(level).unwrap_or(u8::MAX);
            }
        }
    }
}

/// Sixteen bits to the nearest of eight.
pub(super) fn narrow(sample: u16) -> u8 {
    u8::try_from((u32::from(sample) + 128) / 257).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::{narrow, unmultiply};

    #[test]
    fn opacity_is_taken_out() {
        let mut data = [64, 128, 200, 128, 9, 9, 9, 0, 1, 2, 3, 255];
        unmultiply(&mut data);
        // Colours cannot be brighter than white, and what cannot be seen stays.
        assert_eq!(data, [128, 255, 255, 128, 9, 9, 9, 0, 1, 2, 3, 255]);
    }

    #[test]
    fn sixteen_bits_are_rounded() {
        for eight in 0..=255_u16 {
            assert_eq!(u16::from(narrow(eight * 257)), eight);
        }
        assert_eq!((narrow(128), narrow(129), narrow(65535 - 129), narrow(u16::MAX)), (0, 1, 254, 255));
    }
}
