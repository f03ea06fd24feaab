//! What became of a seed.

use serde::Serialize;
use stowage_model::{EventKind, FileId, PublicKey, WebhookId};
use utoipa::ToSchema;

/// What became of a seed, in the order of its manifest.
#[derive(Serialize, ToSchema, Default)]
pub(crate) struct Sown {
    /// Its projects.
    pub(super) projects: Vec<SownProject>,
    /// Its storages.
    pub(super) storages: Vec<SownStorage>,
    /// Its webhooks.
    pub(super) webhooks: Vec<SownWebhook>,
    /// Its files.
    pub(super) files: Vec<SownFile>,
    /// Its groups.
    pub(super) groups: Vec<SownGroup>,
    /// How many rules for faults it has.
    pub(super) faults: usize,
    /// How many rules that hold jobs it has.
    pub(super) holds: usize,
}

/// What became of a part of a seed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Was {
    /// It was made.
    Made,
    /// It was there with other settings, and has those of the seed now.
    Changed,
    /// It was there.
    There,
    /// It was there once; what is removed stays so until a reset.
    Removed,
}

/// A project of a seed.
#[derive(Serialize, ToSchema)]
pub(crate) struct SownProject {
    #[schema(value_type = String)]
    pub(super) public_key: PublicKey,
    pub(super) was: Was,
}

/// A storage of a seed.
#[derive(Serialize, ToSchema)]
pub(crate) struct SownStorage {
    #[schema(value_type = String)]
    pub(super) project: PublicKey,
    pub(super) name: String,
    pub(super) was: Was,
}

/// A webhook of a seed.
#[derive(Serialize, ToSchema)]
pub(crate) struct SownWebhook {
    pub(super) id: WebhookId,
    #[schema(value_type = String)]
    pub(super) project: PublicKey,
    pub(super) event: EventKind,
    pub(super) target_url: String,
    pub(super) was: Was,
}

/// A file of a seed.
#[derive(Serialize, ToSchema)]
pub(crate) struct SownFile {
    pub(super) uuid: FileId,
    #[schema(value_type = String)]
    pub(super) project: PublicKey,
    /// Its name as the seed says it.
    pub(super) name: String,
    pub(super) was: Was,
}

/// A group of a seed.
#[derive(Serialize, ToSchema)]
pub(crate) struct SownGroup {
    /// Its id, with the number of its files.
    pub(super) id: String,
    #[schema(value_type = String)]
    pub(super) project: PublicKey,
    pub(super) was: Was,
}
