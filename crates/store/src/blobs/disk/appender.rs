//! The one thread that adds small blobs to packs: it takes whatever waits, writes it in one piece and makes it durable
//! with one call.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::super::buffers::Buffer;
use super::super::key::{PackId, Packed, room_for};
use super::super::spool::Spool;
use super::super::{BlobError, os};
use super::{MARK, pack_path, sync_folder};
use crate::Durability;

/// A pack that has become this long, in bytes, gets no more blobs.
const FULL: u64 = 64 << 20;

/// A pack that is older gets no more blobs, so that the janitor can look at it.
const OLD: Duration = Duration::from_hours(1);

/// The most bytes written at once.
const BATCH: usize = 1 << 20;

/// Hands blobs to the thread, which is started with the first one.
pub(super) struct Appender {
    packs: PathBuf,
    spool: Arc<Spool>,
    durability: Durability,
    thread: Mutex<Option<Running>>,
}

struct Running {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

struct Job {
    bytes: Bytes,
    answer: oneshot::Sender<Result<Packed, BlobError>>,
}

impl Appender {
    pub(super) fn new(packs: PathBuf, spool: Arc<Spool>, durability: Durability) -> Self {
        Self { packs, spool, durability, thread: Mutex::new(None) }
    }

    /// Adds a blob to a pack; on return it is durable.
    pub(super) async fn append(&self, bytes: Bytes) -> Result<Packed, BlobError> {
        let (answer, answered) = oneshot::channel();
        self.send(Job { bytes, answer })?;
        answered.await.unwrap_or_else(|_| Err(BlobError::Io(io::Error::other("the thread that writes packs died"))))
    }

    fn send(&self, job: Job) -> Result<(), BlobError> {
        let mut slot = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match &*slot {
            Some(running) => match running.jobs.send(job) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
            None => job,
        };
        let (jobs, queue) = mpsc::channel();
        let writer = Writer {
            packs: self.packs.clone(),
            spool: Arc::clone(&self.spool),
            durability: self.durability,
            buffer: Buffer::alone(BATCH),
            pack: None,
        };
        let thread = thread::Builder::new().name("packs".into()).spawn(move || writer.run(&queue))?;
        // The queue is new and its reader alive; were it not, the job's answer would say so.
        let _ = jobs.send(job);
        *slot = Some(Running { jobs, thread });
        Ok(())
    }

    /// Does something while nothing is added to any pack. The next blob begins a new one. Waits for the disk.
    pub(super) fn without<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut slot = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = slot.take() {
            running.end();
        }
        work()
    }
}

impl Running {
    /// Has what waits written, and waits for that.
    fn end(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            error!("the thread that writes packs had died");
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let slot = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = slot.take() {
            running.end();
        }
    }
}

/// What the thread owns.
struct Writer {
    packs: PathBuf,
    spool: Arc<Spool>,
    durability: Durability,
    buffer: Buffer,
    pack: Option<Pack>,
}

/// The pack to which blobs are being added. Its file is locked, so that nobody removes it.
struct Pack {
    id: PackId,
    file: File,
    direct: bool,
    len: u64,
    since: Instant,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Job>) {
        let mut left_over = None;
        loop {
            let first = match left_over.take() {
                Some(job) => job,
                None => match self.wait(queue) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => {
                        self.seal();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                },
            };
            let mut room = BATCH as u64 - room_for(first.bytes.len());
            let mut batch = vec![first];
            while let Ok(job) = queue.try_recv() {
                let Some(rest) = room.checked_sub(room_for(job.bytes.len())) else {
                    left_over = Some(job);
                    break;
                };
                room = rest;
                batch.push(job);
            }
            self.append(batch);
        }
        self.seal();
    }

    fn wait(&self, queue: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        match &self.pack {
            Some(pack) => queue.recv_timeout(OLD.saturating_sub(pack.since.elapsed())),
            None => queue.recv().map_err(RecvTimeoutError::from),
        }
    }

    fn append(&mut self, mut batch: Vec<Job>) {
        // Whoever has gone away meanwhile wants nothing written.
        batch.retain(|job| !job.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        match self.write(&batch) {
            Ok(places) => {
                for (job, place) in batch.into_iter().zip(places) {
                    if job.answer.send(Ok(place)).is_err()
                        && let Some(pack) = &self.pack
                    {
                        // Best effort: what stays is a gap, and the janitor finds gaps.
                        let _ = os::punch(&pack.file, place.offset, room_for(place.len));
                    }
                }
            }
            Err(BlobError::NoSpace) => {
                for job in batch {
                    let _ = job.answer.send(Err(BlobError::NoSpace));
                }
            }
            Err(failure) => {
                error!(error = %failure, "small blobs could not be written");
                for job in batch {
                    let _ = job.answer.send(Err(BlobError::Io(io::Error::other(failure.to_string()))));
                }
            }
        }
    }

    /// Writes a batch and makes it durable. After a failure nothing of it counts: what was written lies past the end.
    fn write(&mut self, batch: &[Job]) -> Result<Vec<Packed>, BlobError> {
        if self.pack.as_ref().is_some_and(|pack| pack.len >= FULL || pack.since.elapsed() >= OLD) {
            self.seal();
        }
        let total: u64 = batch.iter().map(|job| room_for(job.bytes.len())).sum();
        self.spool.room.take(total)?;
        let pack = match self.pack.take() {
            Some(pack) => self.pack.insert(pack),
            None => self.pack.insert(create(&self.packs, &self.spool, self.durability)?),
        };
        let mut places = Vec::with_capacity(batch.len());
        let mut filled = 0;
        for Job { bytes, .. } in batch {
            let place = Packed { pack: pack.id, offset: pack.len + filled as u64, len: bytes.len() };
            let (blob, rest) = self.buffer[filled..].split_at_mut(bytes.len());
            blob.copy_from_slice(bytes);
            let pad = bytes.len().next_multiple_of(os::ALIGN) - bytes.len();
            let pad = if pad == 0 { os::ALIGN } else { pad };
            rest[..pad].fill(0);
            rest[0] = MARK;
            filled += bytes.len() + pad;
            places.push(place);
        }
        match pack.append(&self.buffer[..filled], self.durability) {
            Ok(()) => Ok(places),
            Err(error) => {
                let error = BlobError::from(error);
                let cut = pack.file.set_len(pack.len);
                if cut.is_err() || !matches!(error, BlobError::NoSpace) {
                    // Who knows what a failed write has left: nothing more is added to this file.
                    self.seal();
                }
                Err(error)
            }
        }
    }

    /// Adds no more to the present pack. Where all its blobs have been deleted meanwhile it is removed.
    fn seal(&mut self) {
        let Some(pack) = self.pack.take() else { return };
        if matches!(os::next_data(&pack.file, 0), Ok(None))
            && let Err(error) = fs::remove_file(pack_path(&self.packs, pack.id))
        {
            warn!(%error, pack = %pack.id, "an empty pack stays until the janitor finds it");
        }
    }
}

impl Pack {
    fn append(&mut self, bytes: &[u8], durability: Durability) -> io::Result<()> {
        match self.file.write_all_at(bytes, self.len) {
            Err(error) if self.direct && os::cannot(&error) => {
                os::leave_direct(&self.file)?;
                self.direct = false;
                self.file.write_all_at(bytes, self.len)?;
            }
            other => other?,
        }
        if durability == Durability::Full {
            self.file.sync_data()?;
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// A new pack. It is locked before it gets its name, so that no janitor ever meets it unlocked.
fn create(packs: &std::path::Path, spool: &Arc<Spool>, durability: Durability) -> io::Result<Pack> {
    let temp = spool.create()?;
    let id = PackId(spool.new_id());
    let direct = temp.is_direct();
    let file = temp.move_to(&pack_path(packs, id))?;
    if durability == Durability::Full {
        file.sync_all()?;
        sync_folder(packs)?;
    }
    Ok(Pack { id, file, direct, len: 0, since: Instant::now() })
}
