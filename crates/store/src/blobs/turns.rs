//! Turns of those who write a part of a blob.

use uuid::Uuid;

/// A blob and the number of a part.
type Place = (Uuid, u32);

/// The places that somebody writes to or waits for.
pub(super) type Turns = crate::turns::Turns<Place>;

/// A turn, or the wait for one. It ends when this is dropped.
pub(super) type Turn = crate::turns::Turn<Place>;
