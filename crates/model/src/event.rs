//! What happens to files, for those who asked to be told of it (REST API reference, webhooks).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{File, Metadata, PublicUrls};

/// A kind of event, called as in the APIs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub enum EventKind {
    /// A file was uploaded, fetched or copied.
    #[serde(rename = "file.uploaded")]
    Uploaded,
    /// A file was found to have a virus.
    #[serde(rename = "file.infected")]
    Infected,
    /// A file became permanent.
    #[serde(rename = "file.stored")]
    Stored,
    /// A file was removed, by somebody or because its time was over.
    #[serde(rename = "file.deleted")]
    Deleted,
    /// The metadata of a file changed.
    #[serde(rename = "file.info_updated")]
    InfoUpdated,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Uploaded, Self::Infected, Self::Stored, Self::Deleted, Self::InfoUpdated];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "file.uploaded",
            Self::Infected => "file.infected",
            Self::Stored => "file.stored",
            Self::Deleted => "file.deleted",
            Self::InfoUpdated => "file.info_updated",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind of event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an event")]
pub struct NotAnEvent;

impl FromStr for EventKind {
    type Err = NotAnEvent;

    fn from_str(text: &str) -> Result<Self, NotAnEvent> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(NotAnEvent)
    }
}

/// Who made something happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Initiator {
    /// A request to one of the APIs.
    Api {
        /// Its `X-Uploadcare-Request-Id`.
        request_id: Uuid,
    },
    /// The server itself.
    System,
}

/// Who made something happen, and under which addresses they know the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// Who.
    pub initiator: Initiator,
    /// The public addresses, for the URLs in what is told of it.
    pub urls: PublicUrls,
}

/// Something that has happened to a file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The file as it was right after.
    pub file: File,
    /// Who made it happen.
    pub cause: Cause,
    /// The metadata as it was before, where that is what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_metadata: Option<Metadata>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_called_alike_everywhere() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("file.Stored".parse::<EventKind>(), Err(NotAnEvent));
    }
}
