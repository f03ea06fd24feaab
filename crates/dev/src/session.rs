//! The name of a session, as requests send it.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

/// The headers that name the session of a request: the one of the vendor's emulator, and ours.
pub(crate) const HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-uploadcare-emulator-session"), HeaderName::from_static("x-stowage-session")];

/// The name that the vendor's emulator gives to the world of requests without the header.
const DEFAULT: &str = "default";

/// The name of a session: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SessionName(String);

/// The text cannot be the name of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the name of a session is 1 to 64 characters of A-Z a-z 0-9 . _ -")]
pub(crate) struct NotASession;

impl FromStr for SessionName {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, NotASession> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASession)
        }
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SessionName {
    /// The session that a request names; none for the configured world.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, NotASession> {
        let Some(value) = HEADERS.iter().find_map(|name| headers.get(name)) else { return Ok(None) };
        let text = value.to_str().map_err(|_| NotASession)?;
        if text.is_empty() || text == DEFAULT { Ok(None) } else { text.parse().map(Some) }
    }
}
