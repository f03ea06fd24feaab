//! What decoding will take, told from the name of a format alone: for those who decide how many pictures are decoded at a time before
//! they have read a byte of them. Decoders count for themselves what they are allowed.

use super::{avif, gif, pcx, png, via_image, webp};

/// Of a JPEG with colours as fine as its brightness: three planes, and its coefficients or its pixels.
const JPEG: u64 = 9;
/// Of a TIFF with eight bits of red, green and blue.
const TIFF: u64 = 10;
/// Of what is not decoded here: its pixels with opacity.
const OTHERS: u64 = 4;

/// The bytes of memory that decoding takes for each pixel that is decoded, the result included, by Pillow's name of a format: `JPEG`, `HEIF`.
/// Rarer variants may take more.
pub fn decoding_cost(format: &str) -> u64 {
    match format {
        "JPEG" => JPEG,
        "PNG" => png::COST,
        "GIF" => gif::COST,
        "WEBP" => webp::COST,
        "TIFF" => TIFF,
        "BMP" | "TGA" => via_image::COST,
        "PCX" => pcx::COST,
        "AVIF" => avif::CODED_COST,
        #[cfg(feature = "heic")]
        "HEIF" => super::heic::USUAL_COST,
        _ => OTHERS,
    }
}

#[cfg(test)]
mod tests {
    use super::decoding_cost;

    #[test]
    fn every_format_has_its_own() {
        assert_eq!(["PNG", "GIF", "WEBP", "AVIF", "SVG"].map(decoding_cost), [6, 13, 11, 24, 4]);
        #[cfg(feature = "heic")]
        assert_eq!(decoding_cost("HEIF"), 20);
    }
}
