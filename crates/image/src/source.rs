//! The bytes of one file, for header readers: random access that never goes past the file, a budget of bytes and of
//! reads, and nothing larger than one window in memory. Parsers stand on this and never see a reader: a lying length
//! or a far offset ends here as "no such bytes".

use std::io::{self, Read, Seek, SeekFrom};

/// How many bytes a single look may span; no header field is longer.
const MAX_SPAN: usize = 64 * 1024;
/// Bytes read at once after a jump.
const JUMP_WINDOW: usize = 4 * 1024;
/// Bytes read at once when looks go forward through the file.
const RUN_WINDOW: usize = 32 * 1024;

/// What a probe reads from.
pub(crate) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Random access to a file's bytes within a budget.
pub(crate) struct Source<'a> {
    head: &'a [u8],
    len: u64,
    file: Option<&'a mut dyn ReadSeek>,
    window: Vec<u8>,
    window_at: u64,
    bytes_left: u64,
    reads_left: u32,
    error: Option<io::Error>,
    wanted_more: bool,
}

impl<'a> Source<'a> {
    /// A file of `len` bytes of which only `head` is at hand.
    pub(crate) fn from_head(head: &'a [u8], len: u64) -> Self {
        // No file is longer, and sums with such a length do not overflow.
        let len = len.min(1 << 62);
        let held = head.len() as u64;
        // A caller may hold more than the file is said to have; what is said wins.
        let head = if held > len { &head[..usize::try_from(len).unwrap_or(head.len())] } else { head };
        Self {
            head,
            len,
            file: None,
            window: Vec::new(),
            window_at: 0,
            bytes_left: 0,
            reads_left: 0,
            error: None,
            wanted_more: false,
        }
    }

    /// A file whose first bytes are `head` and whose others may be read, `bytes` of them in `reads` pieces at most.
    pub(crate) fn from_file(head: &'a [u8], len: u64, file: &'a mut dyn ReadSeek, bytes: u64, reads: u32) -> Self {
        Self { file: Some(file), bytes_left: bytes, reads_left: reads, ..Self::from_head(head, len) }
    }

    /// The length of the file in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first bytes of the file.
    pub(crate) fn head(&self) -> &'a [u8] {
        self.head
    }

    /// Whether bytes were asked for that exist but are not at hand, so that the outcome may be wrong.
    pub(crate) fn wanted_more(&self) -> bool {
        self.wanted_more
    }

    /// The error of the reader, if it had one; looks after it found nothing.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Exactly `span` bytes at `at`; nothing past the end of the file, over budget, or after an error.
    pub(crate) fn bytes(&mut self, at: u64, span: usize) -> Option<&[u8]> {
        let end = at.checked_add(span as u64)?;
        if end > self.len || span > MAX_SPAN {
            return None;
        }
        if end <= self.head.len() as u64 {
            let start = usize::try_from(at).ok()?;
            return self.head.get(start..start + span);
        }
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            self.fetch(at, span)?;
        }
        let start = usize::try_from(at - self.window_at).ok()?;
        self.window.get(start..start + span)
    }

    fn fetch(&mut self, at: u64, span: usize) -> Option<()> {
        let Some(file) = self.file.as_deref_mut() else {
            self.wanted_more = true;
            return None;
        };
        if self.error.is_some() {
            return None;
        }
        let window_end = self.window_at + self.window.len() as u64;
        let forward = !self.window.is_empty() && at >= self.window_at && at <= window_end;
        let wish = if forward { RUN_WINDOW } else { JUMP_WINDOW }.max(span) as u64;
        let size = wish.min(self.len - at).min(self.bytes_left);
        if size < span as u64 || self.reads_left == 0 {
            return None;
        }
        self.reads_left -= 1;
        self.bytes_left -= size;
        self.window_at = at;
        match read_at(file, at, size, &mut self.window) {
            Ok(()) => Some(()),
            Err(error) => {
                self.window.clear();
                self.error = Some(error);
                None
            }
        }
    }

    /// The whole file when it has at most `max` bytes; not counted against the budget.
    pub(crate) fn whole(&mut self, max: u64) -> Option<std::borrow::Cow<'a, [u8]>> {
        if self.len > max {
            return None;
        }
        if self.head.len() as u64 == self.len {
            return Some(self.head.into());
        }
        let Some(file) = self.file.as_deref_mut() else {
            self.wanted_more = true;
            return None;
        };
        let mut all = Vec::new();
        match read_at(file, 0, self.len, &mut all) {
            Ok(()) if all.len() as u64 == self.len => Some(all.into()),
            Ok(()) => None,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    /// The `N` bytes at `at`.
    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        self.bytes(at, N)?.try_into().ok()
    }

    /// One byte.
    pub(crate) fn u8(&mut self, at: u64) -> Option<u8> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    /// A big-endian number.
    pub(crate) fn be16(&mut self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// A big-endian number.
    pub(crate) fn be32(&mut self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// A big-endian number.
    pub(crate) fn be64(&mut self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    /// A little-endian number.
    pub(crate) fn le16(&mut self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// A little-endian number.
    pub(crate) fn le32(&mut self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }
}

/// Replaces `into` by up to `size` bytes at `at`; fewer when the file ends before.
pub(crate) fn read_at(file: &mut dyn ReadSeek, at: u64, size: u64, into: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    *into = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    into.truncate(filled);
    Ok(())
}
