//! HEIC: the primary picture, turned and cut as the container orders. The decoder's parsers are public, though not promised to
//! stay, so its version is pinned: they tell how large the coded pictures are before any of them is decoded.

use super::heif::Container;
use super::{Ask, DecodeError, Decoded, guard, pixels};
use crate::Layout;
use heic_decoder::bitreader::strip_emulation_prevention;
use heic_decoder::hevc::nal::{NAL_SPS, parse_nal_header};
use heic_decoder::hevc::params::{Sps, parse_sps};
use heic_decoder::isobmff::{ParsedHeif, ResolvedImage};
use heic_decoder::{HeifError, isobmff};

/// Bytes for each sample of a coded picture: four in the planes, as many when tiles are put together or turned.
const SAMPLE_COST: u64 = 8;
/// Bytes for each pixel of the result.
const COST: u64 = 8;

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
    // The decoder copies the bytes of every tile, however often the same ones are meant. Sequences have no such list.
    if super::heif::find(bytes, *b"meta").is_some() {
        let container = Container::open(bytes).ok_or_else(|| damaged("its container does not hold together"))?;
        let primary = container.primary().ok_or_else(|| damaged("it has no picture"))?;
        let pictures = [Some(primary), container.alpha(primary).map(|(alpha, _)| alpha)];
        if pictures.into_iter().flatten().any(|picture| container.tiles(picture).is_none()) {
            return Err(damaged("it has too many tiles"));
        }
    }
    let info = heic_decoder::probe(bytes).map_err(|error| refuse(&error))?;
    for (width, height) in [(info.coded_width, info.coded_height), (info.width, info.height)] {
        let side = |side: usize| u32::try_from(side).map_err(|_| DecodeError::TooLarge(format!("{width}x{height}")));
        ask.limits.admit((side(width)?, side(height)?), COST)?;
    }
    let parsed = isobmff::parse(bytes).map_err(|error| refuse(&error))?;
    let mut memory = info.width as u64 * info.height as u64 * COST;
    for image in coded(&parsed) {
        let sps = header(image)?;
        let area = u64::from(sps.pic_width_in_luma_samples) * u64::from(sps.pic_height_in_luma_samples);
        // Two smaller planes of colours, or none, or two as large.
        let samples = match sps.chroma_format_idc {
            0 => area,
            1 => area * 3 / 2,
            _ => area * 3,
        };
        memory = memory.saturating_add(samples.saturating_mul(SAMPLE_COST));
    }
    if memory > ask.limits.max_memory {
        return Err(DecodeError::TooLarge(format!(
            "{}x{} in its format takes too much memory",
            info.width, info.height
        )));
    }
    Ok(())
}

/// Everything in a file that will be decoded.
fn coded(parsed: &ParsedHeif) -> impl Iterator<Item = &ResolvedImage> {
    let alpha = parsed.alpha.as_ref().map(|alpha| &alpha.image);
    let pictures = [Some(parsed), alpha.map(|alpha| &**alpha)];
    pictures.into_iter().flatten().flat_map(|picture| picture.images.iter().chain(&picture.reference_image))
}

/// What a coded picture says about itself.
fn header(image: &ResolvedImage) -> Result<Sps, DecodeError> {
    for unit in image.hevc_config.nalus_of_type(NAL_SPS) {
        let (head, payload) = parse_nal_header(unit).map_err(|error| refuse(&error))?;
        if head.nal_unit_type == NAL_SPS && head.nuh_layer_id == 0 {
            return parse_sps(&strip_emulation_prevention(payload)).map_err(|error| refuse(&error));
        }
    }
    Err(DecodeError::Damaged("a picture in it says no size".to_owned()))
}

fn refuse(error: &HeifError) -> DecodeError {
    match error {
        HeifError::Unsupported(what) => DecodeError::Unsupported((*what).to_owned()),
        HeifError::LimitExceeded(what) => DecodeError::TooLarge((*what).to_owned()),
        error => DecodeError::Damaged(error.to_string()),
    }
}
