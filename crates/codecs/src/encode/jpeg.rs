//! JPEG files from pixels.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::{EncodeError, Extras, check};
use crate::{Bitmap, Layout};

/// The most bytes that a segment holds.
const MAX_SEGMENT: usize = 65_533;
/// What stands before EXIF data in its segment.
const EXIF_MARK: usize = b"Exif\0\0".len();
/// The most pieces of a colour profile, and the bytes in each.
const MAX_ICC: usize = 254 * (MAX_SEGMENT - b"ICC_PROFILE\0".len() - 2);

/// A JPEG of quality 1 to 100 (others count as the nearest) with chroma at half resolution, averaged. Takes Gray, RGB and
/// CMYK, which is stored inverted as Adobe does. Extras that are too long for the format are left out.
pub fn jpeg(bitmap: &Bitmap, quality: u8, progressive: bool, extras: Extras<'_>) -> Result<Vec<u8>, EncodeError> {
    check(bitmap)?;
    let color = match bitmap.layout {
        Layout::Gray => ColorType::Luma,
        Layout::Rgb => ColorType::Rgb,
        Layout::Cmyk => ColorType::Cmyk,
        Layout::Rgba => return Err(EncodeError("JPEG has no opacity".to_owned())),
    };
    let side = |length: u32| {
        u16::try_from(length).map_err(|_| EncodeError("a side of a JPEG has at most 65535 pixels".to_owned()))
    };
    let (width, height) = (side(bitmap.width)?, side(bitmap.height)?);
    let mut bytes = Vec::with_capacity(bitmap.data.len() / 8 + 1024);
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(match bitmap.layout {
        // Inks are not brightness and colour: none of them may be coarser.
        Layout::Cmyk => SamplingFactor::F_1_1,
        _ => SamplingFactor::F_2_2,
    });
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_progressive(progressive);
    if let Some(exif) = extras.exif.filter(|exif| exif.len() + EXIF_MARK <= MAX_SEGMENT) {
        encoder.add_exif_metadata(exif).map_err(|error| EncodeError(error.to_string()))?;
    }
    if let Some(icc) = extras.icc.filter(|icc| icc.len() <= MAX_ICC) {
        encoder.add_icc_profile(icc).map_err(|error| EncodeError(error.to_string()))?;
    }
    encoder.encode(&bitmap.data, width, height, color).map_err(|error| EncodeError(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::jpeg;
    use crate::encode::Extras;
    use crate::{Ask, Bitmap, Layout, decode};

    fn bitmap(width: u32, height: u32, layout: Layout) -> Bitmap {
        // Up and down, row by row.
        let slope = |n: usize| u8::try_from((n % (width as usize * 3)).abs_diff(100) % 200).unwrap();
        let data = (0..(width * height) as usize * layout.channels()).map(slope).collect();
        Bitmap { width, height, layout, data }
    }

    #[test]
    fn what_is_written_is_read() {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Cmyk] {
            for progressive in [false, true] {
                let bitmap = bitmap(61, 47, layout);
                let bytes = jpeg(&bitmap, 97, progressive, Extras::default()).unwrap();
                let read = decode(&bytes, &Ask::default()).unwrap().bitmap;
                assert_eq!((read.width, read.height, read.layout), (61, 47, layout));
                let error: usize = read.data.iter().zip(&bitmap.data).map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
                assert!(error / read.data.len() < 5, "{layout:?} {progressive}: {error}");
                assert_eq!(bytes.windows(2).any(|two| two == [0xFF, 0xC2]), progressive);
            }
        }
    }

    #[test]
    fn colours_are_written_coarser_than_light() {
        let bytes = jpeg(&bitmap(32, 32, Layout::Rgb), 95, false, Extras::default()).unwrap();
        let frame = bytes.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        let samplings = [bytes[frame + 11], bytes[frame + 14], bytes[frame + 17]];
        assert_eq!(samplings, [0x22, 0x11, 0x11]);
    }

    #[test]
    fn quality_decides_the_size() {
        let bitmap = bitmap(200, 150, Layout::Rgb);
        let sizes: Vec<usize> = [0, 1, 40, 80, 100, 255]
            .map(|quality| jpeg(&bitmap, quality, false, Extras::default()).unwrap().len())
            .into();
        assert!(sizes.is_sorted(), "{sizes:?}");
        assert_eq!((sizes[0], sizes[4]), (sizes[1], sizes[5]));
    }

    #[test]
    fn extras_are_read_again() {
        let icc: Vec<u8> = (0..=250).cycle().take(200_000).collect();
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
        let extras = Extras { icc: Some(&icc), exif: Some(exif) };
        let bytes = jpeg(&bitmap(9, 9, Layout::Rgb), 80, true, extras).unwrap();
        let decoded = decode(&bytes, &Ask::default()).unwrap();
        assert_eq!(decoded.icc.as_deref(), Some(&icc[..]));
        assert_eq!((decoded.exif.as_deref(), decoded.orientation), (Some(&exif[..]), 3));
    }

    #[test]
    fn extras_that_do_not_fit_are_left_out() {
        let exif = [b"II*\0".to_vec(), vec![0; 66_000]].concat();
        let extras = Extras { icc: None, exif: Some(&exif) };
        let bytes = jpeg(&bitmap(9, 9, Layout::Gray), 80, false, extras).unwrap();
        assert_eq!(decode(&bytes, &Ask::default()).unwrap().exif, None);
    }

    #[test]
    fn refuses_what_the_format_has_not() {
        assert!(jpeg(&bitmap(4, 4, Layout::Rgba), 80, false, Extras::default()).is_err());
        assert!(jpeg(&bitmap(65_536, 1, Layout::Gray), 80, false, Extras::default()).is_err());
        let short = Bitmap { data: vec![0; 5], ..bitmap(4, 4, Layout::Gray) };
        assert!(jpeg(&short, 80, false, Extras::default()).is_err());
    }
}
