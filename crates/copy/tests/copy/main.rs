//! Copies to custom storages: on real S3 servers, and through a proxy that makes them misbehave.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

mod check;
mod faults;
mod large;
mod plain;
mod proxy;
mod public;
mod remote;
mod resume;
mod support;
