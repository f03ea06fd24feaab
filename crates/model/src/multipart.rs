//! The numbers of multipart uploads (upload-api reference, section "Limits").

/// The smallest file, in bytes.
pub const MIN_FILE_SIZE: u64 = 10_000_000;

/// The smallest part, and the size of parts where nothing is asked for, in bytes.
pub const MIN_PART_SIZE: u64 = 5 << 20;

/// The largest part, in bytes.
pub const MAX_PART_SIZE: u64 = 5 << 30;

/// The most parts of an upload.
pub const MAX_PARTS: u64 = 10_000;
