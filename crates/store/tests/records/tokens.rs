//! What is counted and what signs: budgets of access tokens, usage of projects, secrets.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{Ids, Job, NewFile, Upload};
use stowage_store::records::Usage;
use tokio::task::JoinSet;

use crate::jobs::{claim, ended, start};
use crate::{Case, DAY, T0, cause, new_file, project};

async fn a_budget_holds_whoever_spends_it(case: Case) {
    let nodes = case.nodes(4).await;
    let mut spenders = JoinSet::new();
    for n in 0..16 {
        let node = nodes[n % 4].clone();
        spenders.spawn(async move { node.spend_token("key", 5, T0).await.unwrap() });
    }
    let granted = spenders.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 5);
    assert_eq!(nodes[0].token_uses("key").await.unwrap(), 5);
    assert_eq!(nodes[0].token_uses("other").await.unwrap(), 0);
    assert!(nodes[1].spend_token("other", 1, T0).await.unwrap());
    assert!(!nodes[2].spend_token("other", 1, T0).await.unwrap());
    assert!(!nodes[0].spend_token("third", 0, T0).await.unwrap());
    assert_eq!(nodes[0].token_uses("third").await.unwrap(), 0);
}

async fn a_refund_can_be_spent_again(case: Case) {
    let records = case.open().await;
    assert!(records.spend_token("key", 1, T0).await.unwrap());
    records.refund_token("key").await.unwrap();
    assert_eq!(records.token_uses("key").await.unwrap(), 0);
    records.refund_token("key").await.unwrap();
    records.refund_token("unknown").await.unwrap();
    assert_eq!(records.token_uses("key").await.unwrap(), 0, "there is no credit");
    assert!(records.spend_token("key", 1, T0).await.unwrap());
    assert!(!records.spend_token("key", 1, T0).await.unwrap());
    assert_eq!(case.open().await.token_uses("key").await.unwrap(), 1, "budgets survive a restart");
}

async fn expired_tokens_are_forgotten(case: Case) {
    let records = case.open().await;
    let second = Duration::from_secs(1);
    assert!(records.spend_token("old", 5, T0).await.unwrap());
    assert!(records.spend_token("young", 5, T0.plus(second)).await.unwrap());
    // Whoever shares a key shares the budget, for as long as the last of them lives.
    assert!(records.spend_token("shared", 5, T0.plus(second)).await.unwrap());
    assert!(records.spend_token("shared", 5, T0).await.unwrap());
    assert_eq!(records.purge_tokens(T0, 10).await.unwrap(), 0);
    let now = T0.plus(Duration::from_micros(1));
    assert_eq!(records.purge_tokens(now, 0).await.unwrap(), 0);
    assert_eq!(records.purge_tokens(now, 10).await.unwrap(), 1);
    let mut uses = Vec::new();
    for key in ["old", "young", "shared"] {
        uses.push(records.token_uses(key).await.unwrap());
    }
    assert_eq!(uses, [0, 1, 2]);
}

async fn usage_counts_files_that_are_not_removed(case: Case) {
    let nodes = case.nodes(2).await;
    let (records, other) = (&nodes[0], &nodes[1]);
    let (mine, theirs) = (project(records, "mine").await, project(records, "theirs").await);
    assert_eq!(records.usage(mine).await.unwrap(), Usage::default());
    // Every way of recording files is seen at once.
    records.add_files(mine, vec![new_file("a"), new_file("b")], cause()).await.unwrap();
    assert_eq!(records.usage(mine).await.unwrap(), Usage { files: 2, bytes: 10 });
    let id = Ids::random().file();
    let file = NewFile { id, size: 1 << 40, stored: true, ..new_file("c") };
    let upload = Upload {
        id,
        project: mine,
        started_at: T0,
        expires_at: T0.plus(DAY),
        size: file.size,
        part_size: file.size,
        blob: file.blob.clone(),
        blob_upload: None,
        completed: false,
        name: file.name.clone(),
        mime_type: file.mime_type.clone(),
        stored: true,
        metadata: file.metadata.clone(),
        tags: file.tags.clone(),
        source: None,
    };
    records.start_upload(&upload).await.unwrap();
    assert_eq!(records.usage(mine).await.unwrap(), Usage { files: 2, bytes: 10 });
    records.complete_upload(&upload, file, None, cause(), T0).await.unwrap();
    assert_eq!(records.usage(mine).await.unwrap(), Usage { files: 3, bytes: 10 + (1 << 40) });
    let task = start(records, mine).await;
    let claimed = claim(records).await;
    assert_eq!(claimed.job, Job::FromUrl(task.clone()));
    let file = NewFile { stored: true, ..new_file("d") };
    records.finish_url_task(&claimed, &ended(&task, mine, None), file, T0).await.unwrap();
    assert_eq!(records.usage(mine).await.unwrap(), Usage { files: 4, bytes: 15 + (1 << 40) });
    assert_eq!(records.usage(theirs).await.unwrap(), Usage::default());

    // By everybody, and so are removals.
    assert_eq!(other.usage(mine).await.unwrap(), Usage { files: 4, bytes: 15 + (1 << 40) });
    let later = T0.plus(DAY);
    assert_eq!(records.expire_files(later, later, later, 10, &cause()).await.unwrap().len(), 2);
    for node in &nodes {
        assert_eq!(node.usage(mine).await.unwrap(), Usage { files: 2, bytes: 5 + (1 << 40) });
    }
    other.add_files(theirs, vec![new_file("e")], cause()).await.unwrap();
    assert_eq!(records.usage(theirs).await.unwrap(), Usage { files: 1, bytes: 5 });
}

async fn a_secret_is_the_same_for_everybody(case: Case) {
    let nodes = case.nodes(4).await;
    let mut askers = JoinSet::new();
    for n in 0..8 {
        let node = nodes[n % 4].clone();
        askers.spawn(async move { node.secret("name", &format!("candidate {n}")).await.unwrap() });
    }
    let secrets: HashSet<String> = askers.join_all().await.into_iter().collect();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    let secret = secrets.into_iter().next().unwrap();
    assert!(secret.starts_with("candidate "));
    assert_eq!(case.open().await.secret("name", "late").await.unwrap(), secret);
    assert_eq!(nodes[0].secret("other", "own").await.unwrap(), "own");
}

on_both_engines!(
    a_budget_holds_whoever_spends_it,
    a_refund_can_be_spent_again,
    expired_tokens_are_forgotten,
    usage_counts_files_that_are_not_removed,
    a_secret_is_the_same_for_everybody,
);
