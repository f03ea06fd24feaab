//! What every request needs and seldom changes, as it was a moment ago: kept whole, and read anew by one request while the others
//! wait for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use super::HOT_FOR;

/// Something that is remembered for [`HOT_FOR`].
pub(super) struct Remembered<T> {
    snapshot: RwLock<Option<(Instant, Arc<T>)>>,
    /// One request renews the snapshot while the others wait for it.
    renewing: tokio::sync::Mutex<()>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { snapshot: RwLock::default(), renewing: tokio::sync::Mutex::new(()) }
    }
}

impl<T> Remembered<T> {
    /// It, if it is remembered.
    pub(super) fn get(&self) -> Option<Arc<T>> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        let (taken, value) = snapshot.as_ref()?;
        (taken.elapsed() < HOT_FOR).then(|| Arc::clone(value))
    }

    /// It, read anew unless another request has just done so.
    pub(super) async fn renew<E>(&self, read: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let _alone = self.renewing.lock().await;
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let taken = Instant::now();
        let value = Arc::new(read().await?);
        self.set(Some((taken, Arc::clone(&value))));
        Ok(value)
    }

    /// To be called after a change is committed.
    pub(super) async fn forget(&self) {
        // Whoever is renewing may have read before the change: wait, then drop what they read.
        let _alone = self.renewing.lock().await;
        self.set(None);
    }

    fn set(&self, snapshot: Option<(Instant, Arc<T>)>) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}
