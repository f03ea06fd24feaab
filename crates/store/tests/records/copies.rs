//! The queue of copies to custom storages: claims, leases, ends.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{FileId, Ids, NewFile, ProjectId, StorageId, Timestamp};
use stowage_store::records::{
    ClaimedCopy, CopyCounts, CopyEnd, CopyId, CopyRequest, CopyTask, CopyUpload, FailedCopy, Records,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::storages::storage;
use crate::{Case, DAY, T0, cause, is_pending, new_file, project, spread};

pub(crate) const LEASE: Duration = Duration::from_secs(60);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Uploads a file, temporary or stored, and spreads the news.
pub(crate) async fn upload(records: &Records, project: ProjectId, stored: bool) -> FileId {
    let file = NewFile { stored, ..new_file("a") };
    let id = file.id;
    records.add_files(project, vec![file], cause()).await.unwrap();
    spread(records).await;
    id
}

pub(crate) async fn claim(records: &Records, storage: StorageId, limit: u32, now: Timestamp) -> Vec<ClaimedCopy> {
    records.claim_copies(&[(storage, limit)], now, LEASE, Ids::random().uuid()).await.unwrap()
}

pub(crate) async fn due(records: &Records, now: Timestamp) -> Vec<StorageId> {
    records.due_storages(now, StorageId(0), 100).await.unwrap()
}

pub(crate) async fn end(records: &Records, claim: &ClaimedCopy, end: CopyEnd, now: Timestamp) {
    records.end_copies(&[(claim.id, claim.lease, end)], now).await.unwrap();
}

async fn failed(records: &Records, storage: StorageId) -> Vec<FailedCopy> {
    records.failed_copies(storage, CopyId(0), 100).await.unwrap()
}

pub(crate) async fn counts(records: &Records, storage: StorageId) -> (u64, u64) {
    let counts = records.copy_counts().await.unwrap();
    let (_, CopyCounts { waiting, failed }) = counts.into_iter().find(|(id, _)| *id == storage).unwrap();
    (waiting, failed)
}

pub(crate) fn ended(error: &str) -> CopyEnd {
    CopyEnd::Failed { error: error.to_owned() }
}

pub(crate) fn retry(due_at: Timestamp) -> CopyEnd {
    CopyEnd::Retry { due_at, error: "the \"storage\" \u{1F980}".to_owned() }
}

fn an_upload(id: &str) -> CopyUpload {
    let (key, upload_id) = ("a/\"b\".jpg".into(), id.into());
    CopyUpload { key, upload_id, part_size: 16 << 20, bucket: "bucket".into(), endpoint: "https://s3.example".into() }
}

pub(crate) fn asked(file: FileId, storage: StorageId) -> CopyTask {
    let request = CopyRequest { operations: "-/resize/200x/".into(), key: "k/é\"".into(), make_public: true };
    CopyTask { file, storage, request: Some(request) }
}

async fn copies_are_claimed_once_and_the_oldest_first(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (one, two) = (storage(&records, project, "one").await, storage(&records, project, "two").await);
    assert_eq!((due(&records, T0).await, claim(&records, one, 9, T0).await), (vec![], vec![]));
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(upload(&records, project, false).await);
        case.clock.advance(SECOND);
    }
    let now = case.clock.now();
    assert_eq!((due(&records, Timestamp(T0.0 - 1)).await, due(&records, T0).await), (vec![], vec![one, two]));
    let page = async |after, limit| records.due_storages(now, after, limit).await.unwrap();
    assert_eq!((page(StorageId(0), 1).await, page(one, 1).await, page(two, 1).await), (vec![one], vec![two], vec![]));
    assert_eq!(claim(&records, one, 0, now).await, []);
    let holder = Ids::random().uuid();
    let wanted = [(one, 2), (two, 1), (StorageId(99), 5)];
    let claims = records.claim_copies(&wanted, now, LEASE, holder).await.unwrap();
    let of = |storage| {
        let claims = claims.iter().filter(|claim| claim.task.storage == storage);
        claims.map(|claim| claim.task.file).collect::<HashSet<_>>()
    };
    assert_eq!((of(one), of(two)), (files[..2].iter().copied().collect(), HashSet::from([files[0]])));
    assert!(claims.iter().all(|claim| claim.lease == holder && claim.attempt == 1));
    let rest = claim(&records, one, 9, now).await;
    assert_eq!((rest.len(), rest[0].task.file, rest[0].created_at), (1, files[2], T0.plus(SECOND * 2)));
    assert_eq!(due(&records, now).await, [two], "the others are leased");
    // Whoever dies leaves it to others.
    let again = claim(&records, one, 9, now.plus(LEASE)).await;
    assert_eq!((again.len(), again[0].attempt), (3, 2));
    assert_eq!(records.claim_copies(&[], now, LEASE, holder).await.unwrap(), []);
}

async fn many_nodes_make_each_copy_once(case: Case) {
    let nodes = case.nodes(4).await;
    let project = project(&nodes[0], "p").await;
    let storages = [storage(&nodes[0], project, "a").await, storage(&nodes[0], project, "b").await];
    let files: Vec<NewFile> = (0..100).map(|_| new_file("x")).collect();
    nodes[0].add_files(project, files, cause()).await.unwrap();
    let mut workers = JoinSet::new();
    for n in 0..8 {
        let node = nodes[n % 4].clone();
        workers.spawn(async move {
            let (mut mine, mut found_nothing) = (Vec::new(), 0);
            // A worker may find nothing while others hold the last rows.
            while found_nothing < 3 {
                spread(&node).await;
                let wanted = [(storages[n % 2], 7), (storages[(n + 1) % 2], 3)];
                let claims = node.claim_copies(&wanted, T0, LEASE, Ids::random().uuid()).await.unwrap();
                found_nothing = if claims.is_empty() { found_nothing + 1 } else { 0 };
                let held: Vec<(CopyId, Uuid)> = claims.iter().rev().map(|claim| (claim.id, claim.lease)).collect();
                assert_eq!(node.renew_copies(&held, T0.plus(LEASE)).await.unwrap().len(), claims.len());
                let done = |claim: &ClaimedCopy| {
                    let end = if claim.task.storage == storages[0] { CopyEnd::Done } else { ended("no") };
                    (claim.id, claim.lease, end)
                };
                node.end_copies(&claims.iter().map(done).collect::<Vec<_>>(), T0).await.unwrap();
                mine.extend(claims);
            }
            mine
        });
    }
    let all: Vec<ClaimedCopy> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().map(|claim| claim.id).collect::<HashSet<_>>().len(), 200);
    let left = (counts(&nodes[0], storages[0]).await, counts(&nodes[0], storages[1]).await);
    assert_eq!(left, ((0, 0), (0, 100)));
}

async fn what_was_asked_for_is_held_by_who_asks(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let storage = storage(&records, project, "s").await;
    let task = asked(Ids::random().file(), storage);
    let mut arrived = Box::pin(records.copy_arrived());
    assert!(is_pending(&mut arrived).await);
    let (until, holder) = (T0.plus(LEASE), Ids::random().uuid());
    let held = records.begin_copy(&task, until, holder, T0).await.unwrap();
    let expected = ClaimedCopy {
        id: held.id,
        task: task.clone(),
        upload: None,
        attempt: 1,
        lease: holder,
        created_at: T0,
        given_up: false,
    };
    assert_eq!(held, expected);
    assert!(is_pending(&mut arrived).await, "nobody else has anything to do");
    assert_eq!(claim(&records, storage, 9, T0).await, []);
    let upload = an_upload("1");
    assert!(records.note_copy_upload(held.id, holder, Some(&upload)).await.unwrap());
    // It dies, and another one goes on.
    let taken = claim(&records, storage, 9, until).await.remove(0);
    let lease = taken.lease;
    assert_eq!(taken, ClaimedCopy { upload: Some(upload.clone()), attempt: 2, lease, ..expected });
    assert!(!records.note_copy_upload(held.id, holder, None).await.unwrap(), "no longer ours");
    assert_eq!(records.renew_copies(&[(held.id, holder)], until.plus(DAY)).await.unwrap(), []);
    end(&records, &held, CopyEnd::Done, until).await;
    records.release_copies(&[(held.id, holder)], until).await.unwrap();
    let ours = records.renew_copies(&[(held.id, holder), (held.id, lease)], until.plus(DAY)).await.unwrap();
    assert_eq!(ours, [held.id]);
    assert_eq!(claim(&records, storage, 9, until.plus(LEASE)).await, [], "the lease was renewed");
    let again = claim(&records, storage, 9, until.plus(DAY)).await.remove(0);
    assert_eq!((again.attempt, &again.upload), (3, &Some(upload)), "what was noted stays noted");
    assert!(records.note_copy_upload(again.id, again.lease, None).await.unwrap());
    end(&records, &again, CopyEnd::Done, until).await;
    assert_eq!(counts(&records, storage).await, (0, 0));
    records.end_copies(&[], T0).await.unwrap();
    records.release_copies(&[], T0).await.unwrap();
    assert_eq!(records.renew_copies(&[], T0).await.unwrap(), []);
}

async fn attempts_end_in_a_retry_or_for_good(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let id = storage(&records, project, "s").await;
    let other = storage(&records, project, "other").await;
    let file = upload(&records, project, false).await;
    let first = claim(&records, id, 1, T0).await.remove(0);
    // Given back, it was not tried.
    records.copy_arrived().await;
    records.release_copies(&[(first.id, first.lease)], T0.plus(SECOND)).await.unwrap();
    records.copy_arrived().await;
    assert_eq!(claim(&records, id, 1, T0).await, []);
    let first = claim(&records, id, 1, T0.plus(SECOND)).await.remove(0);
    assert_eq!(first.attempt, 1);
    end(&records, &first, retry(T0.plus(DAY)), T0).await;
    assert!(!records.note_copy_upload(first.id, first.lease, None).await.unwrap(), "it is nobody's now");
    assert_eq!(claim(&records, id, 1, T0.plus(SECOND * 99)).await, [], "not before its time");
    let second = claim(&records, id, 1, T0.plus(DAY)).await.remove(0);
    assert_eq!((second.id, second.attempt, second.created_at), (first.id, 2, T0));
    assert_eq!((failed(&records, id).await, counts(&records, id).await), (vec![], (1, 0)));
    end(&records, &second, ended("denied"), T0.plus(DAY)).await;
    let parked = FailedCopy {
        id: first.id,
        file,
        key: None,
        attempts: 2,
        created_at: T0,
        ended_at: T0.plus(DAY),
        error: "denied".into(),
    };
    assert_eq!((failed(&records, id).await, counts(&records, id).await), (vec![parked], (0, 1)));
    let never = Timestamp(i64::MAX / 2);
    assert_eq!(claim(&records, id, 1, never).await, []);
    // Wanted once more, as from now on, and only at this storage.
    let later = T0.plus(DAY * 9);
    let elsewhere = claim(&records, other, 1, T0).await.remove(0);
    end(&records, &elsewhere, ended("denied"), T0).await;
    assert_eq!(records.retry_copies(id, later).await.unwrap(), 1);
    records.copy_arrived().await;
    assert_eq!(records.retry_copies(id, later).await.unwrap(), 0);
    let again = claim(&records, id, 9, later).await.remove(0);
    assert_eq!((again.id, again.attempt, again.created_at, again.given_up), (first.id, 1, later, false));
    assert_eq!((failed(&records, id).await, failed(&records, other).await.len()), (vec![], 1));
}

async fn failed_copies_are_listed_in_pages(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let id = storage(&records, project, "s").await;
    for n in 0..5 {
        let task = asked(Ids::random().file(), id);
        let held = records.begin_copy(&task, T0.plus(LEASE), Ids::random().uuid(), T0).await.unwrap();
        if n != 2 {
            end(&records, &held, ended(&n.to_string()), T0).await;
        }
    }
    let first = records.failed_copies(id, CopyId(0), 3).await.unwrap();
    let rest = records.failed_copies(id, first[2].id, 3).await.unwrap();
    let errors: Vec<String> = first.iter().chain(&rest).map(|failed| failed.error.clone()).collect();
    assert_eq!((first.len(), errors), (3, ["0", "1", "3", "4"].map(String::from).to_vec()));
    assert_eq!(first[0].key.as_deref(), Some("k/é\""));
    assert_eq!(records.failed_copies(StorageId(id.0 + 1), CopyId(0), 3).await.unwrap(), []);
}

async fn uploads_of_failed_copies_are_aborted(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let id = storage(&records, project, "s").await;
    let file = upload(&records, project, false).await;
    let first = claim(&records, id, 1, T0).await.remove(0);
    assert!(records.note_copy_upload(first.id, first.lease, Some(&an_upload("1"))).await.unwrap());
    end(&records, &first, ended("first"), T0).await;
    assert_eq!(counts(&records, id).await, (0, 1));
    // It is due for whoever aborts the upload, now and again.
    assert_eq!(due(&records, T0).await, [id]);
    let abort = claim(&records, id, 9, T0).await.remove(0);
    assert_eq!((abort.given_up, &abort.upload, abort.task.file), (true, &Some(an_upload("1")), file));
    end(&records, &abort, retry(T0.plus(SECOND)), T0).await;
    let abort = claim(&records, id, 9, T0.plus(SECOND)).await.remove(0);
    assert!(abort.given_up);
    end(&records, &abort, CopyEnd::Done, T0.plus(DAY)).await;
    let left = failed(&records, id).await.remove(0);
    assert_eq!((left.id, left.error.as_str(), left.ended_at, left.attempts), (first.id, "first", T0, 1));
    let never = Timestamp(i64::MAX / 2);
    assert_eq!((claim(&records, id, 9, never).await, records.remove_storage(id).await.unwrap()), (vec![], vec![]));
    // Likewise where it is aborted and given back.
    let id = storage(&records, project, "u").await;
    upload(&records, project, false).await;
    let first = claim(&records, id, 1, T0).await.remove(0);
    assert!(records.note_copy_upload(first.id, first.lease, Some(&an_upload("3"))).await.unwrap());
    end(&records, &first, ended("first"), T0).await;
    let abort = claim(&records, id, 9, T0).await.remove(0);
    records.release_copies(&[(abort.id, abort.lease)], T0).await.unwrap();
    let abort = claim(&records, id, 9, T0).await.remove(0);
    assert!(abort.given_up && abort.upload.is_some(), "not yet");
    assert!(records.note_copy_upload(abort.id, abort.lease, None).await.unwrap());
    records.release_copies(&[(abort.id, abort.lease)], T0).await.unwrap();
    assert_eq!((failed(&records, id).await[0].attempts, claim(&records, id, 9, never).await), (1, vec![]));
    // And where that fails for good as well.
    let id = storage(&records, project, "t").await;
    upload(&records, project, false).await;
    let first = claim(&records, id, 1, T0).await.remove(0);
    assert!(records.note_copy_upload(first.id, first.lease, Some(&an_upload("2"))).await.unwrap());
    end(&records, &first, ended("first"), T0).await;
    let abort = claim(&records, id, 9, T0).await.remove(0);
    end(&records, &abort, ended("second"), T0).await;
    assert_eq!((failed(&records, id).await[0].error.as_str(), claim(&records, id, 9, never).await), ("first", vec![]));
}

async fn failures_are_forgotten_with_their_file(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let id = storage(&records, project, "s").await;
    for (n, abort) in [CopyEnd::Done, ended("second")].into_iter().enumerate() {
        upload(&records, project, false).await;
        let first = claim(&records, id, 9, T0).await.remove(0);
        assert!(records.note_copy_upload(first.id, first.lease, Some(&an_upload("1"))).await.unwrap());
        end(&records, &first, ended("first"), T0).await;
        let later = T0.plus(DAY);
        assert_eq!(records.expire_files(later, T0, later, 9, &cause()).await.unwrap(), [first.task.file]);
        assert_eq!(records.purge_removed(later.plus(DAY), 9).await.unwrap(), 1);
        assert_eq!(counts(&records, id).await, (0, 1), "{n}: its upload is still to be aborted");
        let again = claim(&records, id, 9, T0).await.remove(0);
        end(&records, &again, abort, T0).await;
        assert_eq!(counts(&records, id).await, (0, 0), "{n}");
    }
}

async fn a_removed_storage_takes_its_copies_along(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (id, other) = (storage(&records, project, "s").await, storage(&records, project, "other").await);
    upload(&records, project, false).await;
    upload(&records, project, false).await;
    let held = claim(&records, id, 1, T0).await.remove(0);
    assert!(records.note_copy_upload(held.id, held.lease, Some(&an_upload("1"))).await.unwrap());
    let theirs = claim(&records, other, 1, T0).await.remove(0);
    assert!(records.note_copy_upload(theirs.id, theirs.lease, Some(&an_upload("2"))).await.unwrap());
    assert_eq!(records.remove_storage(id).await.unwrap(), [an_upload("1")]);
    assert!(!records.note_copy_upload(held.id, held.lease, None).await.unwrap());
    end(&records, &held, ended("late"), T0).await;
    let counts = records.copy_counts().await.unwrap();
    assert_eq!(counts, [(other, CopyCounts { waiting: 2, failed: 0 })]);
    assert!(records.begin_copy(&asked(held.task.file, id), T0, Ids::random().uuid(), T0).await.is_err());
}

on_both_engines! {
    copies_are_claimed_once_and_the_oldest_first,
    many_nodes_make_each_copy_once,
    what_was_asked_for_is_held_by_who_asks,
    attempts_end_in_a_retry_or_for_good,
    failed_copies_are_listed_in_pages,
    uploads_of_failed_copies_are_aborted,
    failures_are_forgotten_with_their_file,
    a_removed_storage_takes_its_copies_along,
}
