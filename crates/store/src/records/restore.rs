//! The way back of `dump`: lines become rows, and all that was there goes, in one transaction.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{AssertSqlSafe, Transaction};
use stowage_model::{BlobKey, Timestamp};

use super::carry::{Carried, LAST_NUMBER, carried, is_hex, text_of};
use super::dump::numbered;
use super::engine::Engine;
use super::intake::certainly_undone;
use super::tables::{Of, TABLES};
use super::wipe::Paused;
use super::{Inner, Records, RecordsError};

/// Why there is nothing to restore; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A row cannot be what it says.
    #[error("{0}")]
    Row(String),
    /// The rows do not fit together.
    #[error("the rows do not fit together: {0}")]
    Refused(String),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<sqlx::Error> for RestoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(refused) if certainly_undone(&error) => Self::Refused(refused.message().to_owned()),
            _ => Self::Records(error.into()),
        }
    }
}

/// Rows of one table that were looked at.
#[derive(Debug)]
pub struct Rows {
    table: &'static Carried,
    rows: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// The column of files with the name of their bytes.
const BYTES: &str = "blob";

impl Rows {
    /// Reads lines as [`Dumped::Rows`](super::Dumped::Rows) has them, and refuses what cannot be a row.
    pub fn read(table: &str, lines: &str) -> Result<Self, RestoreError> {
        let found = carried().find(|known| known.name == table);
        let table = found.ok_or_else(|| RestoreError::Row(format!("there is no table `{table}`")))?;
        let rows = lines.lines().enumerate().map(|(number, line)| {
            read_row(table, line)
                .map_err(|fault| RestoreError::Row(format!("{}, line {}: {fault}", table.name, number + 1)))
        });
        Ok(Self { table, rows: rows.collect::<Result<_, _>>()? })
    }

    /// The name of the table.
    pub fn table(&self) -> &'static str {
        self.table.name
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The names of the bytes that files among them have.
    pub fn contents(&self) -> impl Iterator<Item = String> {
        let of_files = self.table.name == FILES;
        self.rows.iter().filter(move |_| of_files).filter_map(|row| row.get(BYTES).and_then(|name| text_of(name)))
    }

    /// Gives files among them the blobs that have their bytes; false if there is none for one of them.
    pub fn place<'a>(&mut self, blob: impl Fn(&str) -> Option<&'a BlobKey>) -> bool {
        if self.table.name != FILES {
            return true;
        }
        for row in &mut self.rows {
            let Some(cell) = row.get_mut(BYTES) else { continue };
            let Some(name) = text_of(cell) else { continue };
            let Some(key) = blob(&name).and_then(|key| serde_json::value::to_raw_value(&key.0).ok()) else {
                return false;
            };
            *cell = key;
        }
        true
    }
}

const FILES: &str = "files";

fn read_row(table: &Carried, line: &str) -> Result<BTreeMap<String, Box<RawValue>>, String> {
    let row: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).map_err(|fault| fault.to_string())?;
    for column in table.columns {
        let value = row.get(column.name).ok_or_else(|| format!("`{}` is missing", column.name))?;
        if !column.takes(value) {
            return Err(format!("`{}` cannot be {}", column.name, shown(value.get())));
        }
    }
    if row.len() != table.columns.len() {
        let known = |name: &&String| table.columns.iter().all(|column| column.name != *name);
        return Err(format!("`{}` is unknown", row.keys().find(known).map(String::as_str).unwrap_or_default()));
    }
    let text = |name: &str| row.get(name).and_then(|value| text_of(value));
    if table.name == FILES
        && let (Some(name), Some(etag), Some(size)) = (text(BYTES), text("etag"), row.get("size"))
        && name != format!("{etag}-{}", size.get())
    {
        return Err(format!("`{BYTES}` must be the `etag`, a hyphen and the `size`"));
    }
    Ok(row)
}

/// The beginning of something that may be long.
fn shown(text: &str) -> String {
    const LONG: usize = 80;
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The length of the bytes that have this name, in bytes; none if it is no such name.
pub fn content_size(name: &str) -> Option<u64> {
    let (etag, size) = name.split_once('-')?;
    let length = size.parse::<i64>().ok().filter(|length| length.to_string() == size)?;
    if is_hex(etag, 32) { u64::try_from(length).ok() } else { None }
}

/// Rows that replace all others. Dropped before its end, it has changed nothing.
pub struct Restore {
    records: Records,
    tx: Tx,
    _still: (Paused, Paused),
}

enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs an expression with `$tx` bound to the transaction.
macro_rules! within {
    ($of:expr, $tx:ident => $body:expr) => {
        match $of {
            Tx::Sqlite($tx) => $body,
            Tx::Postgres($tx) => $body,
        }
    };
}

impl Records {
    /// Begins to replace everything, but not what all nodes sign with. Whoever does that has the records for himself: nothing is written
    /// by others until it ends. The blobs that were known become garbage.
    pub async fn restore(&self, now: Timestamp) -> Result<Restore, RestoreError> {
        const DISCARD: &str = "INSERT INTO garbage (blob, since) SELECT blob, $1 FROM files WHERE blob IS NOT NULL \
             UNION SELECT blob, $1 FROM uploads WHERE completed_at IS NULL ON CONFLICT (blob) DO NOTHING";
        let still = (self.inner.intake.pause().await?, self.inner.changes.pause().await?);
        let mut tx = match self.engine() {
            Engine::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Engine::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        };
        within!(&mut tx, tx => {
            sqlx::query(DISCARD).bind(now.0).execute(&mut **tx).await?;
            for table in TABLES.iter().filter(|table| table.of != Of::House && table.name != "garbage") {
                sqlx::query(AssertSqlSafe(format!("DELETE FROM \"{}\"", table.name))).execute(&mut **tx).await?;
            }
        });
        if let Tx::Sqlite(tx) = &mut tx {
            sqlx::query("DELETE FROM sqlite_sequence").execute(&mut **tx).await?;
        }
        Ok(Restore { records: self.clone(), tx, _still: still })
    }
}

impl Restore {
    /// Inserts rows. Those of which they speak were inserted before. After an error it is good for nothing but being dropped.
    pub async fn insert(&mut self, rows: &Rows) -> Result<(), RestoreError> {
        let sql = rows.table.write_sql(self.records.engine());
        let rows = serde_json::to_string(&rows.rows).map_err(|fault| RestoreError::Row(fault.to_string()))?;
        let inserted = within!(&mut self.tx, tx => {
            sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut **tx).await.map(drop)
        });
        Ok(inserted?)
    }

    /// Makes it what everybody sees. No table gives a number to a new row that is not behind its `last`. After an error nobody knows
    /// whether it was made.
    pub async fn commit(self, last: &BTreeMap<String, i64>) -> Result<(), RestoreError> {
        let Self { records, mut tx, _still } = self;
        let last: Vec<(&str, &str, i64)> = numbered()
            .map(|(table, column)| (table, column, last.get(table).copied().unwrap_or(0).clamp(0, LAST_NUMBER)))
            .collect();
        if let Tx::Sqlite(tx) = &mut tx {
            const FORWARD: &str = "UPDATE sqlite_sequence SET seq = MAX(seq, $2) WHERE name = $1";
            const BEGIN: &str = "INSERT INTO sqlite_sequence (name, seq) SELECT name, $2 FROM sqlite_master \
                 WHERE type = 'table' AND name = $1 AND sql LIKE '%AUTOINCREMENT%' \
                 AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)";
            for (table, _, last) in &last {
                for sql in [FORWARD, BEGIN] {
                    sqlx::query(sql).bind(*table).bind(*last).execute(&mut **tx).await?;
                }
            }
        }
        let committed = within!(tx, tx => tx.commit().await);
        // Also after a failure: what was committed is not always known.
        let Inner { engine, files, projects, storages, tasks, hooks, intake: _, changes: _, arrived, schema: _ } =
            &*records.inner;
        files.wipe();
        tasks.wipe();
        projects.forget().await;
        storages.forget().await;
        hooks.forget().await;
        committed?;
        arrived.notify_one();
        hooks.happened();
        if let Engine::Postgres(pool) = engine {
            // Numbers are not part of a transaction: earlier, and a commit that fails would leave numbers that are taken.
            for (table, column, last) in last {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), GREATEST(given.last, 1), given.last > 0) \
                     FROM (SELECT GREATEST($1, COALESCE(MAX({column}), 0)) AS last FROM \"{table}\") AS given"
                );
                sqlx::query(AssertSqlSafe(sql)).bind(last).execute(pool).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bytes_tell_their_length() {
        let etag = "0123456789abcdef0123456789abcdef";
        assert_eq!(content_size(&format!("{etag}-0")), Some(0));
        assert_eq!(content_size(&format!("{etag}-10240")), Some(10_240));
        for name in [
            String::new(),
            etag.to_owned(),
            format!("{etag}-"),
            format!("{etag}--1"),
            format!("{etag}-+1"),
            format!("{etag}-01"),
            format!("{etag}-9223372036854775808"),
            format!("{}-1", etag.to_uppercase()),
            format!("../{etag}-1"),
        ] {
            assert_eq!(content_size(&name), None, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_row_is_refused() {
        let good = r#"{"key": "a", "used": 3, "expires_at": -1}"#;
        assert_eq!(Rows::read("token_uses", good).unwrap().count(), 1);
        let hook = |event: &str, version: &str| {
            format!(
                r#"{{"id": 1, "project": 1, "created_at": 1, "updated_at": 1, "event": "{event}", "target_url": "", "is_active": true, "version": "{version}", "signing_secret": null}}"#
            )
        };
        assert_eq!(Rows::read("webhooks", &hook("file.uploaded", "0.7")).unwrap().count(), 1);
        for (table, line, fault) in [
            ("token_uses", "", ""),
            ("secrets", good, "there is no table `secrets`"),
            ("sqlite_sequence", good, "there is no table"),
            ("token_uses", "\n", "line 1"),
            ("token_uses", "[]", "line 1"),
            ("token_uses", r#"{"key": "a", "used": 3}"#, "`expires_at` is missing"),
            ("token_uses", r#"{"key": "a", "used": 3, "expires_at": 1, "more": 1}"#, "`more` is unknown"),
            ("token_uses", r#"{"key": "a", "used": 1e99, "expires_at": 1}"#, "`used` cannot be 1e99"),
            ("token_uses", r#"{"key": "a", "used": 9223372036854775808, "expires_at": 1}"#, "`used` cannot be"),
            ("token_uses", r#"{"key": 5, "used": 1, "expires_at": 1}"#, "`key` cannot be 5"),
            ("token_uses", r#"{"key": null, "used": 1, "expires_at": 1}"#, "`key` cannot be null"),
            ("token_uses", r#"{"key": "\u0000", "used": 1, "expires_at": 1}"#, "`key` cannot be"),
            ("groups", r#"{"id": "x", "project": 1, "created_at": 1, "files": 1}"#, "`id` cannot be"),
            ("webhooks", &hook("file.eaten", "0.7"), "`event` cannot be"),
            ("webhooks", &hook("file.uploaded", "7"), "`version` cannot be"),
        ] {
            match Rows::read(table, line) {
                Ok(rows) => assert_eq!((rows.count(), fault), (0, ""), "{line}"),
                Err(refused) => assert!(!fault.is_empty() && refused.to_string().contains(fault), "{line}: {refused}"),
            }
        }
    }
}
