//! One storage: how it is reached, what was learned of its server, and the order of events in a copy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use stowage_model::{BlobKey, StorageSettings};
use stowage_store::blobs::Blobs;
use stowage_store::records::CopyUpload;
use stowage_store::turns::Turns;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::ask::Learned;
use crate::content::Content;
use crate::error::{CopyError, DATA_CORRUPTED, Refused};
use crate::link::Link;
use crate::parts::Parts;
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
    /// The large pieces that may be under way, so that a slow storage leaves some to others.
    pub(crate) parts: Semaphore,
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
        let parts = Semaphore::new(options.parts.div_ceil(2).max(1));
        let learned = Learned::new(&settings);
        Self { settings, shared, link: Mutex::new(State::New), learned, turns: Arc::default(), seats, parts }
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

    /// Forgets an upload that nobody will go on with; one that is gone counts as forgotten.
    pub async fn abort(&self, upload: &CopyUpload) -> Result<(), CopyError> {
        let link = self.link().await?;
        Ok(self.abort_by(&link, upload).await?)
    }

    pub(crate) async fn abort_by(&self, link: &Link, upload: &CopyUpload) -> Result<(), Refused> {
        let bucket = self.settings.bucket.as_str();
        let abort = link.client.abort_multipart_upload().bucket(bucket).key(&upload.key).upload_id(&upload.upload_id);
        let Err(error) = abort.send().await else { return Ok(()) };
        let refused = Refused::of("aborting an upload", &error);
        if refused.is_missing() {
            return Ok(());
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
                self.drop_upload(self.order.resume, ledger).await;
                return Ok(Outcome::Existed);
            }
            Look::Absent => true,
            Look::Hidden => false,
        };
        let refusal = match self.remote_source() {
            Some(source) => match self.copy_remotely(&source, absent, ledger).await {
                Err(refusal @ CopyError::Permanent { .. }) => Some(refusal),
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
            self.make_in_parts(&Parts::Sent(&content), resume, absent, ledger).await
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

    /// Aborts an upload and forgets it; one that stays is still in the ledger, for whoever looks there later.
    pub(crate) async fn drop_upload(&self, upload: Option<&CopyUpload>, ledger: &impl Ledger) {
        let Some(upload) = upload else { return };
        match self.target.abort_by(self.link, upload).await {
            Ok(()) => {
                if let Err(error) = ledger.note(None).await {
                    warn!(%error, "an aborted upload could not be forgotten");
                }
            }
            Err(refused) => warn!(error = refused.text(), "an unfinished upload stays at the storage for now"),
        }
    }

    pub(crate) fn bucket(&self) -> &str {
        self.target.settings.bucket.as_str()
    }
}

/// What looking for an object has shown.
pub(crate) enum Look {
    There,
    Absent,
    /// Nobody may look.
    Hidden,
}
