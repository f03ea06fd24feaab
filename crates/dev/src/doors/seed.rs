//! `POST /_dev/seed`: puts files, groups, webhooks and the like into a world: a folder as one form, or a manifest alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, Request};
use axum::{Extension, Json};
use bytes::{Bytes, BytesMut};
use http::header;
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::Outcome;
use crate::seed::{MANIFEST, MAX_MANIFEST, Parts, Seed, Sown};
use crate::{DevError, World};

/// The most bytes of one request.
const MAX_BODY: u64 = 256 << 20;
/// The most parts of one request.
const MAX_PARTS: usize = 10_000;
/// The name of the part of a form that is the manifest, besides that of its file.
const MANIFEST_PART: &str = "manifest";
/// The name of parts whose file names are their paths.
const FILE_PART: &str = "file";

/// One request is read at a time: it is kept in memory.
static READING: Semaphore = Semaphore::const_new(1);

/// How a seed is sown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// `true` or `1`: webhooks are told of the files.
    #[serde(default, deserialize_with = "switch")]
    #[param(value_type = bool)]
    events: bool,
}

/// A form with a seed: the part `manifest`, or `file` named `seed.json`, and files as parts `file` named by their paths, or as parts that
/// are called as their paths.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, and read part by part")]
pub(crate) struct SeedForm {
    /// The manifest as JSON.
    manifest: String,
    /// Files; the file name of each is its path in the seed.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
}

fn switch<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(serde::de::Error::custom("it is true or false")),
    }
}

pub(crate) async fn sow(
    Extension(world): Extension<Arc<World>>,
    how: Result<Query<How>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Outcome<Sown> {
    let Query(How { events }) = how.map_err(|fault| DevError::bad(fault.body_text()))?;
    let _alone = READING.acquire().await.map_err(|_| DevError::failed("the server stops"))?;
    let parts = read(request).await?;
    let seed = Seed::of_parts(&parts).await?;
    drop(parts);
    let _inside = world.gate.enter().await;
    Box::pin(seed.sow(&world, None, events)).await.map(Json)
}

async fn read(request: Request) -> Result<Parts, DevError> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        let manifest = axum::body::to_bytes(body, MAX_MANIFEST).await;
        let manifest = manifest.map_err(|_| DevError::bad("the manifest is larger than 16 MiB, or broke off"))?;
        return Ok(Parts::sent(manifest, BTreeMap::new()));
    };
    let limit = SizeLimit::new().whole_stream(MAX_BODY);
    let constraints = Constraints::new().size_limit(limit);
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let (mut manifest, mut files) = (None, BTreeMap::new());
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let path = path_of(&part)?;
        let bytes = bytes_of(part).await?;
        let other = if path == MANIFEST { manifest.replace(bytes) } else { files.insert(path.clone(), bytes) };
        if other.is_some() {
            return Err(DevError::bad(format!("two parts of the form are called `{path}`")));
        }
        if files.len() > MAX_PARTS {
            return Err(DevError::bad(format!("the form has more than {MAX_PARTS} files")));
        }
    }
    let manifest = manifest.ok_or_else(|| DevError::bad("the form has no part `manifest`, and no file `seed.json`"))?;
    Ok(Parts::sent(manifest, files))
}

/// The path of what a part brings.
fn path_of(part: &Field<'_>) -> Result<String, DevError> {
    match (part.name(), part.file_name()) {
        (Some(MANIFEST_PART), _) => Ok(MANIFEST.to_owned()),
        (Some(FILE_PART), Some(path)) => Ok(path.to_owned()),
        (Some(FILE_PART), None) => Err(DevError::bad("a part `file` has no file name, which is its path in the seed")),
        (Some(name), _) => Ok(name.to_owned()),
        (None, _) => Err(DevError::bad("a part of the form has no name")),
    }
}

async fn bytes_of(mut part: Field<'_>) -> Result<Bytes, DevError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn unreadable(fault: multer::Error) -> DevError {
    match fault {
        multer::Error::StreamSizeExceeded { .. } => DevError::bad(
            "the form is larger than 256 MiB; a folder beside the server may be larger: name it in dev.seed",
        ),
        other => DevError::bad(format!("the form: {other}")),
    }
}
