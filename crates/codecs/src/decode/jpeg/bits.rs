//! The bits of a scan, between two markers.

/// Reads bits, the first of a byte being its highest, and leaves out the zeros that are stuffed behind 0xFF bytes. Where the data
/// ends it goes on with zeros.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the highest on.
    window: u64,
    /// How many of them are valid.
    valid: u32,
    /// How many of the last of them were not in the data.
    invented: u32,
}

impl<'a> Bits<'a> {
    /// Bits of what follows the header of a scan.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, window: 0, valid: 0, invented: 0 }
    }

    /// How many bytes were looked at; none of them belongs to a marker.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether bits were read that are not in the data.
    #[inline(always)]
    pub(super) fn overrun(&self) -> bool {
        self.invented > self.valid
    }

    /// Makes sure of 32 bits: a symbol with its number has at most 31.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.valid < 32 {
            self.fill_up();
        }
    }

    #[inline(always)]
    fn fill_up(&mut self) {
        if let Some(eight) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_be_bytes(*eight);
            if !has_ff(word) {
                self.window |= word >> self.valid;
                self.at += (63 - self.valid as usize) / 8;
                self.valid |= 0x38;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    #[inline(never)]
    fn fill_slowly(&mut self) {
        while self.valid < 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                // A marker, or a file that ends in the middle of one.
                Some([0xFF, ..] | []) | None => {
                    self.invented += 56 - self.valid;
                    self.valid = 56;
                    return;
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.window |= u64::from(byte) << (56 - self.valid);
            self.valid += 8;
        }
    }

    /// The next bits, in the lowest of the answer. At least 1, no more than were made sure of.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.window >> (64 - count)) as u32
    }

    /// The window itself: the next bits from the highest on.
    #[inline(always)]
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Goes on behind the next bits.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.window <<= count;
        self.valid = self.valid.wrapping_sub(count);
    }

    /// The next bits as a number, no more than were made sure of; none is 0.
    #[inline(always)]
    pub(super) fn take_sure(&mut self, count: u32) -> u32 {
        let number = ((self.window >> 1) >> (63 - count)) as u32;
        self.skip(count);
        number
    }

    /// The next bits as a number, up to 16 of them.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        self.fill();
        self.take_sure(count)
    }

    /// Goes on behind the next restart marker; `false` where there is none before the scan ends.
    pub(super) fn restart(&mut self) -> bool {
        (self.window, self.valid, self.invented) = (0, 0, 0);
        loop {
            let Some(rest) = self.data.get(self.at..) else { return false };
            let Some(found) = rest.iter().position(|&byte| byte == 0xFF) else {
                self.at = self.data.len();
                return false;
            };
            match rest.get(found + 1) {
                Some(0xD0..=0xD7) => {
                    self.at += found + 2;
                    return true;
                }
                Some(0) => self.at += found + 2,
                Some(0xFF) => self.at += found + 1,
                _ => {
                    self.at += found;
                    return false;
                }
            }
        }
    }
}

/// Whether one of the eight bytes is 0xFF.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}
