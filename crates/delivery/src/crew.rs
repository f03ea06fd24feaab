//! The threads that compute: as many as there are processors and one more, which large work may not take, so that a thumbnail
//! does not wait for a film poster. Tokio's own threads for blocking work are not bounded like this.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::error;

use crate::flights::Begun;

/// The stack of a thread, in bytes: parsers of nested pictures need more than the usual 2 MiB. Untouched pages cost nothing.
const STACK: usize = 16 << 20;

/// How long a thread waits for work before it ends; the next work starts another one.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much work something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weight {
    /// Done in a moment.
    Small,
    /// Everything else.
    Large,
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads and the work that waits for them. Dropped, it finishes what has begun.
pub(crate) struct Crew(Arc<Desk>);

struct Desk {
    waiting: Mutex<Waiting>,
    news: Condvar,
    /// How many threads may have large work. There is one more.
    large: usize,
    /// How long a thread waits for work.
    patience: Duration,
}

#[derive(Default)]
struct Waiting {
    small: VecDeque<Job>,
    large: VecDeque<Job>,
    large_running: usize,
    /// The threads that there are.
    threads: usize,
    over: bool,
}

impl Waiting {
    /// One thread is for large work where there is any, so that it is not put off for ever; then small work comes first.
    fn next(&mut self, most_large: usize) -> Option<Job> {
        if self.large_running == 0 && !self.large.is_empty() {
            return self.next_large();
        }
        if let Some(job) = self.small.pop_front() {
            return Some(job);
        }
        if self.large_running < most_large { self.next_large() } else { None }
    }

    fn next_large(&mut self) -> Option<Job> {
        let job = self.large.pop_front()?;
        self.large_running += 1;
        Some(job)
    }
}

/// Why work has no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Crashed;

impl Crew {
    /// A crew for `processors` processors. Its threads begin with work and end without: there may be many crews that have none.
    pub(crate) fn new(processors: usize) -> Self {
        Self::with_patience(processors, PATIENCE)
    }

    fn with_patience(processors: usize, patience: Duration) -> Self {
        let large = processors.max(1);
        Self(Arc::new(Desk { waiting: Mutex::default(), news: Condvar::new(), large, patience }))
    }

    /// Has something computed. A crash of it is logged and hurts nobody else. If the caller leaves before it has begun, it
    /// is not done at all; once it has begun, `begun` is told.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        begun: Begun,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Crashed> {
        let (sender, receiver) = oneshot::channel();
        let desk = Arc::clone(&self.0);
        let job = Box::new(move || {
            if !sender.is_closed() {
                begun.set();
                let done = catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
                    error!("the computation of a variant crashed");
                    Crashed
                });
                // Nobody may wait any more.
                let _ = sender.send(done);
            }
            if weight == Weight::Large {
                desk.lock().large_running -= 1;
            }
        });
        {
            let mut waiting = self.0.lock();
            Desk::enlist(&self.0, &mut waiting)?;
            match weight {
                Weight::Small => waiting.small.push_back(job),
                Weight::Large => waiting.large.push_back(job),
            }
        }
        self.0.news.notify_one();
        receiver.await.unwrap_or(Err(Crashed))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.news.notify_all();
    }
}

impl Desk {
    /// Starts the threads that are missing; an error where there are none at all.
    fn enlist(desk: &Arc<Self>, waiting: &mut Waiting) -> Result<(), Crashed> {
        while waiting.threads <= desk.large {
            let worker = Arc::clone(desk);
            let name = format!("render-{}", waiting.threads);
            match thread::Builder::new().name(name).stack_size(STACK).spawn(move || worker.work()) {
                Ok(_) => waiting.threads += 1,
                Err(error) if waiting.threads == 0 => {
                    error!(%error, "no thread could be started to compute variants");
                    return Err(Crashed);
                }
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn work(&self) {
        let mut waiting = self.lock();
        let mut bored = false;
        loop {
            if let Some(job) = waiting.next(self.large) {
                drop(waiting);
                job();
                waiting = self.lock();
                bored = false;
            } else if waiting.over || bored {
                waiting.threads -= 1;
                return;
            } else {
                let (guard, waited) =
                    self.news.wait_timeout(waiting, self.patience).unwrap_or_else(PoisonError::into_inner);
                (waiting, bored) = (guard, waited.timed_out());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn begun() -> Begun {
        Begun::default()
    }

    /// Work that tells when it runs and goes on when it may.
    fn gated() -> (impl FnOnce() + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (tell, told) = mpsc::channel();
        let (allow, allowed) = mpsc::channel();
        let work = move || {
            let _ = tell.send(());
            let _ = allowed.recv_timeout(Duration::from_secs(60));
        };
        (work, told, allow)
    }

    #[tokio::test]
    async fn results_come_back_and_crashes_stay_where_they_are() {
        let crew = Crew::new(1);
        assert_eq!(crew.run(Weight::Small, begun(), || 6 * 7).await, Ok(42));
        let crash = || assert_eq!(1, 2, "a crash, on purpose");
        assert_eq!(crew.run(Weight::Large, begun(), crash).await, Err(Crashed));
        assert_eq!(crew.run(Weight::Large, begun(), || 1).await, Ok(1), "the thread lives, and its place is free");
    }

    #[tokio::test]
    async fn threads_come_with_work_and_go_without() {
        let crew = Crew::with_patience(1, Duration::from_millis(1));
        let threads = || crew.0.lock().threads;
        assert_eq!(threads(), 0);
        for _ in 0..3 {
            assert_eq!(crew.run(Weight::Large, begun(), || 1).await, Ok(1));
            stowage_store::blobs::conformance::eventually("they have gone", async || threads() == 0).await;
        }
        let crew = Crew::new(3);
        crew.run(Weight::Small, begun(), || 1).await.unwrap();
        assert_eq!(crew.0.lock().threads, 4);
    }

    #[tokio::test]
    async fn large_work_leaves_a_thread_for_small_work() {
        let crew = Arc::new(Crew::new(1));
        let (work, told, allow) = gated();
        let large = {
            let crew = Arc::clone(&crew);
            tokio::spawn(async move { crew.run(Weight::Large, begun(), work).await })
        };
        tokio::task::spawn_blocking(move || told.recv()).await.unwrap().unwrap();
        let (second, second_told, second_allow) = gated();
        let waiting = {
            let crew = Arc::clone(&crew);
            tokio::spawn(async move { crew.run(Weight::Large, begun(), second).await })
        };
        for _ in 0..3 {
            assert_eq!(crew.run(Weight::Small, begun(), || 1).await, Ok(1));
        }
        assert!(second_told.try_recv().is_err(), "two large ones at once");
        drop((allow, second_allow));
        large.await.unwrap().unwrap();
        waiting.await.unwrap().unwrap();
        second_told.recv().unwrap();
    }

    #[tokio::test]
    async fn work_of_somebody_who_left_is_not_done() {
        let crew = Arc::new(Crew::new(1));
        let mut gates = Vec::new();
        for _ in 0..2 {
            let (work, told, allow) = gated();
            let crew = Arc::clone(&crew);
            let running = tokio::spawn(async move { crew.run(Weight::Small, begun(), work).await });
            tokio::task::spawn_blocking(move || told.recv()).await.unwrap().unwrap();
            gates.push((allow, running));
        }
        let (work, told, _allow) = gated();
        let left = {
            let crew = Arc::clone(&crew);
            tokio::spawn(async move { crew.run(Weight::Small, begun(), work).await })
        };
        tokio::task::yield_now().await;
        left.abort();
        left.await.unwrap_err();
        for (allow, running) in gates {
            drop(allow);
            running.await.unwrap().unwrap();
        }
        assert_eq!(crew.run(Weight::Small, begun(), || 1).await, Ok(1), "comes after it in the queue");
        assert!(told.try_recv().is_err());
    }
}
