//! `/files/{uuid}/storage/` and `/files/storage/`: storing and removing one file, and up to a hundred.

use std::collections::HashSet;

use stowage_model::rest::MAX_BATCH;
use stowage_model::{File, FileId, RestRefusal};
use stowage_views::rest::{Batch, Problems};

use super::call::{Answering, Call, Outcome};
use super::content::texts;
use super::{Endpoint, files, on};
use crate::errors;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/files/{uuid}/storage/",
        methods: &[on("PUT", store), on("POST", store), on("DELETE", remove), on("GET", files::one)],
    },
    Endpoint { path: "/files/storage/", methods: &[on("PUT", store_all), on("DELETE", remove_all)] },
];

/// What is done to files.
#[derive(Clone, Copy)]
enum Change {
    Store,
    Remove,
}

fn store<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(one(call, Change::Store))
}

pub(super) fn remove<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(one(call, Change::Remove))
}

fn store_all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(many(call, Change::Store))
}

fn remove_all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(many(call, Change::Remove))
}

/// Changes files and answers those that are so now.
async fn change(call: &Call<'_>, ids: &[FileId], change: Change) -> Result<Vec<File>, RestRefusal> {
    let (project, records) = (call.project()?.id, &call.state.records);
    let (cause, now) = (call.cause(), call.now());
    let changed = match change {
        Change::Store => records.store_files(project, ids, &cause, now).await,
        Change::Remove => records.remove_files(project, ids, &cause, now).await,
    };
    changed.map_err(errors::rest_of_records)
}

async fn one(call: &Call<'_>, what: Change) -> Outcome {
    let files = change(call, &[call.file_id()?], what).await?;
    let file = files.first().ok_or(RestRefusal::NotFound)?;
    call.json(&call.show(file, &call.urls()))
}

async fn many(call: &Call<'_>, what: Change) -> Outcome {
    let content = call.content()?;
    let named = texts(&content).ok_or(RestRefusal::UuidsExpected)?;
    match named.len() {
        0 => return Err(RestRefusal::UuidsEmpty),
        1..=MAX_BATCH => {}
        _ => return Err(RestRefusal::UuidsTooMany),
    }
    let parsed: Vec<(&str, Option<FileId>)> = named.into_iter().map(|text| (text, text.parse().ok())).collect();
    let mut seen = HashSet::new();
    let ids: Vec<FileId> = parsed.iter().filter_map(|(_, id)| *id).filter(|id| seen.insert(*id)).collect();
    let files = change(call, &ids, what).await?;
    let found: HashSet<FileId> = files.iter().map(|file| file.id).collect();
    let problems: Problems<'_> = parsed
        .into_iter()
        .filter_map(|(text, id)| match id {
            None => Some((text, "Invalid")),
            Some(id) => (!found.contains(&id)).then_some((text, "Missing in the project")),
        })
        .collect();
    let urls = call.urls();
    let result = call.show_all(&files, &urls);
    call.json(&Batch::new(call.version, result, problems))
}

/// Stores all files of a list, whichever of them are still there.
pub(super) async fn store_members(call: &Call<'_>, ids: &[FileId]) -> Result<(), RestRefusal> {
    change(call, ids, Change::Store).await.map(drop)
}
