//! Turns: whoever has one is alone with what it is for, in this process, while others wait for theirs.
//! Here, because the blobs need them, and rooms above the store as well.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The places that somebody has or waits for; `P` is what tells them apart. Others cost nothing.
pub struct Turns<P> {
    taken: Mutex<HashMap<P, Arc<tokio::sync::Mutex<()>>>>,
}

/// A turn, or the wait for one. It ends when this is dropped.
pub struct Turn<P: Copy + Eq + Hash> {
    turns: Arc<Turns<P>>,
    place: P,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<P> Default for Turns<P> {
    fn default() -> Self {
        Self { taken: Mutex::default() }
    }
}

impl<P: Copy + Eq + Hash> Turns<P> {
    /// Waits until the place is free, first come, first served.
    pub async fn take(turns: &Arc<Self>, place: P) -> Turn<P> {
        let lock = Arc::clone(turns.taken.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default());
        // Made before the wait: whoever gives up while waiting must clean up, too.
        let mut turn = Turn { turns: Arc::clone(turns), place, guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }
}

impl<P: Copy + Eq + Hash> Drop for Turn<P> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut taken = self.turns.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has or awaits the place holds the lock as well; new ones come only through the map, which is ours now.
        if taken.get(&self.place).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            taken.remove(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn turns_follow_one_another_and_leave_nothing() {
        let turns = Arc::new(Turns::default());
        let (here, there) = ((Uuid::nil(), 1), (Uuid::nil(), 2));
        let first = Turns::take(&turns, here).await;
        let other = Turns::take(&turns, there).await;
        {
            let mut second = pin!(Turns::take(&turns, here));
            let mut third = Box::pin(Turns::take(&turns, here));
            for _ in 0..3 {
                assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await);
                assert!(poll_fn(|cx| Poll::Ready(third.as_mut().poll(cx).is_pending())).await);
            }
            // One gives up waiting, the other is not forgotten.
            drop(third);
            drop(first);
            let second = second.await;
            assert_eq!(turns.taken.lock().unwrap().len(), 2);
            drop(second);
        }
        drop(other);
        assert!(turns.taken.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_place_is_had_twice() {
        let turns = Arc::new(Turns::default());
        let inside = Arc::new(tokio::sync::Semaphore::new(1));
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (turns, inside) = (Arc::clone(&turns), Arc::clone(&inside));
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let turn = Turns::take(&turns, (Uuid::nil(), 1)).await;
                        let alone = inside.try_acquire().expect("nobody else is here");
                        tokio::task::yield_now().await;
                        drop(alone);
                        drop(turn);
                        let waiting = Turns::take(&turns, (Uuid::nil(), 1));
                        // Some give up before they have looked twice.
                        if n % 3 == 0 {
                            let mut waiting = pin!(waiting);
                            poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(turns.taken.lock().unwrap().is_empty());
    }
}
