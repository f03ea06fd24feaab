//! `/files/remote_copy/`: a copy of a file, or of what operations make of it, in a storage of the project's owner (vendor
//! document: S3 integration). The copy is written down, leased by its request, before it begins, so that a crash leaves it to the
//! workers.

use std::sync::Arc;

use serde_json::{Map, Value};
use stowage_copy::{CopyError, Ran};
use stowage_model::storage::{KeyPattern, Keyed, PatternError, Storage};
use stowage_model::{File, RestRefusal};
use stowage_store::records::{ClaimedCopy, CopyEnd, CopyRequest, CopyTask, RecordsError};
use stowage_views::rest::Sent;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::baked;
use super::call::{Call, Outcome};
use super::copy::{check_size, flag, original, source};
use crate::access::{self, request_id};
use crate::{State, errors};

/// The longest pattern in bytes: no key is longer.
const MAX_PATTERN: usize = 1024;

/// How much of a pattern that is too long is repeated, in characters.
const SHOWN: usize = 64;

/// After how many seconds a client may ask again where the storage did not answer.
const RETRY_AFTER: u64 = 10;

/// The longest error code of a storage that is repeated, in characters.
const MAX_CODE: usize = 100;

/// Copies a file to a storage, and waits for it.
pub(super) async fn send(call: &Call<'_>, object: &Map<String, Value>) -> Outcome {
    let named = source(object)?;
    let make_public = flag(object, "make_public")?.unwrap_or(true);
    let file = original(call, &named).await?;
    let processed = baked::processes(&call.project()?.settings, &named.operations)?;
    let storage = target(call, object).await?;
    let pattern = pattern(object)?;
    check_size(&file, processed, call.state.copies.options().allow_large)?;
    // What makes nothing new of a file is not seen in its key either.
    let operations = if processed { named.operations } else { String::new() };
    let pattern = pattern.as_ref().unwrap_or(&storage.settings.pattern);
    let key = key(pattern, &storage, &file, &operations)?;
    let result = format!("s3://{}/{key}", storage.settings.bucket.as_str());
    let request = CopyRequest { operations, key, make_public };
    let task = CopyTask { file: file.id, storage: storage.id, request: Some(request) };
    let (tell, told) = oneshot::channel();
    // A client that goes away does not break the copy off.
    access::spawn(carry(call.state.clone(), storage, task, tell));
    match told.await.map_err(|_| RestRefusal::Internal)?? {
        Told::Copied => call.created(&Sent::new(&result)),
        Told::Existed => call.json(&Sent::new(&result)),
    }
}

/// The storage that a request names.
async fn target(call: &Call<'_>, object: &Map<String, Value>) -> Result<Arc<Storage>, RestRefusal> {
    let Some(name) = object.get("target").and_then(Value::as_str) else { return Err(RestRefusal::StorageNotFound) };
    let project = call.project()?.id;
    let found = call.state.records.storage_named(project, name).await.map_err(errors::rest_of_records)?;
    found.ok_or(RestRefusal::StorageNotFound)
}

/// The pattern that a request names; clients send an empty one for none.
fn pattern(object: &Map<String, Value>) -> Result<Option<KeyPattern>, RestRefusal> {
    let text = match object.get("pattern") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => return Err(invalid(other.to_string())),
    };
    if text.len() > MAX_PATTERN {
        return Err(invalid(text));
    }
    KeyPattern::try_from(text).map(Some).map_err(|error| RestRefusal::PatternInvalid(error.to_string()))
}

/// What to tell of something that is no pattern, or makes no key of this file.
fn invalid(mut text: String) -> RestRefusal {
    if text.len() > MAX_PATTERN {
        text = text.chars().take(SHOWN).chain("...".chars()).collect();
    }
    RestRefusal::PatternInvalid(PatternError::Variable(text).to_string())
}

fn key(pattern: &KeyPattern, storage: &Storage, file: &File, operations: &str) -> Result<String, RestRefusal> {
    let of = Keyed { id: file.id, name: &file.name, operations };
    pattern.key(&storage.settings.prefix, of).map_err(|_| invalid(pattern.to_string()))
}

/// How a copy went that was not refused.
enum Told {
    /// It was made, or will be.
    Copied,
    /// There was an object with this key, and nothing was written.
    Existed,
}

/// Makes a copy and tells how it went, or, after the time that a client is kept waiting, that it will be made; then it goes on.
async fn carry(state: State, storage: Arc<Storage>, task: CopyTask, tell: oneshot::Sender<Result<Told, RestRefusal>>) {
    let (copies, now) = (&state.copies, state.clock.now());
    let until = now.plus(copies.options().lease);
    let mut claim = match state.records.begin_copy(&task, until, state.ids.lease(), now).await {
        Ok(claim) => claim,
        Err(failure) => {
            let _ = tell.send(Err(errors::rest_of_records(failure)));
            return;
        }
    };
    let mut running = Box::pin(copies.run(&mut claim));
    let in_time = tokio::time::timeout(copies.options().sync_timeout, &mut running).await;
    let (ran, tell) = if let Ok(ran) = in_time {
        (ran, Some(tell))
    } else {
        let _ = tell.send(Ok(Told::Copied));
        (running.as_mut().await, None)
    };
    drop(running);
    // Whoever has gone is told nothing: the copy is made all the same, like one that takes too long.
    let tell = tell.filter(|tell| !tell.is_closed());
    // What nobody hears of, and what owners of storages should know.
    if let Err(failure) = &ran
        && (tell.is_none()
            || matches!(failure, CopyError::Permanent { .. } | CopyError::Passing { .. } | CopyError::Ours { .. }))
    {
        warn!(request = request_id(), storage = %storage.name, error = %failure, "a copy failed");
    }
    let ended = match &ran {
        Err(CopyError::Lost) => Ok(()),
        // The client is told, and will ask again if it wants to.
        Err(_) if tell.is_some() => copies.give_up(&claim).await,
        _ => end(&state, &claim, copies.end_of(&claim, &ran)).await,
    };
    if let Err(failure) = ended {
        // A worker finds it when the lease is over, and that the object exists.
        error!(request = request_id(), error = %failure, "the end of a copy could not be recorded");
    }
    if let Some(tell) = tell {
        let _ = tell.send(outcome(ran, &storage));
    }
}

async fn end(state: &State, claim: &ClaimedCopy, end: CopyEnd) -> Result<(), RecordsError> {
    state.records.end_copies(&[(claim.id, claim.lease, end)], state.clock.now()).await
}

/// What to tell of how a copy went.
fn outcome(ran: Result<Ran, CopyError>, storage: &Storage) -> Result<Told, RestRefusal> {
    let name = || storage.name.to_string();
    match ran {
        Ok(Ran::Existed) => Ok(Told::Existed),
        // A lost lease: a worker makes it.
        Ok(Ran::Copied) | Err(CopyError::Lost) => Ok(Told::Copied),
        // Removed, and its bytes let go, since it was looked up.
        Ok(Ran::Dropped) | Err(CopyError::Gone) => Err(RestRefusal::NotFound),
        Err(CopyError::Permanent { code, .. }) => {
            let code = code.chars().filter(char::is_ascii_graphic).take(MAX_CODE).collect();
            Err(RestRefusal::StorageRefused { storage: name(), code })
        }
        Err(CopyError::Passing { .. }) => {
            Err(RestRefusal::StorageUnavailable { storage: name(), retry_after: RETRY_AFTER })
        }
        Err(CopyError::Ours { .. }) => Err(RestRefusal::Internal),
        Err(CopyError::Refused(refusal)) => Err(baked::of_delivery(refusal)),
    }
}
