//! One claimed copy from beginning to end, for the door whose client waits for it and for the carrier alike: storage and file are looked
//! up, what operations make is rendered, the bytes are brought there, and the lease is renewed for as long as that takes.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use stowage_delivery::bake::BakeError;
use stowage_delivery::{Body, Delivery, Variant};
use stowage_model::storage::Keyed;
use stowage_model::{Clock, DeliveryRefusal, File, Ids, Storage, StorageSettings, Timestamp};
use stowage_store::blobs::Blobs;
use stowage_store::records::{ClaimedCopy, CopyEnd, CopyUpload, Records, RecordsError};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::target::forget;
use crate::{CopyError, DATA_CORRUPTED, Ledger, Options, Order, Outcome, Source, Target, Targets};

/// The code of copies whose pattern makes no key of their file.
pub const KEY_INVALID: &str = "KeyInvalid";

/// When an upload that could not be aborted is aborted again, where the schedule has no pauses.
const ABORT_AGAIN: Duration = Duration::from_secs(3600);

/// What is wrong with a copy whose object is there, but whose upload could not be aborted.
const UPLOAD_STAYS: &str = "the object is there, but an unfinished upload could not be aborted";

/// How old a copy may be whose upload is aborted again although the storage has refused that for good.
const ABORT_WITHIN: Duration = Duration::from_hours(30 * 24);

/// What copies need of the rest of the house.
#[derive(Clone)]
pub struct CopyTools {
    /// The records.
    pub records: Records,
    /// The bytes of originals.
    pub blobs: Blobs,
    /// What operations make of pictures.
    pub delivery: Delivery,
    /// Now.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
}

/// Makes copies at custom storages. Cheap to clone; all clones share what is known of the storages.
#[derive(Clone)]
pub struct Copies {
    tools: CopyTools,
    options: Arc<Options>,
    targets: Targets,
}

/// How a copy ended well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ran {
    /// The object is there now.
    Copied,
    /// An object with this key was there before; nothing was written.
    Existed,
    /// There is nothing to copy any more: the file was removed. Or the copy had been given up, and its upload is
    /// aborted now.
    Dropped,
}

/// The multipart upload of a copy, as the records know it.
struct Noted<'r> {
    records: &'r Records,
    claim: &'r ClaimedCopy,
    upload: Mutex<Option<CopyUpload>>,
}

impl Noted<'_> {
    fn set(&self, upload: Option<CopyUpload>) {
        *self.upload.lock().unwrap_or_else(PoisonError::into_inner) = upload;
    }
}

impl Ledger for Noted<'_> {
    async fn note(&self, upload: Option<&CopyUpload>) -> Result<bool, CopyError> {
        let ours = self.records.note_copy_upload(self.claim.id, self.claim.lease, upload).await?;
        if ours {
            self.set(upload.cloned());
        }
        Ok(ours)
    }
}

impl Copies {
    /// Copies as the options say.
    pub fn new(tools: CopyTools, options: Options) -> Self {
        let targets = Targets::new(options.clone());
        Self { tools, options: Arc::new(options), targets }
    }

    /// What they were given of the rest of the house.
    pub fn tools(&self) -> &CopyTools {
        &self.tools
    }

    /// `[copy]` of the configuration.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Forgets what was learned of the storages and their servers.
    pub fn wipe(&self) {
        let Self { tools: _, options: _, targets } = self;
        targets.wipe();
    }

    /// Makes a copy that was claimed. Afterwards `claim.upload` is what has been begun at the storage and not ended. The records do not
    /// hear how it ended: that is for the caller, see [`end_of`](Self::end_of) and [`give_up`](Self::give_up).
    pub async fn run(&self, claim: &mut ClaimedCopy) -> Result<Ran, CopyError> {
        // With a turn at once there is always an outcome.
        self.run_in_turn(claim, ready(Some(()))).await.unwrap_or(Err(CopyError::Lost))
    }

    /// Like [`run`](Self::run) as soon as it is this copy's turn, and for as long as what `turn` answers lives; the lease is renewed from
    /// now on. None, and nothing was done, where the turn never comes.
    pub async fn run_in_turn<T>(
        &self,
        claim: &mut ClaimedCopy,
        turn: impl Future<Output = Option<T>>,
    ) -> Option<Result<Ran, CopyError>> {
        let noted = Noted { records: &self.tools.records, claim, upload: Mutex::new(claim.upload.clone()) };
        let work = async {
            let _turn = turn.await?;
            Some(Box::pin(self.copy(claim, &noted)).await)
        };
        let ran = tokio::select! {
            ran = work => ran,
            () = self.keep(claim) => Some(Err(CopyError::Lost)),
        };
        let upload = noted.upload.into_inner().unwrap_or_else(PoisonError::into_inner);
        claim.upload = upload;
        if let Some(ran) = &ran {
            metrics::counter!("stowage_copies_total", "outcome" => self.outcome(claim, ran)).increment(1);
        }
        ran
    }

    /// How an attempt is counted.
    fn outcome(&self, claim: &ClaimedCopy, ran: &Result<Ran, CopyError>) -> &'static str {
        match ran {
            Ok(Ran::Copied) => "copied",
            Ok(Ran::Existed) => "existed",
            Ok(Ran::Dropped) => "dropped",
            Err(CopyError::Lost) => "lost",
            Err(_) if matches!(self.end_of(claim, ran), CopyEnd::Failed { .. }) => "failed",
            Err(_) => "retried",
        }
    }

    /// What comes after an attempt: done, once more after a pause, or failed for good.
    pub fn end_of(&self, claim: &ClaimedCopy, ran: &Result<Ran, CopyError>) -> CopyEnd {
        end_of(&self.options, claim, ran, self.tools.clock.now())
    }

    /// What comes after an attempt that has failed for a reason that may pass: the next one after the pause of the schedule, or none
    /// where that would be too late.
    pub fn once_more(&self, claim: &ClaimedCopy, error: String) -> CopyEnd {
        once_more(&self.options, claim, error, self.tools.clock.now())
    }

    /// Ends a copy that nobody wants any more, because its failure was told: what it has begun at the storage is aborted. Where that is
    /// not possible, the copy stays as a failed one, and the carrier aborts it later.
    pub async fn give_up(&self, claim: &ClaimedCopy) -> Result<(), RecordsError> {
        let end = match self.abort(claim).await {
            Ok(()) => CopyEnd::Done,
            Err(failure) => CopyEnd::Failed { error: failure.to_string() },
        };
        self.tools.records.end_copies(&[(claim.id, claim.lease, end)], self.tools.clock.now()).await
    }

    async fn copy(&self, claim: &ClaimedCopy, noted: &Noted<'_>) -> Result<Ran, CopyError> {
        let records = &self.tools.records;
        let storage = self.storage(claim).await?;
        let target = self.targets.get(&storage);
        let file = records.hot_file(claim.task.file).await?;
        let Some(file) = file.filter(|file| file.removed_at.is_none() && !claim.given_up) else {
            self.clear(&target, claim.upload.as_ref(), noted, claim.given_up).await?;
            return Ok(Ran::Dropped);
        };
        let (operations, made, make_public);
        let key = if let Some(request) = &claim.task.request {
            (operations, make_public) = (request.operations.as_str(), request.make_public);
            request.key.as_str()
        } else {
            (operations, make_public) = ("", storage.settings.make_public);
            made = key_of(&storage.settings, &file)?;
            made.as_str()
        };
        let _picture = if operations.is_empty() { None } else { target.picture().await };
        let variant = self.bake(&file, operations).await?;
        let (source, media_type) = if let Some(variant) = &variant {
            (Source::Bytes(gather(variant).await?), variant.media_type)
        } else {
            let key = file.blob.clone().ok_or(CopyError::Gone)?;
            (Source::Blob { key, size: file.size }, file.mime_type.as_str())
        };
        // What was begun under another key, as the storage had another pattern then, is of no use; nor are parts of a picture, which
        // another version may make otherwise.
        let goes_on = |upload: &&CopyUpload| upload.key == key && matches!(source, Source::Blob { .. });
        let resume = claim.upload.as_ref().filter(goes_on);
        if resume.is_none() {
            self.clear(&target, claim.upload.as_ref(), noted, false).await?;
        }
        let order = Order { source, key, media_type, make_public, resume };
        match Box::pin(target.copy(&self.tools.blobs, order, noted)).await? {
            Outcome::Copied => Ok(Ran::Copied),
            Outcome::Existed => Ok(Ran::Existed),
        }
    }

    /// The storage of a copy. One that is gone has taken its copies along; else it is too new for what is remembered here, or a later
    /// version wrote it: neither is a reason to forget the copy.
    async fn storage(&self, claim: &ClaimedCopy) -> Result<Arc<Storage>, CopyError> {
        let found = self.tools.records.storage(claim.task.storage).await?;
        if found.is_none() {
            self.targets.forget(claim.task.storage);
        }
        found.ok_or_else(|| CopyError::ours("the settings of the storage cannot be read"))
    }

    async fn bake(&self, file: &Arc<File>, operations: &str) -> Result<Option<Variant>, CopyError> {
        if operations.is_empty() {
            return Ok(None);
        }
        let Some(project) = self.tools.records.project(file.project).await? else { return Err(CopyError::Gone) };
        let baked = self.tools.delivery.bake(&self.tools.records, &project.settings, file, operations);
        Box::pin(baked).await.map_err(|failure| match failure {
            BakeError::Refused(refusal) => CopyError::Refused(refusal),
            BakeError::Records(failure) => failure.into(),
        })
    }

    /// Aborts what was begun, and forgets it. Where nothing else is left to do, a refusal is not taken for the last word until the
    /// copy is old: its owner can change a policy or a key.
    async fn clear(
        &self,
        target: &Target,
        upload: Option<&CopyUpload>,
        noted: &Noted<'_>,
        last: bool,
    ) -> Result<(), CopyError> {
        let Some(upload) = upload else { return Ok(()) };
        if last && target.has(upload) && self.tools.clock.now() < noted.claim.created_at.plus(ABORT_WITHIN) {
            target.abort(upload).await?;
            return forget(noted).await;
        }
        target.clear(upload, noted).await
    }

    async fn abort(&self, claim: &ClaimedCopy) -> Result<(), CopyError> {
        let Some(upload) = &claim.upload else { return Ok(()) };
        let storage = self.storage(claim).await?;
        let target = self.targets.get(&storage);
        let noted = Noted { records: &self.tools.records, claim, upload: Mutex::default() };
        self.clear(&target, Some(upload), &noted, true).await
    }

    /// Renews the lease again and again; ends when it is lost, or when nobody could be asked for so long that it may be.
    async fn keep(&self, claim: &ClaimedCopy) {
        let lease = self.options.lease;
        let mut ends = Instant::now() + lease;
        loop {
            sleep(lease / 3).await;
            let (asked, until) = (Instant::now(), self.tools.clock.now().plus(lease));
            let held = [(claim.id, claim.lease)];
            match timeout_at(ends, self.tools.records.renew_copies(&held, until)).await {
                Ok(Ok(ours)) if ours.is_empty() => return,
                Ok(Ok(_)) => ends = asked + lease,
                Ok(Err(failure)) => warn!(error = %failure, "the lease of a copy could not be renewed; trying again"),
                Err(_) => return,
            }
        }
    }
}

impl From<RecordsError> for CopyError {
    fn from(failure: RecordsError) -> Self {
        Self::ours(format!("the records cannot be asked: {failure}"))
    }
}

fn key_of(settings: &StorageSettings, file: &File) -> Result<String, CopyError> {
    let of = Keyed { id: file.id, name: &file.name, operations: "" };
    let permanent = |message: String| CopyError::Permanent { code: KEY_INVALID.to_owned(), message };
    settings.pattern.key(&settings.prefix, of).map_err(|failure| permanent(failure.to_string()))
}

/// The bytes of a picture, which the limits of rendering keep small.
async fn gather(variant: &Variant) -> Result<Bytes, CopyError> {
    match variant.whole() {
        Body::Memory(bytes) => Ok(bytes),
        Body::Stream(mut stream) => {
            let mut bytes = Vec::with_capacity(usize::try_from(variant.len).unwrap_or_default());
            while let Some(piece) = stream.next().await {
                let piece =
                    piece.map_err(|failure| CopyError::ours(format!("reading the picture failed: {failure}")))?;
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes.into())
        }
    }
}

/// Whether there is no point in trying again. What a storage refuses is tried again: its owner can change a policy or a key.
fn is_final(failure: &CopyError) -> bool {
    match failure {
        CopyError::Permanent { code, .. } => [KEY_INVALID, DATA_CORRUPTED].contains(&code.as_str()),
        CopyError::Refused(refusal) => !matches!(refusal, DeliveryRefusal::Busy { .. } | DeliveryRefusal::Failed),
        _ => false,
    }
}

fn end_of(options: &Options, claim: &ClaimedCopy, ran: &Result<Ran, CopyError>, now: Timestamp) -> CopyEnd {
    match ran {
        // Whoever comes next aborts it, and finds the object.
        Ok(_) if claim.upload.is_some() => once_more(options, claim, UPLOAD_STAYS.to_owned(), now),
        Ok(_) => CopyEnd::Done,
        Err(failure) if is_final(failure) => CopyEnd::Failed { error: failure.to_string() },
        Err(failure) => once_more(options, claim, failure.to_string(), now),
    }
}

fn once_more(options: &Options, claim: &ClaimedCopy, error: String, now: Timestamp) -> CopyEnd {
    match next_attempt(options, claim, now) {
        Some(due_at) => CopyEnd::Retry { due_at, error },
        None => CopyEnd::Failed { error },
    }
}

/// When a copy that has just failed is tried again.
fn next_attempt(options: &Options, claim: &ClaimedCopy, now: Timestamp) -> Option<Timestamp> {
    let place = usize::try_from(claim.attempt).unwrap_or(usize::MAX).saturating_sub(1);
    let pause = options.schedule.get(place).or(options.schedule.last()).copied();
    if claim.given_up {
        // What was begun is aborted, however long that takes.
        return Some(now.plus(pause.unwrap_or(ABORT_AGAIN)));
    }
    let due_at = now.plus(pause?);
    (due_at <= claim.created_at.plus(options.give_up_after)).then_some(due_at)
}

#[cfg(test)]
mod tests {
    use stowage_model::{FileId, StorageId};
    use stowage_store::records::{CopyId, CopyTask};
    use uuid::Uuid;

    use super::*;

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    fn some() -> (Options, ClaimedCopy) {
        let options = Options {
            concurrency: 1,
            parts: 1,
            schedule: vec![minutes(1), minutes(5)],
            give_up_after: minutes(60),
            sync_timeout: minutes(1),
            lease: minutes(1),
            timeout: minutes(1),
            allow_large: true,
        };
        let task = CopyTask { file: FileId(Uuid::nil()), storage: StorageId(1), request: None };
        let (id, lease, created_at) = (CopyId(1), Uuid::nil(), Timestamp(0));
        (options, ClaimedCopy { id, task, upload: None, attempt: 1, lease, created_at, given_up: false })
    }

    #[test]
    fn a_copy_with_an_upload_is_not_over() {
        let (options, mut claim) = some();
        assert_eq!(end_of(&options, &claim, &Ok(Ran::Existed), Timestamp(0)), CopyEnd::Done);
        let (key, upload_id) = ("key".to_owned(), "x".to_owned());
        claim.upload =
            Some(CopyUpload { key, upload_id, part_size: 1, bucket: String::new(), endpoint: String::new() });
        let end = end_of(&options, &claim, &Ok(Ran::Existed), Timestamp(0));
        assert!(matches!(end, CopyEnd::Retry { due_at, .. } if due_at == Timestamp(0).plus(minutes(1))), "{end:?}");
    }

    #[test]
    fn pauses_grow_until_it_is_too_late() {
        let (mut options, mut claim) = some();
        let created_at = claim.created_at;
        let now = |count| created_at.plus(minutes(count));
        let mut next = |options: &Options, attempt, minute, given_up| {
            (claim.attempt, claim.given_up) = (attempt, given_up);
            next_attempt(options, &claim, now(minute))
        };
        assert_eq!(next(&options, 1, 0, false), Some(now(1)));
        assert_eq!(next(&options, 2, 1, false), Some(now(6)));
        assert_eq!(next(&options, 9, 55, false), Some(now(60)), "the last pause is repeated");
        assert_eq!(next(&options, 10, 56, false), None);
        assert_eq!(next(&options, 99, 5000, true), Some(now(5005)), "uploads are aborted however long it takes");
        options.schedule.clear();
        assert_eq!(next(&options, 1, 0, false), None, "without a schedule there is one attempt");
        assert_eq!(next(&options, 1, 0, true), Some(now(60)));
    }

    #[test]
    fn some_failures_are_final() {
        let permanent = |code: &str| CopyError::Permanent { code: code.to_owned(), message: String::new() };
        for failure in
            [permanent(KEY_INVALID), permanent(DATA_CORRUPTED), CopyError::Refused(DeliveryRefusal::NotAnImage)]
        {
            assert!(is_final(&failure), "{failure:?}");
        }
        let busy = CopyError::Refused(DeliveryRefusal::Busy { retry_after: 1 });
        let (theirs, ours) = (CopyError::passing("x"), CopyError::ours("x"));
        for failure in [permanent("NoSuchBucket"), busy, theirs, ours, CopyError::Gone, CopyError::Lost] {
            assert!(!is_final(&failure), "{failure:?}");
        }
    }
}
