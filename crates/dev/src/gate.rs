//! Who uses a world: many requests, or one who changes all of it. Whoever wants it for itself waits for the requests under way, which still
//! see everything as it was; those that come meanwhile wait, and see everything as it will be.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use tokio_util::sync::CancellationToken;

/// How long requests under way may go on; then they are cut off.
const PATIENCE: Duration = Duration::from_secs(2);

/// The gate of a world.
pub(crate) struct Gate {
    lock: Arc<tokio::sync::RwLock<()>>,
    /// Tells those who are inside that they are cut off.
    cut: RwLock<CancellationToken>,
}

/// Somebody is inside.
pub(crate) struct Pass {
    _inside: OwnedRwLockReadGuard<()>,
    /// Cancelled when whoever is inside is cut off.
    pub(crate) cut: CancellationToken,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { lock: Arc::default(), cut: RwLock::default() }
    }

    /// Goes in together with others.
    pub(crate) async fn enter(&self) -> Pass {
        let inside = Arc::clone(&self.lock).read_owned().await;
        let cut = self.cut.read().unwrap_or_else(PoisonError::into_inner).clone();
        Pass { _inside: inside, cut }
    }

    /// Goes in alone, after everybody has left or was cut off.
    pub(crate) async fn alone(&self) -> OwnedRwLockWriteGuard<()> {
        let alone = Arc::clone(&self.lock).write_owned();
        tokio::pin!(alone);
        loop {
            if let Ok(alone) = tokio::time::timeout(PATIENCE, &mut alone).await {
                return alone;
            }
            // Again and again: another who wanted it alone may have been first, and have let in others since.
            self.cut_off();
        }
    }

    /// Cuts off those who are inside, and nobody who comes later.
    fn cut_off(&self) {
        let mut cut = self.cut.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cut).cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_wants_it_alone_waits_and_then_cuts_off() {
        let gate = Arc::new(Gate::new());
        let (one, two) = (gate.enter().await, gate.enter().await);
        let alone = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.alone().await) }
        });
        tokio::task::yield_now().await;
        drop(one);
        assert!(!alone.is_finished());
        two.cut.cancelled().await;
        assert!(!alone.is_finished(), "what is inside ends first");
        drop(two);
        alone.await.unwrap();
        assert!(!gate.enter().await.cut.is_cancelled(), "who comes afterwards is not cut off");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_between_two_who_want_it_alone_has_as_long_as_others() {
        let gate = Arc::new(Gate::new());
        let first = gate.alone().await;
        let between = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.alone().await) }
        });
        // Longer than the second one has patience.
        tokio::time::sleep(PATIENCE + PATIENCE / 2).await;
        drop(first);
        let between = between.await.unwrap();
        assert!(!between.cut.is_cancelled(), "it has only just come");
        between.cut.cancelled().await;
        drop(between);
        second.await.unwrap();
    }
}
