//! The marker segments of a JPEG file, one after the other.

/// Markers that are looked for, the second of their two bytes.
pub(super) mod marker {
    pub(in super::super) const BASELINE: u8 = 0xC0;
    pub(in super::super) const EXTENDED: u8 = 0xC1;
    pub(in super::super) const PROGRESSIVE: u8 = 0xC2;
    pub(in super::super) const HUFFMAN: u8 = 0xC4;
    pub(in super::super) const ARITHMETIC: u8 = 0xCC;
    pub(in super::super) const RESTART: u8 = 0xD0;
    pub(in super::super) const START: u8 = 0xD8;
    pub(in super::super) const END: u8 = 0xD9;
    pub(in super::super) const SCAN: u8 = 0xDA;
    pub(in super::super) const QUANTIZATION: u8 = 0xDB;
    pub(in super::super) const RESTART_INTERVAL: u8 = 0xDD;
    pub(in super::super) const JFIF: u8 = 0xE0;
    pub(in super::super) const EXIF: u8 = 0xE1;
    pub(in super::super) const ICC: u8 = 0xE2;
    pub(in super::super) const ADOBE: u8 = 0xEE;
}

/// One segment: its marker and what stands in it.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    pub(super) body: &'a [u8],
}

/// A place in a file between two segments.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// From the place `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next segment is looked for.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Everything from here on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Goes on behind the next `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// The next segment; what lies between two of them is passed over, as all readers do. `None` where the file ends, also in
    /// the middle of a segment.
    pub(super) fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            let rest = self.rest();
            let found = rest.iter().position(|&byte| byte == 0xFF)?;
            let code = found + rest.get(found..)?.iter().position(|&byte| byte != 0xFF)?;
            let marker = *rest.get(code)?;
            self.skip(code + 1);
            match marker {
                // A stuffed byte, a marker without a body.
                0 | 1 | marker::RESTART..=marker::START => {}
                marker::END => return Some(Segment { marker, body: &[] }),
                _ => {
                    let rest = self.rest();
                    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
                    let body = rest.get(2..length)?;
                    self.skip(length);
                    return Some(Segment { marker, body });
                }
            }
        }
    }
}
