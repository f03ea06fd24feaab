//! The container that AVIF and HEIC share.

mod boxes;
mod container;
mod lists;

#[cfg(feature = "heic")]
pub(super) use boxes::Parts;
pub(super) use boxes::{Cursor, Part, find};
pub(super) use container::{Container, Item};
#[cfg(feature = "heic")]
pub(super) use lists::MAX_LISTS;
