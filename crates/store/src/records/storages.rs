//! Custom storages of projects: where copies of files go. What is copied there is in `copies`. Settings have secrets in them: whatever
//! is said of settings that cannot be read says nothing of what is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::FromRow;
use stowage_model::{EventKind, ProjectId, PublicKey, Storage, StorageId, StorageName, StorageSettings, Timestamp};
use tracing::error;

use super::copies::CopyUpload;
use super::engine::{Engine, read, transaction};
use super::remembered::Remembered;
use super::spread::{ALL, spread};
use super::{Records, RecordsError};

/// All storages as they were a moment ago.
#[derive(Default)]
pub(super) struct Snapshot {
    by_id: HashMap<StorageId, Arc<Storage>>,
    by_name: HashMap<ProjectId, HashMap<String, Arc<Storage>>>,
}

/// What is remembered of storages.
pub(super) type HotStorages = Remembered<Snapshot>;

/// Why a storage was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateStorageError {
    /// The project has another storage of this name.
    #[error("the project has a storage of this name already")]
    NameTaken,
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<sqlx::Error> for CreateStorageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Records(error.into())
    }
}

/// Why the storages of the configuration file were not written; none of them was.
#[derive(Debug, thiserror::Error)]
pub enum DeclareStoragesError {
    /// A storage belongs to a project that there is not.
    #[error("storage `{name}` belongs to the project `{project}`, and there is no such project")]
    NoProject {
        /// The public key that names no project.
        project: PublicKey,
        /// The storage.
        name: StorageName,
    },
    /// The records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<sqlx::Error> for DeclareStoragesError {
    fn from(error: sqlx::Error) -> Self {
        Self::Records(error.into())
    }
}

#[derive(FromRow)]
struct StorageRow {
    id: i64,
    project: i64,
    name: String,
    settings: String,
    from_config: bool,
    created_at: i64,
}

impl StorageRow {
    /// None for what only a later version of this program can have written; it is logged and left to that.
    fn into_storage(self) -> Option<Storage> {
        let settings = read_settings(self.id, &self.settings);
        let name = self.name.parse().map_err(|_| error!(storage = self.id, "the name of a storage cannot be read"));
        Some(Storage {
            id: StorageId(self.id),
            project: ProjectId(self.project),
            name: name.ok()?,
            from_config: self.from_config,
            created_at: Timestamp(self.created_at),
            settings: settings?,
        })
    }
}

/// The settings of a storage as they were written; what cannot be read is logged.
pub(super) fn read_settings(storage: i64, text: &str) -> Option<StorageSettings> {
    let fault = |fault: serde_json::Error| {
        // Its text may quote a secret.
        error!(storage, cause = ?fault.classify(), "the settings of a storage cannot be read");
    };
    serde_json::from_str(text).map_err(fault).ok()
}

/// Settings as they are written, and the event at which files are copied by themselves.
fn columns_of(settings: &StorageSettings) -> Result<(String, Option<&'static str>), sqlx::Error> {
    let event = if settings.only_stored { EventKind::Stored } else { EventKind::Uploaded };
    let text = serde_json::to_string(settings)
        .map_err(|fault| sqlx::Error::Encode(format!("settings of a storage: {:?}", fault.classify()).into()))?;
    Ok((text, settings.auto_copy.then(|| event.as_str())))
}

/// Whether files that were copied as `old` says are still to be copied as `new` says: to another place, or files that were left out.
fn begins_anew(old: &StorageSettings, new: &StorageSettings) -> bool {
    let what = |settings: &StorageSettings| {
        let StorageSettings { bucket, endpoint_url, prefix, only_stored, .. } = settings.clone();
        (bucket, endpoint_url, prefix, only_stored)
    };
    what(old) != what(new)
}

const INSERT: &str = "INSERT INTO storages (project, name, settings, auto_event, from_config, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, name) DO NOTHING RETURNING id";
const UPDATE: &str = "UPDATE storages SET settings = $2, auto_event = $3, \
     backfilled_to = CASE WHEN $4 THEN 0 ELSE backfilled_to END WHERE id = $1";

impl Records {
    /// Every storage, ordered by creation.
    pub async fn storages(&self) -> Result<Vec<Storage>, RecordsError> {
        const SQL: &str = "SELECT id, project, name, settings, from_config, created_at FROM storages ORDER BY id";
        let rows: Vec<StorageRow> = read!(self.engine(), pool => sqlx::query_as(SQL).fetch_all(pool).await)?;
        Ok(rows.into_iter().filter_map(StorageRow::into_storage).collect())
    }

    /// The storage with this number; a change made by another process may go unseen for [`super::HOT_FOR`].
    pub async fn storage(&self, id: StorageId) -> Result<Option<Arc<Storage>>, RecordsError> {
        Ok(self.hot_storages().await?.by_id.get(&id).cloned())
    }

    /// The storage of this name in a project; a change made by another process may go unseen for [`super::HOT_FOR`].
    pub async fn storage_named(&self, project: ProjectId, name: &str) -> Result<Option<Arc<Storage>>, RecordsError> {
        let storages = self.hot_storages().await?;
        Ok(storages.by_name.get(&project).and_then(|storages| storages.get(name)).cloned())
    }

    async fn hot_storages(&self) -> Result<Arc<Snapshot>, RecordsError> {
        match self.inner.storages.get() {
            Some(snapshot) => Ok(snapshot),
            // Boxed: the future of a request is small where the answer is at hand.
            None => Box::pin(self.inner.storages.renew(async || self.read_storages().await)).await,
        }
    }

    async fn read_storages(&self) -> Result<Snapshot, RecordsError> {
        let mut snapshot = Snapshot::default();
        for storage in self.storages().await? {
            let storage = Arc::new(storage);
            let of_project = snapshot.by_name.entry(storage.project).or_default();
            of_project.insert(storage.name.to_string(), Arc::clone(&storage));
            snapshot.by_id.insert(storage.id, storage);
        }
        Ok(snapshot)
    }

    /// To be called after a change of storages is committed.
    async fn forget_storages(&self) {
        self.inner.storages.forget().await;
        self.inner.hooks.forget().await;
    }

    /// Makes a storage that the records alone know; what happens from here on is copied to it, as its settings say.
    pub async fn create_storage(
        &self,
        project: ProjectId,
        name: &StorageName,
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<StorageId, CreateStorageError> {
        let (text, event) = columns_of(settings)?;
        let id: Option<i64> = transaction!(self.engine(), tx => {
            spread!(self.engine(), tx, project, ALL, true)?;
            let id = sqlx::query_scalar(INSERT)
                .bind(project.0)
                .bind(name.as_str())
                .bind(text)
                .bind(event)
                .bind(false)
                .bind(now.0)
                .fetch_optional(&mut *tx)
                .await?;
            tx.commit().await?;
            id
        });
        self.forget_storages().await;
        id.map(StorageId).ok_or(CreateStorageError::NameTaken)
    }

    /// Replaces the settings of a storage, if there is one of this number. Copies that wait are made as the new ones say; its back-fill
    /// begins anew where they name another place, or other files.
    pub async fn update_storage(&self, id: StorageId, settings: &StorageSettings) -> Result<(), RecordsError> {
        const OLD: &str = "SELECT project, settings FROM storages WHERE id = $1";
        let (text, event) = columns_of(settings)?;
        transaction!(self.engine(), tx => {
            let old: Option<(i64, String)> = sqlx::query_as(OLD).bind(id.0).fetch_optional(&mut *tx).await?;
            let Some((project, old)) = old else { return Ok(()) };
            spread!(self.engine(), tx, ProjectId(project), ALL, true)?;
            let anew = read_settings(id.0, &old).is_none_or(|old| begins_anew(&old, settings));
            sqlx::query(UPDATE).bind(id.0).bind(text).bind(event).bind(anew).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        self.forget_storages().await;
        Ok(())
    }

    /// Removes a storage with the copies that wait and those that have failed. Answers the multipart uploads at it that nobody will
    /// end any more.
    pub async fn remove_storage(&self, id: StorageId) -> Result<Vec<CopyUpload>, RecordsError> {
        // Its copies go with it.
        const DELETE: &str = "DELETE FROM storages WHERE id = $1";
        const UPLOADS: &str = "SELECT upload FROM copies WHERE storage = $1 AND upload IS NOT NULL";
        // Each in the order in which others lock them: those who spread what has happened, and those who end copies.
        const LOCK: [&str; 2] = [
            "SELECT id FROM storages WHERE id = $1 FOR UPDATE",
            "SELECT id FROM copies WHERE storage = $1 ORDER BY id FOR UPDATE",
        ];
        let uploads: Vec<String> = transaction!(self.engine(), tx => {
            if matches!(self.engine(), Engine::Postgres(_)) {
                for lock in LOCK {
                    sqlx::query(lock).bind(id.0).execute(&mut *tx).await?;
                }
            }
            let uploads = sqlx::query_scalar(UPLOADS).bind(id.0).fetch_all(&mut *tx).await?;
            sqlx::query(DELETE).bind(id.0).execute(&mut *tx).await?;
            tx.commit().await?;
            uploads
        });
        self.forget_storages().await;
        Ok(uploads.iter().filter_map(|upload| serde_json::from_str(upload).ok()).collect())
    }

    /// Writes the storages of the configuration file, each with the public key of its project: what the file says wins, and a
    /// storage that it no longer names stays as it was and belongs to the records from now on.
    pub async fn declare_storages(
        &self,
        declared: &[(PublicKey, StorageName, StorageSettings)],
        now: Timestamp,
    ) -> Result<(), DeclareStoragesError> {
        const UPSERT: &str = "INSERT INTO storages (project, name, settings, auto_event, from_config, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, name) DO UPDATE SET \
             settings = excluded.settings, auto_event = excluded.auto_event, from_config = excluded.from_config, \
             backfilled_to = CASE WHEN $7 THEN 0 ELSE storages.backfilled_to END";
        const RELEASE: &str = "UPDATE storages SET from_config = $2 WHERE id = $1";
        let projects: HashMap<PublicKey, ProjectId> =
            self.projects().await?.into_iter().map(|project| (project.public_key, project.id)).collect();
        let mut wanted = BTreeMap::new();
        for (key, name, settings) in declared {
            let Some(project) = projects.get(key) else {
                return Err(DeclareStoragesError::NoProject { project: key.clone(), name: name.clone() });
            };
            wanted.insert((*project, name.clone()), settings);
        }
        let (mut released, mut kept) = (Vec::new(), BTreeSet::new());
        for storage in self.storages().await? {
            let key = (storage.project, storage.name);
            match wanted.get(&key) {
                Some(settings) if storage.from_config && **settings == storage.settings => {
                    wanted.remove(&key);
                }
                Some(settings) if begins_anew(&storage.settings, settings) => {}
                Some(_) => drop(kept.insert(key)),
                None if storage.from_config => released.push(storage.id),
                None => {}
            }
        }
        if wanted.is_empty() && released.is_empty() {
            return Ok(());
        }
        let changed: BTreeSet<ProjectId> = wanted.keys().map(|(project, _)| *project).collect();
        transaction!(self.engine(), tx => {
            // In order, so that nodes that start together cannot block each other, and everything before the first change.
            for project in &changed {
                spread!(self.engine(), tx, project, ALL, true)?;
            }
            for (key, settings) in wanted {
                let anew = !kept.contains(&key);
                let (project, name) = key;
                let (text, event) = columns_of(settings)?;
                sqlx::query(UPSERT)
                    .bind(project.0)
                    .bind(name.as_str())
                    .bind(text)
                    .bind(event)
                    .bind(true)
                    .bind(now.0)
                    .bind(anew)
                    .execute(&mut *tx)
                    .await?;
            }
            for id in released {
                sqlx::query(RELEASE).bind(id.0).bind(false).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        });
        self.forget_storages().await;
        Ok(())
    }
}
