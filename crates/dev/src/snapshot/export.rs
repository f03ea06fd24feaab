//! Writing an archive, while it is sent. Nothing works meanwhile, so that nobody deletes bytes that are to come; requests are served.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use stowage_delivery::tar::{self, Tar};
use stowage_model::{BlobKey, Timestamp};
use stowage_store::records::{Dumped, Numbers};
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::{END, End, FORMAT, HEAD, Hand, Head, LeftBehind};
use crate::{DevError, World};

/// What is sent at once, in bytes.
const PIECE: usize = 128 << 10;

/// Why an export ended early.
#[derive(Debug)]
enum Broken {
    /// Nobody reads it any more.
    Gone,
    /// Something failed.
    Failed(DevError),
}

impl From<DevError> for Broken {
    fn from(failure: DevError) -> Self {
        Self::Failed(failure)
    }
}

/// Pieces of an archive on their way to a client.
pub(crate) type Pieces = mpsc::Receiver<Result<Bytes, DevError>>;

/// Begins to write an archive of a world.
pub(crate) fn export(world: Arc<World>) -> Pieces {
    let (out, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        let sender = out.clone();
        // A client that goes away must not leave the workers stopped: this task ends in any case.
        let written = world.paused_inside(async || Box::pin(write(&world, out)).await).await;
        match written.unwrap_or_else(|| Err(Broken::Failed(DevError::clash("cut off by a reset or the like")))) {
            Ok(()) => {}
            Err(Broken::Gone) => warn!("nobody waits for the end of a snapshot"),
            Err(Broken::Failed(failure)) => {
                error!(%failure, "a snapshot could not be written");
                let _ = sender.send(Err(failure)).await;
            }
        }
    });
    pieces
}

async fn write(world: &World, out: mpsc::Sender<Result<Bytes, DevError>>) -> Result<(), Broken> {
    let clock = &world.parts.clock;
    let mut writer = Writer::new(out, clock.now());
    let head = Head {
        stowage_snapshot: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: clock.now().to_string(),
        clock: Hand::of(clock),
        faults: world.faults.dump(),
        holds: world.holds.rules(),
    };
    writer.facts(HEAD, &head).await?;
    let (sender, dumped) = mpsc::channel(4);
    let take = async {
        // It goes with this block, also after a failure: nothing more is read then.
        let mut dumped = dumped;
        let (mut rows, mut contents) = (BTreeMap::<String, (u64, u64)>::new(), 0);
        while let Some(piece) = dumped.recv().await {
            match piece {
                Dumped::Rows { table, lines, count } => {
                    let (pieces, sum) = rows.entry(table.to_owned()).or_default();
                    (*pieces, *sum) = (*pieces + 1, *sum + count);
                    writer.file(&format!("records/{table}/{pieces:06}.jsonl"), lines.as_bytes()).await?;
                }
                Dumped::Content { name, size, blob } => {
                    contents += 1;
                    writer.content(world, &name, size, &blob).await?;
                }
                Dumped::End(Numbers { last, open_uploads, copy_uploads }) => {
                    let rows = rows.into_iter().map(|(table, (_, sum))| (table, sum)).collect();
                    let left_behind = LeftBehind { open_uploads, copy_uploads };
                    let digest = writer.hasher.finalize().to_hex().to_string();
                    writer.facts(END, &End { rows, contents, last, left_behind, digest }).await?;
                    return writer.end().await;
                }
            }
        }
        // The other side says why.
        Ok(())
    };
    let (read, taken) = tokio::join!(world.parts.records.dump(sender), take);
    taken?;
    Ok(read.map_err(DevError::from)?)
}

struct Writer {
    out: mpsc::Sender<Result<Bytes, DevError>>,
    waiting: BytesMut,
    hasher: blake3::Hasher,
    tar: Tar,
    now: Timestamp,
}

impl Writer {
    fn new(out: mpsc::Sender<Result<Bytes, DevError>>, now: Timestamp) -> Self {
        Self { out, waiting: BytesMut::new(), hasher: blake3::Hasher::new(), tar: Tar::new(), now }
    }

    async fn facts(&mut self, name: &str, facts: &impl serde::Serialize) -> Result<(), Broken> {
        let text = serde_json::to_vec_pretty(facts).map_err(|failure| DevError::failed(failure.to_string()))?;
        self.file(name, &text).await
    }

    async fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Broken> {
        let header = self.tar.begin(name, bytes.len() as u64, self.now);
        self.push(&header).await?;
        self.push(bytes).await?;
        let rest = self.tar.finish();
        self.push(&rest).await
    }

    async fn content(&mut self, world: &World, name: &str, size: u64, blob: &BlobKey) -> Result<(), Broken> {
        let header = self.tar.begin(&format!("blobs/{name}"), size, self.now);
        self.push(&header).await?;
        let mut stream = world.parts.blobs.read(blob, 0..size).await.map_err(DevError::from)?;
        let failed = |failure: io::Error| DevError::failed(format!("the bytes of a file cannot be read: {failure}"));
        while let Some(bytes) = stream.try_next().await.map_err(failed)? {
            self.push(&bytes).await?;
        }
        let rest = self.tar.finish();
        self.push(&rest).await
    }

    async fn end(mut self) -> Result<(), Broken> {
        self.push(&tar::end()).await?;
        self.send().await
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.hasher.update(bytes);
        for piece in bytes.chunks(PIECE) {
            self.waiting.extend_from_slice(piece);
            if self.waiting.len() >= PIECE {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Broken> {
        self.out.send(Ok(self.waiting.split().freeze())).await.map_err(|_| Broken::Gone)
    }
}
