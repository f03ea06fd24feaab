//! The catalogue of refusals: everything that a user can be told instead of an answer, with status, code and text.
//! Texts follow the vendor's error catalogue to the letter, its misspellings included; `api::errors` alone renders them.

use crate::{metadata, project};

/// A refusal. Its `Display` is the text that the user sees.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The account of the project is blocked.
    #[error("Account has been blocked.")]
    AccountBlocked,
    /// The account of the project is not paid.
    #[error("Account has been blocked for non payment.")]
    AccountUnpaid,
    /// `1` was sent, autostore is off and the project insists.
    #[error("Autostore is disabled.")]
    AutostoreDisabled,
    /// A metadata key came twice.
    #[error("File's metadata key `{0}` has a duplicate.")]
    FileMetadataKeyDuplicated(String),
    /// A metadata key is empty.
    #[error("File's metadata key can not be empty.")]
    FileMetadataKeyEmpty,
    /// A metadata key has a character that keys cannot have.
    #[error("File's metadata key `{0}` contains symbols not allowed by the metadata key format.")]
    FileMetadataKeyForbidden(String),
    /// A metadata key is too long.
    #[error("Length of file metadata key `{0}` can not be more than {max} symbols.", max = metadata::MAX_KEY_CHARS)]
    FileMetadataKeyLengthTooBig(String),
    /// There are too many metadata keys.
    #[error("A file can not have more than {max} metadata keys.", max = metadata::MAX_KEYS)]
    FileMetadataKeysNumberTooBig,
    /// A metadata value is empty.
    #[error("Value of the file metadata key `{0}` can not be empty.")]
    FileMetadataValueEmpty(String),
    /// A metadata value has a control character or is no UTF-8.
    #[error("Value of file metadata key `{0}` contains symbols not allowed by the metadata value format.")]
    FileMetadataValueForbidden(String),
    /// A metadata value is too long.
    #[error("Value of file metadata's key `{0}` can not be more than {max} symbols in length.", max = metadata::MAX_VALUE_CHARS)]
    FileMetadataValueLengthTooBig(String),
    /// A file is larger than the project takes.
    #[error("File is too large.")]
    FileSizeLimitExceeded,
    /// The path exists, the method does not.
    #[error("HTTP method {method} is not allowed for {path}")]
    MethodNotAllowed {
        /// The method that was used.
        method: String,
        /// The path that was asked for.
        path: String,
    },
    /// A field, a value or a name holds U+0000.
    #[error("Null characters are not allowed.")]
    NullCharactersForbidden,
    /// The body could not be read as a form.
    #[error("HTTP POST request parsing failed.")]
    PostRequestParserFailed,
    /// The key belongs to no project; carries the endpoint's name for the parameter.
    #[error("{0} is invalid.")]
    ProjectPublicKeyInvalid(&'static str),
    /// The project is marked as removed; carries its key.
    #[error("Project {0} is marked as removed.")]
    ProjectPublicKeyRemoved(String),
    /// The key is missing; carries the endpoint's name for the parameter.
    #[error("{0} is required.")]
    ProjectPublicKeyRequired(&'static str),
    /// There are more fields than a request may have.
    #[error("The request contains too many HTTP POST fields.")]
    RequestFieldsNumberLimitExceeded,
    /// There are more files than a request may have.
    #[error("The request contains too many files.")]
    RequestFileNumberLimitExceeded,
    /// The request is larger than a direct upload may be.
    #[error("The size of the request is too large.")]
    RequestSizeLimitExceeded,
    /// The signature's time is over.
    #[error("Expired signature.")]
    SignatureExpiration,
    /// `expire` is no Unix time in seconds.
    #[error("`expire` must be a UNIX timestamp.")]
    SignatureExpirationInvalid,
    /// `expire` is missing.
    #[error("`expire` is required.")]
    SignatureExpirationRequired,
    /// No secret key of the project made this signature.
    #[error("Invalid signature.")]
    SignatureInvalid,
    /// `signature` is missing.
    #[error("`signature` is required.")]
    SignatureRequired,
    /// Something failed that should not have: the records or the blob store.
    #[error("Internal error.")]
    UploadApi,
    /// Uploads are switched off, or there is no space left for the bytes.
    #[error("Upload failed.")]
    UploadFailed,
    /// A check with a text of its own: the tags.
    #[error("{0}")]
    UploadViews(String),
    /// The id is no UUID.
    #[error("file_id is invalid.")]
    FileIdInvalid,
    /// The id is missing.
    #[error("file_id is required.")]
    FileIdRequired,
    /// The project has no such file, or it was removed.
    #[error("File is not found.")]
    FileNotFound,
    /// The request has no file in it.
    #[error("Request does not contain files.")]
    FilesRequired,
    /// The id that the uploader chose is taken.
    #[error("UPLOADCARE_FILE_ID is duplicated. You are probably a lottery winner.")]
    UploadcareFileIdDuplicated,
    /// The id that the uploader chose is no UUID.
    #[error("UPLOADCARE_FILE_ID should be a valid UUID.")]
    UploadcareFileIdInvalid,
    /// The detected type is not among those that the project takes.
    #[error("Uploading of these file types is not allowed.")]
    FileTypeForbidden,

    /// Delivery: no such file, or it was removed.
    #[error("File not found.")]
    DeliveryFileNotFound,
    /// Delivery: the path is no delivery URL, or asks for something that does not exist.
    #[error("Operations parsing: {0}")]
    DeliveryOperationInvalid(String),
    /// Delivery: an operation was asked of a file that is not an image.
    #[error("Not supported for files that are not images.")]
    DeliveryNotAnImage,
    /// Delivery: the bytes could not be read.
    #[error("The file can not be delivered at the moment.")]
    DeliveryFailed,
}

impl Refusal {
    /// The HTTP status of the catalogue.
    pub fn status(&self) -> u16 {
        self.row().0
    }

    /// The `error_code` of the catalogue.
    pub fn code(&self) -> &'static str {
        self.row().1
    }

    fn row(&self) -> (u16, &'static str) {
        match self {
            Self::AccountBlocked => (403, "AccountBlockedError"),
            Self::AccountUnpaid => (403, "AccountUnpaidError"),
            Self::AutostoreDisabled => (403, "AutostoreDisabledError"),
            Self::FileMetadataKeyDuplicated(_) => (400, "FileMetadataKeyDuplicatedError"),
            Self::FileMetadataKeyEmpty => (400, "FileMetadataKeyEmptyError"),
            Self::FileMetadataKeyForbidden(_) => (400, "FileMetadataKeyForbiddenError"),
            Self::FileMetadataKeyLengthTooBig(_) => (400, "FileMetadataKeyLengthTooBigError"),
            Self::FileMetadataKeysNumberTooBig => (400, "FileMetadataKeysNumberTooBigError"),
            Self::FileMetadataValueEmpty(_) => (400, "FileMetadataValueEmptyError"),
            Self::FileMetadataValueForbidden(_) => (400, "FileMetadataValueForbiddenError"),
            Self::FileMetadataValueLengthTooBig(_) => (400, "FileMetadataValueLengthTooBigError"),
            Self::FileSizeLimitExceeded => (400, "FileSizeLimitExceededError"),
            Self::MethodNotAllowed { .. } => (405, "MethodNotAllowedError"),
            Self::NullCharactersForbidden => (400, "NullCharactersForbiddenError"),
            Self::PostRequestParserFailed => (400, "PostRequestParserFailedError"),
            Self::ProjectPublicKeyInvalid(_) => (403, "ProjectPublicKeyInvalidError"),
            Self::ProjectPublicKeyRemoved(_) => (403, "ProjectPublicKeyRemovedError"),
            Self::ProjectPublicKeyRequired(_) => (403, "ProjectPublicKeyRequiredError"),
            // The code is misspelt in the vendor's catalogue, and clients compare it.
            Self::RequestFieldsNumberLimitExceeded => (400, "RequestFiledsNumberLimitExceededError"),
            Self::RequestFileNumberLimitExceeded => (400, "RequestFileNumberLimitExceededError"),
            Self::RequestSizeLimitExceeded => (413, "RequestSizeLimitExceededError"),
            Self::SignatureExpiration => (403, "SignatureExpirationError"),
            Self::SignatureExpirationInvalid => (400, "SignatureExpirationInvalidError"),
            Self::SignatureExpirationRequired => (400, "SignatureExpirationRequiredError"),
            Self::SignatureInvalid => (403, "SignatureInvalidError"),
            Self::SignatureRequired => (400, "SignatureRequiredError"),
            Self::UploadApi => (500, "UploadAPIError"),
            Self::UploadFailed => (403, "UploadFailedError"),
            Self::UploadViews(_) => (400, "UploadViewsError"),
            Self::FileIdInvalid => (400, "FileIdInvalidError"),
            Self::FileIdRequired => (400, "FileIdRequiredError"),
            Self::FileNotFound | Self::DeliveryFileNotFound => (404, "FileNotFoundError"),
            Self::FilesRequired => (400, "FilesRequiredError"),
            Self::UploadcareFileIdDuplicated => (400, "UploadcareFileIdDuplicatedError"),
            Self::UploadcareFileIdInvalid => (400, "UploadcareFileIdInvalidError"),
            Self::FileTypeForbidden => (400, "FileTypeForbiddenError"),
            Self::DeliveryOperationInvalid(_) => (400, "OperationInvalidError"),
            Self::DeliveryNotAnImage => (400, "NotAnImageError"),
            Self::DeliveryFailed => (500, "DeliveryFailedError"),
        }
    }

    /// The refusal of an upload by the state of its project, in the order in which states are looked at.
    pub fn of_project_state(project: &crate::Project) -> Option<Self> {
        let settings = &project.settings;
        if settings.removed {
            return Some(Self::ProjectPublicKeyRemoved(project.public_key.to_string()));
        }
        match settings.account_state {
            project::AccountState::Blocked => Some(Self::AccountBlocked),
            project::AccountState::Unpaid => Some(Self::AccountUnpaid),
            project::AccountState::Active if !settings.uploads_enabled => Some(Self::UploadFailed),
            project::AccountState::Active => None,
        }
    }
}
