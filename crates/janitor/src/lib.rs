//! What nobody asks for and must happen all the same: temporary files expire, blobs of removed files are deleted, and
//! what crashes left behind is found. Every step is idempotent and may be taken by several nodes at once; what is
//! deleted first disappears from the records, so that a crash leaves a blob too many, never a record without its blob.

mod report;

use std::time::Duration;

use serde::Deserialize;
use stowage_model::units::duration;
use stowage_model::{BlobKey, Cause, Clock, FileId, Initiator, PublicUrls, Timestamp};
use stowage_store::blobs::{BlobError, Blobs, Freed, Parts, Stored};
use stowage_store::records::{Records, RecordsError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use report::{Deletion, Report};

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
    /// How long the bytes of a file that somebody removed are kept, so that storing brings it back.
    #[serde(deserialize_with = "duration")]
    pub recovery_ttl: Duration,
    /// How long the record of a removed file is kept.
    #[serde(deserialize_with = "duration")]
    pub removed_ttl: Duration,
    /// How long the log of deliveries to webhooks is kept.
    #[serde(deserialize_with = "duration")]
    pub delivery_log_ttl: Duration,
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

/// Files that were uploaded at one moment have times some microseconds apart, so that lists can page by them; they expire together.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The janitor.
#[derive(Clone)]
pub struct Janitor {
    records: Records,
    blobs: Blobs,
    clock: Clock,
    options: Options,
    /// For how long a temporary file is kept for a copy of it that is wanted.
    copies_keep: Duration,
    /// What webhooks are told of who has done it.
    cause: Cause,
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

impl Janitor {
    /// A janitor for these stores. A copy to a custom storage keeps its temporary file for the time of `copies_keep`, made or not:
    /// that is how long it is tried.
    pub fn new(
        records: Records,
        blobs: Blobs,
        clock: Clock,
        urls: PublicUrls,
        options: Options,
        copies_keep: Duration,
    ) -> Self {
        let cause = Cause { initiator: Initiator::System, urls };
        Self { records, blobs, clock, options, copies_keep, cause }
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

    /// Lets temporary files expire, deletes the blobs of removed files that can be brought back no more, and forgets files
    /// removed long ago.
    pub async fn tidy(&self) -> Result<Report, JanitorError> {
        self.tidy_with(&mut |_| {}).await
    }

    /// Like [`tidy`](Self::tidy), and tells which files expire.
    pub async fn tidy_with(&self, tell: &mut (dyn FnMut(&[FileId]) + Send)) -> Result<Report, JanitorError> {
        let now = self.clock.now();
        let mut report = Report::default();
        loop {
            let (cutoff, copies_since) = (self.expires_before(now), now.minus(self.copies_keep));
            let expired = self.records.expire_files(cutoff, copies_since, now, BATCH, &self.cause).await?;
            report.expired += expired.len() as u64;
            tell(&expired);
            if expired.len() < BATCH as usize {
                break;
            }
        }
        loop {
            let cutoff = now.minus(self.options.recovery_ttl);
            let lost = self.records.let_go(cutoff, now, BATCH).await?.len();
            report.lost += lost as u64;
            if lost < BATCH as usize {
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

    /// When a temporary file was uploaded that expires now, at the latest.
    fn expires_before(&self, now: Timestamp) -> Timestamp {
        now.minus(self.options.temporary_ttl).plus(AT_ONCE)
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
                + self.records.purge_url_tasks(now.minus(TASK_TTL), BATCH).await?
                + self.records.purge_deliveries(now.minus(self.options.delivery_log_ttl), BATCH).await?;
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
            // Files that were laid down together may have one blob: it goes with the last of them.
            let known = self.records.known_blobs(&blobs).await?;
            let (mut done, mut count) = (Vec::with_capacity(blobs.len()), 0);
            for blob in blobs {
                if known.contains(&blob) {
                    done.push(blob);
                    continue;
                }
                match self.blobs.delete(&blob).await {
                    Ok(()) => {
                        done.push(blob);
                        count += 1;
                    }
                    Err(failure) => warn!(%blob, error = %failure, "a blob could not be deleted; it is tried again"),
                }
            }
            self.records.forget_garbage(&done).await?;
            deleted += count;
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
        for expired in
            self.records.expired_files(self.expires_before(now), now.minus(self.copies_keep), u32::MAX).await?
        {
            say(Deletion::Expired { file: expired.id, uploaded_at: expired.uploaded_at, size: expired.size, ttl });
        }
        let ttl = self.options.recovery_ttl;
        for lost in self.records.removable(now.minus(ttl), u32::MAX).await? {
            say(Deletion::Lost { file: lost.id, removed_at: lost.removed_at, size: lost.size, ttl });
        }
        for upload in self.records.expired_uploads(now, u32::MAX).await? {
            say(Deletion::Upload { file: upload.id, started_at: upload.started_at });
        }
        for blobs in self.records.garbage(u32::MAX).await?.chunks(BATCH as usize) {
            let known = self.records.known_blobs(blobs).await?;
            blobs.iter().filter(|blob| !known.contains(*blob)).for_each(|blob| say(Deletion::Garbage(blob.clone())));
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
