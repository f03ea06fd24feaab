//! What is configured of copying.

use std::time::Duration;

use serde::Deserialize;
use stowage_model::units::{duration, durations};

/// `[copy]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How many copies a process has under way at the same time.
    pub concurrency: usize,
    /// How many large pieces, of up to 64 MiB, a process sends at the same time, for all copies together.
    pub parts: usize,
    /// The pauses after the first failed attempt, the second, and so on; the last is repeated. Without any, there is one attempt.
    #[serde(deserialize_with = "durations")]
    pub schedule: Vec<Duration>,
    /// How long after it was asked for a copy is tried.
    #[serde(deserialize_with = "duration")]
    pub give_up_after: Duration,
    /// How long a request to the REST API waits for its copy.
    #[serde(deserialize_with = "duration")]
    pub sync_timeout: Duration,
    /// How long a copy stays with a process that does not say that it is still at it.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// How long a storage may take for one piece.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Whether files larger than 5 GB are copied.
    pub allow_large: bool,
}
