//! The queue: claims, leases, takeovers.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{FromUrl, Ids, Job, Metadata, ProjectId, Tags, UrlTask};
use stowage_store::records::{Claimed, FinishError, Records};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{Case, T0, cause, is_pending, new_file, project, sqlite_url};

/// A lease, and half of one.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
const HALF: Duration = Duration::from_secs(30);

pub(crate) fn fetch(project: ProjectId, url: &str) -> FromUrl {
    FromUrl {
        token: Ids::random().uuid(),
        project,
        url: url.to_owned(),
        name: Some("Ünïcode \"q\".bin".into()),
        stored: true,
        metadata: Metadata::from_pairs([("key", "v \u{1F980}".as_bytes())]).unwrap(),
        tags: Tags::from_list("b,a").unwrap(),
        remember: true,
        source: None,
        cause: cause(),
    }
}

/// The task as it ends: for this project, and remembered under this URL, if any.
pub(crate) fn ended(task: &FromUrl, project: ProjectId, remember: Option<&str>) -> FromUrl {
    let url = remember.unwrap_or(&task.url).to_owned();
    FromUrl { project, remember: remember.is_some(), url, ..task.clone() }
}

/// Starts a task and answers it.
pub(crate) async fn start(records: &Records, project: ProjectId) -> FromUrl {
    let task = fetch(project, "https://example.com/a");
    records.start_url_task(&Job::FromUrl(task.clone()), Ids::random().uuid(), T0).await.unwrap();
    task
}

/// Claims the one job that is due.
pub(crate) async fn claim(records: &Records) -> Claimed {
    let mut claims = claim_all(records, 10).await;
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

async fn claim_all(records: &Records, limit: u32) -> Vec<Claimed> {
    records.claim_jobs(T0, LEASE, Ids::random().uuid(), limit).await.unwrap()
}

async fn a_job_comes_back_as_it_was_enqueued(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let task = fetch(project, "https://example.com/a?q=\"ü\"");
    let id = Ids::random().uuid();
    assert_eq!(claim_all(&records, 10).await, []);
    records.start_url_task(&Job::FromUrl(task.clone()), id, T0).await.unwrap();
    assert_eq!(records.claim_jobs(T0.minus(HALF), LEASE, id, 10).await.unwrap(), [], "not due yet");
    assert_eq!(claim_all(&records, 0).await, []);
    let claimed = claim(&records).await;
    assert_eq!((claimed.id, claimed.attempt, &claimed.job), (id, 1, &Job::FromUrl(task.clone())));
    assert_eq!(claim_all(&records, 10).await, [], "it is leased");
    let twice = records.start_url_task(&Job::FromUrl(task), Ids::random().uuid(), T0).await;
    assert!(twice.is_err());
    assert_eq!(case.count("jobs").await, 1, "task and job are recorded together or not at all");
}

async fn jobs_are_claimed_in_their_order(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = Ids::random().uuid();
        let task = fetch(project, "https://example.com/");
        let now = T0.minus(Duration::from_secs(10 - n));
        records.start_url_task(&Job::FromUrl(task), id, now).await.unwrap();
        ids.push(id);
    }
    let mut claimed = claim_all(&records, 3).await;
    claimed.extend(claim_all(&records, 3).await);
    assert_eq!(claimed.iter().map(|claim| claim.id).collect::<Vec<_>>(), ids);
}

async fn many_workers_claim_each_job_once(case: Case) {
    let nodes = case.nodes(4).await;
    let project = project(&nodes[0], "p").await;
    for _ in 0..200 {
        start(&nodes[0], project).await;
    }
    let mut workers = JoinSet::new();
    for n in 0..8 {
        let node = nodes[n % 4].clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            let mut found_nothing = 0;
            // A worker may find nothing while others hold the last rows.
            while found_nothing < 3 {
                let claims = claim_all(&node, 7).await;
                found_nothing = if claims.is_empty() { found_nothing + 1 } else { 0 };
                assert!(claims.len() <= 7);
                mine.extend(claims);
            }
            mine
        });
    }
    let all: Vec<Claimed> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().map(|claim| claim.id).collect::<HashSet<_>>().len(), 200);
    assert!(all.iter().all(|claim| claim.attempt == 1));
}

async fn an_expired_lease_is_taken_over(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    let task = start(&nodes[0], project).await;
    let dead = claim(&nodes[0]).await;
    let just_before = T0.plus(LEASE).minus(Duration::from_micros(1));
    assert_eq!(nodes[1].claim_jobs(just_before, LEASE, Ids::random().uuid(), 10).await.unwrap(), []);
    let now = T0.plus(LEASE);
    let alive = nodes[1].claim_jobs(now, LEASE, Ids::random().uuid(), 10).await.unwrap().remove(0);
    assert_eq!((alive.id, alive.attempt), (dead.id, 2));
    assert_ne!(alive.lease, dead.lease);

    // The first worker was not dead after all, but nothing that it does has an effect.
    let file = new_file("late");
    let outcome = nodes[0].finish_url_task(&dead, &ended(&task, project, Some(&task.url)), file.clone(), now).await;
    assert!(matches!(outcome, Err(FinishError::LeaseLost)), "{outcome:?}");
    assert_eq!(nodes[0].file(file.id).await.unwrap(), None);
    assert_eq!(nodes[0].url_history(project, &task.url).await.unwrap(), None);
    assert!(!nodes[0].fail_url_task(&dead, task.token, "text", "code", now).await.unwrap());
    assert!(!nodes[0].release_job(dead.id, dead.lease, now, true).await.unwrap());
    let held = [(dead.id, dead.lease)];
    assert!(nodes[0].renew_jobs(&held, now.plus(LEASE), &[(task.token, 5, None)]).await.unwrap().is_empty());
    assert_eq!(nodes[0].url_task(task.token).await.unwrap(), Some(UrlTask::Waiting));

    let file = new_file("in time");
    nodes[1].finish_url_task(&alive, &ended(&task, project, None), file.clone(), now).await.unwrap();
    assert_eq!(nodes[0].url_task(task.token).await.unwrap(), Some(UrlTask::Success(file.id)));
    let again = nodes[1].finish_url_task(&alive, &ended(&task, project, None), new_file("x"), now).await;
    assert!(matches!(again, Err(FinishError::LeaseLost)));
    assert_eq!((case.count("jobs").await, case.count("files").await), (0, 1));
}

async fn of_two_ends_one_counts(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for round in 0..20 {
        let task = start(&nodes[0], project).await;
        let claimed = claim(&nodes[round % 2]).await;
        let file = new_file("x");
        let done = ended(&task, project, None);
        let (finished, failed) = tokio::join!(
            nodes[0].finish_url_task(&claimed, &done, file.clone(), T0),
            nodes[1].fail_url_task(&claimed, task.token, "text", "code", T0),
        );
        let failure = UrlTask::Failed { text: "text".into(), code: "code".into() };
        let expected = match (finished, failed.unwrap()) {
            (Ok(_), false) => UrlTask::Success(file.id),
            (Err(FinishError::LeaseLost), true) => failure,
            other => panic!("{other:?}"),
        };
        assert_eq!(nodes[0].file(file.id).await.unwrap().is_some(), expected == UrlTask::Success(file.id));
        assert_eq!(nodes[1].url_task(task.token).await.unwrap(), Some(expected));
    }
}

async fn leases_are_renewed(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (first, second) = (start(&records, project).await, start(&records, project).await);
    let claims = claim_all(&records, 10).await;
    let held: Vec<(Uuid, Uuid)> = claims.iter().map(|claim| (claim.id, claim.lease)).collect();
    let progress = [(first.token, 5, Some(10)), (second.token, 7, None), (Uuid::nil(), 9, None)];
    let ours = records.renew_jobs(&held, T0.plus(LEASE + HALF), &progress).await.unwrap();
    let ids = |pairs: &[(Uuid, Uuid)]| pairs.iter().map(|(id, _)| *id).collect::<HashSet<_>>();
    assert_eq!(ours.into_iter().collect::<HashSet<_>>(), ids(&held));
    let of = async |task: &FromUrl| records.url_task(task.token).await.unwrap().unwrap();
    assert_eq!(of(&first).await, UrlTask::Progress { done: 5, total: Some(10) });
    assert_eq!(of(&second).await, UrlTask::Progress { done: 7, total: None });
    assert_eq!(records.claim_jobs(T0.plus(LEASE), LEASE, Uuid::nil(), 10).await.unwrap(), [], "still leased");

    // Whoever has only one of them left hears of that one, and changes the task of that one.
    let mut mixed = held.clone();
    mixed[0].1 = Ids::random().uuid();
    let Job::FromUrl(lost) = &claims[0].job;
    let Job::FromUrl(kept) = &claims[1].job;
    let progress = [(lost.token, 100, None), (kept.token, 200, None)];
    assert_eq!(records.renew_jobs(&mixed, T0.plus(LEASE), &progress).await.unwrap(), [held[1].0]);
    assert_ne!(of(lost).await, UrlTask::Progress { done: 100, total: None });
    assert_eq!(of(kept).await, UrlTask::Progress { done: 200, total: None });
    assert!(records.renew_jobs(&[], T0, &[]).await.unwrap().is_empty());
}

async fn a_released_job_is_claimed_again(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    start(&records, project).await;
    let first = claim(&records).await;
    assert!(records.release_job(first.id, first.lease, T0, true).await.unwrap());
    assert!(!records.release_job(first.id, first.lease, T0, true).await.unwrap(), "no longer ours");
    let second = claim(&records).await;
    assert_eq!((second.id, second.attempt), (first.id, 1), "the attempt is forgotten");
    assert!(records.release_job(second.id, second.lease, T0.plus(HALF), false).await.unwrap());
    assert_eq!(claim_all(&records, 10).await, [], "not due yet");
    let third = records.claim_jobs(T0.plus(HALF), LEASE, Ids::random().uuid(), 10).await.unwrap();
    assert_eq!(third[0].attempt, 2, "the attempt counts");
}

async fn a_job_that_cannot_be_read_does_not_stop_the_others(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let broken = start(&records, project).await;
    case.change(
        "UPDATE jobs SET payload = json_remove(payload, '$.url'), due_at = due_at - 1",
        "UPDATE jobs SET payload = payload - 'url', due_at = due_at - 1",
    )
    .await;
    let good = start(&records, project).await;
    let claimed = claim(&records).await;
    assert_eq!(claimed.job, Job::FromUrl(good.clone()));
    let failed = UrlTask::Failed { text: "download task failed.".into(), code: "DownloadFileTaskFailedError".into() };
    assert_eq!(records.url_task(broken.token).await.unwrap(), Some(failed.clone()));
    assert_eq!(records.hot_url_task(broken.token).await.unwrap(), Some(failed));
    assert_eq!(case.count("jobs").await, 1);

    // What is no object, and on SQLite no JSON at all.
    let broken = start(&records, project).await;
    case.change(
        "UPDATE jobs SET payload = 'nonsense' WHERE lease IS NULL",
        "UPDATE jobs SET payload = '[]' WHERE lease IS NULL",
    )
    .await;
    assert_eq!(claim_all(&records, 10).await, []);
    assert_eq!(case.count("jobs").await, 1);
    assert_eq!(records.url_task(broken.token).await.unwrap(), Some(UrlTask::Waiting), "nobody knows whose job it was");
}

async fn kinds_of_later_versions_are_left_alone(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    start(&records, project).await;
    let later = "UPDATE jobs SET kind = 'later', payload = '{\"kind\": \"later\"}', due_at = due_at - 1";
    case.change(later, later).await;
    start(&records, project).await;
    claim(&records).await;
    assert_eq!(claim_all(&records, 10).await, []);
    assert_eq!(case.count("jobs").await, 2);
}

async fn an_enqueued_job_wakes_the_runner(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let mut waiting = Box::pin(records.job_arrived());
    assert!(is_pending(&mut waiting).await);
    start(&records, project).await;
    waiting.await;
    // One that comes while nobody waits is not missed.
    start(&records, project).await;
    records.job_arrived().await;
    assert!(is_pending(&mut Box::pin(records.job_arrived())).await);
}

on_both_engines!(
    a_job_comes_back_as_it_was_enqueued,
    jobs_are_claimed_in_their_order,
    many_workers_claim_each_job_once,
    an_expired_lease_is_taken_over,
    of_two_ends_one_counts,
    leases_are_renewed,
    a_released_job_is_claimed_again,
    a_job_that_cannot_be_read_does_not_stop_the_others,
    kinds_of_later_versions_are_left_alone,
    an_enqueued_job_wakes_the_runner,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_look_for_jobs_that_finds_none_does_not_wait_for_writers() {
    let case = Case::new(String::new());
    let records = case.open().await;
    let pool = sqlx::SqlitePool::connect(&sqlite_url(case.folder.path())).await.unwrap();
    let writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    // Were the lock of the file asked for, this would fail after ten seconds.
    assert_eq!(claim_all(&records, 10).await, []);
    writer.rollback().await.unwrap();
}
