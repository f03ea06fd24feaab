//! The doors for tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "dev/broken.rs"]
mod broken;
#[path = "dev/document.rs"]
mod document;
#[path = "dev/driving.rs"]
mod driving;
#[path = "dev/faults.rs"]
mod faults;
#[path = "dev/journal.rs"]
mod journal;
#[path = "dev/keys.rs"]
mod keys;
#[path = "dev/resets.rs"]
mod resets;
#[path = "dev/seed.rs"]
mod seed;
#[path = "dev/snapshots.rs"]
mod snapshots;
#[path = "dev/webhooks.rs"]
mod webhooks;
