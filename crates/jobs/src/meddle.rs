//! What tests do to work that nobody waits for: it is held, shown in steps, or ends as they say. In production nobody meddles, and it
//! costs one look at an empty option.

use std::fmt::Debug;
use std::pin::Pin;

use bytes::Bytes;
use stowage_model::{FileId, FromUrl, PublicKey, Storage, Webhook};
use stowage_store::records::{Claimed, ClaimedCopy, ClaimedDelivery, Sent};
use uuid::Uuid;

/// An answer that may take a while.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Somebody who decides what becomes of work.
pub trait Meddle: Send + Sync + Debug {
    /// Asked before a file is fetched from a URL, each time that its job is begun.
    fn fetch(&self, asked: &FetchAsked<'_>) -> FetchOrder;

    /// Whether clients are not told how many bytes will come.
    fn hides_total(&self, token: Uuid) -> bool;

    /// Whether clients are not told of bytes until all have arrived, and then only as [`piece`](Self::piece) says.
    fn shows_later(&self, token: Uuid) -> bool;

    /// Asked as bytes arrive, again and again until it answers none: whether to stop, and what clients see meanwhile. Origins are not
    /// kept waiting: places to stop come when all bytes are there.
    fn piece(&self, piece: Piece) -> Option<Stop>;

    /// Told how an attempt to fetch has ended.
    fn fetched(&self, token: Uuid, outcome: &Outcome);

    /// Asked before a webhook is told; answers as late as it likes.
    fn post(&self, asked: &PostAsked<'_>) -> Later<PostOrder>;

    /// Asked before a copy to a custom storage is made.
    fn copy(&self, asked: &CopyAsked<'_>) -> CopyOrder;
}

/// A file that is about to be fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchAsked<'a> {
    /// The public key of its project.
    pub key: &'a PublicKey,
    /// The job.
    pub claim: &'a Claimed,
    /// What is to be done.
    pub task: &'a FromUrl,
}

/// What becomes of a fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchOrder {
    /// It goes on.
    Go,
    /// It stays in the queue until somebody makes it due.
    Hold,
    /// It fails.
    Fail {
        /// The code for users.
        code: String,
        /// The text for users.
        text: String,
    },
    /// These bytes arrive instead of those of the URL. Where it is under way already, it ends with them.
    Take(Given),
    /// It ends with these bytes instead of those of the URL.
    Succeed(Given),
}

/// Bytes that somebody gives in the place of those of a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The bytes.
    pub bytes: Bytes,
    /// The name of the file; else what the task and its URL say.
    pub name: Option<String>,
    /// The type of the file, if it is to be another than the bytes show.
    pub content_type: Option<String>,
}

/// How much of a file has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Under which its status is asked for.
    pub token: Uuid,
    /// How many bytes have arrived.
    pub done: u64,
    /// Whether these are all.
    pub last: bool,
}

/// A place where a fetch stops.
pub struct Stop {
    /// How many bytes clients are told of.
    pub done: u64,
    /// How it goes on, and when.
    pub order: Later<FetchOrder>,
}

/// How an attempt to fetch has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has become a file.
    Done(FileId),
    /// It has failed for good; carries the code of the catalogue.
    Failed(String),
    /// Somebody else answers for it.
    Lost,
    /// It is begun again soon: the records were away.
    Later,
    /// It is held.
    Held,
}

/// An upload from a URL that was begun, and how that went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Under which its status is asked for.
    pub token: Uuid,
    /// The URL.
    pub url: String,
    /// How it went.
    pub outcome: Outcome,
}

/// A webhook that is about to be told.
#[derive(Clone, Copy, Debug)]
pub struct PostAsked<'a> {
    /// The public key of its project.
    pub key: &'a PublicKey,
    /// The webhook.
    pub webhook: &'a Webhook,
    /// The delivery.
    pub claim: &'a ClaimedDelivery,
    /// What it is to be sent; none where what has happened cannot be read.
    pub sent: Option<&'a Sent>,
}

/// What becomes of an attempt to tell a webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PostOrder {
    /// It is told.
    Post,
    /// It is not told, and counts as having answered with this status.
    Answer(u16),
    /// It is not told, and the attempt has failed for this reason.
    Fail(String),
    /// The delivery stays in the queue until somebody makes it due.
    Hold,
}

/// A copy that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct CopyAsked<'a> {
    /// The public key of its project.
    pub key: &'a PublicKey,
    /// Where it goes.
    pub storage: &'a Storage,
    /// The copy.
    pub claim: &'a ClaimedCopy,
}

/// What becomes of an attempt to copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CopyOrder {
    /// It is made.
    Go,
    /// It stays in the queue until somebody makes it due.
    Hold,
    /// Nothing is copied, and the storage counts as having refused.
    Fail {
        /// S3's word for it.
        code: String,
        /// What is said to have gone wrong.
        text: String,
    },
    /// Nothing is copied, and it counts as made.
    Succeed,
}
