//! What the REST API tells instead of an answer (REST API reference, "Errors and throttling"). Texts that are the vendor's
//! stand here to the letter; `docs/errors.md` says when each is told. `api::errors` alone renders them.

use crate::{HookVersion, Refusal, search, webhook};

/// A version of the REST API. Webhooks are told in the same versions.
pub type RestVersion = HookVersion;

/// The most files that are stored or removed by one request.
pub const MAX_BATCH: usize = 100;

/// A refusal of the REST API. Its `Display` is the text that the user sees.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestRefusal {
    /// `Accept` names no version that is served, or one that does not have the endpoint.
    #[error("Incorrect Accept header provided. Make sure to specify API version. Refer to REST API docs for details")]
    AcceptIncorrect,
    /// `Authorization` is missing, malformed or of another scheme, or the date of a signed request is no good.
    #[error("Incorrect authentication credentials.")]
    CredentialsIncorrect,
    /// The key belongs to no project; carries it.
    #[error("Public key {0} not found.")]
    PublicKeyNotFound(String),
    /// The secret key is another one, or the project has none.
    #[error("Secret key not found.")]
    SecretKeyNotFound,
    /// No secret key of the project made this signature.
    #[error("Invalid signature. Please check your Secret key.")]
    SignatureInvalid,
    /// The same, as versions before 0.7 tell it.
    #[error("Invalid signature. Please check your secret key.")]
    SignatureInvalidOld,
    /// The secret key was sent over plain HTTP, which the operator forbids.
    #[error("Simple authentication over HTTP is forbidden. Please, use HTTPS or signed requests instead.")]
    SimpleOverHttp,
    /// The rate limit says no; carries the seconds after which to try again.
    #[error("Request was throttled. Expected available in {0} second{plural}.", plural = if *.0 == 1 { "" } else { "s" })]
    Throttled(u64),
    /// There is no such path, file, group, webhook, key or job, or it belongs to another project.
    #[error("Not found.")]
    NotFound,
    /// The path exists, the method does not; carries it.
    #[error("Method \"{0}\" not allowed.")]
    MethodNotAllowed(String),

    /// The body is longer than any that makes sense.
    #[error("The size of the request is too large.")]
    BodyTooLarge,
    /// The body broke off, or did not arrive in time.
    #[error("The body of the request could not be read.")]
    BodyBroken,
    /// The body is declared as something else than JSON or an urlencoded form; carries what.
    #[error("Unsupported media type \"{0}\" in request.")]
    MediaTypeUnsupported(String),
    /// The body is no JSON object.
    #[error("Expected JSON object.")]
    ObjectExpected,
    /// The body is no JSON string.
    #[error("Expected JSON string.")]
    StringExpected,
    /// The body is no list of texts.
    #[error("Expected list of UUIDs")]
    UuidsExpected,
    /// The body is an empty list.
    #[error("List of UUIDs can not be empty")]
    UuidsEmpty,
    /// The body is a list of more than [`MAX_BATCH`].
    #[error("Maximum UUIDs per request is exceeded. The limit is {max}", max = MAX_BATCH)]
    UuidsTooMany,

    /// A parameter is neither true nor false; carries its name.
    #[error("`{0}` parameter should be `true` or `false`.")]
    BooleanExpected(&'static str),
    /// A parameter is no time; carries its name.
    #[error("`{0}` parameter should be a valid ISO 8601 date and time.")]
    TimeExpected(&'static str),
    /// A parameter is no number of bytes; carries its name.
    #[error("`{0}` parameter should be a number of bytes.")]
    SizeExpected(&'static str),
    /// A parameter is no list of texts; carries its name.
    #[error("`{0}` parameter should be a list of strings.")]
    TextsExpected(&'static str),
    /// A parameter is no object with texts in it; carries its name.
    #[error("`{0}` parameter should be an object of strings.")]
    TextsByKeyExpected(&'static str),
    /// There is no such order; carries those that there are.
    #[error("`ordering` parameter should be one of {0}.")]
    OrderingUnknown(&'static str),

    /// What is to be copied is not said.
    #[error("`source` parameter is required.")]
    SourceRequired,
    /// What is to be copied is no reference to a file.
    #[error("Bad `source` parameter. Use UUID or CDN URL.")]
    SourceInvalid,
    /// The project has no storage of this name.
    #[error("Project has no storage with provided name.")]
    StorageNotFound,
    /// The pattern is none, or makes no key of the file; carries it in back quotes, or a sentence.
    #[error("Invalid pattern provided: {0}")]
    PatternInvalid(String),
    /// The storage does not take the copy and will not later.
    #[error("Can not copy to storage `{storage}`: {code}.")]
    StorageRefused {
        /// Its name.
        storage: String,
        /// What S3 calls the reason.
        code: String,
    },
    /// The storage does not take the copy now.
    #[error("Storage `{storage}` can not be reached at the moment. Please try again later.")]
    StorageUnavailable {
        /// Its name.
        storage: String,
        /// Seconds until it may go better.
        retry_after: u64,
    },
    /// The file is larger than any that is copied.
    #[error("Copying of large files is not supported at the moment.")]
    CopyTooLarge,
    /// What the operations ask for cannot be made of the file; carries the sentence.
    #[error("{0}")]
    CannotProcess(String),

    /// The target of a webhook is not said.
    #[error("`target_url` is missing.")]
    TargetUrlMissing,
    /// The target of a webhook is no URL that could be called.
    #[error("Enter a valid URL.")]
    TargetUrlInvalid,
    /// The target of a webhook is too long.
    #[error("Ensure this field has no more than {max} characters.", max = webhook::MAX_TARGET_CHARS)]
    TargetUrlTooLong,
    /// The target of a webhook is, or resolves to, an address that is not public.
    #[error("Only public IPs are allowed. Others need the setting fetch.allow.")]
    TargetUrlPrivate,
    /// What a webhook is to be told of is not said.
    #[error("This field is required.")]
    EventRequired,
    /// There is no such event, or not in the version of the webhook; carries it.
    #[error("\"{0}\" is not a valid choice.")]
    EventUnknown(String),
    /// Whether a webhook is active is neither true nor false.
    #[error("Must be a valid boolean.")]
    ActiveInvalid,
    /// The signing secret of a webhook is no text.
    #[error("Not a valid string.")]
    SigningSecretInvalid,
    /// The signing secret of a webhook is too long.
    #[error("Ensure this field has no more than {max} characters.", max = webhook::MAX_SECRET_CHARS)]
    SigningSecretTooLong,
    /// The version of a webhook is another one than that of the request, or was to be changed.
    #[error("Invalid version")]
    WebhookVersionInvalid,
    /// The project has a webhook with this event and this target.
    #[error("This project is already subscribed on this event")]
    WebhookDuplicated,
    /// The project has as many webhooks as it may have.
    #[error("A project can not have more than {max} webhooks.", max = webhook::MAX_WEBHOOKS)]
    WebhooksTooMany,

    /// There are no conditions to search by.
    #[error("At least one search condition is required.")]
    SearchEmpty,
    /// The text to search for is too short.
    #[error("Must be at least {min} characters.", min = search::MIN_QUERY_CHARS)]
    SearchQueryTooShort,
    /// A phrase of a search is too short.
    #[error("Ensure that every phrase has at least {} characters.", search::MIN_QUERY_CHARS)]
    SearchPhraseTooShort,
    /// A search looks for a field in `phrase` and in `exact`.
    #[error("A field cannot be in `phrase` and in `exact` at once.")]
    SearchFieldTwice,
    /// A parameter of a search is unknown, or makes no sense; carries its name.
    #[error("Bad `{0}` parameter.")]
    SearchInvalid(String),
    /// The page is beyond what a search reaches.
    #[error("The sum of `offset` and `limit` can not be more than {max}.", max = search::MAX_REACH)]
    SearchReachExceeded,

    /// There is nothing that converts documents.
    #[error("Document conversion feature is not available for this project.")]
    DocumentConversionUnavailable,
    /// There is nothing that converts videos.
    #[error("Video conversion feature is not available for this project.")]
    VideoConversionUnavailable,
    /// What is to be converted is not said.
    #[error("“paths” parameter is required.")]
    PathsRequired,
    /// The file for an add-on is not said.
    #[error("This field is required.")]
    AddonTargetRequired,
    /// The id of the file for an add-on is no UUID.
    #[error("Must be a valid UUID.")]
    AddonTargetInvalid,
    /// The id of an add-on's run is not said.
    #[error("This field is required.")]
    RequestIdRequired,
    /// The id of an add-on's run is no UUID.
    #[error("Must be a valid UUID.")]
    RequestIdInvalid,
    /// The add-on is not set up.
    #[error("This Add-On is not available for this project.")]
    AddonUnavailable,

    /// There is no space left for bytes or records.
    #[error("No space left.")]
    NoSpace,
    /// Something failed that should not have: the records or the blob store.
    #[error("Internal error.")]
    Internal,
    /// What the Upload API refuses in the same words: metadata, tags, the state of the project.
    #[error("{0}")]
    Upload(Refusal),
}

/// What stands around the text of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `{"detail": TEXT}`.
    Detail,
    /// `{NAME: [TEXT]}`.
    Field(&'static str),
}

impl RestRefusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::CredentialsIncorrect
            | Self::PublicKeyNotFound(_)
            | Self::SecretKeyNotFound
            | Self::SignatureInvalid
            | Self::SignatureInvalidOld => 401,
            Self::AddonUnavailable => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::AcceptIncorrect => 406,
            Self::BodyTooLarge => 413,
            Self::MediaTypeUnsupported(_) => 415,
            Self::Throttled(_) => 429,
            Self::Internal => 500,
            Self::StorageUnavailable { .. } => 503,
            Self::NoSpace => 507,
            Self::Upload(refusal) => refusal.status(),
            // All others are told of what was sent.
            _ => 400,
        }
    }

    /// What stands around the text.
    pub fn shape(&self) -> Shape {
        match self {
            Self::TargetUrlInvalid | Self::TargetUrlTooLong | Self::TargetUrlPrivate => Shape::Field("target_url"),
            Self::EventRequired | Self::EventUnknown(_) => Shape::Field("event"),
            Self::ActiveInvalid => Shape::Field("is_active"),
            Self::SigningSecretInvalid | Self::SigningSecretTooLong => Shape::Field("signing_secret"),
            Self::WebhookDuplicated | Self::WebhooksTooMany | Self::SearchEmpty | Self::SearchReachExceeded => {
                Shape::Field("non_field_errors")
            }
            Self::SearchQueryTooShort => Shape::Field("query"),
            Self::SearchPhraseTooShort | Self::SearchFieldTwice => Shape::Field("phrase"),
            Self::SearchInvalid(name) => Shape::Field(search::parameter(name).unwrap_or("non_field_errors")),
            Self::AddonTargetRequired | Self::AddonTargetInvalid => Shape::Field("target"),
            Self::RequestIdRequired | Self::RequestIdInvalid => Shape::Field("request_id"),
            _ => Shape::Detail,
        }
    }
}

impl From<Refusal> for RestRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RequestThrottled { retry_after } => Self::Throttled(retry_after),
            Refusal::UploadApi => Self::Internal,
            other => Self::Upload(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_is_not_told_as_several() {
        assert_eq!(RestRefusal::Throttled(1).to_string(), "Request was throttled. Expected available in 1 second.");
        let ten = RestRefusal::from(Refusal::RequestThrottled { retry_after: 10 });
        assert_eq!(ten.to_string(), "Request was throttled. Expected available in 10 seconds.");
    }

    #[test]
    fn refusals_of_the_upload_api_keep_their_status_and_words() {
        let refusal = RestRefusal::from(Refusal::FileMetadataValueEmpty("k".into()));
        assert_eq!((refusal.status(), refusal.shape()), (400, Shape::Detail));
        assert_eq!(refusal.to_string(), "Value of the file metadata key `k` can not be empty.");
        assert_eq!(RestRefusal::from(Refusal::UploadApi), RestRefusal::Internal);
    }
}
