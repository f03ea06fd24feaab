//! What a server says when it is ready: to people, or to the program that has started it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use serde::Serialize;
use stowage_model::PublicUrls;

use super::say;
use crate::config::{Config, DEMO};
use crate::run;

/// `--announce`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Announce {
    /// For people; the first line is `listening on http://…`
    #[default]
    Text,
    /// One line with a JSON object that names all addresses
    Json,
}

/// The JSON object, whose members are in this order.
#[derive(Serialize)]
pub(super) struct Announcement {
    listening: String,
    upload: String,
    rest: String,
    cdn: String,
    dev: Option<String>,
    metrics: Option<String>,
    data_dir: String,
    ephemeral: bool,
    pid: u32,
    version: &'static str,
    public_key: Option<&'static str>,
    /// The address as people would write it.
    #[serde(skip)]
    shown: String,
}

impl Announcement {
    /// What there is to say of a server with this configuration, but for its address.
    pub(super) fn of(config: &Config, ephemeral: bool, address: SocketAddr) -> Self {
        let shown = reachable(address);
        let PublicUrls { upload, rest, cdn } = run::own_urls(config, Some(shown));
        let metrics: Option<SocketAddr> = config.metrics.listen.parse().ok();
        let data_dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
        Self {
            listening: format!("http://{address}"),
            upload,
            rest,
            cdn,
            dev: config.dev.enabled.then(|| format!("http://{shown}/_dev/")),
            // Which port a listener has taken that may take any, its library does not say.
            metrics: metrics.filter(|at| at.port() != 0).map(|at| format!("http://{}/metrics", reachable(at))),
            data_dir: data_dir.display().to_string(),
            ephemeral,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            public_key: config.has_demo_project().then_some(DEMO.0),
            shown: if address.ip().is_unspecified() {
                format!("http://localhost:{}", address.port())
            } else {
                format!("http://{address}")
            },
        }
    }

    /// Tells it; the first line is for programs that start Stowage and wait for it.
    pub(super) fn make(&self, form: Announce) -> anyhow::Result<()> {
        match form {
            Announce::Text => self.as_text(),
            Announce::Json => say(&serde_json::to_string(self)?),
        }
        Ok(())
    }

    fn as_text(&self) {
        say(&format!("listening on {}", self.listening));
        let Some(public_key) = self.public_key else { return };
        let shown = &self.shown;
        say(&format!(
            "\nUpload API, REST API and delivery: {shown}\n\
             Demo project: public key {public_key}, secret key {}\n\n\
             curl    curl -F UPLOADCARE_PUB_KEY={public_key} -F UPLOADCARE_STORE=auto -F file=@photo.jpg {shown}/base/\n\
             client  new UploadClient({{ publicKey: '{public_key}', baseURL: '{shown}', baseCDN: '{shown}' }})\n\
             widget  <uc-config ctx-name=\"u\" pubkey=\"{public_key}\" base-url=\"{shown}\" cdn-cname=\"{shown}\"></uc-config>\n",
            DEMO.1
        ));
    }
}

/// Where an address can be reached on this machine.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
