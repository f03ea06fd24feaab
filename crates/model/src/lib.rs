//! The nouns and rules of Stowage, without I/O: what a file, a project and a refusal are, and how names, keys and
//! times are written. Nothing here may open a socket, a file or a database, or read the machine's clock except
//! through [`Clock`].

pub mod clock;
pub mod content;
pub mod delivery;
pub mod disposition;
pub mod event;
pub mod file;
pub mod group;
pub mod ids;
pub mod media_type;
pub mod metadata;
pub mod multipart;
pub mod name;
pub mod project;
pub mod reference;
pub mod refusal;
pub mod rest;
pub mod search;
pub mod storage;
pub mod tags;
pub mod units;
pub mod upload;
pub mod urls;
pub mod webhook;

pub use clock::{Clock, Timestamp};
pub use content::{ContentInfo, GeoLocation, ImageInfo, MimeInfo};
pub use delivery::{DeliveryRefusal, DeliverySecrets};
pub use disposition::Disposition;
pub use event::{Cause, Event, EventKind, Initiator};
pub use file::{BlobKey, File, NewFile};
pub use group::{Group, GroupId, Member};
pub use ids::{FileId, Ids, ProjectId, PublicKey, RequestId};
pub use metadata::Metadata;
pub use name::FileName;
pub use project::{AccountState, Project, Settings, StoreDefault, StoreFlag};
pub use reference::FileRef;
pub use refusal::Refusal;
pub use rest::{RestRefusal, RestVersion};
pub use search::Search;
pub use storage::{AclMode, Bucket, Checksums, KeyPattern, Storage, StorageId, StorageName, StorageSettings};
pub use tags::Tags;
pub use upload::{FromUrl, Job, Upload, UrlTask};
pub use urls::PublicUrls;
pub use webhook::{HookVersion, Webhook, WebhookId};
