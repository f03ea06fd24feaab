//! Telling a webhook what has happened (REST API reference, "Webhooks").

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stowage_fetch::{FetchError, UrlFault};
use stowage_model::{Event, PublicKey, Timestamp, Webhook};
use stowage_store::records::{Attempt, Attempted, ClaimedDelivery, Next, Sent};
use stowage_views::events;
use tokio::time::Instant;

use crate::{PostAsked, PostOrder, Tools, WebhookOptions};

/// Why a webhook was not told.
enum Failure {
    /// The target answered with another status than 2xx.
    Status(u16),
    /// There was no answer.
    Fetch(FetchError),
    /// The target is no URL that may be asked.
    Target(UrlFault),
    /// Somebody wants it to fail.
    Told(String),
    /// The record of what has happened cannot be read, and never will be.
    Facts,
}

/// Tries a delivery once, and says how it went and what comes next; none where somebody holds it. `key` is the public key of the
/// webhook's project.
pub(crate) async fn attempt(
    tools: &Tools,
    options: &WebhookOptions,
    webhook: &Webhook,
    key: &PublicKey,
    claim: ClaimedDelivery,
) -> Option<Attempted> {
    let (at, began) = (tools.clock.now(), Instant::now());
    let mut claim = claim;
    let sent = claim.sent.take().or_else(|| build(&claim.facts, webhook, key));
    let order = match &tools.meddler {
        Some(meddler) => meddler.post(&PostAsked { key, webhook, claim: &claim, sent: sent.as_ref() }).await,
        None => PostOrder::Post,
    };
    let outcome = match (order, &sent) {
        (PostOrder::Hold, _) => return None,
        (_, None) => Err(Failure::Facts),
        (PostOrder::Post, Some(sent)) => tell(tools, webhook, sent, options.timeout).await,
        (PostOrder::Answer(status), _) => answered(status),
        (PostOrder::Fail(reason), _) => Err(Failure::Told(reason)),
    };
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, error, next) = match outcome {
        Ok(status) => (Some(status), None, Next::Delivered),
        Err(Failure::Facts) => (None, Some("what has happened cannot be read".to_owned()), Next::Failed),
        Err(failure) => {
            let status = if let Failure::Status(status) = failure { Some(status) } else { None };
            let next = after_failure(options, claim.attempts + 1, claim.created_at, tools.clock.now());
            (status, text(&failure, options.timeout), next)
        }
    };
    let attempt = Attempt { at, status, error, ms };
    Some(Attempted { id: claim.id, lease: claim.lease, sent, attempt, next })
}

/// What is sent at the first attempt, and at all others.
fn build(facts: &str, webhook: &Webhook, key: &PublicKey) -> Option<Sent> {
    let event: Event = serde_json::from_str(facts).ok()?;
    let body = events::body(&event, webhook, key).ok()?;
    let secret = webhook.signing_secret.as_deref().filter(|secret| !secret.is_empty());
    let signature = secret.map(|secret| events::signature(secret, &body));
    Some(Sent { body, signature })
}

async fn tell(tools: &Tools, webhook: &Webhook, sent: &Sent, timeout: Duration) -> Result<u16, Failure> {
    let url = stowage_fetch::parse(&webhook.target_url).map_err(Failure::Target)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let signature = sent.signature.as_deref().and_then(|signature| HeaderValue::from_str(signature).ok());
    if let Some(signature) = signature {
        headers.insert(HeaderName::from_static(events::SIGNATURE), signature);
    }
    let answered = tools.outbound.post(&url, &headers, sent.body.clone(), timeout).await;
    let status = answered.map_err(|failure| match failure {
        FetchError::Url(fault) => Failure::Target(fault),
        failure => Failure::Fetch(failure),
    })?;
    self::answered(status.as_u16())
}

fn answered(status: u16) -> Result<u16, Failure> {
    if (200..300).contains(&status) { Ok(status) } else { Err(Failure::Status(status)) }
}

/// The words of the log, where a status does not say everything.
fn text(failure: &Failure, timeout: Duration) -> Option<String> {
    match failure {
        Failure::Status(300..400) => Some("redirects are not followed".to_owned()),
        Failure::Status(_) | Failure::Facts => None,
        Failure::Told(reason) => Some(reason.clone()),
        Failure::Fetch(FetchError::Timeout(_)) => Some(format!("no answer within {timeout:?}")),
        Failure::Fetch(failure) => Some(failure.to_string()),
        Failure::Target(UrlFault::PrivateIp) => {
            Some("the target is not public; the setting fetch.allow can allow it".to_owned())
        }
        Failure::Target(UrlFault::Blacklisted) => {
            Some("the target is listed in the setting fetch.deny_hosts".to_owned())
        }
        Failure::Target(fault) => Some(format!("the target cannot be reached: {fault}")),
    }
}

/// What comes after `attempts` attempts, the last of which has just failed.
fn after_failure(options: &WebhookOptions, attempts: u32, created_at: Timestamp, now: Timestamp) -> Next {
    let place = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
    match options.schedule.get(place).or(options.schedule.last()) {
        Some(pause) if now.plus(*pause) <= created_at.plus(options.give_up_after) => Next::Retry(now.plus(*pause)),
        _ => Next::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_is_given_up() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let mut options = WebhookOptions {
            schedule: vec![minutes(1), minutes(2)],
            give_up_after: minutes(60),
            timeout: minutes(1),
            concurrency: 1,
            per_second: 0,
        };
        let created = Timestamp(0);
        let now = |count| created.plus(minutes(count));
        let next = |attempts, minute| after_failure(&options, attempts, created, now(minute));
        assert_eq!(next(1, 0), Next::Retry(now(1)));
        assert_eq!(next(2, 1), Next::Retry(now(3)));
        assert_eq!(next(9, 20), Next::Retry(now(22)), "the last pause is repeated");
        assert_eq!(next(30, 58), Next::Retry(now(60)));
        assert_eq!(next(31, 59), Next::Failed);
        options.schedule.clear();
        assert_eq!(
            after_failure(&options, 1, created, created),
            Next::Failed,
            "without a schedule there is one attempt"
        );
    }

    #[test]
    fn refused_targets_are_told_what_to_set() {
        let patience = Duration::from_millis(1500);
        let said = |fault| text(&Failure::Target(fault), patience).unwrap();
        assert!(said(UrlFault::PrivateIp).contains("fetch.allow"));
        assert!(said(UrlFault::Blacklisted).contains("fetch.deny_hosts"));
        assert_eq!(said(UrlFault::SchemeInvalid), "the target cannot be reached: its scheme is neither http nor https");
        let text = |failure| text(&failure, patience);
        assert_eq!(text(Failure::Fetch(FetchError::Timeout(1))).unwrap(), "no answer within 1.5s");
        assert_eq!(text(Failure::Fetch(FetchError::Network("connection refused"))).unwrap(), "connection refused");
        assert_eq!((text(Failure::Status(500)), text(Failure::Status(302)).is_some()), (None, true));
    }
}
