//! What a URL must look like before anybody is asked about its host. The parser is that of browsers (WHATWG): it turns
//! every odd way to write an address into the address, and what it made is what is judged and what is dialled, so that
//! two readings of one text cannot happen.

use percent_encoding::{AsciiSet, percent_encode};
use url::{Host, ParseError, Url};

use crate::error::UrlFault;

/// The longest URL, in bytes.
const MAX_BYTES: usize = 4096;

/// Reads a URL that a user handed in, without asking anybody about its host.
///
/// Surrounding blanks are dropped. [`crate::Outbound::check`] looks at the host as well.
pub fn parse(text: &str) -> Result<Url, UrlFault> {
    if text.len() > MAX_BYTES {
        return Err(UrlFault::Invalid);
    }
    let url = Url::parse(text).map_err(|error| fault(error, text))?;
    // Browsers forgive a wrong number of slashes and take the path for a host.
    let slashes = |rest: &str| rest.len() - rest.trim_start_matches(['/', '\\']).len();
    let has_host = text.split_once(':').is_some_and(|(_, rest)| slashes(rest) == 2);
    if is_web(&url) && !has_host {
        return Err(UrlFault::HostRequired);
    }
    accept(url)
}

/// Reads the `Location` of a redirect, which may be relative to the URL that answered with it.
pub(crate) fn join(base: &Url, location: &[u8]) -> Result<Url, UrlFault> {
    if location.len() > MAX_BYTES {
        return Err(UrlFault::Invalid);
    }
    // Headers have no character set. In paths and hosts the parser reads an escaped byte like the byte itself.
    let text = percent_encode(location, &AsciiSet::EMPTY).to_string();
    accept(base.join(&text).map_err(|error| fault(error, &text))?)
}

/// Checks a parsed URL and takes the last dot off its host.
pub(crate) fn accept(mut url: Url) -> Result<Url, UrlFault> {
    if !is_web(&url) {
        return Err(UrlFault::SchemeInvalid);
    }
    if url.as_str().len() > MAX_BYTES || !url.username().is_empty() || url.password().is_some() {
        return Err(UrlFault::Invalid);
    }
    if url.port() == Some(0) {
        return Err(UrlFault::HostMalformed);
    }
    if let Some(Host::Domain(name)) = url.host() {
        let absolute = name.strip_suffix('.').map(str::to_owned);
        if !is_host_name(absolute.as_deref().unwrap_or(name)) {
            return Err(UrlFault::HostMalformed);
        }
        if absolute.is_some() {
            url.set_host(absolute.as_deref()).map_err(|error| fault(error, ""))?;
        }
    }
    Ok(url)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Whether a name in lower case and Punycode has the form of RFC 1123; underscores are taken too, as they are in use.
pub(crate) fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn fault(error: ParseError, text: &str) -> UrlFault {
    match error {
        ParseError::RelativeUrlWithoutBase | ParseError::RelativeUrlWithCannotBeABaseBase => UrlFault::SchemeRequired,
        ParseError::EmptyHost => UrlFault::HostRequired,
        // A bracket that is never closed leaves no host to speak of.
        ParseError::InvalidIpv6Address if !text.contains(']') => UrlFault::Parsing,
        ParseError::InvalidIpv6Address
        | ParseError::InvalidIpv4Address
        | ParseError::InvalidDomainCharacter
        | ParseError::IdnaError
        | ParseError::InvalidPort => UrlFault::HostMalformed,
        _ => UrlFault::Parsing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_text() {
        let long = format!("http://example.com/{}", "a".repeat(MAX_BYTES));
        let label = format!("http://{}.com/", "a".repeat(64));
        let name = format!("http://{}com/", "abcdefg.".repeat(32));
        for (text, expected) in [
            ("nope", UrlFault::SchemeRequired),
            ("", UrlFault::SchemeRequired),
            ("//example.com/a.jpg", UrlFault::SchemeRequired),
            ("example.com/a.jpg", UrlFault::SchemeRequired),
            ("://example.com", UrlFault::SchemeRequired),
            ("http://", UrlFault::HostRequired),
            ("http:", UrlFault::HostRequired),
            ("http:///a.jpg", UrlFault::HostRequired),
            ("http:example.com", UrlFault::HostRequired),
            ("https:/example.com", UrlFault::HostRequired),
            ("http://:80/", UrlFault::HostRequired),
            ("http://?a", UrlFault::HostRequired),
            ("http://user@/", UrlFault::HostRequired),
            ("ftp://example.com/a.jpg", UrlFault::SchemeInvalid),
            ("file:///etc/passwd", UrlFault::SchemeInvalid),
            ("data:text/plain,a", UrlFault::SchemeInvalid),
            ("javascript:alert(1)", UrlFault::SchemeInvalid),
            ("gopher://example.com:70/", UrlFault::SchemeInvalid),
            ("localhost:8080/a", UrlFault::SchemeInvalid),
            ("http://[::1", UrlFault::Parsing),
            ("http://[::g]/", UrlFault::HostMalformed),
            ("http://[fe80::1%25eth0]/", UrlFault::HostMalformed),
            ("http://[fe80::1%eth0]/", UrlFault::HostMalformed),
            ("http://1.2.3.4.5/", UrlFault::HostMalformed),
            ("http://256.256.256.256/", UrlFault::HostMalformed),
            ("http://0x1ffffffff/", UrlFault::HostMalformed),
            ("http://example.com:0/", UrlFault::HostMalformed),
            ("http://example.com:65536/", UrlFault::HostMalformed),
            ("http://example.com:a/", UrlFault::HostMalformed),
            ("http://exa mple.com/", UrlFault::HostMalformed),
            ("http://exa%00mple.com/", UrlFault::HostMalformed),
            ("http://exa*mple.com/", UrlFault::HostMalformed),
            ("http://-example.com/", UrlFault::HostMalformed),
            ("http://example-.com/", UrlFault::HostMalformed),
            ("http://exam..ple.com/", UrlFault::HostMalformed),
            ("http://example.com../", UrlFault::HostMalformed),
            ("http://./", UrlFault::HostMalformed),
            ("http://127.0.0.1../", UrlFault::HostMalformed),
            ("http://xn--a/", UrlFault::HostMalformed),
            (label.as_str(), UrlFault::HostMalformed),
            (name.as_str(), UrlFault::HostMalformed),
            ("http://user@example.com/", UrlFault::Invalid),
            ("http://user:secret@example.com/", UrlFault::Invalid),
            ("http://:secret@example.com/", UrlFault::Invalid),
            ("http://public@127.0.0.1/", UrlFault::Invalid),
            (long.as_str(), UrlFault::Invalid),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_accepted_is_normal() {
        for (text, normal) in [
            ("HTTP://Example.COM:80/A b?c#d", "http://example.com/A%20b?c#d"),
            (" https://example.com\n", "https://example.com/"),
            ("http://example.com./a", "http://example.com/a"),
            ("http://some_host/", "http://some_host/"),
            ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
            ("http:\\\\example.com\\a", "http://example.com/a"),
            ("http://example.com\\@127.0.0.1/", "http://example.com/@127.0.0.1/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("http://127。0。0。1/", "http://127.0.0.1/"),
            ("http://[0:0::1]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), normal, "{text}");
        }
    }

    #[test]
    fn locations_are_relative_and_need_no_character_set() {
        let base = Url::parse("http://example.com/a/b?c").unwrap();
        for (location, expected) in [
            (&b"d"[..], "http://example.com/a/d"),
            (b"/d?e", "http://example.com/d?e"),
            (b"//other.example/", "http://other.example/"),
            (b"?f", "http://example.com/a/b?f"),
            (b"", "http://example.com/a/b?c"),
            (b"https://other.example", "https://other.example/"),
            (b"http://example.com:8080/../x", "http://example.com:8080/x"),
            ("/ä".as_bytes(), "http://example.com/%C3%A4"),
            (b"/\xe4", "http://example.com/%E4"),
            ("//bücher.example/".as_bytes(), "http://xn--bcher-kva.example/"),
            ("//127。0。0。1/".as_bytes(), "http://127.0.0.1/"),
        ] {
            assert_eq!(join(&base, location).unwrap().as_str(), expected, "{}", location.escape_ascii());
        }
        for (location, expected) in [
            (&b"ftp://example.com/"[..], UrlFault::SchemeInvalid),
            (b"//user@example.com/", UrlFault::Invalid),
            (b"http://[::1", UrlFault::Parsing),
            (b"http://", UrlFault::HostRequired),
            (b"http://\xff/", UrlFault::HostMalformed),
        ] {
            assert_eq!(join(&base, location), Err(expected), "{}", location.escape_ascii());
        }
        assert_eq!(join(&base, "a".repeat(MAX_BYTES).as_bytes()), Err(UrlFault::Invalid));
    }
}
