//! What a picture shows, as far as simple arithmetic can tell: where its faces, objects and corners are, which colours it has,
//! which picture it is. Everything is measured on a reduced copy, so that time and memory do not grow with the picture, and
//! without chance: the same pixels give the same answer.

mod artwork;
mod colors;
mod corners;
mod cut;
mod hash;
mod objects;
mod reduced;
mod stretch;
mod trim;
mod warp;
mod zoom;

pub(crate) use artwork::looks_like_artwork;
pub(crate) use colors::main_colors;
pub(crate) use cut::smart_cut;
pub(crate) use hash::{blurhash, phash};
pub(crate) use reduced::{Small, luma, opaque};
pub(crate) use stretch::smart_resize;
pub(crate) use trim::trim;
pub(crate) use zoom::zoom_objects;
