//! The grammar of the URL API's operations from outside.
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

mod accepted;
mod canonical;
mod refused;
mod video;

use stowage_image::operations::{OperationError, Operations};

/// Reads a path as the door does: split on slashes, then decoded; here nothing is escaped.
fn parse(path: &str) -> Result<Operations, OperationError> {
    Operations::parse(&path.split('/').collect::<Vec<_>>())
}

/// What a good path means.
fn read(path: &str) -> Operations {
    parse(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
