//! Projects and their keys.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use sqlx::types::Json;
use stowage_model::{Project, ProjectId, PublicKey, Settings, Timestamp};

use super::engine::{read, transaction, write};
use super::remembered::Remembered;
use super::{Records, RecordsError};

/// All projects as they were a moment ago. Installations have a handful to some thousands of them, and every request
/// needs one, so they are kept whole.
#[derive(Default)]
pub(super) struct Snapshot {
    by_key: HashMap<String, Arc<Project>>,
    by_id: HashMap<ProjectId, Arc<Project>>,
}

/// What is remembered of projects.
pub(super) type HotProjects = Remembered<Snapshot>;

#[derive(FromRow)]
struct ProjectRow {
    id: i64,
    public_key: String,
    secret_keys: Json<Vec<String>>,
    settings: Json<Settings>,
    from_config: bool,
    created_at: i64,
}

impl ProjectRow {
    fn into_project(self) -> Result<Project, RecordsError> {
        let public_key: PublicKey =
            self.public_key.parse().map_err(|error| RecordsError::Database(sqlx::Error::Decode(Box::new(error))))?;
        Ok(Project {
            id: ProjectId(self.id),
            public_key,
            secret_keys: self.secret_keys.0,
            created_at: Timestamp(self.created_at),
            from_config: self.from_config,
            settings: self.settings.0,
        })
    }
}

/// A project as the configuration file declares it.
#[derive(Clone, PartialEq, Debug)]
pub struct Declared {
    /// Its public key.
    pub public_key: PublicKey,
    /// Its secret keys.
    pub secret_keys: Vec<String>,
    /// Its settings.
    pub settings: Settings,
}

/// Why a project was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Another project has this public key.
    #[error("there is a project with this public key already")]
    KeyTaken,
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Records {
    /// Every project, ordered by creation.
    pub async fn projects(&self) -> Result<Vec<Project>, RecordsError> {
        const SQL: &str =
            "SELECT id, public_key, secret_keys, settings, from_config, created_at FROM projects ORDER BY id";
        let rows: Vec<ProjectRow> = read!(self.engine(), pool => sqlx::query_as(SQL).fetch_all(pool).await)?;
        rows.into_iter().map(ProjectRow::into_project).collect()
    }

    /// Every project, ordered by creation; a change made by another process may go unseen for [`super::HOT_FOR`].
    pub async fn all_projects(&self) -> Result<Vec<Arc<Project>>, RecordsError> {
        let mut projects: Vec<Arc<Project>> = self.hot_projects().await?.by_id.values().cloned().collect();
        projects.sort_by_key(|project| project.id);
        Ok(projects)
    }

    /// The project with this public key; a change made by another process may go unseen for [`super::HOT_FOR`].
    pub async fn project_by_key(&self, key: &str) -> Result<Option<Arc<Project>>, RecordsError> {
        Ok(self.hot_projects().await?.by_key.get(key).cloned())
    }

    /// The project with this number; a change made by another process may go unseen for [`super::HOT_FOR`].
    pub async fn project(&self, id: ProjectId) -> Result<Option<Arc<Project>>, RecordsError> {
        Ok(self.hot_projects().await?.by_id.get(&id).cloned())
    }

    async fn hot_projects(&self) -> Result<Arc<Snapshot>, RecordsError> {
        match self.inner.projects.get() {
            Some(snapshot) => Ok(snapshot),
            // Boxed: the future of a request is small where the answer is at hand.
            None => Box::pin(self.inner.projects.renew(async || self.read_projects().await)).await,
        }
    }

    async fn read_projects(&self) -> Result<Snapshot, RecordsError> {
        let mut snapshot = Snapshot::default();
        for project in self.projects().await? {
            let project = Arc::new(project);
            snapshot.by_key.insert(project.public_key.to_string(), Arc::clone(&project));
            snapshot.by_id.insert(project.id, project);
        }
        Ok(snapshot)
    }

    /// Creates a project that the records alone know.
    pub async fn create_project(&self, project: &Declared, now: Timestamp) -> Result<ProjectId, CreateError> {
        const SQL: &str = "INSERT INTO projects (public_key, secret_keys, settings, from_config, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (public_key) DO NOTHING RETURNING id";
        let id: Option<i64> = write!(self.engine(), pool => {
            sqlx::query_scalar(SQL)
                .bind(project.public_key.as_str())
                .bind(Json(&project.secret_keys))
                .bind(Json(&project.settings))
                .bind(false)
                .bind(now.0)
                .fetch_optional(pool)
                .await
        })
        .map_err(RecordsError::from)?;
        self.inner.projects.forget().await;
        id.map(ProjectId).ok_or(CreateError::KeyTaken)
    }

    /// Replaces settings and secret keys of a project.
    pub async fn update_project(
        &self,
        id: ProjectId,
        secret_keys: &[String],
        settings: &Settings,
    ) -> Result<(), RecordsError> {
        const SQL: &str = "UPDATE projects SET secret_keys = $2, settings = $3 WHERE id = $1";
        write!(self.engine(), pool => {
            sqlx::query(SQL).bind(id.0).bind(Json(secret_keys)).bind(Json(settings)).execute(pool).await.map(drop)
        })?;
        self.inner.projects.forget().await;
        Ok(())
    }

    /// Writes the projects of the configuration file: what it says wins, and a project that it no longer names stays as
    /// it was and belongs to the records from now on.
    pub async fn declare_projects(&self, declared: &[Declared], now: Timestamp) -> Result<(), RecordsError> {
        const UPSERT: &str = "INSERT INTO projects (public_key, secret_keys, settings, from_config, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (public_key) DO UPDATE SET \
             secret_keys = excluded.secret_keys, settings = excluded.settings, from_config = excluded.from_config";
        const RELEASE: &str = "UPDATE projects SET from_config = $2 WHERE public_key = $1";
        let known = self.projects().await?;
        let unchanged = |d: &&Declared| {
            known.iter().any(|p| {
                p.from_config
                    && p.public_key == d.public_key
                    && p.secret_keys == d.secret_keys
                    && p.settings == d.settings
            })
        };
        let changed: Vec<&Declared> = declared.iter().filter(|d| !unchanged(d)).collect();
        let released: Vec<&Project> =
            known.iter().filter(|p| p.from_config && !declared.iter().any(|d| d.public_key == p.public_key)).collect();
        if changed.is_empty() && released.is_empty() {
            return Ok(());
        }
        transaction!(self.engine(), tx => {
            for project in changed {
                sqlx::query(UPSERT)
                    .bind(project.public_key.as_str())
                    .bind(Json(&project.secret_keys))
                    .bind(Json(&project.settings))
                    .bind(true)
                    .bind(now.0)
                    .execute(&mut *tx)
                    .await?;
            }
            for project in released {
                sqlx::query(RELEASE).bind(project.public_key.as_str()).bind(false).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        self.inner.projects.forget().await;
        Ok(())
    }
}
