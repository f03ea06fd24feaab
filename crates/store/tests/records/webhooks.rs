//! Webhooks: their limits, and who is told of what.

use std::time::Duration;

use stowage_model::webhook::MAX_WEBHOOKS;
use stowage_model::{EventKind, HookVersion, NewFile, ProjectId, Webhook, WebhookId};
use stowage_store::records::{
    DeliveryFilter, DeliveryState, NewWebhook, Records, Redelivery, WebhookChange, WebhookError,
};
use tokio::task::JoinSet;

use crate::{Case, T0, cause, new_file, project, spread};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn new_webhook(event: EventKind, target: &str) -> NewWebhook {
    NewWebhook {
        event,
        target_url: target.to_owned(),
        is_active: true,
        version: HookVersion::V07,
        signing_secret: Some("ssh \u{1F980}".to_owned()),
    }
}

pub(crate) async fn webhook(records: &Records, project: ProjectId, target: &str) -> Webhook {
    records.create_webhook(project, &new_webhook(EventKind::Uploaded, target), T0).await.unwrap()
}

/// What a project's webhooks were and are to be told: events, by webhook, oldest first.
async fn told(records: &Records, project: ProjectId) -> Vec<(WebhookId, String)> {
    spread(records).await;
    let filter = DeliveryFilter { project: Some(project), ..DeliveryFilter::default() };
    let deliveries = records.deliveries(&filter, 1000).await.unwrap();
    deliveries.into_iter().rev().map(|delivery| (delivery.webhook, delivery.event)).collect()
}

async fn upload(records: &Records, project: ProjectId) {
    records.add_files(project, vec![new_file("a")], cause()).await.unwrap();
}

async fn a_webhook_comes_back_as_it_was_made(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let new = NewWebhook {
        version: HookVersion::V06,
        is_active: false,
        ..new_webhook(EventKind::InfoUpdated, "http://a/ü?q=\"'")
    };
    let made = records.create_webhook(one, &new, T0).await.unwrap();
    let expected = Webhook {
        id: made.id,
        project: one,
        created_at: T0,
        updated_at: T0,
        event: new.event,
        target_url: new.target_url,
        is_active: false,
        version: HookVersion::V06,
        signing_secret: new.signing_secret,
    };
    assert_eq!(made, expected);
    assert_eq!(records.webhook(one, made.id).await.unwrap(), Some(expected));
    let later = NewWebhook { signing_secret: None, ..new_webhook(EventKind::Uploaded, "http://b/") };
    let later = records.create_webhook(one, &later, T0).await.unwrap();
    assert_eq!(later.signing_secret, None);
    assert_eq!(records.webhooks(one).await.unwrap(), [later.clone(), made.clone()], "newest first");
    // Others see nothing and change nothing of it.
    assert_eq!(records.webhooks(two).await.unwrap(), []);
    assert_eq!(records.webhook(two, made.id).await.unwrap(), None);
    let change = WebhookChange { is_active: Some(true), ..WebhookChange::default() };
    assert_eq!(records.update_webhook(two, made.id, &change, T0).await.unwrap(), None);
    assert!(!records.delete_webhook(two, made.id).await.unwrap());
    assert_eq!(records.unsubscribe(two, &made.target_url).await.unwrap(), 0);
    assert_eq!(records.webhooks(one).await.unwrap().len(), 2);
    // A number is never used twice.
    assert!(records.delete_webhook(one, later.id).await.unwrap());
    assert!(!records.delete_webhook(one, later.id).await.unwrap());
    assert!(webhook(&records, one, "http://b/").await.id > later.id);
}

async fn a_target_is_told_of_an_event_once(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let first = webhook(&records, one, "http://a/").await;
    let twice = records.create_webhook(one, &new_webhook(EventKind::Uploaded, "http://a/"), T0).await;
    assert!(matches!(twice, Err(WebhookError::Duplicate)), "{twice:?}");
    webhook(&records, two, "http://a/").await;
    let other = records.create_webhook(one, &new_webhook(EventKind::Deleted, "http://a/"), T0).await.unwrap();
    let change = WebhookChange { event: Some(EventKind::Uploaded), ..WebhookChange::default() };
    let twice = records.update_webhook(one, other.id, &change, T0).await;
    assert!(matches!(twice, Err(WebhookError::Duplicate)), "{twice:?}");
    assert_eq!(records.webhook(one, other.id).await.unwrap(), Some(other.clone()));
    // Both at once.
    let both =
        WebhookChange { event: Some(EventKind::Uploaded), target_url: Some("http://b/".into()), ..Default::default() };
    let changed = records.update_webhook(one, other.id, &both, T0.plus(SECOND)).await.unwrap().unwrap();
    assert_eq!((changed.event, changed.target_url.as_str()), (EventKind::Uploaded, "http://b/"));
    assert_eq!((changed.created_at, changed.updated_at), (T0, T0.plus(SECOND)));
    assert_eq!(changed.signing_secret, other.signing_secret, "what is not named stays");
    assert_eq!(records.webhook(one, other.id).await.unwrap(), Some(changed));
    let unsigned = WebhookChange { signing_secret: Some(None), ..WebhookChange::default() };
    let changed = records.update_webhook(one, first.id, &unsigned, T0).await.unwrap().unwrap();
    assert_eq!((changed.signing_secret, changed.target_url), (None, first.target_url));
}

async fn a_project_has_no_more_webhooks_than_it_may(case: Case) {
    let nodes = case.nodes(4).await;
    let (one, two) = (project(&nodes[0], "one").await, project(&nodes[0], "two").await);
    for n in 0..MAX_WEBHOOKS - 3 {
        webhook(&nodes[0], one, &format!("http://a/{n}")).await;
    }
    let mut makers = JoinSet::new();
    for n in 0..16 {
        let node = nodes[n % 4].clone();
        let new = new_webhook(EventKind::Uploaded, &format!("http://b/{n}"));
        makers.spawn(async move { node.create_webhook(one, &new, T0).await });
    }
    let outcomes = makers.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(WebhookError::TooMany))), "{outcomes:?}");
    assert_eq!(nodes[0].webhooks(one).await.unwrap().len(), MAX_WEBHOOKS);
    webhook(&nodes[0], two, "http://a/").await;
    let oldest = nodes[0].webhooks(one).await.unwrap().pop().unwrap();
    assert!(nodes[0].delete_webhook(one, oldest.id).await.unwrap());
    webhook(&nodes[0], one, "http://c/").await;
}

async fn changes_are_heeded_at_once(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    upload(&records, project).await;
    assert_eq!(told(&records, project).await, [], "nobody has asked");
    let uploaded = webhook(&records, project, "http://a/").await;
    let new = new_webhook(EventKind::Stored, "http://a/");
    let stored = records.create_webhook(project, &new, T0).await.unwrap();
    records.add_files(project, vec![new_file("a"), NewFile { stored: true, ..new_file("b") }], cause()).await.unwrap();
    let event = |webhook: &Webhook| (webhook.id, webhook.event.to_string());
    let mut expected = vec![event(&uploaded), event(&uploaded), event(&stored)];
    assert_eq!(told(&records, project).await, expected);
    let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    records.update_webhook(project, uploaded.id, &off, T0.plus(SECOND)).await.unwrap().unwrap();
    upload(&records, project).await;
    assert_eq!(told(&records, project).await, expected, "an inactive one is told nothing");
    let dropped = DeliveryFilter { state: Some(DeliveryState::Dropped), ..DeliveryFilter::default() };
    let log = records.deliveries(&dropped, 10).await.unwrap();
    assert_eq!(log.len(), 2, "what was pending is dropped");
    assert!(log.iter().all(|delivery| delivery.ended_at == Some(T0.plus(SECOND))));
    assert_eq!(records.redeliver(log[0].id, T0).await.unwrap(), Redelivery::Inactive);
    let on = WebhookChange { is_active: Some(true), ..WebhookChange::default() };
    records.update_webhook(project, uploaded.id, &on, T0).await.unwrap().unwrap();
    upload(&records, project).await;
    expected.push(event(&uploaded));
    assert_eq!(told(&records, project).await, expected);
    // Whoever is deleted takes the log along.
    assert_eq!(records.unsubscribe(project, "http://a/").await.unwrap(), 2);
    upload(&records, project).await;
    assert_eq!((told(&records, project).await, case.count("deliveries").await), (Vec::new(), 0));
}

async fn what_happened_is_told_to_those_who_were_there(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let there = webhook(&records, project, "http://a/").await;
    upload(&records, project).await;
    webhook(&records, project, "http://late/").await;
    let deleted = webhook(&records, project, "http://deleted/").await;
    upload(&records, project).await;
    records.delete_webhook(project, deleted.id).await.unwrap();
    let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    upload(&records, project).await;
    records.update_webhook(project, there.id, &off, T0).await.unwrap();
    upload(&records, project).await;
    let count = async |state| {
        spread(&records).await;
        let filter = DeliveryFilter { webhook: Some(there.id), state: Some(state), ..DeliveryFilter::default() };
        records.deliveries(&filter, 10).await.unwrap().len()
    };
    assert_eq!((count(DeliveryState::Dropped).await, count(DeliveryState::Pending).await), (3, 0));
    assert_eq!(told(&records, project).await.len(), 3 + 3, "the late one has missed the first");
    assert_eq!(case.count("events").await, 0);
}

async fn projects_take_turns_in_being_spread(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    webhook(&records, one, "http://a/").await;
    webhook(&records, two, "http://a/").await;
    for _ in 0..10 {
        upload(&records, one).await;
    }
    let files = (0..40).map(|_| new_file("a")).collect();
    records.add_files(two, files, cause()).await.unwrap();
    let mut after = ProjectId(0);
    let mut turns = Vec::new();
    while let Some(spread) = records.spread_events(after, 4).await.unwrap() {
        after = spread.project;
        turns.push((spread.project, spread.events));
    }
    // What was written together stays together, however little is asked for.
    assert_eq!(turns, [(one, 4), (two, 32), (one, 4), (two, 8), (one, 2)]);
    assert_eq!(told(&records, one).await.len() + told(&records, two).await.len(), 50);
}

async fn uploads_and_changes_of_webhooks_do_not_hinder_each_other(case: Case) {
    let nodes = case.nodes(3).await;
    let project = project(&nodes[0], "p").await;
    let targets = ["http://a/", "http://b/", "http://c/"];
    for target in targets {
        webhook(&nodes[0], project, target).await;
        let new = new_webhook(EventKind::Stored, target);
        nodes[0].create_webhook(project, &new, T0).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for node in nodes.clone() {
        tasks.spawn(async move {
            for _ in 0..40 {
                let file = NewFile { stored: true, ..new_file("a") };
                node.add_files(project, vec![file], cause()).await.unwrap();
            }
        });
    }
    let node = nodes[0].clone();
    tasks.spawn(async move {
        for n in 0..40 {
            for webhook in node.webhooks(project).await.unwrap() {
                let change = WebhookChange { is_active: Some(n % 2 == 0), ..WebhookChange::default() };
                node.update_webhook(project, webhook.id, &change, T0).await.unwrap();
            }
            let target = targets[n % 3];
            node.unsubscribe(project, target).await.unwrap();
            webhook(&node, project, target).await;
        }
    });
    tasks.join_all().await;
    for webhook in nodes[0].webhooks(project).await.unwrap() {
        let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
        nodes[0].update_webhook(project, webhook.id, &off, T0).await.unwrap();
    }
    let pending = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    spread(&nodes[0]).await;
    assert_eq!(case.count("events").await, 0);
    assert_eq!(nodes[0].deliveries(&pending, 1000).await.unwrap(), [], "nothing slipped through");
}

on_both_engines! {
    a_webhook_comes_back_as_it_was_made,
    a_target_is_told_of_an_event_once,
    a_project_has_no_more_webhooks_than_it_may,
    changes_are_heeded_at_once,
    what_happened_is_told_to_those_who_were_there,
    projects_take_turns_in_being_spread,
    uploads_and_changes_of_webhooks_do_not_hinder_each_other,
}
