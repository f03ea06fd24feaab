//! What delivery refuses, and the secrets of signed delivery URLs. `api::errors` alone renders refusals; `docs/errors.md` lists them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::FileId;

/// A refusal of delivery. Its text stands on the page that is shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeliveryRefusal {
    /// No such address or file, or it was removed.
    #[error("File not found.")]
    NotFound,
    /// The file of an overlay does not exist in the project, or was removed.
    #[error("The file {0} of an overlay was not found.")]
    OverlayNotFound(FileId),
    /// The operations of an address make no sense; carries the sentence.
    #[error("Operations parsing: {0}")]
    OperationInvalid(String),
    /// An operation was asked of a file that is not an image.
    #[error("Not supported for files that are not images.")]
    NotAnImage,
    /// What is asked of this file cannot be done; carries the sentence.
    #[error("{0}")]
    CannotProcess(String),
    /// The token of a signed address is missing, wrong or expired.
    #[error("Access to this address needs a valid token.")]
    TokenInvalid,
    /// The host of a remote file is not on the project's list.
    #[error("Domain is not allowed")]
    DomainNotAllowed,
    /// No project of this address takes remote files.
    #[error("No project delivers remote files under this address.")]
    NoProxy,
    /// The project takes no more files at the moment, and a remote one is not there yet; carries the reason.
    #[error("{0}")]
    NoRoom(String),
    /// A remote file could not be had; carries the reason.
    #[error("The source can not be delivered: {0}")]
    OriginFailed(String),
    /// There is more to compute than can be computed now.
    #[error("The server is busy. Please try again later.")]
    Busy {
        /// Seconds until it may go better.
        retry_after: u64,
    },
    /// Only GET, HEAD and OPTIONS are served.
    #[error("Method \"{0}\" not allowed.")]
    MethodNotAllowed(String),
    /// Bytes could not be read or made.
    #[error("The file can not be delivered at the moment.")]
    Failed,
}

impl DeliveryRefusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::OverlayNotFound(_) => 404,
            Self::OperationInvalid(_)
            | Self::NotAnImage
            | Self::CannotProcess(_)
            | Self::DomainNotAllowed
            | Self::NoProxy => 400,
            Self::TokenInvalid | Self::NoRoom(_) => 403,
            Self::OriginFailed(_) => 502,
            Self::Busy { .. } => 503,
            Self::MethodNotAllowed(_) => 405,
            Self::Failed => 500,
        }
    }
}

/// The most secrets of signed delivery: the old and the new one while they are exchanged.
const MOST: usize = 2;

/// The longest secret, in bytes.
const MAX_LEN: usize = 256;

/// The secrets that sign delivery addresses: at most two, any of which is good. Written as hexadecimal digits, and never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct DeliverySecrets(Vec<Vec<u8>>);

impl DeliverySecrets {
    /// Their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    fn parse(texts: &[String]) -> Result<Self, &'static str> {
        if texts.len() > MOST {
            return Err("there are more than two secrets of signed delivery");
        }
        let secrets = texts.iter().map(|text| bytes_of(text)).collect::<Option<_>>();
        secrets.map(Self).ok_or("a secret of signed delivery is an even number of hexadecimal digits, at most 512")
    }
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let good = !text.is_empty() && text.len() <= MAX_LEN * 2 && text.len().is_multiple_of(2);
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|_| good)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

impl fmt::Debug for DeliverySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secret(s)", self.0.len())
    }
}

impl Serialize for DeliverySecrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        let hex = |secret: &Vec<u8>| -> String {
            secret.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        };
        serializer.collect_seq(self.0.iter().map(hex))
    }
}

impl<'de> Deserialize<'de> for DeliverySecrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hexadecimal_and_at_most_two() {
        let read = |value| serde_json::from_value::<DeliverySecrets>(value).map_err(|error| error.to_string());
        let two = read(json!(["00ff10", "ABCD"])).unwrap();
        assert_eq!(two.iter().collect::<Vec<_>>(), [&[0, 255, 16][..], &[0xab, 0xcd]]);
        assert_eq!(serde_json::to_value(&two).unwrap(), json!(["00ff10", "abcd"]));
        assert_eq!(format!("{two:?}"), "2 secret(s)");
        for bad in
            [json!(["abc"]), json!([""]), json!(["xy"]), json!(["+1"]), json!(["a\u{e9}"]), json!(["0".repeat(514)])]
        {
            assert!(read(bad).unwrap_err().contains("hexadecimal"));
        }
        assert!(read(json!(["00", "01", "02"])).unwrap_err().contains("more than two"));
    }
}
