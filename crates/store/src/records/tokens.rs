//! What access tokens have used of their budgets.

use stowage_model::Timestamp;

use super::engine::{read, write};
use super::{Records, RecordsError};

impl Records {
    /// How many operations a token has used.
    pub async fn token_uses(&self, key: &str) -> Result<u32, RecordsError> {
        const SQL: &str = "SELECT used FROM token_uses WHERE key = $1";
        let used: Option<i64> =
            read!(self.engine(), pool => sqlx::query_scalar(SQL).bind(key).fetch_optional(pool).await)?;
        Ok(used.map_or(0, |used| u32::try_from(used).unwrap_or(u32::MAX)))
    }

    /// Counts one more operation of a token, if it has used fewer than `limit`; false, and nothing is counted, if it has
    /// not. Nobody asks for the token after `expires`.
    pub async fn spend_token(&self, key: &str, limit: u32, expires: Timestamp) -> Result<bool, RecordsError> {
        const SQL: &str = "INSERT INTO token_uses (key, used, expires_at) VALUES ($1, 1, $3) \
             ON CONFLICT (key) DO UPDATE SET used = token_uses.used + 1, \
                 expires_at = CASE WHEN excluded.expires_at > token_uses.expires_at \
                     THEN excluded.expires_at ELSE token_uses.expires_at END \
             WHERE token_uses.used < $2";
        if limit == 0 {
            return Ok(false);
        }
        let counted = write!(self.engine(), pool => {
            sqlx::query(SQL)
                .bind(key)
                .bind(i64::from(limit))
                .bind(expires.0)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(counted > 0)
    }

    /// Takes back one counted operation, which was refused after all.
    pub async fn refund_token(&self, key: &str) -> Result<(), RecordsError> {
        const SQL: &str = "UPDATE token_uses SET used = used - 1 WHERE key = $1 AND used > 0";
        Ok(write!(self.engine(), pool => sqlx::query(SQL).bind(key).execute(pool).await.map(drop))?)
    }

    /// Forgets up to `limit` tokens that have expired before `now`; answers how many.
    pub async fn purge_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, RecordsError> {
        const SQL: &str = "DELETE FROM token_uses WHERE key IN \
             (SELECT key FROM token_uses WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
        Ok(write!(self.engine(), pool => {
            sqlx::query(SQL).bind(now.0).bind(i64::from(limit)).execute(pool).await.map(|done| done.rows_affected())
        })?)
    }
}
