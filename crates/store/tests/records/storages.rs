//! Custom storages: made, changed, declared, removed.

use stowage_model::{ProjectId, PublicKey, Storage, StorageId, StorageName, StorageSettings};
use stowage_store::records::{CreateStorageError, DeclareStoragesError, Records};

use crate::{Case, DAY, T0, declared, project};

pub(crate) fn settings(bucket: &str) -> StorageSettings {
    StorageSettings::new(bucket.to_owned().try_into().unwrap())
}

pub(crate) fn named(name: &str) -> StorageName {
    name.parse().unwrap()
}

pub(crate) async fn storage(records: &Records, project: ProjectId, name: &str) -> StorageId {
    records.create_storage(project, &named(name), &settings("bucket"), T0).await.unwrap()
}

/// Settings that say something everywhere.
fn rich() -> StorageSettings {
    let value = serde_json::json!({
        "bucket": "rich", "prefix": "a/", "pattern": "${uuid}", "region": "eu-west-1", "endpoint_url": "https://s3.example",
        "force_path_style": false, "access_key_id": "id", "secret_access_key": "hunter2\u{0} \u{1F980} \"'",
        "role_arn": "arn:aws:iam::1:role/r", "external_id": "e", "make_public": true, "auto_copy": true, "only_stored": true,
        "acl": "acl", "storage_class": "STANDARD_IA", "sse": "aws:kms", "sse_kms_key": "k", "checksums": "always",
    });
    serde_json::from_value(value).unwrap()
}

async fn a_storage_comes_back_as_it_was_made(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let id = records.create_storage(one, &named("S3-a_b"), &rich(), T0).await.unwrap();
    let made =
        Storage { id, project: one, name: named("S3-a_b"), from_config: false, created_at: T0, settings: rich() };
    assert_eq!(records.storages().await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(records.storage(id).await.unwrap().as_deref(), Some(&made));
    assert_eq!(records.storage_named(one, "S3-a_b").await.unwrap().as_deref(), Some(&made));
    // Names are told apart by case, and belong to a project.
    assert_eq!(records.storage_named(one, "s3-a_b").await.unwrap(), None);
    assert_eq!(records.storage_named(two, "S3-a_b").await.unwrap(), None);
    let taken = records.create_storage(one, &named("S3-a_b"), &settings("other"), T0).await;
    assert!(matches!(taken, Err(CreateStorageError::NameTaken)), "{taken:?}");
    let other = records.create_storage(two, &named("S3-a_b"), &settings("other"), T0).await.unwrap();
    assert_eq!(records.storage_named(two, "S3-a_b").await.unwrap().unwrap().id, other, "seen at once in this process");
    assert_eq!(records.storage(id).await.unwrap().as_deref(), Some(&made), "nothing of it was overwritten");
    records.close().await;
    assert_eq!(case.open().await.storages().await.unwrap()[0], made, "records survive a restart");
}

async fn changes_are_seen_at_once(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (id, other) = (storage(&records, project, "a").await, storage(&records, project, "b").await);
    assert_eq!(records.storage(id).await.unwrap().unwrap().settings, settings("bucket"));
    records.update_storage(id, &rich()).await.unwrap();
    assert_eq!(records.storage(id).await.unwrap().unwrap().settings, rich());
    assert_eq!(records.storage(other).await.unwrap().unwrap().settings, settings("bucket"));
    records.update_storage(StorageId(other.0 + 1), &rich()).await.unwrap();
    assert_eq!(records.storages().await.unwrap().len(), 2, "nothing comes of changing what is not there");
    assert_eq!(records.remove_storage(other).await.unwrap(), []);
    assert_eq!((records.storage(other).await.unwrap(), records.storages().await.unwrap().len()), (None, 1));
    assert_eq!(records.remove_storage(other).await.unwrap(), []);
    assert!(storage(&records, project, "b").await > other, "a number is never used twice");
}

async fn what_the_file_says_wins(case: Case) {
    let records = case.open().await;
    let project = project(&records, "one").await;
    records.create_project(&declared("two"), T0).await.unwrap();
    let made = storage(&records, project, "made").await;
    let key = |key: &str| key.parse::<PublicKey>().unwrap();
    let declare = async |storages: &[(&str, &str, StorageSettings)]| {
        let storages: Vec<_> =
            storages.iter().map(|(of, name, settings)| (key(of), named(name), settings.clone())).collect();
        records.declare_storages(&storages, T0.plus(DAY)).await
    };
    let list = async || {
        let storages = records.storages().await.unwrap();
        let shown = |s: Storage| (s.name.to_string(), s.from_config, s.settings.bucket.as_str().to_owned());
        storages.into_iter().map(shown).collect::<Vec<_>>()
    };
    let shown = |name: &str, from_config: bool, bucket: &str| (name.to_owned(), from_config, bucket.to_owned());
    let (a, b) = (("one", "made", settings("file")), ("two", "made", rich()));
    declare(&[a.clone(), b.clone()]).await.unwrap();
    assert_eq!(list().await, [shown("made", true, "file"), shown("made", true, "rich")]);
    let hot = records.storage(made).await.unwrap().unwrap();
    assert_eq!((hot.from_config, hot.created_at), (true, T0), "it is the same storage");
    // The same once more changes nothing; what is no longer named stays.
    declare(&[b.clone(), a]).await.unwrap();
    declare(std::slice::from_ref(&b)).await.unwrap();
    assert_eq!(list().await, [shown("made", false, "file"), shown("made", true, "rich")]);
    declare(&[("two", "made", settings("new"))]).await.unwrap();
    assert_eq!(list().await, [shown("made", false, "file"), shown("made", true, "new")]);
    let nobody = declare(&[b, ("three", "x", rich())]).await.unwrap_err();
    assert!(matches!(nobody, DeclareStoragesError::NoProject { .. }), "{nobody:?}");
    assert!(nobody.to_string().contains("`three`") && !format!("{nobody:?}").contains("hunter2"), "{nobody}");
    assert_eq!(list().await, [shown("made", false, "file"), shown("made", true, "new")], "all or none");
    declare(&[]).await.unwrap();
    assert_eq!(list().await, [shown("made", false, "file"), shown("made", false, "new")]);
}

async fn settings_of_a_later_version_are_left_alone(case: Case) {
    const LATER: &str = "UPDATE storages SET settings = '{\"bucket\":\"bucket\",\"later\":1}' WHERE name = 'later'";
    let records = case.open().await;
    let project = project(&records, "p").await;
    storage(&records, project, "later").await;
    let known = storage(&records, project, "known").await;
    case.change(LATER, LATER).await;
    let ids: Vec<StorageId> = records.storages().await.unwrap().into_iter().map(|storage| storage.id).collect();
    assert_eq!(ids, [known]);
    let taken = records.create_storage(project, &named("later"), &settings("bucket"), T0).await;
    assert!(matches!(taken, Err(CreateStorageError::NameTaken)), "{taken:?}");
}

on_both_engines! {
    a_storage_comes_back_as_it_was_made,
    changes_are_seen_at_once,
    what_the_file_says_wins,
    settings_of_a_later_version_are_left_alone,
}
