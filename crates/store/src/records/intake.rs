//! Recording new files. Commits are gathered: whatever waits when the writer becomes free goes into one statement and
//! so into one wait for the disk, which is what makes small durable uploads fast.

use std::collections::HashMap;

use serde_json::{Value, json};
use stowage_model::{Clock, FileId, NewFile, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, write};
use super::{Records, RecordsError};

/// The most commits that share one statement.
const BATCH: usize = 64;
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

pub(super) struct Intake(mpsc::Sender<Commit>);

impl Intake {
    /// Starts the writer; it ends with the last clone of the records.
    pub(super) fn start(engine: Engine, clock: Clock) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(Writer { engine, clock, latest: HashMap::new() }.run(receiver));
        Self(sender)
    }
}

impl Records {
    /// Records the files of one upload, all or none, and answers their upload times in the same order.
    pub async fn add_files(&self, project: ProjectId, files: Vec<NewFile>) -> Result<Vec<Timestamp>, AddError> {
        let gone = || AddError::Records(RecordsError::Database(sqlx::Error::WorkerCrashed));
        let (done, answer) = oneshot::channel();
        self.inner.intake.0.send(Commit { project, files, done }).await.map_err(|_| gone())?;
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
    async fn run(mut self, mut commits: mpsc::Receiver<Commit>) {
        let mut batch = Vec::with_capacity(BATCH);
        while commits.recv_many(&mut batch, BATCH).await > 0 {
            self.commit(std::mem::take(&mut batch)).await;
        }
    }

    async fn commit(&mut self, batch: Vec<Commit>) {
        let times: Vec<Vec<Timestamp>> = batch
            .iter()
            .map(|commit| commit.files.iter().map(|_| self.next_time(commit.project)).collect())
            .collect();
        let rows = batch
            .iter()
            .zip(&times)
            .flat_map(|(commit, times)| {
                commit.files.iter().zip(times).map(|(file, time)| row(commit.project, file, *time))
            })
            .collect();
        if insert(&self.engine, Value::Array(rows)).await.is_ok() {
            for (commit, times) in batch.into_iter().zip(times) {
                // Whoever went away meanwhile has uploaded a file all the same.
                let _ = commit.done.send(Ok(times));
            }
            return;
        }
        // Something in the batch is wrong. Alone, each commit succeeds or fails for its own reasons.
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

/// The columns of one file in the order of the two statements below.
fn row(project: ProjectId, file: &NewFile, time: Timestamp) -> Value {
    json!([
        file.id.0.simple().to_string(),
        project.0,
        time.0,
        file.stored.then_some(time.0),
        file.blob,
        file.size,
        file.etag,
        file.name,
        file.mime_type,
        file.is_image,
        file.content,
        file.metadata,
        file.tags,
        file.source,
    ])
}

const INSERT_SQLITE: &str = "\
    INSERT INTO files (id, project, uploaded_at, stored_at, blob, size, etag, name, mime_type, is_image, content, metadata, tags, source) \
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
           value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13 \
    FROM json_each($1)";

const INSERT_POSTGRES: &str = "\
    INSERT INTO files (id, project, uploaded_at, stored_at, blob, size, etag, name, mime_type, is_image, content, metadata, tags, source) \
    SELECT (value ->> 0)::uuid, (value ->> 1)::bigint, (value ->> 2)::bigint, (value ->> 3)::bigint, value ->> 4, (value ->> 5)::bigint, \
           value ->> 6, value ->> 7, value ->> 8, (value ->> 9)::boolean, value -> 10, value -> 11, value -> 12, value ->> 13 \
    FROM jsonb_array_elements($1::jsonb)";

/// One statement, and so all or nothing, without a transaction around it.
async fn insert(engine: &Engine, rows: Value) -> Result<(), sqlx::Error> {
    let sql = match engine {
        Engine::Sqlite { .. } => INSERT_SQLITE,
        Engine::Postgres(_) => INSERT_POSTGRES,
    };
    write!(engine, pool => sqlx::query(sql).bind(rows.to_string()).execute(pool).await.map(drop))
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
        let rows = files.iter().zip(&times).map(|(file, time)| row(project, file, *time)).collect();
        match insert(engine, Value::Array(rows)).await {
            Ok(()) => return Ok(times),
            Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => {}
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
