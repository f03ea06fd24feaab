//! The public addresses of the three APIs, of which absolute URLs in answers are made.

use serde::{Deserialize, Serialize};

/// Where the world reaches the three APIs. Each base is `scheme://host[:port][/path]` without a slash at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublicUrls {
    /// The Upload API.
    pub upload: String,
    /// The REST API.
    pub rest: String,
    /// Delivery.
    pub cdn: String,
}
