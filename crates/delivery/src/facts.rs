//! Variants that are facts: `json`, `jsonp`, `main_colors` and `detect_faces` (url-api reference, section 7). They are kept like
//! pictures, because finding them costs as much.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use stowage_image::operations::{Facts, Operations};
use stowage_model::{File, FileId, GeoLocation, ImageInfo};
use stowage_render::{Accept, Description, Job, Look as Seen};
use tracing::error;

use crate::Delivery;
use crate::key::{Key, Making};
use crate::label::{Kind, Label};
use crate::picture::{Look, Task, VariantRequest, refused};
use crate::variant::{Outcome, VariantError};
use crate::variants::{Line, Made};

/// The answer to `json`: facts of an original, or of what was made of it.
#[derive(Serialize)]
struct Json<'a> {
    id: &'a str,
    #[serde(flatten)]
    info: &'a ImageInfo,
    hash: String,
    blurhash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<Source<'a>>,
}

/// The answer to `main_colors`.
#[derive(Serialize)]
struct Palette<'a> {
    id: &'a str,
    main_colors: &'a [[u8; 3]],
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<Source<'a>>,
}

/// What was there before it was processed.
#[derive(Serialize)]
struct Source<'a> {
    id: FileId,
    width: u32,
    height: u32,
    format: &'a str,
    orientation: Option<u16>,
    geo_location: Option<GeoLocation>,
    datetime_original: Option<&'a str>,
}

/// The answer to `detect_faces`.
#[derive(Serialize)]
struct Detected<'a> {
    id: FileId,
    orientation: Option<u16>,
    format: &'a str,
    height: u32,
    width: u32,
    geo_location: Option<GeoLocation>,
    datetime_original: Option<&'a str>,
    dpi: &'a serde_json::Value,
    faces: Vec<[u32; 4]>,
}

impl<'a> Source<'a> {
    fn new(id: FileId, info: &'a ImageInfo) -> Self {
        Self {
            id,
            width: info.width,
            height: info.height,
            format: &info.format,
            orientation: info.orientation,
            geo_location: info.geo_location,
            datetime_original: info.datetime_original.as_deref(),
        }
    }
}

impl Delivery {
    /// The facts that the operations ask for, as JSON or as a script.
    pub(crate) async fn facts(&self, request: VariantRequest<'_>) -> Outcome {
        request.check()?;
        let facts = request.operations.facts.unwrap_or(Facts::Json);
        // Its own facts do not depend on what is accepted.
        let (accept, id) = if request.operations.processes() {
            let accept = request.look.negotiate(request.operations, request.accept);
            (accept, format!("/{}/{}", request.file.id, request.written))
        } else {
            (Accept::default(), request.file.id.to_string())
        };
        let flags = request.look.flags(request.operations, accept);
        let canonical = format!("{}{id}", request.operations);
        let key = Key::new(request.file.id, Making::Facts, &canonical, &flags);
        let make = |begun| {
            let (variants, task) = (Arc::clone(&self.variants), Task::new(self, request, accept));
            task.run(variants, begun, move |job| describe(job, facts, &id))
        };
        Box::pin(self.variants.get_or_make(key, Line::Pictures, make)).await
    }

    /// The faces of a picture as JSON: `detect_faces`.
    pub async fn faces(&self, file: &Arc<File>) -> Outcome {
        let operations = Operations::default();
        let (look, accept) = (Look::default(), Accept::default());
        let request = VariantRequest { file, operations: &operations, written: "", overlays: Vec::new(), accept, look };
        request.check()?;
        let key = Key::new(file.id, Making::Faces, "", &[]);
        let make = |begun| {
            let (variants, task) = (Arc::clone(&self.variants), Task::new(self, request, accept));
            task.run(variants, begun, detect)
        };
        Box::pin(self.variants.get_or_make(key, Line::Pictures, make)).await
    }
}

fn describe(job: &Job<'_>, facts: Facts, id: &str) -> Result<Made, VariantError> {
    let colors = match facts {
        Facts::MainColors(count) => Some(count),
        Facts::Json | Facts::Jsonp => None,
    };
    let described = stowage_render::describe(job, colors).map_err(|error| refused(job.id, error))?;
    let Description { info, original, look } = &described;
    let original = original.as_ref().map(|original| Source::new(job.id, original));
    let text = match look {
        Seen::Colors(main_colors) => {
            text(&Palette { id, main_colors, width: info.width, height: info.height, original })
        }
        Seen::Hashes { hash, blurhash } => text(&Json { id, info, hash: format!("{hash:016x}"), blurhash, original }),
    }?;
    if facts == Facts::Jsonp {
        let script = format!("uploadcare_callback({}, {text});", self::text(&id)?);
        return Ok(made(Kind::Script, script));
    }
    Ok(made(Kind::Json, text))
}

fn detect(job: &Job<'_>) -> Result<Made, VariantError> {
    let (info, faces) = stowage_render::find_faces(job).map_err(|error| refused(job.id, error))?;
    let value = serde_json::to_value(&info).map_err(|_| VariantError::Failed)?;
    let detected = Detected {
        id: job.id,
        orientation: info.orientation,
        format: &info.format,
        height: info.height,
        width: info.width,
        geo_location: info.geo_location,
        datetime_original: info.datetime_original.as_deref(),
        dpi: &value["dpi"],
        faces: faces.into_iter().map(|face| [face.x, face.y, face.width, face.height]).collect(),
    };
    Ok(made(Kind::Json, text(&detected)?))
}

fn text<T: Serialize + ?Sized>(facts: &T) -> Result<String, VariantError> {
    serde_json::to_string(facts).map_err(|failure| {
        error!(error = %failure, "facts could not be written");
        VariantError::Failed
    })
}

fn made(kind: Kind, text: String) -> Made {
    Made { label: Label { kind, width: 0, height: 0, negotiated: false }, bytes: Bytes::from(text) }
}
