//! Every refusal of the catalogue by its code (`docs/errors.md`), for whoever wants to be refused: each with values that make its sentence whole.

use std::fmt::Debug;

use stowage_model::multipart::MIN_PART_SIZE;
use stowage_model::rest::Shape;
use stowage_model::{DeliveryRefusal, FileId, Refusal, RestRefusal};

use crate::errors::Said;

/// After how many seconds to try again, where nobody says otherwise.
const RETRY_AFTER: u64 = 1;

/// A door with a catalogue of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// The Upload API and the URLs of parts.
    Upload,
    /// The REST API.
    Rest,
    /// Delivery.
    Delivery,
}

impl Door {
    /// Whether its catalogue has a code.
    pub fn has_code(self, code: &str) -> bool {
        let asked = Asked { method: "", path: "", key: "" };
        match self {
            Self::Upload => upload(code, &asked).is_some(),
            Self::Rest => rest(code, &asked).is_some(),
            Self::Delivery => delivery(code, &asked).is_some(),
        }
    }
}

/// What some sentences repeat of a request.
pub(crate) struct Asked<'r> {
    pub(crate) method: &'r str,
    pub(crate) path: &'r str,
    /// What the endpoint calls the public key.
    pub(crate) key: &'static str,
}

/// A refusal of the Upload API: its code, and what it says.
pub(crate) fn upload(code: &str, asked: &Asked<'_>) -> Option<(&'static str, Said)> {
    let raised = uploads(asked).into_iter().find(|refusal| refusal.code() == code);
    if let Some(refusal) = raised {
        return Some((refusal.code(), Said::from(&refusal)));
    }
    let (status, code, text) = NOT_RAISED.into_iter().find(|(_, known, _)| *known == code)?;
    Some((code, Said { status, text: text.to_owned(), retry_after: None }))
}

/// A refusal of the REST API: what stands around its sentence, and what it says.
pub(crate) fn rest(code: &str, asked: &Asked<'_>) -> Option<(Shape, Said)> {
    let refusal = rests(asked).into_iter().find(|refusal| is_called(refusal, code))?;
    Some((refusal.shape(), Said::from(&refusal)))
}

/// A refusal of delivery.
pub(crate) fn delivery(code: &str, asked: &Asked<'_>) -> Option<DeliveryRefusal> {
    deliveries(asked).into_iter().find(|refusal| is_called(refusal, code))
}

/// Whether a refusal without a code of its own goes by this name: that of its variant.
fn is_called(refusal: &impl Debug, code: &str) -> bool {
    let shown = format!("{refusal:?}");
    shown.split(|c: char| !c.is_ascii_alphanumeric()).next() == Some(code)
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn uploads(asked: &Asked<'_>) -> Vec<Refusal> {
    use Refusal as R;
    vec![
        R::AccountBlocked,
        R::AccountLimitsExceeded,
        R::AccountUnpaid,
        R::AutostoreDisabled,
        R::FileMetadataKeyDuplicated(text("key")),
        R::FileMetadataKeyEmpty,
        R::FileMetadataKeyForbidden(text("a key")),
        R::FileMetadataKeyLengthTooBig(text("key...")),
        R::FileMetadataKeysNumberTooBig,
        R::FileMetadataValueEmpty(text("key")),
        R::FileMetadataValueForbidden(text("key")),
        R::FileMetadataValueLengthTooBig(text("key")),
        R::FileSizeLimitExceeded,
        R::MethodNotAllowed { method: text(asked.method), path: text(asked.path) },
        R::NullCharactersForbidden,
        R::PostRequestParserFailed,
        R::ProjectPublicKeyInvalid(asked.key),
        R::ProjectPublicKeyRemoved(text("demopublickey")),
        R::ProjectPublicKeyRequired(asked.key),
        R::RequestFieldsNumberLimitExceeded,
        R::RequestFileNumberLimitExceeded,
        R::RequestSizeLimitExceeded,
        R::RequestThrottled { retry_after: RETRY_AFTER },
        R::SignatureExpiration,
        R::SignatureExpirationInvalid,
        R::SignatureExpirationRequired,
        R::SignatureInvalid,
        R::SignatureRequired,
        R::AccessTokenExpired,
        R::AccessTokenInvalid { status: 401, text: text("Invalid token. Reason: signature does not match") },
        R::OperationsLimitExceeded,
        R::ScopeForbidden,
        R::UploadApi,
        R::UploadFailed,
        R::UploadViews(text("Too many tags: 51 (max 50).")),
        R::FileIdInvalid,
        R::FileIdRequired,
        R::FileNotFound,
        R::FilesRequired,
        R::UploadcareFileIdDuplicated,
        R::UploadcareFileIdInvalid,
        R::FileTypeForbidden,
        R::FilesNumberLimitExceeded,
        R::MultipartFileAlreadyUploaded,
        R::MultipartFileCompletionFailed,
        R::MultipartFileIdRequired,
        R::MultipartFileNotFound,
        R::MultipartFileSizeLimitExceeded,
        R::MultipartFileSizeTooSmall,
        R::MultipartPartSizeInvalid,
        R::MultipartPartSizeTooBig,
        R::MultipartPartSizeTooSmall(MIN_PART_SIZE),
        R::MultipartSizeInvalid,
        R::MultipartUploadSizeTooLarge,
        R::MultipartUploadSizeTooSmall,
        R::RequestParamRequired("filename"),
        R::SourceUrlRequired,
        R::TokenRequired,
        R::UuidInvalid,
        R::FileInfected(text("Win.Test.EICAR_HDB-1")),
        R::SvgValidationFailed(text("the document does not parse")),
        R::SvgMaliciousContent(text("an element `script`")),
        R::GroupFileUrlParsingFailed(text("nonsense")),
        R::GroupFilesInvalid,
        R::GroupFilesNotFound,
        R::GroupIdRequired,
        R::GroupNotFound,
        R::HostnameNotFound,
        R::UrlBlacklisted,
        R::UrlHostMalformed,
        R::UrlHostPrivateIpForbidden,
        R::UrlHostRequired,
        R::UrlParsingFailed,
        R::UrlRedirectsLimitExceeded,
        R::UrlSchemeInvalid,
        R::UrlSchemeRequired,
        R::UrlValidation,
        R::DownloadFile,
        R::DownloadFileHttpClient(404),
        R::DownloadFileHttpNetwork(text("connection refused")),
        R::DownloadFileHttpServer(500),
        R::DownloadFileHttpUrlValidation(text("Only public IPs are allowed")),
        R::DownloadFileInternalServer,
        R::DownloadFileNotFound,
        R::DownloadFileSizeLimitExceeded { size: 2_000_000, limit: 1_000_000 },
        R::DownloadFileTaskFailed,
        R::DownloadFileTimeLimitExceeded(300),
        R::DownloadFileValidationFailed(text("Uploading of these file types is not allowed.")),
    ]
}

/// Codes of the vendor that nothing raises here: status, code, text.
const NOT_RAISED: [(u16, &str, &str); 9] = [
    (400, "BaseViewsError", "Request processing failed."),
    (400, "FileIdNotUniqueError", "File id must be unique."),
    (400, "FileRequiredError", "There should be a file."),
    (403, "InternalRequestForbiddenError", "Forbidden request."),
    (400, "InternalRequestInvalidError", "Incorrect request."),
    (400, "UploadcareActionInvalidError", "UPLOADCARE_ACTION should be a valid URL."),
    (400, "UploadcareActionRequiredError", "UPLOADCARE_ACTION is required."),
    (400, "UploadcareFileIdRequiredError", "UPLOADCARE_FILE_ID is required."),
    (400, "GroupViewsError", "Request to group processing failed."),
];

fn rests(asked: &Asked<'_>) -> Vec<RestRefusal> {
    use RestRefusal as R;
    vec![
        R::AcceptIncorrect,
        R::CredentialsIncorrect,
        R::PublicKeyNotFound(text("nobody")),
        R::SecretKeyNotFound,
        R::SignatureInvalid,
        R::SignatureInvalidOld,
        R::SimpleOverHttp,
        R::Throttled(RETRY_AFTER),
        R::NotFound,
        R::MethodNotAllowed(text(asked.method)),
        R::BodyTooLarge,
        R::BodyBroken,
        R::MediaTypeUnsupported(text("text/plain")),
        R::ObjectExpected,
        R::StringExpected,
        R::UuidsExpected,
        R::UuidsEmpty,
        R::UuidsTooMany,
        R::BooleanExpected("stored"),
        R::TimeExpected("from"),
        R::SizeExpected("from"),
        R::TextsExpected("tags"),
        R::TextsByKeyExpected("metadata"),
        R::OrderingUnknown("datetime_uploaded, -datetime_uploaded"),
        R::SourceRequired,
        R::SourceInvalid,
        R::StorageNotFound,
        R::PatternInvalid(text("`${nonsense}`")),
        R::StorageRefused { storage: text("mystorage"), code: text("AccessDenied") },
        R::StorageUnavailable { storage: text("mystorage"), retry_after: RETRY_AFTER },
        R::CopyTooLarge,
        R::CannotProcess(text("Not supported for files that are not images.")),
        R::TargetUrlMissing,
        R::TargetUrlInvalid,
        R::TargetUrlTooLong,
        R::TargetUrlPrivate,
        R::EventRequired,
        R::EventUnknown(text("file.nonsense")),
        R::ActiveInvalid,
        R::SigningSecretInvalid,
        R::SigningSecretTooLong,
        R::WebhookVersionInvalid,
        R::WebhookDuplicated,
        R::WebhooksTooMany,
        R::SearchEmpty,
        R::SearchQueryTooShort,
        R::SearchPhraseTooShort,
        R::SearchFieldTwice,
        R::SearchInvalid(text("nonsense")),
        R::SearchReachExceeded,
        R::DocumentConversionUnavailable,
        R::VideoConversionUnavailable,
        R::PathsRequired,
        R::AddonTargetRequired,
        R::AddonTargetInvalid,
        R::RequestIdRequired,
        R::RequestIdInvalid,
        R::AddonUnavailable,
        R::NoSpace,
        R::Internal,
        R::Upload(Refusal::AccountBlocked),
    ]
}

fn deliveries(asked: &Asked<'_>) -> Vec<DeliveryRefusal> {
    use DeliveryRefusal as R;
    vec![
        R::NotFound,
        R::OverlayNotFound(FileId(uuid::Uuid::nil())),
        R::OperationInvalid(text("`nonsense` is no operation.")),
        R::NotAnImage,
        R::CannotProcess(text("The picture is damaged.")),
        R::TokenInvalid,
        R::DomainNotAllowed,
        R::NoProxy,
        R::NoRoom(text("Account has been blocked.")),
        R::OriginFailed(text("it answered 404.")),
        R::Busy { retry_after: RETRY_AFTER },
        R::MethodNotAllowed(text(asked.method)),
        R::Failed,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/errors.md");

    /// Code, status and text of each refusal in a part of the page.
    fn told(page: &str) -> Vec<(&str, &str, &str)> {
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let (code, status, text) = (cells.next()?, cells.next()?, cells.next()?);
            let text = text.trim_matches('`').trim();
            (status == "*" || status.parse::<u16>().is_ok()).then_some((code, status, text))
        });
        rows.collect()
    }

    /// Whether a sentence is one of the form, in which `%` stands for anything.
    fn fits(form: &str, sentence: &str) -> bool {
        let Some((start, rest)) = form.split_once('%') else { return form == sentence };
        let Some(sentence) = sentence.strip_prefix(start) else { return false };
        (0..=sentence.len()).filter(|at| sentence.is_char_boundary(*at)).any(|at| fits(rest, &sentence[at..]))
    }

    #[test]
    fn the_whole_catalogue_is_known_as_the_page_tells_it() {
        let (uploads, rest_of_page) = PAGE.split_once("# Refusals of delivery").unwrap();
        let (deliveries, rests) = rest_of_page.split_once("# Refusals of the REST API").unwrap();
        let asked = Asked { method: "PATCH", path: "/base/", key: "pub_key" };
        let check = |code: &str, status: &str, form: &str, said: &Said| {
            assert!(status == "*" || status == said.status.to_string(), "{code}: {}", said.status);
            assert!(fits(form, &said.text), "{code}: {}", said.text);
        };
        let counts = [uploads, rests, deliveries].map(|page| told(page).len());
        assert_eq!(counts, [97, 61, 13]);
        for (code, status, form) in told(uploads) {
            let (known, said) = upload(code, &asked).unwrap_or_else(|| panic!("{code}"));
            assert_eq!(known, code);
            check(code, status, form, &said);
        }
        for (code, status, form) in told(rests) {
            let (_, said) = rest(code, &asked).unwrap_or_else(|| panic!("{code}"));
            check(code, status, form, &said);
        }
        for (code, status, form) in told(deliveries) {
            let refusal = delivery(code, &asked).unwrap_or_else(|| panic!("{code}"));
            check(code, status, form, &Said::from(&refusal));
        }
    }

    #[test]
    fn codes_belong_to_doors() {
        assert!(Door::Upload.has_code("FileIdNotUniqueError") && !Door::Rest.has_code("FileIdNotUniqueError"));
        assert!(Door::Rest.has_code("NotFound") && Door::Delivery.has_code("NotFound"));
        for nonsense in ["", "notfound", "NotFound(", "Nonsense"] {
            assert!(
                ![Door::Upload, Door::Rest, Door::Delivery].iter().any(|door| door.has_code(nonsense)),
                "{nonsense}"
            );
        }
    }
}
