//! Giving back the space of small blobs: one by one, and whatever no record knows.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::super::key::{PackId, Packed};
use super::super::spool::blocking;
use super::super::{BlobError, Freed, age, os};
use super::{Disk, gone_is_fine};

impl Disk {
    /// Deletes a blob of a pack.
    pub(in super::super) async fn delete_packed(disk: &Arc<Self>, packed: Packed) -> Result<(), BlobError> {
        let disk = Arc::clone(disk);
        blocking(move || {
            let path = disk.pack_path(packed.pack);
            let Some(file) = open_for_change(&path)? else { return Ok(()) };
            let stat = file.metadata()?;
            let extent = packed.extent();
            if stat.len() < extent.end {
                return Ok(());
            }
            erase(&file, &packed)?;
            if try_lock(&file) {
                if os::next_data(&file, 0)?.is_none() {
                    disk.remove(packed.pack, &path)?;
                } else if let Ok(modified) = stat.modified() {
                    // The age of a pack is the age of its youngest blob; deleting shall not make it young again.
                    file.set_modified(modified)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Frees what none of the `live` blobs covers.
    pub(in super::super) async fn reclaim(
        disk: &Arc<Self>,
        pack: PackId,
        live: Vec<Packed>,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Freed, BlobError> {
        let disk = Arc::clone(disk);
        blocking(move || {
            let path = disk.pack_path(pack);
            let Some(file) = open_for_change(&path)? else { return Ok(Freed::default()) };
            let stat = file.metadata()?;
            if age(&stat) < grace || !try_lock(&file) {
                return Ok(Freed::default());
            }
            let mut freed = Freed::default();
            for gap in gaps(live.iter().map(Packed::extent).collect(), stat.len()) {
                let bytes = data_within(&file, &gap)?;
                if bytes == 0 {
                    continue;
                }
                if dry_run || live.is_empty() || os::punch(&file, gap.start, gap.end - gap.start)? {
                    freed.add(bytes);
                }
            }
            if live.iter().any(|blob| blob.extent().end > stat.len()) {
                warn!(%pack, "records know blobs beyond the end of this pack: they are lost");
            }
            if live.is_empty() && !dry_run {
                disk.remove(pack, &path)?;
                freed.items = freed.items.max(1);
            }
            Ok(freed)
        })
        .await
    }

    fn remove(&self, pack: PackId, path: &Path) -> io::Result<()> {
        gone_is_fine(fs::remove_file(path))?;
        self.open_packs.remove(&pack);
        Ok(())
    }
}

/// Makes a blob unreadable, and frees its space where the file system can.
fn erase(file: &File, packed: &Packed) -> io::Result<()> {
    let extent = packed.extent();
    if !os::punch(file, extent.start, extent.end - extent.start)? {
        file.write_all_at(&[0], packed.offset + packed.len as u64)?;
    }
    Ok(())
}

fn open_for_change(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks a pack until `file` is closed; false where somebody still adds to it, or where that cannot be told.
pub(super) fn try_lock(file: &File) -> bool {
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => {
            warn!(%error, "packs cannot be locked in this file system, so none is cleaned up");
            false
        }
    }
}

/// What `covered` leaves free of `0..len`.
fn gaps(mut covered: Vec<Range<u64>>, len: u64) -> Vec<Range<u64>> {
    covered.sort_by_key(|extent| extent.start);
    let mut gaps = Vec::new();
    let mut at = 0;
    for extent in covered {
        if extent.start > at {
            gaps.push(at..extent.start.min(len));
        }
        at = at.max(extent.end);
    }
    gaps.push(at..len);
    gaps.retain(|gap| gap.start < gap.end);
    gaps
}

/// How many bytes of `range` occupy disk space.
fn data_within(file: &File, range: &Range<u64>) -> io::Result<u64> {
    let (mut at, mut bytes) = (range.start, 0);
    while at < range.end {
        let Some(data) = os::next_data(file, at)? else { break };
        let end = os::next_hole(file, data)?.min(range.end);
        if end <= data {
            break;
        }
        bytes += end - data;
        at = end;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_nobody_covers() {
        let gaps = |covered: &[(u64, u64)], len| -> Vec<(u64, u64)> {
            let covered = covered.iter().map(|&(start, end)| start..end).collect();
            gaps(covered, len).into_iter().map(|gap| (gap.start, gap.end)).collect()
        };
        assert_eq!(gaps(&[], 10), [(0, 10)]);
        assert_eq!(gaps(&[], 0), []);
        assert_eq!(gaps(&[(0, 10)], 10), []);
        assert_eq!(gaps(&[(6, 8), (0, 2), (1, 4)], 10), [(4, 6), (8, 10)]);
        assert_eq!(gaps(&[(12, 14)], 10), [(0, 10)]);
        assert_eq!(gaps(&[(2, 14)], 10), [(0, 2)]);
    }
}
