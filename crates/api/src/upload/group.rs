//! `/group/` and `/group/info/`: making groups of files, and looking at them.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response};
use stowage_model::group::MAX_FILES;
use stowage_model::{File, FileId, FileRef, Group, GroupId, Member, Refusal};
use stowage_views::upload::GroupInfo;

use super::{Call, Endpoint};
use crate::{State, errors, origin};

pub(super) const CREATE: Endpoint =
    Endpoint { methods: "GET, POST, HEAD, OPTIONS", serves: "GET, POST, OPTIONS", key: "pub_key", takes_files: false };
pub(super) const INFO: Endpoint =
    Endpoint { methods: "GET, HEAD, OPTIONS", serves: "GET, HEAD, OPTIONS", key: "pub_key", takes_files: false };

/// The longest member that is repeated in a refusal, in characters.
const SHOWN: usize = 200;

pub(super) async fn create(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &CREATE, request).await {
        Ok((mut call, body)) => {
            let outcome = make(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn make(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    call.read_form(body).await?;
    call.check_characters()?;
    let project = call.project().await?;
    call.may_upload(&project).await?;
    let mut named = call.fields.files();
    if named.is_empty() {
        named = call.query.files();
    }
    if named.is_empty() {
        return Err(Refusal::GroupFilesInvalid);
    }
    if named.len() > MAX_FILES {
        return Err(Refusal::FilesNumberLimitExceeded);
    }
    let member = |text: &&[u8]| {
        let read = str::from_utf8(text).ok().and_then(|text| text.trim().parse::<FileRef>().ok());
        let shown = || String::from_utf8_lossy(text).chars().take(SHOWN).collect();
        let FileRef { id, operations } = read.ok_or_else(|| Refusal::GroupFileUrlParsingFailed(shown()))?;
        Ok(Member { file: id, effects: operations })
    };
    let members: Vec<Member> = named.iter().map(member).collect::<Result<_, Refusal>>()?;
    let files = look_up(call.state, &members).await?;
    let usable = |file: &File| file.project == project.id && file.removed_at.is_none();
    if !members.iter().all(|member| files.get(&member.file).is_some_and(usable)) {
        return Err(Refusal::GroupFilesNotFound);
    }
    let id = GroupId { uuid: call.state.ids.uuid(), count: u32::try_from(members.len()).unwrap_or(u32::MAX) };
    let now = call.state.clock.now();
    let (records, owner, recorded) = (call.state.records.clone(), project.id, members.clone());
    let create = async move { records.create_group(id.uuid, owner, &recorded, now).await.map_err(errors::of_new) };
    let created_at = call.counted(create).await?;
    let group = Group { id, project: project.id, created_at, members };
    Ok(show(call, &group, &files))
}

pub(super) async fn info(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &INFO, request).await {
        Ok((mut call, _)) => {
            let outcome = tell(&mut call).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn tell(call: &mut Call<'_>) -> Result<Response<Body>, Refusal> {
    call.check_characters()?;
    let project = call.project().await?;
    let text = call.parameter("group_id").ok_or(Refusal::GroupIdRequired)?;
    let id: GroupId = text.parse().map_err(|_| Refusal::GroupNotFound)?;
    let group = call.state.records.group(id).await.map_err(errors::of_records)?;
    let group = group.filter(|group| group.project == project.id).ok_or(Refusal::GroupNotFound)?;
    let files = look_up(call.state, &group.members).await?;
    Ok(show(call, &group, &files))
}

async fn look_up(state: &State, members: &[Member]) -> Result<HashMap<FileId, File>, Refusal> {
    let ids: Vec<FileId> = members.iter().map(|member| member.file).collect();
    let files = state.records.files(&ids).await.map_err(errors::of_records)?;
    Ok(files.into_iter().map(|file| (file.id, file)).collect())
}

fn show(call: &Call<'_>, group: &Group, files: &HashMap<FileId, File>) -> Response<Body> {
    let urls = origin::public_urls(call.state, &call.parts);
    errors::json(&GroupInfo::new(group, &urls, |id| files.get(&id).filter(|file| file.removed_at.is_none())))
}
