//! The nouns and rules of Stowage, without I/O: what a file, a project and a refusal are, and how names, keys and
//! times are written. Nothing here may open a socket, a file or a database, or read the machine's clock except
//! through [`Clock`].

pub mod clock;
pub mod content;
pub mod file;
pub mod ids;
pub mod media_type;
pub mod metadata;
pub mod name;
pub mod project;
pub mod refusal;
pub mod tags;
pub mod units;
pub mod urls;

pub use clock::{Clock, Timestamp};
pub use content::{ContentInfo, GeoLocation, ImageInfo, MimeInfo};
pub use file::{BlobKey, File, NewFile};
pub use ids::{FileId, Ids, ProjectId, PublicKey, RequestId};
pub use metadata::Metadata;
pub use name::FileName;
pub use project::{AccountState, Project, Settings, StoreDefault, StoreFlag};
pub use refusal::Refusal;
pub use tags::Tags;
pub use urls::PublicUrls;
