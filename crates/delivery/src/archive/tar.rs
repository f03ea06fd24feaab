//! The tar format of POSIX.1-2001: a block for each file, before it a block of extended records where its name or its size does
//! not fit, and the bytes padded to whole blocks.

use bytes::{BufMut, Bytes, BytesMut};
use stowage_model::Timestamp;

const BLOCK: u64 = 512;

/// The longest name in the header itself, in bytes.
const SHORT_NAME: usize = 100;
/// Sizes from here on do not fit into eleven octal digits.
const LARGE: u64 = 1 << 33;

/// Writes what stands around the files.
#[derive(Default)]
pub struct Tar {
    /// How many bytes the last block of the present file lacks.
    padding: u64,
}

impl Tar {
    /// Nothing is written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands before a file of `size` bytes.
    pub fn begin(&mut self, name: &str, size: u64, modified: Timestamp) -> Bytes {
        self.padding = padding(size);
        let mut out = BytesMut::new();
        let records = records(name, size);
        if !records.is_empty() {
            let len = records.len() as u64;
            out.put_slice(&header("././@PaxHeader", len, modified, b'x'));
            out.put_slice(records.as_bytes());
            pad(&mut out, padding(len));
        }
        // Readers of the extended records take name and size from there.
        let plain = if is_plain(name) { name } else { "file" };
        let size = if size < LARGE { size } else { 0 };
        out.put_slice(&header(plain, size, modified, b'0'));
        out.freeze()
    }

    /// What stands behind the file that was begun last.
    pub fn finish(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        pad(&mut out, self.padding);
        out.freeze()
    }
}

/// What stands at the end: two empty blocks.
pub fn end() -> Bytes {
    let mut out = BytesMut::new();
    pad(&mut out, 2 * BLOCK);
    out.freeze()
}

/// The length of an archive of files with these names and sizes.
pub(super) fn len<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> u64 {
    let file = |(name, size): (&str, u64)| {
        let records = records(name, size).len() as u64;
        let extended = if records == 0 { 0 } else { BLOCK + records + padding(records) };
        extended + BLOCK + size + padding(size)
    };
    files.map(file).sum::<u64>() + 2 * BLOCK
}

fn padding(len: u64) -> u64 {
    len.next_multiple_of(BLOCK) - len
}

fn pad(out: &mut BytesMut, len: u64) {
    out.put_bytes(0, usize::try_from(len).unwrap_or_default());
}

fn is_plain(name: &str) -> bool {
    name.len() <= SHORT_NAME && name.is_ascii()
}

/// The extended records: what does not fit into a header.
fn records(name: &str, size: u64) -> String {
    let mut records = String::new();
    if !is_plain(name) {
        records.push_str(&record("path", name));
    }
    if size >= LARGE {
        records.push_str(&record("size", &size.to_string()));
    }
    records
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    format!("{len} {key}={value}\n")
}

fn header(name: &str, size: u64, modified: Timestamp, kind: u8) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    let modified = u64::try_from(modified.seconds()).unwrap_or(0).min(LARGE - 1);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{modified:011o}\0").as_bytes());
    // The checksum counts itself as spaces.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_themselves() {
        assert_eq!(record("path", "a"), "9 path=a\n");
        for len in [1, 85, 86, 87, 88, 89, 90, 91, 92, 93, 900, 985, 986, 987, 988, 989, 990] {
            let record = record("path", &"x".repeat(len));
            assert!(record.starts_with(&format!("{} path=", record.len())), "{len}");
        }
    }
}
