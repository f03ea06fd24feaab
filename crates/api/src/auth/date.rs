//! The date of a signed request. Clients write RFC 1123 dates with small mistakes, so that they are read leniently; what is
//! signed is the text as it was sent.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stowage_model::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time};

/// The date of those who cannot set `Date`: browsers, and whoever shares their code.
const OWN_DATE: HeaderName = HeaderName::from_static("x-uploadcare-date");

/// By how much the clock of a client may differ from ours.
const TOLERANCE: Duration = Duration::from_secs(15 * 60);

/// The date of a request, as it was sent.
pub(super) fn of(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(OWN_DATE).or_else(|| headers.get(header::DATE))
}

/// Whether a request was signed just now.
pub(super) fn is_now(date: &HeaderValue, now: Timestamp) -> bool {
    let date = date.to_str().ok().and_then(parse);
    date.is_some_and(|date| date >= now.minus(TOLERANCE) && date <= now.plus(TOLERANCE))
}

/// Reads `Fri, 30 Sep 2016 11:10:54 GMT`. Commas may stand wherever a space may, the day of the week may be missing and is not
/// compared, and the zone may be a number.
fn parse(text: &str) -> Option<Timestamp> {
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| word.bytes().all(|b| b.is_ascii_alphabetic()));
    let day = words.next()?.parse().ok()?;
    let month = month(words.next()?)?;
    let year = words.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u8>().ok());
    let time = Time::from_hms(clock.next()??, clock.next()??, clock.next()??).ok()?;
    let zone = zone(words.next().unwrap_or("GMT"))?;
    if clock.next().is_some() || words.next().is_some() {
        return None;
    }
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let local = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    Some(Timestamp((local - zone).saturating_mul(1_000_000)))
}

fn month(text: &str) -> Option<Month> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    Month::try_from(u8::try_from(at + 1).ok()?).ok()
}

/// Seconds east of Greenwich.
fn zone(text: &str) -> Option<i64> {
    if ["GMT", "UTC", "Z"].iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2016-09-30T11:10:54Z.
    const THEN: i64 = 1_475_233_854;

    #[test]
    fn dates_of_all_clients_are_read() {
        for text in [
            "Fri, 30 Sep 2016 11:10:54 GMT",
            "Fri, 30 Sep 2016, 11:10:54 GMT",
            "Fri, 30 Sep 2016 11:10:54 -0000",
            "Fri, 30 Sep 2016 13:40:54 +0230",
            "Fri, 30 Sep 2016 03:10:54 -0800",
            "30 sep 2016 11:10:54 utc",
            "Fri, 30 Sep 2016 11:10:54",
        ] {
            assert_eq!(parse(text), Some(Timestamp(THEN * 1_000_000)), "{text}");
        }
        assert_eq!(parse("Tue, 1 Jan 2030 00:00:00 GMT"), Some(Timestamp(1_893_456_000 * 1_000_000)));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "now",
            "Fri",
            "1475233854",
            "2016-09-30T11:10:54Z",
            "Fri, 31 Sep 2016 11:10:54 GMT",
            "Fri, 30 Sep 16 11:10:54 GMT",
            "Fri, 30 Sep 2016 25:10:54 GMT",
            "Fri, 30 Sep 2016 11:10 GMT",
            "Fri, 30 Sep 2016 11:10:54:00 GMT",
            "Fri, 30 Sep 2016 11:10:54 CET",
            "Fri, 30 Sep 2016 11:10:54 +1",
            "Fri, 30 Sep 2016 11:10:54 GMT x",
            "Fri, 30 Sep 2016 11:10:54 +€00",
            "Fri, 99999999999999999999 Sep 2016 11:10:54 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_quarter_of_an_hour_is_tolerated() {
        let date = HeaderValue::from_static("Fri, 30 Sep 2016 11:10:54 GMT");
        let at = |seconds: i64| is_now(&date, Timestamp((THEN + seconds) * 1_000_000));
        assert!(at(0) && at(900) && at(-900));
        assert!(!at(901) && !at(-901));
    }

    #[test]
    fn the_date_of_its_own_wins() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.insert(header::DATE, HeaderValue::from_static("a"));
        assert_eq!(of(&headers).unwrap(), "a");
        headers.insert(OWN_DATE, HeaderValue::from_static("b"));
        assert_eq!(of(&headers).unwrap(), "b");
    }
}
