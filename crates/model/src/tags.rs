//! Tags of a file: a comma-separated list when uploading (upload-api reference, tags).

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The most tags that a file can have.
pub const MAX_TAGS: usize = 50;
/// The longest tag, in characters.
pub const MAX_CHARS: usize = 100;

/// The tags of one file: lower case, without repetitions, in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<String>);

impl Tags {
    /// Normalises and checks a comma-separated list.
    pub fn from_list(list: &str) -> Result<Self, Refusal> {
        let mut tags: Vec<String> = Vec::new();
        for tag in list.split(',') {
            let tag = tag.trim().to_lowercase();
            if !tag.is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
            // The count in the refusal is exact, but nobody gets to grow the list without bound.
            if tags.len() > 10 * MAX_TAGS {
                break;
            }
        }
        if tags.len() > MAX_TAGS {
            return Err(Refusal::UploadViews(format!("Too many tags: {} (max {MAX_TAGS}).", tags.len())));
        }
        for tag in &tags {
            let chars = tag.chars().count();
            if chars > MAX_CHARS {
                let text: String = tag.chars().take(MAX_CHARS).collect();
                return Err(Refusal::UploadViews(format!("Tag `{text}...` is too long: {chars} (max {MAX_CHARS}).")));
            }
            if !tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)) {
                return Err(Refusal::UploadViews(format!("Tag `{tag}` contains forbidden characters.")));
            }
        }
        Ok(Self(tags))
    }

    /// The tags in their order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_normalised() {
        assert_eq!(Tags::from_list(" Cat,dog,,CAT , a.b-c_1").unwrap().as_slice(), ["cat", "dog", "a.b-c_1"]);
        assert_eq!(Tags::from_list("").unwrap(), Tags::default());
    }

    #[test]
    fn bad_tags_are_refused_with_their_text() {
        let text = |list: &str| Tags::from_list(list).unwrap_err().to_string();
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        assert_eq!(text(&many.join(",")), "Too many tags: 51 (max 50).");
        assert_eq!(text("ok,a b"), "Tag `a b` contains forbidden characters.");
        assert!(text(&"x".repeat(101)).ends_with("is too long: 101 (max 100)."));
        assert!(Tags::from_list(&"x".repeat(100)).is_ok());
    }
}
