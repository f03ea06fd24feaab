//! The configuration and its layers: the embedded default file, a file, the environment, flags. Every key stands in the
//! default file, and so the default file says which keys there are and of which type they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use stowage_model::units::duration;
use stowage_model::{PublicKey, Settings};
use stowage_store::Durability;
use stowage_store::records::Declared;
use toml::{Table, Value};

/// The reference of all keys, with their defaults.
pub const DEFAULT: &str = include_str!("../../../config/default.toml");

/// The project that exists by default.
pub(crate) const DEMO: (&str, &str) = ("demopublickey", "demosecretkey");

/// Variables of this beginning belong to the test suite.
const TESTS: &str = "STOWAGE_TEST_";
/// Names the configuration file.
const FILE: &str = "STOWAGE_CONFIG";

/// The whole configuration; `config/default.toml` says what each key means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is documented in config/default.toml, and only there")]
pub struct Config {
    pub data_dir: PathBuf,
    pub durability: Durability,
    pub demo_project: bool,
    pub server: Server,
    pub urls: stowage_api::UrlOptions,
    pub auth: stowage_api::AuthOptions,
    pub rest: stowage_api::RestOptions,
    pub database: stowage_store::records::Options,
    pub blobs: stowage_store::blobs::Options,
    pub uploads: stowage_api::UploadOptions,
    pub scan: stowage_intake::ScanOptions,
    pub throttle: stowage_api::ThrottleOptions,
    pub fetch: stowage_fetch::Options,
    pub jobs: stowage_jobs::Options,
    pub webhooks: stowage_jobs::WebhookOptions,
    pub delivery: stowage_delivery::Options,
    pub janitor: stowage_janitor::Options,
    pub metrics: Metrics,
    pub log: Log,
    #[serde(default)]
    projects: Vec<ProjectEntry>,
}

/// `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is documented in config/default.toml, and only there")]
pub struct Server {
    pub listen: String,
    pub trusted_proxies: Vec<IpNet>,
    pub max_connections: usize,
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub request_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub drain_timeout: Duration,
}

/// `[metrics]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is documented in config/default.toml, and only there")]
pub struct Metrics {
    pub listen: String,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is documented in config/default.toml, and only there")]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// `log.format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each value is documented in config/default.toml, and only there")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
struct ProjectEntry {
    public_key: String,
    secret_keys: Vec<String>,
    // Unknown keys are found by the settings, which are strict; serde cannot be strict around a flattened struct.
    #[serde(flatten)]
    settings: Table,
}

/// What is wrong with the configuration, in words that name the key, where it came from and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// What the command line says over the other layers.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

impl Config {
    /// Lays the layers over each other; `environment` are the variables of the process.
    pub fn load(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new()?;
        let file = flags.file.clone().or_else(|| environment.get(FILE).map(PathBuf::from));
        if let Some(file) = file {
            layers.add_file(&file)?;
        }
        layers.add_environment(environment)?;
        let flag = |value: String| Value::String(value);
        if let Some(listen) = &flags.listen {
            layers.set(&["server", "listen"], flag(listen.clone()), "--listen");
        }
        if let Some(folder) = &flags.data_dir {
            layers.set(&["data_dir"], flag(folder.display().to_string()), "--data-dir");
        }
        let config = layers.read()?;
        config.declared_projects()?;
        Ok(config)
    }

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
            let settings = Settings::deserialize(entry.settings.clone())
                .map_err(|error| ConfigError(format!("[[projects]] with public_key `{key}`: {error}")))?;
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

    /// The first value that has the right type and yet makes no sense, with what is wrong with it.
    fn fault(&self) -> Option<(&'static str, String)> {
        let address = |text: &str| text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let base = |text: &str| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', ' ']))
        };
        let url = "an address begins with http:// or https://".to_owned();
        let port = "an address is HOST:PORT, like 127.0.0.1:8080".to_owned();
        let database = &self.database.url;
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| database.starts_with(scheme));
        let prefix = &self.auth.signed_path_prefix;
        let level = tracing_subscriber::EnvFilter::try_new(&self.log.level);
        [
            (!address(&self.server.listen)).then(|| ("server.listen", port.clone())),
            (!self.metrics.listen.is_empty() && self.metrics.listen.parse::<std::net::SocketAddr>().is_err())
                .then(|| ("metrics.listen", "an address is IP:PORT, like 127.0.0.1:9090".to_owned())),
            (!base(&self.urls.upload)).then(|| ("urls.upload", url.clone())),
            (!base(&self.urls.rest)).then(|| ("urls.rest", url.clone())),
            (!base(&self.urls.cdn)).then(|| ("urls.cdn", url.clone())),
            (!prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/'))).then(|| {
                ("auth.signed_path_prefix", "it begins with a slash and does not end with one, like /rest".to_owned())
            }),
            (!database.is_empty() && !known)
                .then(|| ("database.url", "it begins with sqlite:// or postgres://".to_owned())),
            self.blobs.check(&self.data_dir).err().map(|error| ("blobs.url", error.to_string())),
            level.err().map(|error| ("log.level", error.to_string())),
        ]
        .into_iter()
        .flatten()
        .next()
    }

    /// Whether the demo project, whose secret is public, exists.
    pub fn has_demo_project(&self) -> bool {
        self.projects.is_empty() && self.demo_project
    }

    /// The configuration as it is in force, without secrets, for `stowage check-config`.
    pub fn summary(&self) -> String {
        let engine = |url: &str, default: &str| match url.split_once("://") {
            Some((scheme, _)) => scheme.to_owned(),
            None => default.to_owned(),
        };
        format!(
            "listen      {}\ndata folder {}\nrecords     {}\nblobs       {}\ndurability  {}\nprojects    {}",
            self.server.listen,
            self.data_dir.display(),
            engine(&self.database.url, "sqlite in the data folder"),
            engine(&self.blobs.url, "disk, in the data folder"),
            if self.durability == Durability::Full { "full" } else { "relaxed" },
            match (self.projects.len(), self.has_demo_project()) {
                (0, true) => "the demo project".to_owned(),
                (0, false) => "those in the records".to_owned(),
                (n, _) => format!("{n} declared"),
            },
        )
    }
}

/// The merged tables, and for each key the layer that it came from.
struct Layers {
    defaults: Table,
    merged: Table,
    sources: BTreeMap<String, String>,
}

impl Layers {
    fn new() -> Result<Self, ConfigError> {
        let defaults: Table =
            DEFAULT.parse().map_err(|error| ConfigError(format!("config/default.toml is broken: {error}")))?;
        Ok(Self { merged: defaults.clone(), defaults, sources: BTreeMap::new() })
    }

    fn add_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("cannot read the configuration file {name}: {error}")))?;
        let table: Table = text.parse().map_err(|error| ConfigError(format!("{name} is not valid TOML: {error}")))?;
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
                (None, value) if key == "projects" => self.set(&[&key], value, &name.to_string()),
                (None, _) => {
                    let known: Vec<&str> = self.defaults.keys().map(String::as_str).collect();
                    return Err(unknown(&key, &name.to_string(), &format!("there are {}, projects", known.join(", "))));
                }
            }
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (name, text) in environment {
            let Some(path) = name.strip_prefix("STOWAGE_") else { continue };
            if name == FILE || name.starts_with(TESTS) {
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

    fn set(&mut self, path: &[&str], value: Value, source: &str) {
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

    fn read(self) -> Result<Config, ConfigError> {
        let wrong = |path: &str, what: &str| {
            let source = self.sources.iter().find(|(key, _)| path.starts_with(key.as_str()));
            let source = source.map_or("config/default.toml", |(_, source)| source.as_str());
            ConfigError(format!(
                "`{path}` in {source}: {}. See config/default.toml.",
                what.trim().trim_end_matches('.')
            ))
        };
        let config: Config = serde_path_to_error::deserialize(Value::Table(self.merged.clone()))
            .map_err(|error| wrong(&error.path().to_string(), &error.inner().to_string()))?;
        match config.fault() {
            Some((path, what)) => Err(wrong(path, &what)),
            None => Ok(config),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, String> {
        let mut flags = Flags::default();
        let mut kept = tempfile::NamedTempFile::new().unwrap();
        if let Some(text) = file {
            kept.write_all(text.as_bytes()).unwrap();
            flags.file = Some(kept.path().to_owned());
        }
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(&flags, &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_stand_and_have_a_demo_project() {
        let config = load(None, &[]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:8080");
        assert_eq!(config.uploads.request_size, 100 << 20);
        assert_eq!(config.declared_projects().unwrap()[0].public_key.as_str(), "demopublickey");
        let without = load(None, &[("STOWAGE_DEMO_PROJECT", "false")]).unwrap();
        assert_eq!(without.declared_projects().unwrap(), []);
    }

    #[test]
    fn layers_lie_over_each_other() {
        let file = "[server]\nlisten = \"0.0.0.0:1\"\nmax_connections = 7\n[janitor]\ntemporary_ttl = \"5s\"\n";
        let config = load(Some(file), &[("STOWAGE_SERVER__LISTEN", "0.0.0.0:2"), ("OTHER", "x")]).unwrap();
        assert_eq!((config.server.listen.as_str(), config.server.max_connections), ("0.0.0.0:2", 7));
        assert_eq!(config.janitor.temporary_ttl, Duration::from_secs(5));
        let proxies = [("STOWAGE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128")];
        assert_eq!(load(None, &proxies).unwrap().server.trusted_proxies.len(), 2);
        let digits = [("STOWAGE_BLOBS__SECRET_ACCESS_KEY", "12345"), ("STOWAGE_TEST_POSTGRES_URL", "x")];
        assert!(load(None, &digits).is_ok(), "a secret of digits is a text; the suite's variables are not ours");
    }

    #[test]
    fn messages_name_key_source_and_remedy() {
        for (file, environment, wanted) in [
            (Some("[server]\nlisten_on = 1\n"), ("A", "b"), vec!["server.listen_on", "header_timeout, listen, max"]),
            (Some("nonsense = 1\n"), ("A", "b"), vec!["nonsense", "there are"]),
            (Some("server = 1\n"), ("A", "b"), vec!["[server]"]),
            (Some("a = "), ("A", "b"), vec!["not valid TOML"]),
            (Some("[uploads]\nfiles = \"many\"\n"), ("A", "b"), vec!["uploads.files", "default.toml"]),
            (None, ("STOWAGE_SERVER_LISTEN", "x"), vec!["STOWAGE_SERVER_LISTEN", "two underscores"]),
            (None, ("STOWAGE_UPLOADS__FILES", "many"), vec!["STOWAGE_UPLOADS__FILES", "many", "whole number"]),
            (
                None,
                ("STOWAGE_UPLOADS__REQUEST_SIZE", "huge"),
                vec!["uploads.request_size", "STOWAGE_UPLOADS__REQUEST_SIZE", "64MiB"],
            ),
            (None, ("STOWAGE_URLS__CDN", "cdn.example.com"), vec!["urls.cdn", "STOWAGE_URLS__CDN", "https://"]),
            (None, ("STOWAGE_SERVER__LISTEN", "nohost"), vec!["server.listen", "HOST:PORT"]),
            (None, ("STOWAGE_METRICS__LISTEN", "nope"), vec!["metrics.listen", "IP:PORT"]),
            (None, ("STOWAGE_DATABASE__URL", "mysql://x"), vec!["database.url", "postgres://"]),
            (None, ("STOWAGE_BLOBS__URL", "foo"), vec!["blobs.url", "s3://"]),
            (None, ("STOWAGE_AUTH__SIGNED_PATH_PREFIX", "rest/"), vec!["auth.signed_path_prefix", "like /rest"]),
            (None, ("STOWAGE_REST__DEFAULT_VERSION", "0.8"), vec!["rest.default_version", "0.8"]),
            (None, ("STOWAGE_LOG__LEVEL", "====="), vec!["log.level", "STOWAGE_LOG__LEVEL"]),
            (
                Some("[[projects]]\npublic_key = \"a\"\nsecret_keys = [\"\"]\n"),
                ("A", "b"),
                vec!["`a`", "empty secret key"],
            ),
            (None, ("STOWAGE_DURABILITY", "some"), vec!["durability", "STOWAGE_DURABILITY", "relaxed"]),
            (None, ("STOWAGE_SERVER__TRUSTED_PROXIES", "10.0.0.300"), vec!["server.trusted_proxies"]),
            (
                Some("[[projects]]\npublic_key = \"a\"\nsecret_keys = []\nautostor = true\n"),
                ("A", "b"),
                vec!["`a`", "autostor", "autostore"],
            ),
            (Some("[[projects]]\npublic_key = \"a b\"\nsecret_keys = []\n"), ("A", "b"), vec!["a b", "visible ASCII"]),
            (
                Some(
                    "[[projects]]\npublic_key = \"a\"\nsecret_keys = []\n[[projects]]\npublic_key = \"a\"\nsecret_keys = []\n",
                ),
                ("A", "b"),
                vec!["two [[projects]]"],
            ),
        ] {
            let message = load(file, &[environment]).unwrap_err();
            for part in wanted {
                assert!(message.contains(part), "{part:?} is not in: {message}");
            }
        }
    }

    #[test]
    fn declared_projects_have_defaults_and_units() {
        let file = "[[projects]]\npublic_key = \"a\"\nsecret_keys = [\"s\", \"t\"]\nmax_file_size = \"1MiB\"\naccount_state = \"unpaid\"\n";
        let projects = load(Some(file), &[]).unwrap().declared_projects().unwrap();
        assert_eq!(projects.len(), 1, "the demo project makes way");
        assert_eq!((projects[0].settings.max_file_size, projects[0].settings.autostore), (1 << 20, true));
    }
}
