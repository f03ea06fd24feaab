//! What thousands of polling clients ask: how far their tasks are. Answers come from memory for a moment; the look-ups
//! that remain are gathered, so that they cost one query together.
//!
//! A task never goes backwards here. Changes made by this process are noted under the same lock under which the results of
//! reads are, also for tasks that are being read at that moment: such a read may be older than the change.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use stowage_model::UrlTask;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::engine::Engine;
use super::url_tasks::read_tasks;
use super::{Records, RecordsError};

/// For how long an answer is good that may change, and that a token is unknown.
const FRESH: Duration = Duration::from_millis(500);
/// For how long the end of a task is remembered.
const ENDED: Duration = Duration::from_secs(60);
/// How long look-ups wait for others to join them.
const GATHER: Duration = Duration::from_millis(3);
/// The most tokens of one query.
const CHUNK: usize = 1000;
/// How many tasks the process remembers at most, and how many bytes of them.
const HOT_TASKS: usize = 16_384;
const HOT_BYTES: u64 = 8 << 20;

type Answer = Result<Option<UrlTask>, RecordsError>;

/// A task as it was a moment ago; none for an unknown token.
#[derive(Clone)]
struct Remembered {
    since: Instant,
    task: Option<UrlTask>,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Uuid, Remembered> for ByLength {
    fn weight(&self, _: &Uuid, remembered: &Remembered) -> u64 {
        let texts = match &remembered.task {
            Some(UrlTask::Failed { text, code }) => text.len() + code.len(),
            _ => 0,
        };
        256 + texts as u64
    }
}

pub(super) struct HotTasks {
    cache: Cache<Uuid, Remembered, ByLength>,
    /// Writes to the cache happen under this lock.
    look_ups: Mutex<LookUps>,
}

#[derive(Default)]
struct LookUps {
    /// Whoever waits for an answer, by token.
    wanted: HashMap<Uuid, Wanted>,
    /// The wanted tokens that no query asks for yet.
    gathered: Vec<Uuid>,
    /// Whether somebody is asking what is gathered.
    asked: bool,
    /// When everything was forgotten: what was read before is asked for once more.
    wiped: Option<Instant>,
}

#[derive(Default)]
struct Wanted {
    waiting: Vec<oneshot::Sender<Answer>>,
    /// What this process has changed the task to meanwhile.
    changed: Option<UrlTask>,
}

/// What a look-up finds.
enum Found {
    Known(Option<UrlTask>),
    /// The answer will come; where `begin` is set, the caller starts the reader that brings it.
    Soon {
        answer: oneshot::Receiver<Answer>,
        begin: bool,
    },
}

impl HotTasks {
    pub(super) fn new() -> Self {
        Self { cache: Cache::with_weighter(HOT_TASKS, HOT_BYTES, ByLength), look_ups: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, LookUps> {
        self.look_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, token: Uuid) -> Option<Remembered> {
        let remembered = self.cache.get(&token)?;
        let good_for = if remembered.task.as_ref().is_some_and(has_ended) { ENDED } else { FRESH };
        (remembered.since.elapsed() < good_for).then_some(remembered)
    }

    fn look_up(&self, token: Uuid) -> Found {
        if let Some(Remembered { task, .. }) = self.remembered(token) {
            return Found::Known(task);
        }
        let mut look_ups = self.lock();
        // Once more: the answer may have come while we waited for the lock.
        if let Some(Remembered { task, .. }) = self.remembered(token) {
            return Found::Known(task);
        }
        let look_ups = &mut *look_ups;
        let (sender, answer) = oneshot::channel();
        let wanted = look_ups.wanted.entry(token).or_insert_with(|| {
            look_ups.gathered.push(token);
            Wanted::default()
        });
        wanted.waiting.push(sender);
        Found::Soon { answer, begin: !mem::replace(&mut look_ups.asked, true) }
    }

    /// The tokens to ask for next; none, and the reader may end, if nobody wants any.
    fn gathered(&self) -> Vec<Uuid> {
        let mut look_ups = self.lock();
        let count = look_ups.gathered.len().min(CHUNK);
        look_ups.asked = count > 0;
        look_ups.gathered.drain(..count).collect()
    }

    /// Answers everybody who wants one of `tokens` with what was read from `since` on.
    fn settle(&self, tokens: &[Uuid], since: Instant, read: &Result<HashMap<Uuid, UrlTask>, sqlx::Error>) {
        let mut look_ups = self.lock();
        if look_ups.wiped.is_some_and(|wiped| since <= wiped) {
            look_ups.gathered.extend_from_slice(tokens);
            return;
        }
        for token in tokens {
            let Some(Wanted { waiting, changed }) = look_ups.wanted.remove(token) else { continue };
            match read {
                Ok(tasks) => {
                    let task = later(tasks.get(token).cloned(), changed);
                    self.cache.insert(*token, Remembered { since, task: task.clone() });
                    for client in waiting {
                        let _ = client.send(Ok(task.clone()));
                    }
                }
                Err(error) => {
                    for client in waiting {
                        let _ = client.send(Err(RecordsError::alike(error)));
                    }
                }
            }
        }
    }

    /// To be called after a change of a task by this process is committed.
    pub(super) fn changed(&self, token: Uuid, task: UrlTask) {
        self.note(token, task, true);
    }

    /// The same for progress. It is remembered only where the task is: if this call comes late, its end may have been
    /// remembered and forgotten since.
    pub(super) fn progressed(&self, token: Uuid, done: u64, total: Option<u64>) {
        self.note(token, UrlTask::Progress { done, total }, false);
    }

    /// To be called after tasks have gone.
    pub(super) fn wipe(&self) {
        let Self { cache, look_ups: _ } = self;
        let mut look_ups = self.lock();
        look_ups.wiped = Some(Instant::now());
        for wanted in look_ups.wanted.values_mut() {
            wanted.changed = None;
        }
        cache.clear();
    }

    fn note(&self, token: Uuid, task: UrlTask, keep: bool) {
        let mut look_ups = self.lock();
        if let Some(wanted) = look_ups.wanted.get_mut(&token) {
            wanted.changed = later(wanted.changed.take(), Some(task.clone()));
        }
        let before = self.cache.get(&token);
        if keep || before.is_some() {
            let task = later(before.and_then(|before| before.task), Some(task));
            self.cache.insert(token, Remembered { since: Instant::now(), task });
        }
    }
}

fn has_ended(task: &UrlTask) -> bool {
    matches!(task, UrlTask::Success(_) | UrlTask::Failed { .. })
}

/// Which of two states of a task is the later one; `change` where nothing tells.
fn later(state: Option<UrlTask>, change: Option<UrlTask>) -> Option<UrlTask> {
    let rank = |task: &Option<UrlTask>| match task {
        None => 0,
        Some(UrlTask::Waiting) => 1,
        Some(UrlTask::Progress { .. }) => 2,
        Some(UrlTask::Success(_) | UrlTask::Failed { .. }) => 3,
    };
    if rank(&state) > rank(&change) { state } else { change }
}

/// Reads what is wanted until nothing is; one query at a time, so that what arrives during one shares the next.
struct Reader {
    engine: Engine,
    tasks: Arc<HotTasks>,
    ended: bool,
}

impl Reader {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(GATHER).await;
            let tokens = self.tasks.gathered();
            if tokens.is_empty() {
                self.ended = true;
                return;
            }
            let since = Instant::now();
            let read = read_tasks(&self.engine, &tokens).await;
            self.tasks.settle(&tokens, since, &read);
        }
    }
}

/// A reader that is broken off leaves nobody waiting, and lets the next look-up start another one.
impl Drop for Reader {
    fn drop(&mut self) {
        if !self.ended {
            // Whose sender is dropped is told that the answer will not come.
            *self.tasks.lock() = LookUps::default();
        }
    }
}

impl Records {
    /// How far a task is, for clients that ask again and again; none for unknown tokens and those purged. What another
    /// process has changed may go unseen for half a second. What this process has changed is seen at once, and a task
    /// never goes backwards.
    pub async fn hot_url_task(&self, token: Uuid) -> Result<Option<UrlTask>, RecordsError> {
        let tasks = &self.inner.tasks;
        match tasks.look_up(token) {
            Found::Known(task) => Ok(task),
            Found::Soon { answer, begin } => {
                if begin {
                    let (engine, tasks) = (self.engine().clone(), Arc::clone(tasks));
                    tokio::spawn(Reader { engine, tasks, ended: false }.run());
                }
                answer.await.unwrap_or_else(|_| Err(RecordsError::Database(sqlx::Error::WorkerCrashed)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stowage_model::FileId;

    use super::*;

    const TOKEN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn success() -> UrlTask {
        UrlTask::Success(FileId(Uuid::from_u128(3)))
    }

    fn progress(done: u64) -> UrlTask {
        UrlTask::Progress { done, total: None }
    }

    fn wait(tasks: &HotTasks, token: Uuid) -> (oneshot::Receiver<Answer>, bool) {
        match tasks.look_up(token) {
            Found::Soon { answer, begin } => (answer, begin),
            Found::Known(task) => panic!("known: {task:?}"),
        }
    }

    fn known(tasks: &HotTasks, token: Uuid) -> Option<UrlTask> {
        match tasks.look_up(token) {
            Found::Known(task) => task,
            Found::Soon { .. } => panic!("not known"),
        }
    }

    #[test]
    fn look_ups_share_a_reader_and_a_query() {
        let tasks = HotTasks::new();
        let (mut one, begin) = wait(&tasks, TOKEN);
        assert!(begin, "the first one starts the reader");
        let (mut same, begin) = wait(&tasks, TOKEN);
        assert!(!begin);
        let (mut other, begin) = wait(&tasks, OTHER);
        assert!(!begin);
        let tokens = tasks.gathered();
        assert_eq!(tokens, [TOKEN, OTHER], "each once, in one query");
        // Whoever comes while it runs and wants the same waits for it; others are for the next.
        let (mut late, begin) = wait(&tasks, TOKEN);
        assert!(!begin);
        tasks.settle(&tokens, Instant::now(), &Ok(HashMap::from([(TOKEN, progress(5))])));
        for answer in [&mut one, &mut same, &mut late] {
            assert_eq!(answer.try_recv().unwrap().unwrap(), Some(progress(5)));
        }
        assert_eq!(other.try_recv().unwrap().unwrap(), None);
        assert_eq!((known(&tasks, TOKEN), known(&tasks, OTHER)), (Some(progress(5)), None));
        assert!(tasks.gathered().is_empty(), "the reader ends");
        let (_, begin) = wait(&tasks, Uuid::from_u128(9));
        assert!(begin, "and the next look-up starts another one");
    }

    #[test]
    fn a_read_that_is_older_than_a_change_does_not_hide_it() {
        let tasks = HotTasks::new();
        let (mut answer, _) = wait(&tasks, TOKEN);
        let tokens = tasks.gathered();
        tasks.changed(TOKEN, success());
        tasks.settle(&tokens, Instant::now(), &Ok(HashMap::from([(TOKEN, UrlTask::Waiting)])));
        assert_eq!(answer.try_recv().unwrap().unwrap(), Some(success()));
        assert_eq!(known(&tasks, TOKEN), Some(success()));
        // And a read that saw the end is not hidden by progress that was noted late.
        let (mut answer, _) = wait(&tasks, OTHER);
        let tokens = tasks.gathered();
        tasks.progressed(OTHER, 7, None);
        tasks.settle(&tokens, Instant::now(), &Ok(HashMap::from([(OTHER, success())])));
        assert_eq!(answer.try_recv().unwrap().unwrap(), Some(success()));
    }

    #[test]
    fn what_was_read_before_a_wipe_is_read_once_more() {
        let tasks = HotTasks::new();
        tasks.changed(OTHER, success());
        let (mut answer, _) = wait(&tasks, TOKEN);
        let (tokens, since) = (tasks.gathered(), Instant::now());
        tasks.changed(TOKEN, success());
        tasks.wipe();
        tasks.settle(&tokens, since, &Ok(HashMap::from([(TOKEN, success())])));
        assert!(answer.try_recv().is_err(), "not yet");
        assert_eq!(tasks.gathered(), [TOKEN]);
        std::thread::sleep(Duration::from_millis(1));
        tasks.settle(&[TOKEN], Instant::now(), &Ok(HashMap::new()));
        assert_eq!(answer.try_recv().unwrap().unwrap(), None);
        wait(&tasks, OTHER);
    }

    #[test]
    fn tasks_do_not_go_backwards_in_memory() {
        let tasks = HotTasks::new();
        tasks.changed(TOKEN, UrlTask::Waiting);
        tasks.progressed(TOKEN, 5, Some(10));
        assert_eq!(known(&tasks, TOKEN), Some(UrlTask::Progress { done: 5, total: Some(10) }));
        tasks.changed(TOKEN, UrlTask::Waiting);
        assert_eq!(known(&tasks, TOKEN), Some(UrlTask::Progress { done: 5, total: Some(10) }));
        tasks.progressed(TOKEN, 1, None);
        assert_eq!(known(&tasks, TOKEN), Some(progress(1)), "another attempt begins anew");
        tasks.changed(TOKEN, success());
        tasks.progressed(TOKEN, 9, None);
        assert_eq!(known(&tasks, TOKEN), Some(success()));
        tasks.progressed(OTHER, 9, None);
        wait(&tasks, OTHER);
    }

    #[test]
    fn a_failed_read_is_told_to_everybody_and_not_remembered() {
        let tasks = HotTasks::new();
        let ((mut one, _), (mut two, _)) = (wait(&tasks, TOKEN), wait(&tasks, TOKEN));
        let tokens = tasks.gathered();
        tasks.settle(&tokens, Instant::now(), &Err(sqlx::Error::PoolTimedOut));
        assert!(one.try_recv().unwrap().is_err() && two.try_recv().unwrap().is_err());
        wait(&tasks, TOKEN);
    }

    #[tokio::test]
    async fn a_reader_that_is_broken_off_leaves_nobody_waiting() {
        let tasks = Arc::new(HotTasks::new());
        let (answer, _) = wait(&tasks, TOKEN);
        let engine = Engine::Postgres(sqlx::PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap());
        drop(Reader { engine, tasks: Arc::clone(&tasks), ended: false });
        assert!(answer.await.is_err());
        assert!(wait(&tasks, TOKEN).1, "the next look-up starts another reader");
    }
}
