//! No way of writing an address leads to this machine or its network: not in a URL, not in a name, not in a redirect.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stowage_fetch::{FetchError, Url, UrlFault, testing};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::origin::{Origin, PUBLIC, failure, failure_with, finish, lookup, options, outbound, places};

/// Authorities that lead to this machine wherever they are not refused; `{port}` is the port of the listener.
const LOOPBACK: &[&str] = &[
    "127.0.0.1:{port}",
    "127.0.0.1.:{port}",
    "127.1:{port}",
    "127.0.1:{port}",
    "2130706433:{port}",
    "017700000001:{port}",
    "0x7f000001:{port}",
    "0X7F000001:{port}",
    "0x7f.1:{port}",
    "0x7f.0x0.0x0.0x1:{port}",
    "0177.0.0.1:{port}",
    "0177.0.0.01:{port}",
    "0000000177.0.0.1:{port}",
    "127.255.255.254:{port}",
    "127。0。0。1:{port}",
    "127．0．0．1:{port}",
    "１２７.0.0.1:{port}",
    "①②⑦.⓪.⓪.①:{port}",
    "%31%32%37.0.0.1:{port}",
    "127%2e0%2E0%2e1:{port}",
    "127.0\u{ad}.0.1:{port}",
    "0.0.0.0:{port}",
    "0:{port}",
    "00.0x0:{port}",
    "localhost:{port}",
    "LocalHost:{port}",
    "localhost.:{port}",
    "a.localhost:{port}",
    "ⓛocalhost:{port}",
    "local%68ost:{port}",
    "[::1]:{port}",
    "[0:0:0:0:0:0:0:1]:{port}",
    "[0000::0001]:{port}",
    "[::0.0.0.1]:{port}",
    "[::]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[::ffff:7f00:1]:{port}",
    "[::FFFF:0:0]:{port}",
    "@127.0.0.1:{port}",
    "127.0.0.1:{port}\\@public.test",
    "127.0.0.1:{port}#@public.test",
    "127.0.0.1:{port}?@public.test",
    "loop.test:{port}",
    "LOOP。test.:{port}",
    "mapped.test:{port}",
    "mixed.test:{port}",
];

/// Others that are not public.
const NOT_PUBLIC: &[&str] = &[
    "0.1.2.3",
    "10.0.0.1",
    "0xa.0x0.0x0.0x1",
    "012.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.10",
    "3232235786",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[::2]",
    "[::10.0.0.1]",
    "[::8.8.8.8]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:8.8.8.8]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::a00:1]",
    "[100::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    "[2001:0:53aa:64c:0:0:80ff:fffe]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::]",
    "[2002:808:808::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[4000::1]",
    "private.test",
    "six.test",
];

/// What is refused for another reason, although it hides an address.
const OTHERWISE: &[(&str, UrlFault)] = &[
    ("public@127.0.0.1:{port}", UrlFault::Invalid),
    ("public.test:80@127.0.0.1:{port}", UrlFault::Invalid),
    ("public.test%20@127.0.0.1:{port}", UrlFault::Invalid),
    (":@127.0.0.1:{port}", UrlFault::PrivateIp),
    ("127.0.0.1:{port}@nowhere.test", UrlFault::Invalid),
    ("127.0.0.1:{port}%2F@nowhere.test", UrlFault::Invalid),
    ("nowhere.test\\@127.0.0.1:{port}", UrlFault::HostNotFound),
    ("nowhere.test#@127.0.0.1:{port}", UrlFault::HostNotFound),
    ("127.0.0.1.nowhere.test:{port}", UrlFault::HostNotFound),
    ("notlocalhost:{port}", UrlFault::HostNotFound),
    ("empty.test", UrlFault::HostNotFound),
    ("[fe80::1%25lo]:{port}", UrlFault::HostMalformed),
    ("[::1%25lo]:{port}", UrlFault::HostMalformed),
    ("[::ffff:127.1]:{port}", UrlFault::HostMalformed),
    ("[127.0.0.1]:{port}", UrlFault::HostMalformed),
    ("127.0.0.1..:{port}", UrlFault::HostMalformed),
    ("127.0.0.256:{port}", UrlFault::HostMalformed),
    ("127.0.0.0.1:{port}", UrlFault::HostMalformed),
    ("0x7f.0.0.0xg:{port}", UrlFault::HostNotFound),
    ("127.0.0.1%00.public.test:{port}", UrlFault::HostMalformed),
    ("127.0.0.1 .public.test:{port}", UrlFault::HostMalformed),
    ("127.0.0.1:{port}:80", UrlFault::HostMalformed),
    ("127.0.0.1:0", UrlFault::HostMalformed),
];

/// What the parser drops; not to be put into a header.
const DROPPED: &[&str] = &["127.0\n.0.1:{port}", "\r\n127.0.0.1:{port}", "local\thost:{port}"];

fn cases() -> Vec<(&'static str, UrlFault)> {
    let private = [LOOPBACK, NOT_PUBLIC, DROPPED].concat().into_iter().map(|text| (text, UrlFault::PrivateIp));
    private.chain(OTHERWISE.iter().copied()).collect()
}

fn url(authority: &str, port: u16) -> String {
    format!("http://{}/", authority.replace("{port}", &port.to_string()))
}

#[tokio::test]
async fn no_form_of_an_address_is_reached() {
    let target = Origin::counts().await;
    let outbound = outbound(&options());
    for (authority, fault) in cases() {
        let text = url(authority, target.port);
        assert_eq!(outbound.check(&text).await, Err(fault), "{text}");
        // What `check` refused, a caller may have parsed by itself.
        if let Ok(url) = Url::parse(&text) {
            let expected = match fault {
                UrlFault::HostNotFound => FetchError::Network("host does not resolve"),
                fault => FetchError::Url(fault),
            };
            assert_eq!(outbound.get(&url).await.err(), Some(expected), "{text}");
        }
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn no_form_of_an_address_is_reached_by_a_redirect() {
    let target = Origin::counts().await;
    let port = target.port;
    let origin = Origin::serve(move |head, stream| async move {
        let case: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        let scheme = if case.is_multiple_of(2) { "http:" } else { "" };
        let location = format!("{scheme}{}", url(cases()[case].0, port).strip_prefix("http:").unwrap());
        finish(stream, format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n").as_bytes()).await
    })
    .await;
    for (case, (authority, fault)) in cases().into_iter().enumerate() {
        if DROPPED.contains(&authority) {
            continue;
        }
        let expected = match fault {
            UrlFault::HostNotFound => FetchError::Network("host does not resolve"),
            fault => FetchError::Url(fault),
        };
        assert_eq!(failure(&origin.url(&format!("/{case}"))).await, expected, "{authority}");
    }
    assert_eq!(origin.connections(), cases().len() - DROPPED.len());
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn the_listener_counts_what_is_allowed() {
    let target = Origin::counts().await;
    let mut options = options();
    options.allow = places(&["127.0.0.0/8", "::1", "0.0.0.0/8", "::", "mixed.test"]);
    let mut reached = 0;
    for authority in LOOPBACK {
        let url: Url = url(authority, target.port).parse().unwrap();
        let dialled = !matches!(url.host_str(), Some("mixed.test")) && url.port() == Some(target.port);
        if dialled && failure_with(&options, &url).await != FetchError::Network("connection refused") {
            reached += 1;
        }
    }
    assert!(reached > 30, "{reached} were reached");
    assert_eq!(target.connections(), reached);
}

#[tokio::test]
async fn what_is_allowed_is_exempt_and_nothing_else() {
    let with_allow = |allow: &[&str]| {
        let mut options = options();
        options.allow = places(allow);
        outbound(&options)
    };
    for (allow, text, expected) in [
        (&["10.0.0.0/8"][..], "http://10.1.2.3/", None),
        (&["10.0.0.0/8"], "http://0xa.1/", None),
        (&["10.0.0.0/8"], "http://[::ffff:10.0.0.1]/", None),
        (&["10.0.0.0/8"], "http://11.0.0.1/", None),
        (&["10.0.0.0/8"], "http://private.test/", None),
        (&["10.0.0.0/8"], "http://192.168.0.1/", Some(UrlFault::PrivateIp)),
        (&["10.0.0.0/8"], "http://mixed.test/", Some(UrlFault::PrivateIp)),
        (&["127.0.0.1"], "http://mixed.test/", None),
        (&["private.test"], "http://private.test/", None),
        (&["private.test"], "http://PRIVATE.test./", None),
        (&["private.test"], "http://10.0.0.1/", Some(UrlFault::PrivateIp)),
        (&["private.test"], "http://six.test/", Some(UrlFault::PrivateIp)),
        (&[".test"], "http://six.test/", None),
        (&["*.test"], "http://six.test/", None),
        (&["test"], "http://six.test/", Some(UrlFault::PrivateIp)),
        (&[".six.test"], "http://six.test/", Some(UrlFault::PrivateIp)),
        (&["localhost"], "http://localhost/", None),
        (&["localhost"], "http://127.0.0.1/", Some(UrlFault::PrivateIp)),
        (&["localhost"], "http://a.localhost/", Some(UrlFault::PrivateIp)),
        (&["127.0.0.0/8"], "http://localhost/", None),
        (&["::1"], "http://a.localhost/", None),
        (&[], "http://public.test/", None),
        (&[], "http://8.8.8.8/", None),
        (&[], "http://[2606:2800:220:1::1]/", None),
    ] {
        assert_eq!(with_allow(allow).check(text).await.err(), expected, "{text} where {allow:?} is allowed");
    }
}

#[tokio::test]
async fn what_is_denied_is_not_reached_even_if_it_is_allowed() {
    let mut options = options();
    options.allow = places(&["10.0.0.0/8", "private.test"]);
    options.deny_hosts = places(&["example.com", ".six.test", "10.0.0.0/16", "93.184.216.34", "8.8.8.8"]);
    let outbound = outbound(&options);
    for (text, expected) in [
        ("http://example.com/", Some(UrlFault::Blacklisted)),
        ("http://EXAMPLE.com./a", Some(UrlFault::Blacklisted)),
        ("http://a.b.example.com/", Some(UrlFault::Blacklisted)),
        ("http://notexample.com/", Some(UrlFault::HostNotFound)),
        ("http://six.test/", Some(UrlFault::Blacklisted)),
        ("http://public.test/", Some(UrlFault::Blacklisted)),
        ("http://mixed.test/", Some(UrlFault::Blacklisted)),
        ("http://8.8.8.8/", Some(UrlFault::Blacklisted)),
        ("http://134744072/", Some(UrlFault::Blacklisted)),
        ("http://[::ffff:8.8.8.8]/", Some(UrlFault::Blacklisted)),
        ("http://8.8.4.4/", None),
        ("http://private.test/", Some(UrlFault::Blacklisted)),
        ("http://10.0.3.4/", Some(UrlFault::Blacklisted)),
        ("http://10.1.3.4/", None),
    ] {
        assert_eq!(outbound.check(text).await.err(), expected, "{text}");
    }
    assert_eq!(
        failure_with(&options, &"http://example.com/".parse().unwrap()).await,
        FetchError::Url(UrlFault::Blacklisted)
    );
}

#[tokio::test]
async fn a_name_that_turns_private_after_the_check_is_not_reached() {
    let target = Origin::counts().await;
    let asked = AtomicUsize::new(0);
    let rebinding = move |_: &str| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { PUBLIC } else { "127.0.0.1".parse().unwrap() }])
    };
    let outbound = testing::outbound(&options(), rebinding, Vec::new()).unwrap();
    let url = outbound.check(&format!("http://rebinding.test:{}/", target.port)).await.unwrap();
    assert_eq!(outbound.get(&url).await.err(), Some(FetchError::Url(UrlFault::PrivateIp)));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn the_judged_addresses_are_the_dialled_ones() {
    let origin = Origin::sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let once = move |name: &str| match counter.fetch_add(1, Ordering::SeqCst) {
        0 => lookup(name),
        _ => Err(io::Error::other("asked again")),
    };
    let outbound = testing::outbound(&options(), once, Vec::new()).unwrap();
    let mut answer = outbound.get(&origin.url("/")).await.unwrap();
    assert_eq!(answer.chunk().await, Ok(None));
    assert_eq!((asked.load(Ordering::SeqCst), origin.connections()), (1, 1));
}

#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin =
        Origin::on(listener, |stream| Box::pin(finish(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")));
    // A listener whose queue is full lets whoever comes next wait for ever.
    let full = TcpSocket::new_v4().unwrap();
    full.bind(SocketAddr::from(([127, 0, 0, 67], origin.port))).unwrap();
    let full = full.listen(0).unwrap();
    let _waiting = TcpStream::connect(full.local_addr().unwrap()).await.unwrap();
    for unusable in [&["127.0.0.66"][..], &["127.0.0.67"], &["127.0.0.67", "127.0.0.66", "::2"]] {
        let all = [unusable, &["127.0.0.1"]].concat();
        let lookup = move |_: &str| Ok(all.iter().map(|address| address.parse().unwrap()).collect());
        let outbound = testing::outbound(&options(), lookup, Vec::new()).unwrap();
        let mut answer = outbound.get(&origin.url("/")).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "hi");
    }
    assert_eq!(origin.connections(), 3);
}
