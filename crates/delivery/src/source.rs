//! The bytes of a file for a computation: all of them at once, no more than may be.

use std::pin::pin;

use futures_util::TryStreamExt;
use stowage_model::File;
use stowage_store::blobs::{BlobError, Blobs};
use tracing::error;

use crate::variant::VariantError;

/// Reads a whole file of at most `most` bytes into memory.
pub(crate) async fn read(blobs: &Blobs, file: &File, most: u64) -> Result<Vec<u8>, VariantError> {
    let Some(blob) = &file.blob else { return Err(VariantError::Gone) };
    if file.size > most {
        return Err(VariantError::NotAnImage);
    }
    let failed = |failure: &dyn std::error::Error| {
        error!(file = %file.id, error = %failure, "a file could not be read to be processed");
        VariantError::Failed
    };
    let stream = match blobs.read(blob, 0..file.size).await {
        Ok(stream) => stream,
        Err(BlobError::NotFound) => return Err(VariantError::Gone),
        Err(failure) => return Err(failed(&failure)),
    };
    let mut stream = pin!(stream);
    let mut bytes = Vec::with_capacity(usize::try_from(file.size).unwrap_or_default());
    while let Some(piece) = stream.try_next().await.map_err(|failure| failed(&failure))? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
