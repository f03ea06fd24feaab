//! Times in a seed.

use std::str::FromStr;
use std::time::Duration;

use stowage_model::Timestamp;

use crate::doors::clock::LIMITS;

/// A moment, or one that lies so far back from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    At(Timestamp),
    Ago(Duration),
}

/// The oldest age: the APIs have no words for times before the year 0.
const OLDEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// The text is no time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a time is written like 2026-01-31T12:00:00Z, from 1970 to 9000, or as an age like \"-3 days\", up to 100 years"
)]
pub(super) struct NotAWhen;

impl When {
    /// The moment that it is where it is now `now`.
    pub(super) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(age) => now.minus(age),
        }
    }
}

impl FromStr for When {
    type Err = NotAWhen;

    fn from_str(text: &str) -> Result<Self, NotAWhen> {
        if let Some(age) = text.strip_prefix('-') {
            let age = humantime::parse_duration(age.trim()).map_err(|_| NotAWhen)?;
            return if age <= OLDEST { Ok(Self::Ago(age)) } else { Err(NotAWhen) };
        }
        let (first, last) = LIMITS;
        let time = text.parse().map_err(|_| NotAWhen)?;
        if (first..=last).contains(&time) { Ok(Self::At(time)) } else { Err(NotAWhen) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_or_ages() {
        let now: Timestamp = "2026-05-10T12:00:00Z".parse().unwrap();
        let seen = |text: &str| text.parse::<When>().map(|when| when.seen_from(now).to_string());
        assert_eq!(seen("-3 days").unwrap(), "2026-05-07T12:00:00.000000Z");
        assert_eq!(seen("- 1h 30m").unwrap(), "2026-05-10T10:30:00.000000Z");
        assert_eq!(seen("2020-01-02T03:04:05+01:00").unwrap(), "2020-01-02T02:04:05.000000Z");
        for text in ["", "-", "3 days", "yesterday", "2020-01-02", "-9999999999999999999s", "-101 years"] {
            assert_eq!(text.parse::<When>(), Err(NotAWhen), "{text}");
        }
        for text in ["0000-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(
                text.parse::<When>(),
                Err(NotAWhen),
                "the APIs could not say {text}, or the clock never shows it"
            );
        }
    }
}
