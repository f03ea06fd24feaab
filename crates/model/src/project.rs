//! Projects and their settings. A setting that is absent from a configuration or a record has the default given here.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DeliverySecrets, ProjectId, PublicKey, Timestamp};

/// The largest file that a project takes unless its settings say otherwise: 5 TiB, the limit of S3.
pub const MAX_FILE_SIZE: u64 = 5 << 40;

/// A project: who may upload, and how its files are treated.
#[derive(Clone, PartialEq, Debug)]
pub struct Project {
    /// The number under which the records know it.
    pub id: ProjectId,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its secret keys, any of which is good; never to be logged or shown.
    pub secret_keys: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether the configuration file declares it; such a project is changed there and nowhere else.
    pub from_config: bool,
    /// Everything that can be set.
    pub settings: Settings,
}

/// What can be set for a project. Keys and defaults are those of `[[projects]]` in the configuration reference.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of the configuration")]
pub struct Settings {
    /// A name for people.
    pub name: String,
    /// Whether uploads that leave the choice to the project (`auto`) are stored.
    pub autostore: bool,
    /// What an upload means that says nothing about storing.
    pub store_default: StoreDefault,
    /// Whether `1` is refused while `autostore` is off.
    pub strict_autostore: bool,
    /// The largest file, in bytes.
    #[serde(deserialize_with = "crate::units::bytes")]
    pub max_file_size: u64,
    /// The most bytes of all files that are not removed; 0 means no limit.
    #[serde(deserialize_with = "crate::units::bytes")]
    pub max_storage: u64,
    /// The most files that are not removed; 0 means no limit.
    pub max_files: u64,
    /// Whether uploads need a signature.
    pub signed_uploads: bool,
    /// Whether the old form of a signature, MD5 of secret key and `expire`, is good as well.
    pub legacy_md5_signatures: bool,
    /// Detected types that are taken, `type/subtype` or `type/*`; empty means all.
    pub allowed_types: Vec<String>,
    /// Detected types that are refused, written likewise.
    pub blocked_types: Vec<String>,
    /// Whether SVG files are searched for scripts and refused where there are any, or where they do not parse.
    pub svg_validation: bool,
    /// Whether an upload may choose its file's id with `UPLOADCARE_FILE_ID`.
    pub allow_client_file_id: bool,
    /// Whether the project takes uploads at all.
    pub uploads_enabled: bool,
    /// The state of the account, settable so that clients can be tested against it.
    pub account_state: AccountState,
    /// Whether the project is marked as removed.
    pub removed: bool,
    /// Whether search engines may index delivered files.
    pub allow_indexing: bool,
    /// For how long browsers and proxies may keep what was delivered; absent means what the server's configuration says.
    #[serde(with = "crate::units::maybe_duration")]
    pub delivery_max_age: Option<Duration>,
    /// Whether delivery addresses need a token.
    pub signed_delivery: bool,
    /// The secrets of these tokens.
    pub delivery_secrets: DeliverySecrets,
    /// Whether pictures whose format is chosen automatically may become AVIF.
    pub avif: bool,
    /// Whether pictures whose format is chosen automatically may become WebP.
    pub webp: bool,
    /// Whether pictures are encoded as well as they need where no quality is asked for, rather than all alike.
    pub adaptive_quality: bool,
    /// Whether anybody may write texts on delivered pictures.
    pub text_overlays: bool,
    /// Hosts whose files are delivered through this server; a name that begins with a dot, or with `*.`, stands for everything
    /// below it, and an empty list switches this off.
    pub proxy_hosts: Vec<String>,
    /// Who works on the project, for `/project/` of the REST API to tell.
    pub collaborators: Vec<Collaborator>,
}

/// Somebody who works on a project.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Collaborator {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            autostore: true,
            store_default: StoreDefault::Never,
            strict_autostore: false,
            max_file_size: MAX_FILE_SIZE,
            max_storage: 0,
            max_files: 0,
            signed_uploads: false,
            legacy_md5_signatures: false,
            allowed_types: Vec::new(),
            blocked_types: Vec::new(),
            svg_validation: false,
            allow_client_file_id: false,
            uploads_enabled: true,
            account_state: AccountState::Active,
            removed: false,
            allow_indexing: false,
            delivery_max_age: None,
            signed_delivery: false,
            delivery_secrets: DeliverySecrets::default(),
            avif: true,
            webp: true,
            adaptive_quality: false,
            text_overlays: false,
            proxy_hosts: Vec::new(),
            collaborators: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether a file of this detected type may be uploaded.
    pub fn allows_type(&self, mime: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| type_matches(pattern, mime));
        (self.allowed_types.is_empty() || any(&self.allowed_types)) && !any(&self.blocked_types)
    }

    /// Whether files of this host are delivered through this server.
    pub fn proxies(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.proxy_hosts.iter().any(|allowed| match allowed.strip_prefix("*.").or_else(|| allowed.strip_prefix('.')) {
            Some(zone) => {
                let label = host.len().checked_sub(zone.len() + 1).filter(|label| *label > 0);
                let (above, below) = label.and_then(|label| host.split_at_checked(label)).unwrap_or_default();
                !above.is_empty() && below.strip_prefix('.').is_some_and(|below| below.eq_ignore_ascii_case(zone))
            }
            None => allowed.eq_ignore_ascii_case(host),
        })
    }

    /// Whether a file that was uploaded with `flag` is stored.
    pub fn stores(&self, flag: Option<StoreFlag>) -> bool {
        match (flag, self.store_default) {
            (Some(StoreFlag::Yes), _) => true,
            (Some(StoreFlag::No), _) | (None, StoreDefault::Never) => false,
            (Some(StoreFlag::Auto), _) | (None, StoreDefault::Auto) => self.autostore,
        }
    }
}

fn type_matches(pattern: &str, mime: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(kind) => mime.split('/').next().is_some_and(|k| k.eq_ignore_ascii_case(kind)),
        None => pattern.eq_ignore_ascii_case(mime),
    }
}

/// What an upload means that says nothing about storing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StoreDefault {
    /// It is temporary.
    #[serde(rename = "0")]
    Never,
    /// The project's autostore setting decides.
    #[serde(rename = "auto")]
    Auto,
}

/// What an upload says about storing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFlag {
    /// `0`: temporary.
    No,
    /// `1`: stored.
    Yes,
    /// `auto`: the project's autostore setting decides.
    Auto,
}

impl FromStr for StoreFlag {
    type Err = ();

    /// `0`, `1`, `auto`, and the words `false` and `true`; anything else counts as absent.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "0" | "false" => Ok(Self::No),
            "1" | "true" => Ok(Self::Yes),
            "auto" => Ok(Self::Auto),
            _ => Err(()),
        }
    }
}

/// The state of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// In order.
    Active,
    /// Blocked: uploads get `AccountBlockedError`.
    Blocked,
    /// Not paid: uploads get `AccountUnpaidError`.
    Unpaid,
    /// At its limits: uploads get `AccountLimitsExceededError`.
    Limited,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_flag_decides_then_the_project() {
        let on = Settings::default();
        let off = Settings { autostore: false, ..Settings::default() };
        let auto = Settings { store_default: StoreDefault::Auto, ..Settings::default() };
        assert!(on.stores(Some(StoreFlag::Auto)) && !off.stores(Some(StoreFlag::Auto)));
        assert!(off.stores(Some(StoreFlag::Yes)) && !on.stores(Some(StoreFlag::No)));
        assert!(!on.stores(None) && auto.stores(None));
        assert_eq!("maybe".parse::<StoreFlag>(), Err(()));
    }

    #[test]
    fn type_patterns() {
        let settings = Settings {
            allowed_types: vec!["image/*".into(), "application/pdf".into()],
            blocked_types: vec!["image/svg+xml".into()],
            ..Settings::default()
        };
        assert!(settings.allows_type("image/png") && settings.allows_type("application/PDF"));
        assert!(!settings.allows_type("image/svg+xml") && !settings.allows_type("text/plain"));
        assert!(Settings::default().allows_type("application/octet-stream"));
    }

    #[test]
    fn hosts_of_remote_files() {
        let settings = Settings {
            proxy_hosts: vec!["a.example".into(), "*.b.example".into(), ".c".into()],
            ..Settings::default()
        };
        for good in ["a.example", "A.Example.", "x.b.example", "y.x.B.example", "x.c"] {
            assert!(settings.proxies(good), "{good}");
        }
        for bad in ["", ".", "x.a.example", "b.example", "xb.example", "a.example.evil", "c", ".c", "é.example"] {
            assert!(!settings.proxies(bad), "{bad}");
        }
        assert!(!Settings::default().proxies("a.example"));
    }

    #[test]
    fn the_lifetime_is_written_as_it_is_read() {
        let settings: Settings = serde_json::from_str(r#"{"delivery_max_age": "90 days"}"#).unwrap();
        assert_eq!(settings.delivery_max_age, Some(Duration::from_secs(90 * 86400)));
        let written = serde_json::to_string(&settings).unwrap();
        assert!(written.contains(r#""delivery_max_age":"7776000s""#), "{written}");
        assert_eq!(serde_json::from_str::<Settings>(&written).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>(r#"{"delivery_max_age": ""}"#).unwrap(), Settings::default());
    }
}
