//! What a command says of a storage's settings: `--set`, and the secret key, which has ways of its own because everybody on the
//! machine may read arguments.

use std::env;
use std::io::{self, Read};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use stowage_model::storage::Secret;
use stowage_model::{Storage, StorageSettings};

use crate::commands::settings;
use crate::config::STORAGE_SECRET;

/// More than any secret key has, in bytes.
const MAX_SECRET: u64 = 4096;

/// What is to be set.
#[derive(Args, Default)]
pub(in crate::commands) struct Changes {
    /// Settings as in [[storages]], like `endpoint_url=https://s3.example.com` or `only_stored=true`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Read the secret key from standard input [env: `STOWAGE_STORAGE_SECRET`]
    #[arg(long)]
    secret_stdin: bool,
}

impl Changes {
    /// These settings with what the command line, the environment and standard input say laid over them.
    pub(super) fn over(&self, settings: &StorageSettings) -> anyhow::Result<StorageSettings> {
        self.changed(settings, self.secret()?)
    }

    /// The same for a storage that there is: something has to be said.
    pub(super) fn over_those_of(&self, storage: &Storage) -> anyhow::Result<StorageSettings> {
        let secret = self.secret()?;
        if self.settings.is_empty() && secret.is_none() {
            bail!("nothing is to be changed: say what with --set KEY=VALUE, or give a secret key");
        }
        self.changed(&storage.settings, secret)
    }

    fn secret(&self) -> anyhow::Result<Option<String>> {
        if !self.secret_stdin {
            return Ok(env::var(STORAGE_SECRET).ok().filter(|secret| !secret.is_empty()));
        }
        let mut text = String::new();
        let read = io::stdin().take(MAX_SECRET).read_to_string(&mut text);
        read.context("cannot read the secret key from standard input")?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            bail!("there is no secret key on standard input");
        }
        Ok(Some(secret.to_owned()))
    }

    fn changed(&self, settings: &StorageSettings, secret: Option<String>) -> anyhow::Result<StorageSettings> {
        if self.settings.iter().any(|pair| pair.starts_with("secret_access_key")) {
            bail!(
                "the secret key is not taken from arguments, which everybody on this machine may read: put it into \
                 {STORAGE_SECRET}, or use --secret-stdin"
            );
        }
        let mut object = open(settings)?;
        settings::lay(&mut object, &self.settings)?;
        let mut changed = close(object)?;
        changed.secret_access_key = match secret {
            Some(secret) => Secret::new(secret),
            // Where the key goes, its secret goes, too.
            None if changed.access_key_id.is_empty() => Secret::default(),
            None => settings.secret_access_key.clone(),
        };
        match changed.fault() {
            Some(fault) if fault.contains("secret_access_key") => {
                bail!("{fault}; the secret is read from {STORAGE_SECRET}, or from standard input with --secret-stdin")
            }
            Some(fault) => bail!("{fault}"),
            None => Ok(changed),
        }
    }
}

/// The settings as they are changed and listed: without the secret key, and with what is left out where it has no value.
pub(super) fn open(settings: &StorageSettings) -> anyhow::Result<Value> {
    let mut object = serde_json::to_value(settings)?;
    if let Some(members) = object.as_object_mut() {
        members.remove("secret_access_key");
        let style = settings.force_path_style.map_or_else(String::new, |forced| forced.to_string());
        members.insert("force_path_style".to_owned(), Value::String(style));
    }
    Ok(object)
}

fn close(mut object: Value) -> anyhow::Result<StorageSettings> {
    if let Some(style) = object.get_mut("force_path_style") {
        *style = match style.as_str() {
            Some("") => Value::Null,
            Some("true") => Value::Bool(true),
            Some("false") => Value::Bool(false),
            _ => bail!("`force_path_style` takes true, false or nothing"),
        };
    }
    serde_path_to_error::deserialize(object).context("the settings do not fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(from: &StorageSettings, pairs: &[&str], secret: Option<&str>) -> Result<StorageSettings, String> {
        let settings = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        let changes = Changes { settings, secret_stdin: false };
        changes.changed(from, secret.map(str::to_owned)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn settings_are_changed_by_their_type() {
        let fresh = StorageSettings::new("bucket".to_owned().try_into().unwrap());
        assert_eq!(changed(&fresh, &[], None).unwrap(), fresh);
        let pairs = ["auto_copy=false", "prefix=a/", "pattern=${uuid}${ext}", "region=7", "acl=none"];
        let settings = changed(&fresh, &pairs, None).unwrap();
        assert!(!settings.auto_copy);
        assert_eq!((settings.prefix.as_str(), settings.region.as_str()), ("a/", "7"));
        assert_eq!(settings.pattern.to_string(), "${uuid}${ext}");
        let forced = changed(&settings, &["force_path_style=true", "bucket=other"], None).unwrap();
        assert_eq!((forced.force_path_style, forced.bucket.as_str()), (Some(true), "other"));
        assert_eq!(changed(&forced, &["force_path_style="], None).unwrap().force_path_style, None);
        for (pair, wanted) in [
            ("auto_cop=1", "there are access_key_id, "),
            ("auto_copy=maybe", "true or false"),
            ("force_path_style=maybe", "true, false or nothing"),
            ("pattern=${nope}", "pattern: `${nope}`"),
            ("bucket=B", "3 to 63 characters"),
            ("sse=rot13", "sse is AES256"),
            ("prefix", "KEY=VALUE"),
        ] {
            let message = changed(&fresh, &[pair], None).unwrap_err();
            assert!(message.contains(wanted), "{pair}: {message}");
        }
    }

    #[test]
    fn the_secret_key_has_ways_of_its_own() {
        let fresh = StorageSettings::new("bucket".to_owned().try_into().unwrap());
        for pair in ["secret_access_key=hunter2", "secret_access_key"] {
            let message = changed(&fresh, &[pair], None).unwrap_err();
            assert!(message.contains("--secret-stdin") && !message.contains("hunter2"), "{message}");
        }
        let message = changed(&fresh, &["access_key_id=AK"], None).unwrap_err();
        assert!(message.contains("STOWAGE_STORAGE_SECRET"), "{message}");
        let keyed = changed(&fresh, &["access_key_id=AK"], Some("hunter2")).unwrap();
        assert_eq!(keyed.secret_access_key.expose(), "hunter2");
        assert_eq!(changed(&keyed, &["prefix=a"], None).unwrap().secret_access_key.expose(), "hunter2");
        assert_eq!(changed(&keyed, &[], Some("other")).unwrap().secret_access_key.expose(), "other");
        assert!(changed(&keyed, &["access_key_id="], None).unwrap().secret_access_key.is_empty());
        let message = changed(&keyed, &["pattern=a b"], None).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
        assert!(!open(&keyed).unwrap().to_string().contains("hunter2"));
    }
}
