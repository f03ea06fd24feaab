//! `/files/` and `/files/{uuid}/`: the list of a project's files, and one of them.

use std::time::Instant;

use bytes::Bytes;
use stowage_model::{File, PublicUrls, RestRefusal, RestVersion};
use stowage_store::records::{Edge, FileFilter, FileOrder, FilePage, Totals};
use stowage_views::rest;

use super::call::{self, Answering, Call, Outcome};
use super::links::Place;
use super::list::{self, Ends, Window};
use super::pages::Asked;
use super::{Endpoint, before_07, copy, moment, on, storage};
use crate::errors;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/files/", methods: &[on("GET", all), before_07("POST", copy::local_or_remote)] },
    Endpoint { path: "/files/{uuid}/", methods: &[on("GET", one), on("DELETE", storage::remove)] },
];

pub(super) fn one<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let file = call.file(call.file_id()?).await?;
        call.json(&call.show(&file, &call.urls()))
    })
}

fn all<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(remembered(call))
}

/// The page that was made a moment ago, or else a new one.
async fn remembered(call: &Call<'_>) -> Outcome {
    let urls = call.urls();
    // Who may not ask is told so once the parameters are good.
    let Ok(project) = call.project() else { return Ok(call.written(Box::pin(page(call, &urls)).await?)) };
    let asked = Asked { project: project.id, version: call.version, urls, query: call.query().to_owned() };
    let (pages, changes, now) = (&call.state.pages, call.state.records.file_changes(), Instant::now());
    if let Some(page) = pages.get(&asked, changes) {
        return Ok(call.written(page));
    }
    let page = Box::pin(page(call, &asked.urls)).await?;
    pages.put(asked, changes, now, page.clone());
    Ok(call.written(page))
}

async fn page(call: &Call<'_>, urls: &PublicUrls) -> Result<Bytes, RestRefusal> {
    let removed = call.flag("removed")?.unwrap_or(false);
    let stored = call.flag("stored")?;
    let order = order(call)?;
    let window = Window::read(call, |name, text| match order {
        FileOrder::Uploaded | FileOrder::UploadedDescending => list::time(name, text),
        FileOrder::Size | FileOrder::SizeDescending => text.parse().map_err(|_| RestRefusal::SizeExpected(name)),
    })?;
    let project = call.project()?.id;
    let records = &call.state.records;
    let totals = records.totals(project).await.map_err(errors::rest_of_records)?;
    let (filter, total) = match (removed, stored) {
        // Removing takes the date of storing away.
        (true, Some(true)) => (None, 0),
        (true, _) => (Some(FileFilter::Removed), totals.removed.files),
        (false, Some(true)) => (Some(FileFilter::Stored), totals.stored.files),
        (false, Some(false)) => (Some(FileFilter::Temporary), totals.temporary.files),
        (false, None) => (Some(FileFilter::Present), totals.stored.files + totals.temporary.files),
    };
    let (files, ends) = match filter {
        None => (Vec::new(), Ends::default()),
        Some(filter) => {
            let Window { edge, offset, limit } = window;
            let page = FilePage { filter, order, edge, offset, limit };
            let listed = records.list_files(project, &page).await.map_err(errors::rest_of_records)?;
            let next = if listed.follows { behind(call, &page, listed.items.last()).await? } else { None };
            let previous = if listed.precedes { before(call, &page, listed.items.first()).await? } else { None };
            (listed.items, Ends { next, previous })
        }
    };
    let results = call.show_all(&files, urls);
    let address = format!("{}/files/", urls.rest);
    let totals = (call.version == RestVersion::V07).then(|| counted(&totals));
    call::write(&list::page(call, &address, &ends, total, totals, window.limit, results))
}

fn counted(totals: &Totals) -> rest::Totals {
    rest::Totals { removed: totals.removed.files, stored: totals.stored.files, unstored: totals.temporary.files }
}

fn order(call: &Call<'_>) -> Result<FileOrder, RestRefusal> {
    let by_size = call.version != RestVersion::V07;
    match call.parameter("ordering").as_deref() {
        None | Some("datetime_uploaded") => Ok(FileOrder::Uploaded),
        Some("-datetime_uploaded") => Ok(FileOrder::UploadedDescending),
        Some("size") if by_size => Ok(FileOrder::Size),
        Some("-size") if by_size => Ok(FileOrder::SizeDescending),
        Some(_) if by_size => {
            Err(RestRefusal::OrderingUnknown("`datetime_uploaded`, `-datetime_uploaded`, `size`, `-size`"))
        }
        Some(_) => Err(RestRefusal::OrderingUnknown("`datetime_uploaded`, `-datetime_uploaded`")),
    }
}

fn is_by_size(order: FileOrder) -> bool {
    matches!(order, FileOrder::Size | FileOrder::SizeDescending)
}

/// Where the page behind one begins whose last file is this.
async fn behind(call: &Call<'_>, page: &FilePage, last: Option<&File>) -> Result<Option<Place>, RestRefusal> {
    let Some(file) = last else { return Ok(None) };
    if !is_by_size(page.order) {
        return Ok(Some(Place { value: moment::in_link(file.uploaded_at), offset: 0 }));
    }
    // Files of one size are told apart by how many of them stand in front.
    let ties = call.state.records.ties_before(page.filter, page.order, file).await.map_err(errors::rest_of_records)?;
    Ok(Some(Place { value: file.size.to_string(), offset: ties.saturating_add(1) }))
}

/// Where the page in front of one ends whose first file is this. An empty page has an edge to go by.
async fn before(call: &Call<'_>, page: &FilePage, first: Option<&File>) -> Result<Option<Place>, RestRefusal> {
    if !is_by_size(page.order) {
        let descending = page.order == FileOrder::UploadedDescending;
        return Ok(list::front(page.edge, first.map(|file| file.uploaded_at), descending));
    }
    let Some(file) = first else {
        let Some(Edge::After(size)) = page.edge else { return Ok(None) };
        return Ok(Some(Place { value: size.to_string(), offset: page.offset }));
    };
    let ties = call.state.records.ties_before(page.filter, page.order, file).await.map_err(errors::rest_of_records)?;
    Ok(Some(Place { value: file.size.to_string(), offset: ties }))
}
