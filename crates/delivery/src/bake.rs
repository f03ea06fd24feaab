//! Copies with operations: what the operations make of a picture, for those who keep it. Here is also what they share with the
//! delivery door: reading operations by a project's settings, and looking up the files that they lay over the picture.

use std::sync::Arc;

use stowage_image::operations::{Format, OperationError, Operations};
use stowage_model::{DeliveryRefusal, File, Settings};
use stowage_render::Accept;
use stowage_store::records::{Records, RecordsError};

use crate::{Delivery, Look, Variant, VariantError, VariantRequest};

/// Why nothing was made for a copy.
#[derive(Debug, thiserror::Error)]
pub enum BakeError {
    /// It cannot be made, or not now; what a door would tell.
    #[error(transparent)]
    Refused(#[from] DeliveryRefusal),
    /// The records could not be asked.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Look {
    /// The settings of a project that change pixels.
    pub fn of(settings: &Settings) -> Self {
        let Settings { avif, webp, adaptive_quality, text_overlays, .. } = *settings;
        Self { avif, webp, adaptive_quality, text: text_overlays }
    }
}

/// The pieces of a path, decoded, without empty ones.
pub fn pieces_of(path: &str) -> Vec<String> {
    let decoded = |piece: &str| percent_encoding::percent_decode_str(piece).decode_utf8_lossy().into_owned();
    path.split('/').filter(|piece| !piece.is_empty()).map(decoded).collect()
}

/// Operations that are kept as text without their first `-/`, as pieces of a path.
pub fn stored_pieces(text: &str) -> Vec<String> {
    let pieces = pieces_of(text);
    if pieces.is_empty() { pieces } else { std::iter::once("-".to_owned()).chain(pieces).collect() }
}

/// What to tell of operations that make no sense.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
pub fn invalid(error: OperationError) -> DeliveryRefusal {
    DeliveryRefusal::OperationInvalid(error.to_string())
}

/// Reads operations, and refuses those that the project has switched off.
pub fn read(pieces: &[String], settings: &Settings) -> Result<Operations, DeliveryRefusal> {
    let operations = Operations::parse(pieces).map_err(invalid)?;
    if operations.has_text() && !settings.text_overlays {
        let text = "`text` is switched off; the setting `text_overlays` of the project switches it on.";
        return Err(DeliveryRefusal::CannotProcess(text.to_owned()));
    }
    Ok(operations)
}

/// The other files that the operations need, as far as the project of `file` has them.
pub async fn overlays(records: &Records, file: &File, operations: &Operations) -> Result<Vec<Arc<File>>, RecordsError> {
    let mut overlays = Vec::new();
    for id in operations.overlays() {
        let overlay = records.hot_file(id).await?;
        let is_there = |overlay: &Arc<File>| overlay.project == file.project && overlay.removed_at.is_none();
        overlays.extend(overlay.filter(is_there));
    }
    Ok(overlays)
}

/// The operations of a copy, from their text without the first `-/`; nothing where they leave a file as it is. Refuses those that
/// tell of a picture instead of making one.
pub fn of_copy(text: &str, settings: &Settings) -> Result<Option<Operations>, DeliveryRefusal> {
    let mut operations = read(&stored_pieces(text), settings)?;
    if operations.facts.is_some() {
        return Err(DeliveryRefusal::OperationInvalid("Facts can not be copied.".to_owned()));
    }
    if !operations.processes() {
        return Ok(None);
    }
    // A copy stays what it was: a photo does not become a PNG because it has few colours.
    operations.settings.format.get_or_insert(Format::Preserve);
    Ok(Some(operations))
}

impl Delivery {
    /// What the operations, as text without their first `-/`, make of a file; nothing where they leave it as it is.
    pub async fn bake(
        &self,
        records: &Records,
        settings: &Settings,
        file: &Arc<File>,
        operations: &str,
    ) -> Result<Option<Variant>, BakeError> {
        let Some(operations) = of_copy(operations, settings)? else { return Ok(None) };
        let request = VariantRequest {
            file,
            operations: &operations,
            written: "",
            overlays: overlays(records, file, &operations).await?,
            // Nobody negotiates: a copy is the same whoever asks for it.
            accept: Accept::default(),
            look: Look::of(settings),
        };
        let variant = Box::pin(self.variant(request)).await;
        variant.map(Some).map_err(|error| BakeError::Refused(error.into()))
    }
}

impl From<VariantError> for DeliveryRefusal {
    fn from(error: VariantError) -> Self {
        match error {
            VariantError::NotAnImage => Self::NotAnImage,
            VariantError::Invalid(text) | VariantError::TooLarge(text) | VariantError::Damaged(text) => {
                Self::CannotProcess(text)
            }
            VariantError::NoOverlay(id) => Self::OverlayNotFound(id),
            error @ VariantError::OverlayNotAnImage(_) => Self::CannotProcess(error.to_string()),
            VariantError::Busy { retry_after } => Self::Busy { retry_after },
            VariantError::Gone => Self::NotFound,
            VariantError::Failed => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_operations() {
        assert_eq!(stored_pieces("resize/x800/-/grayscale/"), ["-", "resize", "x800", "-", "grayscale"]);
        assert_eq!(stored_pieces(""), Vec::<String>::new());
    }

    #[test]
    fn operations_of_a_copy() {
        let of = |text: &str| of_copy(text, &Settings::default());
        for (text, format) in [
            ("resize/10x/", Format::Preserve),
            ("resize/10x/-/format/auto/", Format::Auto),
            ("format/png/", Format::Png),
        ] {
            assert_eq!(of(text).unwrap().unwrap().settings.format, Some(format), "{text}");
        }
        for text in ["", "inline/no/"] {
            assert!(of(text).unwrap().is_none(), "{text}");
        }
        for text in ["json/", "preview/-/main_colors/3/", "nope/", "resize/"] {
            assert!(matches!(of(text), Err(DeliveryRefusal::OperationInvalid(_))), "{text}");
        }
        let settings = Settings { text_overlays: false, ..Settings::default() };
        let refused = of_copy("text/10x10/0,0/a/", &settings);
        assert!(matches!(refused, Err(DeliveryRefusal::CannotProcess(_))), "{refused:?}");
    }
}
