//! What a JPEG file says about its picture before the first scan.

use super::segments::{Segment, Segments, marker};
use super::tables::Tables;
use crate::decode::DecodeError;

/// The most segments of a colour profile.
const MAX_ICC_PIECES: usize = 255;

/// One component of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// How many of its blocks are in an MCU, across and down; 1 to 4.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Which quantization table is its own.
    pub(super) quantization: usize,
}

/// How the components make colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Space {
    Gray,
    Rgb,
    YCbCr,
    /// Inks, `true` where they are stored inverted.
    Cmyk(bool),
    Ycck,
}

/// Everything up to the first scan.
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    pub(super) space: Space,
    pub(super) icc: Option<Vec<u8>>,
    pub(super) exif: Option<Vec<u8>>,
    /// The tables that stood before the first scan.
    pub(super) tables: Tables,
    /// Where the segment of the first scan begins.
    pub(super) scans: usize,
}

/// The segment that says how large the picture is.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    components: Vec<Component>,
}

impl Header {
    /// Reads up to the first scan.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        if !bytes.starts_with(&[0xFF, marker::START]) {
            return Err(DecodeError::Unsupported("no JPEG".to_owned()));
        }
        let mut segments = Segments::new(bytes, 2);
        let mut tables = Tables::default();
        let (mut frame, mut exif, mut icc) = (None, None, Vec::new());
        let (mut jfif, mut adobe) = (false, None);
        loop {
            let at = segments.at();
            let segment = segments.next().ok_or_else(|| damaged("it ends before its pixels"))?;
            match segment.marker {
                marker::SCAN => {
                    let Frame { width, height, progressive, components } =
                        frame.ok_or_else(|| damaged("pixels come before the size"))?;
                    let space = space(&components, jfif, adobe);
                    let icc = profile(icc);
                    return Ok(Self { width, height, progressive, components, space, icc, exif, tables, scans: at });
                }
                marker::END => return Err(damaged("it has no pixels")),
                // 0xC8 is reserved for extensions; the rest of the row is hierarchical, lossless or arithmetic coding.
                marker::BASELINE..=0xCF if segment.marker != marker::HUFFMAN => {
                    if frame.is_some() {
                        return Err(damaged("it has two sizes"));
                    }
                    frame = Some(self::frame(&segment)?);
                }
                marker::JFIF => jfif |= segment.body.starts_with(b"JFIF\0"),
                marker::EXIF => exif = exif.or_else(|| segment.body.strip_prefix(b"Exif\0\0").map(<[u8]>::to_vec)),
                marker::ICC if icc.len() <= MAX_ICC_PIECES => icc.extend(segment.body.strip_prefix(b"ICC_PROFILE\0")),
                marker::ADOBE => {
                    adobe = segment.body.strip_prefix(b"Adobe").and_then(|body| body.get(6)).copied().or(adobe);
                }
                _ => tables.take(&segment)?,
            }
        }
    }
}

fn damaged(what: &str) -> DecodeError {
    DecodeError::Damaged(what.to_owned())
}

fn frame(segment: &Segment<'_>) -> Result<Frame, DecodeError> {
    let progressive = match segment.marker {
        marker::BASELINE | marker::EXTENDED => false,
        marker::PROGRESSIVE => true,
        0xC3 => return Err(DecodeError::Unsupported("a lossless JPEG".to_owned())),
        0xC9..=0xCF => return Err(DecodeError::Unsupported("a JPEG with arithmetic coding".to_owned())),
        _ => return Err(DecodeError::Unsupported("a hierarchical JPEG".to_owned())),
    };
    let cut = || damaged("its frame is cut short");
    let (&[precision, height1, height0, width1, width0, count], rest) =
        segment.body.split_first_chunk().ok_or_else(cut)?;
    if precision != 8 {
        return Err(DecodeError::Unsupported(format!("a JPEG with {precision} bits a channel")));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(DecodeError::Unsupported(format!("a JPEG with {count} components")));
    }
    let (width, height) = (u16::from_be_bytes([width1, width0]), u16::from_be_bytes([height1, height0]));
    if width == 0 || height == 0 {
        return Err(damaged("it has no area"));
    }
    let mut components = Vec::with_capacity(4);
    for &[id, sampling, quantization] in rest.as_chunks().0.get(..count.into()).ok_or_else(cut)? {
        let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) || quantization > 3 {
            return Err(damaged("its frame has numbers out of range"));
        }
        components.push(Component { id, across, down, quantization: quantization.into() });
    }
    // A single component has no one to share an MCU with: its sampling has no meaning.
    if let [only] = &mut components[..] {
        (only.across, only.down) = (1, 1);
    }
    Ok(Frame { width: width.into(), height: height.into(), progressive, components })
}

/// By the rules that all readers share with libjpeg: JFIF, then Adobe, then the names of the components.
fn space(components: &[Component], jfif: bool, adobe: Option<u8>) -> Space {
    let mut ids = [0; 4];
    ids.iter_mut().zip(components).for_each(|(id, component)| *id = component.id);
    match (components.len(), adobe) {
        (1, _) => Space::Gray,
        (3, Some(0)) if !jfif => Space::Rgb,
        (3, None) if !jfif && ids[..3] == *b"RGB" => Space::Rgb,
        (3, _) => Space::YCbCr,
        (_, Some(2)) => Space::Ycck,
        (_, adobe) => Space::Cmyk(adobe.is_some()),
    }
}

/// Pieces are numbered from 1 and say how many there are; a profile that lacks one is none.
fn profile(mut pieces: Vec<&[u8]>) -> Option<Vec<u8>> {
    pieces.retain(|piece| piece.len() > 2);
    pieces.sort_by_key(|piece| piece[0]);
    let count = usize::from(pieces.first()?[1]);
    let complete = pieces.len() == count
        && pieces.iter().enumerate().all(|(n, piece)| usize::from(piece[0]) == n + 1 && usize::from(piece[1]) == count);
    complete.then(|| pieces.iter().flat_map(|piece| &piece[2..]).copied().collect())
}
