//! Pictures of every format, by the room's public functions only. One binary, so that the room is linked once.

#![expect(clippy::unwrap_used, reason = "what these helpers unwrap is there, or the test fails")]

mod common;
mod decode;
mod encode;
mod frames;
mod heif;
mod hostile;
