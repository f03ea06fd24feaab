//! What files are searched by (REST API reference, file search). All conditions of a search must hold.

use std::str::FromStr;

use crate::metadata;

/// The shortest text to search for, in characters.
pub const MIN_QUERY_CHARS: usize = 4;
/// The most keys to sort by.
pub const MAX_SORT_KEYS: usize = 4;
/// The most files that the pages of one search can reach.
pub const MAX_REACH: u32 = 1000;

/// What a search may say.
const PARAMETERS: [&str; 9] =
    ["query", "phrase", "exact", "datetime_uploaded", "size", "is_image", "tags", "sort", "fuzziness"];

/// The parameter of a search that is called so, if there is one.
pub fn parameter(name: &str) -> Option<&'static str> {
    PARAMETERS.into_iter().find(|parameter| *parameter == name)
}

/// A search. The default finds every file that is not removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// A text that one of the [`TextField`]s contains, or the id of the file.
    pub query: Option<String>,
    /// Texts that these fields contain. ASCII letters match in either case, here and in `query`.
    pub phrases: Vec<(TextField, String)>,
    /// Values of which these fields have one, letter for letter.
    pub exact: Vec<(ExactField, Vec<String>)>,
    /// When the file was uploaded, in microseconds since 1970.
    pub uploaded_at: Range,
    /// How long it is, in bytes.
    pub size: Range,
    /// Whether it is a picture.
    pub is_image: Option<bool>,
    /// Which tags it has.
    pub tags: TagsFilter,
    /// By what the result is sorted. Files that are equal in that, or all where there is nothing, come newest first.
    pub sort: Vec<Sort>,
}

impl Search {
    /// Whether there is any condition.
    pub fn has_conditions(&self) -> bool {
        let Self { query, phrases, exact, uploaded_at, size, is_image, tags, sort: _ } = self;
        query.is_some()
            || !phrases.is_empty()
            || !exact.is_empty()
            || *uploaded_at != Range::default()
            || *size != Range::default()
            || is_image.is_some()
            || *tags != TagsFilter::default()
    }
}

/// The text names nothing that can be searched by, or that the result can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a field")]
pub struct NotAField;

/// A field in which text is searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextField {
    /// `original_filename`.
    Name,
    /// `metadata`: the values of all keys.
    Metadata,
    /// `detected_mime_type`.
    DetectedType,
}

impl FromStr for TextField {
    type Err = NotAField;

    fn from_str(text: &str) -> Result<Self, NotAField> {
        match text {
            "original_filename" => Ok(Self::Name),
            "metadata" => Ok(Self::Metadata),
            "detected_mime_type" => Ok(Self::DetectedType),
            _ => Err(NotAField),
        }
    }
}

/// A field that is compared.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExactField {
    /// `uuid`.
    Id,
    /// `original_filename`.
    Name,
    /// `detected_mime_type`.
    DetectedType,
    /// `metadata[key]`.
    Metadata(String),
}

impl ExactField {
    /// Whether it is what a text is searched in as well.
    pub fn is_about(&self, text: TextField) -> bool {
        match self {
            Self::Id => false,
            Self::Name => text == TextField::Name,
            Self::DetectedType => text == TextField::DetectedType,
            Self::Metadata(_) => text == TextField::Metadata,
        }
    }
}

impl FromStr for ExactField {
    type Err = NotAField;

    fn from_str(text: &str) -> Result<Self, NotAField> {
        match text {
            "uuid" => Ok(Self::Id),
            "original_filename" => Ok(Self::Name),
            "detected_mime_type" => Ok(Self::DetectedType),
            _ => {
                let key = text.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')).ok_or(NotAField)?;
                metadata::check_key(key).map_err(|_| NotAField)?;
                Ok(Self::Metadata(key.to_owned()))
            }
        }
    }
}

/// Numbers between two bounds, which belong to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The least.
    pub from: i64,
    /// The greatest; less than `from` where no number will do.
    pub to: i64,
}

impl Default for Range {
    /// Every number.
    fn default() -> Self {
        Self { from: i64::MIN, to: i64::MAX }
    }
}

impl Range {
    /// No number.
    const NOTHING: Self = Self { from: i64::MAX, to: i64::MIN };

    /// Those of these numbers that are on this side of `value` as well.
    #[must_use]
    pub fn and(self, side: Side, value: i64) -> Self {
        let (from, to) = match side {
            Side::Above => (value.checked_add(1), Some(i64::MAX)),
            Side::From => (Some(value), Some(i64::MAX)),
            Side::Below => (Some(i64::MIN), value.checked_sub(1)),
            Side::To => (Some(i64::MIN), Some(value)),
        };
        match (from, to) {
            (Some(from), Some(to)) => Self { from: self.from.max(from), to: self.to.min(to) },
            _ => Self::NOTHING,
        }
    }
}

/// A side of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// `gt`.
    Above,
    /// `gte`.
    From,
    /// `lt`.
    Below,
    /// `lte`.
    To,
}

impl FromStr for Side {
    type Err = NotAField;

    fn from_str(text: &str) -> Result<Self, NotAField> {
        match text {
            "gt" => Ok(Self::Above),
            "gte" => Ok(Self::From),
            "lt" => Ok(Self::Below),
            "lte" => Ok(Self::To),
            _ => Err(NotAField),
        }
    }
}

/// Which tags a file must have. An empty list asks for nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TagsFilter {
    /// At least one of these.
    pub any: Vec<String>,
    /// Each of these.
    pub all: Vec<String>,
    /// None of these.
    pub none: Vec<String>,
}

/// By what, and how, a result is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl FromStr for Sort {
    type Err = NotAField;

    /// The name of a key, after `-` for descending.
    fn from_str(text: &str) -> Result<Self, NotAField> {
        match text.strip_prefix('-') {
            Some(key) => Ok(Self { key: key.parse()?, descending: true }),
            None => Ok(Self { key: text.parse()?, descending: false }),
        }
    }
}

/// By what a result is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SortKey {
    /// `datetime_uploaded`.
    UploadedAt,
    /// `size`.
    Size,
    /// `original_filename`, by code points.
    Name,
    /// `detected_mime_type`.
    DetectedType,
}

impl FromStr for SortKey {
    type Err = NotAField;

    fn from_str(text: &str) -> Result<Self, NotAField> {
        match text {
            "datetime_uploaded" => Ok(Self::UploadedAt),
            "size" => Ok(Self::Size),
            "original_filename" => Ok(Self::Name),
            "detected_mime_type" => Ok(Self::DetectedType),
            _ => Err(NotAField),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_shrink_to_nothing() {
        let all = Range::default();
        assert_eq!(all.and(Side::Above, 5).and(Side::To, 9), Range { from: 6, to: 9 });
        assert_eq!(all.and(Side::From, 5).and(Side::Below, 9).and(Side::From, 3), Range { from: 5, to: 8 });
        assert_eq!(all.and(Side::Above, i64::MAX), Range::NOTHING);
        assert_eq!(all.and(Side::Below, i64::MIN).and(Side::From, 0), Range { from: i64::MAX, to: i64::MIN });
    }

    #[test]
    fn fields_are_called_as_in_the_api() {
        assert_eq!("metadata[a.b]".parse(), Ok(ExactField::Metadata("a.b".into())));
        for bad in ["metadata", "metadata[]", "metadata[a", "metadata[a]b", "metadata[a b]", "size", ""] {
            assert_eq!(bad.parse::<ExactField>(), Err(NotAField), "{bad}");
        }
        assert_eq!("-size".parse(), Ok(Sort { key: SortKey::Size, descending: true }));
        assert_eq!("datetime_uploaded".parse(), Ok(Sort { key: SortKey::UploadedAt, descending: false }));
        for bad in ["--size", "-", "", "uuid"] {
            assert_eq!(bad.parse::<Sort>(), Err(NotAField), "{bad}");
        }
        assert!("metadata[a]".parse::<TextField>().is_err() && "eq".parse::<Side>().is_err());
    }

    #[test]
    fn sorting_is_no_condition() {
        let sort = vec!["size".parse().unwrap()];
        assert!(!Search { sort, ..Search::default() }.has_conditions());
        assert!(Search { is_image: Some(false), ..Search::default() }.has_conditions());
        let size = Range::default().and(Side::From, 0);
        assert!(Search { size, ..Search::default() }.has_conditions());
    }
}
