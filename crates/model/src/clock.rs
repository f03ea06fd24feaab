//! Time as a value that is handed in, so that expiry, signatures and retries can be tested without waiting.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::BorrowedFormatItem;
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

/// Where "now" comes from: the machine, or a hand-driven clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stands still at `start` until it is moved by [`Clock::advance`]; clones move together.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine => machine_now(),
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; a machine clock moves by itself and is left alone.
    pub fn advance(&self, duration: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(micros(duration), Ordering::SeqCst);
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
    fn a_manual_clock_stands_still_until_moved() {
        let clock = Clock::manual(Timestamp(5));
        let twin = clock.clone();
        assert_eq!(clock.now(), Timestamp(5));
        twin.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp(1_000_005));
    }
}
