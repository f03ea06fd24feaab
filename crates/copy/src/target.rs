//! One storage: how it is reached, what was learned of its server, and the order of events in a copy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use stowage_model::{BlobKey, StorageSettings};
use stowage_store::blobs::Blobs;
use stowage_store::records::CopyUpload;
use stowage_store::turns::Turns;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::ask::Learned;
use crate::content::Content;
use crate::error::{CopyError, DATA_CORRUPTED, ELSEWHERE, Refused};
use crate::link::Link;
use crate::parts::Parts;
use crate::put::blind;
use crate::remote;
use crate::targets::Shared;

/// A storage that is reached when it is first needed, and what was learned of its server.
pub struct Target {
    settings: StorageSettings,
    shared: Arc<Shared>,
    link: Mutex<State>,
    pub(crate) learned: Learned,
    /// Who copies to a key, by the hash of it: those whose hashes happen to be equal wait for each other.
    turns: Arc<Turns<u64>>,
    /// The copies that may be under way.
    seats: Semaphore,
    /// The large pieces that may be under way: a quarter of all, so that a slow storage leaves some to others. Four slow ones
    /// together can still hold all of them for as long as their pieces may take.
    pub(crate) parts: Semaphore,
    /// The copies of rendered pictures that may be under way: those are in memory as a whole.
    pictures: Semaphore,
}

/// How reaching the storage went.
enum State {
    New,
    Reached(Arc<Link>),
    Failed(Instant, CopyError),
}

/// Where the bytes of a copy come from.
#[derive(Clone)]
pub enum Source {
    /// A blob.
    Blob {
        /// Its key.
        key: BlobKey,
        /// Its length in bytes.
        size: u64,
    },
    /// Something that is in memory, such as a rendered picture.
    Bytes(Bytes),
}

impl Source {
    /// The length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Blob { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// An object that is to be made.
#[derive(Clone)]
pub struct Order<'o> {
    /// Its bytes.
    pub source: Source,
    /// Its key.
    pub key: &'o str,
    /// Its content type.
    pub media_type: &'o str,
    /// Whether everybody may read it.
    pub make_public: bool,
    /// What an earlier attempt has begun.
    pub resume: Option<&'o CopyUpload>,
}

/// What became of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The object was made.
    Copied,
    /// There was an object of this key before; nothing was written.
    Existed,
}

/// Where it is written down which multipart upload is under way: before its first part, and when there is none any more.
pub trait Ledger: Sync {
    /// Writes it down; false where the copy is not ours any more.
    fn note(&self, upload: Option<&CopyUpload>) -> impl Future<Output = Result<bool, CopyError>> + Send;
}

/// A copy under way.
pub(crate) struct Copying<'c> {
    pub(crate) target: &'c Target,
    pub(crate) link: &'c Link,
    pub(crate) blobs: &'c Blobs,
    pub(crate) order: &'c Order<'c>,
}

impl Target {
    pub(crate) fn new(settings: StorageSettings, shared: Arc<Shared>) -> Self {
        let options = &shared.options;
        let seats = Semaphore::new(options.concurrency.max(1));
        let parts = Semaphore::new((options.parts / 4).max(1));
        let pictures = Semaphore::new((options.concurrency / 4).max(1));
        let learned = Learned::new(&settings);
        Self { settings, shared, link: Mutex::new(State::New), learned, turns: Arc::default(), seats, parts, pictures }
    }

    /// What is configured for the storage.
    pub fn settings(&self) -> &StorageSettings {
        &self.settings
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Makes the object that is ordered, unless there is one of its key: that is never overwritten. Large ones are made in
    /// parts, of which `ledger` knows; after [`CopyError::Passing`] another attempt goes on with them.
    pub async fn copy(&self, blobs: &Blobs, order: Order<'_>, ledger: &impl Ledger) -> Result<Outcome, CopyError> {
        let link = self.link().await?;
        let mut hasher = DefaultHasher::new();
        order.key.hash(&mut hasher);
        let _turn = Turns::take(&self.turns, hasher.finish()).await;
        let _seat = self.seats.acquire().await;
        let copying = Copying { target: self, link: &link, blobs, order: &order };
        Box::pin(copying.run(ledger)).await
    }

    /// Waits until a picture may be rendered for a copy; held until that is over.
    pub(crate) async fn picture(&self) -> Option<SemaphorePermit<'_>> {
        self.pictures.acquire().await.ok()
    }

    /// Aborts an upload that nobody will go on with; one that is gone counts as aborted.
    pub async fn abort(&self, upload: &CopyUpload) -> Result<(), CopyError> {
        if !self.has(upload) {
            let CopyUpload { bucket, endpoint, .. } = upload;
            let message = format!("it is in the bucket `{bucket}` of `{endpoint}`, which the storage no longer uses");
            return Err(CopyError::Permanent { code: ELSEWHERE.to_owned(), message });
        }
        let link = self.link().await?;
        Ok(self.abort_by(&link, upload).await?)
    }

    /// Aborts an upload as far as the storage lets us: what it refuses for good is its owner's to clean up, who hears of it in the
    /// log. Fails where another attempt may succeed.
    pub(crate) async fn try_abort(&self, upload: &CopyUpload) -> Result<(), CopyError> {
        match self.abort(upload).await {
            Err(CopyError::Permanent { message, .. }) => {
                let bucket = if upload.bucket.is_empty() { self.settings.bucket.as_str() } else { &upload.bucket };
                let CopyUpload { key, upload_id, .. } = upload;
                warn!(
                    bucket,
                    key,
                    upload_id,
                    error = message,
                    "an unfinished upload may stay there; abort it yourself"
                );
                Ok(())
            }
            ended => ended,
        }
    }

    /// The same, and forgets the upload then.
    pub(crate) async fn clear(&self, upload: &CopyUpload, ledger: &impl Ledger) -> Result<(), CopyError> {
        self.try_abort(upload).await?;
        forget(ledger).await
    }

    /// Whether an upload is where the settings say that objects are made; so it is where nobody noted that.
    pub(crate) fn has(&self, upload: &CopyUpload) -> bool {
        let StorageSettings { bucket, endpoint_url, .. } = &self.settings;
        upload.bucket.is_empty() || (upload.bucket == bucket.as_str() && upload.endpoint == *endpoint_url)
    }

    async fn abort_by(&self, link: &Link, upload: &CopyUpload) -> Result<(), Refused> {
        let bucket = self.settings.bucket.as_str();
        let abort = link.client.abort_multipart_upload().bucket(bucket).key(&upload.key).upload_id(&upload.upload_id);
        let Err(error) = abort.send().await else { return Ok(()) };
        let refused = Refused::of("aborting an upload", &error);
        if refused.is_missing() {
            return Ok(());
        }
        if refused.is_passing() {
            return Err(refused);
        }
        // Some servers have other words for an upload that is gone.
        let list = link.client.list_parts().bucket(bucket).key(&upload.key).upload_id(&upload.upload_id).send().await;
        match list {
            Ok(list) if list.parts().is_empty() => Ok(()),
            Err(error) if Refused::of("listing parts", &error).is_missing() => Ok(()),
            _ => Err(refused),
        }
    }

    /// The way to the bucket. Those who wait while somebody looks for it in vain share the failure, instead of looking one
    /// after the other.
    async fn link(&self) -> Result<Arc<Link>, CopyError> {
        let asked = Instant::now();
        let mut state = self.link.lock().await;
        match &*state {
            State::Reached(link) => return Ok(Arc::clone(link)),
            State::Failed(when, error) if *when >= asked => return Err(error.clone()),
            State::New | State::Failed(..) => {}
        }
        match Link::open(&self.settings, &self.shared.http).await {
            Ok((link, _)) => {
                let link = Arc::new(link);
                *state = State::Reached(Arc::clone(&link));
                Ok(link)
            }
            Err(refused) => {
                let error = CopyError::from(refused);
                *state = State::Failed(Instant::now(), error.clone());
                Err(error)
            }
        }
    }
}

impl Copying<'_> {
    async fn run(&self, ledger: &impl Ledger) -> Result<Outcome, CopyError> {
        if self.order.resume.is_none() && self.may_be_sent_at_once() {
            let content = Content::open(self.blobs, &self.order.source).await?;
            return self.put(&content, false).await;
        }
        let absent = match self.look().await? {
            Look::There => {
                if let Some(upload) = self.order.resume {
                    self.clear_or_say(upload, ledger).await;
                }
                return Ok(Outcome::Existed);
            }
            Look::Absent => true,
            Look::Hidden => false,
        };
        let refusal = match self.remote_source() {
            Some(source) => match self.copy_remotely(&source, absent, ledger).await {
                // What is damaged is there, and sending it another way would not change that.
                Err(CopyError::Permanent { code, message }) if code != DATA_CORRUPTED => {
                    Some(CopyError::Permanent { code, message })
                }
                ended => return ended,
            },
            None => None,
        };
        let content = Content::open(self.blobs, &self.order.source).await?;
        let ended = if self.order.resume.is_none() && content.size() <= content.one_request() {
            self.put(&content, absent).await
        } else {
            // What was begun with parts that S3 copies has others than this.
            let resume = self.order.resume.filter(|_| refusal.is_none());
            self.make_in_parts(&Parts::Sent(&content), resume, ledger).await
        };
        if let (Some(CopyError::Permanent { code, message }), Ok(_)) = (&refusal, &ended) {
            debug!(reason = message, "the storage does not copy from our bucket; the bytes go through here");
            if remote::is_lasting(code) {
                self.target.learned.forget_remote();
            }
        }
        ended
    }

    /// Whether the first request may be the one that writes: it is small, and the server is known to refuse it where there is
    /// an object already.
    fn may_be_sent_at_once(&self) -> bool {
        self.target.learned.refuses_existing()
            && self.order.source.size() <= crate::content::SMALL
            && self.remote_source().is_none()
    }

    /// Looks for an object of the key.
    pub(crate) async fn look(&self) -> Result<Look, CopyError> {
        let head = self.link.client.head_object().bucket(self.bucket()).key(self.order.key).send().await;
        let Err(error) = head else { return Ok(Look::There) };
        let refused = Refused::of("looking for the object", &error);
        match refused.status {
            Some(404) => Ok(Look::Absent),
            // Without the right to list the bucket a missing key is denied; so is everything if the keys are wrong, but that
            // the next request says in better words.
            Some(403) if self.target.learned.overlooks_existing() => Err(blind()),
            Some(403) => Ok(Look::Hidden),
            _ => Err(refused.into()),
        }
    }

    /// The length of the object of the key; none where that is not told.
    pub(crate) async fn length(&self) -> Result<Option<u64>, CopyError> {
        match self.link.client.head_object().bucket(self.bucket()).key(self.order.key).send().await {
            Ok(head) => Ok(head.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(error) => {
                let refused = Refused::of("looking at the object", &error);
                if refused.status == Some(403) { Ok(None) } else { Err(refused.into()) }
            }
        }
    }

    /// Deletes an object that was just made and is not what it should be, so that nobody takes it for a copy.
    pub(crate) async fn reject(&self, why: &str) -> CopyError {
        let deleted = self.link.client.delete_object().bucket(self.bucket()).key(self.order.key).send().await;
        let message = format!("the storage does not keep what it is sent: {why}");
        match deleted {
            Ok(_) => CopyError::passing(message),
            // Another attempt would find it and be content.
            Err(error) => {
                let more = Refused::of("deleting it", &error);
                CopyError::Permanent { code: DATA_CORRUPTED.to_owned(), message: format!("{message}; {}", more.text()) }
            }
        }
    }

    /// Aborts an upload that has become useless, and forgets it. One that cannot be aborted now is still in the ledger: whoever
    /// looks there later aborts it.
    pub(crate) async fn clear_or_say(&self, upload: &CopyUpload, ledger: &impl Ledger) {
        if let Err(error) = self.target.clear(upload, ledger).await {
            warn!(%error, "an unfinished upload stays at the storage for now");
        }
    }

    pub(crate) fn bucket(&self) -> &str {
        self.target.settings.bucket.as_str()
    }
}

/// Notes that no upload is under way any more.
pub(crate) async fn forget(ledger: &impl Ledger) -> Result<(), CopyError> {
    if ledger.note(None).await? { Ok(()) } else { Err(CopyError::Lost) }
}

/// What looking for an object has shown.
pub(crate) enum Look {
    There,
    Absent,
    /// Nobody may look.
    Hidden,
}
