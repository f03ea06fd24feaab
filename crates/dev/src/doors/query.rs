//! The query of a request to a door, with sentences for what is wrong with it; and doors that wait until there is what is asked for.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::DevError;

/// The longest that a door waits.
const LONGEST: Duration = Duration::from_secs(60);

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = DevError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, DevError> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        let wrong = |fault: axum::extract::rejection::QueryRejection| {
            let text = std::error::Error::source(&fault).map_or_else(|| fault.to_string(), ToString::to_string);
            DevError::bad(format!("the query: {text}"))
        };
        read.map(|axum::extract::Query(query)| Self(query)).map_err(wrong)
    }
}

/// Reads how long a door shall wait, like `5s`.
pub(crate) fn wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    struct Wait(#[serde(deserialize_with = "stowage_model::units::duration")] Duration);
    let Wait(wait) = Wait::deserialize(deserializer)?;
    if wait > LONGEST { Err(D::Error::custom("a door waits for 60s at most")) } else { Ok(wait) }
}

/// Waits until there is enough, or no longer than this. Whoever changes something tells it.
pub(crate) async fn until(changed: &Notify, wait: Duration, mut is_enough: impl FnMut() -> bool) {
    let deadline = Instant::now() + wait;
    loop {
        let change = changed.notified();
        tokio::pin!(change);
        // Before the look, so that no change is missed.
        change.as_mut().enable();
        if is_enough() || timeout_at(deadline, change).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_door_waits_until_there_is_enough() {
        let (changed, count) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let waiting = tokio::spawn({
            let (changed, count) = (Arc::clone(&changed), Arc::clone(&count));
            async move { until(&changed, LONGEST, || count.load(Ordering::Relaxed) >= 2).await }
        });
        for _ in 0..2 {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            count.fetch_add(1, Ordering::Relaxed);
            changed.notify_waiters();
        }
        let begun = Instant::now();
        waiting.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        until(&changed, LONGEST, || false).await;
        assert_eq!(begun.elapsed(), LONGEST, "not for ever");
    }
}
