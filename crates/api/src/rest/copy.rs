//! `/files/local_copy/`: copies within the project. Versions before 0.7 have them, and those to storages, under `/files/`.

use std::sync::Arc;

use http::{HeaderValue, header};
use serde_json::{Map, Value};
use stowage_model::metadata::{check_key, check_value};
use stowage_model::{File, FileRef, Metadata, RestRefusal, RestVersion};
use stowage_views::rest::{Copied, FileInfo, FileUrl};

use super::call::{Answering, Call, Note, Outcome};
use super::{Endpoint, baked, content, on, remote_copy};
use crate::{access, errors, upload};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/files/local_copy/", methods: &[on("POST", local)] },
    Endpoint { path: "/files/remote_copy/", methods: &[on("POST", remote)] },
];

/// The largest file that is copied, in bytes: what S3 copies at once.
const MOST: u64 = 5 << 30;

/// The largest file that is copied with operations, in bytes.
const MOST_PROCESSED: u64 = 100_000_000;

type Object = Map<String, Value>;

fn local<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { copy(call, &call.object()?).await })
}

fn remote<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { remote_copy::send(call, &call.object()?).await })
}

/// The form of the versions before 0.7: who names a target wants a copy there.
pub(super) fn local_or_remote<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let object = call.object()?;
        if object.get("target").is_some_and(|target| !target.is_null()) {
            remote_copy::send(call, &object).await
        } else {
            copy(call, &object).await
        }
    })
}

/// The file that a request names.
pub(super) fn source(object: &Object) -> Result<FileRef, RestRefusal> {
    let text = match object.get("source") {
        None | Some(Value::Null) => return Err(RestRefusal::SourceRequired),
        Some(Value::String(text)) if text.is_empty() => return Err(RestRefusal::SourceRequired),
        Some(Value::String(text)) => text,
        Some(_) => return Err(RestRefusal::SourceInvalid),
    };
    text.trim().parse().map_err(|_| RestRefusal::SourceInvalid)
}

/// A parameter that is true or false.
pub(super) fn flag(object: &Object, name: &'static str) -> Result<Option<bool>, RestRefusal> {
    let given = object.get(name).filter(|value| !value.is_null());
    given.map(|value| content::boolean(value).ok_or(RestRefusal::BooleanExpected(name))).transpose()
}

/// The metadata that a copy is to have over that of its source.
fn metadata(call: &Call<'_>, object: &Object) -> Result<Vec<(String, String)>, RestRefusal> {
    let refusal = RestRefusal::TextsByKeyExpected("metadata");
    match object.get("metadata").filter(|_| call.version == RestVersion::V07) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(pairs)) => pairs
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or(refusal),
        Some(_) => Err(refusal),
    }
}

/// The file to be copied, if the project has it and it was not removed.
pub(super) async fn original(call: &Call<'_>, named: &FileRef) -> Result<Arc<File>, RestRefusal> {
    let project = call.project()?.id;
    let file = call.state.records.file(named.id).await.map_err(errors::rest_of_records)?;
    file.filter(|file| file.project == project && file.removed_at.is_none()).map(Arc::new).ok_or(RestRefusal::NotFound)
}

/// Refuses files that are larger than what is copied, with operations or as they are; the latter only where `large` ones are not
/// allowed.
pub(super) fn check_size(file: &File, processed: bool, large: bool) -> Result<(), RestRefusal> {
    let most = match (processed, large) {
        (true, _) => MOST_PROCESSED,
        (false, true) => u64::MAX,
        (false, false) => MOST,
    };
    if file.size > most { Err(RestRefusal::CopyTooLarge) } else { Ok(()) }
}

async fn copy(call: &Call<'_>, object: &Object) -> Outcome {
    let named = source(object)?;
    let stored = flag(object, "store")?.unwrap_or(false);
    let laid_over = metadata(call, object)?;
    let file = original(call, &named).await?;
    let project = call.project()?;
    check_size(&file, baked::processes(&project.settings, &named.operations)?, false)?;
    upload::has_room(call.state, project).await?;
    let (metadata, dropped) = merged(&file.metadata, &laid_over);
    let baked = baked::bake(call.state, project, &file, &named.operations).await?;
    let (state, project, cause) = (call.state.clone(), project.clone(), call.cause());
    // A client that goes away meanwhile must not leave a blob that nobody knows.
    let copying = async move {
        if let Some(variant) = baked {
            return baked::keep(&state, &project, &file, variant, stored, metadata, cause).await;
        }
        state.intake.copy(&project, &file, stored, metadata, cause).await.map_err(errors::rest_of_intake)
    };
    let copy = access::finish(copying).await.ok_or(RestRefusal::Internal)??;
    let urls = call.urls();
    let mut response = call.created(&Copied::new(FileInfo::new(call.version, &copy, &urls).copied_from(named.id)))?;
    if let Ok(location) = HeaderValue::from_str(&FileUrl { id: copy.id, urls: &urls }.to_string()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if dropped {
        response.extensions_mut().insert(Note("Some metadata keys were dropped"));
    }
    Ok(response)
}

/// The metadata of a copy, and whether some of what was asked for is not in it: a copy is worth more than its metadata.
fn merged(source: &Metadata, laid_over: &[(String, String)]) -> (Metadata, bool) {
    let mut metadata = source.clone();
    let mut dropped = false;
    for (key, value) in laid_over {
        let good = check_key(key).is_ok() && check_value(key, value.as_bytes()).is_ok();
        match metadata.with(key, value).filter(|_| good) {
            Some(more) => metadata = more,
            None => dropped = true,
        }
    }
    (metadata, dropped)
}
