//! The doors for tests, under `/_dev/`: reset, seed, snapshot, clock, ids, faults, jobs, journal, sessions. They drive the same rooms that
//! serve and work in production; nothing is pretended but what a test asks for. Where `dev.enabled` is off, nobody comes here.
//!
//! A *world* is one complete server: its records, blobs and caches, its clock and ids, and what tests have put into it. There is the one
//! that is configured, and one for each session, so that tests that run side by side do not see each other.

mod capture;
mod clock;
mod doors;
mod error;
mod faults;
mod front;
mod gate;
mod holds;
mod journal;
mod meddling;
mod options;
mod parts;
mod route;
mod seed;
mod session;
mod snapshot;
mod world;
mod worlds;

pub use capture::is_capture;
pub use doors::routes;
pub use error::DevError;
pub use front::Front;
pub use options::Options;
pub use parts::{Build, Declare, Parts, Place, StartWorkers, Tools};
pub use world::World;
pub use worlds::Dev;
