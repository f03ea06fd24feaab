//! Time as a value that is handed in, so that expiry, signatures and retries can be tested without waiting.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use utoipa::ToSchema;

/// A moment in UTC, in microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, description = "A moment in UTC, with six fractional digits and `Z`.")]
pub struct Timestamp(pub i64);

const API_FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

impl Timestamp {
    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `duration` more.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This moment and `duration` less.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// The same moment for the standard library, for HTTP dates; moments before 1970 become 1970.
    pub fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Timestamp {
    /// Writes the form of every time in the APIs: lists have hundreds of them. None outside of the years 0 to 9999.
    fn write(self, buffer: &mut [u8; 27]) -> Option<&str> {
        let time = OffsetDateTime::from_unix_timestamp(self.seconds()).ok()?;
        let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
        let micros = u32::try_from(self.0.rem_euclid(1_000_000)).ok()?;
        buffer.copy_from_slice(b"0000-00-00T00:00:00.000000Z");
        for (place, number) in [
            (0..4, year),
            (5..7, u8::from(time.month()).into()),
            (8..10, time.day().into()),
            (11..13, time.hour().into()),
            (14..16, time.minute().into()),
            (17..19, time.second().into()),
            (20..26, micros),
        ] {
            let mut number: u32 = number;
            for digit in buffer[place].iter_mut().rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        str::from_utf8(buffer).ok()
    }
}

/// The form of every time in the APIs: UTC, six fractional digits, `Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.write(&mut [0; 27]) {
            Some(text) => f.write_str(text),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.write(&mut [0; 27]) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Reads the form in which times are written.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = PrimitiveDateTime::parse(&text, API_FORMAT).map_err(D::Error::custom)?;
        let micros = time.assume_utc().unix_timestamp_nanos().div_euclid(1000);
        i64::try_from(micros).map(Self).map_err(D::Error::custom)
    }
}

/// The text is no time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a time such as 2026-01-31T12:00:00Z")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339, in any time zone.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATime)?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).map(Self).map_err(|_| NotATime)
    }
}

/// Where "now" comes from: the machine, or a clock that tests drive; clones move together.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    Driven(Arc<Mutex<Hand>>),
}

/// What a driven clock shows.
#[derive(Clone, Copy, Debug)]
enum Hand {
    /// So many microseconds more than the machine's clock.
    Ahead(i64),
    /// Always this moment.
    Frozen(Timestamp),
}

impl Hand {
    fn now(self) -> Timestamp {
        match self {
            Self::Ahead(offset) => Timestamp(machine_now().0.saturating_add(offset)),
            Self::Frozen(at) => at,
        }
    }

    fn runs_from(now: Timestamp) -> Self {
        Self::Ahead(now.0.saturating_sub(machine_now().0))
    }

    fn set(&mut self, now: Timestamp) {
        *self = match self {
            Self::Ahead(_) => Self::runs_from(now),
            Self::Frozen(_) => Self::Frozen(now),
        };
    }
}

impl Clock {
    /// The machine's clock, which nobody drives.
    pub fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that runs with the machine's until somebody drives it.
    pub fn driven() -> Self {
        Self(Source::Driven(Arc::new(Mutex::new(Hand::Ahead(0)))))
    }

    /// A driven clock that stands still at `start` until it is moved.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Driven(Arc::new(Mutex::new(Hand::Frozen(start)))))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine => machine_now(),
            Source::Driven(hand) => hand.lock().unwrap_or_else(PoisonError::into_inner).now(),
        }
    }

    /// Moves a driven clock forward, like all that follow; the machine's clock is left alone.
    pub fn advance(&self, duration: Duration) {
        self.drive(|hand| hand.set(hand.now().plus(duration)));
    }

    /// Moves a driven clock to a moment, from where it runs on or stands still as before.
    pub fn set(&self, now: Timestamp) {
        self.drive(|hand| hand.set(now));
    }

    /// Lets a driven clock stand still where it is.
    pub fn freeze(&self) {
        self.drive(|hand| *hand = Hand::Frozen(hand.now()));
    }

    /// Lets a driven clock run on from where it is.
    pub fn run(&self) {
        self.drive(|hand| *hand = Hand::runs_from(hand.now()));
    }

    /// Lets a driven clock run with the machine's.
    pub fn release(&self) {
        self.drive(|hand| *hand = Hand::Ahead(0));
    }

    /// Whether it stands still.
    pub fn is_frozen(&self) -> bool {
        match &self.0 {
            Source::Machine => false,
            Source::Driven(hand) => {
                matches!(*hand.lock().unwrap_or_else(PoisonError::into_inner), Hand::Frozen(_))
            }
        }
    }

    /// How many microseconds it is ahead of the machine's clock at this moment, or less than zero behind it.
    pub fn offset(&self) -> i64 {
        match &self.0 {
            Source::Machine => 0,
            Source::Driven(hand) => match *hand.lock().unwrap_or_else(PoisonError::into_inner) {
                Hand::Ahead(offset) => offset,
                Hand::Frozen(at) => at.0.saturating_sub(machine_now().0),
            },
        }
    }

    fn drive(&self, how: impl FnOnce(&mut Hand)) {
        if let Source::Driven(hand) = &self.0 {
            how(&mut hand.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What the machine's clock shows. Ages of blobs are measured with it whatever [`Clock`] says, because their
/// modification times are written by the file system or by S3.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn machine_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(micros(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_six_digits_and_z() {
        assert_eq!(Timestamp(1_664_928_796_093_042).to_string(), "2022-10-05T00:13:16.093042Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(951_782_400_000_010).to_string(), "2000-02-29T00:00:00.000010Z");
        assert_eq!(Timestamp(253_402_300_799_999_999).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(253_402_300_800_000_000).to_string(), "253402300800000000us");
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(Timestamp(extreme).to_string(), format!("{extreme}us"));
        }
        let written = serde_json::to_value(Timestamp(1_664_928_796_093_042)).unwrap();
        assert_eq!(serde_json::from_value::<Timestamp>(written).unwrap(), Timestamp(1_664_928_796_093_042));
    }

    #[test]
    fn times_are_read_in_any_time_zone() {
        let time = Timestamp(1_664_928_796_093_042);
        for text in
            ["2022-10-05T00:13:16.093042Z", "2022-10-05T02:13:16.093042+02:00", "2022-10-04t19:13:16.0930429-05:00"]
        {
            assert_eq!(text.parse(), Ok(time), "{text}");
        }
        assert_eq!("1969-12-31T23:59:59Z".parse(), Ok(Timestamp(-1_000_000)));
        for text in
            ["", "2022-10-05", "2022-10-05T00:13:16", "2022-13-05T00:13:16Z", "1664928796", "99999-01-01T00:00:00Z"]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn a_manual_clock_stands_still_until_moved() {
        let clock = Clock::manual(Timestamp(5));
        let twin = clock.clone();
        assert_eq!(clock.now(), Timestamp(5));
        twin.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp(1_000_005));
    }

    #[test]
    fn a_driven_clock_runs_with_the_machine_until_it_is_driven() {
        let (clock, second) = (Clock::driven(), Duration::from_secs(1));
        let before = machine_now();
        assert!(!clock.is_frozen() && clock.offset() == 0 && clock.now() >= before);
        let far = machine_now().plus(Duration::from_secs(3600));
        clock.set(far);
        assert!(clock.now() >= far && clock.now() < far.plus(Duration::from_secs(1800)) && !clock.is_frozen());
        clock.freeze();
        let at = clock.now();
        assert!(at >= far && clock.is_frozen());
        clock.advance(second);
        assert_eq!(clock.now(), at.plus(second), "it stands still there as well");
        clock.set(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        assert!(clock.offset() < 0);
        clock.run();
        assert!(!clock.is_frozen() && clock.now() >= Timestamp(5) && clock.now() < before);
        clock.release();
        assert!(clock.now() >= before && clock.offset() == 0);
        clock.set(Timestamp(i64::MAX));
        clock.advance(second);
        assert_eq!(clock.now().0, i64::MAX, "there is no moment behind the last");
    }

    #[test]
    fn nobody_drives_the_machine() {
        let (clock, before) = (Clock::machine(), machine_now());
        clock.set(Timestamp(0));
        clock.freeze();
        assert!(clock.now() >= before && !clock.is_frozen() && clock.offset() == 0);
    }
}
