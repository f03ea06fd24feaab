//! Tasks of fetching URLs, what polling clients see of them, and the history of URLs.

use std::time::Duration;

use stowage_model::{FileId, Ids, Job, NewFile, ProjectId, UrlTask};
use stowage_store::records::{FinishError, Records};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::jobs::{LEASE, claim, ended, fetch, start};
use crate::{Case, DAY, T0, cause, new_file, project};

fn failure(text: &str) -> UrlTask {
    UrlTask::Failed { text: text.to_owned(), code: "Code".to_owned() }
}

/// Fetches `url` into a new file.
pub(crate) async fn fetched(records: &Records, project: ProjectId, url: &str, stored: bool) -> FileId {
    let task = fetch(project, url);
    records.start_url_task(&Job::FromUrl(task.clone()), Ids::random().uuid(), T0).await.unwrap();
    let claimed = claim(records).await;
    let file = NewFile { stored, ..new_file("x") };
    let id = file.id;
    records.finish_url_task(&claimed, &ended(&task, project, Some(url)), file, T0).await.unwrap();
    id
}

async fn a_task_goes_from_waiting_to_success(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let task = start(&records, project).await;
    let both = async || {
        let (straight, hot) = tokio::join!(records.url_task(task.token), records.hot_url_task(task.token));
        let (straight, hot) = (straight.unwrap(), hot.unwrap());
        assert_eq!(straight, hot, "what this process has changed is seen at once");
        straight
    };
    assert_eq!(both().await, Some(UrlTask::Waiting));
    let claimed = claim(&records).await;
    assert_eq!(both().await, Some(UrlTask::Waiting));
    for (done, total) in [(0, None), (5, Some(1 << 40)), (7, None)] {
        let held = [(claimed.id, claimed.lease)];
        let ours = records.renew_jobs(&held, T0.plus(LEASE), &[(task.token, done, total)]).await.unwrap();
        assert_eq!(ours, [claimed.id]);
        assert_eq!(both().await, Some(UrlTask::Progress { done, total }));
    }
    let file = NewFile { stored: true, ..new_file("fetched") };
    let time = records.finish_url_task(&claimed, &ended(&task, project, None), file.clone(), T0).await.unwrap();
    assert_eq!(both().await, Some(UrlTask::Success(file.id)));
    let recorded = records.file(file.id).await.unwrap().unwrap();
    assert_eq!((recorded.uploaded_at, recorded.stored_at, recorded.project), (time, Some(time), project));
    assert_eq!(records.url_history(project, &task.url).await.unwrap(), None, "it was not to be remembered");
    assert_eq!(case.count("jobs").await, 0);
}

async fn a_task_fails(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let task = start(&records, project).await;
    let claimed = claim(&records).await;
    let text = "HTTP client error: 404. Ünïcode \"q\"";
    assert!(records.fail_url_task(&claimed, task.token, text, "Code", T0).await.unwrap());
    assert_eq!(records.hot_url_task(task.token).await.unwrap(), Some(failure(text)));
    assert_eq!(records.url_task(task.token).await.unwrap(), Some(failure(text)));
    assert!(!records.fail_url_task(&claimed, task.token, "other", "Code", T0).await.unwrap());
    assert_eq!(records.url_task(task.token).await.unwrap(), Some(failure(text)));
    assert_eq!(case.count("jobs").await, 0);
}

async fn a_taken_id_leaves_the_job_where_it_is(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let squatter = new_file("squatter");
    records.add_files(project, vec![squatter.clone()], cause()).await.unwrap();
    let task = start(&records, project).await;
    let claimed = claim(&records).await;
    let file = NewFile { id: squatter.id, ..new_file("x") };
    let outcome = records.finish_url_task(&claimed, &ended(&task, project, Some("u")), file, T0).await;
    assert!(matches!(outcome, Err(FinishError::IdTaken(id)) if id == squatter.id), "{outcome:?}");
    assert_eq!(records.url_task(task.token).await.unwrap(), Some(UrlTask::Waiting));
    assert!(records.fail_url_task(&claimed, task.token, "text", "Code", T0).await.unwrap(), "the job is still ours");
}

async fn files_of_many_tasks_get_times_of_their_own(case: Case) {
    let nodes = case.nodes(3).await;
    let project = project(&nodes[0], "p").await;
    let mut work = JoinSet::new();
    for n in 0..60 {
        let task = start(&nodes[0], project).await;
        let claimed = claim(&nodes[0]).await;
        let node = nodes[n % 3].clone();
        work.spawn(async move {
            // The same URL each time: the history is written by several at once as well.
            let remember = Some("https://example.com/same");
            node.finish_url_task(&claimed, &ended(&task, project, remember), new_file("x"), T0).await.unwrap()
        });
    }
    let mut times = work.join_all().await;
    times.sort();
    times.dedup();
    assert_eq!(times.len(), 60);
    assert_eq!((case.count("files").await, case.count("url_history").await), (60, 1));
}

async fn unknown_tokens_are_unknown(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let task = fetch(project, "https://example.com/");
    assert_eq!(records.url_task(task.token).await.unwrap(), None);
    assert_eq!(records.hot_url_task(task.token).await.unwrap(), None);
    records.start_url_task(&Job::FromUrl(task.clone()), Ids::random().uuid(), T0).await.unwrap();
    assert_eq!(records.hot_url_task(task.token).await.unwrap(), Some(UrlTask::Waiting), "seen at once");
}

async fn many_clients_poll_at_once(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(start(&nodes[0], project).await.token);
    }
    let mut clients = JoinSet::new();
    for n in 0..4000_usize {
        let known = n % 5 < 4;
        let token = if known { tokens[n % 50] } else { Ids::random().uuid() };
        // The other node has nothing of it in memory.
        let node = nodes[1].clone();
        clients.spawn(async move { (known, node.hot_url_task(token).await.unwrap()) });
    }
    for (known, task) in clients.join_all().await {
        assert_eq!(task, known.then_some(UrlTask::Waiting));
    }
}

/// Asks until the answer is `expected`, and sees to it that it never goes backwards.
async fn watch(node: Records, token: Uuid) -> Vec<UrlTask> {
    let mut seen: Vec<UrlTask> = Vec::new();
    loop {
        let task = node.hot_url_task(token).await.unwrap().unwrap();
        if seen.last() != Some(&task) {
            seen.push(task.clone());
        }
        if matches!(task, UrlTask::Success(_)) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn a_watched_task_never_goes_backwards(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for _ in 0..5 {
        let task = start(&nodes[0], project).await;
        let mut watchers = JoinSet::new();
        for n in 0..8 {
            watchers.spawn(watch(nodes[n % 2].clone(), task.token));
        }
        let claimed = claim(&nodes[0]).await;
        for done in 1..=20 {
            let held = [(claimed.id, claimed.lease)];
            nodes[0].renew_jobs(&held, T0.plus(LEASE), &[(task.token, done, None)]).await.unwrap();
        }
        let file = new_file("x");
        nodes[0].finish_url_task(&claimed, &ended(&task, project, None), file.clone(), T0).await.unwrap();
        for seen in watchers.join_all().await {
            let order = |task: &UrlTask| match task {
                UrlTask::Waiting => 0,
                UrlTask::Progress { done, .. } => *done,
                UrlTask::Success(_) | UrlTask::Failed { .. } => u64::MAX,
            };
            assert!(seen.iter().map(order).is_sorted(), "{seen:?}");
            assert_eq!(seen.last(), Some(&UrlTask::Success(file.id)));
        }
    }
}

async fn the_history_finds_files_that_are_still_there(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    let url = "https://example.com/a?b=ü#c";
    assert_eq!(records.url_history(mine, url).await.unwrap(), None);
    let first = fetched(&records, mine, url, false).await;
    assert_eq!(records.url_history(mine, url).await.unwrap(), Some(first));
    assert_eq!(records.url_history(theirs, url).await.unwrap(), None);
    assert_eq!(records.url_history(mine, "https://example.com/a?b=ü").await.unwrap(), None, "the exact text");
    let second = fetched(&records, mine, url, false).await;
    assert_eq!(records.url_history(mine, url).await.unwrap(), Some(second), "the last one");
    let kept = fetched(&records, mine, "https://example.com/kept", true).await;

    let later = T0.plus(DAY);
    assert_eq!(records.expire_files(later, later, later, 10, &cause()).await.unwrap(), [first, second]);
    assert_eq!(records.url_history(mine, url).await.unwrap(), None, "it was removed");
    assert_eq!(case.count("url_history").await, 2);
    assert_eq!(records.purge_removed(later.plus(DAY), 10).await.unwrap(), 2);
    assert_eq!(case.count("url_history").await, 1, "what was purged is forgotten");
    assert_eq!(records.url_history(mine, "https://example.com/kept").await.unwrap(), Some(kept));

    // Without a task: delivery fetches for itself.
    let other = fetched(&records, mine, url, true).await;
    for file in [kept, other] {
        records.remember_url(mine, "https://example.com/delivered", file, later).await.unwrap();
        assert_eq!(records.url_history(mine, "https://example.com/delivered").await.unwrap(), Some(file));
        assert_eq!(records.url_history(theirs, "https://example.com/delivered").await.unwrap(), None);
    }
}

async fn ended_tasks_are_purged(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    let ended = start(&nodes[0], project).await;
    let claimed = claim(&nodes[0]).await;
    nodes[0].fail_url_task(&claimed, ended.token, "text", "Code", T0).await.unwrap();
    let waiting = start(&nodes[0], project).await;
    assert_eq!(nodes[0].purge_url_tasks(T0, 10).await.unwrap(), 0, "it ended at this very moment");
    let later = T0.plus(DAY);
    assert_eq!(nodes[0].purge_url_tasks(later, 0).await.unwrap(), 0);
    assert_eq!(nodes[0].purge_url_tasks(later, 10).await.unwrap(), 1);
    assert_eq!(nodes[0].url_task(ended.token).await.unwrap(), None);
    assert_eq!(nodes[1].hot_url_task(ended.token).await.unwrap(), None);
    assert_eq!(nodes[0].url_task(waiting.token).await.unwrap(), Some(UrlTask::Waiting), "however old it is");
}

on_both_engines!(
    a_task_goes_from_waiting_to_success,
    a_task_fails,
    a_taken_id_leaves_the_job_where_it_is,
    files_of_many_tasks_get_times_of_their_own,
    unknown_tokens_are_unknown,
    many_clients_poll_at_once,
    a_watched_task_never_goes_backwards,
    the_history_finds_files_that_are_still_there,
    ended_tasks_are_purged,
);
