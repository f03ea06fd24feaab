//! How the engines would find what lists, counts and queues ask for: through an index that has their order, never by sorting or
//! reading everything.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};

use super::Options;
use super::engine::Engine;
use super::list::{By, FileFilter, Walk};
use super::{backfill, copies, copy_log, groups, spread, upkeep};
use crate::Durability;

/// Files of one project in every state, of a hundred sizes, and groups.
const FILES: &str = "INSERT INTO files \
     (id, project, uploaded_at, stored_at, removed_at, blob, size, etag, name, mime_type, is_image, content, metadata, tags) \
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000) \
     SELECT ID, 1, n, CASE n % 3 WHEN 1 THEN n END, CASE n % 3 WHEN 2 THEN n END, CASE n % 2 WHEN 1 THEN 'b' || n END, n % 100, \
         '', '', '', FALSE, '{}', '{}', '[]' FROM n";
const GROUPS: &str = "INSERT INTO groups (id, project, created_at, files) \
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000) SELECT ID, 1, n, 1 FROM n";
const SQLITE_PROJECT: &str = "INSERT INTO projects VALUES (1, 'p', '[]', '{}', 0, 0)";
const POSTGRES_PROJECT: &str = "INSERT INTO projects OVERRIDING SYSTEM VALUE VALUES (1, 'p', '[]', '{}', FALSE, 0)";

async fn opened(url: String, folder: &Path) -> Engine {
    let options = Options { url, max_connections: 2, ..Options::default() };
    let engine = Engine::open(&options, folder, Durability::Relaxed).await.unwrap();
    engine.migrate().await.unwrap();
    engine
}

/// Every statement that lists and counts, with an index that it must use.
fn statements(engine: &Engine) -> Vec<(&'static str, &'static str)> {
    let mut statements = Vec::new();
    for filter in [FileFilter::Present, FileFilter::Stored, FileFilter::Temporary, FileFilter::Removed] {
        for (by, index) in
            [(By::Time, "files_by_state"), (By::SizeFrom, "files_by_size"), (By::SizeBeyond, "files_by_size")]
        {
            for down in [false, true] {
                let walk = Walk { filter, by, down };
                statements.extend([(walk.page_sql(engine, false), index), (walk.around_sql(), index)]);
                if by == By::SizeFrom {
                    statements.push((walk.ties_sql(), index));
                }
            }
        }
    }
    for down in [false, true] {
        statements.push((groups::page_sql(down), "groups"));
        statements.push((groups::around_sql(down), "groups"));
    }
    statements
}

#[tokio::test]
async fn sqlite_walks_through_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = opened(String::new(), folder.path()).await;
    let Engine::Sqlite { write, .. } = &engine else { unreachable!() };
    sqlx::query(SQLITE_PROJECT).execute(write).await.unwrap();
    for text in [FILES, GROUPS] {
        let text = text.replace("ID", "unhex(printf('%032x', n))");
        sqlx::query(AssertSqlSafe(text)).execute(write).await.unwrap();
    }
    for analyzed in [false, true] {
        if analyzed {
            sqlx::query("ANALYZE").execute(write).await.unwrap();
        }
        for (sql, index) in statements(&engine) {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(write).await.unwrap();
            let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
            assert!(
                !steps.iter().any(|step| step.starts_with("SCAN f") || step.contains("TEMP B-TREE")),
                "{sql} {steps:#?}"
            );
            let searches = steps.iter().filter(|step| step.starts_with("SEARCH "));
            assert!(searches.clone().count() > 0, "{sql} {steps:#?}");
            assert!(searches.clone().all(|step| step.contains(index)), "{sql} {steps:#?}");
        }
    }
}

#[tokio::test]
async fn postgres_walks_through_indexes() {
    let Some(url) = crate::testing::postgres_url().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = opened(url.clone(), folder.path()).await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query(POSTGRES_PROJECT).execute(&mut connection).await.unwrap();
    for text in [FILES, GROUPS] {
        let text =
            text.replace("ID", "md5(n::text)::uuid").replace("'{}'", "'{}'::jsonb").replace("'[]'", "'[]'::jsonb");
        sqlx::query(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    }
    for setting in ["ANALYZE", "SET enable_seqscan = off"] {
        sqlx::query(setting).execute(&mut connection).await.unwrap();
    }
    for (sql, index) in statements(&engine) {
        // A page of ten in the middle.
        let values = [("$1", "1"), ("$2", "50"), ("$3", "10"), ("$4", "5")];
        let id = "'0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61'::uuid";
        let sql = sql.replace("id < $3", &format!("id < {id}")).replace("id > $3", &format!("id > {id}"));
        let sql = values.iter().fold(sql, |sql, (name, value)| sql.replace(name, value));
        let lines: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(&mut connection).await.unwrap();
        let plan = lines.join("\n");
        assert!(!lines.iter().any(|line| line.contains("Sort  (") || line.contains("Seq Scan")), "{sql}\n{plan}");
        assert!(plan.contains(index), "{sql}\n{plan}");
    }
}

/// Storages, and copies that are due at many times; some have failed.
const STORAGES: &str = "INSERT INTO storages (project, name, settings, auto_event, from_config, created_at) \
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20) \
     SELECT 1, 'n' || n, '{}', 'file.uploaded', FALSE, n FROM n";
const COPIES: &str = "INSERT INTO copies (storage, file, created_at, due_at, attempt, ended_at) \
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000) \
     SELECT n % 20 + 1, ID, n, CASE n % 2 WHEN 1 THEN n / 100 END, 1, CASE n % 2 WHEN 0 THEN n END FROM n";

/// Every statement that looks into the queue of copies over and over, with the indexes that it must use.
fn queue_statements(engine: &Engine) -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        (copies::DUE_STORAGES, &["copies_due"]),
        (copies::claim_sql(engine), &["copies_due"]),
        (copy_log::COUNTS, &["copies_due", "copies_failed"]),
        (backfill::NEXT, &["files_by_time"]),
        (spread::NEXT_COPIED, &["events_of_project"]),
        (upkeep::EXPIRED, &["files_temporary", "copies_of_file", "events_of_project"]),
    ]
}

#[tokio::test]
async fn sqlite_looks_into_queues_through_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = opened(String::new(), folder.path()).await;
    let Engine::Sqlite { write, .. } = &engine else { unreachable!() };
    sqlx::query(SQLITE_PROJECT).execute(write).await.unwrap();
    for text in [FILES, STORAGES, COPIES] {
        let text = text.replace("ID", "unhex(printf('%032x', n))");
        sqlx::query(AssertSqlSafe(text)).execute(write).await.unwrap();
    }
    for analyzed in [false, true] {
        if analyzed {
            sqlx::query("ANALYZE").execute(write).await.unwrap();
        }
        for (sql, indexes) in queue_statements(&engine) {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(write).await.unwrap();
            let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
            for table in ["files", "copies", "c", "e"] {
                let scan = |step: &&String| **step == format!("SCAN {table}");
                assert!(!steps.iter().any(|step| scan(&step)), "{sql} {steps:#?}");
            }
            for index in indexes {
                assert!(steps.iter().any(|step| step.contains(index)), "{index}: {sql} {steps:#?}");
            }
        }
    }
}

#[tokio::test]
async fn postgres_looks_into_queues_through_indexes() {
    let Some(url) = crate::testing::postgres_url().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = opened(url.clone(), folder.path()).await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query(POSTGRES_PROJECT).execute(&mut connection).await.unwrap();
    let files = FILES.replace("'{}'", "'{}'::jsonb").replace("'[]'", "'[]'::jsonb");
    for text in [&files, STORAGES, COPIES] {
        let text = text.replace("ID", "md5(n::text)::uuid");
        sqlx::query(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    }
    for setting in ["ANALYZE", "SET enable_seqscan = off"] {
        sqlx::query(setting).execute(&mut connection).await.unwrap();
    }
    for (sql, indexes) in queue_statements(&engine) {
        let sql = sql.replace("lease = $3", "lease = NULL").replace("NOT $4", "FALSE");
        let values = [("$1", "1"), ("$2", "10"), ("$3", "2000"), ("$4", "5"), ("$5", "10")];
        let sql = values.iter().fold(sql, |sql, (name, value)| sql.replace(name, value));
        let lines: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(&mut connection).await.unwrap();
        let plan = lines.join("\n");
        let scanned = ["files", "copies", "events"].iter().any(|table| plan.contains(&format!("Seq Scan on {table}")));
        assert!(!scanned, "{sql}\n{plan}");
        for index in indexes {
            assert!(plan.contains(index), "{index}: {sql}\n{plan}");
        }
    }
}
