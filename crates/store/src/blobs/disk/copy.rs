//! Second blobs of the same bytes. A file of its own gets a second name: nothing writes to a file that has been kept, so
//! that both may share their bytes, and the file system gives them back when the last name goes.

use std::fs::File;
use std::sync::Arc;

use tracing::debug;
use uuid::Uuid;

use super::super::key::Key;
use super::super::spool::blocking;
use super::super::{BlobError, too_short};
use super::Disk;
use super::files::Kept;

impl Disk {
    /// Makes a second blob of `size` bytes.
    pub(in super::super) async fn copy(disk: &Arc<Self>, key: Key, size: u64) -> Result<Key, BlobError> {
        match key {
            Key::Packed(packed) => {
                let bytes = disk.read_packed(packed).await?;
                if bytes.len() as u64 != size {
                    return Err(too_short());
                }
                Ok(Key::Packed(disk.appender.append(bytes).await?))
            }
            Key::Loose(id) => {
                let file = disk.open_file(id, size).await?;
                let disk = Arc::clone(disk);
                let copied = blocking(move || {
                    disk.spool.room.take(0)?;
                    match disk.files.link(id, file, disk.spool.new_id())? {
                        Some(kept) => Ok(kept),
                        None => disk.copy_bytes(id, size),
                    }
                });
                Ok(Key::Loose(copied.await?.into_id()))
            }
        }
    }

    /// Makes a file of its own of the bytes of another. Waits for the disk.
    fn copy_bytes(&self, id: Uuid, size: u64) -> Result<Kept, BlobError> {
        debug!("the file system gives no second names to this file; its bytes are copied");
        self.spool.room.take(size)?;
        let source = File::open(self.files.path(id)).map_err(super::missing)?;
        let mut draft = self.spool.create()?;
        if draft.fill_from(&source)? < size {
            return Err(too_short());
        }
        self.files.keep(draft, self.spool.new_id())
    }
}
