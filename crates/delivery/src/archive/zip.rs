//! The ZIP format (APPNOTE 6.3), with its 64-bit forms where something does not fit into 32 bits.
//!
//! Files are "deflated" into stored blocks, which are as long as the file and five bytes for each 65,535: unlike with the method
//! "stored", readers that cannot seek find their end although the checksum comes after the bytes.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Crc;
use stowage_model::Timestamp;
use time::OffsetDateTime;

const BLOCK: u64 = 65_535;
/// What does not fit is this and stands elsewhere.
const MAX_32: u32 = u32::MAX;
const MAX_16: u16 = u16::MAX;

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;

/// The name is UTF-8, and checksum and lengths come after the bytes.
const FLAGS: u16 = 1 << 11 | 1 << 3;
const DEFLATED: u16 = 8;
/// Versions that a reader needs: for deflate, and for 64 bits.
const PLAIN: u16 = 20;
const WIDE: u16 = 45;
/// Made on Unix, by the newest of these versions.
const MADE_BY: u16 = 3 << 8 | WIDE;
/// A regular file that its owner may write and everybody may read.
const MODE: u32 = 0o100_644 << 16;

/// Writes what stands around the files, and remembers what stands in the directory at the end.
pub(super) struct Zip {
    at: u64,
    files: Vec<Entry>,
    crc: Crc,
    /// Bytes of the present file that are to come.
    left: u64,
    /// Bytes of the present block that are to come.
    in_block: u64,
}

struct Entry {
    name: String,
    size: u64,
    stamp: u32,
    crc: u32,
    at: u64,
}

/// The length of a file of this size in stored blocks; an empty one has one, too.
fn deflated(size: u64) -> u64 {
    size + 5 * size.div_ceil(BLOCK).max(1)
}

/// Whether a file needs 64 bits for its lengths.
fn is_wide(size: u64) -> bool {
    deflated(size) >= u64::from(MAX_32)
}

/// What of an entry of the directory does not fit into 32 bits, in its order there.
fn overflow(size: u64, at: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    if is_wide(size) {
        numbers.extend([size, deflated(size)]);
    }
    if at >= u64::from(MAX_32) {
        numbers.push(at);
    }
    numbers
}

impl Zip {
    pub(super) fn new() -> Self {
        Self { at: 0, files: Vec::new(), crc: Crc::new(), left: 0, in_block: 0 }
    }

    pub(super) fn begin(&mut self, name: &str, size: u64, modified: Timestamp) -> Bytes {
        let entry = Entry { name: name.to_owned(), size, stamp: stamp(modified), crc: 0, at: self.at };
        let mut out = BytesMut::with_capacity(64 + name.len());
        let wide = is_wide(size);
        out.put_u32_le(LOCAL);
        out.put_u16_le(if wide { WIDE } else { PLAIN });
        out.put_u16_le(FLAGS);
        out.put_u16_le(DEFLATED);
        out.put_u32_le(entry.stamp);
        // Checksum and lengths; where the lengths are all ones, a field for 64 bits follows, and so does such a descriptor.
        out.put_u32_le(0);
        out.put_u32_le(if wide { MAX_32 } else { 0 });
        out.put_u32_le(if wide { MAX_32 } else { 0 });
        out.put_u16_le(u16::try_from(name.len()).unwrap_or(MAX_16));
        out.put_u16_le(if wide { 20 } else { 0 });
        out.put_slice(name.as_bytes());
        if wide {
            put_wide(&mut out, &[0, 0]);
        }
        self.at += out.len() as u64 + deflated(size);
        self.files.push(entry);
        (self.crc, self.left, self.in_block) = (Crc::new(), size, 0);
        out.freeze()
    }

    /// Puts bytes of the present file into blocks.
    pub(super) fn data(&mut self, piece: Bytes) -> Bytes {
        self.crc.update(&piece);
        if piece.len() as u64 <= self.in_block {
            self.in_block -= piece.len() as u64;
            self.left -= piece.len() as u64;
            return piece;
        }
        let mut out = BytesMut::with_capacity(piece.len() + piece.len() / 65_535 * 5 + 10);
        let mut piece = &piece[..];
        while !piece.is_empty() {
            if self.in_block == 0 {
                self.in_block = self.left.min(BLOCK);
                put_block(&mut out, self.in_block, self.left == self.in_block);
            }
            let (now, later) = piece.split_at(piece.len().min(usize::try_from(self.in_block).unwrap_or(usize::MAX)));
            out.put_slice(now);
            self.in_block -= now.len() as u64;
            self.left = self.left.saturating_sub(now.len() as u64);
            piece = later;
        }
        out.freeze()
    }

    /// What follows the bytes of a file.
    pub(super) fn finish(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(32);
        let Some(entry) = self.files.last_mut() else { return Bytes::new() };
        entry.crc = self.crc.sum();
        if entry.size == 0 {
            put_block(&mut out, 0, true);
        }
        let before = out.len();
        out.put_u32_le(DESCRIPTOR);
        out.put_u32_le(entry.crc);
        if is_wide(entry.size) {
            out.put_u64_le(deflated(entry.size));
            out.put_u64_le(entry.size);
        } else {
            out.put_u32_le(narrow(deflated(entry.size)));
            out.put_u32_le(narrow(entry.size));
        }
        self.at += (out.len() - before) as u64;
        out.freeze()
    }

    /// The directory.
    pub(super) fn end(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        for entry in &self.files {
            let overflow = overflow(entry.size, entry.at);
            let (wide, far) = (is_wide(entry.size), entry.at >= u64::from(MAX_32));
            out.put_u32_le(CENTRAL);
            out.put_u16_le(MADE_BY);
            out.put_u16_le(if overflow.is_empty() { PLAIN } else { WIDE });
            out.put_u16_le(FLAGS);
            out.put_u16_le(DEFLATED);
            out.put_u32_le(entry.stamp);
            out.put_u32_le(entry.crc);
            out.put_u32_le(if wide { MAX_32 } else { narrow(deflated(entry.size)) });
            out.put_u32_le(if wide { MAX_32 } else { narrow(entry.size) });
            out.put_u16_le(u16::try_from(entry.name.len()).unwrap_or(MAX_16));
            out.put_u16_le(if overflow.is_empty() { 0 } else { narrow_16(overflow.len() * 8 + 4) });
            // No comment, the first disk, no text.
            out.put_bytes(0, 6);
            out.put_u32_le(MODE);
            out.put_u32_le(if far { MAX_32 } else { narrow(entry.at) });
            out.put_slice(entry.name.as_bytes());
            if !overflow.is_empty() {
                put_wide(&mut out, &overflow);
            }
        }
        let (count, len, start) = (self.files.len(), out.len() as u64, self.at);
        if needs_64(count, len, start) {
            out.put_u32_le(END_64);
            out.put_u64_le(44);
            out.put_u16_le(MADE_BY);
            out.put_u16_le(WIDE);
            out.put_bytes(0, 8);
            out.put_u64_le(count as u64);
            out.put_u64_le(count as u64);
            out.put_u64_le(len);
            out.put_u64_le(start);
            out.put_u32_le(LOCATOR_64);
            out.put_u32_le(0);
            out.put_u64_le(start + len);
            out.put_u32_le(1);
        }
        out.put_u32_le(END);
        out.put_bytes(0, 4);
        out.put_u16_le(narrow_16(count));
        out.put_u16_le(narrow_16(count));
        out.put_u32_le(narrow(len));
        out.put_u32_le(narrow(start));
        out.put_u16_le(0);
        out.freeze()
    }
}

/// The length of an archive of files with these names and sizes.
pub(super) fn len<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> u64 {
    let (mut at, mut directory, mut count) = (0_u64, 0_u64, 0);
    for (name, size) in files {
        let (name, overflow) = (name.len() as u64, overflow(size, at).len() as u64);
        let extra = if overflow == 0 { 0 } else { overflow * 8 + 4 };
        directory += 46 + name + extra;
        at += 30 + name + deflated(size) + if is_wide(size) { 20 + 24 } else { 16 };
        count += 1;
    }
    at + directory + if needs_64(count, directory, at) { 56 + 20 } else { 0 } + 22
}

fn needs_64(count: usize, directory: u64, at: u64) -> bool {
    count >= usize::from(MAX_16) || directory >= u64::from(MAX_32) || at >= u64::from(MAX_32)
}

fn put_block(out: &mut BytesMut, len: u64, is_last: bool) {
    let len = u16::try_from(len).unwrap_or(MAX_16);
    out.put_u8(u8::from(is_last));
    out.put_u16_le(len);
    out.put_u16_le(!len);
}

/// The field for numbers of 64 bits.
fn put_wide(out: &mut BytesMut, numbers: &[u64]) {
    out.put_u16_le(1);
    out.put_u16_le(narrow_16(numbers.len() * 8));
    for number in numbers {
        out.put_u64_le(*number);
    }
}

/// What does not fit is all ones.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(MAX_32)
}

fn narrow_16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(MAX_16)
}

/// Time and date as DOS writes them, in UTC; the format knows the years 1980 to 2107.
fn stamp(at: Timestamp) -> u32 {
    const FIRST: u32 = 1 << 21 | 1 << 16;
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at.seconds()) else { return FIRST };
    let Some(year) = u32::try_from(at.year()).ok().and_then(|year| year.checked_sub(1980)).filter(|year| *year < 128)
    else {
        return FIRST;
    };
    let date = year << 9 | u32::from(u8::from(at.month())) << 5 | u32::from(at.day());
    date << 16 | u32::from(at.hour()) << 11 | u32::from(at.minute()) << 5 | u32::from(at.second() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_dos() {
        // 2024-01-02 03:04:06
        assert_eq!(stamp(Timestamp(1_704_164_646_000_000)), (44 << 9 | 1 << 5 | 2) << 16 | 3 << 11 | 4 << 5 | 3);
        assert_eq!(stamp(Timestamp(0)), 0x0021_0000);
        assert_eq!(stamp(Timestamp(i64::MAX)), 0x0021_0000);
    }

    #[test]
    fn an_archive_is_as_long_as_announced() {
        let at = Timestamp(1_704_164_646_000_000);
        for sizes in [vec![], vec![0], vec![1, 65_535, 65_536, 200_000]] {
            let mut zip = Zip::new();
            let mut written = 0;
            for (number, size) in sizes.iter().enumerate() {
                let name = format!("{number}.bin");
                written += zip.begin(&name, *size, at).len();
                let bytes = Bytes::from(vec![7; usize::try_from(*size).unwrap()]);
                for piece in bytes.chunks(50_000) {
                    written += zip.data(bytes.slice_ref(piece)).len();
                }
                written += zip.finish().len();
            }
            written += zip.end().len();
            let names: Vec<String> = (0..sizes.len()).map(|number| format!("{number}.bin")).collect();
            let announced = len(names.iter().map(String::as_str).zip(sizes.iter().copied()));
            assert_eq!(written as u64, announced, "{sizes:?}");
        }
    }
}
