//! Deliveries: claims, leases, attempts, the log.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{Event, EventKind, Ids, ProjectId, Timestamp, WebhookId};
use stowage_store::records::{
    Attempt, Attempted, ClaimedDelivery, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Next, Records,
    Redelivery, Sent, WebhookChange,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::webhooks::{new_webhook, webhook};
use crate::{Case, DAY, T0, cause, is_pending, new_file, project, spread};

const LEASE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const NOBODY: WebhookId = WebhookId(0);

async fn upload(records: &Records, project: ProjectId, count: usize) {
    for _ in 0..count {
        records.add_files(project, vec![new_file("a")], cause()).await.unwrap();
    }
    spread(records).await;
}

async fn claim(records: &Records, webhook: WebhookId, limit: u32, now: Timestamp) -> Vec<ClaimedDelivery> {
    records.claim_deliveries(&[(webhook, limit)], now, LEASE, Ids::random().uuid()).await.unwrap()
}

async fn due(records: &Records, now: Timestamp) -> Vec<WebhookId> {
    records.due_webhooks(now, NOBODY, 100).await.unwrap().into_iter().map(|webhook| webhook.id).collect()
}

async fn log(records: &Records, filter: DeliveryFilter) -> Vec<Delivery> {
    records.deliveries(&filter, 1000).await.unwrap()
}

async fn the_only(records: &Records) -> Delivery {
    let mut log = log(records, DeliveryFilter::default()).await;
    assert_eq!(log.len(), 1);
    log.remove(0)
}

fn attempted(claim: &ClaimedDelivery, next: Next) -> Attempted {
    let sent = Some(Sent { body: "{\"ü\":\"\\u0000 \\\"\"}".to_owned(), signature: Some("v1=00".to_owned()) });
    let attempt = Attempt { at: T0, status: Some(500), error: Some("the \"server\" \u{1F980}".into()), ms: 7 };
    Attempted { id: claim.id, lease: claim.lease, sent, attempt, next }
}

async fn what_happened_is_claimed_once(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (one, two) =
        (webhook(&records, project, "http://a/").await.id, webhook(&records, project, "http://b/").await.id);
    assert_eq!(due(&records, T0).await, []);
    upload(&records, project, 3).await;
    let before = Timestamp(T0.0 - 1);
    assert_eq!((due(&records, before).await, due(&records, T0).await), (vec![], vec![one, two]));
    assert_eq!(claim(&records, one, 9, before).await, [], "not due yet");
    let page = |after, limit| {
        let records = &records;
        async move { records.due_webhooks(T0, after, limit).await.unwrap().into_iter().map(|w| w.id).collect::<Vec<_>>() }
    };
    assert_eq!((page(NOBODY, 1).await, page(one, 1).await, page(two, 1).await), (vec![one], vec![two], vec![]));
    assert_eq!(claim(&records, one, 0, T0).await, []);
    let holder = Ids::random().uuid();
    let claims = records.claim_deliveries(&[(one, 2), (two, 1), (WebhookId(99), 5)], T0, LEASE, holder).await.unwrap();
    let of = |webhook| claims.iter().filter(|claim| claim.webhook == webhook).count();
    assert_eq!((claims.len(), of(one), of(two)), (3, 2, 1));
    for claim in &claims {
        assert_eq!((claim.created_at, claim.attempts, &claim.sent, claim.lease), (T0, 0, &None, holder));
        let event: Event = serde_json::from_str(&claim.facts).unwrap();
        assert_eq!((event.kind, event.cause), (EventKind::Uploaded, cause()));
        assert_eq!(records.file(event.file.id).await.unwrap(), Some(event.file));
    }
    assert_eq!(claim(&records, one, 9, T0).await.len(), 1, "the others are leased");
    assert_eq!(due(&records, T0).await, [two]);
    let over = T0.plus(LEASE);
    assert_eq!(claim(&records, one, 9, over).await.len(), 3, "leases have ended");
    // Those due first come first.
    upload(&records, project, 1).await;
    let last = claim(&records, two, 1, over).await;
    assert!(last[0].id < claim(&records, two, 9, over).await.iter().map(|claim| claim.id).max().unwrap());
}

async fn many_nodes_claim_each_delivery_once(case: Case) {
    let nodes = case.nodes(4).await;
    let project = project(&nodes[0], "p").await;
    let hooks = [webhook(&nodes[0], project, "http://a/").await.id, webhook(&nodes[0], project, "http://b/").await.id];
    upload(&nodes[0], project, 100).await;
    let mut workers = JoinSet::new();
    for n in 0..8 {
        let node = nodes[n % 4].clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            let mut found_nothing = 0;
            // A worker may find nothing while others hold the last rows.
            while found_nothing < 3 {
                let wanted = [(hooks[n % 2], 7), (hooks[(n + 1) % 2], 3)];
                let claims = node.claim_deliveries(&wanted, T0, LEASE, Ids::random().uuid()).await.unwrap();
                found_nothing = if claims.is_empty() { found_nothing + 1 } else { 0 };
                let done: Vec<Attempted> = claims.iter().map(|claim| attempted(claim, Next::Delivered)).collect();
                node.record_attempts(&done, T0).await.unwrap();
                mine.extend(claims);
            }
            mine
        });
    }
    let all: Vec<ClaimedDelivery> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().map(|claim| claim.id).collect::<HashSet<_>>().len(), 200);
    let log = log(&nodes[0], DeliveryFilter::default()).await;
    assert!(log.iter().all(|delivery| delivery.state == DeliveryState::Delivered && delivery.attempts.len() == 1));
}

async fn attempts_are_kept_in_order_with_what_was_sent_first(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let hook = webhook(&records, project, "http://a/?\"").await.id;
    upload(&records, project, 1).await;
    let pending = the_only(&records).await;
    assert_eq!((pending.state, pending.body, pending.attempts.len()), (DeliveryState::Pending, None, 0));
    let first = claim(&records, hook, 1, T0).await.remove(0);
    let failed = attempted(&first, Next::Retry(T0.plus(SECOND)));
    records.record_attempts(std::slice::from_ref(&failed), T0).await.unwrap();
    assert_eq!(claim(&records, hook, 1, T0).await, [], "not before its time");
    let second = claim(&records, hook, 1, T0.plus(SECOND)).await.remove(0);
    assert_eq!((second.attempts, &second.sent), (1, &failed.sent));
    // Whatever is said now, what was sent first stays.
    let other = Some(Sent { body: "other".into(), signature: None });
    let done = Attempt { at: T0.plus(SECOND), status: Some(204), error: None, ms: 0 };
    let end = Attempted { sent: other, attempt: done.clone(), ..attempted(&second, Next::Delivered) };
    records.record_attempts(&[end], T0.plus(DAY)).await.unwrap();
    let delivered = the_only(&records).await;
    assert_eq!(delivered.attempts, [failed.attempt, done]);
    let sent = failed.sent.unwrap();
    assert_eq!((delivered.body, delivered.signature), (Some(sent.body), sent.signature));
    assert_eq!((delivered.state, delivered.ended_at), (DeliveryState::Delivered, Some(T0.plus(DAY))));
    assert_eq!((delivered.event.as_str(), delivered.target_url.as_str()), ("file.uploaded", "http://a/?\""));
    assert!(records.file(delivered.file.unwrap()).await.unwrap().is_some());
    assert_eq!(claim(&records, hook, 1, T0.plus(DAY)).await, []);
    assert_eq!(due(&records, T0.plus(DAY)).await, []);
}

async fn an_unsigned_body_stays_unsigned(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let hook = webhook(&records, project, "http://a/").await.id;
    upload(&records, project, 1).await;
    for (signature, attempts) in [(None, 0), (Some("v1=11".to_owned()), 1)] {
        let claimed = claim(&records, hook, 1, T0).await.remove(0);
        assert_eq!(claimed.attempts, attempts);
        let sent = Some(Sent { body: "{}".into(), signature });
        let again = Attempted { sent, ..attempted(&claimed, Next::Retry(T0)) };
        records.record_attempts(&[again], T0).await.unwrap();
    }
    assert_eq!(the_only(&records).await.signature, None);
}

async fn only_the_holder_ends_a_delivery(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let hook = webhook(&records, project, "http://a/").await.id;
    upload(&records, project, 2).await;
    let late = claim(&records, hook, 1, T0).await.remove(0);
    let over = T0.plus(LEASE);
    let taken: Vec<ClaimedDelivery> = claim(&records, hook, 2, over).await;
    let taken_over = taken.iter().find(|claim| claim.id == late.id).unwrap();
    let other = taken.iter().find(|claim| claim.id != late.id).unwrap();
    let ends = [attempted(&late, Next::Failed), attempted(other, Next::Delivered)];
    records.record_attempts(&ends, over).await.unwrap();
    records.release_deliveries(&[(late.id, late.lease)], T0).await.unwrap();
    let filter = |state| DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    let pending = log(&records, filter(DeliveryState::Pending)).await;
    assert_eq!(pending.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [late.id]);
    assert_eq!((pending[0].attempts.len(), pending[0].due_at), (0, over.plus(LEASE)));
    assert_eq!(log(&records, filter(DeliveryState::Delivered)).await[0].id, other.id);
    // Given back, it is due at once and was not tried.
    records.release_deliveries(&[(taken_over.id, taken_over.lease)], over).await.unwrap();
    let again = claim(&records, hook, 2, over).await;
    assert_eq!((again.len(), again[0].id, again[0].attempts), (1, late.id, 0));
    // What was dropped meanwhile stays dropped.
    let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    records.update_webhook(project, hook, &off, over).await.unwrap();
    records.record_attempts(&[attempted(&again[0], Next::Retry(over))], over).await.unwrap();
    assert_eq!(log(&records, filter(DeliveryState::Dropped)).await[0].id, late.id);
    assert_eq!(due(&records, over.plus(DAY)).await, []);
    records.record_attempts(&[], over).await.unwrap();
    records.release_deliveries(&[], over).await.unwrap();
}

async fn the_log_is_filtered_and_newest_first(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let hook = webhook(&records, one, "http://a/").await.id;
    let stored = records.create_webhook(one, &new_webhook(EventKind::Stored, "http://a/"), T0).await.unwrap().id;
    let foreign = webhook(&records, two, "http://a/").await.id;
    upload(&records, one, 2).await;
    upload(&records, two, 1).await;
    let hooks = async |filter, limit| {
        let log = records.deliveries(&filter, limit).await.unwrap();
        assert!(log.is_sorted_by(|a, b| a.id > b.id));
        log.into_iter().map(|delivery| delivery.webhook).collect::<Vec<_>>()
    };
    let all = DeliveryFilter::default();
    assert_eq!(hooks(all, 10).await, [foreign, hook, hook]);
    assert_eq!(hooks(all, 1).await, [foreign]);
    assert_eq!(hooks(DeliveryFilter { project: Some(one), ..all }, 10).await, [hook, hook]);
    assert_eq!(hooks(DeliveryFilter { webhook: Some(stored), ..all }, 10).await, []);
    assert_eq!(hooks(DeliveryFilter { webhook: Some(foreign), ..all }, 10).await, [foreign]);
    assert_eq!(hooks(DeliveryFilter { project: Some(one), webhook: Some(foreign), ..all }, 10).await, []);
    let claimed = claim(&records, hook, 1, T0).await.remove(0);
    records.record_attempts(&[attempted(&claimed, Next::Failed)], T0).await.unwrap();
    let failed = DeliveryFilter { project: Some(one), state: Some(DeliveryState::Failed), ..all };
    assert_eq!((hooks(failed, 10).await.len(), log(&records, failed).await[0].id), (1, claimed.id));
}

async fn what_has_ended_can_be_delivered_once_more(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let hook = webhook(&records, project, "http://a/").await.id;
    upload(&records, project, 1).await;
    let first = claim(&records, hook, 1, T0).await.remove(0);
    assert_eq!(records.redeliver(first.id, T0).await.unwrap(), Redelivery::UnderWay);
    let failed = attempted(&first, Next::Failed);
    records.record_attempts(std::slice::from_ref(&failed), T0).await.unwrap();
    let later = T0.plus(DAY);
    records.delivery_arrived().await;
    let mut arrived = Box::pin(records.delivery_arrived());
    assert!(is_pending(&mut arrived).await, "the upload has been told already");
    assert_eq!(records.redeliver(first.id, later).await.unwrap(), Redelivery::Due);
    arrived.await;
    let again = claim(&records, hook, 1, later).await.remove(0);
    assert_eq!((again.attempts, again.sent, again.created_at), (1, failed.sent, T0));
    assert_eq!(records.redeliver(DeliveryId(99), later).await.unwrap(), Redelivery::Unknown);
    // A lease that has ended binds nobody.
    assert_eq!(records.redeliver(first.id, later.plus(LEASE)).await.unwrap(), Redelivery::Due);
}

async fn old_ends_are_purged(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let hook = webhook(&records, project, "http://a/").await.id;
    upload(&records, project, 4).await;
    let claims = claim(&records, hook, 3, T0).await;
    for (n, claim) in claims.iter().enumerate() {
        let at = T0.plus(SECOND * u32::try_from(n).unwrap());
        records.record_attempts(&[attempted(claim, Next::Delivered)], at).await.unwrap();
    }
    assert_eq!(records.purge_deliveries(T0, 10).await.unwrap(), 0);
    assert_eq!(records.purge_deliveries(T0.plus(DAY), 1).await.unwrap(), 1);
    assert_eq!(records.purge_deliveries(T0.plus(SECOND * 2), 10).await.unwrap(), 1);
    let left = log(&records, DeliveryFilter::default()).await;
    assert_eq!(left.iter().map(|delivery| delivery.state).collect::<HashSet<_>>().len(), 2, "{left:?}");
    assert_eq!(records.purge_deliveries(T0.plus(DAY), 10).await.unwrap(), 1);
    assert_eq!(the_only(&records).await.state, DeliveryState::Pending, "what is pending is never old");
    assert_eq!(records.redeliver(claims[0].id, T0).await.unwrap(), Redelivery::Unknown);
    assert!(claims.iter().all(|claim| claim.lease != Uuid::nil()));
}

on_both_engines! {
    what_happened_is_claimed_once,
    many_nodes_claim_each_delivery_once,
    attempts_are_kept_in_order_with_what_was_sent_first,
    an_unsigned_body_stays_unsigned,
    only_the_holder_ends_a_delivery,
    the_log_is_filtered_and_newest_first,
    what_has_ended_can_be_delivered_once_more,
    old_ends_are_purged,
}
