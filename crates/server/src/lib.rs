//! The binary `stowage`: configuration, telemetry, wiring, commands and the graceful stop. Everything that the APIs do
//! lives in the rooms below; here they are only put together.

mod build;
pub mod commands;
pub mod config;
mod listener;
mod run;
mod telemetry;

pub use run::{Role, Running, start};
