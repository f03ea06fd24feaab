//! The container that AVIF and HEIC share.

mod boxes;
mod container;

pub(super) use boxes::{Cursor, Part, find};
pub(super) use container::{Container, Item};
