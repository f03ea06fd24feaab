//! The writer: it records new files and arrived parts. Commits are gathered: whatever waits when the writer becomes free
//! goes into one statement, or one transaction, and so into one wait for the disk, which is what makes small durable
//! uploads fast. The writer also hands out upload times.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::error::ErrorKind;
use stowage_model::{Cause, Clock, Event, EventKind, FileId, NewFile, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::arrivals::{self, Arrival, Arrived, record_arrivals};
use super::complete::Completion;
use super::engine::{Engine, transaction, write};
use super::events::{self, HotHooks, Told, Wanted, tell};
use super::files::HotFiles;
use super::finish::Finish;
use super::hot_tasks::HotTasks;
use super::insert::{
    MAX_ROWS, Row, TRIES, free_time, id_is_taken, insert_files, is_taken, leap, lock_times, no_free_time,
};
use super::wipe::{self, Pause, Paused};
use super::{Records, RecordsError};

/// The most orders that are taken at once.
const BATCH: usize = 32;
/// How far the times of a burst may run ahead of the clock before the clock is believed again (it was set back).
const AHEAD: i64 = 1_000_000;

/// Why files were not recorded; none of them was.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// One of the ids is taken.
    #[error("the id {0} is taken")]
    IdTaken(FileId),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// The files of one upload.
pub(super) struct Commit {
    project: ProjectId,
    files: Vec<NewFile>,
    cause: Cause,
    done: oneshot::Sender<Result<Vec<Timestamp>, AddError>>,
}

pub(super) enum Order {
    Commit(Commit),
    Arrival(Arrival),
    Complete(Box<Completion>),
    Finish(Box<Finish>),
    /// Commit what is queued, forget which times were handed out, and stand still.
    Pause(Pause),
    /// Commit what is queued, then end; the sender is dropped when that is done.
    End(oneshot::Sender<()>),
}

/// What the writer works with, and the transactions that it starts.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) engine: Engine,
    pub(super) files: Arc<HotFiles>,
    pub(super) tasks: Arc<HotTasks>,
    pub(super) hooks: Arc<HotHooks>,
}

pub(super) struct Intake(mpsc::Sender<Order>);

impl Intake {
    /// Starts the writer; it ends with the last clone of the records.
    pub(super) fn start(tools: Tools, clock: Clock) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(Writer { tools, clock, latest: HashMap::new(), alone: JoinSet::new() }.run(receiver));
        Self(sender)
    }

    /// Hands an order in and waits for the answer. What was handed in is done even if nobody waits any more.
    pub(super) async fn ask<T, E: From<RecordsError>>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Order,
    ) -> Result<T, E> {
        let gone = || E::from(RecordsError::Database(sqlx::Error::WorkerCrashed));
        let (done, answer) = oneshot::channel();
        self.0.send(order(done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until everything that was handed in is committed; nothing more is, until what is answered is dropped.
    pub(super) async fn pause(&self) -> Result<Paused, RecordsError> {
        let (pause, paused) = wipe::pause();
        // Whoever has ended says so by dropping it.
        let _ = self.0.send(Order::Pause(pause)).await;
        paused.begun().await
    }

    /// Waits until everything that was handed in is committed, and takes no more.
    pub(super) async fn end(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.send(Order::End(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

impl Records {
    /// Records the files of one upload, all or none, and answers their upload times in the same order. `cause` is told to
    /// webhooks.
    pub async fn add_files(
        &self,
        project: ProjectId,
        files: Vec<NewFile>,
        cause: Cause,
    ) -> Result<Vec<Timestamp>, AddError> {
        self.inner.intake.ask(|done| Order::Commit(Commit { project, files, cause, done })).await
    }
}

struct Writer {
    tools: Tools,
    clock: Clock,
    /// The last time that each project got from this process.
    latest: HashMap<ProjectId, Timestamp>,
    /// Transactions that do more than insert. The writer does not wait for them: they may wait for locks of other nodes.
    alone: JoinSet<()>,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut received = Vec::with_capacity(BATCH);
        let (mut pauses, mut waiting_for_the_end) = (Vec::new(), Vec::new());
        while orders.recv_many(&mut received, BATCH).await > 0 {
            let (mut commits, mut arrivals) = (Vec::with_capacity(received.len()), Vec::new());
            for order in received.drain(..) {
                match order {
                    Order::Commit(commit) => commits.push(commit),
                    Order::Arrival(arrival) => arrivals.push(arrival),
                    Order::Complete(completion) => {
                        let time = self.next_time(completion.project);
                        self.alone.spawn(completion.run(self.tools.clone(), time));
                    }
                    Order::Finish(finish) => {
                        let time = self.next_time(finish.project);
                        self.alone.spawn(finish.run(self.tools.clone(), time));
                    }
                    Order::Pause(pause) => pauses.push(pause),
                    Order::End(done) => {
                        orders.close();
                        waiting_for_the_end.push(done);
                    }
                }
            }
            if !commits.is_empty() || !arrivals.is_empty() {
                self.commit(commits, arrivals).await;
            }
            while self.alone.try_join_next().is_some() {}
            for pause in pauses.drain(..) {
                while self.alone.join_next().await.is_some() {}
                self.latest.clear();
                pause.hold().await;
            }
        }
        while self.alone.join_next().await.is_some() {}
    }

    async fn commit(&mut self, commits: Vec<Commit>, arrivals: Vec<Arrival>) {
        let times: Vec<Vec<Timestamp>> = commits
            .iter()
            .map(|commit| commit.files.iter().map(|_| self.next_time(commit.project)).collect())
            .collect();
        let rows: Vec<Row<'_>> = commits
            .iter()
            .zip(&times)
            .flat_map(|(commit, times)| {
                commit.files.iter().zip(times).map(|(file, time)| (commit.project, file, *time))
            })
            .collect();
        let inserted = match self.wanted(&commits).await {
            Ok(wanted) => {
                let told = told(&commits, &times, &wanted);
                insert(&self.tools.engine, &rows, &arrivals, &told, self.clock.now()).await.inspect(|_| {
                    if !told.is_empty() {
                        self.tools.hooks.happened();
                    }
                })
            }
            Err(error) => Err(error),
        };
        match inserted {
            Ok(arrived) => {
                for (commit, times) in commits.into_iter().zip(times) {
                    self.answer(commit, Ok(times));
                }
                arrivals::answer(arrivals, &arrived);
                return;
            }
            Err(error) if certainly_undone(&error) => {}
            Err(error) => {
                // Perhaps it was committed and only the answer got lost, so it must not be tried again: a second try would
                // find the first one's files and take them for somebody else's.
                for commit in commits {
                    self.answer(commit, Err(AddError::Records(RecordsError::alike(&error))));
                }
                for arrival in arrivals {
                    let _ = arrival.done.send(Err(RecordsError::alike(&error)));
                }
                return;
            }
        }
        // Something in the batch is wrong, and nothing of it was recorded. Alone, each order succeeds or fails for its own
        // reasons.
        for (commit, times) in commits.into_iter().zip(times) {
            let outcome = insert_carefully(&self.tools, &commit, &times, self.clock.now()).await;
            if let Ok(times) = &outcome
                && let Some(last) = times.last()
            {
                self.latest.insert(commit.project, *last);
            }
            self.answer(commit, outcome);
        }
        for arrival in arrivals {
            let alone = std::slice::from_ref(&arrival);
            let outcome = insert(&self.tools.engine, &[], alone, &[], self.clock.now())
                .await
                .map(|arrived| arrived.contains(&arrival.place()));
            let _ = arrival.done.send(outcome.map_err(RecordsError::from));
        }
    }

    /// What each commit's project wants to be told of.
    async fn wanted(&self, commits: &[Commit]) -> Result<Vec<Wanted>, sqlx::Error> {
        let mut wanted = Vec::with_capacity(commits.len());
        for commit in commits {
            wanted.push(self.tools.hooks.wanted(&self.tools.engine, commit.project).await?);
        }
        Ok(wanted)
    }

    fn answer(&self, commit: Commit, outcome: Result<Vec<Timestamp>, AddError>) {
        // Before the answer: whoever has it must see the files in lists.
        self.tools.files.changed();
        // Whoever went away meanwhile has uploaded a file all the same.
        let _ = commit.done.send(outcome);
    }

    /// A time that no other file of the project has got from this process.
    fn next_time(&mut self, project: ProjectId) -> Timestamp {
        let now = self.clock.now();
        let time = match self.latest.get(&project) {
            Some(last) if *last >= now && last.0 - now.0 < AHEAD => Timestamp(last.0 + 1),
            _ => now,
        };
        self.latest.insert(project, time);
        time
    }
}

/// Whether the database refused to do something for what is in it or for what others did at the same time, and so has
/// certainly not done it.
pub(super) fn certainly_undone(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.kind() != ErrorKind::Other
            || error.code().is_some_and(|code| {
                // Postgres: data exceptions, serialization failures and deadlocks. SQLite has shorter codes.
                code.len() == 5 && (code.starts_with("22") || ["40001", "40P01"].contains(&&*code))
            })
    })
}

/// What is to be told of new files: that they were uploaded and, where they are, stored.
pub(super) fn events_of<'a>(
    project: ProjectId,
    files: impl IntoIterator<Item = (&'a NewFile, Timestamp)>,
    cause: &Cause,
    wanted: Wanted,
) -> Vec<Event> {
    let mut events = Vec::new();
    if wanted.none() {
        return events;
    }
    for (new, time) in files {
        let file = new.recorded(project, time);
        for (kind, happened) in [(EventKind::Uploaded, true), (EventKind::Stored, new.stored)] {
            if happened && wanted.has(kind) {
                let (file, cause) = (file.clone(), cause.clone());
                events.push(Event { kind, file, cause, previous_metadata: None });
            }
        }
    }
    events
}

fn told(commits: &[Commit], times: &[Vec<Timestamp>], wanted: &[Wanted]) -> Vec<Told> {
    let events: Vec<Event> = commits
        .iter()
        .zip(times)
        .zip(wanted)
        .flat_map(|((commit, times), wanted)| {
            events_of(commit.project, commit.files.iter().zip(times.iter().copied()), &commit.cause, *wanted)
        })
        .collect();
    events::told(&events)
}

/// Inserts all files or none and records the parts of uploads that are open: in one statement, which needs no transaction
/// around it, unless there are both, webhooks are told of the files, or one upload has very many of them. Answers which parts
/// were recorded.
async fn insert(
    engine: &Engine,
    rows: &[Row<'_>],
    arrivals: &[Arrival],
    told: &[Told],
    now: Timestamp,
) -> Result<Arrived, sqlx::Error> {
    if rows.is_empty() && arrivals.is_empty() {
        return Ok(Arrived::default());
    }
    if arrivals.is_empty() && told.is_empty() && rows.len() <= MAX_ROWS {
        return write!(engine, pool => insert_files!(rows).execute(pool).await.map(|_| Arrived::default()));
    }
    if rows.is_empty() {
        return write!(engine, pool => record_arrivals!(engine, arrivals, pool));
    }
    transaction!(engine, tx => {
        // The parts come first, as uploads do wherever files are inserted: nodes that lock in one order cannot block each
        // other.
        let arrived = if arrivals.is_empty() { Arrived::default() } else { record_arrivals!(engine, arrivals, &mut *tx)? };
        for rows in rows.chunks(MAX_ROWS) {
            insert_files!(rows).execute(&mut *tx).await?;
        }
        tell!(tx, *told, now)?;
        tx.commit().await?;
        Ok(arrived)
    })
}

/// Inserts the files of one upload, moving times that are taken.
async fn insert_carefully(
    tools: &Tools,
    commit: &Commit,
    times: &[Timestamp],
    now: Timestamp,
) -> Result<Vec<Timestamp>, AddError> {
    for snatched in 0..TRIES {
        let times = times.iter().map(|time| leap(*time, snatched)).collect();
        match insert_where_free(tools, commit, times, now).await {
            Ok(outcome) => return outcome,
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(RecordsError::from(error).into()),
        }
    }
    Err(no_free_time().into())
}

async fn insert_where_free(
    tools: &Tools,
    commit: &Commit,
    mut times: Vec<Timestamp>,
    now: Timestamp,
) -> Result<Result<Vec<Timestamp>, AddError>, sqlx::Error> {
    let Commit { project, files, cause, .. } = commit;
    let (engine, project) = (&tools.engine, *project);
    let wanted = tools.hooks.wanted(engine, project).await?;
    transaction!(engine, tx => {
        lock_times!(engine, tx, project)?;
        for (index, file) in files.iter().enumerate() {
            if files[..index].iter().any(|other| other.id == file.id) || id_is_taken!(tx, file.id)? {
                return Ok(Err(AddError::IdTaken(file.id)));
            }
            let wanted = match index.checked_sub(1) {
                Some(before) => times[index].max(Timestamp(times[before].0 + 1)),
                None => times[index],
            };
            times[index] = free_time!(tx, project, wanted)?;
        }
        let rows: Vec<Row<'_>> = files.iter().zip(&times).map(|(file, time)| (project, file, *time)).collect();
        for rows in rows.chunks(MAX_ROWS) {
            insert_files!(rows).execute(&mut *tx).await?;
        }
        let told = events::told(&events_of(project, files.iter().zip(times.iter().copied()), cause, wanted));
        tell!(tx, told, now)?;
        tx.commit().await?;
        if !told.is_empty() {
            tools.hooks.happened();
        }
        Ok(Ok(times))
    })
}
