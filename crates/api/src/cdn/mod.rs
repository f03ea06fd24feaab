//! The delivery door: originals under `/{uuid}/` and `/{uuid}/{filename}` (URL API reference, sections 1, 9 and 10).

mod headers;
mod range;
mod route;
mod serve;

pub(crate) use headers::HARMLESS;
pub(crate) use route::{is_delivery, route};
