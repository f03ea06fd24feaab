//! How the APIs show things. Pure: from nouns to serialisable structs, so that the doors and the jobs that build webhook
//! bodies show the same. Texts of refusals live in the model; nothing here asks the records.

pub mod events;
pub mod highlight;
pub mod rest;
pub mod upload;
pub mod v05;
pub mod v06;
pub mod v07;
