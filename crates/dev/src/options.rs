//! `[dev]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;
use stowage_model::units::bytes;

/// `[dev]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whether the doors for tests exist.
    pub enabled: bool,
    /// Origins of pages, besides those of this machine, that may use them.
    pub origins: Vec<String>,
    /// Whether a public key that nobody knows makes a project.
    pub create_projects: bool,
    /// The folder of the seed that each world begins with; empty for none.
    pub seed: PathBuf,
    /// How many requests the journal of a world remembers.
    pub journal: usize,
    /// How many bytes of each body it remembers.
    #[serde(deserialize_with = "bytes")]
    pub journal_body: u64,
    /// The most sessions at once.
    pub sessions: usize,
}
