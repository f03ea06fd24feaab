//! Webhooks: who is told of which events (REST API reference, webhooks).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EventKind, ProjectId, Timestamp};

/// The longest target, in characters.
pub const MAX_TARGET_CHARS: usize = 255;
/// The longest signing secret, in characters.
pub const MAX_SECRET_CHARS: usize = 32;
/// The most webhooks of a project.
pub const MAX_WEBHOOKS: usize = 100;

/// The id of a webhook, a number that is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct WebhookId(pub i64);

/// The version of the REST API whose payloads a webhook gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub enum HookVersion {
    /// `0.5`.
    #[serde(rename = "0.5")]
    V05,
    /// `0.6`.
    #[serde(rename = "0.6")]
    V06,
    /// `0.7`.
    #[serde(rename = "0.7")]
    V07,
}

impl HookVersion {
    /// Its number as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V05 => "0.5",
            Self::V06 => "0.6",
            Self::V07 => "0.7",
        }
    }
}

/// A subscription of an address to a kind of events of a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The project whose events it is told.
    pub project: ProjectId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What it is told of.
    pub event: EventKind,
    /// Where it is told, an absolute URL of at most [`MAX_TARGET_CHARS`].
    pub target_url: String,
    /// Whether it is told anything at present.
    pub is_active: bool,
    /// How it is told.
    pub version: HookVersion,
    /// With what payloads are signed; never to be logged.
    pub signing_secret: Option<String>,
}
