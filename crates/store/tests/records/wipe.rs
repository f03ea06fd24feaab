//! Emptying the records: every table, and nothing that is remembered comes back.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use stowage_model::{FileId, Ids, ProjectId, Timestamp};
use stowage_store::Durability;
use stowage_store::records::{Declared, Of, Options, Records, TABLES, Totals};
use uuid::Uuid;

use crate::{Case, DAY, T0, cause, declared, new_file, project, sqlite_url};

/// Fills every table for a project, past the room; `P` is its number, `ID(n)` an id.
const ROWS: [&str; 16] = [
    "INSERT INTO files (id, project, uploaded_at, blob, size, etag, name, mime_type, is_image, content, metadata, tags) \
     VALUES (ID(1), P, 1, 'blob P', 1, '', '', '', FALSE, '{}', '{}', '[]')",
    "INSERT INTO files (id, project, uploaded_at, removed_at, size, etag, name, mime_type, is_image, content, metadata, tags) \
     VALUES (ID(2), P, 2, 2, 1, '', '', '', FALSE, '{}', '{}', '[]')",
    "INSERT INTO uploads (id, project, started_at, expires_at, size, part_size, blob, name, mime_type, stored, metadata, tags) \
     VALUES (ID(3), P, 1, 1, 1, 1, 'upload P', '', '', FALSE, '{}', '[]')",
    "INSERT INTO upload_parts (upload, number, size, etag) VALUES (ID(3), 1, 1, '')",
    "INSERT INTO jobs (id, kind, payload, due_at, attempt, created_at) VALUES (ID(4), 'from_url', '{\"project\": P}', 1, 0, 1)",
    "INSERT INTO url_tasks (token, project, created_at, status, done) VALUES (ID(5), P, 1, 'waiting', 0)",
    "INSERT INTO url_history (project, digest, file, saved_at) VALUES (P, 'd', ID(1), 1)",
    "INSERT INTO groups (id, project, created_at) VALUES (ID(6), P, 1)",
    "INSERT INTO group_files (\"group\", position, file, effects) VALUES (ID(6), 0, ID(1), '')",
    "INSERT INTO webhooks (project, created_at, updated_at, event, target_url, is_active, version) \
     VALUES (P, 1, 1, 'file.uploaded', 'http://x/', TRUE, '0.7')",
    "INSERT INTO deliveries (webhook, event, facts, created_at, due_at) \
     SELECT id, 'file.uploaded', '{}', 1, 1 FROM webhooks WHERE project = P",
    "INSERT INTO events (project, items, facts, created_at) VALUES (P, 0, '[]', 1)",
    "INSERT INTO storages (project, name, settings, from_config, created_at) VALUES (P, 's', '{}', FALSE, 1)",
    "INSERT INTO copies (storage, file, created_at, attempt) SELECT id, ID(1), 1, 0 FROM storages WHERE project = P",
    "INSERT INTO garbage (blob, since) VALUES ('gone P', 1)",
    "INSERT INTO token_uses (key, used, expires_at) VALUES ('token P', 1, 1)",
];

impl Case {
    /// Runs statements past the room; a text in place of what they would answer.
    async fn sql(&self, text: &str) {
        self.texts(text).await;
    }

    /// The rows that a statement answers, each a text.
    async fn texts(&self, text: &str) -> Vec<String> {
        let sql = AssertSqlSafe(text.to_owned());
        if self.options.url.is_empty() {
            let pool = sqlx::SqlitePool::connect(&sqlite_url(self.folder.path())).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
        } else {
            let pool = sqlx::PgPool::connect(&self.options.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
        }
    }

    async fn fill(&self, project: ProjectId) {
        for row in ROWS {
            let mut sql = row.replace('P', &project.0.to_string());
            for n in 1..=6 {
                let id = id(project, n).simple().to_string();
                let id = if self.options.url.is_empty() { format!("x'{id}'") } else { format!("'{id}'::uuid") };
                sql = sql.replace(&format!("ID({n})"), &id);
            }
            self.sql(&sql).await;
        }
    }

    /// How many rows each table has.
    async fn counts(&self) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        for table in TABLES {
            counts.push((table.name, self.count(&format!("\"{}\"", table.name)).await));
        }
        counts
    }
}

fn id(project: ProjectId, n: i64) -> Uuid {
    Uuid::from_u64_pair(project.0.unsigned_abs(), n.unsigned_abs())
}

async fn every_table_is_known(case: Case) {
    case.open().await;
    let mut there = if case.options.url.is_empty() {
        case.texts("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").await
    } else {
        case.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()").await
    };
    there.retain(|name| name != "_sqlx_migrations");
    there.sort();
    let mut known = TABLES.map(|table| table.name);
    known.sort_unstable();
    assert_eq!(there, known, "say in records/tables.rs how a new table hangs on a project, and fill it here");
    // And so is every column that the databases fill with numbers, and every one that names a project.
    for table in TABLES {
        let has = |column: &str| {
            if case.options.url.is_empty() {
                format!("SELECT name FROM pragma_table_info('{}') WHERE name = '{column}'", table.name)
            } else {
                format!(
                    "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
                     AND table_name = '{}' AND column_name = '{column}'",
                    table.name
                )
            }
        };
        let by_column = matches!(table.of, Of::Column(_));
        assert_eq!(case.texts(&has("project")).await.len(), usize::from(by_column), "{}", table.name);
        if !case.options.url.is_empty() {
            let numbered = format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
                 AND table_name = '{}' AND (is_identity = 'YES' OR column_default LIKE 'nextval%')",
                table.name
            );
            assert_eq!(case.texts(&numbered).await, table.numbered.into_iter().collect::<Vec<_>>(), "{}", table.name);
        }
    }
}

async fn a_wipe_leaves_nothing_but_secrets(case: Case) {
    let records = case.open().await;
    for key in ["one", "two"] {
        case.fill(project(&records, key).await).await;
    }
    let secret = records.secret("s", "candidate").await.unwrap();
    for (table, count) in case.counts().await {
        assert!(count > 0, "{table} was not filled");
    }
    records.wipe().await.unwrap();
    for (table, count) in case.counts().await {
        assert_eq!(count, i64::from(table == "secrets"), "{table}");
    }
    assert_eq!(records.secret("s", "another").await.unwrap(), secret);
    // Everything is numbered as it was in the beginning.
    let again = project(&records, "two").await;
    assert_eq!(again, ProjectId(1));
    case.fill(again).await;
    for table in TABLES {
        if let Some(column) = table.numbered {
            let numbers = case.texts(&format!("SELECT CAST(max({column}) AS TEXT) FROM {}", table.name)).await;
            let expected = if table.name == "files" { "2" } else { "1" };
            assert_eq!(numbers, [expected], "{}", table.name);
        }
    }
    assert_ne!(records.totals(again).await.unwrap(), Totals::default());
    records.wipe().await.unwrap();
    records.wipe().await.unwrap();
    assert_eq!(records.totals(project(&records, "two").await).await.unwrap(), Totals::default());
}

async fn a_project_is_wiped_alone(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    case.fill(two).await;
    case.sql("DELETE FROM garbage").await;
    let before = case.counts().await;
    case.fill(one).await;
    case.sql("DELETE FROM garbage").await;
    let mut files = records.wipe_project(one, T0).await.unwrap();
    files.sort();
    assert_eq!(files, [FileId(id(one, 1)), FileId(id(one, 2))]);
    let mut garbage: Vec<String> = records.garbage(10).await.unwrap().into_iter().map(|blob| blob.0).collect();
    garbage.sort();
    assert_eq!(garbage, [format!("blob {}", one.0), format!("upload {}", one.0)]);
    case.sql("DELETE FROM garbage").await;
    case.sql(&format!("DELETE FROM token_uses WHERE key = 'token {}'", one.0)).await;
    assert_eq!(case.counts().await, before);
    for table in TABLES {
        if let Of::Column(column) = table.of {
            let others = format!("SELECT 'x' FROM \"{}\" WHERE {column} <> {}", table.name, two.0);
            assert_eq!(case.texts(&others).await, [""; 0], "{}", table.name);
        }
    }
    assert_eq!(records.projects().await.unwrap().len(), 2);
    assert_eq!(records.wipe_project(one, T0).await.unwrap(), []);
}

async fn nothing_that_was_remembered_comes_back(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let file = new_file("a");
    let times = records.add_files(project, vec![file.clone(), new_file("b")], cause()).await.unwrap();
    assert_eq!(times[1], Timestamp(T0.0 + 1), "the clock stands still");
    assert!(records.hot_file(file.id).await.unwrap().is_some());
    assert!(records.project_by_key("p").await.unwrap().is_some());
    let changes = records.file_changes();
    records.wipe().await.unwrap();
    assert_ne!(records.file_changes(), changes);
    assert_eq!(records.hot_file(file.id).await.unwrap(), None);
    assert_eq!(records.project_by_key("p").await.unwrap(), None);
    assert_eq!(records.all_projects().await.unwrap(), []);
    // The same may come again, at the same time.
    let again = crate::project(&records, "p").await;
    let times = records.add_files(again, vec![file.clone()], cause()).await.unwrap();
    assert_eq!((again, &times[..]), (project, &[T0][..]));
    records.hot_file(file.id).await.unwrap().unwrap();
    assert_eq!(records.wipe_project(again, T0).await.unwrap(), [file.id]);
    assert_eq!(records.hot_file(file.id).await.unwrap(), None);
    assert_eq!(records.add_files(again, vec![file], cause()).await.unwrap(), [T0]);
}

async fn what_was_handed_in_does_not_come_after_a_wipe(case: Case) {
    let records = case.open().await;
    for _ in 0..20 {
        let project = project(&records, "p").await;
        let uploads: Vec<_> = (0..50)
            .map(|_| {
                let records = records.clone();
                tokio::spawn(async move { records.add_files(project, vec![new_file("a")], cause()).await })
            })
            .collect();
        tokio::task::yield_now().await;
        // They give up, but what they have handed in is recorded.
        for upload in &uploads {
            upload.abort();
        }
        for upload in uploads {
            let _ = upload.await;
        }
        records.wipe().await.unwrap();
        assert_eq!(case.count("files").await, 0);
    }
}

async fn closed_records_are_not_wiped(case: Case) {
    let records = case.open().await;
    records.close().await;
    records.wipe().await.unwrap_err();
    records.wipe_project(ProjectId(1), T0).await.unwrap_err();
}

async fn the_next_moment_is_told(case: Case) {
    let records = case.open().await;
    assert_eq!(records.next_due(T0, DAY).await.unwrap(), None);
    let project = project(&records, "p").await;
    case.fill(project).await;
    let far = i64::MAX;
    // Nothing of what is there counts yet.
    for sql in [
        "UPDATE uploads SET completed_at = 1, expires_at = 500",
        "UPDATE jobs SET due_at = 9223372036854775807",
        "UPDATE deliveries SET outcome = 'failed', due_at = 500",
        "UPDATE files SET stored_at = 500, uploaded_at = uploaded_at + 500",
    ] {
        case.sql(sql).await;
    }
    let ttl = Duration::from_micros(100);
    let next = async |after: i64| records.next_due(Timestamp(after), ttl).await.unwrap().map(|next| next.0);
    assert_eq!(next(0).await, None);
    for (sql, at) in [
        ("UPDATE files SET stored_at = NULL, uploaded_at = 800 WHERE removed_at IS NULL", 900),
        ("UPDATE uploads SET completed_at = NULL, expires_at = 800", 800),
        ("UPDATE copies SET due_at = 700", 700),
        ("UPDATE deliveries SET outcome = NULL, due_at = 600", 600),
        ("UPDATE jobs SET due_at = 500", 500),
    ] {
        case.sql(sql).await;
        assert_eq!(next(0).await, Some(at), "{sql}");
        assert_eq!(next(at - 1).await, Some(at), "{sql}");
    }
    for (after, at) in [(499, 500), (500, 600), (600, 700), (700, 800), (800, 900)] {
        assert_eq!(next(after).await, Some(at));
    }
    assert_eq!(next(900).await, None, "what is due does not hide what comes, nor count again");
    for table in ["deliveries", "copies"] {
        case.sql(&format!("UPDATE {table} SET due_at = {far}")).await;
    }
    assert_eq!((next(500).await, next(i64::MIN).await, next(far).await), (Some(800), Some(500), None));
    let forever = records.next_due(Timestamp(0), Duration::MAX).await.unwrap();
    assert_eq!(forever, Some(Timestamp(500)), "files that never expire");
    // What it says about files is when they expire.
    let expired = async |now: i64| records.expired_files(Timestamp(now - 100), T0, 10).await.unwrap().len();
    assert_eq!((expired(899).await, expired(900).await), (0, 1));
}

on_both_engines! {
    every_table_is_known,
    a_wipe_leaves_nothing_but_secrets,
    a_project_is_wiped_alone,
    nothing_that_was_remembered_comes_back,
    what_was_handed_in_does_not_come_after_a_wipe,
    closed_records_are_not_wiped,
    the_next_moment_is_told,
}

#[tokio::test]
async fn schemas_are_apart_and_go() {
    let Some(url) = crate::testing::named("STOWAGE_TEST_POSTGRES_URL", "postgres") else { return };
    let prefix = format!("s{}_", &Ids::random().uuid().simple().to_string()[..12]);
    let options =
        |name: &str| Options { url: url.clone(), schema: Some(format!("{prefix}{name}")), ..Options::default() };
    let folder = tempfile::tempdir().unwrap();
    let open = async |name: &str| {
        let clock = stowage_model::Clock::manual(T0);
        Records::open(&options(name), folder.path(), Durability::Relaxed, clock).await
    };
    let (one, two) = (open("one").await.unwrap(), open("two").await.unwrap());
    let declare = |key: &str| -> Vec<Declared> { vec![declared(key)] };
    one.declare_projects(&declare("p"), T0).await.unwrap();
    let project = one.projects().await.unwrap()[0].id;
    // Its triggers count in the schema, too.
    one.add_files(project, vec![new_file("a")], cause()).await.unwrap();
    assert_eq!(two.projects().await.unwrap(), []);
    two.wipe().await.unwrap();
    assert_eq!(one.totals(project).await.unwrap().temporary.files, 1);
    one.close().await;
    let one = open("one").await.unwrap();
    assert_eq!(one.projects().await.unwrap().len(), 1, "a schema stays until it is dropped");
    one.drop_schema().await.unwrap();
    assert_eq!(Records::drop_schemas(&options("x"), &prefix).await.unwrap(), 1, "the other one");
    two.close().await;
    assert_eq!(Records::drop_schemas(&options("x"), &prefix).await.unwrap(), 0);
    assert!(open("Not-plain").await.is_err());
    assert_eq!(Records::drop_schemas(&Options::default(), "").await.unwrap(), 0, "SQLite has none");
}
