//! Content codings, undone piece by piece in bounded memory: a decoder keeps its window (32 KiB for gzip and deflate,
//! at most 16 MiB for brotli, 8 MiB for zstd) and the caller's output buffer, however much comes out of a piece.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, header};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use crate::error::FetchError;

/// The largest window of the content coding zstd (RFC 9659): 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The largest window of gzip and deflate: 32 KiB.
const DEFLATE_WINDOW_LOG: u8 = 15;

/// The data are not what the coding makes.
#[derive(Debug)]
pub(crate) struct Broken;

/// A content coding that we undo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of a body. Names that are none, such as `utf-8`, are common mistakes and mean nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, FetchError> {
        let mut coding = None;
        for name in
            headers.get_all(header::CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','))
        {
            let found = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"deflate" => Self::Deflate,
                b"br" => Self::Brotli,
                b"zstd" => Self::Zstd,
                _ => continue,
            };
            if coding.replace(found).is_some() {
                return Err(FetchError::Network("more than one content coding"));
            }
        }
        Ok(coding)
    }
}

/// How far one step came.
#[derive(Debug, Default)]
struct Step {
    read: usize,
    written: usize,
    /// Whether a whole unit of the coding is done: everything, or one member of several.
    ended: bool,
}

enum Codec {
    Deflate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(DCtx<'static>),
}

impl Codec {
    /// `first` is the first byte of the data.
    fn new(coding: Coding, first: u8) -> Result<Self, Broken> {
        Ok(match coding {
            Coding::Gzip => Self::Deflate(Decompress::new_gzip(DEFLATE_WINDOW_LOG)),
            // Servers never agreed on whether deflate has the zlib header that RFC 9110 demands. A bare stream does not
            // begin with the method of that header unless it pads with ones.
            Coding::Deflate => Self::Deflate(Decompress::new(first & 0x0f == 8)),
            Coding::Brotli => {
                let memory = StandardAlloc::default;
                // Strict: without the extension to windows of 1 GiB, which is none of HTTP's.
                Self::Brotli(Box::new(BrotliState::new_strict(memory(), memory(), memory())))
            }
            Coding::Zstd => {
                let mut context = DCtx::try_create().ok_or(Broken)?;
                context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(|_| Broken)?;
                Self::Zstd(context)
            }
        })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Broken> {
        match self {
            Self::Deflate(inflate) => {
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(input, output, FlushDecompress::None).map_err(|_| Broken)?;
                let moved = |now: u64, before: u64| usize::try_from(now - before).map_err(|_| Broken);
                Ok(Step {
                    read: moved(inflate.total_in(), before.0)?,
                    written: moved(inflate.total_out(), before.1)?,
                    ended: status == Status::StreamEnd,
                })
            }
            Self::Brotli(state) => {
                let mut step = Step::default();
                let (mut unread, mut unwritten) = (input.len(), output.len());
                let result = BrotliDecompressStream(
                    &mut unread,
                    &mut step.read,
                    input,
                    &mut unwritten,
                    &mut step.written,
                    output,
                    &mut 0,
                    state,
                );
                match result {
                    BrotliResult::ResultFailure => return Err(Broken),
                    BrotliResult::ResultSuccess => step.ended = true,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
                }
                Ok(step)
            }
            Self::Zstd(context) => {
                let (mut source, mut target) = (InBuffer::around(input), OutBuffer::around(output));
                let hint = context.decompress_stream(&mut target, &mut source).map_err(|_| Broken)?;
                Ok(Step { read: source.pos(), written: target.pos(), ended: hint == 0 })
            }
        }
    }
}

/// What a step of a decoder came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// So many bytes were written, possibly none; there may be more.
    Bytes(usize),
    /// Nothing without more data.
    Hungry,
    /// The content is complete; what follows is none of it.
    End,
}

/// Undoes a coding. Data go in by [`Decoder::feed`] whenever it is hungry.
pub(crate) struct Decoder {
    coding: Coding,
    input: Bytes,
    phase: Phase,
    codec: Option<Codec>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Within,
    /// A member is complete; another one may follow.
    Between,
    End,
}

impl Decoder {
    pub(crate) fn new(coding: Coding) -> Self {
        Self { coding, input: Bytes::new(), phase: Phase::Start, codec: None }
    }

    /// Hands in the next data.
    pub(crate) fn feed(&mut self, input: Bytes) {
        self.input = input;
    }

    /// Whether the content may end where the data fed so far end.
    pub(crate) fn may_end(&self) -> bool {
        self.phase != Phase::Within
    }

    /// Takes a step: as far as `output`, which must not be empty, the data, or the member reach.
    pub(crate) fn decode(&mut self, output: &mut [u8]) -> Result<Decoded, Broken> {
        if matches!(self.phase, Phase::Start | Phase::Between) {
            let Some(first) = self.input.first().copied() else { return Ok(Decoded::Hungry) };
            if self.phase == Phase::Between && !begins_member(self.coding, first) {
                self.phase = Phase::End;
            } else {
                // What decoded one frame of zstd decodes the next, and is costly to make.
                if self.coding != Coding::Zstd || self.codec.is_none() {
                    self.codec = Some(Codec::new(self.coding, first)?);
                }
                self.phase = Phase::Within;
            }
        }
        let Some(codec) = self.codec.as_mut().filter(|_| self.phase == Phase::Within) else { return Ok(Decoded::End) };
        let step = codec.step(&self.input, output)?;
        if step.ended {
            self.phase = Phase::Between;
        } else if step.read == 0 && step.written == 0 {
            return if self.input.is_empty() { Ok(Decoded::Hungry) } else { Err(Broken) };
        }
        self.input.advance(step.read);
        Ok(Decoded::Bytes(step.written))
    }
}

/// Whether data after the end of a member may be another one; brotli and deflate have no members. Servers append blank
/// lines and padding, which are not looked at.
fn begins_member(coding: Coding, first: u8) -> bool {
    match coding {
        Coding::Gzip => first == 0x1f,
        Coding::Zstd => first == 0x28 || first & 0xf0 == 0x50,
        Coding::Deflate | Coding::Brotli => false,
    }
}
