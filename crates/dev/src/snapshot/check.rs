//! Looking at all of an archive before anything is changed.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Seek};

use serde::de::DeserializeOwned;
use stowage_store::records::{RestoreError, Rows, content_size};

use super::read::{Archive, Fault, Member, bad};
use super::{END, End, FORMAT, HEAD, Head};
use crate::faults::Faults;

/// An archive that was looked at.
pub(super) struct Checked {
    pub(super) head: Head,
    pub(super) end: End,
}

impl From<RestoreError> for Fault {
    fn from(refused: RestoreError) -> Self {
        Self::Bad(format!("records: {refused}"))
    }
}

/// Reads an archive to its end. Waits for the disk.
pub(super) fn check(from: impl Read + Seek) -> Result<Checked, Fault> {
    let mut archive = Archive::with_digest(from);
    let head = match archive.next()? {
        Some((Member::Head, _)) => head(&archive.whole()?)?,
        _ => return bad(format!("a snapshot begins with `{HEAD}`")),
    };
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    // The bytes that files have and that have not come yet; and how many have.
    let (mut wanted, mut contents) = (HashSet::new(), 0);
    let end: End = loop {
        match archive.next()? {
            Some((Member::Rows(table), _)) if contents == 0 => {
                let found = Rows::read(&table, &archive.whole()?)?;
                wanted.extend(found.contents());
                *rows.entry(table).or_default() += found.count();
            }
            Some((Member::Content(name), size)) => {
                if content_size(&name) != Some(size) {
                    return bad(format!("`blobs/{name}` has {size} bytes"));
                }
                if !wanted.remove(&name) {
                    return bad(format!("`blobs/{name}` is there twice, or no file has these bytes"));
                }
                contents += 1;
            }
            Some((Member::End, _)) => {
                let digest = archive.before();
                let end: End = facts(END, &archive.whole()?)?;
                if digest.as_deref() != Some(&*end.digest) {
                    return bad("its digest is wrong: the archive is damaged or was changed");
                }
                break end;
            }
            Some((Member::Head | Member::Rows(_), _)) => return bad("its files are not in order"),
            None => return Err(Fault::Short),
        }
    };
    if let Some(missing) = wanted.iter().next() {
        return bad(format!("{} contents of files are missing, such as `blobs/{missing}`", wanted.len()));
    }
    if rows != end.rows || contents != end.contents {
        return bad(format!("it has not what `{END}` says"));
    }
    match archive.next()? {
        None => Ok(Checked { head, end }),
        Some(_) => bad(format!("there is something behind `{END}`")),
    }
}

fn head(text: &str) -> Result<Head, Fault> {
    let format = serde_json::from_str::<serde_json::Value>(text).ok();
    match format.as_ref().and_then(|head| head["stowage_snapshot"].as_u64()) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => return bad(format!("it is a snapshot of form {format}; this program knows form {FORMAT}")),
        None => return bad(format!("`{HEAD}` does not say that it is a snapshot")),
    }
    let head: Head = facts(HEAD, text)?;
    if !head.clock.is_of_calendar() {
        return bad(format!("`{HEAD}`, clock: it shows no year from 1 to 9999"));
    }
    for hold in &head.holds {
        hold.check().or_else(|refused| bad(format!("`{HEAD}`, holds: {refused}")))?;
    }
    Faults::default().restore(head.faults.clone()).or_else(|refused| bad(format!("`{HEAD}`, faults: {refused}")))?;
    Ok(head)
}

fn facts<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).or_else(|fault| bad(format!("`{name}`: {fault}")))
}
