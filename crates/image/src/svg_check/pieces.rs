//! The reader below the XML parser: it counts, so that no piece can grow without bound, and hides characters that the parser
//! could not read.

use std::io::{self, BufRead, Read};

/// A reader that fails when the document or a piece of it gets too long.
pub(super) struct Pieces<R> {
    reader: R,
    /// Bytes that may still come.
    left: u64,
    /// Bytes that may still come in this piece.
    piece_left: usize,
    piece: usize,
    exceeded: bool,
    mask: bool,
    /// How many of the next bytes are known to be ASCII, so that no byte is looked at twice.
    ascii: usize,
}

impl<R: BufRead> Pieces<R> {
    pub(super) fn new(reader: R, bytes: u64, piece: usize) -> Self {
        Self { reader, left: bytes, piece_left: piece, piece, exceeded: false, mask: false, ascii: 0 }
    }

    /// Starts the count of a piece anew.
    pub(super) fn next_piece(&mut self) {
        self.piece_left = self.piece;
    }

    /// Whether a limit was the reason for an error.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// From here on an underscore stands for each byte that is not ASCII: in a one-byte encoding these are letters and signs,
    /// which neither are nor hide markup.
    pub(super) fn mask_non_ascii(&mut self) {
        self.mask = true;
    }
}

impl<R: BufRead> BufRead for Pieces<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.reader.fill_buf()?;
        if available.is_empty() {
            return Ok(available);
        }
        let most = self.piece_left.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            self.exceeded = true;
            return Err(io::Error::other("the document is too large"));
        }
        let available = &available[..available.len().min(most)];
        if !self.mask {
            return Ok(available);
        }
        if self.ascii == 0 {
            self.ascii = available.iter().position(|byte| !byte.is_ascii()).unwrap_or(available.len());
        }
        Ok(if self.ascii == 0 { b"_" } else { &available[..available.len().min(self.ascii)] })
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.left = self.left.saturating_sub(count as u64);
        self.piece_left = self.piece_left.saturating_sub(count);
        self.ascii = self.ascii.saturating_sub(count);
    }
}

impl<R: BufRead> Read for Pieces<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
