//! Why something was not copied, and what an S3 server's refusal means for it.

use aws_sdk_s3::error::ProvideErrorMetadata;
use stowage_model::DeliveryRefusal;
use stowage_store::blobs::BlobError;
use stowage_store::blobs::s3::{Failure, causes};

/// The code of a refusal that has none because nobody answered.
const UNREACHABLE: &str = "Unreachable";

/// The code of an object that is not what was sent and cannot be deleted: another attempt would take it for a copy.
pub const DATA_CORRUPTED: &str = "DataCorrupted";

/// The code of an upload that is not in the bucket of its storage any more.
pub(crate) const ELSEWHERE: &str = "Elsewhere";

/// Codes of refusals after which the same request may well succeed, whatever their status.
const PASSING: &[&str] = &[
    UNREACHABLE,
    "BadDigest",
    "ConditionalRequestConflict",
    "ExpiredToken",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
];

/// Codes of refusals of bytes that are not those that were sent.
const CHANGED: &[&str] = &["BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"];

/// Why something was not copied. The texts hold no secrets.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CopyError {
    /// The storage refuses, and would refuse again.
    #[error("{message}")]
    Permanent {
        /// S3's word for it, such as `NoSuchBucket` or `AccessDenied`.
        code: String,
        /// What was being done, and what the server said.
        message: String,
    },
    /// The storage cannot do it at the moment.
    #[error("{message}")]
    Passing {
        /// What was being done, and what went wrong.
        message: String,
    },
    /// Our own records or bytes cannot be had at the moment; that says nothing about the storage.
    #[error("{message}")]
    Ours {
        /// What was being done, and what went wrong.
        message: String,
    },
    /// There are no bytes to copy any more.
    #[error("the bytes of the file are gone")]
    Gone,
    /// Somebody else goes on with this copy.
    #[error("the copy has passed to another worker")]
    Lost,
    /// What is to be copied cannot be made.
    #[error("{0}")]
    Refused(DeliveryRefusal),
}

impl CopyError {
    pub(crate) fn passing(message: impl Into<String>) -> Self {
        Self::Passing { message: message.into() }
    }

    pub(crate) fn ours(message: impl Into<String>) -> Self {
        Self::Ours { message: message.into() }
    }
}

impl From<BlobError> for CopyError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::Gone,
            other => Self::ours(format!("reading the file failed: {other}")),
        }
    }
}

/// What a server said, or that it said nothing.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// S3's word for it; one that goes with the status where the server gave none.
    pub(crate) code: String,
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// The region in which the bucket lies, where the answer says so.
    pub(crate) region: Option<String>,
    text: String,
}

impl Refused {
    /// What came of `doing` something.
    pub(crate) fn of<E>(doing: &str, error: &Failure<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Some(response) = error.raw_response() else {
            let text = format!("{doing} failed: {}", causes(error));
            return Self { code: UNREACHABLE.to_owned(), status: None, region: None, text };
        };
        let status = response.status().as_u16();
        let code = error.code().map_or_else(|| code_of(status).to_owned(), |code| clip(code, 64));
        let mut parts = vec![format!("{doing} failed: status {status}, {code}")];
        parts.extend(error.message().map(|message| clip(message, 256)));
        parts.extend(response.headers().get("x-amz-request-id").map(|id| format!("request {}", clip(id, 64))));
        let named = response.headers().get("x-amz-bucket-region").map(str::to_owned);
        let region = named.or_else(|| response.body().bytes().and_then(region_in)).filter(|name| is_region(name));
        Self { code, status: Some(status), region, text: parts.join(", ") }
    }

    /// The same with another word for it.
    pub(crate) fn named(self, code: &str) -> Self {
        Self { code: code.to_owned(), ..self }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        let status = self.status.unwrap_or(503);
        PASSING.contains(&self.code.as_str())
            || matches!(status, 200..=299 | 408 | 429)
            || (status >= 500 && self.code != "NotImplemented")
    }

    /// Whether the server says that other bytes have arrived than were sent.
    pub(crate) fn is_of_changed_bytes(&self) -> bool {
        CHANGED.contains(&self.code.as_str())
    }

    /// Whether the server says that there is no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.code.as_str(), "NoSuchKey" | "NotFound" | "NoSuchUpload")
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<Refused> for CopyError {
    fn from(refused: Refused) -> Self {
        if refused.is_passing() {
            return Self::Passing { message: refused.text };
        }
        Self::Permanent { code: refused.code, message: refused.text }
    }
}

/// S3's usual word for a status: answers to HEAD have no body that could name one.
fn code_of(status: u16) -> &'static str {
    match status {
        301 | 302 | 307 => "PermanentRedirect",
        401 | 403 => "AccessDenied",
        404 => "NotFound",
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        501 => "NotImplemented",
        500..=599 => "ServiceUnavailable",
        _ => "Refused",
    }
}

/// Servers may say what they like; so much of it, in one line, is passed on.
fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn region_in(body: &[u8]) -> Option<String> {
    let (_, rest) = str::from_utf8(body).ok()?.split_once("<Region>")?;
    rest.split_once("</Region>").map(|(name, _)| name.to_owned())
}

/// Whether something can be a region: it becomes part of a host name.
pub(crate) fn is_region(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
