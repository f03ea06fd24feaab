//! What of the EXIF data of a source goes into an answer. The data is changed in its place, never laid out anew: notes of makers
//! point into it in ways that nobody else understands.

const ORIENTATION: u16 = 0x0112;
const XMP: u16 = 0x02BC;
const IPTC: u16 = 0x83BB;
const PHOTOSHOP: u16 = 0x8649;
const GPS: u16 = 0x8825;
const THUMBNAIL: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;

/// Bytes of an entry of a directory.
const ENTRY: usize = 12;
/// Entries of one directory that are believed.
const MAX_ENTRIES: usize = 512;

/// The EXIF data of an answer: upright, without the small picture of what it once was, without XMP and IPTC, and without the
/// place where it was taken unless `place`. Nothing where the data makes no sense.
pub(crate) fn kept(exif: &[u8], place: bool) -> Option<Vec<u8>> {
    let mut tiff = Tiff { big: exif.starts_with(b"MM"), data: exif.to_vec() };
    if !(tiff.big || exif.starts_with(b"II")) || tiff.u16(2)? != 42 {
        return None;
    }
    let first = tiff.u32(4)? as usize;
    let directory = tiff.directory(first)?;
    if directory.next != 0 {
        tiff.blank_directory(directory.next);
    }
    let mut entries = directory.entries;
    for entry in &entries {
        match entry.tag {
            GPS if !place => tiff.blank_directory(entry.value),
            XMP | IPTC | PHOTOSHOP => tiff.blank_value(entry),
            _ => {}
        }
    }
    entries.retain(|entry| !matches!(entry.tag, XMP | IPTC | PHOTOSHOP) && (place || entry.tag != GPS));
    tiff.write_directory(first, &entries, directory.count)?;
    Some(tiff.data)
}

struct Tiff {
    data: Vec<u8>,
    big: bool,
}

struct Directory {
    entries: Vec<Entry>,
    count: usize,
    /// Where the next one is; 0 is nowhere.
    next: usize,
}

/// An entry as it is stored.
struct Entry {
    raw: [u8; ENTRY],
    tag: u16,
    /// Bytes of its value.
    size: usize,
    /// The last field as a number: where the value is, if it is longer than four bytes.
    value: usize,
}

impl Tiff {
    fn u16(&self, at: usize) -> Option<u16> {
        let raw = *self.data.get(at..)?.first_chunk()?;
        Some(if self.big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let raw = *self.data.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }

    fn short(&self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn directory(&self, at: usize) -> Option<Directory> {
        let count = usize::from(self.u16(at)?);
        if count > MAX_ENTRIES {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for index in 0..count {
            let at = at + 2 + index * ENTRY;
            let raw = *self.data.get(at..)?.first_chunk()?;
            let unit = match self.u16(at + 2)? {
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 => 8,
                _ => 1,
            };
            let size = (self.u32(at + 4)? as usize).saturating_mul(unit);
            entries.push(Entry { raw, tag: self.u16(at)?, size, value: self.u32(at + 8)? as usize });
        }
        // Some writers leave the number of the next directory out at the end.
        let next = self.u32(at + 2 + count * ENTRY).unwrap_or(0) as usize;
        Some(Directory { entries, count, next })
    }

    fn blank(&mut self, at: usize, len: usize) {
        let end = at.saturating_add(len).min(self.data.len());
        if let Some(bytes) = self.data.get_mut(at..end) {
            bytes.fill(0);
        }
    }

    fn blank_value(&mut self, entry: &Entry) {
        if entry.size > 4 {
            self.blank(entry.value, entry.size);
        }
    }

    /// Wipes out a directory and everything that it points at directly.
    fn blank_directory(&mut self, at: usize) {
        let Some(directory) = self.directory(at) else { return };
        for entry in &directory.entries {
            self.blank_value(entry);
        }
        let find = |tag: u16| directory.entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.value);
        if let (Some(from), Some(len)) = (find(THUMBNAIL), find(THUMBNAIL_LENGTH)) {
            self.blank(from, len);
        }
        self.blank(at, 2 + directory.count * ENTRY + 4);
    }

    /// Writes a directory over one of `count` entries, as the last one.
    fn write_directory(&mut self, at: usize, entries: &[Entry], count: usize) -> Option<()> {
        self.blank(at, 2 + count * ENTRY + 4);
        let number = self.short(u16::try_from(entries.len()).ok()?);
        let upright = self.short(1);
        self.data.get_mut(at..at + 2)?.copy_from_slice(&number);
        for (index, entry) in entries.iter().enumerate() {
            let mut raw = entry.raw;
            if entry.tag == ORIENTATION {
                let short = self.short(3);
                let one = if self.big { [0, 0, 0, 1] } else { [1, 0, 0, 0] };
                raw[2..4].copy_from_slice(&short);
                raw[4..8].copy_from_slice(&one);
                raw[8..12].fill(0);
                raw[8..10].copy_from_slice(&upright);
            }
            let at = at + 2 + index * ENTRY;
            self.data.get_mut(at..at + ENTRY)?.copy_from_slice(&raw);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with an orientation, a maker, a place, a note with XMP and a small picture behind.
    fn sample(big: bool) -> Vec<u8> {
        let short = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let long = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
            [&short(tag)[..], &short(kind), &long(count), &value].concat()
        };
        let mut data = if big { b"MM".to_vec() } else { b"II".to_vec() };
        data.extend(short(42));
        data.extend(long(8));
        data.extend(short(4));
        data.extend(entry(0x010F, 2, 8, long(100)));
        let six = short(6);
        data.extend(entry(ORIENTATION, 3, 1, [six[0], six[1], 0, 0]));
        data.extend(entry(XMP, 1, 5, long(108)));
        data.extend(entry(GPS, 4, 1, long(120)));
        data.extend(long(150));
        data.resize(100, 0);
        data.extend(b"TestCam\0<xmp>");
        data.resize(120, 0);
        data.extend(short(1));
        data.extend(entry(2, 5, 1, long(140)));
        data.extend(long(0));
        data.resize(140, 0);
        data.extend(b"LATITUDE");
        data.resize(150, 0);
        data.extend(short(2));
        data.extend(entry(THUMBNAIL, 4, 1, long(190)));
        data.extend(entry(THUMBNAIL_LENGTH, 4, 1, long(5)));
        data.extend(long(0));
        data.resize(190, 0);
        data.extend(b"SMALL");
        data
    }

    fn has(data: &[u8], what: &[u8]) -> bool {
        data.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn the_place_stays_or_goes_and_the_picture_is_upright() {
        for big in [false, true] {
            let source = sample(big);
            let with = kept(&source, true).unwrap();
            assert!(has(&with, b"TestCam") && has(&with, b"LATITUDE"));
            assert!(!has(&with, b"SMALL") && !has(&with, b"<xmp>"));
            let without = kept(&source, false).unwrap();
            assert!(has(&without, b"TestCam") && !has(&without, b"LATITUDE"));
            for data in [with, without] {
                assert_eq!(data.len(), source.len());
                let tiff = Tiff { data, big };
                let directory = tiff.directory(8).unwrap();
                let orientation = directory.entries.iter().position(|entry| entry.tag == ORIENTATION).unwrap();
                assert_eq!(tiff.u16(8 + 2 + orientation * ENTRY + 8), Some(1));
                assert_eq!(directory.next, 0);
            }
        }
    }

    #[test]
    fn nonsense_is_left_out_and_never_panics() {
        let source = sample(false);
        for len in 0..source.len() {
            let _ = kept(&source[..len], false);
        }
        for at in 0..source.len() {
            for byte in [0, 8, 0x7F, 0xFF] {
                let mut broken = source.clone();
                broken[at] = byte;
                let _ = kept(&broken, false);
            }
        }
        assert_eq!(kept(b"", true), None);
        assert_eq!(kept(b"II*\0\xFF\xFF\xFF\xFF", true), None);
        assert_eq!(kept(b"GIF89a", true), None);
    }
}
