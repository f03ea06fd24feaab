//! `/convert/`: documents and videos. Nothing here converts yet, and so every answer is the one of projects without the feature.

use serde_json::{Map, Value};
use stowage_model::{FileId, RestRefusal};

use super::call::{Answering, Call, Outcome};
use super::{Endpoint, content, on};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/convert/document/", methods: &[on("POST", document)] },
    Endpoint { path: "/convert/document/{uuid}/", methods: &[on("GET", formats)] },
    Endpoint { path: "/convert/document/status/{token}/", methods: &[on("GET", status)] },
    Endpoint { path: "/convert/video/", methods: &[on("POST", video)] },
    Endpoint { path: "/convert/video/status/{token}/", methods: &[on("GET", status)] },
];

fn document<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { convert(call, &["store", "save_in_group"], RestRefusal::DocumentConversionUnavailable) })
}

fn video<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { convert(call, &["store"], RestRefusal::VideoConversionUnavailable) })
}

fn convert(call: &Call<'_>, flags: &[&'static str], unavailable: RestRefusal) -> Outcome {
    let object = call.object()?;
    check(&object, flags)?;
    call.project()?;
    Err(unavailable)
}

fn check(object: &Map<String, Value>, flags: &[&'static str]) -> Result<(), RestRefusal> {
    // A form with one path has no array in it.
    let paths = match object.get("paths") {
        Some(Value::String(path)) => vec![path.as_str()],
        Some(value) => content::texts(value).unwrap_or_default(),
        None => Vec::new(),
    };
    if paths.is_empty() {
        return Err(RestRefusal::PathsRequired);
    }
    for name in flags {
        let given = object.get(*name).filter(|value| !value.is_null());
        if given.is_some_and(|value| content::boolean(value).is_none()) {
            return Err(RestRefusal::BooleanExpected(name));
        }
    }
    Ok(())
}

fn formats<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        let _: FileId = call.segment(2).parse().map_err(|_| RestRefusal::NotFound)?;
        call.project()?;
        Err(RestRefusal::DocumentConversionUnavailable)
    })
}

/// There are no jobs, and so no tokens.
fn status<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move {
        call.project()?;
        Err(RestRefusal::NotFound)
    })
}
