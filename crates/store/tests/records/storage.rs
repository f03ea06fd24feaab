//! Storing, removing and bringing back files, and what webhooks are told of it.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{Cause, Event, EventKind, File, FileId, Ids, Initiator, NewFile, ProjectId};
use stowage_store::records::Records;
use tokio::task::JoinSet;

use crate::{Case, DAY, T0, cause, is_pending, new_file, project, spread, sqlite_url};

const SECOND: Duration = Duration::from_secs(1);

/// Subscribes project `p` to everything, once actively and once not, and `other` to nothing.
pub(crate) async fn subscribe(case: &Case) {
    const SQL: &str = "INSERT INTO webhooks (project, created_at, updated_at, event, target_url, is_active, version) \
        SELECT p.id, 0, 0, e.name, t.url, t.url = 'http://on/', '0.7' FROM projects p, \
        (SELECT 'file.uploaded' AS name UNION ALL SELECT 'file.stored' UNION ALL SELECT 'file.deleted' \
         UNION ALL SELECT 'file.info_updated' UNION ALL SELECT 'file.infected') e, \
        (SELECT 'http://on/' AS url UNION ALL SELECT 'http://off/') t WHERE p.public_key = 'p'";
    case.change(SQL, SQL).await;
}

/// What has been written for webhooks, without uploads.
pub(crate) async fn told(case: &Case) -> Vec<Event> {
    const SQL: &str = "SELECT d.facts FROM deliveries d JOIN webhooks w ON w.id = d.webhook AND w.is_active \
        WHERE d.event <> 'file.uploaded' ORDER BY d.id";
    spread(&case.open().await).await;
    let facts: Vec<String> = if case.options.url.is_empty() {
        let pool = sqlx::SqlitePool::connect(&sqlite_url(case.folder.path())).await.unwrap();
        sqlx::query_scalar(SQL).fetch_all(&pool).await.unwrap()
    } else {
        let pool = sqlx::PgPool::connect(&case.options.url).await.unwrap();
        sqlx::query_scalar(SQL).fetch_all(&pool).await.unwrap()
    };
    facts.iter().map(|facts| serde_json::from_str(facts).unwrap()).collect()
}

async fn kinds(case: &Case) -> Vec<(EventKind, FileId)> {
    told(case).await.into_iter().map(|event| (event.kind, event.file.id)).collect()
}

async fn add(records: &Records, project: ProjectId, stored: bool) -> File {
    let file = NewFile { stored, ..new_file("x") };
    records.add_files(project, vec![file.clone()], cause()).await.unwrap();
    records.file(file.id).await.unwrap().unwrap()
}

fn ids(files: &[File]) -> Vec<FileId> {
    files.iter().map(|file| file.id).collect()
}

async fn files_are_stored_removed_and_brought_back(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    subscribe(&case).await;
    let file = add(&records, project, false).await;
    let request = Ids::random().uuid();
    let api = Cause { initiator: Initiator::Api { request_id: request }, ..cause() };
    assert_eq!(*records.hot_file(file.id).await.unwrap().unwrap(), file);

    let now = T0.plus(SECOND);
    let stored = File { stored_at: Some(now), ..file.clone() };
    assert_eq!(records.store_files(project, &[file.id], &api, now).await.unwrap(), std::slice::from_ref(&stored));
    assert_eq!(*records.hot_file(file.id).await.unwrap().unwrap(), stored, "seen at once in this process");
    // Once more changes nothing and tells nothing.
    let later = now.plus(SECOND);
    assert_eq!(records.store_files(project, &[file.id], &api, later).await.unwrap(), std::slice::from_ref(&stored));

    let removed = File { stored_at: None, removed_at: Some(later), ..file.clone() };
    assert_eq!(records.remove_files(project, &[file.id], &api, later).await.unwrap(), std::slice::from_ref(&removed));
    let last = later.plus(SECOND);
    assert_eq!(records.remove_files(project, &[file.id], &api, last).await.unwrap(), std::slice::from_ref(&removed));
    assert_eq!(*records.hot_file(file.id).await.unwrap().unwrap(), removed);
    assert_eq!(records.garbage(10).await.unwrap(), [], "its bytes stay");

    let back = File { stored_at: Some(last), ..file.clone() };
    assert_eq!(records.store_files(project, &[file.id], &cause(), last).await.unwrap(), std::slice::from_ref(&back));
    assert_eq!(records.file(file.id).await.unwrap(), Some(back.clone()));

    let event = |kind, file, cause| Event { kind, file, cause, previous_metadata: None };
    let expected = [
        event(EventKind::Stored, stored, api.clone()),
        event(EventKind::Deleted, removed, api),
        event(EventKind::Stored, back, cause()),
    ];
    assert_eq!(told(&case).await, expected);
    assert!(!is_pending(&mut Box::pin(records.delivery_arrived())).await, "whoever delivers is woken");
}

async fn batches_answer_by_upload_time_what_there_is(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "p").await, project(&records, "other").await);
    subscribe(&case).await;
    let mut files = Vec::new();
    for n in 0..100 {
        files.push(add(&records, mine, n % 4 == 0).await);
    }
    let before = told(&case).await.len();
    let foreign = add(&records, theirs, false).await;
    let mut asked: Vec<FileId> = ids(&files);
    asked.reverse();
    asked.extend([asked[3], foreign.id, Ids::random().file()]);
    let now = T0.plus(DAY);
    let stored = records.store_files(mine, &asked, &cause(), now).await.unwrap();
    assert_eq!(ids(&stored), ids(&files), "each once, by upload time");
    for (file, stored) in files.iter().zip(&stored) {
        assert_eq!(stored.stored_at, file.stored_at.or(Some(now)), "what was stored keeps its time");
    }
    assert_eq!(told(&case).await.len() - before, 75);
    assert_eq!(records.file(foreign.id).await.unwrap(), Some(foreign.clone()), "another project's is left alone");

    let gone = records.remove_files(mine, &asked[..10], &cause(), now).await.unwrap();
    assert_eq!(gone.len(), 10);
    assert!(gone.iter().all(|file| file.removed_at == Some(now) && file.stored_at.is_none() && file.blob.is_some()));
    let later = now.plus(SECOND);
    let gone = records.remove_files(mine, &asked, &cause(), later).await.unwrap();
    let old = gone.iter().filter(|file| file.removed_at == Some(now)).count();
    assert_eq!((gone.len(), old), (100, 10), "what was removed keeps its time");
    assert_eq!(told(&case).await.len() - before, 175);
    assert_eq!(records.store_files(theirs, &asked, &cause(), later).await.unwrap().len(), 1);
    assert_eq!(told(&case).await.len() - before, 175, "nobody asked to be told of that project");
    for change in
        [records.store_files(mine, &[], &cause(), now).await, records.remove_files(mine, &[], &cause(), now).await]
    {
        assert_eq!(change.unwrap(), []);
    }
}

async fn removed_files_can_be_brought_back_until_their_blobs_go(case: Case) {
    let nodes = case.nodes(2).await;
    let records = &nodes[0];
    let project = project(records, "p").await;
    let mut files = Vec::new();
    for _ in 0..4 {
        files.push(add(records, project, true).await);
    }
    for (n, file) in files.iter().enumerate() {
        let now = T0.plus(SECOND * u32::try_from(n).unwrap());
        records.remove_files(project, &[file.id], &cause(), now).await.unwrap();
    }
    let back = records.store_files(project, &[files[0].id], &cause(), T0).await.unwrap();
    assert_eq!(ids(&back), [files[0].id]);

    // Of the others those go that were removed before the cutoff, the oldest first.
    let cutoff = T0.plus(SECOND * 3);
    let due: Vec<FileId> = records.removable(cutoff, 10).await.unwrap().iter().map(|due| due.id).collect();
    assert_eq!(due, [files[1].id, files[2].id]);
    assert_eq!(records.removable(cutoff, 1).await.unwrap()[0].removed_at, T0.plus(SECOND));
    assert_eq!(records.purgeable(cutoff).await.unwrap(), 0, "their blobs are still there");
    assert_eq!(records.let_go(cutoff, cutoff, 1).await.unwrap(), [files[1].id]);
    assert_eq!(nodes[1].let_go(cutoff, cutoff, 10).await.unwrap(), [files[2].id]);
    assert_eq!(nodes[1].let_go(cutoff, cutoff, 10).await.unwrap(), []);
    let mut blobs: Vec<_> = files[1..3].iter().map(|file| file.blob.clone().unwrap()).collect();
    blobs.sort();
    assert_eq!(records.garbage(10).await.unwrap(), blobs);
    assert_eq!(records.file(files[1].id).await.unwrap().unwrap().blob, None);
    assert_eq!(records.file(files[1].id).await.unwrap().unwrap().removed_at, Some(T0.plus(SECOND)));

    let all = ids(&files);
    let now = T0.plus(DAY);
    let stored = records.store_files(project, &all, &cause(), now).await.unwrap();
    assert_eq!(ids(&stored), [files[0].id, files[3].id], "those whose blobs are gone are missing");
    let removed = records.remove_files(project, &all, &cause(), now).await.unwrap();
    assert_eq!(ids(&removed), all, "but there they are");
    assert_eq!(removed[1].removed_at, Some(T0.plus(SECOND)));
    assert_eq!(records.purgeable(now).await.unwrap(), 2);
}

async fn nodes_that_change_the_same_files_agree(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    subscribe(&case).await;
    let mut files = Vec::new();
    for _ in 0..12 {
        files.push(add(&nodes[0], project, false).await);
    }
    for node in &nodes {
        // Each node knows of the subscriptions from here on.
        node.remove_files(project, &[Ids::random().file()], &cause(), T0).await.unwrap();
    }
    let mut work = JoinSet::new();
    for n in 0..120_usize {
        let node = nodes[n % 2].clone();
        let mut some: Vec<FileId> = ids(&files).into_iter().cycle().skip(n % 7).take(5 + n % 3).collect();
        if n % 3 == 0 {
            some.reverse();
        }
        work.spawn(async move {
            let now = T0.plus(SECOND * u32::try_from(n).unwrap());
            let changed = match n % 5 {
                0 | 2 => node.store_files(project, &some, &cause(), now).await.unwrap(),
                1 | 3 => node.remove_files(project, &some, &cause(), now).await.unwrap(),
                _ => {
                    for id in &some {
                        node.set_metadata(project, *id, &n.to_string(), "v", &cause(), now).await.unwrap();
                    }
                    return;
                }
            };
            assert_eq!(changed.len(), some.iter().collect::<HashSet<_>>().len());
        });
    }
    work.join_all().await;
    // Each transition was told once: a file is stored and removed by turns, and how it is now is the last turn.
    let told = kinds(&case).await;
    for file in &files {
        let times = |kind| told.iter().filter(|event| **event == (kind, file.id)).count();
        let (stored, removed) = (times(EventKind::Stored), times(EventKind::Deleted));
        let now = nodes[0].file(file.id).await.unwrap().unwrap();
        assert_eq!(now.stored_at.is_some(), now.removed_at.is_none());
        let (last, other) = if now.stored_at.is_some() { (stored, removed) } else { (removed, stored) };
        assert!(last > 0 && (last == other || last == other + 1), "{stored} {removed} {now:?}");
    }
}

async fn a_file_is_brought_back_or_its_blob_goes(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for round in 0..20 {
        let file = add(&nodes[0], project, true).await;
        nodes[0].remove_files(project, &[file.id], &cause(), T0).await.unwrap();
        let later = T0.plus(SECOND);
        let (only, cause) = ([file.id], cause());
        let (mine, yours) = (&nodes[round % 2], &nodes[0]);
        let (back, gone) =
            tokio::join!(mine.store_files(project, &only, &cause, later), yours.let_go(later, later, 10));
        let garbage = nodes[1].garbage(1000).await.unwrap();
        let discarded = garbage.contains(file.blob.as_ref().unwrap());
        match (back.unwrap().len(), gone.unwrap().len()) {
            (1, 0) => assert!(!discarded),
            (0, 1) => assert!(discarded),
            other => panic!("{other:?}"),
        }
    }
}

async fn what_was_handed_in_is_stored_before_the_records_close(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let file = add(&records, project, false).await;
    let (node, only) = (records.clone(), [file.id]);
    let mut order = Box::pin(async move { node.store_files(project, &only, &cause(), T0).await });
    // Polled once, it has handed the order in; then its caller goes away.
    assert!(is_pending(&mut order).await);
    drop(order);
    records.close().await;
    assert!(records.store_files(project, &[file.id], &cause(), T0).await.is_err(), "closed");
    assert!(case.open().await.file(file.id).await.unwrap().unwrap().stored_at.is_some());
}

on_both_engines!(
    files_are_stored_removed_and_brought_back,
    batches_answer_by_upload_time_what_there_is,
    removed_files_can_be_brought_back_until_their_blobs_go,
    nodes_that_change_the_same_files_agree,
    a_file_is_brought_back_or_its_blob_goes,
    what_was_handed_in_is_stored_before_the_records_close,
);
