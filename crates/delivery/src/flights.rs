//! One computation for everybody who wants the same at the same time. Whoever leaves waits no more; if nobody is left and the
//! work has not begun in earnest, it is called off.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{AbortHandle, Abortable};
use stowage_model::FileId;
use tokio::sync::watch;

use crate::key::Key;
use crate::variant::{Outcome, VariantError};

/// The computations that are under way.
pub(crate) struct Flights {
    flying: Mutex<HashMap<Key, Flight>>,
    /// How many there may be.
    most: usize,
    numbers: AtomicU64,
    /// How many are under way, for the metrics.
    gauge: metrics::Gauge,
}

struct Flight {
    /// Tells it from an earlier or later one of the same key.
    number: u64,
    waiting: usize,
    state: Arc<State>,
    outcome: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

#[derive(Default)]
struct State {
    /// Too late to call it off.
    begun: AtomicBool,
    /// The file is gone: what comes of it is told to those who wait, but not kept.
    unwanted: AtomicBool,
}

/// What a computation has to say while it runs.
pub(crate) struct Pilot {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
    state: Arc<State>,
    outcome: watch::Sender<Option<Outcome>>,
}

/// Whether a computation has begun in earnest, for the thread that begins it.
#[derive(Clone, Default)]
pub(crate) struct Begun(Arc<State>);

/// Whether what comes of a computation is still wanted.
#[derive(Clone)]
pub(crate) struct Wanted(Arc<State>);

impl Begun {
    /// From now on it is finished even if nobody waits.
    pub(crate) fn set(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
    }
}

impl Wanted {
    /// Whether it may be kept.
    pub(crate) fn yes(&self) -> bool {
        !self.0.unwanted.load(Ordering::SeqCst)
    }
}

impl Pilot {
    pub(crate) fn begun(&self) -> Begun {
        Begun(Arc::clone(&self.state))
    }

    pub(crate) fn wanted(&self) -> Wanted {
        Wanted(Arc::clone(&self.state))
    }

    /// Answers everybody who waits, and whoever comes until this value is dropped.
    pub(crate) fn answer(&self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.flights.gauge.decrement(1.0);
        let mut flying = self.flights.lock();
        if flying.get(&self.key).is_some_and(|flight| flight.number == self.number) {
            flying.remove(&self.key);
        }
    }
}

/// Somebody who waits.
struct Passenger {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
}

impl Drop for Passenger {
    fn drop(&mut self) {
        let left = {
            let mut flying = self.flights.lock();
            let Some(flight) = flying.get_mut(&self.key).filter(|flight| flight.number == self.number) else { return };
            flight.waiting -= 1;
            if flight.waiting > 0 || flight.state.begun.load(Ordering::SeqCst) {
                return;
            }
            flying.remove(&self.key)
        };
        if let Some(flight) = left {
            flight.task.abort();
        }
    }
}

impl Flights {
    /// No more than `most` at the same time; `gauge` is told how many there are.
    pub(crate) fn new(most: usize, gauge: metrics::Gauge) -> Arc<Self> {
        Arc::new(Self { flying: Mutex::default(), most, numbers: AtomicU64::new(0), gauge })
    }

    /// Joins the computation for `key`, or begins it with `fly`, which answers through its pilot. None where there are too
    /// many already.
    pub(crate) async fn join<F>(self: &Arc<Self>, key: Key, fly: impl FnOnce(Pilot) -> F) -> Option<Outcome>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (mut outcome, passenger) = self.board(key, fly)?;
        let answered = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        drop(passenger);
        // Without an answer the computation has crashed, which was logged.
        Some(answered.unwrap_or(Err(VariantError::Failed)))
    }

    fn board<F>(
        self: &Arc<Self>,
        key: Key,
        fly: impl FnOnce(Pilot) -> F,
    ) -> Option<(watch::Receiver<Option<Outcome>>, Passenger)>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (pilot, registration, outcome) = {
            let mut flying = self.lock();
            if let Some(flight) = flying.get_mut(&key) {
                flight.waiting += 1;
                let passenger = Passenger { flights: Arc::clone(self), key, number: flight.number };
                return Some((flight.outcome.clone(), passenger));
            }
            if flying.len() >= self.most {
                return None;
            }
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let (sender, outcome) = watch::channel(None);
            let state = Arc::new(State::default());
            let (task, registration) = AbortHandle::new_pair();
            let pilot = Pilot { flights: Arc::clone(self), key, number, state: Arc::clone(&state), outcome: sender };
            flying.insert(key, Flight { number, waiting: 1, state, outcome: outcome.clone(), task });
            (pilot, registration, outcome)
        };
        self.gauge.increment(1.0);
        let passenger = Passenger { flights: Arc::clone(self), key, number: pilot.number };
        // Not under the lock: a runtime that is closing drops the task here, and with it the pilot, which takes the lock.
        drop(tokio::spawn(Abortable::new(fly(pilot), registration)));
        Some((outcome, passenger))
    }

    /// What is being made of these files is not to be kept; whoever comes from now on begins anew.
    pub(crate) fn forget(&self, is_gone: impl Fn(FileId) -> bool) {
        let mut flying = self.lock();
        flying.retain(|key, flight| {
            let gone = is_gone(key.file);
            if gone {
                flight.state.unwanted.store(true, Ordering::SeqCst);
            }
            !gone
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use bytes::Bytes;
    use stowage_model::Ids;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::key::Making;
    use crate::label::{Kind, Label};
    use crate::variant::Variant;

    impl Flights {
        fn len(&self) -> usize {
            self.lock().len()
        }
    }

    fn flights(most: usize) -> Arc<Flights> {
        Flights::new(most, metrics::Gauge::noop())
    }

    fn key() -> Key {
        Key::new(Ids::random().file(), Making::Picture, "", &[])
    }

    fn made(key: &Key) -> Variant {
        let label = Label { kind: Kind::Png, width: 1, height: 1, negotiated: false };
        Variant::in_memory(key, label, Bytes::from_static(b"made"))
    }

    /// Counts its runs, begins when it may, and then answers.
    struct Work {
        runs: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        begins: bool,
    }

    impl Work {
        fn new(begins: bool) -> Self {
            Self { runs: Arc::default(), gate: Arc::new(Semaphore::new(0)), begins }
        }

        fn fly(&self, key: Key) -> impl FnOnce(Pilot) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
            let (runs, gate, begins) = (Arc::clone(&self.runs), Arc::clone(&self.gate), self.begins);
            move |pilot| {
                Box::pin(async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    if begins {
                        pilot.begun().set();
                    }
                    let _ = gate.acquire().await;
                    pilot.answer(Ok(made(&key)));
                })
            }
        }
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_hundred_who_want_the_same_share_one_computation() {
        let (flights, key, work) = (flights(1), key(), Work::new(true));
        let all: Vec<_> = (0..100)
            .map(|_| {
                let (flights, fly) = (Arc::clone(&flights), work.fly(key));
                tokio::spawn(async move { flights.join(key, fly).await })
            })
            .collect();
        settle().await;
        work.gate.add_permits(1);
        for one in all {
            assert_eq!(one.await.unwrap().unwrap().unwrap().len, 4);
        }
        settle().await;
        assert_eq!((work.runs.load(Ordering::SeqCst), flights.len()), (1, 0));
    }

    #[tokio::test]
    async fn there_are_only_so_many() {
        let (flights, work) = (flights(1), Work::new(true));
        let (first, second) = (key(), key());
        let flying = tokio::spawn({
            let (flights, fly) = (Arc::clone(&flights), work.fly(first));
            async move { flights.join(first, fly).await }
        });
        settle().await;
        assert!(flights.join(second, work.fly(second)).await.is_none());
        work.gate.add_permits(2);
        flying.await.unwrap().unwrap().unwrap();
        settle().await;
        assert!(flights.join(second, work.fly(second)).await.is_some());
    }

    #[tokio::test]
    async fn work_is_called_off_when_the_last_one_leaves_before_it_has_begun() {
        let (flights, key, work) = (flights(8), key(), Work::new(false));
        let one = tokio::spawn({
            let (flights, fly) = (Arc::clone(&flights), work.fly(key));
            async move { flights.join(key, fly).await }
        });
        let other = tokio::spawn({
            let (flights, fly) = (Arc::clone(&flights), work.fly(key));
            async move { flights.join(key, fly).await }
        });
        settle().await;
        one.abort();
        settle().await;
        assert_eq!(flights.len(), 1, "the other one still waits");
        other.abort();
        settle().await;
        assert_eq!((flights.len(), Arc::strong_count(&work.gate)), (0, 1), "nothing runs any more");
    }

    #[tokio::test]
    async fn work_that_has_begun_is_finished_for_those_who_come_later() {
        let (flights, key, work) = (flights(8), key(), Work::new(true));
        let one = tokio::spawn({
            let (flights, fly) = (Arc::clone(&flights), work.fly(key));
            async move { flights.join(key, fly).await }
        });
        settle().await;
        one.abort();
        settle().await;
        assert_eq!(flights.len(), 1);
        work.gate.add_permits(1);
        flights.join(key, work.fly(key)).await.unwrap().unwrap();
        assert_eq!(work.runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_crash_is_a_failure_and_leaves_nothing() {
        let (flights, key) = (flights(8), key());
        let crash = |pilot: Pilot| async move {
            assert!(!pilot.wanted().yes(), "a crash, on purpose");
        };
        assert_eq!(flights.join(key, crash).await.unwrap().unwrap_err(), VariantError::Failed);
        settle().await;
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn what_is_made_of_a_forgotten_file_is_unwanted() {
        let (flights, key) = (flights(8), key());
        let (told, answer) = tokio::sync::oneshot::channel();
        let gate = Arc::new(Semaphore::new(0));
        let flying = tokio::spawn({
            let (flights, gate) = (Arc::clone(&flights), Arc::clone(&gate));
            let fly = move |pilot: Pilot| async move {
                let _ = gate.acquire().await;
                let _ = told.send(pilot.wanted().yes());
                pilot.answer(Ok(made(&key)));
            };
            async move { flights.join(key, fly).await }
        });
        settle().await;
        flights.forget(|file| file == key.file);
        gate.add_permits(1);
        flying.await.unwrap().unwrap().unwrap();
        assert!(!answer.await.unwrap());
    }

    #[tokio::test]
    async fn it_is_known_how_many_are_under_way() {
        let gauge = Arc::new(AtomicU64::new(0));
        let flights = Flights::new(8, metrics::Gauge::from_arc(Arc::clone(&gauge)));
        let under_way = || f64::from_bits(gauge.load(Ordering::SeqCst));
        let work = Work::new(false);
        let asked: Vec<_> = (0..3)
            .map(|_| {
                let (flights, key) = (Arc::clone(&flights), key());
                let fly = work.fly(key);
                tokio::spawn(async move { flights.join(key, fly).await })
            })
            .collect();
        settle().await;
        assert!((under_way() - 3.0).abs() < 0.1);
        asked[0].abort();
        settle().await;
        flights.forget(|_| true);
        settle().await;
        work.gate.add_permits(3);
        settle().await;
        assert!(under_way().abs() < 0.1, "one was called off, two have landed");
    }

    #[test]
    fn a_runtime_that_is_closing_takes_nobody() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let _inside = handle.enter();
        let (flights, key, work) = (flights(8), key(), Work::new(true));
        let (outcome, passenger) = flights.board(key, work.fly(key)).unwrap();
        assert!(outcome.has_changed().is_err(), "nobody will answer");
        drop(passenger);
        assert_eq!(flights.len(), 0);
    }
}
