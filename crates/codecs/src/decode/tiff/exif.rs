//! The EXIF data of a TIFF. The file itself is built like EXIF data, with pixels in between; what a camera or an author said
//! is copied out of it into a small structure of the same kind.

use std::borrow::Cow;

/// Directories that hang on the first one.
const EXIF: u16 = 34_665;
const GPS: u16 = 34_853;
/// What is said about the picture rather than about how its pixels are stored: description, maker, model, software, date,
/// artist, computer, copyright.
const SAID: [u16; 8] = [270, 271, 272, 305, 306, 315, 316, 33_432];
/// Orientation and resolution; every TIFF has them, so that they alone are no reason for EXIF data.
const SHAPE: [u16; 4] = [274, 282, 283, 296];
/// Offsets into the old file, which mean nothing in another: notes of makers, interoperability.
const TIED: [u16; 2] = [37_500, 40_965];
/// The most bytes of one value, entries of one directory, and bytes in all: what a JPEG can hold.
const MAX_VALUE: usize = 16 * 1024;
const MAX_ENTRIES: usize = 256;
const MAX_LEN: usize = 65_000;
/// A number of four bytes.
const LONG: u16 = 4;
/// Where the first directory stands.
const FRONT: usize = 8;

/// One value: what it is, how many of which type, and its bytes in the byte order of the file.
struct Entry<'a> {
    tag: u16,
    kind: u16,
    count: u32,
    value: Cow<'a, [u8]>,
}

/// The EXIF data, if the file says anything worth it. Large TIFFs (`BigTIFF`) are left alone.
pub(super) fn extract(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = File { bytes, big_endian: bytes.starts_with(b"MM") };
    if file.short(2)? != 42 {
        return None;
    }
    let first = file.directory(file.long(4)?)?;
    let inner = |tag: u16| {
        let at = first.iter().find(|entry| entry.tag == tag && entry.kind == LONG)?;
        let at = file.long_of(&at.value)?;
        let mut entries = file.directory(at)?;
        entries.retain(|entry| !TIED.contains(&entry.tag));
        (!entries.is_empty()).then_some(entries)
    };
    let (exif, gps) = (inner(EXIF), inner(GPS));
    let mut main: Vec<Entry<'_>> =
        first.into_iter().filter(|entry| SAID.contains(&entry.tag) || SHAPE.contains(&entry.tag)).collect();
    if exif.is_none() && gps.is_none() && main.iter().all(|entry| SHAPE.contains(&entry.tag)) {
        return None;
    }
    let inner: Vec<(u16, Vec<Entry<'_>>)> =
        [(EXIF, exif), (GPS, gps)].into_iter().filter_map(|(tag, entries)| Some((tag, entries?))).collect();
    for (tag, _) in &inner {
        main.push(Entry { tag: *tag, kind: LONG, count: 1, value: Cow::Borrowed(&[0; 4]) });
    }
    // The directories stand one behind the other, so that the lengths tell where.
    let mut at = FRONT + length(&main);
    for (tag, entries) in &inner {
        let place = file.bytes_of(u32::try_from(at).ok()?);
        main.iter_mut().filter(|entry| entry.tag == *tag).for_each(|entry| entry.value = Cow::Owned(place.to_vec()));
        at += length(entries);
    }
    if at > MAX_LEN {
        return None;
    }
    let mut out = Vec::with_capacity(at);
    out.extend_from_slice(&bytes[..4]);
    out.extend_from_slice(&file.bytes_of(u32::try_from(FRONT).ok()?));
    file.write(&mut out, main)?;
    for (_, entries) in inner {
        file.write(&mut out, entries)?;
    }
    Some(out)
}

/// The bytes that a directory takes, with its values.
fn length(entries: &[Entry<'_>]) -> usize {
    let values = entries.iter().map(|entry| entry.value.len()).filter(|len| *len > 4);
    2 + entries.len() * 12 + 4 + values.map(|len| len.next_multiple_of(2)).sum::<usize>()
}

struct File<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> File<'a> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long_of(&self, bytes: &[u8]) -> Option<usize> {
        let bytes = *bytes.first_chunk()?;
        let number = if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        usize::try_from(number).ok()
    }

    fn long(&self, at: usize) -> Option<usize> {
        self.long_of(self.bytes.get(at..)?)
    }

    fn bytes_of(&self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn push_short(&self, out: &mut Vec<u8>, number: u16) {
        out.extend_from_slice(&if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    /// The entries of a directory; those that do not hold together or are very long are not there.
    fn directory(&self, at: usize) -> Option<Vec<Entry<'a>>> {
        let count = usize::from(self.short(at)?).min(MAX_ENTRIES);
        Some((0..count).filter_map(|index| self.entry(at + 2 + index * 12)).collect())
    }

    fn entry(&self, at: usize) -> Option<Entry<'a>> {
        let (tag, kind) = (self.short(at)?, self.short(at + 2)?);
        let count = self.long(at + 4)?;
        let each = *[0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8].get(usize::from(kind))?;
        let len = count.checked_mul(each).filter(|len| (1..=MAX_VALUE).contains(len))?;
        let from = if len <= 4 { at + 8 } else { self.long(at + 8)? };
        let value = self.bytes.get(from..from.checked_add(len)?)?;
        Some(Entry { tag, kind, count: u32::try_from(count).ok()?, value: Cow::Borrowed(value) })
    }

    /// Writes a directory and its values.
    fn write(&self, out: &mut Vec<u8>, mut entries: Vec<Entry<'_>>) -> Option<()> {
        entries.sort_by_key(|entry| entry.tag);
        let mut values = Vec::new();
        let front = out.len() + 2 + entries.len() * 12 + 4;
        self.push_short(out, u16::try_from(entries.len()).ok()?);
        for entry in &entries {
            self.push_short(out, entry.tag);
            self.push_short(out, entry.kind);
            out.extend_from_slice(&self.bytes_of(entry.count));
            if entry.value.len() <= 4 {
                out.extend_from_slice(&entry.value);
                out.resize(out.len() + 4 - entry.value.len(), 0);
            } else {
                out.extend_from_slice(&self.bytes_of(u32::try_from(front + values.len()).ok()?));
                values.extend_from_slice(&entry.value);
                values.resize(values.len().next_multiple_of(2), 0);
            }
        }
        // No directory follows this one.
        out.extend_from_slice(&[0; 4]);
        out.append(&mut values);
        Some(())
    }
}
