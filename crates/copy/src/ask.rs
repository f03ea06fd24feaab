//! What requests ask for that not every server grants, and what was learned of that.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use stowage_model::{AclMode, Checksums, StorageSettings};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::error::Refused;

/// How often a request is repeated that its server may well grant the next time, besides what the client repeats by itself.
const REPEATS: u32 = 3;

/// How long the first repetition waits; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// What was learned of a storage, which holds until the settings change or the process ends.
#[derive(Default)]
pub(crate) struct Learned {
    /// ACLs are not taken.
    no_acl: AtomicBool,
    /// Conditions are not taken with bytes, and with copies.
    no_condition: [AtomicBool; 2],
    /// Checksums are not known.
    no_checksums: AtomicBool,
    /// It does not copy from the bucket of the blobs.
    no_remote: AtomicBool,
    /// An object was read back and was what it should be.
    proven: AtomicBool,
    /// It has refused to overwrite an object.
    refuses_existing: AtomicBool,
    /// It has overwritten an object that it was told not to.
    overlooks_existing: AtomicBool,
}

/// Which kind of request it is: with bytes, or for bytes that the server has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes = 0,
    Copy = 1,
}

impl Learned {
    pub(crate) fn new(settings: &StorageSettings) -> Self {
        let learned = Self::default();
        learned.no_checksums.store(settings.checksums == Checksums::WhenRequired, Relaxed);
        learned.no_acl.store(settings.acl == AclMode::None, Relaxed);
        learned
    }

    pub(crate) fn forget_remote(&self) {
        self.no_remote.store(true, Relaxed);
    }

    pub(crate) fn copies_remotely(&self) -> bool {
        !self.no_remote.load(Relaxed)
    }

    pub(crate) fn refuses_existing(&self) -> bool {
        self.refuses_existing.load(Relaxed) && !self.no_condition[Kind::Bytes as usize].load(Relaxed)
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.proven.load(Relaxed)
    }

    pub(crate) fn prove(&self) {
        self.proven.store(true, Relaxed);
    }

    pub(crate) fn overlooks_existing(&self) -> bool {
        self.overlooks_existing.load(Relaxed)
    }

    /// Whether it is known what the server does with conditions.
    pub(crate) fn was_told_not_to_overwrite(&self) -> bool {
        self.refuses_existing.load(Relaxed) || self.overlooks_existing()
    }

    /// Remembers what came of telling it not to overwrite an object.
    pub(crate) fn it_overwrites(&self, overwrites: bool) {
        let flag = if overwrites { &self.overlooks_existing } else { &self.refuses_existing };
        flag.store(true, Relaxed);
    }
}

/// What a request asks for. Less, when it was refused for that.
pub(crate) struct Ask<'a> {
    /// To be refused where there is an object.
    pub(crate) condition: bool,
    /// To let everybody read.
    pub(crate) public: bool,
    /// To check the bytes.
    pub(crate) checksum: bool,
    kind: Kind,
    settings: &'a StorageSettings,
    learned: &'a Learned,
    dropped: Dropped,
    left: u32,
}

/// What is no longer asked for.
#[derive(Default)]
struct Dropped {
    condition: bool,
    public: bool,
    checksum: bool,
}

impl<'a> Ask<'a> {
    /// What a request for a public or private object asks for, as far as the server may grant it.
    pub(crate) fn new(kind: Kind, make_public: bool, settings: &'a StorageSettings, learned: &'a Learned) -> Self {
        Self {
            condition: !learned.no_condition[kind as usize].load(Relaxed),
            public: make_public && !learned.no_acl.load(Relaxed),
            checksum: kind == Kind::Bytes && !learned.no_checksums.load(Relaxed),
            kind,
            settings,
            learned,
            dropped: Dropped::default(),
            left: REPEATS,
        }
    }

    /// The same for a request that writes nothing yet.
    pub(crate) fn without_condition(self) -> Self {
        Self { condition: false, ..self }
    }

    /// Asks for less, or waits, where that makes a repetition promising; otherwise the refusal stands.
    pub(crate) async fn relent(&mut self, refused: Refused) -> Result<(), Refused> {
        let code = refused.code.as_str();
        let unknown = matches!(code, "NotImplemented" | "InvalidRequest" | "InvalidArgument");
        if code == "NotImplemented" && self.condition {
            (self.condition, self.dropped.condition) = (false, true);
        } else if matches!(code, "AccessControlListNotSupported" | "AccessDenied" | "NotImplemented")
            && self.public
            && self.settings.acl == AclMode::Auto
        {
            (self.public, self.dropped.public) = (false, true);
        } else if unknown && self.checksum && self.settings.checksums == Checksums::Auto {
            (self.checksum, self.dropped.checksum) = (false, true);
        } else {
            return self.relent_once_begun(refused).await;
        }
        Ok(())
    }

    /// The same for a part of an object: what is asked for was said in the beginning.
    pub(crate) async fn relent_once_begun(&mut self, refused: Refused) -> Result<(), Refused> {
        // What had no answer, or a status that says it, was repeated by the client.
        if self.left > 0 && refused.is_passing() && refused.status.is_some_and(|status| status < 500) {
            sleep(PAUSE * 2_u32.pow(REPEATS - self.left)).await;
            self.left -= 1;
            return Ok(());
        }
        Err(refused)
    }

    /// Remembers what was granted only after less was asked for.
    pub(crate) fn learn(&self) {
        let bucket = self.settings.bucket.as_str();
        let first = |dropped: bool, flag: &AtomicBool| dropped && !flag.swap(true, Relaxed);
        if first(self.dropped.condition, &self.learned.no_condition[self.kind as usize]) {
            info!(bucket, "the storage knows no conditions; objects are looked for before they are written");
        }
        if first(self.dropped.checksum, &self.learned.no_checksums) {
            info!(bucket, "the storage knows no checksums");
        }
        if first(self.dropped.public, &self.learned.no_acl) {
            warn!(
                bucket,
                "the bucket takes no ACLs, so that copies are not made public by us; a policy of the bucket can do that \
                 (set acl = \"none\" to be told no more)"
            );
        }
    }

    /// Remembers that the server checks nothing, so that checksums are a waste.
    pub(crate) fn learn_silence(&self) {
        if self.settings.checksums == Checksums::Auto {
            self.learned.no_checksums.store(true, Relaxed);
        }
    }
}
