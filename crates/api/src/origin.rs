//! Under which addresses the world reaches this server: configured, or read off the request, also behind a proxy.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, header};
use ipnet::IpNet;
use serde::Deserialize;
use stowage_model::PublicUrls;

use crate::{Peer, State};

/// `[urls]` of the configuration; an empty address follows the request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlOptions {
    /// The Upload API's address.
    pub upload: String,
    /// The REST API's address.
    pub rest: String,
    /// Delivery's address.
    pub cdn: String,
}

/// The networks whose proxies may say for whom they speak (`server.trusted_proxies`).
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    fn trust(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|net| net.contains(&peer))
    }
}

/// The public addresses as this request's sender knows them.
pub(crate) fn public_urls(state: &State, request: &Parts) -> PublicUrls {
    let UrlOptions { upload, rest, cdn } = &state.urls;
    let own = if upload.is_empty() || rest.is_empty() || cdn.is_empty() {
        own_address(&state.trusted_proxies, request)
    } else {
        String::new()
    };
    let or_own = |configured: &str| {
        let address = if configured.is_empty() { own.as_str() } else { configured };
        address.trim_end_matches('/').to_owned()
    };
    PublicUrls { upload: or_own(upload), rest: or_own(rest), cdn: or_own(cdn) }
}

fn own_address(trusted: &TrustedProxies, request: &Parts) -> String {
    let Forwarded { scheme, host } = forwarded(trusted, request);
    let asked = request.uri.authority().map(http::uri::Authority::as_str);
    let asked = asked.or_else(|| request.headers.get(header::HOST).and_then(|host| host.to_str().ok()));
    let host = host.or_else(|| asked.filter(|host| is_host(host)).map(str::to_owned));
    format!("{}://{}", scheme.unwrap_or("http"), host.as_deref().unwrap_or("localhost"))
}

/// The host that this request's sender asked, without a port; empty where that is unknown.
pub(crate) fn public_host(state: &State, request: &Parts) -> String {
    let address = own_address(&state.trusted_proxies, request);
    let host = address.split_once("://").map_or("", |(_, host)| host);
    host.split(':').next().unwrap_or_default().to_owned()
}

/// What a trusted proxy says about a request.
fn forwarded(trusted: &TrustedProxies, request: &Parts) -> Forwarded {
    let peer = request.extensions.get::<Peer>();
    let proxied = peer.is_some_and(|Peer(address)| trusted.trust(address.ip()));
    if proxied { Forwarded::read(&request.headers) } else { Forwarded::default() }
}

/// Whether the request came over HTTPS, as far as a trusted proxy says so.
pub(crate) fn is_https(state: &State, request: &Parts) -> bool {
    forwarded(&state.trusted_proxies, request).scheme == Some("https")
}

/// The address that the request came from: behind trusted proxies, the last one that none of them owns.
pub(crate) fn client_address(state: &State, request: &Parts) -> Option<IpAddr> {
    let Peer(peer) = request.extensions.get::<Peer>()?;
    Some(client_behind(&state.trusted_proxies, peer.ip(), &request.headers))
}

fn client_behind(trusted: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    if !trusted.trust(client) {
        return client;
    }
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|list| list.split(',')).map(|item| item.trim().to_owned()).collect()
    };
    // Most proxies write X-Forwarded-For and pass on whatever `Forwarded` the client made up.
    let mut hops: Vec<Option<IpAddr>> = all("x-forwarded-for").iter().map(|hop| address(hop)).collect();
    if hops.is_empty() {
        hops = all("forwarded").iter().map(|element| forwarded_for(element)).collect();
    }
    // From the nearest hop on: each was written down by the one before, who must be trusted for it to count.
    for hop in hops.into_iter().rev() {
        let Some(hop) = hop else { break };
        client = hop;
        if !trusted.trust(client) {
            break;
        }
    }
    client
}

fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// What a proxy says about the request that it passed on.
#[derive(Default)]
struct Forwarded {
    scheme: Option<&'static str>,
    host: Option<String>,
}

impl Forwarded {
    /// Reads `X-Forwarded-Proto`, `-Host` and `-Port`, else `Forwarded` (RFC 7239): most proxies write the former and pass on
    /// whatever `Forwarded` the client made up. Of several proxies the first one counts: it is the one that the client spoke
    /// to.
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let first = |name: &str| text(name).and_then(|list| list.split(',').next()).map(str::trim);
        let written = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-for"];
        let by_x = written.iter().any(|name| headers.contains_key(*name));
        if let Some(element) = first("forwarded").filter(|_| !by_x) {
            let pair = |wanted: &str| {
                element.split(';').find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
                })
            };
            return Self { scheme: pair("proto").and_then(scheme), host: pair("host").and_then(host) };
        }
        let asked = || text("host").and_then(host);
        let port_given = first("x-forwarded-port").is_some();
        let forwarded = first("x-forwarded-host").and_then(host).or_else(|| if port_given { asked() } else { None });
        let port = first("x-forwarded-port").filter(|port| port.parse::<u16>().is_ok());
        let host = forwarded.map(|host| match port {
            Some(port) if !has_port(&host) && !matches!(port, "80" | "443") => format!("{host}:{port}"),
            _ => host,
        });
        Self { scheme: first("x-forwarded-proto").and_then(scheme), host }
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Some("http"),
        "https" => Some("https"),
        _ => None,
    }
}

fn host(text: &str) -> Option<String> {
    is_host(text).then(|| text.to_owned())
}

/// A host with or without a port; nothing else may get from a header into our answers.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.len() <= 260 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]~".contains(&b))
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(trusted: &str, headers: &[(&str, &str)]) -> String {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer("[::ffff:10.0.0.7]:5000".parse().unwrap()));
        own_address(&TrustedProxies(vec![trusted.parse().unwrap()]), &parts)
    }

    #[test]
    fn the_address_is_the_one_that_the_client_used() {
        let direct = |host| address("192.168.0.0/16", &[("host", host)]);
        assert_eq!(direct("localhost:8080"), "http://localhost:8080");
        assert_eq!(direct("stowage:80"), "http://stowage:80");
        assert_eq!(direct("[::1]:8080"), "http://[::1]:8080");
        assert_eq!(direct("evil\"><script>"), "http://localhost");
    }

    #[test]
    fn the_client_stands_behind_the_trusted_proxies() {
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |peer: &str, name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            client_behind(&trusted, peer.parse().unwrap(), &headers).to_string()
        };
        let x = "x-forwarded-for";
        assert_eq!(client("10.0.0.1", x, "6.6.6.6, 1.2.3.4, 10.0.0.9"), "1.2.3.4", "the first one may be made up");
        assert_eq!(client("::ffff:10.0.0.1", x, "1.2.3.4"), "1.2.3.4");
        assert_eq!(client("9.9.9.9", x, "1.2.3.4"), "9.9.9.9", "strangers are not believed");
        assert_eq!(client("10.0.0.1", x, "nonsense"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", "forwarded", "for=\"[2001:db8::1]:80\";proto=https"), "2001:db8::1");
    }

    #[test]
    fn a_trusted_proxy_speaks_for_its_client() {
        let rfc =
            [("host", "inside"), ("forwarded", "for=1.2.3.4;proto=HTTPS;host=\"files.example.com\", for=10.0.0.1")];
        let x = [
            ("host", "inside"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "files.example.com, inside"),
            ("x-forwarded-port", "8443"),
        ];
        assert_eq!(address("10.0.0.0/8", &rfc), "https://files.example.com");
        assert_eq!(address("10.0.0.0/8", &x), "https://files.example.com:8443");
        assert_eq!(address("10.0.0.0/8", &x[..3]), "https://files.example.com");
        let port = [("host", "files.example.com"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")];
        assert_eq!(address("10.0.0.0/8", &port), "https://files.example.com:8443");
        let made_up = [("host", "inside"), ("forwarded", "host=evil"), ("x-forwarded-proto", "https")];
        assert_eq!(address("10.0.0.0/8", &made_up), "https://inside", "the client made it up");
        assert_eq!(address("192.168.0.0/16", &rfc), "http://inside", "strangers are not believed");
        assert_eq!(address("192.168.0.0/16", &x), "http://inside");
    }
}
