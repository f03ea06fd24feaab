//! What EXIF says about a picture: orientation, resolution, place and time. Anything odd is simply not there.

use crate::ifd::{Block, Directory};
use crate::source::Source;
use stowage_model::GeoLocation;

const ORIENTATION: u16 = 0x0112;
const X_RESOLUTION: u16 = 0x011A;
const Y_RESOLUTION: u16 = 0x011B;
const RESOLUTION_UNIT: u16 = 0x0128;
const EXIF_DIRECTORY: u16 = 0x8769;
const GPS_DIRECTORY: u16 = 0x8825;
const DATETIME_ORIGINAL: u16 = 0x9003;
const LATITUDE_REF: u16 = 1;
const LATITUDE: u16 = 2;
const LONGITUDE_REF: u16 = 3;
const LONGITUDE: u16 = 4;

/// The tags that [`from_directory`] needs of a first directory.
pub(crate) const TAGS: [u16; 6] =
    [ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, EXIF_DIRECTORY, GPS_DIRECTORY];

/// The facts of EXIF that are shown.
#[derive(Default)]
pub(crate) struct Exif {
    /// 0 to 8, as stored.
    pub(crate) orientation: Option<u16>,
    /// Dots per inch, as computed, not yet rounded.
    pub(crate) dpi: Option<[f64; 2]>,
    pub(crate) geo_location: Option<GeoLocation>,
    /// `YYYY-MM-DDTHH:MM:SS`.
    pub(crate) datetime_original: Option<String>,
}

/// Reads an EXIF payload of `len` bytes at `base`, with or without the `Exif\0\0` of JPEG in front.
pub(crate) fn read(src: &mut Source, base: u64, len: u64) -> Option<Exif> {
    let prefixed = src.array::<6>(base)? == *b"Exif\0\0";
    let skip = if prefixed { 6 } else { 0 };
    let block = Block::open(src, base + skip, len.checked_sub(skip)?)?;
    let directory = block.directory(src, block.first, &TAGS)?;
    let mut exif = from_directory(src, &block, &directory);
    exif.dpi = exif.dpi.or_else(|| ratio(src, &block, &directory));
    Some(exif)
}

/// Reads the facts that hang on the first directory of a TIFF structure.
pub(crate) fn from_directory(src: &mut Source, block: &Block, first: &Directory) -> Exif {
    let whole = |src: &mut Source, tag| first.get(tag).and_then(|entry| block.whole(src, entry, 0));
    let orientation = whole(src, ORIENTATION).and_then(|n| u16::try_from(n).ok()).filter(|n| *n <= 8);
    let exif = whole(src, EXIF_DIRECTORY).and_then(|at| block.directory(src, at, &[DATETIME_ORIGINAL]));
    let gps = whole(src, GPS_DIRECTORY)
        .and_then(|at| block.directory(src, at, &[LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE]));
    Exif {
        orientation,
        dpi: dpi(src, block, first),
        geo_location: gps.and_then(|gps| place(src, block, &gps)),
        datetime_original: exif.and_then(|exif| {
            let entry = exif.get(DATETIME_ORIGINAL)?;
            time(block.text(src, entry, 19)?)
        }),
    }
}

/// Both resolutions in dots per inch; the vertical one defaults to the horizontal one, the unit to inches.
fn dpi(src: &mut Source, block: &Block, first: &Directory) -> Option<[f64; 2]> {
    let [x, y] = ratio(src, block, first)?;
    match first.get(RESOLUTION_UNIT).and_then(|entry| block.whole(src, entry, 0)) {
        Some(3) => Some([x * 2.54, y * 2.54]),
        None | Some(2) => Some([x, y]),
        // Without a unit the numbers are only a ratio.
        Some(_) => None,
    }
}

/// Both resolutions whatever their unit. Outside of TIFF Pillow takes all but centimetres for inches.
fn ratio(src: &mut Source, block: &Block, first: &Directory) -> Option<[f64; 2]> {
    let x = block.real(src, first.get(X_RESOLUTION)?, 0)?;
    let y = first.get(Y_RESOLUTION).and_then(|entry| block.real(src, entry, 0)).unwrap_or(x);
    Some([x, y])
}

fn place(src: &mut Source, block: &Block, gps: &Directory) -> Option<GeoLocation> {
    let mut angle = |reference: u16, value: u16, positive: u8, negative: u8, most: f64| {
        let side = block.text(src, gps.get(reference)?, 1)?.first()?.to_ascii_uppercase();
        let sign = if side == positive {
            1.0
        } else if side == negative {
            -1.0
        } else {
            return None;
        };
        let entry = gps.get(value)?;
        let degrees = block.real(src, entry, 0)?;
        let minutes = block.real(src, entry, 1).unwrap_or(0.0);
        let seconds = block.real(src, entry, 2).unwrap_or(0.0);
        let angle = degrees + minutes / 60.0 + seconds / 3600.0;
        (0.0..=most).contains(&angle).then_some(angle * sign)
    };
    let latitude = angle(LATITUDE_REF, LATITUDE, b'N', b'S', 90.0)?;
    let longitude = angle(LONGITUDE_REF, LONGITUDE, b'E', b'W', 180.0)?;
    Some(GeoLocation { latitude, longitude })
}

/// `YYYY:MM:DD HH:MM:SS` as `YYYY-MM-DDTHH:MM:SS`; nothing for blanks, zeros and what is no date.
fn time(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 19 && text.is_ascii())?;
    let field = |from: usize, to: usize, least: u16, most: u16| {
        let digits = &text[from..to];
        let number: u16 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (least..=most).contains(&number).then_some(digits)
    };
    let marks = |at: &[usize], allowed: &[u8]| at.iter().all(|at| allowed.contains(&text.as_bytes()[*at]));
    if !marks(&[4, 7], b":-") || !marks(&[10], b" T") || !marks(&[13, 16], b":") {
        return None;
    }
    let (year, month, day) = (field(0, 4, 1, 9999)?, field(5, 7, 1, 12)?, field(8, 10, 1, 31)?);
    let (hour, minute, second) = (field(11, 13, 0, 23)?, field(14, 16, 0, 59)?, field(17, 19, 0, 60)?);
    Some(format!("{year}-{month}-{day}T{hour}:{minute}:{second}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rewritten_or_dropped() {
        assert_eq!(time(b"2023:06:24 15:09:48").as_deref(), Some("2023-06-24T15:09:48"));
        assert_eq!(time(b"2023-06-24T15:09:48").as_deref(), Some("2023-06-24T15:09:48"));
        for bad in
            ["0000:00:00 00:00:00", "    :  :     :  :  ", "2023:13:01 00:00:00", "2023:06:24", "2023:06:24 25:00:00"]
        {
            assert_eq!(time(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(time("202é:06:24 15:09:4".as_bytes()), None);
    }
}
