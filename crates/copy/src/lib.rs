//! Copying files to custom storages: buckets of other people, at AWS or anywhere else (vendor document: S3 integration).
//!
//! Everything that talks to such a bucket lives here: [`Targets`] reaches them and remembers what their servers are able to do,
//! [`Target::copy`] puts one object there, [`test`] tries out what a storage needs, [`Policy`] says which rights that is.
//! When and why something is copied is for the rooms above to know; what is under way is in the records.
//!
//! Bytes go as they are, never in frames of signed chunks: some servers keep the frames and say nothing. A CRC32 goes with
//! them in a header, which is signed; servers that know it refuse bytes that have changed on the way, the others pass over it.
//! Over plain HTTP the bytes themselves are signed as well, by their SHA-256, which every server must look at.

mod ask;
mod check;
mod content;
mod error;
mod link;
mod options;
mod parts;
mod policy;
mod put;
mod remote;
mod run;
mod target;
mod targets;

pub use check::{Step, StepOutcome, test};
pub use error::{CopyError, DATA_CORRUPTED};
pub use options::Options;
pub use policy::Policy;
pub use run::{Copies, CopyTools, KEY_INVALID, Ran};
pub use target::{Ledger, Order, Outcome, Source, Target};
pub use targets::Targets;
