//! The layers of the configuration, laid over each other as tables, with where each key came from, so that messages can say it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Config, ConfigError, DEFAULT, DEV_SERVER, DEV_SESSION, FILE, STORAGE_SECRET, TESTS};

/// What stands in files only: lists of tables, which the environment has no words for.
const LISTS: [&str; 2] = ["projects", "storages"];

/// The flag that names the data folder.
pub(super) const DATA_DIR: &str = "--data-dir";

/// The merged tables, and for each key the layer that it came from.
pub(super) struct Layers {
    defaults: Table,
    merged: Table,
    sources: BTreeMap<String, String>,
}

impl Layers {
    pub(super) fn new() -> Result<Self, ConfigError> {
        let defaults: Table =
            DEFAULT.parse().map_err(|error| ConfigError(format!("config/default.toml is broken: {error}")))?;
        Ok(Self { merged: defaults.clone(), defaults, sources: BTreeMap::new() })
    }

    pub(super) fn add_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("cannot read the configuration file {name}: {error}")))?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            // Its own text quotes the line, and the line may hold a secret.
            let line = error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
            ConfigError(format!("{name} is not valid TOML: line {line}: {}", error.message()))
        })?;
        for (key, value) in table {
            match (self.defaults.get(&key), value) {
                (Some(Value::Table(known)), Value::Table(section)) => {
                    let known: Vec<String> = known.keys().cloned().collect();
                    for (inner, value) in section {
                        if !known.contains(&inner) {
                            let path = format!("{key}.{inner}");
                            return Err(unknown(
                                &path,
                                &name.to_string(),
                                &format!("[{key}] has {}", known.join(", ")),
                            ));
                        }
                        self.set(&[&key, &inner], value, &name.to_string());
                    }
                }
                (Some(Value::Table(_)), _) => {
                    return Err(ConfigError(format!("`{key}` in {name} is a section; write it as [{key}]")));
                }
                (Some(_), value) => self.set(&[&key], value, &name.to_string()),
                (None, value) if LISTS.contains(&key.as_str()) => self.set(&[&key], value, &name.to_string()),
                (None, _) => {
                    let known: Vec<&str> = self.defaults.keys().map(String::as_str).collect();
                    let remedy = format!("there are {}, {}", known.join(", "), LISTS.join(", "));
                    return Err(unknown(&key, &name.to_string(), &remedy));
                }
            }
        }
        Ok(())
    }

    pub(super) fn add_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (name, text) in environment {
            let Some(path) = name.strip_prefix("STOWAGE_") else { continue };
            if [FILE, STORAGE_SECRET, DEV_SERVER, DEV_SESSION].contains(&name.as_str()) || name.starts_with(TESTS) {
                continue;
            }
            let path = path.to_ascii_lowercase();
            let path: Vec<&str> = path.split("__").collect();
            let default = match path.as_slice() {
                [key] => self.defaults.get(*key),
                [section, key] => self.defaults.get(*section).and_then(|section| section.get(*key)),
                _ => None,
            };
            let Some(default) = default.filter(|value| !value.is_table()) else {
                let remedy = "sections and keys are parted by two underscores, as in STOWAGE_SERVER__LISTEN; \
                              config/default.toml lists all of them";
                return Err(unknown(&path.join("."), &format!("the environment variable {name}"), remedy));
            };
            let value = of_type(default, text).ok_or_else(|| {
                let wanted = match default {
                    Value::Boolean(_) => "true or false",
                    Value::Integer(_) => "a whole number",
                    _ => "something else",
                };
                ConfigError(format!("{name} is `{text}`, but `{}` takes {wanted}", path.join(".")))
            })?;
            self.set(&path, value, &format!("the environment variable {name}"));
        }
        Ok(())
    }

    pub(super) fn set(&mut self, path: &[&str], value: Value, source: &str) {
        match path {
            [key] => {
                self.merged.insert((*key).to_owned(), value);
            }
            [section, key] => {
                if let Some(Value::Table(section)) = self.merged.get_mut(*section) {
                    section.insert((*key).to_owned(), value);
                }
            }
            _ => return,
        }
        self.sources.insert(path.join("."), source.to_owned());
    }

    /// Makes sure that nothing outlives the server that is to be kept in a temporary folder; the folder itself is made later.
    pub(super) fn make_ephemeral(&mut self) -> Result<(), ConfigError> {
        for key in ["database.url", "blobs.url", "delivery.variant_folder"] {
            let (section, inner) = key.split_once('.').unwrap_or((key, ""));
            let value = self.merged.get(section).and_then(|section| section.get(inner));
            if value != Some(&Value::String(String::new())) {
                let source = self.source(key);
                return Err(ConfigError(format!(
                    "--ephemeral keeps everything in a temporary folder, but `{key}` in {source} leads elsewhere: leave one of them out"
                )));
            }
        }
        if self.source("data_dir") == DATA_DIR {
            return Err(ConfigError(format!(
                "--ephemeral makes a temporary folder of its own: leave it or {DATA_DIR} out"
            )));
        }
        // What is gone at the end need not survive a power cut.
        if !self.sources.contains_key("durability") {
            self.set(&["durability"], Value::String("relaxed".to_owned()), "--ephemeral");
        }
        Ok(())
    }

    /// Where a key came from.
    fn source(&self, path: &str) -> &str {
        let source = self.sources.iter().find(|(key, _)| path.starts_with(key.as_str()));
        source.map_or("config/default.toml", |(_, source)| source.as_str())
    }

    pub(super) fn read(self) -> Result<Config, ConfigError> {
        let wrong = |path: &str, what: &str| {
            ConfigError(format!("`{path}` in {}: {}. See config/default.toml.", self.source(path), tidy(what)))
        };
        let config: Config = read(self.merged.clone()).map_err(|(path, what)| wrong(&path, &what))?;
        match config.fault() {
            Some((path, what)) => Err(wrong(path, &what)),
            None => Ok(config),
        }
    }
}

/// Reads a table into what it is; where that fails, the path within it and what is wrong there.
pub(super) fn read<T: DeserializeOwned>(table: Table) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        // The text of the parser quotes what it found, and that may be the secret itself.
        let is_secret = ["secret", "external_id"].iter().any(|word| path.contains(word));
        let what = if is_secret { "it takes text in quotes".to_owned() } else { error.inner().to_string() };
        (path, what)
    })
}

/// What is wrong, as the beginning of a sentence that goes on.
pub(super) fn tidy(what: &str) -> &str {
    what.trim().trim_end_matches('.')
}

/// The text of a variable as the type that the default has.
fn of_type(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    }
}

fn unknown(path: &str, source: &str, remedy: &str) -> ConfigError {
    ConfigError(format!("unknown key `{path}` in {source}: {remedy}"))
}
