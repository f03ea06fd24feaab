//! Telling webhooks, and storages to which files are copied by themselves: what has happened is written in the transaction in which it
//! happens, so that nothing is told that did not happen, and nothing forgotten that did. To whom it is told is settled afterwards
//! (`spread`): uploads do not wait for that.

use std::collections::HashMap;
use std::sync::Arc;

use stowage_model::{Event, EventKind, ProjectId};
use tokio::sync::Notify;

use super::RecordsError;
use super::engine::{Engine, read};
use super::remembered::Remembered;

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

/// What somebody wants to be told of in each project that has active webhooks or storages with automatic copies.
pub(super) type AllWanted = HashMap<ProjectId, Wanted>;

/// Which projects have somebody who is told, as it was a moment ago, so that those without pay nothing for them. A webhook or storage
/// made by another process may miss what happens within [`super::HOT_FOR`].
#[derive(Default)]
pub(super) struct HotHooks {
    wanted: Remembered<AllWanted>,
    /// Whether this process has written something of which deliveries are or will be made.
    pub(super) arrived: Notify,
    /// The same of copies.
    pub(super) copies: Notify,
}

impl HotHooks {
    /// What is wanted in one project. Not to be asked in a transaction: it may need a connection of its own.
    pub(super) async fn wanted(&self, engine: &Engine, project: ProjectId) -> Result<Wanted, sqlx::Error> {
        Ok(self.all(engine).await?.get(&project).copied().unwrap_or_default())
    }

    /// What is wanted in all projects, for those who do not know yet which they will meet in their transaction.
    pub(super) async fn all(&self, engine: &Engine) -> Result<Arc<AllWanted>, sqlx::Error> {
        match self.wanted.get() {
            Some(all) => Ok(all),
            None => self.wanted.renew(async || all_wanted(engine).await).await,
        }
    }

    /// To be called after a change of webhooks or storages is committed.
    pub(super) async fn forget(&self) {
        self.wanted.forget().await;
    }

    /// To be called after something that has happened, or what was made of it, is committed.
    pub(super) fn happened(&self) {
        self.arrived.notify_one();
        self.copies.notify_one();
    }
}

async fn all_wanted(engine: &Engine) -> Result<AllWanted, sqlx::Error> {
    const SQL: &str = "SELECT project, event FROM webhooks WHERE is_active \
         UNION SELECT project, auto_event FROM storages WHERE auto_event IS NOT NULL";
    let rows: Vec<(i64, String)> = read!(engine, pool => sqlx::query_as(SQL).fetch_all(pool).await)?;
    let mut all = AllWanted::new();
    for (project, event) in rows {
        if let Ok(kind) = event.parse() {
            all.entry(ProjectId(project)).or_default().0 |= Wanted::bit(kind);
        }
    }
    Ok(all)
}

/// The most events of one row.
const PORTION: usize = 32;

/// Events of a project as one row keeps them.
pub(super) struct Told {
    pub(super) project: ProjectId,
    pub(super) items: i64,
    pub(super) facts: String,
}

/// Events as rows, in order.
pub(super) fn told(events: &[Event]) -> Vec<Told> {
    let of_projects = events.chunk_by(|one, next| one.file.project == next.file.project);
    let portions = of_projects.flat_map(|events| events.chunks(PORTION));
    let row = |events: &[Event]| {
        let facts = serde_json::to_string(events).ok()?;
        Some(Told { project: events.first()?.file.project, items: i64::try_from(events.len()).ok()?, facts })
    };
    portions.filter_map(row).collect()
}

/// Writes what [`told`] made; the last statements of their transaction. A `Result<(), sqlx::Error>`. `spread` makes deliveries and
/// copies of it.
macro_rules! tell {
    ($tx:expr, $told:expr, $now:expr) => {
        async {
            for told in &$told {
                sqlx::query("INSERT INTO events (project, items, facts, created_at) VALUES ($1, $2, $3, $4)")
                    .bind(told.project.0)
                    .bind(told.items)
                    .bind(&told.facts)
                    .bind($now.0)
                    .execute(&mut *$tx)
                    .await?;
            }
            Ok::<(), sqlx::Error>(())
        }
        .await
    };
}

pub(super) use tell;

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
