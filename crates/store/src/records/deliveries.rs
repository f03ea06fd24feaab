//! What webhooks are told. A delivery that was claimed stays due with a lease, like a job: when the lease ends it is due
//! again, so that what a dead process was about to send is sent by another one. Ended ones stay for a while (`delivery_log`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use stowage_model::{Timestamp, Webhook, WebhookId};
use uuid::Uuid;

use super::delivery_log::DeliveryState;
use super::engine::{Engine, read, transaction, write};
use super::webhooks::{WebhookRow, webhook_columns};
use super::{Records, RecordsError};

/// The id of a delivery, a number that is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A delivery that was claimed.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Who is to be told.
    pub webhook: WebhookId,
    /// What has happened: a serialised [`stowage_model::Event`].
    pub facts: String,
    /// What was sent before.
    pub sent: Option<Sent>,
    /// When it happened.
    pub created_at: Timestamp,
    /// How many attempts there were before.
    pub attempts: u32,
    /// What proves that the delivery is still ours.
    pub lease: Uuid,
}

/// What a webhook is sent, the same at each attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The body.
    pub body: String,
    /// Its signature, where it is signed.
    pub signature: Option<String>,
}

/// One attempt to deliver, as the log keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// What the target answered with, where it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// An attempt that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempted {
    /// The delivery.
    pub id: DeliveryId,
    /// The lease under which it was claimed.
    pub lease: Uuid,
    /// What was sent; kept at the first attempt.
    pub sent: Option<Sent>,
    /// How it went.
    pub attempt: Attempt,
    /// What comes next.
    pub next: Next,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It has been delivered.
    Delivered,
    /// It has failed for good.
    Failed,
}

#[derive(FromRow)]
struct ClaimRow {
    id: i64,
    webhook: i64,
    facts: String,
    body: Option<String>,
    signature: Option<String>,
    created_at: i64,
    tried: i64,
}

impl Records {
    /// Up to `limit` active webhooks with deliveries that are due at `now`, by id, from the one behind `after` on.
    pub async fn due_webhooks(
        &self,
        now: Timestamp,
        after: WebhookId,
        limit: u32,
    ) -> Result<Vec<Webhook>, RecordsError> {
        const SQL: &str = concat!(
            "SELECT ",
            webhook_columns!(),
            " FROM webhooks WHERE is_active AND id > $2 AND EXISTS (SELECT 1 FROM deliveries d \
             WHERE d.webhook = webhooks.id AND d.outcome IS NULL AND d.due_at <= $1) ORDER BY id LIMIT $3"
        );
        let rows: Vec<WebhookRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(now.0).bind(after.0).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        // What cannot be read is left for nodes of a later version.
        Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
    }

    /// Claims deliveries that are due at `now`, those due first, for the time of `lease`: of each webhook up to as many as
    /// `wanted` says. `holder` stands for the claim: nobody else may use the same. Several nodes may ask at once: each
    /// delivery is answered to one of them.
    pub async fn claim_deliveries(
        &self,
        wanted: &[(WebhookId, u32)],
        now: Timestamp,
        lease: Duration,
        holder: Uuid,
    ) -> Result<Vec<ClaimedDelivery>, RecordsError> {
        // By the outcome as well, which is none for all of them, so that the index gives them in this order.
        const SQLITE: &str = "UPDATE deliveries SET due_at = $2, lease = $3 WHERE id IN (SELECT id FROM deliveries \
                 WHERE webhook = $4 AND outcome IS NULL AND due_at <= $1 ORDER BY outcome, due_at, id LIMIT $5) \
             RETURNING id, webhook, facts, body, signature, created_at, json_array_length(attempts) AS tried";
        const POSTGRES: &str = "WITH due AS MATERIALIZED (SELECT id FROM deliveries \
                 WHERE webhook = $4 AND outcome IS NULL AND due_at <= $1 ORDER BY outcome, due_at, id LIMIT $5 \
                 FOR UPDATE SKIP LOCKED) \
             UPDATE deliveries d SET due_at = $2, lease = $3 FROM due WHERE d.id = due.id \
             RETURNING d.id, webhook, facts, body, signature, created_at, \
                 jsonb_array_length(attempts::jsonb)::bigint AS tried";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows: Vec<ClaimRow> = Vec::new();
        transaction!(self.engine(), tx => {
            for (webhook, limit) in wanted {
                let of_webhook: Vec<ClaimRow> = sqlx::query_as(sql)
                    .bind(now.0)
                    .bind(now.plus(lease).0)
                    .bind(holder)
                    .bind(webhook.0)
                    .bind(i64::from(*limit))
                    .fetch_all(&mut *tx)
                    .await?;
                rows.extend(of_webhook);
            }
            tx.commit().await?;
        });
        let claimed = |row: ClaimRow| ClaimedDelivery {
            id: DeliveryId(row.id),
            webhook: WebhookId(row.webhook),
            facts: row.facts,
            sent: row.body.map(|body| Sent { body, signature: row.signature }),
            created_at: Timestamp(row.created_at),
            attempts: u32::try_from(row.tried).unwrap_or(u32::MAX),
            lease: holder,
        };
        Ok(rows.into_iter().map(claimed).collect())
    }

    /// Records attempts that are over, in one statement, and what was sent where that is not recorded yet. Nothing is
    /// recorded of deliveries that are no longer ours: others have taken them over, or they were dropped.
    pub async fn record_attempts(&self, attempted: &[Attempted], now: Timestamp) -> Result<(), RecordsError> {
        const SQLITE: &str = "UPDATE deliveries SET body = COALESCE(body, r.value ->> 2), \
                 signature = CASE WHEN body IS NULL THEN r.value ->> 3 ELSE signature END, \
                 attempts = json_insert(attempts, '$[#]', json(r.value -> 4)), \
                 due_at = r.value ->> 5, outcome = r.value ->> 6, ended_at = r.value ->> 7, lease = NULL \
             FROM json_each($1) r WHERE deliveries.id = r.value ->> 0 AND deliveries.lease = unhex(r.value ->> 1)";
        // Locked in the order in which those lock who drop or delete the deliveries of a webhook.
        const POSTGRES: &str = "WITH held AS MATERIALIZED (SELECT d.id, r FROM jsonb_array_elements($1::jsonb) AS r \
                 JOIN deliveries d ON d.id = (r ->> 0)::bigint AND d.lease = (r ->> 1)::uuid \
                 WHERE d.id = ANY (ARRAY(SELECT (h ->> 0)::bigint FROM jsonb_array_elements($1::jsonb) h)) \
                 ORDER BY d.id FOR UPDATE OF d) \
             UPDATE deliveries d SET body = COALESCE(body, r ->> 2), \
                 signature = CASE WHEN body IS NULL THEN r ->> 3 ELSE signature END, \
                 attempts = (attempts::jsonb || (r -> 4))::text, \
                 due_at = (r ->> 5)::bigint, outcome = r ->> 6, ended_at = (r ->> 7)::bigint, lease = NULL \
             FROM held WHERE d.id = held.id";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        if attempted.is_empty() {
            return Ok(());
        }
        let row = |attempted: &Attempted| {
            let (due_at, outcome) = match attempted.next {
                Next::Retry(at) => (at, None),
                Next::Delivered => (now, Some(DeliveryState::Delivered)),
                Next::Failed => (now, Some(DeliveryState::Failed)),
            };
            serde_json::json!([
                attempted.id,
                attempted.lease.simple().to_string(),
                attempted.sent.as_ref().map(|sent| &sent.body),
                attempted.sent.as_ref().and_then(|sent| sent.signature.as_ref()),
                attempted.attempt,
                due_at.0,
                outcome,
                outcome.map(|_| now.0),
            ])
        };
        let rows = attempted.iter().map(row).collect::<serde_json::Value>().to_string();
        Ok(write!(self.engine(), pool => sqlx::query(sql).bind(rows).execute(pool).await.map(drop))?)
    }

    /// Gives deliveries back that were claimed and not tried, each named by its id and its lease: they are due at `now`.
    pub async fn release_deliveries(&self, held: &[(DeliveryId, Uuid)], now: Timestamp) -> Result<(), RecordsError> {
        const SQL: &str = "UPDATE deliveries SET due_at = $3, lease = NULL WHERE id = $1 AND lease = $2";
        if held.is_empty() {
            return Ok(());
        }
        let mut held = held.to_vec();
        held.sort();
        transaction!(self.engine(), tx => {
            for (id, lease) in held {
                sqlx::query(SQL).bind(id.0).bind(lease).bind(now.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        Ok(())
    }
}
