//! `[[projects]]` and `[[storages]]`: what the configuration declares and each start writes to the records.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use stowage_model::{PublicKey, Settings, StorageName, StorageSettings};
use stowage_store::records::Declared;
use toml::Table;

use super::layers::{read, tidy};
use super::{Config, ConfigError, DEMO};

// In both entries unknown keys are found by the settings, which are strict; serde cannot be strict around a flattened struct.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ProjectEntry {
    public_key: String,
    secret_keys: Vec<String>,
    #[serde(flatten)]
    settings: Table,
}

#[derive(Clone, Deserialize)]
pub(super) struct StorageEntry {
    project: String,
    name: String,
    #[serde(flatten)]
    settings: Table,
}

impl fmt::Debug for StorageEntry {
    /// Without the settings, one of which is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, name, settings: _ } = self;
        f.debug_struct("StorageEntry").field("project", project).field("name", name).finish_non_exhaustive()
    }
}

impl Config {
    /// The projects that stand in the configuration, or the demo project.
    pub fn declared_projects(&self) -> Result<Vec<Declared>, ConfigError> {
        let mut declared: Vec<Declared> = Vec::new();
        for entry in &self.projects {
            let key = &entry.public_key;
            let public_key: PublicKey =
                key.parse().map_err(|error| ConfigError(format!("projects.public_key is `{key}`: {error}")))?;
            if declared.iter().any(|other| other.public_key == public_key) {
                return Err(ConfigError(format!("two [[projects]] have the public_key `{key}`; remove one of them")));
            }
            let settings: Settings = read(entry.settings.clone()).map_err(|(path, what)| {
                ConfigError(format!("[[projects]] with public_key `{key}`: {}", at(&path, what)))
            })?;
            if entry.secret_keys.iter().any(String::is_empty) {
                return Err(ConfigError(format!(
                    "[[projects]] with public_key `{key}` has an empty secret key: anybody could sign with it"
                )));
            }
            declared.push(Declared { public_key, secret_keys: entry.secret_keys.clone(), settings });
        }
        if declared.is_empty() && self.demo_project {
            let public_key = DEMO.0.parse().map_err(|_| ConfigError("the demo key is broken".to_owned()))?;
            let settings = Settings { name: "Demo".to_owned(), ..Settings::default() };
            declared.push(Declared { public_key, secret_keys: vec![DEMO.1.to_owned()], settings });
        }
        Ok(declared)
    }

    /// The storages that stand in the configuration, each with the public key of its project and its name.
    pub fn declared_storages(&self) -> Result<Vec<(PublicKey, StorageName, StorageSettings)>, ConfigError> {
        let mut declared: Vec<(PublicKey, StorageName, StorageSettings)> = Vec::new();
        for StorageEntry { project, name, settings } in &self.storages {
            let wrong = |what: &str| {
                let source = self.source();
                let what = tidy(what);
                ConfigError(format!(
                    "[[storages]] `{name}` of project `{project}` in {source}: {what}. See config/default.toml."
                ))
            };
            let key = project.parse::<PublicKey>().map_err(|error| wrong(&format!("`project`: {error}")))?;
            let parsed = name.parse::<StorageName>().map_err(|error| wrong(&format!("`name`: {error}")))?;
            if declared.iter().any(|(other, taken, _)| *other == key && *taken == parsed) {
                return Err(wrong("it stands there twice; remove one of them or give it another name"));
            }
            let settings: StorageSettings = read(settings.clone()).map_err(|(path, what)| wrong(&at(&path, what)))?;
            if let Some(fault) = settings.fault() {
                return Err(wrong(fault));
            }
            declared.push((key, parsed, settings));
        }
        Ok(declared)
    }

    /// The storage of this name, where the configuration declares it.
    pub(crate) fn declared_storage(
        &self,
        project: &PublicKey,
        name: &StorageName,
    ) -> Result<Option<StorageSettings>, ConfigError> {
        let declared = self.declared_storages()?.into_iter();
        Ok(declared.filter(|(key, other, _)| key == project && other == name).map(|(_, _, settings)| settings).next())
    }

    /// Where the configuration stands, for messages.
    pub(crate) fn source(&self) -> String {
        self.file.as_deref().map_or_else(|| "the configuration".to_owned(), |file: &Path| file.display().to_string())
    }
}

/// What is wrong with a key. Without a path it is about an unknown or a missing one, which the text names.
fn at(path: &str, what: String) -> String {
    if path == "." { what } else { format!("`{path}`: {what}") }
}
