//! Groups: unchangeable lists of files, in order.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::ids::NotAnId;
use crate::{FileId, ProjectId, Timestamp};

/// The most files of a group.
pub const MAX_FILES: usize = 1000;

/// The id of a group, which tells how many files it has: `uuid~n`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupId {
    /// What tells it from other groups.
    pub uuid: Uuid,
    /// How many files it was made of.
    pub count: u32,
}

impl FromStr for GroupId {
    type Err = NotAnId;

    /// Accepts the hyphenated UUID, `~` and a count without leading zeros.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (id, count) = text.split_once('~').ok_or(NotAnId)?;
        let FileId(uuid) = id.parse()?;
        let digits = count.bytes().all(|b| b.is_ascii_digit()) && !count.starts_with('0');
        match count.parse() {
            Ok(count) if digits => Ok(Self { uuid, count }),
            _ => Err(NotAnId),
        }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.uuid.hyphenated(), self.count)
    }
}

/// A file of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The file, which may have been removed since.
    pub file: FileId,
    /// The operations with which it was put in, without the first `-/`; empty for none.
    pub effects: String,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// When it was made; unique in its project.
    pub created_at: Timestamp,
    /// Its files in order; a file may stand there several times.
    pub members: Vec<Member>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_count() {
        let text = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61~12";
        assert_eq!(text.parse::<GroupId>().unwrap().to_string(), text);
        for bad in ["", "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61", "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61~", "x~1"] {
            assert_eq!(bad.parse::<GroupId>(), Err(NotAnId), "{bad}");
        }
        for count in ["0", "01", "+1", "-1", "1x", "99999999999"] {
            assert_eq!(format!("0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61~{count}").parse::<GroupId>(), Err(NotAnId));
        }
    }
}
