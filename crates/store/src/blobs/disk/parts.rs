//! Blobs that arrive in parts. They are written where they will stay: each part at its own offset of one sparse file, so
//! that making them one blob neither copies nor renames anything.

use std::fs::OpenOptions;
use std::sync::Arc;

use uuid::Uuid;

use super::super::BlobError;
use super::super::direct::DirectFile;
use super::super::parts::AssembleError;
use super::super::spool::{Spool, blocking};
use super::super::turns::Turn;
use super::super::writer::{Sink, Writer};
use super::{Disk, missing};
use crate::Durability;

/// A part that is being written, and the turn that lasts as long.
pub(in super::super) struct PartFile {
    written: DirectFile,
    spool: Arc<Spool>,
    durability: Durability,
    turn: Turn,
}

impl Sink for PartFile {
    fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.spool.room.take(piece.len() as u64)?;
        Ok(self.written.append(piece)?)
    }
}

impl PartFile {
    /// Makes what was written as durable as the store promises. Waits for the disk.
    pub(in super::super) fn settle(self) -> Result<Turn, BlobError> {
        if self.durability == Durability::Full {
            self.written.file.sync_data()?;
        }
        Ok(self.turn)
    }
}

impl Disk {
    /// Makes the file for a blob of `size` bytes.
    pub(in super::super) async fn begin_parts(disk: &Arc<Self>, size: u64) -> Result<Uuid, BlobError> {
        let disk = Arc::clone(disk);
        let begun = blocking(move || {
            disk.spool.room.take(0)?;
            disk.files.begin(size, disk.spool.new_id())
        });
        Ok(begun.await?.into_id())
    }

    /// Opens the file for a part that begins at `offset`.
    pub(in super::super) async fn part(
        &self,
        id: Uuid,
        offset: u64,
        turn: Turn,
    ) -> Result<Writer<PartFile>, BlobError> {
        let path = self.files.path(id);
        let (spool, durability) = (Arc::clone(&self.spool), self.durability);
        let file = blocking(move || {
            let written = DirectFile::open(&path, offset).map_err(missing)?;
            Ok(PartFile { written, spool, durability, turn })
        });
        Ok(Writer::new(Arc::clone(&self.spool.large_buffers), file.await?))
    }

    /// Gives the file its final length: a last part may have been longer in an earlier attempt.
    pub(in super::super) async fn assemble(&self, id: Uuid, size: u64) -> Result<(), AssembleError> {
        let path = self.files.path(id);
        let durability = self.durability;
        let whole = blocking(move || {
            let file = OpenOptions::new().write(true).open(path).map_err(missing)?;
            let len = file.metadata()?.len();
            if len > size {
                file.set_len(size)?;
                if durability == Durability::Full {
                    file.sync_all()?;
                }
            }
            Ok(len >= size)
        });
        match whole.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(BlobError::NotFound) => Err(AssembleError::Refused),
            Err(error) => Err(error.into()),
        }
    }
}
