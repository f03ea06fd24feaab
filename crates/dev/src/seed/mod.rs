//! Seeds: what a world begins with. A seed is a manifest (`seed.json`) and files beside it: projects, storages, webhooks, files with ids and
//! dates of their own, groups, and what tests do to requests and jobs. It is read and checked as a whole; only then something is done.
//! Whatever of it is there already stays as it is, so that it may be sown again and again.

mod apply;
mod content;
mod groups;
mod manifest;
mod read;
mod report;
mod when;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use stowage_model::{FileId, FileName, Metadata, PublicKey, StorageName, StorageSettings, Tags};
use stowage_store::records::{Declared, NewWebhook};

use crate::faults::RuleInput;
use crate::{DevError, holds};
use content::Content;
pub(crate) use content::{MAX_MANIFEST, Parts};
pub(crate) use manifest::Manifest;
pub(crate) use report::Sown;
use when::When;

/// The name of the manifest in a folder.
pub(crate) const MANIFEST: &str = "seed.json";

/// A seed that was read and found good by itself.
pub(crate) struct Seed {
    projects: Vec<Declared>,
    storages: Vec<Store>,
    webhooks: Vec<Hook>,
    files: Vec<Item>,
    groups: Vec<Bundle>,
    faults: Vec<RuleInput>,
    holds: Vec<holds::Rule>,
}

/// A storage of a project.
struct Store {
    project: Option<PublicKey>,
    name: StorageName,
    settings: StorageSettings,
}

/// A webhook of a project.
struct Hook {
    project: Option<PublicKey>,
    /// Its target may be the bare name of a capture address.
    new: NewWebhook,
}

/// A file of a project.
struct Item {
    project: Option<PublicKey>,
    /// Its path in the folder, if it has one.
    path: Option<String>,
    content: Arc<Content>,
    id: Option<FileId>,
    name: FileName,
    mime_type: Option<String>,
    metadata: Metadata,
    tags: Tags,
    stored: bool,
    uploaded_at: Option<When>,
    stored_at: Option<When>,
    source: Option<String>,
}

/// A group of files of a project.
struct Bundle {
    project: Option<PublicKey>,
    /// Its id without the number of its files.
    id: Option<uuid::Uuid>,
    /// Each an id, a name or a path, with operations.
    members: Vec<String>,
    created_at: Option<When>,
}

impl Seed {
    /// Reads the seed in a folder.
    pub(crate) async fn of_folder(folder: &Path) -> Result<Self, DevError> {
        let parts = Parts::of_folder(folder).await?;
        read::read(&parts).await
    }

    /// Reads a seed that was sent.
    pub(crate) async fn of_parts(parts: &Parts) -> Result<Self, DevError> {
        read::read(parts).await
    }
}

/// Something at a place of the manifest is wrong.
fn wrong(place: impl Display, what: impl Display) -> DevError {
    DevError::bad(format!("{place}: {what}"))
}
