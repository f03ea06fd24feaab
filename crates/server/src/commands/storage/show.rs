//! How storages and failed copies are listed, for people and for programs. Of what is secret only whether there is some.

use std::collections::HashMap;

use anyhow::bail;
use serde_json::{Value, json};
use stowage_model::{PublicKey, Storage, StorageId, StorageSettings};
use stowage_store::records::{CopyCounts, CopyId, FailedCopy, Records};

use super::changes;
use crate::commands::{say, settings};

/// Lists storages with their settings.
pub(super) async fn storages(records: &Records, project: Option<&PublicKey>, json: bool) -> anyhow::Result<()> {
    let projects: HashMap<_, _> =
        records.projects().await?.into_iter().map(|project| (project.id, project.public_key)).collect();
    if let Some(key) = project
        && !projects.values().any(|other| other == key)
    {
        bail!("there is no project with the public key `{key}`; `stowage project list` shows all");
    }
    let counts: HashMap<StorageId, CopyCounts> = records.copy_counts().await?.into_iter().collect();
    for storage in records.storages().await? {
        let Some(key) = projects.get(&storage.project).filter(|key| project.is_none_or(|wanted| wanted == *key)) else {
            continue;
        };
        let counts = counts.get(&storage.id).copied().unwrap_or_default();
        say(&if json { as_json(&storage, key, counts)?.to_string() } else { as_text(&storage, key, counts)? });
    }
    Ok(())
}

/// Shows how many copies wait and have failed, and the failed ones.
pub(super) async fn copies(records: &Records, storage: &Storage, limit: u32, json: bool) -> anyhow::Result<()> {
    if !json {
        say(&counted(counts(records, storage.id).await?));
    }
    for failed in records.failed_copies(storage.id, CopyId(0), limit).await? {
        say(&if json { serde_json::to_string(&failed)? } else { failed_as_text(&failed) });
    }
    Ok(())
}

/// How many copies to a storage wait and have failed.
pub(super) async fn counts(records: &Records, storage: StorageId) -> anyhow::Result<CopyCounts> {
    let counts = records.copy_counts().await?.into_iter().find(|(id, _)| *id == storage);
    Ok(counts.map(|(_, counts)| counts).unwrap_or_default())
}

/// `3 waiting, 1 failed`.
pub(super) fn counted(counts: CopyCounts) -> String {
    format!("{} waiting, {} failed", counts.waiting, counts.failed)
}

/// Settings as they are listed: of secrets only whether they are set.
fn shown(settings: &StorageSettings) -> anyhow::Result<Value> {
    let mut object = changes::open(settings)?;
    object["secret_access_key"] = (!settings.secret_access_key.is_empty()).into();
    object["external_id"] = (!settings.external_id.is_empty()).into();
    Ok(object)
}

fn as_json(storage: &Storage, key: &PublicKey, counts: CopyCounts) -> anyhow::Result<Value> {
    Ok(json!({
        "project": key,
        "name": storage.name,
        "from_config": storage.from_config,
        "created_at": storage.created_at,
        "waiting": counts.waiting,
        "failed": counts.failed,
        "settings": shown(&storage.settings)?,
    }))
}

fn as_text(storage: &Storage, key: &PublicKey, counts: CopyCounts) -> anyhow::Result<String> {
    let Storage { name, settings: now, .. } = storage;
    let origin = if storage.from_config { "declared in the configuration" } else { "in the records" };
    let settings = settings::differing(&shown(now)?, &shown(&StorageSettings::new(now.bucket.clone()))?);
    let bucket = now.bucket.as_str();
    Ok(format!("{name} of {key}  s3://{bucket}  {origin}, {}{settings}", counted(counts)))
}

fn failed_as_text(failed: &FailedCopy) -> String {
    let FailedCopy { file, attempts, created_at, ended_at, error, .. } = failed;
    let key = failed.key.as_deref().map(|key| format!("  as {key}")).unwrap_or_default();
    format!("file {file}{key}\n    wanted {created_at}, given up {ended_at} after {attempts} attempt(s): {error}")
}

#[cfg(test)]
mod tests {
    use stowage_model::storage::Secret;
    use stowage_model::{ProjectId, Timestamp};

    use super::*;

    #[test]
    fn a_storage_is_shown_without_its_secrets() {
        let mut settings = StorageSettings::new("bucket".to_owned().try_into().unwrap());
        settings.access_key_id = "AK".to_owned();
        settings.secret_access_key = Secret::new("hunter2");
        settings.role_arn = "role".to_owned();
        settings.external_id = Secret::new("hunter2");
        settings.auto_copy = false;
        let name = "archive".parse().unwrap();
        let (id, project) = (StorageId(3), ProjectId(1));
        let storage = Storage { id, project, name, from_config: true, created_at: Timestamp(0), settings };
        let (key, counts) = ("demo".parse().unwrap(), CopyCounts { waiting: 2, failed: 1 });
        let text = as_text(&storage, &key, counts).unwrap();
        let expected = "archive of demo  s3://bucket  declared in the configuration, 2 waiting, 1 failed\n    \
                        access_key_id = \"AK\"\n    auto_copy = false\n    external_id = true\n    role_arn = \"role\"\n    \
                        secret_access_key = true";
        assert_eq!(text, expected);
        let json = as_json(&storage, &key, counts).unwrap();
        assert!(!json.to_string().contains("hunter2"), "{json}");
        assert_eq!((&json["waiting"], &json["settings"]["bucket"]), (&2.into(), &"bucket".into()));
    }
}
