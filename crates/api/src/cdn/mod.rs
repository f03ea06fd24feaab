//! The delivery door: originals under `/{uuid}/` and `/{uuid}/{filename}` (URL API reference, sections 1, 9 and 10).

mod headers;
mod range;
mod route;
mod serve;

pub(crate) use headers::HARMLESS;
pub(crate) use route::{is_delivery, route};

/// The forms of an address that lead to a file; `route::Path` takes them apart.
const PATHS: [&str; 4] =
    ["/{uuid}/", "/{uuid}/{filename}", "/{uuid}/-/inline/{inline}/", "/{uuid}/-/inline/{inline}/{filename}"];

/// Every form of an address with every method that is served there.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    PATHS.into_iter().flat_map(|path| headers::METHODS.split(", ").map(move |method| (path, method)))
}
