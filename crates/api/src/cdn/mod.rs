//! The delivery door (URL API reference, sections 1 and 9 to 11): originals and what is made of them, groups, archives, remote files.

mod accept;
mod groups;
mod headers;
mod path;
mod pictures;
mod range;
mod remote;
mod route;
mod serve;
mod signed;
mod visit;

pub(crate) use headers::{HARMLESS, set_cors};
pub(crate) use path::is_delivery;
pub use remote::Fetches;
pub(crate) use route::{refuse, route};
pub(crate) use visit::project_of;

/// The forms of an address that lead to a file or a group; `path::Address` takes them apart. `{operations}` stands for any number of
/// pieces.
const PATHS: [&str; 12] = [
    "/{uuid}/",
    "/{uuid}/{filename}",
    "/{uuid}/-/inline/{inline}/",
    "/{uuid}/-/inline/{inline}/{filename}",
    "/{uuid}/-/{operations}/",
    "/{uuid}/-/{operations}/{filename}",
    "/{uuid}/detect_faces/",
    "/{uuid}/gif2video/",
    "/{uuid}~{count}/",
    "/{uuid}~{count}/nth/{index}/",
    "/{uuid}~{count}/archive/{kind}/",
    "/{uuid}~{count}/archive/{kind}/{filename}",
];

/// Every form of an address with every method that is served there.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    PATHS.into_iter().flat_map(|path| headers::METHODS.split(", ").map(move |method| (path, method)))
}
