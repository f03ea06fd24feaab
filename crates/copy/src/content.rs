//! The bytes of a copy, in pieces that can be sent again.

use std::ops::Range;

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use stowage_model::BlobKey;
use stowage_store::blobs::{BlobError, Blobs, HeldBlob, s3};
use tokio::task::yield_now;

use crate::error::CopyError;
use crate::target::Source;

/// What is not larger is read once and kept in memory until it is sent.
pub(crate) const SMALL: u64 = 1 << 20;

/// Bytes of a part, unless there would be too many of them.
pub(crate) const PART: u64 = 16 << 20;

/// What is not larger is sent in one request.
const ONE_REQUEST: u64 = 64 << 20;

/// So many parts an object has at most; S3 takes a tenth more.
const MOST_PARTS: u64 = 9000;

/// The bytes of a copy.
pub(crate) struct Content {
    size: u64,
    from: From,
}

enum From {
    Memory(Bytes),
    Held(HeldBlob),
    /// In S3, but not where it is copied by itself.
    Elsewhere(Blobs, BlobKey),
}

/// A piece of it.
pub(crate) struct Piece {
    /// Its length in bytes.
    pub(crate) len: u64,
    /// Its CRC32 as S3 writes it, if it was asked for.
    pub(crate) crc: Option<String>,
    /// Its SHA-256 for the signature, where the client does not sign it by itself and the way is open to others.
    sha256: Option<String>,
    bytes: PieceBytes,
}

enum PieceBytes {
    Memory(Bytes),
    Held(HeldBlob, Range<u64>),
}

impl Content {
    pub(crate) async fn open(blobs: &Blobs, source: &Source) -> Result<Self, CopyError> {
        let size = source.size();
        let from = match source {
            Source::Bytes(bytes) => From::Memory(bytes.clone()),
            Source::Blob { key, .. } if size <= SMALL => From::Memory(blobs.read_small(key, size).await?),
            Source::Blob { key, .. } => match blobs.hold(key, size).await? {
                Some(held) => From::Held(held),
                None => From::Elsewhere(blobs.clone(), key.clone()),
            },
        };
        Ok(Self { size, from })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The most bytes that are sent in one request: no more than a part where they must be kept in memory meanwhile.
    pub(crate) fn one_request(&self) -> u64 {
        if matches!(self.from, From::Elsewhere(..)) { PART } else { ONE_REQUEST }
    }

    /// The bytes `range`, with their checksum if it is asked for, and signed as a whole where `open` says that nothing else keeps
    /// them from changing on the way.
    pub(crate) async fn piece(&self, range: Range<u64>, checksum: bool, open: bool) -> Result<Piece, CopyError> {
        let len = range.end - range.start;
        let bytes = match &self.from {
            From::Memory(bytes) => {
                let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                PieceBytes::Memory(bytes.slice(within(range.start)..within(range.end)))
            }
            From::Held(held) => PieceBytes::Held(held.clone(), range),
            From::Elsewhere(blobs, key) => {
                let mut stream = blobs.read(key, range).await?;
                let mut all = BytesMut::with_capacity(usize::try_from(len).unwrap_or(0));
                while let Some(bytes) = stream.try_next().await.map_err(BlobError::from)? {
                    all.extend_from_slice(&bytes);
                }
                PieceBytes::Memory(all.freeze())
            }
        };
        let mut piece = Piece { len, crc: None, sha256: None, bytes };
        let mut sha256 = (open && matches!(piece.bytes, PieceBytes::Held(..))).then(Sha256::new);
        if checksum || sha256.is_some() {
            let crc = piece.digest(sha256.as_mut()).await?;
            piece.crc = checksum.then(|| as_s3_writes(crc));
            piece.sha256 = sha256.map(|digest| hex(&digest.finalize()));
        }
        Ok(piece)
    }

    /// The CRC32 of the bytes `range`.
    pub(crate) async fn crc32(&self, range: Range<u64>) -> Result<u32, CopyError> {
        self.piece(range, false, false).await?.digest(None).await
    }
}

impl Piece {
    /// A body that can be sent again.
    pub(crate) fn body(&self) -> ByteStream {
        match &self.bytes {
            PieceBytes::Memory(bytes) => ByteStream::from(bytes.clone()),
            PieceBytes::Held(held, range) => {
                let (held, range) = (held.clone(), range.clone());
                s3::body(self.len, move || held.stream(range.clone()))
            }
        }
    }

    /// What makes the client sign a body that is not in memory.
    pub(crate) fn signature(&self) -> Signed {
        Signed(self.sha256.clone())
    }

    /// The CRC32; and the SHA-256, which costs much more.
    async fn digest(&self, mut sha256: Option<&mut Sha256>) -> Result<u32, CopyError> {
        let mut hasher = crc32fast::Hasher::new();
        match &self.bytes {
            PieceBytes::Memory(bytes) => hasher.update(bytes),
            PieceBytes::Held(held, range) => {
                let mut stream = held.stream(range.clone());
                while let Some(bytes) = stream.next().await {
                    let bytes = bytes.map_err(BlobError::from)?;
                    hasher.update(&bytes);
                    if let Some(sha256) = &mut sha256 {
                        sha256.update(&bytes);
                        // All of it may be at hand, and others have a right to this thread, too.
                        yield_now().await;
                    }
                }
            }
        }
        Ok(hasher.finalize())
    }
}

/// Puts a digest that we have made into the signature of a request.
#[derive(Debug)]
pub(crate) struct Signed(Option<String>);

impl Intercept for Signed {
    fn name(&self) -> &'static str {
        "Signed"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(digest) = &self.0 {
            config.interceptor_state().store_put(PayloadSigningOverride::Precomputed(digest.clone()));
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn as_s3_writes(crc: u32) -> String {
    STANDARD.encode(crc.to_be_bytes())
}

/// The length of the parts of an object of `size` bytes, at least `least`: a whole number of mebibytes.
pub(crate) fn part_size(size: u64, least: u64) -> u64 {
    least.max(size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_never_too_many() {
        assert_eq!(part_size(1, PART), PART);
        assert_eq!(part_size(9000 * PART, PART), PART);
        assert_eq!(part_size(9000 * PART + 1, PART), PART + (1 << 20));
        let largest = 48 << 40;
        assert!(part_size(largest, PART) <= 6 << 30 && largest.div_ceil(part_size(largest, PART)) <= MOST_PARTS);
    }

    #[test]
    fn checksums_are_written_as_s3_does() {
        // From Amazon's own example of an object "hello world".
        assert_eq!(as_s3_writes(crc32fast::hash(b"hello world")), "DUoRhQ==");
    }
}
