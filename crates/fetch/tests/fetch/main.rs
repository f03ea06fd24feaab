//! The door to foreign HTTP, tried from outside: against local servers that do everything servers should not do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod answers;
mod codings;
mod limits;
mod origin;
mod posts;
mod redirects;
mod tls;
