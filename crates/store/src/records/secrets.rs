//! What all nodes sign with.

use super::engine::{read, write};
use super::{Records, RecordsError};

impl Records {
    /// The secret of this name. The first who asks determines it by their `candidate`; all others, also those who ask at the
    /// same moment, get the same. Never to be logged or shown.
    pub async fn secret(&self, name: &str, candidate: &str) -> Result<String, RecordsError> {
        const STORED: &str = "SELECT value FROM secrets WHERE name = $1";
        const STORE: &str = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let stored: Option<String> =
            read!(self.engine(), pool => sqlx::query_scalar(STORED).bind(name).fetch_optional(pool).await)?;
        if let Some(secret) = stored {
            return Ok(secret);
        }
        write!(self.engine(), pool => sqlx::query(STORE).bind(name).bind(candidate).execute(pool).await.map(drop))?;
        Ok(write!(self.engine(), pool => sqlx::query_scalar(STORED).bind(name).fetch_one(pool).await)?)
    }
}
