//! `/files/{uuid}/metadata/` and `/files/{uuid}/metadata/{key}/`: what uploaders attached to their files.

use std::sync::Arc;

use serde_json::Value;
use stowage_model::metadata::{check_key, check_value};
use stowage_model::{File, FileId, Refusal, RestRefusal};
use stowage_store::records::MetadataSet;

use super::call::{Answering, Call, Outcome, no_content};
use super::{Endpoint, since_07};
use crate::{access, errors};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/files/{uuid}/metadata/", methods: &[since_07("GET", all)] },
    Endpoint {
        path: "/files/{uuid}/metadata/{key}/",
        methods: &[since_07("GET", one), since_07("PUT", set), since_07("DELETE", remove)],
    },
];

/// Where the key stands in the path.
const KEY: usize = 3;

/// A file whose metadata can be asked for: one that is not removed.
pub(super) async fn present(call: &Call<'_>, id: FileId) -> Result<Arc<File>, RestRefusal> {
    let file = call.file(id).await?;
    if file.removed_at.is_some() { Err(RestRefusal::NotFound) } else { Ok(file) }
}

fn all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let file = present(call, call.file_id()?).await?;
        call.json(&file.metadata)
    })
}

fn one<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let file = present(call, call.file_id()?).await?;
        call.json(&file.metadata.get(&call.segment(KEY)).ok_or(RestRefusal::NotFound)?)
    })
}

fn set<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(put(call))
}

async fn put(call: &Call<'_>) -> Outcome {
    let (id, key) = (call.file_id()?, call.segment(KEY));
    let Value::String(value) = call.content()? else { return Err(RestRefusal::StringExpected) };
    check_key(&key)?;
    check_value(&key, value.as_bytes())?;
    let (project, cause, now) = (call.project()?.id, call.cause(), call.now());
    let (records, text) = (call.state.records.clone(), value.clone());
    // To its end even if the client goes away: what is remembered of the file must be forgotten.
    let setting = async move { records.set_metadata(project, id, &key, &text, &cause, now).await };
    let set = access::finish(setting).await.ok_or(RestRefusal::Internal)?.map_err(errors::rest_of_records)?;
    match set.ok_or(RestRefusal::NotFound)? {
        MetadataSet::Created => call.created(&value),
        MetadataSet::Changed | MetadataSet::Unchanged => call.json(&value),
        MetadataSet::TooMany => Err(Refusal::FileMetadataKeysNumberTooBig.into()),
    }
}

fn remove<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let (id, key) = (call.file_id()?, call.segment(KEY));
        let (project, cause, now) = (call.project()?.id, call.cause(), call.now());
        let records = call.state.records.clone();
        let removing = async move { records.remove_metadata(project, id, &key, &cause, now).await };
        let removed = access::finish(removing).await.ok_or(RestRefusal::Internal)?;
        match removed.map_err(errors::rest_of_records)? {
            Some(true) => Ok(no_content()),
            Some(false) | None => Err(RestRefusal::NotFound),
        }
    })
}
