//! `POST /base/`: direct upload of one or more files in one request.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use stowage_intake::Description;
use stowage_model::{FileId, Metadata, Project, Refusal, Tags};
use utoipa::ToSchema;

use super::{Call, Endpoint};
use crate::{State, errors};

pub(super) const ENDPOINT: Endpoint =
    Endpoint { methods: "POST, OPTIONS", serves: "POST, OPTIONS", key: "UPLOADCARE_PUB_KEY", takes_files: true };

pub(super) async fn handle(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &ENDPOINT, request).await {
        Ok((mut call, body)) => {
            let outcome = upload(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn upload(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    let files = call.read_form(body).await?;
    call.check_characters()?;
    let project = call.project().await?;
    call.may_upload(&project).await?;
    let id = chosen_id(call, &project, files.len())?;
    let flag = call.stores(&project, "UPLOADCARE_STORE")?;
    let settings = &project.settings;
    let metadata = Metadata::from_pairs(call.fields.metadata().chain(call.query.metadata()))?;
    let tags = Tags::from_list(call.parameter("tags").unwrap_or_default())?;
    if files.is_empty() {
        return Err(Refusal::FilesRequired);
    }
    if files.iter().any(|file| file.received.size() > settings.max_file_size) {
        return Err(Refusal::FileSizeLimitExceeded);
    }
    let source = call.source();
    let mut names = Vec::with_capacity(files.len());
    let mut uploads = Vec::with_capacity(files.len());
    for file in files {
        names.push(file.field);
        let description = Description {
            id,
            name: file.name,
            declared_type: file.declared_type,
            stored: settings.stores(flag),
            metadata: metadata.clone(),
            tags: tags.clone(),
            source: source.clone(),
        };
        uploads.push((file.received, description));
    }
    let (intake, cause) = (call.state.intake.clone(), call.cause());
    intake.check_all(&project, &uploads).await.map_err(errors::of_intake)?;
    let accept = async move { intake.accept(&project, uploads, cause).await.map_err(errors::of_intake) };
    let ids = call.counted(accept).await?;
    Ok(errors::json(&Ids(names.into_iter().zip(ids).collect())))
}

/// The id that the request asks for, where the project lets requests choose.
fn chosen_id(call: &Call<'_>, project: &Project, files: usize) -> Result<Option<FileId>, Refusal> {
    match call.parameter("UPLOADCARE_FILE_ID").filter(|_| project.settings.allow_client_file_id) {
        None => Ok(None),
        // One id cannot name two files.
        Some(_) if files > 1 => Err(Refusal::UploadcareFileIdDuplicated),
        Some(text) => text.parse().map(Some).map_err(|_| Refusal::UploadcareFileIdInvalid),
    }
}

/// `{"field": "uuid", …}` in the order sent; of fields with the same name the last one is shown.
#[derive(ToSchema)]
#[schema(
    as = UploadedFiles,
    value_type = BTreeMap<String, FileId>,
    description = "The id of each file by the name of its field."
)]
pub(crate) struct Ids(Vec<(String, FileId)>);

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, (name, id)) in self.0.iter().enumerate() {
            if !self.0[at + 1..].iter().any(|(later, _)| later == name) {
                map.serialize_entry(name, id)?;
            }
        }
        map.end()
    }
}
