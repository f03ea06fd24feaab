//! Why there is no picture: what the user did, what the file is, and what nobody foresaw, kept apart.

use stowage_codecs::DecodeError;
use stowage_model::FileId;

/// Why there is no picture.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RenderError {
    /// The file is no picture, or none that may be processed: of an unknown kind, or over the limits of sources.
    #[error("Not supported for files that are not images.")]
    NotAnImage,
    /// The result, or something on the way to it, would be larger than is allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The operations make no sense for this picture, or are switched off.
    #[error("{0}")]
    Invalid(String),
    /// The file begins like a picture and then is none.
    #[error("The picture is damaged: {0}")]
    Damaged(String),
    /// A file that an overlay names does not exist.
    #[error("The file {0} of an overlay does not exist.")]
    NoOverlay(FileId),
    /// A file that an overlay names is not a picture.
    #[error("The file {0} of an overlay is not an image.")]
    OverlayNotAnImage(FileId),
    /// There is too much to do at the moment; the same may succeed later.
    #[error("The server is busy.")]
    Busy,
    /// A fault of ours.
    #[error("The picture could not be made: {0}")]
    Failed(String),
}

impl From<DecodeError> for RenderError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge(why) => Self::TooLarge(format!("The picture is too large: {why}")),
            DecodeError::Damaged(why) => Self::Damaged(why),
            DecodeError::Unsupported(_) => Self::NotAnImage,
        }
    }
}

impl From<stowage_codecs::EncodeError> for RenderError {
    fn from(error: stowage_codecs::EncodeError) -> Self {
        Self::Failed(error.to_string())
    }
}
