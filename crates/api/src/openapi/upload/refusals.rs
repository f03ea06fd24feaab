//! The refusals that several endpoints of the upload door have in common, each with an example of what it is filled in with.

use stowage_model::Refusal;

/// Of every endpoint.
pub(super) fn always() -> Vec<Refusal> {
    vec![Refusal::RequestThrottled { retry_after: 1 }, Refusal::UploadApi]
}

/// Where a form is read.
pub(super) fn posted() -> Vec<Refusal> {
    vec![Refusal::PostRequestParserFailed, Refusal::RequestFieldsNumberLimitExceeded, Refusal::RequestSizeLimitExceeded]
}

/// Where a public key is asked for, under this name.
pub(super) fn keyed(name: &'static str) -> Vec<Refusal> {
    vec![
        Refusal::NullCharactersForbidden,
        Refusal::ProjectPublicKeyInvalid(name),
        Refusal::ProjectPublicKeyRequired(name),
    ]
}

/// Where an access token is good.
pub(super) fn tokened() -> Vec<Refusal> {
    let invalid = |status, text: &str| Refusal::AccessTokenInvalid { status, text: text.to_owned() };
    vec![
        Refusal::AccessTokenExpired,
        invalid(401, "Invalid Authorization header format."),
        invalid(403, "Do not use `signature` or `expire` together with a Bearer token."),
        Refusal::ScopeForbidden,
    ]
}

/// Where the project must take uploads, and this one in particular.
pub(super) fn allowed() -> Vec<Refusal> {
    let own = vec![
        Refusal::ProjectPublicKeyRemoved("PUBLIC_KEY".to_owned()),
        Refusal::AccountBlocked,
        Refusal::AccountUnpaid,
        Refusal::AccountLimitsExceeded,
        Refusal::UploadFailed,
        Refusal::OperationsLimitExceeded,
        Refusal::SignatureRequired,
        Refusal::SignatureExpirationRequired,
        Refusal::SignatureExpirationInvalid,
        Refusal::SignatureExpiration,
        Refusal::SignatureInvalid,
    ];
    [tokened(), own].concat()
}

/// Where metadata, tags and a word about storing come with a file.
pub(super) fn attached() -> Vec<Refusal> {
    let key = || "key".to_owned();
    vec![
        Refusal::AutostoreDisabled,
        Refusal::FileMetadataKeyEmpty,
        Refusal::FileMetadataKeyForbidden(key()),
        Refusal::FileMetadataKeyLengthTooBig(key()),
        Refusal::FileMetadataKeyDuplicated(key()),
        Refusal::FileMetadataKeysNumberTooBig,
        Refusal::FileMetadataValueEmpty(key()),
        Refusal::FileMetadataValueForbidden(key()),
        Refusal::FileMetadataValueLengthTooBig(key()),
        Refusal::UploadViews("Tag `a b` contains forbidden characters.".to_owned()),
    ]
}

/// Where content is looked at.
pub(super) fn checked() -> Vec<Refusal> {
    vec![
        Refusal::FileTypeForbidden,
        Refusal::FileInfected("EICAR".to_owned()),
        Refusal::SvgValidationFailed("unclosed tag".to_owned()),
        Refusal::SvgMaliciousContent("event handlers are not allowed".to_owned()),
    ]
}
