//! Parts that have arrived. They are recorded in groups: dozens of an upload may be under way at once, and each must not
//! cost a wait for the disk of its own.

use std::collections::{BTreeMap, HashSet};

use stowage_model::{FileId, Timestamp};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::engine::Engine;
use super::intake::Order;
use super::{Records, RecordsError};

/// An upload and the number of a part.
pub(super) type Place = (Uuid, i64);

/// The parts that were recorded: those of open uploads.
pub(super) type Arrived = HashSet<Place>;

pub(super) struct Arrival {
    upload: FileId,
    number: u32,
    size: u64,
    etag: String,
    now: Timestamp,
    pub(super) done: oneshot::Sender<Result<bool, RecordsError>>,
}

impl Arrival {
    pub(super) fn place(&self) -> Place {
        (self.upload.0, i64::from(self.number))
    }
}

impl Records {
    /// Records that a part has arrived, instead of an older one of the same number; false, and nothing is recorded, if the
    /// upload is completed, expired or gone.
    ///
    /// Whoever writes parts lets nobody else write the same one until this has returned.
    pub async fn put_part(
        &self,
        id: FileId,
        number: u32,
        size: u64,
        etag: &str,
        now: Timestamp,
    ) -> Result<bool, RecordsError> {
        let etag = etag.to_owned();
        let arrival = |done| Order::Arrival(Arrival { upload: id, number, size, etag, now, done });
        self.inner.intake.ask(arrival).await
    }
}

/// Records `$arrivals` through `$executor` and answers which uploads were open: a `Result<Arrived, sqlx::Error>`.
macro_rules! record_arrivals {
    ($engine:expr, $arrivals:expr, $executor:expr) => {
        sqlx::query_as($crate::records::arrivals::sql($engine))
            .bind($crate::records::arrivals::as_json($arrivals))
            .fetch_all($executor)
            .await
            .map(|places: Vec<$crate::records::arrivals::Place>| places.into_iter().collect())
    };
}

pub(super) use record_arrivals;

pub(super) fn sql(engine: &Engine) -> &'static str {
    const SQLITE: &str = "INSERT INTO upload_parts (upload, number, size, etag) \
         SELECT unhex(a.value ->> 0), a.value ->> 1, a.value ->> 2, a.value ->> 3 FROM json_each($1) a \
         WHERE EXISTS (SELECT 1 FROM uploads u \
             WHERE u.id = unhex(a.value ->> 0) AND u.completed_at IS NULL AND u.expires_at > a.value ->> 4) \
         ON CONFLICT (upload, number) DO UPDATE SET size = excluded.size, etag = excluded.etag \
         RETURNING upload, number";
    // The lock lets an upload be completed either before this statement, which then finds it closed, or after it.
    const POSTGRES: &str = "WITH arrived AS ( \
             SELECT (a ->> 0)::uuid AS upload, (a ->> 1)::bigint AS number, (a ->> 2)::bigint AS size, \
                 a ->> 3 AS etag, (a ->> 4)::bigint AS now FROM jsonb_array_elements($1::jsonb) a \
         ), open AS ( \
             SELECT id, expires_at FROM uploads \
             WHERE id = ANY (ARRAY(SELECT upload FROM arrived)) AND completed_at IS NULL ORDER BY id FOR SHARE \
         ) \
         INSERT INTO upload_parts (upload, number, size, etag) \
         SELECT a.upload, a.number, a.size, a.etag FROM arrived a JOIN open ON open.id = a.upload \
         WHERE open.expires_at > a.now ORDER BY a.upload, a.number \
         ON CONFLICT (upload, number) DO UPDATE SET size = excluded.size, etag = excluded.etag \
         RETURNING upload, number";
    match engine {
        Engine::Sqlite { .. } => SQLITE,
        Engine::Postgres(_) => POSTGRES,
    }
}

/// What the statement takes. A statement cannot write a row twice: of several arrivals of one part the last counts.
pub(super) fn as_json(arrivals: &[Arrival]) -> String {
    let by_place: BTreeMap<Place, &Arrival> = arrivals.iter().map(|arrival| (arrival.place(), arrival)).collect();
    let rows: Vec<_> = by_place
        .into_values()
        .map(|a| {
            (a.upload.0.simple().to_string(), a.number, i64::try_from(a.size).unwrap_or(i64::MAX), &a.etag, a.now.0)
        })
        .collect();
    serde_json::json!(rows).to_string()
}

/// Tells everybody whether their part was recorded.
pub(super) fn answer(arrivals: Vec<Arrival>, arrived: &Arrived) {
    for arrival in arrivals {
        let open = arrived.contains(&arrival.place());
        let _ = arrival.done.send(Ok(open));
    }
}
