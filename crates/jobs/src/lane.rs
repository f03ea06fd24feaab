//! The turns of one storage: how many of its copies may be made at once, whatever places there are, and what becomes of those that
//! wait when it turns out to be dead or silent.

use std::future::pending;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::sleep;

/// The turns of one storage.
pub(crate) struct Lane {
    turns: Semaphore,
    /// As many, for those to take that have been under way for too long: when none is left, the storage is silent.
    quick: Semaphore,
    give_back: Notify,
}

impl Lane {
    /// For so many copies at once.
    pub(crate) fn new(turns: usize) -> Self {
        let turns = turns.min(Semaphore::MAX_PERMITS);
        Self { turns: Semaphore::new(turns), quick: Semaphore::new(turns), give_back: Notify::new() }
    }

    /// Waits for a turn, and then for a place. None where the places are closed, or what waits is given back meanwhile.
    pub(crate) async fn turn<'p>(
        &'p self,
        places: &'p Semaphore,
    ) -> Option<(SemaphorePermit<'p>, SemaphorePermit<'p>)> {
        let both = async {
            // In this order: whoever waits for its storage holds no place.
            let turn = self.turns.acquire().await.ok()?;
            Some((turn, places.acquire().await.ok()?))
        };
        tokio::select! {
            both = both => both,
            () = self.give_back.notified() => None,
        }
    }

    /// Keeps the place of a copy for as long as there is patience, and leaves it to others then. Never ends, so that it ends with the copy.
    pub(crate) async fn keep<T>(&self, place: SemaphorePermit<'_>, patience: Duration) -> T {
        sleep(patience).await;
        drop(place);
        let _late = self.quick.try_acquire();
        if self.is_silent() {
            self.give_back();
        }
        pending().await
    }

    /// Whether all turns are taken by copies that have been under way for too long.
    pub(crate) fn is_silent(&self) -> bool {
        self.quick.available_permits() == 0
    }

    /// Has everything given back that waits for a turn or a place.
    pub(crate) fn give_back(&self) {
        self.give_back.notify_waiters();
    }
}
