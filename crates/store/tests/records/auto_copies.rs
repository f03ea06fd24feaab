//! Automatic copies: who is copied to of what has happened, and files that wait for their copies.

use std::collections::HashSet;

use stowage_model::{FileId, Ids, NewFile, StorageId, StorageSettings, Timestamp};
use stowage_store::records::CopyEnd;
use tokio::task::JoinSet;

use crate::copies::{LEASE, SECOND, asked, claim, counts, due, end, ended, retry, upload};
use crate::storages::{named, settings, storage};
use crate::webhooks::webhook;
use crate::{Case, DAY, T0, cause, is_pending, new_file, project, spread};

async fn files_are_copied_as_settings_say(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let with = async |name: &str, change: &dyn Fn(&mut StorageSettings)| {
        let mut settings = settings("bucket");
        change(&mut settings);
        records.create_storage(one, &named(name), &settings, T0).await.unwrap()
    };
    let all = with("all", &|_| {}).await;
    let stored = with("stored", &|settings| settings.only_stored = true).await;
    let none = with("none", &|settings| settings.auto_copy = false).await;
    let neither = with("neither", &|settings| (settings.auto_copy, settings.only_stored) = (false, true)).await;
    let temporary_file = upload(&records, one, false).await;
    let stored_file = upload(&records, one, true).await;
    upload(&records, two, true).await;
    let files = async |storage| {
        let claims = claim(&records, storage, 9, case.clock.now().plus(DAY)).await;
        for claim in &claims {
            assert_eq!((claim.attempt, &claim.task.request, &claim.upload, claim.given_up), (1, &None, &None, false));
            assert_eq!(claim.created_at, T0);
            end(&records, claim, CopyEnd::Done, T0).await;
        }
        claims.into_iter().map(|claim| claim.task.file).collect::<HashSet<_>>()
    };
    assert_eq!(due(&records, T0).await, [all, stored]);
    assert_eq!(files(all).await, HashSet::from([temporary_file, stored_file]));
    assert_eq!(files(stored).await, HashSet::from([stored_file]));
    assert_eq!((files(none).await, files(neither).await), (HashSet::new(), HashSet::new()));
    // As soon as it is stored.
    records.store_files(one, &[temporary_file, stored_file], &cause(), T0).await.unwrap();
    spread(&records).await;
    assert_eq!((files(all).await, files(stored).await), (HashSet::new(), HashSet::from([temporary_file])));
    assert_eq!((case.count("events").await, case.count("copies").await), (0, 0), "what is done leaves no trace");
}

async fn a_file_waits_once_for_each_storage(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let mut stored = settings("bucket");
    stored.only_stored = true;
    let storage = records.create_storage(project, &named("s"), &stored, T0).await.unwrap();
    let files: Vec<NewFile> = (0..50).map(|_| NewFile { stored: true, ..new_file("x") }).collect();
    let ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    records.add_files(project, files, cause()).await.unwrap();
    for _ in 0..3 {
        records.remove_files(project, &ids, &cause(), T0).await.unwrap();
        records.store_files(project, &ids, &cause(), T0).await.unwrap();
    }
    spread(&records).await;
    assert_eq!(counts(&records, storage).await, (50, 0));
    // Whoever asks for copies gets as many as they want.
    for _ in 0..2 {
        let lease = T0.plus(LEASE);
        records.begin_copy(&asked(ids[0], storage), lease, Ids::random().uuid(), T0).await.unwrap();
    }
    assert_eq!(counts(&records, storage).await, (52, 0));
}

async fn projects_without_storages_write_nothing(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let id = storage(&records, one, "s").await;
    for project in [one, two] {
        records.add_files(project, vec![new_file("a")], cause()).await.unwrap();
    }
    assert_eq!(case.count("events").await, 1);
    let mut off = settings("bucket");
    off.auto_copy = false;
    records.update_storage(id, &off).await.unwrap();
    assert_eq!((case.count("events").await, counts(&records, id).await), (0, (1, 0)), "told to those who were there");
    records.add_files(one, vec![new_file("a")], cause()).await.unwrap();
    assert_eq!(case.count("events").await, 0);
}

async fn what_happened_is_copied_to_those_who_were_there(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let there = storage(&records, project, "there").await;
    webhook(&records, project, "http://a/").await;
    let arrive = async || drop(records.add_files(project, vec![new_file("a")], cause()).await.unwrap());
    arrive().await;
    let late = storage(&records, project, "late").await;
    let removed = storage(&records, project, "removed").await;
    arrive().await;
    records.remove_storage(removed).await.unwrap();
    let declared = [("p".parse().unwrap(), named("declared"), settings("bucket"))];
    arrive().await;
    records.declare_storages(&declared, T0).await.unwrap();
    let declared = records.storage_named(project, "declared").await.unwrap().unwrap().id;
    arrive().await;
    spread(&records).await;
    let waiting = async |storage| counts(&records, storage).await.0;
    assert_eq!((waiting(there).await, waiting(late).await, waiting(declared).await), (4, 3, 1));
    assert_eq!(case.count("deliveries").await, 4, "webhooks are told of the same");
}

async fn temporary_files_wait_for_their_copies(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let id = storage(&records, one, "s").await;
    webhook(&records, two, "http://a/").await;
    let mut files = Vec::new();
    for project in [one, one, two] {
        let file = new_file("a");
        files.push(file.id);
        records.add_files(project, vec![file], cause()).await.unwrap();
    }
    let (now, since) = (T0.plus(DAY), T0.minus(SECOND));
    let expired = async |now: Timestamp| {
        let listed: Vec<FileId> =
            records.expired_files(now, since, 10).await.unwrap().into_iter().map(|expired| expired.id).collect();
        assert_eq!(records.expire_files(now, since, now, 10, &cause()).await.unwrap(), listed);
        listed
    };
    assert_eq!(expired(now).await, [files[2]], "nobody knows yet whether the others are to be copied");
    spread(&records).await;
    assert_eq!(expired(now).await, [], "they are");
    let claims = claim(&records, id, 9, T0).await;
    assert_eq!((claims.len(), expired(now).await), (2, vec![]));
    end(&records, &claims[0], CopyEnd::Done, T0).await;
    end(&records, &claims[1], retry(T0), T0).await;
    assert_eq!(expired(now).await, [claims[0].task.file]);
    let again = claim(&records, id, 9, T0).await.remove(0);
    end(&records, &again, ended("no"), T0).await;
    // What came later and waits to be spread keeps nobody.
    case.clock.advance(DAY);
    records.add_files(one, vec![new_file("late")], cause()).await.unwrap();
    assert_eq!(expired(now.minus(SECOND * 60)).await, [claims[1].task.file]);
    assert_eq!(counts(&records, id).await, (0, 1));
    // Their failure is forgotten with them.
    spread(&records).await;
    assert_eq!(records.purge_removed(now.plus(DAY), 10).await.unwrap(), 3);
    assert_eq!(counts(&records, id).await, (1, 0), "the late one still waits");
}

async fn copies_keep_temporary_files_for_their_time_only(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let id = storage(&records, project, "s").await;
    let early = upload(&records, project, false).await;
    case.clock.advance(SECOND);
    let late = upload(&records, project, false).await;
    let now = T0.plus(DAY);
    let expire = async |since: Timestamp| {
        let files = records.expire_files(now, since, now, 10, &cause()).await.unwrap();
        assert_eq!(records.expired_files(now, since, 10).await.unwrap(), []);
        files
    };
    assert_eq!(expire(Timestamp(T0.0 - 1)).await, []);
    assert_eq!(expire(T0).await, [early], "nobody has tried it, and nobody needs to");
    assert_eq!(expire(now).await, [late]);
    assert_eq!(counts(&records, id).await, (2, 0), "they find out themselves");
}

async fn storages_hurry_nobody_elses_events(case: Case) {
    let records = case.open().await;
    let (one, two, three) =
        (project(&records, "one").await, project(&records, "two").await, project(&records, "three").await);
    let mut off = settings("bucket");
    off.auto_copy = false;
    for project in [one, two, three] {
        webhook(&records, project, "http://a/").await;
        records.create_storage(project, &named("off"), &off, T0).await.unwrap();
    }
    let ids = [storage(&records, one, "s").await, storage(&records, three, "s").await];
    for project in [one, two, three] {
        records.add_files(project, vec![new_file("a")], cause()).await.unwrap();
    }
    let mut spread = Vec::new();
    while let Some(next) = records.spread_to_storages(spread.last().copied().unwrap_or(one), 9).await.unwrap() {
        assert_eq!(next.events, 1);
        spread.push(next.project);
    }
    assert_eq!(spread, [three, one], "the next one behind, counted around");
    assert_eq!((counts(&records, ids[0]).await, counts(&records, ids[1]).await), ((1, 0), (1, 0)));
    assert_eq!((case.count("events").await, case.count("deliveries").await), (1, 2), "webhooks are told of the same");
}

async fn whoever_spreads_wakes_both(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    storage(&records, project, "s").await;
    records.add_files(project, vec![new_file("a")], cause()).await.unwrap();
    records.copy_arrived().await;
    records.delivery_arrived().await;
    let (mut copies, mut deliveries) = (Box::pin(records.copy_arrived()), Box::pin(records.delivery_arrived()));
    assert!(is_pending(&mut copies).await && is_pending(&mut deliveries).await);
    spread(&records).await;
    copies.await;
    deliveries.await;
    let mut copies = Box::pin(records.copy_arrived());
    spread(&records).await;
    assert!(is_pending(&mut copies).await, "there was nothing to spread");
}

async fn uploads_and_changes_of_storages_do_not_hinder_each_other(case: Case) {
    let nodes = case.nodes(3).await;
    let project = project(&nodes[0], "p").await;
    let names = ["a", "b", "c"];
    for name in names {
        storage(&nodes[0], project, name).await;
        webhook(&nodes[0], project, &format!("http://{name}/")).await;
    }
    let mut tasks = JoinSet::new();
    for node in nodes.clone() {
        tasks.spawn(async move {
            for _ in 0..40 {
                let file = NewFile { stored: true, ..new_file("a") };
                node.add_files(project, vec![file], cause()).await.unwrap();
                spread(&node).await;
                for id in node.due_storages(T0, StorageId(0), 9).await.unwrap() {
                    let claims = node.claim_copies(&[(id, 5)], T0, LEASE, Ids::random().uuid()).await.unwrap();
                    let ends: Vec<_> = claims.iter().map(|claim| (claim.id, claim.lease, ended("no"))).rev().collect();
                    node.end_copies(&ends, T0).await.unwrap();
                    node.retry_copies(id, T0).await.unwrap();
                }
            }
        });
    }
    for node in nodes.clone().into_iter().take(2) {
        tasks.spawn(async move {
            for n in 0..40 {
                for storage in node.storages().await.unwrap() {
                    let changed = StorageSettings { only_stored: n % 2 == 0, ..storage.settings };
                    node.update_storage(storage.id, &changed).await.unwrap();
                    node.backfill(storage.id, T0.plus(DAY), 10, T0).await.unwrap();
                }
                let name = names[n % 3];
                let removed = node.storages().await.unwrap().into_iter().find(|storage| storage.name.as_str() == name);
                if let Some(removed) = removed {
                    node.remove_storage(removed.id).await.unwrap();
                }
                // Perhaps the other one has just made it.
                let _ = node.create_storage(project, &named(name), &settings("bucket"), T0).await;
            }
        });
    }
    tasks.join_all().await;
    spread(&nodes[0]).await;
    assert_eq!(case.count("events").await, 0);
    let storages = nodes[0].storages().await.unwrap();
    assert_eq!(storages.len(), 3);
    for storage in storages {
        let (waiting, failed) = counts(&nodes[0], storage.id).await;
        assert!(waiting + failed <= 120, "{waiting} {failed}");
    }
}

on_both_engines! {
    files_are_copied_as_settings_say,
    a_file_waits_once_for_each_storage,
    projects_without_storages_write_nothing,
    what_happened_is_copied_to_those_who_were_there,
    temporary_files_wait_for_their_copies,
    copies_keep_temporary_files_for_their_time_only,
    storages_hurry_nobody_elses_events,
    whoever_spreads_wakes_both,
    uploads_and_changes_of_storages_do_not_hinder_each_other,
}
