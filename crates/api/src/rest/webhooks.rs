//! `/webhooks/`: who is told of what happens to files.

use serde_json::{Map, Value};
use stowage_fetch::UrlFault;
use stowage_model::webhook::{MAX_SECRET_CHARS, MAX_TARGET_CHARS};
use stowage_model::{EventKind, HookVersion, RestRefusal, Webhook, WebhookId};
use stowage_store::records::{NewWebhook, WebhookChange, WebhookError};
use stowage_views::rest::WebhookInfo;

use super::call::{Answering, Call, Outcome, no_content};
use super::{Endpoint, before_07, content, on};
use crate::errors;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/webhooks/", methods: &[on("GET", all), on("POST", create)] },
    Endpoint { path: "/webhooks/create/", methods: &[before_07("POST", create)] },
    Endpoint { path: "/webhooks/unsubscribe/", methods: &[on("DELETE", unsubscribe)] },
    Endpoint {
        path: "/webhooks/{id}/",
        methods: &[on("GET", one), on("PUT", update), before_07("POST", update), on("DELETE", delete)],
    },
];

type Object = Map<String, Value>;

fn all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let project = call.project()?.id;
        let webhooks = call.state.records.webhooks(project).await.map_err(errors::rest_of_records)?;
        let shown: Vec<_> = webhooks.iter().map(|webhook| WebhookInfo::new(call.version, webhook)).collect();
        call.json(&shown)
    })
}

/// The id in the path.
fn id(call: &Call<'_>) -> Result<WebhookId, RestRefusal> {
    let text = call.segment(1);
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(WebhookId).ok_or(RestRefusal::NotFound)
}

async fn look_up(call: &Call<'_>) -> Result<Webhook, RestRefusal> {
    let id = id(call)?;
    let project = call.project()?.id;
    let webhook = call.state.records.webhook(project, id).await.map_err(errors::rest_of_records)?;
    webhook.ok_or(RestRefusal::NotFound)
}

fn one<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { call.json(&WebhookInfo::new(call.version, &look_up(call).await?)) })
}

fn create<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(make(call))
}

async fn make(call: &Call<'_>) -> Outcome {
    let object = call.object()?;
    let target_url = target(&object)?.ok_or(RestRefusal::TargetUrlMissing)?;
    let event = match event(&object)? {
        Some(event) => event,
        // There was but one.
        None if call.version != HookVersion::V07 => EventKind::Uploaded,
        None => return Err(RestRefusal::EventRequired),
    };
    check_event(event, call.version)?;
    let is_active = is_active(&object)?.unwrap_or(true);
    let signing_secret = signing_secret(&object)?.flatten();
    let version = object.get("version").filter(|version| !version.is_null());
    if version.is_some_and(|version| version.as_str() != Some(call.version.as_str())) {
        return Err(RestRefusal::WebhookVersionInvalid);
    }
    let project = call.project()?.id;
    check_target(call, &target_url).await?;
    let new = NewWebhook { event, target_url, is_active, version: call.version, signing_secret };
    let webhook = call.state.records.create_webhook(project, &new, call.now()).await.map_err(refusal)?;
    call.created(&WebhookInfo::new(call.version, &webhook))
}

fn update<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(alter(call))
}

async fn alter(call: &Call<'_>) -> Outcome {
    let object = call.object()?;
    let change = WebhookChange {
        event: event(&object)?,
        target_url: target(&object)?,
        is_active: is_active(&object)?,
        signing_secret: signing_secret(&object)?,
    };
    if object.contains_key("version") {
        return Err(RestRefusal::WebhookVersionInvalid);
    }
    let webhook = look_up(call).await?;
    if let Some(event) = change.event {
        check_event(event, webhook.version)?;
    }
    if let Some(url) = &change.target_url {
        check_target(call, url).await?;
    }
    let project = call.project()?.id;
    let changed = call.state.records.update_webhook(project, webhook.id, &change, call.now()).await;
    let webhook = changed.map_err(refusal)?.ok_or(RestRefusal::NotFound)?;
    call.json(&WebhookInfo::new(call.version, &webhook))
}

fn delete<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let id = id(call)?;
        let project = call.project()?.id;
        let deleted = call.state.records.delete_webhook(project, id).await.map_err(errors::rest_of_records)?;
        if deleted { Ok(no_content()) } else { Err(RestRefusal::NotFound) }
    })
}

fn unsubscribe<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let object = call.object()?;
        let target = object.get("target_url").and_then(Value::as_str).filter(|url| !url.is_empty());
        let target = target.ok_or(RestRefusal::TargetUrlMissing)?;
        let project = call.project()?.id;
        call.state.records.unsubscribe(project, target).await.map_err(errors::rest_of_records)?;
        Ok(no_content())
    })
}

/// A member of the body; null counts as missing.
fn given<'o>(object: &'o Object, name: &str) -> Option<&'o Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn target(object: &Object) -> Result<Option<String>, RestRefusal> {
    let Some(value) = given(object, "target_url") else { return Ok(None) };
    let url = value.as_str().ok_or(RestRefusal::TargetUrlInvalid)?;
    if url.is_empty() {
        return Err(RestRefusal::TargetUrlMissing);
    }
    // A parser of URLs would pass over these.
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(RestRefusal::TargetUrlInvalid);
    }
    if url.chars().count() > MAX_TARGET_CHARS {
        return Err(RestRefusal::TargetUrlTooLong);
    }
    Ok(Some(url.to_owned()))
}

/// The longest name of an event that is repeated in a refusal, in characters.
const SHOWN: usize = 100;

fn event(object: &Object) -> Result<Option<EventKind>, RestRefusal> {
    let Some(value) = given(object, "event") else { return Ok(None) };
    let unknown = |text: &str| RestRefusal::EventUnknown(text.chars().take(SHOWN).collect());
    match value.as_str() {
        Some(text) => text.parse().map(Some).map_err(|_| unknown(text)),
        None => Err(unknown(&value.to_string())),
    }
}

/// Refuses events that a version does not have.
fn check_event(event: EventKind, version: HookVersion) -> Result<(), RestRefusal> {
    if event == EventKind::Uploaded || version == HookVersion::V07 {
        return Ok(());
    }
    Err(RestRefusal::EventUnknown(event.to_string()))
}

fn is_active(object: &Object) -> Result<Option<bool>, RestRefusal> {
    let Some(value) = given(object, "is_active") else { return Ok(None) };
    content::boolean(value).map(Some).ok_or(RestRefusal::ActiveInvalid)
}

/// The signing secret, if the body has one; null and an empty one take it away.
#[expect(clippy::option_option, reason = "what is to become of it, as the records take it")]
fn signing_secret(object: &Object) -> Result<Option<Option<String>>, RestRefusal> {
    match object.get("signing_secret") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(secret)) if secret.chars().count() > MAX_SECRET_CHARS => {
            Err(RestRefusal::SigningSecretTooLong)
        }
        Some(Value::String(secret)) => Ok(Some(Some(secret.clone()).filter(|secret| !secret.is_empty()))),
        Some(_) => Err(RestRefusal::SigningSecretInvalid),
    }
}

/// Refuses targets that may not be called. One that does not resolve at the moment may later; it is looked at again whenever
/// it is called.
async fn check_target(call: &Call<'_>, url: &str) -> Result<(), RestRefusal> {
    if (call.state.is_internal_target)(url) {
        return Ok(());
    }
    match call.state.outbound.check(url).await {
        Ok(_) | Err(UrlFault::HostNotFound) => Ok(()),
        Err(UrlFault::PrivateIp) => Err(RestRefusal::TargetUrlPrivate),
        Err(_) => Err(RestRefusal::TargetUrlInvalid),
    }
}

fn refusal(failure: WebhookError) -> RestRefusal {
    match failure {
        WebhookError::Duplicate => RestRefusal::WebhookDuplicated,
        WebhookError::TooMany => RestRefusal::WebhooksTooMany,
        WebhookError::Records(failure) => errors::rest_of_records(failure),
    }
}
