//! Telling webhooks: what has happened is written for every active subscription in the transaction in which it happens, so
//! that nothing is told that did not happen, and nothing forgotten that did.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use serde::Serialize;
use stowage_model::{Event, EventKind, ProjectId};
use tokio::sync::Notify;

use super::engine::{Engine, read};
use super::{HOT_FOR, RecordsError};

/// Which kinds of events somebody in a project wants to be told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted(u8);

impl Wanted {
    pub(super) fn has(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    pub(super) fn none(self) -> bool {
        self.0 == 0
    }

    fn bit(kind: EventKind) -> u8 {
        1 << (kind as u8)
    }
}

/// What somebody wants to be told of in each project that has active webhooks.
pub(super) type AllWanted = HashMap<ProjectId, Wanted>;

/// Which projects have active webhooks, as it was a moment ago, so that those without pay nothing for them. A webhook made by another
/// process may miss what happens within [`HOT_FOR`].
#[derive(Default)]
pub(super) struct HotHooks {
    snapshot: RwLock<Option<(Instant, Arc<AllWanted>)>>,
    /// One request renews the snapshot while the others wait for it.
    renewing: tokio::sync::Mutex<()>,
    /// Whether this process has written deliveries.
    pub(super) arrived: Notify,
}

impl HotHooks {
    /// What is wanted in one project. Not to be asked in a transaction: it may need a connection of its own.
    pub(super) async fn wanted(&self, engine: &Engine, project: ProjectId) -> Result<Wanted, sqlx::Error> {
        Ok(self.all(engine).await?.get(&project).copied().unwrap_or_default())
    }

    /// What is wanted in all projects, for those who do not know yet which they will meet in their transaction.
    pub(super) async fn all(&self, engine: &Engine) -> Result<Arc<AllWanted>, sqlx::Error> {
        if let Some(all) = self.get() {
            return Ok(all);
        }
        let _alone = self.renewing.lock().await;
        if let Some(all) = self.get() {
            return Ok(all);
        }
        let taken = Instant::now();
        let all = Arc::new(active_hooks(engine).await?);
        self.set(Some((taken, Arc::clone(&all))));
        Ok(all)
    }

    /// To be called after a change of webhooks is committed.
    pub(super) async fn forget(&self) {
        // Whoever is renewing may have read before the change: wait, then drop what they read.
        let _alone = self.renewing.lock().await;
        self.set(None);
    }

    fn get(&self) -> Option<Arc<AllWanted>> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        let (taken, all) = snapshot.as_ref()?;
        (taken.elapsed() < HOT_FOR).then(|| Arc::clone(all))
    }

    fn set(&self, snapshot: Option<(Instant, Arc<AllWanted>)>) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

async fn active_hooks(engine: &Engine) -> Result<AllWanted, sqlx::Error> {
    const SQL: &str = "SELECT DISTINCT project, event FROM webhooks WHERE is_active";
    let rows: Vec<(i64, String)> = read!(engine, pool => sqlx::query_as(SQL).fetch_all(pool).await)?;
    let mut hooks = AllWanted::new();
    for (project, event) in rows {
        if let Ok(kind) = event.parse() {
            hooks.entry(ProjectId(project)).or_default().0 |= Wanted::bit(kind);
        }
    }
    Ok(hooks)
}

/// An event as the statement that writes it takes it apart.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    project: ProjectId,
    kind: EventKind,
    facts: &'a Event,
}

/// Events as a value to bind; none if there are none.
pub(super) fn told(events: &[Event]) -> Option<String> {
    let told: Vec<Told<'_>> =
        events.iter().map(|event| Told { project: event.file.project, kind: event.kind, facts: event }).collect();
    if told.is_empty() { None } else { serde_json::to_string(&told).ok() }
}

/// Writes the deliveries of what [`told`] made, due at once; the last statement of its transaction. A
/// `Result<(), sqlx::Error>`.
macro_rules! tell {
    ($engine:expr, $tx:expr, $told:expr, $now:expr) => {
        match &$told {
            Some(told) => sqlx::query($crate::records::events::tell_sql($engine))
                .bind(told)
                .bind($now.0)
                .execute(&mut *$tx)
                .await
                .map(drop),
            None => Ok(()),
        }
    };
}

pub(super) use tell;

pub(super) fn tell_sql(engine: &Engine) -> &'static str {
    const SQLITE: &str = "INSERT INTO deliveries (webhook, event, facts, created_at, due_at) \
         SELECT w.id, w.event, e.value -> '$.facts', $2, $2 FROM json_each($1) e \
         JOIN webhooks w ON w.project = e.value ->> '$.project' AND w.event = e.value ->> '$.kind' \
         WHERE w.is_active ORDER BY w.id, e.key";
    // Locked until the end, so that a webhook that is made inactive or deleted meanwhile takes what is written here with it.
    const POSTGRES: &str = "INSERT INTO deliveries (webhook, event, facts, created_at, due_at) \
         SELECT w.id, w.event, (e.value -> 'facts')::text, $2, $2 \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS e (value, position) \
         JOIN webhooks w ON w.project = (e.value ->> 'project')::bigint AND w.event = e.value ->> 'kind' \
         WHERE w.is_active ORDER BY w.id, e.position FOR SHARE OF w";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}

impl super::Records {
    /// Waits until this process has written something that webhooks are to be told; at once if that has happened since the
    /// last wait was over.
    pub async fn delivery_arrived(&self) {
        self.inner.hooks.arrived.notified().await;
    }

    /// What somebody in a project wants to be told of.
    pub(super) async fn wanted(&self, project: ProjectId) -> Result<Wanted, RecordsError> {
        Ok(self.inner.hooks.wanted(self.engine(), project).await?)
    }
}
