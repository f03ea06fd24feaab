//! The statement that inserts files, and the search for free upload times.

use std::sync::OnceLock;

use sqlx::error::DatabaseError;
use stowage_model::{NewFile, ProjectId, Timestamp};

use super::RecordsError;
use super::engine::Engine;

/// The most rows of one statement; there is a prepared statement for each number of rows.
pub(super) const MAX_ROWS: usize = 32;
/// How often other nodes, whose first tries do not look, may snatch the time that was just found free.
pub(super) const TRIES: usize = 20;

/// A file with what its row needs besides.
pub(super) type Row<'a> = (ProjectId, &'a NewFile, Timestamp);

/// The statement that inserts `rows`, of which there are at most [`MAX_ROWS`], with their values bound.
macro_rules! insert_files {
    ($rows:expr) => {{
        let mut query = sqlx::query($crate::records::insert::insert_sql($rows.len()));
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
                .bind(sqlx::types::Json(&file.content))
                .bind(sqlx::types::Json(&file.metadata))
                .bind(sqlx::types::Json(&file.tags))
                .bind(file.source.as_deref());
        }
        query
    }};
}

pub(super) use insert_files;

/// The text for `rows` rows, written once: the engines know prepared statements by their text.
pub(super) fn insert_sql(rows: usize) -> &'static str {
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

/// Makes the other nodes that look for free times of the project wait until the transaction ends, so that most times that
/// are found free stay so. SQLite has but one writer anyway. A `Result<(), sqlx::Error>`.
macro_rules! lock_times {
    ($engine:expr, $tx:expr, $project:expr) => {
        sqlx::query($crate::records::insert::lock_sql($engine)).bind($project.0).execute(&mut *$tx).await.map(drop)
    };
}

/// Whether a file has this id: a `Result<bool, sqlx::Error>`.
macro_rules! id_is_taken {
    ($tx:expr, $id:expr) => {
        sqlx::query_scalar($crate::records::insert::ID_IS_TAKEN).bind($id.0).fetch_one(&mut *$tx).await
    };
}

/// The first microsecond from `$time` on that no file of the project has: a `Result<Timestamp, sqlx::Error>`.
macro_rules! free_time {
    ($tx:expr, $project:expr, $time:expr) => {
        sqlx::query_scalar($crate::records::insert::FREE_TIME)
            .bind($project.0)
            .bind($time.0)
            .fetch_one(&mut *$tx)
            .await
            .map(Timestamp)
    };
}

pub(super) use {free_time, id_is_taken, lock_times};

pub(super) const ID_IS_TAKEN: &str = "SELECT count(*) > 0 FROM files WHERE id = $1";

/// Where the time is taken, walks the run of neighbours that begins there and answers the gap behind it.
pub(super) const FREE_TIME: &str = "SELECT CASE \
     WHEN NOT EXISTS (SELECT 1 FROM files WHERE project = $1 AND uploaded_at = $2) THEN $2 \
     ELSE (SELECT a.uploaded_at + 1 FROM files a WHERE a.project = $1 AND a.uploaded_at >= $2 AND NOT EXISTS \
             (SELECT 1 FROM files b WHERE b.project = a.project AND b.uploaded_at = a.uploaded_at + 1) \
         ORDER BY a.uploaded_at LIMIT 1) \
     END";

pub(super) fn lock_sql(engine: &Engine) -> &'static str {
    const SQLITE: &str = "SELECT id FROM projects WHERE id = $1";
    // The weakest lock that excludes itself: inserting files does not wait for it.
    const POSTGRES: &str = "SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}

/// Whether a transaction failed because somebody else has the id or the time of a file, so that nothing was done.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

/// From when on a free time is looked for, after so many searches whose finds others have snatched: each leaps twice as far
/// over those who take one time after the other, half a second at most.
pub(super) fn leap(time: Timestamp, snatched: usize) -> Timestamp {
    Timestamp(time.0 + (1 << snatched.min(TRIES - 1)) - 1)
}

/// What is left to say after [`TRIES`].
pub(super) fn no_free_time() -> RecordsError {
    RecordsError::Database(sqlx::Error::Protocol("no free upload time was found".to_owned()))
}
