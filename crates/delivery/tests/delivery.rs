//! Delivery on real disks, with real pictures and real programs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "delivery/archives.rs"]
mod archives;
#[path = "delivery/house.rs"]
mod house;
#[path = "delivery/limits.rs"]
mod limits;
#[path = "delivery/removals.rs"]
mod removals;
#[path = "delivery/variants.rs"]
mod variants;
#[path = "delivery/videos.rs"]
mod videos;
#[path = "delivery/wipe.rs"]
mod wipe;
