//! The public addresses of the three APIs, of which absolute URLs in answers are made.

use crate::FileId;

/// Where the world reaches the three APIs. Each base is `scheme://host[:port][/path]` without a slash at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrls {
    /// The Upload API.
    pub upload: String,
    /// The REST API.
    pub rest: String,
    /// Delivery.
    pub cdn: String,
}

impl PublicUrls {
    /// All three APIs at one address.
    pub fn all_at(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { upload: base.clone(), rest: base.clone(), cdn: base }
    }

    /// The delivery URL of a file, with the slash at its end.
    pub fn file(&self, id: FileId) -> String {
        format!("{}/{id}/", self.cdn)
    }
}
