//! When the next thing is due, for clocks that are moved by hand: from one such moment to the next nothing happens by itself.

use std::time::Duration;

use stowage_model::Timestamp;

use super::engine::read;
use super::{Records, RecordsError};

impl Records {
    /// The first moment after `after` at which something is due: a job, a webhook, a copy, the end of an upload in parts or of a
    /// file that nobody has stored, which comes `temporary_ttl` after its upload. What is held back for ever is due at
    /// `i64::MAX`, and does not count.
    pub async fn next_due(&self, after: Timestamp, temporary_ttl: Duration) -> Result<Option<Timestamp>, RecordsError> {
        const SQL: &str = "SELECT ( \
                 SELECT min(due) FROM ( \
                     SELECT min(due_at) AS due FROM jobs WHERE due_at > $1 \
                     UNION ALL SELECT min(due_at) FROM deliveries WHERE outcome IS NULL AND due_at > $1 \
                     UNION ALL SELECT min(due_at) FROM copies WHERE due_at > $1 \
                     UNION ALL SELECT min(expires_at) FROM uploads WHERE completed_at IS NULL AND expires_at > $1 \
                 ) AS queues WHERE due < 9223372036854775807 \
             ), ( \
                 SELECT min(uploaded_at) FROM files \
                 WHERE stored_at IS NULL AND removed_at IS NULL AND uploaded_at > $2 \
             )";
        let ttl = i64::try_from(temporary_ttl.as_micros()).unwrap_or(i64::MAX);
        let uploaded_after = after.0.saturating_sub(ttl);
        let (due, uploaded): (Option<i64>, Option<i64>) = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(after.0).bind(uploaded_after).fetch_one(pool).await
        })?;
        let expires = uploaded.and_then(|uploaded| uploaded.checked_add(ttl));
        Ok(due.into_iter().chain(expires).min().map(Timestamp))
    }
}
