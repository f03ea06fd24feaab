//! Who may begin: pictures are let in while there is memory for them, a few more than there are threads, so that their bytes can
//! be fetched meanwhile. Bytes of a file are read only by what was let in.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::crew::Weight;

/// What memory is counted in, in bytes.
const UNIT: u64 = 64 << 10;

/// The memory of one kind of work, and the places for it.
struct Class {
    places: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    units: u32,
}

/// Lets pictures in. Small and large ones have memory of their own, so that neither waits for the other.
pub(crate) struct Admission {
    small: Class,
    large: Class,
    memory: u64,
}

/// The right to take memory, until it is dropped.
pub(crate) struct Admitted {
    _place: Option<OwnedSemaphorePermit>,
    _memory: [Option<OwnedSemaphorePermit>; 2],
}

impl Class {
    fn new(places: usize, memory: u64) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(memory / UNIT).unwrap_or(u32::MAX).clamp(1, most);
        Self {
            places: Arc::new(Semaphore::new(places.max(1))),
            memory: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits for memory; nothing is no wait.
    async fn take(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.memory).acquire_many_owned(units).await.ok()
    }
}

impl Admission {
    /// For `threads` threads and `memory` bytes.
    pub(crate) fn new(threads: usize, memory: u64) -> Self {
        let small = memory / 2;
        let (small, large) = (Class::new(threads + 2, small), Class::new(threads + 2, memory - small));
        Self { small, large, memory }
    }

    /// The bytes of memory that there are for all together.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Waits until `memory` bytes may be taken. What its class does not have is taken from the other one; more than there are
    /// at all is let in alone, and has to do with what there is.
    pub(crate) async fn enter(&self, weight: Weight, memory: u64) -> Admitted {
        let (class, other) = match weight {
            Weight::Small => (&self.small, &self.large),
            Weight::Large => (&self.large, &self.small),
        };
        let wanted = u32::try_from(memory.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        let own = wanted.min(class.units);
        let rest = (wanted - own).min(other.units);
        let (small, large) = match weight {
            Weight::Small => (own, rest),
            Weight::Large => (rest, own),
        };
        // It is never closed.
        let place = Arc::clone(&class.places).acquire_owned().await.ok();
        // All who need both take them in this order, so that no two wait for each other.
        let large = self.large.take(large).await;
        let small = self.small.take(small).await;
        Admitted { _place: place, _memory: [large, small] }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn memory_is_given_out_once() {
        let admission = Admission::new(4, 6 << 20);
        let _one = admission.enter(Weight::Large, 2 << 20).await;
        assert!(admission.enter(Weight::Large, 2 << 20).now_or_never().is_none(), "1 MiB is left");
        let other = admission.enter(Weight::Large, 1 << 20).now_or_never();
        assert!(other.is_some() && admission.enter(Weight::Large, 1).now_or_never().is_none());
        assert!(admission.enter(Weight::Small, 1 << 20).now_or_never().is_some(), "small ones have their own");
    }

    #[tokio::test]
    async fn what_its_class_does_not_have_is_taken_from_the_other() {
        let admission = Admission::new(4, 6 << 20);
        let four = admission.enter(Weight::Large, 4 << 20).now_or_never();
        assert!(four.is_some() && admission.enter(Weight::Large, 1).now_or_never().is_none());
        assert!(admission.enter(Weight::Small, 3 << 20).now_or_never().is_none(), "2 MiB are left");
        let small = admission.enter(Weight::Small, 2 << 20).now_or_never();
        assert!(small.is_some());
        assert!(admission.enter(Weight::Large, u64::MAX).now_or_never().is_none(), "somebody is there");
        drop((four, small));
        let huge = admission.enter(Weight::Small, u64::MAX).now_or_never();
        assert!(huge.is_some(), "too much for all is let in alone");
        for weight in [Weight::Small, Weight::Large] {
            assert!(admission.enter(weight, 1).now_or_never().is_none());
        }
    }

    #[tokio::test]
    async fn there_are_only_so_many_places() {
        let admission = Admission::new(1, 1 << 40);
        let all: Vec<_> = (0..10).filter_map(|_| admission.enter(Weight::Small, 1).now_or_never()).collect();
        assert_eq!(all.len(), 3);
    }
}
