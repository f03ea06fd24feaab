//! Copies with operations: what the operations make of a picture becomes a file of its own.

use std::sync::Arc;

use futures_util::StreamExt;
use stowage_delivery::{Accept, Body, Variant, VariantRequest};
use stowage_image::operations::Format;
use stowage_intake::{Description, Incoming, IntakeError};
use stowage_model::{Cause, DeliveryRefusal, File, Metadata, Project, RestRefusal, Tags};
use stowage_store::blobs::BlobError;

use crate::{State, cdn, errors};

/// What the operations, as text without their first `-/`, make of a file; nothing where they leave it as it is.
pub(super) async fn bake(
    state: &State,
    project: &Project,
    file: &File,
    operations: &str,
) -> Result<Option<Variant>, RestRefusal> {
    let mut operations = cdn::read(&cdn::stored_pieces(operations), &project.settings).map_err(of_delivery)?;
    if operations.facts.is_some() {
        return Err(RestRefusal::SourceInvalid);
    }
    if !operations.processes() {
        return Ok(None);
    }
    // A copy stays what it was: a photo does not become a PNG because it has few colours.
    operations.settings.format.get_or_insert(Format::Preserve);
    let overlays = cdn::overlays(state, file, &operations).await.map_err(of_delivery)?;
    let request = VariantRequest {
        file: &Arc::new(file.clone()),
        operations: &operations,
        written: "",
        overlays,
        // Nobody negotiates: a copy is the same whoever asks for it.
        accept: Accept::default(),
        look: cdn::look_of(&project.settings),
    };
    let variant = Box::pin(state.delivery.variant(request)).await;
    variant.map(Some).map_err(|error| of_delivery(cdn::refused(error)))
}

/// Makes a file of what was made of `source`. It keeps the name, as copies do at the real service.
///
/// Not to be given up halfway: what is kept by then stays until the janitor finds it.
pub(super) async fn keep(
    state: &State,
    project: &Project,
    source: &File,
    variant: Variant,
    stored: bool,
    metadata: Metadata,
    cause: Cause,
) -> Result<File, RestRefusal> {
    let mut incoming = state.intake.begin();
    write(&mut incoming, &variant).await.map_err(errors::rest_of_intake)?;
    let description = Description {
        id: None,
        name: source.name.clone(),
        declared_type: Some(variant.media_type.to_owned()),
        stored,
        metadata,
        tags: Tags::default(),
        source: None,
    };
    let received = state.intake.finish(incoming).await.map_err(errors::rest_of_intake)?;
    let uploads = vec![(received, description)];
    state.intake.check_all(project, &uploads).await.map_err(errors::rest_of_intake)?;
    let ids = state.intake.accept(project, uploads, cause).await.map_err(errors::rest_of_intake)?;
    let id = ids.first().copied().ok_or(RestRefusal::Internal)?;
    let file = state.records.file(id).await.map_err(errors::rest_of_records)?;
    file.ok_or(RestRefusal::NotFound)
}

async fn write(incoming: &mut Incoming, variant: &Variant) -> Result<(), IntakeError> {
    match variant.whole() {
        Body::Memory(bytes) => incoming.write(bytes).await,
        Body::Stream(mut stream) => {
            while let Some(piece) = stream.next().await {
                incoming.write(piece.map_err(|error| IntakeError::Blobs(BlobError::Io(error)))?).await?;
            }
            Ok(())
        }
    }
}

/// What the REST API is to tell of what delivery refuses.
fn of_delivery(refusal: DeliveryRefusal) -> RestRefusal {
    match refusal {
        DeliveryRefusal::OperationInvalid(_) => RestRefusal::SourceInvalid,
        DeliveryRefusal::NotFound => RestRefusal::NotFound,
        DeliveryRefusal::Busy { retry_after } => RestRefusal::Throttled(retry_after),
        DeliveryRefusal::Failed => RestRefusal::Internal,
        other => RestRefusal::CannotProcess(other.to_string()),
    }
}
