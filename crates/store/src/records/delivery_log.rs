//! The log of what webhooks were told and are still to be told.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use stowage_model::{FileId, ProjectId, Timestamp, WebhookId};

use super::deliveries::{Attempt, DeliveryId};
use super::engine::{Engine, read, write};
use super::{Records, RecordsError};

/// How far a delivery is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is due, now or later, or under way.
    Pending,
    /// The target has taken it.
    Delivered,
    /// The target has not taken it in time.
    Failed,
    /// Its webhook was made inactive before it was delivered.
    Dropped,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Dropped];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// The text names no state of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an outcome is pending, delivered, failed or dropped")]
pub struct NotAState;

impl FromStr for DeliveryState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAState)
    }
}

/// Which deliveries are asked for; what is none does not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this webhook.
    pub webhook: Option<WebhookId>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

/// A delivery as the log shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The project of its webhook.
    pub project: ProjectId,
    /// Its webhook.
    pub webhook: WebhookId,
    /// Where it goes, as the webhook says now.
    pub target_url: String,
    /// What it tells, called as in the APIs.
    pub event: String,
    /// The file that it is about.
    pub file: Option<FileId>,
    /// When that happened.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is tried next, or is taken for abandoned if it is under way; meaningless once it has ended.
    pub due_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// The body, once it was sent.
    pub body: Option<String>,
    /// Its signature, where it was signed.
    pub signature: Option<String>,
}

/// The answer to the wish that something is delivered once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redelivery {
    /// It is due now.
    Due,
    /// It is under way at this moment.
    UnderWay,
    /// Its webhook is inactive, and inactive ones are told nothing.
    Inactive,
    /// There is no such delivery.
    Unknown,
}

#[derive(FromRow)]
struct DeliveryRow {
    id: i64,
    project: i64,
    webhook: i64,
    target_url: String,
    event: String,
    facts: String,
    created_at: i64,
    outcome: Option<String>,
    due_at: i64,
    ended_at: Option<i64>,
    attempts: String,
    body: Option<String>,
    signature: Option<String>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let facts: serde_json::Value = serde_json::from_str(&row.facts).unwrap_or_default();
        let state = row.outcome.map_or(Ok(DeliveryState::Pending), |outcome| outcome.parse());
        Self {
            id: DeliveryId(row.id),
            project: ProjectId(row.project),
            webhook: WebhookId(row.webhook),
            target_url: row.target_url,
            event: row.event,
            file: facts["file"]["id"].as_str().and_then(|id| id.parse().ok()),
            created_at: Timestamp(row.created_at),
            state: state.unwrap_or(DeliveryState::Failed),
            due_at: Timestamp(row.due_at),
            ended_at: row.ended_at.map(Timestamp),
            attempts: serde_json::from_str(&row.attempts).unwrap_or_default(),
            body: row.body,
            signature: row.signature,
        }
    }
}

impl Records {
    /// Up to `limit` deliveries that the filter lets through, newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: u32) -> Result<Vec<Delivery>, RecordsError> {
        const SQL: &str = "SELECT d.id, w.project, d.webhook, w.target_url, d.event, d.facts, d.created_at, d.outcome, \
                 d.due_at, d.ended_at, d.attempts, d.body, d.signature \
             FROM deliveries d JOIN webhooks w ON w.id = d.webhook \
             WHERE (CAST($1 AS BIGINT) IS NULL OR w.project = $1) AND (CAST($2 AS BIGINT) IS NULL OR d.webhook = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR COALESCE(d.outcome, 'pending') = $3) ORDER BY d.id DESC LIMIT $4";
        let rows: Vec<DeliveryRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL)
                .bind(filter.project.map(|project| project.0))
                .bind(filter.webhook.map(|webhook| webhook.0))
                .bind(filter.state.map(DeliveryState::as_str))
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await
        })?;
        Ok(rows.into_iter().map(Delivery::from).collect())
    }

    /// Makes a delivery due now, however it ended; what is sent stays the same.
    pub async fn redeliver(&self, id: DeliveryId, now: Timestamp) -> Result<Redelivery, RecordsError> {
        const SQL: &str = "UPDATE deliveries SET due_at = $2, lease = NULL, outcome = NULL, ended_at = NULL \
             WHERE id = $1 AND (lease IS NULL OR due_at <= $2) \
             AND EXISTS (SELECT 1 FROM webhooks w WHERE w.id = deliveries.webhook AND w.is_active)";
        const WHY_NOT: &str =
            "SELECT w.is_active FROM deliveries d JOIN webhooks w ON w.id = d.webhook WHERE d.id = $1";
        let done = write!(self.engine(), pool => {
            sqlx::query(SQL).bind(id.0).bind(now.0).execute(pool).await.map(|done| done.rows_affected())
        })?;
        if done > 0 {
            self.inner.hooks.arrived.notify_one();
            return Ok(Redelivery::Due);
        }
        let is_active: Option<bool> =
            write!(self.engine(), pool => sqlx::query_scalar(WHY_NOT).bind(id.0).fetch_optional(pool).await)?;
        Ok(match is_active {
            Some(true) => Redelivery::UnderWay,
            Some(false) => Redelivery::Inactive,
            None => Redelivery::Unknown,
        })
    }

    /// Deletes up to `limit` deliveries that ended before `cutoff`; answers how many.
    pub async fn purge_deliveries(&self, cutoff: Timestamp, limit: u32) -> Result<u64, RecordsError> {
        const SQLITE: &str = "DELETE FROM deliveries WHERE id IN \
             (SELECT id FROM deliveries WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
        const POSTGRES: &str = "DELETE FROM deliveries WHERE id IN \
             (SELECT id FROM deliveries WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        Ok(write!(self.engine(), pool => {
            sqlx::query(sql).bind(cutoff.0).bind(i64::from(limit)).execute(pool).await.map(|done| done.rows_affected())
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_called_alike_everywhere() {
        for state in DeliveryState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("Pending".parse::<DeliveryState>(), Err(NotAState));
    }
}
