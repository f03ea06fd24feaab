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

/// After how many seconds those who are turned away may come again.
pub(crate) const RETRY_AFTER: u64 = 5;

/// Everything that was made, and those who make.
pub(crate) struct Variants {
    hot: Cache<Key, Hot, ByWeight>,
    shelf: Option<Arc<Shelf>>,
    flights: Arc<Flights>,
    pub(crate) admission: Admission,
    pub(crate) crew: Crew,
    patience: Duration,
    counts: Counts,
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
    waiting: metrics::Gauge,
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
            waiting: metrics::gauge!("stowage_variants_waiting"),
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
        Ok(Self {
            hot: Cache::with_weighter(items, options.variant_memory, ByWeight),
            shelf,
            flights: Flights::new(options.render_queue.max(1)),
            admission: Admission::new(threads, memory),
            crew: Crew::start(threads)?,
            patience: options.render_timeout,
            counts: Counts::new(),
        })
    }

    /// The variant of a key; where there is none, `make` makes it for all who wait.
    pub(crate) async fn get_or_make<F>(
        self: &Arc<Self>,
        key: Key,
        patience: Option<Duration>,
        make: impl FnOnce(Begun) -> F,
    ) -> Outcome
    where
        F: Future<Output = Result<Made, VariantError>> + Send + 'static,
    {
        if let Some(outcome) = self.remembered(&key) {
            return outcome;
        }
        let found = Box::pin(self.on_disk(&key)).await;
        if let Some(variant) = found {
            self.counts.disk.increment(1);
            return Ok(variant);
        }
        let fly = |pilot: Pilot| {
            let (variants, work) = (Arc::clone(self), make(pilot.begun()));
            async move { variants.fly(key, pilot, Box::pin(work)).await }
        };
        let flight = Box::pin(self.flights.join(key, fly));
        let arrived = tokio::time::timeout(patience.unwrap_or(self.patience), flight).await;
        arrived.ok().flatten().unwrap_or_else(|| {
            self.counts.busy.increment(1);
            Err(VariantError::Busy { retry_after: RETRY_AFTER })
        })
    }

    async fn fly(self: Arc<Self>, key: Key, pilot: Pilot, work: impl Future<Output = Result<Made, VariantError>>) {
        self.counts.waiting.set(self.flights.len() as f64);
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
                self.counts.made.increment(1);
                self.counts.seconds.record(begun_at.elapsed());
                let variant = Variant::in_memory(&key, made.label, made.bytes.clone());
                self.remember(&key, &variant, None, &pilot.wanted());
                pilot.answer(Ok(variant.clone()));
                // Whoever comes while it is written is answered by this flight.
                self.keep(key, variant, made, pilot.wanted()).await;
            }
            Err(error) => {
                self.counts.refused.increment(1);
                if error.is_final() && pilot.wanted().yes() {
                    self.hot.insert(key, Hot::Refused(error.clone()));
                }
                pilot.answer(Err(error));
            }
        }
        self.counts.waiting.set(self.flights.len().saturating_sub(1) as f64);
    }

    fn remembered(&self, key: &Key) -> Option<Outcome> {
        match self.hot.get(key)? {
            Hot::Made(variant, entry) => {
                if let (Some(shelf), Some(entry)) = (&self.shelf, entry) {
                    shelf.touch(&entry);
                }
                self.counts.memory.increment(1);
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
        self.flights.forget(|file| files.contains(&file));
        self.hot.retain(|key, _| !files.contains(&key.file));
        if let Some(shelf) = &self.shelf {
            let shelf = Arc::clone(shelf);
            drop(tokio::task::spawn_blocking(move || shelf.forget(&files)));
        }
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
