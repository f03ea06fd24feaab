//! Storing and removing files. Whatever waits when the last transaction has ended goes into the next one together, so that
//! many small requests share one wait for the disk, as uploads do in `intake`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use stowage_model::{Cause, Event, EventKind, File, FileId, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, json_of, transaction};
use super::events::{self, HotHooks, Wanted, tell};
use super::files::{FileRow, HotFiles, columns};
use super::intake::certainly_undone;
use super::wipe::{self, Pause, Paused};
use super::{Records, RecordsError};

/// The most changes that are taken at once.
const BATCH: usize = 32;
/// With how many files a transaction is full. Their records are in memory meanwhile, and each may have 30 KiB of metadata.
const MAX_FILES: usize = 256;

impl Records {
    /// Stores those of these files of a project that are temporary, and brings back those that are removed and whose bytes
    /// are still there; files that are stored keep their time. Answers all of them that are stored now, as they are now, by
    /// upload time: what is not in the answer is missing in the project, or its bytes are gone. `cause` is told to webhooks,
    /// for those that were not stored before.
    pub async fn store_files(
        &self,
        project: ProjectId,
        ids: &[FileId],
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Vec<File>, RecordsError> {
        self.change(Aim::Stored, project, ids, cause, now).await
    }

    /// Removes these files of a project; their bytes stay until [`Records::let_go`]. Files that are removed keep their time.
    /// Answers all of them that there are, as they are now, by upload time. `cause` is told to webhooks, for those that were
    /// not removed before.
    pub async fn remove_files(
        &self,
        project: ProjectId,
        ids: &[FileId],
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Vec<File>, RecordsError> {
        self.change(Aim::Removed, project, ids, cause, now).await
    }

    async fn change(
        &self,
        aim: Aim,
        project: ProjectId,
        ids: &[FileId],
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Vec<File>, RecordsError> {
        let ids: BTreeSet<FileId> = ids.iter().copied().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let cause = cause.clone();
        self.inner.changes.ask(|done| Change { aim, project, ids, cause, now, done }).await
    }
}

/// What a file is to become.
#[derive(Clone, Copy)]
enum Aim {
    Stored,
    Removed,
}

struct Change {
    aim: Aim,
    project: ProjectId,
    ids: BTreeSet<FileId>,
    cause: Cause,
    now: Timestamp,
    done: oneshot::Sender<Result<Vec<File>, RecordsError>>,
}

enum Order {
    Change(Box<Change>),
    /// Make what is queued, and stand still.
    Pause(Pause),
    /// Make what is queued, then end; the sender is dropped when that is done.
    End(oneshot::Sender<()>),
}

/// The task that makes changes.
pub(super) struct Changes(mpsc::Sender<Order>);

impl Changes {
    /// Starts the task; it ends with the last clone of the records.
    pub(super) fn start(engine: Engine, hooks: Arc<HotHooks>, files: Arc<HotFiles>) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(Changer { engine, hooks, files }.run(receiver));
        Self(sender)
    }

    /// Hands a change in and waits for the answer. What was handed in is done even if nobody waits any more.
    async fn ask(
        &self,
        change: impl FnOnce(oneshot::Sender<Result<Vec<File>, RecordsError>>) -> Change,
    ) -> Result<Vec<File>, RecordsError> {
        let gone = || RecordsError::Database(sqlx::Error::WorkerCrashed);
        let (done, answer) = oneshot::channel();
        self.0.send(Order::Change(Box::new(change(done)))).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until everything that was handed in is made; nothing more is, until what is answered is dropped.
    pub(super) async fn pause(&self) -> Result<Paused, RecordsError> {
        let (pause, paused) = wipe::pause();
        // Whoever has ended says so by dropping it.
        let _ = self.0.send(Order::Pause(pause)).await;
        paused.begun().await
    }

    /// Waits until everything that was handed in is made, and takes no more.
    pub(super) async fn end(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.send(Order::End(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

struct Changer {
    engine: Engine,
    hooks: Arc<HotHooks>,
    files: Arc<HotFiles>,
}

impl Changer {
    async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let mut received = Vec::with_capacity(BATCH);
        let (mut pauses, mut waiting_for_the_end) = (Vec::new(), Vec::new());
        while orders.recv_many(&mut received, BATCH).await > 0 {
            let (mut changes, mut files) = (Vec::new(), 0);
            for order in received.drain(..) {
                match order {
                    Order::Change(change) => {
                        if files + change.ids.len() > MAX_FILES {
                            self.make(std::mem::take(&mut changes)).await;
                            files = 0;
                        }
                        files += change.ids.len();
                        changes.push(*change);
                    }
                    Order::Pause(pause) => pauses.push(pause),
                    Order::End(done) => {
                        orders.close();
                        waiting_for_the_end.push(done);
                    }
                }
            }
            self.make(changes).await;
            for pause in pauses.drain(..) {
                pause.hold().await;
            }
        }
    }

    /// Makes changes in one transaction, in their order, and answers them.
    async fn make(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let outcome = match self.attempt(&changes).await {
            // Another node was in the way.
            Err(error) if certainly_undone(&error) => self.attempt(&changes).await,
            outcome => outcome,
        };
        match outcome {
            Ok(answers) => {
                for (change, files) in changes.into_iter().zip(answers) {
                    let _ = change.done.send(Ok(files));
                }
            }
            Err(error) => {
                for change in changes {
                    let _ = change.done.send(Err(RecordsError::alike(&error)));
                }
            }
        }
    }

    async fn attempt(&self, changes: &[Change]) -> Result<Vec<Vec<File>>, sqlx::Error> {
        let (files_sql, change_sql) = texts(&self.engine);
        let ids: BTreeSet<FileId> = changes.iter().flat_map(|change| change.ids.iter().copied()).collect();
        let ids = json_of(ids.into_iter().map(|id| id.0));
        let now = changes.iter().map(|change| change.now).max().unwrap_or(Timestamp(0));
        let mut wanted = Vec::with_capacity(changes.len());
        for change in changes {
            wanted.push(self.hooks.wanted(&self.engine, change.project).await?);
        }
        let (answers, work) = transaction!(&self.engine, tx => {
            let rows: Vec<FileRow> = sqlx::query_as(files_sql).bind(ids).fetch_all(&mut *tx).await?;
            let mut work = Work::new(rows.into_iter().map(File::from));
            let answers: Vec<Vec<File>> =
                changes.iter().zip(wanted).map(|(change, wanted)| work.change(change, wanted)).collect();
            if !work.changed.is_empty() {
                sqlx::query(change_sql).bind(work.rows()).execute(&mut *tx).await?;
            }
            let told = events::told(&work.events);
            tell!(tx, told, now)?;
            tx.commit().await?;
            if !told.is_empty() {
                self.hooks.happened();
            }
            (answers, work)
        });
        for id in work.changed {
            if work.files.get(&id).is_some_and(|file| file.removed_at.is_some()) {
                self.files.removed(id);
            } else {
                self.files.forget(id);
            }
        }
        Ok(answers)
    }
}

/// The files of a transaction, and what happens to them in it.
struct Work {
    files: HashMap<FileId, File>,
    changed: BTreeSet<FileId>,
    events: Vec<Event>,
}

impl Work {
    fn new(files: impl Iterator<Item = File>) -> Self {
        Self { files: files.map(|file| (file.id, file)).collect(), changed: BTreeSet::new(), events: Vec::new() }
    }

    /// Makes one change and answers what it is to be answered.
    fn change(&mut self, change: &Change, wanted: Wanted) -> Vec<File> {
        let mut answer = BTreeMap::new();
        for id in &change.ids {
            let Some(file) = self.files.get_mut(id).filter(|file| file.project == change.project) else { continue };
            let kind = match change.aim {
                Aim::Stored if file.removed_at.is_some() && file.blob.is_none() => continue,
                Aim::Stored if file.stored_at.is_none() => {
                    (file.stored_at, file.removed_at) = (Some(change.now), None);
                    Some(EventKind::Stored)
                }
                Aim::Removed if file.removed_at.is_none() => {
                    (file.stored_at, file.removed_at) = (None, Some(change.now));
                    Some(EventKind::Deleted)
                }
                Aim::Stored | Aim::Removed => None,
            };
            if let Some(kind) = kind {
                self.changed.insert(*id);
                if wanted.has(kind) {
                    let (file, cause) = (file.clone(), change.cause.clone());
                    self.events.push(Event { kind, file, cause, previous_metadata: None });
                }
            }
            answer.insert(file.uploaded_at, file.clone());
        }
        answer.into_values().collect()
    }

    /// The new dates of what has changed, as the statement that writes them takes them apart.
    fn rows(&self) -> String {
        let micros = |time: Option<Timestamp>| time.map(Timestamp::micros);
        let rows: Vec<(String, Option<i64>, Option<i64>)> = self
            .changed
            .iter()
            .filter_map(|id| self.files.get(id))
            .map(|file| (file.id.0.simple().to_string(), micros(file.stored_at), micros(file.removed_at)))
            .collect();
        serde_json::json!(rows).to_string()
    }
}

/// The statements that find files and that write their dates.
fn texts(engine: &Engine) -> (&'static str, &'static str) {
    const FILES_SQLITE: &str =
        concat!("SELECT ", columns!(), " FROM files WHERE id IN (SELECT unhex(value) FROM json_each($1))");
    // Locked in the order of their ids, so that nodes that change the same files wait for each other and nothing worse.
    const FILES_POSTGRES: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM files WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb))) \
         ORDER BY id FOR UPDATE"
    );
    const CHANGE_SQLITE: &str = "UPDATE files SET stored_at = c.value ->> 1, removed_at = c.value ->> 2 \
         FROM json_each($1) c WHERE files.id = unhex(c.value ->> 0)";
    const CHANGE_POSTGRES: &str = "UPDATE files SET stored_at = (c ->> 1)::bigint, removed_at = (c ->> 2)::bigint \
         FROM jsonb_array_elements($1::jsonb) c WHERE files.id = (c ->> 0)::uuid";
    match engine {
        Engine::Sqlite { .. } => (FILES_SQLITE, CHANGE_SQLITE),
        Engine::Postgres(_) => (FILES_POSTGRES, CHANGE_POSTGRES),
    }
}
