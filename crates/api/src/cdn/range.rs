//! Ranges and conditions of GET and HEAD (RFC 9110, sections 13 and 14).

use std::ops::Range;
use std::time::SystemTime;

use http::{HeaderMap, header};

/// Which bytes a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    All,
    /// Some of them.
    Part(Range<u64>),
    /// None that exist.
    Nothing,
}

/// Reads `Range`. Several ranges in one request are answered with the whole, as are units and forms that are not known: the RFC
/// leaves that to the server, and players and download managers ask for one range.
pub(super) fn wanted(headers: &HeaderMap, size: u64, etag: &str, modified: Option<SystemTime>) -> Wanted {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Wanted::All };
    if let Some(condition) = headers.get(header::IF_RANGE) {
        let condition = condition.to_str().unwrap_or_default();
        let date = || httpdate::parse_http_date(condition).ok();
        let same = condition == etag || modified.is_some_and(|modified| date() == Some(whole(modified)));
        if !same {
            return Wanted::All;
        }
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    let number = |text: &str| {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            None
        } else {
            Some(text.parse().unwrap_or(u64::MAX))
        }
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
        _ => return Wanted::All,
    };
    if range.start < range.end { Wanted::Part(range) } else { Wanted::Nothing }
}

/// Whether the client has this version already. `If-None-Match` decides where it is present. Without a date of its own, no date
/// says anything.
pub(super) fn is_unchanged(headers: &HeaderMap, etag: &str, modified: Option<SystemTime>) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let matches = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag;
        return tags
            .filter_map(|tags| tags.to_str().ok())
            .flat_map(|tags| tags.split(','))
            .any(|tag| matches(tag.trim()));
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|text| httpdate::parse_http_date(text).ok());
    since.zip(modified).is_some_and(|(since, modified)| whole(modified) <= since)
}

/// HTTP dates have no fractions of a second.
fn whole(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ETAG: &str = "\"abc\"";

    fn modified() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(784_111_777_500_000)
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn range(value: &str) -> Wanted {
        wanted(&headers(&[(header::RANGE, value)]), 100, ETAG, Some(modified()))
    }

    #[test]
    fn one_range_is_answered_and_odd_ones_are_ignored() {
        assert_eq!(range("bytes=0-9"), Wanted::Part(0..10));
        assert_eq!(range("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(range("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(range("bytes=-1000"), Wanted::Part(0..100));
        assert_eq!(range("bytes=99-99999999999999999999999"), Wanted::Part(99..100));
        for nothing in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(range(nothing), Wanted::Nothing, "{nothing}");
        }
        for odd in ["bytes=9-0", "bytes=0-1,3-4", "lines=0-9", "bytes=a-b", "bytes=-", "bytes", "bytes=+1-2"] {
            assert_eq!(range(odd), Wanted::All, "{odd}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 100, ETAG, Some(modified())), Wanted::All);
        assert_eq!(wanted(&headers(&[(header::RANGE, "bytes=0-")]), 0, ETAG, Some(modified())), Wanted::Nothing);
    }

    #[test]
    fn if_range_needs_the_same_version() {
        let with = |condition: &str| {
            wanted(
                &headers(&[(header::RANGE, "bytes=0-0"), (header::IF_RANGE, condition)]),
                100,
                ETAG,
                Some(modified()),
            )
        };
        assert_eq!(with(ETAG), Wanted::Part(0..1));
        assert_eq!(with("Sun, 06 Nov 1994 08:49:37 GMT"), Wanted::Part(0..1));
        for other in ["W/\"abc\"", "\"xyz\"", "Sun, 06 Nov 1994 08:49:38 GMT", "rubbish"] {
            assert_eq!(with(other), Wanted::All, "{other}");
        }
    }

    #[test]
    fn conditions() {
        let unchanged = |name, value| is_unchanged(&headers(&[(name, value)]), ETAG, Some(modified()));
        for same in [ETAG, "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(unchanged(header::IF_NONE_MATCH, same), "{same}");
        }
        assert!(!unchanged(header::IF_NONE_MATCH, "\"x\"") && !unchanged(header::IF_NONE_MATCH, "abc"));
        assert!(unchanged(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(!unchanged(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT"));
        assert!(!unchanged(header::IF_MODIFIED_SINCE, "rubbish"));
        let both =
            headers(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, "Sun, 06 Nov 2094 08:49:37 GMT")]);
        assert!(!is_unchanged(&both, ETAG, Some(modified())), "the date is not looked at beside a tag");
        let since = headers(&[(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 2044 08:49:37 GMT")]);
        assert!(is_unchanged(&since, ETAG, Some(modified())) && !is_unchanged(&since, ETAG, None));
    }
}
