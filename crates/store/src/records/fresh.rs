//! A database of SQLite that has nothing in it yet gets all migrations in one transaction and one batch. One by one they take longer
//! than the rest of a start, and servers and sessions of tests start often.

use std::fmt::Write;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Executor};

/// Where the migrator writes down what it has applied; the table that it makes itself.
const LOG: &str = "CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
";

/// Whether there is nothing in the database.
const IS_EMPTY: &str = "SELECT count(*) = 0 FROM sqlite_master";

/// Applies all migrations where there is nothing yet, and answers whether that was so; what is there already is left to the migrator.
pub(super) async fn create(migrator: &Migrator, pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    if !sqlx::query_scalar::<_, bool>(IS_EMPTY).fetch_one(pool).await? || migrator.iter().any(|step| step.no_tx) {
        return Ok(false);
    }
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have come between.
    let is_empty = sqlx::query_scalar::<_, bool>(IS_EMPTY).fetch_one(&mut *transaction).await?;
    if is_empty {
        transaction.execute(AssertSqlSafe(script(migrator))).await?;
    }
    transaction.commit().await?;
    Ok(is_empty)
}

/// All migrations, each with what the migrator would write down of it.
fn script(migrator: &Migrator) -> String {
    let mut script = LOG.to_owned();
    for step in migrator.iter() {
        let checksum = step.checksum.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let _ = writeln!(
            script,
            "{}\n;INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ({}, '{}', TRUE, X'{checksum}', 0);",
            step.sql.as_str(),
            step.version,
            step.description.replace('\'', "''"),
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use super::super::engine::SQLITE;
    use super::*;

    type Applied = (i64, String, bool, Vec<u8>);

    /// Everything that a database is made of, and what it says about its migrations.
    async fn contents(pool: &SqlitePool) -> (Vec<(String, String, Option<String>)>, Vec<Applied>) {
        const OBJECTS: &str =
            "SELECT type, name, sql FROM sqlite_master WHERE name <> '_sqlx_migrations' ORDER BY type, name";
        const COLUMNS: &str = "SELECT type, name, dflt_value FROM pragma_table_info('_sqlx_migrations') ORDER BY cid";
        const APPLIED: &str = "SELECT version, description, success, checksum FROM _sqlx_migrations ORDER BY version";
        let mut objects = sqlx::query_as(OBJECTS).fetch_all(pool).await.unwrap();
        objects.extend(sqlx::query_as(COLUMNS).fetch_all(pool).await.unwrap());
        (objects, sqlx::query_as(APPLIED).fetch_all(pool).await.unwrap())
    }

    async fn pool(folder: &std::path::Path, name: &str) -> SqlitePool {
        let file = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join(name)).create_if_missing(true);
        SqlitePool::connect_with(file).await.unwrap()
    }

    #[tokio::test]
    async fn one_batch_makes_what_the_migrations_make() {
        let folder = tempfile::tempdir().unwrap();
        let (slow, fast) = (pool(folder.path(), "slow").await, pool(folder.path(), "fast").await);
        SQLITE.run(&slow).await.unwrap();
        assert!(create(&SQLITE, &fast).await.unwrap());
        assert_eq!(contents(&fast).await, contents(&slow).await);
        SQLITE.run(&fast).await.unwrap();
        assert!(!create(&SQLITE, &slow).await.unwrap());
        assert_eq!(contents(&fast).await, contents(&slow).await, "neither finds anything left to do");
    }
}
