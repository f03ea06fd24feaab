//! The catalogue of refusals: everything that a user can be told instead of an answer, with status, code and text.
//! Texts follow the vendor's error catalogue to the letter, its misspellings included; `api::errors` alone renders them.

use crate::{metadata, multipart, project};

/// A refusal. Its `Display` is the text that the user sees.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The account of the project is blocked.
    #[error("Account has been blocked.")]
    AccountBlocked,
    /// The project has used up its bytes or files.
    #[error("Account has reached its limits.")]
    AccountLimitsExceeded,
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
    /// The rate limit says no.
    #[error("Request was throttled.")]
    RequestThrottled {
        /// After how many seconds to try again.
        retry_after: u64,
    },
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
    /// The access token's time is over.
    #[error("Expired token.")]
    AccessTokenExpired,
    /// The access token is no good; the text says why.
    #[error("{text}")]
    AccessTokenInvalid {
        /// 401, or 403 where a token and a signature came together.
        status: u16,
        /// The whole sentence.
        text: String,
    },
    /// The access token has been used as often as it may be.
    #[error("The operation limit of the token is exhausted.")]
    OperationsLimitExceeded,
    /// The access token is not for this path.
    #[error("`uc.restrictions.scope` does not allow this endpoint.")]
    ScopeForbidden,
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
    /// More files than a group may have.
    #[error("There are too many files.")]
    FilesNumberLimitExceeded,
    /// The multipart upload has been completed before.
    #[error("File is already uploaded.")]
    MultipartFileAlreadyUploaded,
    /// The parts do not fit together.
    #[error("Can not complete upload. Wrong parts size?")]
    MultipartFileCompletionFailed,
    /// The id of the multipart upload is missing.
    #[error("uuid is required.")]
    MultipartFileIdRequired,
    /// The project has no such multipart upload, or its time is over.
    #[error("File is not found.")]
    MultipartFileNotFound,
    /// The announced size is larger than the project takes.
    #[error("File size exceeds project limit.")]
    MultipartFileSizeLimitExceeded,
    /// The announced size is too small for a multipart upload.
    #[error("File size can not be less than {min} bytes. Please use direct upload instead of multipart.", min = multipart::MIN_FILE_SIZE)]
    MultipartFileSizeTooSmall,
    /// The part size is no number.
    #[error("Multipart Upload Part Size should be an integer.")]
    MultipartPartSizeInvalid,
    /// The part size is too large.
    #[error("Multipart Upload Part Size can not be more than {max} bytes.", max = multipart::MAX_PART_SIZE)]
    MultipartPartSizeTooBig,
    /// The part size is too small, absolutely or for a file of this size; carries the smallest that will do.
    #[error("Multipart Upload Part Size can not be less than {0} bytes.")]
    MultipartPartSizeTooSmall(u64),
    /// The announced size is no number.
    #[error("size should be integer.")]
    MultipartSizeInvalid,
    /// More bytes have arrived than were announced.
    #[error("Uploaded size is more than expected.")]
    MultipartUploadSizeTooLarge,
    /// Fewer bytes have arrived than were announced.
    #[error("File size mismatch. Not all parts uploaded?")]
    MultipartUploadSizeTooSmall,
    /// A parameter is missing; carries its name.
    #[error("{0} is required.")]
    RequestParamRequired(&'static str),
    /// The URL to fetch is missing.
    #[error("source_url is required.")]
    SourceUrlRequired,
    /// The token of a task is missing.
    #[error("token is required.")]
    TokenRequired,
    /// The id of a multipart upload is no UUID.
    #[error("uuid is invalid.")]
    UuidInvalid,
    /// The id that the uploader chose is taken.
    #[error("UPLOADCARE_FILE_ID is duplicated. You are probably a lottery winner.")]
    UploadcareFileIdDuplicated,
    /// The id that the uploader chose is no UUID.
    #[error("UPLOADCARE_FILE_ID should be a valid UUID.")]
    UploadcareFileIdInvalid,
    /// The detected type is not among those that the project takes.
    #[error("Uploading of these file types is not allowed.")]
    FileTypeForbidden,
    /// A virus was found; carries its name.
    #[error("The file is infected by {0} virus.")]
    FileInfected(String),
    /// An SVG does not parse; carries what is wrong.
    #[error("SVG validation failed: {0}.")]
    SvgValidationFailed(String),
    /// An SVG has scripts in it; carries where.
    #[error("SVG contains malicious content: {0}.")]
    SvgMaliciousContent(String),

    /// A member of a group is no reference to a file; carries it.
    #[error("This is not valid file url: {0}.")]
    GroupFileUrlParsingFailed(String),
    /// No members of a group were sent.
    #[error("No files[N] parameters found.")]
    GroupFilesInvalid,
    /// A member of a group does not exist, or was removed.
    #[error("Some files not found.")]
    GroupFilesNotFound,
    /// The id of a group is missing.
    #[error("group_id is required.")]
    GroupIdRequired,
    /// The project has no such group.
    #[error("group_id is invalid.")]
    GroupNotFound,

    /// The host of a URL does not resolve.
    #[error("Host does not exist.")]
    HostnameNotFound,
    /// The operator does not want this host.
    #[error("Source is blacklisted.")]
    UrlBlacklisted,
    /// The host of a URL is neither a name nor an address.
    #[error("URL host is malformed.")]
    UrlHostMalformed,
    /// The host of a URL is, or resolves to, an address that is not public.
    #[error("Only public IPs are allowed.")]
    UrlHostPrivateIpForbidden,
    /// A URL has no host.
    #[error("No URL host supplied.")]
    UrlHostRequired,
    /// The text is no URL.
    #[error("Failed to parse URL.")]
    UrlParsingFailed,
    /// There were more redirects than are followed.
    #[error("Too many redirects.")]
    UrlRedirectsLimitExceeded,
    /// The scheme of a URL is neither `http` nor `https`.
    #[error("Invalid URL scheme.")]
    UrlSchemeInvalid,
    /// A URL has no scheme.
    #[error("No URL scheme supplied.")]
    UrlSchemeRequired,
    /// Anything else that is wrong with a URL.
    #[error("Failed to validate URL.")]
    UrlValidation,

    /// Fetching failed for a reason of its own.
    #[error("Failed to download the file.")]
    DownloadFile,
    /// The origin refused; carries its status.
    #[error("HTTP client error: {0}.")]
    DownloadFileHttpClient(u16),
    /// The origin could not be reached, or broke off; carries a short reason.
    #[error("HTTP network error: {0}.")]
    DownloadFileHttpNetwork(String),
    /// The origin failed; carries its status.
    #[error("HTTP server error: {0}.")]
    DownloadFileHttpServer(u16),
    /// The origin redirected to a URL that may not be fetched; carries what is wrong with it, without a full stop.
    #[error("HTTP URL validation error: {0}.")]
    DownloadFileHttpUrlValidation(String),
    /// What was fetched could not be kept.
    #[error("Internal server error.")]
    DownloadFileInternalServer,
    /// What was fetched has vanished before it could be kept.
    #[error("downloaded file not found.")]
    DownloadFileNotFound,
    /// What was fetched is larger than the project takes.
    #[error("Downloaded file is too big: {size} > {limit}.")]
    DownloadFileSizeLimitExceeded {
        /// Bytes that the origin announced or sent so far.
        size: u64,
        /// The most bytes that are taken.
        limit: u64,
    },
    /// The worker died as often as it may.
    #[error("download task failed.")]
    DownloadFileTaskFailed,
    /// Fetching took too long; carries the limit in seconds.
    #[error("Failed to download the file within the allotted time limit of {0} seconds.")]
    DownloadFileTimeLimitExceeded(u64),
    /// What was fetched may not be uploaded; carries the text of the refusal.
    #[error("File validation error: {0}")]
    DownloadFileValidationFailed(String),
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
            Self::AccountLimitsExceeded => (403, "AccountLimitsExceededError"),
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
            Self::RequestThrottled { .. } => (429, "RequestThrottledError"),
            Self::SignatureExpiration => (403, "SignatureExpirationError"),
            Self::SignatureExpirationInvalid => (400, "SignatureExpirationInvalidError"),
            Self::SignatureExpirationRequired => (400, "SignatureExpirationRequiredError"),
            Self::SignatureInvalid => (403, "SignatureInvalidError"),
            Self::SignatureRequired => (400, "SignatureRequiredError"),
            Self::AccessTokenExpired => (401, "AccessTokenExpiredError"),
            Self::AccessTokenInvalid { status, .. } => (*status, "AccessTokenInvalidError"),
            Self::OperationsLimitExceeded => (403, "OperationsLimitExceededError"),
            Self::ScopeForbidden => (403, "ScopeForbiddenError"),
            Self::UploadApi => (500, "UploadAPIError"),
            Self::UploadFailed => (403, "UploadFailedError"),
            Self::UploadViews(_) => (400, "UploadViewsError"),
            Self::FileIdInvalid => (400, "FileIdInvalidError"),
            Self::FileIdRequired => (400, "FileIdRequiredError"),
            Self::FileNotFound => (404, "FileNotFoundError"),
            Self::FilesRequired => (400, "FilesRequiredError"),
            Self::UploadcareFileIdDuplicated => (400, "UploadcareFileIdDuplicatedError"),
            Self::UploadcareFileIdInvalid => (400, "UploadcareFileIdInvalidError"),
            Self::FileTypeForbidden => (400, "FileTypeForbiddenError"),
            Self::FilesNumberLimitExceeded => (400, "FilesNumberLimitExceededError"),
            Self::MultipartFileAlreadyUploaded => (400, "MultipartFileAlreadyUploadedError"),
            Self::MultipartFileCompletionFailed => (400, "MultipartFileCompletionFailedError"),
            Self::MultipartFileIdRequired => (400, "MultipartFileIdRequiredError"),
            Self::MultipartFileNotFound => (404, "MultipartFileNotFoundError"),
            Self::MultipartFileSizeLimitExceeded => (400, "MultipartFileSizeLimitExceededError"),
            Self::MultipartFileSizeTooSmall => (400, "MultipartFileSizeTooSmallError"),
            Self::MultipartPartSizeInvalid => (400, "MultipartPartSizeInvalidError"),
            Self::MultipartPartSizeTooBig => (400, "MultipartPartSizeTooBigError"),
            Self::MultipartPartSizeTooSmall(_) => (400, "MultipartPartSizeTooSmallError"),
            Self::MultipartSizeInvalid => (400, "MultipartSizeInvalidError"),
            Self::MultipartUploadSizeTooLarge => (400, "MultipartUploadSizeTooLargeError"),
            Self::MultipartUploadSizeTooSmall => (400, "MultipartUploadSizeTooSmallError"),
            Self::RequestParamRequired(_) => (400, "RequestParamRequiredError"),
            Self::SourceUrlRequired => (400, "SourceURLRequiredError"),
            Self::TokenRequired => (400, "TokenRequiredError"),
            Self::UuidInvalid => (400, "UUIDInvalidError"),
            Self::FileInfected(_) => (400, "FileInfectedError"),
            Self::SvgValidationFailed(_) => (400, "SVGValidationFailedError"),
            Self::SvgMaliciousContent(_) => (400, "SVGMaliciousContentError"),
            Self::GroupFileUrlParsingFailed(_) => (400, "GroupFileURLParsingFailedError"),
            Self::GroupFilesInvalid => (400, "GroupFilesInvalidError"),
            Self::GroupFilesNotFound => (400, "GroupFilesNotFoundError"),
            Self::GroupIdRequired => (400, "GroupIdRequiredError"),
            Self::GroupNotFound => (404, "GroupNotFoundError"),
            Self::HostnameNotFound => (400, "HostnameNotFoundError"),
            Self::UrlBlacklisted => (400, "URLBlacklistedError"),
            Self::UrlHostMalformed => (400, "URLHostMalformedError"),
            Self::UrlHostPrivateIpForbidden => (400, "URLHostPrivateIPForbiddenError"),
            Self::UrlHostRequired => (400, "URLHostRequiredError"),
            Self::UrlParsingFailed => (400, "URLParsingFailedError"),
            Self::UrlRedirectsLimitExceeded => (400, "URLRedirectsLimitExceededError"),
            Self::UrlSchemeInvalid => (400, "URLSchemeInvalidError"),
            Self::UrlSchemeRequired => (400, "URLSchemeRequiredError"),
            Self::UrlValidation => (400, "URLValidationError"),
            Self::DownloadFile => (500, "DownloadFileError"),
            Self::DownloadFileHttpClient(_) => (500, "DownloadFileHTTPClientError"),
            Self::DownloadFileHttpNetwork(_) => (500, "DownloadFileHTTPNetworkError"),
            Self::DownloadFileHttpServer(_) => (500, "DownloadFileHTTPServerError"),
            Self::DownloadFileHttpUrlValidation(_) => (500, "DownloadFileHTTPURLValidationError"),
            Self::DownloadFileInternalServer => (500, "DownloadFileInternalServerError"),
            Self::DownloadFileNotFound => (500, "DownloadFileNotFoundError"),
            Self::DownloadFileSizeLimitExceeded { .. } => (500, "DownloadFileSizeLimitExceededError"),
            Self::DownloadFileTaskFailed => (500, "DownloadFileTaskFailedError"),
            Self::DownloadFileTimeLimitExceeded(_) => (500, "DownloadFileTimeLimitExceededError"),
            Self::DownloadFileValidationFailed(_) => (500, "DownloadFileValidationFailedError"),
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
            project::AccountState::Limited => Some(Self::AccountLimitsExceeded),
            project::AccountState::Active if !settings.uploads_enabled => Some(Self::UploadFailed),
            project::AccountState::Active => None,
        }
    }
}
