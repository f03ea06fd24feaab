//! The records as lines of JSON, for a snapshot: all of them as they are at one moment, whatever others write meanwhile.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use stowage_model::BlobKey;
use tokio::sync::mpsc;

use super::carry::carried;
use super::engine::Engine;
use super::tables::TABLES;
use super::{Records, RecordsError};

/// Lines are handed over in pieces of about so many bytes.
const PIECE: usize = 256 << 10;

/// A piece of a snapshot of the records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dumped {
    /// Rows, one a line.
    Rows {
        /// The name of their table.
        table: &'static str,
        /// The lines.
        lines: String,
        /// How many they are.
        count: u64,
    },
    /// Bytes of files: equal ones come once, after all rows.
    Content {
        /// The name by which rows of files mention them: 32 hexadecimal digits, a hyphen, and the length.
        name: String,
        /// Their length.
        size: u64,
        /// A blob that has them.
        blob: BlobKey,
    },
    /// The end.
    End(Numbers),
}

/// What is not in the rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// The last number that each table has given to a row.
    pub last: BTreeMap<String, i64>,
    /// How many uploads in parts are open and stay behind.
    pub open_uploads: u64,
    /// How many uploads to custom storages are under way: their copies begin anew.
    pub copy_uploads: u64,
}

/// The tables whose numbers are carried, each with the column of the numbers.
pub(super) fn numbered() -> impl Iterator<Item = (&'static str, &'static str)> {
    let has =
        |table: &str, column: &str| carried().any(|c| c.name == table && c.columns.iter().any(|c| c.name == column));
    TABLES.iter().filter_map(move |table| Some((table.name, table.numbered.filter(|column| has(table.name, column))?)))
}

/// Equal bytes have the same tag, which is made of them or of the parts in which they came.
const CONTENTS: &str = "SELECT etag || '-' || size, size, MIN(blob) FROM files WHERE blob IS NOT NULL \
     GROUP BY etag, size ORDER BY MIN(blob)";
const LEFT_BEHIND: &str = "SELECT (SELECT count(*) FROM uploads WHERE completed_at IS NULL), \
     (SELECT count(*) FROM copies WHERE upload IS NOT NULL)";

fn last_sql(engine: &Engine, table: &str, column: &str) -> String {
    match engine {
        Engine::Sqlite { .. } => format!(
            "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), \
             (SELECT MAX({column}) FROM \"{table}\"), 0)"
        ),
        Engine::Postgres(_) => format!(
            "SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence('{table}', '{column}')::regclass), 0)"
        ),
    }
}

/// Hands everything over in a transaction.
macro_rules! dump {
    ($engine:expr, $tx:ident, $out:expr) => {{
        for table in carried() {
            let sql = table.read_sql($engine);
            let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(&mut *$tx);
            let (mut lines, mut count) = (String::new(), 0);
            while let Some(line) = rows.try_next().await? {
                lines.push_str(&line);
                lines.push('\n');
                count += 1;
                if lines.len() >= PIECE {
                    let lines = std::mem::take(&mut lines);
                    if $out.send(Dumped::Rows { table: table.name, lines, count }).await.is_err() {
                        return Ok(());
                    }
                    count = 0;
                }
            }
            if count > 0 && $out.send(Dumped::Rows { table: table.name, lines, count }).await.is_err() {
                return Ok(());
            }
        }
        let mut contents = sqlx::query_as::<_, (String, i64, String)>(CONTENTS).fetch(&mut *$tx);
        while let Some((name, size, blob)) = contents.try_next().await? {
            let size = u64::try_from(size).unwrap_or(0);
            if $out.send(Dumped::Content { name, size, blob: BlobKey(blob) }).await.is_err() {
                return Ok(());
            }
        }
        drop(contents);
        let (open, copies): (i64, i64) = sqlx::query_as(LEFT_BEHIND).fetch_one(&mut *$tx).await?;
        let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
        let mut numbers = Numbers { open_uploads: count(open), copy_uploads: count(copies), ..Numbers::default() };
        for (table, column) in numbered() {
            let sql = last_sql($engine, table, column);
            let last: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *$tx).await?;
            numbers.last.insert(table.to_owned(), last);
        }
        // Whoever went away does not need it.
        let _ = $out.send(Dumped::End(numbers)).await;
        Ok(())
    }};
}

impl Records {
    /// Hands over everything that a snapshot has of the records, as it is at one moment: rows in an order in which they can be inserted
    /// again, then the bytes they mention, then the end. Ends early where nobody takes it. Blobs are not kept from being
    /// deleted meanwhile: whoever asks sees to that.
    pub async fn dump(&self, out: mpsc::Sender<Dumped>) -> Result<(), RecordsError> {
        match self.engine() {
            engine @ Engine::Sqlite { read, .. } => {
                let mut tx = read.begin().await?;
                dump!(engine, tx, out)
            }
            engine @ Engine::Postgres(pool) => {
                let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                dump!(engine, tx, out)
            }
        }
    }
}
