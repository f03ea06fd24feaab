//! The configuration and its layers: the embedded default file, a file, the environment, flags. Every key stands in the
//! default file, and so the default file says which keys there are and of which type they are.

mod declared;
mod layers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use stowage_model::units::duration;
use stowage_store::Durability;
use toml::Value;

use declared::{ProjectEntry, StorageEntry};
use layers::{DATA_DIR, Layers};

/// The reference of all keys, with their defaults.
pub const DEFAULT: &str = include_str!("../../../config/default.toml");

/// The project that exists by default.
pub(crate) const DEMO: (&str, &str) = ("demopublickey", "demosecretkey");

/// Variables of this beginning belong to the test suite.
const TESTS: &str = "STOWAGE_TEST_";
/// Names the configuration file.
const FILE: &str = "STOWAGE_CONFIG";
/// Holds the secret key for `stowage storage`; no key of the configuration.
pub(crate) const STORAGE_SECRET: &str = "STOWAGE_STORAGE_SECRET";
/// Names the server for `stowage dev`; no key of the configuration.
pub(crate) const DEV_SERVER: &str = "STOWAGE_DEV_SERVER";
/// Names the session for `stowage dev`; no key of the configuration.
pub(crate) const DEV_SESSION: &str = "STOWAGE_DEV_SESSION";

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
    pub copy: stowage_copy::Options,
    pub delivery: stowage_delivery::Options,
    pub janitor: stowage_janitor::Options,
    pub dev: stowage_dev::Options,
    pub metrics: Metrics,
    pub log: Log,
    #[serde(default)]
    projects: Vec<ProjectEntry>,
    #[serde(default)]
    storages: Vec<StorageEntry>,
    /// The file that was laid over the defaults.
    #[serde(skip)]
    file: Option<PathBuf>,
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
    /// `--ephemeral`.
    pub ephemeral: bool,
    /// `--dev`.
    pub dev: bool,
}

impl Config {
    /// Lays the layers over each other; `environment` are the variables of the process.
    pub fn load(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new()?;
        let file = flags.file.clone().or_else(|| environment.get(FILE).map(PathBuf::from));
        if let Some(file) = &file {
            layers.add_file(file)?;
        }
        layers.add_environment(environment)?;
        let flag = |value: String| Value::String(value);
        if let Some(listen) = &flags.listen {
            layers.set(&["server", "listen"], flag(listen.clone()), "--listen");
        }
        if let Some(folder) = &flags.data_dir {
            layers.set(&["data_dir"], flag(folder.display().to_string()), DATA_DIR);
        }
        if flags.dev {
            layers.set(&["dev", "enabled"], Value::Boolean(true), "--dev");
        }
        if flags.ephemeral {
            layers.make_ephemeral()?;
        }
        let mut config = layers.read()?;
        config.file = file;
        config.declared_projects()?;
        config.declared_storages()?;
        Ok(config)
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
            "listen      {}\ndata folder {}\nrecords     {}\nblobs       {}\ndurability  {}\nprojects    {}\nstorages    {}",
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
            match self.storages.len() {
                0 => "those in the records".to_owned(),
                n => format!("{n} declared"),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use stowage_model::StorageSettings;

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
    fn an_ephemeral_server_is_relaxed_unless_somebody_says_otherwise() {
        let load = |environment: &[(&str, &str)]| {
            let flags = Flags { ephemeral: true, dev: true, ..Flags::default() };
            let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Config::load(&flags, &environment).map_err(|error| error.to_string())
        };
        let config = load(&[("STOWAGE_DATA_DIR", "/data"), ("STOWAGE_DEV_SERVER", "http://a:1")]).unwrap();
        assert_eq!((config.durability, config.dev.enabled), (Durability::Relaxed, true));
        assert_eq!(load(&[("STOWAGE_DURABILITY", "full")]).unwrap().durability, Durability::Full);
        let refused = load(&[("STOWAGE_BLOBS__URL", "s3://bucket")]).unwrap_err();
        assert!(refused.contains("blobs.url") && refused.contains("STOWAGE_BLOBS__URL"), "{refused}");
    }

    #[test]
    fn messages_name_key_source_and_remedy() {
        for (file, environment, wanted) in [
            (Some("[server]\nlisten_on = 1\n"), ("A", "b"), vec!["server.listen_on", "header_timeout, listen, max"]),
            (Some("nonsense = 1\n"), ("A", "b"), vec!["nonsense", "there are"]),
            (Some("server = 1\n"), ("A", "b"), vec!["[server]"]),
            (Some("[log]\nlevel = \"a\"\na = "), ("A", "b"), vec!["not valid TOML: line 3"]),
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

    const STORAGE: &str = "[[storages]]\nproject = \"a\"\nname = \"archive\"\nbucket = \"bucket\"\n";

    #[test]
    fn declared_storages_have_defaults() {
        let declared = load(Some(STORAGE), &[("STOWAGE_STORAGE_SECRET", "x")]).unwrap().declared_storages().unwrap();
        let (project, name, settings) = &declared[0];
        assert_eq!((project.as_str(), name.as_str(), declared.len()), ("a", "archive", 1));
        assert_eq!(settings, &StorageSettings::new("bucket".to_owned().try_into().unwrap()));
        let summary = load(Some(STORAGE), &[]).unwrap().summary();
        assert!(summary.contains("storages    1 declared"), "{summary}");
        assert_eq!(load(None, &[]).unwrap().declared_storages().unwrap(), []);
    }

    #[test]
    fn the_reference_and_the_example_are_good() {
        let (_, block) = DEFAULT.split_once("# [[storages]]\n").unwrap();
        let keys: Vec<&str> =
            block.lines().filter_map(|line| line.strip_prefix("# ")).filter(|l| !l.starts_with(' ')).collect();
        let text = format!("[[storages]]\n{}\n", keys.join("\n"));
        let declared = load(Some(&text), &[]).unwrap().declared_storages().unwrap();
        let settings = StorageSettings { force_path_style: None, ..declared[0].2.clone() };
        assert_eq!(
            settings,
            StorageSettings::new("my-bucket".to_owned().try_into().unwrap()),
            "defaults as they are said"
        );
        for key in serde_json::to_value(&settings).unwrap().as_object().unwrap().keys() {
            assert!(text.contains(&format!("\n{key} = ")), "{key} is missing in the reference");
        }
        let full = load(Some(include_str!("../../../config/full.toml")), &[]).unwrap();
        assert_eq!((full.declared_projects().unwrap().len(), full.declared_storages().unwrap().len()), (1, 1));
    }

    #[test]
    fn messages_about_storages_name_storage_key_source_and_remedy() {
        for (more, wanted) in [
            ("buckt = \"x\"", vec!["`archive` of project `a` in /", "`buckt`", "expected one of", "default.toml"]),
            ("pattern = \"${nope}\"", vec!["`pattern`", "${nope}"]),
            ("prefix = \"a b\"", vec!["`prefix`", "character"]),
            ("endpoint_url = \"s3.example.com\"", vec!["endpoint_url begins with http"]),
            ("acl = \"public\"", vec!["`acl`", "`none`"]),
            ("auto_copy = \"yes\"", vec!["`auto_copy`", "a boolean"]),
            ("access_key_id = \"AK\"", vec!["belong together"]),
            (STORAGE, vec!["twice"]),
        ] {
            let message = load(Some(&format!("{STORAGE}{more}\n")), &[]).unwrap_err();
            for part in wanted {
                assert!(message.contains(part), "{part:?} is not in: {message}");
            }
        }
        for (wrong, wanted) in [
            (STORAGE.replace("\"archive\"", "\"a b\""), "1 to 64 characters"),
            (STORAGE.replace("\"a\"", "\"a b\""), "`project`"),
            (STORAGE.replace("\"bucket\"", "\"B\""), "3 to 63 characters"),
            (STORAGE.replace("bucket = ", "region = "), "missing field `bucket`"),
            (STORAGE.replace("name = ", "region = "), "missing field `name`"),
            ("[storages]\nname = \"a\"\n".to_owned(), "`storages` in /"),
        ] {
            let message = load(Some(&wrong), &[]).unwrap_err();
            assert!(message.contains(wanted), "{wanted:?} is not in: {message}");
        }
        assert!(load(None, &[("STOWAGE_STORAGES__NAME", "a")]).unwrap_err().contains("STOWAGE_STORAGES__NAME"));
    }

    #[test]
    fn secrets_are_not_shown() {
        for wrong in [
            format!("{STORAGE}access_key_id = \"AK\"\nsecret_access_key = \"5277\n"),
            format!("{STORAGE}access_key_id = \"AK\"\nsecret_access_key = 5277\n"),
            format!("{STORAGE}access_key_id = \"AK\"\nsecret_access_key = [\"5277\"]\n"),
            format!("{STORAGE}secret_access_key = \"5277\"\n"),
            format!("{STORAGE}external_id = \"5277\"\n"),
            format!("{STORAGE}role_arn = \"r\"\nexternal_id = 5277\n"),
            format!("{STORAGE}secret_access_key = \"5277\"\naccess_key_id = 7\n"),
            format!("{STORAGE}secret_access_key = \"5277\"\n{STORAGE}"),
            "[[projects]]\npublic_key = \"a\"\nsecret_keys = [5277]\n".to_owned(),
            "[[projects]]\npublic_key = \"a\"\nsecret_keys = 5277\n".to_owned(),
            "[[projects]]\npublic_key = \"a\"\nsecret_keys = []\ndelivery_secrets = [5277]\n".to_owned(),
            "[[projects]]\npublic_key = \"a\"\nsecret_keys = []\ndelivery_secrets = [\"5277x\"]\n".to_owned(),
            "[blobs]\nsecret_access_key = 5277\n".to_owned(),
        ] {
            let message = load(Some(&wrong), &[]).unwrap_err();
            assert!(!message.contains("5277"), "{message}");
        }
        let good = format!("{STORAGE}access_key_id = \"AK\"\nsecret_access_key = \"5277\"\n");
        let config = load(Some(&good), &[]).unwrap();
        assert!(!config.summary().contains("5277") && !format!("{:?}", config.storages).contains("5277"));
        assert!(!format!("{:?}", config.declared_storages().unwrap()).contains("5277"));
    }
}
