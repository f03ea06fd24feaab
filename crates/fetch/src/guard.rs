//! Which addresses may be reached. The tables follow the special-purpose registries of IANA. In doubt an address is
//! refused: a file that is not fetched can be uploaded, an answer of a metadata service cannot be taken back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::error::UrlFault;
use crate::options::{Options, Place, is_under};
use crate::resolve::Resolver;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// What is not public in IPv4.
const CLOSED_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared by customers of a provider; metadata of Alibaba
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // the host of a machine in Azure
    v4(169, 254, 0, 0, 16),   // link-local; metadata of most clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocols; metadata of Oracle
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // relays from 6to4
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// The only part of IPv6 whose addresses are handed out. Outside lie loopback, IPv4 in IPv6 (mapped, compatible,
/// NAT64), discard-only, unique local (with the metadata of AWS and Google), link-local, site-local, segment routing
/// and multicast.
const OPEN_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What is not public within it.
const CLOSED_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 23),     // protocols: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4, which carries any IPv4 address
    v6(0x3fff, 0, 20),     // documentation
];

/// Whether strangers may send us to this address unless the operator says otherwise.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => OPEN_V6.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address)),
    }
}

/// Says to which addresses a URL leads, if it may be followed.
#[derive(Debug)]
pub(crate) struct Guard {
    allow: Vec<Place>,
    deny: Vec<Place>,
    resolver: Resolver,
}

impl Guard {
    pub(crate) fn new(options: &Options, resolver: Resolver) -> Self {
        Self { allow: options.allow.clone(), deny: options.deny_hosts.clone(), resolver }
    }

    /// The addresses that may be dialled for a URL that [`crate::target::accept`] made: at least one, all judged.
    pub(crate) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, UrlFault> {
        let addresses = match url.host().ok_or(UrlFault::HostRequired)? {
            Host::Ipv4(address) => self.judge(vec![address.into()], false)?,
            Host::Ipv6(address) => self.judge(vec![address.into()], false)?,
            Host::Domain(name) => self.resolve(name).await?,
        };
        let port = url.port_or_known_default().ok_or(UrlFault::HostMalformed)?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, UrlFault> {
        if self
            .deny
            .iter()
            .any(|place| matches!(place, Place::Host(n) | Place::Under(n) if n == name || is_under(name, n)))
        {
            return Err(UrlFault::Blacklisted);
        }
        let allowed = self.allow.iter().any(|place| match place {
            Place::Host(allowed) => name == allowed,
            Place::Under(allowed) => is_under(name, allowed),
            Place::Network(_) => false,
        });
        if name == "localhost" || is_under(name, "localhost") {
            // RFC 6761: these names mean loopback, whatever a server says. Which of the two is open may be configured.
            let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            addresses.retain(|address| self.judge(vec![*address], allowed).is_ok());
            return if addresses.is_empty() { Err(UrlFault::PrivateIp) } else { Ok(addresses) };
        }
        let addresses = self.resolver.resolve(name).await.map_err(|error| {
            tracing::debug!(name, %error, "a host does not resolve");
            UrlFault::HostNotFound
        })?;
        self.judge(addresses, allowed)
    }

    /// Refuses all addresses if one of them may not be dialled.
    fn judge(&self, addresses: Vec<IpAddr>, allowed: bool) -> Result<Vec<IpAddr>, UrlFault> {
        if addresses.is_empty() {
            return Err(UrlFault::HostNotFound);
        }
        if addresses.iter().any(|address| within(&self.deny, *address)) {
            return Err(UrlFault::Blacklisted);
        }
        if !allowed && addresses.iter().any(|address| !is_public(*address) && !within(&self.allow, *address)) {
            return Err(UrlFault::PrivateIp);
        }
        Ok(addresses)
    }
}

/// Whether an address, or the IPv4 address that is mapped into it, lies in one of the networks.
fn within(places: &[Place], address: IpAddr) -> bool {
    let plain = address.to_canonical();
    let holds = |network: &IpNet| network.contains(&address) || network.contains(&plain);
    places.iter().any(|place| matches!(place, Place::Network(network) if holds(network)))
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::target::{join, parse};

    fn options() -> Options {
        let brief = Duration::from_secs(1);
        Options {
            allow: Vec::new(),
            deny_hosts: Vec::new(),
            redirects: 0,
            connect_timeout: brief,
            idle_timeout: brief,
            total_timeout: brief,
            decoded_size: 0,
        }
    }

    /// Where a URL leads if every name has these addresses.
    fn addresses(url: &Url, every_name: &[IpAddr]) -> Result<Vec<SocketAddr>, UrlFault> {
        thread_local!(static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() });
        let every_name = every_name.to_vec();
        let guard = Guard::new(&options(), Resolver::new(move |_| Ok(every_name.clone())));
        RUNTIME.with(|runtime| {
            let runtime = runtime.get_or_init(|| Builder::new_current_thread().build().unwrap());
            runtime.block_on(guard.addresses(url))
        })
    }

    /// The blocked addresses once more, by another way than the tables: by what std and the RFCs say of bits.
    fn is_blocked(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || address.is_documentation()
                    || address.is_multicast()
                    || a == 0
                    || a >= 240
                    || (a == 100 && b & 0b1100_0000 == 64)
                    || (a == 198 && b & !1 == 18)
                    || (a == 192 && b == 0 && c == 0)
                    || (a == 192 && b == 88 && c == 99)
                    || [a, b, c, d] == [168, 63, 129, 16]
            }
            IpAddr::V6(address) => {
                let [a, b, ..] = address.segments();
                a >> 13 != 1
                    || (a == 0x2001 && b < 0x200)
                    || (a == 0x2001 && b == 0xdb8)
                    || a == 0x2002
                    || (a == 0x3fff && b < 0x1000)
            }
        }
    }

    #[test]
    fn the_edges_of_the_ranges() {
        for (address, public) in [
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("9.255.255.255", true),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("126.255.255.255", true),
            ("128.0.0.0", true),
            ("168.63.129.15", true),
            ("168.63.129.16", false),
            ("169.253.255.255", true),
            ("169.255.0.0", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("192.0.1.0", true),
            ("192.167.255.255", true),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.20.0.0", true),
            ("223.255.255.255", true),
            ("224.0.0.0", false),
            ("255.255.255.255", false),
            ("1fff:ffff::1", false),
            ("2000::", true),
            ("2001:1ff:ffff::", false),
            ("2001:200::", true),
            ("2001:db7:ffff::", true),
            ("2001:db8::", false),
            ("2001:db9::", true),
            ("2001:ffff::", true),
            ("2002::", false),
            ("2003::", true),
            ("2606:2800:220:1::1", true),
            ("3ffe:ffff::", true),
            ("3fff::", false),
            ("3fff:fff:ffff::", false),
            ("3fff:1000::", true),
            ("4000::", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(is_public(address), public, "{address}");
            assert_eq!(is_blocked(address), !public, "{address}");
        }
    }

    #[test]
    fn one_closed_address_closes_a_name() {
        let url = parse("http://name.example/").unwrap();
        let (open, closed) = ("8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap());
        assert_eq!(addresses(&url, &[open]), Ok(vec![SocketAddr::new(open, 80)]));
        assert_eq!(addresses(&url, &[open, closed]), Err(UrlFault::PrivateIp));
        assert_eq!(addresses(&url, &[closed, open]), Err(UrlFault::PrivateIp));
        assert_eq!(addresses(&url, &[]), Err(UrlFault::HostNotFound));
    }

    /// One of the ways to write an IPv4 address.
    fn written_v4(address: u32, form: u8) -> String {
        let [a, b, c, d] = address.to_be_bytes();
        match form % 9 {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => format!("{address}"),
            2 => format!("0x{address:x}"),
            3 => format!("0{address:o}"),
            4 => format!("{a:#x}.0{b:o}.{c}.{d}."),
            5 => format!("{a}.{}", address & 0xff_ffff),
            6 => format!("{a}.{b}.{}", address & 0xffff),
            7 => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            _ => format!("{a}。{b}．{c}｡{d}"),
        }
    }

    fn host() -> impl Strategy<Value = String> {
        let closed_v4 = (proptest::sample::select(CLOSED_V4), any::<u32>())
            .prop_map(|(net, bits)| u32::from(net.network()) | (bits & u32::from(net.hostmask())));
        let v6 = prop_oneof![any::<u128>(), (0..8u128, any::<u128>()).prop_map(|(top, low)| top << 125 | low >> 3)];
        prop_oneof![
            (closed_v4, any::<u8>()).prop_map(|(address, form)| written_v4(address, form)),
            (any::<u32>(), any::<u8>()).prop_map(|(address, form)| written_v4(address, form)),
            v6.prop_map(|bits| format!("[{}]", Ipv6Addr::from(bits))),
            "[a-z0-9.-]{1,20}",
            "(localhost|[a-z]{1,5}\\.localhost)\\.?",
            "[0-9a-fxX%.@:\\[\\]\\\\/?#]{1,25}",
        ]
    }

    fn any_url() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => (proptest::sample::select(&["http", "https", "HTTP"][..]), host(), "(:[0-9]{0,5})?", "[/?#\\\\]?\\PC{0,10}")
                .prop_map(|(scheme, host, port, rest)| format!("{scheme}://{host}{port}{rest}")),
            1 => "\\PC{0,40}",
            1 => "https?:[/\\\\]{0,3}\\PC{0,30}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_url_leads_to_a_blocked_address(
            text in any_url(),
            location in prop_oneof![any_url().prop_map(String::into_bytes), any::<Vec<u8>>()],
            names in proptest::collection::vec(any::<IpAddr>(), 0..3),
        ) {
            let base = Url::parse("http://example.com/a").unwrap();
            for url in [parse(&text), join(&base, &location)].into_iter().flatten() {
                for address in addresses(&url, &names).into_iter().flatten() {
                    prop_assert!(!is_blocked(address.ip()), "{} leads to {}", url, address);
                }
                // What was accepted once stays what it is.
                prop_assert_eq!(parse(url.as_str()), Ok(url));
            }
        }

        #[test]
        fn tables_and_bits_agree(v4: u32, v6: u128, top: u16) {
            let near_the_edges = u128::from(0x2000 | top & 0x1fff) << 112 | v6 >> 16;
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into()), IpAddr::V6(near_the_edges.into())] {
                prop_assert_eq!(is_public(address), !is_blocked(address), "{}", address);
            }
        }
    }
}
