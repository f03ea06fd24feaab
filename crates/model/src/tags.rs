//! Tags of a file: a comma-separated list when uploading (upload-api reference, tags).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Refusal;

/// The most tags that a file can have.
pub const MAX_TAGS: usize = 50;
/// The longest tag, in characters.
pub const MAX_CHARS: usize = 100;

/// The tags of one file: lower case, without repetitions, in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Tags(Vec<String>);

impl Tags {
    /// Normalises and checks a comma-separated list.
    pub fn from_list(list: &str) -> Result<Self, Refusal> {
        Self::from_texts(list.split(','))
    }

    /// Normalises and checks tags that were given one by one.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, Refusal> {
        let mut tags: Vec<String> = Vec::new();
        for tag in texts.into_iter().map(normalise) {
            if !tag.is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
            // The count in the refusal is exact, but nobody gets to grow the list without bound.
            if tags.len() > 10 * MAX_TAGS {
                break;
            }
        }
        check_number(&tags)?;
        check_each(&tags)?;
        Ok(Self(tags))
    }

    /// Normalises and checks tags that a file is not to have: more than it could have, if need be.
    pub fn to_delete<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, Refusal> {
        let mut tags: Vec<String> = texts.into_iter().map(normalise).filter(|tag| !tag.is_empty()).collect();
        tags.sort_unstable();
        tags.dedup();
        check_each(&tags)?;
        Ok(Self(tags))
    }

    /// The tags in their order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The same without those of `delete` and then with those of `add`, new ones at the end; refused if they are too many.
    pub fn changed(&self, delete: &Self, add: &Self) -> Result<Self, Refusal> {
        let mut tags: Vec<String> = self.0.iter().filter(|tag| !delete.0.contains(tag)).cloned().collect();
        for tag in &add.0 {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        check_number(&tags)?;
        Ok(Self(tags))
    }

    /// Whether both have the same tags, in whatever order.
    pub fn same_set(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|tag| other.0.contains(tag))
    }

    /// Those that `other` lacks, in alphabetical order.
    pub fn lacking_in<'a>(&'a self, other: &Self) -> Vec<&'a str> {
        let mut tags: Vec<&str> = self.0.iter().filter(|tag| !other.0.contains(tag)).map(String::as_str).collect();
        tags.sort_unstable();
        tags
    }
}

fn normalise(tag: &str) -> String {
    tag.trim().to_lowercase()
}

fn check_each(tags: &[String]) -> Result<(), Refusal> {
    for tag in tags {
        let chars = tag.chars().count();
        if chars > MAX_CHARS {
            let text: String = tag.chars().take(MAX_CHARS).collect();
            return Err(Refusal::UploadViews(format!("Tag `{text}...` is too long: {chars} (max {MAX_CHARS}).")));
        }
        if !tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)) {
            return Err(Refusal::UploadViews(format!("Tag `{tag}` contains forbidden characters.")));
        }
    }
    Ok(())
}

fn check_number(tags: &[String]) -> Result<(), Refusal> {
    if tags.len() > MAX_TAGS {
        return Err(Refusal::UploadViews(format!("Too many tags: {} (max {MAX_TAGS}).", tags.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_normalised() {
        assert_eq!(Tags::from_list(" Cat,dog,,CAT , a.b-c_1").unwrap().as_slice(), ["cat", "dog", "a.b-c_1"]);
        assert_eq!(Tags::from_list("").unwrap(), Tags::default());
        assert_eq!(Tags::from_texts(["B ", "a", "b"]).unwrap().as_slice(), ["b", "a"]);
        assert!(Tags::from_texts(["a,b"]).is_err());
    }

    #[test]
    fn tags_are_deleted_then_added() {
        let tags = |list: &str| Tags::from_list(list).unwrap();
        let changed = tags("a,b,c").changed(&tags("b,x"), &tags("d,a")).unwrap();
        assert_eq!(changed.as_slice(), ["a", "c", "d"]);
        assert_eq!(tags("a").changed(&tags("a"), &tags("a")).unwrap(), tags("a"));
        let many = tags(&(0..50).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
        assert_eq!(many.changed(&tags("0"), &tags("x")).unwrap().as_slice().len(), 50);
        assert_eq!(many.changed(&tags(""), &tags("x")).unwrap_err().to_string(), "Too many tags: 51 (max 50).");
        assert!(
            tags("a,b").same_set(&tags("b,a")) && !tags("a,b").same_set(&tags("a,c")) && !tags("").same_set(&tags("a"))
        );
        assert_eq!(tags("z,c,a,b").lacking_in(&tags("c")), ["a", "b", "z"]);
        let candidates: Vec<String> = (0..60).map(|n| format!(" T{n} ")).collect();
        let candidates = Tags::to_delete(candidates.iter().map(String::as_str)).unwrap();
        assert_eq!(tags("a,t7,t59").changed(&candidates, &Tags::default()).unwrap(), tags("a"));
        assert!(Tags::to_delete(["a b"]).is_err());
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
