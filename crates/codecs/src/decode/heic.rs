//! HEIC: the primary picture, turned and cut as the container orders. The decoder's parsers are public, though not promised to
//! stay, so its version is pinned: they tell how large the coded pictures are before any of them is decoded.

use super::heif::{Container, Cursor, MAX_LISTS, Parts};
use super::{Ask, DecodeError, Decoded, guard, pixels};
use crate::Layout;
use heic_decoder::bitreader::strip_emulation_prevention;
use heic_decoder::hevc::nal::{NAL_PPS, NAL_SPS, is_slice_nal, parse_nal_header};
use heic_decoder::hevc::params::{Sps, parse_pps, parse_sps};
use heic_decoder::hevc::slice::parse_slice_header;
use heic_decoder::isobmff::{ParsedHeif, ResolvedImage};
use heic_decoder::{HeifError, isobmff};

/// Bytes for each sample of a coded picture: four in the planes, as many when tiles are put together or turned.
const SAMPLE_COST: u64 = 8;
/// Bytes for each pixel of the result.
const COST: u64 = 8;
/// Bytes for each pixel of a usual picture, whose colours have a quarter of the samples each.
pub(super) const USUAL_COST: u64 = COST + SAMPLE_COST * 3 / 2;
/// Turns, mirrors and cuts of a picture; each copies it. Cameras order one or two.
const MAX_TRANSFORMS: usize = 8;
/// Units of a coded picture; encoders make one for each slice and a few around them.
const MAX_UNITS: usize = 4096;
/// The bytes within which the header of a slice ends.
const MAX_HEADER: usize = 16 * 1024;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    check(bytes, ask)?;
    // Tiles are decoded by rayon: on one thread, and where panics are caught and not reported.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| DecodeError::Damaged(format!("no thread is left: {error}")))?;
    pool.install(|| guard::guarded(|| paint(bytes)))?
}

fn paint(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let image = heic_decoder::decode(bytes).map_err(|error| refuse(&error))?;
    let (layout, data) = if image.alpha.is_some() {
        let mut rgba = image.to_rgba8().map_err(|error| refuse(&error))?;
        if rgba.premultiplied {
            pixels::unmultiply(&mut rgba.data);
        }
        (Layout::Rgba, rgba.data)
    } else {
        (Layout::Rgb, image.to_rgb8().map_err(|error| refuse(&error))?.data)
    };
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let bitmap = pixels::bitmap((side(image.width), side(image.height)), layout, data)?;
    let decoded = Decoded::plain(bitmap).with_icc(image.metadata.icc_profile).with_exif(image.metadata.exif);
    // The container has turned it; EXIF only repeats that.
    Ok(Decoded { orientation: 1, is_sequence: super::heif::find(bytes, *b"moov").is_some(), ..decoded })
}

/// Whether the picture, its tiles and its opacity may be decoded.
fn check(bytes: &[u8], ask: &Ask) -> Result<(), DecodeError> {
    let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
    // The decoder's parser copies lists and tiles as often as they are meant, so it is given only what this one has understood.
    if super::heif::find(bytes, *b"meta").is_some() {
        Container::open(bytes).ok_or_else(|| damaged("its container does not hold together"))?;
    } else if Parts(bytes).any(|part| part.kind == *b"moov" && part.body.len() > MAX_LISTS) {
        return Err(damaged("its lists are too long"));
    }
    let info = heic_decoder::probe(bytes).map_err(|error| refuse(&error))?;
    for (width, height) in [(info.coded_width, info.coded_height), (info.width, info.height)] {
        let side = |side: usize| u32::try_from(side).map_err(|_| DecodeError::TooLarge(format!("{width}x{height}")));
        ask.limits.admit((side(width)?, side(height)?), COST)?;
    }
    let parsed = isobmff::parse(bytes).map_err(|error| refuse(&error))?;
    if pictures(&parsed).any(|picture| picture.transforms.len() > MAX_TRANSFORMS) {
        return Err(damaged("it is turned too often"));
    }
    let mut memory = info.width as u64 * info.height as u64 * COST;
    for image in pictures(&parsed).flat_map(coded) {
        let sps: Sps = header(image, NAL_SPS, parse_sps)?;
        let area = u64::from(sps.pic_width_in_luma_samples) * u64::from(sps.pic_height_in_luma_samples);
        // Two smaller planes of colours, or none, or two as large.
        let samples = match sps.chroma_format_idc {
            0 => area,
            1 => area * 3 / 2,
            _ => area * 3,
        };
        memory = memory.saturating_add(samples.saturating_mul(SAMPLE_COST));
        check_units(image, &sps)?;
    }
    if memory > ask.limits.max_memory {
        return Err(DecodeError::TooLarge(format!(
            "{}x{} in its format takes too much memory",
            info.width, info.height
        )));
    }
    Ok(())
}

/// The picture and its opacity.
fn pictures(parsed: &ParsedHeif) -> impl Iterator<Item = &ParsedHeif> {
    std::iter::once(parsed).chain(parsed.alpha.as_ref().map(|alpha| &*alpha.image))
}

/// Everything of a picture that will be decoded.
fn coded(picture: &ParsedHeif) -> impl Iterator<Item = &ResolvedImage> {
    picture.images.iter().chain(&picture.reference_image)
}

/// What a coded picture says about itself in its first unit of a type.
fn header<T>(image: &ResolvedImage, kind: u8, parse: impl Fn(&[u8]) -> Result<T, HeifError>) -> Result<T, DecodeError> {
    for unit in image.hevc_config.nalus_of_type(kind) {
        let (head, payload) = parse_nal_header(unit).map_err(|error| refuse(&error))?;
        if head.nal_unit_type == kind && head.nuh_layer_id == 0 {
            return parse(&strip_emulation_prevention(payload)).map_err(|error| refuse(&error));
        }
    }
    Err(DecodeError::Damaged("a picture in it says too little about itself".to_owned()))
}

/// Refuses coded pictures of so many units, or with headers so long, that the decoder's lists of them would be far larger than the file.
fn check_units(image: &ResolvedImage, sps: &Sps) -> Result<(), DecodeError> {
    let pps = header(image, NAL_PPS, parse_pps)?;
    let len = usize::from(image.hevc_config.length_size_minus_one) + 1;
    let mut cursor = Cursor(&image.data);
    for _ in 0..MAX_UNITS {
        // The decoder says what is wrong with data that is cut short.
        let Some((unit, rest)) = cursor.count(len).and_then(|len| cursor.0.split_at_checked(len)) else {
            return Ok(());
        };
        cursor.0 = rest;
        let (head, payload) = parse_nal_header(unit).map_err(|error| refuse(&error))?;
        if is_slice_nal(head.nal_unit_type) && head.nuh_layer_id == 0 {
            // What ends within the first bytes is the whole header.
            let front = strip_emulation_prevention(&payload[..payload.len().min(MAX_HEADER)]);
            parse_slice_header(&front, head.nal_unit_type, sps, &pps).map_err(|error| refuse(&error))?;
        }
    }
    Err(DecodeError::Damaged("a picture in it has too many units".to_owned()))
}

fn refuse(error: &HeifError) -> DecodeError {
    match error {
        HeifError::Unsupported(what) => DecodeError::Unsupported((*what).to_owned()),
        HeifError::LimitExceeded(what) => DecodeError::TooLarge((*what).to_owned()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
