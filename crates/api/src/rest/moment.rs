//! Times in queries and in page links.

use stowage_model::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time};

/// Reads an ISO 8601 date, or date and time; without a zone it is UTC.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut numbers = date.split('-');
    let mut next = |digits| number(numbers.next()?, digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let (time, zone) = if rest.is_empty() { (Time::MIDNIGHT, 0) } else { clock(rest.strip_prefix(['T', 't', ' '])?)? };
    let micros = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp_nanos() / 1000;
    Some(Timestamp(i64::try_from(micros).ok()? - zone * 1_000_000))
}

/// The time of a day, and how many seconds east of Greenwich.
fn clock(text: &str) -> Option<(Time, i64)> {
    // A plus that was not escaped arrives as a space.
    let (clock, zone) = match text.find(['Z', 'z', '+', '-', ' ']) {
        Some(at) => (&text[..at], zone(&text[at..])?),
        None => (text, 0),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut numbers = whole.split(':');
    let mut next = || u8::try_from(number(numbers.next()?, 2)?).ok();
    let (hour, minute) = (next()?, next()?);
    let second = if whole.len() > 5 { next()? } else { 0 };
    if numbers.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: String = fraction.chars().chain("00000".chars()).take(6).collect();
    Some((Time::from_hms_micro(hour, minute, second, micros.parse().ok()?).ok()?, zone))
}

/// Seconds east of Greenwich.
fn zone(text: &str) -> Option<i64> {
    let (sign, digits) = text.split_at_checked(1)?;
    let digits = digits.replacen(':', "", 1);
    match (sign, digits.len()) {
        ("Z" | "z", 0) => Some(0),
        ("+" | "-" | " ", 2 | 4) => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            let minutes = if minutes.is_empty() { 0 } else { number(minutes, 2)? };
            let seconds = i64::from(number(hours, 2)? * 60 + minutes) * 60;
            Some(if sign == "-" { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A time as page links have it, escaped: `2013-04-30T09%3A09%3A15.625678%2B00%3A00`.
pub(super) fn in_link(time: Timestamp) -> String {
    let text = time.to_string().replace(':', "%3A");
    format!("{}%2B00%3A00", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-04-30T09:09:15.625678Z.
    const THEN: i64 = 1_367_312_955_625_678;

    #[test]
    fn times_are_read_in_every_form() {
        for text in [
            "2013-04-30T09:09:15.625678Z",
            "2013-04-30T09:09:15.625678+00:00",
            "2013-04-30T09:09:15.625678 00:00",
            "2013-04-30 09:09:15.6256789",
            "2013-04-30T11:39:15.625678+0230",
            "2013-04-30T01:09:15.625678-08",
            "2013-04-30t09:09:15.625678z",
        ] {
            assert_eq!(parse(text), Some(Timestamp(THEN)), "{text}");
        }
        assert_eq!(parse("2015-10-21T00:00:00"), parse("2015-10-21"));
        assert_eq!(parse("2015-10-21T12:30"), parse("2015-10-21T12:30:00.0Z"));
        assert_eq!(parse("1970-01-01T00:00:00.5"), Some(Timestamp(500_000)));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2015",
            "2015-10",
            "2015-13-01",
            "2015-02-30",
            "2015-10-21T",
            "2015-10-21T1:00",
            "2015-10-21T25:00",
            "2015-10-21T00:00:00.",
            "2015-10-21T00:00:00.x",
            "2015-10-21T00:00:00:00",
            "2015-10-21T00:00:00+1",
            "2015-10-21T00:00:00+é0",
            "2015-10-21T00:00:00+0é0",
            "2015-10-21T00:00:00+éé",
            "2015-10-21T00:00:00é",
            "2015-10-21T00:00:00Z0",
            "2015-10-2é",
            "1445385600",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_come_back_out_of_links() {
        let text = in_link(Timestamp(THEN));
        assert_eq!(text, "2013-04-30T09%3A09%3A15.625678%2B00%3A00");
        assert_eq!(parse(&text.replace("%3A", ":").replace("%2B", "+")), Some(Timestamp(THEN)));
    }
}
