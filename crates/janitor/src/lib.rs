//! What nobody asks for and must happen all the same: temporary files expire, blobs of removed files are deleted, and
//! what crashes left behind is found. Every step is idempotent and may be taken by several nodes at once; what is
//! deleted first disappears from the records, so that a crash leaves a blob too many, never a record without its blob.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use stowage_model::units::duration;
use stowage_model::{BlobKey, Clock, FileId, Timestamp};
use stowage_store::blobs::{BlobError, Blobs, Freed, Parts, Stored};
use stowage_store::records::{Records, RecordsError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How many files or blobs are handled in one transaction.
const BATCH: u32 = 500;

/// How long the outcome of an upload from a URL can be asked for.
const TASK_TTL: Duration = Duration::from_secs(24 * 3600);

/// `[janitor]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How long a file lives that was not stored.
    #[serde(deserialize_with = "duration")]
    pub temporary_ttl: Duration,
    /// How long the record of a removed file is kept.
    #[serde(deserialize_with = "duration")]
    pub removed_ttl: Duration,
    /// How often expired files and deletable blobs are looked for.
    #[serde(deserialize_with = "duration")]
    pub interval: Duration,
    /// How often the blob store is searched for blobs that no record knows.
    #[serde(deserialize_with = "duration")]
    pub sweep_interval: Duration,
    /// Blobs younger than this, by the machine's clock, are never taken for forgotten.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
}

/// The janitor.
#[derive(Clone)]
pub struct Janitor {
    records: Records,
    blobs: Blobs,
    clock: Clock,
    options: Options,
}

/// Why the janitor could not finish; what it has done stays done, and the next round goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum JanitorError {
    /// The records failed.
    #[error("records: {0}")]
    Records(#[from] RecordsError),
    /// The blob store failed.
    #[error("blobs: {0}")]
    Blobs(#[from] BlobError),
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Temporary files that expired.
    pub expired: u64,
    /// Blobs of removed files that were deleted.
    pub blobs: u64,
    /// Records of files removed long ago that were deleted.
    pub records: u64,
    /// Blobs, or parts of packs, that no record knew.
    pub orphans: u64,
    /// Unfinished blobs that dead processes left.
    pub drafts: u64,
    /// Multipart uploads that were not completed in time.
    pub uploads: u64,
    /// Traces of what ended long ago: tasks, completed uploads, used-up tokens.
    pub traces: u64,
}

impl Report {
    /// Adds what another step has done.
    pub fn add(&mut self, other: Self) {
        self.expired += other.expired;
        self.blobs += other.blobs;
        self.records += other.records;
        self.orphans += other.orphans;
        self.drafts += other.drafts;
        self.uploads += other.uploads;
        self.traces += other.traces;
    }

    fn count(self) {
        for (kind, number) in [
            ("expired", self.expired),
            ("blobs", self.blobs),
            ("records", self.records),
            ("orphans", self.orphans),
            ("drafts", self.drafts),
            ("uploads", self.uploads),
            ("traces", self.traces),
        ] {
            metrics::counter!("stowage_janitor_deleted_total", "kind" => kind).increment(number);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expired, blobs, records, orphans, drafts, uploads, traces } = self;
        write!(
            f,
            "{expired} file(s) expired, {blobs} blob(s) of removed files deleted, {records} old record(s) deleted, \
             {orphans} forgotten blob(s) and {drafts} unfinished one(s) removed, {uploads} multipart upload(s) expired, \
             {traces} trace(s) of ended work deleted"
        )
    }
}

/// Something that is due to be deleted, and why. Its `Display` is a line for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deletion {
    /// A temporary file whose time is over.
    Expired {
        /// The file.
        file: FileId,
        /// When it was uploaded.
        uploaded_at: Timestamp,
        /// Its length in bytes.
        size: u64,
        /// How long it was to live.
        ttl: Duration,
    },
    /// A multipart upload whose time is over.
    Upload {
        /// The id that its file would have had.
        file: FileId,
        /// When it was started.
        started_at: Timestamp,
    },
    /// The blob of a removed file.
    Garbage(BlobKey),
    /// Records of files that were removed long ago.
    Records {
        /// How many.
        count: u64,
        /// How long they are kept.
        ttl: Duration,
    },
    /// A blob that no record knows.
    Orphan {
        /// The blob.
        blob: BlobKey,
        /// Its length in bytes.
        size: u64,
    },
    /// Parts of a pack that no record knows.
    PackParts {
        /// The pack.
        pack: String,
        /// How much would be freed.
        freed: Freed,
    },
    /// Unfinished blobs of dead processes.
    Drafts(Freed),
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |ttl: &Duration| {
            let seconds = ttl.as_secs();
            if seconds > 0 && seconds.is_multiple_of(3600) {
                format!("{}h", seconds / 3600)
            } else {
                format!("{seconds}s")
            }
        };
        match self {
            Self::Expired { file, uploaded_at, size, ttl } => {
                write!(f, "file {file}: uploaded {uploaded_at}, not stored within {} ({size} bytes)", words(ttl))
            }
            Self::Upload { file, started_at } => {
                write!(f, "multipart upload {file}: started {started_at}, not completed in time")
            }
            Self::Garbage(blob) => write!(f, "blob {blob}: its file was removed"),
            Self::Records { count, ttl } => {
                write!(f, "{count} record(s) of files removed more than {} ago", words(ttl))
            }
            Self::Orphan { blob, size } => write!(f, "blob {blob}: no record knows it ({size} bytes)"),
            Self::PackParts { pack, freed } => {
                write!(f, "pack {pack}: no record knows {} part(s) of it ({} bytes)", freed.items, freed.bytes)
            }
            Self::Drafts(freed) => {
                write!(f, "{} unfinished upload(s) of processes that ended ({} bytes)", freed.items, freed.bytes)
            }
        }
    }
}

impl Janitor {
    /// A janitor for these stores.
    pub fn new(records: Records, blobs: Blobs, clock: Clock, options: Options) -> Self {
        Self { records, blobs, clock, options }
    }

    /// Works until told to stop: tidies at each interval, and sweeps now and then.
    pub async fn work(self, stop: CancellationToken) {
        // The first sweep comes a moment after the start, when the server has better things to do no more; it finds what a
        // crash before the start has left.
        let mut swept: Option<tokio::time::Instant> = None;
        loop {
            let pause = self.options.interval.max(Duration::from_millis(10));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            // Every step is idempotent: the next round goes on where this one was broken off.
            let Some(tidied) = stop.run_until_cancelled(self.tidy()).await else { return };
            log("tidy", tidied);
            if swept.is_none_or(|then| then.elapsed() >= self.options.sweep_interval) {
                swept = Some(tokio::time::Instant::now());
                let Some(done) = stop.run_until_cancelled(self.sweep()).await else { return };
                log("sweep", done);
            }
        }
    }

    /// Lets temporary files expire, deletes the blobs of removed files, and forgets files removed long ago.
    pub async fn tidy(&self) -> Result<Report, JanitorError> {
        let now = self.clock.now();
        let mut report = Report::default();
        loop {
            let expired = self.records.expire_files(now.minus(self.options.temporary_ttl), now, BATCH).await?;
            report.expired += expired.len() as u64;
            if expired.len() < BATCH as usize {
                break;
            }
        }
        report.uploads = self.expire_uploads(now).await?;
        report.blobs = self.delete_garbage().await?;
        report.traces = self.purge_traces(now).await?;
        loop {
            let purged = self.records.purge_removed(now.minus(self.options.removed_ttl), BATCH).await?;
            report.records += purged;
            if purged < u64::from(BATCH) {
                break;
            }
        }
        report.count();
        Ok(report)
    }

    /// Gives up multipart uploads whose time is over. The records let go of them first, so that nobody can complete one
    /// whose bytes are going.
    async fn expire_uploads(&self, now: Timestamp) -> Result<u64, JanitorError> {
        let mut count = 0;
        loop {
            let due = self.records.expired_uploads(now, BATCH).await?;
            let (full, before) = (due.len() == BATCH as usize, count);
            for upload in due {
                if !self.records.discard_upload(upload.id, now).await? {
                    continue;
                }
                count += 1;
                let parts = Parts { key: upload.blob, upload: upload.blob_upload };
                // Its blob is garbage by now, and what S3 keeps of it is found by the sweep: nothing is lost by a failure.
                if let Err(failure) = self.blobs.abort_parts(&parts).await {
                    warn!(blob = %parts.key, error = %failure, "an expired upload could not be deleted; it is tried again");
                }
            }
            if !full || count == before {
                return Ok(count);
            }
        }
    }

    /// Deletes what is kept only so that late questions get a good answer.
    async fn purge_traces(&self, now: Timestamp) -> Result<u64, JanitorError> {
        let mut count = 0;
        loop {
            let purged = self.records.purge_uploads(now, BATCH).await?
                + self.records.purge_tokens(now, BATCH).await?
                + self.records.purge_url_tasks(now.minus(TASK_TTL), BATCH).await?;
            count += purged;
            if purged < u64::from(BATCH) {
                return Ok(count);
            }
        }
    }

    /// Deletes the blobs that records have let go of. A blob that cannot be deleted waits for the next round.
    async fn delete_garbage(&self) -> Result<u64, JanitorError> {
        let mut deleted = 0;
        loop {
            let blobs = self.records.garbage(BATCH).await?;
            let full = blobs.len() == BATCH as usize;
            let mut done = Vec::with_capacity(blobs.len());
            for blob in blobs {
                match self.blobs.delete(&blob).await {
                    Ok(()) => done.push(blob),
                    Err(failure) => warn!(%blob, error = %failure, "a blob could not be deleted; it is tried again"),
                }
            }
            self.records.forget_garbage(&done).await?;
            deleted += done.len() as u64;
            if !full || done.is_empty() {
                return Ok(deleted);
            }
        }
    }

    /// Searches the blob store for what no record knows, and removes it.
    pub async fn sweep(&self) -> Result<Report, JanitorError> {
        let mut report = Report::default();
        self.search(false, &mut |deletion| match deletion {
            Deletion::PackParts { freed, .. } => report.orphans += freed.items,
            Deletion::Drafts(freed) => report.drafts += freed.items,
            _ => report.orphans += 1,
        })
        .await?;
        report.count();
        Ok(report)
    }

    /// Says what [`Janitor::tidy`] and [`Janitor::sweep`] would delete, and deletes nothing.
    pub async fn explain(&self, say: &mut (dyn FnMut(Deletion) + Send)) -> Result<(), JanitorError> {
        let now = self.clock.now();
        let ttl = self.options.temporary_ttl;
        // All of them at once: nothing is held but ids and times, and a dry run is a person's patience long.
        for expired in self.records.expired_files(now.minus(ttl), u32::MAX).await? {
            say(Deletion::Expired { file: expired.id, uploaded_at: expired.uploaded_at, size: expired.size, ttl });
        }
        for upload in self.records.expired_uploads(now, u32::MAX).await? {
            say(Deletion::Upload { file: upload.id, started_at: upload.started_at });
        }
        for blob in self.records.garbage(u32::MAX).await? {
            say(Deletion::Garbage(blob));
        }
        let ttl = self.options.removed_ttl;
        let count = self.records.purgeable(now.minus(ttl)).await?;
        if count > 0 {
            say(Deletion::Records { count, ttl });
        }
        self.search(true, say).await
    }

    /// Compares the blob store with the records. Only blobs older than the grace time are looked at, and the records are
    /// asked after the store: a blob that is being recorded is either young or known.
    async fn search(&self, dry_run: bool, found: &mut (dyn FnMut(Deletion) + Send)) -> Result<(), JanitorError> {
        let grace = self.options.grace;
        let drafts = self.blobs.sweep_drafts(grace, dry_run).await?;
        if drafts.items > 0 {
            found(Deletion::Drafts(drafts));
        }
        let unfinished = self.blobs.unfinished_parts(grace).await?;
        let keys: Vec<BlobKey> = unfinished.iter().map(|parts| parts.key.clone()).collect();
        let known = self.records.known_blobs(&keys).await?;
        for parts in unfinished.into_iter().filter(|parts| !known.contains(&parts.key)) {
            if !dry_run {
                self.blobs.abort_parts(&parts).await?;
            }
            found(Deletion::Drafts(Freed { items: 1, bytes: 0 }));
        }
        let mut cursor = None;
        loop {
            let page = self.blobs.inventory(cursor.as_ref(), grace).await?;
            let mut loose = Vec::new();
            for item in page.items {
                match item {
                    Stored::Blob { key, size } => loose.push((key, size)),
                    Stored::Pack { id, .. } => {
                        let live = self.records.blobs_with_prefix(&id.prefix()).await?;
                        let freed = self.blobs.reclaim(id, &live, grace, dry_run).await?;
                        if freed.items > 0 {
                            found(Deletion::PackParts { pack: id.to_string(), freed });
                        }
                    }
                }
            }
            let keys: Vec<BlobKey> = loose.iter().map(|(key, _)| key.clone()).collect();
            let known = self.records.known_blobs(&keys).await?;
            for (blob, size) in loose.into_iter().filter(|(key, _)| !known.contains(key)) {
                if !dry_run {
                    self.blobs.delete(&blob).await?;
                }
                found(Deletion::Orphan { blob, size });
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }
}

fn log(step: &str, outcome: Result<Report, JanitorError>) {
    match outcome {
        Ok(report) if report == Report::default() => {}
        Ok(report) => info!(step, "janitor: {report}"),
        Err(failure) => {
            error!(step, error = %failure, "the janitor could not finish; it goes on in the next round");
        }
    }
}
