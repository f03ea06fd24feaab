//! How users name files: by id, by id and operations, or by a delivery URL of any host.

use std::str::FromStr;

use crate::FileId;
use crate::ids::NotAnId;

/// The longest reference that is read, in bytes.
const MAX_LEN: usize = 1024;

/// A file with the operations that are asked of it, which are kept as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRef {
    /// The file.
    pub id: FileId,
    /// The operations without the first `-/` and with a slash at the end (`resize/x800/-/grayscale/`); empty for none.
    pub operations: String,
}

impl FromStr for FileRef {
    type Err = NotAnId;

    /// Reads `uuid`, `uuid/`, `uuid/name`, `uuid/-/operation/…/`, the same with a name at its end, and all of these behind
    /// `scheme://host/path/`. Query and fragment are passed over.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() > MAX_LEN || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(NotAnId);
        }
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let path = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                rest.split_once('/').map(|(_, path)| path).ok_or(NotAnId)?
            }
            Some(_) => return Err(NotAnId),
            None => text.strip_prefix("//").and_then(|rest| rest.split_once('/')).map_or(text, |(_, path)| path),
        };
        let mut rest = path.trim_start_matches('/');
        let id: FileId = loop {
            let (segment, after) = rest.split_once('/').unwrap_or((rest, ""));
            if let Ok(id) = segment.parse() {
                rest = after;
                break id;
            }
            if after.is_empty() {
                return Err(NotAnId);
            }
            rest = after;
        };
        let operations = match rest.strip_prefix("-/") {
            // What stands behind the last slash is a name.
            Some(operations) => operations.rsplit_once('/').map_or("", |(operations, _)| operations),
            None if rest.trim_end_matches('/').contains('/') => return Err(NotAnId),
            None => "",
        };
        let operations = operations.trim_end_matches('/');
        Ok(Self { id, operations: if operations.is_empty() { String::new() } else { format!("{operations}/") } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";

    #[test]
    fn every_form_of_a_reference() {
        for (text, operations) in [
            ("{}", ""),
            ("{}/", ""),
            ("/{}/", ""),
            ("{}/photo.jpg", ""),
            ("{}/-/resize/x800/", "resize/x800/"),
            ("{}/-/resize/x800/photo.jpg", "resize/x800/"),
            ("{}/-/resize/x800/-/grayscale/", "resize/x800/-/grayscale/"),
            ("https://ucarecdn.com/{}/", ""),
            ("http://localhost:8080/{}/-/preview/photo.jpg?x=/a#b", "preview/"),
            ("https://cdn.example.com/prefix/{}/-/preview/10x10/", "preview/10x10/"),
            ("//ucarecdn.com/{}/", ""),
        ] {
            let read: FileRef = text.replace("{}", ID).parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((read.id.to_string().as_str(), read.operations.as_str()), (ID, operations), "{text}");
        }
    }

    #[test]
    fn what_names_no_file() {
        for text in [
            "",
            "nope",
            "https://ucarecdn.com",
            "https://ucarecdn.com/",
            "{}~2/nth/0/",
            "{}/a/b",
            "{} ",
            "{}x",
            "://x/{}/",
        ] {
            assert_eq!(text.replace("{}", ID).parse::<FileRef>(), Err(NotAnId), "{text}");
        }
    }
}
