//! Recording new files. Commits are gathered: whatever waits when the writer becomes free goes into one statement and
//! so into one wait for the disk, which is what makes small durable uploads fast.

use std::collections::HashMap;
use std::sync::OnceLock;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::types::Json;
use stowage_model::{Clock, FileId, NewFile, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, transaction, write};
use super::{Records, RecordsError};

/// The most commits that share one statement.
const BATCH: usize = 32;
/// The most rows of one statement; there is a prepared statement for each number of rows.
const MAX_ROWS: usize = 32;
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

struct Commit {
    project: ProjectId,
    files: Vec<NewFile>,
    done: oneshot::Sender<Result<Vec<Timestamp>, AddError>>,
}

enum Order {
    Commit(Commit),
    /// Commit what is queued, then end; the sender is dropped when that is done.
    End(oneshot::Sender<()>),
}

pub(super) struct Intake(mpsc::Sender<Order>);

impl Intake {
    /// Starts the writer; it ends with the last clone of the records.
    pub(super) fn start(engine: Engine, clock: Clock) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(Writer { engine, clock, latest: HashMap::new() }.run(receiver));
        Self(sender)
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
    /// Records the files of one upload, all or none, and answers their upload times in the same order.
    pub async fn add_files(&self, project: ProjectId, files: Vec<NewFile>) -> Result<Vec<Timestamp>, AddError> {
        let gone = || AddError::Records(RecordsError::Database(sqlx::Error::WorkerCrashed));
        let (done, answer) = oneshot::channel();
        self.inner.intake.0.send(Order::Commit(Commit { project, files, done })).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Writer {
    engine: Engine,
    clock: Clock,
    /// The last time that each project got from this process.
    latest: HashMap<ProjectId, Timestamp>,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut received = Vec::with_capacity(BATCH);
        let mut waiting_for_the_end = Vec::new();
        while orders.recv_many(&mut received, BATCH).await > 0 {
            let mut batch = Vec::with_capacity(received.len());
            for order in received.drain(..) {
                match order {
                    Order::Commit(commit) => batch.push(commit),
                    Order::End(done) => {
                        orders.close();
                        waiting_for_the_end.push(done);
                    }
                }
            }
            if !batch.is_empty() {
                self.commit(batch).await;
            }
        }
    }

    async fn commit(&mut self, batch: Vec<Commit>) {
        let times: Vec<Vec<Timestamp>> =
            batch.iter().map(|commit| commit.files.iter().map(|_| self.next_time(commit.project)).collect()).collect();
        let rows: Vec<Row<'_>> = batch
            .iter()
            .zip(&times)
            .flat_map(|(commit, times)| {
                commit.files.iter().zip(times).map(|(file, time)| (commit.project, file, *time))
            })
            .collect();
        match insert(&self.engine, &rows).await {
            Ok(()) => {
                for (commit, times) in batch.into_iter().zip(times) {
                    // Whoever went away meanwhile has uploaded a file all the same.
                    let _ = commit.done.send(Ok(times));
                }
                return;
            }
            Err(error) if blames_a_row(&error) => {}
            Err(error) => {
                // Perhaps it was committed and only the answer got lost, so it must not be tried again: a second try would
                // find the first one's files and take them for somebody else's.
                for commit in batch {
                    let _ = commit.done.send(Err(AddError::Records(RecordsError::alike(&error))));
                }
                return;
            }
        }
        // Something in the batch is wrong, and nothing of it was recorded. Alone, each commit succeeds or fails for its own
        // reasons.
        for (commit, times) in batch.into_iter().zip(times) {
            let outcome = insert_carefully(&self.engine, commit.project, &commit.files, times).await;
            if let Ok(times) = &outcome
                && let Some(last) = times.last()
            {
                self.latest.insert(commit.project, *last);
            }
            let _ = commit.done.send(outcome);
        }
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

/// Whether the database refused a statement for what is in it, and so has certainly not carried it out.
fn blames_a_row(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        // Class 22 of Postgres: data exceptions.
        error.kind() != ErrorKind::Other || error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
    })
}

/// The statement that inserts `rows`, of which there are at most [`MAX_ROWS`], with their values bound.
macro_rules! statement {
    ($rows:expr) => {{
        let mut query = sqlx::query(insert_sql($rows.len()));
        for (project, file, time) in $rows {
            query = query
                .bind(file.id.0)
                .bind(project.0)
                .bind(time.0)
                .bind(file.stored.then_some(time.0))
                .bind(&file.blob.0)
                .bind(i64::try_from(file.size).unwrap_or(i64::MAX))
                .bind(&file.etag)
                .bind(file.name.original())
                .bind(&file.mime_type)
                .bind(file.is_image)
                .bind(Json(&file.content))
                .bind(Json(&file.metadata))
                .bind(Json(&file.tags))
                .bind(file.source.as_deref());
        }
        query
    }};
}

/// A file with what its row needs besides.
type Row<'a> = (ProjectId, &'a NewFile, Timestamp);

/// Inserts all rows or none: in one statement, which needs no transaction around it, unless one upload has very many.
async fn insert(engine: &Engine, rows: &[Row<'_>]) -> Result<(), sqlx::Error> {
    if rows.len() <= MAX_ROWS {
        return write!(engine, pool => statement!(rows).execute(pool).await.map(drop));
    }
    transaction!(engine, tx => {
        for rows in rows.chunks(MAX_ROWS) {
            statement!(rows).execute(&mut *tx).await?;
        }
        tx.commit().await
    })
}

/// The text for `rows` rows, written once: the engines know prepared statements by their text.
fn insert_sql(rows: usize) -> &'static str {
    const COLUMNS: usize = 14;
    static TEXTS: [OnceLock<String>; MAX_ROWS + 1] = [const { OnceLock::new() }; MAX_ROWS + 1];
    TEXTS[rows].get_or_init(|| {
        let row = |at: usize| {
            let values: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", at * COLUMNS + column)).collect();
            format!("({})", values.join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!(
            "INSERT INTO files (id, project, uploaded_at, stored_at, blob, size, etag, name, mime_type, is_image, \
             content, metadata, tags, source) VALUES {}",
            rows.join(", ")
        )
    })
}

/// Inserts the files of one upload in a statement of their own, moving times that are taken.
async fn insert_carefully(
    engine: &Engine,
    project: ProjectId,
    files: &[NewFile],
    mut times: Vec<Timestamp>,
) -> Result<Vec<Timestamp>, AddError> {
    /// How often other nodes may snatch the time that was just found free.
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        for (index, file) in files.iter().enumerate() {
            if id_is_taken(engine, file.id).await? || files[..index].iter().any(|other| other.id == file.id) {
                return Err(AddError::IdTaken(file.id));
            }
            let wanted = match index.checked_sub(1) {
                Some(before) => times[index].max(Timestamp(times[before].0 + 1)),
                None => times[index],
            };
            times[index] = free_time(engine, project, wanted).await?;
        }
        let rows: Vec<Row<'_>> = files.iter().zip(&times).map(|(file, time)| (project, file, *time)).collect();
        match insert(engine, &rows).await {
            Ok(()) => return Ok(times),
            Err(error) if error.as_database_error().is_some_and(DatabaseError::is_unique_violation) => {}
            Err(error) => return Err(RecordsError::from(error).into()),
        }
    }
    Err(RecordsError::Database(sqlx::Error::Protocol("no free upload time was found".to_owned())).into())
}

async fn id_is_taken(engine: &Engine, id: FileId) -> Result<bool, RecordsError> {
    const SQL: &str = "SELECT count(*) > 0 FROM files WHERE id = $1";
    Ok(write!(engine, pool => sqlx::query_scalar(SQL).bind(id.0).fetch_one(pool).await)?)
}

/// The first microsecond from `time` on that no file of the project has.
async fn free_time(engine: &Engine, project: ProjectId, time: Timestamp) -> Result<Timestamp, RecordsError> {
    const TAKEN: &str = "SELECT count(*) > 0 FROM files WHERE project = $1 AND uploaded_at = $2";
    // Walks the run of neighbours that begins at `time` and answers the gap behind it.
    const GAP: &str = "SELECT a.uploaded_at + 1 FROM files a WHERE a.project = $1 AND a.uploaded_at >= $2 \
         AND NOT EXISTS (SELECT 1 FROM files b WHERE b.project = a.project AND b.uploaded_at = a.uploaded_at + 1) \
         ORDER BY a.uploaded_at LIMIT 1";
    let taken: bool =
        write!(engine, pool => sqlx::query_scalar(TAKEN).bind(project.0).bind(time.0).fetch_one(pool).await)?;
    if !taken {
        return Ok(time);
    }
    let gap: Option<i64> =
        write!(engine, pool => sqlx::query_scalar(GAP).bind(project.0).bind(time.0).fetch_optional(pool).await)?;
    Ok(gap.map_or(time, Timestamp))
}
