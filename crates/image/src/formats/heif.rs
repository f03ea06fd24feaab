//! HEIF, HEIC and AVIF: boxes. The primary item's properties give the size, the turning and the channels; the EXIF
//! item is found through the item lists. Sequences without items are asked for their first track.

use super::{Facts, Format};
use crate::boxes::{Span, boxes, child};
use crate::exif::{self, Exif};
use crate::source::Source;

/// Numbers that are read in one list.
const MAX_NUMBERS: u32 = 16 * 1024;
/// Compatible brands that are looked at.
const MAX_BRANDS: usize = 64;
/// Properties of the primary item, and properties in all, that are kept.
const MAX_LINKS: usize = 32;
const MAX_PROPERTIES: usize = 1024;

/// The format and MIME type that the brands in the first box announce, if they are those of pictures.
pub(super) fn recognise(src: &mut Source) -> Option<(Format, &'static str)> {
    let major: [u8; 4] = src.array(8)?;
    Some(match &major {
        b"avif" | b"avis" => (Format::Avif, "image/avif"),
        b"heic" | b"heix" => (Format::Heif, "image/heic"),
        b"heim" | b"heis" | b"mif1" | b"mif2" if has_brand(src, *b"avif") => (Format::Avif, "image/avif"),
        b"heim" | b"heis" | b"mif1" | b"mif2" => (Format::Heif, "image/heif"),
        b"hevc" | b"hevx" => (Format::Heif, "image/heic-sequence"),
        b"msf1" if has_brand(src, *b"avis") => (Format::Avif, "image/avif"),
        b"msf1" | b"hevm" | b"hevs" => (Format::Heif, "image/heif-sequence"),
        _ => return None,
    })
}

/// Whether the first box names a brand.
pub(crate) fn has_brand(src: &mut Source, brand: [u8; 4]) -> bool {
    let Some(len) = src.be32(0) else { return false };
    let count = (len as usize / 4).min(MAX_BRANDS + 4);
    // Length, type, major brand, version, then the compatible brands.
    (2..count).filter(|index| *index != 3).any(|index| src.array(index as u64 * 4) == Some(brand))
}

pub(super) fn read(src: &mut Source, format: Format) -> Option<Facts> {
    let all = Span::file(src);
    let sequence = [*b"msf1", *b"hevc", *b"hevx", *b"avis"].iter().any(|brand| has_brand(src, *brand));
    let facts = child(src, all, *b"meta").and_then(|meta| primary(src, meta.full()?, format));
    let mut facts = match facts {
        Some(facts) => facts,
        None => Facts::new(format, first_track(src, all)?, Some("RGB")),
    };
    facts.sequence = sequence;
    Some(facts)
}

/// Reads numbers one after the other inside a box.
struct Cursor {
    rest: Span,
    left: u32,
}

impl Cursor {
    fn new(span: Span) -> Self {
        Self { rest: span, left: MAX_NUMBERS }
    }

    /// A big-endian number of up to eight bytes; of none it is 0.
    fn number(&mut self, src: &mut Source, size: u8) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let next = self.rest.at + u64::from(size);
        if next > self.rest.end {
            return None;
        }
        let number = src.bytes(self.rest.at, size.into())?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.rest.at = next;
        Some(number)
    }

    fn id(&mut self, src: &mut Source, wide: bool) -> Option<u32> {
        u32::try_from(self.number(src, if wide { 4 } else { 2 })?).ok()
    }
}

fn primary(src: &mut Source, meta: Span, format: Format) -> Option<Facts> {
    let pitm = child(src, meta, *b"pitm")?;
    let wide = src.u8(pitm.at)? > 0;
    let id = Cursor::new(pitm.full()?).id(src, wide)?;
    let items = items(src, meta, id)?;
    if !matches!(&items.primary, b"hvc1" | b"hev1" | b"av01" | b"grid" | b"iden" | b"iovl") {
        return None;
    }
    let iprp = child(src, meta, *b"iprp")?;
    let ipco = child(src, iprp, *b"ipco")?;
    let properties = properties(src, ipco);
    let ipma = child(src, iprp, *b"ipma")?;
    let links = links(src, ipma, id)?;
    let linked = links.iter().filter_map(|index| properties.get(index.checked_sub(1)?));
    let (mut size, mut grey) = (None, false);
    for (kind, span) in linked {
        match kind {
            b"ispe" => size = Some((src.be32(span.at + 4)?, src.be32(span.at + 8)?)),
            b"clap" => size = Some((fraction(src, span.at)?, fraction(src, span.at + 8)?)),
            b"irot" if src.u8(span.at)? & 1 == 1 => size = size.map(|(width, height)| (height, width)),
            b"pixi" => grey |= src.u8(span.at + 4)? == 1,
            // The decoders' configurations: the two low bits, the format of chroma, are 0, the bit of monochrome is set.
            b"hvcC" => grey |= src.u8(span.at + 16)?.trailing_zeros() >= 2,
            b"av1C" => grey |= src.u8(span.at + 2)? & 0x10 != 0,
            _ => {}
        }
    }
    let alpha = properties.iter().any(|(kind, span)| kind == b"auxC" && is_alpha(src, *span));
    let mode = match (alpha, grey) {
        (true, true) => "LA",
        (true, false) => "RGBA",
        (false, true) => "L",
        (false, false) => "RGB",
    };
    let mut facts = Facts::new(format, size?, Some(mode));
    facts.exif = items.exif.and_then(|id| metadata(src, meta, id)).unwrap_or_default();
    Some(facts)
}

/// A side of a clean aperture: numerator over denominator, rounded.
fn fraction(src: &mut Source, at: u64) -> Option<u32> {
    let (top, bottom) = (src.be32(at)?, src.be32(at + 4)?);
    u32::try_from((u64::from(top) + u64::from(bottom) / 2).checked_div(bottom.into())?).ok()
}

fn is_alpha(src: &mut Source, aux: Span) -> bool {
    const NAMES: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];
    let room = aux.end.saturating_sub(aux.at + 4);
    NAMES.iter().any(|name| name.len() as u64 <= room && src.bytes(aux.at + 4, name.len()) == Some(name))
}

struct Items {
    primary: [u8; 4],
    exif: Option<u32>,
}

/// The type of the primary item, and the number of the EXIF item.
fn items(src: &mut Source, meta: Span, primary: u32) -> Option<Items> {
    let iinf = child(src, meta, *b"iinf")?;
    let count_size = if src.u8(iinf.at)? == 0 { 2 } else { 4 };
    let mut list = boxes(Span { at: iinf.full()?.at + count_size, ..iinf });
    let mut items = Items { primary: *b"    ", exif: None };
    while let Some((kind, span)) = list.next(src) {
        if kind != *b"infe" {
            continue;
        }
        let mut cursor = Cursor::new(span.full()?);
        let id = match src.u8(span.at)? {
            2 => cursor.id(src, false)?,
            3 => cursor.id(src, true)?,
            // Older entries carry no type.
            _ => continue,
        };
        cursor.number(src, 2)?;
        let kind: [u8; 4] = src.array(cursor.rest.at)?;
        if id == primary {
            items.primary = kind;
        } else if kind == *b"Exif" && items.exif.is_none() {
            items.exif = Some(id);
        }
    }
    Some(items)
}

fn properties(src: &mut Source, ipco: Span) -> Vec<([u8; 4], Span)> {
    let (mut list, mut found) = (boxes(ipco), Vec::new());
    while found.len() < MAX_PROPERTIES {
        let Some(property) = list.next(src) else { break };
        found.push(property);
    }
    found
}

/// The properties of an item, as numbers counted from 1, in the order in which they apply.
fn links(src: &mut Source, ipma: Span, item: u32) -> Option<Vec<usize>> {
    let [version, _, _, flags] = src.array(ipma.at)?;
    let (size, essential) = if flags & 1 == 1 { (2, 0x8000) } else { (1, 0x80) };
    let mut cursor = Cursor::new(ipma.full()?);
    for _ in 0..cursor.number(src, 4)? {
        let id = cursor.id(src, version > 0)?;
        let count = cursor.number(src, 1)?;
        if id != item {
            cursor.rest.at += count * u64::from(size);
            continue;
        }
        let mut links = Vec::new();
        for _ in 0..count.min(MAX_LINKS as u64) {
            links.push(usize::try_from(cursor.number(src, size)? & (essential - 1)).ok()?);
        }
        return Some(links);
    }
    None
}

/// Follows the location of the EXIF item to its payload.
fn metadata(src: &mut Source, meta: Span, item: u32) -> Option<Exif> {
    let iloc = child(src, meta, *b"iloc")?;
    let version = src.u8(iloc.at)?;
    let mut cursor = Cursor::new(iloc.full()?);
    let sizes = cursor.number(src, 2)?;
    let nibble = |shift: u32| (sizes >> shift & 0xF) as u8;
    let (offset_size, length_size, base_size) = (nibble(12), nibble(8), nibble(4));
    let index_size = if version == 0 { 0 } else { nibble(0) };
    if [offset_size, length_size, base_size, index_size].iter().any(|size| *size > 8) {
        return None;
    }
    for _ in 0..cursor.id(src, version > 1)? {
        let id = cursor.id(src, version > 1)?;
        let method = if version == 0 { 0 } else { cursor.number(src, 2)? & 0xF };
        cursor.number(src, 2)?;
        let base = cursor.number(src, base_size)?;
        let extents = cursor.number(src, 2)?;
        // How much is left to skip in the second piece, where the first is nothing but the distance.
        let mut left = None;
        for _ in 0..extents {
            cursor.number(src, index_size)?;
            let (offset, len) = (cursor.number(src, offset_size)?, cursor.number(src, length_size)?);
            if id != item {
                continue;
            }
            let from = match method {
                0 => 0,
                1 => child(src, meta, *b"idat")?.at,
                _ => return None,
            };
            // The payload names the distance to its TIFF header first; some writers give that a piece of its own. Other pieces do
            // not occur.
            let at = from.checked_add(base)?.checked_add(offset)?;
            let skip = if let Some(skip) = left {
                skip
            } else {
                let distance = u64::from(src.be32(at)?);
                if len == 4 {
                    left = Some(distance);
                    continue;
                }
                4 + distance
            };
            return exif::read(src, at.checked_add(skip)?, len.checked_sub(skip)?);
        }
    }
    None
}

/// The size of the first visible track of a sequence that has no items.
fn first_track(src: &mut Source, all: Span) -> Option<(u32, u32)> {
    let moov = child(src, all, *b"moov")?;
    let mut list = boxes(moov);
    loop {
        let (kind, trak) = list.next(src)?;
        if kind != *b"trak" {
            continue;
        }
        let tkhd = child(src, trak, *b"tkhd")?;
        let at = tkhd.at + if src.u8(tkhd.at)? == 1 { 88 } else { 76 };
        // Sixteen bits before the point and sixteen behind it.
        let size = (src.be32(at)? >> 16, src.be32(at + 4)? >> 16);
        if size.0 > 0 && size.1 > 0 {
            return Some(size);
        }
    }
}
