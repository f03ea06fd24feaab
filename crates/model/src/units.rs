//! Sizes and durations as people write them in configuration files: `64MiB`, `24h`.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Deserialises a number of bytes, or a text such as `64MiB` or `5 GB`.
pub fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of bytes, or a size such as `64MiB`")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
            u64::try_from(number).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            let size: Result<ByteSize, _> = text.parse();
            size.map(|size| size.as_u64()).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Bytes)
}

/// Deserialises a text such as `90s`, `24h` or `30 days`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Span;
    impl Visitor<'_> for Span {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration such as `90s` or `24h`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Span)
}

/// Deserialises a list of such texts.
pub fn durations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct One(#[serde(deserialize_with = "duration")] Duration);
    let all: Vec<One> = Deserialize::deserialize(deserializer)?;
    Ok(all.into_iter().map(|one| one.0).collect())
}

/// A duration that may be absent: an empty text, and written as a text of seconds.
pub mod maybe_duration {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Reads a text such as `90s`, or an empty one.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
        let wrong = |_| D::Error::custom("expected a duration such as `90s` or `24h`, or an empty text");
        text.map(|text| humantime::parse_duration(&text)).transpose().map_err(wrong)
    }

    /// Writes what [`deserialize`] reads.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map_or_else(String::new, |duration| format!("{}s", duration.as_secs())).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Deserialize)]
    struct Config {
        #[serde(deserialize_with = "bytes")]
        size: u64,
        #[serde(deserialize_with = "duration")]
        time: Duration,
        #[serde(deserialize_with = "durations")]
        times: Vec<Duration>,
    }

    fn read(size: &serde_json::Value, time: &serde_json::Value) -> Result<Config, String> {
        serde_json::from_value(json!({ "size": size, "time": time, "times": [time, "2h"] }))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_and_durations() {
        let config = read(&json!("64MiB"), &json!("24h")).unwrap();
        assert_eq!((config.size, config.time), (64 << 20, Duration::from_secs(86400)));
        assert_eq!(config.times, [config.time, Duration::from_secs(7200)]);
        assert_eq!(read(&json!(5), &json!("1m 30s")).unwrap().size, 5);
        let refused = read(&json!("much"), &json!("1s")).err().unwrap();
        assert!(refused.contains("such as `64MiB`"), "{refused}");
        assert!(read(&json!(-1), &json!("1s")).is_err());
        assert!(read(&json!(1), &json!("soon")).err().unwrap().contains("such as `90s`"));
    }
}
