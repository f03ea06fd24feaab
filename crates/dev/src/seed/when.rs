//! Times in a seed.

use std::str::FromStr;
use std::time::Duration;

use stowage_model::Timestamp;

/// A moment, or one that lies so far back from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    At(Timestamp),
    Ago(Duration),
}

/// The text is no time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a time is written like 2026-01-31T12:00:00Z, or as an age like \"-3 days\"")]
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
        match text.strip_prefix('-') {
            Some(age) => humantime::parse_duration(age.trim()).map(Self::Ago).map_err(|_| NotAWhen),
            None => text.parse().map(Self::At).map_err(|_| NotAWhen),
        }
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
        for text in ["", "-", "3 days", "yesterday", "2020-01-02", "-9999999999999999999s"] {
            assert_eq!(text.parse::<When>(), Err(NotAWhen), "{text}");
        }
    }
}
