//! The whole state of a world as one archive, and back. An archive is a tar file: what the world is besides its stores, the rows of every
//! table as lines of JSON, the bytes of files, equal ones once, and at the end what there must be, with a digest of everything before.
//! Nothing in it depends on the engines, so that what comes out of SQLite and a folder goes into Postgres and S3.
//!
//! What stays behind: the journal and captured webhooks, seeded and pinned ids, the bytes of uploads in parts that are open, and uploads
//! to custom storages that are under way, whose copies begin anew.

mod check;
mod export;
mod import;
mod read;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use stowage_model::{Clock, Timestamp};
use utoipa::ToSchema;

pub(crate) use export::export;
pub(crate) use import::import;

use crate::faults::Kept;
use crate::holds::Rule;

/// The version of the form; archives of another one are refused.
const FORMAT: u32 = 1;
/// The media type of an archive.
pub(crate) const MEDIA_TYPE: &str = "application/x-tar";

/// The first file of an archive.
const HEAD: &str = "snapshot.json";
/// The last file.
const END: &str = "end.json";

/// What a world is besides its stores.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// [`FORMAT`].
    stowage_snapshot: u32,
    /// The version of the program that wrote it, for people.
    version: String,
    /// When it was made, by the clock of the world, for people.
    made_at: String,
    clock: Hand,
    faults: Vec<Kept>,
    holds: Vec<Rule>,
}

/// What the clock shows, in microseconds.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hand {
    /// It stands still at this moment.
    FrozenAt(i64),
    /// It runs so far ahead of the machine's.
    Ahead(i64),
}

impl Hand {
    fn of(clock: &Clock) -> Self {
        if clock.is_frozen() { Self::FrozenAt(clock.now().0) } else { Self::Ahead(clock.offset()) }
    }

    /// Whether what it shows now is of a year with up to four digits.
    fn is_of_calendar(self) -> bool {
        // The first moment of the year 1, and of 10,000.
        const CALENDAR: Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;
        CALENDAR.contains(&match self {
            Self::FrozenAt(at) => at,
            Self::Ahead(offset) => Clock::machine().now().0.saturating_add(offset),
        })
    }

    /// Sets a clock that runs with the machine's.
    fn set(self, clock: &Clock) {
        match self {
            Self::FrozenAt(at) => {
                clock.freeze();
                clock.set(Timestamp(at));
            }
            Self::Ahead(0) => {}
            Self::Ahead(offset) => clock.set(Timestamp(clock.now().0.saturating_add(offset))),
        }
    }
}

/// What stays behind of a world.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LeftBehind {
    /// Uploads in parts that were open.
    open_uploads: u64,
    /// Uploads to custom storages that were under way; their copies begin anew.
    copy_uploads: u64,
}

/// What there must be in an archive.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    /// How many rows each table has.
    rows: BTreeMap<String, u64>,
    /// How many different bytes files have.
    contents: u64,
    /// The last number that each table has given to a row.
    last: BTreeMap<String, i64>,
    left_behind: LeftBehind,
    /// BLAKE3 of everything before this file, hexadecimal.
    digest: String,
}

/// What was imported.
#[derive(Serialize, ToSchema)]
pub(crate) struct Imported {
    /// The version of the program that wrote the archive.
    version: String,
    /// When it was made, by the clock of that world.
    made_at: String,
    /// How many rows each table has now.
    rows: BTreeMap<String, u64>,
    /// How many different contents files have.
    contents: u64,
    /// What was not in the archive.
    left_behind: LeftBehind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_show_years_of_four_digits() {
        for good in [Hand::FrozenAt(0), Hand::Ahead(0), Hand::Ahead(-1 << 50), Hand::FrozenAt(253_402_300_799_999_999)]
        {
            assert!(good.is_of_calendar());
        }
        for bad in [i64::MIN, i64::MAX, 253_402_300_800_000_000, -253_402_300_800_000_000] {
            assert!(!Hand::FrozenAt(bad).is_of_calendar() && !Hand::Ahead(bad).is_of_calendar(), "{bad}");
        }
    }
}
