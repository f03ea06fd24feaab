//! Copying files that were there before a storage was.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{Clock, FileId, Ids, NewFile, ProjectId, StorageId, StorageSettings};
use stowage_store::Durability;
use stowage_store::records::{Backfilled, Records};
use tokio::task::JoinSet;

use crate::copies::upload;
use crate::storages::{named, settings, storage};
use crate::{Case, DAY, T0, cause, new_file, project};

/// Stored and temporary files in turn; every third one is removed. Answers those that are stored and those that are temporary.
async fn files(records: &Records, project: ProjectId, count: usize) -> (HashSet<FileId>, HashSet<FileId>) {
    let new: Vec<NewFile> = (0..count).map(|n| NewFile { stored: n % 2 == 0, ..new_file("x") }).collect();
    let ids: Vec<FileId> = new.iter().map(|file| file.id).collect();
    records.add_files(project, new, cause()).await.unwrap();
    let removed: Vec<FileId> = ids.iter().copied().step_by(3).collect();
    records.remove_files(project, &removed, &cause(), T0).await.unwrap();
    let left = |stored: usize| {
        let ids = ids.iter().enumerate().filter(move |(n, _)| n % 3 != 0 && n % 2 == stored);
        ids.map(|(_, id)| *id).collect()
    };
    (left(0), left(1))
}

async fn enqueued(records: &Records, storage: StorageId) -> HashSet<FileId> {
    let claims = records.claim_copies(&[(storage, 10_000)], T0.plus(DAY), DAY, Ids::random().uuid()).await.unwrap();
    let files: HashSet<FileId> = claims.iter().map(|claim| claim.task.file).collect();
    assert_eq!(files.len(), claims.len());
    files
}

fn step(enqueued: u64, looked_at: u64, done: bool) -> Backfilled {
    Backfilled { enqueued, looked_at, done }
}

async fn files_that_were_there_are_enqueued_in_steps(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let (stored, temporary) = files(&records, one, 60).await;
    files(&records, two, 10).await;
    let id = storage(&records, one, "s").await;
    let until = T0.plus(DAY);
    assert_eq!(records.backfill_left(id).await.unwrap(), 40);
    assert_eq!(records.backfill(id, T0, 30, until).await.unwrap(), step(0, 0, true), "they came later");
    assert_eq!(records.backfill(id, until, 30, until).await.unwrap(), step(30, 30, false));
    records.copy_arrived().await;
    assert_eq!(records.backfill_left(id).await.unwrap(), 10);
    // Whoever comes meanwhile is copied anyway, and looked at all the same.
    upload(&records, one, false).await;
    assert_eq!(records.backfill(id, until, 10, until).await.unwrap(), step(10, 10, false));
    assert_eq!(records.backfill(id, until, 10, until).await.unwrap(), step(0, 1, true));
    assert_eq!(records.backfill(id, until, 10, until).await.unwrap(), step(0, 0, true));
    assert_eq!(records.backfill_left(id).await.unwrap(), 0);
    let all = enqueued(&records, id).await;
    assert!(all.is_superset(&stored) && all.is_superset(&temporary));
    assert_eq!(all.len(), 41, "nothing that is removed, and nothing of others");
    // Begun anew, it finds what is still in the queue.
    records.reset_backfill(id).await.unwrap();
    assert_eq!(records.backfill_left(id).await.unwrap(), 41);
    assert_eq!(records.backfill(id, until, 100, until).await.unwrap(), step(0, 41, true));
    let gone = StorageId(id.0 + 1);
    assert_eq!(records.backfill(gone, until, 10, until).await.unwrap(), step(0, 0, true));
    assert_eq!(records.backfill_left(gone).await.unwrap(), 0);
}

async fn only_stored_files_where_the_storage_takes_no_others(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (stored, _) = files(&records, project, 60).await;
    let mut only_stored = settings("bucket");
    // Automatic or not does not matter.
    (only_stored.only_stored, only_stored.auto_copy) = (true, false);
    let id = records.create_storage(project, &named("s"), &only_stored, T0).await.unwrap();
    assert_eq!(records.backfill_left(id).await.unwrap(), 20);
    assert_eq!(records.backfill(id, T0.plus(DAY), 15, T0.plus(DAY)).await.unwrap(), step(15, 15, false));
    assert_eq!(records.backfill(id, T0.plus(DAY), 15, T0.plus(DAY)).await.unwrap(), step(5, 5, true));
    assert_eq!(enqueued(&records, id).await, stored);
}

async fn nobody_is_stepped_over_whose_record_comes_late(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    files(&records, project, 60).await;
    let mut by_hand = settings("bucket");
    by_hand.auto_copy = false;
    let id = records.create_storage(project, &named("s"), &by_hand, T0).await.unwrap();
    let until = T0.plus(DAY);
    assert_eq!(records.backfill(id, until, 15, T0).await.unwrap(), step(40, 40, true), "in one go");
    let slow = Clock::manual(T0.minus(Duration::from_secs(30)));
    let slow = Records::open(&case.options, case.folder.path(), Durability::Relaxed, slow).await.unwrap();
    slow.add_files(project, vec![new_file("late")], cause()).await.unwrap();
    assert_eq!(records.backfill_left(id).await.unwrap(), 41);
    assert_eq!(records.backfill(id, until, 15, T0).await.unwrap(), step(1, 41, true));
    // Later, the cursor follows.
    assert_eq!(records.backfill(id, until, 15, until).await.unwrap(), step(0, 15, false));
    assert_eq!(records.backfill(id, until, 15, until).await.unwrap(), step(0, 15, false));
    assert_eq!(records.backfill(id, until, 15, until).await.unwrap(), step(0, 11, true));
    assert_eq!(records.backfill_left(id).await.unwrap(), 0);
}

async fn another_place_and_other_files_begin_anew(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    records.add_files(project, (0..3).map(|_| new_file("a")).collect(), cause()).await.unwrap();
    let id = storage(&records, project, "s").await;
    let until = T0.plus(DAY);
    let mut now = settings("bucket");
    let mut left_after = async |declared: bool, change: &dyn Fn(&mut StorageSettings)| {
        records.backfill(id, until, 10, until).await.unwrap();
        assert_eq!(records.backfill_left(id).await.unwrap(), 0);
        change(&mut now);
        if declared {
            let declared = [("p".parse().unwrap(), named("s"), now.clone())];
            records.declare_storages(&declared, T0).await.unwrap();
        } else {
            records.update_storage(id, &now).await.unwrap();
        }
        records.backfill_left(id).await.unwrap()
    };
    for declared in [false, true] {
        let name = if declared { "declared" } else { "updated" };
        assert_eq!(left_after(declared, &|now| now.make_public = !now.make_public).await, 0);
        assert_eq!(left_after(declared, &|now| now.only_stored = true).await, 0, "there are none");
        assert_eq!(left_after(declared, &|now| now.only_stored = false).await, 3);
        assert_eq!(left_after(declared, &|now| now.bucket = name.to_owned().try_into().unwrap()).await, 3);
        assert_eq!(left_after(declared, &|now| now.prefix = format!("{name}/").try_into().unwrap()).await, 3);
        assert_eq!(left_after(declared, &|now| now.endpoint_url = format!("https://{name}")).await, 3);
    }
}

async fn those_who_back_fill_together_share_the_work(case: Case) {
    let nodes = case.nodes(4).await;
    let project = project(&nodes[0], "p").await;
    let (stored, temporary) = files(&nodes[0], project, 300).await;
    let id = storage(&nodes[0], project, "s").await;
    let mut fillers = JoinSet::new();
    for node in nodes.clone() {
        fillers.spawn(async move {
            let mut looked_at = 0;
            loop {
                let step = node.backfill(id, T0.plus(DAY), 7, T0.plus(DAY)).await.unwrap();
                assert_eq!(step.enqueued, step.looked_at);
                looked_at += step.looked_at;
                if step.done {
                    return looked_at;
                }
            }
        });
    }
    assert_eq!(fillers.join_all().await.into_iter().sum::<u64>(), 200);
    assert_eq!(enqueued(&nodes[0], id).await, stored.union(&temporary).copied().collect());
}

on_both_engines! {
    files_that_were_there_are_enqueued_in_steps,
    only_stored_files_where_the_storage_takes_no_others,
    nobody_is_stepped_over_whose_record_comes_late,
    another_place_and_other_files_begin_anew,
    those_who_back_fill_together_share_the_work,
}
