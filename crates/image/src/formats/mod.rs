//! One reader per picture format: from the header alone to the facts that the APIs show. A reader returns nothing for
//! whatever it does not understand; it decodes no pixels, allocates no more than it keeps, and bounds its own loops.

mod bmp;
mod gif;
pub(crate) mod heif;
mod jpeg;
mod pcx;
mod png;
pub(crate) mod svg;
mod tga;
mod tiff;
mod webp;

use crate::exif::Exif;
use crate::source::Source;
use stowage_model::ImageInfo;

/// The picture formats whose facts are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
    Tiff,
    Heif,
    Avif,
    Pcx,
    Tga,
    Svg,
}

/// A picture's facts as its header has them.
pub(crate) struct Facts {
    pub(crate) format: Format,
    /// Pixels, before the EXIF orientation.
    pub(crate) size: (u32, u32),
    /// Pillow's name of the pixel layout, among those that the API's documentation lists.
    pub(crate) mode: Option<&'static str>,
    /// Whether there is more than one frame.
    pub(crate) sequence: bool,
    /// Dots per inch from the format's own fields; those of EXIF step in where there are none.
    pub(crate) dpi: Option<[f64; 2]>,
    pub(crate) exif: Exif,
}

impl Format {
    /// Pillow's name.
    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Webp => "WEBP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Heif => "HEIF",
            Self::Avif => "AVIF",
            Self::Pcx => "PCX",
            Self::Tga => "TGA",
            Self::Svg => "SVG",
        }
    }

    /// The facts of a file of this format; `max_svg` is the size of the largest SVG that is parsed.
    pub(crate) fn read(self, src: &mut Source, max_svg: u64) -> Option<Facts> {
        match self {
            Self::Jpeg => jpeg::read(src),
            Self::Png => png::read(src),
            Self::Gif => gif::read(src),
            Self::Webp => webp::read(src),
            Self::Bmp => bmp::read(src),
            Self::Tiff => tiff::read(src),
            Self::Heif | Self::Avif => heif::read(src, self),
            Self::Pcx => pcx::read(src),
            Self::Tga => tga::read(src),
            Self::Svg => svg::read(src, max_svg),
        }
    }
}

/// The picture format that the first bytes announce, and its MIME type.
pub(crate) fn recognise(src: &mut Source) -> Option<(Format, &'static str)> {
    let head = src.head();
    let at = |from: usize, what: &[u8]| head.get(from..from + what.len()) == Some(what);
    if at(0, b"\xFF\xD8\xFF") && !at(3, b"\xF7") {
        Some((Format::Jpeg, "image/jpeg"))
    } else if at(0, png::SIGNATURE) {
        Some((Format::Png, "image/png"))
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Some((Format::Gif, "image/gif"))
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Some((Format::Webp, "image/webp"))
    } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
        Some((Format::Tiff, "image/tiff"))
    } else if at(4, b"ftyp") {
        heif::recognise(src)
    } else if at(0, b"BM") && bmp::plausible(head) {
        Some((Format::Bmp, "image/bmp"))
    } else if pcx::plausible(head) {
        Some((Format::Pcx, "image/x-pcx"))
    } else {
        tga::plausible(head, src.len()).then_some((Format::Tga, "image/x-tga"))
    }
}

impl Facts {
    /// Facts of one still frame, with nothing else known.
    fn new(format: Format, size: (u32, u32), mode: Option<&'static str>) -> Self {
        Self { format, size, mode, sequence: false, dpi: None, exif: Exif::default() }
    }

    /// The picture as it is shown: upright, with whole dots per inch.
    pub(crate) fn into_info(self) -> ImageInfo {
        // HEIF and AVIF turn the picture by a property of their own; their EXIF tag only repeats it.
        let turned =
            !matches!(self.format, Format::Heif | Format::Avif) && matches!(self.exif.orientation, Some(5..=8));
        let (width, height) = if turned { (self.size.1, self.size.0) } else { self.size };
        ImageInfo {
            color_mode: self.mode.map(str::to_owned),
            orientation: self.exif.orientation,
            format: self.format.name().to_owned(),
            width,
            height,
            sequence: self.sequence,
            geo_location: self.exif.geo_location,
            datetime_original: self.exif.datetime_original,
            dpi: self.dpi.and_then(whole_dpi).or_else(|| self.exif.dpi.and_then(whole_dpi)),
        }
    }
}

/// Dots per inch in whole numbers, as every recording of the real service has them (a PNG counts per metre, so that
/// its 72 is stored as 72.009); nothing for zero and for what no scanner has.
fn whole_dpi(dpi: [f64; 2]) -> Option<[f64; 2]> {
    let dpi = dpi.map(f64::round);
    dpi.iter().all(|n| (1.0..=1e6).contains(n)).then_some(dpi)
}
