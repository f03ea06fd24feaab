//! The storages that have been copied to, with what was learned of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::SharedHttpClient;
use stowage_model::{Storage, StorageId};
use stowage_store::blobs::s3;
use tokio::sync::Semaphore;

use crate::Options;
use crate::target::Target;

/// The storages of a process. Cheap to clone.
#[derive(Clone)]
pub struct Targets {
    shared: Arc<Shared>,
    known: Arc<Mutex<HashMap<StorageId, Arc<Target>>>>,
}

/// What all storages share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) http: SharedHttpClient,
    /// The large pieces that may be under way.
    pub(crate) parts: Semaphore,
}

impl Targets {
    /// Nothing is reached yet.
    pub fn new(options: Options) -> Self {
        let parts = Semaphore::new(options.parts.max(1));
        Self { shared: Arc::new(Shared { options, http: s3::http(), parts }), known: Arc::default() }
    }

    /// The target for a storage: the one of last time, unless the settings have changed since. Asks for nothing yet.
    pub fn get(&self, storage: &Storage) -> Arc<Target> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(&storage.id)
            && *target.settings() == storage.settings
        {
            return Arc::clone(target);
        }
        let target = Arc::new(Target::new(storage.settings.clone(), Arc::clone(&self.shared)));
        known.insert(storage.id, Arc::clone(&target));
        target
    }

    /// Forgets all storages.
    pub fn wipe(&self) {
        let Self { shared: _, known } = self;
        known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets a storage that does not exist any more.
    pub fn forget(&self, storage: StorageId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&storage);
    }
}
