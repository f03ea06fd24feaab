//! What can be wrong with a URL and with a fetch. The texts are for logs; what users are told is the catalogue's.

use std::io;

use stowage_model::Refusal;
use tokio_rustls::rustls::{self, CertificateError};

/// Why a URL is not fetched. Each variant is one entry of the vendor's "URL validation errors".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlFault {
    /// The text is no URL at all (`http://[::1`).
    #[error("it cannot be parsed")]
    Parsing,
    /// It has no scheme (`nope`).
    #[error("it has no scheme")]
    SchemeRequired,
    /// Its scheme is neither http nor https.
    #[error("its scheme is neither http nor https")]
    SchemeInvalid,
    /// It has no host (`http://`).
    #[error("it has no host")]
    HostRequired,
    /// Its host is no name and no address, or its port is none.
    #[error("its host is malformed")]
    HostMalformed,
    /// Its host is, or resolves to, an address that is not public.
    #[error("its host is not public")]
    PrivateIp,
    /// Its host does not resolve, be it for the moment or for ever.
    #[error("its host does not resolve")]
    HostNotFound,
    /// Its host, or an address of its host, is on the operator's list.
    #[error("its host is on the deny list")]
    Blacklisted,
    /// Anything else: it is too long, or it carries a user name or a password.
    #[error("it is not acceptable")]
    Invalid,
}

impl From<UrlFault> for Refusal {
    fn from(fault: UrlFault) -> Self {
        match fault {
            UrlFault::Parsing => Self::UrlParsingFailed,
            UrlFault::SchemeRequired => Self::UrlSchemeRequired,
            UrlFault::SchemeInvalid => Self::UrlSchemeInvalid,
            UrlFault::HostRequired => Self::UrlHostRequired,
            UrlFault::HostMalformed => Self::UrlHostMalformed,
            UrlFault::PrivateIp => Self::UrlHostPrivateIpForbidden,
            UrlFault::HostNotFound => Self::HostnameNotFound,
            UrlFault::Blacklisted => Self::UrlBlacklisted,
            UrlFault::Invalid => Self::UrlValidation,
        }
    }
}

/// Why a fetch failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// The server answered with another status than 200 and did not redirect; never 200.
    #[error("the server answered {0}")]
    Status(u16),
    /// The URL, or one that it was redirected to, may not be fetched; never [`UrlFault::HostNotFound`], which is a
    /// failure of the network at this point.
    #[error("the URL cannot be fetched: {0}")]
    Url(UrlFault),
    /// There were more redirects than `redirects` allows.
    #[error("there are too many redirects")]
    TooManyRedirects,
    /// The whole of it took longer than `total_timeout`, given in seconds.
    #[error("it took longer than {0} seconds")]
    Timeout(u64),
    /// Resolving, connecting, TLS, HTTP or reading failed; carries a reason in a few words that names nothing internal.
    #[error("{0}")]
    Network(&'static str),
    /// A body with a content coding is, or unpacks to, more than `decoded_size` bytes.
    #[error("the unpacked body has more than {0} bytes")]
    DecodedTooLarge(u64),
}

/// Why [`crate::Outbound`] could not be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS could not be set up: {0}")]
pub struct SetupError(#[from] pub(crate) rustls::Error);

pub(crate) fn of_io(error: &io::Error) -> FetchError {
    tracing::debug!(%error, "a fetch failed");
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return FetchError::Network(of_tls(error));
    }
    FetchError::Network(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "connection reset"
        }
        io::ErrorKind::TimedOut => "connection timed out",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "host unreachable",
        io::ErrorKind::UnexpectedEof => "connection closed early",
        _ => "connection failed",
    })
}

fn of_tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate has expired",
            CertificateError::UnknownIssuer => "certificate is not trusted",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "certificate is for another host"
            }
            _ => "certificate is invalid",
        },
        _ => "TLS failed",
    }
}

pub(crate) fn of_http(error: &hyper::Error) -> FetchError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            // The decoders of hyper report what they do not understand as errors of input and output.
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other)
            {
                return of_io(error);
            }
        }
        cause = inner.source();
    }
    tracing::debug!(%error, "a fetch failed");
    FetchError::Network(if error.is_parse_too_large() {
        "response head is too large"
    } else if error.is_incomplete_message() || error.is_canceled() {
        "connection closed early"
    } else {
        "response is not valid HTTP"
    })
}
