//! What a snapshot of the records carries: every table with its columns, or why it stays behind, and the two statements that turn rows
//! into lines of JSON and back. Lines are the same whichever engine writes them. Tests compare the list with what the databases have,
//! so that whoever adds a table or a column decides here what becomes of it.

mod column;

use std::fmt::Write;

use stowage_model::{ContentInfo, Event, EventKind, HookVersion, Job, Metadata, Settings, StorageSettings, Tags};

pub(super) use column::{Column, LAST_NUMBER, is_hex, text_of};
use column::{
    flag, holds, id, is_etag, is_public_key, is_size, is_storage_name, json, number, reads, row_number, text,
};

use super::copies::CopyRequest;
use super::deliveries::Attempt;
use super::engine::Engine;

/// A table of which a snapshot has the rows.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Columns that no snapshot has: they come by themselves, or mean nothing elsewhere.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the databases"))]
    pub(super) without: &'static [&'static str],
    /// Which rows; empty for all.
    only: &'static str,
    /// In which order.
    order: &'static str,
}

/// What becomes of a table.
#[derive(Debug)]
pub(super) enum Fate {
    Carried(Carried),
    /// Its name, and why it stays behind.
    #[cfg_attr(not(test), expect(dead_code, reason = "people read it, and a test"))]
    LeftBehind(&'static str, &'static str),
}

const fn table(name: &'static str, order: &'static str, columns: &'static [Column]) -> Carried {
    Carried { name, columns, without: &[], only: "", order }
}

impl Carried {
    const fn without(self, without: &'static [&'static str]) -> Self {
        Self { without, ..self }
    }

    const fn only(self, only: &'static str) -> Self {
        Self { only, ..self }
    }
}

/// What was claimed is due at once: whoever has the lease is not there.
const UNCLAIMED: &str = "CASE WHEN lease IS NULL THEN due_at ELSE created_at END";
/// The name under which a snapshot has the bytes of a file: equal ones once.
const CONTENT: &str = "CASE WHEN blob IS NULL THEN NULL ELSE etag || '-' || size END";

const METADATA: Column = json("metadata").check(reads::<Metadata>);
const TAGS: Column = json("tags").check(reads::<Tags>);

/// Every table but that of the migrations, in an order in which they can be filled.
static FATES: [Fate; 18] = [
    Fate::Carried(table(
        "projects",
        "id",
        &[
            row_number("id"),
            text("public_key").check(is_public_key),
            json("secret_keys").check(reads::<Vec<String>>),
            json("settings").check(reads::<Settings>),
            flag("from_config"),
            number("created_at"),
        ],
    )),
    Fate::LeftBehind("secrets", "each server signs with secrets of its own"),
    Fate::Carried(table("token_uses", "key", &[text("key"), number("used"), number("expires_at")])),
    Fate::LeftBehind("garbage", "blobs that are to be deleted are nobody's"),
    Fate::Carried(table(
        "storages",
        "id",
        &[
            row_number("id"),
            number("project"),
            text("name").check(is_storage_name),
            text("settings").check(holds::<StorageSettings>),
            text("auto_event").nullable().check(reads::<EventKind>),
            flag("from_config"),
            number("created_at"),
            number("backfilled_to"),
        ],
    )),
    Fate::Carried(
        table(
            "copies",
            "id",
            &[
                row_number("id"),
                number("storage"),
                id("file"),
                text("request").nullable().check(holds::<CopyRequest>),
                number("created_at"),
                // What is left to do of an ended one is about an upload that stays behind.
                number("due_at").nullable().as_sql(
                    "CASE WHEN ended_at IS NOT NULL THEN NULL WHEN lease IS NULL THEN due_at ELSE created_at END",
                ),
                number("attempt"),
                text("error").nullable(),
                number("ended_at").nullable(),
            ],
        )
        // Two servers must not go on with the same upload at a storage.
        .without(&["upload", "lease"]),
    ),
    Fate::Carried(table(
        "events",
        "id",
        &[
            row_number("id"),
            number("project"),
            number("items"),
            text("facts").check(holds::<Vec<Event>>),
            number("created_at"),
        ],
    )),
    Fate::Carried(table(
        "webhooks",
        "id",
        &[
            row_number("id"),
            number("project"),
            number("created_at"),
            number("updated_at"),
            text("event").check(reads::<EventKind>),
            text("target_url"),
            flag("is_active"),
            text("version").check(reads::<HookVersion>),
            text("signing_secret").nullable(),
        ],
    )),
    Fate::Carried(
        table(
            "deliveries",
            "id",
            &[
                row_number("id"),
                number("webhook"),
                text("event").check(reads::<EventKind>),
                text("facts").check(holds::<Event>),
                text("body").nullable(),
                text("signature").nullable(),
                number("created_at"),
                number("due_at").as_sql(UNCLAIMED),
                text("attempts").check(holds::<Vec<Attempt>>),
                text("outcome").nullable(),
                number("ended_at").nullable(),
            ],
        )
        .without(&["lease"]),
    ),
    Fate::Carried(table(
        "url_history",
        "project, digest",
        &[number("project"), text("digest"), id("file"), number("saved_at")],
    )),
    Fate::Carried(table(
        "url_tasks",
        "token",
        &[
            id("token"),
            number("project"),
            number("created_at"),
            text("status"),
            number("done"),
            number("total").nullable(),
            id("file").nullable(),
            text("error").nullable(),
            text("error_code").nullable(),
            number("finished_at").nullable(),
        ],
    )),
    Fate::LeftBehind("counts", "triggers count again"),
    Fate::Carried(table("groups", "id", &[id("id"), number("project"), number("created_at"), number("files")])),
    Fate::Carried(table(
        "group_files",
        "\"group\", position",
        &[id("group"), number("position"), id("file"), text("effects")],
    )),
    Fate::Carried(
        table(
            "files",
            "seq",
            &[
                id("id"),
                number("project"),
                number("uploaded_at"),
                number("stored_at").nullable(),
                number("removed_at").nullable(),
                text("blob").nullable().as_sql(CONTENT),
                number("size").check(is_size),
                text("etag").check(is_etag),
                text("name"),
                text("mime_type"),
                flag("is_image"),
                json("content").check(reads::<ContentInfo>),
                METADATA,
                TAGS,
                text("source").nullable(),
            ],
        )
        .without(&["seq", "state"]),
    ),
    Fate::Carried(
        table(
            "jobs",
            "created_at, id",
            &[
                id("id"),
                text("kind"),
                json("payload").check(reads::<Job>),
                number("due_at").as_sql(UNCLAIMED),
                number("attempt"),
                number("created_at"),
            ],
        )
        .without(&["lease"]),
    ),
    Fate::Carried(
        table(
            "uploads",
            "id",
            &[
                id("id"),
                number("project"),
                number("started_at"),
                number("expires_at"),
                number("size").check(is_size),
                number("part_size"),
                // Nobody looks for the blob of a completed upload, but no two may have the same.
                text("blob").as_digits("id"),
                number("completed_at"),
                text("name"),
                text("mime_type"),
                flag("stored"),
                METADATA,
                TAGS,
                text("source").nullable(),
            ],
        )
        // Of the others the bytes that have arrived stay behind.
        .only("completed_at IS NOT NULL")
        .without(&["blob_upload"]),
    ),
    Fate::LeftBehind("upload_parts", "parts have only the uploads that stay behind"),
];

/// The tables of a snapshot, in an order in which they can be filled.
pub(super) fn carried() -> impl Iterator<Item = &'static Carried> {
    FATES.iter().filter_map(|fate| match fate {
        Fate::Carried(table) => Some(table),
        Fate::LeftBehind(..) => None,
    })
}

impl Carried {
    /// The statement that answers every row as a line of JSON.
    pub(super) fn read_sql(&self, engine: &Engine) -> String {
        let mut members = String::new();
        for column in self.columns {
            let comma = if members.is_empty() { "" } else { ", " };
            let _ = write!(members, "{comma}'{}', {}", column.name, column.read(engine));
        }
        let row = match engine {
            Engine::Sqlite { .. } => format!("json_object({members})"),
            Engine::Postgres(_) => format!("json_build_object({members})::text"),
        };
        let only = if self.only.is_empty() { String::new() } else { format!(" WHERE {}", self.only) };
        format!("SELECT {row} FROM \"{}\"{only} ORDER BY {}", self.name, self.order)
    }

    /// The statement that inserts an array of such lines, `$1`.
    pub(super) fn write_sql(&self, engine: &Engine) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let values: Vec<String> = self.columns.iter().map(|column| column.write(engine)).collect();
        let (name, names, values) = (self.name, names.join(", "), values.join(", "));
        match engine {
            Engine::Sqlite { .. } => format!("INSERT INTO \"{name}\" ({names}) SELECT {values} FROM json_each($1)"),
            Engine::Postgres(_) => format!(
                "INSERT INTO \"{name}\" ({names}) OVERRIDING SYSTEM VALUE SELECT {values} \
                 FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS line (value, place) ORDER BY place"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sqlx::AssertSqlSafe;

    use super::super::tables::TABLES;
    use super::super::{Options, Records};
    use super::*;
    use crate::Durability;
    use crate::testing::postgres_url;

    #[test]
    fn every_table_is_carried_or_left_behind() {
        let name = |fate: &Fate| match *fate {
            Fate::Carried(Carried { name, .. }) => name,
            Fate::LeftBehind(name, why) => {
                assert!(!why.is_empty());
                name
            }
        };
        let names: Vec<&str> = FATES.iter().map(name).collect();
        let known: Vec<&str> = TABLES.iter().rev().map(|table| table.name).collect();
        assert_eq!(names, known, "decide what a snapshot does with each table");
    }

    async fn columns_are_known(url: String) {
        const SQLITE: &str = "SELECT name FROM pragma_table_xinfo($1)";
        const POSTGRES: &str = "SELECT column_name::text FROM information_schema.columns \
             WHERE table_name = $1 AND table_schema = current_schema()";
        let folder = tempfile::tempdir().unwrap();
        let options = Options { url, ..Options::default() };
        let clock = stowage_model::Clock::machine();
        let records = Records::open(&options, folder.path(), Durability::Relaxed, clock).await.unwrap();
        for table in carried() {
            let columns: Vec<String> = match records.engine() {
                Engine::Sqlite { read, .. } => {
                    sqlx::query_scalar(SQLITE).bind(table.name).fetch_all(read).await.unwrap()
                }
                Engine::Postgres(pool) => sqlx::query_scalar(POSTGRES).bind(table.name).fetch_all(pool).await.unwrap(),
            };
            let there: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
            let known = table.columns.iter().map(|column| column.name).chain(table.without.iter().copied()).collect();
            assert_eq!(there, known, "decide what a snapshot does with each column of {}", table.name);
            for (sql, is_write) in
                [(table.read_sql(records.engine()), false), (table.write_sql(records.engine()), true)]
            {
                let sql = AssertSqlSafe(sql);
                let ran = match records.engine() {
                    Engine::Sqlite { write, .. } => sqlx::query(sql).bind("[]").execute(write).await.map(drop),
                    Engine::Postgres(pool) if is_write => sqlx::query(sql).bind("[]").execute(pool).await.map(drop),
                    Engine::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(drop),
                };
                ran.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn every_column_of_sqlite_is_carried_or_left_behind() {
        columns_are_known(String::new()).await;
    }

    #[tokio::test]
    async fn every_column_of_postgres_is_carried_or_left_behind() {
        if let Some(url) = postgres_url().await {
            columns_are_known(url).await;
        }
    }
}
