//! `/addons/{name}/execute/`: programs that look into files. None is set up yet, and so every answer is the one of projects
//! without it.

use serde::Serialize;
use serde_json::Value;
use stowage_model::{FileId, RestRefusal};
use utoipa::ToSchema;

use super::call::{Answering, Call, plain};
use super::{Endpoint, since_07};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/addons/{name}/execute/", methods: &[since_07("POST", execute)] },
    Endpoint { path: "/addons/{name}/execute/status/", methods: &[since_07("GET", status)] },
];

/// The add-ons of the reference.
const NAMES: [&str; 4] =
    ["uc_clamav_virus_scan", "aws_rekognition_detect_labels", "aws_rekognition_detect_moderation_labels", "remove_bg"];

/// Refuses names that are no add-on's.
fn check_name(call: &Call<'_>) -> Result<(), RestRefusal> {
    if NAMES.contains(&call.segment(1).as_str()) { Ok(()) } else { Err(RestRefusal::NotFound) }
}

fn execute<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        check_name(call)?;
        let object = call.object()?;
        let target = object.get("target").filter(|target| !target.is_null());
        let target = target.ok_or(RestRefusal::AddonTargetRequired)?.as_str().unwrap_or_default();
        let _: FileId = target.parse().map_err(|_| RestRefusal::AddonTargetInvalid)?;
        if object.get("params").is_some_and(|params| !matches!(params, Value::Object(_) | Value::Null)) {
            return Err(RestRefusal::ObjectExpected);
        }
        call.project()?;
        Err(RestRefusal::AddonUnavailable)
    })
}

/// How far an add-on is.
#[derive(Serialize, ToSchema)]
#[schema(as = AddonStatus)]
pub(crate) struct Status {
    status: &'static str,
}

/// Nothing has run, and so nothing is known of any run.
fn status<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        check_name(call)?;
        let run = call.parameter("request_id").ok_or(RestRefusal::RequestIdRequired)?;
        let _: FileId = run.parse().map_err(|_| RestRefusal::RequestIdInvalid)?;
        call.project()?;
        plain(&Status { status: "unknown" })
    })
}
