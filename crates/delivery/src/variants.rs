//! Get or make: a variant comes out of memory, off the disk, or is made once for all who want it.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use stowage_model::{FileId, clock};
use tracing::warn;

use crate::admission::Admission;
use crate::crew::Crew;
use crate::flights::{Begun, Flights, Pilot, Wanted};
use crate::key::Key;
use crate::label::Label;
use crate::shelf::{Entry, Shelf};
use crate::variant::{Outcome, Variant, VariantError};
use crate::{Options, machine};

/// The largest variant that is kept in memory, in bytes.
const SMALL: u64 = 256 << 10;

/// How many videos may wait or be made.
const VIDEOS: usize = 8;

/// After how many seconds those who are turned away may come again.
pub(crate) const RETRY_AFTER: u64 = 5;

/// Everything that was made, and those who make.
pub(crate) struct Variants {
    hot: Cache<Key, Hot, ByWeight>,
    shelf: Option<Arc<Shelf>>,
    pictures: Queue,
    videos: Queue,
    pub(crate) admission: Admission,
    pub(crate) crew: Crew,
    counts: Counts,
}

/// What is made at the moment, and for how long whoever asks waits for it.
struct Queue {
    flights: Arc<Flights>,
    patience: Duration,
}

/// Where something waits until it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// Pictures and facts.
    Pictures,
    /// Videos, which take so long that they must not keep places from pictures.
    Videos,
}

/// What was made, before it is a variant.
pub(crate) struct Made {
    pub(crate) label: Label,
    pub(crate) bytes: Bytes,
}

#[derive(Clone)]
enum Hot {
    /// With its place on disk, where it has one, so that a use here counts as a use there.
    Made(Variant, Option<Arc<Entry>>),
    /// It would be refused again.
    Refused(VariantError),
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Key, Hot> for ByWeight {
    fn weight(&self, _: &Key, hot: &Hot) -> u64 {
        match hot {
            Hot::Made(variant, _) => variant.weight(),
            Hot::Refused(_) => 512,
        }
    }
}

struct Counts {
    memory: metrics::Counter,
    disk: metrics::Counter,
    made: metrics::Counter,
    refused: metrics::Counter,
    busy: metrics::Counter,
    seconds: metrics::Histogram,
    disk_bytes: metrics::Gauge,
}

impl Counts {
    fn new() -> Self {
        let from = |from: &'static str| metrics::counter!("stowage_variants_total", "from" => from);
        Self {
            memory: from("memory"),
            disk: from("disk"),
            made: from("made"),
            refused: from("refused"),
            busy: from("busy"),
            seconds: metrics::histogram!("stowage_variant_seconds"),
            disk_bytes: metrics::gauge!("stowage_variant_disk_bytes"),
        }
    }
}

impl Variants {
    pub(crate) async fn open(options: &Options, folder: PathBuf, reserve: u64) -> io::Result<Self> {
        let capacity = options.variant_cache;
        let shelf = if capacity == 0 {
            None
        } else {
            let opened = tokio::task::spawn_blocking(move || Shelf::open(folder, capacity, reserve)).await;
            Some(Arc::new(opened.map_err(io::Error::other).flatten()?))
        };
        let threads = match options.render_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let memory = match options.render_memory {
            0 => machine::memory() / 5 * 3,
            memory => memory,
        };
        let items = usize::try_from(options.variant_memory / 8192).unwrap_or(usize::MAX).max(16);
        let waiting = metrics::gauge!("stowage_variants_waiting");
        let queue = |most, patience| Queue { flights: Flights::new(most, waiting.clone()), patience };
        Ok(Self {
            hot: Cache::with_weighter(items, options.variant_memory, ByWeight),
            shelf,
            pictures: queue(options.render_queue.max(1), options.render_timeout),
            // Those that wait for the one before have their time as well.
            videos: queue(VIDEOS, options.video_timeout.saturating_mul(2)),
            admission: Admission::new(threads, memory),
            crew: Crew::new(threads),
            counts: Counts::new(),
        })
    }

    /// The variant of a key; where there is none, `make` makes it for all who wait.
    pub(crate) async fn get_or_make<F>(self: &Arc<Self>, key: Key, line: Line, make: impl FnOnce(Begun) -> F) -> Outcome
    where
        F: Future<Output = Result<Made, VariantError>> + Send + 'static,
    {
        if let Some(outcome) = self.remembered(&key) {
            return self.counted(&self.counts.memory, outcome);
        }
        let found = Box::pin(self.on_disk(&key)).await;
        if let Some(variant) = found {
            return self.counted(&self.counts.disk, Ok(variant));
        }
        let fly = |pilot: Pilot| {
            let (variants, work) = (Arc::clone(self), make(pilot.begun()));
            async move { variants.fly(key, pilot, Box::pin(work)).await }
        };
        let queue = match line {
            Line::Pictures => &self.pictures,
            Line::Videos => &self.videos,
        };
        let flight = Box::pin(queue.flights.join(key, fly));
        let arrived = tokio::time::timeout(queue.patience, flight).await;
        let outcome = arrived.ok().flatten().unwrap_or(Err(VariantError::Busy { retry_after: RETRY_AFTER }));
        self.counted(&self.counts.made, outcome)
    }

    /// Counts what somebody is told; a variant as one that is from there.
    fn counted(&self, from: &metrics::Counter, outcome: Outcome) -> Outcome {
        let counter = match &outcome {
            Ok(_) => from,
            Err(VariantError::Busy { .. }) => &self.counts.busy,
            Err(_) => &self.counts.refused,
        };
        counter.increment(1);
        outcome
    }

    async fn fly(self: Arc<Self>, key: Key, pilot: Pilot, work: impl Future<Output = Result<Made, VariantError>>) {
        // It may have landed between the look of whoever asked and this flight.
        let before = match self.remembered(&key) {
            Some(outcome) => Some(outcome),
            None => self.on_disk(&key).await.map(Ok),
        };
        if let Some(outcome) = before {
            return pilot.answer(outcome);
        }
        let begun_at = Instant::now();
        match work.await {
            Ok(made) => {
                self.counts.seconds.record(begun_at.elapsed());
                let variant = Variant::in_memory(&key, made.label, made.bytes.clone());
                self.remember(&key, &variant, None, &pilot.wanted());
                pilot.answer(Ok(variant.clone()));
                // Whoever comes while it is written is answered by this flight.
                self.keep(key, variant, made, pilot.wanted()).await;
            }
            Err(error) => {
                if error.is_final() {
                    self.hot.insert(key, Hot::Refused(error.clone()));
                    if !pilot.wanted().yes() {
                        self.hot.remove(&key);
                    }
                }
                pilot.answer(Err(error));
            }
        }
    }

    fn remembered(&self, key: &Key) -> Option<Outcome> {
        match self.hot.get(key)? {
            Hot::Made(variant, entry) => {
                if let (Some(shelf), Some(entry)) = (&self.shelf, entry) {
                    shelf.touch(&entry);
                }
                Some(Ok(variant))
            }
            Hot::Refused(error) => Some(Err(error)),
        }
    }

    fn remember(&self, key: &Key, variant: &Variant, entry: Option<Arc<Entry>>, wanted: &Wanted) {
        if variant.len > SMALL {
            return;
        }
        self.hot.insert(*key, Hot::Made(variant.clone(), entry));
        if !wanted.yes() {
            self.hot.remove(key);
        }
    }

    async fn on_disk(&self, key: &Key) -> Option<Variant> {
        let shelf = self.shelf.as_ref()?;
        let entry = shelf.find(key)?;
        let (shelf, key) = (Arc::clone(shelf), *key);
        let read = tokio::task::spawn_blocking(move || {
            let file = shelf.read(&key, &entry)?;
            let (label, len) = (entry.name.label, entry.len);
            if len > SMALL {
                return Some((Variant::on_disk(&key, label, len, file), None));
            }
            let mut bytes = vec![0; usize::try_from(len).ok()?];
            file.read_exact_at(&mut bytes, 0).ok()?;
            Some((Variant::in_memory(&key, label, Bytes::from(bytes)), Some(entry)))
        });
        let (variant, entry) = read.await.ok().flatten()?;
        if let (Some(entry), Some(shelf)) = (entry, &self.shelf) {
            self.hot.insert(key, Hot::Made(variant.clone(), Some(entry)));
            // It may have been forgotten meanwhile.
            if shelf.find(&key).is_none() {
                self.hot.remove(&key);
            }
        }
        Some(variant)
    }

    async fn keep(&self, key: Key, variant: Variant, made: Made, wanted: Wanted) {
        let Some(shelf) = &self.shelf else { return };
        let keeping = {
            let (shelf, wanted) = (Arc::clone(shelf), wanted.clone());
            tokio::task::spawn_blocking(move || shelf.keep(&key, made.label, &made.bytes, &wanted))
        };
        match keeping.await.map_err(io::Error::other).flatten() {
            Ok(Some(entry)) => self.remember(&key, &variant, Some(entry), &wanted),
            Ok(None) => {}
            Err(error) => warn!(file = %key.file, %error, "a variant could not be kept on disk"),
        }
        self.counts.disk_bytes.set(shelf.size().1 as f64);
    }

    pub(crate) fn forget(&self, files: &[FileId]) {
        if files.is_empty() {
            return;
        }
        let files: HashSet<FileId> = files.iter().copied().collect();
        for queue in [&self.pictures, &self.videos] {
            queue.flights.forget(|file| files.contains(&file));
        }
        self.hot.retain(|key, _| !files.contains(&key.file));
        if let Some(shelf) = &self.shelf {
            let shelf = Arc::clone(shelf);
            drop(tokio::task::spawn_blocking(move || shelf.forget(&files)));
        }
    }

    pub(crate) async fn wipe(&self) {
        // Whoever is let in leaves by themselves, and threads have no memory.
        let Self { hot, shelf, pictures, videos, admission: _, crew: _, counts } = self;
        for Queue { flights, patience: _ } in [pictures, videos] {
            flights.forget(|_| true);
        }
        hot.clear();
        let Some(shelf) = shelf.clone() else { return };
        let wiped = tokio::task::spawn_blocking(move || shelf.wipe()).await;
        if let Err(error) = wiped.map_err(io::Error::other).flatten() {
            warn!(%error, "variants could not be deleted from the disk");
        }
        counts.disk_bytes.set(0.0);
    }

    pub(crate) fn kept(&self) -> Vec<FileId> {
        self.shelf.as_ref().map(|shelf| shelf.files()).unwrap_or_default()
    }

    pub(crate) async fn note_uses(&self) {
        let Some(shelf) = self.shelf.clone() else { return };
        let now = clock::machine_now().to_system_time();
        let noted = tokio::task::spawn_blocking(move || shelf.note_uses(now)).await;
        if let Err(crash) = noted {
            warn!(%crash, "the uses of variants were not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;
    use metrics::Counter;
    use stowage_model::Ids;

    use super::*;
    use crate::key::Making;
    use crate::label::Kind;

    fn options() -> Options {
        Options {
            memory_cache: 0,
            max_age: Duration::ZERO,
            variant_folder: PathBuf::new(),
            variant_cache: 1 << 20,
            variant_memory: 1 << 20,
            render_threads: 1,
            render_memory: 1 << 20,
            render_queue: 1,
            render_timeout: Duration::from_secs(60),
            archive_size: 0,
            ffmpeg: String::new(),
            video_timeout: Duration::from_secs(60),
        }
    }

    fn made() -> Made {
        let label = Label { kind: Kind::Png, width: 1, height: 1, negotiated: false };
        Made { label, bytes: Bytes::from_static(b"made") }
    }

    #[tokio::test]
    async fn everybody_who_asks_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let counted: [Arc<AtomicU64>; 5] = Default::default();
        let open = async || {
            let mut variants = Variants::open(&options(), folder.path().to_owned(), 0).await.unwrap();
            let [memory, disk, made, refused, busy] = counted.clone().map(Counter::from_arc);
            variants.counts = Counts { memory, disk, made, refused, busy, ..Counts::new() };
            Arc::new(variants)
        };
        let told = || counted.each_ref().map(|counter| counter.load(Ordering::SeqCst));
        let key = || Key::new(Ids::random().file(), Making::Picture, "", &[]);
        let (good, bad, late) = (key(), key(), key());
        let variants = open().await;
        let slow = |_| async {
            tokio::task::yield_now().await;
            Ok(made())
        };
        let all = join_all((0..3).map(|_| variants.get_or_make(good, Line::Pictures, slow)));
        let other = variants.get_or_make(late, Line::Pictures, slow);
        let (all, other) = tokio::join!(all, other);
        assert!(all.iter().all(Result::is_ok) && matches!(other, Err(VariantError::Busy { .. })));
        assert_eq!(told(), [0, 0, 3, 0, 1], "whoever waits for another one's is counted as well");
        stowage_store::blobs::conformance::eventually("it has landed", async || {
            variants.shelf.as_ref().unwrap().size().0 == 1
        })
        .await;
        variants.get_or_make(good, Line::Pictures, slow).await.unwrap();
        assert_eq!(told(), [1, 0, 3, 0, 1]);
        for _ in 0..2 {
            let refused = |_| async { Err(VariantError::NotAnImage) };
            variants.get_or_make(bad, Line::Videos, refused).await.unwrap_err();
        }
        assert_eq!(told(), [1, 0, 3, 2, 1], "what is remembered counts too");
        let variants = open().await;
        variants.get_or_make(good, Line::Pictures, slow).await.unwrap();
        assert_eq!(told(), [1, 1, 3, 2, 1]);
    }

    #[tokio::test]
    async fn what_is_being_made_is_not_kept_after_a_wipe() {
        let folder = tempfile::tempdir().unwrap();
        let variants = Arc::new(Variants::open(&options(), folder.path().to_owned(), 0).await.unwrap());
        let keys = [(); 3].map(|()| Key::new(Ids::random().file(), Making::Picture, "", &[]));
        let quick = |_| async { Ok(made()) };
        variants.get_or_make(keys[0], Line::Pictures, quick).await.unwrap();
        let refused = |_| async { Err(VariantError::NotAnImage) };
        variants.get_or_make(keys[1], Line::Pictures, refused).await.unwrap_err();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (go, may_go) = tokio::sync::oneshot::channel::<()>();
        let slow = {
            let (variants, key) = (Arc::clone(&variants), keys[2]);
            tokio::spawn(async move {
                let make = |_| async {
                    begin.send(()).unwrap();
                    may_go.await.unwrap();
                    Ok(made())
                };
                variants.get_or_make(key, Line::Videos, make).await
            })
        };
        begun.await.unwrap();
        variants.wipe().await;
        go.send(()).unwrap();
        assert!(slow.await.unwrap().is_ok(), "who waits is told");
        let shelf = variants.shelf.as_ref().unwrap();
        assert!(keys.iter().all(|key| variants.remembered(key).is_none() && shelf.find(key).is_none()));
        // Another one may be made of the same file, and what was made of the former one does not take its place.
        for key in keys {
            variants.get_or_make(key, Line::Pictures, refused).await.unwrap_err();
        }
        stowage_store::blobs::conformance::eventually("it has landed", async || Arc::strong_count(&variants) == 1)
            .await;
        let again = Variants::open(&options(), folder.path().to_owned(), 0).await.unwrap();
        assert_eq!(again.kept(), []);
    }
}
