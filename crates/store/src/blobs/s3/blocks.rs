//! Reading here and there in an object: a block at a time, of which the last ones are remembered.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::super::{BlobError, BlobReader};
use super::{S3, into_io};

/// Bytes of one request. Whoever looks for a header needs one or two; more would mostly be thrown away.
const BLOCK: u64 = 128 << 10;

/// How many blocks are remembered: one near each of the places between which a reader goes to and fro.
const REMEMBERED: usize = 4;

/// The blocks of one object.
pub(in super::super) struct Blocks {
    s3: Arc<S3>,
    id: Uuid,
    len: u64,
    runtime: Handle,
    /// By the place of their first byte, the last one used in front.
    seen: VecDeque<(u64, Bytes)>,
}

impl S3 {
    /// Opens an object of `len` bytes for reading here and there. Its first block is read now: it is nearly always
    /// wanted, and shows whether the object is there.
    pub(in super::super) async fn reader(s3: &Arc<Self>, id: Uuid, len: u64) -> Result<BlobReader, BlobError> {
        let first = S3::read(s3, id, 0..len.min(BLOCK)).await?.gather().await?;
        let seen = VecDeque::from([(0, first)]);
        let blocks = Blocks { s3: Arc::clone(s3), id, len, runtime: Handle::current(), seen };
        Ok(BlobReader::of_blocks(blocks, len))
    }
}

impl Blocks {
    /// Some bytes from `at` on, which must lie within the object. Waits for S3.
    pub(in super::super) fn bytes_from(&mut self, at: u64) -> io::Result<&[u8]> {
        let start = at / BLOCK * BLOCK;
        let block = match self.seen.iter().position(|(place, _)| *place == start).and_then(|n| self.seen.remove(n)) {
            Some(block) => block,
            None => (start, self.fetch(start)?),
        };
        self.seen.truncate(REMEMBERED - 1);
        self.seen.push_front(block);
        let within = usize::try_from(at - start).unwrap_or(usize::MAX);
        Ok(self.seen.front().and_then(|(_, bytes)| bytes.get(within..)).unwrap_or_default())
    }

    fn fetch(&self, start: u64) -> io::Result<Bytes> {
        let range = start..self.len.min(start + BLOCK);
        self.runtime.block_on(async { S3::read(&self.s3, self.id, range).await.map_err(into_io)?.gather().await })
    }
}
