//! Groups: the page that lists them, their files by place, and all of them in an archive (URL API reference, section 9.3).

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Response, header};
use serde::Serialize;
use stowage_delivery::{ArchiveError, ArchiveKind, Member as Archived};
use stowage_model::{DeliveryRefusal, File, FileId, Group, GroupId};

use super::accept;
use super::headers::{disposition, set_text};
use super::path::Wish;
use super::route::{self, Outcome};
use super::visit::{Host, Visit, failed};
use crate::{errors, origin};

/// The policy of the page: pictures of this server's address, no scripts.
const POLICY: &str =
    "default-src 'none'; img-src *; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors *";

/// For how long the page and the list may be kept: files of the group may be removed meanwhile.
const LIST: Duration = Duration::from_secs(60);

/// How wide and high a thumbnail is at most, in pixels.
const THUMBNAIL: u32 = 200;

/// A group as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    id: String,
    files_count: u32,
    url: &'a str,
    files: Vec<Entry<'a>>,
}

/// A file of a group.
#[derive(Serialize)]
struct Entry<'a> {
    index: usize,
    url: &'a str,
    uuid: FileId,
    /// The operations with which it was put in, without the first `-/`.
    default_effects: &'a str,
    /// What is known of it; absent once it was removed.
    #[serde(flatten)]
    file: Option<Known<'a>>,
}

#[derive(Serialize)]
struct Known<'a> {
    original_filename: &'a str,
    size: u64,
    mime_type: &'a str,
    is_image: bool,
}

/// A group that the sender may see.
async fn open(visit: Visit<'_>, id: GroupId) -> Result<(Group, Host), DeliveryRefusal> {
    match visit.state.records.group(id).await.map_err(|failure| failed(&failure))? {
        Some(group) => {
            let host = visit.enter_by_id(group.project).await?;
            Ok((group, host))
        }
        None => Err(visit.missing().await),
    }
}

/// The files of a group that are still there.
async fn files(visit: Visit<'_>, group: &Group) -> Result<HashMap<FileId, File>, DeliveryRefusal> {
    let mut ids: Vec<FileId> = group.members.iter().map(|member| member.file).collect();
    ids.sort_unstable();
    ids.dedup();
    let files = visit.state.records.files(&ids).await.map_err(|failure| failed(&failure))?;
    let is_there = |file: &File| file.project == group.project && file.removed_at.is_none() && file.blob.is_some();
    Ok(files.into_iter().filter(is_there).map(|file| (file.id, file)).collect())
}

/// The file at a place of a group: its stored operations come first, then those of the address.
pub(super) async fn member(visit: Visit<'_>, id: GroupId, place: usize, wish: &Wish) -> Outcome {
    // The whole group may be a thousand files.
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let found = visit.state.records.group_member(id, place).await.map_err(|failure| failed(&failure))?;
    let Some((project, member)) = found else { return Err(visit.missing().await) };
    let host = visit.enter_by_id(project).await?;
    let member = member.ok_or(DeliveryRefusal::NotFound)?;
    let file = visit.state.records.hot_file(member.file).await.map_err(|failure| failed(&failure))?;
    let is_there = |file: &Arc<File>| file.project == project && file.removed_at.is_none() && file.blob.is_some();
    let file = file.filter(is_there).ok_or(DeliveryRefusal::NotFound)?;
    route::show(visit, &host, &file, &member.effects, wish).await
}

/// All files of a group as they were uploaded.
pub(super) async fn archive(visit: Visit<'_>, id: GroupId, kind: ArchiveKind, name: Option<String>) -> Outcome {
    let (group, host) = open(visit, id).await?;
    let files: HashMap<FileId, Arc<File>> =
        files(visit, &group).await?.into_iter().map(|(id, file)| (id, Arc::new(file))).collect();
    let archived = |member: &stowage_model::Member| {
        let file = Arc::clone(files.get(&member.file)?);
        Some(Archived { name: file.name.original().to_owned(), file })
    };
    let members = group.members.iter().map(archived).collect::<Option<Vec<_>>>().ok_or(DeliveryRefusal::NotFound)?;
    let archive = visit.state.delivery.archive(kind, members).map_err(|error| match error {
        error @ ArchiveError::TooLarge(..) => DeliveryRefusal::CannotProcess(error.to_string()),
        ArchiveError::Gone => DeliveryRefusal::NotFound,
    })?;
    let mut response = Response::new(Body::empty());
    host.set_terms(&mut response, Duration::MAX);
    errors::set(&mut response, header::CONTENT_TYPE, kind.media_type());
    let name = name.unwrap_or_else(|| format!("{id}.{}", kind.extension()));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition(false, &name));
    response.headers_mut().insert(header::CONTENT_LENGTH, archive.len().into());
    if visit.request.method == Method::GET {
        *response.body_mut() = Body::from_stream(archive);
    }
    Ok(response)
}

/// The files of a group with their addresses: a page for people, JSON where that is preferred.
pub(super) async fn page(visit: Visit<'_>, id: GroupId) -> Outcome {
    let (group, host) = open(visit, id).await?;
    let files = files(visit, &group).await?;
    let base = format!("{}/{id}/", origin::public_urls(visit.state, visit.request).cdn);
    let mut response = if accept::prefers_json(&visit.request.headers) {
        list(&group, &files, &base)
    } else {
        // Pictures and links of a signed page need its token.
        let token = visit.token().filter(|_| host.project.settings.signed_delivery);
        let query = token.map(|token| format!("?token={token}")).unwrap_or_default();
        let mut response = Response::new(Body::from(html(&group, &files, &base, &query)));
        errors::set(&mut response, header::CONTENT_TYPE, "text/html; charset=UTF-8");
        errors::set(&mut response, header::CONTENT_SECURITY_POLICY, POLICY);
        // The token in the address of the page is nobody else's business.
        errors::set(&mut response, header::REFERRER_POLICY, "no-referrer");
        response
    };
    host.set_terms(&mut response, LIST);
    set_text(&mut response, header::VARY, "Accept, Host".to_owned());
    Ok(response)
}

fn url_of(base: &str, index: usize) -> String {
    format!("{base}nth/{index}/")
}

fn list(group: &Group, files: &HashMap<FileId, File>, base: &str) -> Response<Body> {
    let urls: Vec<String> = (0..group.members.len()).map(|index| url_of(base, index)).collect();
    let entries = group.members.iter().zip(&urls).enumerate().map(|(index, (member, url))| Entry {
        index,
        url,
        uuid: member.file,
        default_effects: &member.effects,
        file: files.get(&member.file).map(|file| Known {
            original_filename: file.name.original(),
            size: file.size,
            mime_type: &file.mime_type,
            is_image: file.is_image,
        }),
    });
    errors::json(&Listed { id: group.id.to_string(), files_count: group.id.count, url: base, files: entries.collect() })
}

fn html(group: &Group, files: &HashMap<FileId, File>, base: &str, query: &str) -> String {
    let (id, count) = (group.id, group.members.len());
    let escaped = errors::escape;
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{id}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\n\
         body {{ font: 14px sans-serif; margin: 2em; }}\n\
         ol {{ display: flex; flex-wrap: wrap; gap: 1em; list-style: none; padding: 0; }}\n\
         li {{ width: {THUMBNAIL}px; overflow-wrap: anywhere; }}\n\
         img {{ display: block; width: {THUMBNAIL}px; height: {THUMBNAIL}px; object-fit: contain; background: #eee; }}\n\
         </style></head><body><h1>{id}</h1>\n\
         <p>{count} file(s). All together: <a href=\"{zip}\">zip</a>, <a href=\"{tar}\">tar</a>.</p>\n<ol>\n",
        zip = escaped(&format!("{base}archive/zip/{query}")),
        tar = escaped(&format!("{base}archive/tar/{query}")),
    );
    for (index, member) in group.members.iter().enumerate() {
        let Some(file) = files.get(&member.file) else {
            let _ = writeln!(page, "<li>{index}: removed</li>");
            continue;
        };
        let url = url_of(base, index);
        let picture = if file.is_image {
            let source = format!("{url}-/preview/{THUMBNAIL}x{THUMBNAIL}/{query}");
            format!("<img loading=\"lazy\" alt=\"\" src=\"{}\">", escaped(&source))
        } else {
            String::new()
        };
        let _ = writeln!(
            page,
            "<li><a href=\"{}\">{picture}{index}: {}</a><br>{}</li>",
            escaped(&format!("{url}{query}")),
            escaped(file.name.original()),
            escaped(&url),
        );
    }
    page.push_str("</ol></body></html>\n");
    page
}
