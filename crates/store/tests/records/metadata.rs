//! Changing metadata and tags.

use std::time::Duration;

use stowage_model::{EventKind, File, FileId, Ids, Metadata, NewFile, ProjectId, Refusal, Tags};
use stowage_store::records::{MetadataSet, Records};
use tokio::task::JoinSet;

use crate::storage::{subscribe, told};
use crate::{Case, T0, cause, new_file, project};

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    Metadata::from_pairs(pairs.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap()
}

fn tags(list: &str) -> Tags {
    Tags::from_list(list).unwrap()
}

async fn add(records: &Records, project: ProjectId, metadata: Metadata) -> FileId {
    let file = NewFile { metadata, tags: tags("b,a"), ..new_file("x") };
    records.add_files(project, vec![file.clone()], cause()).await.unwrap();
    file.id
}

async fn file(records: &Records, id: FileId) -> File {
    let file = records.file(id).await.unwrap().unwrap();
    assert_eq!(*records.hot_file(id).await.unwrap().unwrap(), file, "seen at once in this process");
    file
}

async fn metadata_is_set_and_removed_and_changes_are_told(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "p").await, project(&records, "other").await);
    subscribe(&case).await;
    let id = add(&records, mine, Metadata::default()).await;
    let set = async |key: &str, value: &str| records.set_metadata(mine, id, key, value, &cause(), T0).await.unwrap();
    let value = "v \u{1F980} \"'\n\\";
    file(&records, id).await;
    assert_eq!(set("-:45az_", value).await, Some(MetadataSet::Created));
    assert_eq!(file(&records, id).await.metadata, metadata(&[("-:45az_", value)]));
    assert_eq!(set("-:45az_", value).await, Some(MetadataSet::Unchanged));
    assert_eq!(set("-:45az_", "w").await, Some(MetadataSet::Changed));
    assert_eq!(set("b", "1").await, Some(MetadataSet::Created));
    assert_eq!(file(&records, id).await.metadata, metadata(&[("-:45az_", "w"), ("b", "1")]));
    let remove = async |key: &str| records.remove_metadata(mine, id, key, &cause(), T0).await.unwrap();
    assert_eq!(remove("a").await, Some(false));
    assert_eq!(remove("b").await, Some(true));
    assert_eq!(remove("b").await, Some(false));
    let last = file(&records, id).await;
    assert_eq!(last.metadata, metadata(&[("-:45az_", "w")]));

    let told = told(&case).await;
    assert!(told.iter().all(|event| event.kind == EventKind::InfoUpdated && event.file.id == id));
    let previous: Vec<Metadata> = told.iter().map(|event| event.previous_metadata.clone().unwrap()).collect();
    let mut states = vec![
        metadata(&[]),
        metadata(&[("-:45az_", value)]),
        metadata(&[("-:45az_", "w")]),
        metadata(&[("-:45az_", "w"), ("b", "1")]),
    ];
    assert_eq!(previous, states);
    states.remove(0);
    states.push(last.metadata.clone());
    let after: Vec<Metadata> = told.into_iter().map(|event| event.file.metadata).collect();
    assert_eq!(after, states);

    // Another project's file, none at all, and one that is removed.
    assert_eq!(records.set_metadata(theirs, id, "k", "v", &cause(), T0).await.unwrap(), None);
    let nobody = Ids::random().file();
    assert_eq!(records.set_metadata(mine, nobody, "k", "v", &cause(), T0).await.unwrap(), None);
    assert_eq!(records.remove_metadata(theirs, id, "-:45az_", &cause(), T0).await.unwrap(), None);
    records.remove_files(mine, &[id], &cause(), T0).await.unwrap();
    assert_eq!((set("k", "v").await, remove("-:45az_").await), (None, None));
    assert_eq!(file(&records, id).await.metadata, last.metadata);
}

async fn there_is_room_for_fifty_keys(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let full = metadata(&keys.iter().map(|key| (key.as_str(), "1")).collect::<Vec<_>>());
    let id = add(&records, project, full.clone()).await;
    let set = async |key: &str, value: &str| records.set_metadata(project, id, key, value, &cause(), T0).await.unwrap();
    assert_eq!(set("more", "1").await, Some(MetadataSet::TooMany));
    assert_eq!(file(&records, id).await.metadata, full);
    assert_eq!(set("k7", "2").await, Some(MetadataSet::Changed));
    records.remove_metadata(project, id, "k8", &cause(), T0).await.unwrap();
    assert_eq!(set("more", "1").await, Some(MetadataSet::Created));
}

async fn nodes_that_set_different_keys_lose_nothing(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    subscribe(&case).await;
    let id = add(&nodes[0], project, Metadata::default()).await;
    let mut work = JoinSet::new();
    for n in 0..60 {
        let node = nodes[n % 2].clone();
        work.spawn(async move {
            let (key, value) = (format!("k{}", n % 50), n.to_string());
            if n % 6 == 5 {
                let changed = node.change_tags(project, id, |tags| tags.changed(&Tags::default(), &self::tags(&value)));
                changed.await.unwrap().unwrap().unwrap();
                return 0;
            }
            let now = T0.plus(Duration::from_secs(1));
            let set = node.set_metadata(project, id, &key, &value, &cause(), now).await.unwrap().unwrap();
            usize::from(matches!(set, MetadataSet::Created))
        });
    }
    let created: usize = work.join_all().await.into_iter().sum();
    let file = nodes[0].file(id).await.unwrap().unwrap();
    assert_eq!(file.metadata.pairs().count(), created);
    assert_eq!(created, (0..60).filter(|n| n % 6 != 5).map(|n| n % 50).collect::<std::collections::HashSet<_>>().len());
    assert_eq!(file.tags.as_slice().len(), 12);
    // What each change was told to have found is what the one before it left.
    let told = told(&case).await;
    assert_eq!(told.len(), 50);
    assert!(told.windows(2).all(|pair| pair[1].previous_metadata.as_ref() == Some(&pair[0].file.metadata)));
}

async fn tags_change_unless_they_are_the_same_set(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "p").await, project(&records, "other").await);
    subscribe(&case).await;
    let id = add(&records, mine, Metadata::default()).await;
    let before = file(&records, id).await;
    let put = async |list: &str| records.change_tags(mine, id, |_| Tags::from_list(list)).await.unwrap();
    assert_eq!(put("a,B").await, Ok(Some((tags("b,a"), tags("b,a")))));
    assert_eq!(file(&records, id).await, before, "nothing was written");
    assert_eq!(put("c,a").await, Ok(Some((tags("b,a"), tags("c,a")))));
    assert_eq!(file(&records, id).await, File { tags: tags("c,a"), ..before.clone() });
    assert!(matches!(put("a b").await, Err(Refusal::UploadViews(_))));
    assert_eq!(put("").await, Ok(Some((tags("c,a"), tags("")))));
    assert_eq!(told(&case).await, [], "nobody is told of tags");

    let replace = |_: &Tags| Ok(tags("x"));
    assert_eq!(records.change_tags(theirs, id, replace).await.unwrap(), Ok(None));
    assert_eq!(records.change_tags(mine, Ids::random().file(), replace).await.unwrap(), Ok(None));
    records.remove_files(mine, &[id], &cause(), T0).await.unwrap();
    assert_eq!(records.change_tags(mine, id, replace).await.unwrap(), Ok(None));
}

on_both_engines!(
    metadata_is_set_and_removed_and_changes_are_told,
    there_is_room_for_fifty_keys,
    nodes_that_set_different_keys_lose_nothing,
    tags_change_unless_they_are_the_same_set,
);
