//! Webhooks: who is told of which events. What they are told is in `deliveries`, and how that gets there in `events`.

use sqlx::FromRow;
use sqlx::error::DatabaseError;
use stowage_model::webhook::MAX_WEBHOOKS;
use stowage_model::{EventKind, HookVersion, ProjectId, Timestamp, Webhook, WebhookId};

use super::engine::{Engine, read, transaction};
use super::insert::lock_times;
use super::spread::{ALL, spread};
use super::{Records, RecordsError};

/// A webhook that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewWebhook {
    /// What it is told of.
    pub event: EventKind,
    /// Where it is told, an absolute URL.
    pub target_url: String,
    /// Whether it is told anything at present.
    pub is_active: bool,
    /// How it is told; fixed from here on.
    pub version: HookVersion,
    /// With what payloads are signed.
    pub signing_secret: Option<String>,
}

/// What is to be changed of a webhook; what is none stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WebhookChange {
    /// What it is told of.
    pub event: Option<EventKind>,
    /// Where it is told, an absolute URL.
    pub target_url: Option<String>,
    /// Whether it is told anything at present.
    pub is_active: Option<bool>,
    /// With what payloads are signed; `Some(None)` signs no more.
    pub signing_secret: Option<Option<String>>,
}

/// Why a webhook was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The project has another webhook for this event and this target.
    #[error("the project has such a webhook already")]
    Duplicate,
    /// The project has as many webhooks as it may have.
    #[error("the project has {MAX_WEBHOOKS} webhooks already")]
    TooMany,
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<sqlx::Error> for WebhookError {
    fn from(error: sqlx::Error) -> Self {
        if error.as_database_error().is_some_and(DatabaseError::is_unique_violation) {
            return Self::Duplicate;
        }
        Self::Records(error.into())
    }
}

/// The columns of a [`WebhookRow`].
macro_rules! webhook_columns {
    () => {
        "id, project, created_at, updated_at, event, target_url, is_active, version, signing_secret"
    };
}

pub(super) use webhook_columns;

#[derive(FromRow)]
pub(super) struct WebhookRow {
    id: i64,
    project: i64,
    created_at: i64,
    updated_at: i64,
    event: String,
    target_url: String,
    is_active: bool,
    version: String,
    signing_secret: Option<String>,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = sqlx::Error;

    /// Fails for what only a later version of this program can have written.
    fn try_from(row: WebhookRow) -> Result<Self, sqlx::Error> {
        let version = [HookVersion::V05, HookVersion::V06, HookVersion::V07].into_iter();
        let version = version.clone().find(|version| version.as_str() == row.version);
        let unknown = || sqlx::Error::Decode(format!("webhook {} is of an unknown kind", row.id).into());
        Ok(Self {
            id: WebhookId(row.id),
            project: ProjectId(row.project),
            created_at: Timestamp(row.created_at),
            updated_at: Timestamp(row.updated_at),
            event: row.event.parse().map_err(|_| unknown())?,
            version: version.ok_or_else(unknown)?,
            target_url: row.target_url,
            is_active: row.is_active,
            signing_secret: row.signing_secret,
        })
    }
}

impl Records {
    /// The webhooks of a project, newest first.
    pub async fn webhooks(&self, project: ProjectId) -> Result<Vec<Webhook>, RecordsError> {
        const SQL: &str = concat!("SELECT ", webhook_columns!(), " FROM webhooks WHERE project = $1 ORDER BY id DESC");
        let rows: Vec<WebhookRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(project.0).fetch_all(pool).await)?;
        let webhooks: Result<Vec<Webhook>, sqlx::Error> = rows.into_iter().map(Webhook::try_from).collect();
        Ok(webhooks?)
    }

    /// A webhook of a project.
    pub async fn webhook(&self, project: ProjectId, id: WebhookId) -> Result<Option<Webhook>, RecordsError> {
        const SQL: &str = concat!("SELECT ", webhook_columns!(), " FROM webhooks WHERE project = $1 AND id = $2");
        let row: Option<WebhookRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(project.0).bind(id.0).fetch_optional(pool).await
        })?;
        Ok(row.map(Webhook::try_from).transpose()?)
    }

    /// Makes a webhook; what happens from here on is told to it.
    pub async fn create_webhook(
        &self,
        project: ProjectId,
        new: &NewWebhook,
        now: Timestamp,
    ) -> Result<Webhook, WebhookError> {
        const COUNT: &str = "SELECT count(*) FROM webhooks WHERE project = $1";
        const INSERT: &str = concat!(
            "INSERT INTO webhooks \
             (project, created_at, updated_at, event, target_url, is_active, version, signing_secret) \
             VALUES ($1, $2, $2, $3, $4, $5, $6, $7) RETURNING ",
            webhook_columns!()
        );
        let row: WebhookRow = transaction!(self.engine(), tx => {
            spread!(self.engine(), tx, project, ALL, true)?;
            // Those who make webhooks of one project take turns, so that they cannot exceed the limit together.
            lock_times!(self.engine(), tx, project)?;
            let row = sqlx::query_as(INSERT)
                .bind(project.0)
                .bind(now.0)
                .bind(new.event.as_str())
                .bind(&new.target_url)
                .bind(new.is_active)
                .bind(new.version.as_str())
                .bind(new.signing_secret.as_deref())
                .fetch_one(&mut *tx)
                .await?;
            let count: i64 = sqlx::query_scalar(COUNT).bind(project.0).fetch_one(&mut *tx).await?;
            if usize::try_from(count).unwrap_or(usize::MAX) > MAX_WEBHOOKS {
                return Err(WebhookError::TooMany);
            }
            tx.commit().await?;
            row
        });
        self.inner.hooks.forget().await;
        Ok(row.try_into()?)
    }

    /// Changes a webhook of a project and answers it as it is now; none if there is no such webhook. What an inactive one
    /// has not been told yet is dropped.
    pub async fn update_webhook(
        &self,
        project: ProjectId,
        id: WebhookId,
        change: &WebhookChange,
        now: Timestamp,
    ) -> Result<Option<Webhook>, WebhookError> {
        const UPDATE: &str = concat!(
            "UPDATE webhooks SET updated_at = $3, event = COALESCE($4, event), \
             target_url = COALESCE($5, target_url), is_active = COALESCE($6, is_active), \
             signing_secret = CASE WHEN $7 THEN $8 ELSE signing_secret END \
             WHERE project = $1 AND id = $2 RETURNING ",
            webhook_columns!()
        );
        const DROP_SQLITE: &str = "UPDATE deliveries SET outcome = 'dropped', ended_at = $2, lease = NULL \
             WHERE webhook = $1 AND outcome IS NULL";
        // Locked in the order of their ids, as by those who record attempts.
        const DROP_POSTGRES: &str = "WITH pending AS MATERIALIZED (SELECT id FROM deliveries \
                 WHERE webhook = $1 AND outcome IS NULL ORDER BY id FOR UPDATE) \
             UPDATE deliveries d SET outcome = 'dropped', ended_at = $2, lease = NULL FROM pending WHERE d.id = pending.id";
        let drop = match self.engine() {
            Engine::Sqlite { .. } => DROP_SQLITE,
            Engine::Postgres(_) => DROP_POSTGRES,
        };
        let row: Option<WebhookRow> = transaction!(self.engine(), tx => {
            spread!(self.engine(), tx, project, ALL, true)?;
            let row: Option<WebhookRow> = sqlx::query_as(UPDATE)
                .bind(project.0)
                .bind(id.0)
                .bind(now.0)
                .bind(change.event.map(EventKind::as_str))
                .bind(change.target_url.as_deref())
                .bind(change.is_active)
                .bind(change.signing_secret.is_some())
                .bind(change.signing_secret.as_ref().and_then(Option::as_deref))
                .fetch_optional(&mut *tx)
                .await?;
            if row.as_ref().is_some_and(|row| !row.is_active) {
                sqlx::query(drop).bind(id.0).bind(now.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            row
        });
        self.inner.hooks.forget().await;
        Ok(row.map(Webhook::try_from).transpose()?)
    }

    /// Deletes a webhook of a project, with everything that it was or was to be told; false if there is no such webhook.
    pub async fn delete_webhook(&self, project: ProjectId, id: WebhookId) -> Result<bool, RecordsError> {
        Ok(self.delete_webhooks(project, Some(id), None).await? > 0)
    }

    /// Deletes every webhook of a project that has this target; answers how many there were.
    pub async fn unsubscribe(&self, project: ProjectId, target_url: &str) -> Result<u64, RecordsError> {
        self.delete_webhooks(project, None, Some(target_url)).await
    }

    async fn delete_webhooks(
        &self,
        project: ProjectId,
        id: Option<WebhookId>,
        target_url: Option<&str>,
    ) -> Result<u64, RecordsError> {
        // Their deliveries go with them.
        const DELETE: &str = "DELETE FROM webhooks WHERE project = $1 AND (id = $2 OR target_url = $3)";
        // Each in the order in which others lock them: those who tell webhooks something, and those who record attempts.
        const LOCK: [&str; 2] = [
            "SELECT id FROM webhooks WHERE project = $1 AND (id = $2 OR target_url = $3) ORDER BY id FOR UPDATE",
            "SELECT d.id FROM deliveries d JOIN webhooks w ON w.id = d.webhook \
             WHERE w.project = $1 AND (w.id = $2 OR w.target_url = $3) AND d.outcome IS NULL \
             ORDER BY d.id FOR UPDATE OF d",
        ];
        let id = id.map(|id| id.0);
        let deleted = transaction!(self.engine(), tx => {
            if matches!(self.engine(), Engine::Postgres(_)) {
                for lock in LOCK {
                    sqlx::query(lock).bind(project.0).bind(id).bind(target_url).execute(&mut *tx).await?;
                }
            }
            let done = sqlx::query(DELETE).bind(project.0).bind(id).bind(target_url).execute(&mut *tx).await?;
            tx.commit().await?;
            done.rows_affected()
        });
        self.inner.hooks.forget().await;
        Ok(deleted)
    }
}
