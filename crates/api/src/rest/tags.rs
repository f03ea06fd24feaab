//! `/files/{uuid}/tags/`: the tags of a file.

use serde::Serialize;
use serde_json::{Map, Value};
use stowage_model::{Refusal, RestRefusal, Tags};
use utoipa::ToSchema;

use super::call::{Answering, Call, Outcome};
use super::{Endpoint, content, metadata, since_07};
use crate::{access, errors};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    path: "/files/{uuid}/tags/",
    methods: &[since_07("GET", show), since_07("PUT", replace), since_07("PATCH", change)],
}];

/// The tags of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = FileTags)]
pub(crate) struct Shown<'a> {
    tags: &'a Tags,
}

/// The tags of a file after a change, and what it was.
#[derive(Serialize, ToSchema)]
#[schema(as = FileTagsChanged)]
pub(crate) struct Changed<'a> {
    tags: &'a Tags,
    added: Vec<&'a str>,
    deleted: Vec<&'a str>,
}

fn show<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let file = metadata::present(call, call.file_id()?).await?;
        call.json(&Shown { tags: &file.tags })
    })
}

fn replace<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let object = call.object()?;
        let tags = read(&object, "tags", |texts| Tags::from_texts(texts))?.ok_or(RestRefusal::TextsExpected("tags"))?;
        write(call, move |_| Ok(tags.clone())).await
    })
}

fn change<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let object = call.object()?;
        let add = read(&object, "add", |texts| Tags::from_texts(texts))?.unwrap_or_default();
        let delete = read(&object, "delete", |texts| Tags::to_delete(texts))?.unwrap_or_default();
        write(call, move |tags| tags.changed(&delete, &add)).await
    })
}

/// The tags in a member of the body, where there is such a member.
fn read(
    object: &Map<String, Value>,
    name: &'static str,
    check: fn(Vec<&str>) -> Result<Tags, Refusal>,
) -> Result<Option<Tags>, RestRefusal> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let texts = content::texts(value).ok_or(RestRefusal::TextsExpected(name))?;
    Ok(Some(check(texts)?))
}

async fn write(call: &Call<'_>, change: impl Fn(&Tags) -> Result<Tags, Refusal> + Send + 'static) -> Outcome {
    let id = call.file_id()?;
    let project = call.project()?.id;
    let records = call.state.records.clone();
    // To its end even if the client goes away: what is remembered of the file must be forgotten.
    let changing = async move { records.change_tags(project, id, change).await };
    let changed = access::finish(changing).await.ok_or(RestRefusal::Internal)?.map_err(errors::rest_of_records)??;
    let (before, tags) = changed.ok_or(RestRefusal::NotFound)?;
    call.json(&Changed { tags: &tags, added: tags.lacking_in(&before), deleted: before.lacking_in(&tags) })
}
