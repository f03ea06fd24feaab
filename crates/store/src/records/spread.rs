//! Spreading what has happened: the rows that `events` writes become one delivery for each webhook that is active and wants to know, and
//! one copy for each storage that takes the file by itself. A change of a project's webhooks or storages spreads what waits in the
//! project first, so that everything is told to those who were there when it happened.

use sqlx::FromRow;
use stowage_model::ProjectId;

use super::engine::{Engine, read, transaction};
use super::{Records, RecordsError};

/// The next project behind `$1`, counted around, of which a storage takes files by itself and in which something waits. Storages are few;
/// what waits for webhooks alone may be much, and is not looked through.
macro_rules! copied {
    ($and:literal) => {
        concat!(
            "SELECT s.project FROM storages s WHERE s.auto_event IS NOT NULL",
            $and,
            " AND EXISTS (SELECT 1 FROM events e WHERE e.project = s.project) ORDER BY s.project LIMIT 1"
        )
    };
}

pub(super) const NEXT_COPIED: &str =
    concat!("SELECT COALESCE((", copied!(" AND s.project > $1"), "), (", copied!(""), "))");

/// What was spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// The project in which it had happened.
    pub project: ProjectId,
    /// How many events there were; 0 where another process is at it.
    pub events: u64,
}

#[derive(FromRow)]
pub(super) struct Waiting {
    pub(super) id: i64,
    pub(super) items: i64,
}

/// Up to how many rows are looked at, as a value to bind that stands for all.
pub(super) const ALL: i64 = i64::MAX;

/// Makes deliveries and copies of the oldest rows of a project: of the first, and of further ones as long as there are no more than
/// `$limit` events in all of them. Answers the number of events. `$waits` says whether rows that another transaction is spreading are
/// waited for.
macro_rules! spread {
    ($engine:expr, $tx:ident, $project:expr, $limit:expr, $waits:expr) => {
        async {
            let $crate::records::spread::Sql { wait, lock, deliver, copy, remove } =
                $crate::records::spread::sql($engine, $waits);
            let limit: i64 = $limit;
            let rows: Vec<$crate::records::spread::Waiting> =
                sqlx::query_as(wait).bind($project.0).bind(limit).fetch_all(&mut *$tx).await?;
            let (ids, events) = $crate::records::spread::portion(&rows, limit);
            if !ids.is_empty() {
                let ids = serde_json::Value::from(ids).to_string();
                if let Some(lock) = lock {
                    sqlx::query(lock).bind($project.0).execute(&mut *$tx).await?;
                }
                sqlx::query(deliver).bind(&ids).execute(&mut *$tx).await?;
                sqlx::query(copy).bind(&ids).bind($project.0).execute(&mut *$tx).await?;
                sqlx::query(remove).bind(&ids).execute(&mut *$tx).await?;
            }
            Ok::<u64, sqlx::Error>(events)
        }
        .await
    };
}

pub(super) use spread;

/// The statements of [`spread`].
pub(super) struct Sql {
    /// Looks for rows.
    pub(super) wait: &'static str,
    /// Holds the webhooks, where others could change them meanwhile.
    pub(super) lock: Option<&'static str>,
    /// Makes deliveries.
    pub(super) deliver: &'static str,
    /// Makes copies; of each file one to each storage, however often it is told of.
    pub(super) copy: &'static str,
    /// Deletes the rows.
    pub(super) remove: &'static str,
}

pub(super) fn sql(engine: &Engine, waits: bool) -> Sql {
    const SQLITE: Sql = Sql {
        wait: "SELECT id, items FROM events WHERE project = $1 ORDER BY id LIMIT $2",
        lock: None,
        deliver: "INSERT INTO deliveries (webhook, event, facts, created_at, due_at) \
         SELECT w.id, w.event, f.value, e.created_at, e.created_at \
         FROM json_each($1) i CROSS JOIN events e ON e.id = i.value CROSS JOIN json_each(e.facts) f \
         JOIN webhooks w ON w.project = e.project AND w.event = f.value ->> '$.kind' \
         WHERE w.is_active ORDER BY e.id, f.key, w.id",
        copy: "INSERT INTO copies (storage, file, created_at, due_at, attempt) \
         SELECT s.id, unhex(f.value ->> '$.file.id', '-') AS file, e.created_at, e.created_at, 0 \
         FROM storages s CROSS JOIN json_each($1) i CROSS JOIN events e ON e.id = i.value CROSS JOIN json_each(e.facts) f \
         WHERE s.project = $2 AND s.auto_event = f.value ->> '$.kind' ORDER BY s.id, file \
         ON CONFLICT (storage, file) WHERE request IS NULL DO NOTHING",
        remove: "DELETE FROM events WHERE id IN (SELECT value FROM json_each($1))",
    };
    const WAIT: &str = "SELECT id, items FROM events WHERE project = $1 ORDER BY id LIMIT $2 FOR UPDATE";
    const SKIP: &str = "SELECT id, items FROM events WHERE project = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED";
    // Until the end, so that one that is made inactive or deleted meanwhile takes what is written here with it.
    const LOCK: &str = "SELECT FROM webhooks WHERE project = $1 ORDER BY id FOR SHARE";
    const DELIVER: &str = "INSERT INTO deliveries (webhook, event, facts, created_at, due_at) \
         SELECT w.id, w.event, f.value::text, e.created_at, e.created_at \
         FROM jsonb_array_elements_text($1::jsonb) i JOIN events e ON e.id = i::bigint \
         CROSS JOIN LATERAL jsonb_array_elements(e.facts::jsonb) WITH ORDINALITY AS f (value, position) \
         JOIN webhooks w ON w.project = e.project AND w.event = f.value ->> 'kind' \
         WHERE w.is_active ORDER BY e.id, f.position, w.id";
    // Storages that are there stay there until the end; whoever changes one has spread what waits before that. In the order of their
    // keys, so that those who enqueue the same copies wait for each other and nothing worse.
    const COPY: &str = "WITH held AS MATERIALIZED \
             (SELECT id, auto_event FROM storages WHERE project = $2 ORDER BY id FOR KEY SHARE) \
         INSERT INTO copies (storage, file, created_at, due_at, attempt) \
         SELECT s.id, (f #>> '{file,id}')::uuid AS file, e.created_at, e.created_at, 0 \
         FROM held s CROSS JOIN jsonb_array_elements_text($1::jsonb) i JOIN events e ON e.id = i::bigint \
         CROSS JOIN LATERAL jsonb_array_elements(e.facts::jsonb) AS f \
         WHERE s.auto_event = f ->> 'kind' ORDER BY s.id, file \
         ON CONFLICT (storage, file) WHERE request IS NULL DO NOTHING";
    const REMOVE: &str =
        "DELETE FROM events WHERE id IN (SELECT i::bigint FROM jsonb_array_elements_text($1::jsonb) i)";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => Sql {
            wait: if waits { WAIT } else { SKIP },
            lock: Some(LOCK),
            deliver: DELIVER,
            copy: COPY,
            remove: REMOVE,
        },
    }
}

/// The ids of the rows that are taken, and how many events they hold.
pub(super) fn portion(rows: &[Waiting], limit: i64) -> (Vec<i64>, u64) {
    let mut events = 0;
    let mut ids = Vec::new();
    for row in rows {
        if !ids.is_empty() && events + row.items > limit {
            break;
        }
        events += row.items;
        ids.push(row.id);
    }
    (ids, u64::try_from(events).unwrap_or(0))
}

impl Records {
    /// Makes deliveries and copies of what has happened in one project, the next behind `after` in which something waits, counted
    /// around: of about `limit` events at most. None if nothing waits anywhere.
    pub async fn spread_events(&self, after: ProjectId, limit: u32) -> Result<Option<Spread>, RecordsError> {
        const NEXT: &str =
            "SELECT COALESCE((SELECT min(project) FROM events WHERE project > $1), (SELECT min(project) FROM events))";
        self.spread_next(NEXT, after, limit).await
    }

    /// The same for those projects only of which a storage takes files by itself.
    pub async fn spread_to_storages(&self, after: ProjectId, limit: u32) -> Result<Option<Spread>, RecordsError> {
        self.spread_next(NEXT_COPIED, after, limit).await
    }

    async fn spread_next(
        &self,
        next: &'static str,
        after: ProjectId,
        limit: u32,
    ) -> Result<Option<Spread>, RecordsError> {
        let next: Option<i64> =
            read!(self.engine(), pool => sqlx::query_scalar(next).bind(after.0).fetch_one(pool).await)?;
        let Some(project) = next.map(ProjectId) else { return Ok(None) };
        let events = transaction!(self.engine(), tx => {
            let events = spread!(self.engine(), tx, project, i64::from(limit), false)?;
            tx.commit().await?;
            events
        });
        if events > 0 {
            self.inner.hooks.happened();
        }
        Ok(Some(Spread { project, events }))
    }
}
