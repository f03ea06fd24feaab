//! Copies with operations: what the operations make of a picture becomes a file of its own.

use std::sync::Arc;

use futures_util::StreamExt;
use stowage_delivery::{BakeError, Body, Variant, bake};
use stowage_intake::{Description, Incoming, IntakeError};
use stowage_model::{Cause, DeliveryRefusal, File, Metadata, Project, RestRefusal, Settings, Tags};
use stowage_store::blobs::BlobError;

use crate::{State, errors};

/// Whether the operations, as text without their first `-/`, make something new of a file.
pub(super) fn processes(settings: &Settings, operations: &str) -> Result<bool, RestRefusal> {
    bake::of_copy(operations, settings).map(|made| made.is_some()).map_err(of_delivery)
}

/// What the operations, as text without their first `-/`, make of a file; nothing where they leave it as it is.
pub(super) async fn bake(
    state: &State,
    project: &Project,
    file: &Arc<File>,
    operations: &str,
) -> Result<Option<Variant>, RestRefusal> {
    let baking = state.delivery.bake(&state.records, &project.settings, file, operations);
    Box::pin(baking).await.map_err(refused)
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

fn refused(error: BakeError) -> RestRefusal {
    match error {
        BakeError::Refused(refusal) => of_delivery(refusal),
        BakeError::Records(failure) => errors::rest_of_records(failure),
    }
}

/// What the REST API is to tell of what delivery refuses.
pub(super) fn of_delivery(refusal: DeliveryRefusal) -> RestRefusal {
    match refusal {
        DeliveryRefusal::OperationInvalid(_) => RestRefusal::SourceInvalid,
        DeliveryRefusal::NotFound => RestRefusal::NotFound,
        DeliveryRefusal::Busy { retry_after } => RestRefusal::Throttled(retry_after),
        DeliveryRefusal::Failed => RestRefusal::Internal,
        other => RestRefusal::CannotProcess(other.to_string()),
    }
}
