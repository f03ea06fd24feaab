//! The black-box suite: starts the real executable on a free port and speaks HTTP to it.
//!
//! `tests/run` starts what the suite needs. `STOWAGE_TEST_PAIR=postgres+s3` runs it on the other pair of engines.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![expect(unreachable_pub, reason = "the modules are those of one test binary")]

mod architecture;
mod clients;
mod commands;
mod copies;
mod disk_full;
mod ephemeral;
mod expiry;
mod kill;
mod limits;
mod mass;
mod multiparts;
mod nodes;
mod recipes;
mod refusals;
mod storages;
mod stowage;
mod webhooks;
