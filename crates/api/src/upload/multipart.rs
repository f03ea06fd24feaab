//! `POST /multipart/start/` and `/multipart/complete/`: uploads in parts; the parts themselves go to `part`.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Request, Response};
use serde::Serialize;
use stowage_intake::Announced;
use stowage_model::multipart::{MAX_PART_SIZE, MAX_PARTS, MIN_FILE_SIZE, MIN_PART_SIZE};
use stowage_model::{FileId, FileName, Metadata, Refusal, Tags, media_type};
use stowage_views::upload::FileInfo;
use utoipa::ToSchema;

use super::{Call, Endpoint};
use crate::{State, access, errors, origin};

pub(super) const ENDPOINT: Endpoint =
    Endpoint { methods: "POST, OPTIONS", serves: "POST, OPTIONS", key: "UPLOADCARE_PUB_KEY", takes_files: false };

/// An upload in parts that has begun.
#[derive(Serialize, ToSchema)]
#[schema(as = MultipartUpload)]
pub(crate) struct Started {
    uuid: FileId,
    /// The URLs of the parts, in order.
    parts: Vec<String>,
}

pub(super) async fn start(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &ENDPOINT, request).await {
        Ok((mut call, body)) => {
            let outcome = begin(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn begin(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    call.read_form(body).await?;
    call.check_characters()?;
    let project = call.project().await?;
    call.may_upload(&project).await?;
    let required = |name: &'static str| call.parameter(name).ok_or(Refusal::RequestParamRequired(name));
    let (filename, size, content_type) = (required("filename")?, required("size")?, required("content_type")?);
    let size = decimal(size).ok_or(Refusal::MultipartSizeInvalid)?;
    if size > project.settings.max_file_size {
        return Err(Refusal::MultipartFileSizeLimitExceeded);
    }
    if size < MIN_FILE_SIZE {
        return Err(Refusal::MultipartFileSizeTooSmall);
    }
    let part_size = part_size(call.parameter("part_size"), size)?;
    let flag = call.stores(&project, "UPLOADCARE_STORE")?;
    let announced = Announced {
        size,
        part_size,
        name: FileName::new(filename),
        // Passed through as it was sent; what is no media type could run as one that it is not.
        mime_type: if media_type::is_well_formed(content_type) { content_type } else { "application/octet-stream" }
            .to_owned(),
        stored: project.settings.stores(flag),
        metadata: Metadata::from_pairs(call.fields.metadata().chain(call.query.metadata()))?,
        tags: Tags::from_list(call.parameter("tags").unwrap_or_default())?,
        source: call.source(),
    };
    let (state, base) = (call.state.clone(), origin::public_urls(call.state, &call.parts).upload);
    let start = async move {
        let intake = &state.intake;
        let upload = intake.start_upload(&project, announced).await.map_err(errors::of_intake)?;
        let parts = match intake.part_urls(&upload).await {
            Ok(Some(urls)) => urls,
            Ok(None) => state.part_urls.sign(&base, &upload),
            Err(error) => {
                intake.cancel_upload(&upload).await;
                return Err(errors::of_intake(error));
            }
        };
        Ok(Started { uuid: upload.id, parts })
    };
    Ok(errors::json(&call.counted(start).await?))
}

/// The size of the parts, in bytes: as asked for, if a file of this size then has no more parts than an upload may have.
fn part_size(asked: Option<&str>, size: u64) -> Result<u64, Refusal> {
    let part_size = match asked {
        Some(text) => decimal(text).ok_or(Refusal::MultipartPartSizeInvalid)?,
        None => MIN_PART_SIZE,
    };
    if part_size > MAX_PART_SIZE {
        return Err(Refusal::MultipartPartSizeTooBig);
    }
    let least = size.div_ceil(MAX_PARTS).max(MIN_PART_SIZE);
    if part_size < least {
        return Err(Refusal::MultipartPartSizeTooSmall(least));
    }
    Ok(part_size)
}

/// A decimal number; one that is too large for us is larger than every limit.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX))
}

pub(super) async fn complete(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    match Call::open(&state, &ENDPOINT, request).await {
        Ok((mut call, body)) => {
            let outcome = end(&mut call, body).await;
            call.answer(outcome)
        }
        Err(response) => *response,
    }
}

async fn end(call: &mut Call<'_>, body: Body) -> Result<Response<Body>, Refusal> {
    call.read_form(body).await?;
    call.check_characters()?;
    let project = call.project().await?;
    let id: FileId = match call.parameter("uuid") {
        None => return Err(Refusal::MultipartFileIdRequired),
        Some(text) => text.parse().map_err(|_| Refusal::UuidInvalid)?,
    };
    let (intake, cause) = (call.state.intake.clone(), call.cause());
    // A client that goes away meanwhile must not leave an upload half completed.
    let completing = async move { intake.complete_upload(&project, id, cause).await.map_err(errors::of_complete) };
    let id = access::finish(completing).await.unwrap_or(Err(Refusal::UploadApi))?;
    let file = call.state.records.file(id).await.map_err(errors::of_records)?;
    Ok(errors::json(&FileInfo::new(&file.ok_or(Refusal::MultipartFileNotFound)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_sizes_have_limits() {
        let size = 20_000_000;
        assert_eq!(part_size(None, size), Ok(5_242_880));
        assert_eq!(part_size(Some("5242881"), size), Ok(5_242_881));
        assert_eq!(part_size(Some("5242879"), size), Err(Refusal::MultipartPartSizeTooSmall(5_242_880)));
        assert_eq!(part_size(Some("5368709121"), size), Err(Refusal::MultipartPartSizeTooBig));
        assert_eq!(part_size(Some("99999999999999999999999"), size), Err(Refusal::MultipartPartSizeTooBig));
        for text in ["1e7", "-5242880", "5242880.0", " 5242880", "+5242880"] {
            assert_eq!(part_size(Some(text), size), Err(Refusal::MultipartPartSizeInvalid), "{text}");
        }
        // 10,000 parts at most: the smallest part size that fits is named.
        let large = 10_000 * 5_242_880;
        assert_eq!(part_size(None, large), Ok(5_242_880));
        assert_eq!(part_size(None, large + 1), Err(Refusal::MultipartPartSizeTooSmall(5_242_881)));
    }
}
