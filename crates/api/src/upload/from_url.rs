//! `/from_url/` and `/from_url/status/`: files that a job fetches, and how far it is.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response};
use serde::Serialize;
use stowage_model::{FileId, FileName, FromUrl, Job, Metadata, Refusal, Tags, UrlTask};
use stowage_views::upload::{FileInfo, FileInfoAs};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Call, Endpoint};
use crate::{State, access, errors};

pub(super) const START: Endpoint =
    Endpoint { methods: "OPTIONS, GET, POST", serves: "OPTIONS, GET, POST", key: "pub_key", takes_files: false };
pub(super) const STATUS: Endpoint = Endpoint {
    methods: "GET, POST, HEAD, OPTIONS",
    serves: "GET, POST, HEAD, OPTIONS",
    key: "pub_key",
    takes_files: false,
};

pub(super) async fn start(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &START, request).await {
        Ok((mut call, body)) => {
            let outcome = begin(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

/// An upload from a URL that has begun.
#[derive(Serialize, ToSchema)]
#[schema(as = FromUrlToken)]
pub(crate) struct Begun {
    /// `token`.
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(value_type = String, format = "uuid")]
    token: Uuid,
}

async fn begin(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    call.read_form(body).await?;
    call.check_characters()?;
    let project = call.project().await?;
    call.may_upload(&project).await?;
    let url = call.parameter("source_url").ok_or(Refusal::SourceUrlRequired)?;
    if access::is_given(&project.public_key, url) {
        stowage_fetch::parse(url).map_err(Refusal::from)?;
    } else {
        call.state.outbound.check(url).await.map_err(Refusal::from)?;
    }
    let flag = call.stores(&project, "store")?;
    let metadata = Metadata::from_pairs(call.fields.metadata().chain(call.query.metadata()))?;
    let tags = Tags::from_list(call.parameter("tags").unwrap_or_default())?;
    let is_on = |name| call.parameter(name).map(|text| matches!(text, "1" | "true"));
    let looks_up = is_on("check_URL_duplicates").unwrap_or(false);
    let records = &call.state.records;
    if looks_up && let Some(id) = records.url_history(project.id, url).await.map_err(errors::of_records)? {
        let file = records.file(id).await.map_err(errors::of_records)?;
        if let Some(file) = file.filter(|file| file.removed_at.is_none()) {
            call.counted(async { Ok(()) }).await?;
            return Ok(errors::json(&FileInfoAs { kind: "file_info", info: FileInfo::new(&file) }));
        }
    }
    let token = call.state.ids.uuid();
    let job = Job::FromUrl(FromUrl {
        token,
        project: project.id,
        url: url.to_owned(),
        name: call.parameter("filename").map(|name| FileName::new(name).original().to_owned()),
        // Without a word about it the real service does not store, whatever the project says for other uploads.
        stored: flag.is_some() && project.settings.stores(flag),
        metadata,
        tags,
        remember: is_on("save_URL_duplicates").unwrap_or(looks_up),
        source: call.source(),
        cause: call.cause(),
    });
    // The job is called like the file that comes of it.
    let (FileId(id), now) = (call.state.ids.file(), call.state.clock.now());
    let records = records.clone();
    let enqueue = async move { records.start_url_task(&job, id, now).await.map_err(errors::of_new) };
    call.counted(enqueue).await?;
    Ok(errors::json(&Begun { kind: "token", token }))
}

pub(super) async fn status(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &STATUS, request).await {
        Ok((mut call, body)) => {
            let outcome = tell(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

/// How far a task is.
#[derive(Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
#[schema(as = FromUrlStatus)]
pub(crate) enum Status {
    /// There is no such token, or its file is gone.
    Unknown,
    /// Nobody has begun.
    Waiting,
    /// Bytes are arriving.
    Progress {
        done: u64,
        #[schema(required)]
        total: Option<u64>,
    },
    /// It has failed for good.
    Error { error: String, error_code: String },
}

/// A file; the member that says so comes last, as in the real service's answers.
#[derive(Serialize, ToSchema)]
#[schema(as = FromUrlSuccess, description = "A file that has been fetched.")]
pub(crate) struct Success<'a> {
    #[serde(flatten)]
    info: FileInfo<'a>,
    /// `success`.
    status: &'static str,
}

async fn tell(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    call.read_form(body).await?;
    call.check_characters()?;
    let token = call.parameter("token").ok_or(Refusal::TokenRequired)?;
    // Any text may be a token; ours look like the ids of files.
    let Ok(FileId(token)) = token.parse() else { return Ok(errors::json(&Status::Unknown)) };
    let records = &call.state.records;
    let status = match records.hot_url_task(token).await.map_err(errors::of_records)? {
        None => Status::Unknown,
        Some(UrlTask::Waiting) => Status::Waiting,
        Some(UrlTask::Progress { done, total }) => Status::Progress { done, total },
        Some(UrlTask::Failed { text, code }) => Status::Error { error: text, error_code: code },
        Some(UrlTask::Success(id)) => match records.polled_file(id).await.map_err(errors::of_records)? {
            Some(file) => {
                let success = Success { info: FileInfo::new(&file), status: "success" };
                return Ok(errors::json(&success));
            }
            // Its record is gone: removed long ago.
            None => Status::Unknown,
        },
    };
    Ok(errors::json(&status))
}
