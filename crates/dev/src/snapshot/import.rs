//! Putting an archive in the place of a world's state. It is received and looked at as a whole; then, with the world for itself, its
//! bytes are kept beside the others, and its rows take the place of all others in one transaction. So a failure at any moment has
//! changed nothing; what was kept by then goes.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use stowage_model::BlobKey;
use stowage_store::blobs::{BlobError, BlobReader, Blobs, Finished};
use stowage_store::records::{Restore, RestoreError, Rows};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::check::{Checked, check};
use super::read::{Archive, Fault, Member};
use super::{Head, Imported};
use crate::parts::Parts;
use crate::{DevError, World};

/// How many blobs are kept at once.
const KEEPING: usize = 32;
/// What is read at once, in bytes.
const PIECE: usize = 256 << 10;

impl From<Fault> for DevError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(failure) => Self::failed(failure.to_string()),
            fault => Self::bad(format!("this cannot be imported: {fault}")),
        }
    }
}

impl From<RestoreError> for DevError {
    fn from(refused: RestoreError) -> Self {
        match refused {
            RestoreError::Records(failure) => failure.into(),
            refused => Self::bad(format!("this cannot be imported: {refused}")),
        }
    }
}

/// Replaces the state of a world by an archive. To be awaited to its end, whoever has gone away.
pub(crate) async fn import(world: Arc<World>, body: Body) -> Result<Imported, DevError> {
    let archive = receive(&world.parts.blobs, body).await?;
    let reader = open(&archive)?;
    let checked = tokio::task::spawn_blocking(move || check(reader)).await.map_err(|crash| crashed(&crash))??;
    let Checked { head, end } = checked;
    let Head { stowage_snapshot: _, version, made_at, clock, faults, holds } = head;
    let work = async || {
        put(&world.parts, &archive, &end.last).await?;
        world.forget().await;
        clock.set(&world.parts.clock);
        for hold in holds {
            world.holds.add(hold)?;
        }
        world.faults.restore(faults).map_err(DevError::failed)?;
        // What was held is held again by the holds that have just come.
        world.parts.records.release_held(world.parts.clock.now()).await?;
        Ok::<(), DevError>((world.parts.declare)().await?)
    };
    world.alone(work).await?;
    Ok(Imported { version, made_at, rows: end.rows, contents: end.contents, left_behind: end.left_behind })
}

fn crashed(crash: &tokio::task::JoinError) -> DevError {
    DevError::failed(crash.to_string())
}

fn open(archive: &Finished) -> Result<BlobReader, DevError> {
    archive.reader().map_err(|failure| DevError::failed(failure.to_string()))
}

/// Takes an archive in, where unfinished blobs are: it needs as much space as it is long.
async fn receive(blobs: &Blobs, body: Body) -> Result<Finished, DevError> {
    let (mut draft, mut body) = (blobs.draft(), body.into_data_stream());
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|_| DevError::bad("the archive broke off"))?;
        draft.write(bytes).await?;
    }
    Ok(draft.finish().await?)
}

/// Puts bytes and rows into the stores.
async fn put(
    parts: &Parts,
    archive: &Finished,
    last: &std::collections::BTreeMap<String, i64>,
) -> Result<(), DevError> {
    let mut kept = HashMap::new();
    let filled = match keep(&parts.blobs, archive, &mut kept).await {
        Ok(()) => fill(parts, archive, &kept).await,
        Err(failure) => Err(failure),
    };
    match filled {
        // After a failure it may have been committed all the same: what nobody has is found by the janitor.
        Ok(restore) => Ok(restore.commit(last).await?),
        Err(failure) => {
            for blob in kept.into_values() {
                if let Err(failure) = parts.blobs.delete(&blob).await {
                    warn!(%blob, %failure, "a blob of a failed import stays until the janitor finds it");
                }
            }
            Err(failure)
        }
    }
}

/// A piece of an archive.
enum Piece {
    /// Bytes of this name come.
    Begin(String),
    Bytes(Bytes),
    /// These were all of them.
    End,
    /// Rows of a table.
    Rows(Rows),
}

/// Reads rows or contents on a thread that may wait.
fn pieces(archive: &Finished, rows: bool) -> Result<mpsc::Receiver<Result<Piece, Fault>>, DevError> {
    let (out, pieces) = mpsc::channel(1);
    let mut archive = Archive::new(open(archive)?);
    tokio::task::spawn_blocking(move || {
        if let Err(fault) = send(&mut archive, rows, &out) {
            // Whoever does not listen any more has a failure of his own.
            let _ = out.blocking_send(Err(fault));
        }
    });
    Ok(pieces)
}

fn send(archive: &mut Archive<BlobReader>, rows: bool, out: &mpsc::Sender<Result<Piece, Fault>>) -> Result<(), Fault> {
    while let Some((member, size)) = archive.next()? {
        match member {
            Member::Rows(table) if rows => {
                let rows = Rows::read(&table, &archive.whole()?)?;
                if out.blocking_send(Ok(Piece::Rows(rows))).is_err() {
                    return Ok(());
                }
            }
            Member::Content(name) if !rows => {
                let mut gone = out.blocking_send(Ok(Piece::Begin(name))).is_err();
                let piece = PIECE.min(usize::try_from(size).unwrap_or(PIECE));
                while !gone {
                    let mut bytes = vec![0; piece];
                    let read = archive.read(&mut bytes)?;
                    bytes.truncate(read);
                    if read == 0 {
                        break;
                    }
                    gone = out.blocking_send(Ok(Piece::Bytes(bytes.into()))).is_err();
                }
                if gone || out.blocking_send(Ok(Piece::End)).is_err() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Keeps the bytes of an archive; `kept` has what was kept also after a failure.
async fn keep(blobs: &Blobs, archive: &Finished, kept: &mut HashMap<String, BlobKey>) -> Result<(), DevError> {
    let mut pieces = pieces(archive, false)?;
    let mut keeping: JoinSet<(String, Result<BlobKey, BlobError>)> = JoinSet::new();
    let mut failed = None;
    let mut settle = |done: Result<(String, Result<BlobKey, BlobError>), tokio::task::JoinError>| match done {
        Ok((name, Ok(key))) => drop(kept.insert(name, key)),
        Ok((_, Err(failure))) => failed = Some(DevError::from(failure)),
        Err(crash) => failed = Some(crashed(&crash)),
    };
    let mut draft = None;
    let mut broken = None;
    while let Some(piece) = pieces.recv().await {
        let done: Result<(), DevError> = async {
            match (piece?, draft.take()) {
                (Piece::Begin(name), None) => draft = Some((name, blobs.draft())),
                (Piece::Bytes(bytes), Some((name, mut begun))) => {
                    begun.write(bytes).await?;
                    draft = Some((name, begun));
                }
                (Piece::End, Some((name, begun))) => {
                    let finished = begun.finish().await?;
                    keeping.spawn(async move { (name, finished.keep().await) });
                }
                _ => return Err(DevError::failed("an archive is read in disorder")),
            }
            Ok(())
        }
        .await;
        if let Err(failure) = done {
            broken = Some(failure);
            break;
        }
        while keeping.len() >= KEEPING {
            if let Some(done) = keeping.join_next().await {
                settle(done);
            }
        }
    }
    while let Some(done) = keeping.join_next().await {
        settle(done);
    }
    match broken.or(failed) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Replaces all rows, and leaves it to the caller to commit that.
async fn fill(parts: &Parts, archive: &Finished, kept: &HashMap<String, BlobKey>) -> Result<Restore, DevError> {
    let mut pieces = pieces(archive, true)?;
    let mut restore = parts.records.restore(parts.clock.now()).await?;
    while let Some(piece) = pieces.recv().await {
        if let Piece::Rows(mut rows) = piece? {
            if !rows.place(|name| kept.get(name)) {
                return Err(DevError::failed("bytes of a file were not kept"));
            }
            restore.insert(&rows).await?;
        }
    }
    Ok(restore)
}
