//! `/groups/` and `/groups/{id}/`: the groups of a project, and one of them.

use std::collections::HashMap;

use stowage_model::{File, FileId, Group, GroupId, RestRefusal, Timestamp};
use stowage_store::records::{Edge, GroupPage};
use stowage_views::rest::GroupInfo;

use super::call::{Answering, Call, Outcome, no_content};
use super::links::Place;
use super::list::{self, Ends, Window};
use super::{Endpoint, before_07, moment, on, since_07, storage};
use crate::errors;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/groups/", methods: &[on("GET", all)] },
    Endpoint { path: "/groups/{id}/", methods: &[on("GET", one), since_07("DELETE", delete)] },
    Endpoint { path: "/groups/{id}/storage/", methods: &[before_07("PUT", store)] },
];

fn all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(page(call))
}

async fn page(call: &Call<'_>) -> Outcome {
    let descending = match call.parameter("ordering").as_deref() {
        None | Some("datetime_created") => false,
        Some("-datetime_created") => true,
        Some(_) => return Err(RestRefusal::OrderingUnknown("`datetime_created`, `-datetime_created`")),
    };
    let Window { edge, offset, limit } = Window::read(call, list::time)?;
    let project = call.project()?.id;
    let records = &call.state.records;
    let total = records.totals(project).await.map_err(errors::rest_of_records)?.groups;
    let at = edge.map(|edge| match edge {
        Edge::After(micros) => Edge::After(Timestamp(micros)),
        Edge::Before(micros) => Edge::Before(Timestamp(micros)),
    });
    let page = GroupPage { descending, edge: at, offset, limit };
    let listed = records.list_groups(project, &page).await.map_err(errors::rest_of_records)?;
    let last = listed.items.last().filter(|_| listed.follows);
    let next = last.map(|group| Place { value: moment::in_link(group.created_at), offset: 0 });
    let first = listed.items.first().map(|group| group.created_at);
    let previous = if listed.precedes { list::front(edge, first, descending) } else { None };
    let urls = call.urls();
    let show =
        |group: &stowage_store::records::GroupEntry| GroupInfo::listed(call.version, group.id, group.created_at, &urls);
    let results = listed.items.iter().map(show).collect();
    let address = format!("{}/groups/", urls.rest);
    call.json(&list::page(call, &address, &Ends { next, previous }, total, None, limit, results))
}

/// The group in the path, if the project has it.
async fn group(call: &Call<'_>) -> Result<Group, RestRefusal> {
    let id: GroupId = call.segment(1).parse().map_err(|_| RestRefusal::NotFound)?;
    let project = call.project()?.id;
    let group = call.state.records.group(id).await.map_err(errors::rest_of_records)?;
    group.filter(|group| group.project == project).ok_or(RestRefusal::NotFound)
}

async fn show(call: &Call<'_>, group: &Group) -> Outcome {
    let ids = members(group);
    let files = call.state.records.files(&ids).await.map_err(errors::rest_of_records)?;
    let files: HashMap<FileId, File> = files.into_iter().map(|file| (file.id, file)).collect();
    call.json(&GroupInfo::whole(call.version, group, &call.urls(), |id| files.get(&id)))
}

/// The files of a group, each once.
fn members(group: &Group) -> Vec<FileId> {
    let mut ids: Vec<FileId> = group.members.iter().map(|member| member.file).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn one<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { show(call, &group(call).await?).await })
}

fn delete<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let id: GroupId = call.segment(1).parse().map_err(|_| RestRefusal::NotFound)?;
        let project = call.project()?.id;
        let deleted = call.state.records.delete_group(project, id).await.map_err(errors::rest_of_records)?;
        if deleted { Ok(no_content()) } else { Err(RestRefusal::NotFound) }
    })
}

fn store<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let group = group(call).await?;
        storage::store_members(call, &members(&group)).await?;
        show(call, &group).await
    })
}
