//! The directories of TIFF, which are also those of EXIF. Our own reader, not a crate: the directories of a hostile
//! file may point at each other and at the same bytes many times over, and a reader that collects every entry of
//! every directory answers 64 KiB with gigabytes. This one is asked for a few tags of one directory and keeps only those.

use crate::source::Source;

/// Entries of one directory that are looked at; tags are sorted, so the ones that we ask for come first.
const MAX_ENTRIES: u64 = 512;

/// A TIFF structure somewhere in a file.
pub(crate) struct Block {
    base: u64,
    len: u64,
    big_endian: bool,
    /// `BigTIFF`: offsets and counts have eight bytes.
    wide: bool,
    /// Where the first directory is, from the start of the structure.
    pub(crate) first: u64,
}

/// One entry of a directory, its value still unread.
pub(crate) struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// From the start of the structure.
    at: u64,
}

/// The entries that were asked for, and where the next directory is (0: nowhere).
pub(crate) struct Directory {
    entries: Vec<Entry>,
    pub(crate) next: u64,
}

impl Directory {
    /// The entry of a tag that was asked for.
    pub(crate) fn get(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

impl Entry {
    /// How many values the entry says it has.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

const BYTE: u16 = 1;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const SIGNED_RATIONAL: u16 = 10;
const FLOAT: u16 = 11;
const DOUBLE: u16 = 12;
const IFD: u16 = 13;
const LONG8: u16 = 16;
const IFD8: u16 = 18;

/// Bytes of one value of a type; nothing for types that do not exist.
fn unit(kind: u16) -> Option<u64> {
    match kind {
        BYTE | ASCII | 6 | 7 => Some(1),
        SHORT | 8 => Some(2),
        LONG | 9 | FLOAT | IFD => Some(4),
        RATIONAL | SIGNED_RATIONAL | DOUBLE | LONG8 | 17 | IFD8 => Some(8),
        _ => None,
    }
}

impl Block {
    /// The structure that begins at `base` and spans `len` bytes.
    pub(crate) fn open(src: &mut Source, base: u64, len: u64) -> Option<Self> {
        let head: [u8; 8] = src.array(base)?;
        let big_endian = match &head[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        let mut block = Self { base, len, big_endian, wide: false, first: 0 };
        match block.number(&head[2..4]) {
            42 => block.first = block.number(&head[4..8]),
            43 if block.number(&head[4..8]) == if big_endian { 0x0008_0000 } else { 8 } => {
                block.wide = true;
                let first: [u8; 8] = src.array(base.checked_add(8)?)?;
                block.first = block.number(&first);
            }
            _ => return None,
        }
        Some(block)
    }

    /// A number of up to eight bytes in the structure's byte order.
    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    /// Bytes of the structure, counted from its start.
    fn bytes<'s>(&self, src: &'s mut Source, at: u64, span: usize) -> Option<&'s [u8]> {
        if at.checked_add(span as u64)? > self.len {
            return None;
        }
        src.bytes(self.base.checked_add(at)?, span)
    }

    /// The entries with the `wanted` tags of the directory at `at`. A directory that is cut off gives what it has.
    pub(crate) fn directory(&self, src: &mut Source, at: u64, wanted: &[u16]) -> Option<Directory> {
        let (count_size, entry_size, slot) = if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.number(self.bytes(src, at, count_size)?);
        let start = at.checked_add(count_size as u64)?;
        let mut directory = Directory { entries: Vec::new(), next: 0 };
        for index in 0..count.min(MAX_ENTRIES) {
            let entry_at = start.checked_add(index * entry_size as u64)?;
            let Some(raw) = self.bytes(src, entry_at, entry_size) else { return Some(directory) };
            let tag = u16::try_from(self.number(&raw[..2])).ok()?;
            if !wanted.contains(&tag) || directory.get(tag).is_some() {
                continue;
            }
            let kind = u16::try_from(self.number(&raw[2..4])).ok()?;
            let count = self.number(&raw[4..4 + slot]);
            let Some(size) = unit(kind).and_then(|unit| unit.checked_mul(count)) else { continue };
            let value = self.number(&raw[4 + slot..4 + 2 * slot]);
            let at = if size <= slot as u64 { entry_at + 4 + slot as u64 } else { value };
            directory.entries.push(Entry { tag, kind, count, at });
        }
        if count <= MAX_ENTRIES {
            let next_at = start.checked_add(count * entry_size as u64)?;
            directory.next = self.bytes(src, next_at, slot).map_or(0, |raw| self.number(raw));
        }
        Some(directory)
    }

    /// The `index`-th value of an entry as it lies in the file, with its type.
    fn raw(&self, src: &mut Source, entry: &Entry, index: u64) -> Option<[u8; 8]> {
        if index >= entry.count {
            return None;
        }
        let unit = unit(entry.kind)?;
        let at = entry.at.checked_add(index.checked_mul(unit)?)?;
        let unit = usize::try_from(unit).ok()?;
        let mut raw = [0; 8];
        raw[..unit].copy_from_slice(self.bytes(src, at, unit)?);
        Some(raw)
    }

    /// A value of a whole-number type.
    pub(crate) fn whole(&self, src: &mut Source, entry: &Entry, index: u64) -> Option<u64> {
        let raw = self.raw(src, entry, index)?;
        match entry.kind {
            BYTE | SHORT | LONG | IFD | LONG8 | IFD8 => {
                Some(self.number(&raw[..usize::try_from(unit(entry.kind)?).ok()?]))
            }
            _ => None,
        }
    }

    /// A value of any numeric type; nothing for a fraction over zero.
    pub(crate) fn real(&self, src: &mut Source, entry: &Entry, index: u64) -> Option<f64> {
        let raw = self.raw(src, entry, index)?;
        let half = |bytes: &[u8]| u32::try_from(self.number(bytes)).unwrap_or(0);
        let (top, bottom) = match entry.kind {
            RATIONAL => (f64::from(half(&raw[..4])), f64::from(half(&raw[4..]))),
            SIGNED_RATIONAL => (f64::from(half(&raw[..4]).cast_signed()), f64::from(half(&raw[4..]).cast_signed())),
            FLOAT => (f64::from(f32::from_bits(half(&raw[..4]))), 1.0),
            DOUBLE => (f64::from_bits(self.number(&raw)), 1.0),
            _ => (self.whole(src, entry, index)? as f64, 1.0),
        };
        let value = top / bottom;
        (bottom != 0.0 && value.is_finite()).then_some(value)
    }

    /// The first `max` bytes of a text, without the zero that ends it.
    pub(crate) fn text<'s>(&self, src: &'s mut Source, entry: &Entry, max: usize) -> Option<&'s [u8]> {
        if entry.kind != ASCII {
            return None;
        }
        let span = usize::try_from(entry.count).ok()?.min(max);
        let text = self.bytes(src, entry.at, span)?;
        text.split(|byte| *byte == 0).next()
    }
}
