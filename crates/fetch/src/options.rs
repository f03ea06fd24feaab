//! `[fetch]` of the configuration.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use stowage_model::units::{bytes, duration};

use crate::target::is_host_name;

/// `[fetch]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Networks that may be reached although they are not public, and hosts that may be reached wherever they are. A
    /// network whose addresses carry IPv4 addresses, such as that of NAT64, opens all of IPv4.
    pub allow: Vec<Place>,
    /// Networks, and hosts with all names under them, that are never reached, even if `allow` names them.
    pub deny_hosts: Vec<Place>,
    /// The most redirects that one fetch follows.
    pub redirects: usize,
    /// How long resolving a host, connecting to it and its TLS may take together.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long a server may take for the whole head of its answer, and pause between two pieces of the body.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// How long one fetch may take, redirects included; at most a year.
    #[serde(deserialize_with = "duration")]
    pub total_timeout: Duration,
    /// The most bytes that a body with a content coding may have and may unpack to.
    #[serde(deserialize_with = "bytes")]
    pub decoded_size: u64,
}

/// A network (`10.0.0.0/8`, `::1`), a host (`localhost`), or all hosts under a name (`.example.com`, `*.example.com`).
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// All addresses of a network.
    Network(IpNet),
    /// One host, in lower case and Punycode.
    Host(String),
    /// All hosts under this name, but not itself; without the leading dot.
    Under(String),
}

/// A text is no [`Place`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a network such as `10.0.0.0/8` nor a host such as `example.com` or `.example.com`")]
pub struct PlaceError(String);

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let (under, name) = match text.strip_prefix('*').unwrap_or(text).strip_prefix('.') {
            Some(name) => (true, name),
            None => (false, text),
        };
        match url::Host::parse(name.strip_suffix('.').unwrap_or(name)) {
            Ok(url::Host::Domain(name)) if is_host_name(&name) && under => Ok(Self::Under(name)),
            Ok(url::Host::Domain(name)) if is_host_name(&name) => Ok(Self::Host(name)),
            _ => Err(PlaceError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        text.parse()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "{network}"),
            Self::Host(name) => f.write_str(name),
            Self::Under(name) => write!(f, ".{name}"),
        }
    }
}

/// Whether `host` is a name under `name`, and not `name` itself.
pub(crate) fn is_under(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<String> {
        let place: Place = text.parse().ok()?;
        Some(format!("{place:?}"))
    }

    #[test]
    fn places_are_networks_hosts_and_everything_under_a_name() {
        assert_eq!(place("127.0.0.0/8").unwrap(), "Network(127.0.0.0/8)");
        assert_eq!(place("127.0.0.1").unwrap(), "Network(127.0.0.1/32)");
        assert_eq!(place("::1").unwrap(), "Network(::1/128)");
        assert_eq!(place("fd00::/8").unwrap(), "Network(fd00::/8)");
        assert_eq!(place("LocalHost").unwrap(), "Host(\"localhost\")");
        assert_eq!(place("bücher.example.").unwrap(), "Host(\"xn--bcher-kva.example\")");
        assert_eq!(place(".internal").unwrap(), "Under(\"internal\")");
        assert_eq!(place("*.Some.internal").unwrap(), "Under(\"some.internal\")");
        for wrong in ["", ".", "*", "*.", "127.1", "10.0.0.0/33", "a b", "http://a", "a:80", "*a", "..a", "-a", "[::1]"]
        {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places_show_what_they_are() {
        for text in ["10.0.0.0/8", "localhost", ".internal"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
        let error = "a b".parse::<Place>().unwrap_err().to_string();
        assert!(error.starts_with("`a b` is neither"), "{error}");
    }

    #[test]
    fn a_name_is_not_under_another_that_only_ends_alike() {
        assert!(is_under("a.example.com", "example.com") && is_under("b.a.example.com", "example.com"));
        assert!(!is_under("example.com", "example.com") && !is_under("notexample.com", "example.com"));
    }

    #[test]
    fn the_section_is_read_strictly() {
        let mut section = serde_json::json!({
            "allow": ["127.0.0.0/8", ".internal"], "deny_hosts": [], "redirects": 5, "connect_timeout": "10s",
            "idle_timeout": "30s", "total_timeout": "5m", "decoded_size": "1GiB",
        });
        let options: Options = serde_json::from_value(section.clone()).unwrap();
        assert_eq!((options.allow.len(), options.redirects, options.decoded_size), (2, 5, 1 << 30));
        assert_eq!(options.total_timeout, Duration::from_secs(300));
        section["proxy"] = "x".into();
        assert!(serde_json::from_value::<Options>(section.clone()).is_err());
        section.as_object_mut().unwrap().remove("proxy");
        section["allow"] = serde_json::json!(["10.0.0.0/8 "]);
        let error = serde_json::from_value::<Options>(section).unwrap_err().to_string();
        assert!(error.contains("neither a network"), "{error}");
    }
}
