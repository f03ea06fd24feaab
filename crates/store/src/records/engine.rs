//! Pools, migrations, and the macros that write each query once for both engines.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use super::{OpenError, Options};
use crate::Durability;

pub(super) static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How long a writer waits for another process that holds the SQLite file.
const BUSY: Duration = Duration::from_secs(10);

/// Pages of 4 KiB in the write-ahead log at which SQLite moves them into the database. The index of random ids changes a
/// page for each upload, and the longer the log, the more often one move serves several changes of the same page.
const CHECKPOINT_PAGES: &str = "4000";

/// The most rows of a page of a list, which a reader of SQLite hands over without waiting.
const ROWS: usize = 1001;

#[derive(Clone)]
pub(super) enum Engine {
    /// One connection writes, others read: inside a process nobody ever waits for a lock of the file.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// Runs an expression with `$pool` bound to a pool that may read.
macro_rules! read {
    ($engine:expr, $pool:ident => $body:expr) => {
        match $engine {
            $crate::records::engine::Engine::Sqlite { read: $pool, .. } => $body,
            $crate::records::engine::Engine::Postgres($pool) => $body,
        }
    };
}

/// Runs an expression with `$pool` bound to the pool that may write.
macro_rules! write {
    ($engine:expr, $pool:ident => $body:expr) => {
        match $engine {
            $crate::records::engine::Engine::Sqlite { write: $pool, .. } => $body,
            $crate::records::engine::Engine::Postgres($pool) => $body,
        }
    };
}

/// Runs an expression with `$tx` bound to a transaction that writes; the expression commits it. `$sqlite` and `$postgres`
/// are the two dialects of the query that differs.
macro_rules! transaction {
    ($engine:expr, $tx:ident => $body:expr) => {
        match $engine {
            $crate::records::engine::Engine::Sqlite { write, .. } => {
                // Immediate: a transaction that reads before it writes would otherwise fail when another process wrote.
                let mut $tx = write.begin_with("BEGIN IMMEDIATE").await?;
                $body
            }
            $crate::records::engine::Engine::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                $body
            }
        }
    };
}

pub(super) use {read, transaction, write};

impl Engine {
    pub(super) async fn open(options: &Options, data_dir: &Path, durability: Durability) -> Result<Self, OpenError> {
        let url = options.url.as_str();
        if url.is_empty() {
            let connect = SqliteConnectOptions::new().filename(data_dir.join("stowage.sqlite"));
            Self::open_sqlite(connect, options, durability, "the data folder").await
        } else if url.starts_with("sqlite:") {
            let connect = SqliteConnectOptions::from_str(url)
                .map_err(|source| OpenError::Connect { at: url.to_owned(), source })?;
            Self::open_sqlite(connect, options, durability, url).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::open_postgres(url, options, durability).await
        } else {
            Err(OpenError::Url(without_password(url)))
        }
    }

    async fn open_sqlite(
        connect: SqliteConnectOptions,
        options: &Options,
        durability: Durability,
        at: &str,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Connect { at: at.to_owned(), source };
        let synchronous = match durability {
            _ if options.scratch => SqliteSynchronous::Off,
            Durability::Full => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
        };
        let connect = connect
            .create_if_missing(true)
            .synchronous(synchronous)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        // The writer comes first: it creates the file and turns it to WAL, which readers cannot.
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone())
            .await
            .map_err(failed)?;
        // Apart from the other settings, which come in an order of their own: how the disk is waited for must be settled before. Once
        // is enough, as the file remembers it; and what goes wrong is said, while a pool would try again and tell of a time-out.
        write.execute("PRAGMA journal_mode = WAL").await.map_err(failed)?;
        // A whole page at once: for each row that does not fit, two threads would wait for each other.
        let connect = connect.journal_mode(SqliteJournalMode::Wal).row_buffer_size(ROWS);
        let read = SqlitePoolOptions::new()
            .max_connections(options.max_connections.max(1))
            .connect_lazy_with(connect.read_only(true).create_if_missing(false));
        Ok(Self::Sqlite { write, read })
    }

    async fn open_postgres(url: &str, options: &Options, durability: Durability) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Connect { at: without_password(url), source };
        let mut connect = PgConnectOptions::from_str(url).map_err(failed)?.application_name("stowage");
        if durability == Durability::Relaxed {
            connect = connect.options([("synchronous_commit", "off")]);
        }
        if let Some(schema) = &options.schema {
            connect = connect.options([("search_path", checked(schema).map_err(failed)?)]);
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections.max(2))
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(connect)
            .await
            .map_err(failed)?;
        if let Some(schema) = &options.schema {
            let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
            sqlx::query(create).execute(&pool).await.map_err(failed)?;
        }
        Ok(Self::Postgres(pool))
    }

    /// Drops a schema of Postgres with everything in it; whether there is one or not.
    pub(super) async fn drop_schema(&self, schema: &str) -> Result<(), sqlx::Error> {
        if let Self::Postgres(pool) = self {
            let drop = AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {} CASCADE", checked(schema)?));
            sqlx::query(drop).execute(pool).await?;
        }
        Ok(())
    }

    /// The schemas of Postgres whose names begin with `prefix`.
    pub(super) async fn schemas(&self, prefix: &str) -> Result<Vec<String>, sqlx::Error> {
        const SQL: &str =
            "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1) ORDER BY nspname";
        match self {
            Self::Sqlite { .. } => Ok(Vec::new()),
            Self::Postgres(pool) => sqlx::query_scalar(SQL).bind(prefix).fetch_all(pool).await,
        }
    }

    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite { write, .. } => {
                // What goes wrong here goes wrong there, too, and the migrator says it better.
                if !super::fresh::create(&SQLITE, write).await.unwrap_or(false) {
                    SQLITE.run(write).await?;
                }
            }
            Self::Postgres(pool) => POSTGRES.run(pool).await?,
        }
        Ok(())
    }

    /// How many migrations this program knows that the database lacks.
    pub(super) async fn pending_migrations(&self) -> Result<usize, OpenError> {
        let known = match self {
            Self::Sqlite { .. } => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
        };
        let exists = match self {
            Self::Sqlite { write, .. } => {
                sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_master WHERE name = '_sqlx_migrations'")
                    .fetch_one(write)
                    .await
            }
            Self::Postgres(pool) => {
                sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool).await
            }
        };
        let failed = |source| OpenError::Connect { at: "the open database".to_owned(), source };
        let applied: i64 = if exists.map_err(failed)? {
            let sql = "SELECT count(*) FROM _sqlx_migrations WHERE success";
            write!(self, pool => sqlx::query_scalar(sql).fetch_one(pool).await).map_err(failed)?
        } else {
            0
        };
        Ok(known.iter().count().saturating_sub(usize::try_from(applied).unwrap_or(0)))
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Many ids as one value to bind: a JSON array of texts of 32 hexadecimal digits, which either engine can take apart.
pub(super) fn json_of(ids: impl IntoIterator<Item = Uuid>) -> String {
    let texts: Vec<String> = ids.into_iter().map(|id| id.simple().to_string()).collect();
    serde_json::json!(texts).to_string()
}

/// The name of a schema, if it needs no quotes anywhere.
fn checked(schema: &str) -> Result<&str, sqlx::Error> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=63).contains(&schema.len()) && schema.bytes().all(plain) && !schema.as_bytes()[0].is_ascii_digit() {
        return Ok(schema);
    }
    Err(sqlx::Error::Configuration(
        "the name of a schema has up to 63 lower-case letters, digits and underscores".into(),
    ))
}

/// The URL without whatever may hold a password, for messages: no user, no query.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "a URL without a scheme".to_owned() };
    let rest = rest.split('?').next().unwrap_or_default();
    let place = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_get_into_messages() {
        assert_eq!(without_password("postgres://me:s3cret@db:5432/x"), "postgres://db:5432/x");
        assert_eq!(without_password("mysql://me:p@s/s@db/x"), "mysql://db/x");
        assert_eq!(without_password("postgres://db/x?user=me&password=s3cret"), "postgres://db/x");
        assert_eq!(without_password("s3cret"), "a URL without a scheme");
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_says_why() {
        let folder = tempfile::tempdir().unwrap();
        // In the way of what SQLite writes beside its file.
        std::fs::create_dir(folder.path().join("stowage.sqlite-wal")).unwrap();
        let opened = Engine::open(&Options::default(), folder.path(), Durability::Relaxed).await;
        assert!(matches!(opened, Err(OpenError::Connect { source: sqlx::Error::Database(_), .. })));
    }

    #[test]
    fn schemas_have_plain_names() {
        for name in ["a", "stowage_session_1", &"x".repeat(63)] {
            assert!(checked(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "A", "a-b", "a;b", "a b", "a\"", "ä", &"x".repeat(64)] {
            assert!(checked(name).is_err(), "{name}");
        }
    }

    #[test]
    fn both_engines_have_the_same_migrations() {
        let names = |m: &Migrator| m.iter().map(|m| (m.version, m.description.clone())).collect::<Vec<_>>();
        assert_eq!(names(&SQLITE), names(&POSTGRES));
    }
}
